"""New layers: the same bytes of the same files, whatever the source; nothing read before, nothing kept on an error."""

import gzip
import io
import lzma
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oci_layers import scan, system
from oci_layers.blob import MemoryBlobs
from oci_layers.build import Codec, LayerOptions, NewLayer
from oci_layers.errors import (
    CompressionError,
    LayerError,
    LimitError,
    LinkError,
    SizeMismatchError,
    TarFormatError,
    WhiteoutError,
)
from oci_layers.layer import Add, Link, Opaque, Whiteout, decode
from oci_layers.limits import Limits
from oci_layers.report import Skipped
from oci_layers.spec import Digest
from oci_layers.store import Layout
from oci_layers.tar import read_tar
from oci_layers.tree import FileTree, dump
from tests.disk.test_mirror import EVERYTHING
from tests.support import blocks
from tests.support.layers import char, d, f, ln, opq, sym, tar, wh
from tests.support.trees import merged, mirrored

ROOT = Path(__file__).parents[2]
EXACT = LayerOptions(nanoseconds=True, clamp_mtime=None)


def raw(layer, skip=None):
    return b"".join(layer.iter_tar(skip))


def write(layer, **codec):
    """Write a layer and return what was built, and the bytes of the blob."""
    blobs = MemoryBlobs()
    built = layer.write(blobs, codec=Codec(**codec))
    assert list(blobs.iter_blobs()) == [built.descriptor.digest]
    return built, blobs.open_blob(built.descriptor.digest).read()


def names(layer):
    return [entry.name for entry in read_tar(io.BytesIO(raw(layer)))]


def test_a_tree_becomes_a_layer_that_makes_it():
    tree = merged(tar(*EVERYTHING))
    built, blob = write(NewLayer.from_tree(tree, options=EXACT))
    plain = gzip.decompress(blob)
    assert merged(plain) == tree
    assert (built.diff_id, built.plain_size) == (Digest.of(plain), len(plain))


@pytest.mark.root
def test_a_directory_becomes_a_layer_that_makes_what_scan_finds(tmp_path):
    mirrored(tmp_path, tar(*(entry for entry in EVERYTHING if entry.name != b"zero")))
    layer = NewLayer.from_directory(tmp_path, options=EXACT)
    assert merged(raw(layer)) == scan(tmp_path)
    assert raw(layer) == raw(NewLayer.from_tree(scan(tmp_path), options=EXACT))


CHANGES = tar(
    d("./"),
    d("a/"),
    wh("a/gone"),
    f("a/f", "text"),
    ln("a/l", "a/f"),
    ln("b", "lower/file"),
    opq("c"),
    char("n"),
    f("e"),
)


def test_changes_become_a_layer_that_makes_them():
    layer = NewLayer.from_changes(lambda: decode(read_tar(io.BytesIO(CHANGES))), options=EXACT)
    found = list(decode(read_tar(io.BytesIO(raw(layer)))))
    expected = list(decode(read_tar(io.BytesIO(CHANGES))))
    assert [(type(change), change.path) for change in found] == [(type(change), change.path) for change in expected]
    assert found[4:7] == [Link(b"a/l", b"a/f"), Link(b"b", b"lower/file"), Opaque(b"c")]
    upper, lower = raw(layer), tar(f("a/gone"), f("lower/file", "low"), f("c/x"))
    assert merged(lower, upper) == merged(lower, CHANGES)
    assert raw(layer) == upper


def test_changes_of_an_iterator_are_written_once():
    layer = NewLayer.from_changes(iter([Whiteout(b"a")]))
    assert names(layer) == [b".wh.a"]
    with pytest.raises(ValueError, match="have been written already"):
        raw(layer)
    again = NewLayer.from_changes([Whiteout(b"a")])
    assert names(again) == names(again) == [b".wh.a"]


def test_no_changes_are_an_empty_layer():
    assert write(NewLayer.from_changes([]), compression="")[1] == bytes(1024)


def test_the_longest_name_can_be_removed():
    name = "n" * 255
    layer = NewLayer.from_changes([Whiteout(name.encode())], options=EXACT)
    assert dump(merged(tar(f(name)), raw(layer))) == dump(merged(tar(f(name)), tar(wh(name))))


@pytest.mark.parametrize("change", [Whiteout(b"a/.wh.b"), Link(b".wh.b", b"c"), Add(b".wh.x", FileTree().root)])
def test_a_change_of_a_marker_s_name_is_refused(change):
    with pytest.raises(WhiteoutError) as caught:
        raw(NewLayer.from_changes([change]))
    assert caught.value.path == change.path


