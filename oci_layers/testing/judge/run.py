"""Judge a program: a check that it works at all, the cases, and then generated stacks."""

import fnmatch
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs

from oci_layers import system
from oci_layers.errors import MissingError
from oci_layers.progress import Progress
from oci_layers.testing.cases import Case, cases
from oci_layers.testing.judge.attempt import Conditions, attempt
from oci_layers.testing.judge.classify import counted
from oci_layers.testing.judge.expect import Expectation
from oci_layers.testing.judge.keep import keep_layout
from oci_layers.testing.judge.of_cases import of_case
from oci_layers.testing.judge.of_stacks import Budget, judged_stacks, outcome
from oci_layers.testing.judge.pool import PHASES, Pool, Told
from oci_layers.testing.judge.program import Command, Function, Program, ProgramError
from oci_layers.testing.judge.verdict import Judgement, Score, Verdict
from oci_layers.testing.same import Attribute
from oci_layers.testing.stack import Stack

__all__ = ["judge", "keep_all"]

_SIMPLEST = "layer\n  file file text=hello"


def judge(
    program: str | Callable[[str, str, str], object] | Program,
    *,
    rootfs: str = ".",
    select: Collection[str] = ("*",),
    examples: int = 200,
    seconds: float | None = None,
    seed: int = 0,
    ignore: Collection[Attribute] = (),
    implied: bool = False,
    strict: bool = False,
    timeout: float = 60.0,
    shrink_seconds: float = 30.0,
    jobs: int | None = None,
    keep: Path | None = None,
    version: str = "",
    progress: Callable[[Progress], None] | None = None,
) -> Judgement:
    """Judge a program that unpacks images, and return the verdicts.

    A callable, and a command unless this is root on Linux, may write wherever this process may, and some images are
    hostile: run it where that does no harm.

    Args:
        program: A command line with the places `{layout}`, `{ref}` and `{dest}`, or with `{layer}` and `{dest}`, which
            is then run for each layer; or a callable that takes layout, reference and destination, and raises to
            refuse. `{dest}` is absent before the command is run, unless it is run for each layer.
        rootfs: Where the root of the image is in the destination.
        select: Patterns of the ids of cases to run; `()` runs none.
        examples: How many generated stacks are run; 0 runs none.
        seconds: The most time for them.
        seed: The same number generates the same stacks.
        ignore: Attributes that are not compared: see `same.Attribute`. Owners never are unless this process is root.
        implied: Compare attributes of directories that no entry describes, and times that the spec leaves open.
        strict: Count outcomes that differ where the spec leaves them open as failures.
        timeout: Seconds after which a command is stopped, and has failed.
        shrink_seconds: The most time to find the smallest stack that breaks one law.
        jobs: How many commands run at once; as many as there are processors by default. It does not change the result.
        keep: Where a layout is kept for each failure, absent or empty.
        version: The version of the program, for reports.
        progress: Called as work is done: `layer` is the number of the phase in `PHASES`.

    Raises:
        ProgramError: The program cannot even unpack an image with one file.
        MissingError: There is no such program, or no case with such an id.
        NameFormatError: The command has not the places that it needs; no such attribute.
        OSError: The program cannot be started, or there is no place for its files.
    """
    if isinstance(program, str):
        program = Command.parse(program, rootfs)
    elif callable(program):
        program = Function(program, rootfs)
    chosen = _chosen(select)
    budget = Budget(examples=examples, seconds=seconds, seed=seed, shrink_seconds=shrink_seconds)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oci-layers-judge", suffix="x") as directory:
        compare = counted(ignore, implied=implied)
        conditions = Conditions(program, compare, timeout, Path(directory), threading.Event())
        _check(conditions)
        with Pool((jobs or system.cpu_count()) if program.is_parallel else 1, conditions.stop) as pool:
            verdicts, score = _verdicts(conditions, chosen, budget, keep, pool, Told(progress))
    return Judgement(
        program=program.name or "callable",
        version=version,
        command=program.command,
        seed=seed,
        verdicts=tuple(verdicts),
        generated=score,
        seconds=time.monotonic() - begun,
        strict=strict,
    )


def _verdicts(
    conditions: Conditions, chosen: Sequence[Case], budget: Budget, keep: Path | None, pool: Pool, told: Told
) -> tuple[list[Verdict], Score | None]:
    verdicts = []
    for case, verdict in zip(chosen, pool.map(partial(of_case, conditions), chosen), strict=True):
        if keep is not None and verdict.status in {"failed", "differs"}:
            kept = keep_layout(keep, verdict, case.layers, case.expected)
            verdicts.append(attrs.evolve(verdict, kept=kept))
        else:
            verdicts.append(verdict)
        told(PHASES[0], len(verdicts), len(chosen))
    if not budget.examples:
        return verdicts, None
    generated = judged_stacks(
        partial(outcome, conditions), conditions.program.command, budget, mapped=pool.map, progress=told
    )
    return [*verdicts, *keep_all(generated.verdicts, generated.stacks, keep)], generated.score


def _chosen(select: Collection[str]) -> list[Case]:
    if not select:
        return []
    found = [case for case in cases() if any(fnmatch.fnmatchcase(case.id, pattern) for pattern in select)]
    for pattern in select:
        if not any(fnmatch.fnmatchcase(case.id, pattern) for case in cases()):
            raise MissingError(f"no case {pattern!r}; ids are such as {cases()[0].id!r}, and * stands for any letters")
    return found


def _check(conditions: Conditions) -> None:
    """Run the program on the simplest image.

    Raises:
        ProgramError: It refuses it.
    """
    made = attempt(conditions, Stack.parse(_SIMPLEST))
    if made.refusal is not None:
        raise ProgramError(conditions.program.command, made.crash or made.refusal)


def keep_all(verdicts: Iterable[Verdict], stacks: Iterable[Stack], keep: Path | None) -> Iterator[Verdict]:
    """Yield verdicts about stacks, with the layouts that are kept in a directory, if there is one."""
    for verdict, stack in zip(verdicts, stacks, strict=True):
        if keep is None:
            yield verdict
        else:
            expected = Expectation(stack.layers).tree
            yield attrs.evolve(verdict, kept=keep_layout(keep, verdict, stack.tars(), expected))
