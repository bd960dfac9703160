r"""A layer as text that a person reads and writes: a line for each tar entry, in the notation of `tree/dump`.

    etc/             dir
    etc/motd         file 0600 1:2 1700000000.5 text=hello\x0a xattr.user.note=x
    etc/mtab         symlink target=../proc/mounts
    dev/null         char 0666 device=1:3
    etc/greeting     link etc/motd
    etc/old          whiteout
    usr              opaque

A line has the name exactly as in the archive, the kind, and what belongs to the kind. The mode (at least four octal
digits), the owner and the time (seconds, with a point) may be left out: 0644, directories 0755, symbolic links 0777;
0:0; and `T`, which is 1700000000.123456789. `whiteout` and `opaque` lines name what they hide: an empty file
`etc/.wh.old`, or `usr/.wh..wh..opq`, of mode 0 and time 0. The type flag of any other entry is written as `type=`, the
records of a PAX global header as `pax.KEY=VALUE`. Bytes are escaped as in a dump; an empty name is `""`; a line whose
first word is `#` is a comment.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from oci_layers.errors import NameFormatError
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX
from oci_layers.tar.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, GLOBAL, HARDLINK, REGULAR, SYMLINK, Entry, Pieces
from oci_layers.tree.dump import escape, parse, parse_fields, parse_number, parse_time, show_time, unescape
from oci_layers.tree.tree import FileTree

__all__ = ["DEFAULT_MODES", "DEFAULT_MTIME_NS", "full_words", "layer_lines", "parse_layer", "parse_tree"]

DEFAULT_MTIME_NS = 1_700_000_000_123_456_789
"""The time of an entry for which none is written: `T`, with digits down to the nanosecond."""

DEFAULT_MODES = {"dir": 0o755, "symlink": 0o777, "whiteout": 0, "opaque": 0}
"""The mode of an entry for which none is written, by kind; that of every other kind is 0644."""

_FLAGS = {
    "file": REGULAR,
    "dir": DIRECTORY,
    "symlink": SYMLINK,
    "char": CHARACTER,
    "block": BLOCK,
    "fifo": FIFO,
    "link": HARDLINK,
}
_KINDS = {flag: kind for kind, flag in _FLAGS.items()}
_OWN_WORDS = {"file": {"text"}, "symlink": {"target"}, "char": {"device"}, "block": {"device"}}


def parse_layer(text: str) -> tuple[Entry, ...]:
    """Return the entries that lines of text describe, in their order. Empty lines are left out.

    Raises:
        NameFormatError: A line that is not in the notation; `reason` names the line.
    """
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and words[0] != "#":
            try:
                entries.append(_entry(words))
            except (ValueError, IndexError) as error:
                raise NameFormatError("layer line", line.strip(), f"line {number}: {error}") from None
    return tuple(entries)


def parse_tree(text: str) -> FileTree:
    """Return the tree that lines of text describe.

    They are those of a dump (`tree.dump`), in which the mode, the owner and the time may be left out as in a layer, and
    the content of an empty file. Directories without a line are implied. Empty lines are left out.

    Raises:
        NameFormatError: A line that is not in the notation; `reason` names the line.
    """
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        try:
            lines.append(" ".join(full_words(words) if words and words[0] != "#" else ()))
        except ValueError as error:
            raise NameFormatError("dump line", line.strip(), f"line {number}: {error}") from None
    return parse("\n".join(lines))


def full_words(words: Sequence[str], mtime_ns: int = DEFAULT_MTIME_NS) -> list[str]:
    """Return the words of a line of a dump with what was left out; `mtime_ns` is the time for which none is written.

    Raises:
        ValueError: There are fewer than two words, or one is neither a mode, an owner, a time, nor has an equals sign.
    """
    path, kind, *rest = words
    if kind == "link":
        return [path, kind, *rest]
    fields = {"mode": DEFAULT_MODES.get(kind, 0o644), "uid": 0, "gid": 0, "mtime_ns": mtime_ns}
    while rest and "=" not in rest[0]:
        fields |= _attribute(rest.pop(0))
    if kind == "file" and not any(word.startswith(("text=", "size=")) for word in rest):
        rest.insert(0, "text=")
    return [
        path,
        kind,
        f"{fields['mode']:04o}",
        f"{fields['uid']}:{fields['gid']}",
        show_time(fields["mtime_ns"]),
        *rest,
    ]


def layer_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a line for each entry, without line ends. Contents are read, and are in the lines, however long.

    `parse_layer` of the lines gives equal entries; how an archive stores them (sparse maps, offsets) is left out.
    """
    for entry in entries:
        yield " ".join(_marker_words(entry) or _words(entry))


# --- From text --------------------------------------------------------------------------------------------------------


