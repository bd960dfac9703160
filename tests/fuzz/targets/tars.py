"""Archives and their PAX records.

Laws: what is read does not depend on how the stream is cut; what is read can be written, and is then read as the same.
"""

import io

import attrs

from oci_layers.errors import LayerError, LimitError, TarFormatError
from oci_layers.limits import Limits
from oci_layers.tar.entry import GLOBAL, Entry
from oci_layers.tar.pax import format_records, merge, parse_records
from oci_layers.tar.reader import read_tar
from oci_layers.tar.writer import write_tar
from tests.fuzz.target import Target, check_message, drawn, refusals
from tests.support.blocks import END, Drip, extended, header, longname, member, record
from tests.support.layers import tar
from tests.support.stacks import everything, st
from tests.tar.test_sparse import LONG, old_gnu, pax_00, pax_01, pax_10

LIMITS = Limits(file_bytes=1 << 20, plain_bytes=1 << 22, entries=1000)

PARTS = [
    member(b"file", b"x" * 700),
    header(b"dir/", type=b"5"),
    extended((b"path", b"p" * 300), (b"mtime", b"-1.5"), (b"SCHILY.xattr.user.a", b"\xff")) + member(data=b"abc"),
    extended((b"LIBARCHIVE.xattr.a%3Db", b"eA"), (b"uid", b"4294967295"), (b"size", b"3")) + member(data=b"abc"),
    extended((b"comment", b"c"), flag=b"g"),
    longname(b"l" * 300) + longname(b"k", b"K") + header(type=b"2"),
    old_gnu(LONG[:4], 900, b"x" * 10, more=[LONG[4:10]]),
    pax_00(),
    pax_01(),
    pax_10(LONG, 900, b"x" * 300),
]
WORDS = (
    *(b"ustar\x0000", b"ustar  \0", b"././@LongLink", b"tar\0"),
    *(b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid", b"uname", b"SCHILY.xattr.", b"LIBARCHIVE.xattr."),
    *(b"GNU.sparse." + name for name in (b"map", b"major", b"minor", b"numblocks", b"size", b"offset", b"numbytes")),
    *(b"GNU.sparse.realsize", b"GNU.sparse.name", b"9223372036854775807", b"-1", b"%41", b"12 a=b\n"),
)


def mended(data):
    """Make every checksum right that is where a header may be, so that changes of a header are read."""
    data = bytearray(data)
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    return bytes(data)


def found_in(stream):
    """Return all entries with their contents, and the error at the end."""
    found = []
    try:
        for entry in read_tar(stream, limits=LIMITS):
            content = b"".join(entry.chunks())
            assert len(content) == entry.size
            assert entry.extents is None or sum(length for _, length in entry.extents) == entry.stored_size
            found.append((entry, content, dict(entry.pax), entry.offset, entry.data_offset, entry.extents))
    except (TarFormatError, LimitError) as error:
        check_message(error)
        return found, (type(error), str(error))
    return found, None


def read_archive(data):
    found, error = found_in(io.BytesIO(data))
    assert (found, error) == found_in(Drip(data, 1 + len(data) % 700))
    if error is None and (written := rewritten(data)) is not None:
        assert compared(found_in(io.BytesIO(written))[0]) == compared(found)
    return error is None


def compared(found):
    """What is the same after writing: not where it is, nor the name of a global header, which may not fit."""
    return [(attrs.evolve(entry, name=b"") if entry.type == GLOBAL else entry, content) for entry, content, *_ in found]


def rewritten(data):
    """Return the entries of an archive written anew; None if there is one that is not written."""
    try:
        return b"".join(write_tar(read_tar(io.BytesIO(data), limits=LIMITS)))
    except LayerError as error:
        check_message(error)
        return None


def read_tars(data):
    accepted = read_archive(data)
    right = mended(data)
    return read_archive(right) if right != data else accepted


def read_records(data):
    with refusals():
        records = parse_records(data)
        again = parse_records(format_records(records))
        assert again == records
        entry = Entry(b"a")
        merge(entry, records, LIMITS.xattr_bytes)
        assert entry.size >= 0
        return True
    return False


def archives():
    """Archives of our writer, and each dialect that it does not write."""
    made = drawn(st.lists(everything, max_size=3).map(lambda entries: tar(*entries)), 30)
    return [*made, *(part + END for part in PARTS), b"".join(PARTS) + END]


def records():
    """The records of a few headers."""
    pairs = [(b"path", b"a"), (b"SCHILY.xattr.user.a", b"=\n"), (b"LIBARCHIVE.xattr.%3d", b"eA=="), (b"mtime", b"-1.5")]
    sparse = [(b"GNU.sparse.offset", b"0"), (b"GNU.sparse.numbytes", b"1")]
    return [b"", b"".join(record(*pair) for pair in pairs), b"".join(record(*pair) for pair in sparse)]


TARGETS = [
    Target("tar", read_tars, archives, WORDS, 16384),
    Target("pax", read_records, records, WORDS, 2048),
]
