"""Where images begin; `test_image` has what is done to them."""

import json

import pytest

from oci_layers import open_image, validate
from oci_layers.build import NewLayer, edit, scratch
from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.spec.mediatype import DOCKER_CONFIG, DOCKER_MANIFEST, OCI_CONFIG, OCI_MANIFEST
from tests.support.layers import f, tar
from tests.support.trees import merged
from tests.support.values import rewritten, stack

FILE = NewLayer.from_tree(merged(tar(f("a"))))


@pytest.mark.parametrize(
    ("format_", "types"), [("oci", (OCI_MANIFEST, OCI_CONFIG)), ("docker", (DOCKER_MANIFEST, DOCKER_CONFIG))]
)
def test_an_image_from_nothing_has_no_findings(format_, types):
    image = rewritten(scratch("linux/arm64/v8", format=format_, created="2024-01-31T12:00:00Z").append(FILE))
    assert (image.descriptor.media_type, image.manifest.config.media_type) == types
    assert list(validate(image.manifest_document.raw, types[0])) == []
    assert list(validate(image.config_document.raw, types[1])) == []
    assert json.loads(image.config_document.raw) == {
        "created": "2024-01-31T12:00:00Z",
        "architecture": "arm64",
        "os": "linux",
        "variant": "v8",
        "rootfs": {"type": "layers", "diff_ids": [str(image.layers[0].diff_id)]},
        "history": [{"created": "2024-01-31T12:00:00Z"}],
    }


def test_an_image_from_nothing_may_have_no_layer():
    image = rewritten(scratch("linux/amd64"))
    assert image.layers == ()
    assert len(image.tree().root.children) == 0


def test_a_malformed_platform_or_time_is_refused(monkeypatch):
    with pytest.raises(NameFormatError) as caught:
        scratch("linux")
    assert caught.value.what == "platform"
    with pytest.raises(NameFormatError) as caught:
        scratch("linux/amd64", created="now")
    assert caught.value.what == "time"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "now")
    with pytest.raises(NameFormatError) as caught:
        edit(stack(tar(f("a"))))
    assert caught.value.what == "SOURCE_DATE_EPOCH"


def test_an_artifact_is_not_edited():
    image = stack(tar(f("a")))
    node = {**json.loads(image.manifest_document.raw)["config"], "mediaType": "text/x-other"}
    with pytest.raises(UnsupportedError) as caught:
        edit(stack(tar(f("a")), manifest={"config": node}))
    assert caught.value.what == "config media type"


def test_the_image_of_the_repository_keeps_its_digest():
    with open_image("tests/data/image") as image:
        assert rewritten(edit(image)).descriptor.digest == image.descriptor.digest
