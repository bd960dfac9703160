"""Turn the tar entries of a layer into changes: what each entry means by itself, without the layers below.

Names are cleaned and markers are separated from files; owners out of range, targets that no file system can hold and
unknown types are refused, or dropped and reported under a policy that allows it. `tar` reads the bytes, `whiteout` has
the `.wh.` grammar, and `apply` changes the tree.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from oci_layers.errors import LayerError, LimitError, TarFormatError, UnsafePathError, escape, shortened
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.policy import AnyPolicy, Policy
from oci_layers.layer.rules import layer_finding
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX, aufs_artifact, is_marker, marker_limits, parse_whiteout
from oci_layers.layer.windows import CREATED, WINDOWS_PREFIXES, RecordReader, plain_xattrs
from oci_layers.layer.windows_name import parse_tombstone, windows_path
from oci_layers.limits import Limits
from oci_layers.report import LayerFinding
from oci_layers.tar.entry import (
    BLOCK,
    CHARACTER,
    CONTIGUOUS,
    DIRECTORY,
    FIFO,
    FILE_TYPES,
    GLOBAL,
    HARDLINK,
    REGULAR,
    SYMLINK,
    Entry,
)
from oci_layers.tree.content import EMPTY, Content, Inline, RangeContent, RangeReader
from oci_layers.tree.node import Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.path import check_limits, clean, parent_and_name

__all__ = ["MAX_DEVICE", "MAX_OWNER", "Decoder", "decode"]

MAX_OWNER = 2**32 - 2
"""The largest owner that an entry can have; 2**32 - 1 means none to the kernel."""
MAX_DEVICE = 2**32 - 1
"""The largest part of a device number."""
_MODES = tuple(range(0o10000))
"""Each mode as one object, shared by all nodes that have it."""

_UNSET = {
    b"SCHILY.acl.": "access-list",
    b"RHT.security.selinux": "selinux-label",
    b"SCHILY.fflags": "file-flags",
}
"""Prefixes of PAX keywords for metadata that no tree has, and the rule that reports each."""
_WATCHED_PREFIXES = (*_UNSET, *WINDOWS_PREFIXES)

OnFinding = Callable[[LayerFinding], None]


def decode(
    entries: Iterable[Entry],
    *,
    layer: int = 0,
    policy: AnyPolicy = None,
    limits: Limits | None = None,
    source: RangeReader | None = None,
    on_finding: OnFinding | None = None,
    windows: bool = False,
) -> Iterator[Change]:
    """Turn tar entries into changes, one at a time and in order.

    Args:
        entries: What `tar.read_tar` yields.
        layer: The number of the layer in its image, for provenance and findings.
        policy: What to do with entries that the rules refuse.
        limits: The limits on names, targets, and contents in memory.
        source: Where contents can be read later, by offset in the uncompressed tar. Without one, contents are kept in
            memory.
        on_finding: Called with each finding.
        windows: Whether the image is for Windows.

    Raises:
        LayerError: An entry that the policy refuses: UnsafePathError, WhiteoutError.
        TarFormatError: The archive is cut short; raised under every policy.
        LimitError: A path or a link target that is too long; more contents in memory than `content_bytes`.
    """
    decoder = Decoder(layer, Policy.of(policy), limits or Limits(), source, on_finding, windows=windows)
    return decoder.decode(entries)


def _ignore(_: LayerFinding) -> None:
    """Ignore a finding."""


class Decoder:
    """Decodes one layer; `decode` documents the arguments."""

    def __init__(
        self,
        layer: int,
        policy: Policy,
        limits: Limits,
        source: RangeReader | None,
        on_finding: OnFinding | None,
        *,
        windows: bool = False,
    ) -> None:
        self.layer = layer
        self.policy = policy
        self.limits = limits
        self.marker_limits = marker_limits(limits)
        self.source = source
        self.on_finding = on_finding or _ignore
        self.clamp = policy.climbing == "clamp"
        self.windows = windows
        self.records = RecordReader(limits)
        self.held = 0

    def decode(self, entries: Iterable[Entry]) -> Iterator[Change]:
        """Yield the changes of entries; report the entries that the policy skips."""
        for entry in entries:
            try:
                change = self.change(entry)
            except LayerError as error:
                if self.policy.refused == "error" or isinstance(error, TarFormatError):
                    raise
                self.report("refused", error.path, error.reason)
                continue
            except LimitError as error:
                error.add_note(f"at the entry {shortened(entry.name)}")
                raise
            if change is not None:
                yield change

    def report(self, what: str, path: bytes, detail: str = "") -> None:
        """Report a finding."""
        self.on_finding(layer_finding(what, path, self.layer, detail))

    def change(self, entry: Entry) -> Change | None:
        """Return the change that an entry makes, if any; raises as `decode` does under the default policy."""
        kind = entry.type
        if kind == GLOBAL:
            self.report("global-header", entry.name)
            return None
        prefixed = PREFIX in entry.name
        path = clean(entry.name, clamp=self.clamp, limits=self.marker_limits if prefixed else self.limits)
        if prefixed:
            if not is_marker(path):
                check_limits(path, self.limits)
            why = None if self.windows else aufs_artifact(path)
            if why is not None:
                self.report(why, path)
                return None
            found = self.marker(path)
            if found is not None:
                if kind not in FILE_TYPES or entry.size:
                    self.report("odd-marker", path, "a whiteout that is not an empty file")
                return found
        if self.windows:
            path = windows_path(path, is_file=kind in FILE_TYPES)
        if not path and kind != DIRECTORY:
            raise UnsafePathError(entry.name, "the root of the image can only be a directory")
        if kind == HARDLINK:
            return Link(path, self.target(entry, path))
        watched = [key for key in entry.pax if key.startswith(_WATCHED_PREFIXES)] if entry.pax else []
        if watched:
            self.unset(watched, path)
        make = _MAKERS.get(kind)
        if make is None:
            self.unknown(entry, path)
            return None
        node = make(self, entry, path)
        if entry.pax and ((self.windows and CREATED in entry.pax) or any(map(_is_windows, watched))):
            self.describe(node, entry, path)
        if not entry.size or not isinstance(node, File):
            return Add(path, node)
        content = node.content
        return Add(path, node, iter((memoryview(content.data),)) if isinstance(content, Inline) else entry.pieces())

    def marker(self, path: bytes) -> Whiteout | Opaque | None:
        """Return the marker at a clean path, if it is one; raise WhiteoutError if it is malformed."""
        if not self.windows:
            return parse_whiteout(path)
        if parent_and_name(path)[1] == OPAQUE_NAME:
            self.report_suspicious("windows-opaque", path, "not an opaque marker on Windows")
        if not self.layer and is_marker(path):
            self.report_suspicious("whiteout-in-base", path, "a whiteout in the lowest layer")
        return parse_tombstone(path)

    def unset(self, keys: list[bytes], path: bytes) -> None:
        """Report the metadata of an entry that are not set, each kind once."""
        for prefix, what in _UNSET.items():
            if any(key.startswith(prefix) for key in keys):
                self.report(what, path, "not set")

    def describe(self, node: Node, entry: Entry, path: bytes) -> None:
        """Give a new node the Windows metadata of its entry."""

        def report(reason: str) -> None:
            self.report_suspicious("windows-record", path, reason)

        node.windows, node.mtime_ns = self.records.read(entry, report)
        if any(map(_is_windows, entry.xattrs)):
            node.xattrs = plain_xattrs(entry.xattrs)

    def unknown(self, entry: Entry, path: bytes) -> None:
        """Report an unknown tar type, or raise if the policy refuses it."""
        reason = f"unknown tar type '{escape(entry.type)}'"
        if self.policy.unknown_types == "error":
            raise LayerError(path, reason)
        self.report("unknown-type", path, reason)

    def target(self, entry: Entry, path: bytes) -> bytes:
        """Return the target of a hard link: cleaned like a name, and clamped to the root (EDGE-14c, EDGE-14d)."""
        _check_nul(entry, path)
        if not entry.linkname:
            raise UnsafePathError(path, "a hard link without a target")
        target = clean(entry.linkname, clamp=True, limits=self.limits)
        if self.windows:
            windows_path(target, is_file=False)
        if b".." in entry.linkname:
            try:
                clean(entry.linkname, limits=self.limits)
            except UnsafePathError:
                self.report_suspicious("climbing-link", path, "the target climbs above the root")
        return target

    def report_suspicious(self, what: str, path: bytes, detail: str) -> None:
        """Report a suspicious but legal entry, or raise if the policy refuses it."""
        if self.policy.suspicious == "error":
            raise UnsafePathError(path, detail)
        self.report(what, path, detail)

    def owner(self, entry: Entry, path: bytes) -> tuple[int, int]:
        """Return the owner of an entry; raise LayerError if it is out of range."""
        uid, gid = entry.uid, entry.gid
        if not (0 <= uid <= MAX_OWNER and 0 <= gid <= MAX_OWNER):
            raise LayerError(path, f"the owner {uid}:{gid} is out of the range 0 to {MAX_OWNER}")
        return uid, gid

    def content(self, entry: Entry) -> Content:
        """Return the contents of a file, in memory or as a range of the source."""
        if not entry.size:
            return EMPTY
        if self.source is None:
            self.held += entry.size
            if self.held > self.limits.content_bytes:
                raise LimitError("content_bytes", self.limits.content_bytes, self.held)
            return Inline(entry.read(self.limits.content_bytes))
        return RangeContent(self.source, entry.data_offset, entry.size, entry.extents)


def _is_windows(key: bytes) -> bool:
    """Return whether a PAX keyword, or the name of an extended attribute, is one of Windows metadata."""
    return key.startswith(WINDOWS_PREFIXES)


def _check_nul(entry: Entry, path: bytes) -> None:
    if b"\0" in entry.linkname:
        raise UnsafePathError(path, "the link target has a NUL byte")


def _file(decoder: Decoder, entry: Entry, path: bytes) -> Node:
    uid, gid = decoder.owner(entry, path)
    content = decoder.content(entry)
    return File(_MODES[entry.mode & 0o7777], uid, gid, entry.mtime_ns, entry.xattrs, decoder.layer, 0, content)


def _directory(decoder: Decoder, entry: Entry, path: bytes) -> Node:
    uid, gid = decoder.owner(entry, path)
    return Directory(_MODES[entry.mode & 0o7777], uid, gid, entry.mtime_ns, entry.xattrs, decoder.layer)


def _symlink(decoder: Decoder, entry: Entry, path: bytes) -> Node:
    uid, gid = decoder.owner(entry, path)
    if not entry.linkname:
        raise UnsafePathError(path, "a symlink without a target")
    _check_nul(entry, path)
    if len(entry.linkname) >= decoder.limits.path_bytes:
        raise LimitError("path_bytes", decoder.limits.path_bytes - 1, len(entry.linkname))
    return Symlink(uid, gid, entry.mtime_ns, entry.xattrs, decoder.layer, 0, entry.linkname)


def _device(decoder: Decoder, entry: Entry, path: bytes) -> Node:
    uid, gid = decoder.owner(entry, path)
    major, minor = entry.devmajor, entry.devminor
    if not (0 <= major <= MAX_DEVICE and 0 <= minor <= MAX_DEVICE):
        raise LayerError(path, f"the device number {major}:{minor} is out of range")
    kind: Literal["char", "block"] = "char" if entry.type == CHARACTER else "block"
    return Device(
        _MODES[entry.mode & 0o7777], uid, gid, entry.mtime_ns, entry.xattrs, decoder.layer, 0, kind, major, minor
    )


def _fifo(decoder: Decoder, entry: Entry, path: bytes) -> Node:
    uid, gid = decoder.owner(entry, path)
    return Fifo(_MODES[entry.mode & 0o7777], uid, gid, entry.mtime_ns, entry.xattrs, decoder.layer)


_MAKERS: dict[bytes, Callable[[Decoder, Entry, bytes], Node]] = {
    REGULAR: _file,
    CONTIGUOUS: _file,
    DIRECTORY: _directory,
    SYMLINK: _symlink,
    CHARACTER: _device,
    BLOCK: _device,
    FIFO: _fifo,
}
