r"""What a file of a Windows image has besides what every node has: attributes, security, times, streams.

A layer for Windows has these in records of its tar entries (layer.md, Windows attributes), and streams as entries of
their own; the room `layer` reads and writes them. Here is only what they are. A node of any other image has none.

    >>> from oci_layers.tree.windows import DIRECTORY, READ_ONLY, WindowsMetadata
    >>> hosts = WindowsMetadata(attributes=0x20 | READ_ONLY, created_ns=1_700_000_000_000_000_000)
    >>> hosts.is_read_only, WindowsMetadata(attributes=DIRECTORY).is_read_only
    (True, False)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from oci_layers._empty import NO_XATTRS
from oci_layers.tree.content import Content
from oci_layers.tree.fold import fold

__all__ = [
    "ARCHIVE",
    "DIRECTORY",
    "DRIVES",
    "MAX_ATTRIBUTES",
    "NO_STREAMS",
    "READ_ONLY",
    "REPARSE_POINT",
    "WindowsMetadata",
    "drive_depth",
    "posix_target",
    "same_windows",
]

READ_ONLY = 0x1
DIRECTORY = 0x10
ARCHIVE = 0x20
REPARSE_POINT = 0x400
MAX_ATTRIBUTES = 2**32 - 1
"""The largest attributes that a file can have."""

DRIVES = (b"Files", b"UtilityVM/Files")
"""The directories in the tree of layers that are a drive C:, each for the links in it."""

NO_STREAMS: Final[Mapping[bytes, Content]] = {}
"""The streams of a file that has none."""


@attrs.frozen(kw_only=True, eq=False)
class WindowsMetadata:
    """The metadata of a node in a Windows image; what its entry does not say is None.

    The time of the last write is the `mtime_ns` of the node. Compare two with `same_windows`.
    """

    attributes: int | None = None
    """The FILE_ATTRIBUTE bits, 0 to 2**32 - 1."""
    security_descriptor: bytes | None = None
    """Owner, group and access lists: a self-relative SECURITY_DESCRIPTOR (MS-DTYP 2.4.6)."""
    sddl: bytes | None = None
    """The same as text in the Security Descriptor Definition Language, which old layers have instead."""
    created_ns: int | None = None
    """The time when the file was made, in nanoseconds since 1970."""
    accessed_ns: int | None = None
    """The time of the last access."""
    changed_ns: int | None = None
    """The time of the last change of the metadata."""
    is_junction: bool = False
    """Whether a symbolic link is a mount point (a junction)."""
    extended_attributes: Mapping[bytes, bytes] = NO_XATTRS
    """The extended attributes of NTFS, which are not those of Linux."""
    streams: Mapping[bytes, Content] = NO_STREAMS
    """The alternate data streams by their names, without `:$DATA`."""

    @property
    def is_read_only(self) -> bool:
        """Whether the file has the attribute READONLY."""
        return bool(self.attributes is not None and self.attributes & READ_ONLY)

    def byte_count(self) -> int:
        """Return how many bytes of memory its names and values take, contents of streams excepted."""
        size = len(self.security_descriptor or b"") + len(self.sddl or b"") + sum(map(len, self.streams))
        values = self.extended_attributes
        return size + sum(map(len, values)) + sum(map(len, values.values()))

    def with_stream(self, name: bytes, content: Content) -> "WindowsMetadata":
        """Return a copy with one more stream, or another content of one."""
        return attrs.evolve(self, streams={**self.streams, name: content})


def _values(metadata: WindowsMetadata) -> tuple[object, ...]:
    return (
        metadata.attributes,
        metadata.security_descriptor,
        metadata.sddl,
        metadata.created_ns,
        metadata.accessed_ns,
        metadata.changed_ns,
        metadata.is_junction,
        metadata.extended_attributes,
    )


def same_windows(
    one: WindowsMetadata | None, two: WindowsMetadata | None, same: Callable[[Content, Content], bool]
) -> bool:
    """Return whether two nodes have the same metadata of Windows, or both have none; `same` compares contents."""
    if one is two:
        return True
    if one is None or two is None or _values(one) != _values(two) or one.streams.keys() != two.streams.keys():
        return False
    return all(same(content, two.streams[name]) for name, content in one.streams.items())


def posix_target(target: bytes) -> bytes:
    r"""Return the target of a Windows link as one of Linux, where the root is C:.

    `C:\x` is `/x`, also after `\\?\`, and `..\x` is `../x`. What leads to another drive, volume or machine is returned
    as it is: a name that nothing has.
    """
    path = target.removeprefix(b"\\\\?\\").removeprefix(b"\\??\\")
    if path[:3].upper() == b"C:\\":
        return path[2:].replace(b"\\", b"/")
    if path != target or b":" in path or path.startswith(b"\\\\"):
        return target
    return path.replace(b"\\", b"/")


def drive_depth(names: Sequence[bytes], drives: Sequence[bytes]) -> int | None:
    """Return how many of the names that lead to a place are those of the drive that it is in; None outside all drives.

    An empty drive is the root.
    """
    for drive in drives:
        if not drive:
            return 0
        depth = len(drive.split(b"/"))
        if fold(b"/".join(names[:depth])) == fold(drive):
            return depth
    return None
