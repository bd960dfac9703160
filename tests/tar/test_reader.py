import io

import pytest

from oci_layers.errors import LimitError, TarFormatError
from oci_layers.limits import Limits
from oci_layers.tar import EMPTY, Entry, read_tar
from tests.support.blocks import (
    END,
    GNU,
    V7,
    Drip,
    base256,
    entries,
    extended,
    facts,
    header,
    longname,
    member,
    names,
    record,
)
from tests.tar.test_sparse import old_gnu, pax_00, pax_10


def refused(archive, **limits):
    with pytest.raises((TarFormatError, LimitError)) as caught:
        entries(archive, limits=Limits(**limits))
    return caught.value


FILE = member(b"file", b"content")
ZERO = bytes(512)


@pytest.mark.parametrize(
    "end", [b"", ZERO, ZERO * 2, ZERO * 20, ZERO * 2 + b"junk", ZERO * 2 + FILE, ZERO * 2 + b"\xff" * 5000], ids=len
)
@pytest.mark.parametrize("start", [b"", FILE])
def test_an_archive_may_end_in_many_ways(start, end):
    stream = Drip(start + end)
    assert [entry.name for entry in read_tar(stream)] == [b"file"] * bool(start)
    assert stream.stream.read() == b""


@pytest.mark.parametrize(
    ("archive", "offset", "reason"),
    [
        (FILE + ZERO + FILE + END, 1536, "a header follows a lone zero block"),
        (FILE + ZERO[:1], 1025, "the archive ends inside a header"),
        (FILE + ZERO + ZERO[:511], 2047, "the archive ends inside a header"),
        (FILE[:511], 511, "the archive ends inside a header"),
        (FILE + header()[:100], 1124, "the archive ends inside a header"),
        (b"\x1f\x8b", 2, "the archive ends inside a header"),
        (b"x" * 512, 148, "the checksum of the header is wrong"),
    ],
)
def test_an_archive_that_ends_or_goes_on_otherwise_is_refused(archive, offset, reason):
    error = refused(archive)
    assert (error.reason, error.offset) == (reason, offset)


def test_a_corrupt_header_later_on_is_not_the_end():
    bad = bytearray(header(b"second"))
    bad[10] ^= 1
    error = refused(FILE + bytes(bad) + FILE + END)
    assert error.reason == "the checksum of the header is wrong"
    assert error.path == b""
    assert error.offset == 1024 + 148


def test_an_entry_says_where_it_stands():
    archive = extended((b"path", b"long")) + member(b"x", b"abc") + FILE + END
    [(first, _), (second, _)] = entries(archive)
    assert (first.offset, first.data_offset, first.stored_size, first.extents) == (0, 1536, 3, None)
    assert archive[first.data_offset :].startswith(b"abc")
    assert (second.offset, second.data_offset, second.stored_size) == (2048, 2560, 7)


@pytest.mark.parametrize(
    ("blocks", "flag"),
    [
        (header(b"dir/", type=b"\0", magic=V7), b"5"),
        (header(b"file", type=b"\0", magic=V7), b"0"),
        (header(b"dir/", type=b"0"), b"0"),
        (extended((b"path", b"dir/")) + header(b"file", type=b"\0"), b"5"),
        (longname(b"file") + header(b"dir/", type=b"\0"), b"0"),
        (header(b"a", type=b"7"), b"7"),
        (header(b"a", type=b"Z"), b"Z"),
        (header(b"a", type=b"\xff"), b"\xff"),
    ],
)
def test_a_nul_type_is_settled_by_the_final_name_and_others_are_kept(blocks, flag):
    assert [entry.type for entry, _ in entries(blocks + END)] == [flag]


@pytest.mark.parametrize("flag", [b"1", b"2", b"3", b"4", b"5", b"6"])
@pytest.mark.parametrize(
    "blocks", [lambda flag: header(size=5, type=flag), lambda flag: extended((b"size", b"5")) + header(type=flag)]
)
def test_types_without_content_have_none_whatever_their_size_says(flag, blocks):
    [(entry, content), (after, _)] = entries(blocks(flag) + FILE + END)
    assert (entry.type, entry.size, entry.stored_size, content) == (flag, 0, 0, b"")
    assert after.name == b"file"


KINDS = {
    b"1": "hard link",
    b"2": "symbolic link",
    b"3": "character device",
    b"4": "block device",
    b"5": "directory",
    b"6": "fifo",
}


