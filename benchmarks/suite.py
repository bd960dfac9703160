"""What is measured: each benchmark by its name, as rows of programs on images, ours first.

The sizes are those that the numbers of README are for; the small ones only show that everything works. What takes
long or much room is run when it is asked for by name.
"""

import attrs

from benchmarks import build_suite, inputs, peers, registry_suite, room_suite, store_suite
from benchmarks.benchmark import Benchmark, on_each, probe, rows
from benchmarks.peers import OURS, Program


@attrs.frozen
class _Sizes:
    mixed: tuple[int, int]
    big_file_mib: int
    tiny_files: int
    deep_paths: tuple[int, int]
    hard_links: tuple[int, int]
    rewrites: tuple[int, int]
    growth: tuple[int, int, int]
    memory_mib: tuple[int, int, int]
    headers: int
    manifests: int


_FULL = _Sizes(
    (30_000, 4),
    512,
    100_000,
    (500, 40),
    (500, 100),
    (100, 50),
    (10_000, 100_000, 1_000_000),
    (10, 1024, 10_240),
    20_000,
    500,
)
_SMALL = _Sizes((1_000, 3), 4, 1_000, (10, 20), (20, 10), (10, 1), (500, 1_000, 2_000), (1, 16, 64), 1_000, 20)


def suite(*, small: bool = False) -> tuple[Benchmark, ...]:
    """Return every benchmark; small ones take a second each."""
    size = _SMALL if small else _FULL
    real = inputs.mixed(*size.mixed) if small else inputs.real_or_mixed(*size.mixed)
    stores = store_suite.stores(real, small=small)
    builds = build_suite.builds(real)
    registries = registry_suite.registries(real, small=small)
    own = (*_unpack(size, real), *_read(size, real), *_growth(size, real), *_memory(size))
    rooms = room_suite.rooms(real, small=small)
    return (*own, *stores, *builds, *registries, *rooms)


def _unpack(size: _Sizes, real: inputs.Input) -> tuple[Benchmark, ...]:
    every, some = peers.UNPACKERS, (OURS, peers.IGZIP_TAR, peers.BSDTAR, peers.UMOCI, peers.GNU_TAR, peers.TARFILE)
    layers = inputs.rewrites(*size.rewrites)
    return (
        _unpacked("unpack", real, every, mib=4096, chart=True),
        _unpacked("big-file", inputs.big_file(size.big_file_mib), some),
        _unpacked("tiny-files", inputs.tiny_files(size.tiny_files), some, chart=True),
        _unpacked("deep-paths", inputs.deep_paths(*size.deep_paths), some),
        _unpacked("hard-links", inputs.hard_links(*size.hard_links), some),
        # The others of `some` take as long as these together, and say nothing new.
        _unpacked("rewrites", layers, (OURS, peers.UMOCI, peers.IGZIP_TAR), chart=True),
    )


def _unpacked(
    name: str, image: inputs.Input, programs: tuple[Program, ...], *, mib: int = 1024, chart: bool = False
) -> Benchmark:
    return Benchmark(name, f"unpack {image.about}", rows(image, *programs), gzip=image.gzip, mib=mib, chart=chart)


def _read(size: _Sizes, real: inputs.Input) -> tuple[Benchmark, ...]:
    any_image = inputs.names(size.growth[0])
    once = 10
    bare = f"for i in {' '.join('x' * once)}; do {{python}} -c {{code}}; done"
    return (
        Benchmark(
            "ls",
            f"list all that is in {real.about}, merged and verified, beside inflating its layers alone",
            rows(real, peers.OUR_LIST, peers.IGZIP),
            gzip=real.gzip,
            chart=True,
        ),
        Benchmark(
            "headers",
            f"read the headers of {size.headers:,} small members of a tar archive in memory",
            rows(
                any_image,
                probe("oci_layers.read_tar", f"headers {size.headers}"),
                probe("Python's tarfile", f"headers-tarfile {size.headers}"),
            ),
            unit="entry",
            chart=True,
        ),
        Benchmark(
            "lint",
            f"read the entries of {real.about}, verified, without and with linting them",
            rows(
                real, probe("reading", "read {layout}", peers.BOTH), probe("and linting", "lint {layout}", peers.BOTH)
            ),
            gzip=real.gzip,
            unit="entry",
        ),
        Benchmark(
            "rules",
            f"judge {size.manifests} typical manifests",
            rows(
                any_image,
                probe("oci_layers.validate, every rule", f"rules {size.manifests}"),
                probe("jsonschema, our schema alone", f"rules-jsonschema {size.manifests}"),
                probe(
                    "jsonschema-rs, our schema alone", f"rules-jsonschema-rs {size.manifests}", module="jsonschema_rs"
                ),
            ),
            unit="manifest",
            chart=True,
        ),
        Benchmark(
            "import",
            f"start Python, {once} times",
            rows(
                any_image,
                Program("python -c pass", bare.replace("{code}", "pass"), loops=once),
                Program("python -c 'import oci_layers'", bare.replace("{code}", "'import oci_layers'"), loops=once),
            ),
            unit="start",
        ),
    )


def _growth(size: _Sizes, real: inputs.Input) -> tuple[Benchmark, ...]:
    small, large, huge = (inputs.names(count) for count in size.growth)
    merging, weighing = probe("tree", "tree {layout}", peers.BOTH), probe("tree", "tree-bytes {layout}", peers.BOTH)
    return (
        Benchmark(
            "growth",
            "merge images in memory, the larger beside the smaller",
            on_each(merging, small, large),
            unit="entry",
        ),
        Benchmark(
            "growth-1m",
            "the same, with a million entries",
            on_each(merging, small, large, huge),
            unit="entry",
            asked=True,
        ),
        Benchmark(
            "tree",
            "what the merged tree of an image occupies in memory",
            on_each(weighing, large, real),
            "bytes",
            unit="entry",
        ),
    )


def _memory(size: _Sizes) -> tuple[Benchmark, ...]:
    little, large, huge = size.memory_mib
    return tuple(
        Benchmark(
            name,
            f"the peak of memory while a layer is unpacked, of {more:,} MiB beside one of {little:,} MiB",
            on_each(OURS, inputs.zeros(little), inputs.zeros(more)),
            "peak_kib",
            gzip=inputs.zeros(more).gzip,
            mib=more,
            asked=name == "memory-10g",
        )
        for name, more in (("memory", large), ("memory-10g", huge))
    )


def choose(benchmarks: tuple[Benchmark, ...], names: list[str]) -> tuple[Benchmark, ...]:
    """Return the benchmarks of these names, or without names all that need not be asked for.

    Raises:
        LookupError: There is none of a name.
    """
    known = [benchmark.name for benchmark in benchmarks]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise LookupError(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(each for each in benchmarks if (each.name in names if names else not each.asked))
