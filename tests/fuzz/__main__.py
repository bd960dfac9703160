"""`python -m tests.fuzz TARGET...|all [--seconds N] [--corpus DIR]`: fuzz, and report what was done and found.

Needs atheris, which has wheels for Linux: `pip install --group fuzz`. Each target runs for so many seconds, in a
process of its own, from the seeds of its strategies and what the corpus has from earlier runs. Inputs that fail are
printed as short as they can be made quickly, ready for `rows`; with `--corpus`, they are kept there too. The exit code
is 1 if there are any, 2 if atheris is not installed.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

_ROW = "{:<15} {:>10} {:>8} {:>6} {:>8} {:>7} {:>5} {:>9}"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the readers of untrusted bytes.")
    parser.add_argument("target", nargs="+", metavar="TARGET", help="the name of one, or `all`")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each target (default: 60)")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="keeps inputs from one run to the next")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install --group fuzz", file=sys.stderr)
        return 2
    from tests.fuzz.campaign import fuzz, targets

    known = targets()
    names = list(known) if "all" in options.target else options.target
    if unknown := set(names) - set(known):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    results = []
    print(_ROW.format("target", "executions", "a second", "edges", "features", "inputs", "MiB", "findings"), flush=True)
    with tempfile.TemporaryDirectory(prefix="oci-layers-fuzz-") as temporary:
        for name in names:
            result = fuzz(known[name], options.seconds, (options.corpus or Path(temporary)) / name)
            results.append(result)
            rate = round(result.executions / max(result.seconds, 1))
            counts = result.executions, rate, result.edges, result.features, result.inputs, result.peak
            print(_ROW.format(name, *counts, len(result.findings)), flush=True)
    total = sum(len(each.findings) for each in results)
    print(f"{sum(each.executions for each in results)} executions, {total} findings")
    for result in results:
        for name, data, report in result.findings:
            print(f"\n{result.name}: {name}\n    Row({result.name!r}, {data!r}),\n{report}")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
