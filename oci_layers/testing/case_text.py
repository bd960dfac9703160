"""Cases as text. `data/README.txt` describes the format for those who write and read it.

A case is a list of items at the left margin, `key: value`, each with lines of its own below it. Layers are in the
notation of `notation`, or of `raw`; trees in that of `tree.dump`, where the mode, the owner and the time may be left
out as in a layer, and where `implied` and `touched` say what the spec leaves open.
"""

from collections.abc import Iterator, Sequence
from typing import get_args

import attrs

from oci_layers import errors
from oci_layers.errors import NameFormatError, OCIError
from oci_layers.tar.writer import write_tar
from oci_layers.testing.case import Case, Level, Outcome, Refusal
from oci_layers.testing.notation import DEFAULT_MTIME_NS, full_words, parse_layer
from oci_layers.testing.raw import parse_raw
from oci_layers.testing.stack import Stack
from oci_layers.tree.dump import parse, unescape
from oci_layers.tree.node import Directory
from oci_layers.tree.tree import FileTree

__all__ = ["parse_cases"]

_POLICIES = ("default", "strict", "lenient", "replace")
_ERRORS = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OCIError)
}
_REFUSE = "refuse"
_NOTHING = "nothing"


@attrs.frozen
class _Item:
    """A key, the value beside it, and the lines below it."""

    key: str
    value: str
    lines: list[str]


@attrs.frozen
class _Tree:
    """A tree, None for a refusal, and the paths of its directories whose time the spec leaves open."""

    tree: FileTree | None
    touched: frozenset[bytes]


def parse_cases(text: str) -> Iterator[Case]:
    """Yield the cases of a file, in its order.

    Raises:
        NameFormatError: Text that is no case; `text` has the id of the case.
    """
    items: list[_Item] = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" ") and items:
            items[-1].lines.append(line.strip())
            continue
        key, _, value = line.partition(":")
        if key == "case" and items:
            yield _checked(items)
            items = []
        items.append(_Item(key, value.strip(), []))
    if items:
        yield _checked(items)


def _checked(items: Sequence[_Item]) -> Case:
    try:
        return _case(items)
    except (ValueError, LookupError) as error:
        raise NameFormatError("case", items[0].value, str(error)) from None


def _case(items: Sequence[_Item]) -> Case:
    ours = {item.key: item for item in items if item.key not in {"layer", "or"}}
    id_, rules, level, sentence = (ours.pop(key) for key in ("case", "rules", "level", "says"))
    expected = _tree(ours.pop("expect"))
    also = [_tree(item) for item in items if item.key == "or"]
    layers = [item for item in items if item.key == "layer"]
    disk, skipped = ours.pop("disk", None), ours.pop("skipped", None)
    outcomes = {item.key: _outcome(item, expected.tree) for item in ours.values()}
    if expected.tree is not None:
        outcomes = {"default": Outcome(expected.tree)} | outcomes
    if level.value not in get_args(Level):
        raise ValueError(f"unknown level {level.value!r}")
    if "default" not in outcomes or outcomes.keys() - _POLICIES:
        raise ValueError(f"outcomes of {', '.join(outcomes)}")
    stack = None if any(item.value for item in layers) else Stack(tuple(parse_layer(_text(item)) for item in layers))
    return Case(
        id=id_.value,
        rules=tuple(rules.value.split()),
        level=level.value,  # type: ignore[arg-type]  # it is one of them
        sentence=" ".join([sentence.value, *sentence.lines]).strip(),
        stack=stack,
        archives=tuple(map(_archive, layers)) if stack is None else (),
        text="\n".join(line for item in layers for line in (f"layer {item.value}".strip(), *_indented(item.lines))),
        expected=expected.tree,
        also=tuple(each.tree for each in also),
        touched=frozenset().union(*(each.touched for each in (expected, *also))),
        outcomes=outcomes,
        disk=None if disk is None else _tree(disk).tree,
        skipped=() if skipped is None else tuple((what, _path(path)) for what, path in map(str.split, skipped.lines)),
    )


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _text(item: _Item) -> str:
    return "\n".join(item.lines)


def _archive(item: _Item) -> bytes:
    match item.value:
        case "":
            return b"".join(write_tar(parse_layer(_text(item))))
        case "raw":
            return parse_raw(_text(item))
        case kind:
            raise ValueError(f"unknown kind of layer {kind!r}")


def _outcome(item: _Item, expected: FileTree | None) -> Outcome:
    """Return what one policy makes; without lines of a tree it is the tree that is expected."""
    findings, refusal, lines = [], None, []
    for line in item.lines:
        word, _, rest = line.partition(" ")
        match word:
            case "finding":
                rule, _, path = rest.partition(" ")
                findings.append((rule, _path(path)))
            case "error":
                refusal = _refusal(rest)
            case _:
                lines.append(line)
    tree = _tree(_Item(item.key, "", lines)).tree if lines else expected
    return Outcome(None if refusal else tree, refusal, tuple(findings))


def _refusal(text: str) -> Refusal:
    name, path, reason = (*text.split(" ", 2), "", "")[:3]
    return Refusal(_ERRORS[name], _path(path), reason)


def _path(text: str) -> bytes:
    return b"" if text == '""' else unescape(text)


# --- Trees ------------------------------------------------------------------------------------------------------------


def _tree(item: _Item) -> _Tree:
    if item.value == _REFUSE:
        return _Tree(None, frozenset())
    lines, implied, touched = [], [], set()
    for line in item.lines if item.lines != [_NOTHING] else ():
        words = line.split()
        path = unescape(words[0]).strip(b"/")
        is_implied = "implied" in words
        plain = [word for word in words if word not in {"implied", "touched"}]
        lines.append(" ".join(full_words(plain, 0 if is_implied else DEFAULT_MTIME_NS)))
        if is_implied:
            implied.append(path)
        if "touched" in words:
            touched.add(path)
    tree = parse("\n".join(lines))
    for place in implied:
        node = tree.at(place)
        if not isinstance(node, Directory):
            raise ValueError("only a directory can be implied")  # noqa: TRY004 - of the text, not of an argument
        node.implicit = True
    return _Tree(tree, frozenset(touched))
