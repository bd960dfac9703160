import pytest

from oci_layers.errors import LimitError, TarFormatError
from oci_layers.limits import Limits
from oci_layers.tar.sparse import checked
from tests.support.blocks import END, GNU, USTAR, base256, entries, extended, header, member, octal, padded

DATA = b"abcdef"
PIECES = [(2, 4), (1000, 0), (1200, 2), (1300, 0)]
SIZE = 1300
WHOLE = (bytes(2) + b"abcd").ljust(1200, b"\0") + b"ef" + bytes(98)
EXTENTS = ((2, 4), (1200, 2))


def table(pieces):
    return b"".join(octal(offset, 12) + octal(length, 12) for offset, length in pieces)


def old_gnu(pieces=PIECES, size=SIZE, data=DATA, more=(), **fields):
    """An old GNU header with its table, and an extension block for each element of `more`."""
    real = size if isinstance(size, bytes) else octal(size, 12)
    at = [(386, table(pieces)), (482, b"\1" if more else b"\0"), (483, real)]
    blocks = header(**{"type": b"S", "magic": GNU, "size": len(data), "at": at} | fields)
    for index, part in enumerate(more):
        blocks += table(part).ljust(504, b"\0") + (b"\1" if index < len(more) - 1 else b"\0") + bytes(7)
    return blocks + padded(data)


def numbers(pieces):
    return [b"%d" % number for piece in pieces for number in piece]


def pax_00(pieces=PIECES, size=SIZE, data=DATA, count=None):
    pairs = [
        pair
        for offset, length in pieces
        for pair in ((b"GNU.sparse.offset", b"%d" % offset), (b"GNU.sparse.numbytes", b"%d" % length))
    ]
    start = [
        (b"GNU.sparse.size", b"%d" % size),
        (b"GNU.sparse.numblocks", b"%d" % (len(pieces) if count is None else count)),
    ]
    return extended(*start, *pairs) + member(b"file", data)


def pax_01(pieces=PIECES, size=SIZE, data=DATA, extra=(), text=None):
    records = {
        b"GNU.sparse.size": b"%d" % size,
        b"GNU.sparse.numblocks": b"%d" % len(pieces),
        b"GNU.sparse.name": b"file",
        b"GNU.sparse.map": b",".join(numbers(pieces)) if text is None else text,
    } | dict(extra)
    return extended(*records.items()) + member(b"GNUSparseFile.1/file", data)


def pax_10(pieces=PIECES, size=SIZE, data=DATA, extra=(), text=None, **fields):
    records = {
        b"GNU.sparse.major": b"1",
        b"GNU.sparse.minor": b"0",
        b"GNU.sparse.name": b"file",
        b"GNU.sparse.realsize": b"%d" % size,
    } | dict(extra)
    lines = b"".join(number + b"\n" for number in [b"%d" % len(pieces), *numbers(pieces)]) if text is None else text
    return extended(*records.items()) + member(b"GNUSparseFile.1/file", padded(lines) + data, **fields)


FORMS = {"old": old_gnu, "0.0": pax_00, "0.1": pax_01, "1.0": pax_10}
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
LONG = [(3 * index, 1) for index in range(300)]


def refused(archive, **limits):
    with pytest.raises((TarFormatError, LimitError)) as caught:
        entries(archive + END, limits=Limits(**limits))
    return caught.value


@forms
def test_every_form_gives_the_same_file(form):
    [(entry, content), (after, _)] = entries(form() + member(b"after") + END)
    assert (entry.name, entry.type, entry.size, content) == (b"file", b"0", SIZE, WHOLE)
    assert (entry.stored_size, entry.extents) == (len(DATA), EXTENTS)
    assert after.name == b"after"


@forms
def test_what_is_stored_is_found_at_its_offset(form):
    archive = form() + END
    [(entry, _)] = entries(archive)
    assert archive[entry.data_offset :].startswith(DATA)


@pytest.mark.parametrize("form", [pax_00, pax_01, pax_10])
def test_a_map_of_many_pieces_is_read(form):
    [(entry, content)] = entries(form(LONG, 900, b"x" * 300) + END)
    assert entry.extents == tuple(LONG)
    assert content == b"x\0\0" * 300


@pytest.mark.parametrize("sizes", [(1,), (21,), (21, 21, 3)])
def test_extension_blocks_are_read(sizes):
    more, start = [], 4
    for size in sizes:
        more.append(LONG[start : start + size])
        start += size
    [(entry, _), (after, _)] = entries(old_gnu(LONG[:4], 900, b"x" * start, more=more) + member(b"after") + END)
    assert entry.extents == tuple(LONG[:start])
    assert after.name == b"after"


