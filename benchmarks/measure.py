"""Run programs in turn, round after round: how long, how much CPU, how much memory.

Every run is a process of its own with an empty place to work in, which is thrown away untimed. A slow moment of the
machine hits all programs of a round, so a ratio is made of two runs of one round, and the median of these ratios is
what is said. A program that cannot be run here, or fails, is left out, and named; ours is not.
"""

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import attrs

from benchmarks.layout import layer_files, remove
from benchmarks.peers import Program
from benchmarks.registry_server import Served

Measure = Literal["seconds", "cpu_seconds", "peak_kib", "bytes"]
ROOT = Path(__file__).parent.parent
_ALONE = Served("")


@attrs.frozen
class Sample:
    """One run of one program."""

    seconds: float
    cpu_seconds: float
    peak_kib: float
    """The largest resident set that one process of it had."""
    items: int = 1
    """How many things it was done to; 1 where it is done once."""
    bytes: float = 0
    """What a probe or a proxy found out."""

    def each(self, measure: Measure) -> float:
        """Return a measure for each item. The peak is that of the whole."""
        value = float(getattr(self, measure))
        return value if measure == "peak_kib" else value / self.items


@attrs.frozen
class Result:
    """All runs of one program on one image."""

    name: str
    remark: str
    samples: tuple[Sample, ...]

    def median(self, field: Measure) -> float:
        """Return the median of one field of the runs."""
        return statistics.median(float(getattr(sample, field)) for sample in self.samples)

    def each(self, measure: Measure) -> float:
        """Return the median of a measure for each item."""
        return statistics.median(sample.each(measure) for sample in self.samples)

    def ratios(self, first: "Result", measure: Measure) -> list[float]:
        """Return how many times as much as the first it takes, round by round."""
        pairs = zip(self.samples, first.samples, strict=True)
        return [_ratio(mine.each(measure), other.each(measure)) for mine, other in pairs]

    def times(self, first: "Result", measure: Measure) -> float:
        """Return the median of these ratios."""
        return statistics.median(self.ratios(first, measure))


def _ratio(mine: float, other: float) -> float:
    return mine / other if other else float("inf")


@attrs.frozen
class Row:
    """A program, and the layout that it is run on."""

    program: Program
    layout: Callable[[], Path]
    name: str
    """What the table calls it."""


class FailedError(Exception):
    """A program did not do what it is measured for."""


def compare(rows: tuple[Row, ...], rounds: int, place: Path) -> tuple[list[Result], list[str]]:
    """Run every row once a round, in turn.

    Returns:
        The results of the rows that ran, and for each other one its name and why.

    Raises:
        FailedError: The first row, which the others are compared with, failed.
    """
    left_out = [f"{row.name}: {why}" for row in rows if (why := row.program.missing())]
    running = {row.name: row for row in rows if not row.program.missing()}
    samples: dict[str, list[Sample]] = {name: [] for name in running}
    layouts = {name: row.layout() for name, row in running.items()}
    for layout in set(layouts.values()):
        _warm(layout)
    for _ in range(rounds):
        for name, row in list(running.items()):
            try:
                samples[name].append(run(row.program, layouts[name], place))
            except FailedError as error:
                if row is rows[0]:
                    raise
                left_out.append(f"{name}: {error}")
                del running[name]
    return [Result(name, row.program.remark, tuple(samples[name])) for name, row in running.items()], left_out


def _warm(layout: Path) -> None:
    """Read the layers once, so that no program pays for the disk."""
    for file in layer_files(layout):
        with file.open("rb") as opened:
            while opened.read(1 << 20):
                pass


