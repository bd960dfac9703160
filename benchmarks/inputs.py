"""The images that are measured: a real one where it can be made, and made-up ones that each ask for one thing.

A made-up image is a function from numbers to layers of entries, the same each time; its name in the cache has the
numbers in it. Contents are slices of words and noise that compress 2 to 3 times, as real layers do. How they are
written is in `layout`.
"""

import functools
import io
import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

import oci_layers as oci
from benchmarks import debian
from benchmarks.layout import FAST, STORED, USUAL, Gzip, kept, write_layout
from oci_layers.build import NewLayer
from oci_layers.tar import DIRECTORY, HARDLINK, REGULAR, Entry, Pieces, write_tar

_RECIPE = 1
"""Counts up when what is made changes, so that nothing old is taken for it."""
_MIB = 1 << 20
_TIME = 1_700_000_000 * 10**9


@attrs.frozen
class Input:
    """An image that is made at the first call of `layout` and kept."""

    name: str
    about: str
    gzip: str
    make: Callable[[Path], None] = attrs.field(repr=False, eq=False)

    def layout(self) -> Path:
        """Return the layout; its image is called `b`."""
        return kept(self.name, self.make)


def real_or_mixed(files: int, layers: int) -> Input:
    """Return the Debian image, or made-up files where it cannot be made."""
    if debian.missing() is None:
        return Input(debian.NAME, "a Debian root of four layers", "gzip by umoci", debian.make)
    return mixed(files, layers)


