"""An image with a shell: that of this machine, and the libraries that it needs."""

import os
import re
import subprocess

import pytest

from tests.support.layers import d, f, image, tar


def files():
    """The bytes of the files by their paths; where the machine does not tell what its shell needs, skip the test."""
    try:
        needs = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no ldd that says what /bin/sh needs")
    return {name[1:]: _read(name) for name in ["/bin/sh", *re.findall(r"(/\S+) \(0x", needs)]}


def shell_layer():
    """A layer of them, and of `/etc/motd`."""
    found = files()
    above = sorted({parent for name in found for parent in _above(name)})
    return tar(
        *(d(f"{name}/") for name in above),
        *(f(name, data, mode=0o755) for name, data in found.items()),
        d("etc/"),
        f("etc/motd", "lit\n"),
    )


def shell_image(directory):
    """Write a layout with it; return its path as text."""
    return image(directory, shell_layer())


def _above(name):
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _read(name):
    with open(os.path.realpath(name), "rb") as file:
        return file.read()
