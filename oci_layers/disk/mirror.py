"""The steps of a tree, repeated in a real directory; here is what owners, xattrs, devices and special bits become.

The mirror does not merge and does not look: the tree knows what is there. Files are made for their owner alone, filled,
and only then given owner, mode (after the owner, which clears set-id bits), extended attributes (after the owner, which
clears capabilities) and time, all through the handle that made them. Directories stay private and writable until
`finish`, which gives each its attributes, children first, so that neither times nor modes are disturbed by later steps.

What the system refuses (EPERM, ENOTSUP, EINVAL on owner, device, attribute, mode or time) is listed as skipped, never
passed over, and so is a time that the file system cannot hold. A set-id bit is kept only beside the owner that it was
meant for.
"""

import errno
from collections.abc import Callable, Iterator
from typing import assert_never

from oci_layers import system
from oci_layers.disk.confine import Handles, remove_tree
from oci_layers.disk.owner import Owner
from oci_layers.errors import UnsafePathError
from oci_layers.report import Report, Skipped
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree, leaves

__all__ = ["DirectoryMirror"]

_REFUSALS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.EOPNOTSUPP})
_XATTR_REFUSALS = _REFUSALS | {errno.ERANGE, errno.E2BIG}
_EVERY_SYSTEM_HAS = range(-(2**31) * 10**9, 2**31 * 10**9)
"""Times, in nanoseconds, that no file system silently brings into another range."""
_ON_PURPOSE = frozenset({"overlay-xattr", "set-id"})
_OVERLAY = (b"trusted.overlay.", b"user.overlay.")
_SET_ID = 0o6000
_NO_PROC = "there is no /proc to set it through"
_Skip = tuple[str, int | None, str]
"""What was skipped, the errno, and what there is to say about it."""
_TAKEN = "something is there already: the file system takes two names of the image for one"


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
        self._own = self._new_owner()
        self._absent: set[bytes] = set()
        self._counted: set[int] = set()
        self._skips: dict[int, tuple[_Skip, ...]] = {}
        self._same: dict[tuple[_Skip, ...], tuple[_Skip, ...]] = {}

    def _new_owner(self) -> tuple[int, int] | None:
        """Make the root our own, and return whose new files are; None where that is not known.

        Its group may come from its parent, and its owner from whoever made it; files in it could inherit either.
        """
        own = system.identity()
        if not self._owner.same:
            return own
        try:
            system.fchown(self._root, *own)
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            return None
        return own

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
            raise UnsafePathError(join(parent, name), _TAKEN) from error

    def link(self, target: bytes, parent: bytes, name: bytes, node: Leaf) -> None:  # noqa: ARG002  # as all mirrors
        """Make `name` in the directory `parent` one more name of the file at `target`."""
        path = join(parent, name)
        if target in self._absent:
            self._absent.add(path)
            return
        target_parent, target_name = parent_and_name(target)
        try:
            if target_parent == parent:
                at = self._handles.directory(parent)
                system.link(target_name, at, name, at)
                return
            with self._handles.held(target_parent) as source:
                system.link(target_name, source, name, self._handles.directory(parent))
        except FileExistsError as error:
            raise UnsafePathError(path, _TAKEN) from error

    def remove(self, parent: bytes, name: bytes, node: Node) -> None:
        """Remove `name` from the directory `parent`, with all that is below it."""
        path = join(parent, name)
        at = self._handles.directory(parent)
        if isinstance(node, Directory):
            self._handles.forget(path)
            remove_tree(name, at)
            if self._absent:
                self._absent.difference_update(leaves(path, node))
        elif path in self._absent:
            self._absent.remove(path)
        else:
            system.unlink(name, at)

    def finish(self, tree: FileTree) -> None:
        """Give every directory of the finished tree its attributes, children before parents; report what there is."""
        stack: list[tuple[bytes, Directory, bool]] = [(b"", tree.root, False)]
        while stack:
            path, directory, done = stack.pop()
            if not done:
                stack.append((path, directory, True))
                for name, child in directory.children.items():
                    if isinstance(child, Directory):
                        stack.append((join(path, name), child, False))
                        continue
                    if isinstance(child, File):
                        self._count(child)
                    if self._skips or self._absent:
                        self._list(join(path, name), child)
                continue
            fd = self._handles.directory(path)
            self._describe(fd, path, directory)
            if self._sync:
                system.fsync(fd)
            self._handles.forget(path)

    def _count(self, node: File) -> None:
        self.report.files += 1
        if node.inode not in self._counted:
            self._counted.add(node.inode)
            self.report.bytes += node.content.size

    def _list(self, path: bytes, node: Leaf) -> None:
        """List what was skipped of a file, at the first of its names, and of those that could not be linked to it."""
        skips = self._skips.pop(node.inode, ())
        for what, number, detail in skips:
            self.report.skipped.add(Skipped(what, path, node.layer, number, detail))
        if not skips and path in self._absent:
            self.report.skipped.add(Skipped("link", path, node.layer, None, "its target is not there"))

    def missed(self) -> dict[str, int]:
        """Count what the system refused, by kind; what is left out on purpose is not counted."""
        return {what: count for what, count in self.report.skipped.totals.items() if what not in _ON_PURPOSE}

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
        mode = self._owned(path, node, lambda uid, gid: system.fchown(fd, uid, gid))
        if node.xattrs:
            self._set_xattrs(path, node, lambda key, value: system.fsetxattr(fd, key, value))
        try:
            system.fchmod(fd, mode)
        except OSError as error:
            self._refused("mode", path, node, error)
        try:
            system.utime(fd, node.mtime_ns)
        except OSError as error:
            self._refused("time", path, node, error)
        if node.mtime_ns not in _EVERY_SYSTEM_HAS:
            self._check_time(path, node, system.fstat(fd).st_mtime_ns)

    def _owned(self, path: bytes, node: Node, change: Callable[[int, int], None]) -> int:
        """Change the owner where it is another; return the mode that goes with the owner that there is then."""
        wanted = self._owner.on_disk(node.uid, node.gid)
        if wanted is None:
            kept = (node.uid, node.gid) == self._own
            if not kept and node.mode & _SET_ID:
                self._skip("set-id", path, node, None, "the owner is another")
        else:
            kept = wanted == self._own or self._try("owner", path, node, lambda: change(*wanted))
        return node.mode if kept else node.mode & ~_SET_ID

    def _make_special(self, at: int, name: bytes, path: bytes, node: Device | Fifo) -> None:
        if isinstance(node, Fifo):
            made = self._try("fifo", path, node, lambda: system.make_fifo(name, at))
        else:
            block, major, minor = node.kind == "block", node.major, node.minor
            made = self._try(
                "device", path, node, lambda: system.make_device(name, at, block=block, major=major, minor=minor)
            )
        if not made:
            self._absent.add(path)
            return
        mode = self._owned(path, node, lambda uid, gid: system.lchown(name, at, uid, gid))
        if system.HAS_PROC:
            with system.pin(name, at) as pinned:
                here = system.proc_path(pinned)
                self._set_xattrs(path, node, lambda key, value: system.fsetxattr(here, key, value))
                self._try("mode", path, node, lambda: system.chmod(here, mode))
        else:
            self._skip("mode", path, node, None, _NO_PROC)
            self._skip_xattrs(path, node)
        self._set_time(at, name, path, node)

    def _describe_link(self, at: int, name: bytes, path: bytes, node: Symlink) -> None:
        self._owned(path, node, lambda uid, gid: system.lchown(name, at, uid, gid))
        if system.HAS_PROC:
            here = system.proc_path(at)
            self._set_xattrs(path, node, lambda key, value: system.lsetxattr(here, name, key, value))
        else:
            self._skip_xattrs(path, node)
        self._set_time(at, name, path, node)

    def _set_time(self, at: int, name: bytes, path: bytes, node: Leaf) -> None:
        self._try("time", path, node, lambda: system.utime_at(name, at, node.mtime_ns))
        if node.mtime_ns not in _EVERY_SYSTEM_HAS:
            self._check_time(path, node, system.lstat(name, at).st_mtime_ns)

    def _check_time(self, path: bytes, node: Node, actual: int) -> None:
        if actual != node.mtime_ns:
            self._skip("time", path, node, None, f"the file system holds {actual} ns for {node.mtime_ns} ns")

    def _set_xattrs(self, path: bytes, node: Node, put: Callable[[bytes, bytes], None]) -> None:
        for key, value in node.xattrs.items():
            if key.startswith(_OVERLAY):
                self._skip("overlay-xattr", path, node, None, key.decode("utf-8", "backslashreplace"))
                continue
            try:
                put(key, value)
            except OSError as error:
                if error.errno not in _XATTR_REFUSALS:
                    raise
                self._skip("xattr", path, node, error.errno, key.decode("utf-8", "backslashreplace"))

    def _skip_xattrs(self, path: bytes, node: Node) -> None:
        for key in node.xattrs:
            self._skip("xattr", path, node, None, f"{key.decode('utf-8', 'backslashreplace')}: {_NO_PROC}")

    def _try(self, what: str, path: bytes, node: Node, do: Callable[[], None]) -> bool:
        """Do it, or list it as skipped when the system refuses."""
        try:
            do()
        except OSError as error:
            self._refused(what, path, node, error)
            return False
        return True

    def _refused(self, what: str, path: bytes, node: Node, error: OSError) -> None:
        """List what the system refused; raise what is no refusal."""
        if error.errno not in _REFUSALS:
            raise error
        self._skip(what, path, node, error.errno)

    def _skip(self, what: str, path: bytes, node: Node, number: int | None, detail: str = "") -> None:
        """List what was skipped of a directory; of a file when all is done, since until then it may go again."""
        if isinstance(node, Directory):
            self.report.skipped.add(Skipped(what, path, node.layer, number, detail))
        else:
            skips = (*self._skips.get(node.inode, ()), (what, number, detail))
            self._skips[node.inode] = self._same.setdefault(skips, skips)


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
