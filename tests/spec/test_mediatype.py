"""Media types: DSC-02, DSC-03, MTY-01, MTY-06, NDL-02 and DMT-01..03."""

import pytest

from oci_layers.errors import NameFormatError
from oci_layers.spec import mediatype
from oci_layers.spec.mediatype import MediaType, check_media_type, is_distributable, is_document, lookup

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."


@pytest.mark.parametrize(
    ("name", "role", "compression"),
    [
        pytest.param("application/vnd.oci.descriptor.v1+json", "descriptor", "", id="MTY-01 descriptor"),
        pytest.param("application/vnd.oci.layout.header.v1+json", "layout", "", id="MTY-01 layout"),
        pytest.param("application/vnd.oci.empty.v1+json", "empty", "", id="MTY-01 empty"),
        pytest.param(OCI + "index.v1+json", "index", "", id="MTY-01 index"),
        pytest.param(OCI + "manifest.v1+json", "manifest", "", id="MTY-01 manifest"),
        pytest.param(OCI + "config.v1+json", "config", "", id="MTY-01 config"),
        pytest.param(OCI + "layer.v1.tar", "layer", "", id="MTY-01 plain layer"),
        pytest.param(OCI + "layer.v1.tar+gzip", "layer", "gzip", id="MTY-01 gzip layer"),
        pytest.param(OCI + "layer.v1.tar+zstd", "layer", "zstd", id="MTY-01 zstd layer"),
        pytest.param(DOCKER + "distribution.manifest.v2+json", "manifest", "", id="DMT-01 manifest"),
        pytest.param(DOCKER + "distribution.manifest.list.v2+json", "index", "", id="DMT-01 list"),
        pytest.param(DOCKER + "container.image.v1+json", "config", "", id="DMT-01 config"),
        pytest.param(DOCKER + "image.rootfs.diff.tar", "layer", None, id="DMT-02 bare tar is sniffed"),
        pytest.param(DOCKER + "image.rootfs.diff.tar.gzip", "layer", "gzip", id="DMT-01 gzip layer"),
        pytest.param(DOCKER + "image.rootfs.diff.tar.zstd", "layer", "zstd", id="DMT-01 zstd layer"),
        pytest.param(DOCKER + "image.rootfs.diff.tar+zstd", "layer", "zstd", id="DMT-01 zstd layer with a plus"),
        pytest.param(DOCKER + "plugin.v1+json", "opaque", "", id="DMT-01 plugin"),
        pytest.param(DOCKER + "distribution.manifest.v1+prettyjws", "opaque", "", id="DMT-01 schema 1"),
        pytest.param(OCI + "layer.v1.tar+gzip+encrypted", "opaque", "", id="DMT-03 encrypted"),
        pytest.param("application/vnd.in-toto+json", "opaque", "", id="DMT-03 attestation"),
    ],
)
def test_a_known_media_type_has_a_role_and_a_compression(name, role, compression):
    row = lookup(name)

    assert (row.name, row.role, row.compression) == (name, role, compression)


@pytest.mark.parametrize(
    ("oci", "docker"),
    [
        pytest.param(OCI + "index.v1+json", DOCKER + "distribution.manifest.list.v2+json", id="index"),
        pytest.param(OCI + "manifest.v1+json", DOCKER + "distribution.manifest.v2+json", id="manifest"),
        pytest.param(OCI + "config.v1+json", DOCKER + "container.image.v1+json", id="config"),
        pytest.param(OCI + "layer.v1.tar", DOCKER + "image.rootfs.diff.tar", id="layer"),
        pytest.param(OCI + "layer.v1.tar+gzip", DOCKER + "image.rootfs.diff.tar.gzip", id="gzip layer"),
        pytest.param(OCI + "layer.v1.tar+zstd", DOCKER + "image.rootfs.diff.tar.zstd", id="zstd layer"),
        pytest.param(
            OCI + "layer.nondistributable.v1.tar+gzip",
            DOCKER + "image.rootfs.foreign.diff.tar.gzip",
            id="foreign layer",
        ),
    ],
)
def test_twins_name_one_another_across_families(oci, docker):
    """MTY-06."""
    assert (lookup(oci).family, lookup(oci).twin) == ("oci", docker)
    assert (lookup(docker).family, lookup(docker).twin) == ("docker", oci)


@pytest.mark.parametrize("suffix", ["", "+gzip", "+zstd"])
def test_non_distributable_layers_are_deprecated(suffix):
    """NDL-02."""
    row = lookup(OCI + "layer.nondistributable.v1.tar" + suffix)

    assert (row.role, row.compression, row.distributable, row.deprecated) == ("layer", suffix[1:], False, True)


def test_an_unknown_media_type_is_data():
    assert lookup("application/xml") is None
    assert lookup("not a media type") is None


def test_every_constant_and_every_twin_is_in_the_table():
    names = [getattr(mediatype, name) for name in mediatype.__all__ if name.isupper()]

    for row in map(lookup, names):
        assert isinstance(row, MediaType)
        assert row.twin is None or lookup(row.twin).twin == row.name
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(OCI + "layer.v1.tar+gzip", id="DSC-02 a layer"),
        pytest.param("a/b", id="DSC-03 the shortest"),
        pytest.param("a" * 127 + "/" + "b" * 127, id="DSC-03 the longest"),
        pytest.param("0!#$&^_.+-/Z!#$&^_.+-", id="DSC-03 every character"),
    ],
)
def test_a_well_formed_media_type_passes(text):
    assert check_media_type(text) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="DSC-03 empty"),
        pytest.param("application", id="DSC-03 no slash"),
        pytest.param(".a/b", id="DSC-03 leading dot in the type"),
        pytest.param("a/.b", id="DSC-03 leading dot in the subtype"),
        pytest.param("a" * 128 + "/b", id="DSC-03 type of 128"),
        pytest.param("a/" + "b" * 128, id="DSC-03 subtype of 128"),
        pytest.param("text/plain; charset=utf-8", id="DSC-03 parameters"),
        pytest.param("a/b\n", id="DSC-03 newline at the end"),
        pytest.param("a/b/c", id="DSC-03 second slash"),
    ],
)
def test_a_malformed_media_type_is_refused(text):
    with pytest.raises(NameFormatError) as caught:
        check_media_type(text)
    assert (caught.value.what, caught.value.text) == ("media type", text)
    assert caught.value.reason.startswith("must be TYPE/SUBTYPE")


def test_manifests_and_indexes_are_documents():
    names = {OCI + "index.v1+json", OCI + "manifest.v1+json"}
    names |= {DOCKER + "distribution.manifest.v2+json", DOCKER + "distribution.manifest.list.v2+json"}
    assert {each.name for each in mediatype._TABLE if is_document(each.name)} == names
    assert not is_document("application/vnd.example.thing+json")


def test_foreign_layers_alone_are_not_distributable():
    found = [each for each in mediatype._TABLE if not is_distributable(each.name)]
    assert {each.name.removesuffix("+gzip").removesuffix("+zstd").removesuffix(".gzip") for each in found} == {
        OCI + "layer.nondistributable.v1.tar",
        DOCKER + "image.rootfs.foreign.diff.tar",
    }
    assert is_distributable("application/vnd.example.thing+json")
