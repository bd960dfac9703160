"""The merged root as one tar: it makes the tree again, for us and for others, and is always the same bytes."""

import io
import os
import stat
import tempfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers import Limits, Policy, open_image
from oci_layers.errors import DigestMismatchError, LimitError, TarFormatError
from oci_layers.tar import read_tar
from oci_layers.tree import dump
from tests.support.layers import MTIME, Built, block, char, d, f, fifo, image, ln, sym, tar, wh
from tests.support.listing import listing
from tests.support.peers import run
from tests.support.stacks import stacks
from tests.support.trees import flattened, merged

LENIENT = Policy.preset("lenient")
SECOND = 10**9
OLD = 1_700_000_000 * SECOND
LAYERS = (
    tar(
        d("etc/", mode=0o750, uid=1, gid=2, mtime_ns=OLD),
        f("etc/gone", "never seen"),
        f("etc/motd", "hi", mode=0o4755, uid=3, gid=4, mtime_ns=OLD),
        f("z", "z" * 70_000, mtime_ns=MTIME),
        ln("a", "z"),
    ),
    tar(
        wh("etc/gone"),
        f("etc/empty", mtime_ns=OLD),
        sym("etc/link", "motd", mtime_ns=OLD),
        f("b" * 200, "long", xattrs={b"user.note": b"v"}, mtime_ns=OLD),
        f("caf\u00e9", "1", mtime_ns=OLD, uid=3_000_000),
        f("bad\udce9", "2", mtime_ns=OLD),
        ln("m", "caf\u00e9"),
        char("null", 1, 3, mode=0o666, mtime_ns=OLD),
        block("disk", 8, 1, mtime_ns=OLD),
        fifo("pipe", mtime_ns=OLD),
    ),
)


def exported(name, *, order="path", policy=None, **options):
    """The bytes of the archive of an image."""
    stream = io.BytesIO()
    with open_image(name, **options) as opened:
        opened.export(stream, order=order, policy=policy)
    return stream.getvalue()


def names(raw):
    return [entry.name for entry in read_tar(io.BytesIO(raw))]


@pytest.fixture
def name(tmp_path):
    return image(tmp_path / "image", *LAYERS)


def test_names_are_those_of_docker_export_in_the_order_of_paths(name):
    entries = {entry.name: entry for entry in read_tar(io.BytesIO(exported(name)))}
    assert list(entries) == [
        b"a",
        b"bad\xe9",
        b"b" * 200,
        "caf\u00e9".encode(),
        b"disk",
        b"etc/",
        b"etc/empty",
        b"etc/link",
        b"etc/motd",
        b"m",
        b"null",
        b"pipe",
        b"z",
    ]
    assert {entry.linkname for entry in entries.values()} == {b"", b"a", b"motd", "caf\u00e9".encode()}
    assert (entries[b"a"].size, entries[b"z"].linkname, entries[b"a"].mtime_ns) == (70_000, b"a", MTIME)
    assert {entry.uname + entry.gname for entry in entries.values()} == {b""}
    assert [each for each, entry in entries.items() if entry.pax] == [
        b"a",
        b"bad\xe9",
        b"b" * 200,
        "caf\u00e9".encode(),
        b"m",
        b"z",
    ]


def test_in_the_order_of_layers_what_has_no_contents_is_first(name):
    assert names(exported(name, order="layer")) == [
        b"disk",
        b"etc/",
        b"etc/empty",
        b"etc/link",
        b"null",
        b"pipe",
        b"etc/motd",
        b"a",
        b"z",
        b"b" * 200,
        "caf\u00e9".encode(),
        b"m",
        b"bad\xe9",
    ]


@pytest.mark.parametrize("order", ["path", "layer"])
def test_the_report_counts_what_was_written(name, order):
    seen, stream = [], io.BytesIO()
    with open_image(name) as opened:
        report = opened.export(stream, order=order, progress=seen.append)
        assert (seen[-1].done, seen[-1].layers) == (seen[-1].total, 2)
        again = [at for at in range(1, len(seen)) if seen[at].done < seen[at - 1].done]
        assert len(again) == 1  # It begins again, once, to write.
        assert seen[again[0] - 1].done == seen[again[0] - 1].total
    assert (report.entries, report.files, report.bytes) == (13, 6, 70_008)
    assert [each.layer for each in report.layers] == [0, 1]
    assert not stream.closed


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("threads", [1, 4])
def test_the_bytes_depend_neither_on_compression_nor_on_threads(name, tmp_path, compression, threads):
    other = image(tmp_path / "other", *LAYERS, compression=compression)
    assert exported(other, threads=threads) == exported(name)
    assert exported(other, threads=threads, order="layer") == exported(name, order="layer")


def test_the_bytes_are_the_same_again_and_for_a_tree_that_is_merged_already(name):
    with open_image(name) as opened:
        opened.tree(layers=1)
        first, second = io.BytesIO(), io.BytesIO()
        opened.export(first)
        opened.export(second)
    assert first.getvalue() == second.getvalue() == exported(name)


def test_the_root_has_an_entry_if_it_differs_from_one_without(tmp_path):
    assert names(exported(image(tmp_path / "1", tar(f("a"))))) == [b"a"]
    assert names(exported(image(tmp_path / "2", tar(d("./", mtime_ns=0), f("a"))))) == [b"a"]
    assert names(exported(image(tmp_path / "3", tar(d("./", mode=0o700, mtime_ns=0), f("a"))))) == [b"./", b"a"]


