"""Results into the one table that is printed, the JSON that is kept, and the bars of the picture."""

import importlib.metadata
import os
import platform
from pathlib import Path

import attrs

from benchmarks.benchmark import Benchmark
from benchmarks.layout import layer_files
from benchmarks.measure import Result
from benchmarks.peers import versions
from benchmarks.svg import Bar, Panel

_WIDTHS = (34, 32, 9, 8, 9, 10, 13, 10)
_CPU_INFO = Path("/proc/cpuinfo")


@attrs.frozen
class Outcome:
    """A benchmark and what came of it."""

    benchmark: Benchmark
    results: list[Result]
    left_out: list[str]
    in_memory: bool
    """Whether the files were made on a RAM disk."""

    def images(self) -> list[tuple[int, int]]:
        """Return the layers and compressed bytes of each image that it is about."""
        layouts = dict.fromkeys(row.layout() for row in self.benchmark.rows) if self.benchmark.gzip else {}
        files = [layer_files(layout) for layout in layouts]
        return [(len(layers), sum(layer.stat().st_size for layer in layers)) for layers in files]


def heading() -> str:
    """Return the heads of the columns. `times` are of the first row, pair by pair."""
    return _line(("program", "verifies", "seconds", "CPU s", "peak MiB", "each", "per second", "times"))


def section(outcome: Outcome) -> str:
    """Return the lines of one benchmark."""
    benchmark, results = outcome.benchmark, outcome.results
    lines = [f"\n{benchmark.name}: {benchmark.about}{_sizes(outcome)}"]
    lines += [
        _line(
            (
                result.name,
                result.remark or "-",
                f"{result.median('seconds'):.2f}" if result.median("seconds") else "",
                f"{result.median('cpu_seconds'):.2f}" if result.median("cpu_seconds") else "",
                f"{result.median('peak_kib') / 1024:.0f}",
                *_each(benchmark, result),
                f"{result.times(results[0], benchmark.measure):.2f}",
            )
        )
        for result in results
    ]
    said = benchmark.says(results)
    return "\n".join([*lines, f"  {said}"] if said else lines)


def _sizes(outcome: Outcome) -> str:
    images = [f"{count} layer{'s' * (count > 1)}, {size / 1e6:,.0f} MB" for count, size in outcome.images()]
    return f" ({' and '.join(images)}; {outcome.benchmark.gzip})" if images else ""


def _line(cells: tuple[str, ...]) -> str:
    texts = [
        cell.ljust(width) if number < 2 else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    ]
    return "  " + "".join(texts).rstrip()


def _each(benchmark: Benchmark, result: Result) -> tuple[str, str]:
    """Return what one item costs, and how many are done in a second."""
    if not benchmark.unit:
        return "", ""
    if benchmark.measure == "bytes":
        return f"{result.each('bytes'):.0f} B", ""
    seconds = result.each("seconds")
    return duration(seconds), f"{1 / seconds:,.0f}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    units = ((1.0, "s"), (1e3, "ms"), (1e6, "µs"))
    factor, unit = next(((factor, unit) for factor, unit in units if seconds * factor >= 1), units[-1])
    number = seconds * factor
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {unit}"


def record(outcomes: list[Outcome], *, rounds: int, small: bool) -> dict[str, object]:
    """Return all that was measured, and on what, for JSON."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "packages": {
            name: _version(name) for name in ("oci-layers", "isal", "backports.zstd", "jsonschema", "jsonschema-rs")
        },
        "programs": versions(),
        "small": small,
        "rounds": rounds,
        "benchmarks": [_record(outcome) for outcome in outcomes],
    }


def _record(outcome: Outcome) -> dict[str, object]:
    benchmark, first = outcome.benchmark, outcome.results[0]
    return {
        "name": benchmark.name,
        "about": benchmark.about,
        "images": [{"layers": count, "compressed_bytes": size} for count, size in outcome.images()],
        "compressed_with": benchmark.gzip or None,
        "on": "memory" if outcome.in_memory else "disk",
        "ratio_of": benchmark.measure,
        "item": benchmark.unit or None,
        "says": benchmark.says(outcome.results) or None,
        "left_out": outcome.left_out,
        "rows": [
            {
                "name": result.name,
                "remark": result.remark,
                "samples": [attrs.asdict(sample) for sample in result.samples],
                "median_seconds": result.median("seconds"),
                "median_cpu_seconds": result.median("cpu_seconds"),
                "median_peak_kib": result.median("peak_kib"),
                "times_first": result.times(first, benchmark.measure),
                "first_times": first.times(result, benchmark.measure),
                "ratios": result.ratios(first, benchmark.measure),
            }
            for result in outcome.results
        ],
    }


def _processor() -> str | None:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _version(name: str) -> str | None:
    """Return the version of an installed package; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _end(result: Result, first: Result, unit: str) -> str:
    """Return what stands at the end of a bar: the median, and the median of the ratios to ours."""
    text = duration(result.each("seconds")) + (f" / {unit}" if unit else "")
    return text if result is first else f"{text} ({result.times(first, 'seconds'):.1f}x)"


def panels(outcomes: list[Outcome]) -> list[Panel]:
    """Return the panels of the picture: the benchmarks that are in it, a bar for each row."""
    found = []
    for outcome in outcomes:
        benchmark, results = outcome.benchmark, outcome.results
        if benchmark.chart:
            bars = [
                Bar(
                    result.name,
                    result.remark,
                    result.each("seconds"),
                    _end(result, results[0], benchmark.unit),
                    first=result is results[0],
                )
                for result in results
            ]
            found.append(Panel(benchmark.about[0].upper() + benchmark.about[1:], bars))
    return found
