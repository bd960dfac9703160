"""What is measured of rooms of unpacked layers: unpacking, sharing, containers, walks, copies and upkeep.

All of it mounts, for which it must be root. A walk is the first one of a mount; the files below it were written just
before, and are in memory. Figures of a plain directory, of the mount alone and of a copy are what the kernel takes.
"""

import attrs

from benchmarks import inputs, room_peers
from benchmarks.benchmark import Benchmark, rows
from benchmarks.inputs import Input
from benchmarks.measure import Result, Row

_MIB = 4096
_VFS_MIB = 8192


@attrs.frozen
class _Sizes:
    stack: tuple[int, int]
    opened: int
    at_once: int
    walked: tuple[int, tuple[int, ...]]
    copied_mib: int


_FULL = _Sizes((2_000, 20), 100, 1_000, (20_000, (1, 5, 20, 100)), 256)
_SMALL = _Sizes((100, 5), 3, 20, (200, (1, 3)), 2)


def rooms(real: Input, *, small: bool) -> tuple[Benchmark, ...]:
    """Return the benchmarks; `real` is the image that is unpacked."""
    size = _SMALL if small else _FULL
    return (
        *_unpacked(real),
        _second(real),
        *_containers(inputs.layered(*size.stack), size),
        *_writable(real),
        *_walks(*size.walked),
        *_copies(inputs.big_file(size.copied_mib)),
        *_upkeep(real),
    )


def _unpacked(real: Input) -> tuple[Benchmark, ...]:
    return tuple(
        Benchmark(
            f"room-unpack{'-disk' * on_disk}",
            f"unpack {real.about} to an empty room{', on a disk' * on_disk}, beside unpacking it as a whole",
            rows(real, *room_peers.ROOMS),
            gzip=real.gzip,
            mib=_MIB,
            on_disk=on_disk,
            asked=on_disk,
            saying=_beside_unpack,
        )
        for on_disk in (False, True)
    )


def _beside_unpack(results: list[Result]) -> str:
    """Return how many times as long a room takes as a directory, without and with everything synced."""
    room, room_synced, whole, whole_synced = results[:4]
    plain, synced = room.times(whole, "seconds"), room_synced.times(whole_synced, "seconds")
    return f"a room takes {plain:.2f} times as long as a directory, {synced:.2f} times when both are synced"


def _second(real: Input) -> Benchmark:
    return Benchmark(
        "room-second",
        f"unpack {real.about} with a small layer more, when the image without that is there",
        rows(inputs.and_one(real), *room_peers.SECOND),
        unit="image",
        mib=_MIB,
        saying=_bytes,
    )


def _bytes(results: list[Result]) -> str:
    """Return what each row leaves on the disk."""
    return "; ".join(f"{each.name}: {each.median('bytes') / 1e6:,.2f} MB" for each in results)


def _containers(image: Input, size: _Sizes) -> tuple[Benchmark, ...]:
    return (
        Benchmark(
            "container-open",
            f"open and close {size.opened} containers over {image.about}, one after another",
            rows(image, *room_peers.open_containers(size.opened)),
            unit="container",
        ),
        Benchmark(
            "containers",
            f"have {size.at_once:,} containers over {image.about} open at the same time",
            rows(image, room_peers.open_at_once(size.at_once)),
            unit="container",
            saying=lambda results: f"{results[0].median('bytes'):.0f} bytes are copied",
        ),
    )


def _writable(real: Input) -> tuple[Benchmark, ...]:
    return (
        Benchmark(
            "writable-root",
            f"get a writable root of {real.about}, and write to it",
            rows(real, *room_peers.WRITABLE),
            gzip=real.gzip,
            unit="root",
            mib=_VFS_MIB,
        ),
        Benchmark(
            "writable-root-again",
            f"get another one of {real.about}, where the program keeps what it unpacked",
            rows(real, *room_peers.WRITABLE_AGAIN),
            gzip=real.gzip,
            unit="root",
            mib=_VFS_MIB,
        ),
    )


def _walks(files: int, layers: tuple[int, ...]) -> tuple[Benchmark, ...]:
    images = {count: inputs.layered(files, count) for count in layers}
    found = []
    for name, way, about in (
        ("overlay-walk", "first", "walk views of an image for the first time"),
        ("overlay-walk-again", "again", "walk the same views again"),
    ):
        view, plain = room_peers.walked(way)
        every = [Row(view, image.layout, f"a view, layers: {count}") for count, image in images.items()]
        beside = Row(plain, images[layers[0]].layout, "a plain directory")
        found.append(
            Benchmark(name, f"{about} of {files:,} files, beside a plain directory", (beside, *every), unit="name")
        )
    return tuple(found)


def _copies(image: Input) -> tuple[Benchmark, ...]:
    return tuple(
        Benchmark(
            f"copy-up{'-disk' * on_disk}",
            f"have {image.about} copied to a container{', on a disk' * on_disk}",
            rows(image, *room_peers.COPY_UPS),
            unit="copy",
            on_disk=on_disk,
            asked=on_disk,
            saying=_bytes,
        )
        for on_disk in (False, True)
    )


def _upkeep(real: Input) -> tuple[Benchmark, ...]:
    return (
        Benchmark("room-du", f"count what a room of {real.about} takes", rows(real, *room_peers.DU), mib=_MIB),
        Benchmark("room-fsck", f"check every file of a room of {real.about}", rows(real, *room_peers.FSCK), mib=_MIB),
    )
