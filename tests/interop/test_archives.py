"""Archives that are written here are read by skopeo, buildah and umoci, and theirs here, through pipes too.

A document that a tool keeps has the same digest there. Docker's form has no digests of manifests, so what is compared
is the config, to the byte, and what the layers are uncompressed.
"""

import io
import json
import subprocess
import sys

import pytest

from oci_layers import check_image, open_image
from oci_layers.spec.descriptor import Descriptor
from oci_layers.store.archive_writer import ArchiveWriter
from tests.store.test_archive import fed
from tests.store.test_archive_writer import INDEX, MANIFEST, Source
from tests.support.layers import COMPRESS, d, digest, f, image, ln, sym, tar, wh
from tests.support.listing import listing
from tests.support.peers import Buildah, assert_unpacked_alike, run, umoci_unpack

pytestmark = [pytest.mark.root, pytest.mark.peer("skopeo")]

LAYERS = (
    tar(d("bin/"), f("bin/sh", "#!" * 3000, mode=0o755), f("gone"), sym("link", "bin/sh")),
    tar(wh("gone"), ln("bin/bash", "bin/sh", mode=0o755), f("etc", "e")),
)
NAME = "registry.example/me/app:1"


def written(file, *, compression="gzip", docker=False, ref=NAME, source=None):
    """Write an archive of one image and return what it is made of."""
    source = source or Source(*LAYERS, compression=compression)
    with ArchiveWriter(file, docker=docker) as writer:
        writer.tag(ref, source.put(writer))
    return source


def config_of(source):
    return source.blobs[-2][0].decode()


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("docker", [False, True])
def test_skopeo_copies_the_layout_with_the_same_digests(tmp_path, compression, docker):
    source = written(tmp_path / "a.tar", compression=compression, docker=docker)
    ref = "1" if docker else NAME
    copy = "skopeo", "copy", "--quiet", "--preserve-digests"
    run(*copy, f"oci-archive:{tmp_path}/a.tar:{ref}", f"oci:{tmp_path}/copy:t")
    with open_image(f"oci:{tmp_path}/copy:t") as copied:
        assert copied.descriptor.digest == source.entry.digest
        assert [each.descriptor for each in copied.layers] == [each for _, each in source.blobs[:-2]]
    assert check_image(f"oci:{tmp_path}/copy").ok


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", [NAME, "@0", None])
def test_skopeo_copies_dockers_form_with_the_same_config_and_layers(tmp_path, compression, name):
    source = written(tmp_path / "a.tar", compression=compression, docker=True)
    archive = f"docker-archive:{tmp_path}/a.tar" + (f":{name}" if name else "")
    assert run("skopeo", "inspect", "--config", "--raw", archive) == config_of(source)
    run("skopeo", "copy", "--quiet", archive, f"oci:{tmp_path}/copy:t")
    with open_image(f"oci:{tmp_path}/copy:t") as copied, open_image(archive) as ours:
        assert [str(each.diff_id) for each in copied.layers] == list(map(digest, LAYERS))
        assert copied.tree() == ours.tree()


WRITE = "from tests.interop.test_archives import written; written('-')"


def test_tar_extracts_an_archive_from_a_pipe_while_it_is_written(tmp_path):
    run("sh", "-ec", f'"{sys.executable}" -c "{WRITE}" | tar -xC {tmp_path}')
    with open_image(f"oci:{tmp_path}:{NAME}") as extracted:
        assert [str(each.diff_id) for each in extracted.layers] == list(map(digest, LAYERS))


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_an_archive_of_skopeo_is_read_from_a_pipe(tmp_path, transport):
    layout = image(tmp_path / "layout", *LAYERS)
    run("skopeo", "copy", "--quiet", f"oci:{layout}:t", f"{transport}:{tmp_path}/theirs.tar:{NAME}")
    with fed((tmp_path / "theirs.tar").read_bytes()), open_image(f"{transport}:-:{NAME}") as opened:
        assert [str(each.diff_id) for each in opened.layers] == list(map(digest, LAYERS))
        with open_image(layout) as other:
            assert opened.tree() == other.tree()


