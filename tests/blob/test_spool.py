"""Blobs in temporary files: their digests at their ends, one limit for all, and nothing left of those that fail."""

import io
import os

import pytest

from oci_layers.blob.spool import Spool, spooled
from oci_layers.errors import LimitError, StoreError
from oci_layers.spec import Digest

DATA = b"The lamp is lit." * 100_000


def test_a_stream_becomes_a_blob_that_can_be_read_again_and_again(tmp_path):
    with spooled(io.BytesIO(DATA), Spool(str(tmp_path), 1 << 30), "the lamp") as blob:
        assert (blob.digest, blob.size) == (Digest.of(DATA), len(DATA))
        one, other = blob.open(), blob.open()
        assert (one.read(8), other.read(4), one.read(3)) == (b"The lamp", b"The ", b" is")
        assert os.listdir(tmp_path) == []
    with pytest.raises(StoreError) as caught:
        one.read(1)
    assert caught.value.place == "the lamp"


def test_blobs_share_one_limit_and_give_it_back(tmp_path):
    spool = Spool(str(tmp_path), 2 * len(DATA))
    with spooled(io.BytesIO(DATA), spool, "one"), spooled(io.BytesIO(DATA), spool, "two") as two:
        with pytest.raises(LimitError) as caught:
            spooled(io.BytesIO(b"x"), spool, "three")
        assert (caught.value.limit, caught.value.seen) == ("temporary_bytes", 2 * len(DATA) + 1)
        two.close()
        two.close()
        spooled(io.BytesIO(b"x"), spool, "three").close()


def test_an_error_of_the_stream_leaves_nothing(tmp_path):
    class Failing(io.BytesIO):
        def read(self, size):
            if self.tell():
                raise ZeroDivisionError
            return super().read(size)

    spool = Spool(str(tmp_path), len(DATA))
    with pytest.raises(ZeroDivisionError):
        spooled(Failing(DATA), spool, "failing")
    spooled(io.BytesIO(DATA), spool, "again").close()
