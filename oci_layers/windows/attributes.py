"""Extended attributes of NTFS as one buffer: a list of FILE_FULL_EA_INFORMATION (MS-FSCC 2.4.16).

An entry is the offset of the next one (0 in the last), flags, the length of its name, the length of its value, the name
with a NUL after it, and the value; all of it little-endian, and padded to four bytes. Flags are not kept, as layers do
not have them.
"""

import struct
from collections.abc import Mapping

from oci_layers.errors import LayerError

__all__ = ["decode_attributes", "encode_attributes"]

_HEADER = struct.Struct("<IBBH")


def encode_attributes(attributes: Mapping[bytes, bytes]) -> bytes:
    """Return attributes as a buffer, sorted by name; empty without any.

    Raises:
        LayerError: A name that is empty, has a NUL or more than 255 bytes; a value of more than 65,535 bytes.
    """
    out = bytearray()
    names = sorted(attributes)
    for name in names:
        value = attributes[name]
        if not 0 < len(name) <= 0xFF or b"\0" in name or len(value) > 0xFFFF:
            raise LayerError(b"", f"an attribute of {len(name)} and {len(value)} bytes does not fit")
        size = _HEADER.size + len(name) + 1 + len(value)
        padded = size + -size % 4
        after = 0 if name == names[-1] else padded
        out += _HEADER.pack(after, 0, len(name), len(value)) + name + b"\0" + value + bytes(padded - size)
    return bytes(out)


def decode_attributes(data: bytes) -> dict[bytes, bytes]:
    """Return the attributes in a buffer; the last of equal names counts.

    Raises:
        LayerError: The buffer ends inside an attribute, or its offsets do not lead on.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while data:
        if at + _HEADER.size > len(data):
            raise LayerError(b"", "the extended attributes end inside a header")
        after, _, name_size, value_size = _HEADER.unpack_from(data, at)
        name_at = at + _HEADER.size
        value_at = name_at + name_size + 1
        if value_at + value_size > len(data) or not name_size or data[value_at - 1]:
            raise LayerError(b"", "an extended attribute is longer than the buffer, or has no name")
        found[data[name_at : value_at - 1]] = data[value_at : value_at + value_size]
        if not after:
            break
        if at + after < value_at + value_size:
            raise LayerError(b"", "the offset of an extended attribute leads back")
        at += after
    return found
