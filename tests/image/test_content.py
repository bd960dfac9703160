"""Contents for whoever asks after the tree was made: read once, checked before the first byte, gone with the image."""

import base64
import contextlib
import errno
import io
import mmap
import os
import tempfile

import pytest

from oci_layers import Image, Limits, open_image, system
from oci_layers.errors import DigestMismatchError, LimitError, StoreError
from oci_layers.image.content import contents_of, copied
from tests.support import docker
from tests.support.layers import Built, f, image, tar
from tests.support.trees import merged

LAYERS = tar(f("a", "aa" * 1000), f("b", "bb")), tar(f("c", "cc"))


class CountedBlobs:
    """A `BlobSource` that remembers what was asked for."""

    def __init__(self, blobs):
        self.blobs = blobs
        self.opened = []

    def open_blob(self, digest):
        self.opened.append(str(digest))
        return self.blobs.open_blob(digest)


def text(tree, path):
    return b"".join(tree.require(path).content.chunks())


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_a_layer_is_read_once_for_all_its_contents(tmp_path, compression):
    with open_image(image(tmp_path, *LAYERS, compression=compression)) as opened:
        blobs = CountedBlobs(opened.blobs)
        with Image(opened.manifest_document, blobs) as counted:
            trees = counted.tree(), counted.tree(1)
            blobs.opened.clear()
            assert [text(tree, "a") for tree in trees] == [b"aa" * 1000] * 2
            assert text(trees[0], "b") == b"bb"
            digest = str(opened.layers[0].descriptor.digest)
            assert blobs.opened == [digest]


@pytest.mark.parametrize(("compression", "reads"), [("gzip", 1), ("zstd", 1), ("", 2)])
@pytest.mark.parametrize("threads", [1, 4])
def test_a_compressed_layer_that_is_copied_while_it_is_merged_is_read_once(tmp_path, compression, reads, threads):
    """An uncompressed one is read again, where it is."""
    with open_image(image(tmp_path, *LAYERS, compression=compression)) as opened:
        blobs = CountedBlobs(opened.blobs)
        with Image(opened.manifest_document, blobs, threads=threads) as counted:
            digests = [str(layer.descriptor.digest) for layer in counted.layers]
            blobs.opened.clear()
            counted.export(io.BytesIO())
            assert sorted(blobs.opened) == sorted(digests * reads)
            assert text(counted.tree(), "b") == b"bb"
            assert sorted(blobs.opened) == sorted(digests * reads)


def test_copies_are_kept_if_the_block_ends_and_given_back_if_it_raises(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        contents = {layer.index: contents_of(layer.reader, opened._spool) for layer in opened.layers[:1]}
        with contextlib.suppress(ZeroDivisionError), copied(contents) as copies:
            copies(0)(b"12")
            assert copies(1) is None
            raise ZeroDivisionError
        assert opened._spool._used == 0
        with copied(contents) as copies:
            copies(0)(b"12")
            copies(0)(b"345")
        assert (contents[0].read_at(1, 9), opened._spool._used) == (b"2345", 5)
        with copied(contents) as copies:
            copies(0)(b"67")
        assert (contents[0].read_at(0, 9), opened._spool._used) == (b"12345", 5)
        contents[0].close()


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_no_byte_is_handed_out_before_the_digests_hold(tmp_path, compression):
    """The blob changes after the tree was made, and far behind the file that is asked for."""
    built = Built.of(tmp_path, tar(f("a", "a"), f("z", os.urandom(300_000))), compression=compression)
    with open_image(built.write()) as opened:
        tree = opened.tree()
        blob = tmp_path / "blobs" / built.layers[0]["descriptor"]["digest"].replace(":", "/")
        whole = blob.read_bytes()
        blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        chunks = tree.require("a").content.chunks()
        with pytest.raises(DigestMismatchError) as raised:
            next(chunks)
        assert raised.value.expected == built.layers[0]["descriptor"]["digest"]
        blob.write_bytes(whole)
        assert text(tree, "a") == b"a"


def in_temporary(directory):
    return f"temporary files in {directory} (TMPDIR or temporary_directory names another place)"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_temporary_directory_is_named(tmp_path, monkeypatch):
    with open_image(image(tmp_path / "image", *LAYERS), temporary_directory=tmp_path) as opened:
        tree = opened.tree()
        monkeypatch.setattr(system, "temporary_file", lambda _: io.FileIO("/dev/full", "w"))
        for _ in range(2):
            with pytest.raises(OSError, match="No space left") as raised:
                text(tree, "a")
            assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))
            assert raised.value.__notes__ == ["temporary directory", opened.layers[0].name]
        monkeypatch.undo()
        assert text(tree, "a") == b"aa" * 1000