@pytest.mark.parametrize(("flag", "kind"), KINDS.items())
@pytest.mark.parametrize("size", [1, 511, 512, 5000])
def test_content_of_what_has_none_is_refused_as_that(flag, kind, size):
    """As bsdtar writes hard links: it reads the content of them, Go takes that for a header."""
    entry, content = header(b"x", type=flag, linkname=b"file", size=size), b"content".ljust(-(-size // 512) * 512, b"c")
    for blocks in (entry, extended((b"path", b"x"), (b"size", b"%d" % size)) + header(b"y", type=flag)):
        for step in (1000, None):
            with pytest.raises(TarFormatError) as caught:
                facts(Drip(FILE + blocks + content + FILE + END, step))
            assert (caught.value.path, caught.value.offset) == (b"x", len(FILE))
            assert caught.value.reason == (
                f"a {kind} that carries content ({size} bytes), which engines read in different ways "
                "(bsdtar reads it behind a hard link); repack the archive with GNU tar"
            )


@pytest.mark.parametrize("end", [b"", ZERO, END])
def test_a_size_without_content_may_come_last(end):
    assert names(FILE + header(b"x", type=b"1", linkname=b"file", size=5) + end) == [b"file", b"x"]


def test_content_that_is_cut_is_a_header_that_is_cut():
    error = refused(header(b"x", type=b"1", linkname=b"file", size=600) + b"c" * 100)
    assert (error.reason, error.offset) == ("the archive ends inside a header", 612)


@pytest.mark.parametrize("flag", [b"0", b"\0", b"7", b"Z", b"V", b"D"])
def test_every_other_type_has_content(flag):
    [(_, content), (after, _)] = entries(member(b"a", b"x" * 700, type=flag) + FILE + END)
    assert content == b"x" * 700
    assert after.name == b"file"


def test_the_size_of_a_pax_header_is_the_one_that_counts():
    inner = member(b"smuggled", b"data")
    archive = extended((b"size", b"%d" % len(inner))) + header(b"outer", size=0) + inner + FILE + END
    [(entry, content), (after, _)] = entries(archive)
    assert (entry.name, content, after.name) == (b"outer", inner, b"file")


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([extended((b"path", b"p"))], (b"p", b"link")),
        ([extended((b"path", b""))], (b"name", b"link")),
        ([longname(b"l")], (b"l", b"link")),
        ([longname(b"l\0junk")], (b"l", b"link")),
        ([longname(b"")], (b"name", b"link")),
        ([longname(b"k", b"K")], (b"name", b"k")),
        ([longname(b"l"), longname(b"k", b"K")], (b"l", b"k")),
        ([longname(b"k", b"K"), longname(b"l")], (b"l", b"k")),
        ([longname(b"1"), longname(b"2")], (b"2", b"link")),
        ([longname(b"l"), extended((b"path", b"p"))], (b"l", b"link")),
        ([extended((b"path", b"p"), (b"linkpath", b"q")), longname(b"l")], (b"l", b"q")),
        ([extended((b"linkpath", b"q")), longname(b"k", b"K")], (b"name", b"k")),
        ([extended((b"path", b"1"), (b"linkpath", b"gone")), extended((b"path", b"2"))], (b"2", b"link")),
        ([extended((b"path", b"1")), extended()], (b"name", b"link")),
        ([extended((b"hdrcharset", b"BINARY"), (b"path", b"\xff\xfe"))], (b"\xff\xfe", b"link")),
        ([extended((b"path", b"\xff"))], (b"\xff", b"link")),
        ([extended((b"path", b"\xc3\xa9/" * 1000))], (b"\xc3\xa9/" * 1000, b"link")),
    ],
)  # fmt: skip
def test_which_extension_header_counts(blocks, expected):
    archive = b"".join(blocks) + header(b"name", type=b"2", linkname=b"link") + FILE + END
    [(entry, _), (after, _)] = entries(archive)
    assert (entry.name, entry.linkname) == expected
    assert (after.name, after.linkname, after.pax) == (b"file", b"", EMPTY)


def test_records_are_kept_as_they_stand():
    [(entry, _)] = entries(extended((b"path", b"p"), (b"comment", b"\0\xff"), (b"uid", b"007")) + header() + END)
    assert entry.pax == {b"path": b"p", b"comment": b"\0\xff", b"uid": b"007"}
    assert entry.uid == 7


