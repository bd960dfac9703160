"""Read a real directory into a tree, the inverse of `mirror`.

Directories and files are opened by handle and no link is followed. Contents are not read: each node keeps the path of
its file, which is opened again, by handle, when its bytes are read. Sockets cannot be in a layer and are left out
(LYR-05).
"""

import os
import stat
from collections.abc import Callable, Iterator
from typing import Literal

import attrs

from oci_layers import system
from oci_layers.disk.confine import Handles, check_handles, open_file
from oci_layers.errors import SizeMismatchError, escape, locate
from oci_layers.limits import Limits
from oci_layers.report import Skipped
from oci_layers.tree.content import EMPTY, Extents
from oci_layers.tree.editor import Parent, TreeEditor
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import join
from oci_layers.tree.tree import FileTree

__all__ = ["OnDisk", "scan", "special_xattrs"]

_PIECE = 1 << 18


@attrs.frozen(eq=False)
class OnDisk:
    """The contents of a file below a directory, opened by each `chunks`."""

    directory: str
    path: bytes
    size: int
    extents: Extents | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the current bytes; holes read as zeros.

        Raises:
            OSError: The file is gone, or is not a regular file any more. Has the full path.
            SizeMismatchError: The file has become shorter.
        """
        fd = self._open()
        try:
            at = 0
            while piece := self._read(fd, at):
                yield piece
                at += len(piece)
            if at < self.size:
                raise SizeMismatchError(what=escape(self.path), expected=self.size, actual=at)
        finally:
            system.close(fd)

    def _open(self) -> int:
        try:
            root = system.open_root(self.directory)
            try:
                return open_file(self.path, root)
            finally:
                system.close(root)
        except OSError as error:
            self._locate(error)
            raise

    def _read(self, fd: int, at: int) -> bytes:
        try:
            return system.pread(fd, min(_PIECE, self.size - at), at) if at < self.size else b""
        except OSError as error:
            self._locate(error)
            raise

    def _locate(self, error: OSError) -> None:
        locate(error, os.path.join(self.directory, os.fsdecode(self.path)), "file")


def scan(
    directory: str | os.PathLike[str] | int,
    *,
    skip: Callable[[Skipped], None] | None = None,
    limits: Limits | None = None,
) -> FileTree:
    """Return the tree of everything below `directory`, without contents; the root has its attributes.

    Args:
        directory: A directory; a link is resolved first. Or an open one, such as a mount without a path, which must
            stay open while contents are read.
        skip: Called with each file that cannot be in a tree (sockets).
        limits: The limits of the tree.

    Raises:
        LimitError: The directory holds more than `limits` allow.
        UnsupportedError: This platform has no system calls relative to open directories.
    """
    check_handles()
    # The path of an open directory is not resolved: that of a mount without a path would be the root.
    here = f"{system.proc_path(directory)}/." if isinstance(directory, int) else system.resolve(os.fspath(directory))
    root = system.open_root(here)
    handles = Handles(root)
    try:
        return _Scan(here, handles, skip, limits).run(root)
    finally:
        handles.close()
        system.close(root)


class _Scan:
    def __init__(
        self, directory: str, handles: Handles, skip: Callable[[Skipped], None] | None, limits: Limits | None
    ) -> None:
        self.directory = directory
        self.handles = handles
        self.skip = skip
        self.tree = FileTree(limits=limits)
        self.merge = TreeEditor(self.tree)
        self.seen: dict[tuple[int, int], tuple[bytes, Leaf]] = {}

    def run(self, root: int) -> FileTree:
        self.merge.describe_root(_directory(system.fstat(root), system.get_xattrs(root)))
        stack = [Parent(b"", self.tree.writable_root())]
        while stack:
            here = stack.pop()
            fd = self.handles.directory(here.path)
            for name in system.list_names(fd):
                below = self.one(here, name, fd)
                if below is not None:
                    stack.append(below)
        return self.tree

    def one(self, here: Parent, name: bytes, fd: int) -> Parent | None:
        path = join(here.path, name)
        found = system.lstat(name, fd)
        known = self.seen.get((found.st_dev, found.st_ino)) if found.st_nlink > 1 else None
        if known is not None:
            self.merge.link(known, here, name)
            return None
        node = self.node(found, path, name, fd)
        if node is None:
            if self.skip is not None:
                self.skip(Skipped("socket", path, 0, None))
            return None
        self.merge.put(here, name, node)
        if isinstance(node, Directory):
            return Parent(path, node)
        if found.st_nlink > 1:
            self.seen[found.st_dev, found.st_ino] = path, node
        return None

    def node(self, found: os.stat_result, path: bytes, name: bytes, fd: int) -> Node | None:
        mode, uid, gid, mtime = found.st_mode & 0o7777, found.st_uid, found.st_gid, found.st_mtime_ns
        kind: Literal["char", "block"]
        match stat.S_IFMT(found.st_mode):
            case stat.S_IFDIR:
                return _directory(found, system.get_xattrs(self.handles.directory(path)))
            case stat.S_IFREG:
                xattrs, extents = self.look_into(name, fd, found)
                content = OnDisk(self.directory, path, found.st_size, extents) if found.st_size else EMPTY
                return File(mode, uid, gid, mtime, xattrs, content=content)
            case stat.S_IFLNK:
                xattrs = special_xattrs(fd, name)
                return Symlink(uid, gid, mtime, xattrs, target=system.read_link(name, fd))
            case stat.S_IFIFO:
                return Fifo(mode, uid, gid, mtime, special_xattrs(fd, name))
            case stat.S_IFCHR | stat.S_IFBLK:
                kind = "char" if stat.S_ISCHR(found.st_mode) else "block"
                major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
                xattrs = special_xattrs(fd, name)
                return Device(mode, uid, gid, mtime, xattrs, kind=kind, major=major, minor=minor)
            case _:
                return None

    def look_into(self, name: bytes, parent: int, found: os.stat_result) -> tuple[dict[bytes, bytes], Extents | None]:
        fd = system.open_regular_file(name, parent)
        try:
            sparse = found.st_blocks * 512 < found.st_size
            return system.get_xattrs(fd), tuple(system.data_extents(fd, found.st_size)) if sparse else None
        finally:
            system.close(fd)


def _directory(found: os.stat_result, xattrs: dict[bytes, bytes]) -> Directory:
    return Directory(found.st_mode & 0o7777, found.st_uid, found.st_gid, found.st_mtime_ns, xattrs)


def special_xattrs(parent: int, name: bytes) -> dict[bytes, bytes]:
    """Return the extended attributes of a link, device or pipe itself, in an open directory."""
    if not system.HAS_PROC:
        return {}
    return system.get_xattrs(os.fsencode(system.proc_path(parent)) + b"/" + name, follow=False)
