"""Inputs that once failed, and how: `test_targets` runs each of them again."""

import attrs


@attrs.frozen
class Row:
    """An input of a target, and what came of it before it was mended."""

    target: str
    data: bytes
    failure: str


ROWS = (
    Row(
        "zstd",
        b"\x28\xb5\x2f\xfd\x20\x40\x01\0\0",
        "an empty last block hid that 64 bytes were missing, in small reads",
    ),
    Row(
        "xz",
        b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x00\x00\x00\x00\x1c\xdfD!\x1f\xb6\xf3}\x01\x00\x00\x00\x00\x04YZ\x00",
        "padding of one byte was taken, which xz refuses",
    ),
    Row(
        "xz",
        b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x00\x00\x00\x00\x1c\xdfD!\x1f\xb6\xf3}\x01\x00\x00\x00\x00\x04YZ\x00\x00\x00\x00",
        "the target itself refused padding of a word, which xz takes",
    ),
    Row("notation", b"c file uname.us=x", "a TypeError"),
    Row("notation", b"c link u type=t", "the name of the link was lost when the entry was written"),
    Row("docker-listing", b'[],"more":1', "what followed the list was passed over"),
    Row("dockerignore", b"*a*a*a*a*a*a*a*a*a*a*b", "hours for one path"),
    Row("dockerignore", b"**/a/**/a/**/a/**/a/**/a/**/a/**/a/b", "hours for one path"),
)