@pytest.mark.parametrize("form", [old_gnu, pax_10])
def test_a_file_that_is_one_hole_stores_nothing(form):
    [(entry, content)] = entries(form([], 700, b"") + END)
    assert (entry.extents, content) == ((), bytes(700))


def records_only(*records, data=b""):
    return extended(*((b"GNU.sparse." + keyword, value) for keyword, value in records)) + member(b"file", data)


SIZE_700, NO_BLOCKS, MAJOR, MINOR = (b"size", b"700"), (b"numblocks", b"0"), (b"major", b"0"), (b"minor", b"0")


@pytest.mark.parametrize(
    "archive",
    [
        pax_00([], 700, b""),
        pax_01([], 700, b""),
        pax_01([], 700, b"", extra={b"GNU.sparse.major": b"0", b"GNU.sparse.minor": b"1"}),
        records_only(SIZE_700),
        records_only(SIZE_700, MAJOR, MINOR),
        records_only(SIZE_700, NO_BLOCKS, MAJOR, MINOR),
        old_gnu([], 700, b""),
        pax_10([], 700, b""),
    ],
    ids=["0.0", "0.1", "0.1 with version", "size", "size with version", "0.0 with version", "old", "1.0"],
)
def test_a_size_without_pieces_is_one_hole_in_every_form(archive):
    """As GNU tar, bsdtar and Python have it; Go reads 0.0 and 0.1 without a version as empty files."""
    [(entry, content), (after, _)] = entries(archive + member(b"after") + END)
    assert (entry.name, entry.size, entry.extents, content) == (b"file", 700, (), bytes(700))
    assert after.name == b"after"


@pytest.mark.parametrize("records", [[SIZE_700], [SIZE_700, NO_BLOCKS], [SIZE_700, MAJOR, MINOR]])
def test_a_size_without_pieces_that_is_the_stored_one_is_no_sparse_file(records):
    [(entry, content)] = entries(records_only(*records, data=b"y" * 700) + END)
    assert (entry.extents, content) == (None, b"y" * 700)
    error = refused(records_only(*records, data=b"y" * 600))
    assert (error.reason, error.path) == ("the sparse map covers 0 bytes, 600 are stored", b"file")


def test_a_count_of_pieces_without_a_map_is_refused():
    error = refused(records_only(SIZE_700, (b"numblocks", b"1")))
    assert (error.reason, error.path) == ("the sparse map is not as long as it says", b"file")


@pytest.mark.parametrize(
    ("pieces", "size", "data"),
    [
        ([(2, 4), (5, 1)], 10, b"abcde"),
        ([(6, 1), (0, 1)], 10, b"ab"),
        ([(8, 3)], 10, b"abc"),
        ([(11, 0)], 10, b""),
        ([(2, 4)], 10, b"abc"),
        ([(2, 4)], 10, b"abcde"),
    ],
)
@forms
def test_a_map_that_does_not_fit_is_refused(form, pieces, size, data):
    error = refused(form(pieces, size, data))
    assert error.reason.startswith("the sparse map")
    assert error.path == b"file"


@pytest.mark.parametrize("form", [old_gnu, pax_10])
def test_a_file_that_is_one_hole_and_stores_something_is_refused(form):
    assert refused(form([], 10, b"a")).reason == "the sparse map covers 0 bytes, 1 are stored"


def test_pieces_are_checked_without_overflow():
    huge = (1 << 63) - 1
    assert checked([(huge - 1, 1)], huge, 1) == ((huge - 1, 1),)
    for pieces in ([(huge, huge)], [(-1, 1)], [(0, -1)], [(5, -2)]):
        with pytest.raises(TarFormatError):
            checked(pieces, huge, sum(length for _, length in pieces))


