"""Indexes as values."""

import contextlib
import json

import pytest

from oci_layers import check_image, copy, open_image, validate
from oci_layers.build import ArtifactFile, NewArtifact, NewImage, NewIndex, NewLayer, edit, scratch
from oci_layers.errors import BlobMissingError, LimitError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec import Descriptor, Platform
from oci_layers.spec.document import parse_index
from oci_layers.spec.mediatype import DOCKER_MANIFEST_LIST, OCI_INDEX, OCI_MANIFEST
from oci_layers.store import Layout, MemoryRepository
from oci_layers.store.place import open_repository
from tests.support.layers import f, tar
from tests.support.stores import Recorded, index_of, manifest, multi, on
from tests.support.trees import merged
from tests.support.values import stack

PLATFORMS = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7")


def image(platform) -> NewImage:
    return scratch(platform).append(NewLayer.from_tree(merged(tar(f("for", platform, mtime_ns=0)))))


def read(place, ref):
    (entry,) = place.entries(ref)
    with contextlib.closing(place.blobs.open_blob(entry.digest)) as stream:
        return parse_index(stream.read(1 << 20), entry)


def test_an_image_for_each_platform(tmp_path):
    with Layout.create(tmp_path / "layout") as layout:
        written = NewIndex.of(*map(image, PLATFORMS), annotations={"com.example.a": "b"}).write(layout, "all")
        for platform in PLATFORMS:
            with open_image(layout, ref="all", platform=platform) as opened:
                assert opened.read(["for"]) == {"for": platform.encode()}
        document = read(layout, "all")
    assert document.descriptor.digest == written.digest
    assert [each.platform for each in document.value.manifests] == [Platform.parse(each) for each in PLATFORMS]
    assert document.value.annotations == {"com.example.a": "b"}
    assert list(validate(document.raw, OCI_INDEX)) == []
    assert check_image(tmp_path / "layout").ok


def test_children_are_written_first_and_the_name_last():
    target = Recorded(MemoryRepository())
    written = NewIndex.of(NewIndex.of(image("linux/amd64"))).write(target, "t")
    calls = [(kind, subject) for kind, subject in target.calls if kind in {"put", "tag"}]
    assert calls[-2:] == [("put", written.digest), ("tag", "t")]
    assert len(calls) == 6


def test_what_was_written_before_is_an_entry_by_its_descriptor():
    place = MemoryRepository()
    descriptor = image("linux/arm64").write(place, "arm")
    artifact = NewArtifact(artifact_type="text/x-log", files=[ArtifactFile(content=b"lit")])
    index = NewIndex.of(descriptor).append(image("linux/arm"), platform="linux/arm/v6", annotations={"k": "v"})
    index.append(artifact).write(place, "t")
    first, second, third = read(place, "t").value.manifests
    assert first == descriptor
    assert (second.platform, second.annotations) == (Platform.parse("linux/arm/v6"), {"k": "v"})
    assert (third.platform, third.artifact_type) == (None, "text/x-log")
    missing = Descriptor.of(b"x", media_type=OCI_INDEX)
    with pytest.raises(BlobMissingError) as caught:
        NewIndex.of(missing).write(place, "u")
    assert caught.value.digest == str(missing.digest)


def test_an_index_is_filtered_by_platform():
    index = NewIndex.of(*map(image, PLATFORMS))
    place = MemoryRepository()
    index.filter("linux/arm64", Platform.parse("linux/arm/v8")).write(place, "t")
    assert [str(each.platform) for each in read(place, "t").value.manifests] == PLATFORMS_KEPT
    with pytest.raises(ReferenceMissingError) as caught:
        index.filter("linux/s390x")
    assert caught.value.known == PLATFORMS


PLATFORMS_KEPT = ["linux/arm64/v8", "linux/arm/v7"]


def test_an_index_that_was_read_keeps_its_bytes_and_what_it_does_not_change():
    place = MemoryRepository()
    whole, images = multi(place.blobs, "linux/amd64", "linux/arm64")
    attestation = manifest(place.blobs, b"sbom", platform="unknown/unknown")
    said = {
        "vnd_docker_reference_type": "attestation-manifest",
        "vnd_docker_reference_digest": str(images[1].digest),
    }
    entries = [*read_raw(place, whole)["manifests"], {**json_of(on("unknown/unknown", attestation, **said)), "zzz": 1}]
    lost = {**entries[0], "digest": "sha256:" + 64 * "0", "platform": {"os": "linux", "architecture": "mips"}}
    written = index_of(place.blobs, *entries, lost, zzz=[1], annotations=None)
    document = parse_index(read_bytes(place, written), written)
    index, target = NewIndex.edit(document, place.blobs), MemoryRepository()
    assert index.write(target, "same").digest == written.digest
    assert set(target.blobs.iter_blobs()) <= set(place.blobs.iter_blobs())
    index.filter("linux/arm64").annotate({"k": "v"}).write(target, "arm")
    changed = json.loads(read(target, "arm").raw)
    assert changed["manifests"] == [entries[1], entries[2]]
    assert (changed["zzz"], changed["annotations"]) == ([1], {"k": "v"})
    with open_image(target, ref="arm", platform="linux/arm64") as opened:
        assert opened.descriptor.digest == images[1].digest
    assert "annotations" not in index.annotate({"k": None}).index_json


