"""What is judged: a command line, a command for each layer, or a Python callable; and one run of it.

Every program is asked for the same: unpack an image, and say where its root is. What it needs for that is in a `Job`.
"""

import contextlib
import re
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from oci_layers import system
from oci_layers._text import one_line
from oci_layers.errors import MissingError, NameFormatError, OCIError, format_error
from oci_layers.testing.judge.view import View

__all__ = [
    "Command",
    "Function",
    "Job",
    "Program",
    "Result",
    "check_command",
    "fill",
    "how_stopped",
    "last_line",
    "run_words",
    "words_of",
]

_PLAIN = re.compile(r"[\w@%+=:,./{}-]+", re.ASCII)
_PLACES = re.compile(r"\{(layout|ref|dest|layer|scratch|old|new)\}")


@attrs.define(eq=False, slots=False, str=False)
class ProgramError(OCIError):
    """A program that cannot be judged, because it fails at the simplest image."""

    command: str
    reason: str

    def _sentence(self) -> str:
        return f"this fails for an image with one file: {self.command}: {one_line(self.reason)}"


@attrs.frozen
class Job:
    """One image to unpack."""

    layout: Path
    """An OCI layout."""
    ref: str
    """The reference of its image."""
    tars: Sequence[Path]
    """The layers as plain archives, the lowest first."""
    dest: Path
    """Where the image is unpacked to; it is absent."""
    scratch: Path
    """A directory for whatever else the program writes; it is TMPDIR."""
    timeout: float
    """Seconds until a command is stopped."""
    stop: threading.Event = attrs.field(factory=threading.Event)
    """Set when the judge is interrupted, and no command is waited for any more."""
    view: View | None = None
    """How commands see the host; as it is if None."""


@attrs.frozen
class Result:
    """How one run ended."""

    root: Path | None
    """The root of the image; None if the program refused the image."""
    message: str = ""
    """The last line that it wrote on stderr, or the text of its exception."""
    crash: str = ""
    """How it ended, if it did not end by itself: killed by a signal, or after the time that it had."""


class Program(Protocol):
    """Something that unpacks images."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def command(self) -> str:
        """What a person would run."""

    @property
    def is_parallel(self) -> bool:
        """Whether several jobs may run at once."""

    def run(self, job: Job) -> contextlib.AbstractContextManager[Result]:
        """Unpack an image; its root is there until the block ends.

        Raises:
            OSError: The program cannot be started.
        """


def words_of(template: str, *needed: str) -> tuple[str, ...]:
    """Return the words of a command line, as a shell splits them.

    Raises:
        NameFormatError: The template is empty, has an open quote, or none of the places in one of `needed`: words such
            as `{dest}`, alternatives separated by `|`.
    """
    try:
        words = tuple(shlex.split(template))
    except ValueError as error:
        raise NameFormatError("command", template, str(error).lower()) from None
    for each in needed:
        if not any(place in template for place in each.split("|")):
            raise NameFormatError("command", template, f"there is no {each.replace('|', ' or ')} in it")
    return words


def check_command(words: Sequence[str]) -> None:
    """Check that the program of a command exists.

    Raises:
        MissingError: It does not.
    """
    if shutil.which(words[0]) is None:
        raise MissingError(f"no program {shlex.quote(words[0])}: give the path of one that can be run")


def fill(words: Sequence[str], places: dict[str, str]) -> list[str]:
    """Return the words of a command with values in their places; other braces stay as they are."""
    return [_PLACES.sub(lambda found: places.get(found[1], found[0]), word) for word in words]


@attrs.frozen
class Command:
    """A command line with places: `{layout}`, `{ref}` and `{dest}`; or `{layer}` and `{dest}`, and it runs for each.

    A command for layers gets the layers as plain archives, the lowest first, all with the same `{dest}`, which exists.
    """

    words: tuple[str, ...]
    rootfs: str = "."
    """Where the root is in `{dest}`."""
    name: str = ""
    is_parallel: bool = True

    @classmethod
    def parse(cls, template: str, rootfs: str = ".", name: str = "") -> "Command":
        """Return the command of a template.

        Raises:
            NameFormatError: It is not one; as `words_of` says.
            MissingError: The program does not exist.
        """
        words = words_of(template, "{dest}", "{layout}|{layer}")
        check_command(words)
        return cls(words, rootfs, name or Path(words[0]).name)

    @property
    def command(self) -> str:
        """The template, with its words quoted for a shell."""
        return " ".join(word if _PLAIN.fullmatch(word) else shlex.quote(word) for word in self.words)

    @contextlib.contextmanager
    def run(self, job: Job) -> Iterator[Result]:
        """Run the command, or run it for each layer until one is refused."""
        places = {"layout": f"{job.layout}", "ref": job.ref, "dest": f"{job.dest}", "scratch": f"{job.scratch}"}
        if any("{layer}" in word for word in self.words):
            job.dest.mkdir(0o755)
            commands = [fill(self.words, {**places, "layer": f"{layer}"}) for layer in job.tars]
        else:
            commands = [fill(self.words, places)]
        result = Result(job.dest / self.rootfs)
        for words in commands:
            result = run_words(words, job, job.dest / self.rootfs)
            if result.root is None:
                break
        yield result


def run_words(words: Sequence[str], job: Job, root: Path, *, on_host: bool = False) -> Result:
    """Run one command of a job; the root of the image is then at `root`.

    Args:
        words: The command.
        job: What it belongs to.
        root: A directory.
        on_host: Whether the command is not one of a program that is judged, and changes the host itself.

    Raises:
        OSError: The program cannot be started.
    """
    ended = system.run_program(
        words if job.view is None or on_host else job.view.words(words),
        timeout=job.timeout,
        environment=environment_of(job.scratch),
        stop=job.stop,
    )
    message = last_line(ended.stderr) or last_line(ended.stdout)
    if ended.code is None or ended.code < 0:
        return Result(None, message, how_stopped(ended.code, job.timeout))
    if ended.code:
        return Result(None, message or f"exit code {ended.code}")
    if not root.is_dir():
        return Result(None, f"it ended well, and there is no directory {root.name}")
    return Result(root, message)


def how_stopped(code: int | None, timeout: float) -> str:
    """Return how a program ended that did not end by itself."""
    return f"it was stopped after {timeout:g} seconds" if code is None else f"signal {-code} ended it"


def environment_of(scratch: Path) -> dict[str, str]:
    """Return the variables that every program gets."""
    return {"TMPDIR": f"{scratch}", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def last_line(output: bytes) -> str:
    """Return the last line that is not empty."""
    lines = [line for line in output.decode(errors="backslashreplace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


_ONE_AT_A_TIME = threading.Lock()


@attrs.frozen
class Function:
    """A Python callable that unpacks an image: `function(layout, ref, dest)`, all `str`.

    An exception refuses the image. It runs in this process, one call at a time: nothing stops a call that does not
    return.
    """

    function: Callable[[str, str, str], object]
    rootfs: str = "."
    name: str = ""
    is_parallel: bool = False

    @property
    def command(self) -> str:
        """How it is called."""
        return f"{self.name or getattr(self.function, '__qualname__', repr(self.function))}(layout, ref, dest)"

    @contextlib.contextmanager
    def run(self, job: Job) -> Iterator[Result]:
        """Call the function."""
        root = job.dest / self.rootfs
        try:
            with _ONE_AT_A_TIME:
                self.function(f"{job.layout}", job.ref, f"{job.dest}")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a program under test raises is its refusal
            yield Result(None, format_error(error))
            return
        yield Result(root) if root.is_dir() else Result(None, f"it returned, and there is no directory {root.name}")
