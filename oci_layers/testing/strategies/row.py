"""What entries can be, as rows of a table: the kind, its attributes, and what of the archive's forms it has.

One draw picks a row, and another a path, because every draw costs time. The rows of a kind are together, the plainest
first: so an entry shrinks to one that differs from the plain one only in what matters.
"""

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

import attrs

from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX
from oci_layers.tar.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK, Entry, Pieces
from oci_layers.testing.notation import DEFAULT_MTIME_NS

__all__ = ["AWKWARD", "FEATURES", "KINDS", "LOOKS", "MARKERS", "PORTABLE", "TIDY", "Feature", "Kind", "Row", "rows"]

Kind = Literal["file", "dir", "symlink", "link", "fifo", "char", "block", "whiteout", "opaque"]
"""A kind of entry; `link` is a hard link, the last two are markers."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds of entries."""

MARKERS: tuple[Kind, ...] = ("whiteout", "opaque")
"""The kinds that remove something of lower layers."""

Feature = Literal[
    "modes",
    "owners",
    "times",
    "xattrs",
    "spellings",
    "root",
    "any-order",
    "implied-parents",
    "markers-anywhere",
    "re-adds",
    "missing",
    "lower-links",
    "link-parents",
    "file-parents",
    "bare-links",
]
"""Something that layers may have:

    modes              modes other than the usual ones: none, set-id, sticky
    owners             owners other than root
    times              times at the epoch, before it, and with digits below a second
    xattrs             extended attributes of files and directories
    spellings          names that begin with `./`, directories without a slash, absolute targets of hard links
    root               an entry for the root
    any-order          what is in a directory before the entry of the directory
    implied-parents    paths in directories that have no entry
    markers-anywhere   markers after entries, or between them; otherwise they are the first of a layer
    re-adds            a whiteout of a name that the same layer adds, or has something below
    missing            markers of what no lower layer has
    lower-links        hard links to files of lower layers
    link-parents       paths through symbolic links of lower layers, to directories inside the root
    file-parents       paths through what is no directory in a lower layer (on which the spec is silent)
    bare-links         hard links whose own attributes are not those of their target (on which it is silent, too)
"""

FEATURES: tuple[Feature, ...] = get_args(Feature)
"""All features."""

LOOKS: tuple[Feature, ...] = ("modes", "owners", "times", "xattrs", "spellings", "root")
"""What a single entry may have."""
TIDY: frozenset[Feature] = frozenset({"modes", "owners", "times", "xattrs"})
"""What tidy generators of layers emit."""
AWKWARD: frozenset[Feature] = frozenset(FEATURES) - {"file-parents", "bare-links"}
"""Everything that is legal by the spec."""
PORTABLE: frozenset[Feature] = AWKWARD - {"xattrs", "spellings", "root", "lower-links", "link-parents"}
"""What programs that follow the spec and overlay file systems make the same of: nothing leads to a lower layer."""

_FLAGS: Mapping[str, bytes] = {
    "file": REGULAR,
    "dir": DIRECTORY,
    "symlink": SYMLINK,
    "link": HARDLINK,
    "fifo": FIFO,
    "char": CHARACTER,
    "block": BLOCK,
}


@attrs.frozen
class Row:
    """A row: `fields` of the entry; the number of the hard link's target; how its name is written."""

    kind: Kind
    fields: Mapping[str, Any] = attrs.field(factory=dict)  # Any: fields of an entry
    number: int = 0
    spelling: Literal["", "./", "bare", "/", "root"] = ""

    def entry(self, path: bytes, target: bytes = b"") -> Entry:
        """Return the entry for a path; `target` is that of a hard link."""
        match self.kind:
            case "whiteout":
                parent, slash, name = path.rpartition(b"/")
                return Entry(parent + slash + PREFIX + name, mode=0)
            case "opaque":
                return Entry(path + b"/" + OPAQUE_NAME if path else OPAQUE_NAME, mode=0)
            case "dir" if not path or self.spelling == "root":
                path, name = b"", b"./"
            case "dir" if self.spelling != "bare":
                name = path + b"/"
            case _:
                name = path
        if self.spelling == "./" and path:
            name = b"./" + name
        if self.spelling == "/":
            target = b"/" + target
        fields = self.fields if self.kind != "link" else {"linkname": target, **self.fields}
        return Entry(name, _FLAGS[self.kind], **fields)


# --- The attributes of each kind --------------------------------------------------------------------------------------

_Fields = dict[str, Any]  # Any: fields of an entry
_Look = tuple[frozenset[str], _Fields]
"""The features that attributes are, and the attributes."""


def _look(*features: str, **fields: Any) -> _Look:  # Any: fields of an entry
    return frozenset(features), fields


