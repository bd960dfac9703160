"""Manifests and indexes as values."""

from oci_layers.spec.codec import unstructure
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST


def test_a_manifest_is_written_in_the_order_of_the_go_types():
    """MAN-20, and layers are written even when there are none (MAN-12)."""
    manifest = Manifest(
        annotations={"a": "b"},
        subject=EMPTY_DESCRIPTOR,
        layers=(),
        config=EMPTY_DESCRIPTOR,
        artifact_type="a/b",
        media_type=OCI_MANIFEST,
    )
    keys = ["schemaVersion", "mediaType", "artifactType", "config", "layers", "subject", "annotations"]

    assert list(unstructure(manifest)) == keys
    assert unstructure(Manifest(config=EMPTY_DESCRIPTOR, layers=())) == {
        "schemaVersion": 2,
        "config": unstructure(EMPTY_DESCRIPTOR),
        "layers": [],
    }


def test_an_index_is_written_in_the_order_of_the_go_types():
    """IDX-17, and IDX-05."""
    index = Index(
        annotations={"a": "b"},
        subject=EMPTY_DESCRIPTOR,
        manifests=(EMPTY_DESCRIPTOR,),
        artifact_type="a/b",
        media_type=OCI_INDEX,
    )

    assert list(unstructure(index)) == [
        "schemaVersion",
        "mediaType",
        "artifactType",
        "manifests",
        "subject",
        "annotations",
    ]
    assert unstructure(Index(manifests=())) == {"schemaVersion": 2, "manifests": []}
