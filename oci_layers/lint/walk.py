"""Check the entries of a layer against the rules that the entries and the layers below show, without applying them.

The rules are in `layer.rules`; `names` and `entries` check one name or one entry by itself; here is the walk, which
knows the earlier entries. It remembers a few numbers for each name, by directory, so memory grows with the names. The
rules about names below that are hidden or linked to need `lower`, the tree of the layers below. Links that this layer
itself makes are not followed: `linter` gets findings about those from the engine.

Most entries are ordinary and cheap to check: the directory is looked up as it is written, `is_plain` accepts the last
component, and the metadata equal those of an earlier entry. Only other entries take the slow paths (`odd_name`,
`metadata`, `again`, `order`).
"""

import attrs

from oci_layers.errors import LimitError, LinkError, UnsafePathError, WhiteoutError, escape
from oci_layers.layer.change import Whiteout
from oci_layers.layer.rules import LAYER_RULES, layer_finding
from oci_layers.layer.whiteout import PREFIX, aufs_artifact, parse_whiteout
from oci_layers.layer.windows import WINDOWS_PREFIXES
from oci_layers.layer.windows_name import is_outside, parse_tombstone
from oci_layers.limits import Limits
from oci_layers.lint.entries import entry_faults, is_ordinary
from oci_layers.lint.names import NOTED_ONCE, fold, is_component, is_plain, is_secret, name_faults, same_text
from oci_layers.lint.windows import child_of, windows_fault
from oci_layers.report import LayerFinding
from oci_layers.tar.entry import (
    BLOCK,
    CHARACTER,
    CONTIGUOUS,
    DIRECTORY,
    EMPTY,
    FIFO,
    FILE_TYPES,
    GLOBAL,
    HARDLINK,
    REGULAR,
    SYMLINK,
    Entry,
)
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import clean, join, parent_and_name
from oci_layers.tree.pathset import PathSet
from oci_layers.tree.tree import FileTree

__all__ = ["EntryRules"]

_ANY = Limits(component_bytes=1 << 62, path_bytes=1 << 62, path_depth=1 << 62)
_NANO = 10**9
_FORWARD = LAYER_RULES["forward-link"]
_KNOWN = frozenset({BLOCK, CHARACTER, CONTIGUOUS, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK})
_LABEL = b"security.selinux"
_EXTRA_TIMES = (b"atime", b"ctime")

_KINDS: dict[type[Node], bytes] = {Directory: DIRECTORY, File: REGULAR, Symlink: SYMLINK}

_Found = LayerFinding
_Seen = tuple[bytes, int, int, int, int]
"""The remembered type, mode as stored, uid, gid and time of a name; for a hard link, those of its target."""


@attrs.define(eq=False)
class _Directory:
    """What is known of the names in one directory.

    `entered` is true if an entry is in this directory. `names` has the entries; `below` the subdirectories that have
    entries or whiteouts in them; `folded` maps the folded form of names that differ from it to the first such name;
    `hidden` has what whiteouts remove. `lower` is the directory of the layers below at this path.
    """

    lower: Directory | None = None
    entered: bool = False
    names: dict[bytes, _Seen] = attrs.field(factory=dict)
    below: dict[bytes, "_Directory"] = attrs.field(factory=dict)
    folded: dict[bytes, bytes] | None = None
    hidden: set[bytes] | None = None

    def fold_of(self, name: bytes) -> bytes | None:
        """Return the first name that has `name` as its folded form, if any."""
        return self.folded.get(name) if self.folded else None

    def hides(self, name: bytes) -> bool:
        """Return whether a whiteout removes `name`."""
        return self.hidden is not None and name in self.hidden

    def has_entered(self, name: bytes) -> bool:
        """Return whether an entry is in the directory `name` in this one."""
        below = self.below.get(name)
        return below is not None and below.entered


