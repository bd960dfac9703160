import io

import pytest

from oci_layers.errors import LayerError, SizeMismatchError
from oci_layers.tar import DIRECTORY, GLOBAL, HARDLINK, SYMLINK, Entry, Pieces, read_tar, write_tar
from oci_layers.tar.writer import _split
from tests.support.blocks import END, entries, extended, header, longname, member, padded


def written(*given):
    return b"".join(write_tar(given))


def read_back(*given):
    return [entry for entry, _ in entries(written(*given))]


def test_an_archive_of_nothing_is_its_end():
    assert written() == END


def test_what_fits_is_one_ustar_header_with_every_byte_decided():
    entry = Entry(
        b"etc/hosts", size=5, mtime_ns=10**9, uid=1, gid=2, uname=b"root", gname=b"wheel", content=Pieces([b"hello"])
    )
    block = (
        b"etc/hosts".ljust(100, b"\0") + b"0000644\x000000001\x000000002\x0000000000005\x0000000000001\x00012773\0 0"
    )
    block += (
        bytes(100)
        + b"ustar\x0000"
        + b"root".ljust(32, b"\0")
        + b"wheel".ljust(32, b"\0")
        + b"0000000\x000000000\0"
        + bytes(167)
    )
    assert written(entry) == block + padded(b"hello") + END


def test_what_does_not_fit_is_a_pax_header_with_sorted_records_before_it():
    entry = Entry(
        b"\xff",
        type=SYMLINK,
        mode=0o777,
        linkname=b"\xc3\xa9",
        mtime_ns=1,
        uid=1 << 40,
        xattrs={b"b": b"2", b"a": b"1"},
    )
    records = b"20 SCHILY.xattr.a=1\n20 SCHILY.xattr.b=2\n21 hdrcharset=BINARY\n15 linkpath=\xc3\xa9\n"
    records += b"21 mtime=0.000000001\n9 path=\xff\n21 uid=1099511627776\n"
    archive = written(entry)
    assert archive[:512] == header(b"pax_header", type=b"x", size=len(records), devmajor=0, devminor=0)
    assert archive[512:1024] == padded(records)
    assert read_back(entry) == [entry]


LONGEST = b"p" * 155 + b"/" + b"n" * 100


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"", (b"", b"")),
        (b"a" * 100, (b"", b"a" * 100)),
        (b"a" * 101, None),
        (LONGEST, (b"p" * 155, b"n" * 100)),
        (LONGEST + b"n", None),
        (b"p" + LONGEST, None),
        (b"/" + b"n" * 100, None),
        (b"/" + b"n" * 99, (b"", b"/" + b"n" * 99)),
        (b"p/" + b"n" * 99 + b"/", (b"p", b"n" * 99 + b"/")),
        (b"p" * 100 + b"/", None),
        (b"a/b/" + b"n" * 98, (b"a/b", b"n" * 98)),
        (b"//" + b"n" * 100, (b"/", b"n" * 100)),
        (b"\xc3\xa9", None),
    ],
)
def test_a_long_name_is_split_where_ustar_can_hold_it(name, expected):
    assert _split(name) == expected
    [entry] = read_back(Entry(name))
    assert entry.name == name
    assert (b"path" in entry.pax) == (expected is None)


@pytest.mark.parametrize(
    ("fields", "records"),
    [
        ({}, set()),
        ({"name": b"a" * 100}, set()),
        ({"name": b"a" * 101}, {b"path"}),
        ({"name": b"caf\xc3\xa9"}, {b"path"}),
        ({"name": b"caf\xe9"}, {b"path", b"hdrcharset"}),
        ({"linkname": b"a" * 100}, set()),
        ({"linkname": b"a" * 101}, {b"linkpath"}),
        ({"linkname": b"\xe9"}, {b"linkpath", b"hdrcharset"}),
        ({"uname": b"u" * 31}, set()),
        ({"uname": b"u" * 32}, {b"uname"}),
        ({"gname": b"g" * 31}, set()),
        ({"gname": b"\xc3\xa9"}, {b"gname"}),
        ({"uid": 2097151}, set()),
        ({"uid": 2097152}, {b"uid"}),
        ({"gid": (1 << 63) - 1}, {b"gid"}),
        ({"mtime_ns": 0o77777777777 * 10**9}, set()),
        ({"mtime_ns": 0o77777777777 * 10**9 + 1}, {b"mtime"}),
        ({"mtime_ns": (0o77777777777 + 1) * 10**9}, {b"mtime"}),
        ({"mtime_ns": 1}, {b"mtime"}),
        ({"mtime_ns": -1}, {b"mtime"}),
        ({"mtime_ns": -(10**9)}, {b"mtime"}),
        ({"xattrs": {b"user.a": b"\0\xff"}}, {b"SCHILY.xattr.user.a"}),
        ({"xattrs": {b"user.a": b""}}, {b"SCHILY.xattr.user.a"}),
        ({"xattrs": {b"user.=": b"v"}}, {b"LIBARCHIVE.xattr.user.%3D"}),
        ({"mode": 0o7777777, "devmajor": 2097151, "devminor": 2097151}, set()),
        ({"pax": {b"comment": b"\xff"}}, {b"comment"}),
    ],
)
def test_only_what_ustar_cannot_hold_becomes_a_record(fields, records):
    given = Entry(**{"name": b"file"} | fields)
    [entry] = read_back(given)
    assert entry == given
    assert set(entry.pax) == records


