"""The tests of a `BlobStore`: what was put is read back, other bytes are refused, and threads do not disturb it."""

import functools
import importlib.util
from collections.abc import Sequence

import attrs
import pytest

from oci_layers.blob.store import BlobStore, open_verified
from oci_layers.errors import BlobMissingError, DigestMismatchError, IntegrityError, SizeMismatchError, UnsupportedError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.testing.streams import Stream, in_threads, read_all

__all__ = ["BlobStoreSuite"]

_MEDIA_TYPE = "application/octet-stream"
_DATA = b"The lamp is lit. Keep two miles off.\n"
_BLOB = Descriptor.of(_DATA, media_type=_MEDIA_TYPE)
_LARGE = bytes(range(256)) * 4096 * 5  # 5 MiB
_WRONG = {
    "cut": _DATA[:-1],
    "one byte longer": _DATA + b"!",
    "much longer": _DATA * 1000,
    "empty": b"",
    "first bit flipped": bytes([_DATA[0] ^ 0x80]) + _DATA[1:],
    "last bit flipped": _DATA[:-1] + bytes([_DATA[-1] ^ 1]),
}
_ERRORS = {
    "an OSError": OSError(5, "Input/output error"),
    "an error of the caller": ZeroDivisionError("why not"),
    "Ctrl-C": KeyboardInterrupt(),
}


def _descriptor(data: bytes, algorithm: str = "sha256") -> Descriptor:
    return Descriptor(media_type=_MEDIA_TYPE, digest=Digest.of(data, algorithm), size=len(data))


def _put(blobs: BlobStore, *contents: bytes) -> list[Descriptor]:
    for data in contents:
        blobs.put_blob(Stream(data), _descriptor(data))
    return [_descriptor(data) for data in contents]


def _read(blobs: BlobStore, descriptor: Descriptor) -> bytes:
    return read_all(blobs.open_blob(descriptor.digest))


def _assert_missing(blobs: BlobStore, digest: Digest) -> None:
    assert not blobs.has_blob(digest)
    assert digest not in set(blobs.iter_blobs())
    with pytest.raises(BlobMissingError) as caught:
        blobs.open_blob(digest)
    assert caught.value.digest == str(digest)


