r"""Entries of a layer into those of a layer for Windows, which needs nothing but this to be imported there.

`Hives` and `Files` come first, everything goes into `Files`, and every directory comes before what is in it. Each entry
has the attributes, the descriptor and the creation time that Windows expects, unless it has its own. A directory that
the layers below have keeps its name as it is spelled there, and its metadata. Owners, modes and extended attributes of
Linux mean nothing there: a file that no one may write to is read-only, and the attributes are left out and reported.

What Windows cannot hold is refused: devices and pipes, an opaque marker, a name that has a backslash or a drive, two
names that differ in case. Links keep their targets, which Windows does not understand, unless `windows_links` is set.
"""

from collections.abc import Generator, Iterable, Iterator

from oci_layers.build.arrange import OnSkip
from oci_layers.build.descriptor import DIRECTORY_DESCRIPTOR, FILE_DESCRIPTOR
from oci_layers.build.options import LayerOptions
from oci_layers.errors import LayerError, WhiteoutError, escape
from oci_layers.layer.encode import as_windows, node_entry
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX, clean_name
from oci_layers.layer.windows import RECORD_PREFIX, windows_records
from oci_layers.layer.windows_name import FILES, windows_path
from oci_layers.report import Skipped
from oci_layers.tar.entry import DIRECTORY, EMPTY, FILE_TYPES, HARDLINK, SYMLINK, Entry
from oci_layers.tree.fold import fold
from oci_layers.tree.node import Directory
from oci_layers.tree.path import clean, join, parent_and_name
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import ARCHIVE, READ_ONLY, WindowsMetadata
from oci_layers.tree.windows import DIRECTORY as DIRECTORY_ATTRIBUTE

__all__ = ["windows_entries"]

_HELD = FILE_TYPES | {DIRECTORY, SYMLINK, HARDLINK}
_SECOND = 1_000_000_000


def windows_entries(entries: Iterable[Entry], options: LayerOptions, skip: OnSkip) -> Iterator[Entry]:
    """Yield the entries of a layer for Windows; `entries` are those of `arranged`, with paths on the drive.

    Raises:
        LayerError: A device or pipe; two names that are one name on Windows.
        UnsafePathError: A name that has a backslash or a drive.
        WhiteoutError: An opaque marker.
    """
    converter = _Converter(options, skip)
    yield from converter.roots()
    for entry in entries:
        yield from converter.convert(entry)


class _Converter:
    """Converts the entries of one layer; `names` has the spelling of each name so far by its folded form."""

    def __init__(self, options: LayerOptions, skip: OnSkip) -> None:
        self.skip = skip
        self.base = FileTree(windows=True) if options.base is None else options.base
        self.links = options.windows_links
        self.time_ns = (options.clamp_mtime or 0) * _SECOND
        self.names: dict[bytes, bytes] = {}

    def roots(self) -> Iterator[Entry]:
        """Yield the two directories in the root of the layer."""
        yield self.described(Entry(b"Hives", DIRECTORY, 0o755, mtime_ns=self.time_ns))
        root = self.base.root
        yield self.made(b"") if root.implicit else self.known(b"", root)

    def convert(self, entry: Entry) -> Iterator[Entry]:
        """Yield an entry, after those of directories above it that the layer does not have yet."""
        path = clean_name(entry.name)
        if not path:
            return  # `Files` is there already, as the layers below have it.
        parent, name = parent_and_name(path)
        if name.startswith(PREFIX):
            if name == OPAQUE_NAME:
                raise WhiteoutError(path, "Windows knows no opaque marker: remove the names one by one")
            here = yield from self.parents(parent)
            yield Entry(join(FILES, join(here, name)), mode=0)
            return
        if entry.type not in _HELD:
            raise LayerError(path, "an image for Windows has no devices and pipes")
        parent, name = parent_and_name(windows_path(join(FILES, path), is_file=entry.type in FILE_TYPES))
        here = yield from self.parents(parent[len(FILES) + 1 :])
        path = join(here, name)
        lower = self.base.at(self.base.spelled(path))
        if entry.type == DIRECTORY and (isinstance(lower, Directory) or fold(path) in self.names):
            yield from self.directory(path)
        else:
            self.enter(path)
            yield self.placed(entry, path)

    def parents(self, path: bytes) -> Generator[Entry, None, bytes]:
        """Yield the directories down to a path that the layer does not have yet; return the path as it is spelled."""
        here = b""
        for name in path.split(b"/") if path else ():
            here = yield from self.directory(join(here, name))
        return here

    def directory(self, path: bytes) -> Generator[Entry, None, bytes]:
        """Yield a directory unless the layer has it: as it is below, or a new one; return the path as it is spelled."""
        known = self.names.get(fold(path))
        if known is None:
            known = self.base.spelled(path)
            node = self.base.at(known)
            is_below = isinstance(node, Directory)
            known = known if is_below else path
            self.names[fold(path)] = known
            yield self.known(known, node) if isinstance(node, Directory) else self.made(known)
        return known

    def known(self, path: bytes, node: Directory) -> Entry:
        """Return the entry of a directory that the layers below have."""
        entry = node_entry(path, node)
        entry.name = join(FILES, path) if path else FILES
        return self.described(entry)

    def made(self, path: bytes) -> Entry:
        """Return the entry of a directory that nothing describes."""
        return self.described(Entry(join(FILES, path) if path else FILES, DIRECTORY, 0o755, mtime_ns=self.time_ns))

    def enter(self, path: bytes) -> None:
        """Remember a name; raise LayerError if the layer has it in another case."""
        other = self.names.setdefault(fold(path), path)
        if other != path:
            raise LayerError(path, f"one name with '{escape(other)}' on Windows")

    def placed(self, entry: Entry, path: bytes) -> Entry:
        """Return an entry of the source as one of the drive."""
        for name in entry.xattrs:
            self.skip(Skipped("xattr", path, 0, None, name.decode("utf-8", "surrogateescape")))
        entry.name, entry.uid, entry.gid, entry.xattrs = join(FILES, path), 0, 0, EMPTY
        if entry.type == HARDLINK:
            target = clean(entry.linkname, clamp=True)
            entry.linkname = join(FILES, self.names.get(fold(target)) or self.base.spelled(target))
            return entry
        if b":" in path:  # A stream: its file has the metadata.
            return entry
        if entry.type == SYMLINK and self.links:
            target = entry.linkname.replace(b"/", b"\\")
            entry.linkname = b"C:" + target if target.startswith(b"\\") else target
        return self.described(entry)

    @staticmethod
    def described(entry: Entry) -> Entry:
        """Return an entry with metadata of Windows: its own, or those of a new file."""
        if any(key.startswith(RECORD_PREFIX) for key in entry.pax):
            return as_windows(entry, entry.pax)
        if entry.type == DIRECTORY:
            attributes, descriptor = DIRECTORY_ATTRIBUTE, DIRECTORY_DESCRIPTOR
        else:
            is_read_only = entry.type in FILE_TYPES and not entry.mode & 0o222
            attributes, descriptor = ARCHIVE | (READ_ONLY if is_read_only else 0), FILE_DESCRIPTOR
        windows = WindowsMetadata(attributes=attributes, security_descriptor=descriptor, created_ns=entry.mtime_ns)
        return as_windows(entry, windows_records(windows))
