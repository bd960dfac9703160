"""Every store and repository of this library passes the suites that it offers for those of others."""

import contextlib

import pytest

from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.root import OpenDirectory
from oci_layers.blob.store import MemoryBlobs
from oci_layers.blob.union import UnionBlobs
from oci_layers.store.archive_writer import ArchiveWriter
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from oci_layers.store.place import open_repository
from oci_layers.store.union import Union
from oci_layers.testing import BlobStoreSuite, RepositorySuite

FSYNC = ["always", "commit", "never"]


class TestMemoryBlobs(BlobStoreSuite):
    @pytest.fixture
    def blobs(self):
        return MemoryBlobs()

    def damage(self, blobs, digest):
        blobs._blobs[digest] = b"damaged"


class TestDirectoryBlobs(BlobStoreSuite):
    @pytest.fixture(params=FSYNC)
    def blobs(self, request, tmp_path):
        self.directory = tmp_path
        with contextlib.closing(OpenDirectory(str(tmp_path))) as root:
            yield DirectoryBlobs(root, fsync=request.param)

    def damage(self, blobs, digest):
        (self.directory / "blobs" / digest.algorithm / digest.encoded).write_bytes(b"damaged")


class TestUnionBlobs(BlobStoreSuite):
    @pytest.fixture
    def blobs(self):
        self.first = MemoryBlobs()
        return UnionBlobs(self.first, MemoryBlobs())

    def damage(self, blobs, digest):
        self.first._blobs[digest] = b"damaged"


class TestMemoryRepository(RepositorySuite):
    @pytest.fixture
    def repository(self):
        return MemoryRepository()


class TestLayout(RepositorySuite):
    @pytest.fixture(params=FSYNC)
    def repository(self, request, tmp_path):
        with Layout.create(tmp_path / "layout", fsync=request.param) as layout:
            yield layout

    def reopened(self, repository):
        repository.close()
        return Layout.open(repository.place)


class TestLayoutWithSharedBlobs(RepositorySuite):
    @pytest.fixture
    def repository(self, tmp_path):
        (tmp_path / "shared").mkdir()
        with Layout.create(tmp_path / "layout", fsync="never", shared_blobs=tmp_path / "shared") as layout:
            yield layout


class TestUnionOfMemory(RepositorySuite):
    @pytest.fixture
    def repository(self):
        return Union(MemoryRepository(), MemoryRepository("another"))


class TestUnionOfLayouts(RepositorySuite):
    @pytest.fixture
    def repository(self, tmp_path):
        first, second = (Layout.create(tmp_path / name, fsync="never") for name in ("first", "second"))
        with contextlib.closing(Union(first, second)) as union:
            yield union


class TestBlobsOfAnArchive(BlobStoreSuite):
    reads = recovers = False

    @pytest.fixture
    def blobs(self, tmp_path):
        with contextlib.closing(ArchiveWriter(tmp_path / "archive.tar", fsync="never")) as writer:
            yield writer.blobs


class TestArchive(RepositorySuite):
    @pytest.fixture
    def repository(self, tmp_path):
        with contextlib.closing(ArchiveWriter(tmp_path / "archive.tar", fsync="never")) as writer:
            yield writer

    def reopened(self, repository):
        repository.commit()
        return open_repository(f"oci-archive:{repository.place}")[0]