def _entry(words: list[str]) -> Entry:
    name, kind, *rest = words
    fields: dict[str, Any] = {
        "name": _parse_name(name),
        "mode": DEFAULT_MODES.get(kind, 0o644),
    }  # Any: fields of all kinds
    if kind in {"whiteout", "opaque"}:
        parent, slash, base = fields["name"].rpartition(b"/")
        if kind == "whiteout":
            fields["name"] = parent + slash + PREFIX + base
        else:
            fields["name"] = OPAQUE_NAME if fields["name"] == b"." else fields["name"] + b"/" + OPAQUE_NAME
    elif kind in _FLAGS:
        fields |= {"type": _FLAGS[kind], "mtime_ns": DEFAULT_MTIME_NS}
    else:
        raise ValueError(f"unknown kind of entry {kind!r}")
    if kind == "link":
        fields["linkname"] = _parse_name(rest.pop(0))
    while rest and "=" not in rest[0]:
        fields |= _attribute(rest.pop(0))
    return Entry(**fields | _own_fields(kind, rest))


def _attribute(word: str) -> dict[str, int]:
    """Return what a word without an equals sign says: the mode, the owner or the time."""
    if ":" in word:
        uid, gid = map(parse_number, word.split(":"))
        return {"uid": uid, "gid": gid}
    if word == "T" or "." in word:
        return {"mtime_ns": DEFAULT_MTIME_NS if word == "T" else parse_time(word)}
    if len(word) < 4:
        raise ValueError(f"{word!r} is no mode of four octal digits, no owner, and no time with a point")
    return {"mode": parse_number(word, 8)}


def _own_fields(kind: str, words: Sequence[str]) -> dict[str, Any]:  # Any: fields of all kinds
    fields: dict[str, Any] = {"xattrs": {}, "pax": {}}
    for key, value in parse_fields(words).items():
        prefix, dot, name = key.partition(".")
        match prefix if prefix in {"xattr", "pax"} and dot else key:
            case "xattr":
                fields["xattrs"][unescape(name)] = unescape(value)
            case "pax":
                fields["pax"][unescape(name)] = unescape(value)
            case "type" if kind == "file":
                fields["type"] = unescape(value)
                if len(fields["type"]) != 1:
                    raise ValueError("a type flag is one byte")
            case "uname" | "gname":
                fields[key] = unescape(value)
            case _ if key not in _OWN_WORDS.get(kind, ()):
                raise ValueError(f"{kind} has no {key!r}")
            case "target":
                fields["linkname"] = _parse_name(value)
            case "device":
                fields["devmajor"], fields["devminor"] = map(parse_number, value.split(":"))
            case _:
                data = unescape(value)
                fields |= {"size": len(data), "stored_size": len(data), "content": Pieces([data])}
    return {key: value for key, value in fields.items() if value != {}}


def _parse_name(text: str) -> bytes:
    return b"" if text == _NO_NAME else unescape(text)


# --- To text ----------------------------------------------------------------------------------------------------------


def _marker_words(entry: Entry) -> list[str] | None:
    """Return the short line of a marker that has nothing of its own; None for every other entry."""
    parent, slash, base = entry.name.rpartition(b"/")
    hidden = base.removeprefix(PREFIX)
    if not base.startswith(PREFIX) or not hidden or entry != Entry(entry.name, mode=0):
        return None
    if base == OPAQUE_NAME:
        return [_show_name(parent or b"."), "opaque"] if parent not in {b".", b""} or not slash else None
    return [_show_name(parent + slash + hidden), "whiteout"]


def _words(entry: Entry) -> Iterator[str]:
    kind = _KINDS.get(entry.type, "file")
    yield from (_show_name(entry.name), kind)
    if kind == "link":
        yield _show_name(entry.linkname)
    if entry.mode != DEFAULT_MODES.get(kind, 0o644):
        yield f"{entry.mode:04o}"
    if entry.uid or entry.gid:
        yield f"{entry.uid}:{entry.gid}"
    if entry.mtime_ns != DEFAULT_MTIME_NS:
        yield show_time(entry.mtime_ns)
    if entry.type not in _KINDS:
        yield f"type={escape(entry.type)}"
    match kind:
        case "file" if entry.size:
            yield f"text={escape(entry.read())}"
        case "symlink":
            yield f"target={_show_name(entry.linkname)}"
        case "char" | "block":
            yield f"device={entry.devmajor}:{entry.devminor}"
        case _:
            pass
    yield from (f"{key}={escape(value)}" for key in ("uname", "gname") if (value := getattr(entry, key)))
    for prefix, values in (("xattr", entry.xattrs), ("pax", entry.pax if entry.type == GLOBAL else {})):
        yield from (f"{prefix}.{escape(key)}={escape(values[key])}" for key in sorted(values))


_NO_NAME = '""'


def _show_name(raw: bytes) -> str:
    text = escape(raw) or _NO_NAME
    return text if text[0] != "#" and (not raw or text != _NO_NAME) else f"\\x{raw[0]:02x}{text[1:]}"
