"""Layers that are made here, as other programs see them; and the patterns of `.dockerignore`, as buildah reads them."""

import json
import os
import subprocess

import pytest

from oci_layers import Descriptor
from oci_layers.build import Codec, Ignore, LayerOptions, NewLayer
from oci_layers.store import Layout
from tests.build.test_ignore import TABLE
from tests.disk.test_mirror import EVERYTHING
from tests.interop.test_tar_peers import long_tree, make
from tests.support.layers import tar
from tests.support.listing import listing
from tests.support.peers import run, umoci_unpack
from tests.support.trees import mirrored

EXACT = LayerOptions(nanoseconds=True, clamp_mtime=None)
CODECS = [Codec(), Codec(encoder="isal"), Codec(compression="zstd"), Codec(compression="")]
names = [f"{codec.compression or 'plain'}-{codec.encoder}" for codec in CODECS]


@pytest.fixture
def everything(tmp_path):
    """A directory of all that a layer can hold."""
    top = tmp_path / "top"
    top.mkdir()
    mirrored(top, tar(*(entry for entry in EVERYTHING if entry.name != b"zero")))
    return top


@pytest.mark.root
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            ("tar", "--extract", "--numeric-owner", "--same-permissions", "--xattrs", "--xattrs-include=*"),
            marks=pytest.mark.peer("tar"),
        ),
        pytest.param(("bsdtar", "-x", "--numeric-owner", "-p", "--xattrs"), marks=pytest.mark.peer("bsdtar")),
    ],
    ids=["tar", "bsdtar"],
)
def test_a_directory_is_unpacked_alike_by_programs_for_tars(everything, tmp_path, command):
    packed, dest = tmp_path / "layer.tar", tmp_path / "dest"
    long_tree(os.fsencode(everything / "long"))
    packed.write_bytes(b"".join(NewLayer.from_directory(everything, options=EXACT).iter_tar()))
    dest.mkdir()
    run(*command, "-f", packed, "-C", dest)
    found, packed = listing(dest), listing(everything)
    if command[0] == "bsdtar":
        # It sets neither the attributes of links nor the time of the directory in which it unpacks.
        for each in (found, packed):
            each[b""]["mtime_ns"] = None
            for row in each.values():
                row["xattrs"] = None if row["kind"] != "file" else row["xattrs"]
    assert found == packed


def write_image(layers, directory, codec):
    """Write an image of layers into a layout, its documents by hand; return its name and the layers' descriptors."""
    with Layout.create(directory) as layout:
        built = [layer.write(layout.blobs, codec=codec) for layer in layers]

        def put(value, media_type):
            raw = json.dumps(value).encode()
            with layout.blobs.ingest() as writer:
                writer.write(raw)
                writer.commit()
            return Descriptor.of(raw, media_type=media_type)

        def fields(descriptor):
            return {"mediaType": descriptor.media_type, "digest": str(descriptor.digest), "size": descriptor.size}

        diff_ids = [str(each.diff_id) for each in built]
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": fields(put(config, "application/vnd.oci.image.config.v1+json")),
            "layers": [fields(each.descriptor) for each in built],
        }
        layout.tag("t", put(manifest, manifest["mediaType"]))
    return f"{directory}:t", built


@pytest.mark.root
@pytest.mark.peer("umoci")
@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec.compression != "zstd"])
def test_umoci_unpacks_what_was_packed(everything, tmp_path, codec):
    name, _ = write_image([NewLayer.from_directory(everything, options=EXACT)], tmp_path / "layout", codec)
    # umoci does not set empty attributes.
    theirs, ours = listing(umoci_unpack(name, tmp_path / "bundle")), listing(everything)
    for row in ours.values():
        row["xattrs"] = {key: value for key, value in row["xattrs"].items() if value}
    assert theirs == ours


