import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LayerError
from oci_layers.windows import decode_attributes, encode_attributes

NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: b"\0" not in name)


def test_the_bytes_are_those_of_the_layout():
    """MS-FSCC 2.4.16: the next offset, flags, the lengths, the name with a NUL, the value, padded to four bytes."""
    assert encode_attributes({b"B": b"xy", b"AAA": b""}) == bytes.fromhex(
        "0c000000 00 03 0000 41414100"  # 12 bytes, no padding
        "00000000 00 01 0200 4200 7879"  # 12 bytes, the last
    )
    assert encode_attributes({b"A": b"1"}) == bytes.fromhex("00000000 00 01 0100 4100 31 00")
    assert encode_attributes({}) == b""


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=5))
def test_a_buffer_has_all_attributes(attributes):
    data = encode_attributes(attributes)
    assert decode_attributes(data) == attributes
    assert len(data) % 4 == 0


def test_flags_are_passed_over():
    assert decode_attributes(bytes.fromhex("00000000 80 01 0100 4100 31")) == {b"A": b"1"}


@pytest.mark.parametrize("attributes", [{b"": b""}, {b"n" * 256: b""}, {b"n": bytes(65_536)}, {b"a\0b": b""}])
def test_what_does_not_fit_is_refused(attributes):
    with pytest.raises(LayerError):
        encode_attributes(attributes)


@pytest.mark.parametrize(
    "data",
    [
        "00",
        "00000000 00 01 0200 4100 31",  # a value that is too long
        "00000000 00 00 0000 00",  # no name
        "00000000 00 01 0000 4101",  # no NUL after the name
        "04000000 00 01 0000 4100 0000",  # an offset that leads back
        "ff000000 00 01 0000 4100 0000",  # one that leads out
    ],
)
def test_a_buffer_that_lies_is_refused(data):
    with pytest.raises(LayerError):
        decode_attributes(bytes.fromhex(data))


@given(st.binary(max_size=100))
def test_any_bytes_are_attributes_or_refused(data):
    try:
        found = decode_attributes(data)
    except LayerError:
        return
    assert decode_attributes(encode_attributes(found)) == found
