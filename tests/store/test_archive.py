"""A tar file as a place: read where it is, its members found by name, whatever links and order they come in."""

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from backports import zstd

from oci_layers import check_image, list_images, open_image
from oci_layers.errors import BlobMissingError, CompressionError, LimitError, StoreError, TarFormatError
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest
from oci_layers.store.archive import TarArchive
from tests.store.test_open import layout_entries
from tests.support import docker
from tests.support.blocks import END, extended, member, padded, record
from tests.support.layers import char, d, f, image, ln, sym, tar

LAYER = tar(f("a", "a"))
CLOSED = "closed"
COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}


def found(files, name):
    stream = files.open_file(name)
    return None if stream is None else stream.read(1000)


@pytest.fixture
def opened(tmp_path):
    """A function that opens an archive of entries; what it opened is closed in the end."""
    opened = []

    def open_entries(*entries, **options):
        opened.append(TarArchive(docker.archive(tmp_path / "a.tar", entries), **options))
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
    assert files.follow("chained") == [b"chained", b"chain", b"x/relative", b"y/file"]
    assert files.follow("./none/") == [b"none"]


def test_links_that_climb_above_the_top_stay_at_the_top(opened):
    """Docker 1.11 wrote links with one step too many; whatever unpacks the archive into a root follows them."""
    files = opened(
        sym("b/layer", "../../a/layer"), f("a/layer", "content"), ln("c", "../../a/layer"), sym("d", "/../c")
    )
    assert [found(files, name) for name in ("b/layer", "c", "d")] == [b"content"] * 3


def test_links_in_a_circle_are_an_error(opened):
    files = opened(sym("a", "b"), sym("b", "a"), sym("c\x1b", "c\x1b"))
    with pytest.raises(StoreError) as raised:
        found(files, "a")
    assert (raised.value.place, raised.value.reason) == (
        files.place,
        "a has more than 40 links to follow, perhaps a loop",
    )
    with pytest.raises(StoreError) as raised:
        found(files, "c\x1b")
    assert raised.value.reason == "c\\x1b has more than 40 links to follow, perhaps a loop"


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
    assert (raised.value.place, raised.value.reason) == (files.place, CLOSED)


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
            TarArchive(file, limits=Limits(**{limit: 1_000_000}))
        assert (raised.value.limit, raised.value.allowed) == (limit, 1_000_000)


@contextlib.contextmanager
def fed(data, *, name=None):
    """Feed data into a pipe, which gets a name or is the standard input; yield the name of it."""
    reader, saved = None, None
    if name is None:
        reader, writer = os.pipe()
        saved = os.dup(0)
        os.dup2(reader, 0)
        os.close(reader)
    else:
        os.mkfifo(name)

    def feed():
        with contextlib.suppress(BrokenPipeError), open(writer if name is None else name, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield name or "-"
    finally:
        if saved is not None:
            os.dup2(saved, 0)
            os.close(saved)
        thread.join()


def packed(tmp_path, kind):
    return tar(*(docker.classic(LAYER) if kind == "docker" else layout_entries(image(tmp_path / "layout", LAYER))))


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("oci", "{}"),
        ("oci", "oci-archive:{}"),
        ("oci", "oci-archive:{}:t"),
        ("docker", "{}"),
        ("docker", "docker-archive:{}"),
        ("docker", "docker-archive:{}:app:1"),
    ],
)
@pytest.mark.parametrize("place", ["-", "/dev/stdin", "/proc/self/fd/0", "pipe"])
def test_an_archive_is_read_from_a_pipe(tmp_path, compression, kind, name, place):
    raw = COMPRESS.get(compression, bytes)(packed(tmp_path, kind))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with fed(raw, name=tmp_path / "pipe" if place == "pipe" else None) as pipe:
        name = name.format(pipe if place == "pipe" else place)
        with open_image(name, temporary_directory=temporary) as image_:
            assert ((image_.root / "a").read_text(), image_.name) == ("a", name)
            assert os.listdir(temporary) == []


def test_every_function_on_places_reads_a_pipe(tmp_path):
    raw = packed(tmp_path, "oci")
    with fed(raw):
        assert [each.refs for each in list_images("-")] == [("t",)]
    with fed(raw):
        checked = check_image("oci-archive:-")
        assert (checked.ok, checked.blobs) == (True, 3)


