"""What is measured of trees and layers that are made: packing, comparing, forking, squashing, exporting.

All are run on one image; the peak of memory of each is in its column. What a program needs beside the image, such as
the directory that it packs, is made before, unmeasured.
"""

from benchmarks import peers
from benchmarks.benchmark import Benchmark, probe, rows
from benchmarks.inputs import Input
from benchmarks.peers import Program

_MIB = 4096


def builds(real: Input) -> tuple[Benchmark, ...]:
    """Return the benchmarks; `real` is the image that all is made of."""
    return (
        Benchmark(
            "pack",
            f"make a gzip layer of the root of {real.about}",
            rows(real, *peers.PACKERS),
            gzip=real.gzip,
            mib=_MIB,
        ),
        _diff(real),
        *_in_memory(real),
        Benchmark(
            "squash",
            f"squash {real.about}, beside unpacking it",
            rows(real, *peers.SQUASHERS),
            gzip=real.gzip,
            mib=_MIB,
        ),
        Benchmark(
            "export",
            f"write {real.about} as one tar, beside listing it and writing as much",
            rows(real, *peers.EXPORTERS),
            gzip=real.gzip,
            mib=_MIB,
        ),
    )


def _diff(real: Input) -> Benchmark:
    return Benchmark(
        "diff",
        f"find the one file that differs in two roots of {real.about}",
        rows(
            real,
            *(_compared(f'diff, content="{content}"', f"diff {content}") for content in ("auto", "never")),
            *(_compared(f'scan both, diff, "{content}"', f"scan-diff {content}") for content in ("auto", "never")),
            peers.UMOCI_REPACK,
        ),
        gzip=real.gzip,
        mib=_MIB,
    )


def _compared(name: str, arguments: str) -> Program:
    return Program(name, f"{{probe}} {arguments} {{scratch}}/root {{scratch}}/new", prepare=peers.TWO_ROOTS)


def _in_memory(real: Input) -> tuple[Benchmark, ...]:
    return (
        Benchmark(
            "diff-shared",
            f"compare the tree of {real.about} with a fork that differs in one directory",
            rows(real, probe("diff", "diff-shared {layout}", peers.BOTH)),
            unit="diff",
        ),
        Benchmark(
            "fork",
            f"fork the tree of {real.about}, and make one file in the fork",
            rows(
                real,
                probe("in a directory in the middle", "fork median {layout}", peers.BOTH),
                probe("in the largest directory", "fork largest {layout}", peers.BOTH),
            ),
            unit="fork",
        ),
    )