ODD = tar(f("./z", "z", uname=b"u"), d("dir/"), f("dir/f", "x" * 5000), f("a", mtime_ns=5)) + b"what follows the end"


@pytest.mark.parametrize("compression", ["", "gzip", "xz"])
def test_a_tar_is_kept_byte_by_byte(tmp_path, compression):
    path = tmp_path / "layer.tar"
    path.write_bytes({"": bytes, "gzip": gzip.compress, "xz": lzma.compress}[compression](ODD))
    for source in (path, str(path), lambda: io.BytesIO(path.read_bytes())):
        layer = NewLayer.from_tar(source)
        assert raw(layer) == ODD
        assert write(layer)[0].diff_id == Digest.of(ODD)


def test_a_tar_is_changed_as_the_options_say_in_its_order():
    layer = NewLayer.from_tar(lambda: io.BytesIO(ODD), options=LayerOptions(prefix="p", ignore="a", uid=7))
    found = list(read_tar(io.BytesIO(raw(layer))))
    assert [entry.name for entry in found] == [b"p/", b"p/z", b"p/dir/", b"p/dir/f"]
    assert {(entry.uid, entry.uname, entry.mtime_ns % 10**9) for entry in found} == {(7, b"", 0)}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"no tar at all" * 100, TarFormatError),
        (ODD[:3000], TarFormatError),
        (tar(f("../x")), LayerError),
        (tar(d("a/.wh.b"), f("a/.wh.b/c")), WhiteoutError),
        (blocks.member(b"x", type=b"Z") + blocks.END, LayerError),
        (gzip.compress(ODD, mtime=0)[:-20], CompressionError),
    ],
)
@pytest.mark.parametrize("options", [None, LayerOptions(prefix="p")])
def test_a_tar_that_is_no_layer_is_refused_and_nothing_is_stored(data, error, options):
    blobs = MemoryBlobs()
    with pytest.raises(error):
        NewLayer.from_tar(lambda: io.BytesIO(data), options=options).write(blobs)
    assert list(blobs.iter_blobs()) == []


def test_a_tar_is_read_within_limits():
    with pytest.raises(LimitError) as caught:
        raw(NewLayer.from_tar(lambda: io.BytesIO(ODD), limits=Limits(entries=3)))
    assert caught.value.limit == "entries"


def test_a_tar_that_does_not_exist_is_an_error_that_names_it(tmp_path):
    layer = NewLayer.from_tar(tmp_path / "missing.tar")
    with pytest.raises(FileNotFoundError) as caught:
        raw(layer)
    assert caught.value.filename == str(tmp_path / "missing.tar")


def test_the_stream_of_a_tar_is_closed_also_when_writing_stops():
    streams = []

    def opened():
        streams.append(io.BytesIO(tar(f("a", "x" * (4 << 20)))))
        return streams[-1]

    for options in (None, LayerOptions()):
        pieces = NewLayer.from_tar(opened, options=options).iter_tar()
        next(pieces)
        pieces.close()
        assert streams[-1].closed


@pytest.fixture
def app(tmp_path):
    """A directory of an application."""
    top = tmp_path / "app"
    for path in ("src/main.py", "src/main.pyc", "node_modules/left/pad.js", "node_modules/keep.js", "README.md"):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(path)
    os.link(top / "README.md", top / "src/README.md")
    return top


def test_options_apply_to_every_source(app):
    options = LayerOptions(
        prefix="srv", keep_root=False, ignore="**/*.pyc\nnode_modules\n!node_modules/keep.js", uid=1, gid=2, mode=0o755
    )
    layers = [
        NewLayer.from_directory(app, options=options),
        NewLayer.from_tree(scan(app), options=options),
        NewLayer.from_tar(lambda: io.BytesIO(raw(NewLayer.from_directory(app))), options=options),
        NewLayer.from_changes(lambda: decode(read_tar(io.BytesIO(raw(NewLayer.from_directory(app))))), options=options),
    ]
    assert {raw(layer) for layer in layers} == {raw(layers[0])}
    assert names(layers[0]) == [
        b"srv/",
        b"srv/README.md",
        b"srv/node_modules/",
        b"srv/node_modules/keep.js",
        b"srv/src/",
        b"srv/src/README.md",
        b"srv/src/main.py",
    ]