def test_a_size_above_eight_gigabytes_becomes_a_record():
    for size, records in ((0o77777777777, {}), (0o77777777777 + 1, {b"size": b"8589934592"})):
        archive = next(iter(write_tar([Entry(b"big", size=size)])))
        entry = next(read_tar(io.BytesIO(archive)))
        assert (entry.size, entry.pax) == (size, records)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": b"a\0b"},
        {"linkname": b"a\0b"},
        {"uname": b"\0"},
        {"gname": b"\0"},
        {"xattrs": {b"user.\0": b""}},
        {"pax": {b"\0": b""}},
        {"pax": {b"": b""}},
        {"pax": {b"a=b": b""}},
        {"type": b""},
        {"type": b"00"},
        {"type": b"\0"},
        {"type": b"x"},
        {"type": b"L"},
        {"type": b"K"},
        {"type": b"S"},
        {"mode": -1},
        {"mode": 0o10000000},
        {"devmajor": 0o10000000},
        {"devminor": -1},
        {"uid": -1},
        {"gid": -1},
        {"gid": 1 << 63},
        {"size": -1},
        {"size": 1 << 63},
        {"type": HARDLINK, "size": 1},
        {"type": DIRECTORY, "size": 1},
        {"type": GLOBAL, "size": 1},
    ],
)
def test_what_no_archive_can_hold_is_refused(fields):
    fields = {"name": b"file"} | fields
    with pytest.raises(LayerError) as caught:
        written(Entry(**fields))
    assert caught.value.path == fields["name"]


@pytest.mark.parametrize(("pieces", "actual"), [([], 0), ([b"ab"], 2), ([b"abc", b"de"], 5), ([b"abcde"], 5)])
def test_content_that_is_not_as_long_as_its_entry_says_is_an_error(pieces, actual):
    with pytest.raises(SizeMismatchError) as caught:
        written(Entry(b"a\n", size=4, content=Pieces(pieces)))
    assert (caught.value.what, caught.value.expected, caught.value.actual) == (r"a\x0a", 4, actual)


def test_content_that_is_too_long_is_not_passed_on():
    writing = write_tar([Entry(b"a", size=4, content=Pieces([b"ab", b"cde"]))])
    assert (len(next(writing)), next(writing)) == (512, b"ab")
    with pytest.raises(SizeMismatchError):
        next(writing)


def test_an_archive_is_rewritten_entry_by_entry():
    archive = extended((b"comment", b"c"), (b"atime", b"5"), (b"path", b"b")) + member(b"a", b"1" * 2000)
    archive += (
        extended((b"comment", b"all"), flag=b"g", name=b"pax_global_header") + longname(b"n" * 120) + member(b"c", b"2")
    )
    once = b"".join(write_tar(read_tar(io.BytesIO(archive + END))))
    first, everything, last = entries(once)
    assert (first[0].name, first[0].pax, first[1]) == (b"b", {b"comment": b"c", b"atime": b"5"}, b"1" * 2000)
    assert (everything[0].name, everything[0].type, everything[0].pax) == (
        b"pax_global_header",
        b"g",
        {b"comment": b"all"},
    )
    assert (last[0].name, last[1]) == (b"n" * 120, b"2")
    assert b"".join(write_tar(read_tar(io.BytesIO(once)))) == once


def test_records_that_stand_in_fields_are_not_carried_along():
    stale = {
        b"path": b"old",
        b"size": b"9",
        b"hdrcharset": b"BINARY",
        b"SCHILY.xattr.user.a": b"1",
        b"GNU.sparse.name": b"s",
    }
    [entry] = read_back(Entry(b"new", pax=stale | {b"LIBARCHIVE.creationtime": b"1"}))
    assert (entry.name, entry.size, entry.xattrs, entry.pax) == (b"new", 0, {}, {b"LIBARCHIVE.creationtime": b"1"})


def test_a_global_header_whose_name_does_not_fit_gets_one_that_does():
    for name, expected in ((b"g", b"g"), (b"n" * 300, b"pax_global_header"), (b"\xff", b"pax_global_header")):
        [entry] = read_back(Entry(name, GLOBAL, mode=0, pax={b"comment": b"c"}))
        assert (entry.name, entry.pax) == (expected, {b"comment": b"c"})


def test_holes_are_written_as_zeros():
    [(entry, content)] = entries(written(Entry(b"sparse", size=9, extents=((3, 2),), content=Pieces([b"ab"]))))
    assert (entry.extents, entry.stored_size, content) == (None, 9, b"\0\0\0ab\0\0\0\0")


def test_the_same_entries_give_the_same_bytes():
    one = [Entry(b"f", xattrs={b"a": b"1", b"b": b"2"}, pax={b"x": b"1", b"y": b"2"}, size=2, content=Pieces([b"ab"]))]
    two = [
        Entry(
            b"f",
            xattrs={b"b": b"2", b"a": b"1"},
            pax={b"y": b"2", b"x": b"1"},
            size=2,
            content=Pieces([b"a", b"b"]),
            offset=9,
        )
    ]
    assert written(*one) == written(*two)
