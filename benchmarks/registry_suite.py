"""What is measured of registries: Debian's docker-registry on the loopback, filled or empty, near or far."""

import attrs

from benchmarks import inputs, peers, registry_peers
from benchmarks.benchmark import Benchmark, on_each, rows
from benchmarks.inputs import Input
from benchmarks.registry_server import shaped

_DELAY, _RATE = 0.05, 20e6


@attrs.frozen
class _Sizes:
    memory_mib: tuple[int, int]


_FULL = _Sizes((10, 1024))
_SMALL = _Sizes((1, 16))


def registries(real: Input, *, small: bool) -> tuple[Benchmark, ...]:
    """Return the benchmarks; `real` is the image that is in the registry."""
    little, large = (_SMALL if small else _FULL).memory_mib
    about = real.about
    far = registry_peers.through(shaped(_DELAY, _RATE), *registry_peers.PULLERS)
    return (
        Benchmark(
            "pull", f"copy {about} from a registry to a layout", rows(real, *registry_peers.PULLERS), gzip=real.gzip
        ),
        Benchmark(
            "pull-unpack",
            f"unpack {about} out of a registry, beside doing so from a layout",
            rows(real, *registry_peers.REMOTE_UNPACKERS, attrs.evolve(peers.OURS, name="oci-layers unpack oci:")),
            gzip=real.gzip,
            mib=4096,
        ),
        Benchmark(
            "push",
            f"copy {about} from a layout to a registry that has nothing",
            rows(real, *registry_peers.PUSHERS),
            gzip=real.gzip,
        ),
        Benchmark(
            "pull-far",
            f"copy {about} from a registry to a layout; a round trip takes {1e3 * _DELAY:.0f} ms, and a connection "
            f"carries {_RATE / 1e6:.0f} MB/s",
            rows(real, *far),
            gzip=real.gzip,
        ),
        Benchmark(
            "cat-remote",
            f"read three files of {about} in a registry",
            rows(real, *registry_peers.CATS),
            gzip=real.gzip,
        ),
        Benchmark(
            "memory-pull",
            f"the peak of memory while a blob is pulled, of {large:,} MiB beside one of {little:,} MiB",
            on_each(registry_peers.PULL, inputs.big_blob(little), inputs.big_blob(large)),
            "peak_kib",
            gzip=inputs.big_blob(large).gzip,
            mib=large + 256,
        ),
    )
