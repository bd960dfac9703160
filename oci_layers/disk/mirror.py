"""The steps of a tree, repeated in a real directory; here is what owners, xattrs, devices and special bits become.

The mirror does not merge and does not look: the tree knows what is there. Files are made for their owner alone, filled,
and only then given owner, mode (after the owner, which clears set-id bits), extended attributes (after the owner, which
clears capabilities) and time, all through the handle that made them. Directories stay private and writable until
`finish`, which gives each its attributes, children first, so that neither times nor modes are disturbed by later steps.

What the system refuses (EPERM, ENOTSUP, EINVAL on owner, device or attribute) is listed as skipped, never passed over.
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from typing import assert_never

from oci_layers import system
from oci_layers.disk.confine import Handles, remove_tree
from oci_layers.disk.owner import Owner
from oci_layers.errors import UnsafePathError
from oci_layers.report import Report, Skipped
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["DirectoryMirror"]

_REFUSALS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.EOPNOTSUPP})
_OVERLAY = (b"trusted.overlay.", b"user.overlay.")
_SET_ID = 0o6000


class DirectoryMirror:
    """A `tree.Mirror` in an open, empty directory. Written by one thread; `close` it in the end."""

    def __init__(
        self, root: int, *, owner: Owner | None = None, report: Report | None = None, sync: bool = False
    ) -> None:
        self.report = Report() if report is None else report
        self._root = root
        self._handles = Handles(root)
        self._owner = owner or Owner()
        self._sync = sync
        self._own = system.identity()
        self._absent: set[bytes] = set()
        self._counted: set[int] = set()

    def close(self) -> None:
        """Close the handles on directories below the root."""
        self._handles.close()

    def make(self, parent: bytes, name: bytes, node: Node, data: Iterator[memoryview] | None) -> None:
        """Make `node` at `name` in the directory `parent`, where nothing stands.

        Raises:
            UnsafePathError: Something does stand there: the file system takes two names for one, or someone else
                writes here too.
            OSError: The disk is full, and the like.
        """
        at = self._handles.directory(parent)
        try:
            match node:
                case File():
                    self._make_file(at, name, parent, node, data)
                case Directory():
                    system.make_directory(name, at)
                case Symlink():
                    system.make_symlink(node.target, name, at)
                    self._describe_link(at, name, join(parent, name), node)
                case Device() | Fifo():
                    self._make_special(at, name, join(parent, name), node)
                case _:
                    assert_never(node)
        except FileExistsError as error:
            reason = "something is there already: the file system takes two names of the image for one"
            raise UnsafePathError(join(parent, name), reason) from error

    def link(self, target: bytes, parent: bytes, name: bytes, node: Leaf) -> None:
        """Make `name` in the directory `parent` one more name of the file at `target`."""
        path = join(parent, name)
        if target in self._absent:
            self._absent.add(path)
            self._skip("link", path, node, None, "its target is not there")
            return
        target_parent, target_name = parent_and_name(target)
        system.link(target_name, self._handles.directory(target_parent), name, self._handles.directory(parent))

    def remove(self, parent: bytes, name: bytes, node: Node) -> None:
        """Remove `name` from the directory `parent`, with all that is below it."""
        path = join(parent, name)
        at = self._handles.directory(parent)
        if isinstance(node, Directory):
            self._handles.forget(path)
            remove_tree(name, at)
            below = path + b"/"
            self._absent = {each for each in self._absent if not each.startswith(below)}
        elif path in self._absent:
            self._absent.remove(path)
        else:
            system.unlink(name, at)

    def finish(self, tree: FileTree) -> None:
        """Give every directory of the finished tree its attributes, children before parents, and count the files."""
        stack: list[tuple[bytes, Directory, bool]] = [(b"", tree.root, False)]
        while stack:
            path, directory, done = stack.pop()
            if not done:
                stack.append((path, directory, True))
                for name, child in directory.children.items():
                    if isinstance(child, Directory):
                        stack.append((join(path, name), child, False))
                    elif isinstance(child, File):
                        self._count(child)
                continue
            fd = self._handles.directory(path)
            if self._sync:
                system.fsync(fd)
            self._describe(fd, path, directory)
            self._handles.forget(path)
        if self._sync:
            system.fsync(self._root)

    def _count(self, node: File) -> None:
        self.report.files += 1
        if node.inode not in self._counted:
            self._counted.add(node.inode)
            self.report.bytes += node.content.size

    def missed(self) -> dict[str, int]:
        """Count what the system refused, by kind; what is left out on purpose is not counted."""
        return {what: count for what, count in self.report.skipped.totals.items() if what != "overlay-xattr"}

    def _make_file(self, at: int, name: bytes, parent: bytes, node: File, data: Iterator[memoryview] | None) -> None:
        fd = system.open_new_file(name, at)
        try:
            content = node.content
            if data is not None:
                if content.extents is None:
                    for piece in data:
                        system.write_all(fd, piece)
                else:
                    _write_sparse(fd, content.extents, data)
                    system.ftruncate(fd, content.size)
            self._describe(fd, join(parent, name), node)
            if self._sync:
                system.fsync(fd)
        finally:
            system.close(fd)

    def _describe(self, fd: int, path: bytes, node: File | Directory) -> None:
        """Give an open file or directory its owner, mode, extended attributes and time, in that order."""
        mode = node.mode
        wanted = self._owner.on_disk(node.uid, node.gid)
        if (
            wanted is not None
            and wanted != self._own
            and not self._try("owner", path, node, lambda: system.fchown(fd, *wanted))
        ):
            mode &= ~_SET_ID
        if node.xattrs:
            self._set_xattrs(path, node, node.xattrs, lambda key, value: system.fsetxattr(fd, key, value))
        system.fchmod(fd, mode)
        system.utime(fd, node.mtime_ns)

    def _make_special(self, at: int, name: bytes, path: bytes, node: Device | Fifo) -> None:
        if isinstance(node, Fifo):
            system.make_fifo(name, at)
        else:
            block = node.kind == "block"
            if not self._try(
                "device",
                path,
                node,
                lambda: system.make_device(name, at, block=block, major=node.major, minor=node.minor),
            ):
                self._absent.add(path)
                return
        mode = node.mode
        wanted = self._owner.on_disk(node.uid, node.gid)
        if wanted is not None and not self._try("owner", path, node, lambda: system.lchown(name, at, *wanted)):
            mode &= ~_SET_ID
        if system.HAS_PROC:
            with system.pin(name, at) as pinned:
                here = system.proc_path(pinned)
                self._try("mode", path, node, lambda: system.chmod(here, mode))
                self._set_xattrs(path, node, node.xattrs, lambda key, value: system.fsetxattr(here, key, value))
        else:
            self._skip("mode", path, node, None, "there is no /proc to set it through")
        system.utime_at(name, at, node.mtime_ns)

    def _describe_link(self, at: int, name: bytes, path: bytes, node: Symlink) -> None:
        wanted = self._owner.on_disk(node.uid, node.gid)
        if wanted is not None and wanted != self._own:
            self._try("owner", path, node, lambda: system.lchown(name, at, *wanted))
        if node.xattrs:
            here = system.proc_path(at)
            self._set_xattrs(path, node, node.xattrs, lambda key, value: system.lsetxattr(here, name, key, value))
        system.utime_at(name, at, node.mtime_ns)

    def _set_xattrs(
        self, path: bytes, node: Node, xattrs: Mapping[bytes, bytes], put: Callable[[bytes, bytes], None]
    ) -> None:
        for key, value in xattrs.items():
            if key.startswith(_OVERLAY):
                self._skip("overlay-xattr", path, node, None, key.decode("utf-8", "backslashreplace"))
            else:
                self._try("xattr", path, node, lambda: put(key, value), key)  # noqa: B023  # called at once

    def _try(self, what: str, path: bytes, node: Node, do: Callable[[], None], detail: bytes = b"") -> bool:
        """Do it, or list it as skipped when the system refuses."""
        try:
            do()
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            self._skip(what, path, node, error.errno, detail.decode("utf-8", "backslashreplace"))
            return False
        return True

    def _skip(self, what: str, path: bytes, node: Node, number: int | None, detail: str = "") -> None:
        self.report.skipped.add(Skipped(what, path, node.layer, number, detail))


def _write_sparse(fd: int, extents: tuple[tuple[int, int], ...], data: Iterator[memoryview]) -> None:
    """Write the stored pieces where the map says, leaving holes between them."""
    piece = memoryview(b"")
    for start, length in extents:
        at, end = start, start + length
        while at < end:
            if not piece:
                piece = next(data)
            now = piece[: end - at]
            system.write_at(fd, now, at)
            at, piece = at + len(now), piece[len(now) :]
