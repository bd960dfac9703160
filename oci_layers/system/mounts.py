"""What is mounted, and where."""

import re

__all__ = ["mount_points"]

_OCTAL = re.compile(rb"\\([0-7]{3})")


def mount_points() -> set[bytes]:
    """Return the paths of mount points; empty if the system does not list them."""
    try:
        with open("/proc/self/mountinfo", "rb") as lines:
            return {_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4]) for line in lines}
    except OSError:
        return set()