_OWNED = (
    _look("owners", uid=1000, gid=1000),
    _look("owners", gid=5),
    _look("owners", uid=1),
    _look("owners", uid=4294967294, gid=65536),
)
_TIMED = (
    _look("times", mtime_ns=0),
    _look("times", mtime_ns=1),
    _look("times", mtime_ns=-1),
    _look("times", mtime_ns=-1_500_000_000),
    _look("times", mtime_ns=1_700_000_000_000_000_000),
)
_NOTED = (
    _look("xattrs", xattrs={b"user.k": b""}),
    _look("xattrs", xattrs={b"user.k": b"v\xff"}),
    _look("xattrs", xattrs={b"user.k": b"w", b"user.l": b"\n="}),
)
_FILES = (
    _look(),
    _look(text=b"1"),
    _look(text=b"22"),
    _look(text=b"x" * 70),
    _look("modes", mode=0o755),
    _look("modes", mode=0),
    _look("modes", mode=0o4711),
    _look("modes", mode=0o1777),
    *_OWNED,
    _look("modes", "owners", mode=0o4755, uid=1000, text=b"1"),
    _look("modes", "owners", mode=0o2755, gid=5),
    *_TIMED,
    *_NOTED,
    _look("modes", "owners", "times", mode=0o6750, uid=1, gid=5, mtime_ns=1, text=b"22"),
    _look("modes", "owners", "xattrs", mode=0o4700, uid=1000, xattrs={b"user.l": b"2"}, text=b"1"),
)
_DIRS = (
    _look(),
    _look("modes", mode=0o700),
    _look("modes", mode=0),
    _look("modes", mode=0o1777),
    _look("modes", mode=0o2755),
    *_OWNED,
    *_TIMED,
    *_NOTED,
    _look("modes", "owners", mode=0o6711, uid=1000, gid=5),
    _look("modes", "owners", "times", mode=0o700, uid=1, mtime_ns=0),
    _look("owners", "times", "xattrs", gid=5, mtime_ns=1, xattrs={b"user.l": b"2"}),
)
_SPECIAL = (
    _look(),
    _look("modes", mode=0o4711),
    _look("owners", uid=1, gid=5),
    _look("times", mtime_ns=1),
)
_LINKS = (_look(), _look("owners", uid=1, gid=5), _look("times", mtime_ns=-1))
_DEVICES = ((1, 3), (8, 0), (259, 65536))


def _targets(names: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield targets of symbolic links: inside the root, or nothing; some lead up to it, and beyond."""
    first, second = names[0], names[-1]
    yield from names
    yield from (first + b"/" + second, b"/" + first, b"/" + second, b"../" + first, first + b"/../" + second)
    yield from (b".", b"..", b"/", first + b"/", b"../../../" + first, b"none", b"/" + second + b"/" + first)


def rows(kinds: Iterable[Kind], features: Collection[Feature], names: tuple[bytes, ...]) -> tuple[Row, ...]:
    """Return the rows of some kinds, with some features; each kind has about as many as it is to be drawn often."""
    return _table(tuple(kind for kind in KINDS if kind in set(kinds)), frozenset(features), names)


@functools.lru_cache(maxsize=64)
def _table(kinds: tuple[Kind, ...], features: frozenset[Feature], names: tuple[bytes, ...]) -> tuple[Row, ...]:
    return tuple(row for kind in kinds for row in _rows_of(kind, features, names))


def _rows_of(kind: Kind, features: frozenset[Feature], names: tuple[bytes, ...]) -> Iterator[Row]:
    spelled = "spellings" in features
    match kind:
        case "file" | "dir":
            looks = list(_allowed(kind, _FILES if kind == "file" else _DIRS, features))
            yield from (Row(kind, fields) for fields in looks for _ in range(1 + 12 // len(looks)))
            yield from [Row(kind, looks[0], spelling="./")] * spelled
            if kind == "dir":
                yield from [Row(kind, looks[0], spelling="bare")] * spelled
                yield from [Row(kind, fields, spelling="root") for fields in looks[:9:4]] * ("root" in features)
        case "symlink":
            plain, *others = _allowed(kind, _LINKS, features)
            targets = list(_targets(names))
            yield from (Row(kind, {**plain, "linkname": target}) for target in targets)
            yield from (Row(kind, {**fields, "linkname": target}) for fields in others for target in targets[:2])
        case "link":
            yield from (Row(kind, number=number) for number in range(14))
            yield from [Row(kind, number=14, spelling="./"), Row(kind, number=15, spelling="/")] * spelled
        case "fifo":
            yield from (Row(kind, fields) for fields in _allowed(kind, _SPECIAL, features))
        case "char" | "block":
            plain, *others = _allowed(kind, _SPECIAL, features)
            yield from (Row(kind, {**plain, "devmajor": major, "devminor": minor}) for major, minor in _DEVICES)
            yield from (Row(kind, {**fields, "devmajor": 1, "devminor": 3}) for fields in others)
        case "whiteout" | "opaque":
            yield from (Row(kind, number=number) for number in range(20 if kind == "whiteout" else 8))


def _allowed(kind: Kind, looks: Iterable[_Look], features: frozenset[Feature]) -> Iterator[_Fields]:
    """Yield the fields of entries, the usual ones included, for the attributes that have only some features."""
    usual = {"mode": {"dir": 0o755, "symlink": 0o777}.get(kind, 0o644), "mtime_ns": DEFAULT_MTIME_NS}
    for needed, fields in looks:
        if needed <= features:
            found: _Fields = {**usual, **fields}
            data = found.pop("text", b"")
            if data:
                found |= {"size": len(data), "stored_size": len(data), "content": Pieces([data])}
            yield found
