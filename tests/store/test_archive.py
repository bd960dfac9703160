"""A tar file as a place: read where it is, its members found by name, whatever links and order they come in."""

import bz2
import gzip
import lzma
import os
import sys

import pytest
from backports import zstd

from oci_layers import open_image
from oci_layers.errors import BlobMissingError, CompressionError, LimitError, StoreError, TarFormatError
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest
from oci_layers.store.archive import TarFiles
from tests.store.test_open import layout_entries
from tests.support import docker
from tests.support.layers import char, d, f, image, ln, sym, tar

LAYER = tar(f("a", "a"))
COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}


def found(files, name):
    stream = files.open_file(name)
    return None if stream is None else stream.read(1000)


@pytest.fixture
def opened(tmp_path):
    """A function that opens an archive of entries; what it opened is closed in the end."""
    opened = []

    def open_entries(*entries, **options):
        opened.append(TarFiles(docker.archive(tmp_path / "a.tar", entries), **options))
        return opened[-1]

    yield open_entries
    for files in opened:
        files.close()


def test_members_are_found_by_their_clean_names(opened):
    files = opened(f("./a", "1"), f("/b", "2"), f("d//c", "3"), d("e/"), char("f"))
    assert [found(files, name) for name in ("a", "./a", "/b", "x/../b", "d/c")] == [b"1", b"1", b"2", b"2", b"3"]
    assert [found(files, name) for name in ("e", "f", "g", "d")] == [None] * 4


def test_the_last_member_of_a_name_counts(opened):
    files = opened(f("a", "1"), f("a", "2"), f("b", "1"), sym("b", "a"), sym("c", "none"), f("c", "3"), f("d"), d("d/"))
    assert [found(files, name) for name in ("a", "b", "c", "d")] == [b"2", b"2", b"3", None]


def test_links_lead_to_members_in_chains_and_forwards(opened):
    files = opened(
        sym("x/relative", "../y/file"),
        sym("absolute", "/y/file"),
        ln("hard", "./y/file"),
        sym("chain", "x/relative"),
        ln("chained", "chain"),
        f("y/file", "content"),
        sym("dangling", "none"),
        sym("climbing", "../../etc/passwd"),
    )
    names = ("x/relative", "absolute", "hard", "chain", "chained")
    assert [found(files, name) for name in names] == [b"content"] * 5
    assert [found(files, name) for name in ("dangling", "climbing")] == [None, None]


def test_links_in_a_circle_are_an_error(opened):
    files = opened(sym("a", "b"), sym("b", "a"), sym("c\x1b", "c\x1b"))
    with pytest.raises(StoreError) as raised:
        found(files, "a")
    assert (raised.value.place, raised.value.reason) == (files.place, "a is a link that leads in a circle")
    with pytest.raises(StoreError) as raised:
        found(files, "c\x1b")
    assert raised.value.reason == "c\\x1b is a link that leads in a circle"


def test_a_name_that_climbs_is_as_good_as_absent(opened):
    files = opened(f("../a", "1"), f("b/../../c", "2"), f("d", "3"))
    assert [found(files, name) for name in ("a", "c", "d")] == [None, None, b"3"]


def test_a_member_is_a_stream_of_its_own_bytes_however_often_it_is_opened(opened):
    files = opened(f("a", "0123456789"), f("b", "never"))
    first, second = files.open_file("a"), files.open_file("a")
    assert (first.read(4), second.read(6), first.read(100), first.read(1)) == (b"0123", b"012345", b"456789", b"")
    first.close()
    assert second.read(100) == b"6789"


def test_blobs_are_members_by_digest(opened):
    files = opened(f(f"blobs/sha256/{docker.hexdigest(b'x')}", "x"))
    assert files.open_blob(Digest.of(b"x")).read(9) == b"x"
    with pytest.raises(BlobMissingError) as raised:
        files.open_blob(Digest.of(b"y"))
    assert raised.value.digest == str(Digest.of(b"y"))


def test_an_archive_that_is_closed_gives_nothing_more(opened):
    files = opened(f("a", "1"))
    files.close()
    files.close()
    with pytest.raises(StoreError) as raised:
        files.open_file("a")
    assert raised.value.place == files.place


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_archive_may_be_compressed_as_a_whole(tmp_path, compression, kind):
    entries = docker.classic(LAYER) if kind == "docker" else layout_entries(image(tmp_path / "layout", LAYER))
    file = tmp_path / f"a.tar.{compression}"
    file.write_bytes(COMPRESS[compression](tar(*entries)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with open_image(file, temporary_directory=temporary) as image_:
        assert (image_.root / "a").read_text() == "a"
        assert os.listdir(temporary) == []


def test_an_archive_that_is_compressed_as_a_whole_is_inflated_within_limits(tmp_path):
    file = tmp_path / "bomb.tar.gz"
    file.write_bytes(gzip.compress(tar(f("zeros", bytes(3_000_000)))))
    for limit in ("temporary_bytes", "plain_bytes"):
        with pytest.raises(LimitError) as raised:
            TarFiles(file, limits=Limits(**{limit: 1_000_000}))
        assert (raised.value.limit, raised.value.allowed) == (limit, 1_000_000)


def test_an_archive_that_is_damaged_is_refused(tmp_path):
    whole = tar(f("a", "a" * 2000), f("b"))
    for name, raw, error in (
        ("cut.tar", whole[:1500], TarFormatError),
        ("cut.tar.gz", gzip.compress(whole)[:-4], CompressionError),
    ):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(error) as raised:
            TarFiles(tmp_path / name)
        assert str(tmp_path / name) in (*getattr(raised.value, "__notes__", ()), getattr(raised.value, "what", ""))


def test_reading_an_archive_makes_no_file(tmp_path):
    """Every file that is opened for writing is seen by the audit hook; a plain archive needs none."""
    file = docker.archive(tmp_path / "a.tar", layout_entries(image(tmp_path / "layout", LAYER, compression="")))
    writes = []
    watching = True

    def hook(event, arguments):
        if watching and event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            writes.append(arguments[0])

    sys.addaudithook(hook)
    before = sorted(tmp_path.rglob("*"))
    try:
        with open_image(f"oci-archive:{file}") as opened:
            tree = opened.tree()
            pieces = [b"".join(pieces) for _, _, pieces in opened.files()]
    finally:
        watching = False
    assert (len(tree), pieces, writes) == (2, [b"a"], [])
    assert sorted(tmp_path.rglob("*")) == before
