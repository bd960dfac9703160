"""Laws: a tar that is cut inside a header or content raises; bytes of any kind raise nothing but our errors; and how
the stream cuts its answers changes nothing."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_layers.errors import LimitError, TarFormatError
from oci_layers.limits import Limits
from oci_layers.tar import GLOBAL, read_tar
from tests.support.blocks import END, Drip, extended, facts, header, longname, member
from tests.tar.test_sparse import LONG, old_gnu, pax_00, pax_01, pax_10

PARTS = {
    "ustar": member(b"file", b"x" * 700),
    "directory": header(b"dir/", type=b"5"),
    "pax": extended((b"path", b"p" * 600), (b"mtime", b"-1.5"), (b"SCHILY.xattr.user.a", b"\xff"))
    + member(data=b"abc"),
    "global": extended((b"comment", b"c"), flag=b"g"),
    "gnu": longname(b"l" * 600) + longname(b"k", b"K") + header(type=b"2"),
    "old sparse": old_gnu(LONG[:4], 900, b"x" * 10, more=[LONG[4:10]]),
    "sparse 0.0": pax_00(),
    "sparse 0.1": pax_01(),
    "sparse 1.0": pax_10(LONG, 900, b"x" * 300),
}
ARCHIVE = b"".join(PARTS.values()) + END
parts = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
MODEST = Limits(file_bytes=1 << 24, entries=1000)


def outcome(stream):
    """Return what an archive holds, or the error and what came before it."""
    found = []
    try:
        for entry in read_tar(stream, limits=MODEST):
            found.append((entry, entry.read(), entry.pax, entry.offset, entry.data_offset, entry.extents))
    except (TarFormatError, LimitError) as error:
        return found, type(error), str(error)
    return found


def padding(part):
    """How many bytes at the end of an archive of one entry are padding behind its content, or its records."""
    [entry] = read_tar(io.BytesIO(part))
    return 512 - len(part[512:].rstrip(b"\0")) if entry.type == GLOBAL else -entry.stored_size % 512


@parts
def test_an_archive_that_is_cut_inside_a_header_or_content_raises(part):
    """Without padding behind the last content every cut is inside one, or at the very start or end."""
    for cut in range(1, len(part) - padding(part)):
        with pytest.raises(TarFormatError):
            facts(part[:cut])


@parts
def test_a_cut_after_an_entry_that_is_whole_raises_too(part):
    for cut in range(1, len(part) - padding(part)):
        with pytest.raises(TarFormatError):
            list(read_tar(io.BytesIO(PARTS["ustar"] + part[:cut])))


@parts
def test_a_flipped_bit_in_a_header_raises(part):
    """But for the checksum itself, in which a zero and a blank say the same."""
    for place in {*range(512 * 8)} - {*range(148 * 8, 156 * 8)}:
        flipped = bytearray(part)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(TarFormatError):
            list(read_tar(io.BytesIO(flipped + END)))


@given(st.binary(max_size=2000))
def test_bytes_of_any_kind_raise_nothing_but_our_errors(data):
    outcome(io.BytesIO(data))


edits = st.lists(
    st.tuples(st.integers(0, len(ARCHIVE) - 1), st.binary(min_size=1, max_size=20)), min_size=1, max_size=8
)


def repaired(data):
    """Make every checksum right again that stands where a header may be, so that the edits get past it."""
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    return bytes(data)


@given(edits, st.integers(0, len(ARCHIVE)))
def test_an_edited_archive_raises_nothing_but_our_errors(edits, cut):
    data = bytearray(ARCHIVE)
    for place, text in edits:
        data[place : place + len(text)] = text
    outcome(io.BytesIO(data))
    outcome(io.BytesIO(repaired(data)))
    outcome(io.BytesIO(repaired(data)[:cut]))


fields = st.sampled_from(["mode", "uid", "gid", "size", "mtime", "devmajor", "devminor", "magic"])
SPARSE = [b"map", b"major", b"minor", b"numblocks", b"size", b"offset", b"numbytes"]
KEYWORDS = [
    b"path",
    b"size",
    b"mtime",
    b"uid",
    b"SCHILY.xattr.a",
    b"LIBARCHIVE.xattr.a",
    *(b"GNU.sparse." + s for s in SPARSE),
]
VALUES = [b"", b"0", b"1", b"1,1", b"-1", b"1.5", b"nan", b"1_0", b"9223372036854775807"]
records = st.tuples(st.sampled_from(KEYWORDS), st.sampled_from(VALUES) | st.binary(max_size=9))


@given(
    st.lists(records, max_size=5),
    fields,
    st.binary(max_size=8),
    st.sampled_from([b"0", b"5", b"S", b"x", b"L", b"g", b"\0"]),
)
@example([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")], "uid", b"0", b"0")
def test_fields_of_any_kind_raise_nothing_but_our_errors(given_records, field, value, flag):
    archive = extended(*given_records) + header(**{"size": 600, "type": flag} | {field: value})
    outcome(io.BytesIO(archive + b"1\n0\n600\n".ljust(1024, b"x") + END))


@given(edits, st.integers(1, 2000))
def test_how_the_stream_is_cut_changes_nothing(edits, step):
    data = bytearray(ARCHIVE)
    assert outcome(Drip(data, step)) == outcome(io.BytesIO(ARCHIVE))
    for place, text in edits:
        data[place : place + len(text)] = text
    assert outcome(Drip(repaired(data), step)) == outcome(io.BytesIO(repaired(data)))


@given(st.lists(st.booleans(), min_size=len(PARTS), max_size=len(PARTS)))
def test_what_is_read_of_one_entry_does_not_change_the_others(chosen):
    whole = outcome(io.BytesIO(ARCHIVE))
    found = []
    for index, entry in enumerate(read_tar(io.BytesIO(ARCHIVE))):
        found.append((entry, entry.read() if chosen[index] else None))
    assert [entry for entry, _ in found] == [entry for entry, *_ in whole]
    assert all(content in (None, expected[1]) for (_, content), expected in zip(found, whole, strict=True))
