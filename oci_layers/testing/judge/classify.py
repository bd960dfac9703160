"""From what differs to the laws that are broken.

What is there and should not be was removed by some layer: by a whiteout, an opaque marker, or something that took its
place. What is missing was described by some layer, which also has a marker that hides it in lower ones, or a higher
layer removed too much. What is there with other attributes was described over something, or over nothing. Only the
highest of several paths counts: what is below an extra or a missing directory follows from it.

A difference at a path that depends on an answer that the spec does not give breaks no law: it is the question.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

import attrs

from oci_layers import system
from oci_layers.errors import NameFormatError, escape
from oci_layers.testing.judge.expect import Expectation, LayerFacts, is_at_or_below
from oci_layers.testing.judge.laws import Law, law
from oci_layers.testing.oracle import Node, Opaque, Whiteout
from oci_layers.testing.same import ALL, Attribute, Difference, differences
from oci_layers.tree.node import Device, Directory, Fifo, File, Symlink
from oci_layers.tree.node import Node as TreeNode
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["FRACTION", "Breach", "Compared", "breaches", "compared", "counted"]

FRACTION = "fraction"
"""What differs of times in the same second."""
MARKED = "EDGE-07b"
"""The question whether the directory of a marker is made, which says nothing of what is in it."""
_SECOND = 10**9
_SET_ID = 0o6000


@attrs.frozen
class Compared:
    """What is compared beside names, types, targets and device numbers."""

    attributes: frozenset[Attribute] = frozenset(ALL)
    implied: bool = False
    """Whether the attributes count of directories that no entry describes, and times that the spec leaves open."""


def counted(ignore: Collection[str] = (), *, implied: bool = False) -> Compared:
    """Return what is compared if some attributes are ignored; owners always are, unless this process is root's.

    Raises:
        NameFormatError: There is no such attribute.
    """
    for each in ignore:
        if each not in ALL:
            raise NameFormatError("attribute", each, f"there are {', '.join(ALL)}")
    left_out = {*ignore, *(() if system.effective_ids()[0] == 0 else ("owner",))}
    return Compared(frozenset(each for each in ALL if each not in left_out), implied)


@attrs.frozen
class Breach:
    """One path at which a law is broken."""

    law: Law
    path: bytes

    def __str__(self) -> str:
        return f"{self.law.id} at {escape(b'/' + self.path)}"


def compared(
    expected: FileTree, actual: FileTree, how: Compared, *, touched: Collection[bytes] = ()
) -> list[Difference]:
    """Return what differs and counts; a time that differs by less than a second is called `FRACTION`.

    Args:
        expected: What must be there.
        actual: What is.
        how: What counts.
        touched: Directories whose time is open.
    """
    found = differences(
        expected,
        actual,
        attributes=how.attributes,
        implied=how.implied,
        touched=() if how.implied else touched,
    )
    named = [attrs.evolve(each, what=tuple(_named(each, expected, actual, how))) for each in found]
    return [each for each in named if each.what]


def _named(each: Difference, expected: FileTree, actual: FileTree, how: Compared) -> Iterator[str]:
    old, new = expected.at(each.path), actual.at(each.path)
    for what in each.what:
        if old is None or new is None:
            yield what
        elif what == "mtime" and old.mtime_ns // _SECOND == new.mtime_ns // _SECOND:
            yield FRACTION
        elif what != "mode" or "owner" in how.attributes or (old.mode ^ new.mode) & ~_SET_ID:
            yield what  # Who cannot give a file its owner cannot give it set-id bits, either.


def breaches(expectation: Expectation, actual: FileTree, found: Sequence[Difference]) -> list[Breach]:
    """Return the laws that differences break, and where; or the questions that they answer in another way."""
    broken: list[Breach] = []
    done: list[bytes] = []
    for each in found:
        if any(is_at_or_below(each.path, path) for path in done):
            continue  # It follows from what is above.
        classifier = _Classifier(expectation, actual, each)
        is_whole = not {"missing", "unexpected", "type"}.isdisjoint(each.what)
        if is_whole and classifier.id_of(each.what[0]) != MARKED:
            done.append(each.path)
        for what in each.what[:1] if is_whole else each.what:
            asked = {question.id for question in expectation.questions if question.is_about(each.path, what)}
            if len(asked) <= 1:  # Which of several answers it is, a smaller stack tells.
                breach = Breach(law(next(iter(asked), None) or classifier.id_of(what)), each.path)
                broken += [breach] if breach not in broken else []
    return broken


@attrs.frozen
class _Classifier:
    """Finds the laws that one difference breaks."""

    expectation: Expectation
    actual: FileTree
    difference: Difference

    @property
    def path(self) -> bytes:
        """The path that differs."""
        return self.difference.path

    @property
    def layers(self) -> list[LayerFacts]:
        """The layers, the lowest first."""
        return self.expectation.layers

    def id_of(self, what: str) -> str:
        """Return the id of the law that what differs breaks."""
        match what:
            case "unexpected":
                return self.extra()
            case "missing":
                return self.missing()
            case "type":
                return self.other_type()
            case _:
                return self.changed(what)

    def last(self, is_so: Callable[[LayerFacts], bool]) -> int | None:
        """Return the number of the highest layer of which something is so."""
        numbers = [number for number, layer in enumerate(self.expectation.layers) if is_so(layer)]
        return numbers[-1] if numbers else None

    def extra(self) -> str:
        """Return the law for a path that should not be there."""
        _, name = parent_and_name(self.path)
        if name.startswith(b".wh."):
            return "WHT-05"
        number = self.last(lambda layer: self.path in layer.before and self.path not in layer.after)
        markers = (hidden for layer in self.layers[number or 0 :] for hidden in layer.directories_of_markers)
        if isinstance(self.actual.at(self.path), Directory) and any(
            is_at_or_below(each, self.path) for each in markers
        ):
            return MARKED
        if number is None:
            return "LYR-14/more"
        layer = self.layers[number]
        marker = layer.marker_of(self.path)
        if marker is None:
            return "LYR-16"
        if not isinstance(marker, Whiteout):
            return "WHT-09"
        named = marker.directory + b"/" + marker.name if marker.directory else marker.name
        return "WHT-12" if named in layer.after else "WHT-01"

    def missing(self) -> str:
        """Return the law for a path that should be there."""
        number = self.last(lambda layer: layer.has(self.path))
        assert number is not None
        marker = self.layers[number].marker_of(self.path)
        if marker is not None:
            return _own(marker)
        if any(layer.marker_of(self.path) for layer in self.layers[:number]):
            return "WHT-06/higher"
        higher = self.layers[number + 1 :]
        if any(_is_described_above(layer, self.path) for layer in higher):
            return "LYR-15/children"
        if any(layer.whiteouts or layer.opaques for layer in higher):
            return "WHT-01/more"
        return "LYR-08" if self.layers[number].adds.get(self.path, _SOME) is None else "LYR-14"

    def other_type(self) -> str:
        """Return the law for a path that is of another type."""
        number = self.last(lambda layer: layer.has(self.path))
        old = None if number is None else self.layers[number].before.get(self.path)
        new = self.actual.at(self.path)
        return "LYR-16" if old is not None and new is not None and old.kind == _kind(new) else "LYR-05"

    def changed(self, what: str) -> str:
        """Return the law for an attribute, the content, or the other names of a path."""
        if what == FRACTION:
            return "LYR-06/fraction"
        old = self.expectation.tree.at(self.path)
        if isinstance(old, Directory):
            if old.implicit:
                return "EDGE-11"
            if self.path in self.expectation.touched and what == "mtime":
                return "EDGE-27"
            if not self.path:
                return f"LYR-15/root-{what}"
            number = self.last(lambda layer: self.path in layer.adds)
            assert number is not None
            layer = self.layers[number]
            marker = layer.marker_of(self.path)
            if marker is not None and what != "mtime":
                return _own(marker)  # The directory was removed, and came back as a parent.
            below = layer.before.get(self.path)
            is_over = below is not None and below.kind == "dir" and marker is None
            return f"LYR-15/{what}" if is_over else f"LYR-06/{what}"
        if self.was_linked() or (what == "links" and self.is_linked_still()):
            return "LYR-16/links"
        return "LYR-08" if what == "links" else f"LYR-06/{what}"

    def was_linked(self) -> bool:
        """Return whether the path was a name of a file that also had a name which is another file now."""
        now = self.expectation.facts
        here = now.get(self.path)
        for layer in self.layers:
            node = layer.after.get(self.path)
            if node is None or node.kind == "dir":
                continue
            names = [path for path, other in layer.after.items() if other is node and path != self.path]
            if node is not here and here is not None:
                continue  # It was replaced itself.
            if any(now.get(path) is not node for path in names):
                return True
        return False

    def is_linked_still(self) -> bool:
        """Return whether the path is a name of a file that it was a name of in a lower layer, and is no more."""
        node, now = self.actual.at(self.path), self.expectation.facts
        assert node is not None
        assert not isinstance(node, Directory)
        others = [name for name in self.actual.link_names(node.inode) if now.get(name) is not now.get(self.path)]
        return any(
            layer.after.get(name, _SOME) is layer.after.get(self.path) for layer in self.layers for name in others
        )


_SOME = Node("file", 0, 0, 0, 0, {})


def _own(marker: Whiteout | Opaque) -> str:
    """Return the law that a marker breaks which removes what its own layer has."""
    return "WHT-06" if isinstance(marker, Whiteout) else "WHT-11"


def _is_described_above(layer: LayerFacts, path: bytes) -> bool:
    while path:
        path, _ = parent_and_name(path)
        node = layer.adds.get(path)
        if node is not None and node.kind == "dir":
            return True
    return False


def _kind(node: TreeNode) -> str:
    match node:
        case Directory():
            return "dir"
        case File():
            return "file"
        case Symlink():
            return "symlink"
        case Device():
            return node.kind
        case Fifo():
            return "fifo"
