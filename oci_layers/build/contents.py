"""Open the files of a `FileSystem`, read them, and write to them.

The contents of a file are what its node has until they are written to, and a `FileData` afterwards. These have the
token of the tree, as the directories that the tree may change: a fork gives the tree another token, and so data that a
fork has, too, are copied before they change. All users of a file see what one of them writes.
"""

from collections.abc import Callable

from oci_layers.build.attributes import without_capability
from oci_layers.build.file_data import BlockStore, FileData
from oci_layers.build.file_system import FileSystem, OpenInode
from oci_layers.errors import LimitError, PathExistsError
from oci_layers.image.content_reader import range_reader
from oci_layers.tree.content import EMPTY, Content
from oci_layers.tree.node import File, Node
from oci_layers.tree.resolve import require_file

__all__ = ["Contents", "OpenContent"]


class Contents:
    """The contents of the files of one file system. One thread uses it."""

    def __init__(self, files: FileSystem, blocks: BlockStore) -> None:
        self._blocks = blocks
        self.files = files

    def open(
        self, path: bytes, *, mode: int | None = None, exclusive: bool = False, truncate: bool = False
    ) -> "OpenContent":
        """Open a regular file.

        Args:
            path: A clean path; links are followed, unless `exclusive`.
            mode: The mode of the file if it is made; without one, it must exist.
            exclusive: It must not exist.
            truncate: Remove what is in it.

        Raises:
            PathError: As the system call, with its errno; a pipe or device is not waited for (ENXIO).
            WhiteoutError, LimitError: No layer can have the name.
        """
        inode, made = self._opened(path, mode, exclusive=exclusive)
        if truncate and not made:
            self._touch(inode, FileData(self._blocks, self.files.tree.token))
        return OpenContent(self, inode)

    def _opened(self, path: bytes, mode: int | None, *, exclusive: bool) -> tuple[OpenInode, bool]:
        if mode is None:
            where, existing = self.files.require(path)
            return self._inode(path, where, existing), False
        place = self.files.place(path, follow=not exclusive)
        if place.node is None:
            self.files.check_new(place.path, place.name)
            return self._inode(path, place.path, self.files.add(place, File(mode, 0, 0, 0))), True
        if exclusive:
            raise PathExistsError(b"/" + path)
        return self._inode(path, place.path, place.node), False

    def _inode(self, path: bytes, where: bytes, node: Node) -> OpenInode:
        file = require_file(b"/" + path, node)
        inode = self.files.opened.get(file.inode)
        if inode is None:
            inode = self.files.opened[file.inode] = OpenInode(file, where)
        inode.users += 1
        return inode

    def release(self, inode: OpenInode) -> None:
        """Close a file; its contents are freed if it has no names and no other users."""
        inode.users -= 1
        if not inode.users:
            del self.files.opened[inode.node.inode]

    def write(self, inode: OpenInode, offset: int, data: bytes | memoryview) -> None:
        """Write to an open file, as `pwrite`.

        Raises:
            LimitError: The file would exceed `Limits.file_bytes`, or the temporary file `temporary_bytes`.
            OSError: The temporary file cannot be written.
        """
        self._check_size(offset + len(data))
        if len(data):
            self._writable(inode).write(offset, data)

    def truncate(self, inode: OpenInode, size: int) -> None:
        """Set the size of an open file, as `ftruncate`; its time changes if its size does. Raises as `write`."""
        self._check_size(size)
        if size == inode.node.content.size:
            return
        if size:
            self._writable(inode).truncate(size)
        else:
            self._touch(inode, FileData(self._blocks, self.files.tree.token))

    def replace(self, path: bytes, data: bytes | memoryview) -> None:
        """Make a file of these bytes, or replace what is in it; the same as to open it, truncated, and to write.

        Raises:
            PathError, WhiteoutError: As `open`.
            LimitError, OSError: As `write`; the file has its old contents.
        """
        self._check_size(len(data))
        inode, _ = self._opened(path, 0o666, exclusive=False)
        try:
            content = FileData(self._blocks, self.files.tree.token)
            content.write(0, data)
            self._touch(inode, content)
        finally:
            self.release(inode)

    def _check_size(self, size: int) -> None:
        self.files.check_open()
        if size > self.files.tree.limits.file_bytes:
            raise LimitError("file_bytes", self.files.tree.limits.file_bytes, size)

    def _writable(self, inode: OpenInode) -> FileData:
        """Return the contents of an open file to be changed, and change its time."""
        content, token = inode.node.content, self.files.tree.token
        if not isinstance(content, FileData) or not content.is_in(self._blocks):
            content = FileData(self._blocks, token, content)
        elif content.token is not token:
            content = content.copy(token)
        self._touch(inode, content)
        return content

    def _touch(self, inode: OpenInode, content: FileData) -> None:
        """Give an open file contents that are changed, and the present time; it loses its capabilities."""
        node, now = inode.node, self.files.creator.clock()
        xattrs = without_capability(node.xattrs)
        if content is not node.content or now != node.mtime_ns or xattrs is not node.xattrs:
            layer = self.files.layer
            self.files.replace(inode.path, node, content=content, mtime_ns=now, xattrs=xattrs, layer=layer)


class OpenContent:
    """The contents of one open file."""

    def __init__(self, contents: Contents, inode: OpenInode) -> None:
        self._contents = contents
        self._inode = inode
        self._content: Content = EMPTY
        self._read: Callable[[int, int], bytes] = range_reader(EMPTY)

    @property
    def size(self) -> int:
        """The present size."""
        return self._inode.node.content.size

    def read_at(self, offset: int, size: int) -> bytes:
        """Return 1 to `size` bytes, none only at the end.

        Raises:
            StoreError: The image is closed, or the writable layer is closed.
        """
        self._contents.files.check_open()
        content = self._inode.node.content
        if content is not self._content:
            self._content, self._read = content, range_reader(content)
        size = min(size, content.size - offset)
        return self._read(offset, size) if size > 0 else b""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Write at an offset; raises as `Contents.write`."""
        self._contents.write(self._inode, offset, data)

    def truncate(self, size: int) -> None:
        """Set the size; raises as `Contents.write`."""
        self._contents.truncate(self._inode, size)

    def close(self) -> None:
        """Close the file; to be called once."""
        self._contents.release(self._inode)
