"""Images that are wrong in one way each."""

import gzip
import hashlib
import json
import os
import stat
import struct
import zlib

from tests.support import blocks
from tests.support.layers import MEDIA_TYPES, Built, d, digest, f, sym, tar

GOOD = tar(d("a", mtime_ns=0), f("a/file", "text " * 2000, mtime_ns=0))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def built(place, *tars, **options):
    return Built.of(place / "image", *(tars or (GOOD,)), **options)


def blob(place, number=0):
    """The file of a layer of what was written, and its digest."""
    layers = json.loads(manifest_file(place).read_bytes())["layers"]
    name = layers[number]["digest"]
    return place / "image/blobs" / name.replace(":", "/"), name


def manifest_file(place):
    [entry] = json.loads((place / "image/index.json").read_bytes())["manifests"]
    return place / "image/blobs" / entry["digest"].replace(":", "/")


def changed(change, **options):
    """An image whose files are changed once it is written; `change` gets the place."""

    def make(place):
        built(place, **options).write()
        change(place)

    return make


def edited(edit, *tars, **options):
    """An image whose documents are changed before it is written; all digests are right."""

    def make(place):
        image = built(place, *tars, **options)
        edit(image)
        image.write()

    return make


def layer(*tars, **options):
    return edited(lambda image: None, *tars, **options)


def raw_layer(data, plain=b"", kind="gzip"):
    """An image with a layer of any bytes, right by their digest."""

    def edit(image):
        name = digest(data)
        image.layers[0] |= {"blob": data, "plain": plain}
        image.layers[0]["descriptor"] |= {"digest": name, "size": len(data), "mediaType": MEDIA_TYPES[kind]}
        image.config["rootfs"]["diff_ids"] = [digest(plain)]

    return edited(edit)


def document(raw, media_type=MANIFEST, **fields):
    """An image whose manifest is any bytes, right by their digest."""

    def edit(image):
        descriptor = image.put(raw, media_type) | fields
        image.index["manifests"].append(descriptor)

    return edited(edit)


def rewrite(path, change):
    path.write_bytes(change(path.read_bytes()))


def replace_blob(make):
    def change(place):
        path, _ = blob(place)
        path.rename(place / "elsewhere")
        make(path)

    return changed(change)


def device(path):
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))


def nested(count, wrap):
    """Indexes in one another: `wrap` makes the entries of each of the descriptor of the one before it."""

    def edit(image):
        image.write()
        [inner] = image.index["manifests"]
        for _ in range(count):
            inner = image.put(json.dumps({"schemaVersion": 2, "manifests": wrap(inner)}).encode(), INDEX)
        image.index["manifests"] = [inner]

    return edited(edit)


def fan_out(image):
    image.write()
    [manifest] = image.index["manifests"]
    manifest.pop("annotations")
    image.index["manifests"] = [manifest] * 10_001


def cycle(place):
    """An index that has itself in it cannot be made honestly; two that are named by one another cannot either."""
    path = place / "image/index.json"
    index = json.loads(path.read_bytes())
    name = "sha256:" + "ab" * 32
    index["manifests"] = [{"mediaType": INDEX, "digest": name, "size": 300}]
    inner = json.dumps({"schemaVersion": 2, "manifests": index["manifests"]}).encode().ljust(300)
    (place / "image/blobs" / name.replace(":", "/")).write_bytes(inner)
    path.write_text(json.dumps(index))


def zeros(count):
    """A stream of so many zeros, made in little memory, and their digest."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    hasher = hashlib.sha256()
    parts = []
    for _ in range(count >> 20):
        parts.append(squeeze.compress(bytes(1 << 20)))
        hasher.update(bytes(1 << 20))
    return b"".join(parts) + squeeze.flush(), "sha256:" + hasher.hexdigest()


def bomb(place):
    data, diff_id = zeros(64 << 20)

    def edit(image):
        image.layers[0]["blob"] = data
        image.layers[0]["descriptor"] |= {"digest": digest(data), "size": len(data)}
        image.config["rootfs"]["diff_ids"] = [diff_id]

    edited(edit)(place)


def archive_with(*members):
    """A Docker archive of any members."""

    def make(place):
        (place / "image").write_bytes(tar(*members))

    return make


NESTED_LINKS = tar(
    *(sym(f"l{number}", f"l{number + 1}") for number in range(3000)), d("l3000"), f("l0/x", "through 3,000 links")
)
HUGE_PAX = blocks.header(b"pax", type=b"x", size=blocks.base256(8 << 30, 12))
HUGE_FILE = blocks.header(b"file", size=blocks.base256((256 << 30) + 1, 12))
GZIP_CUT = gzip.compress(GOOD, mtime=0)[:-20]
GZIP_GARBAGE = gzip.compress(GOOD, mtime=0) + b"garbage"
JSON_DEEP = b'{"schemaVersion":2,"x":' + b"[" * 200 + b"]" * 200 + b"}"
JSON_NUMBER = b'{"schemaVersion":2,"x":' + b"9" * 10_000 + b"}"
SPARSE_EXABYTE = (
    blocks.extended(
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.realsize", b"1152921504606846976"),
        (b"GNU.sparse.name", b"x"),
    )
    + blocks.member(b"x", blocks.padded(b"0\n"))
    + blocks.END
)
WINDOW = b"\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00"
SKIPPED = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip"