def mixed(files: int, layers: int) -> Input:
    """Return files of the sizes that real ones have; each further layer rewrites some and removes some."""

    def every() -> Iterator[Iterable[Entry]]:
        dice = random.Random(files)
        for number in range(layers):
            yield _mixed(dice, files, files if number == 0 else files // 10, removes=number > 0)

    return _input(f"mixed-{files}-{layers}", f"{files:,} made-up files in {layers} layers", every)


def _mixed(dice: random.Random, names: int, count: int, *, removes: bool) -> Iterator[Entry]:
    entries: dict[str, Entry] = {}
    for _ in range(count):
        number = dice.randrange(names)
        directory = f"usr/d{number % 97}/d{number % 1009}/"
        entries[directory] = _directory(directory)
        if removes and number % 50 == 0:
            entries[f"{directory}f{number}"] = _file(f"{directory}.wh.f{number}", b"")
        else:
            entries[f"{directory}f{number}"] = _file(
                f"{directory}f{number}", _slice(dice, int(dice.lognormvariate(8, 2)) % (1 << 19))
            )
    return (entries[name] for name in sorted(entries))


def big_file(mib: int) -> Input:
    """Return one file in one layer."""

    def layer() -> Iterator[Entry]:
        dice = random.Random(mib)
        pieces = (_slice(dice, _MIB) for _ in range(mib))
        yield attrs.evolve(_file("big", b""), size=mib * _MIB, content=Pieces(pieces))

    return _input(f"big-file-{mib}", f"one file of {mib} MiB", lambda: [layer()])


def tiny_files(count: int) -> Input:
    """Return files of at most 1,000 bytes in directories of a hundred."""

    def layer() -> Iterator[Entry]:
        dice = random.Random(count)
        return _spread(_file(f"{directory}f{number}", _slice(dice, size)) for directory, number, size in rows(dice))

    def rows(dice: random.Random) -> Iterator[tuple[str, int, int]]:
        for number in range(count):
            yield f"srv/{number // 10_000}/{number // 100}/", number, dice.randrange(1_001)

    return _input(f"tiny-files-{count}", f"{count:,} files of at most 1,000 bytes in one layer", lambda: [layer()])


def names(count: int) -> Input:
    """Return empty files, so that there is nothing but entries: `count` of them, with the directories."""

    def layer() -> Iterator[Entry]:
        files = (_file(f"srv/{number // 10_000}/{number // 100}/f{number}", b"") for number in itertools.count())
        return itertools.islice(_spread(files), count)

    return _input(f"names-{count}", f"{count:,} entries in one layer", lambda: [layer()])


def _spread(files: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries with their parents before them, each once; files come sorted by directory."""
    made = ""
    for file in files:
        parent = file.name.decode().rpartition("/")[0]
        if parent != made:
            parts, before = parent.split("/"), made.split("/")
            same = sum(
                1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(parts, before, strict=False))
            )
            yield from (_directory("/".join(parts[:depth]) + "/") for depth in range(same + 1, len(parts) + 1))
            made = parent
        yield file


def deep_paths(chains: int, depth: int) -> Input:
    """Return directories within directories, a small file in each."""

    def layer() -> Iterator[Entry]:
        dice = random.Random(chains)
        for chain in range(chains):
            path = ""
            for level in range(depth):
                path += f"level-{level or chain}/"
                yield _directory(path)
                yield _file(f"{path}file", _slice(dice, 200))

    about = f"{chains:,} chains of {depth} directories within one another, a file in each"
    return _input(f"deep-paths-{chains}-{depth}", about, lambda: [layer()])


def hard_links(files: int, links: int) -> Input:
    """Return files that have many names each."""

    def layer() -> Iterator[Entry]:
        dice = random.Random(files)
        for number in range(files):
            directory = f"srv/{number}/"
            yield _directory(directory)
            first = _file(f"{directory}0", _slice(dice, 2_000))
            yield first
            for link in range(1, links + 1):
                yield attrs.evolve(
                    first,
                    name=f"{directory}{link}".encode(),
                    type=HARDLINK,
                    size=0,
                    linkname=first.name,
                    content=_EMPTY,
                )

    return _input(f"hard-links-{files}-{links}", f"{files:,} files with {links} hard links each", lambda: [layer()])


def rewrites(layers: int, mib: int) -> Input:
    """Return a tree that each layer writes anew: the same names, other contents."""
    files = mib * 40

    def every() -> Iterator[Iterable[Entry]]:
        for number in range(layers):
            yield layer(random.Random(number))

    def layer(dice: random.Random) -> Iterator[Entry]:
        sizes = random.Random(mib)
        for file in range(files):
            if file % 40 == 0:
                yield _directory(f"d{file // 40}/")
            # The exponential sizes of a real tree, the same in each layer, with a mean of a fortieth of a MiB.
            size = min(int(sizes.expovariate(40 / _MIB)), _MIB)
            yield _file(f"d{file // 40}/f{file}", _slice(dice, size))

    about = f"{layers} layers that each rewrite all of one tree of {mib} MB"
    return _input(f"rewrites-{layers}-{mib}", about, every, FAST)


def layered(files: int, layers: int) -> Input:
    """Return small files in directories of a hundred, of which each layer has its share in every directory."""

    def layer(number: int) -> Iterator[Entry]:
        dice = random.Random(number)
        return _spread(_file(f"srv/{each // 100}/f{each}", _slice(dice, 100)) for each in range(number, files, layers))

    about = f"{files:,} files in {layers} layer{'s' * (layers > 1)}"
    return _input(f"layered-{files}-{layers}", about, lambda: map(layer, range(layers)), FAST)


def and_one(image: Input) -> Input:
    """Return a layout of an image, called `b`, and of one, called `c`, that has a small layer more."""

    def make(layout: Path) -> None:
        shutil.copytree(image.layout() / "blobs", layout / "blobs", copy_function=os.link)
        for name in ("oci-layout", "index.json"):
            shutil.copy(image.layout() / name, layout / name)
        files = [_file(f"opt/{number}", str(number).encode()) for number in range(10)]
        tar = b"".join(write_tar([_directory("opt/"), *files]))
        with oci.Layout.open(layout) as target, oci.open_image(f"oci:{layout}:b") as opened:
            new = oci.edit(opened).append(NewLayer.from_tar(lambda: io.BytesIO(tar)))
            new.write(target, "c")

    return Input(f"{image.name}-and-one.{_RECIPE}", f"{image.about}, and a small one more", image.gzip, make)


def zeros(mib: int) -> Input:
    """Return one file of zeros, which compress to almost nothing."""
    return _input(f"zeros-{mib}", f"a layer of {mib:,} MiB", lambda: [_zeros(mib)], FAST)


def big_blob(mib: int) -> Input:
    """Return a layer that is not compressed, so that its blob is as large as it is."""
    return _input(f"big-blob-{mib}", f"a blob of {mib:,} MiB", lambda: [_zeros(mib)], STORED)


def _zeros(mib: int) -> Iterator[Entry]:
    piece = bytes(_MIB)
    yield attrs.evolve(_file("zeros", b""), size=mib * _MIB, content=Pieces(itertools.repeat(piece, mib)))


_EMPTY = Pieces()


def _input(name: str, about: str, layers: Callable[[], Iterable[Iterable[Entry]]], gzip: Gzip = USUAL) -> Input:
    return Input(f"{name}.{_RECIPE}", about, gzip.name, lambda layout: write_layout(layout, layers(), gzip))


def _directory(name: str) -> Entry:
    return Entry(name.encode(), DIRECTORY, mode=0o755, mtime_ns=_TIME)


def _file(name: str, data: bytes) -> Entry:
    content = Pieces([data]) if data else _EMPTY
    return Entry(name.encode(), REGULAR, mode=0o644, mtime_ns=_TIME, size=len(data), content=content)


def _slice(dice: random.Random, size: int) -> bytes:
    """Return made-up content of at most 1 MiB."""
    text = _text()
    start = dice.randrange(len(text) - size)
    return text[start : start + size]


@functools.cache
def _text() -> bytes:
    """Return 8 MiB of words, the first ones of them the most frequent, with some noise in between."""
    dice = random.Random(0)
    letters = b"abcdefghijklmnopqrstuvwxyz_ABC0123456789"
    words = [bytes(dice.choices(letters, k=dice.randint(2, 11))) for _ in range(6_000)]
    weights = [1 / (rank + 5) for rank in range(len(words))]
    text = bytearray()
    while len(text) < 8 * _MIB:
        text += b" ".join(dice.choices(words, weights, k=700)) + dice.randbytes(400)
    return bytes(text)
