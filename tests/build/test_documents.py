"""The documents of an image in a store; `test_image` has what is in them."""

import pytest

from oci_layers.blob import MemoryBlobs
from oci_layers.blob.store import put_bytes
from oci_layers.build.documents import Documents, on_platform
from oci_layers.errors import LimitError
from oci_layers.limits import Limits
from oci_layers.spec import Descriptor, Platform
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_MANIFEST
from oci_layers.store import MemoryRepository
from tests.support.stores import Recorded

CONFIG = {"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": []}}
MANIFEST = {"schemaVersion": 2, "config": {"mediaType": OCI_CONFIG, "digest": "", "size": 0}, "layers": []}


def test_a_document_that_is_there_is_not_written_again():
    target, descriptor = Recorded(MemoryRepository()), Descriptor.of(b"{}", media_type="m/t")
    put_bytes(target, b"{}", descriptor)
    put_bytes(target, b"{}", descriptor)
    assert [kind for kind, _ in target.calls] == ["lacks", "put", "reuse"]


def test_a_manifest_without_a_media_type_is_described_as_one_and_an_empty_platform_is_none():
    descriptor = Documents(base=None, limits=Limits()).put(MemoryBlobs(), MANIFEST, CONFIG, [])
    assert (descriptor.media_type, descriptor.platform) == (OCI_MANIFEST, None)


def test_a_manifest_has_a_limit():
    with pytest.raises(LimitError) as caught:
        Documents(base=None, limits=Limits(document_bytes=10)).put(MemoryBlobs(), MANIFEST, CONFIG, [])
    assert (caught.value.limit, caught.value.allowed) == ("document_bytes", 10)


def test_a_platform_replaces_all_fields_of_another():
    platform = Platform(os="windows", architecture="amd64", os_version="10", os_features=("win32k",))
    windows = on_platform(CONFIG, platform)
    assert list(windows) == ["architecture", "os", "os.version", "os.features", "rootfs"]
    assert windows["os.features"] == ["win32k"]
    assert on_platform(windows, Platform.parse("linux/arm/v7")) == {
        "architecture": "arm",
        "os": "linux",
        "variant": "v7",
        "rootfs": CONFIG["rootfs"],
    }
