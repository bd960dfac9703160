"""The contents of files of a merged tree, in one pass over the layers that hold them."""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from oci_layers.errors import LimitError, PathMissingError, UnsafePathError, escape
from oci_layers.image.content_reader import check_size
from oci_layers.image.entries import OnEntry
from oci_layers.image.layer import Layer
from oci_layers.progress import ProgressTracker
from oci_layers.tar.entry import FILE_TYPES, SYMLINK, Entry
from oci_layers.tree.content import RangeContent
from oci_layers.tree.node import File
from oci_layers.tree.path import AnyPath, clean, join, parent_and_name, to_bytes
from oci_layers.tree.resolve import require_file
from oci_layers.tree.tree import FileTree

__all__ = ["ContentKeeper", "find_files", "led_to", "read_files", "regular_files", "stored_files"]

_MOST_PATHS = 100_000
_MOST_LINKS = 1_000
"""How many paths and directories are looked for, and how many links are followed: an archive could have any number."""


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


def led_to(tree: FileTree, path: bytes) -> bytes:
    """Return the resolved path that `path` leads to, links followed.

    Raises:
        PathError: Nothing exists there.
    """
    found = tree.resolve(path, follow=True)
    found.require(path)
    return found.path


def regular_files(tree: FileTree) -> Iterator[tuple[bytes, File]]:
    """Yield the path and the node of each regular file of a tree, in the order of its paths."""
    for path, node in tree.walk():
        if isinstance(node, File):
            yield path, node


def find_files(tree: FileTree, paths: Iterable[AnyPath]) -> dict[AnyPath, tuple[bytes, File]]:
    """Return the resolved path and the node of the regular file at each path, links followed.

    Raises:
        PathMissingError: Some paths do not exist, or are dangling links; the error names each of them.
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
        found[path] = led.path, require_file(name, node)
    if missing:
        others = [f"{escape(each.path)}: {each.reason}" for each in missing[1:]]
        raise PathMissingError(missing[0].path, "; ".join([missing[0].reason, *others]))
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
        self._below: dict[bytes, set[bytes]] = {}
        self._last: dict[bytes, tuple[int, int]] = {}
        self._links: set[tuple[bytes, bytes]] = set()
        self._lock = threading.Lock()
        for path in paths:
            self._add(path)

    def _add(self, path: bytes) -> None:
        """Look for a path, and for the links at it and at the directories in it."""
        above = path
        while above:
            self._below.setdefault(above, set()).add(path)
            above, _ = parent_and_name(above)

    def on_entry(self, layer: int) -> OnEntry:
        """Return the callback for the entries of one layer."""

        def on_entry(entry: Entry) -> None:
            name = entry.name.removeprefix(b"./").rstrip(b"/")
            if name in self._below:
                with self._lock:
                    if entry.type in FILE_TYPES:
                        self._keep(layer, name, entry)
                    elif entry.type == SYMLINK:
                        self._follow(name, entry.linkname)

        return on_entry

    def _keep(self, layer: int, name: bytes, entry: Entry) -> None:
        at = layer, entry.data_offset
        if name not in self._below[name] or self._last.get(name, at) > at:
            return
        if name in self._last:
            self._left += len(self.kept.pop(self._last.pop(name)))
        if entry.size <= self._left:
            self.kept[at] = b"".join(entry.chunks())
            self._last[name] = at
            self._left -= entry.size

    def _follow(self, name: bytes, target: bytes) -> None:
        if (name, target) in self._links or len(self._links) >= _MOST_LINKS:
            return
        self._links.add((name, target))
        parent, _ = parent_and_name(name)
        whole = target if target.startswith(b"/") else join(parent, target)
        for path in list(self._below[name]):
            if len(self._below) >= _MOST_PATHS:
                return
            with contextlib.suppress(UnsafePathError, LimitError):
                self._add(clean(whole + path[len(name) :], clamp=True))


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
