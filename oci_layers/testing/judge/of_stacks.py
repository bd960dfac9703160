"""Verdicts about generated stacks: one for each law that a program breaks, with the smallest stack that shows it."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol, Self, TypeVar

import attrs
from hypothesis.strategies import SearchStrategy

from oci_layers import system
from oci_layers.testing.judge.attempt import Attempt, Conditions, attempt, shown
from oci_layers.testing.judge.expect import Expectation
from oci_layers.testing.judge.generate import draw
from oci_layers.testing.judge.laws import Law, law
from oci_layers.testing.judge.of_cases import layer_texts, rows_of, what_differs
from oci_layers.testing.judge.simplify import simplest
from oci_layers.testing.judge.verdict import Score, Verdict
from oci_layers.testing.oracle import RefusedError
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies.row import AWKWARD, KINDS
from oci_layers.testing.strategies.stack import stacks

__all__ = ["Budget", "Generated", "Kind", "Mapped", "Outcome", "judged_stacks", "outcome", "strategy"]

R = TypeVar("R")


class Mapped(Protocol):
    """Calls a function for each of several stacks, perhaps at once, and yields what it returns in their order."""

    def __call__(self, function: Callable[[Stack], R], items: Iterable[Stack], /) -> Iterator[R]: ...


Known = dict[str, "Outcome | None"]
"""What is known of stacks, by their text; None of those that make nothing."""

_BATCH = 100
_AT_ONCE = 8
"""Stacks that are tried at once to find a smaller one; a number of its own, so that processors change no result."""
_WORD = re.compile("[A-Za-z]{3,}")


@attrs.frozen
class Kind:
    """One way to break a law; refusals with messages that differ in more than names are different ways."""

    law: Law
    message: str = ""


@attrs.frozen
class Outcome:
    """What came of one stack."""

    stack: Stack
    made: Attempt
    kinds: frozenset[Kind]

    @classmethod
    def of(cls, stack: Stack, made: Attempt, expectation: Expectation) -> Self:
        """Return the outcome of a run."""
        return cls(stack, made, frozenset(_kinds(made, expectation)))

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong that the spec decides."""
        return all(kind.law.level == "decided" for kind in self.kinds)


@attrs.frozen(kw_only=True)
class Budget:
    """How much is generated, and how long a judgement takes."""

    examples: int
    """The most stacks."""
    seconds: float | None
    """The most time for them, without that for making them smaller."""
    seed: int
    """The same number gives the same stacks."""
    shrink_seconds: float
    """The most time to make the stacks for one law smaller."""


@attrs.frozen
class Generated:
    """What came of all stacks."""

    score: Score
    verdicts: tuple[Verdict, ...]
    stacks: tuple[Stack, ...]
    """The stack of each verdict."""


def strategy() -> SearchStrategy[Stack]:
    """Return the strategy of stacks that the spec gives one meaning, and that the present user can make.

    No link has an absolute target: a program that follows links out of its destination is to stay in the sandbox. All
    modes are the usual ones unless this process is root's: others cannot look into a file of mode 0.
    """
    is_root = system.effective_ids()[0] == 0
    kinds = [kind for kind in KINDS if is_root or kind not in {"char", "block"}]
    features = AWKWARD - {"lower-links", "link-parents", "missing"}
    if not is_root:
        features -= {"modes"}
    # Many entries of few names meet more often than few of many. The smallest layers are found afterwards.
    return stacks(names=("a", "b"), layers=(2, 4), entries=(3, 10), kinds=kinds, features=features).map(_relative)


def _relative(stack: Stack) -> Stack:
    return Stack(
        tuple(
            tuple(
                attrs.evolve(entry, linkname=entry.linkname.lstrip(b"/") or b".")
                if entry.linkname.startswith(b"/")
                else entry
                for entry in layer
            )
            for layer in stack.layers
        )
    )


def outcome(conditions: Conditions, stack: Stack) -> Outcome:
    """Run a program on a stack."""
    expectation = Expectation(stack.layers)
    made = attempt(conditions, stack, [expectation.tree], touched=expectation.touched, expectation=expectation)
    return Outcome.of(stack, made, expectation)


def _kinds(made: Attempt, expectation: Expectation) -> Iterator[Kind]:
    if made.escapes:
        yield Kind(law("outside"))
    if made.crash:
        yield Kind(law("MAN-14/crash"), made.crash)
    elif made.refusal is not None:
        asked = {question.id for question in expectation.questions}
        if len(asked) <= 1:
            yield Kind(law(next(iter(asked), "MAN-14")), _words(made.refusal))
    yield from (Kind(breach.law) for breach in made.breaches)


def _words(message: str) -> str:
    """Return a message without paths, numbers, digests and short names."""
    parts = (part.strip("\"'\\,;:()[]") for part in message.split())
    return " ".join(part for part in parts if _WORD.fullmatch(part))


