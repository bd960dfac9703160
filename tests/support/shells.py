"""An image with a shell: that of this machine, and the libraries that it needs."""

import os
import re
import subprocess

import pytest

from tests.support.layers import d, f, image, tar


def shell_layer():
    """The layer; where the machine does not tell what its shell needs, the test is skipped."""
    try:
        needs = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no ldd that says what /bin/sh needs")
    files = ["/bin/sh", *re.findall(r"(/\S+) \(0x", needs)]
    above = sorted({parent for name in files for parent in _above(name)})
    return tar(
        *(d(f"{name}/") for name in above),
        *(f(name[1:], _read(name), mode=0o755) for name in files),
        d("etc/"),
        f("etc/motd", "lit\n"),
    )


def shell_image(directory):
    """Write a layout with it; return its path as text."""
    return image(directory, shell_layer())


def _above(name):
    parts = name[1:].split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _read(name):
    with open(os.path.realpath(name), "rb") as file:
        return file.read()
