"""A stack of directories as the kernel's overlay takes it, with the options that make it show what the layers say.

The directories have the form of `layer.to_upper`; the kernel's rules are in Documentation/filesystems/overlayfs.rst.
Every option that a distribution may switch on is stated: a redirect or a metacopy that an image smuggles in is not
followed, and none is written, so that an upper directory is a layer.
"""

import attrs

from oci_layers.errors import UnsupportedError
from oci_layers.layer.overlay import Namespace

__all__ = ["MOST_LOWERS", "NAMESPACE", "Stack"]

MOST_LOWERS = 500
"""The most lower directories of a mount (OVL_MAX_STACK in the kernel)."""
NAMESPACE: Namespace = "user"
"""Where the directories of a room have the attributes of mounts: an ordinary user sees no others."""
_STATED = ("redirect_dir=nofollow", "metacopy=off", "index=off", "xino=auto")


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
    """Flush nothing to the disk: faster, and the kernel mounts the upper directory no more."""

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
