"""Layouts that this library and skopeo and umoci write in turn, while the other one has them open."""

import io
import json
import os

import pytest

from oci_layers import open_image
from oci_layers.spec.descriptor import Descriptor
from oci_layers.store.copy import copy
from oci_layers.store.du import du
from oci_layers.store.fsck import fsck
from oci_layers.store.gc import gc
from oci_layers.store.layout import Layout
from tests.support.layers import f, image, tar
from tests.support.peers import run, umoci_unpack

LAYERS = (tar(f("a", "a")), tar(f("b", "b" * 5000)), tar(f("c", "c")))


def skopeo(*arguments):
    """Run skopeo without a policy file."""
    return run("skopeo", "--insecure-policy", *arguments)


@pytest.fixture
def source(tmp_path):
    """An image of three layers, called `t`."""
    return image(tmp_path / "source", *LAYERS)


@pytest.mark.peer("skopeo")
def test_skopeo_copies_what_was_copied_with_its_digest(source, tmp_path):
    with Layout.open(source) as old, Layout.create(tmp_path / "ours") as ours:
        copied = copy(old, ours, "t", target_ref="v1")
        skopeo("copy", f"oci:{tmp_path}/ours:v1", f"oci:{tmp_path}/theirs:v2")
        with Layout.open(tmp_path / "theirs") as theirs:
            assert theirs.resolve("v2").digest == copied.entries[0].digest
            again = copy(theirs, ours, "v2")
    assert (again.blobs, again.present) == (0, 5)
    assert again.entries[0].digest == copied.entries[0].digest


@pytest.mark.peer("skopeo")
def test_skopeo_writes_to_a_layout_that_is_open(source, tmp_path):
    with Layout.create(tmp_path / "ours") as ours:
        skopeo("copy", f"oci:{source}:t", f"oci:{tmp_path}/ours:theirs")
        descriptor = ours.resolve("theirs")
        ours.tag("mine", descriptor)
        skopeo("copy", f"oci:{source}:t", f"oci:{tmp_path}/ours:more")
        names = [entry.annotations["org.opencontainers.image.ref.name"] for entry in ours.entries()]
        assert sorted(names) == ["mine", "more", "theirs"]
        assert fsck(ours).findings == ()
        assert du(ours).images[0].refs == tuple(names)


@pytest.mark.peer("skopeo")
def test_skopeo_reads_a_layout_whose_blobs_are_shared(source, tmp_path):
    with (
        Layout.open(source) as old,
        Layout.create(tmp_path / "ours", shared_blobs=_made(tmp_path / "shared")) as ours,
    ):
        copied = copy(old, ours)
    assert not os.listdir(tmp_path / "ours" / "blobs")
    place = f"oci:{tmp_path}/ours:t"
    skopeo("copy", "--src-shared-blob-dir", tmp_path / "shared", place, f"oci:{tmp_path}/theirs:t")
    with Layout.open(tmp_path / "theirs") as theirs:
        assert theirs.resolve("t").digest == copied.entries[0].digest
    skopeo("copy", "--dest-shared-blob-dir", tmp_path / "shared", f"oci:{source}:t", f"oci:{tmp_path}/more:t")
    with Layout.open(tmp_path / "more", shared_blobs=tmp_path / "shared") as more:
        assert fsck(more).ok


def _made(directory):
    directory.mkdir()
    return directory


@pytest.mark.root
@pytest.mark.peer("umoci")
def test_umoci_works_on_a_layout_that_is_open_and_written_to(source, tmp_path):
    with Layout.open(source) as old, Layout.create(tmp_path / "ours") as ours:
        copy(old, ours, "t")
        place = f"{tmp_path}/ours"
        with ours.lease():
            orphan = Descriptor.of(b"orphan", media_type="text/plain")
            ours.blobs.put_blob(io.BytesIO(b"orphan"), orphan)
            root = umoci_unpack(f"{place}:t", tmp_path / "bundle")
            with open(os.path.join(root, "new"), "w") as file:
                file.write("new")
            run("umoci", "repack", "--image", f"{place}:u", tmp_path / "bundle")
            run("umoci", "tag", "--image", f"{place}:u", "w")
            ours.tag("mine", ours.resolve("u"))
        assert sorted(run("umoci", "list", "--layout", place).split()) == ["mine", "t", "u", "w"]
        ours.untag("w")
        ours.untag("u")
        run("umoci", "gc", "--layout", place)
        gc(ours, grace=0)
        assert fsck(ours).findings == ()
    with open_image(f"oci:{place}:mine") as opened:
        assert (opened.root / "new").read_text() == "new"
        assert (opened.root / "a").read_text() == "a"


@pytest.mark.peer("skopeo")
def test_skopeo_reads_what_was_copied_from_a_docker_archive(source, tmp_path):
    archive = f"docker-archive:{tmp_path}/saved.tar"
    skopeo("copy", f"oci:{source}:t", f"{archive}:lamp:1")
    with Layout.create(tmp_path / "ours") as ours:
        copied = copy(archive, ours, target_ref="lamp")
        assert fsck(ours).findings == ()
    said = json.loads(skopeo("inspect", f"oci:{tmp_path}/ours:lamp"))
    assert said["Digest"] == str(copied.entries[0].digest)
    assert len(said["Layers"]) == 3
