import contextlib
import os

import pytest

from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.errors import StoreError
from tests.support.process import outcome


@pytest.fixture
def numbers(tmp_path):
    (tmp_path / "numbers").write_bytes(b"0123456789")
    with contextlib.closing(OpenFile(os.open(tmp_path / "numbers", os.O_RDONLY), "numbers")) as file:
        yield file


def test_a_range_is_read_in_order_and_anywhere(numbers):
    part = SectionReader(numbers, 2, 5, own=False)
    assert [part.read(2), part.read(100), part.read(1)] == [b"23", b"456", b""]
    assert [part.read_at(*each) for each in ((0, 2), (4, 9), (5, 1), (9, 1))] == [b"23", b"6", b"", b""]
    part.close()
    assert numbers.read_at(0, 100) == b"0123456789"


def test_a_range_of_its_own_closes_the_file_once(numbers):
    part = SectionReader(numbers, 0, 10)
    assert part.read(2) == b"01"
    part.close()
    part.close()
    with pytest.raises(StoreError) as caught:
        part.read(2)
    assert (caught.value.place, caught.value.reason) == (
        "numbers",
        "closed",
    )


def test_a_file_that_was_closed_is_never_another_that_got_its_number(tmp_path, numbers):
    part = SectionReader(numbers, 0, 10, own=False)
    numbers.close()
    (tmp_path / "other").write_bytes(b"other bytes")
    others = [os.open(tmp_path / "other", os.O_RDONLY) for _ in range(20)]
    assert outcome(part.read, 5)[0] == outcome(part.read_at, 0, 5)[0] == "StoreError"
    for fd in others:
        os.close(fd)


def test_a_file_that_is_not_closed_warns_and_is_closed_when_it_is_collected(tmp_path):
    (tmp_path / "x").touch()
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    file = OpenFile(fd, "x\x1b")
    with pytest.warns(ResourceWarning, match=r"^unclosed x\\x1b$"):
        del file
    assert outcome(os.fstat, fd)[0] == "OSError"
