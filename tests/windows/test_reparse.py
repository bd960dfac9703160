import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LayerError, UnsupportedError
from oci_layers.windows import decode_link, encode_link


def utf16(text):
    return text.encode("utf-16-le").hex()


@pytest.mark.parametrize(
    ("target", "is_junction", "kernel", "flags"),
    [
        ("C:\\x", True, "\\??\\C:\\x", ""),
        ("C:\\x", False, "\\??\\C:\\x", "00000000"),
        ("..\\x", False, "..\\x", "01000000"),
        ("\\x", False, "\\x", "01000000"),
        ("\\\\?\\Volume{0}\\", True, "\\??\\Volume{0}\\", ""),
        ("\\\\srv\\s", False, "\\??\\UNC\\srv\\s", "00000000"),
    ],
)
def test_the_bytes_are_those_of_the_layout(target, is_junction, kernel, flags):
    """MS-FSCC 2.1.2.4 and 2.1.2.5."""
    one, two = 2 * len(kernel), 2 * len(target)
    length = 8 + len(flags) // 2 + one + 2 + two + 2
    expected = bytes.fromhex(
        ("030000a0" if is_junction else "0c0000a0")
        + b"".join(number.to_bytes(2, "little") for number in (length, 0, 0, one, one + 2, two)).hex()
        + flags
        + utf16(kernel)
        + "0000"
        + utf16(target)
        + "0000"
    )
    assert encode_link(target.encode(), is_junction=is_junction) == expected
    assert decode_link(expected) == (target.encode(), is_junction)


@given(st.text(st.characters(exclude_categories=()), max_size=50), st.booleans())
def test_a_link_has_its_target(target, is_junction):
    raw = target.encode("utf-8", "surrogatepass")
    again = target.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    assert decode_link(encode_link(raw, is_junction=is_junction)) == (
        again.encode("utf-8", "surrogatepass"),
        is_junction,
    )


@pytest.mark.parametrize("target", [b"\xff", b"x" * 40_000])
def test_what_does_not_fit_is_refused(target):
    with pytest.raises(LayerError):
        encode_link(target, is_junction=False)


GOOD = encode_link(b"C:\\x", is_junction=True)


@pytest.mark.parametrize("tag", [0x80000017, 0x80000018, 0x9000001A, 0xA000001D, 0xA000001F, 0])
def test_other_reparse_points_are_not_known(tag):
    with pytest.raises(UnsupportedError):
        decode_link(tag.to_bytes(4, "little") + GOOD[4:])


@pytest.mark.parametrize(
    "data",
    [
        GOOD[:15],
        GOOD[:-1],
        GOOD[:4] + b"\xff\xff" + GOOD[6:],  # a length that lies
        GOOD[:12] + b"\xff\xff" + GOOD[14:],  # an offset that lies
        GOOD[:14] + b"\xff\xfe" + GOOD[16:],  # a size that lies
        GOOD[:14] + b"\x03\x00" + GOOD[16:],  # half a unit
    ],
)
def test_lengths_that_lie_are_refused(data):
    with pytest.raises(LayerError):
        decode_link(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_link_or_refused(data):
    try:
        decode_link(b"\x0c\0\0\xa0" + data)
    except LayerError:
        return
