"""Show progress on stderr: a bar on a terminal, a line for each layer with `plain`, or nothing."""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from typing import Literal

from oci_layers.cli.output import human_bytes
from oci_layers.progress import Progress

__all__ = ["Style", "progress"]

Style = Literal["auto", "plain", "none"]
_Show = Callable[[Progress], None]


@contextlib.contextmanager
def progress(style: Style) -> Iterator[_Show | None]:
    """Yield a callback that shows progress, or None to show nothing."""
    if style == "plain":
        yield _lines()
    elif style == "auto" and sys.stderr.isatty() and importlib.util.find_spec("rich"):
        with _bar() as show:
            yield show
    else:
        yield None


def _lines() -> _Show:
    shown, is_done = -1, False

    def show(now: Progress) -> None:
        nonlocal shown, is_done
        if now.layer > shown or (now.done == now.total and not is_done):
            shown, is_done = max(shown, now.layer), now.done == now.total
            text = f"layer {now.layer + 1} of {now.layers}: {human_bytes(now.done)} of {human_bytes(now.total)} done"
            print(text, file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def _bar() -> Iterator[_Show]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("opening", total=None)

        def show(now: Progress) -> None:
            bar.update(task, description=f"layer {now.layer + 1} of {now.layers}", completed=now.done, total=now.total)

        yield show
