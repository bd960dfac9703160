r"""The text form of a tree, one line for each name: `dump` writes it, `parse` reads it.

    /                     dir      0755 0:0 1700000000.000000000
    /bin/sh               file     0755 0:0 1700000000.000000000 text=#!x
    /bin/bash             link     /bin/sh
    /etc/big              file     0644 0:0 1700000000.5 size=70 sha256=...
    /etc/mtab             symlink  0777 0:0 0.000000000 target=../proc/mounts
    /dev/null             char     0666 0:0 0.000000000 device=1:3 xattr.user.note=hello

Fields are separated by spaces; in names and values every byte that is not printable ASCII, and space, backslash and
equals sign, is `\xNN`. Contents of up to 64 bytes are in the line, longer ones by their SHA-256. The first name of a
file has its fields, later names are `link` lines. Lines are in the order of `FileTree.walk`. No provenance is shown.
What only a file of a Windows image has is in words such as `windows.attributes=0x00000020`; descriptors are in hex.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, assert_never

from oci_layers.errors import NameFormatError
from oci_layers.limits import Limits
from oci_layers.tree.content import Content, DigestContent, Inline, sha256
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import clean, parent_and_name
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import WindowsMetadata

__all__ = [
    "dump",
    "dump_lines",
    "escape",
    "node_words",
    "parse",
    "parse_fields",
    "parse_number",
    "parse_time",
    "parse_windows",
    "show_time",
    "unescape",
    "windows_words",
]

_INLINE_BYTES = 64
_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b"\\=")
_NANO = 10**9
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def dump(tree: FileTree) -> str:
    """Return `tree` as text; contents are read for their digests."""
    return "".join(line + "\n" for line in dump_lines(tree))


def dump_lines(tree: FileTree) -> Iterator[str]:
    """Yield the lines of `dump`, without line ends."""
    first: dict[int, bytes] = {}
    for path, node in tree.walk():
        name = escape(b"/" + path)
        if not isinstance(node, Directory):
            leader = first.setdefault(node.inode, path)
            if leader != path:
                yield f"{name} link {escape(b'/' + leader)}"
                continue
        yield " ".join([name, *node_words(node)])


def node_words(node: Node) -> Iterator[str]:
    """Yield what the line of a node has after its name: kind, mode, owner, time, what its kind has, and attributes."""
    kind, special = _kind(node)
    yield from (kind, f"{node.mode:04o}", f"{node.uid}:{node.gid}", show_time(node.mtime_ns), *special)
    for key in sorted(node.xattrs):
        yield f"xattr.{escape(key)}={escape(node.xattrs[key])}"
    if node.windows is not None:
        yield from windows_words(node.windows)


def windows_words(metadata: WindowsMetadata) -> Iterator[str]:
    """Yield the words of Windows metadata; `windows=` alone if there is none in it."""
    words = []
    if metadata.attributes is not None:
        words.append(f"windows.attributes={metadata.attributes:#010x}")
    if metadata.security_descriptor is not None:
        words.append(f"windows.descriptor={metadata.security_descriptor.hex()}")
    if metadata.sddl is not None:
        words.append(f"windows.sddl={escape(metadata.sddl)}")
    for word, time in zip(_WINDOWS_TIMES, _times_of(metadata), strict=True):
        if time is not None:
            words.append(f"windows.{word}={show_time(time)}")
    if metadata.is_junction:
        words.append("windows.junction=")
    for name, value in sorted(metadata.extended_attributes.items()):
        words.append(f"windows.ea.{escape(name)}={escape(value)}")
    for name, content in sorted(metadata.streams.items()):
        fields = (field.partition("=") for field in _content_fields(content))
        words += [f"windows.stream-{key}.{escape(name)}={value}" for key, _, value in fields]
    yield from words or ["windows="]


_WINDOWS_TIMES = ("created", "accessed", "changed")


def _times_of(metadata: WindowsMetadata) -> tuple[int | None, ...]:
    return metadata.created_ns, metadata.accessed_ns, metadata.changed_ns


def parse_windows(values: dict[str, str]) -> WindowsMetadata | None:
    """Return the metadata of the words of a line that `windows_words` wrote, which are removed from `values`.

    Raises:
        ValueError: A word is none of them.
    """
    words = {key: values.pop(key) for key in list(values) if key == "windows" or key.startswith("windows.")}
    if not words:
        return None
    words.pop("windows", None)
    attributes, descriptor, sddl = (words.pop(f"windows.{key}", None) for key in ("attributes", "descriptor", "sddl"))
    times = [words.pop(f"windows.{key}", None) for key in _WINDOWS_TIMES]
    created, accessed, changed = (None if time is None else parse_time(time) for time in times)
    is_junction = words.pop("windows.junction", None) is not None
    attributes_of_ntfs, streams = {}, dict[bytes, Content]()
    for key in list(words):
        _, kind, name = key.split(".", 2)
        if kind == "ea":
            attributes_of_ntfs[unescape(name)] = unescape(words.pop(key))
        elif kind == "stream-text":
            streams[unescape(name)] = Inline(unescape(words.pop(key)))
        elif kind == "stream-size":
            size, digest = words.pop(key), words.pop(f"windows.stream-sha256.{name}")
            streams[unescape(name)] = _parse_digest(size, digest)
    if words:
        raise ValueError(f"there is no {min(words)!r}")
    if attributes is not None and not re.fullmatch("0x[0-9a-f]{8}", attributes):
        raise ValueError(f"invalid attributes {attributes!r}")
    return WindowsMetadata(
        attributes=None if attributes is None else int(attributes, 16),
        security_descriptor=None if descriptor is None else bytes.fromhex(descriptor),
        sddl=None if sddl is None else unescape(sddl),
        created_ns=created,
        accessed_ns=accessed,
        changed_ns=changed,
        is_junction=is_junction,
        extended_attributes=attributes_of_ntfs,
        streams=streams,
    )


def _kind(node: Node) -> tuple[str, list[str]]:
    match node:
        case Directory():
            return "dir", []
        case File():
            return "file", _content_fields(node.content)
        case Symlink():
            return "symlink", [f"target={escape(node.target)}"]
        case Device():
            return node.kind, [f"device={node.major}:{node.minor}"]
        case Fifo():
            return "fifo", []
        case _:
            assert_never(node)


def _content_fields(content: Content) -> list[str]:
    if isinstance(content, DigestContent) or content.size > _INLINE_BYTES:
        return [f"size={content.size}", f"sha256={sha256(content)}"]
    return [f"text={escape(b''.join(content.chunks()))}"]


def parse(text: str, *, limits: Limits | None = None) -> FileTree:
    """Return the tree that `dump` wrote: `parse(dump(tree)) == tree`. Missing parents are implied.

    Raises:
        NameFormatError: A line that `dump` could not have written; `reason` names the line.
        LimitError: The tree exceeds `limits`; the returned tree keeps these limits.
    """
    tree = FileTree(limits=limits)
    merge = TreeEditor(tree)
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                _parse_line(merge, line.split())
            except (ValueError, IndexError, KeyError) as error:
                raise NameFormatError("dump line", line, f"line {number}: {error}") from None
    return tree


def _parse_line(merge: TreeEditor, words: list[str]) -> None:
    path, kind = clean(unescape(words[0])), words[1]
    node = None if kind == "link" else _node(kind, words[2:])
    if not path:
        if not isinstance(node, Directory):
            raise ValueError("the root must be a directory")
        merge.describe_root(node)
        return
    parent, name = parent_and_name(path)
    here = merge.open_parent(parent)
    if node is not None:
        merge.put(here, name, node)
        return
    target = merge.find(clean(unescape(words[2])))
    if target is None:
        raise ValueError("the target of the link does not exist")
    merge.link(target, here, name)


def _node(kind: str, words: list[str]) -> Node:
    mode, owner, mtime, *fields = words
    values = parse_fields(fields)
    uid, gid = map(parse_number, owner.split(":"))
    common: dict[str, Any] = {  # Any: fields of all kinds of node
        "mode": parse_number(mode, 8),
        "uid": uid,
        "gid": gid,
        "mtime_ns": parse_time(mtime),
        "xattrs": {unescape(k[6:]): unescape(values.pop(k)) for k in list(values) if k.startswith("xattr.")},
        "windows": parse_windows(values),
    }
    node: Directory | Leaf
    match kind:
        case "dir":
            node = Directory(**common)
        case "file" if "text" in values:
            node = File(**common, content=Inline(unescape(values.pop("text"))))
        case "file":
            node = File(**common, content=_parse_digest(values.pop("size"), values.pop("sha256")))
        case "symlink":
            node = Symlink(**common, target=unescape(values.pop("target")))
        case "char" | "block":
            major, minor = map(parse_number, values.pop("device").split(":"))
            node = Device(**common, kind="char" if kind == "char" else "block", major=major, minor=minor)
        case "fifo":
            node = Fifo(**common)
        case _:
            raise ValueError(f"unknown kind of node {kind!r}")
    if values:
        raise ValueError(f"{kind} has no {min(values)!r}")
    return node


def _parse_digest(size: str, digest: str) -> DigestContent:
    if not re.fullmatch("[0-9]+", size) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"invalid size {size!r} or SHA-256 {digest!r}")
    return DigestContent(int(size), digest)


def parse_fields(words: Iterable[str]) -> dict[str, str]:
    """Return the values of words such as `text=x` by their keys.

    Raises:
        ValueError: A word is none, or there are two of one key.
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is not KEY=VALUE")
        if key in found:
            raise ValueError(f"{key!r} is given twice")
        found[key] = value
    return found