def judged_stacks(
    run: Callable[[Stack], Outcome],
    command: str,
    budget: Budget,
    *,
    mapped: Mapped,
    progress: Callable[[str, int, int], None],
) -> Generated:
    """Run a program on generated stacks, and find the smallest for each law that it breaks.

    Args:
        run: Runs the program on a stack; RefusedError if the layers make nothing, as generated ones never do.
        command: The command, for the verdicts.
        budget: How many stacks, and how long.
        mapped: How stacks are run.
        progress: Called with what is done, how much of it, and of how much.
    """
    known: Known = {}
    found: dict[Kind, list[Outcome]] = {}
    right = 0
    examples = budget.examples
    end = None if budget.seconds is None else time.monotonic() + budget.seconds
    seen = 0
    for batch, size in _batches(examples):
        new = {text: each for each in draw(strategy(), size, budget.seed + batch) if (text := str(each)) not in known}
        for text, each in zip(new, mapped(run, new.values()), strict=True):
            known[text] = each
            seen += 1
            right += each.is_right
            for kind in each.kinds:
                found.setdefault(kind, []).append(each)
            progress("generated stacks", min(seen, examples), examples)
            if end is not None and time.monotonic() > end:
                break
        if end is not None and time.monotonic() > end:
            break
    progress("generated stacks", examples, examples)
    kinds = sorted(found, key=_order)
    for number, kind in enumerate(kinds):  # The search for one finds others, which are searched for in turn.
        progress("making failures smaller", number, len(kinds))
        _search(run, kind, _smallest(kind, known), known, budget.shrink_seconds, mapped)
        kinds += sorted(_decided_by_spec(known) - {*kinds}, key=_order)
    if kinds:
        progress("making failures smaller", len(kinds), len(kinds))
    told = [(kind, _smallest(kind, known)) for kind in sorted(kinds, key=_order) if not _is_explained(kind, kinds)]
    verdicts = [_verdict(command, kind, each, len(found.get(kind, "1"))) for kind, each in told]
    return Generated(Score(right, seen), tuple(verdicts), tuple(each.stack for _, each in told))


def _order(kind: Kind) -> tuple[bool, str, str]:
    return kind.law.level == "decided", kind.law.id, kind.message


def _decided_by_spec(known: Known) -> set[Kind]:
    kinds = (kind for each in known.values() if each is not None for kind in each.kinds)
    return {kind for kind in kinds if kind.law.level != "decided"}


def _is_explained(kind: Kind, kinds: Collection[Kind]) -> bool:
    """Return whether layers are refused that raise a question, but others that raise none, too, and in the same way."""
    return kind.law.level == "decided" and kind.message != "" and Kind(law("MAN-14"), kind.message) in kinds


def _batches(examples: int) -> Iterator[tuple[int, int]]:
    """Yield the number and the size of each batch."""
    return ((start // _BATCH, min(_BATCH, examples - start)) for start in range(0, examples, _BATCH))


def _smallest(kind: Kind, known: Known) -> Outcome:
    """Return the smallest of the known stacks that break a law in one way."""
    return min((each for each in known.values() if each is not None and kind in each.kinds), key=_size)


def _search(
    run: Callable[[Stack], Outcome], kind: Kind, start: Outcome, known: Known, seconds: float, mapped: Mapped
) -> None:
    """Run smaller stacks, so that they are known, until none breaks a law in one way, or for some seconds."""
    end = time.monotonic() + seconds

    def first(candidates: Sequence[Stack]) -> Stack | None:
        for index in range(0, len(candidates), _AT_ONCE):
            some = candidates[index : index + _AT_ONCE]
            if time.monotonic() > end:
                return None
            new = [each for each in some if str(each) not in known]
            for stack, each in zip(new, mapped(partial(_outcome_of_any, run), new), strict=True):
                known[str(stack)] = each
            for stack in some:
                each = known[str(stack)]
                if each is not None and kind in each.kinds:
                    return stack
        return None

    simplest(start.stack, first)


def _outcome_of_any(run: Callable[[Stack], Outcome], stack: Stack) -> Outcome | None:
    """Run a program on a stack; return None if the layers make nothing."""
    try:
        return run(stack)
    except RefusedError:
        return None


def _size(each: Outcome) -> tuple[int, int, int, str]:
    text = str(each.stack)
    return sum(map(len, each.stack.layers)), len(each.stack.layers), len(text), text


def _verdict(command: str, kind: Kind, each: Outcome, seen: int) -> Verdict:
    made = each.made if kind.law.level == "decided" else each.made.without_fractions()
    if made.escapes and kind.law.level == "safety":
        message = "it changes what is outside the destination"
    elif made.crash:
        message = made.crash
    elif made.refusal is not None:
        message = f"it refuses: {made.refusal}"
    else:
        at = [breach.path for breach in made.breaches if breach.law == kind.law]
        message = what_differs([each for each in made.differences if each.path in at])
    return Verdict(
        id=kind.law.id,
        level=kind.law.level,
        status="differs" if kind.law.level == "decided" else "failed",
        sentence=kind.law.sentence,
        rules=() if kind.law.level == "safety" else (kind.law.rule,),
        generated=True,
        message=message,
        layers=layer_texts(each.stack),
        expected=made.expected or tuple(shown(Expectation(each.stack.layers).tree)),
        actual=made.actual,
        differences=rows_of(made),
        command=command,
        made=made.layer,
        seen=seen,
    )
