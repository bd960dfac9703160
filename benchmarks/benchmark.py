"""A benchmark: its name, its rows, and what it says that no column does."""

from collections.abc import Callable

import attrs

from benchmarks import inputs
from benchmarks.measure import Measure, Result, Row
from benchmarks.peers import Check, Program


@attrs.frozen
class Benchmark:
    """Programs that are compared, and how."""

    name: str
    about: str
    rows: tuple[Row, ...]
    measure: Measure = "seconds"
    """What the ratios are ratios of."""
    gzip: str = ""
    """How the layers of its images are compressed."""
    mib: int = 1024
    """About what it writes, at most."""
    unit: str = ""
    """What one item is called."""
    on_disk: bool = False
    """Whether its files are made on the disk of the checkout, not in memory."""
    asked: bool = False
    """Whether it is run only when it is asked for by name."""
    chart: bool = False
    """Whether it is in the picture."""
    saying: Callable[[list[Result]], str] | None = attrs.field(default=None, eq=False)
    """What it says of its results, where that is not one of those below."""

    def says(self, results: list[Result]) -> str:
        """Return in one line what no column says; empty where the columns say all."""
        if self.saying is not None:
            return self.saying(results)
        first, *others = results
        if self.name == "import" and others:
            more = 1e3 * (others[0].each("seconds") - first.each("seconds"))
            return f"importing takes {more:.1f} ms more than the bare interpreter"
        if self.name == "lint" and others:
            seconds, cpu = (100 * (others[0].times(first, each) - 1) for each in ("seconds", "cpu_seconds"))
            return f"linting adds {seconds:.0f} % to the time of reading, {cpu:.0f} % to its CPU time"
        if self.name.startswith("growth") and others:
            return f"an entry costs {others[-1].times(first, 'seconds'):.2f} times as much in the largest image"
        if self.name.startswith("memory") and others:
            more = others[-1].median("peak_kib") - first.median("peak_kib")
            return f"the peak is {more / 1024:+.1f} MiB in the larger layer"
        if self.name in {"archive-blob", "cat-remote"} and first.median("bytes"):
            return "; ".join(f"{each.name} reads {each.median('bytes') / 1e6:.1f} MB" for each in results)
        return ""


def rows(image: inputs.Input, *programs: Program) -> tuple[Row, ...]:
    return tuple(Row(program, image.layout, program.name) for program in programs)


def on_each(program: Program, *images: inputs.Input) -> tuple[Row, ...]:
    return tuple(Row(program, image.layout, image.about) for image in images)


def probe(name: str, arguments: str, verifies: tuple[Check, ...] = (), module: str = "") -> Program:
    return Program(name, f"{{probe}} {arguments}", verifies, modules=(module,) if module else ())