# A process begins with the peak of the one that it was forked from, so a small interpreter starts each command.
_STARTER = """
import json, os, sys, time
started = time.perf_counter()
out, err, *command = sys.argv[1:]
write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, out, write, 0o600),
         (os.POSIX_SPAWN_OPEN, 2, err, write, 0o600)]
pid = os.posix_spawn(command[0], command, os.environ, file_actions=files)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


_MOST_SECONDS_TO_END = 10
"""How long an interrupted program may take to end; it may have started a service, which does not end with it."""


def run(program: Program, layout: Path, place: Path) -> Sample:
    """Run a program once, in a directory below `place`.

    Raises:
        FailedError: It ended with another exit code than 0.
    """
    scratch = Path(tempfile.mkdtemp(prefix="oci-layers-benchmark.", dir=place))
    try:
        (scratch / "work").mkdir()
        sample = Sample(0, 0, 0)
        with contextlib.nullcontext(_ALONE) if program.service is None else program.service(layout, scratch) as served:
            for command in program.commands_for(layout, scratch / "work", served.host):
                sample = attrs.evolve(_run(command, scratch), items=program.loops)
            sample = attrs.evolve(sample, bytes=served.passed())
        if "{probe}" in program.shell:
            sample = attrs.evolve(sample, **json.loads((scratch / "stdout").read_text()))
        return sample
    finally:
        remove(scratch)


def _run(command: list[str], scratch: Path) -> Sample:
    files = [str(scratch / name) for name in ("stdout", "stderr")]
    starter = [sys.executable, "-I", "-S", "-c", _STARTER, *files, *command]
    environment = {**_environment(), "TMPDIR": str(scratch / "work")}
    code, seconds, cpu_seconds, peak_kib = json.loads(_printed(starter, environment))
    if code != 0:
        said = (scratch / "stderr").read_text(errors="replace").split("\n")
        raise FailedError(f"failed with exit code {code}: {next(filter(None, reversed(said)), 'said nothing')}")
    return Sample(seconds, cpu_seconds, peak_kib)


def _printed(command: list[str], environment: dict[str, str]) -> bytes:
    """Run a command and return what it prints; an interrupt kills all that it started, and waits for their end."""
    running, held = os.pipe()
    with os.fdopen(running) as end_of_all:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=ROOT, env=environment, start_new_session=True, pass_fds=(held,)
        )
        os.close(held)
        with process:
            try:
                output, _ = process.communicate()
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                select.select([end_of_all], [], [], _MOST_SECONDS_TO_END)
                raise
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output


def _environment() -> dict[str, str]:
    """Return the environment without what makes a Python other than a user's: unbuffered, say, or without a cache."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") or name == "PYTHONPATH"}


def compile_package() -> None:
    """Have the package compiled, as an installed one is, where the checkout can be written to."""
    command = [sys.executable, "-m", "compileall", "-q", "oci_layers", "benchmarks"]
    subprocess.run(command, check=False, cwd=ROOT, env=_environment())


MEMORY = Path("/dev/shm")  # noqa: S108  # the point of it


_MOUNTS = Path("/proc/self/mountinfo")


def place_of(mib: int, *, on_disk: bool = False) -> Path | None:
    """Return where files are made: a directory in memory, where the system has one with room to spare, else a disk.

    Args:
        mib: About how much is written.
        on_disk: Only on the disk of the checkout; None if the checkout is in memory.
    """
    if not on_disk and os.access(MEMORY, os.W_OK) and min(_free_mib(MEMORY), _available_mib()) >= 2 * mib:
        return MEMORY
    disk = ROOT / "build"
    disk.mkdir(exist_ok=True)
    return None if on_disk and file_system(disk) in {"tmpfs", "ramfs"} else disk


def file_system(directory: Path) -> str:
    """Return the type of the file system that a directory is in; empty if the system does not say."""
    number = directory.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    for line in _MOUNTS.read_text().splitlines() if _MOUNTS.exists() else ():
        mount, _, kind = line.partition(" - ")
        if mount.split()[2] == device:
            return kind.split()[0]
    return ""


def _free_mib(directory: Path) -> int:
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize >> 20


def _available_mib() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) >> 10
    return 0
