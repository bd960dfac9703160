"""Converted images beside skopeo's: the same media types, the same digests of what is not rewritten, and skopeo reads
what is made here.
"""

import io
import json
from pathlib import Path

import pytest

from oci_layers import Limits, blob, open_image
from oci_layers.blob.recompress import recompressed
from oci_layers.blob.spool import Spool
from oci_layers.blob.store import open_verified
from oci_layers.spec import Descriptor
from oci_layers.spec.document import parse_manifest
from oci_layers.store.convert import (
    Conversion,
    applicable,
    converted_manifest,
    layer_media_type,
    recompression,
)
from tests.support.layers import d, f, image, tar
from tests.support.peers import run

pytestmark = pytest.mark.peer("skopeo")
LAYERS = tar(d("a"), f("a/b", "text " * 1000)), tar(f("c", "c"))


def theirs(directory):
    """Return the manifest that skopeo wrote to a `dir:`."""
    return (Path(directory) / "manifest.json").read_bytes()


def convert(document, blobs, conversion):
    """Convert an image; return its new blobs, by the text of their digests, and the descriptor of its manifest."""
    conversion = applicable(document, conversion)
    made, layers = {}, []
    for layer in document.value.layers:
        data = blob.read_verified(blobs, layer, limit="content_bytes", allowed=1 << 20)
        found = blob.sniff(data[:16])
        media_type = layer_media_type(layer.media_type, found, conversion)
        new = recompression(layer.media_type, found, conversion)
        if new is None:
            made[str(layer.digest)] = data
            layers.append(Descriptor(media_type=media_type, digest=layer.digest, size=layer.size))
            continue
        stream, spool = open_verified(blobs, layer), Spool(None, 1 << 30)
        with recompressed(stream, found, new, spool=spool, limits=Limits(), what="layer") as result:
            layers.append(Descriptor(media_type=media_type, digest=result.digest, size=result.size))
            made[str(result.digest)] = result.open().read(1 << 20)
    config = document.value.config
    made[str(config.digest)] = blob.read_verified(blobs, config, limit="config_bytes", allowed=1 << 20)
    raw, descriptor = converted_manifest(document, conversion, layers)
    made[str(descriptor.digest)] = raw
    return made, descriptor


def write(directory, made, descriptor):
    """Write an image as the `dir:` of skopeo."""
    directory.mkdir()
    for digest, data in made.items():
        (directory / digest.partition(":")[2]).write_bytes(data)
    (directory / "manifest.json").write_bytes(made[str(descriptor.digest)])
    (directory / "version").write_text("Directory Transport Version: 1.1\n")
    return f"dir:{directory}"


def stored(made):
    """Return a store of blobs."""
    store = blob.MemoryBlobs()
    for data in made.values():
        store.put_blob(io.BytesIO(data), Descriptor.of(data, media_type="application/octet-stream"))
    return store


def kinds(raw):
    value = json.loads(raw)
    return value["mediaType"], value["config"]["mediaType"], [layer["mediaType"] for layer in value["layers"]]


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_a_format_is_what_skopeo_makes_of_it(tmp_path, compression):
    name = f"oci:{image(tmp_path / 'layout', *LAYERS, compression=compression)}:t"
    run("skopeo", "copy", "-q", "--format", "v2s2", name, f"dir:{tmp_path}/docker")
    with open_image(name) as opened:
        made, descriptor = convert(opened.manifest_document, opened.blobs, Conversion(format="docker"))
    raw = made[str(descriptor.digest)]
    assert json.loads(raw) == json.loads(theirs(tmp_path / "docker"))
    run("skopeo", "copy", "-q", "--format", "oci", f"dir:{tmp_path}/docker", f"dir:{tmp_path}/oci")
    back, again = convert(parse_manifest(raw, descriptor), stored(made), Conversion(format="oci"))
    mine, other = (json.loads(each) for each in (back[str(again.digest)], theirs(tmp_path / "oci")))
    # skopeo writes the config anew; here its bytes stay.
    assert mine["config"] | {"digest": "", "size": 0} == other["config"] | {"digest": "", "size": 0}
    assert mine | {"config": None} == other | {"config": None}


@pytest.mark.parametrize("old", ["", "gzip", "zstd"])
@pytest.mark.parametrize(
    ("compression", "options"),
    [
        ("gzip", ["--dest-compress", "--dest-compress-format", "gzip"]),
        ("zstd", ["--dest-compress", "--dest-compress-format", "zstd"]),
        ("none", ["--dest-decompress"]),
    ],
)
def test_a_compression_is_what_skopeo_makes_of_it(tmp_path, old, compression, options):
    name = f"oci:{image(tmp_path / 'layout', *LAYERS, compression=old)}:t"
    run("skopeo", "copy", "-q", *options, name, f"dir:{tmp_path}/theirs")
    with open_image(name) as opened:
        made, descriptor = convert(opened.manifest_document, opened.blobs, Conversion(compression=compression))
    assert kinds(made[str(descriptor.digest)]) == kinds(theirs(tmp_path / "theirs"))


@pytest.mark.parametrize(
    ("format_", "compression"),
    # skopeo refuses to read Docker's media type for zstd, which BuildKit and containerd know.
    [("oci", "gzip"), ("oci", "zstd"), ("oci", "none"), ("docker", "gzip"), ("docker", "none")],
)
def test_skopeo_reads_what_is_converted(tmp_path, format_, compression):
    """It checks the digests; the diff_ids are checked when the trees are read."""
    name = f"oci:{image(tmp_path / 'layout', *LAYERS)}:t"
    with open_image(name) as opened:
        conversion = Conversion(format=format_, compression=compression)
        made, descriptor = convert(opened.manifest_document, opened.blobs, conversion)
    written = write(tmp_path / "ours", made, descriptor)
    run("skopeo", "copy", "-q", "--dest-decompress", written, f"oci:{tmp_path}/copied:t")
    with open_image(f"oci:{tmp_path}/copied:t") as copied, open_image(name) as opened:
        assert copied.config.rootfs == opened.config.rootfs
        assert copied.tree() == opened.tree()