def test_standard_input_that_is_a_file_is_read_in_place(tmp_path):
    file = docker.archive(tmp_path / "a.tar", docker.classic(LAYER))
    code = (
        "import oci_layers\n"
        "with oci_layers.open_image('-', temporary_directory='/nowhere') as image:\n"
        "    print(image.layers[0].descriptor.size)"
    )
    with open(file, "rb") as stdin:
        ran = subprocess.run([sys.executable, "-c", code], stdin=stdin, capture_output=True, check=True)
    assert int(ran.stdout) == len(LAYER)


def test_a_pipe_is_read_to_its_end_though_the_archive_ends_before_it(tmp_path):
    """So that the writer, which pads the archive, does not die of a pipe that nobody reads."""
    left = []
    with fed(packed(tmp_path, "oci") + bytes(1 << 20)), open_image("-"):
        left.append(os.read(0, 1))
    assert left == [b""]


@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_pipe_is_copied_within_limits(compression):
    with fed(COMPRESS.get(compression, bytes)(tar(f("zeros", bytes(3_000_000))))), pytest.raises(LimitError) as raised:
        TarArchive("-", limits=Limits(temporary_bytes=2_000_000))
    assert (raised.value.limit, raised.value.allowed) == ("temporary_bytes", 2_000_000)
    assert raised.value.__notes__[-1] == "-"


@pytest.mark.parametrize(("call", "named"), [("read", "-"), ("write_all", None)])
def test_a_pipe_that_cannot_be_copied_is_an_error_with_the_place_that_fails(tmp_path, monkeypatch, call, named):
    def fail(*arguments):
        raise OSError(errno.EIO, "no")

    raw, before = packed(tmp_path, "oci"), len(os.listdir("/proc/self/fd"))
    module = "oci_layers.system.temporary" if call == "write_all" else "oci_layers.system"
    monkeypatch.setattr(f"{module}.{call}", fail)
    with fed(raw):
        with pytest.raises(OSError, match="no") as raised:
            TarArchive("-", temporary_directory=str(tmp_path))
        os.read(0, 1 << 20)
    assert (raised.value.errno, raised.value.filename) == (errno.EIO, named or str(tmp_path))
    assert raised.value.__notes__ == ["archive" if named else "temporary directory"]
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("raw", "error"),
    [(b"", StoreError), (b"text" * 500, TarFormatError), (gzip.compress(b"x", mtime=0)[:-1], CompressionError)],
)
def test_a_pipe_of_something_else_is_refused(raw, error):
    with fed(raw), pytest.raises(error):
        open_image("-")


def test_an_image_from_a_pipe_cannot_be_pickled_since_it_cannot_be_opened_again(tmp_path):
    with fed(packed(tmp_path, "oci")), open_image("-") as image_:
        for each in (image_, image_.root / "a"):
            with pytest.raises(TypeError, match=r"^(-|layer 0.*): only .* from open_image .* from a pipe$"):
                pickle.dumps(each)


def test_an_archive_that_is_damaged_is_refused(tmp_path):
    whole = tar(f("a", "a" * 2000), f("b"))
    for name, raw, error in (
        ("cut.tar", whole[:1500], TarFormatError),
        ("cut.tar.gz", gzip.compress(whole)[:-4], CompressionError),
    ):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(error) as raised:
            TarArchive(tmp_path / name)
        assert str(tmp_path / name) in (*getattr(raised.value, "__notes__", ()), getattr(raised.value, "what", ""))


def test_an_archive_is_held_to_the_limits_of_the_caller(opened, tmp_path):
    members = [f(f"{number}", "x" * 20) for number in range(12)]
    assert found(opened(*members, limits=Limits(entries=12)), "11") == b"x" * 20
    for limit, seen in (("entries", 3), ("file_bytes", 20)):
        with pytest.raises(LimitError) as raised:
            opened(*members, limits=Limits(**{limit: 2}))
        assert (raised.value.limit, raised.value.allowed, raised.value.seen) == (limit, 2, seen)
        assert raised.value.__notes__[-1] == str(tmp_path / "a.tar")


# GNU tar makes a sparse member of what has a run of zeros, in four ways; the one below is its default with -S.


def sparse(name, size, *pieces):
    """A sparse member (GNU, PAX 1.0) of (offset, data) pieces."""
    numbers = [len(pieces), *(number for offset, data in pieces for number in (offset, len(data)))]
    map_ = padded(b"".join(b"%d\n" % number for number in numbers))
    records = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": name}
    records[b"GNU.sparse.realsize"] = b"%d" % size
    extension = extended(*(record(*each) for each in records.items()))
    return extension + member(b"GNUSparseFile.0/x", map_ + b"".join(data for _, data in pieces))


