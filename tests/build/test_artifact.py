"""Artifacts in the three shapes of the spec (ART-06)."""

import contextlib
import json

import pytest

from oci_layers import check_image, system, validate
from oci_layers.build import ArtifactFile, NewArtifact
from oci_layers.errors import DigestMismatchError, LimitError, NameFormatError, UnsupportedError
from oci_layers.spec import EMPTY_DESCRIPTOR, Descriptor, unstructure
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_MANIFEST
from oci_layers.store import Layout, MemoryRepository
from tests.support.stores import Recorded

TYPE = "application/vnd.example.log"
EMPTY = unstructure(EMPTY_DESCRIPTOR)
FILE = ArtifactFile(content=b"lit", media_type="text/plain", title="log.txt", annotations={"com.example.k": "v"})
CONFIG = ArtifactFile(content=b"[1]", media_type="application/vnd.example.log.config+json")
LAYER = {
    **unstructure(Descriptor.of(b"lit", media_type="text/plain")),
    "annotations": {"org.opencontainers.image.title": "log.txt", "com.example.k": "v"},
}
SHAPES = {
    "no content": ({}, EMPTY, [EMPTY]),
    "content without a config": ({"files": [FILE]}, EMPTY, [LAYER]),
    "content and a config": (
        {"files": [FILE, FILE], "config": CONFIG},
        unstructure(Descriptor.of(b"[1]", media_type=CONFIG.media_type)),
        [LAYER, LAYER],
    ),
    "a config alone": ({"config": CONFIG}, unstructure(Descriptor.of(b"[1]", media_type=CONFIG.media_type)), [EMPTY]),
}


@pytest.mark.parametrize(("fields", "config", "layers"), SHAPES.values(), ids=SHAPES)
def test_each_shape_has_its_manifest(tmp_path, fields, config, layers):
    with Layout.create(tmp_path / "layout") as layout:
        written = NewArtifact(artifact_type=TYPE, **fields).write(layout, "t")
        with contextlib.closing(layout.blobs.open_blob(written.digest)) as stream:
            raw = stream.read(1 << 20)
    assert json.loads(raw) == {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": TYPE,
        "config": config,
        "layers": layers,
    }
    assert list(validate(raw, OCI_MANIFEST)) == []
    assert (written.media_type, written.artifact_type) == (OCI_MANIFEST, TYPE)
    assert check_image(tmp_path / "layout").ok


def test_a_subject_and_annotations_are_in_the_manifest():
    place = MemoryRepository()
    subject = Descriptor.of(b"{}", media_type=OCI_MANIFEST)
    artifact = NewArtifact(artifact_type=TYPE, subject=subject, annotations={"a": "b"})
    descriptor = artifact.write(place)
    found = json.loads(place.blobs.open_blob(descriptor.digest).read(1 << 20))
    assert (found["subject"], found["annotations"]) == (unstructure(subject), {"a": "b"})
    assert [entry.digest for entry in place.entries()] == [descriptor.digest]
    assert artifact.put(MemoryRepository().blobs) == descriptor


def test_files_on_disk_are_streamed_and_named(tmp_path):
    path = tmp_path / "sbom.json"
    path.write_bytes(b"x" * (3 << 20))
    target = Recorded(MemoryRepository())
    for expected in ("put", "reuse"):
        target.calls.clear()
        descriptor = ArtifactFile(content=path, media_type="text/x").put(target)
        assert target.calls[-1] == (expected, descriptor.digest)
    assert descriptor.size == 3 << 20
    assert descriptor.annotations == {"org.opencontainers.image.title": "sbom.json"}
    assert ArtifactFile(content=str(path), title="").put(target).annotations == {}


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"one")
    place, pread, reads = MemoryRepository(), system.pread, []

    def changed(fd, size, offset):
        reads.append(offset)
        if len(reads) == 3:  # The first two have hashed the file.
            path.write_bytes(b"two")
        return pread(fd, size, offset)

    monkeypatch.setattr(system, "pread", changed)
    with pytest.raises(DigestMismatchError):
        NewArtifact(artifact_type=TYPE, files=[ArtifactFile(content=path)]).write(place, "t")
    assert place.entries() == []


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        ArtifactFile(content=tmp_path / "none").put(MemoryRepository().blobs)
    assert caught.value.filename == str(tmp_path / "none")
    assert caught.value.__notes__ == ["file of the artifact"]
    with pytest.raises(OSError, match="not a regular file"):
        ArtifactFile(content=tmp_path).put(MemoryRepository().blobs)


def test_what_would_be_taken_for_an_image_or_has_no_type_is_refused():
    with pytest.raises(UnsupportedError) as caught:
        NewArtifact(artifact_type=TYPE, config=ArtifactFile(content=b"{}", media_type=OCI_CONFIG))
    assert caught.value.value == OCI_CONFIG
    with pytest.raises(NameFormatError):
        NewArtifact(artifact_type="log")
    with pytest.raises(LimitError):
        NewArtifact(artifact_type=TYPE, annotations={"k": "x" * (4 << 20)}).put(MemoryRepository().blobs)
