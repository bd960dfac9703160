"""Stat results for the nodes of a tree, as `os.stat` returns them for files.

An image has no times of access and change, and no block counts. The names of owners come from the image's own
`etc/passwd` and `etc/group`, never from the host's.
"""

import hashlib
import stat
from collections.abc import Iterable

import attrs

from oci_layers.tree.node import Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.tree import FileTree

__all__ = ["ImageStat", "file_type", "name_of_owner", "stat_of"]

_DIRECTORY_INODES = 1 << 63


@attrs.frozen(kw_only=True)
class ImageStat:
    """A subset of `os.stat_result`: the fields that an image has."""

    st_mode: int
    """Type and permissions."""
    st_ino: int
    """Equal for the hard links of one file, different for all other files of the tree; the same in every run."""
    st_dev: int
    """Always 0; it does not distinguish trees."""
    st_nlink: int
    """The number of names of a file; for a directory, 2 plus the number of directories in it."""
    st_uid: int
    st_gid: int
    st_size: int
    """The bytes of a file, holes included, or of the target of a symbolic link; 0 for other types."""
    st_mtime_ns: int
    """Nanoseconds since the epoch."""
    st_rdev: int
    """The number of a device in the encoding of Linux; 0 for other types."""

    @property
    def st_mtime(self) -> float:
        """Seconds since the epoch, rounded to a float."""
        return self.st_mtime_ns / 10**9


def file_type(node: Node) -> int:
    """Return the type of a node, as in `st_mode`."""
    match node:
        case Directory():
            return stat.S_IFDIR
        case File():
            return stat.S_IFREG
        case Symlink():
            return stat.S_IFLNK
        case Device():
            return stat.S_IFCHR if node.kind == "char" else stat.S_IFBLK
        case Fifo():
            return stat.S_IFIFO


def stat_of(tree: FileTree, path: bytes, node: Node) -> ImageStat:
    """Return the stat result of the node at a resolved path."""
    if isinstance(node, Directory):
        # A directory has one name and no inode id: its number is derived from its path.
        inode = int.from_bytes(hashlib.sha256(path).digest()[:8]) | _DIRECTORY_INODES
    else:
        inode = node.inode
    return ImageStat(
        st_mode=file_type(node) | node.mode,
        st_ino=inode,
        st_dev=0,
        st_nlink=tree.link_count(node),
        st_uid=node.uid,
        st_gid=node.gid,
        st_size=_size(node),
        st_mtime_ns=node.mtime_ns,
        st_rdev=_packed(node.major, node.minor) if isinstance(node, Device) else 0,
    )


def _size(node: Node) -> int:
    if isinstance(node, File):
        return node.content.size
    return len(node.target) if isinstance(node, Symlink) else 0


def _packed(major: int, minor: int) -> int:
    return (major & ~0xFFF) << 32 | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | minor & 0xFF


def name_of_owner(lines: Iterable[bytes], number: int) -> str | None:
    """Return the first name that the lines of a `passwd` or `group` file have for a number, or None."""
    wanted = b"%d" % number
    for line in lines:
        name, *fields = line.strip().split(b":")
        # Compared as text: a number in a hostile file may be too long for `int`.
        if len(fields) > 1 and name and not name.startswith((b"#", b"+", b"-")):
            found = fields[1]
            if found.isdigit() and (found.lstrip(b"0") or b"0") == wanted:
                return name.decode("utf-8", "surrogateescape")
    return None
