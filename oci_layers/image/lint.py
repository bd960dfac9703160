"""The layers of an image into what is wrong or doubtful in them, each judged over the tree of those below it.

The rules are in `layer.lint`. Here the same entries go past them and, one by one, into the merged tree, so that each
layer is read, checked and parsed once. Contents are not read.
"""

import contextlib
from collections.abc import Iterator, Sequence

import attrs

from oci_layers.errors import LayerError, LimitError
from oci_layers.image.contents import LayerContents, Spool
from oci_layers.image.layer import Layer
from oci_layers.image.meter import Meter
from oci_layers.image.turns import Turns
from oci_layers.layer.apply import Application
from oci_layers.layer.changeset import Decoder
from oci_layers.layer.lint import Linter
from oci_layers.layer.lint_rules import Lint
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.tar.entry import Entry
from oci_layers.tree.tree import FileTree

__all__ = ["lint_layers"]


def lint_layers(layers: Sequence[Layer], *, policy: Policy | None = None) -> Iterator[Lint]:
    """Yield what the rules find in the layers of an image, layer by layer, as it is found.

    Findings come before their layer has been checked to its end; if it is damaged, the error comes after them. What the
    policy refuses is left out of the tree and the rest applied, so that every layer is judged over what can be made of
    those below. Memory held: the merged tree without contents, and the names of one layer.
    Close the generator to stop early.

    Args:
        layers: The layers, the base first, over an empty file system.
        policy: How each layer is applied for those above it; `lenient` by default.

    Raises:
        OCIError: A layer is missing, damaged, no tar archive, or past a limit on all of them; a note names it.
    """
    limits = layers[0].limits if layers else Limits()
    policy = policy or Policy.preset("lenient")
    meter = Meter(limits, layers)
    with contextlib.closing(Turns(layers, contents=False)) as turns:
        yield from _each(layers, policy, meter, turns)


def _each(layers: Sequence[Layer], policy: Policy, meter: Meter, turns: Turns) -> Iterator[Lint]:
    lower = FileTree(limits=layers[0].limits if layers else None)
    for place, layer in enumerate(layers, 1):
        linter = Linter(lower=lower, layer=layer.index)
        merging = _Merging(layer, lower.fork(), policy) if place < len(layers) else None
        with layer.open_entries(meter.watch(layer), start=turns.next) as entries:
            yield from _looked(meter.count(entries), linter, merging)
        yield from linter.end()
        if merging is not None:
            lower = merging.end()


def _looked(entries: Iterator[Entry], linter: Linter, merging: "_Merging | None") -> Iterator[Lint]:
    # A loop in a frame of its own: Python 3.13.0 has no handler for what interrupts the end of a round.
    for entry in entries:
        yield from linter.look(entry)
        if merging is not None:
            merging.take(entry)


class _Merging:
    """A layer on its way into the tree that the next one is judged over; what cannot be applied is left out."""

    def __init__(self, layer: Layer, tree: FileTree, policy: Policy) -> None:
        policy = attrs.evolve(policy, refused="skip")
        contents = LayerContents(layer, Spool(None, layer.limits.temporary_bytes))
        self.tree = tree
        self.decoder = Decoder(layer.index, policy, layer.limits, contents, None)
        self.application = Application(tree, layer.index, None, policy, None)

    def take(self, entry: Entry) -> None:
        try:
            change = self.decoder.change(entry)
            if change is not None:
                self.application.take(change)
        except (LayerError, LimitError) as error:
            _leave_out(error)

    def end(self) -> FileTree:
        try:
            self.application.end()
        except LimitError as error:
            _leave_out(error)
        return self.tree


def _leave_out(error: LayerError | LimitError) -> None:
    """Pass over what cannot be applied, unless there is too much of everything."""
    if isinstance(error, LimitError) and error.limit == "entries":
        raise error