@pytest.mark.parametrize(
    "archive",
    [
        old_gnu(magic=USTAR),
        old_gnu(size=b"garbage"),
        old_gnu(size=base256(-1, 12)),
        old_gnu(at=[(386, b"garbage")]),
        pax_00(count=3),
        pax_01(extra={b"GNU.sparse.numblocks": b""}),
        pax_01(extra={b"GNU.sparse.numblocks": b"-4"}),
        pax_01(extra={b"GNU.sparse.numblocks": b"x"}),
        pax_01(extra={b"GNU.sparse.size": b"x"}),
        pax_01(extra={b"GNU.sparse.size": b"-1"}),
        pax_01(text=b"2,4,,0,1200,2,1300,0"),
        pax_01(text=b"2,4,1000,0,1200,2,1300,+0"),
        pax_01(text=b"2,4,1000,0,1200,2,1300,0,"),
        pax_01(text=b"2,4,1000,0,1200,2,1_300,0"),
        pax_10(text=b""),
        pax_10(text=b"-1\n"),
        pax_10(text=b"\n"),
        pax_10(text=b"1\n2\n4x\n"),
        pax_10(text=b"1\n+2\n6\n"),
        pax_10(text=b"1\n2\n"),
        pax_10(text=b"0" * 600 + b"1\n2\n6\n"),
        pax_10(text=b"5\n2\n", data=b""),
    ],
)
def test_a_malformed_map_is_refused(archive):
    assert isinstance(refused(archive), TarFormatError)


@pytest.mark.parametrize("version", [(b"2", b"0"), (b"1", b"1"), (b"", b"1"), (b"0", b"")])
def test_a_version_that_nobody_specified_is_no_sparse_file(version):
    [(entry, content)] = entries(
        pax_01(extra=zip([b"GNU.sparse.major", b"GNU.sparse.minor"], version, strict=True)) + END
    )
    assert (entry.extents, content) == (None, DATA)


@pytest.mark.parametrize("flag", [b"1", b"2", b"3", b"4", b"5", b"6"])
@pytest.mark.parametrize("form", [pax_00, pax_01, pax_10])
def test_an_entry_without_content_cannot_be_sparse(form, flag):
    archive = form()
    records = archive[: archive.index(b"ustar", 512) - 257]
    assert refused(records + header(type=flag)).reason == "an entry without content cannot be sparse"


def test_other_types_with_content_can_be_sparse():
    [(entry, content)] = entries(pax_10(type=b"7") + END)
    assert (entry.type, content) == (b"7", WHOLE)


def test_a_map_that_is_longer_than_the_content_is_refused():
    archive = pax_10(LONG, 900, b"x" * 300)
    records, content = archive[:1024], archive[1536:]
    for stored in (0, 511, 1000, 2000):
        error = refused(records + header(b"GNUSparseFile.1/file", size=stored) + content)
        assert error.reason == "the archive ends inside a sparse map"


def test_an_archive_that_ends_in_a_map_is_refused():
    for archive, cut in (
        (old_gnu(LONG[:4], 900, b"x" * 5, more=[LONG[4:5]]), 1000),
        (pax_10(LONG, 900, b"x" * 300), 2000),
    ):
        with pytest.raises(TarFormatError, match="the archive ends inside a sparse map"):
            entries(archive[:cut])


@pytest.mark.parametrize(
    ("form", "count"),
    [(pax_00, 300), (pax_01, 300), (pax_10, 300), (lambda *_: old_gnu(LONG[:4], 900, b"x" * 5, more=[LONG[4:5]]), 5)],
)
def test_the_pieces_of_a_map_are_limited(form, count):
    archive = form(LONG, 900, b"x" * 300) + END
    assert len(entries(archive, limits=Limits(sparse_pieces=count))) == 1
    error = refused(archive, sparse_pieces=count - 1)
    assert (error.limit, error.allowed, error.seen) == ("sparse_pieces", count - 1, count)


def test_a_map_before_the_content_is_limited_like_a_header():
    archive = pax_10(LONG, 900, b"x" * 300) + END
    [(entry, _)] = entries(archive, limits=Limits(header_bytes=2048))
    assert entry.extents == tuple(LONG)
    error = refused(archive, header_bytes=1024)
    assert (error.limit, error.allowed, error.seen) == ("header_bytes", 1024, 1536)


@forms
def test_the_size_with_the_holes_is_limited(form):
    assert len(entries(form() + END, limits=Limits(file_bytes=SIZE))) == 1
    error = refused(form(), file_bytes=SIZE - 1)
    assert (error.limit, error.allowed, error.seen) == ("file_bytes", SIZE - 1, SIZE)


def test_the_version_may_stand_with_a_map_in_a_record():
    for minor in (b"0", b"1"):
        extra = {b"GNU.sparse.major": b"0", b"GNU.sparse.minor": minor}
        [(_, content)] = entries(pax_01(extra=extra) + END)
        assert content == WHOLE
