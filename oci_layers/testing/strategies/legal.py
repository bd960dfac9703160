"""Picks of rows and paths to layers that are legal by the spec, and mean one thing only.

Theory of operation. `Legal` keeps a dictionary of the paths that the layers so far make, and the same of the layers
below the present one. A pick, a row and a path by their indexes in tables, becomes the entry at the first path of the
table, from that index on, where such an entry is legal, and nothing if there is none. So few picks are lost. A layer is
legal if, once every path is resolved:

* no name is there twice, none is both a directory and something else, and hard links have their target before them;
* a path leads through a link only if the link is of a lower layer, and leads to a directory inside the root;
* the layer neither removes nor replaces the links that its paths lead through, nor removes where they lead to or the
  lower targets of its hard links. Its meaning would depend on the order of its entries (`layer/order`).

The last is the one combination of legal entries that is left out. The model is not the engine, which it is to test: it
knows only what these rules need, and refuses where it is not sure.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import attrs

from oci_layers.tar.entry import Entry
from oci_layers.testing.notation import DEFAULT_MTIME_NS
from oci_layers.testing.strategies.row import MARKERS, Feature, Kind, Row

__all__ = ["Legal", "Pick"]

Pick = tuple[int, int]
"""The index of a row, and that of a path."""

_LINKS = 8
"""The most links that a path leads through."""


@attrs.frozen
class _Node:
    """What is at a path: its kind, and the entry; None for a directory that is only implied."""

    kind: str
    entry: Entry | None = None


_IMPLIED = _Node("dir")
_FILE = Row("file", {"mode": 0o644, "mtime_ns": DEFAULT_MTIME_NS})
_DIRECTORY = Row("dir", {"mode": 0o755, "mtime_ns": DEFAULT_MTIME_NS})


@attrs.frozen
class _Place:
    """Where a path leads to: a directory, then names that are not there, or blocked by what is no directory."""

    path: bytes
    missing: tuple[bytes, ...] = ()
    links: tuple[bytes, ...] = ()
    blocked: bool = False

    @property
    def end(self) -> bytes:
        """The whole path, with what is missing."""
        return b"/".join((self.path, *self.missing)) if self.path else b"/".join(self.missing)


class Legal:
    """Makes the layers of one stack; see the module."""

    def __init__(
        self,
        rows: Sequence[Row],
        paths: Sequence[bytes],
        kinds: Collection[Kind],
        features: Collection[Feature],
        *,
        follow: bool = True,
    ) -> None:
        """Begin without layers.

        Args:
            rows: What picks are of.
            paths: Where they may be.
            kinds: What layers may be made of.
            features: What else layers may have.
            follow: Whether paths lead through links, or replace them by directories as an overlay does.
        """
        self._rows = rows
        self._table = paths
        self._kinds = kinds
        self._features = features
        self._follow = follow
        self._tree: dict[bytes, _Node] = {b"": _IMPLIED}
        self._begin()

    def _begin(self) -> None:
        self._lower = dict(self._tree)
        self._upper: set[bytes] = set()
        """What this layer has written, as resolved paths, and the directories above."""
        self._written: set[bytes] = set()
        """What has an entry of this layer."""
        self._marked: set[bytes] = set()
        """The resolved names of markers."""
        self._hidden: set[bytes] = set()
        """What whiteouts of this layer name."""
        self._fixed: set[bytes] = set()
        """What may be neither removed nor replaced: links that were followed, and where they led to."""
        self._linked: set[bytes] = set()
        """Lower targets of hard links, which may not be removed."""
        self._last: tuple[bool, list[bytes]] = (False, [])
        """The place in a tidy order of the last entry."""
        self._open: set[bytes] = set()
        """Directories with markers in them."""

    def layer(self, picks: Iterable[Pick]) -> tuple[Entry, ...]:
        """Return the next layer: an entry for each pick, but those for which no path is legal."""
        self._begin()
        chosen = [(self._rows[row], index) for row, index in picks]
        if "any-order" not in self._features:
            chosen.sort(key=self._tidily)
        elif "markers-anywhere" not in self._features:
            chosen.sort(key=lambda pick: pick[0].kind not in MARKERS)
        return tuple([entry for row, index in chosen if (entry := self._entry(row, index)) is not None])

    def _tidily(self, pick: tuple[Row, int]) -> tuple[bool, tuple[bool, list[bytes]]]:
        row, index = pick
        return row.kind not in MARKERS, _place_in_order(row, self._table[index])

    def _entry(self, row: Row, index: int) -> Entry | None:
        if row.kind in MARKERS and len(self._lower) == 1 and "missing" not in self._features:
            return None
        if row.spelling == "root":
            return self._root(row)
        size = len(self._table)
        tried: set[bytes] = set()
        for step in range(size):
            path = self._table[(index + step) % size]
            if path in tried:
                continue
            tried.add(path)
            match row.kind:
                case "whiteout":
                    entry = self._whiteout(row, path)
                case "opaque":
                    entry = self._opaque(row, path)
                case _:
                    entry = self._add(row, path)
            if entry is not None:
                return entry
        return None

    # --- Where paths lead ---------------------------------------------------------------------------------------------

    def _resolve(self, tree: dict[bytes, _Node], path: bytes) -> _Place | None:
        """Return where a path leads to; None if it climbs above the root or leads through too many links."""
        here: list[bytes] = []
        links: list[bytes] = []
        rest = path.split(b"/")[::-1] if path else []
        while rest:
            name = rest.pop()
            if name in {b"", b"."}:
                continue
            if name == b"..":
                if not here:
                    return None
                here.pop()
                continue
            there = b"/".join((*here, name))
            node = tree.get(there)
            if node is None:
                return _Place(b"/".join(here), (name, *rest[::-1]), tuple(links))
            if node.kind == "dir":
                here.append(name)
            elif node.kind == "symlink" and self._follow:
                assert node.entry is not None
                links.append(there)
                target = node.entry.linkname
                if target.startswith(b"/"):
                    here = []
                rest += target.split(b"/")[::-1]
                if len(links) > _LINKS:
                    return None
            else:
                return _Place(b"/".join(here), (name, *rest[::-1]), tuple(links), blocked=True)
        return _Place(b"/".join(here), (), tuple(links))

    def _is_used(self, path: bytes, used: set[bytes]) -> bool:
        return path in used or any(_is_below(each, path) for each in used)

    def _is_replaced(self, path: bytes) -> bool:
        """Return whether this layer has removed what lower layers have at a path, or has something else there."""
        return path in self._upper or path not in self._tree

    def _use(self, place: _Place) -> None:
        for link in place.links:
            self._fixed.add(link)
        if place.links:
            self._fixed.add(place.path)

    # --- Markers ------------------------------------------------------------------------------------------------------

    def _parent_of_marker(self, path: bytes) -> _Place | None:
        """Return where the directory of a marker is in the lower layers; None if there must be none."""
        for above in _above(path, itself=True):
            node = self._tree.get(above)
            if above in self._upper and node is not None and node.kind != "dir":
                return None
        place = self._resolve(self._lower, path)
        if place is None:
            return None
        if place.links:
            if "link-parents" not in self._features or place.missing:
                return None
            if place.path not in self._tree or any(self._is_replaced(link) for link in place.links):
                return None
        if place.missing and "missing" not in self._features:
            return None
        if place.blocked and "file-parents" not in self._features:
            return None
        return place

    def _whiteout(self, row: Row, path: bytes) -> Entry | None:
        parent, _, name = path.rpartition(b"/")
        place = self._parent_of_marker(parent)
        if place is None:
            return None
        hidden = _join(place.end, name)
        if hidden in self._marked or self._is_used(hidden, self._fixed) or self._is_used(hidden, self._linked):
            return None
        if hidden not in self._lower and "missing" not in self._features:
            return None
        if "re-adds" not in self._features and hidden in self._upper:
            return None
        if "file-parents" not in self._features and self._has_file_parent(hidden):
            return None
        self._marked.add(hidden)
        self._hidden.add(hidden)
        self._open.add(place.end)
        self._use(place)
        if not place.missing:
            self._remove_lower(hidden)
        return row.entry(path)

    def _has_file_parent(self, path: bytes) -> bool:
        """Return whether this layer would need what is no directory below as one, if the whiteout came later."""
        node = self._lower.get(path)
        if node is None or node.kind == "dir" or path in self._written:
            return False
        return any(_is_below(each, path) for each in self._upper)

    def _opaque(self, row: Row, path: bytes) -> Entry | None:
        if row.number % 4 == 3:
            path = path.rpartition(b"/")[0]
        place = self._parent_of_marker(path)
        if place is None:
            return None
        marked = _join(place.end, b".wh..wh..opq")
        if marked in self._marked or any(_is_below(each, place.end) for each in self._fixed | self._linked):
            return None
        self._marked.add(marked)
        self._open.add(place.end)
        self._use(place)
        if not place.missing:
            for each in [each for each in self._tree if _is_below(each, place.end)]:
                self._remove_lower(each)
        return row.entry(path)

    def _remove_lower(self, path: bytes) -> None:
        """Remove what lower layers have at a path and below; what this layer has written stays."""
        for each in [each for each in self._tree if each == path or _is_below(each, path)]:
            if each not in self._upper:
                del self._tree[each]

    # --- Additions ----------------------------------------------------------------------------------------------------

    def _parent_of_entry(self, path: bytes) -> _Place | None:
        """Return where the directory of an entry is, perhaps to be made; None if there must be none."""
        place = self._resolve(self._tree, path)
        if place is None or (place.blocked and "file-parents" not in self._features):
            return None
        if place.links:
            # Only links of lower layers, to directories that are there: so the order of additions does not matter.
            if "link-parents" not in self._features or place.missing:
                return None
            if any(link in self._upper for link in place.links):
                return None
        here = place.path
        for name in place.missing:
            here = _join(here, name)
            if here in self._fixed or (here in self._upper and here in self._tree):
                return None
            # What a marker has removed: the path would lead elsewhere, or nowhere, if the marker came later.
            below = self._lower.get(here, _IMPLIED)
            if below.kind != "dir" and "file-parents" not in self._features:
                return None
            if below.kind == "symlink" and self._follow:
                return None
        if "implied-parents" not in self._features:
            described = place.end in self._written or not place.end
            if place.missing or not described:
                return None
        return place

    def _add(self, row: Row, path: bytes) -> Entry | None:
        if "any-order" not in self._features and _place_in_order(row, path) <= self._last:
            return None
        parent, _, name = path.rpartition(b"/")
        place = self._parent_of_entry(parent)
        if place is None:
            return self._missing_directory(row, parent)
        here = _join(place.end, name)
        if not self._is_free(here, is_dir=row.kind == "dir"):
            return None
        if row.kind != "link":
            entry = row.entry(path)
            node = _Node(row.kind, entry)
        else:
            found = self._target(row.number, here, place)
            if found is None:
                return self._add(_FILE, path) if "file" in self._kinds else None
            target, node = found
            is_bare = "bare-links" in self._features and row.number % 2
            entry = _linked(row.entry(path, target), node, is_bare=bool(is_bare))
            if target not in self._upper:
                self._linked.add(target)
        self._use(place)
        self._write(here, node)
        self._last = _place_in_order(row, path)
        return entry

    def _root(self, row: Row) -> Entry | None:
        if b"" in self._written:
            return None
        self._written.add(b"")
        return row.entry(b"")

    def _missing_directory(self, row: Row, parent: bytes) -> Entry | None:
        """Describe the first directory of a path that has no entry yet, where directories may not be implied."""
        if "implied-parents" in self._features or "dir" not in self._kinds:
            return None
        for above in reversed(list(_above(parent, itself=True))):
            if above not in self._written:
                return self._add(row if row.kind == "dir" else _DIRECTORY, above)
        return None

    def _is_free(self, path: bytes, *, is_dir: bool) -> bool:
        """Return whether an entry of this layer may be at a resolved path."""
        if path in self._written or path in self._fixed:
            return False
        if not is_dir and (path in self._upper or self._is_used(path, self._fixed) or self._is_used(path, self._open)):
            return False
        if not is_dir and path in self._open:
            return False
        if "re-adds" not in self._features:
            return not any(path == each or _is_below(path, each) for each in self._hidden)
        return True

    def _target(self, number: int, path: bytes, place: _Place) -> tuple[bytes, _Node] | None:
        """Return the target of a hard link at a resolved path, and what it is."""
        lower = "lower-links" in self._features
        found = [
            each
            for each, node in self._tree.items()
            if node.kind != "dir"
            and each != path
            and not _is_below(each, path)
            and (lower or each in self._upper)
            and not (place.blocked and (each == _join(place.path, place.missing[0])))
        ]
        if not found:
            return None
        found.sort(key=lambda each: (each in self._upper, each))
        target = found[number % len(found)]
        return target, self._tree[target]

    def _write(self, path: bytes, node: _Node) -> None:
        for above in reversed(list(_above(path))):
            known = self._tree.get(above)
            if known is None or known.kind != "dir":
                self._drop(above)
                self._tree[above] = _IMPLIED
            self._upper.add(above)
        if node.kind != "dir" or self._tree.get(path, node).kind != "dir":
            self._drop(path)
        self._tree[path] = node
        self._upper.add(path)
        self._written.add(path)

    def _drop(self, path: bytes) -> None:
        for each in [each for each in self._tree if each == path or _is_below(each, path)]:
            del self._tree[each]


def _is_below(path: bytes, directory: bytes) -> bool:
    return path.startswith(directory + b"/") if directory else bool(path)


def _above(path: bytes, *, itself: bool = False) -> Iterator[bytes]:
    """Yield the directories above a path, the nearest first, without the root."""
    if itself and path:
        yield path
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def _join(parent: bytes, name: bytes) -> bytes:
    return parent + b"/" + name if parent else name


def _place_in_order(row: Row, path: bytes) -> tuple[bool, list[bytes]]:
    """Return the key by which entries are sorted: directories before what is in them, hard links after all targets."""
    return row.kind == "link", path.split(b"/")


def _linked(entry: Entry, node: _Node, *, is_bare: bool) -> Entry:
    """Return a hard link with the attributes of its target, as archives have it, unless it is to have none."""
    target = node.entry
    assert target is not None
    if is_bare:
        return attrs.evolve(entry, mtime_ns=DEFAULT_MTIME_NS)
    return attrs.evolve(entry, mode=target.mode, uid=target.uid, gid=target.gid, mtime_ns=target.mtime_ns)