def test_a_global_header_is_an_entry_and_changes_no_other():
    records = {b"path": b"everywhere", b"uid": b"5", b"size": b"99", b"comment": b"c"}
    archive = FILE + extended(*records.items(), flag=b"g", name=b"pax_global_header") + FILE + END
    [(_, _), (entry, content), (after, _)] = entries(archive)
    assert entry == Entry(b"everywhere", b"g", mode=0)
    assert (entry.pax, content) == (records, b"")
    assert (entry.offset, entry.data_offset) == (1024, 2048)
    assert (after.name, after.uid, after.size) == (b"file", 0, 7)


def test_a_global_header_without_a_path_has_the_name_of_its_block():
    assert names(extended((b"comment", b"c"), flag=b"g", name=b"pax_global_header") + END) == [b"pax_global_header"]


@pytest.mark.parametrize("last", [extended((b"path", b"p")), longname(b"p"), longname(b"p", b"K")])
@pytest.mark.parametrize("end", [b"", ZERO, END, extended((b"comment", b"c"), flag=b"g") + FILE + END], ids=len)
def test_an_extension_header_without_an_entry_is_refused(last, end):
    error = refused(FILE + last + end)
    assert (error.reason, error.offset) == ("an extension header without an entry", 1024)
    assert error.path == (b"" if last[156:157] == b"K" else b"p")


@pytest.mark.parametrize("cut", [512, 600, 512 + 4999])
def test_an_extension_header_that_is_cut_is_refused(cut):
    error = refused(extended((b"path", b"p" * 4990), name=b"pax")[:cut])
    assert (error.reason, error.path, error.offset) == ("the archive ends inside an extension header", b"pax", cut)


@pytest.mark.parametrize(
    ("archive", "path", "offset"),
    [
        (FILE + extended(b"9 k=v\n", name=b"pax") + FILE, b"file", 1536),
        (FILE + extended((b"k", b"v"), b"7 a\0=v\n", name=b"pax") + FILE, b"file", 1536 + 6),
        (FILE + extended((b"linkpath", b"target\0"), name=b"pax") + header(b"l", type=b"2"), b"l", 1536),
        (FILE + extended((b"path", b"l\0"), name=b"pax") + header(b"l", type=b"2"), b"l", 1536),
        (FILE + extended(b"9 k=v\n", name=b"pax") + longname(b"n"), b"pax", 1536),
        (FILE + extended(b"9 k=v\n", name=b"pax", flag=b"g") + FILE, b"pax", 1536),
        (FILE + extended(b"9 k=v\n", name=b"pax") + b"x" * 512, b"pax", 1536),
        (FILE + extended((b"uid", b"x"), (b"path", b"p")) + FILE, b"file", 1024),
        (FILE + extended((b"path", b"p"), (b"uid", b"x")) + FILE, b"p", 1024),
        (FILE + extended((b"size", b"-1"), flag=b"g", name=b"g") + FILE, b"g", 1024),
        (FILE + header(b"bad", size=b"garbage"), b"bad", 1024),
        (FILE + header(b"bad", size=base256(-1, 12)), b"bad", 1024 + 124),
        (FILE + header(b"bad", size=base256(1 << 63, 12)), b"bad", 1024),
    ],
)
def test_an_error_says_which_entry_and_where(archive, path, offset):
    error = refused(archive + END)
    assert isinstance(error, TarFormatError)
    assert (error.path, error.offset) == (path, offset)


class Refusing:
    """A stream that fails the test when more is read than one header."""

    def __init__(self, data):
        self.parts = [data]

    def read(self, size):
        return self.parts.pop()


@pytest.mark.parametrize("flag", [b"x", b"g", b"L", b"K"])
def test_the_size_of_an_extension_header_is_judged_before_it_is_read(flag):
    for size in (1 << 30, (1 << 63) - 1):
        with pytest.raises(LimitError) as caught:
            next(read_tar(Refusing(header(b"bomb", type=flag, size=base256(size, 12), magic=GNU))))
        assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("header_bytes", 1 << 20, size)


