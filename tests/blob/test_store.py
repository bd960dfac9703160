import contextlib
import io

import attrs
import pytest

from oci_layers.blob import DirectoryBlobs, MemoryBlobs, OpenDirectory, open_verified, read_verified
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    LimitError,
    SizeMismatchError,
    UnsupportedError,
)
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

DATA = b"a blob of bytes"
DESCRIPTOR = Descriptor.of(DATA, media_type="text/plain")
OTHERS = [b"", b"x" * 1000, bytes(3 << 20)]


@pytest.fixture(params=["memory", "directory"])
def blobs(request, tmp_path):
    """Either store of blobs, empty."""
    if request.param == "memory":
        yield MemoryBlobs()
        return
    with contextlib.closing(OpenDirectory(str(tmp_path))) as root:
        yield DirectoryBlobs(root)


def read(stream):
    parts = []
    while part := stream.read(1 << 16):
        parts.append(part)
    stream.close()
    return b"".join(parts)


def test_what_was_put_is_there(blobs):
    for data in (DATA, *OTHERS):
        descriptor = Descriptor.of(data, media_type="text/plain")
        assert not blobs.has_blob(descriptor.digest)
        blobs.put_blob(io.BytesIO(data), descriptor)
        assert blobs.has_blob(descriptor.digest)
        assert read(blobs.open_blob(descriptor.digest)) == data
    assert list(blobs.iter_blobs()) == sorted(map(Digest.of, (DATA, *OTHERS)))


def test_twice_is_as_once(blobs):
    for _ in range(2):
        blobs.put_blob(io.BytesIO(DATA), DESCRIPTOR)
    assert list(blobs.iter_blobs()) == [DESCRIPTOR.digest]


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_algorithms_are_kept_too(blobs, algorithm):
    descriptor = attrs.evolve(DESCRIPTOR, digest=Digest.of(DATA, algorithm))
    blobs.put_blob(io.BytesIO(DATA), descriptor)
    assert read(blobs.open_blob(descriptor.digest)) == DATA
    assert list(blobs.iter_blobs()) == [descriptor.digest]


WRONG = {
    "cut": (DATA[:-1], SizeMismatchError),
    "longer": (DATA + b"!", SizeMismatchError),
    "empty": (b"", SizeMismatchError),
    "changed": (DATA[:-1] + b"!", DigestMismatchError),
}


@pytest.mark.parametrize(("data", "error"), WRONG.values(), ids=WRONG)
def test_other_bytes_are_not_stored(blobs, data, error):
    stream = io.BytesIO(data)
    with pytest.raises(error):
        blobs.put_blob(stream, DESCRIPTOR)
    assert not blobs.has_blob(DESCRIPTOR.digest)
    assert list(blobs.iter_blobs()) == []
    assert stream.closed


def test_an_algorithm_that_cannot_be_computed_is_not_stored(blobs):
    with pytest.raises(UnsupportedError):
        blobs.put_blob(io.BytesIO(DATA), attrs.evolve(DESCRIPTOR, digest=Digest("md5:" + "0" * 32)))
    assert list(blobs.iter_blobs()) == []


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "md5:" + "0" * 32, "x+y:../..".replace("../..", "up")])
def test_what_is_not_there_is_missing(blobs, digest):
    assert not blobs.has_blob(Digest(digest))
    with pytest.raises(BlobMissingError) as caught:
        blobs.open_blob(Digest(digest))
    assert caught.value.digest == digest


def test_reading_by_descriptor_checks(blobs):
    blobs.put_blob(io.BytesIO(DATA), DESCRIPTOR)
    with open_verified(blobs, DESCRIPTOR) as stream:
        assert read(stream) == DATA
    assert read_verified(blobs, DESCRIPTOR, limit="document_bytes", allowed=len(DATA)) == DATA
    for size in (len(DATA) - 1, len(DATA) + 1):
        wrong = attrs.evolve(DESCRIPTOR, size=size)
        with pytest.raises(SizeMismatchError) as caught:
            read_verified(blobs, wrong, limit="document_bytes", allowed=100)
        assert (caught.value.what, caught.value.expected) == (f"blob {DESCRIPTOR.digest}", size)


def test_a_document_is_read_up_to_its_limit_only(blobs):
    """By what its descriptor says, before it is even looked for."""
    with pytest.raises(LimitError) as caught:
        read_verified(blobs, DESCRIPTOR, limit="config_bytes", allowed=len(DATA) - 1)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("config_bytes", len(DATA) - 1, len(DATA))
    assert caught.value.__notes__ == [f"blob {DESCRIPTOR.digest}"]


def test_embedded_bytes_come_before_the_blob_and_are_checked_as_well(blobs):
    embedded = attrs.evolve(DESCRIPTOR, data=DATA)
    assert read_verified(blobs, embedded, limit="document_bytes", allowed=100) == DATA
    blobs.put_blob(io.BytesIO(DATA), DESCRIPTOR)
    for data, error in WRONG.values():
        with pytest.raises(error):
            read_verified(blobs, attrs.evolve(DESCRIPTOR, data=data), limit="document_bytes", allowed=100)


def test_nothing_stays_open_when_the_algorithm_is_unknown():
    class Blobs:
        def open_blob(self, digest):
            self.stream = io.BytesIO(DATA)
            return self.stream

    blobs = Blobs()
    with pytest.raises(UnsupportedError):
        open_verified(blobs, attrs.evolve(DESCRIPTOR, digest=Digest("md5:" + "0" * 32)))
    assert blobs.stream.closed
