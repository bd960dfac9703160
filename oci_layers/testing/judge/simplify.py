"""Make a stack smaller, step by step, as long as it fails in the same way.

Layers go first, then entries, many at once before one by one; then what is left is made plain: attributes, contents,
names. A step may well make layers that mean nothing, or that the spec does not decide: the caller asks the oracle, and
such a step fails in another way, or not at all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from oci_layers.tar.entry import DIRECTORY, EMPTY, HARDLINK, REGULAR, SYMLINK, Entry, Pieces
from oci_layers.testing.notation import DEFAULT_MTIME_NS
from oci_layers.testing.stack import Stack

__all__ = ["simplest"]

_MODES = {DIRECTORY: 0o755, SYMLINK: 0o777}


def simplest(stack: Stack, first: Callable[[Sequence[Stack]], Stack | None], *, steps: int = 200) -> Stack:
    """Return the smallest stack that is found.

    Args:
        stack: One that fails.
        first: Returns the first of several stacks that fails in the same way; None if none does.
        steps: The most stacks that are tried.
    """
    while steps > 0:
        for candidates in (_fewer_layers, _fewer_entries, _plainer):
            tried = list(candidates(stack))[:steps]
            steps -= len(tried)
            smaller = first(tried)
            if smaller is not None:
                stack = smaller
                break
        else:
            return stack
    return stack


def _fewer_layers(stack: Stack) -> Iterator[Stack]:
    count = len(stack.layers)
    if count > 1:
        for number in range(count):
            yield Stack(stack.layers[:number] + stack.layers[number + 1 :])
        for number in range(count - 1):
            joined = (*stack.layers[number], *stack.layers[number + 1])
            yield Stack((*stack.layers[:number], joined, *stack.layers[number + 2 :]))


def _fewer_entries(stack: Stack) -> Iterator[Stack]:
    """Yield stacks without some entries that follow one another: halves, then less, down to one."""
    places = [(layer, index) for layer, entries in enumerate(stack.layers) for index in range(len(entries))]
    size = (len(places) + 1) // 2
    while size:
        for start in range(0, len(places), size):
            yield _without(stack, places[start : start + size])
        size //= 2


def _without(stack: Stack, gone: Iterable[tuple[int, int]]) -> Stack:
    left_out = set(gone)
    return Stack(
        tuple(
            tuple(entry for index, entry in enumerate(entries) if (layer, index) not in left_out)
            for layer, entries in enumerate(stack.layers)
        )
    )


def _plainer(stack: Stack) -> Iterator[Stack]:
    for layer, entries in enumerate(stack.layers):
        for index, entry in enumerate(entries):
            for plainer in _plainer_entries(entry):
                if plainer != entry or plainer.size != entry.size:
                    changed = (*entries[:index], plainer, *entries[index + 1 :])
                    yield Stack((*stack.layers[:layer], changed, *stack.layers[layer + 1 :]))


def _plainer_entries(entry: Entry) -> Iterator[Entry]:
    if entry.type not in {REGULAR, DIRECTORY, HARDLINK}:
        yield Entry(entry.name, mtime_ns=entry.mtime_ns)
    if entry.mtime_ns == 0 and entry.mode == 0 and b".wh." in entry.name:
        return
    plain = attrs.evolve(entry, mode=_MODES.get(entry.type, 0o644), uid=0, gid=0, mtime_ns=DEFAULT_MTIME_NS)
    yield attrs.evolve(plain, xattrs=EMPTY)
    yield attrs.evolve(entry, mode=plain.mode)
    yield attrs.evolve(entry, uid=0, gid=0)
    yield attrs.evolve(entry, mtime_ns=DEFAULT_MTIME_NS)
    if entry.xattrs:
        yield attrs.evolve(entry, xattrs=EMPTY)
        for key in entry.xattrs:
            yield attrs.evolve(entry, xattrs={key: entry.xattrs[key]})
    if entry.size:
        yield attrs.evolve(entry, size=0, stored_size=0, content=Pieces())
    if entry.size > 1:
        yield attrs.evolve(entry, size=1, stored_size=1, content=Pieces([b"x"]))
    parts = entry.name.removeprefix(b"./").split(b"/")
    for index in range(len(parts) - 1):
        if any(parts[:index] + parts[index + 1 :]):
            yield attrs.evolve(entry, name=b"/".join(parts[:index] + parts[index + 1 :]))
    if entry.name.startswith(b"./") and len(entry.name) > 2:
        yield attrs.evolve(entry, name=entry.name[2:])
