"""A blob into plain bytes on one thread and on several: the same bytes, the same errors, and no thread that stays."""

import contextlib
import random
import threading

import pytest

import oci_layers
from oci_layers.errors import DigestMismatchError, IntegrityError, MissingError, OCIError, SizeMismatchError
from oci_layers.spec.digest import Digest
from tests.support.examples import some
from tests.support.layers import Built, digest, f, image, tar, wh

NOISE = random.Random(7).randbytes(3 << 20)
LAYERS = [
    tar(*(f(f"a{number}", NOISE[number * 1000 :][: 200_000 + number]) for number in range(10))),
    tar(wh("a0"), f("b", NOISE), f("a1", "new")),
    tar(f("c", bytes(3 << 20)), wh("a2")),
]
THREADS = some([1, 2, 3, 4], every=2)


def ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("oci-layers")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return image(tmp_path_factory.mktemp("plain") / "image", *LAYERS)


@pytest.mark.parametrize("threads", THREADS)
def test_any_number_of_threads_gives_the_same_tree(whole, threads, tmp_path):
    with oci_layers.open_image(whole, threads=threads) as opened, oci_layers.open_image(whole, threads=1) as alone:
        tree = opened.tree()
        assert ours() == []
        assert tree == alone.tree()
        opened.unpack(tmp_path / "out")
    assert ours() == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["a1", *(f"a{number}" for number in range(3, 10)), "b", "c"]
    )
    assert (tmp_path / "out" / "b").read_bytes() == NOISE


@pytest.mark.parametrize("threads", THREADS)
def test_every_byte_that_the_consumer_gets_is_copied_before(whole, threads):
    pieces = []
    with oci_layers.open_image(whole, threads=threads) as opened:
        for layer, plain in zip(opened.layers, LAYERS, strict=True):
            pieces.clear()
            with contextlib.closing(layer.reader.open(copy=pieces.append)) as reader:
                seen = 0
                while data := reader.read(100_000):
                    seen += len(data)
                    assert sum(map(len, pieces)) == seen
            assert b"".join(pieces) == plain


def blob(built, layer):
    return built.directory / "blobs" / built.layers[layer]["descriptor"]["digest"].replace(":", "/")


def flip(built, layer):
    path = blob(built, layer)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(built, layer):
    path = blob(built, layer)
    path.write_bytes(path.read_bytes()[:-1])


def delete(built, layer):
    blob(built, layer).unlink()


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize(("damage", "kind"), [(flip, IntegrityError), (cut, IntegrityError), (delete, MissingError)])
def test_damage_is_found_in_its_turn_whatever_the_threads(tmp_path, threads, layer, damage, kind):
    built = Built.of(tmp_path / "image", *LAYERS)
    name = built.write()
    damage(built, layer)
    with oci_layers.open_image(name, threads=threads) as opened:
        with pytest.raises(kind) as raised:
            opened.unpack(tmp_path / "out")
        assert raised.value.__notes__ == [opened.layers[layer].name]
    assert ours() == []
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


@pytest.mark.parametrize("threads", THREADS)
def test_of_two_damaged_layers_the_lower_is_named(tmp_path, threads):
    built = Built.of(tmp_path / "image", *LAYERS)
    built.config["rootfs"]["diff_ids"][0] = digest(b"another")
    name = built.write()
    delete(built, 1)
    with oci_layers.open_image(name, threads=threads) as opened, pytest.raises(DigestMismatchError, match="layer 0"):
        opened.tree()
    assert ours() == []


@pytest.mark.parametrize("threads", THREADS)
def test_an_exception_of_the_caller_stops_every_thread(whole, threads, tmp_path):
    def stop(_):
        raise KeyError("stop")

    with oci_layers.open_image(whole, threads=threads) as opened:
        with pytest.raises(KeyError):
            opened.unpack(tmp_path / "out", progress=stop)
        assert ours() == []
        entries = opened.layers[0].entries()
        next(entries)
        entries.close()
    assert ours() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("threads", THREADS)
def test_a_blob_of_another_compression_is_refused_and_closed(tmp_path, threads):
    built = Built.of(tmp_path / "image", *LAYERS, compression="")
    for layer in built.layers:
        layer["descriptor"]["mediaType"] += "+gzip"
    with (
        oci_layers.open_image(built.write(), threads=threads) as opened,
        pytest.raises(OCIError, match="bytes are"),
    ):
        opened.tree()
    assert ours() == []


