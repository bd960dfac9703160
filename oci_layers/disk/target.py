"""DEST as a name in an open directory: its path in errors, and the creation of directories there."""

import contextlib
import errno
import os
from collections.abc import Iterator

import attrs

from oci_layers import system
from oci_layers.errors import DestinationError, locate

__all__ = ["NOT_WRITABLE", "Dest", "drop_acl", "make_directory"]

NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NAME_BYTES = 200
_ACL = b"system.posix_acl_"


@attrs.frozen
class Dest:
    """DEST as a name in an open directory."""

    shown: str
    """The path as the caller gave it."""
    path: bytes
    """The absolute path, links resolved."""
    parent: int
    name: bytes

    @property
    def staging_prefix(self) -> bytes:
        """The prefix of the names of siblings."""
        return b".%s.oci-layers-" % self.name[:_NAME_BYTES]

    def sibling(self, name: bytes) -> str:
        """Return the full path of a name beside DEST."""
        return os.fsdecode(os.path.join(os.path.dirname(self.path), name))

    def advice(self) -> str:
        """Return the advice to use `--in-place` if that works: DEST exists and is writable."""
        return "; use --in-place" if system.may_write(self.name, self.parent) else ""

    @contextlib.contextmanager
    def named(self, role: str = "destination") -> Iterator[None]:
        """Add the path of DEST to an `OSError` from the block."""
        try:
            yield
        except OSError as error:
            locate(error, self.shown, role)
            raise


def make_directory(name: bytes, place: Dest) -> None:
    """Create DEST, or a sibling to build in, with mode 0700.

    Raises:
        DestinationError: The parent is not writable, or cannot hold directories.
    """
    try:
        system.make_directory(name, place.parent)
    except OSError as error:
        text = os.strerror(error.errno or 0)
        if error.errno in NOT_WRITABLE:
            advice = "" if name == place.name else place.advice()
            raise DestinationError(place.shown, f"its parent directory cannot be written ({text}){advice}") from error
        if error.errno == errno.ENOENT:
            reason = f"no directory can be made in its parent ({text}); choose another destination"
            raise DestinationError(place.shown, reason) from error
        raise


def drop_acl(root: int) -> None:
    """Remove access control lists, which files created inside would inherit."""
    for key in system.get_xattrs(root):
        if key.startswith(_ACL):
            system.fremovexattr(root, key)
