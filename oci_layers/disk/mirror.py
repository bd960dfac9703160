"""Repeat the changes of a tree in a real directory, with owners, xattrs, devices and special bits.

Theory of operation. `TreeEditor` calls `make`, `link` and `remove` with resolved paths, in the order of the changes;
the mirror does the same on disk. It neither merges nor looks up what exists: the tree knows. A file is created with
mode 0600 and filled. Then it gets its owner, extended attributes (chown clears capabilities), mode (chown clears set-id
bits) and time, in this order, through the handle that created it. Directories stay private and writable until `finish`
sets their attributes, children first, so that later steps change neither times nor modes.

What the system refuses (EPERM, ENOTSUP, EINVAL on owner, device, attribute, mode or time) is listed as skipped, never
ignored. So are a time that the file system cannot store and an attribute that it has no room for. A set-id bit is kept
only with the owner that it is meant for. SELinux labels, which belong to another machine, are never set. The marks of
an overlay are set in an upper directory alone, where a refusal is an error. Any other `OSError` names the file
below DEST.
"""

import errno
import os
from collections.abc import Callable, Iterator
from typing import assert_never

from oci_layers import system
from oci_layers.disk.confine import Handles, remove_tree
from oci_layers.disk.owner import Owner
from oci_layers.disk.skips import Skips
from oci_layers.errors import UnsafePathError, UnsupportedError, escape, locate
from oci_layers.report import Report
from oci_layers.tree.node import OVERLAY_XATTRS, Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import WindowsMetadata

__all__ = ["DirectoryMirror"]

_REFUSALS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.EOPNOTSUPP})
_XATTR_REFUSALS = _REFUSALS | {errno.ERANGE, errno.E2BIG, errno.ENOSPC, errno.EDQUOT}
"""ENOSPC is among them because file systems limit attributes; if the disk is full, the next write fails too."""
_EVERY_SYSTEM_HAS = range(-(2**31) * 10**9, 2**31 * 10**9)
"""Times, in nanoseconds, that no file system silently clamps."""
_ODD_TIME = 1_000_000_001_123_456_789
"""A time that only a file system with nanosecond timestamps stores exactly."""
_ON_PURPOSE = frozenset({"overlay-xattr", "selinux", "set-id", "symlink", "windows"})
_SELINUX = b"security.selinux"
_SET_ID = 0o6000
_NO_PROC = "there is no /proc to set it through"
_TAKEN = "name already exists: the file system does not distinguish two names of the image"


