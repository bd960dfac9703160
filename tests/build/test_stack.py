"""One layer of a stack, written; `test_image` has whole images."""

import io

import pytest

from oci_layers.blob import MemoryBlobs
from oci_layers.build.stack import NO_FILES, Counter, Slot, Target
from oci_layers.errors import BlobMissingError, IntegrityError, UnsupportedError
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec import Descriptor, Digest, unstructure
from oci_layers.spec.mediatype import DOCKER_LAYER_GZIP, OCI_LAYER_GZIP, OCI_NONDISTRIBUTABLE_LAYER_GZIP
from oci_layers.store import MemoryRepository
from oci_layers.store.graph import open_content
from tests.support.layers import f, tar
from tests.support.stores import Recorded
from tests.support.values import stack

LAYER = tar(f("a", "1"))


class Made:
    """A layer source as a program of its own might have one."""

    def __init__(self, data=b"gzip data", diff_id=None):
        self.descriptor = Descriptor.of(data, media_type=OCI_LAYER_GZIP)
        self.diff_id = diff_id or Digest.of(b"plain")
        self.data = data
        self.options = None

    def write(self, blobs, **options):
        self.options = options
        blobs.put_blob(io.BytesIO(self.data), self.descriptor)
        return self


def target(blobs, format_="oci", on_bytes=lambda count: None, **options):
    return Target(blobs=blobs, format=format_, limits=Limits(), on_bytes=on_bytes, **options)


def test_a_layer_of_any_source_is_written_with_the_options():
    made, blobs, counts = Made(), MemoryBlobs(), []
    written = Slot(layer=made).write(target(blobs, "docker", counts.append, temporary_directory="/t"))
    assert written.node == unstructure(made.descriptor) | {"mediaType": DOCKER_LAYER_GZIP}
    assert written.diff_id == made.diff_id
    assert made.options.pop("on_bytes") is not None
    assert made.options == {"codec": None, "limits": Limits(), "temporary_directory": "/t"}
    assert counts == [len(made.data)]


def test_a_layer_without_an_entry_is_left_out_on_request():
    assert Digest.of(bytes(1024)) == NO_FILES
    made = Made(diff_id=NO_FILES)
    assert Slot(layer=made, keep_empty=False).write(target(MemoryBlobs())) is None
    assert Slot(layer=made).write(target(MemoryBlobs())) is not None


def test_a_shared_layer_is_copied_once_and_verified():
    layer, blobs = stack(LAYER).layers[0], Recorded(MemoryRepository())
    for kind in ("put", "reuse"):
        Slot(layer=layer).write(target(blobs))
        assert blobs.calls[-1] == (kind, layer.descriptor.digest)
    image = stack(LAYER)
    digest = image.layers[0].descriptor.digest
    image.blobs._blobs[digest] = b"x" * image.layers[0].descriptor.size
    with pytest.raises(IntegrityError):
        Slot(layer=image.layers[0]).write(target(MemoryBlobs()))


def test_an_unknown_layer_has_no_type_in_dockers_format():
    image = stack(LAYER)
    node = unstructure(image.layers[0].descriptor) | {"mediaType": "x/y"}
    layer = stack(LAYER, manifest={"layers": [node]}).layers[0]
    with pytest.raises(UnsupportedError) as caught:
        Slot(layer=layer).write(target(MemoryBlobs(), "docker"))
    assert caught.value.value == "x/y"
    assert Slot(layer=layer).write(target(MemoryBlobs())).node["mediaType"] == "x/y"


def test_a_blob_may_be_in_its_descriptor_or_not_be_distributed():
    embedded = Descriptor(media_type="m/t", digest=Digest.of(b"x"), size=1, data=b"x")
    assert open_content(MemoryBlobs(), embedded).read(2) == b"x"
    foreign = Descriptor.of(b"x", media_type=OCI_NONDISTRIBUTABLE_LAYER_GZIP)
    assert open_content(MemoryBlobs(), foreign) is None
    with pytest.raises(BlobMissingError):
        open_content(MemoryBlobs(), Descriptor.of(b"x", media_type="m/t"))
    image = stack(LAYER)
    node = unstructure(foreign)
    layer = stack(LAYER, manifest={"layers": [node]}).layers[0]
    assert Slot(layer=layer).write(target(MemoryBlobs())).node == node
    assert "foreign" in Slot(layer=layer).write(target(MemoryBlobs(), "docker")).node["mediaType"]
    assert image.layers[0].descriptor.size == Slot(layer=image.layers[0]).size


def test_progress_is_that_of_all_layers():
    slots, seen = [Slot(layer=stack(LAYER).layers[0]), Slot(layer=Made())], []
    sizes = [slot.size for slot in slots]
    counter = Counter(sizes, seen.append)
    for number, _ in enumerate(counter.each(slots)):
        counter.on_bytes(sizes[0] if number == 0 else 5)
    size = sizes[0]
    assert sizes[1] is None
    assert seen == [
        Progress(layer=0, layers=2, done=size, total=None),
        Progress(layer=1, layers=2, done=size + 5, total=None),
        Progress(layer=1, layers=2, done=size + 5, total=size + 5),
    ]
    Counter(sizes, None).on_bytes(1)
