"""Stores with one fault each, which the suites must find: run by `tests/testing`, by the name of this file."""

import threading
import time

import attrs
import pytest

from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import BlobMissingError, IntegrityError, ReferenceMissingError, UnsupportedError
from oci_layers.spec.annotations import REF_NAME
from oci_layers.spec.digest import Digest
from oci_layers.store.memory import MemoryRepository
from oci_layers.testing import BlobStoreSuite


def everything(stream):
    parts = []
    while part := stream.read(1 << 16):
        parts.append(part)
    return b"".join(parts)


class Trusting(MemoryBlobs):
    """Does not verify."""

    def put_blob(self, stream, descriptor):
        descriptor.digest.hasher()
        self._blobs[descriptor.digest] = everything(stream)
        stream.close()


class Hoarding(MemoryBlobs):
    """Keeps what it refuses."""

    def put_blob(self, stream, descriptor):
        data = everything(stream)
        self._blobs[descriptor.digest] = data
        stream.close()
        if Digest.of(data, descriptor.digest.algorithm) != descriptor.digest:
            raise IntegrityError("blob", str(descriptor.digest), "another")


class Leaking(MemoryBlobs):
    """Leaves streams open."""

    def put_blob(self, stream, descriptor):
        super().put_blob(attrs.make_class("Kept", {"read": stream.read, "close": lambda _: None})(), descriptor)


class Kept:
    def __init__(self, stream):
        self.read = stream.read

    def close(self):
        pass


Leaking.put_blob = lambda self, stream, descriptor: MemoryBlobs.put_blob(self, Kept(stream), descriptor)


class Hasty(MemoryBlobs):
    """Takes a short read for the end."""

    def put_blob(self, stream, descriptor):
        class Once:
            def read(self, size):
                data, self.read = stream.read(1 << 30), lambda size: b""
                return data

            close = stream.close

        super().put_blob(Once(), descriptor)


class Lazy(MemoryBlobs):
    """Does not replace what is there."""

    def put_blob(self, stream, descriptor):
        if self.has_blob(descriptor.digest):
            stream.close()
        else:
            super().put_blob(stream, descriptor)


class Careless(MemoryBlobs):
    """Reuses blobs of any size."""

    def reuse_blob(self, descriptor):
        return self.has_blob(descriptor.digest)


class Unsorted(MemoryBlobs):
    """Lists blobs as they came."""

    def iter_blobs(self):
        yield from list(self._blobs)


class Narrow(MemoryBlobs):
    """Has blobs of one algorithm."""

    def put_blob(self, stream, descriptor):
        if descriptor.digest.algorithm != "sha256":
            stream.close()
            raise UnsupportedError("digest algorithm", descriptor.digest.algorithm)
        super().put_blob(stream, descriptor)


class Mute(MemoryBlobs):
    """Does not say which blob is missing."""

    def open_blob(self, digest):
        try:
            return super().open_blob(digest)
        except BlobMissingError:
            raise BlobMissingError("some blob") from None


class OneBuffer(MemoryBlobs):
    """Collects the bytes of all writers in one place."""

    parts = None

    def put_blob(self, stream, descriptor):
        self.parts = []
        parts, read = self.parts, stream.read

        class Shared:
            def read(shared, size):
                data = read(size)
                self.parts.append(data)
                time.sleep(0)
                return data

            close = stream.close

        super().put_blob(Shared(), descriptor)
        if parts is not self.parts:
            self._blobs[descriptor.digest] = b"mixed"


class TestTrusting(BlobStoreSuite):
    store = Trusting

    @pytest.fixture
    def blobs(self):
        return self.store()

    def damage(self, blobs, digest):
        blobs._blobs[digest] = b"damaged"


class TestHoarding(TestTrusting):
    store = Hoarding


class TestLeaking(TestTrusting):
    store = Leaking


class TestHasty(TestTrusting):
    store = Hasty


class TestLazy(TestTrusting):
    store = Lazy


class TestCareless(TestTrusting):
    store = Careless


class TestUnsorted(TestTrusting):
    store = Unsorted


class TestNarrow(TestTrusting):
    store = Narrow


class TestMute(TestTrusting):
    store = Mute


class TestOneBuffer(TestTrusting):
    store = OneBuffer


class Believing(MemoryRepository):
    """Tags what it does not have."""

    def tag(self, ref, descriptor, *others):
        super().tag(ref, *(attrs.evolve(each, data=b"") for each in (descriptor, *others)))


class Appending(MemoryRepository):
    """Moves an entry to the end when its name is given to another image."""

    def tag(self, ref, descriptor, *others):
        if ref is not None and any(each.annotations.get(REF_NAME) == ref for each in self.entries()):
            self.untag(ref)
        super().tag(ref, descriptor, *others)


class Silent(MemoryRepository):
    """Does not say which names there are."""

    def entries(self, ref=None):
        try:
            return super().entries(ref)
        except ReferenceMissingError:
            raise ReferenceMissingError(ref, ()) from None


class Shallow(MemoryRepository):
    """Finds names alone."""

    def entries(self, ref=None):
        found = super().entries()
        if ref is None:
            return found
        named = [each for each in found if each.annotations.get(REF_NAME) == ref]
        if not named:
            return [] if ref.startswith("sha256:") else super().entries(ref)
        return named


class Racing(MemoryRepository):
    """Reads, then writes, without a lock."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Barrier(1)
        self._lock.__class__.__enter__ = lambda _: None
        self._lock.__class__.__exit__ = lambda *_: None
