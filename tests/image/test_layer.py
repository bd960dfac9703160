"""One layer: what names it, and that not a byte of it is believed before it has been checked."""

import base64
import bz2
import gzip
import hashlib
import lzma
import threading

import pytest
from backports import zstd

from oci_layers import Policy, open_image
from oci_layers.errors import (
    BlobMissingError,
    CompressionError,
    DigestMismatchError,
    LimitError,
    SizeMismatchError,
    TarFormatError,
    UnsafePathError,
    UnsupportedError,
)
from oci_layers.limits import Limits
from oci_layers.tree import dump
from tests.support.layers import Built, d, digest, f, image, ln, opq, tar, wh

BASE = tar(d("a/"), f("a/x", "one"), f("b", "two"))
UPPER = tar(wh("b"), f("c", "three"), ln("d", "c"))


@pytest.fixture(autouse=True)
def close_all():
    yield
    while OPENED:
        OPENED.pop().close()


OPENED = []


def only_layer(built):
    OPENED.append(open_image(built.write()))
    return OPENED[-1].layers[0]


def test_a_layer_says_what_names_it_and_how_it_was_made(tmp_path):
    built = Built.of(tmp_path, BASE, UPPER)
    built.config["history"] = [{"created_by": "one"}, {"created_by": "env", "empty_layer": True}, {"created_by": "two"}]
    with open_image(built.write()) as opened:
        first, second = opened.layers
    chained = "sha256:" + hashlib.sha256(f"{digest(BASE)} {digest(UPPER)}".encode()).hexdigest()
    assert [first.index, second.index] == [0, 1]
    assert [str(first.descriptor.digest), str(second.descriptor.digest)] == [
        layer["descriptor"]["digest"] for layer in built.layers
    ]
    assert [str(first.diff_id), str(second.diff_id)] == [digest(BASE), digest(UPPER)]
    assert [str(first.chain_id), str(second.chain_id)] == [digest(BASE), chained]
    assert [first.history.created_by, second.history.created_by] == ["one", "two"]
    assert second.name == f"layer 1 ({second.descriptor.digest})"


def test_history_that_does_not_cover_the_layers_is_not_guessed_at(tmp_path):
    built = Built.of(tmp_path, BASE, UPPER)
    built.config["history"] = [{"created_by": "one"}]
    with open_image(built.write()) as opened:
        assert [layer.history for layer in opened.layers] == [None, None]


def test_entries_come_as_they_stand_in_the_archive_with_their_content(tmp_path):
    layer = only_layer(Built.of(tmp_path, UPPER))
    read = [(entry.name, entry.type, entry.read()) for entry in layer.entries()]
    assert read == [(b".wh.b", b"0", b""), (b"c", b"0", b"three"), (b"d", b"1", b"")]


def test_entries_that_are_closed_early_leave_no_thread(tmp_path):
    before = threading.active_count()
    entries = only_layer(Built.of(tmp_path, BASE)).entries()
    assert next(entries).name == b"a/"
    entries.close()
    assert threading.active_count() == before


def test_changes_and_the_tree_are_of_this_layer_alone(tmp_path):
    with open_image(image(tmp_path, BASE, UPPER)) as opened:
        layer = opened.layers[1]
        findings = []
        changes = [type(change).__name__ for change in layer.changes(on_finding=findings.append)]
        paths = [path for path, _ in layer.tree().walk()]
    assert changes == ["Whiteout", "Add", "Link"]
    assert paths == [b"", b"c", b"d"]
    assert findings == []


def test_the_tree_of_a_layer_follows_the_policy(tmp_path):
    layer = only_layer(Built.of(tmp_path, tar(f("../x", "up"))))
    with pytest.raises(UnsafePathError) as raised:
        layer.tree()
    assert raised.value.path == b"../x"
    assert [path for path, _ in layer.tree(policy=Policy.preset("lenient")).walk()] == [b"", b"x"]


def test_a_layer_of_nothing_is_an_empty_file_system(tmp_path):
    for number, plain in enumerate([b"", bytes(1024), tar(opq())]):
        layer = only_layer(Built.of(tmp_path / str(number), plain))
        assert dump(layer.tree()) == "/ dir 0755 0:0 0.000000000\n"


def test_what_follows_the_end_of_the_archive_is_part_of_the_diff_id(tmp_path):
    padded = BASE + b"after the end" + bytes(5000)
    built = Built.of(tmp_path / "padded", padded)
    assert len(list(only_layer(built).entries())) == 3
    lying = Built.of(tmp_path / "lying", padded)
    lying.config["rootfs"]["diff_ids"] = [digest(BASE)]
    with pytest.raises(DigestMismatchError) as raised:
        list(only_layer(lying).entries())
    assert (raised.value.expected, raised.value.actual) == (digest(BASE), digest(padded))


