import hashlib

import pytest

from oci_layers.errors import LimitError, NameFormatError
from oci_layers.tree import DigestContent, Directory, File, FileTree, Inline, RangeContent, TreeEditor, dump, parse
from oci_layers.tree.dump import dump_lines, parse_fields

EXAMPLE = rf"""/ dir 0755 0:0 1700000000.000000000
/bin dir 0755 0:0 1700000000.000000000
/bin/bash file 0755 0:0 1700000000.500000000 text=#!x\x0a
/bin/sh link /bin/bash
/dev dir 0755 0:0 0.000000000
/dev/disk block 0660 0:6 0.000000000 device=8:0
/dev/null char 0666 0:0 0.000000000 device=1:3 xattr.user.note=hel\x20lo xattr.user.z=
/dev/pipe fifo 0600 1:2 -1.500000000
/etc dir 0755 0:0 0.000000000
/etc/big file 0644 0:0 0.000000001 size=65 sha256={hashlib.sha256(b"x" * 65).hexdigest()}
/etc/mtab symlink 0777 0:0 0.000000000 target=../proc/a\x20\x3d\x5cb
/etc/small file 4755 4294967294:7 -0.000000001 text={"y" * 64}
"""


def test_a_dump_has_one_line_a_node():
    assert dump(parse(EXAMPLE)) == EXAMPLE
    assert [line + "\n" for line in dump_lines(parse(EXAMPLE))] == EXAMPLE.splitlines(keepends=True)


def made(*nodes):
    tree = FileTree()
    merge = TreeEditor(tree)
    for name, node in nodes:
        merge.put(merge.open_parent(b""), name, node)
    return tree


@pytest.mark.parametrize(
    ("size", "field"),
    [
        (0, "text="),
        (63, "text=" + "x" * 63),
        (64, "text=" + "x" * 64),
        (65, f"size=65 sha256={hashlib.sha256(b'x' * 65).hexdigest()}"),
    ],
)
def test_contents_stand_in_the_line_up_to_64_bytes(size, field):
    tree = made((b"f", File(0o644, 0, 0, 0, content=Inline(b"x" * size))))
    assert dump(tree).splitlines()[1] == f"/f file 0644 0:0 0.000000000 {field}"
    assert parse(dump(tree)) == tree


class Source:
    """Contents that are all `x`."""

    def read_at(self, offset, size):
        return b"x" * size


def test_contents_of_several_pieces_stand_in_the_line_as_one():
    tree = made((b"f", File(0o644, 0, 0, 0, content=RangeContent(Source(), 0, 5, ((1, 1), (3, 2))))))
    assert dump(tree).splitlines()[1].endswith(r" text=\x00x\x00xx")


def test_contents_known_by_their_digest_are_shown_so_however_small():
    tree = made((b"f", File(0o644, 0, 0, 0, content=DigestContent(1, "ab" * 32))))
    assert dump(tree).splitlines()[1].endswith(f"size=1 sha256={'ab' * 32}")
    assert parse(dump(tree)) == tree


def test_every_byte_of_a_name_survives():
    names = [bytes([byte]) for byte in range(256) if byte not in b"\0./"]
    tree = made(*((name, File(0o644, 0, 0, 0, {b"user." + name: name})) for name in names))
    text = dump(tree)
    assert text.isascii()
    assert not set(text) & {"\t", "\r", "\x0b", "\x1c"}
    assert parse(text) == tree
    assert sorted(parse(text).root.children) == names


def test_attributes_are_sorted_by_their_names():
    tree = made((b"d", Directory(0o755, 0, 0, 0, {b"user.b": b"2", b"user.a": b"1"})))
    assert dump(tree).splitlines()[1].endswith("xattr.user.a=1 xattr.user.b=2")


def test_blank_lines_and_indents_are_passed_over_and_parents_are_implied():
    tree = parse("\n  /a/b   fifo 0644 0:0 5 \n\n")
    assert dump(tree).splitlines() == [
        "/ dir 0755 0:0 0.000000000",
        "/a dir 0755 0:0 0.000000000",
        "/a/b fifo 0644 0:0 5.000000000",
    ]
    assert tree.get("a").implicit


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("1", 10**9),
        ("0.5", 5 * 10**8),
        ("0.000000001", 1),
        ("-2.25", -2_250_000_000),
        ("007.1", 7_100_000_000),
    ],
)
def test_times_may_be_written_short(text, nanoseconds):
    assert parse(f"/f fifo 0644 0:0 {text}").get("f").mtime_ns == nanoseconds


