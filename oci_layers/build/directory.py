"""A real directory as the entries of one layer, in one walk, without a tree in memory.

Directories and files are opened by handle and no link is followed. The order is that of `FileTree.walk`: a directory
comes before what is in it, and the names in it are sorted by their bytes, so the order in which the system lists them
has no effect. Each file is open once, while its entry is the current one; its size is that of the moment when it was
looked at, and its holes are not read. Memory: the names in the directories above the current one, and a path for each
file that has several names.

What is in no layer: sockets are reported (LYR-05); names that begin with `.wh.`, and the character device 0:0, which is
a whiteout to overlayfs, are refused.
"""

import os
import stat
from collections.abc import Callable, Iterator

import attrs

from oci_layers import system
from oci_layers.build.arrange import OnSkip
from oci_layers.build.ignore import Ignore, Selection
from oci_layers.disk.confine import Handles, check_handles
from oci_layers.disk.scan import special_xattrs
from oci_layers.errors import SizeMismatchError, WhiteoutError, escape, locate
from oci_layers.layer.whiteout import check_name
from oci_layers.limits import Limits
from oci_layers.report import Skipped
from oci_layers.tar.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK, Entry
from oci_layers.tree.path import check_limits, join

__all__ = ["directory_entries"]

_PIECE = 1 << 17  # Small enough to be copied while it is in the cache of the processor.
_ROLE = "directory of the new layer"
_TYPES = {
    stat.S_IFREG: REGULAR,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: FIFO,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK,
}


def directory_entries(directory: str, *, ignore: Ignore, limits: Limits, skip: OnSkip) -> Iterator[Entry]:
    """Yield the entries of everything in a directory, itself first.

    The content of an entry can be read until the next entry is requested. Close the generator to stop early.

    Args:
        directory: A directory; a link is resolved first.
        ignore: What is left out. A directory of which nothing is taken is not read.
        limits: The limits on paths.
        skip: Called with each socket.

    Raises:
        WhiteoutError: A name or a device that would be read as a whiteout.
        SizeMismatchError: A file has become shorter; raised where its content is read.
        UnsafePathError: A directory was replaced meanwhile.
        LimitError: A path that is longer or deeper than `limits` allow.
        OSError: Something cannot be read, or has vanished; the error has its full path.
        UnsupportedError: This platform has no system calls relative to open directories.
    """
    check_handles()
    here = system.resolve(directory)
    root = system.open_root(here)
    handles = Handles(root)
    try:
        yield from _Walk(here, handles, ignore, limits, skip).entries(root)
    finally:
        handles.close()
        system.close(root)


class _Walk:
    def __init__(self, directory: str, handles: Handles, ignore: Ignore, limits: Limits, skip: OnSkip) -> None:
        self.directory = directory
        self.handles = handles
        self.selection = Selection[Entry](ignore)
        self.limits = limits
        self.skip = skip
        self.first: dict[tuple[int, int], bytes] = {}
        self.current: _OpenFile | None = None

    def entries(self, root: int) -> Iterator[Entry]:
        yield _entry(b"./", DIRECTORY, system.fstat(root), system.get_xattrs(root))
        stack = [(b"", iter(system.list_names(root)))]
        while stack:
            above, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
                continue
            path = join(above, name)
            try:
                entry = self.visit(path, name, self.handles.directory(above))
                if entry is None:
                    continue
                if entry.type == DIRECTORY:
                    stack.append((path, iter(system.list_names(self.handles.directory(path)))))
                if self.selection.excludes(path):
                    self.selection.hold(path, entry)
                    continue
                yield from self.selection.release(path)
                yield entry
            except OSError as error:
                locate(error, self.full(path), _ROLE)
                raise
            finally:
                self.close_file()

    def close_file(self) -> None:
        """Close the current file."""
        current, self.current = self.current, None
        if current is not None:
            fd, current.fd = current.fd, -1
            system.close(fd)

    def full(self, path: bytes) -> str:
        return os.path.join(self.directory, os.fsdecode(path))

    def visit(self, path: bytes, name: bytes, parent: int) -> Entry | None:
        """Return the entry of a name; None if it is left out."""
        found = system.lstat(name, parent)
        if stat.S_ISDIR(found.st_mode):
            if not self.selection.enter(path):
                return None
            self.check(path)
            return _entry(path + b"/", DIRECTORY, found, system.get_xattrs(self.handles.directory(path)))
        if self.selection.excludes(path):
            return None
        self.check(path)
        kind = _TYPES.get(stat.S_IFMT(found.st_mode))
        if kind is None:
            self.skip(Skipped("socket", path, 0, None))
            return None
        if found.st_nlink > 1:
            known = self.first.setdefault((found.st_dev, found.st_ino), path)
            if known != path:
                # Some readers apply the metadata of the link to the file, so it has those of the file.
                entry = _entry(path, HARDLINK, found, {})
                entry.linkname = known
                return entry
        if kind == REGULAR:
            return self.file(path, name, parent)
        return _special(_entry(path, kind, found, special_xattrs(parent, name)), found, name, parent)

    def check(self, path: bytes) -> None:
        check_name(path)
        if len(path) > self.limits.path_bytes or path.count(b"/") >= self.limits.path_depth:
            check_limits(path, self.limits)

    def file(self, path: bytes, name: bytes, parent: int) -> Entry:
        """Open a regular file. Its attributes and size are those of the open file, whatever has the name since."""
        fd = system.open_regular_file(name, parent)
        self.current = content = _OpenFile(fd, path, self.full)
        found = system.fstat(fd)
        entry = _entry(path, REGULAR, found, system.get_xattrs(fd))
        entry.size = entry.stored_size = found.st_size
        if found.st_blocks * 512 < found.st_size:
            entry.extents = tuple(system.data_extents(fd, found.st_size))
        entry.content = content
        return entry


@attrs.define(eq=False)
class _OpenFile:
    """The content of the current file; `fd` is -1 once it is closed."""

    fd: int
    path: bytes
    full: Callable[[bytes], str]

    def stored(self, entry: Entry) -> Iterator[memoryview]:
        for start, length in entry.extents if entry.extents is not None else ((0, entry.size),):
            at, end = start, start + length
            while at < end:
                try:
                    piece = system.pread(self.fd, min(_PIECE, end - at), at)
                except OSError as error:
                    locate(error, self.full(self.path), _ROLE)
                    raise
                if not piece:
                    raise SizeMismatchError(what=escape(self.full(self.path)), expected=entry.size, actual=at)
                yield memoryview(piece)
                at += len(piece)


def _entry(name: bytes, kind: bytes, found: os.stat_result, xattrs: dict[bytes, bytes]) -> Entry:
    return Entry(
        name,
        kind,
        found.st_mode & 0o7777,
        found.st_uid,
        found.st_gid,
        mtime_ns=found.st_mtime_ns,
        xattrs=xattrs,
    )


def _special(entry: Entry, found: os.stat_result, name: bytes, parent: int) -> Entry:
    """Complete the entry of a link, a device or a pipe."""
    if entry.type == SYMLINK:
        entry.mode, entry.linkname = 0o777, system.read_link(name, parent)
    elif entry.type != FIFO:
        entry.devmajor, entry.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
        if entry.type == CHARACTER and not found.st_rdev:
            raise WhiteoutError(entry.name, "a character device 0:0 is a whiteout to overlayfs")
    return entry
