"""A stack of directories as the kernel's overlay takes it, with the options that make it show what the layers say.

The directories have the form of `layer.to_upper`; the kernel's rules are in Documentation/filesystems/overlayfs.rst.
Every option that a distribution may switch on is stated: a redirect or a metacopy that an image smuggles in is not
followed, and none is written, so that an upper directory is a layer.
"""

import contextlib
import errno

import attrs

from oci_layers import system
from oci_layers.errors import UnsupportedError
from oci_layers.layer.overlay import Namespace

__all__ = ["MOST_LOWERS", "NAMESPACE", "Stack", "is_lost"]

MOST_LOWERS = 500
"""The most lower directories of a mount (OVL_MAX_STACK in the kernel)."""
NAMESPACE: Namespace = "user"
"""Where the directories of a room have the attributes of mounts: an ordinary user sees no others."""
_STATED = ("redirect_dir=nofollow", "metacopy=off", "index=off", "xino=auto")
_MARKER = (b"work", b"incompat")


@attrs.frozen
class Stack:
    """Open directories to be shown as one.

    They stay open, and the caller's, until they are shown. A directory must be there once, and not below another one.

    Raises:
        UnsupportedError: More than 500 lower directories.
        ValueError: Only one of `upper` and `work`.
    """

    lowers: tuple[int, ...]
    """The lower directories, the uppermost first."""
    upper: int | None = attrs.field(default=None, kw_only=True)
    """The directory that takes what is written."""
    work: int | None = attrs.field(default=None, kw_only=True)
    """A directory beside `upper`, for the kernel's use."""
    namespace: Namespace = attrs.field(default="trusted", kw_only=True)
    """Where the directories have their attributes; an ordinary user's have them in `user`."""
    volatile: bool = attrs.field(default=False, kw_only=True)
    """Flush nothing to the disk: faster, and after a crash the upper directory is lost (`is_lost`)."""

    def __attrs_post_init__(self) -> None:
        if (self.upper is None) != (self.work is None):
            raise ValueError("an upper directory needs a work directory, and the other way round")
        if len(self.lowers) > MOST_LOWERS:
            hint = f"a mount takes {MOST_LOWERS}; merge the lowest ones"
            raise UnsupportedError("number of lower directories", str(len(self.lowers)), hint)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of the mount, other than the directories."""
        return (
            *_STATED,
            *(("userxattr",) if self.namespace == "user" else ()),
            *(("volatile",) if self.volatile and self.upper is not None else ()),
        )

    def without_writing(self) -> "Stack":
        """Return the stack that shows the same and cannot be written: the upper directory is the uppermost lower one.

        Nothing is changed in it, nor in the work directory.
        """
        if self.upper is None:
            return self
        return attrs.evolve(self, lowers=(self.upper, *self.lowers), upper=None, work=None)


def is_lost(work: int) -> bool:
    """Return whether an open work directory is one of a volatile mount, which may have lost what was written.

    The kernel leaves a marker there, and mounts the upper directory no more. It is there as long as the mount is, and
    stays when that ends, in order or not: only a caller knows that there is no such mount now.
    """
    with contextlib.ExitStack() as opened:
        fd = work
        try:
            for name in _MARKER:
                fd = _entered(name, fd)
                opened.callback(system.close, fd)
            system.lstat(b"volatile", fd)
        except FileNotFoundError:
            return False
    return True


def _entered(name: bytes, parent: int) -> int:
    """Open a directory of the kernel's, which has no mode that lets its owner in."""
    try:
        return system.open_directory(name, parent)
    except PermissionError as error:
        if error.errno != errno.EACCES:
            raise
    with system.hold(name, parent) as pinned:
        system.chmod(system.proc_path(pinned), 0o700)
    return system.open_directory(name, parent)
