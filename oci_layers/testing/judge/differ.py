"""Judge a program that makes a layer of two directories: the layer, laid over the old one, must make the new one.

The pairs are those of generated stacks: the old directory is what all layers but the last make, the new one what all of
them make. Both are written to the disk by this library; the layer is applied by the oracle.
"""

import io
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs

from oci_layers import system
from oci_layers.blob.compression import decompressed
from oci_layers.errors import OCIError, format_error
from oci_layers.layer.apply import apply
from oci_layers.layer.decode import decode
from oci_layers.layer.encode import tree_entries
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.tar.reader import read_tar
from oci_layers.testing.judge.attempt import Attempt, shown
from oci_layers.testing.judge.classify import Breach, Compared, compared, counted
from oci_layers.testing.judge.expect import Expectation, tree_of
from oci_layers.testing.judge.laws import law
from oci_layers.testing.judge.of_stacks import Budget, Kind, Outcome, judged_stacks
from oci_layers.testing.judge.pool import Pool, Told
from oci_layers.testing.judge.program import (
    ProgramError,
    check_command,
    environment_of,
    fill,
    how_stopped,
    last_line,
    words_of,
)
from oci_layers.testing.judge.run import keep_all
from oci_layers.testing.judge.sandbox import kept_entry
from oci_layers.testing.judge.verdict import Judgement
from oci_layers.testing.judge.write import write_tree
from oci_layers.testing.notation import layer_lines
from oci_layers.testing.oracle import RefusedError, merge
from oci_layers.testing.same import Attribute, Difference
from oci_layers.testing.stack import Stack
from oci_layers.tree.tree import FileTree

__all__ = ["judge_differ"]

_SIMPLEST = "layer\n  file file text=hello"


@attrs.frozen
class _Differ:
    """The program, and how it is run."""

    program: tuple[str, ...] | Callable[[str, str, str], object]
    compared: Compared
    timeout: float
    directory: Path
    stop: threading.Event


def judge_differ(
    program: str | Callable[[str, str, str], object],
    *,
    examples: int = 200,
    seconds: float | None = None,
    seed: int = 0,
    ignore: Collection[Attribute] = (),
    timeout: float = 60.0,
    shrink_seconds: float = 60.0,
    jobs: int | None = None,
    keep: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Judgement:
    """Judge a program that makes layers.

    Args:
        program: A command line with the places `{old}` and `{new}`, two directories, and `{layer}`, the tar to make,
            which may be compressed; or a callable that takes these three, and raises if there is no layer.
        examples: How many pairs of directories it gets.
        seconds: The most time for them.
        seed: The same number generates the same pairs.
        ignore: Attributes that are not compared, as for `judge`.
        timeout: Seconds after which a command is stopped, and has failed.
        shrink_seconds: The most time to find the smallest pair that breaks one law.
        jobs: How many commands run at once; as many as there are processors by default.
        keep: Where a layout with the layers of both directories is kept for each failure.
        progress: Called as work is done.

    Raises:
        ProgramError: The program cannot even make a layer with one file.
        MissingError: There is no such program.
        NameFormatError: The command has not the places that it needs; no such attribute.
        OSError: The program cannot be started, or there is no place for its files.
    """
    runs: tuple[str, ...] | Callable[[str, str, str], object]
    if isinstance(program, str):
        runs = words = words_of(program, "{old}", "{new}", "{layer}")
        check_command(words)
        command, name = program, Path(words[0]).name
    else:
        runs = program
        name = getattr(program, "__qualname__", "callable")
        command = f"{name}(old, new, layer)"
    begun = time.monotonic()
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="oci-layers-judge", suffix="x") as directory:
        differ = _Differ(runs, counted(ignore, implied=True), timeout, Path(directory), stop)
        simplest = _outcome(differ, Stack.parse(_SIMPLEST))
        if simplest.made.refusal is not None:
            raise ProgramError(command, simplest.made.crash or simplest.made.refusal)
        with Pool((jobs or system.cpu_count()) if isinstance(program, str) else 1, stop) as pool:
            generated = judged_stacks(
                partial(_outcome, differ),
                command,
                Budget(examples=examples, seconds=seconds, seed=seed, shrink_seconds=shrink_seconds),
                mapped=pool.map,
                progress=Told(progress),
            )
            verdicts = tuple(keep_all(generated.verdicts, generated.stacks, keep))
    return Judgement(
        program=name,
        version="",
        command=command,
        seed=seed,
        verdicts=verdicts,
        generated=generated.score,
        seconds=time.monotonic() - begun,
    )