def test_several_images_and_names_are_found_by_skopeo(tmp_path):
    one, two, unnamed = Source(LAYERS[0]), Source(*LAYERS), Source()
    with ArchiveWriter(tmp_path / "a.tar", docker=True) as writer:
        for source, refs in ((one, ["one:1", "me/one"]), (two, ["docker.io/library/two:2"]), (unnamed, [None])):
            for ref in refs:
                writer.tag(ref, source.put(writer))
    for ref, source in (("one:1", one), ("me/one:latest", one), ("two:2", two), ("@1", two), ("@2", unnamed)):
        archive = f"docker-archive:{tmp_path}/a.tar:{ref}"
        assert run("skopeo", "inspect", "--config", "--raw", archive) == config_of(source)
    tags = json.loads(run("skopeo", "list-tags", f"docker-archive:{tmp_path}/a.tar"))["Tags"]
    assert sorted(tags) == ["@2", "me/one:latest", "one:1", "two:2"]


def test_an_image_of_two_platforms_is_that_of_the_first_for_a_reader_of_dockers_form(tmp_path):
    sources = [Source(LAYERS[0], architecture=each) for each in ("amd64", "arm64")]
    with ArchiveWriter(tmp_path / "a.tar", docker=True) as writer:
        listed = [
            {
                "mediaType": MANIFEST,
                "digest": str(entry.digest),
                "size": entry.size,
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, entry in zip(("amd64", "arm64"), [each.put(writer) for each in sources], strict=True)
        ]
        raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
        index = Descriptor.of(raw, media_type=INDEX)
        writer.blobs.put_blob(io.BytesIO(raw), index)
        writer.tag(NAME, index)
    archive = f"docker-archive:{tmp_path}/a.tar:{NAME}"
    assert run("skopeo", "inspect", "--config", "--raw", archive) == config_of(sources[0])
    copy = "skopeo", "copy", "--quiet", "--all", "--preserve-digests"
    run(*copy, f"oci-archive:{tmp_path}/a.tar:1", f"oci:{tmp_path}/copy:t")
    assert check_image(f"oci:{tmp_path}/copy").blobs == 6
    for source, architecture in zip(sources, ("amd64", "arm64"), strict=True):
        with open_image(f"oci:{tmp_path}/copy:t", platform=f"linux/{architecture}") as copied:
            assert copied.descriptor.digest == source.entry.digest


@pytest.mark.peer("buildah")
@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("docker", [False, True])
def test_buildah_pulls_both_forms(tmp_path, compression, docker):
    source = written(tmp_path / "a.tar", compression=compression, docker=docker, ref="me/app:1")
    buildah = Buildah(tmp_path)
    name = f"{'docker-archive' if docker else 'oci-archive'}:{tmp_path}/a.tar:me/app:1"
    pulled = buildah("pull", "--quiet", name)
    assert pulled == source.blobs[-2][1].digest.encoded
    theirs = listing(buildah("mount", buildah("from", pulled)))
    with open_image(name) as opened:
        opened.unpack(tmp_path / "ours")
    # Its vfs storage sets other times and modes of directories.
    assert {path: each.get("sha256") for path, each in listing(tmp_path / "ours").items()} == {
        path: each.get("sha256") for path, each in theirs.items()
    }


@pytest.mark.peer("umoci")
@pytest.mark.parametrize("docker", [False, True])
def test_umoci_unpacks_what_tar_extracts(tmp_path, docker):
    written(tmp_path / "a.tar", docker=docker, ref="app:1")
    layout = tmp_path / "layout"
    layout.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "a.tar", "-C", layout], check=True)
    theirs = umoci_unpack(f"{layout}:{'1' if docker else 'app:1'}", tmp_path / "bundle")
    assert_unpacked_alike(f"{tmp_path}/a.tar", theirs, tmp_path / "ours")


@pytest.mark.peer("bsdtar")
def test_other_readers_of_tar_list_the_same_members(tmp_path):
    source = written(tmp_path / "a.tar", docker=True)
    expected = ["oci-layout", "blobs/", "blobs/sha256/", *source.files, "index.json", "manifest.json", "repositories"]
    for reader in ("tar", "bsdtar"):
        assert run(reader, "-tf", tmp_path / "a.tar").splitlines() == expected