def with_blob(built, blob):
    """Give the layer other bytes than its descriptor says."""
    built.layers[0]["blob"] = blob
    return built


def with_honest_blob(built, blob, media_type=None):
    """Give the layer other bytes, and a descriptor of them."""
    descriptor = built.layers[0]["descriptor"]
    descriptor |= {"digest": digest(blob), "size": len(blob)}
    if media_type:
        descriptor["mediaType"] = media_type
    return with_blob(built, blob)


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_a_blob_with_a_bit_flipped_is_called_that_whatever_the_bit_broke(tmp_path, compression):
    built = Built.of(tmp_path, tar(f("a", "text " * 400), f("b")), compression=compression)
    blob = built.layers[0]["blob"]
    for at in range(0, len(blob), max(1, len(blob) // 40)):
        damaged = blob[:at] + bytes([blob[at] ^ 0x10]) + blob[at + 1 :]
        broken = Built.of(tmp_path / str(at), tar(f("a", "text " * 400), f("b")), compression=compression)
        with pytest.raises(DigestMismatchError) as raised:
            list(only_layer(with_blob(broken, damaged)).entries())
        assert (raised.value.expected, raised.value.actual) == (digest(blob), digest(damaged)), at


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda opened: list(opened.layers[0].entries()), id="entries"),
        pytest.param(lambda opened: list(opened.layers[0].changes()), id="changes"),
        pytest.param(lambda opened: opened.layers[0].tree(), id="the layer's tree"),
        pytest.param(lambda opened: opened.tree(), id="the image's tree"),
    ],
)
def test_a_blob_that_was_replaced_by_a_hostile_one_is_a_wrong_blob_before_it_is_a_bad_layer(tmp_path, read):
    hostile = tar(f("../up", "xxx"), d("a/"), f("a/x", "one"))[: len(BASE)].ljust(len(BASE), b"\0")
    with (
        open_image(with_blob(Built.of(tmp_path, BASE, compression=""), hostile).write()) as opened,
        pytest.raises(DigestMismatchError) as raised,
    ):
        read(opened)
    assert (raised.value.expected, raised.value.actual) == (digest(BASE), digest(hostile))


def test_a_damaged_blob_that_goes_past_a_limit_is_a_wrong_blob(tmp_path):
    limits = Limits(component_bytes=5)
    plain = tar(f("deep/path/x", "one"))
    damaged = tar(f("deep_path_x", "one"))
    with (
        open_image(with_blob(Built.of(tmp_path, plain, compression=""), damaged).write(), limits=limits) as opened,
        pytest.raises(DigestMismatchError) as raised,
    ):
        opened.tree()
    assert (raised.value.expected, raised.value.actual) == (digest(plain), digest(damaged))


def test_a_blob_is_cut_or_goes_on(tmp_path):
    blob = Built.of(tmp_path, BASE).layers[0]["blob"]
    for number, (wrong, actual) in enumerate([(blob[:-1], len(blob) - 1), (blob + b"\0", len(blob) + 1)]):
        with pytest.raises(SizeMismatchError) as raised:
            list(only_layer(with_blob(Built.of(tmp_path / str(number), BASE), wrong)).entries())
        assert (raised.value.expected, raised.value.actual) == (len(blob), actual)


@pytest.mark.parametrize(
    ("compression", "blob", "reason"),
    [
        pytest.param("gzip", gzip.compress(BASE)[:-9], "the gzip data is cut short", id="cut"),
        pytest.param("gzip", gzip.compress(BASE) + b"junk", "garbage after the gzip data", id="junk after"),
        pytest.param("gzip", zstd.compress(BASE), "the media type promises gzip, the bytes are zstd", id="zstd"),
        pytest.param("zstd", gzip.compress(BASE), "the media type promises zstd, the bytes are gzip", id="gzip"),
        pytest.param("", gzip.compress(BASE), "the media type promises plain tar, the bytes are gzip", id="plain"),
        pytest.param("gzip", b"", "the media type promises gzip, the bytes are empty", id="empty"),
    ],
)
def test_a_blob_that_is_what_its_digest_says_and_badly_compressed_is_called_that(tmp_path, compression, blob, reason):
    layer = only_layer(with_honest_blob(Built.of(tmp_path, BASE, compression=compression), blob))
    with pytest.raises(CompressionError) as raised:
        list(layer.entries())
    assert (raised.value.what, raised.value.reason) == (layer.name, reason)