class BlobStoreSuite:
    """What a `BlobStore` must do. Define the fixture `blobs`; the attributes say what yours cannot do."""

    algorithms: Sequence[str] = ("sha256", "sha384", "sha512", "blake3")
    """The algorithms of the digests that the store can have; it refuses others. Those that this installation cannot
    compute are left out."""

    recovers: bool = True
    """Whether the store is as it was after a blob was refused; False if what was written of it cannot be taken back, as
    in a stream."""

    reads: bool = True
    """Whether every blob that was put can be read; False for a place that is written first and read later. Then the
    bytes are checked by a `RepositorySuite` whose `reopened` reads it."""

    @pytest.fixture
    def blobs(self) -> BlobStore:
        """Return an empty store, or yield it and close it."""
        raise NotImplementedError("define a fixture `blobs` that returns an empty store")

    def damage(self, blobs: BlobStore, digest: Digest) -> None:
        """Change the stored bytes of a blob, if there is a way; it is then put again and must be mended."""
        del blobs, digest
        pytest.skip("`damage` is not defined: nothing damages a blob of this store")

    def _needs(self, algorithm: str) -> None:
        if algorithm not in self.algorithms:
            pytest.skip(f"this store has no blobs with digests of {algorithm}")
        if algorithm == "blake3" and importlib.util.find_spec("blake3") is None:
            pytest.skip("blake3 is not installed")

    def _needs_recovery(self) -> None:
        if not self.recovers:
            pytest.skip("this store does not recover from a blob that was refused")

    def _needs_reading(self) -> None:
        if not self.reads:
            pytest.skip("this store does not read what was put")

    def _assert_stored(self, blobs: BlobStore, data: bytes, descriptor: Descriptor | None = None) -> None:
        descriptor = descriptor or _descriptor(data)
        assert blobs.has_blob(descriptor.digest)
        if self.reads:
            assert _read(blobs, descriptor) == data

    # What was put is there.

    @pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
    def test_a_blob_is_read_as_it_was_put(self, blobs: BlobStore, size: int) -> None:
        data = _LARGE[:size]
        stream = Stream(data)
        blobs.put_blob(stream, _descriptor(data))
        assert stream.closed
        self._assert_stored(blobs, data)
        assert list(blobs.iter_blobs()) == [_descriptor(data).digest]

    @pytest.mark.parametrize("most", [999_983, 1 << 20, 1 << 22])
    def test_a_large_blob_is_put_in_pieces(self, blobs: BlobStore, most: int) -> None:
        blobs.put_blob(Stream(_LARGE, most=most), _descriptor(_LARGE))
        self._assert_stored(blobs, _LARGE)

    def test_a_stream_may_return_fewer_bytes_than_were_wanted(self, blobs: BlobStore) -> None:
        blobs.put_blob(Stream(_LARGE[:3000], most=1), _descriptor(_LARGE[:3000]))
        self._assert_stored(blobs, _LARGE[:3000])

    def test_a_blob_is_read_a_few_bytes_at_a_time(self, blobs: BlobStore) -> None:
        self._needs_reading()
        _put(blobs, _DATA)
        assert read_all(blobs.open_blob(_BLOB.digest), 7) == _DATA

    def test_a_blob_is_read_by_its_descriptor(self, blobs: BlobStore) -> None:
        self._needs_reading()
        _put(blobs, _DATA)
        with open_verified(blobs, _BLOB) as stream:
            assert stream.read(1000) == _DATA

    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512", "blake3"])
    def test_a_digest_may_be_of_any_algorithm_of_the_store(self, blobs: BlobStore, algorithm: str) -> None:
        self._needs(algorithm)
        descriptor = _descriptor(_DATA, algorithm)
        blobs.put_blob(Stream(_DATA), descriptor)
        self._assert_stored(blobs, _DATA, descriptor)
        assert list(blobs.iter_blobs()) == [descriptor.digest]
        assert blobs.reuse_blob(descriptor)

    def test_a_blob_is_the_same_whatever_its_media_type_and_annotations(self, blobs: BlobStore) -> None:
        other = attrs.evolve(_BLOB, media_type="text/plain", annotations={"a": "b"})
        _put(blobs, _DATA)
        assert blobs.reuse_blob(other)
        blobs.put_blob(Stream(_DATA), other)
        assert list(blobs.iter_blobs()) == [_BLOB.digest]

    def test_a_blob_can_be_put_again(self, blobs: BlobStore) -> None:
        for _ in range(3):
            stream = Stream(_DATA)
            blobs.put_blob(stream, _BLOB)
            assert stream.closed
        self._assert_stored(blobs, _DATA)
        assert list(blobs.iter_blobs()) == [_BLOB.digest]

    def test_a_blob_can_be_put_while_it_is_read(self, blobs: BlobStore) -> None:
        self._needs_reading()
        data = _LARGE[: 3 << 20]
        _put(blobs, data)
        blobs.put_blob(blobs.open_blob(_descriptor(data).digest), _descriptor(data))
        stream = blobs.open_blob(_descriptor(data).digest)
        head = stream.read(1000)
        _put(blobs, data)
        assert head + read_all(stream) == data

    def test_a_blob_has_many_readers(self, blobs: BlobStore) -> None:
        self._needs_reading()
        _put(blobs, _DATA)
        first, second = blobs.open_blob(_BLOB.digest), blobs.open_blob(_BLOB.digest)
        head = first.read(5)
        assert read_all(second) == _DATA
        assert head + read_all(first) == _DATA

    # What was not put is not there.

    @pytest.mark.parametrize(
        "digest", ["sha256:" + 64 * "0", "sha512:" + 128 * "0", "md5:" + 32 * "0", "example+thing:abc", "x:_-="]
    )
    def test_a_blob_that_was_not_put_is_missing(self, blobs: BlobStore, digest: str) -> None:
        _put(blobs, _DATA)
        _assert_missing(blobs, Digest(digest))
        assert not blobs.reuse_blob(attrs.evolve(_BLOB, digest=Digest(digest)))

    def test_an_empty_store_has_no_blobs(self, blobs: BlobStore) -> None:
        assert list(blobs.iter_blobs()) == []
        _assert_missing(blobs, _BLOB.digest)
        _assert_missing(blobs, _descriptor(b"").digest)

    def test_a_blob_is_reused_if_its_size_is_the_one_expected(self, blobs: BlobStore) -> None:
        _put(blobs, _DATA)
        sizes = [size for size in range(len(_DATA) + 3) if blobs.reuse_blob(attrs.evolve(_BLOB, size=size))]
        assert sizes == [len(_DATA)]
        self._assert_stored(blobs, _DATA)

    def test_an_empty_blob_is_reused_only_if_it_is_there(self, blobs: BlobStore) -> None:
        assert not blobs.reuse_blob(_descriptor(b""))
        _put(blobs, b"")
        assert blobs.reuse_blob(_descriptor(b""))

    def test_blobs_are_listed_in_the_order_of_their_digests(self, blobs: BlobStore) -> None:
        descriptors = [_descriptor(b"%d" % number) for number in range(30)]
        for number in range(30):
            _put(blobs, b"%d" % number)
        if "sha512" in self.algorithms:
            descriptors.append(_descriptor(_DATA, "sha512"))
            blobs.put_blob(Stream(_DATA), descriptors[-1])
        expected = sorted(each.digest for each in descriptors)
        assert list(blobs.iter_blobs()) == expected
        assert list(blobs.iter_blobs()) == expected

    # Other bytes are not stored.

    @pytest.mark.parametrize("data", _WRONG.values(), ids=_WRONG)
    def test_bytes_that_are_not_the_blob_are_refused(self, blobs: BlobStore, data: bytes) -> None:
        self._needs_recovery()
        stream = Stream(data)
        with pytest.raises(IntegrityError) as caught:
            blobs.put_blob(stream, _BLOB)
        error = caught.value
        if len(data) == _BLOB.size:
            assert isinstance(error, DigestMismatchError)
            assert (error.expected, error.actual) == (str(_BLOB.digest), str(Digest.of(data)))
        else:
            assert isinstance(error, SizeMismatchError)
            # One byte too many is enough to refuse a stream.
            assert (error.expected, min(error.actual, _BLOB.size + 1)) == (_BLOB.size, min(len(data), _BLOB.size + 1))
        assert stream.closed
        _assert_missing(blobs, _BLOB.digest)
        _assert_missing(blobs, Digest.of(data))
        assert list(blobs.iter_blobs()) == []
        _put(blobs, _DATA)
        self._assert_stored(blobs, _DATA)

    @pytest.mark.parametrize("size", [0, len(_DATA) - 1, len(_DATA) + 1])
    def test_the_right_bytes_with_a_wrong_size_are_refused(self, blobs: BlobStore, size: int) -> None:
        self._needs_recovery()
        with pytest.raises(SizeMismatchError) as caught:
            blobs.put_blob(Stream(_DATA), attrs.evolve(_BLOB, size=size))
        assert caught.value.expected == size
        assert list(blobs.iter_blobs()) == []

    def test_wrong_bytes_in_the_middle_of_a_large_blob_are_refused(self, blobs: BlobStore) -> None:
        self._needs_recovery()
        middle = len(_LARGE) // 2
        with pytest.raises(DigestMismatchError):
            blobs.put_blob(Stream(_LARGE[:middle] + b"\xff" + _LARGE[middle + 1 :]), _descriptor(_LARGE))
        assert list(blobs.iter_blobs()) == []

    def test_a_blob_outlives_the_refusal_of_other_bytes_for_it(self, blobs: BlobStore) -> None:
        self._needs_recovery()
        _put(blobs, _DATA)
        for data in _WRONG.values():
            with pytest.raises(IntegrityError):
                blobs.put_blob(Stream(data), _BLOB)
            self._assert_stored(blobs, _DATA)

    def test_a_digest_that_cannot_be_computed_is_refused_before_anything_is_written(self, blobs: BlobStore) -> None:
        stream = Stream(_DATA)
        with pytest.raises(UnsupportedError) as caught:
            blobs.put_blob(stream, attrs.evolve(_BLOB, digest=Digest("md5:" + 32 * "0")))
        assert caught.value.value == "md5"
        assert stream.closed
        assert list(blobs.iter_blobs()) == []
        _put(blobs, _DATA)

    @pytest.mark.parametrize("error", _ERRORS.values(), ids=_ERRORS)
    def test_a_stream_that_fails_leaves_nothing(self, blobs: BlobStore, error: BaseException) -> None:
        self._needs_recovery()
        for head in (b"", _LARGE[:1000], _LARGE):
            stream = Stream(head, error=error)
            with pytest.raises(type(error)) as caught:
                blobs.put_blob(stream, _descriptor(_LARGE + b"more"))
            assert caught.value is error
            assert stream.closed
            assert list(blobs.iter_blobs()) == []
        _put(blobs, _DATA)
        self._assert_stored(blobs, _DATA)

    def test_a_damaged_blob_is_mended_by_putting_it_again(self, blobs: BlobStore) -> None:
        self._needs_reading()
        _put(blobs, _DATA)
        self.damage(blobs, _BLOB.digest)
        with pytest.raises(IntegrityError), open_verified(blobs, _BLOB) as stream:
            stream.read(1000)
        _put(blobs, _DATA)
        self._assert_stored(blobs, _DATA)

    # Threads.

    def test_threads_put_one_blob(self, blobs: BlobStore) -> None:
        in_threads([lambda: blobs.put_blob(Stream(_LARGE, most=100_000), _descriptor(_LARGE))] * 6)
        self._assert_stored(blobs, _LARGE)
        assert list(blobs.iter_blobs()) == [_descriptor(_LARGE).digest]

    def test_threads_put_many_blobs(self, blobs: BlobStore) -> None:
        def put(first: int) -> None:
            for number in range(first, first + 8):
                data = b"%d" % number
                _put(blobs, data)
                assert blobs.reuse_blob(_descriptor(data))
                self._assert_stored(blobs, data)

        in_threads([functools.partial(put, first) for first in range(0, 30, 5)])
        assert list(blobs.iter_blobs()) == sorted(_descriptor(b"%d" % number).digest for number in range(33))

    def test_threads_list_and_read_while_others_put(self, blobs: BlobStore) -> None:
        _put(blobs, _DATA)
        at_work = [True, True]

        def put() -> None:
            try:
                for number in range(20):
                    _put(blobs, b"%d" % number)
            finally:
                at_work.pop()

        def look() -> None:
            while at_work:
                listed = list(blobs.iter_blobs())
                assert _BLOB.digest in listed
                assert listed == sorted(listed)
                self._assert_stored(blobs, _DATA)

        in_threads([put, look, put, look])
        assert len(list(blobs.iter_blobs())) == 21

    def test_a_thread_whose_bytes_are_refused_does_not_disturb_one_whose_bytes_are_right(
        self, blobs: BlobStore
    ) -> None:
        self._needs_recovery()

        def wrong() -> None:
            with pytest.raises(DigestMismatchError):
                blobs.put_blob(Stream(_LARGE[:-1] + b"!", most=500_000), _descriptor(_LARGE))

        def right() -> None:
            blobs.put_blob(Stream(_LARGE, most=500_000), _descriptor(_LARGE))

        in_threads([wrong, right, wrong, right])
        self._assert_stored(blobs, _LARGE)
