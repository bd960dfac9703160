"""`python -m benchmarks [--small] [--rounds N] [--json FILE] [NAME...]`."""

import argparse
import json
import platform
import sys
from pathlib import Path

from benchmarks.inputs import images
from benchmarks.measure import Result, compare, ram_disk
from benchmarks.peers import PEERS, layer_files


def main() -> int:
    """Measure, print a table for each image, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help="only the images of these names")
    parser.add_argument("--small", action="store_true", help="a small image only, to see that it works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"), metavar="FILE")
    options = parser.parse_args()
    place = ram_disk() or Path.cwd() / "build"
    place.mkdir(parents=True, exist_ok=True)
    peers = [peer for peer in PEERS if not peer.missing()]
    for peer in PEERS:
        for name in peer.missing():
            print(f"left out: {peer.name}: {name} is not installed", file=sys.stderr)
    measured: dict[str, object] = {}
    for name, layout in images(small=options.small).items():
        if options.names and name not in options.names:
            continue
        results = compare(layout, peers, options.rounds, place)
        size = sum(layer.stat().st_size for layer in layer_files(layout))
        print(f"\n{name}: {len(layer_files(layout))} layers, {size / 1e6:.0f} MB compressed, unpacked to {place}\n")
        _print(results)
        measured[name] = {"bytes": size, "peers": [_json(result, results[0]) for result in results]}
    record = {"python": platform.python_version(), "machine": platform.machine(), "images": measured}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=2) + "\n")
    print(f"\nwritten to {options.json}")
    return 0


def _print(results: list[Result]) -> None:
    print(f"{'program':<32}{'verifies':<24}{'seconds':>8}{'CPU s':>8}{'peak MiB':>10}{'times ours':>12}")
    for result in results:
        print(
            f"{result.peer.name:<32}{result.peer.checks:<24}{result.median('seconds'):>8.2f}"
            f"{result.median('cpu_seconds'):>8.2f}{result.median('peak_kib') / 1024:>10.0f}"
            f"{result.median('seconds') / results[0].median('seconds'):>12.2f}"
        )


def _json(result: Result, ours: Result) -> dict[str, object]:
    return {
        "name": result.peer.name,
        "verifies": result.peer.checks,
        "seconds": [run.seconds for run in result.runs],
        "median_seconds": result.median("seconds"),
        "median_cpu_seconds": result.median("cpu_seconds"),
        "median_peak_kib": result.median("peak_kib"),
        "times_ours": result.median("seconds") / ours.median("seconds"),
    }


if __name__ == "__main__":
    sys.exit(main())
