"""Bad images, one way each, through the library and through the command.

Each row has the error with its data, and the command's exit code. The command says it all in one line on stderr, and
neither leaves anything behind.
"""

import base64
import json
import os

import attrs
import pytest

import oci_layers
from oci_layers.cli.main import main
from oci_layers.errors import (
    BlobMissingError,
    CompressionError,
    DigestMismatchError,
    DocumentError,
    LayerError,
    LimitError,
    LinkError,
    NameFormatError,
    PlaceMissingError,
    ReferenceMissingError,
    SizeMismatchError,
    StoreError,
    TarFormatError,
    UnsafePathError,
    UnsupportedError,
    WhiteoutError,
)
from oci_layers.limits import Limits
from tests.support import bad_images as images
from tests.support import blocks
from tests.support.bad_images import (
    CONFIG,
    GOOD,
    INDEX,
    archive_with,
    blob,
    changed,
    document,
    edited,
    layer,
    manifest_file,
    nested,
    raw_layer,
    replace_blob,
    rewrite,
)
from tests.support.examples import some
from tests.support.layers import digest, entry, f, ln, sym, tar

ZEROS = "sha256:" + "0" * 64


@attrs.frozen
class Row:
    """How to make a bad image, and what is said of it; a value of `data` may be a function of the place."""

    make: object
    code: int
    error: type
    data: dict
    name: str
    limits: dict
    arguments: tuple

    def expected(self, place):
        return {key: value(place) if callable(value) else value for key, value in self.data.items()}


def row(title, make, code, error, /, *, at="oci:{}/image", limits=(), arguments=(), **data):
    return pytest.param(Row(make, code, error, data, at, dict(limits), tuple(arguments)), id=title)


