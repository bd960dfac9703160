import io

import pytest

from oci_layers.blob.stream import PIECE, VerifiedReader, drain
from oci_layers.errors import DigestMismatchError, SizeMismatchError, UnsupportedError
from oci_layers.spec.digest import Digest

DATA = b"some bytes to check"
DIGEST = Digest.of(DATA)


class Source(io.BytesIO):
    """Bytes, in pieces of any size, and what was done with them."""

    def __init__(self, data=DATA, step=None, error=None):
        super().__init__(data)
        self.step = step
        self.error = error
        self.most = 0

    def read(self, size):
        self.most = max(self.most, size)
        data = super().read(min(size, self.step or size))
        if not data and self.error is not None:
            raise self.error
        return data


def everything(stream, size=7):
    parts = []
    while part := stream.read(size):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("size", [1, 5, len(DATA), len(DATA) + 1, 1 << 20])
@pytest.mark.parametrize("known", [len(DATA), None])
@pytest.mark.parametrize("step", [1, 3, None])
def test_bytes_that_are_right_pass(size, known, step):
    reader = VerifiedReader(Source(step=step), DIGEST, known)
    assert everything(reader, size) == DATA
    assert reader.read(size) == reader.read(size) == b""
    assert reader.seen == len(DATA)


@pytest.mark.parametrize(
    ("data", "actual"), [(DATA[:-1], len(DATA) - 1), (b"", 0), (DATA + b"!", len(DATA) + 1), (DATA * 9, len(DATA) + 1)]
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_another_size_is_an_error_however_often_one_asks(data, actual, size):
    source = Source(data)
    reader = VerifiedReader(source, DIGEST, len(DATA), what="blob x")
    for _ in range(3):
        with pytest.raises(SizeMismatchError) as caught:
            everything(reader, size)
        assert (caught.value.what, caught.value.expected, caught.value.actual) == ("blob x", len(DATA), actual)
    assert source.most <= len(DATA) + 1


@pytest.mark.parametrize("known", [len(DATA), None])
def test_another_digest_is_an_error_however_often_one_asks(known):
    wrong = DATA[:-1] + b"!"
    reader = VerifiedReader(Source(wrong), DIGEST, known)
    for _ in range(3):
        with pytest.raises(DigestMismatchError) as caught:
            everything(reader)
        assert (caught.value.what, caught.value.expected) == (str(DIGEST), str(DIGEST))
        assert caught.value.actual == str(Digest.of(wrong))


def test_an_algorithm_that_cannot_be_computed_is_an_error_before_anything_is_read():
    source = Source()
    with pytest.raises(UnsupportedError) as caught:
        VerifiedReader(source, Digest("md5:d41d8cd98f00b204e9800998ecf8427e"))
    assert (caught.value.what, caught.value.value) == ("digest algorithm", "md5")
    assert source.tell() == 0


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_every_algorithm_is_checked(algorithm):
    digest = Digest.of(DATA, algorithm)
    assert everything(VerifiedReader(Source(), digest)) == DATA
    with pytest.raises(DigestMismatchError):
        everything(VerifiedReader(Source(DATA + b"!"), digest))


def test_leaving_reads_the_rest_and_checks_it():
    source = Source(DATA + b"!")
    with pytest.raises(DigestMismatchError), VerifiedReader(source, DIGEST) as reader:
        assert reader.read(4) == DATA[:4]
    assert source.closed


def test_leaving_by_an_error_only_closes():
    source = Source(DATA + b"!")
    with pytest.raises(KeyError), VerifiedReader(source, DIGEST) as reader:
        {}[reader.read(4)]
    assert source.closed


def test_draining_reads_to_the_end():
    source = Source(b"x" * (2 * PIECE + 1))
    drain(source)
    assert source.tell() == 2 * PIECE + 1


# Reading ahead.
