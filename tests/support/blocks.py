"""Archives written by hand, block by block, so that every field can be wrong."""

import io

from oci_layers.tar import read_tar

USTAR = b"ustar\x0000"
GNU = b"ustar  \0"
V7 = bytes(8)
END = bytes(1024)

_PLACES = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "checksum": (148, 8),
    "type": (156, 1),
    "linkname": (157, 100),
    "magic": (257, 8),
    "uname": (265, 32),
    "gname": (297, 32),
    "devmajor": (329, 8),
    "devminor": (337, 8),
    "prefix": (345, 155),
    "trailer": (508, 4),
}


def octal(value, width):
    return b"%0*o\0" % (width - 1, value)


def base256(value, width):
    return (value & ((1 << (8 * width - 1)) - 1) | 1 << (8 * width - 1)).to_bytes(width, "big")


def header(name=b"file", at=(), **fields):
    """Return one block; integers become octal, `at` puts bytes at offsets; the checksum is right unless given."""
    fields = {
        "name": name,
        "mode": 0o644,
        "uid": 0,
        "gid": 0,
        "size": 0,
        "mtime": 0,
        "type": b"0",
        "magic": USTAR,
    } | fields
    block = bytearray(512)
    for key, value in fields.items():
        start, width = _PLACES[key]
        text = octal(value, width) if isinstance(value, int) else value
        assert len(text) <= width, (key, text)
        block[start : start + len(text)] = text
    for start, text in at:
        block[start : start + len(text)] = text
    if "checksum" not in fields:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def member(name=b"file", data=b"", **fields):
    return header(name, size=fields.pop("size", len(data)), **fields) + padded(data)


def record(keyword, value):
    rest = b" " + keyword + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length += 1
    return str(length).encode() + rest


def extended(*records, flag=b"x", name=b"pax"):
    """Return a PAX header of (keyword, value) pairs, or of raw bytes."""
    return member(name, b"".join(r if isinstance(r, bytes) else record(*r) for r in records), type=flag)


def longname(text, flag=b"L"):
    return member(b"././@LongLink", text + b"\0", type=flag, magic=GNU)


class Drip:
    """A stream that gives `step` bytes at a time and counts what it gave."""

    def __init__(self, data, step=None):
        self.stream = io.BytesIO(data)
        self.step = step
        self.largest = 0

    def read(self, size):
        self.largest = max(self.largest, size)
        return self.stream.read(min(size, self.step or size))


def entries(data, **options):
    """Return all entries with their contents."""
    return [(entry, entry.read()) for entry in read_tar(io.BytesIO(data), **options)]


def names(data, **options):
    return [entry.name for entry in read_tar(io.BytesIO(data), **options)]


def facts(data, **options):
    """Return everything the reader says about an archive, as plain values."""
    return [
        (
            *(getattr(entry, name) for name in entry.__slots__ if name not in {"content", "__weakref__"}),
            b"".join(entry.chunks()),
        )
        for entry in read_tar(data if hasattr(data, "read") else io.BytesIO(data), **options)
    ]


def sparse(extents, size):
    """A file with data at the extents and holes elsewhere, as PAX 1.0 has it."""
    numbers = [len(extents), *(number for extent in extents for number in extent)]
    data = "".join(f"{number}\n" for number in numbers).encode()
    data = padded(data) + b"".join(b"%c" % (65 + n) * length for n, (_, length) in enumerate(extents))
    records = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"sparse")]
    records.append((b"GNU.sparse.realsize", b"%d" % size))
    return extended(*records) + member(b"x", data) + END