def _outcome(differ: _Differ, stack: Stack) -> Outcome:
    made = _attempt(differ, stack)
    if made.crash:
        return Outcome(stack, made, frozenset({Kind(law("MAN-14/crash"), made.crash)}))
    return Outcome(stack, made, frozenset(Kind(breach.law) for breach in made.breaches))


def _attempt(differ: _Differ, stack: Stack) -> Attempt:
    """Run the program on the pair of a stack, and compare what its layer makes."""
    new = _plain(Expectation(stack.layers).tree)
    old = _plain(Expectation(stack.layers[:-1]).tree)
    with tempfile.TemporaryDirectory(dir=differ.directory) as name:
        place = Path(name)
        for tree, side in ((old, "old"), (new, "new")):
            write_tree(place / side, tree)
        (place / "scratch").mkdir()
        layer = place / "layer.tar"
        refused = _run(differ, place)
        if refused is not None:
            return refused
        if not layer.is_file():
            return _refused("it ended well, and there is no layer")
        return _applied(layer.read_bytes(), old, new, differ.compared)


def _run(differ: _Differ, place: Path) -> Attempt | None:
    """Run the program in a place; return None if it made the layer."""
    sides = {name: f"{place / file}" for name, file in (("old", "old"), ("new", "new"), ("layer", "layer.tar"))}
    if callable(differ.program):
        try:
            differ.program(sides["old"], sides["new"], sides["layer"])
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a program under test raises is its refusal
            return _refused(format_error(error))
        return None
    scratch = place / "scratch"
    ended = system.run_program(
        fill(differ.program, sides | {"scratch": f"{scratch}"}),
        timeout=differ.timeout,
        environment=environment_of(scratch),
        stop=differ.stop,
    )
    message = last_line(ended.stderr) or last_line(ended.stdout)
    if ended.code is None or ended.code < 0:
        return Attempt(message, how_stopped(ended.code, differ.timeout))
    return _refused(message or f"exit code {ended.code}") if ended.code else None


def _refused(reason: str, id_: str = "LYR-13/refused") -> Attempt:
    return Attempt(reason, breaches=(Breach(law(id_), b""),))


def _plain(tree: FileTree) -> FileTree:
    """Return a tree in which every directory is described, as on a disk."""
    made = FileTree()
    apply(decode(tree_entries(tree)), made)
    return made


def _applied(layer: bytes, old: FileTree, new: FileTree, how: Compared) -> Attempt:
    try:
        plain = decompressed(io.BytesIO(layer), None, Limits())
        entries = [kept_entry(entry) for entry in read_tar(plain)]
        lines = tuple(layer_lines(entries))
        actual = tree_of(merge([entries], lower=merge([list(tree_entries(old))])))
    except (OCIError, RefusedError) as error:
        return _refused(f"the layer cannot be applied: {format_error(error)}", "LYR-13/layer")
    differences = compared(new, actual, how)
    return Attempt(
        differences=tuple(differences),
        expected=tuple(shown(new)),
        actual=tuple(shown(actual)),
        breaches=tuple(_breaches(differences)),
        layer=lines,
    )


def _breaches(differences: Sequence[Difference]) -> Iterator[Breach]:
    for each in differences:
        for what in each.what:
            yield Breach(law("LYR-13/root" if not each.path else f"LYR-13/{what}"), each.path)
