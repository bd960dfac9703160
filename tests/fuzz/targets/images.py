"""Whole images, from a directory or a file.

An input is a few parts: `index.json`, and after it what it leads to, documents and layers. In documents, `@d2` is the
digest of the second part after the index, `@i2` its diff_id, `@s2` its size, `@h2` the hexadecimal digits; so digests
are right, and what they name is read. A part that begins with `tar:`, `gzip:` or `zstd:` is a layer.
Laws: an image that opens is read to its end, or refused; `fsck`, `verify` and `list` have an answer for everything.
"""

import gzip
import hashlib
import io
import re
import shutil
import tempfile
from pathlib import Path

from oci_layers.limits import Limits
from oci_layers.spec.codec import dumps
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST
from oci_layers.store.fsck import fsck
from oci_layers.store.layout import Layout
from oci_layers.store.listing import list_images
from oci_layers.store.open import open_image
from oci_layers.tree.dump import dump
from oci_layers.verify.image import verify_image
from tests.fuzz.target import Target, drawn, refusals
from tests.fuzz.targets.documents import WORDS as JSON_WORDS
from tests.fuzz.targets.streams import zstd
from tests.fuzz.targets.tars import mended
from tests.support import docker
from tests.support.layers import d, f, ln, opq, sym, tar, wh
from tests.support.stacks import portable_stacks

LIMITS = Limits(
    file_bytes=1 << 20,
    plain_bytes=1 << 22,
    temporary_bytes=1 << 22,
    content_bytes=1 << 22,
    window_bytes=1 << 24,
    entries=2000,
    metadata_bytes=1 << 22,
    descriptors=100,
    layers=20,
)
BREAK = b"\n%%\n"
MARKER = b'{"imageLayoutVersion":"1.0.0"}'
_REFERENCE = re.compile(rb"@([dish])([1-9])")
_COMPRESS = {
    b"tar": lambda data: data,
    b"gzip": lambda data: gzip.compress(data, 1, mtime=0),
    b"zstd": lambda data: zstd.compress(data, 1),
}


class Parts:
    """The parts of an image, with their digests filled in, from the last part to the first."""

    def __init__(self, data):
        self.blobs = {}
        self._known = {}
        parts = data.split(BREAK)[:10]
        for number in range(len(parts) - 1, 0, -1):
            self._add(number, parts[number])
        self.index = self._filled(parts[0])

    def _add(self, number, part):
        kind, _, rest = part.partition(b":")
        layer = kind in _COMPRESS
        plain = mended(rest) if layer else self._filled(part)
        blob = _COMPRESS[kind](plain) if layer else plain
        name = hashlib.sha256(blob).hexdigest()
        diff_id = hashlib.sha256(plain).hexdigest()
        values = {"d": f"sha256:{name}", "i": f"sha256:{diff_id}", "s": str(len(blob)), "h": name}
        self._known |= {f"{letter}{number}".encode(): value.encode() for letter, value in values.items()}
        self.blobs[name] = blob, layer

    def _filled(self, part):
        return _REFERENCE.sub(lambda found: self._known.get(found[1] + found[2], found[0]), part)