def test_an_image_of_nothing_is_an_empty_archive(tmp_path):
    assert exported(image(tmp_path / "image")) == bytes(1024)


@given(stacks(), st.sampled_from(["path", "layer"]))
def test_the_archive_makes_the_tree_again(stack, order):
    with tempfile.TemporaryDirectory() as directory:
        raw = exported(image(directory, *(tar(*layer) for layer in stack)), order=order, policy=LENIENT)
    tree = merged(*(tar(*layer) for layer in stack), policy=LENIENT)
    assert dump(merged(raw)) == dump(tree)


@given(stacks())
def test_equal_trees_of_other_layers_are_equal_bytes(stack):
    tree = merged(*(tar(*layer) for layer in stack), policy=LENIENT)
    with tempfile.TemporaryDirectory() as directory:
        raw = exported(image(f"{directory}/1", *(tar(*layer) for layer in stack)), policy=LENIENT)
        assert exported(image(f"{directory}/2", flattened(tree))) == raw


@pytest.mark.root
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("tar", "-x", "-p", "--xattrs", "--xattrs-include=*", "-f"), marks=pytest.mark.peer("tar")),
        pytest.param(("bsdtar", "-x", "-p", "--xattrs", "-f"), marks=pytest.mark.peer("bsdtar")),
    ],
)
@pytest.mark.parametrize("order", ["path", "layer"])
def test_other_programs_unpack_it_to_what_unpack_makes(name, tmp_path, command, order):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "root.tar").write_bytes(exported(name, order=order))
    delayed = ["--delay-directory-restore"] if command[0] == "tar" and order == "layer" else []
    run(*command, tmp_path / "root.tar", "-C", tmp_path / "theirs", *delayed)
    with open_image(name) as opened:
        opened.unpack(tmp_path / "ours")
    ours, theirs = listing(tmp_path / "ours"), listing(tmp_path / "theirs")
    ours.pop(b"")
    theirs.pop(b"")
    assert ours == theirs
    assert stat.S_ISCHR(os.stat(tmp_path / "theirs" / "null").st_mode)


class Stream:
    """A stream that takes a few bytes at once, as an unbuffered pipe may, and fails after so many."""

    def __init__(self, most, fails_after=1 << 30):
        self.data = bytearray()
        self.most = most
        self.fails_after = fails_after

    def write(self, data):
        if len(self.data) >= self.fails_after:
            raise OSError(28, "No space left on device")
        self.data += data[: self.most]
        return min(self.most, len(data))


def test_a_stream_that_takes_less_at_once_gets_everything(name):
    stream = Stream(1000)
    with open_image(name) as opened:
        opened.export(stream)
    assert bytes(stream.data) == exported(name)


def test_the_error_of_the_stream_passes_through(name):
    with open_image(name) as opened, pytest.raises(OSError, match="No space") as full:
        opened.export(Stream(1000, fails_after=3000))
    assert full.value.errno == 28


@pytest.mark.parametrize("order", ["path", "layer"])
def test_nothing_is_written_if_a_layer_is_damaged(name, tmp_path, order):
    built = Built.of(tmp_path / "image", *LAYERS)
    digest = built.layers[1]["descriptor"]["digest"]
    blob = tmp_path / "image" / "blobs" / digest.replace(":", "/")
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    stream = io.BytesIO()
    with open_image(name) as opened:
        for _ in range(2):
            with pytest.raises(DigestMismatchError) as damaged:
                opened.export(stream, order=order)
            assert damaged.value.expected == digest
        assert opened._spool._used == 0
    assert stream.getvalue() == b""


def test_a_layer_that_is_refused_is_refused_before_anything_is_written(tmp_path):
    stream = io.BytesIO()
    with open_image(image(tmp_path, tar(f("a", "x" * 600))[:700])) as opened, pytest.raises(TarFormatError):
        opened.export(stream)
    assert stream.getvalue() == b""


def test_temporary_files_have_a_limit_and_the_order_of_layers_needs_none(name):
    with open_image(name, limits=Limits(temporary_bytes=1000)) as opened:
        with pytest.raises(LimitError) as limited:
            opened.export(io.BytesIO())
        assert (limited.value.limit, limited.value.allowed) == ("temporary_bytes", 1000)
        opened.export(io.BytesIO(), order="layer")


def test_there_are_two_orders(name):
    with open_image(name) as opened, pytest.raises(ValueError, match="order is 'size', and may be 'path' or 'layer'"):
        opened.export(io.BytesIO(), order="size")


@pytest.mark.thorough
def test_memory_does_not_grow_with_what_lies_between_small_files(tmp_path):
    """In the order of layers, a small file is a view of the large buffer that it was read in."""
    files = [each for number in range(40) for each in (f(f"{number}", "x"), f("hidden", bytes(1 << 20)))]
    name = image(tmp_path, tar(*files), compression="")
    with open_image(name, threads=1) as opened, open(os.devnull, "wb") as stream:
        opened.tree(policy=LENIENT)
        tracemalloc.start()
        try:
            opened.export(stream, order="layer", policy=LENIENT)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 8 << 20


@pytest.mark.thorough
@pytest.mark.parametrize("order", ["path", "layer"])
def test_memory_does_not_grow_with_the_contents(tmp_path, order):
    name = image(tmp_path, tar(f("big", bytes(48 << 20)), f("small", "x")))
    with open_image(name) as opened, open(os.devnull, "wb") as stream:
        opened.config_document  # noqa: B018  # read before the measurement
        tracemalloc.start()
        try:
            opened.export(stream, order=order)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 32 << 20