def parse_number(text: str, base: Literal[8, 10] = 10) -> int:
    """Return the number that digits of ASCII give, after a minus sign or none.

    Raises:
        ValueError: It is no such text.
    """
    if not re.fullmatch("-?[0-7]+" if base == 8 else "-?[0-9]+", text):
        raise ValueError(f"invalid number {text!r}")
    return int(text, base)


def show_time(mtime_ns: int) -> str:
    """Return a time in nanoseconds as the text of seconds."""
    seconds, nanoseconds = divmod(abs(mtime_ns), _NANO)
    return f"{'-' if mtime_ns < 0 else ''}{seconds}.{nanoseconds:09d}"


def parse_time(text: str) -> int:
    """Return the nanoseconds that `show_time` wrote; digits at the end may be left out.

    Raises:
        ValueError: It is no such text.
    """
    found = re.fullmatch(r"(-?)([0-9]+)(?:\.([0-9]{1,9}))?", text)
    if not found:
        raise ValueError(f"invalid time {text!r}")
    sign, seconds, fraction = found.groups(default="")
    value = int(seconds) * _NANO + int(fraction.ljust(9, "0"))
    return -value if sign else value


def escape(raw: bytes) -> str:
    """Return bytes as printable ASCII without spaces."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in raw)


def unescape(text: str) -> bytes:
    """Return the bytes that `escape` wrote.

    Raises:
        ValueError: A backslash begins no escape, or a character is not ASCII.
    """
    parts = _ESCAPE.split(text.encode("ascii"))
    if any(b"\\" in part for part in parts[::2]):
        raise ValueError(f"a backslash in {text!r} is not followed by x and two digits from 0 to f")
    parts[1::2] = map(bytes.fromhex, map(bytes.decode, parts[1::2]))
    return b"".join(parts)