def test_provenance_is_not_shown():
    one, other = (made((b"f", File(0o644, 0, 0, 0, layer=layer))) for layer in (1, 2))
    assert dump(one) == dump(other)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("/", "list index out of range"),
        ("/f", "list index out of range"),
        ("/f file", "not enough values to unpack (expected at least 3, got 0)"),
        ("/f file 0644 0:0", "not enough values to unpack (expected at least 3, got 2)"),
        ("/f file 0648 0:0 0 text=", "invalid number '0648'"),
        ("/f file 0644 0 0 text=", "not enough values to unpack (expected 2, got 1)"),
        ("/f file 0644 a:0 0 text=", "invalid number 'a'"),
        ("/f file 0644 0:0 1e3 text=", "invalid time '1e3'"),
        ("/f file 0644 0:0 1.0000000001 text=", "invalid time '1.0000000001'"),
        ("/f file 0644 0:0 0", "'size'"),
        ("/f file 0644 0:0 0 size=1", "'sha256'"),
        ("/f file 0644 0:0 0 text=x extra=y", "file has no 'extra'"),
        ("/f file 0644 0:0 0 text", "'text' is not KEY=VALUE"),
        ("/f file 0644 0:0 0 text=x text=y", "'text' is given twice"),
        ("/f fifo 0o644 0:0 0", "invalid number '0o644'"),
        ("/f fifo 0644 1_0:0 0", "invalid number '1_0'"),
        ("/f fifo 0644 +1:0 0", "invalid number '+1'"),
        ("/f fifo 0644 \u0661:0 0", "invalid number '\u0661'"),
        ("/f file 0644 0:0 0 size=-5 sha256=" + "a" * 64, "invalid size '-5' or SHA-256 '" + "a" * 64 + "'"),
        ("/f file 0644 0:0 0 size=5 sha256=AA", "invalid size '5' or SHA-256 'AA'"),
        ("/f\\n fifo 0644 0:0 0", "a backslash in '/f\\\\n' is not followed by x and two digits from 0 to f"),
        (
            "/f\\x41\\n fifo 0644 0:0 0",
            "a backslash in '/f\\\\x41\\\\n' is not followed by x and two digits from 0 to f",
        ),
        ("/f\\x0 fifo 0644 0:0 0", "a backslash in '/f\\\\x0' is not followed by x and two digits from 0 to f"),
        ("/f symlink 0777 0:0 0", "'target'"),
        ("/f char 0644 0:0 0", "'device'"),
        ("/f char 0644 0:0 0 device=1", "not enough values to unpack (expected 2, got 1)"),
        ("/f fifo 0644 0:0 0 text=", "fifo has no 'text'"),
        ("/f socket 0644 0:0 0", "unknown kind of node 'socket'"),
        ("/ file 0644 0:0 0 text=", "the root must be a directory"),
        ("/ link /f", "the root must be a directory"),
        ("/f link", "list index out of range"),
        ("/f link /nowhere", "the target of the link does not exist"),
        ("/f link /", "/: a hard link to a directory"),
        ("/../f fifo 0644 0:0 0", "/../f: the name climbs above the root of the image"),
        (
            "/\u00e9 fifo 0644 0:0 0",
            "'ascii' codec can't encode character '\\xe9' in position 1: ordinal not in range(128)",
        ),
    ],
)
def test_a_line_that_no_dump_has_is_refused(line, problem):
    with pytest.raises(NameFormatError) as caught:
        parse("/ dir 0755 0:0 0\n" + line)
    error = caught.value
    assert (error.what, error.text, error.reason) == ("dump line", line, f"line 2: {problem}")


def test_a_name_past_a_limit_is_refused():
    with pytest.raises(LimitError) as caught:
        parse(f"/{'x' * 256} fifo 0644 0:0 0")
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("component_bytes", 255, 256)


def test_a_value_begins_after_the_first_equals_sign():
    assert parse_fields(["text=a=b", "size="]) == {"text": "a=b", "size": ""}


WINDOWS = rf"""/ dir 0755 0:0 0.000000000
/all file 0000 0:0 0.000000000 text=x xattr.user.k=v windows.attributes=0x00002821 windows.descriptor=0100ff \
 windows.sddl=O:BAG:SY windows.created=1.000000000 windows.accessed=-0.000000001 windows.changed=2.500000000 \
 windows.junction= windows.ea.A\x20B= windows.ea.b=\x00 windows.stream-text.s=t \
 windows.stream-size.u.v=65 windows.stream-sha256.u.v={hashlib.sha256(b"x" * 65).hexdigest()}
/dir dir 0000 0:0 0.000000000 windows.attributes=0x00000010
/none symlink 0777 0:0 0.000000000 target=x windows=
""".replace(" \\\n", "")


def test_metadata_of_windows_are_in_the_line():
    tree = parse(WINDOWS)
    assert dump(tree) == WINDOWS
    windows = tree.require("all").windows
    assert (windows.attributes, windows.security_descriptor, windows.accessed_ns) == (0x2821, b"\x01\0\xff", -1)
    assert windows.extended_attributes == {b"A B": b"", b"b": b"\0"}
    assert windows.streams == {
        b"s": Inline(b"t"),
        b"u.v": DigestContent(65, hashlib.sha256(b"x" * 65).hexdigest()),
    }


@pytest.mark.parametrize(
    "word",
    [
        *("windows.attributes=32", "windows.attributes=0x20", "windows.descriptor=x", "windows.created=soon"),
        *("windows.stream-size.a=1", "windows.other=1", "windows.other.x=1", "windows.stream-sha256.a=00"),
    ],
)
def test_a_word_of_windows_that_no_dump_has_is_refused(word):
    with pytest.raises(NameFormatError):
        parse(f"/x dir 0755 0:0 0.0 {word}")