@pytest.mark.parametrize(
    ("limit", "archive", "exact"),
    [
        ("header_bytes", extended((b"path", b"p" * 90)) + FILE, 99),
        ("header_bytes", longname(b"p" * 200) + FILE, 201),
        ("meta_headers", longname(b"p") * 3 + FILE, 3),
        ("meta_headers", (longname(b"p") + extended((b"k", b"v"))) * 2 + FILE, 4),
        ("meta_headers", extended((b"k", b"v"), flag=b"g") * 5, 1),
        ("xattr_bytes", extended((b"SCHILY.xattr.user.a", b"12345")) + FILE, 11),
        ("file_bytes", FILE, 7),
        ("file_bytes", member(b"a", b"12345678", type=b"Z"), 8),
        ("entries", FILE * 4, 4),
        ("entries", extended((b"k", b"v"), flag=b"g") * 2 + FILE, 3),
    ],
)
def test_a_limit_is_the_most_that_is_accepted(limit, archive, exact):
    for allowed in (exact, exact + 1):
        entries(archive + END, limits=Limits(**{limit: allowed}))
    error = refused(archive + END, **{limit: exact - 1})
    assert (error.limit, error.allowed, error.seen) == (limit, exact - 1, exact)


def test_a_limit_says_which_entry_went_past_it():
    error = refused(FILE + extended((b"path", b"big\n")) + member(b"x", b"12345678"), file_bytes=7)
    assert error.__notes__ == [r"at the entry big\x0a, byte 1024 of the archive"]


@pytest.mark.parametrize(
    ("extension", "name"), [((b"k", b"v"), "pax"), ((b"path", b"p"), "p"), (longname(b"l"), "l")], ids=str
)
def test_an_endless_chain_of_extension_headers_stops(extension, name):
    extension = extension if isinstance(extension, bytes) else extended(extension)
    error = refused(FILE + extension * 10_000)
    assert (error.limit, error.allowed, error.seen) == ("meta_headers", 16, 17)
    assert error.__notes__ == [f"at the entry {name}, byte 1024 of the archive"]


@pytest.mark.parametrize(
    ("limit", "archive"),
    [
        ("entries", FILE * 2),
        ("header_bytes", FILE + extended((b"path", b"p" * 90), name=b"file")),
        ("meta_headers", FILE + longname(b"file") * 3 + FILE),
        ("sparse_pieces", FILE + pax_00()),
        ("sparse_pieces", FILE + pax_10()),
        ("sparse_pieces", FILE + old_gnu()),
        ("xattr_bytes", FILE + extended((b"SCHILY.xattr.user.a", b"12345")) + FILE),
        ("file_bytes", FILE + member(b"file", b"12345678")),
        ("plain_bytes", FILE + pax_00()),
    ],
)
def test_every_limit_says_which_entry_went_past_it(limit, archive):
    allowed = {"file_bytes": 7, "meta_headers": 2, "plain_bytes": 1293}.get(limit, 1)
    error = refused(archive, **{limit: allowed})
    assert (error.limit, error.__notes__) == (limit, ["at the entry file, byte 1024 of the archive"])


def test_the_holes_of_all_sparse_files_count_as_plain_bytes():
    archive, holes = pax_00() + old_gnu() + FILE + pax_10() + END, 1300 - 6
    for allowed in (3 * holes, 3 * holes + 1):
        assert len(names(archive, limits=Limits(plain_bytes=allowed))) == 4
    for seen in (1, 2, 3):
        error = refused(archive, plain_bytes=seen * holes - 1)
        assert (error.limit, error.allowed, error.seen) == ("plain_bytes", seen * holes - 1, seen * holes)


def test_sizes_of_eight_gigabytes_and_more_are_read():
    size = 9 << 30
    for blocks in (header(size=base256(size, 12)), extended((b"size", b"%d" % size)) + header()):
        entry = next(read_tar(io.BytesIO(blocks)))
        assert entry.size == entry.stored_size == size


@pytest.mark.parametrize("step", [1, 7, 511, 513])
def test_short_reads_change_nothing(step):
    archive = extended((b"path", b"p" * 600)) + FILE + longname(b"l" * 300) + member(b"m", bytes(2000)) + END
    assert facts(Drip(archive, step)) == facts(archive)


def test_many_entries_take_no_more_memory_than_few():
    """The numbers and strings that repeat are shared."""
    shared = [entry for entry, _ in entries(member(b"a", mtime=1700000000, uname=b"user", uid=70000) * 2 + END)]
    assert shared[0].uname is shared[1].uname
    assert shared[0].uid is shared[1].uid
    assert shared[0].mtime_ns is shared[1].mtime_ns
    assert shared[0].xattrs is shared[1].xattrs is EMPTY


def test_padding_in_the_middle_is_not_looked_at():
    assert names(header(b"a", size=1) + b"x" * 512 + FILE + END) == [b"a", b"file"]
    assert names(header(b"pax", type=b"x", size=9) + record(b"path", b"p") + b"x" * 503 + FILE) == [b"p"]
