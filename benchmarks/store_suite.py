"""What is measured of places that hold images: copies, small blobs, checks, garbage collection, archives, memory."""

from typing import Literal, get_args

import attrs

from benchmarks import inputs, peers
from benchmarks.benchmark import Benchmark, on_each, probe, rows
from benchmarks.inputs import Input

_Fsync = Literal["always", "commit", "never"]
_LOOPS: dict[_Fsync, str] = {
    "always": "a loop, each file and name synced",
    "commit": "a loop, each file synced",
    "never": "a loop",
}


@attrs.frozen
class _Sizes:
    blobs: int
    checked: tuple[int, int]
    images: int
    archive_mib: int
    memory_mib: tuple[int, int]


_FULL = _Sizes(10_000, (24, 50), 10_000, 1024, (10, 1024))
_SMALL = _Sizes(100, (10, 1), 10, 8, (1, 16))


def stores(real: Input, *, small: bool) -> tuple[Benchmark, ...]:
    """Return the benchmarks; `real` is the image that is copied."""
    size = _SMALL if small else _FULL
    # The probes that make what they need are given an image because every program is.
    any_image = inputs.names(500)
    return (
        *_copy(real, size),
        *_small_blobs(any_image, size.blobs),
        _fsck(inputs.rewrites(*size.checked)),
        _gc(any_image, size.images),
        _archive_blob(any_image, size.archive_mib),
    )


def _copy(real: Input, size: _Sizes) -> tuple[Benchmark, ...]:
    little, large = size.memory_mib
    return (
        Benchmark("copy", f"copy {real.about} from layout to layout", rows(real, *peers.COPIERS), gzip=real.gzip),
        Benchmark(
            "copy-again",
            "the same once more, when nothing is missing: ours within the process, skopeo as a process of its own",
            rows(
                real,
                probe("oci_layers copy", "copy-again {layout} {dest}"),
                attrs.evolve(
                    probe("skopeo copy", "copy-again-skopeo {layout} {dest}"), commands=peers.SKOPEO_COPY.commands
                ),
            ),
            gzip=real.gzip,
            unit="copy",
        ),
        Benchmark(
            "memory-copy",
            f"the peak of memory while a blob is copied, of {large:,} MiB beside one of {little:,} MiB",
            on_each(peers.COPY, inputs.big_blob(little), inputs.big_blob(large)),
            "peak_kib",
            gzip=inputs.big_blob(large).gzip,
            mib=large + 256,
        ),
    )


def _small_blobs(image: Input, count: int) -> tuple[Benchmark, ...]:
    return tuple(
        Benchmark(
            f"blobs-{fsync}{'-disk' * on_disk}",
            f'store {count:,} blobs of 1,000 bytes with fsync="{fsync}"{", on a disk" * on_disk}',
            rows(
                image,
                probe(f'oci_layers, fsync="{fsync}"', f"blobs {fsync} {count} {{dest}}"),
                probe(_LOOPS[fsync], f"blobs-loop {fsync} {count} {{dest}}"),
            ),
            unit="blob",
            on_disk=on_disk,
            asked=on_disk,
        )
        for on_disk in (False, True)
        for fsync in get_args(_Fsync)
    )


def _fsck(image: Input) -> Benchmark:
    about = f"check every blob of {image.about}, in two threads"
    return Benchmark("fsck", about, rows(image, *peers.CHECKERS), gzip=image.gzip)


def _gc(image: Input, images: int) -> Benchmark:
    return Benchmark(
        "gc",
        f"collect {10 * images:,} blobs, of which {3 * images + 1:,} are in use",
        rows(
            image,
            *(
                probe(name, f"make-store {images} {{dest}} > /dev/null; {{probe}} {work} {images} {{dest}}")
                for name, work in (("oci_layers gc", "gc"), ("the shortest mark and sweep", "gc-loop"))
            ),
        ),
        unit="blob",
    )


def _archive_blob(image: Input, mib: int) -> Benchmark:
    return Benchmark(
        "archive-blob",
        f"read one blob of 1 MiB, verified, from an oci-archive of {mib:,} MiB",
        rows(
            image,
            probe("oci_layers", f"archive-blob {mib} {{scratch}}/archive", ("blob digests",)),
            probe("Python's tarfile", f"archive-blob-tarfile {mib} {{scratch}}/archive", ("blob digests",)),
        ),
        unit="read",
    )