def test_a_file_whose_first_name_is_left_out_is_written_at_its_second(app):
    options = LayerOptions(ignore="README.md")
    for layer in (NewLayer.from_directory(app, options=options), NewLayer.from_tree(scan(app), options=options)):
        assert merged(raw(layer)).require("src/README.md").content.data == b"README.md"


def test_a_link_whose_target_is_left_out_of_a_tar_is_an_error():
    layer = NewLayer.from_tar(lambda: io.BytesIO(tar(f("a"), ln("b", "a"))), options=LayerOptions(ignore="a"))
    with pytest.raises(LinkError):
        raw(layer)


def test_nothing_is_read_before_the_layer_is_written(tmp_path):
    missing = tmp_path / "missing"
    layers = [NewLayer.from_directory(missing), NewLayer.from_tar(missing), NewLayer.from_changes(lambda: 1 / 0)]
    missing.mkdir()
    assert names(layers[0]) == [b"./"]
    with pytest.raises(ZeroDivisionError):
        raw(layers[2])


def test_what_is_left_out_is_reported(tmp_path, monkeypatch):
    (tmp_path / "f").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
    monkeypatch.setattr(system, "get_xattrs", lambda *_: {b"security.selinux": b"x"})
    built, _ = write(NewLayer.from_directory(tmp_path))
    assert list(built.skipped) == [
        Skipped("xattr", b"", 0, None, "security.selinux"),
        Skipped("xattr", b"f", 0, None, "security.selinux"),
        Skipped("socket", b"s", 0, None),
    ]


def test_a_file_that_shrinks_stores_nothing(tmp_path, monkeypatch):
    (tmp_path / "top").mkdir()
    (tmp_path / "top/f").write_bytes(b"x" * 100)
    monkeypatch.setattr(system, "pread", lambda fd, size, at: b"" if at else b"x" * 10)
    with Layout.create(tmp_path / "layout") as layout:
        layer = NewLayer.from_directory(tmp_path / "top")
        with pytest.raises(SizeMismatchError) as caught:
            layer.write(layout.blobs)
        assert (caught.value.what, caught.value.actual) == (str(tmp_path / "top/f"), 10)
        assert list(layout.blobs.iter_blobs()) == []
    assert os.listdir(tmp_path / "layout/ingest") == []


def test_layers_of_a_layout_go_straight_into_it(tmp_path, app):
    with Layout.create(tmp_path / "layout") as layout:
        built = NewLayer.from_directory(app).write(layout.blobs, temporary_directory=tmp_path / "missing")
        assert layout.blobs.has_blob(built.descriptor.digest)
    with pytest.raises(FileNotFoundError):
        NewLayer.from_directory(app).write(MemoryBlobs(), temporary_directory=tmp_path / "missing")


PACK = """
import os, sys, time
os.umask(int(sys.argv[2], 8))
time.tzset()
from oci_layers.blob import MemoryBlobs
from oci_layers.build import NewLayer
print(NewLayer.from_directory(sys.argv[1]).write(MemoryBlobs()).descriptor.digest)
"""


def test_order_umask_time_zone_locale_and_hash_seed_change_nothing(tmp_path):
    names = [f"{number:x}" for number in range(40)] + ["é", "\udcff", "a b"]
    digests = set()
    for number, (mask, zone, locale) in enumerate([("000", "UTC", "C"), ("077", "Asia/Kathmandu", "de_DE.UTF-8")]):
        top = tmp_path / str(number)
        top.mkdir()
        for name in names if number else reversed(names):
            (top / name).write_text(name, errors="surrogateescape")
            os.utime(top / name, ns=(number, 1_700_000_000_000_000_000))
        os.utime(top, ns=(0, 0))
        environment = {
            "PYTHONPATH": str(ROOT),
            "TZ": zone,
            "LC_ALL": locale,
            "PYTHONHASHSEED": str(number),
            "PATH": os.environ["PATH"],
        }
        command = [sys.executable, "-c", PACK, os.fspath(top), mask]
        digests.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(digests) == 1


def test_the_diff_id_is_the_same_on_every_machine():
    """A change of it is a change of what is promised."""
    tree = merged(
        tar(d("etc/", mtime_ns=0), f("etc/motd", "lit", mtime_ns=1_700_000_000_123_456_789), sym("m", "etc/motd"))
    )
    built, _ = write(NewLayer.from_tree(tree, options=LayerOptions(clamp_mtime=1_600_000_000)))
    assert str(built.diff_id) == "sha256:cd83b7675178af5193e5cbb77fd5002345a40b063e31ea47c80232884b5802c3"
