r"""The bytes of an archive as text, for layers that no list of entries can give: odd headers, no end, junk.

    0 file
    100 0000644
    108 0000000
    116 0000000
    124 00000000003
    136 00000000000
    148 006600
    155 \x200
    257 ustar
    263 00
    512 abc
    2048 end

A line has the offset of bytes that are not zero, in decimal, and the bytes, escaped as in a dump of a tree. All bytes
that no line has are zero; `end` has the length of the whole. Bytes that repeat are written once, with how often: `*9`.
(Here 155 is the blank that ends the checksum of a header, and the type flag 0.)
"""

import re
from collections.abc import Iterator

from oci_layers.errors import NameFormatError
from oci_layers.tree.dump import escape, unescape

__all__ = ["parse_raw", "raw_lines"]

_RUN = re.compile(rb"[^\0]+")
_REPEATED = re.compile(rb"([^\0]{1,8}?)\1{15,}", re.DOTALL)


def raw_lines(data: bytes) -> Iterator[str]:
    """Yield the lines that describe `data`, without line ends; `parse_raw` of them returns it."""
    for run in _RUN.finditer(data):
        position = run.start()
        for repeated in _REPEATED.finditer(data, *run.span()):
            if position < repeated.start():
                yield f"{position} {escape(data[position : repeated.start()])}"
            yield f"{repeated.start()} {escape(repeated[1])} *{len(repeated[0]) // len(repeated[1])}"
            position = repeated.end()
        if position < run.end():
            yield f"{position} {escape(data[position : run.end()])}"
    yield f"{len(data)} end"


def parse_raw(text: str) -> bytes:
    """Return the bytes that lines describe.

    Raises:
        NameFormatError: A line that `raw_lines` could not have written, or no line `end` at the end.
    """
    data = bytearray()
    *lines, end = text.splitlines() or [""]
    for line in lines:
        found = re.fullmatch(r"\s*([0-9]{1,9}) ([!-~]+)(?: \*([0-9]{1,6}))?", line)
        if not found or int(found[1]) < len(data):
            raise NameFormatError("raw line", line.strip(), "an offset after the last line, and bytes")
        try:
            data += bytes(int(found[1]) - len(data)) + unescape(found[2]) * int(found[3] or 1)
        except ValueError as error:
            raise NameFormatError("raw line", line.strip(), str(error)) from None
    found = re.fullmatch(r"\s*([0-9]{1,9}) end", end)
    if not found or int(found[1]) < len(data):
        raise NameFormatError("raw line", end.strip(), "the length and 'end', after all bytes")
    return bytes(data) + bytes(int(found[1]) - len(data))
