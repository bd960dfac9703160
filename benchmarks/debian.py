"""A real Debian root in four layers: base system, a C toolchain, Node.js with npm, then removals.

Made with mmdebstrap, apt and umoci, where they are installed and this is root; whiteouts are in the last layer. Its
size differs between one day's packages and another's, so a result says how large its input was.
"""

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.layout import CACHE

NAME = "debian"
_TOOLS = ("mmdebstrap", "umoci", "chroot")
_STEPS = (
    "apt-get install -y -q --no-install-recommends build-essential git python3-dev",
    "apt-get install -y -q --no-install-recommends nodejs npm perl-doc vim",
    "apt-get purge -y -q vim perl-doc && apt-get autoremove -y -q && rm -rf /usr/share/doc /var/lib/apt/lists/*",
)


def missing() -> str | None:
    """Return why the image can neither be found nor made here; None if it can."""
    if (CACHE / NAME).exists():
        return None
    if os.geteuid() != 0:
        return "to make it needs root"
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def make(layout: Path) -> None:
    """Make the layout; what it is made in stands beside it."""
    bundle, base = layout.with_name("bundle"), layout.with_name("base")
    image, root = f"{layout}:b", layout.with_name("bundle") / "rootfs"
    _run("umoci", "init", "--layout", str(layout))
    _run("umoci", "new", "--image", image)
    _run("umoci", "unpack", "--image", image, str(bundle))
    _run("mmdebstrap", "--variant=apt", "--quiet", "bookworm", str(base))
    _run("cp", "-a", f"{base}/.", str(root))
    _repack(image, bundle)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    for step in _STEPS:
        _run("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", f"apt-get update -q && {step}")
        _repack(image, bundle)
    _run("umoci", "gc", "--layout", str(layout))


def _repack(image: str, bundle: Path) -> None:
    _run("umoci", "repack", "--refresh-bundle", "--image", image, str(bundle))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
