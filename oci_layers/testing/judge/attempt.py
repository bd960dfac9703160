"""One run of a program on one image, and what came of it."""

import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import attrs

from oci_layers.errors import OCIError, format_error
from oci_layers.testing.judge.classify import FRACTION, Breach, Compared, breaches, compared
from oci_layers.testing.judge.expect import Expectation
from oci_layers.testing.judge.program import Program
from oci_layers.testing.judge.sandbox import sandbox
from oci_layers.testing.notation import DEFAULT_MTIME_NS
from oci_layers.testing.same import Difference, tree_of
from oci_layers.testing.stack import Stack
from oci_layers.tree.dump import dump_lines, show_time
from oci_layers.tree.node import Directory
from oci_layers.tree.tree import FileTree

__all__ = ["Attempt", "Conditions", "attempt", "looked_at", "shown"]

_T = f" {show_time(DEFAULT_MTIME_NS)}"


@attrs.frozen
class Conditions:
    """What is the same for all runs of a judgement."""

    program: Program
    compared: Compared
    timeout: float
    directory: Path
    """Where the places of the runs are made."""
    stop: threading.Event
    """Set to stop all runs."""


@attrs.frozen
class Attempt:
    """What came of a run."""

    refusal: str | None = None
    """Why the program refused the image; None if it did not."""
    crash: str = ""
    """How the program ended, if not by itself or in time."""
    escapes: tuple[str, ...] = ()
    """What changed outside the destination."""
    differences: tuple[Difference, ...] = ()
    """What differs from the accepted tree that is nearest; empty if it is as accepted, or refused."""
    expected: tuple[str, ...] = ()
    """The lines of that tree."""
    actual: tuple[str, ...] | None = None
    """The lines of what is there; None if the program refused the image."""
    breaches: tuple[Breach, ...] = ()
    """The laws that the differences break, if an expectation was given."""
    layer: tuple[str, ...] = ()
    """The lines of the layer that a differ made."""

    @property
    def is_exact(self) -> bool:
        """Whether nothing differs; times may differ by less than a second."""
        return all(each.what == (FRACTION,) for each in self.differences)


def attempt(
    conditions: Conditions,
    layers: Stack | Sequence[bytes],
    accepted: Sequence[FileTree] = (),
    *,
    touched: Collection[bytes] = (),
    expectation: Expectation | None = None,
    hostile: bool = False,
) -> Attempt:
    """Run a program on layers, and compare what it makes.

    Args:
        conditions: The program, and how it is run.
        layers: The layers, the lowest first.
        accepted: The trees that are right; without any, nothing is compared.
        touched: Directories whose time is open.
        expectation: What tells the laws that are broken.
        hostile: Whether the layers may try to leave the destination.
    """
    with sandbox(
        layers,
        timeout=conditions.timeout,
        stop=conditions.stop,
        hostile=hostile,
        directory=conditions.directory,
    ) as box:
        with conditions.program.run(box.job) as result:
            if result.root is None:
                made = Attempt(result.message, result.crash)
            else:
                try:
                    made = looked_at(tree_of(result.root), accepted, conditions.compared, touched, expectation)
                except (OCIError, OSError) as error:
                    made = Attempt(f"what it made cannot be read: {format_error(error)}")
        return attrs.evolve(made, escapes=tuple(box.escapes()))


def looked_at(
    actual: FileTree,
    accepted: Sequence[FileTree],
    how: Compared,
    touched: Collection[bytes],
    expectation: Expectation | None,
) -> Attempt:
    """Compare a tree with those that are right; the other arguments are those of `attempt`."""
    lines = tuple(shown(actual))
    if not accepted:
        return Attempt(actual=lines)
    found = [(compared(tree, actual, how, touched=touched), tree) for tree in accepted]
    differences, expected = min(found, key=lambda each: len(each[0]))
    return Attempt(
        differences=tuple(differences),
        expected=tuple(shown(expected)),
        actual=lines,
        breaches=() if expectation is None else tuple(breaches(expectation, actual, differences)),
    )


def shown(tree: FileTree) -> Iterator[str]:
    """Yield the lines of a dump, for a person: `T` is the time of all entries that do not say another.

    Directories that no entry describes are only `implied`.
    """
    for (_, node), line in zip(tree.walk(), dump_lines(tree), strict=True):
        if isinstance(node, Directory) and node.implicit:
            yield f"{line.partition(' ')[0]} dir implied"
        else:
            yield line.replace(_T, " T", 1)
