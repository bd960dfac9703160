"""Law: memory does not grow with the bytes of a layer, and little with its entries; whatever the entries say.

The layers are made as they are read, and so never held by the test either.
"""

import contextlib
import time
import tracemalloc
import zlib

import pytest

from oci_layers.blob import decompressed
from oci_layers.blob.stream import drain
from oci_layers.errors import LimitError
from oci_layers.image import entries as prefetched
from oci_layers.image.entries import EntryPrefetcher
from oci_layers.layer import apply, decode
from oci_layers.limits import Limits
from oci_layers.tar import read_tar
from oci_layers.tree import FileTree
from tests.support import blocks
from tests.support.examples import examples
from tests.support.layers import f, ln, opq, sym, tar, wh
from tests.tar import test_sparse

MIB = 1 << 20


class Made:
    """A stream of whatever an iterator makes."""

    def __init__(self, parts):
        self.parts = iter(parts)
        self.rest = b""

    def read(self, size):
        while len(self.rest) < size and (part := next(self.parts, b"")):
            self.rest += part
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def close(self):
        pass


class NoContents:
    """A source that nothing is ever read from."""

    def read_at(self, offset, size):
        raise AssertionError


def headers(count):
    """Empty files, a thousand to a directory."""
    for number in range(count):
        yield blocks.header(b"d%04d/file%07d" % (number // 1000, number))


def peak(work):
    """The most memory in use at once, above what was."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def count(parts, **limits):
    return sum(1 for _ in read_tar(Made(parts), limits=Limits(**limits)))


def test_reading_entries_holds_one_at_a_time():
    assert peak(lambda: count(headers(5000))) < 8 * MIB


def test_a_content_is_not_held():
    parts = [blocks.header(size=200 * MIB), *[bytes(MIB)] * 200]
    assert peak(lambda: count(parts)) < 8 * MIB


def merged_count(number):
    tree = FileTree()
    apply(decode(read_tar(Made(headers(number))), source=NoContents()), tree)
    return len(tree)


@pytest.mark.parametrize("number", [10_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_a_merged_entry_takes_less_than_a_kilobyte(number):
    assert peak(lambda: merged_count(number)) < 1000 * number + 8 * MIB


def test_whiteouts_take_no_more_than_entries():
    parts = [tar(wh(f"d{n}/x"))[:512] for n in range(4000)]
    tree = FileTree()
    assert peak(lambda: apply(decode(read_tar(Made(parts))), tree)) < 16 * MIB


@pytest.mark.parametrize("make", [lambda n: ln(f"h{n}", "a"), lambda n: sym(f"s{n}", "x" * 90), lambda n: opq("d")])
def test_links_and_markers_take_little(make):
    layer = tar(f("a", "x"), f("d/x"), *(make(n) for n in range(3000)))
    tree = FileTree()
    assert peak(lambda: apply(decode(read_tar(Made([layer]))), tree)) < 12 * MIB


def deep(number):
    """A path of 256 components of its own, almost as long as may be."""
    return "/".join([f"{number:04}xxxxxxxxxxx"] * 256)[:4095]


@pytest.mark.parametrize(
    "entries",
    [lambda n: [f(deep(n))], lambda n: [f(deep(n)), ln(f"h{n}", deep(n))], lambda n: [f(deep(n)), opq()]],
    ids=["files", "links to them", "and markers over all"],
)
def test_directories_that_a_long_path_implies_take_little_each(entries):
    layer = tar(*(entry for number in range(40) for entry in entries(number)))
    tree = FileTree()
    assert peak(lambda: apply(decode(read_tar(Made([layer]))), tree)) < 40 * 256 * 1200 + 4 * MIB


@pytest.mark.parametrize(
    "head",
    [
        blocks.header(type=b"x", size=blocks.base256(8 << 30, 12)),
        blocks.header(type=b"L", size=blocks.base256(8 << 30, 12)),
        blocks.header(type=b"K", size=blocks.base256(1 << 40, 12)),
        blocks.header(type=b"g", size=blocks.base256(1 << 62, 12)),
    ],
    ids=["x", "L", "K", "g"],
)
def test_an_extension_of_gigabytes_is_refused_before_it_is_read(head):
    def work():
        with pytest.raises(LimitError) as caught:
            count([head, *[bytes(MIB)] * 50])
        assert caught.value.limit == "header_bytes"

    assert peak(work) < 4 * MIB


def test_a_sparse_map_of_millions_is_refused():
    records = (b"GNU.sparse.map", b"0,1"), (b"GNU.sparse.numblocks", b"99999999"), (b"GNU.sparse.size", b"1")
    with pytest.raises(LimitError) as caught:
        count([blocks.extended(*records) + blocks.header()])
    assert (caught.value.limit, caught.value.seen) == ("sparse_pieces", 99_999_999)


@pytest.mark.parametrize(("allowed", "passes"), [(99, False), (100, True), (101, True)])
def test_entries_are_limited(allowed, passes):
    if passes:
        assert count(headers(100), entries=allowed) == 100
    else:
        with pytest.raises(LimitError) as caught:
            count(headers(100), entries=allowed)
        assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("entries", 99, 100)


def steps(number):
    """Every second byte is there."""
    return [(2 * step, 1) for step in range(number)]


def extension_blocks(number):
    pieces, data = steps(number), b"x" * number
    more = [pieces[start : start + 21] for start in range(4, number, 21)]
    return test_sparse.old_gnu(pieces[:4], 2 * number, data, more=more)


def records(keyword, value, number):
    return blocks.extended(*((keyword % step, value) for step in range(number))) + blocks.header()


GENEROUS = {"header_bytes": 1 << 26, "sparse_pieces": 1 << 20, "xattr_bytes": 1 << 26}
ONE_ENTRY = {
    "records": lambda number: records(b"k%d", b"1", number),
    "one keyword": lambda number: blocks.extended(*[(b"k", b"1")] * number) + blocks.header(),
    "attributes": lambda number: records(b"SCHILY.xattr.user.%d", b"1", number),
    "escaped attributes": lambda number: records(b"LIBARCHIVE.xattr.user.%%41%d", b"AAAA", number),
    "escapes": lambda number: blocks.extended((b"LIBARCHIVE.xattr." + b"%41" * number, b"")) + blocks.header(),
    "a path": lambda number: blocks.longname(b"a/" * number) + blocks.header(),
    "a target": lambda number: blocks.longname(b"a/" * number, b"K") + blocks.header(type=b"2"),
    "sparse 0.0": lambda number: test_sparse.pax_00(steps(number), 2 * number, b"x" * number),
    "sparse 0.1": lambda number: test_sparse.pax_01(steps(number), 2 * number, b"x" * number),
    "sparse 1.0": lambda number: test_sparse.pax_10(steps(number), 2 * number, b"x" * number),
    "sparse, old": extension_blocks,
}


@pytest.mark.parametrize("make", ONE_ENTRY.values(), ids=ONE_ENTRY)
def test_what_one_entry_takes_grows_with_its_bytes_alone(make):
    number = examples(dev=2500, ci=5000)
    few, many = make(number), make(2 * number)
    least, most = (peak(lambda data=data: count([data], **GENEROUS)) for data in (few, many))
    assert most < 2.5 * least + MIB // 2
    assert most < 20 * len(many) + MIB


MANY_ENTRIES = {
    "owners and times": lambda step: blocks.header(uid=step, gid=step, mtime=step),
    "names of users": lambda step: blocks.header(uname=b"%d" % step, gname=b"%d" % step),
    "paths": lambda step: blocks.longname(b"%d/" % step * 300) + blocks.header(),
    "a chain of headers": lambda step: blocks.longname(b"%d" % step) * 15 + blocks.header(),
    "attributes": lambda step: records(b"SCHILY.xattr.user.%d", b"%d" % step, 20),
    "global headers": lambda step: blocks.extended((b"k%d" % step, b"1" * 900), flag=b"g"),
    "pieces": lambda step: test_sparse.pax_01(steps(50), 100 + step, b"x" * 50),
    "sizes without content": lambda step: blocks.header(type=b"5", size=step + 1),
}


@pytest.mark.parametrize("make", MANY_ENTRIES.values(), ids=MANY_ENTRIES)
def test_entries_that_all_differ_take_no_more_than_the_caches(make):
    number = examples(dev=1200, ci=2000)
    assert peak(lambda: count(make(step) for step in range(number))) < 7 * MIB


class Unchecked(Made):
    """Plain bytes with nothing to check."""

    blob_bytes = 0

    def check_blob(self):
        raise AssertionError


HEAVY = {
    "values": blocks.extended((b"SCHILY.xattr.user.a", b"v" * 65_000)) + blocks.header(),
    "values in base64": blocks.extended((b"LIBARCHIVE.xattr.user.a", b"AAAA" * 16_000)) + blocks.header(),
    "names": records(b"SCHILY.xattr.user.%d", b"1", 4500),
    "records": records(b"k%d", b"1", 4500),
    "pieces": extension_blocks(4500),
}


@pytest.mark.parametrize("entry", HEAVY.values(), ids=HEAVY)
def test_entries_that_wait_to_be_merged_take_what_the_queue_may(monkeypatch, entry):
    """10,000 of each are there to be read; the first are not even taken."""
    monkeypatch.setattr(prefetched, "_CAPACITY", 8 * MIB)
    made = 0

    def parts():
        nonlocal made
        for _ in range(10_000):
            made += 1
            yield entry

    def work():
        with contextlib.closing(EntryPrefetcher(Unchecked(parts()), Limits())):
            before = -1
            while made != before or made < 2:
                before = made
                time.sleep(0.2)

    assert peak(work) < 8 * MIB + 6 * MIB
    assert made < 1000


def test_a_bomb_is_stopped_in_little_memory():
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeeze.compress(bytes(MIB)) for _ in range(64)) + squeeze.flush()

    def work():
        stream = decompressed(Made([bomb]), "gzip", Limits(plain_bytes=32 * MIB))
        with pytest.raises(LimitError):
            drain(stream)

    assert peak(work) < 8 * MIB