def flip(place, at=100):
    rewrite(blob(place)[0], lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def blob_name(place):
    return f"blob {blob(place)[1]}"


def layer_name(place):
    return f"layer 0 ({blob(place)[1]})"


def size(place):
    return json.loads(manifest_file(place).read_bytes())["layers"][0]["size"]


def set_layer(**fields):
    """What the manifest says of the layer, which is stored as it is."""

    def edit(image):
        image.manifest["layers"] = [image.layers[0]["descriptor"] | fields]

    return edited(edit)


def set_config(change):
    return edited(lambda image: change(image.config))


def set_manifest(**fields):
    return edited(lambda image: image.manifest.update(fields))


def embedded(data):
    return set_layer(data=base64.b64encode(data).decode())


def pointer(place):
    return str(place / "image")


def config_file(place):
    manifest = json.loads(manifest_file(place).read_bytes())
    return place / "image/blobs" / manifest["config"]["digest"].replace(":", "/")


def flip_config(place):
    rewrite(config_file(place), lambda data: data.replace(b"amd64", b"arm64"))


BLOBS = [
    row(
        "missing",
        changed(lambda p: blob(p)[0].unlink()),
        3,
        BlobMissingError,
        digest=lambda p: json.loads(manifest_file(p).read_bytes())["layers"][0]["digest"],
    ),
    row(
        "short",
        changed(lambda p: rewrite(blob(p)[0], lambda data: data[:-1])),
        5,
        SizeMismatchError,
        what=blob_name,
        expected=size,
        actual=lambda p: size(p) - 1,
    ),
    row("empty", changed(lambda p: blob(p)[0].write_bytes(b"")), 5, SizeMismatchError, actual=0),
    row(
        "long",
        changed(lambda p: rewrite(blob(p)[0], lambda data: data + b"!")),
        5,
        SizeMismatchError,
        what=blob_name,
        expected=size,
        actual=lambda p: size(p) + 1,
    ),
    row("a bit flipped", changed(flip), 5, DigestMismatchError, what=blob_name, expected=lambda p: blob(p)[1]),
    row(
        "another of the same size",
        changed(lambda p: rewrite(blob(p)[0], lambda data: bytes(len(data)))),
        5,
        DigestMismatchError,
    ),
    row("config flipped", changed(flip_config), 5, DigestMismatchError),
    row("config missing", changed(lambda p: config_file(p).unlink()), 3, BlobMissingError),
    row(
        "manifest flipped",
        changed(lambda p: rewrite(manifest_file(p), lambda data: data[:-1] + b" ")),
        5,
        DigestMismatchError,
    ),
    row("manifest missing", changed(lambda p: manifest_file(p).unlink()), 3, BlobMissingError),
    row("a link", replace_blob(lambda path: os.symlink("../../../elsewhere", path)), 1, StoreError, place=pointer),
    row("a fifo", replace_blob(os.mkfifo), 1, StoreError, place=pointer),
    row("a directory", replace_blob(os.mkdir), 1, StoreError, place=pointer),
    row("embedded, and other", embedded(b"other bytes"), 5, SizeMismatchError, actual=11),
    row("of an unknown algorithm", set_layer(digest="md5:" + "0" * 32), 3, BlobMissingError, digest="md5:" + "0" * 32),
    row(
        "size too small",
        edited(lambda i: i.layers[0]["descriptor"].update(size=10)),
        5,
        SizeMismatchError,
        expected=10,
        actual=11,
    ),
    row("size of a petabyte", set_layer(size=1 << 50), 5, SizeMismatchError, expected=1 << 50),
    row("size of 0", set_layer(size=0), 5, SizeMismatchError, expected=0, actual=1),
]


DOCUMENTS = [
    row(
        "wrong diff_id",
        set_config(lambda c: c["rootfs"].update(diff_ids=[ZEROS])),
        5,
        DigestMismatchError,
        expected=ZEROS,
        actual=digest(GOOD),
    ),
    row(
        "too few diff_ids",
        set_config(lambda c: c["rootfs"].update(diff_ids=[])),
        1,
        DocumentError,
        pointer="/rootfs/diff_ids",
        media_type=CONFIG,
    ),
    row(
        "too many diff_ids",
        set_config(lambda c: c["rootfs"]["diff_ids"].append(ZEROS)),
        1,
        DocumentError,
        pointer="/rootfs/diff_ids",
    ),
    row(
        "diff_id that is a path",
        set_config(lambda c: c["rootfs"].update(diff_ids=["sha256:../../../etc/passwd"])),
        1,
        DocumentError,
        pointer="/rootfs/diff_ids/0",
    ),
    row(
        "digest that is a path",
        set_layer(digest="sha256:../../../../etc/passwd"),
        1,
        DocumentError,
        pointer="/layers/0/digest",
    ),
    row("digest in capitals", set_layer(digest="sha256:" + "AB" * 32), 1, DocumentError, pointer="/layers/0/digest"),
    row("digest with a newline", set_layer(digest=ZEROS + "\n"), 1, DocumentError, pointer="/layers/0/digest"),
    row("negative size", set_layer(size=-1), 1, DocumentError, pointer="/layers/0/size"),
    row("size in text", set_layer(size="12"), 1, DocumentError, pointer="/layers/0/size"),
    row("data that is not base64", set_layer(data="!!"), 1, DocumentError, pointer="/layers/0/data"),
    row("manifest and index in one", set_manifest(manifests=[]), 1, DocumentError, pointer="/manifests"),
    row(
        "manifest and index in one, spelled otherwise",
        set_manifest(Manifests=[]),
        1,
        DocumentError,
        pointer="/Manifests",
    ),
    row("manifest that says it is an index", set_manifest(mediaType=INDEX), 1, DocumentError, pointer="/mediaType"),
    row(
        "index where a manifest should be",
        document(b'{"schemaVersion":2,"manifests":[]}'),
        1,
        DocumentError,
        pointer="/manifests",
    ),
    row(
        "manifest where an index should be",
        document(json.dumps({"schemaVersion": 2, "layers": [], "config": {}}).encode(), INDEX),
        1,
        DocumentError,
        pointer="/layers",
    ),
    row("Docker's schema 1", set_manifest(schemaVersion=1, fsLayers=[]), 1, DocumentError),
    row("no JSON", document(b"hello"), 1, DocumentError, pointer=""),
    row("empty", document(b""), 1, DocumentError),
    row("keys that come twice", document(b'{"schemaVersion":2,"schemaVersion":2}'), 1, DocumentError),
    row("NaN", document(b'{"schemaVersion":NaN}'), 1, DocumentError),
    row("not UTF-8", document(b'{"schemaVersion":2,"x":"\xff"}'), 1, DocumentError),
    row("too deep", document(images.JSON_DEEP), 1, LimitError, limit="json_depth", allowed=100),
    row("number of 10,000 digits", document(images.JSON_NUMBER), 1, DocumentError),
    row(
        "too long a manifest",
        document(b"{" + b" " * (4 << 20) + b"}"),
        1,
        LimitError,
        limit="document_bytes",
        allowed=4 << 20,
        seen=(4 << 20) + 2,
    ),
    row(
        "too long a config",
        set_config(lambda c: c.update(author="x" * (8 << 20))),
        1,
        LimitError,
        limit="config_bytes",
        allowed=8 << 20,
    ),
    row(
        "too long an index",
        changed(lambda p: rewrite(p / "image/index.json", lambda raw: raw + b" " * (4 << 20))),
        1,
        LimitError,
        limit="document_bytes",
    ),
    row(
        "indexes as deep as may be",
        nested(16, lambda inner: [inner]),
        3,
        ReferenceMissingError,
        at="oci:{}/image:other",
    ),
    row(
        "indexes one deeper", nested(17, lambda inner: [inner]), 1, LimitError, limit="index_depth", allowed=16, seen=17
    ),
    row("too many entries", edited(images.fan_out), 1, LimitError, limit="descriptors", allowed=10_000, seen=10_001),
    row("an index in itself", changed(images.cycle), 5, DigestMismatchError),
    row(
        "an artifact",
        edited(lambda i: i.manifest.update(config=i.put(b"{}", "application/vnd.example+json"))),
        1,
        UnsupportedError,
        what="config media type",
        value="application/vnd.example+json",
    ),
    row(
        "unknown layer type",
        set_layer(mediaType="application/x-rpm"),
        1,
        UnsupportedError,
        what="layer media type",
        value="application/x-rpm",
    ),
    row(
        "empty index",
        edited(lambda i: i.index.update(manifests=[i.put(b"x", "text/plain")])),
        3,
        ReferenceMissingError,
        known=(),
    ),
]
LAYERS = [
    row(
        "not tar",
        raw_layer(b"this is no tar" * 100, b"this is no tar" * 100, ""),
        1,
        TarFormatError,
        offset=148,
        path=b"",
    ),
    row(
        "cut short",
        layer(GOOD[:1300]),
        1,
        TarFormatError,
        path=b"a/file",
        offset=1300,
        reason="the archive ends inside the content",
    ),
    row(
        "gzip cut short",
        raw_layer(images.GZIP_CUT, GOOD),
        1,
        CompressionError,
        reason="the gzip data is cut short",
        what=layer_name,
    ),
    row(
        "gzip with garbage after it",
        raw_layer(images.GZIP_GARBAGE, GOOD),
        1,
        CompressionError,
        reason="garbage after the gzip data",
    ),
    row(
        "zstd for gzip",
        raw_layer(images.SKIPPED, b"", "gzip"),
        1,
        CompressionError,
        reason="the media type promises gzip, the bytes are zstd",
    ),
    row(
        "gzip for zstd",
        raw_layer(images.GZIP_CUT, GOOD, "zstd"),
        1,
        CompressionError,
        reason="the media type promises zstd, the bytes are gzip",
    ),
    row(
        "gzip for plain tar",
        raw_layer(images.GZIP_CUT, GOOD, ""),
        1,
        CompressionError,
        reason="the media type promises plain tar, the bytes are gzip",
    ),
    row(
        "nothing for gzip",
        raw_layer(b"", b""),
        1,
        CompressionError,
        reason="the media type promises gzip, the bytes are empty",
    ),
    row(
        "zstd window",
        raw_layer(images.WINDOW, b"", "zstd"),
        1,
        LimitError,
        limit="window_bytes",
        allowed=128 << 20,
        seen=256 << 20,
    ),
    row(
        "gzip bomb", images.bomb, 1, LimitError, limit="plain_bytes", allowed=10 << 20, limits={"plain_bytes": 10 << 20}
    ),
    row("gzip bomb by its ratio", images.bomb, 1, LimitError, limit="ratio", allowed=100, limits={"ratio": 100}),
    row(
        "plain bytes of all layers",
        layer(GOOD, GOOD),
        1,
        LimitError,
        limit="plain_bytes",
        allowed=2 * len(GOOD) - 1,
        seen=2 * len(GOOD),
        limits={"plain_bytes": 2 * len(GOOD) - 1},
    ),
    row(
        "entries of all layers",
        layer(GOOD, GOOD),
        1,
        LimitError,
        limit="entries",
        allowed=3,
        seen=4,
        limits={"entries": 3},
    ),
    row(
        "PAX record of 8 GiB",
        layer(images.HUGE_PAX),
        1,
        LimitError,
        limit="header_bytes",
        allowed=1 << 20,
        seen=8 << 30,
    ),
    row("long name of 8 GiB", layer(images.HUGE_PAX.replace(b"x", b"L")), 1, TarFormatError),
    row(
        "chain of extension headers",
        layer(blocks.extended((b"a", b"b")) * 17 + blocks.header()),
        1,
        LimitError,
        limit="meta_headers",
        allowed=16,
        seen=17,
    ),
    row(
        "file of 256 GiB and one",
        layer(images.HUGE_FILE),
        1,
        LimitError,
        limit="file_bytes",
        allowed=256 << 30,
        seen=(256 << 30) + 1,
    ),
    row("holes of an exabyte", layer(images.SPARSE_EXABYTE), 1, LimitError, limit="file_bytes", seen=1 << 60),
    row("negative size", layer(blocks.header(size=blocks.base256(-1, 12))), 1, TarFormatError),
    row("size of 20 digits", layer(blocks.extended((b"size", b"9" * 20)) + blocks.header()), 1, TarFormatError),
    row("NUL in a name", layer(blocks.extended((b"path", b"a\0b")) + blocks.header()), 1, TarFormatError),
    row("half a header", layer(GOOD[:700]), 1, TarFormatError, offset=700, reason="the archive ends inside a header"),
    row("corrupt header later on", layer(GOOD[:520] + b"!" + GOOD[521:]), 1, TarFormatError, offset=660),
    row("lone zero block", layer(GOOD[:512] + bytes(512) + GOOD[512:]), 1, TarFormatError, offset=1024),
    row(
        "xattrs of 64 KiB and one",
        layer(tar(f("x", xattrs={b"user.a": bytes((64 << 10) - 5)}))),
        1,
        LimitError,
        limit="xattr_bytes",
        allowed=64 << 10,
        seen=(64 << 10) + 1,
    ),
    row("links in one another", layer(images.NESTED_LINKS), 1, LinkError, path=b"l0"),
    row(
        "a hundred thousand deep",
        layer(blocks.longname(b"a/" * 100_000) + blocks.header()),
        1,
        LimitError,
        limit="path_bytes",
        allowed=4096,
    ),
    row(
        "deep by little steps",
        layer(tar(f("a/" * 256 + "x"))),
        1,
        LimitError,
        limit="path_depth",
        allowed=256,
        seen=257,
    ),
    row(
        "climbing name",
        layer(tar(f("../x"))),
        1,
        UnsafePathError,
        path=b"../x",
        reason="the name climbs above the root of the image",
    ),
    row("hard link to nothing", layer(tar(ln("a", "b"))), 1, LinkError, path=b"a"),
    row("whiteout of nothing", layer(tar(f(".wh."))), 1, WhiteoutError, path=b".wh."),
    row("unknown type", layer(tar(entry("x", b"Z"))), 1, LayerError, path=b"x"),
    row("owner out of range", layer(blocks.header(uid=blocks.base256(2**32 - 1, 8))), 1, LayerError, path=b"file"),
    row(
        "name that writes on the screen",
        layer(tar(f("../\x1b[2J\x07\r\n\u202e"))),
        1,
        UnsafePathError,
        path="../\x1b[2J\x07\r\n\u202e".encode(),
    ),
    row("target that writes on the screen", layer(tar(ln("a", "\x1b[2J\n"))), 1, LinkError, path=b"a"),
]
PLACES = [
    row("no such directory", lambda p: None, 3, PlaceMissingError, place=pointer),
    row("no such file", lambda p: None, 3, PlaceMissingError, at="oci-archive:{}/image", place=pointer),
    row("no such path", lambda p: None, 3, PlaceMissingError, at="{}/image", place=pointer),
    row("unknown transport", layer(), 1, UnsupportedError, at="ftp:{}/image", what="transport", value="ftp"),
    row("no name", layer(), 2, NameFormatError, at="", what="image name"),
    row("no place", layer(), 2, NameFormatError, at="oci:", what="image name"),
    row("empty reference", layer(), 2, NameFormatError, at="oci:{}/image:", what="image name"),
    row("no such reference", layer(), 3, ReferenceMissingError, at="oci:{}/image:other", name="other", known=("t",)),
    row(
        "no such platform", layer(), 3, ReferenceMissingError, at="oci:{}/image", arguments=["--platform", "plan9/mips"]
    ),
    row("no platform at all", layer(), 2, NameFormatError, arguments=["--platform", "///"], what="platform"),
    row(
        "directory without a marker", changed(lambda p: (p / "image/oci-layout").unlink()), 1, StoreError, place=pointer
    ),
    row(
        "directory without an index", changed(lambda p: (p / "image/index.json").unlink()), 1, StoreError, place=pointer
    ),
    row(
        "layout of another version",
        changed(lambda p: (p / "image/oci-layout").write_text('{"imageLayoutVersion":"9.0.0"}')),
        1,
        DocumentError,
        pointer="/imageLayoutVersion",
    ),
    row(
        "index that is a link",
        changed(lambda p: ((p / "image/index.json").rename(p / "i"), os.symlink("../i", p / "image/index.json"))),
        1,
        StoreError,
        place=pointer,
    ),
    row(
        "index that is a fifo",
        changed(lambda p: ((p / "image/index.json").unlink(), os.mkfifo(p / "image/index.json"))),
        1,
        StoreError,
        place=pointer,
    ),
    row("archive that is a directory", layer(), 1, StoreError, at="oci-archive:{}/image", place=pointer),
    row(
        "archive that is no tar",
        lambda p: (p / "image").write_bytes(b"x" * 2000),
        1,
        TarFormatError,
        at="{}/image",
        offset=148,
    ),
    row("archive that is empty", lambda p: (p / "image").write_bytes(b""), 1, StoreError, at="{}/image"),
    row(
        "archive that is a bomb",
        lambda p: (p / "image").write_bytes(images.zeros(64 << 20)[0]),
        1,
        LimitError,
        at="{}/image",
        limits={"temporary_bytes": 1 << 20},
        limit="temporary_bytes",
        allowed=1 << 20,
    ),
    row(
        "Docker archive with a bad list",
        archive_with(f("manifest.json", '{"x":1}')),
        1,
        DocumentError,
        at="docker-archive:{}/image",
    ),
    row(
        "Docker archive with a missing file",
        archive_with(f("manifest.json", '[{"Config":"\\u001b[2J","RepoTags":[],"Layers":[]}]')),
        1,
        StoreError,
        at="docker-archive:{}/image",
    ),
    row(
        "Docker archive with links in a circle",
        archive_with(sym("manifest.json", "b"), sym("b", "manifest.json")),
        1,
        StoreError,
        at="docker-archive:{}/image",
    ),
    row(
        "Docker archive whose config is another",
        archive_with(
            f("manifest.json", json.dumps([{"Config": f"\x1b[2J/{'0' * 64}.json", "Layers": []}])),
            f(f"\x1b[2J/{'0' * 64}.json", "{}"),
        ),
        5,
        DigestMismatchError,
        at="docker-archive:{}/image",
    ),
]
TABLE = [
    pytest.param(each.values[0], id=f"{kind}: {each.id}")
    for kind, rows in {"blob": BLOBS, "document": DOCUMENTS, "layer": LAYERS, "place": PLACES}.items()
    for each in rows
]


def unpack(name, dest, **options):
    with oci_layers.open_image(name, **options) as image:
        image.unpack(dest)


@pytest.mark.parametrize("row", TABLE)
def test_the_library_says_what_is_wrong(place, row):
    row.make(place)
    before = sorted(os.listdir(place))
    options = dict(zip([name.lstrip("-") for name in row.arguments[::2]], row.arguments[1::2], strict=True))
    with pytest.raises(row.error) as caught:
        unpack(row.name.format(place), place / "dest", limits=Limits(**row.limits), **options)
    error = caught.value
    assert type(error) is row.error or row.error is OSError
    assert {key: getattr(error, key) for key in row.data} == row.expected(place)
    assert sorted(os.listdir(place)) == before


@pytest.mark.parametrize("row", some(TABLE, every=3))
def test_the_command_says_it_in_one_line(place, row, capfd):
    row.make(place)
    before = sorted(os.listdir(place))
    limits = [f"--limit={name}={number}" for name, number in row.limits.items()]
    code = main(["unpack", row.name.format(place), str(place / "dest"), *limits, *row.arguments])
    out, err = capfd.readouterr()
    assert (code, out) == (row.code, "")
    assert err.startswith("oci-layers: error: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert len(err) > 30
    assert sorted(os.listdir(place)) == before


@pytest.mark.root
def test_a_device_for_a_blob_is_refused(place):
    replace_blob(images.device)(place)
    with pytest.raises(StoreError), oci_layers.open_image(f"oci:{place}/image") as image:
        image.unpack(place / "dest")


def test_the_names_that_there_are_are_listed(place):
    layer()(place)
    with pytest.raises(ReferenceMissingError) as caught:
        oci_layers.open_image(f"oci:{place}/image:other")
    assert str(caught.value) == "no image 'other'; there are: t"
