"""A layer's entries into what is wrong, doubtful or worth knowing about them; nothing is applied, no content is read.

What each rule says stands in `lint_rules`, what can be odd about one name or one entry in `lint_names` and
`lint_entry`; here is the walk, which knows the entries before. It remembers each name with a few numbers, so the memory
is that of the names. Whether something below is hidden or linked to can only be said with the tree of the layers below,
`lower`. Links that this layer itself makes are not followed: `apply` reports what comes of those.

Most entries are ordinary, and reading them is cheap: the directory is looked up as it is spelt, the last component is
judged at a glance, metadata are compared with those of an entry before, and only what stands out takes a longer way
(`odd_name`, `metadata`, `again`, `order`).
"""

from collections.abc import Iterable, Iterator, Sequence

import attrs

from oci_layers.errors import LimitError, LinkError, UnsafePathError, WhiteoutError, printable
from oci_layers.layer.change import Whiteout
from oci_layers.layer.lint_entry import entry_faults, is_ordinary
from oci_layers.layer.lint_names import fold, is_plain, is_secret, name_faults, same_text
from oci_layers.layer.lint_rules import Lint
from oci_layers.layer.whiteout import PREFIX, leftover, marker
from oci_layers.limits import Limits
from oci_layers.tar.entry import (
    BLOCK,
    CHARACTER,
    CONTIGUOUS,
    DIRECTORY,
    EMPTY,
    FIFO,
    GLOBAL,
    HARDLINK,
    REGULAR,
    SYMLINK,
    Entry,
)
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import clean, join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["Linter", "lint"]

_LIMITS = Limits()
_ANY = Limits(component_bytes=1 << 62, path_bytes=1 << 62, path_depth=1 << 62)
_LONG_WAY = _LIMITS.path_bytes - _LIMITS.component_bytes
_NANO = 10**9
_FILES = frozenset({REGULAR, CONTIGUOUS})
_KNOWN = frozenset({BLOCK, CHARACTER, CONTIGUOUS, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK})
_EXTRA_TIMES = (b"atime", b"ctime", b"LIBARCHIVE.creationtime")

_KINDS: dict[type[Node], bytes] = {Directory: DIRECTORY, File: REGULAR, Symlink: SYMLINK}

_Seen = tuple[bytes, int, int, int, int]
"""What is remembered of a name: type, mode as stored, uid, gid and time; of a hard link, those of its target."""


def lint(entries: Iterable[Entry], *, lower: FileTree | None = None, layer: int = 0) -> Iterator[Lint]:
    """Yield what the rules find in one layer, as it is found; a few findings wait for the end.

    Args:
        entries: What `tar.read_tar` yields; read once, one at a time, and not their contents.
        lower: The layers below, merged (an empty tree below the first layer). Without it, whatever depends on them is
            left open.
        layer: The number of the layer in its image, for the findings.

    Raises:
        TarFormatError, LimitError: What `entries` raises; the rules themselves raise nothing.
    """
    walk = _Walk(lower, layer)
    for entry in entries:
        walk.look(entry)
        if walk.found:
            yield from walk.taken()
    walk.end()
    yield from walk.found


class Linter:
    """One layer on its way past the rules, for whoever needs the same entries for something else, too."""

    def __init__(self, *, lower: FileTree | None = None, layer: int = 0) -> None:
        """Take what `lint` takes; `lower` must stay as it is until the end."""
        self._walk = _Walk(lower, layer)

    def look(self, entry: Entry) -> Sequence[Lint]:
        """Return what the rules find in the next entry, mostly nothing; its content is not read."""
        walk = self._walk
        walk.look(entry)
        return walk.taken() if walk.found else ()

    def end(self) -> Sequence[Lint]:
        """Return what can only be said once the layer has ended."""
        self._walk.end()
        return self._walk.taken()