def test_temporary_files_are_limited_over_the_whole_image(tmp_path):
    first, second = map(len, LAYERS)
    directory = image(tmp_path, *LAYERS)
    with open_image(directory, limits=Limits(temporary_bytes=first + second)) as opened:
        assert [text(opened.tree(), path) for path in ("b", "c")] == [b"bb", b"cc"]
    with open_image(directory, limits=Limits(temporary_bytes=first + second - 1)) as opened:
        tree = opened.tree()
        assert text(tree, "b") == b"bb"
        with pytest.raises(LimitError) as raised:
            text(tree, "c")
        error = raised.value
        assert (error.limit, error.allowed, error.seen) == ("temporary_bytes", first + second - 1, first + second)
        assert error.__notes__ == [in_temporary(tempfile.gettempdir()), opened.layers[1].name]
        assert text(tree, "a") == b"aa" * 1000


def test_what_could_not_be_read_takes_no_room(tmp_path):
    first, second = map(len, LAYERS)
    with open_image(image(tmp_path, *LAYERS), limits=Limits(temporary_bytes=max(first, second))) as opened:
        tree = opened.tree()
        assert text(tree, "c") == b"cc"
        for _ in range(3):
            with pytest.raises(LimitError) as raised:
                text(tree, "a")
            assert raised.value.seen == first + second
    with open_image(image(tmp_path, *LAYERS), limits=Limits(temporary_bytes=first)) as opened:
        tree = opened.tree()
        assert text(tree, "a") == b"aa" * 1000


def test_temporary_files_go_where_they_are_told_and_have_no_name(tmp_path):
    directory = tmp_path / "temporary"
    directory.mkdir()
    with open_image(image(tmp_path / "image", *LAYERS), temporary_directory=directory) as opened:
        tree = opened.tree()
        before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
        assert text(tree, "c") == b"cc"
        assert os.listdir(directory) == []
        new = set(os.listdir("/proc/self/fd")) - before if before else set()
        assert all(
            os.readlink(f"/proc/self/fd/{fd}").startswith(f"{directory}/")
            for fd in new
            if os.path.exists(f"/proc/self/fd/{fd}")
        )


def test_a_temporary_directory_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with open_image(image(tmp_path / "image", *LAYERS), temporary_directory=tmp_path / "none") as opened:
        tree = opened.tree()
        with pytest.raises(FileNotFoundError):
            text(tree, "c")


