r"""Links of NTFS as reparse data: the REPARSE_DATA_BUFFER of a symbolic link or a junction (MS-FSCC 2.1.2.4, 2.1.2.5).

The buffer has a tag, its length, and the target twice: as the kernel reads it (`\??\C:\x`) and as people do. A layer
has the second. A symbolic link is relative unless its target begins with a drive, `\\` or `\\?\`; junctions never are.
"""

import struct

from oci_layers.errors import LayerError, UnsupportedError

__all__ = ["JUNCTION", "SYMBOLIC_LINK", "decode_link", "encode_link"]

JUNCTION = 0xA0000003
"""The tag of a junction (a mount point)."""
SYMBOLIC_LINK = 0xA000000C
"""The tag of a symbolic link."""
_HEADER = struct.Struct("<IHHHHHH")
_BEFORE_DATA = 8
_RELATIVE = 1
_MOST = 0xFFFF


def encode_link(target: bytes, *, is_junction: bool) -> bytes:
    """Return the buffer of a link with a target as a layer has it.

    Raises:
        LayerError: The target is not UTF-8, or too long.
    """
    text = _text(target)
    path, is_relative = _kernel_path(text)
    names = [name.encode("utf-16-le", "surrogatepass") for name in (path, text)]
    flags = b"" if is_junction else struct.pack("<I", _RELATIVE if is_relative else 0)
    data = flags + b"".join(name + b"\0\0" for name in names)
    length = _HEADER.size - _BEFORE_DATA + len(data)
    if length > _MOST:
        raise LayerError(b"", f"the target of the link takes {length} bytes, at most {_MOST} are possible")
    tag, (kernel, shown) = JUNCTION if is_junction else SYMBOLIC_LINK, names
    return _HEADER.pack(tag, length, 0, 0, len(kernel), len(kernel) + 2, len(shown)) + data


def decode_link(data: bytes) -> tuple[bytes, bool]:
    """Return the target of the link in a buffer, and whether it is a junction.

    Raises:
        UnsupportedError: The buffer is neither a symbolic link nor a junction.
        LayerError: It ends before its data, or its lengths are wrong.
    """
    if len(data) < _HEADER.size:
        raise LayerError(b"", "the reparse data are shorter than their header")
    tag, length, _, _, _, offset, size = _HEADER.unpack_from(data)
    if tag not in {JUNCTION, SYMBOLIC_LINK}:
        raise UnsupportedError("reparse tag", f"{tag:#010x}", "only symbolic links and junctions are known")
    start = _HEADER.size + (0 if tag == JUNCTION else 4) + offset
    if length + _BEFORE_DATA > len(data) or start + size > length + _BEFORE_DATA or size % 2:
        raise LayerError(b"", "the lengths in the reparse data are wrong")
    target = data[start : start + size].decode("utf-16-le", "surrogatepass")
    return target.encode("utf-8", "surrogatepass"), tag == JUNCTION


def _kernel_path(target: str) -> tuple[str, bool]:
    """Return the path that the kernel reads, and whether it is relative."""
    if target.startswith("\\\\?\\"):
        return "\\??\\" + target[4:], False
    if target.startswith("\\\\"):
        return "\\??\\UNC\\" + target[2:], False
    if target[1:2] == ":" and target[0].isascii() and target[0].isalpha():
        return "\\??\\" + target, False
    return target, True


def _text(target: bytes) -> str:
    try:
        return target.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise LayerError(b"", "the target of the link is not UTF-8") from None
