"""The contents of files of a merged tree, in one pass over the layers that hold them."""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from oci_layers.errors import IsDirectoryError, LimitError, PathError, PathMissingError, UnsafePathError, escape
from oci_layers.image.content_reader import check_size
from oci_layers.image.entries import OnEntry
from oci_layers.image.layer import Layer
from oci_layers.progress import ProgressTracker
from oci_layers.tar.entry import FILE_TYPES, SYMLINK, Entry
from oci_layers.tree.content import RangeContent
from oci_layers.tree.node import Directory, File
from oci_layers.tree.path import AnyPath, clean, join, parent_and_name, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["ContentKeeper", "find_files", "read_files", "stored_files"]

_MOST_PATHS = 10_000
"""How many paths and directories are looked for: links could make any number."""


def stored_files(
    layers: Sequence[Layer], files: Iterable[tuple[bytes, File]], tracker: ProgressTracker
) -> Iterator[tuple[bytes, File, Entry | None]]:
    """Yield each file once, with the entry that holds its content (None if there is none), in layer order.

    Each layer that holds one of them is read and verified to its end; no other layer is opened.
    """
    wanted: dict[int, dict[int, tuple[bytes, File]]] = {}
    seen: set[int] = set()
    for path, node in files:
        if node.inode not in seen:
            seen.add(node.inode)
            if isinstance(node.content, RangeContent):
                wanted.setdefault(node.layer, {})[node.content.offset] = path, node
            else:
                yield path, node, None
    for index in sorted(wanted):
        layer, here = layers[index], wanted[index]
        with contextlib.closing(layer.entries(on_read=tracker.on_read(index))) as entries:
            for entry in tracker.count(entries):
                found = here.get(entry.data_offset) if entry.size else None
                if found is not None:
                    yield *found, entry


def find_files(tree: FileTree, paths: Iterable[AnyPath]) -> dict[AnyPath, tuple[bytes, File]]:
    """Return the resolved path and the node of the regular file at each path, links followed.

    Raises:
        PathMissingError: Some paths do not exist, or are dangling links; notes name all but the first.
        IsDirectoryError, PathError: A path is not a regular file.
    """
    found: dict[AnyPath, tuple[bytes, File]] = {}
    missing: list[PathMissingError] = []
    for path in paths:
        name = to_bytes(path)
        led = tree.resolve(name, follow=True)
        try:
            node = led.require(name)
        except PathMissingError as error:
            missing.append(error)
            continue
        if isinstance(node, Directory):
            raise IsDirectoryError(name)
        if not isinstance(node, File):
            raise PathError(name, "not a regular file")
        found[path] = led.path, node
    if missing:
        for other in missing[1:]:
            missing[0].add_note(f"and {escape(other.path)}: {other.reason}")
        raise missing[0]
    return found


class ContentKeeper:
    """Keeps the contents of entries that may be wanted files, while layers are merged. Thread-safe.

    A file is looked for by its path. Where a link of that path, or of a directory in it, is met, its target is looked
    for, too; what comes before the link, or has another name, is missed, and `read_files` reads it afterwards.
    """

    def __init__(self, paths: Iterable[bytes], allowed: int) -> None:
        """Look for `paths`, which are clean; keep up to `allowed` bytes."""
        self.kept: dict[tuple[int, int], bytes] = {}
        """Contents by the number of the layer and the offset of the content in its tar."""
        self._left = allowed
        self._wanted: set[bytes] = set()
        self._looked_at: set[bytes] = set()
        self._lock = threading.Lock()
        for path in paths:
            self._add(path)

    def _add(self, path: bytes) -> None:
        self._wanted.add(path)
        while path:
            self._looked_at.add(path)
            path, _ = parent_and_name(path)

    def on_entry(self, layer: int) -> OnEntry:
        """Return the callback for the entries of one layer."""

        def on_entry(entry: Entry) -> None:
            name = entry.name.removeprefix(b"./").rstrip(b"/")
            if name in self._looked_at:
                with self._lock:
                    self._take(layer, name, entry)

        return on_entry

    def _take(self, layer: int, name: bytes, entry: Entry) -> None:
        if entry.type in FILE_TYPES and name in self._wanted and entry.size <= self._left:
            data = self.kept[layer, entry.data_offset] = b"".join(entry.chunks())
            self._left -= len(data)
        elif entry.type == SYMLINK and len(self._looked_at) < _MOST_PATHS:
            parent, _ = parent_and_name(name)
            target = entry.linkname if entry.linkname.startswith(b"/") else join(parent, entry.linkname)
            for path in list(self._wanted):
                if path == name or path.startswith(name + b"/"):
                    with contextlib.suppress(UnsafePathError, LimitError):
                        self._add(clean(target + path[len(name) :], clamp=True))


def read_files(
    layers: Sequence[Layer],
    found: Mapping[AnyPath, tuple[bytes, File]],
    tracker: ProgressTracker,
    allowed: int,
    kept: Mapping[tuple[int, int], bytes],
) -> dict[AnyPath, bytes]:
    """Return the contents of files by the paths that they were asked by; what is not in `kept` is read.

    Raises:
        LimitError: Together they have more than `allowed` bytes; nothing is read then.
    """
    by_inode = {node.inode: (path, node) for path, node in found.values()}
    check_size(sum(node.content.size for _, node in by_inode.values()), allowed)
    data: dict[int, bytes] = {}
    for _, node in by_inode.values():
        at = (node.layer, node.content.offset) if isinstance(node.content, RangeContent) else (0, -1)
        if at in kept:
            data[node.inode] = kept[at]
    others = [(path, node) for path, node in by_inode.values() if node.inode not in data]
    for _, node, entry in stored_files(layers, others, tracker):
        data[node.inode] = b"".join(node.content.chunks() if entry is None else entry.chunks())
    return {path: data[node.inode] for path, (_, node) in found.items()}