def test_a_blob_that_holds_another_layer_does_not_have_the_diff_id(tmp_path):
    with pytest.raises(DigestMismatchError) as raised:
        list(only_layer(with_honest_blob(Built.of(tmp_path, BASE), gzip.compress(UPPER))).entries())
    assert (raised.value.expected, raised.value.actual) == (digest(BASE), digest(UPPER))


def test_a_blob_that_is_no_tar_is_called_that_with_the_layer_in_a_note(tmp_path):
    layer = only_layer(Built.of(tmp_path, b"no archive at all".ljust(1024, b"!")))
    with pytest.raises(TarFormatError) as raised:
        list(layer.entries())
    assert raised.value.__notes__ == [layer.name]


def test_a_missing_blob_is_named(tmp_path):
    built = Built.of(tmp_path, BASE)
    layer = only_layer(built)
    (tmp_path / "blobs" / layer.descriptor.digest.algorithm / layer.descriptor.digest.encoded).unlink()
    with pytest.raises(BlobMissingError) as raised:
        list(layer.entries())
    assert raised.value.digest == str(layer.descriptor.digest)


def test_a_layer_may_be_embedded_in_its_descriptor(tmp_path):
    built = Built.of(tmp_path, BASE)
    built.layers[0]["descriptor"]["data"] = base64.b64encode(built.layers[0]["blob"]).decode()
    layer = only_layer(built)
    (tmp_path / "blobs" / "sha256" / layer.descriptor.digest.encoded).unlink()
    assert [entry.name for entry in layer.entries()] == [b"a/", b"a/x", b"b"]


DOCKER = "application/vnd.docker.image.rootfs.diff.tar"


@pytest.mark.parametrize(
    ("media_type", "compress"),
    [
        pytest.param(DOCKER, lambda data: data, id="plain"),
        pytest.param(DOCKER, gzip.compress, id="gzip as plain"),
        pytest.param(DOCKER + ".gzip", gzip.compress, id="gzip"),
        pytest.param(DOCKER + ".gzip", zstd.compress, id="zstd as gzip"),
        pytest.param(DOCKER + ".gzip", lambda data: data, id="plain as gzip"),
        pytest.param(DOCKER + ".zstd", zstd.compress, id="zstd"),
        pytest.param(DOCKER + "+zstd", zstd.compress, id="zstd with a plus"),
        pytest.param(DOCKER, bz2.compress, id="bz2"),
        pytest.param(DOCKER, lzma.compress, id="xz"),
    ],
)
def test_what_docker_calls_a_layer_is_told_by_its_bytes(tmp_path, media_type, compress):
    built = with_honest_blob(Built.of(tmp_path, BASE), compress(BASE), media_type)
    assert [entry.name for entry in only_layer(built).entries()] == [b"a/", b"a/x", b"b"]


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_what_oci_calls_a_layer_is_never_told_by_its_bytes(tmp_path, compress):
    with pytest.raises(CompressionError):
        list(only_layer(with_honest_blob(Built.of(tmp_path, BASE, compression=""), compress(BASE))).entries())


@pytest.mark.parametrize(
    "media_type", ["application/octet-stream", "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"]
)
def test_a_layer_of_a_type_that_is_no_layer_is_refused_before_a_byte_is_read(tmp_path, media_type):
    built = Built.of(tmp_path, BASE)
    built.layers[0]["descriptor"]["mediaType"] = media_type
    with pytest.raises(UnsupportedError) as raised:
        list(only_layer(built).entries())
    assert (raised.value.what, raised.value.value) == ("layer media type", media_type)


def test_a_watch_hears_of_every_byte_and_ends_the_reading_when_it_raises(tmp_path):
    layer = only_layer(Built.of(tmp_path, BASE))
    heard = []
    list(layer.entries(on_read=lambda plain, blob: heard.append((plain, blob))))
    assert sum(plain for plain, _ in heard) == len(BASE)
    assert heard[-1][1] == layer.descriptor.size

    def stop(plain, blob):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(layer.entries(on_read=stop))


def test_a_bomb_stops_at_the_limit_of_plain_bytes(tmp_path):
    directory = image(tmp_path, tar(f("zeros", bytes(10_000_000))))
    with open_image(directory, limits=Limits(plain_bytes=1_000_000)) as opened, pytest.raises(LimitError) as raised:
        list(opened.layers[0].entries())
    assert (raised.value.limit, raised.value.allowed) == ("plain_bytes", 1_000_000)
    assert raised.value.__notes__ == [opened.layers[0].name]


def test_the_plain_stream_is_drained_when_its_block_ends_well(tmp_path):
    built = Built.of(tmp_path, BASE)
    built.config["rootfs"]["diff_ids"] = [digest(UPPER)]
    with pytest.raises(DigestMismatchError), only_layer(built).reader.open_uncompressed() as plain:
        assert plain.read(1) == BASE[:1]
