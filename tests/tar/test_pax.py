import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LimitError, TarFormatError
from oci_layers.tar import Entry
from oci_layers.tar.pax import decimal, format_records, format_time, merge, parse_records, parse_time, xattr_record
from tests.support.blocks import record

S = 1_000_000_000


def merged(records, limit=1000):
    entry = Entry(b"header", linkname=b"target", uid=7, gid=8, size=9, mtime_ns=10, uname=b"u", gname=b"g")
    merge(entry, records, limit)
    return entry


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"-1", -1),
        (b"-0", 0),
        (b"0" * 5000 + b"5", 5),
        (b"9223372036854775807", (1 << 63) - 1),
        (b"-9223372036854775807", 1 - (1 << 63)),
    ],
)
def test_a_decimal_number_has_digits_and_perhaps_a_minus(text, expected):
    assert decimal(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-",
        b"--1",
        b"+1",
        b"1_0",
        b" 1",
        b"1\n",
        b"1e3",
        b"0x10",
        b"nan",
        b"1.0",
        "\N{ARABIC-INDIC DIGIT ONE}".encode(),
        b"9223372036854775808",
        b"-9223372036854775808",
        b"1" * 20,
        b"1" * 5000,
    ],
)
def test_a_decimal_number_that_is_anything_else_is_refused(text):
    with pytest.raises(TarFormatError):
        decimal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"0", 0),
        (b"1350244992.023960108", 1350244992 * S + 23960108),
        (b"1.5", S + S // 2),
        (b"1.", S),
        (b"1.0000000019", S + 1),
        (b"-1.5", -S - S // 2),
        (b"-0.5", -S // 2),
        (b"-1.9999999999", -2 * S + 1),
        (b"9223372036854775807", ((1 << 63) - 1) * S),
    ],
)
def test_a_time_is_cut_off_after_nanoseconds(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text", [b"", b".5", b"nan", b"inf", b"1e3", b"1_0", b"1.5.5", b"1.-5", b"1.5 ", b"1" * 20, b"1.1_0", b"1,5"]
)
def test_a_time_that_is_anything_else_is_refused(text):
    with pytest.raises(TarFormatError):
        parse_time(text)


@given(st.integers(1 - (1 << 63) * S, (1 << 63) * S - 1))
def test_a_time_is_read_as_it_was_written(nanoseconds):
    assert parse_time(format_time(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", {}),
        (b"6 k=1\n", {b"k": b"1"}),
        (record(b"path", b"a") + record(b"path", b"b"), {b"path": b"b"}),
        (record(b"comment", b"line\nline=\0"), {b"comment": b"line\nline=\0"}),
        (record(b"path", b""), {b"path": b""}),
        (b"011 key=12\n", {b"key": b"12"}),
        (record(b"GNU.sparse.offset", b"0") + record(b"GNU.sparse.numbytes", b"5"), {b"GNU.sparse.map": b"0,5"}),
    ],
)
def test_records_are_keywords_with_values(payload, expected):
    assert parse_records(payload) == expected


@pytest.mark.parametrize(
    ("payload", "offset"),
    [
        (b"\0", 0),
        (b"k=v\n", 0),
        (b"99 k=v\n", 0),
        (b"5 k=v\n", 0),
        (b"7 k=v\n", 0),
        (b"6 k=v\n" + b"6 k=v", 6),
        (b"0 k=v\n", 0),
        (b"-6 k=v\n", 0),
        (b"+6 k=v\n", 0),
        (b"0x6 k=v\n", 0),
        (b"1_0 key=v1\n", 0),
        (b" 6 k=v\n", 0),
        (b"6\tk=v\n", 0),
        (b"5 =v\n", 0),
        (b"6 kvv\n", 0),
        (b"4 k\n", 0),
        (b"3 \n", 0),
        (b"2 k=\n", 0),
        (b"9" * 30 + b" k=v\n", 0),
        (record(b"k", b"v") + bytes(5), 6),
        (record(b"k\0", b"v"), 0),
        (record(b"SCHILY.xattr.user.a\0b", b"v"), 0),
        (record(b"path", b"a\0b"), 0),
        (record(b"linkpath", b"\0"), 0),
        (record(b"uname", b"a\0"), 0),
        (record(b"gname", b"\0a"), 0),
        (record(b"GNU.sparse.name", b"\0a"), 0),
        (record(b"GNU.sparse.numbytes", b"1"), 0),
        (record(b"GNU.sparse.offset", b"1") * 2, 23),
        (record(b"GNU.sparse.offset", b"1,2"), 0),
    ],
)
def test_a_malformed_record_is_refused_where_it_stands(payload, offset):
    with pytest.raises(TarFormatError) as caught:
        parse_records(payload)
    assert caught.value.offset == offset


@pytest.mark.parametrize("keyword", ["path", "linkpath", "uname", "gname", "GNU.sparse.name"])
@pytest.mark.parametrize("value", [b"target\0", b"target\0\0\0", b"tar\0get", b"\0"])
def test_a_name_with_a_nul_is_refused_by_its_keyword(keyword, value):
    """As git archive wrote a link target: GNU tar, bsdtar and Python cut it off, Go refuses it."""
    with pytest.raises(TarFormatError) as caught:
        parse_records(record(b"k", b"v") + record(keyword.encode(), value))
    assert (caught.value.reason, caught.value.offset) == (
        f"the PAX record {keyword} has a NUL, at which only some readers cut it off",
        6,
    )


keywords = st.binary(min_size=1, max_size=200).map(lambda k: b"VENDOR." + k.replace(b"=", b"").replace(b"\0", b""))


@given(st.dictionaries(keywords, st.binary()))
def test_records_are_read_as_they_were_written(records):
    assert parse_records(format_records(records)) == records


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 92, 93, 94, 95, 990, 991, 992, 993])
def test_the_length_of_a_record_counts_its_own_digits(length):
    written = format_records({b"k": b"v" * length})
    assert int(written.split(b" ")[0]) == len(written)