class Place:
    """A directory of this process."""

    def __init__(self):
        self._directory = None

    def empty(self):
        """Return the path, with nothing there."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="oci-layers-fuzz-")
        path = Path(self._directory.name) / "image"
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        return path


PLACE = Place()


class Nothing(io.RawIOBase):
    """A file that keeps nothing."""

    def write(self, data):
        return len(data)


def read_image(name):
    """Read all of an image; return whether it could be read."""
    with refusals():
        list_images(name, limits=LIMITS)
    with refusals():
        with open_image(name, platform=None, limits=LIMITS, threads=1) as image:
            assert image.config.rootfs
            with refusals():
                list(image.lint())
            tree = image.tree()
            assert dump(tree).startswith("/")
            for _, file, chunks in image.files():
                assert sum(map(len, chunks)) == file.content.size
            assert image.account().layers
            image.why(b"a")
            image.export(Nothing())
        return True
    return False


def read_layout(data):
    parts = Parts(data)
    directory = PLACE.empty()
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (directory / "oci-layout").write_bytes(MARKER)
    (directory / "index.json").write_bytes(parts.index)
    for name, (blob, _) in parts.blobs.items():
        (blobs / name).write_bytes(blob)
    accepted = read_image(f"oci:{directory}")
    with refusals(), Layout.open(directory, limits=LIMITS) as layout:
        fsck(layout, threads=1, limits=LIMITS)
        with refusals():
            found = verify_image(layout.blobs, layout.entries(), threads=1, limits=LIMITS)
            assert all(each.message.isprintable() for each in found.findings)
    return accepted


def read_oci_archive(data):
    parts = Parts(data)
    blobs = [f(f"blobs/sha256/{name}", blob) for name, (blob, _) in parts.blobs.items()]
    file = PLACE.empty()
    file.write_bytes(tar(f("oci-layout", MARKER), f("index.json", parts.index), *blobs))
    return read_image(str(file))


def read_docker_archive(data):
    parts = Parts(data)
    files = [f(f"{name}/layer.tar" if layer else f"{name}.json", blob) for name, (blob, layer) in parts.blobs.items()]
    file = PLACE.empty()
    file.write_bytes(tar(*files, f("manifest.json", parts.index)))
    return read_image(f"docker-archive:{file}")


def read_file(data):
    """The bytes of an archive, as they are."""
    accepted = False
    for raw in {data, mended(data)}:
        file = PLACE.empty()
        file.write_bytes(raw)
        accepted = read_image(str(file)) or accepted
    return accepted


ALL = [
    [d("a/"), f("a/b", "text"), sym("c", "a/b"), ln("a/d", "a/b")],
    [wh("a/b"), opq("a"), f("a/e", "x" * 70), f("c", "")],
    [],
]
LAYERS = {b"tar": OCI_LAYER, b"gzip": OCI_LAYER_GZIP, b"zstd": OCI_LAYER_ZSTD}


def of_layers(*layers):
    """The parts of a layout with one image."""
    kinds = [list(LAYERS)[number % 3] for number in range(len(layers))]
    numbers = range(3, 3 + len(layers))
    entry = {"mediaType": OCI_MANIFEST, "digest": "@d1", "size": "@s1"}
    config = {"mediaType": OCI_CONFIG, "digest": "@d2", "size": "@s2"}
    rows = [
        {"mediaType": LAYERS[kind], "digest": f"@d{number}", "size": f"@s{number}"}
        for number, kind in zip(numbers, kinds, strict=True)
    ]
    documents = [
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]},
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": rows},
        config_of(numbers),
    ]
    return joined(documents, kinds, layers)


def config_of(numbers):
    return {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"@i{number}" for number in numbers]},
        "history": [{"created_by": f"step {number}"} for number in numbers],
    }


def joined(documents, kinds, layers):
    texts = [re.sub(rb'"(@s[0-9])"', rb"\1", dumps(document)) for document in documents]
    return BREAK.join([*texts, *(kind + b":" + tar(*layer) for kind, layer in zip(kinds, layers, strict=True))])


def layouts():
    return [of_layers(*ALL), *drawn(portable_stacks(3).map(lambda stack: of_layers(*stack)), 20)]


def docker_parts(*layers):
    """The parts of a Docker archive with one image."""
    numbers = range(2, 2 + len(layers))
    files = [f"@h{number}/layer.tar" for number in numbers]
    listing = dumps({"": [{"Config": "@h1.json", "RepoTags": ["app:1"], "Layers": files}]})[4:-1]
    return BREAK.join([listing, dumps(config_of(numbers)), *(b"tar:" + tar(*layer) for layer in layers)])


def docker_archives():
    return [docker_parts(*ALL), *drawn(portable_stacks(3).map(lambda stack: docker_parts(*stack)), 20)]


def files():
    """Archives as programs write them, as they are and compressed."""
    layers = [tar(*layer) for layer in ALL]
    whole = [
        tar(*entries)
        for entries in (
            docker.classic(*layers),
            docker.skopeo(*layers),
            docker.crane(*layers),
            docker.modern(("app", "1", layers)),
        )
    ]
    return [*whole, gzip.compress(whole[0], 9, mtime=0), zstd.compress(whole[3])]


WORDS = (
    *(b"@d1", b"@d2", b"@d3", b"@i3", b"@s1", b"@s3", b"@h2", b"tar:", b"gzip:", b"zstd:", BREAK, b"ustar\x0000"),
    *(b".wh.", b"../", OCI_MANIFEST.encode(), OCI_INDEX.encode(), OCI_LAYER_GZIP.encode(), *JSON_WORDS),
)
TARGETS = [
    Target("layout", read_layout, layouts, WORDS, 16384),
    Target("oci-archive", read_oci_archive, layouts, WORDS, 16384),
    Target("docker-archive", read_docker_archive, docker_archives, WORDS, 16384),
    Target("file", read_file, files, WORDS, 65536),
]