class DirectoryMirror:
    """A `tree.Mirror` that writes to an open, empty directory. Not thread-safe; the caller closes it."""

    def __init__(
        self,
        root: int,
        *,
        owner: Owner | None = None,
        report: Report | None = None,
        sync: bool = False,
        dest: str = "",
        overlay: bool = False,
        clone: Callable[[bytes, File, int], bool] | None = None,
    ) -> None:
        """Take the root directory: change its owner to the calling user, and test its timestamps.

        Args:
            root: A handle on it; the caller closes it.
            owner: The owners of the files; the image's owners by default.
            report: Receives what is created and what is skipped.
            sync: Flush each file and directory to the disk.
            dest: The path of the directory, for errors.
            overlay: Set the attributes of overlay mounts: the directory is an upper directory, not a root.
            clone: Called with the path and node of a file, and a handle on it while it is empty; returns whether it has
                given it its contents, which are not read then.
        """
        self.report = Report() if report is None else report
        self._root = root
        self._dest = dest
        self._handles = Handles(root)
        self._owner = owner or Owner()
        self._sync = sync
        self._overlay = overlay
        self._clone = clone
        self._foreign: OSError | None = None
        self._own = self._new_owner()
        self._exact_times = self._holds_odd_time()
        self._counted: set[int] = set()
        self._skips = Skips(self.report)

    def _new_owner(self) -> tuple[int, int] | None:
        """Change the owner of the root to the calling user; return the owner of new files, or None if it is unknown.

        The root may have the group of its parent or the owner of its creator, and new files could inherit either.
        """
        own = system.effective_ids()
        if not self._owner.same:
            return own
        try:
            system.fchown(self._root, *own)
        except OSError as error:
            if error.errno not in _REFUSALS:
                self._locate(error, b"")
                raise
            return None
        return own

    def _holds_odd_time(self) -> bool:
        """Return whether the file system stores nanoseconds, so that times need no check after they are set.

        The test changes the time of the root, which `finish` sets anyway.
        """
        try:
            system.utime(self._root, _ODD_TIME)
        except OSError as error:
            if error.errno not in _REFUSALS:
                self._locate(error, b"")
                raise
            return False
        return system.fstat(self._root).st_mtime_ns == _ODD_TIME

    def close(self) -> None:
        """Close the handles on directories below the root."""
        self._handles.close()

    def make(self, parent: bytes, name: bytes, node: Node, data: Iterator[memoryview] | None) -> None:
        """Create `node` at `name` in the directory `parent`; the name must not exist.

        Raises:
            UnsafePathError: The name exists: the file system does not distinguish two names of the image, or another
                process writes here too.
            UnsupportedError: The file system refuses a whiteout, or a mark, of an upper directory.
            OSError: The system fails: the disk is full, for example. Has the full path.
        """
        try:
            at = self._handles.directory(parent)
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
            self._skips.keep(node)
        except FileExistsError as error:
            raise UnsafePathError(join(parent, name), _TAKEN) from error
        except OSError as error:
            self._locate(error, join(parent, name))
            raise

    def link(self, target: bytes, parent: bytes, name: bytes, node: Leaf) -> None:
        """Create `name` in the directory `parent` as another hard link to the file at `target`; raises as `make`."""
        path = join(parent, name)
        self._skips.link(node)
        if self._skips.is_absent(node):
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
        except OSError as error:
            self._locate(error, path)
            raise

    def remove(self, parent: bytes, name: bytes, node: Node) -> None:
        """Remove `name` from the directory `parent`, with everything below it."""
        path = join(parent, name)
        try:
            at = self._handles.directory(parent)
            if isinstance(node, Directory):
                self._handles.forget(path)
                remove_tree(name, at)
            elif not self._skips.is_absent(node):
                system.unlink(name, at)
        except OSError as error:
            self._locate(error, path)
            raise
        self._skips.forget(node)

    def leave_out(self, node: Leaf, path: bytes, what: str, detail: str) -> None:
        """Make no file at `path`, and list it as skipped; `link` and `remove` then leave it out, too."""
        self._skips.add(what, path, node, None, detail)
        self._skips.absent(node)
        self._skips.keep(node)

    def is_absent(self, node: Leaf) -> bool:
        """Return whether a device or pipe could not be created."""
        return self._skips.is_absent(node)

    def finish(self, tree: FileTree, *, checkpoint: Callable[[], None] | None = None) -> None:
        """Set the attributes of every directory of the finished tree, children first; count files and list skips.

        `checkpoint` is called after each directory; an exception that it raises ends the work.
        """
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
                    self._skips.list(join(path, name), child)
                continue
            try:
                fd = self._handles.directory(path)
                self._describe(fd, path, directory)
                if self._sync:
                    system.fsync(fd)
            except OSError as error:
                self._locate(error, path)
                raise
            self._handles.forget(path)
            if checkpoint is not None:
                checkpoint()

    def _count(self, node: File) -> None:
        self.report.files += 1
        if node.inode not in self._counted:
            self._counted.add(node.inode)
            self.report.bytes += node.content.size

    def _locate(self, error: OSError, path: bytes) -> None:
        """Add the full path to an error, unless the source of the contents raised it."""
        if error is not self._foreign:
            locate(error, os.path.join(self._dest, os.fsdecode(path)), "destination")

    def _read(self, data: Iterator[memoryview]) -> Iterator[memoryview]:
        """Yield the contents of a file; remember an error of their source, which is not about the destination."""
        try:
            for piece in data:  # noqa: UP028  # `yield from` would close the source
                yield piece
        except OSError as error:
            self._foreign = error
            raise

    def missed(self) -> dict[str, int]:
        """Return the number of refusals of the system, by kind, without what is skipped on purpose."""
        return {what: count for what, count in self.report.skipped.totals.items() if what not in _ON_PURPOSE}

    def _make_file(self, at: int, name: bytes, parent: bytes, node: File, data: Iterator[memoryview] | None) -> None:
        fd = system.open_new_file(name, at)
        try:
            content = node.content
            if data is not None and not (self._clone is not None and self._clone(join(parent, name), node, fd)):
                if content.extents is None:
                    for piece in self._read(data):
                        system.write_all(fd, piece)
                else:
                    _write_sparse(fd, content.extents, self._read(data))
                    system.ftruncate(fd, content.size)
            self._describe(fd, join(parent, name), node)
            if self._sync:
                system.fsync(fd)
        finally:
            system.close(fd)

    def _describe(self, fd: int, path: bytes, node: File | Directory) -> None:
        """Set owner, extended attributes, mode and time of an open file or directory, in that order."""
        mode = self._owned(path, node, lambda uid, gid: system.fchown(fd, uid, gid))
        if node.xattrs:
            self._set_xattrs(node, path, lambda key, value: system.fsetxattr(fd, key, value))
        try:
            system.fchmod(fd, mode)
        except OSError as error:
            self._refused("mode", path, node, error)
        try:
            system.utime(fd, node.mtime_ns)
        except OSError as error:
            self._refused("time", path, node, error)
        else:
            if not self._exact_times or node.mtime_ns not in _EVERY_SYSTEM_HAS:
                self._check_time(path, node, system.fstat(fd).st_mtime_ns)

    def _owned(self, path: bytes, node: Node, change: Callable[[int, int], None]) -> int:
        """Change the owner if it differs; return the mode, without set-id bits if they are not meant for that owner."""
        image_s = (node.uid, node.gid)
        wanted = self._owner.on_disk(*image_s)
        if wanted is None:
            kept = self._own == image_s
        elif wanted == self._own or self._try("owner", path, node, lambda: change(*wanted)):
            # A mapped owner is the image's owner, so set-id bits are meant for it; one fixed owner for all is not.
            kept = self._owner.fixed is None or wanted == image_s
        else:
            kept = False
        if node.windows is not None and not node.mode & 0o777:
            return _mode_of_windows(node, node.windows)
        if kept or not node.mode & _SET_ID:
            return node.mode
        self._skips.add("set-id", path, node, None, "the owner is another")
        return node.mode & ~_SET_ID

    def _make_special(self, at: int, name: bytes, path: bytes, node: Device | Fifo) -> None:
        whiteout = self._overlay and isinstance(node, Device) and node.kind == "char" and node.major == node.minor == 0
        if whiteout:
            try:  # Any user may make one, since Linux 5.8.
                system.make_device(name, at, block=False, major=0, minor=0)
            except OSError as error:
                if error.errno not in _REFUSALS:
                    raise
                raise _refused_by_overlay("a device 0:0") from error
            made = True
        elif isinstance(node, Fifo):
            made = self._try("fifo", path, node, lambda: system.make_fifo(name, at))
        else:
            block, major, minor = node.kind == "block", node.major, node.minor
            made = self._try(
                "device", path, node, lambda: system.make_device(name, at, block=block, major=major, minor=minor)
            )
        if not made:
            self._skips.absent(node)
            return
        # A whiteout has no owner.
        mode = node.mode if whiteout else self._owned(path, node, lambda uid, gid: system.lchown(name, at, uid, gid))
        if system.HAS_PROC:
            with system.hold(name, at) as pinned:
                here = system.proc_path(pinned)
                self._set_xattrs(node, path, lambda key, value: system.fsetxattr(here, key, value))
                self._try("mode", path, node, lambda: system.chmod(here, mode))
        else:
            self._skips.add("mode", path, node, None, _NO_PROC)
            self._set_xattrs(node, path, None)
        self._set_time(at, name, path, node)

    def _describe_link(self, at: int, name: bytes, path: bytes, node: Symlink) -> None:
        self._owned(path, node, lambda uid, gid: system.lchown(name, at, uid, gid))
        if system.HAS_PROC:
            here = system.proc_path(at)
            self._set_xattrs(node, path, lambda key, value: system.lsetxattr(here, name, key, value))
        else:
            self._set_xattrs(node, path, None)
        self._set_time(at, name, path, node)

    def _set_time(self, at: int, name: bytes, path: bytes, node: Leaf) -> None:
        done = self._try("time", path, node, lambda: system.utime_at(name, at, node.mtime_ns))
        if done and (not self._exact_times or node.mtime_ns not in _EVERY_SYSTEM_HAS):
            self._check_time(path, node, system.lstat(name, at).st_mtime_ns)

    def _check_time(self, path: bytes, node: Node, actual: int) -> None:
        if actual != node.mtime_ns:
            self._skips.add("time", path, node, None, f"the file system holds {actual} ns for {node.mtime_ns} ns")

    def _set_xattrs(self, node: Node, path: bytes, put: Callable[[bytes, bytes], None] | None) -> None:
        """Set the extended attributes that belong on disk with `put`; without it, list them as skipped."""
        for key, value in node.xattrs.items():
            if key.startswith(OVERLAY_XATTRS) and not self._overlay:
                self._skips.add("overlay-xattr", path, node, None, key)
            elif key == _SELINUX:
                self._skips.add("selinux", path, node, None, "a label of another machine")
            elif put is None:
                self._skips.add("xattr", path, node, None, f"{key.decode('utf-8', 'backslashreplace')}: {_NO_PROC}")
            else:
                try:
                    put(key, value)
                except OSError as error:
                    if error.errno not in _XATTR_REFUSALS:
                        raise
                    if key.startswith(OVERLAY_XATTRS):
                        raise _refused_by_overlay(f"the attribute {escape(key)}") from error
                    self._skips.add("xattr", path, node, error.errno, key)

    def _try(self, what: str, path: bytes, node: Node, do: Callable[[], None]) -> bool:
        """Call `do` and return True; if the system refuses, list it as skipped and return False."""
        try:
            do()
        except OSError as error:
            self._refused(what, path, node, error)
            return False
        return True

    def _refused(self, what: str, path: bytes, node: Node, error: OSError) -> None:
        """List a refusal as skipped; raise any other error."""
        if error.errno not in _REFUSALS:
            raise error
        self._skips.add(what, path, node, error.errno)


def _refused_by_overlay(what: str) -> UnsupportedError:
    """Return the error for a mark of an overlay, without which a mount would show what a layer removes."""
    return UnsupportedError("file system", f"it refuses {what}", "an upper directory needs one that holds whiteouts")


def _mode_of_windows(node: Node, windows: WindowsMetadata) -> int:
    """Return the mode of a file whose entry has none, as those that Windows writes."""
    return 0o755 if isinstance(node, Directory) else 0o444 if windows.is_read_only else 0o644


def _write_sparse(fd: int, extents: tuple[tuple[int, int], ...], data: Iterator[memoryview]) -> None:
    """Write the stored pieces at the offsets of `extents`, leaving holes between them."""
    piece = memoryview(b"")
    for start, length in extents:
        at, end = start, start + length
        while at < end:
            if not piece:
                piece = next(data)
            now = piece[: end - at]
            system.write_at(fd, now, at)
            at, piece = at + len(now), piece[len(now) :]