def test_records_are_written_sorted():
    assert format_records({b"b": b"2", b"a": b"1"}) == b"6 a=1\n6 b=2\n"


def test_records_replace_the_header():
    records = {
        b"path": b"n",
        b"linkpath": b"l",
        b"uid": b"1",
        b"gid": b"2",
        b"size": b"3",
        b"mtime": b"4.5",
        b"uname": b"x",
        b"gname": b"y",
        b"comment": b"kept",
    }
    entry = merged(records)
    assert entry == Entry(b"n", linkname=b"l", uid=1, gid=2, size=3, mtime_ns=4_500_000_000, uname=b"x", gname=b"y")
    assert entry.pax is records


def test_an_empty_value_leaves_what_the_header_says():
    records = dict.fromkeys([b"path", b"linkpath", b"uid", b"gid", b"size", b"mtime", b"uname", b"gname"], b"")
    assert merged(records) == merged({})


@pytest.mark.parametrize("keyword", [b"uid", b"gid", b"size", b"mtime"])
@pytest.mark.parametrize("value", [b"1_0", b"nan", b"1e3", b"+5", b"9" * 20, b" 5"])
def test_garbage_in_a_numeric_record_is_refused(keyword, value):
    with pytest.raises(TarFormatError, match=f"^not .*: the PAX record {keyword.decode()}: .* number"):
        merged({keyword: value})


def test_a_negative_size_is_refused():
    with pytest.raises(TarFormatError, match="the size is negative"):
        merged({b"size": b"-1"})


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({b"SCHILY.xattr.user.a": b"\0\xff"}, {b"user.a": b"\0\xff"}),
        ({b"SCHILY.xattr.user.a": b""}, {b"user.a": b""}),
        ({b"SCHILY.xattr.user.%41": b"1"}, {b"user.%41": b"1"}),
        ({b"LIBARCHIVE.xattr.user.%41%3d%zz": b"AP8="}, {b"user.A=%zz": b"\0\xff"}),
        ({b"LIBARCHIVE.xattr.user.a": b"AP8"}, {b"user.a": b"\0\xff"}),
        ({b"LIBARCHIVE.xattr.user.a": b""}, {b"user.a": b""}),
        ({b"SCHILY.xattr.user.a": b"s", b"LIBARCHIVE.xattr.user.a": b"bA=="}, {b"user.a": b"s"}),
        ({b"LIBARCHIVE.xattr.user.a": b"bA==", b"SCHILY.xattr.user.a": b"s"}, {b"user.a": b"s"}),
    ],
)
def test_extended_attributes_come_in_two_ways(records, expected):
    assert merged(records).xattrs == expected


@pytest.mark.parametrize(
    "records",
    [
        {b"LIBARCHIVE.xattr.user.a": b"A"},
        {b"LIBARCHIVE.xattr.user.a": b"AP8=AP8="},
        {b"LIBARCHIVE.xattr.user.a": b"A P8"},
        {b"LIBARCHIVE.xattr.user.a": b"AP8\n"},
        {b"LIBARCHIVE.xattr.user.%00": b"AP8="},
    ],
)
def test_a_malformed_attribute_is_refused(records):
    with pytest.raises(TarFormatError, match="extended attribute"):
        merged(records)


def test_attributes_are_limited_in_bytes_of_names_and_values():
    records = {b"SCHILY.xattr.user.a": b"1234", b"SCHILY.xattr.user.b": b"5678"}
    assert len(merged(records, 20).xattrs) == 2
    with pytest.raises(LimitError) as caught:
        merged(records, 19)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("xattr_bytes", 19, 20)


def test_an_attribute_is_written_the_way_every_engine_reads():
    assert xattr_record(b"user.%", b"v") == (b"SCHILY.xattr.user.%", b"v")
    assert xattr_record(b"user.=%", b"v") == (b"LIBARCHIVE.xattr.user.%3D%25", b"dg==")