class _Walk:
    """What is known of the entries so far.

    `ways` maps directories that something stands in, as spelt, to what clean paths in them begin with; `names` has the
    entries, `entered` the directories that something stands in, `folded` the names that are not their own folded form;
    `hidden` are whiteouts, by what they remove; `watched` has what is none of `names` and yet in one of these three.
    `waiting` are the hard links that have no target yet, `first` and `counts` what is told once. `usual` is the last
    metadata about which there was nothing to say; `last` and `last_inside` are the entry before and its directory.
    """

    def __init__(self, lower: FileTree | None, layer: int) -> None:
        self.lower = lower
        self.layer = layer
        self.found: list[Lint] = []
        self.ways: dict[bytes, bytes] = {}
        self.names: dict[bytes, _Seen] = {}
        self.watched: set[bytes] = set()
        self.entered: set[bytes] = set()
        self.folded: dict[bytes, bytes] = {}
        self.hidden: set[bytes] = set()
        self.markers: set[bytes] = set()
        self.waiting: list[tuple[Lint, bytes]] = []
        self.first: dict[str, Lint] = {}
        self.counts: dict[str, int] = {}
        self.index = -1
        self.entry = Entry(b"")
        self.usual: _Seen = (b"", 0, 0, 0, 0)
        self.last = b""
        self.last_inside: bytes | None = None
        self.sorted = self.by_bytes = self.by_parts = True

    def taken(self) -> list[Lint]:
        found, self.found = self.found, []
        return found

    def end(self) -> None:
        for link, target in self.waiting:
            if target in self.names:
                self.found.append(attrs.evolve(link, what="forward-link"))
            elif not self.is_behind_link(target):
                self.found.append(link)
        for what, first in self.first.items():
            self.found.append(attrs.evolve(first, detail=f"{self.counts[what]} of {self.index + 1} entries"))

    def look(self, entry: Entry) -> None:
        self.index += 1
        self.entry = entry
        raw, _, base = entry.name.rstrip(b"/").rpartition(b"/")
        inside = self.ways.get(raw)
        if inside is not None and is_plain(base) and entry.type in _KNOWN:
            path = inside + base
        else:
            found = self.odd_name(entry, raw, base)
            if found is None:
                return
            path, inside = found, self.ways.get(raw)
        seen = entry.type, entry.mode, entry.uid, entry.gid, entry.mtime_ns
        if seen == self.usual and entry.pax is EMPTY and entry.xattrs is EMPTY and entry.extents is None:
            seen = self.usual
        else:
            seen = self.metadata(entry, path, seen)
        if entry.uname or entry.gname:
            self.count("owner-name", path)
        if path in self.names or path in self.watched:
            self.again(entry, path)
        self.names[path] = seen
        if self.sorted:
            if path < self.last or inside is not self.last_inside:
                self.order(path)
            self.last, self.last_inside = path, inside

    def tell(self, what: str, path: bytes, detail: str = "") -> None:
        self.found.append(Lint(what, path, self.layer, self.index, self.entry.offset, detail))

    def count(self, what: str, path: bytes) -> None:
        if what not in self.first:
            self.first[what] = Lint(what, path, self.layer, self.index, self.entry.offset)
        self.counts[what] = self.counts.get(what, 0) + 1

    def below(self, path: bytes) -> Node | None:
        """Return what the layers below have at `path`; nothing where no way leads to it."""
        try:
            return None if self.lower is None else self.lower.get(path)
        except (LinkError, LimitError):
            return None

    # Names.

    def odd_name(self, entry: Entry, raw: bytes, base: bytes) -> bytes | None:
        """Return the clean path of an entry at whose name or type to look closer; None when that was all of it."""
        inside = self.ways.get(raw)
        if inside is not None and entry.type in _KNOWN and _is_component(base):
            path, folded = inside + base, base.lower()
            if is_plain(folded):
                self.case(path, inside + folded)
            else:
                self.name(path, entry.size)
            return path
        found = self.odd_way(entry)
        if found:
            self.name(found, entry.size)
            parent = parent_and_name(found)[0]
            self.enter(parent)
            short = len(raw) < _LONG_WAY and raw.count(b"/") < _LIMITS.path_depth - 1
            if short and (raw == parent or clean(raw, limits=_ANY) == parent):
                self.ways[raw] = join(parent, b"")
        return found

    def odd_way(self, entry: Entry) -> bytes | None:
        """Return the clean path of an entry that is in no known directory as spelt, or of which there may be none."""
        if entry.type == GLOBAL:
            self.tell("global-header", entry.name)
            return None
        if b"\0" in entry.name:
            self.tell("nul-name", entry.name)
            return None
        try:
            path = clean(entry.name, limits=_ANY)
        except UnsafePathError:
            self.tell("climbing-name", entry.name)
            return None
        if len(path) > _LIMITS.path_bytes or path.count(b"/") >= _LIMITS.path_depth:
            self.tell("long-path", path, f"{len(path)} bytes, {path.count(b'/') + 1} components")
            return None
        if not path and entry.type != DIRECTORY:
            self.tell("root-not-directory", path)
            return None
        if PREFIX in path and self.is_marker(entry, path):
            return None
        if entry.type not in _KNOWN:
            self.tell("unknown-type", path, f"{entry.type!r}"[1:])
            return None
        return path

    def name(self, path: bytes, size: int = 0) -> None:
        """Look at a name for what other systems cannot hold, and for secrets if there is anything in it."""
        parent, base = parent_and_name(path)
        if not is_plain(base.lower()):
            for what, detail in name_faults(base):
                self.tell(what, path, detail)
            if size and is_secret(path):
                self.tell("secret", path)
        self.case(path, join(parent, fold(base)))

    def case(self, path: bytes, folded: bytes) -> None:
        """Look whether there is another name of the same folded form."""
        if path == folded:
            return
        self.watched.add(folded)
        twin = folded if folded in self.names or folded in self.entered else self.folded.setdefault(folded, path)
        if twin != path:
            self.twin(path, twin)

    def again(self, entry: Entry, path: bytes) -> None:
        """Look at a name that the layer had before in one way or another."""
        if path in self.folded:
            self.twin(path, self.folded[path])
        if path in self.names:
            self.tell("duplicate", path)
        elif path in self.hidden and path not in self.entered:
            self.tell("whiteout-and-name", path)
        if entry.type != DIRECTORY and path in self.entered:
            self.tell("file-as-directory", path)

    def twin(self, path: bytes, twin: bytes) -> None:
        self.tell("unicode-twin" if same_text(path, twin) else "case-twin", path, printable(twin))

    def order(self, path: bytes) -> None:
        """Look whether names are in the order of their bytes or, as directories are walked, of their components.

        Within one directory, the two are the same.
        """
        self.by_bytes = self.by_bytes and path >= self.last
        self.by_parts = self.by_parts and path.replace(b"/", b"\0") >= self.last.replace(b"/", b"\0")
        self.sorted = self.by_bytes or self.by_parts
        if not self.sorted:
            self.tell("unsorted", path, f"after {printable(self.last)}")

    def enter(self, path: bytes) -> None:
        """Look at a directory that an entry stands in, and at those above, the first time."""
        while path not in self.entered:
            self.entered.add(path)
            if path:
                self.parent(path)
            path = parent_and_name(path)[0]

    def parent(self, path: bytes) -> None:
        seen = self.names.get(path)
        node = self.below(path) if seen is None else None
        if seen is None:
            self.watched.add(path)
        if seen is None and path in self.hidden:
            self.tell("whiteout-and-name", path)
        elif isinstance(node, Symlink) or (seen is not None and seen[0] == SYMLINK):
            self.tell("link-as-directory", path)
        elif seen is None and node is None:
            self.tell("missing-parent", path)
            self.name(path)
            if path in self.folded:
                self.twin(path, self.folded[path])
        elif not isinstance(node, Directory) and (seen is None or seen[0] != DIRECTORY):
            self.tell("file-as-directory", path)

    # Markers.

    def is_marker(self, entry: Entry, path: bytes) -> bool:
        """Tell whether `path` is no ordinary name, and look at what it is instead."""
        parent, _ = parent_and_name(path)
        why = leftover(path)
        if why is not None:
            self.tell(why, path)
            return True
        try:
            change = marker(path)
        except WhiteoutError:
            self.tell("marker-as-directory" if b"/" + PREFIX in b"/" + parent else "bad-marker", path)
            return True
        if change is None:
            return False
        if path in self.markers:
            self.tell("duplicate", path)
        self.markers.add(path)
        if entry.type not in _FILES or entry.size:
            self.tell("odd-marker", path)
        if parent in self.entered:
            self.tell("late-marker", path)
        if isinstance(change, Whiteout):
            self.whiteout(change.path)
        elif self.lower is not None and not isinstance(self.below(parent), Directory):
            self.tell("nothing-opaque", parent)
        return True

    def whiteout(self, path: bytes) -> None:
        self.hidden.add(path)
        self.watched.add(path)
        if path in self.names or path in self.entered:
            self.tell("whiteout-and-name", path)
        if self.lower is not None and self.below(path) is None:
            self.tell("nothing-hidden", path)

    # What entries say of themselves.

    def metadata(self, entry: Entry, path: bytes, seen: _Seen) -> _Seen:
        """Look at everything but the name, and return what to remember."""
        fine = entry.mtime_ns % _NANO
        if fine:
            self.count("fine-time", path)
        if entry.pax and not entry.pax.keys().isdisjoint(_EXTRA_TIMES):
            self.count("extra-time", path)
        if is_ordinary(entry):
            if not fine and entry.type != SYMLINK:
                self.usual = seen
            return seen
        for what, detail in entry_faults(entry):
            self.tell(what, path, detail)
        return self.link(entry, path, seen) if entry.type == HARDLINK else seen

    # Hard links.

    def link(self, entry: Entry, path: bytes, seen: _Seen) -> _Seen:
        if b"\0" in entry.linkname:
            self.tell("nul-name", path, "in the target of the link")
            return seen
        target = clean(entry.linkname, clamp=True, limits=_ANY)
        try:
            clean(entry.linkname, limits=_ANY)
        except UnsafePathError:
            self.tell("climbing-link", path, printable(entry.linkname))
        if target == path:
            self.tell("link-to-itself", path)
            return seen
        known = self.names.get(target) or self.known_below(target)
        if not target or target in self.entered or (known and known[0] == DIRECTORY):
            self.tell("link-to-directory", path, printable(target))
        elif known:
            pairs = zip(("mode", "uid", "gid", "mtime"), _metadata(seen), _metadata(known), strict=True)
            differ = [field for field, one, other in pairs if one != other]
            if differ:
                self.tell("link-metadata", path, f"{', '.join(differ)} of {printable(target)}")
            return known
        else:
            what = "outside-link" if self.lower is None else "no-target"
            self.waiting.append((Lint(what, path, self.layer, self.index, entry.offset, printable(target)), target))
        return seen

    def known_below(self, path: bytes) -> _Seen | None:
        """Return what would be remembered of a name of the layers below, had it been an entry."""
        node = None if path in self.hidden else self.below(path)
        if node is None:
            return None
        kind = _KINDS.get(type(node), FIFO)
        return kind, node.mode, node.uid, node.gid, node.mtime_ns

    def is_behind_link(self, path: bytes) -> bool:
        """Tell whether the way to `path` leads through a link of this layer."""
        while path and len(path) <= _LIMITS.path_bytes:
            path = parent_and_name(path)[0]
            seen = self.names.get(path)
            if seen is not None and seen[0] == SYMLINK:
                return True
        return False


def _is_component(base: bytes) -> bool:
    """Tell whether what a name ends with is a file's own name that paths can have, and no marker."""
    return 0 < len(base) <= 255 and base not in {b".", b".."} and b"\0" not in base and not base.startswith(PREFIX)


def _metadata(seen: _Seen) -> tuple[int, int, int, int]:
    _, mode, uid, gid, mtime = seen
    return mode & 0o7777, uid, gid, mtime
