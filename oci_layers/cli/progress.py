"""Show progress on stderr: a bar on a terminal, a line for each layer with `plain`, or nothing.

Work that counts blobs instead of layers gets about a hundred lines at most, however many there are.
"""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from oci_layers.cli.output import counted, human_bytes
from oci_layers.cli.process import deferred_signals
from oci_layers.progress import Progress

__all__ = ["Style", "interruptible_progress", "progress"]

Style = Literal["auto", "plain", "none"]
_Show = Callable[[Progress], None]
_LINES = 100
"""The number of steps above which not each has a line of its own."""


@contextlib.contextmanager
def progress(
    style: Style, *, unit: str = "layer", phases: Sequence[str] = (), then: str | None = None
) -> Iterator[_Show | None]:
    """Yield a callback that shows progress, or None to show nothing.

    Args:
        style: What the user asked for.
        unit: What the work counts; its size is in bytes.
        phases: The names of the parts of work that counts no bytes but units.
        then: The name of the work once it has begun again from nothing, if that is no further image.
    """
    shown = _Shown(unit, phases, then)
    if style == "plain":
        yield _lines(shown)
    elif style == "auto" and sys.stderr.isatty() and importlib.util.find_spec("rich"):
        with _bar(shown) as show:
            yield show
    else:
        yield None


@contextlib.contextmanager
def interruptible_progress(style: Style) -> Iterator[_Show]:
    """Yield a callback that shows progress of layers, and raises a signal that came meanwhile.

    So a signal interrupts the work only between two steps of it.
    """
    with progress(style) as show, deferred_signals() as raise_held_signal:

        def on_progress(now: Progress) -> None:
            raise_held_signal()
            if show is not None:
                show(now)

        yield on_progress


class _Shown:
    """The words for progress."""

    def __init__(self, unit: str, phases: Sequence[str], then: str | None) -> None:
        self._unit = unit
        self._then = then
        self._before = -1
        self._is_second = False
        self.phases = phases

    def begins_again(self, now: Progress) -> bool:
        """Tell whether the work has begun again from nothing; called once for each progress, before the others."""
        again, self._before = now.done < self._before, now.done
        self._is_second = self._is_second or again
        return again

    def step(self, now: Progress) -> str:
        """Return which step the work is at."""
        if self.phases:
            return self.phases[now.layer]
        if self._then is not None and self._is_second:
            return self._then
        # Threads report bytes before the end of the blob.
        return f"{self._unit} {now.layers if now.done == now.total else now.layer + 1} of {now.layers}"

    def line(self, now: Progress) -> str:
        """Return a line."""
        if self.phases:
            return f"{self.step(now)}: {now.done} of {counted(now.total or 0, self._unit)} done"
        of_total = "" if now.total is None else f" of {human_bytes(now.total)}"
        return f"{self.step(now)}: {human_bytes(now.done)}{of_total} done"


def _lines(shown: _Shown) -> _Show:
    last, before = -1, -1

    def show(now: Progress) -> None:
        nonlocal last, before
        if shown.begins_again(now):
            last, before = -1, -1  # The next image, of several.
        ends = now.done == now.total and (before < now.done or shown.phases)
        is_open = now.total is None or now.done < now.total
        goes_on = is_open and now.layer > last and now.layer - last >= now.layers // _LINES
        before = now.done
        if ends or goes_on:
            last = max(last, now.layer)
            print(shown.line(now), file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def _bar(shown: _Shown) -> Iterator[_Show]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
    amount = MofNCompleteColumn() if shown.phases else DownloadColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("opening", total=None)

        def show(now: Progress) -> None:
            shown.begins_again(now)
            bar.update(task, description=shown.step(now), completed=now.done, total=now.total)

        yield show