def shown(place, ref):
    return [(str(each.platform), str(each.digest)) for each in read(place, ref).value.manifests]


def attested(blobs, image):
    said = {"vnd_docker_reference_type": "attestation-manifest", "vnd_docker_reference_digest": str(image.digest)}
    return on("unknown/unknown", manifest(blobs, b"about " + image.digest.encoded.encode()), **said)


def test_an_update_takes_the_place_of_what_is_for_the_same_platform():
    old, new, target = MemoryRepository(), MemoryRepository(), MemoryRepository()
    amd, arm = (manifest(old.blobs, each.encode(), platform=each) for each in ("linux/amd64", "linux/arm64"))
    entries = [on("linux/amd64", amd), attested(old.blobs, amd), on("linux/arm64", arm), attested(old.blobs, arm)]
    old.tag("all", index_of(old.blobs, *entries))
    mine = manifest(new.blobs, b"new", platform="linux/amd64")
    new.tag("mine", mine)
    document = read(old, "all")
    index = NewIndex.edit(document, old.blobs)
    written, seen = [], []
    index.update(new, "mine").write(target, "t", on_entry=written.append, progress=seen.append)
    assert (seen[-1].layer, seen[-1].layers, seen[-1].done) == (2, 3, seen[-1].total)
    assert shown(target, "t") == [
        ("linux/arm64", str(arm.digest)),
        ("unknown/unknown", str(entries[3].digest)),
        ("linux/amd64", str(mine.digest)),
    ]
    assert written == list(read(target, "t").value.manifests)
    assert not any("ref.name" in key for each in written for key in each.annotations)
    again = index.update(old, "all")
    again.write(target, "same")
    assert sorted(shown(target, "same")) == sorted((str(each.platform), str(each.digest)) for each in entries)
    with open_image(target, ref="t", platform="linux/amd64") as opened:
        assert opened.descriptor.digest == mine.digest


def test_an_update_keeps_what_is_no_image_once():
    place = MemoryRepository()
    NewArtifact(artifact_type="text/x-log", files=[ArtifactFile(content=b"lit")]).write(place, "log")
    image("linux/arm64").write(place, "arm")
    index = NewIndex.of(image("linux/amd64")).update(place, "log").update(place, "arm").update(place, "log")
    index.write(place, "t")
    found = read(place, "t").value.manifests
    assert [(str(each.platform), each.artifact_type) for each in found] == [
        ("linux/amd64", None),
        ("linux/arm64", None),
        ("None", "text/x-log"),
    ]
    with pytest.raises(ReferenceMissingError):
        index.update(place, "none")


def test_of_a_docker_archive_manifests_are_made(tmp_path):
    with Layout.create(tmp_path / "layout") as layout:
        image("linux/arm64").write(layout, "app:1")
        copy(layout, f"docker-archive:{tmp_path / 'app.tar'}:app:1")
    place, ref = open_repository(tmp_path / "app.tar")
    target = MemoryRepository()
    with contextlib.closing(place):
        NewIndex.of(image("linux/amd64")).update(place, ref).write(target, "t")
    assert [each.media_type for each in read(target, "t").value.manifests] == [OCI_MANIFEST, OCI_MANIFEST]
    with open_image(target, ref="t", platform="linux/arm64") as opened:
        assert opened.read(["for"]) == {"for": b"linux/arm64"}


def json_of(descriptor):
    from oci_layers.spec import unstructure

    return unstructure(descriptor)


def read_bytes(place, descriptor):
    return place.blobs.open_blob(descriptor.digest).read(1 << 20)


def read_raw(place, descriptor):
    return json.loads(read_bytes(place, descriptor))


def test_a_document_that_the_source_lacks_in_part_is_an_error():
    place = MemoryRepository()
    written, images = multi(place.blobs, "linux/amd64")
    document = parse_index(read_bytes(place, written), written)
    layer = read_raw(place, images[0])["layers"][0]["digest"]
    place.blobs.delete_blob(Descriptor.of(b"base", media_type="x").digest)
    with pytest.raises(BlobMissingError) as caught:
        NewIndex.edit(document, place.blobs).write(MemoryRepository(), "t")
    assert caught.value.digest == layer


def test_a_list_of_docker_has_its_media_type():
    place = MemoryRepository()
    NewIndex.of(edit(stack(tar(f("a")), docker=True)), format="docker").write(place, "t")
    document = read(place, "t")
    assert document.descriptor.media_type == document.value.media_type == DOCKER_MANIFEST_LIST
    assert list(validate(document.raw, DOCKER_MANIFEST_LIST)) == []


def test_an_index_that_no_reader_would_read_is_refused():
    place = MemoryRepository()
    written, _ = multi(place.blobs, "linux/amd64")
    document = parse_index(read_bytes(place, written), written)
    index = NewIndex.edit(document, place.blobs, limits=Limits(document_bytes=1000)).annotate({"k": "x" * 1000})
    with pytest.raises(LimitError) as caught:
        index.write(MemoryRepository(), "t")
    assert caught.value.limit == "document_bytes"