class EntryRules:
    """Checks the entries of one layer; `linter.Linter` documents the arguments.

    `ways` maps directories with entries, as written, to what is known of them and to the prefix of clean paths in them;
    `markers` has the markers so far. `waiting` has the hard links without a target yet, `first` and `counts` the
    findings that are reported once. `usual` has the last metadata without a finding; `last` and `last_inside` are the
    previous entry and its directory.
    """

    def __init__(self, lower: FileTree | None, layer: int, limits: Limits, *, windows: bool) -> None:
        self.lower = lower
        self.layer = layer
        self.limits = limits
        self.windows = windows
        self.found: list[_Found] = []
        self.root = _Directory(None if lower is None else lower.root)
        self.above = _Directory(below={b"": self.root})
        self.ways: dict[bytes, tuple[_Directory, bytes]] = {}
        self.markers = PathSet()
        self.waiting: list[tuple[_Found, bytes]] = []
        self.first: dict[str, _Found] = {}
        self.counts: dict[str, int] = {}
        self.index = -1
        self.entry = Entry(b"")
        self.usual: _Seen = (b"", 0, 0, 0, 0)
        self.last = b""
        self.last_inside: bytes | None = None
        self.sorted = self.by_bytes = self.by_parts = True

    def taken(self) -> list[_Found]:
        """Return the findings since the last call."""
        found, self.found = self.found, []
        return found

    def end(self) -> None:
        """Add the findings that need the whole layer."""
        for link, target in self.waiting:
            if self.seen(target) is not None:
                self.found.append(attrs.evolve(link, rule=_FORWARD.id, severity=_FORWARD.severity))
            else:
                self.found.append(link)
        for what, first in self.first.items():
            self.found.append(attrs.evolve(first, message=f"{self.counts[what]} of {self.index + 1} entries"))

    def look(self, entry: Entry) -> None:
        """Check the next entry."""
        self.index += 1
        self.entry = entry
        raw, _, base = entry.name.rstrip(b"/").rpartition(b"/")
        way = self.ways.get(raw)
        if way is not None and is_plain(base) and entry.type in _KNOWN:
            here, inside = way
        else:
            found = self.odd_name(entry, raw, base)
            if found is None:
                return
            here, inside, base = found
        path = inside + base
        seen = entry.type, entry.mode, entry.uid, entry.gid, entry.mtime_ns
        if seen == self.usual and entry.pax is EMPTY and entry.xattrs is EMPTY and entry.extents is None:
            seen = self.usual
        else:
            seen = self.metadata(entry, path, seen)
        if entry.uname or entry.gname:
            self.count("owner-name", path)
        if base in here.names or base in here.below or here.folded or here.hidden:
            self.again(entry, here, inside, base)
        here.names[base] = seen
        # In a layer for Windows, Hives may come first, and streams follow their files.
        if self.sorted and not (self.windows and (path == b"Hives" or b":" in path)):
            if path < self.last or inside is not self.last_inside:
                self.order(path)
            self.last, self.last_inside = path, inside

    def tell(self, what: str, path: bytes, detail: str = "") -> None:
        """Add a finding about the present entry."""
        self.found.append(self.finding(what, path, detail))

    def finding(self, what: str, path: bytes, detail: str = "") -> _Found:
        """Return a finding about the present entry."""
        return layer_finding(what, path, self.layer, detail, index=self.index, offset=self.entry.offset)

    def count(self, what: str, path: bytes) -> None:
        """Count a finding that is reported once, at the end."""
        if what not in self.first:
            self.first[what] = self.finding(what, path)
        self.counts[what] = self.counts.get(what, 0) + 1

    def below(self, path: bytes) -> Node | None:
        """Return the node of the layers below at `path`; None if no path leads there."""
        try:
            return None if self.lower is None else self.lower.get(path)
        except (LinkError, LimitError):
            return None

    # Earlier entries.

    def directory(self, path: bytes) -> _Directory | None:
        """Return what is known of the directory at a clean path, or None."""
        here: _Directory | None = self.root
        for name in path.split(b"/") if path else ():
            if here is None:
                break
            here = here.below.get(name)
        return here

    def seen(self, path: bytes) -> _Seen | None:
        """Return what is remembered of the entry at a clean path, or None."""
        if not path:
            return self.above.names.get(b"")
        parent, name = parent_and_name(path)
        here = self.directory(parent)
        return None if here is None else here.names.get(name)

    # Names.

    def odd_name(self, entry: Entry, raw: bytes, base: bytes) -> tuple[_Directory, bytes, bytes] | None:
        """Check an unusual name; return its directory, the prefix of clean paths in it, and its last component.

        Return None if the entry needs no other checks.
        """
        way = self.ways.get(raw)
        if way is not None and entry.type in _KNOWN and is_component(base):
            folded = base.lower()
            if is_plain(folded):
                self.case(*way, base, folded)
            else:
                self.name(*way, base, entry.size)
            return *way, base
        path = self.odd_way(entry)
        if path is None:
            return None
        if not path:
            return self.above, b"", b""
        parent, base = parent_and_name(path)
        here, inside = self.enter(parent), join(parent, b"")
        self.name(here, inside, base, entry.size)
        short = len(raw) < self.limits.path_bytes - 255 and raw.count(b"/") < self.limits.path_depth - 1
        if short and (raw == parent or clean(raw, limits=_ANY) == parent):
            self.ways[raw] = here, inside
        return here, inside, base

    def odd_way(self, entry: Entry) -> bytes | None:
        """Return the clean path of an entry; None, with findings, for a marker or one that cannot be applied."""
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
        if len(path) > self.limits.path_bytes or path.count(b"/") >= self.limits.path_depth:
            self.tell("long-path", path, f"{len(path)} bytes, {path.count(b'/') + 1} components")
            return None
        if not path and entry.type != DIRECTORY:
            self.tell("root-not-directory", path)
            return None
        if PREFIX in path and self.is_marker(entry, path):
            return None
        if self.windows and (fault := windows_fault(path, is_file=entry.type in FILE_TYPES)):
            self.tell(fault[0], path, fault[1])
            if fault[0] == "windows-path":
                return None
        if entry.type not in _KNOWN:
            self.tell("unknown-type", path, f"{entry.type!r}"[1:])
            return None
        return path

    def name(self, here: _Directory, inside: bytes, base: bytes, size: int = 0) -> None:
        """Check a name for what other systems cannot hold, and for secrets if the entry has content."""
        path = inside + base
        if not is_plain(base.lower()):
            for what, detail in name_faults(base):
                if what not in NOTED_ONCE:
                    self.tell(what, path, detail)
                elif not self.windows:
                    self.count(what, path)
                elif detail != ":":  # It separates the name of a stream.
                    self.tell("windows-refuses", path, detail)
            if size and is_secret(path):
                self.tell("secret", path)
        self.case(here, inside, base, fold(base))

    def case(self, here: _Directory, inside: bytes, base: bytes, folded: bytes) -> None:
        """Report another name with the same folded form in the directory."""
        if base == folded:
            return
        if here.folded is None:
            here.folded = {}
        is_there = folded in here.names or here.has_entered(folded)
        twin = folded if is_there else here.folded.setdefault(folded, base)
        if twin != base:
            self.twin(inside + base, inside + twin)

    def again(self, entry: Entry, here: _Directory, inside: bytes, base: bytes) -> None:
        """Check a name against earlier entries, whiteouts and folded forms in its directory."""
        path = inside + base
        twin = here.fold_of(base)
        if twin is not None:
            self.twin(path, inside + twin)
        entered = here.has_entered(base)
        if base in here.names:
            self.tell("duplicate", path)
        elif here.hides(base) and not entered:
            self.tell("whiteout-and-name", path)
        behind_link = here.lower is not None and isinstance(child_of(here.lower, base), Symlink)
        if entry.type != DIRECTORY and entered and not behind_link:
            self.tell("file-as-directory", path)

    def twin(self, path: bytes, twin: bytes) -> None:
        """Report two names with the same folded form; the engine reports those that are one name on Windows."""
        if same_text(path, twin):
            self.tell("unicode-twin", path, escape(twin))
        elif not self.windows:
            self.tell("case-twin", path, escape(twin))

    def order(self, path: bytes) -> None:
        """Check that names are in the order of their bytes or, as directories are walked, of their components.

        Within one directory, the two are the same.
        """
        self.by_bytes = self.by_bytes and path >= self.last
        self.by_parts = self.by_parts and path.replace(b"/", b"\0") >= self.last.replace(b"/", b"\0")
        self.sorted = self.by_bytes or self.by_parts
        if not self.sorted:
            self.tell("unsorted", path, f"after {escape(self.last)}")

    def enter(self, path: bytes, *, look: bool = True) -> _Directory:
        """Return what is known of the directory at a clean path, and remember the directory.

        With `look`, an entry is in it: check the directory and its parents, the first time.
        """
        here = self.root
        here.entered = here.entered or look
        names = path.split(b"/") if path else []
        for depth, name in enumerate(names, 1):
            below = here.below.get(name)
            if below is None:
                below = here.below[name] = _Directory(self.lower_directory(here, name, names[:depth]))
            if look and not below.entered:
                self.parent(b"/".join(names[:depth]), here, name)
                below.entered = True
            here = below
        return here

    def lower_directory(self, here: _Directory, name: bytes, names: list[bytes]) -> Directory | None:
        """Return the directory of the layers below at a name in a directory, following links."""
        node = child_of(here.lower, name) if here.lower is not None else None
        if isinstance(node, Symlink) and self.lower is not None:
            try:
                node = self.lower.get(b"/".join(names), follow=True)
            except (LinkError, LimitError):
                return None
        return node if isinstance(node, Directory) else None

    def parent(self, path: bytes, above: _Directory, name: bytes) -> None:
        """Check a directory that has an entry in it; the engine reports one that is not a directory."""
        seen = above.names.get(name)
        node = child_of(above.lower, name) if seen is None and above.lower is not None else None
        if seen is None and above.hides(name):
            self.tell("whiteout-and-name", path)
        elif isinstance(node, Symlink) or (seen is not None and seen[0] == SYMLINK):
            self.tell("link-as-directory", path)
        elif seen is None and node is None:
            self.tell("missing-parent", path)
            inside = path[: len(path) - len(name)]
            self.name(above, inside, name)
            twin = above.fold_of(name)
            if twin is not None:
                self.twin(path, inside + twin)

    # Markers.

    def is_marker(self, entry: Entry, path: bytes) -> bool:
        """Return whether `path` is a marker, valid or not, and check it."""
        parent, _ = parent_and_name(path)
        why = None if self.windows else aufs_artifact(path)
        if why is not None:
            self.tell(why, path)
            return True
        try:
            change = parse_tombstone(path) if self.windows else parse_whiteout(path)
        except WhiteoutError:
            what = "misplaced-whiteout" if self.windows and is_outside(path) else "bad-marker"
            self.tell("marker-as-directory" if b"/" + PREFIX in b"/" + parent else what, path)
            return True
        if change is None:
            return False
        if path in self.markers:
            self.tell("duplicate", path)
        self.markers.add(path)
        if entry.type not in FILE_TYPES or entry.size:
            self.tell("odd-marker", path)
        here = self.directory(parent)
        if here is not None and here.entered:
            self.tell("late-marker", path)
        link = self.own_link(parent)
        if link is not None:
            self.tell("link-as-directory", link)
        if isinstance(change, Whiteout):
            self.whiteout(change.path)
        elif self.lower is not None and not isinstance(self.below(parent), Directory):
            self.tell("nothing-opaque", parent)
        return True

    def own_link(self, path: bytes) -> bytes | None:
        """Return the first link of this layer that a clean path leads through."""
        here: _Directory | None = self.root
        names = path.split(b"/") if path else []
        for depth, name in enumerate(names, 1):
            if here is None:
                break
            seen = here.names.get(name)
            if seen is not None and seen[0] == SYMLINK:
                return b"/".join(names[:depth])
            here = here.below.get(name)
        return None

    def whiteout(self, path: bytes) -> None:
        """Check what a whiteout removes."""
        parent, name = parent_and_name(path)
        here = self.enter(parent, look=False)
        if here.hidden is None:
            here.hidden = set()
        here.hidden.add(name)
        if name in here.names or here.has_entered(name):
            self.tell("whiteout-and-name", path)
        if self.lower is not None and self.below(path) is None:
            self.tell("nothing-hidden", path)

    # Metadata.

    def metadata(self, entry: Entry, path: bytes, seen: _Seen) -> _Seen:
        """Check everything but the name, and return what to remember."""
        fine = entry.mtime_ns % _NANO
        if not self.windows:  # Windows uses all of these.
            if fine:
                self.count("fine-time", path)
            if entry.pax and not entry.pax.keys().isdisjoint(_EXTRA_TIMES):
                self.count("extra-time", path)
            if entry.pax and any(key.startswith(WINDOWS_PREFIXES) for key in entry.pax):
                self.count("windows-metadata", path)
        if _LABEL in entry.xattrs:
            self.count("selinux-label", path)
        if is_ordinary(entry):
            if not fine and entry.type != SYMLINK:
                self.usual = seen
            elif entry.type == SYMLINK and len(entry.linkname) >= self.limits.path_bytes:
                self.tell("long-link", path, f"{len(entry.linkname)} bytes")
            return seen
        for what, detail in entry_faults(entry):
            self.tell(what, path, detail)
        return self.link(entry, path, seen) if entry.type == HARDLINK else seen

    # Hard links.

    def link(self, entry: Entry, path: bytes, seen: _Seen) -> _Seen:
        """Check a hard link, and return what to remember: the metadata of its target, if known."""
        if b"\0" in entry.linkname:
            self.tell("nul-name", path, "in the target of the link")
            return seen
        if not entry.linkname:
            self.tell("empty-link", path)
            return seen
        target = clean(entry.linkname, clamp=True, limits=_ANY)
        try:
            clean(entry.linkname, limits=_ANY)
        except UnsafePathError:
            self.tell("climbing-link", path, escape(entry.linkname))
        if target == path:
            self.tell("link-to-itself", path)
            return seen
        known = self.seen(target) or self.known_below(target)
        if not target or (known[0] == DIRECTORY if known else self.is_entered(target)):
            self.tell("link-to-directory", path, escape(target))
        elif known:
            pairs = zip(("mode", "uid", "gid", "mtime"), _metadata(seen), _metadata(known), strict=True)
            differ = [field for field, one, other in pairs if one != other]
            if differ:
                self.tell("link-metadata", path, f"{', '.join(differ)} of {escape(target)}")
            return known
        else:
            what = "outside-link" if self.lower is None else "no-target"
            self.waiting.append((self.finding(what, path, escape(target)), target))
        return seen

    def is_entered(self, path: bytes) -> bool:
        """Return whether an entry is in the directory at a clean path, not in the target of a lower link there."""
        here = self.directory(path)
        return here is not None and here.entered and not isinstance(self.below(path), Symlink)

    def known_below(self, path: bytes) -> _Seen | None:
        """Return what the walk would remember of a name of the layers below if it were an entry."""
        parent, name = parent_and_name(path)
        here = self.directory(parent)
        node = None if here is not None and here.hides(name) else self.below(path)
        if node is None:
            return None
        kind = _KINDS.get(type(node), FIFO)
        return kind, node.mode, node.uid, node.gid, node.mtime_ns


def _metadata(seen: _Seen) -> tuple[int, int, int, int]:
    _, mode, uid, gid, mtime = seen
    return mode & 0o7777, uid, gid, mtime
