"""Entries of one layer into those that `LayerOptions` ask for: paths, owners, modes, times, extended attributes.

Every entry is taken as it comes and changed in place, so the entries must be the caller's own. Names are cleaned;
markers and hard links go where the files go that they name. What machines and users are called there is left out: names
of users and groups, and times of access and change, unless they are metadata of Windows.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

from oci_layers.build.ignore import selected
from oci_layers.build.options import IdRule, LayerOptions, is_portable_xattr
from oci_layers.errors import LayerError, LinkError, NotDirectoryError
from oci_layers.layer.decode import MAX_OWNER
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX, clean_name
from oci_layers.layer.windows import RECORD_PREFIX
from oci_layers.report import Skipped
from oci_layers.tar.entry import DIRECTORY, GLOBAL, HARDLINK, SYMLINK, Entry
from oci_layers.tree.node import Directory, implicit_directory
from oci_layers.tree.path import clean, join, parent_and_name
from oci_layers.tree.resolve import resolve

__all__ = ["OnSkip", "arranged", "without_ignored"]

OnSkip = Callable[[Skipped], None]

_SECOND = 1_000_000_000
_TIMES = frozenset({b"atime", b"ctime", b"LIBARCHIVE.creationtime"})


def without_ignored(entries: Iterable[Entry], options: LayerOptions) -> Iterator[Entry]:
    """Yield the entries that `options.ignore` takes; a marker is taken if what it hides would be.

    Raises:
        LinkError: A hard link is taken whose target is not.
    """
    if not options.ignore:
        yield from entries
        return
    for entry in selected(_described(entries), options.ignore):
        if entry.type == HARDLINK and options.ignore.excludes(clean(entry.linkname, clamp=True)):
            raise LinkError(clean(entry.name), "the file that it links to is left out")
        yield entry


def _described(entries: Iterable[Entry]) -> Iterator[tuple[bytes, bool, Entry]]:
    for entry in entries:
        path = clean_name(entry.name)
        parent, name = parent_and_name(path)
        if name == OPAQUE_NAME:
            path = parent
        elif name.startswith(PREFIX):
            path = join(parent, name.removeprefix(PREFIX))
        yield path, entry.type == DIRECTORY, entry


def arranged(entries: Iterable[Entry], options: LayerOptions, skip: OnSkip) -> Iterator[Entry]:
    """Yield the entries of the layer, those of the directories above it first.

    Raises:
        LayerError: An owner or a mode that no file can have; a top directory that is not the first entry.
        NotDirectoryError: `base` has something else than a directory at `prefix`, or above it.
    """
    arranger = _Arranger(options, skip)
    rest = iter(entries)
    first = next(rest, None)
    begins_with_top = first is not None and first.type == DIRECTORY and not clean(first.name)
    yield from arranger.above(with_prefix=not (begins_with_top and options.keep_root))
    for number, entry in enumerate(itertools.chain([] if first is None else [first], rest)):
        if entry.type != GLOBAL and arranger.change(entry, is_first=number == 0):
            yield entry


class _Arranger:
    def __init__(self, options: LayerOptions, skip: OnSkip) -> None:
        self.options = options
        self.skip = skip
        self.uid, self.gid = _function(options.uid), _function(options.gid)
        self.latest = None if options.clamp_mtime is None else options.clamp_mtime * _SECOND
        self.directories = self._resolved()
        self.prefix = b"".join(name + b"/" for name, _ in self.directories)

    def _resolved(self) -> list[tuple[bytes, Directory]]:
        """Return the directories from the root to the prefix, each with its name."""
        prefix, base = self.options.prefix, self.options.base
        names, known = prefix.split(b"/") if prefix else [], list[Directory]()
        if base is not None:
            limit, drives = base.limits.links, base.drives
            found = resolve(
                base.root, prefix, follow=True, follow_last=True, limit=limit, lexical_dotdot=True, drives=drives
            )
            if found.node is not None and found.rest:
                raise NotDirectoryError(found.path)
            names, known = [*found.names, *found.rest[::-1]], found.directories[1:]
        made = implicit_directory(0)
        made.mtime_ns = self.latest or 0
        return [(name, known[at] if at < len(known) else made) for at, name in enumerate(names)]

    def above(self, *, with_prefix: bool) -> Iterator[Entry]:
        """Yield the entries of the directories above the prefix, and that of the prefix unless the source has it."""
        path = b""
        for name, node in self.directories if with_prefix else self.directories[:-1]:
            path += name + b"/"
            entry = Entry(path, DIRECTORY, node.mode, node.uid, node.gid, mtime_ns=node.mtime_ns, xattrs=node.xattrs)
            if node.implicit and path == self.prefix:
                self.own(entry)
            self.set_time(entry)
            yield entry

    def change(self, entry: Entry, *, is_first: bool) -> bool:
        """Change an entry; return False if it is left out."""
        path = clean_name(entry.name)
        kind = entry.type
        if kind != DIRECTORY:
            entry.name = self.prefix + path
        elif path:
            entry.name = self.prefix + path + b"/"
        elif not self.options.keep_root:
            return False
        elif self.prefix and not is_first:
            raise LayerError(path, "the top directory comes after what is in it")
        else:
            entry.name = self.prefix or b"./"
        if kind == HARDLINK:
            entry.linkname = self.prefix + clean(entry.linkname, clamp=True)
        entry.uname = entry.gname = b""
        if entry.pax and not any(key.startswith(RECORD_PREFIX) for key in entry.pax):
            entry.pax = {key: value for key, value in entry.pax.items() if key not in _TIMES}
        if entry.xattrs:
            entry.xattrs = self.kept(entry.xattrs, path)
        if not parent_and_name(path)[1].startswith(PREFIX):
            self.own(entry)
            self.set_mode(entry)
        self.set_time(entry)
        return True

    def kept(self, xattrs: Mapping[bytes, bytes], path: bytes) -> dict[bytes, bytes]:
        """Return the extended attributes that are kept; report the others."""
        keep = self.options.keep_xattr or is_portable_xattr
        kept = {name: xattrs[name] for name in sorted(xattrs) if keep(name)}
        for name in xattrs:
            if name not in kept:
                self.skip(Skipped("xattr", path, 0, None, name.decode("utf-8", "surrogateescape")))
        return kept

    def own(self, entry: Entry) -> None:
        """Set the owner."""
        if self.uid is not None:
            entry.uid = self.uid(entry.uid)
        if self.gid is not None:
            entry.gid = self.gid(entry.gid)
        if not (0 <= entry.uid <= MAX_OWNER and 0 <= entry.gid <= MAX_OWNER):
            reason = f"the owner {entry.uid}:{entry.gid} is out of the range 0 to {MAX_OWNER}"
            raise LayerError(clean(entry.name), reason)

    def set_mode(self, entry: Entry) -> None:
        """Set the mode, which those of symbolic links are no matter of."""
        mode = self.options.mode
        if mode is not None and entry.type != SYMLINK:
            entry.mode = mode if isinstance(mode, int) else mode(entry)
            if not 0 <= entry.mode <= 0o7777:
                raise LayerError(clean(entry.name), f"the mode {entry.mode:#o} is out of the range 0 to 0o7777")

    def set_time(self, entry: Entry) -> None:
        """Set the time."""
        if self.latest is not None and entry.mtime_ns > self.latest:
            entry.mtime_ns = self.latest
        if not self.options.nanoseconds:
            entry.mtime_ns -= entry.mtime_ns % _SECOND


def _function(rule: IdRule) -> Callable[[int], int] | None:
    if isinstance(rule, int):
        return lambda _: rule
    if isinstance(rule, Mapping):
        return lambda number: rule.get(number, number)
    return rule