HOLEY = b"ab" + bytes(5000) + b"cd" + bytes(100)


@pytest.fixture
def sparse_archive(tmp_path):
    """An archive of a sparse member between two others."""
    parts = [member(b"first", b"1"), sparse(b"holey", len(HOLEY), (0, b"ab"), (5002, b"cd")), member(b"last", b"2")]
    (tmp_path / "sparse.tar").write_bytes(b"".join(parts) + END)
    return tmp_path / "sparse.tar"


def test_a_sparse_member_is_read_with_its_holes(sparse_archive):
    with contextlib.closing(TarArchive(sparse_archive)) as files:
        holey = files.find("holey")
        assert (holey.size, holey.read_at(0, 10000), holey.read_at(5000, 5)) == (len(HOLEY), HOLEY, b"\0\0cd\0")
        assert (found(files, "first"), found(files, "last")) == (b"1", b"2")
        files.close()
        with pytest.raises(StoreError):
            holey.read(1)


def test_a_sparse_member_counts_with_its_holes(sparse_archive):
    with pytest.raises(LimitError) as raised:
        TarArchive(sparse_archive, limits=Limits(file_bytes=5000))
    assert (raised.value.limit, raised.value.seen) == ("file_bytes", len(HOLEY))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["tar", "-S", f"--format={form}"], marks=pytest.mark.peer("tar"), id=f"GNU tar, {form}")
        for form in ("gnu", "posix", "oldgnu")
    ]
    + [pytest.param(["bsdtar"], marks=pytest.mark.peer("bsdtar"), id="bsdtar")],
)
def test_an_image_packed_by_a_program_that_makes_members_sparse_is_read(tmp_path, command):
    layer = tar(f("zeros", bytes(3 << 20)), f("a", "a" * 5000), f("more", bytes(1 << 20)))
    directory = tmp_path / "files"
    directory.mkdir()
    with open(directory / "layer.tar", "wb") as file:
        for at in range(0, len(layer), 4096):
            piece = layer[at : at + 4096]
            if piece.strip(b"\0"):
                file.seek(at)
                file.write(piece)
        file.truncate(len(layer))
    (directory / "config.json").write_bytes(docker.config(layer))
    listing = docker.listing(("config.json", ["app:1"], ["layer.tar"]))
    (directory / "manifest.json").write_bytes(b"".join(listing.chunks()))
    subprocess.run([*command, "-cf", tmp_path / "a.tar", "-C", directory, "."], check=True)
    with open_image(tmp_path / "a.tar") as image_:
        assert (image_.root / "a").read_text() == "a" * 5000
        assert image_.layers[0].descriptor.size == len(layer)


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="nothing counts the bytes that are read")
def test_opening_an_archive_reads_no_contents(tmp_path):
    file = docker.archive(tmp_path / "a.tar", [f(str(number), bytes(1 << 16)) for number in range(20)])

    def bytes_read():
        return int(Path("/proc/self/io").read_text().split()[1])

    before = bytes_read()
    with contextlib.closing(TarArchive(file)) as files:
        assert found(files, "10") == bytes(1000)
    assert bytes_read() - before < 20 * 8192


def test_an_archive_that_is_closed_while_it_is_read_is_an_error_and_no_other_file(tmp_path):
    layer = tar(*(f(f"{number}", "x" * 5000) for number in range(1000)))
    file = docker.archive(tmp_path / "a.tar", docker.classic(layer))
    (tmp_path / "other").write_bytes(b"y" * 6_000_000)
    for how in (lambda image_: image_.files(), lambda image_: image_.layers[0].entries()):
        image_ = open_image(file, threads=1)
        rows = how(image_)
        next(rows)
        image_.close()
        others = [os.open(tmp_path / "other", os.O_RDONLY) for _ in range(20)]
        with pytest.raises(StoreError) as raised:
            list(rows)
        assert (raised.value.place, raised.value.reason) == (file, CLOSED)
        for fd in others:
            os.close(fd)


@pytest.mark.parametrize("compression", ["", "gz"])
def test_an_archive_that_is_not_closed_warns_and_is_closed_when_it_is_collected(tmp_path, compression):
    file = tmp_path / "a.tar"
    file.write_bytes(COMPRESS.get(compression, bytes)(tar(*docker.classic(LAYER))))
    before = len(os.listdir("/proc/self/fd"))
    image_ = open_image(file)
    assert image_.config.os == "linux"
    with pytest.warns(ResourceWarning, match=f"^unclosed {file}$"):
        del image_
    assert len(os.listdir("/proc/self/fd")) == before


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