def hashed(monkeypatch, name, threads=1):
    """Read all layers of an image; return which digests were computed, in any order, or the error."""
    computed = []
    make = Digest.hasher

    def counted(digest):
        computed.append(str(digest))
        return make(digest)

    with oci_layers.open_image(name, threads=threads) as opened:
        assert opened.layers
        monkeypatch.setattr(Digest, "hasher", counted)
        try:
            for layer in opened.layers:
                with layer.reader.open_uncompressed() as plain:
                    while plain.read(1 << 20):
                        pass
        finally:
            monkeypatch.undo()
            assert ours() == []
        return sorted(computed)


@pytest.mark.parametrize("threads", THREADS)
def test_a_blob_that_is_the_plain_layer_is_hashed_once(tmp_path, monkeypatch, threads):
    plain, squeezed = Built.of(tmp_path / "a", *LAYERS, compression=""), Built.of(tmp_path / "b", *LAYERS)
    assert hashed(monkeypatch, plain.write(), threads) == sorted(map(digest, LAYERS))
    blobs = [layer["descriptor"]["digest"] for layer in squeezed.layers]
    assert hashed(monkeypatch, squeezed.write(), threads) == sorted([*map(digest, LAYERS), *blobs])


@pytest.mark.parametrize("threads", THREADS)
def test_a_compressed_blob_whose_digest_is_the_diff_id_is_refused(tmp_path, threads):
    built = Built.of(tmp_path, *LAYERS)
    name = built.layers[1]["descriptor"]["digest"]
    built.config["rootfs"]["diff_ids"][1] = name
    with oci_layers.open_image(built.write(), threads=threads) as opened:
        with pytest.raises(DigestMismatchError) as raised, opened.layers[1].reader.open_uncompressed():
            pass
        what = f"{opened.layers[1].name}: diff_id of the plain layer"
    assert (raised.value.what, raised.value.expected, raised.value.actual) == (what, name, digest(LAYERS[1]))
    assert ours() == []


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(("damage", "kind"), [(flip, DigestMismatchError), (cut, SizeMismatchError)])
def test_damage_of_a_plain_blob_is_found_with_one_hash(tmp_path, threads, damage, kind):
    built = Built.of(tmp_path, *LAYERS, compression="")
    name = built.write()
    damage(built, 1)
    with (
        oci_layers.open_image(name, threads=threads) as opened,
        pytest.raises(kind) as raised,
        opened.layers[1].reader.open_uncompressed(),
    ):
        pass
    assert raised.value.what == f"blob {digest(LAYERS[1])}"
    assert ours() == []


def test_no_thread_at_all_is_an_error(whole):
    with pytest.raises(ValueError, match="threads must be at least 1: 0"):
        oci_layers.open_image(whole, threads=0)
    assert ours() == []


def no_new_thread(*_):
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("compression", ["", "gzip"])
def test_where_the_system_has_no_thread_the_reader_does_all(tmp_path, monkeypatch, threads, compression):
    name = image(tmp_path / "image", *LAYERS, compression=compression)
    monkeypatch.setattr(threading.Thread, "start", no_new_thread)
    with oci_layers.open_image(name, threads=threads) as opened, oci_layers.open_image(name, threads=1) as alone:
        assert opened.tree() == alone.tree()
        for layer, data in zip(opened.layers, LAYERS, strict=True):
            with layer.reader.open_uncompressed() as plain:
                assert b"".join(iter(lambda plain=plain: plain.read(1 << 20), b"")) == data
        opened.unpack(tmp_path / "out")
    assert (tmp_path / "out" / "b").read_bytes() == NOISE


@pytest.mark.parametrize("room", [0, 1, 2])
def test_where_the_system_has_no_more_threads_fewer_do(whole, monkeypatch, tmp_path, room):
    start = threading.Thread.start

    def few(thread):
        if len(ours()) >= room:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    with oci_layers.open_image(whole, threads=4) as opened, oci_layers.open_image(whole, threads=1) as alone:
        assert opened.tree() == alone.tree()
    assert ours() == []
