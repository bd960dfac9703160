"""`python -m benchmarks [--list] [--small] [--rounds N] [--json FILE] [--svg FILE] [NAME...]`."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.benchmark import Benchmark
from benchmarks.measure import MEMORY, FailedError, compare, compile_package, place_of
from benchmarks.report import Outcome, heading, panels, record, section
from benchmarks.suite import choose, suite
from benchmarks.svg import chart

_TITLE = "Shorter is faster: oci_layers and its peers"


def main(arguments: list[str]) -> int:
    """Measure what is asked for; print one table, write JSON and a picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this library beside its peers.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these benchmarks; see --list")
    parser.add_argument("--list", action="store_true", help="say what there is, and measure nothing")
    parser.add_argument("--small", action="store_true", help="small inputs, to see that everything works")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is run; by default 5, small ones 1")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"), metavar="FILE")
    parser.add_argument("--svg", type=Path, default=Path("build/benchmarks.svg"), metavar="FILE")
    options = parser.parse_args(arguments)
    every = suite(small=options.small)
    if options.list:
        print(listing(every))
        return 0
    rounds = (1 if options.small else 5) if options.rounds is None else options.rounds
    if rounds < 1:
        parser.error("--rounds must be at least 1")
    try:
        chosen = choose(every, options.names)
    except LookupError as error:
        parser.error(str(error))
    outcomes: list[Outcome] = []
    code = 0
    try:
        outcomes.extend(measured(chosen, rounds))
    except KeyboardInterrupt:
        print("benchmarks: interrupted; what was measured is kept", file=sys.stderr)
        code = 130
    except FailedError as error:
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return 1
    _write(options.json, json.dumps(record(outcomes, rounds=rounds, small=options.small), indent=2) + "\n")
    shown = panels(outcomes)
    if shown:
        _write(options.svg, chart(_TITLE, shown))
    return code


def listing(benchmarks: tuple[Benchmark, ...]) -> str:
    """Return the names of the benchmarks, and what each is."""
    return "\n".join(
        f"{each.name:<20}{each.about}{' (only when asked for)' if each.asked else ''}" for each in benchmarks
    )


def measured(benchmarks: tuple[Benchmark, ...], rounds: int) -> Iterator[Outcome]:
    """Run the benchmarks, print and yield each as it is done, and name what is left out, once."""
    named: set[str] = set()
    compile_package()
    print(heading())
    for benchmark in benchmarks:
        place = place_of(benchmark.mib, on_disk=benchmark.on_disk)
        missing = benchmark.rows[0].program.missing()
        if place is None or missing:
            print(f"\n{benchmark.name}: left out: {missing or 'the checkout is on a RAM disk'}", flush=True)
            continue
        results, left_out = compare(benchmark.rows, rounds, place)
        outcome = Outcome(benchmark, results, left_out, in_memory=place == MEMORY)
        print(section(outcome), flush=True)
        for line in left_out:
            if line not in named:
                print(f"  left out: {line}", flush=True)
                named.add(line)
        yield outcome


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    print(f"written to {file}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
