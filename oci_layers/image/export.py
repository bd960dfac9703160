"""The merged file system of an image as one tar, without a disk: only what is visible, always the same bytes.

Names, as `docker export` writes them, have no `./` before them, and those of directories end with a slash; owners are
numbers; the first name of a file has its contents, and the others are hard links to it. All modes, times to the
nanosecond, devices and extended attributes are kept, in PAX headers where ustar cannot hold them. Holes are written as
zeros. The root has an entry, `./`, only where its attributes are not those of a root that no layer describes.

There are two orders. In that of the *paths*, equal trees give equal bytes, whatever layers they are made of. Contents
are then read in any order, so each compressed layer is copied to an unnamed temporary file while it is merged: it is
read, inflated and hashed once. In the order of the *layers*, directories and everything else without contents come
first, and then the files as the layers store them, so there is no temporary file, but the layers are read twice: to
merge them, and for the contents.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol

import attrs

from oci_layers.image.files import stored_files
from oci_layers.image.layer import Layer
from oci_layers.layer.encode import node_entry, tree_entries
from oci_layers.progress import Progress, ProgressTracker
from oci_layers.report import Report
from oci_layers.tar.buffer import BLOCK_BYTES
from oci_layers.tar.entry import HARDLINK, REGULAR, Entry, Pieces
from oci_layers.tar.writer import write_tar
from oci_layers.tree.node import File, implicit_directory
from oci_layers.tree.tree import FileTree

__all__ = ["Meter", "Order", "Writable", "export_entries", "layer_order", "path_order", "write_export"]

Order = Literal["path", "layer"]
"""The order of the entries."""

_BATCH = 1 << 18
"""The bytes that are collected before they are written."""
_LARGE = 1 << 16
"""The bytes of a piece that is written by itself."""


class Writable(Protocol):
    """A binary file that is open for writing."""

    def write(self, data: memoryview, /) -> object:
        """Write `data`; return how much of it was written, if not all."""
        ...


class Meter:
    """Reports how much of the archive of a tree is written, from 0 on, as progress at the last layer."""

    def __init__(self, tree: FileTree, layers: int, progress: Callable[[Progress], None]) -> None:
        """Expect a header for each name, and the contents of each file; PAX headers are not foreseen."""
        self._layers = layers
        self._progress = progress
        self._done = 0
        self._total = 0
        seen: set[int] = set()
        for _, node in tree.walk():
            self._total += BLOCK_BYTES
            if isinstance(node, File) and node.inode not in seen:
                self._total += node.content.size + -node.content.size % BLOCK_BYTES
                if tree.link_names(node.inode):
                    seen.add(node.inode)
        self.add(0)

    def add(self, count: int) -> None:
        """Count bytes that were written."""
        self._done = min(self._done + count, self._total)
        last = max(self._layers - 1, 0)
        self._progress(Progress(layer=last, layers=self._layers, done=self._done, total=self._total))

    def end(self) -> None:
        """Report that all is written."""
        self.add(self._total)


def write_export(entries: Iterable[Entry], stream: Writable, merged: Report, meter: Meter | None = None) -> Report:
    """Write entries to `stream` as one archive; return what was written, with the findings of the merge.

    Raises:
        OSError: The stream raises it.
    """
    report = Report(findings=merged.findings, layers=merged.layers)
    for batch in _batches(write_tar(_counted(entries, report))):
        _write(stream, batch)
        if meter is not None:
            meter.add(len(batch))
    if meter is not None:
        meter.end()
    return report


def _batches(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Yield the same bytes in larger pieces."""
    pending: list[bytes] = []
    size = 0
    for piece in pieces:
        is_large = len(piece) >= _LARGE
        if not is_large:
            pending.append(bytes(piece))  # A view would keep the whole buffer that it is of.
            size += len(piece)
        if pending and (is_large or size >= _BATCH):
            yield b"".join(pending)
            pending.clear()
            size = 0
        if is_large:
            yield piece
    yield b"".join(pending)


def _write(stream: Writable, data: bytes | memoryview) -> None:
    """Write all of `data`: an unbuffered stream may take less at once, and returns how much."""
    rest = memoryview(data)
    while rest:
        taken = stream.write(rest)
        rest = rest[taken if isinstance(taken, int) else len(rest) :]


def _counted(entries: Iterable[Entry], report: Report) -> Iterator[Entry]:
    for entry in entries:
        report.entries += 1
        if entry.type == REGULAR:
            report.files += 1
            report.bytes += entry.size
        yield entry


def export_entries(tree: FileTree, layers: Sequence[Layer], tracker: ProgressTracker, order: Order) -> Iterator[Entry]:
    """Return the entries of a tree in an order.

    Raises:
        ValueError: There is no such order.
    """
    match order:
        case "path":
            return path_order(tree)
        case "layer":
            return layer_order(tree, layers, tracker)
        case _:
            raise ValueError(f"order is {order!r}, and may be 'path' or 'layer'")


def path_order(tree: FileTree) -> Iterator[Entry]:
    """Yield the entries of a tree by the bytes of their paths; contents are read as each entry is written."""
    entries = tree_entries(tree)
    if _is_plain_root(tree) and not tree.windows:
        next(entries)
    return entries


def layer_order(tree: FileTree, layers: Sequence[Layer], tracker: ProgressTracker) -> Iterator[Entry]:
    """Yield the entries of a tree: those without contents by their paths, then the others as `layers` store them.

    The other names of a file follow it at once. Each layer that holds contents is read and verified to its end.

    Raises:
        OCIError: A layer is missing or damaged.
    """
    files: list[tuple[bytes, File]] = []
    links: dict[bytes, list[Entry]] = {}
    held: set[bytes] = set()
    for entry in path_order(tree):
        if entry.type == REGULAR and entry.size:
            node = tree.at(entry.name)
            assert isinstance(node, File)
            files.append((entry.name, node))
            if tree.link_names(node.inode):
                held.add(entry.name)
        elif entry.type == HARDLINK and entry.linkname in held:
            links.setdefault(entry.linkname, []).append(entry)
        else:
            yield entry
    for path, node, stored in stored_files(layers, files, tracker):
        entry = node_entry(path, node)
        yield entry if stored is None else attrs.evolve(entry, content=Pieces(stored.chunks()))
        yield from links.pop(path, ())


def _is_plain_root(tree: FileTree) -> bool:
    plain = implicit_directory(0)
    return all(
        getattr(tree.root, name) == getattr(plain, name) for name in ("mode", "uid", "gid", "mtime_ns", "xattrs")
    )
