import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LayerError, UnsupportedError
from oci_layers.tree import Directory, File, Inline, Symlink, WindowsMetadata
from oci_layers.tree.content import same_content
from oci_layers.tree.windows import same_windows
from oci_layers.windows import decode_backup, encode_backup, encode_link, iter_backup
from tests.property.test_windows_metadata import METADATA


def raw(content):
    return b"".join(content.chunks())


def part(kind, data=b"", name="", size=None):
    encoded = name.encode("utf-16-le")
    return struct.pack("<IIQI", kind, 0, len(data) if size is None else size, len(encoded)) + encoded + data


FULL = WindowsMetadata(
    security_descriptor=b"sd", extended_attributes={b"A": b"1"}, streams={b"s": Inline(b"one"), b"r": Inline(b"")}
)


def test_the_parts_are_those_of_the_layout_in_their_order():
    node = File(0, 0, 0, 0, content=Inline(b"lit"), windows=FULL)
    assert raw(encode_backup(node)) == (
        part(3, b"sd")
        + part(2, bytes.fromhex("00000000 00 01 0100 4100 31 00"))
        + part(1, b"lit")
        + part(4, b"", ":r:$DATA")
        + part(4, b"one", ":s:$DATA")
    )
    assert raw(encode_backup(File(0, 0, 0, 0))) == part(1)
    assert raw(encode_backup(Directory(0, 0, 0, 0))) == b""
    link = Symlink(0, 0, 0, target=b"C:\\x", windows=WindowsMetadata(is_junction=True))
    assert raw(encode_backup(link)) == part(8, encode_link(b"C:\\x", is_junction=True))
    assert encode_backup(node).size == len(raw(encode_backup(node)))


@given(METADATA, st.binary(max_size=99), st.integers(0, 9))
def test_a_file_is_read_back(windows, data, start):
    content = Inline(bytes(start) + raw(encode_backup(File(0, 0, 0, 0, content=Inline(data), windows=windows))))
    found = decode_backup(content, start)
    assert raw(found.content) == data
    assert found.target is None
    expected = WindowsMetadata(
        security_descriptor=windows.security_descriptor,
        extended_attributes=windows.extended_attributes,
        streams=windows.streams,
    )
    assert same_windows(found.windows, expected, same_content)


def test_a_link_and_a_directory_are_read_back():
    found = decode_backup(encode_backup(Symlink(0, 0, 0, target=b"..\\x")))
    assert (found.target, found.content, found.windows.is_junction) == (b"..\\x", None, False)
    assert decode_backup(encode_backup(Directory(0, 0, 0, 0))).content is None


def test_a_sparse_file_has_its_blocks():
    offset = struct.Struct("<Q").pack
    data = part(9, offset(2) + b"ab") + part(9, offset(6) + b"c") + part(9, offset(9))
    content = decode_backup(Inline(data)).content
    assert (raw(content), content.size, content.extents) == (b"\0\0ab\0\0c\0\0", 9, ((2, 2), (6, 1)))
    assert raw(decode_backup(Inline(part(9, offset(1 << 20)))).content) == bytes(1 << 20)


def test_links_and_ids_are_passed_over():
    assert decode_backup(Inline(part(5, b"x") + part(7, b"y") + part(1, b"z"))).content.size == 1
    assert [each.kind for each in iter_backup(Inline(part(6, b"x") + part(10)))] == [6, 10]


@pytest.mark.parametrize(
    "data",
    [
        part(1)[:-1],
        part(1, b"x")[:-1],
        part(1, size=1 << 63),
        part(3, size=2 << 20) + bytes(2 << 20),
        part(99),
        part(4, b"x"),
        part(4, b"x", "s:$DATA"),
        part(4, b"x", ":a:b:$DATA"),
        part(4, b"x", "::$DATA"),
        struct.pack("<IIQI", 4, 0, 0, 3) + b"abc",
        struct.pack("<IIQI", 4, 0, 0, 1 << 31),
        part(9, b"short"),
        part(9, bytes(8) + b"xx") + part(9, b"\1" + bytes(7)),
        part(8, b""),
        part(2, b"x"),
    ],
)
def test_a_stream_that_is_malformed_is_refused(data):
    with pytest.raises(LayerError):
        decode_backup(Inline(data))


def test_a_reparse_point_of_windows_itself_is_not_known():
    with pytest.raises(UnsupportedError):
        decode_backup(Inline(part(8, b"\x18\0\0\x80" + bytes(30))))


@pytest.mark.parametrize(
    "windows", [WindowsMetadata(streams={b"\xff": Inline(b"")}), WindowsMetadata(extended_attributes={b"": b""})]
)
def test_what_no_stream_can_hold_is_refused(windows):
    with pytest.raises(LayerError):
        encode_backup(File(0, 0, 0, 0, windows=windows))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_stream_or_refused(data):
    try:
        decode_backup(Inline(data))
    except (LayerError, UnsupportedError):
        return


def test_a_stream_that_became_shorter_is_refused():
    class Short:
        size, extents = 100, None

        def chunks(self):
            return iter([part(1, b"x")])

    with pytest.raises(LayerError):
        decode_backup(Short())
