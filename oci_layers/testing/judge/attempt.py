"""One run of a program on one image, and what came of it."""

import re
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import attrs

from oci_layers import system
from oci_layers.errors import OCIError, format_error
from oci_layers.testing.judge.classify import FRACTION, Breach, Compared, breaches, compared
from oci_layers.testing.judge.expect import Expectation
from oci_layers.testing.judge.program import Job, Program
from oci_layers.testing.judge.sandbox import sandbox
from oci_layers.testing.notation import DEFAULT_MTIME_NS
from oci_layers.testing.same import Difference, tree_of
from oci_layers.testing.stack import Stack
from oci_layers.tree.dump import dump_lines, parse_time, show_time
from oci_layers.tree.node import Directory
from oci_layers.tree.tree import FileTree

__all__ = ["Attempt", "Conditions", "attempt", "looked_at", "shown", "with_t"]

_T = f" {show_time(DEFAULT_MTIME_NS)}"
_TIME = re.compile(r" ([0-9]+\.[0-9]{9})\b")
_EARLY_NS = 2 * 10**9
"""The clock of a file system may be this much behind."""


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

    def without_fractions(self) -> "Attempt":
        """Return the attempt without times that differ by less than a second, which the spec does not count."""
        named = (
            attrs.evolve(each, what=tuple(what for what in each.what if what != FRACTION)) for each in self.differences
        )
        return attrs.evolve(self, differences=tuple(each for each in named if each.what))


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
        begun_ns = system.clock_ns() - _EARLY_NS
        with conditions.program.run(box.job) as result:
            if result.root is None:
                made = Attempt(_with_places(result.message, box.job), result.crash)
            else:
                try:
                    made = looked_at(tree_of(result.root), accepted, conditions.compared, touched, expectation)
                    made = _with_now(made, begun_ns)
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


def _with_places(message: str, job: Job) -> str:
    """Return a message in which the paths of a run are the places of its command, so that it is the same each time."""
    for place, name in ((job.dest, "{dest}"), (job.layout, "{layout}"), (job.scratch, "{scratch}")):
        message = message.replace(str(place), name)
    return message


def _with_now(made: Attempt, begun_ns: int) -> Attempt:
    """Return an attempt in whose lines times during the run are `now`, so that they are the same each time."""

    def told(line: str) -> str:
        return _TIME.sub(lambda found: " now" if parse_time(found[1]) >= begun_ns else found[0], line)

    actual = None if made.actual is None else tuple(map(told, made.actual))
    differences = tuple(
        each if each.actual is None else attrs.evolve(each, actual=told(each.actual)) for each in made.differences
    )
    return attrs.evolve(made, actual=actual, differences=differences)


def shown(tree: FileTree) -> Iterator[str]:
    """Yield the lines of a dump, for a person: `T` is the time of all entries that do not say another.

    Directories that no entry describes are only `implied`. In what an attempt made, `now` is a time while it ran.
    """
    for (_, node), line in zip(tree.walk(), dump_lines(tree), strict=True):
        if isinstance(node, Directory) and node.implicit:
            yield f"{line.partition(' ')[0]} dir implied"
        else:
            yield with_t(line)


def with_t(line: str) -> str:
    """Return a line of a dump in which `T` is the usual time."""
    return line.replace(_T, " T", 1)
