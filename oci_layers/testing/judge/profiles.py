"""Programs that are known: how each is asked to unpack an image, and what it is not to be asked for.

What a profile ignores is what the program never claims to keep, not what it gets wrong.
"""

import shutil
import sys
from collections.abc import Mapping

import attrs

from oci_layers import system
from oci_layers.errors import MissingError
from oci_layers.testing.judge.mounts import KernelOverlay, StoredOverlay
from oci_layers.testing.judge.program import Command, Program
from oci_layers.testing.same import Attribute

__all__ = ["PROFILES", "Profile", "profile"]


@attrs.frozen
class Profile:
    """A known program."""

    name: str
    says: str
    """What it is, for a list."""
    program: Program
    needs: tuple[str, ...]
    """The commands that must be installed; the first is the one that is judged."""
    version: tuple[str, ...] = ()
    """The command that prints its version; that of the first of `needs` with `--version` by default."""
    root: bool = False
    """Whether only root can run it."""
    ignore: tuple[Attribute, ...] = ()
    """Attributes that are not compared by default."""

    def missing(self) -> list[str]:
        """Return what is not here: commands, or `root`; empty if the program can be judged."""
        found = [name for name in self.needs if shutil.which(name) is None]
        return found + (["root"] if self.root and system.effective_ids()[0] else [])

    def version_line(self) -> str:
        """Return the first line that the program says of its version; empty if it says nothing."""
        try:
            ended = system.run_program(self.version or (self.needs[0], "--version"), timeout=20)
        except OSError:
            return ""
        lines = (ended.stdout or ended.stderr).decode(errors="replace").strip().splitlines()
        return lines[0] if lines else ""


_BUILDAH = """
b() { buildah --root "$0/root" --runroot "$0/run" --storage-driver vfs "$@"; }
c=$(b from "oci:$1:$2") && m=$(b mount "$c") && ln -s "$m" "$3"
"""

_PYTHON = sys.executable or "python3"

_PROFILES = (
    Profile(
        "oci-layers",
        "this library",
        Command(
            (_PYTHON, "-m", "oci_layers", "unpack", "--progress=none", "oci:{layout}:{ref}", "{dest}"),
            name="oci-layers",
        ),
        (_PYTHON,),
        version=(_PYTHON, "-m", "oci_layers", "--version"),
    ),
    Profile(
        "umoci",
        "umoci unpack",
        Command(("umoci", "unpack", "--image", "{layout}:{ref}", "{dest}"), "rootfs", "umoci"),
        ("umoci",),
        root=True,
    ),
    Profile(
        "buildah",
        "buildah from and mount, with the storage driver vfs and a storage of its own",
        Command(
            ("sh", "-c", _BUILDAH.strip(), "{scratch}", "{layout}", "{ref}", "{dest}"),
            name="buildah",
        ),
        ("buildah",),
        root=True,
    ),
    Profile(
        "skopeo-overlay",
        "skopeo copy to containers-storage with the driver overlay, mounted",
        StoredOverlay(),
        ("skopeo", "mount", "umount"),
        root=True,
    ),
    Profile(
        "overlay",
        "the kernel's overlay file system over the upper directories that this library makes of layers",
        KernelOverlay(),
        ("mount", "umount"),
        version=("uname", "-sr"),
        root=True,
    ),
    Profile(
        "tar",
        "GNU tar, layer over layer; it knows no whiteouts",
        Command(
            (
                *("tar", "--extract", "--file", "{layer}", "--directory", "{dest}", "--numeric-owner"),
                *("--same-owner", "--same-permissions", "--xattrs", "--xattrs-include=*"),
            ),
            name="tar",
        ),
        ("tar",),
    ),
    Profile(
        "bsdtar",
        "bsdtar, layer over layer; it knows no whiteouts",
        Command(("bsdtar", "-x", "-p", "--numeric-owner", "-f", "{layer}", "-C", "{dest}"), name="bsdtar"),
        ("bsdtar",),
    ),
    Profile(
        "tarfile",
        "tarfile of Python's standard library, layer over layer; it knows no whiteouts and no extended attributes",
        Command((_PYTHON, "-m", "tarfile", "--filter", "fully_trusted", "-e", "{layer}", "{dest}"), name="tarfile"),
        (_PYTHON,),
        ignore=("xattrs",),
    ),
)

PROFILES: Mapping[str, Profile] = {each.name: each for each in _PROFILES}
"""Every profile by its name."""


def profile(name: str) -> Profile:
    """Return a profile.

    Raises:
        MissingError: There is none of this name, or its program is not here.
    """
    if name not in PROFILES:
        raise MissingError(f"no profile {name!r}; there are {', '.join(PROFILES)}")
    found = PROFILES[name]
    if missing := found.missing():
        raise MissingError(f"the profile {name} needs {' and '.join(missing)}")
    return found
