"""A view of the host in which a program runs: it sees all files, and what it changes is kept apart from them.

A program that leaves its destination, say through a link to `/`, would change the host itself. So, where the judge is
root on Linux, each command runs in a mount namespace of its own, in which the root is an overlay over that of the host:
changes go to a directory of the run, where they are found, too. The place of the run is the host's own. Other file
systems of the host are there to be read only. Without root, or where the system has no overlays, there is no view, and
a program can change what its user can.
"""

import functools
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from oci_layers import system

__all__ = ["View", "is_possible", "view"]

_SCRIPT = """
upper=$1 work=$2 root=$3
shift 3
mount -t overlay overlay -o "lowerdir=/,upperdir=$upper,workdir=$work" "$root"
while [ "$1" != -- ]; do
    case $1 in
    /dev | /proc | /sys) mount --rbind "$1" "$root$1" ;;
    own:*) mount --rbind "${1#own:}" "$root${1#own:}" ;;
    *) mount -o bind,ro "$1" "$root$1" 2>/dev/null || : ;; # others unmount, too
    esac
    shift
done
shift
exec chroot "$root" "$@"
"""
_SYSTEM = ("/dev", "/proc", "/sys")


@attrs.frozen
class View:
    """The directories of a view, and what is mounted in it beside the root."""

    upper: Path
    """What the program changed on the root file system, as an overlay has it."""
    work: Path
    root: Path
    mounts: tuple[str, ...]
    before: tuple[int, int, int]
    """The attributes of the root as the program finds it."""

    def words(self, command: Sequence[str]) -> list[str]:
        """Return the words that run a command in the view."""
        places = [str(self.upper), str(self.work), str(self.root), *self.mounts]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _SCRIPT, "sh", *places, "--", *command]

    def changed(self, paths: Iterable[Path]) -> list[Path]:
        """Return which of some paths of the host were changed in the view, and the root if its attributes were."""
        found = [path for path in paths if os.path.lexists(self.upper / path.relative_to("/"))]
        return found + ([Path("/")] if _attributes(self.upper) != self.before else [])


def view(directory: Path, own: Sequence[Path]) -> View:
    """Make the directories of a view.

    Args:
        directory: Where they are made.
        own: Directories in which what the program changes is changed on the host.
    """
    names = [directory / name for name in ("upper", "work", "root")]
    for name in names:
        name.mkdir()
    names[0].chmod(Path("/").stat().st_mode & 0o7777)
    others = sorted(
        point
        for point in (os.fsdecode(each) for each in system.mount_points())
        if point != "/" and not point.startswith(tuple(f"{each}/" for each in _SYSTEM)) and point not in _SYSTEM
    )
    # What this user may not look at is no directory for the program either.
    present = [point for point in _SYSTEM if os.path.isdir(point)]
    readable = [point for point in others if os.path.isdir(point)]
    mounts = (*present, *readable, *(f"own:{each}" for each in own))
    return View(names[0], names[1], names[2], mounts, _attributes(names[0]))


@functools.cache
def is_possible() -> bool:
    """Whether this process can make views; found out by one."""
    if system.effective_ids()[0]:
        return False
    with tempfile.TemporaryDirectory() as name:
        try:
            return system.run_program(view(Path(name), []).words(["true"]), timeout=20).code == 0
        except OSError:
            return False


def _attributes(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_gid