def test_reading_after_the_image_was_closed_is_an_error(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        tree = opened.tree()
        assert text(tree, "a") == b"aa" * 1000
        name = opened.layers[0].name
    for path in ("a", "c"):
        with pytest.raises(StoreError) as raised:
            text(tree, path)
        assert raised.value.reason == "the image has been closed, its contents cannot be read any more"
        assert (raised.value.place == name) == (path == "a")


@pytest.fixture
def settled(monkeypatch):
    """Nothing may be written to a temporary file."""
    monkeypatch.setattr("oci_layers.blob.spool.Spool.open", None)


def test_an_uncompressed_layer_is_read_where_it_is(tmp_path, settled):
    with open_image(image(tmp_path, *LAYERS, compression="")) as opened:
        tree = opened.tree()
        assert [text(tree, path) for path in ("a", "b", "c", "a")] == [b"aa" * 1000, b"bb", b"cc", b"aa" * 1000]
        with tree_file(opened, "a") as file:
            file.seek(1000)
            assert len(file.read()) == 1000
    with pytest.raises(StoreError):
        text(tree, "a")


def tree_file(opened, path):
    return (opened.root / path).open("rb")


def test_a_layer_of_a_docker_archive_is_read_where_it_is(tmp_path, settled):
    (tmp_path / "x.tar").write_bytes(tar(*docker.classic(*LAYERS)))
    with open_image(tmp_path / "x.tar") as opened:
        assert text(opened.tree(), "c") == b"cc"
        assert text(opened.tree(), "b") == b"bb"


@pytest.mark.parametrize("how", ["written", "cut"])
def test_a_file_that_changes_after_it_was_verified_is_refused(tmp_path, settled, how):
    built = Built.of(tmp_path, LAYERS[0], compression="")
    with open_image(built.write()) as opened:
        tree = opened.tree()
        assert text(tree, "b") == b"bb"
        blob = tmp_path / "blobs" / built.layers[0]["descriptor"]["digest"].replace(":", "/")
        if how == "written":
            with blob.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
                mapped[512:514] = b"xx"
        else:
            os.truncate(blob, 100)
        with pytest.raises(StoreError, match="has changed since it was verified"):
            text(tree, "a")


def test_a_damaged_layer_is_refused_where_it_is(tmp_path, settled):
    built = Built.of(tmp_path, LAYERS[0], compression="")
    with open_image(built.write()) as opened:
        tree = opened.tree()
        blob = tmp_path / "blobs" / built.layers[0]["descriptor"]["digest"].replace(":", "/")
        raw = blob.read_bytes()
        blob.write_bytes(raw[:-1] + b"x")
        with pytest.raises(DigestMismatchError):
            text(tree, "a")
        blob.write_bytes(raw)
        assert text(tree, "b") == b"bb"


def test_other_changes_of_the_file_do_not_matter(tmp_path, settled):
    built = Built.of(tmp_path, LAYERS[0], compression="")
    with open_image(built.write()) as opened:
        tree = opened.tree()
        assert text(tree, "b") == b"bb"
        blob = tmp_path / "blobs" / built.layers[0]["descriptor"]["digest"].replace(":", "/")
        os.link(blob, tmp_path / "other")
        blob.chmod(0o600)
        assert text(tree, "a") == b"aa" * 1000


def test_a_layer_in_its_descriptor_is_read_from_there(tmp_path):
    built = Built.of(tmp_path, LAYERS[0], compression="")
    built.layers[0]["descriptor"]["data"] = base64.b64encode(LAYERS[0]).decode()
    directory = built.write()
    (tmp_path / "blobs" / built.layers[0]["descriptor"]["digest"].replace(":", "/")).unlink()
    with open_image(directory) as opened:
        assert text(opened.tree(), "b") == b"bb"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("threads", [1, 4])
def test_contents_that_are_kept_are_not_read_again(tmp_path, compression, threads):
    layers = (*LAYERS, tar(f("a", "new"), f("big", "x" * 3_000_000), f("holes", "data" + chr(0) * 1000)))
    with open_image(image(tmp_path, *layers, compression=compression)) as opened:
        blobs = CountedBlobs(opened.blobs)
        with Image(opened.manifest_document, blobs, threads=threads) as counted:
            lower = counted.tree(1)
            tree = counted.tree(keep_contents=True)
            blobs.opened.clear()
            assert (text(tree, "a"), text(tree, "c"), text(tree, "big")) == (b"new", b"cc", b"x" * 3_000_000)
            assert tree == merged(*layers)
            assert blobs.opened == [str(opened.layers[0].descriptor.digest)]  # It was merged before.
            assert text(lower, "a") == b"aa" * 1000


def test_what_is_kept_of_a_damaged_layer_is_not_used(tmp_path):
    built = Built.of(tmp_path, tar(f("a", "a" * 1000)), tar(f("b", os.urandom(300_000))))
    with open_image(built.write()) as opened:
        blob = tmp_path / "blobs" / built.layers[1]["descriptor"]["digest"].replace(":", "/")
        whole = blob.read_bytes()
        blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(DigestMismatchError):
            opened.tree(keep_contents=True)
        blob.write_bytes(whole)
        assert text(opened.tree(), "a") == b"a" * 1000
        assert len(text(opened.tree(), "b")) == 300_000


def test_what_is_kept_counts_as_temporary_bytes(tmp_path):
    layers, limits = (tar(f("a", "a" * 5000)), tar(f("b", "b"))), Limits(temporary_bytes=4000)
    with open_image(image(tmp_path, *layers), limits=limits) as opened:
        with pytest.raises(LimitError) as caught:
            opened.tree(keep_contents=True)
        assert (caught.value.limit, caught.value.allowed) == ("temporary_bytes", 4000)
        assert text(opened.tree(), "b") == b"b"