@pytest.mark.peer("skopeo")
@pytest.mark.parametrize("codec", CODECS, ids=names)
def test_skopeo_copies_and_inspects_what_was_packed(tmp_path, codec):
    top = tmp_path / "top"
    long_tree(os.fsencode(top))
    layers = [NewLayer.from_directory(top), NewLayer.from_directory(top, options=LayerOptions(prefix="srv"))]
    name, built = write_image(layers, tmp_path / "layout", codec)
    inspected = json.loads(run("skopeo", "inspect", f"oci:{name}"))
    assert inspected["Layers"] == [str(each.descriptor.digest) for each in built]
    run("skopeo", "--insecure-policy", "copy", f"oci:{name}", f"oci:{tmp_path}/copy:t")
    if codec.compression:  # It compresses layers that are not.
        stored = {each.name for each in (tmp_path / "copy/blobs/sha256").iterdir()}
        assert stored >= {each.descriptor.digest.encoded for each in built}
    if codec.compression != "zstd":  # It decompresses all layers for Docker's archive, and checks the diff_ids.
        run("skopeo", "--insecure-policy", "copy", f"oci:{name}", f"docker-archive:{tmp_path}/saved.tar:a:b")


@pytest.mark.peer("gzip")
def test_gunzip_accepts_what_isal_makes(tmp_path):
    make(os.fsencode(tmp_path), b"top/f", os.urandom(3 << 20) + b"text " * 500_000)
    _, [built] = write_image([NewLayer.from_directory(tmp_path / "top")], tmp_path / "layout", Codec(encoder="isal"))
    blob = tmp_path / "layout/blobs/sha256" / built.descriptor.digest.encoded
    plain = subprocess.run(["gzip", "-dc"], input=blob.read_bytes(), check=True, capture_output=True).stdout
    assert len(plain) == built.plain_size


NOT_COMPARED = {
    # The code and the documents of Docker differ.
    "a\n!a/b\na*",
    "[*]",
    # These mean another thing below a directory.
    "**file",
    ".",
    "/",
    "..",
    # The version that Debian 12 has escapes too little, and does not enter directories for patterns with wildcards.
    "a+(b)|{c}$^",
    "pkg-1.0+x-py3.whl",
    "*\n!**/keep",
}
COMPARED = [row for row in TABLE if row[0] not in NOT_COMPARED and row[1].isascii() and "\n" not in row[1]]


@pytest.mark.root
@pytest.mark.peer("buildah")
def test_buildah_leaves_the_same_files_out(tmp_path):
    """Each row of the table in a directory of its own: one build tries all."""
    lines, expected = [], {}
    context = tmp_path / "context"
    for number, (patterns, path, left_out) in enumerate(COMPARED):
        below = f"r{number}"
        make(os.fsencode(context), os.fsencode(f"{below}/{path}"))
        expected[f"{below}/{path}"] = left_out
        lines += _moved(patterns, below)
    (tmp_path / "ignore").write_text("\n".join(lines))
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY . /\n")
    at = ("--root", tmp_path / "storage", "--runroot", tmp_path / "run", "--storage-driver", "vfs")
    run(
        "buildah", *at, "build", "--isolation", "chroot", "--quiet", "--ignorefile", tmp_path / "ignore",
        "-f", tmp_path / "Containerfile", "-t", f"oci:{tmp_path}/built:t", context,
    )  # fmt: skip
    found = listing(umoci_unpack(f"{tmp_path}/built:t", tmp_path / "bundle"))
    theirs = {path: os.fsencode(path) not in found for path in expected}
    ours = {path: Ignore.parse(lines).excludes(path) for path in expected}
    assert ours == expected
    assert theirs == expected


def _moved(patterns, below):
    """The lines of a row, for a directory of its own."""
    lines = []
    for line in patterns.removeprefix("\ufeff").split("\n"):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        exception, pattern = text.startswith("!"), text.removeprefix("!").strip()
        lines.append(f"{'!' if exception else ''}{below}/{pattern}")
    return lines
