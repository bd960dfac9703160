"""Layers as text: every entry is written and read back, and what is not in the notation is refused by its line."""

import io

import pytest
from hypothesis import given

from oci_layers.errors import NameFormatError
from oci_layers.tar import CONTIGUOUS, DIRECTORY, GLOBAL, HARDLINK, Entry, Pieces, read_tar
from oci_layers.testing.notation import DEFAULT_MTIME_NS, layer_lines, parse_layer, parse_tree
from oci_layers.testing.stack import Stack
from oci_layers.tree import dump
from tests.support.layers import char, d, entry, f, fifo, ln, opq, sym, tar, wh
from tests.support.stacks import stacks


def shown(*entries):
    return list(layer_lines(entries))


def contents(entries):
    return [each.read() for each in entries]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (f("a/b", "x y\n"), r"a/b file text=x\x20y\x0a"),
        (f("", "x"), '"" file text=x'),
        (f('""'), r"\x22" + '" file'),
        (f("#"), r"\x23 file"),
        (f(b"\xff #"), r"\xff\x20# file"),
        (d("a/", 0o700, uid=1, gid=2, mtime_ns=-5), "a/ dir 0700 1:2 -0.000000005"),
        (d("./"), "./ dir"),
        (sym("l", ""), 'l symlink target=""'),
        (sym("l", "../x"), "l symlink target=../x"),
        (ln("h", "/f", mode=0o600, xattrs={b"user.k": b"="}), r"h link /f 0600 xattr.user.k=\x3d"),
        (char("c", 5, 300), "c char device=5:300"),
        (fifo("p", mtime_ns=0), "p fifo 0.000000000"),
        (f("b", mode=0o107755), "b file 107755"),
        (entry("z", CONTIGUOUS, data="x"), "z file type=7 text=x"),
        (f("n", uname=b"daemon", gname=b"mail"), "n file uname=daemon gname=mail"),
        (entry("g", GLOBAL, mode=0, pax={b"comment": b"x"}), "g file 0000 type=g pax.comment=x"),
        (wh("a/b"), "a/b whiteout"),
        (wh("a"), "a whiteout"),
        (wh("./a"), "./a whiteout"),
        (wh("a", uid=5), ".wh.a file 0000 5:0 0.000000000"),
        (f(".wh.a"), ".wh.a file"),
        (entry(".wh.a", DIRECTORY, mode=0, mtime_ns=0), ".wh.a dir 0000 0.000000000"),
        (entry(".wh.", mode=0, mtime_ns=0), ".wh. file 0000 0.000000000"),
        (opq(), ". opaque"),
        (opq("a/b"), "a/b opaque"),
        (entry("./.wh..wh..opq", mode=0, mtime_ns=0), "./.wh..wh..opq file 0000 0.000000000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_entry_is_a_line(made, line):
    assert shown(made) == [line]
    assert parse_layer(line) == (made,)
    assert contents(parse_layer(line)) == contents([made])


def test_what_is_left_out_has_its_default_and_comments_are_no_entries():
    entries = parse_layer("# a comment\n\na/ dir\n  b file\nc file T\nd link c")
    assert [(each.name, each.mode, each.mtime_ns) for each in entries] == [
        (b"a/", 0o755, DEFAULT_MTIME_NS),
        (b"b", 0o644, DEFAULT_MTIME_NS),
        (b"c", 0o644, DEFAULT_MTIME_NS),
        (b"d", 0o644, DEFAULT_MTIME_NS),
    ]
    assert (entries[3].type, entries[3].linkname) == (HARDLINK, b"c")


@given(stacks())
def test_every_stack_is_read_back(layers):
    stack = Stack(tuple(map(tuple, layers)))
    assert Stack.parse(str(stack)) == stack
    assert [contents(layer) for layer in Stack.parse(str(stack)).layers] == [contents(layer) for layer in layers]
    assert Stack.parse(str(stack)).tars() == [tar(*layer) for layer in layers]


def test_entries_from_an_archive_are_shown():
    archive = read_tar(io.BytesIO(tar(f("a", "text"), f("b", "more"))))
    assert list(layer_lines(archive)) == ["a file text=text", "b file text=more"]


def test_content_can_be_read_more_than_once():
    (made,) = parse_layer("a file text=x")
    assert contents([made, made]) == [b"x", b"x"]
    assert isinstance(made, Entry)
    assert isinstance(made.content, Pieces)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a", "not enough values"),
        ("a what", "unknown kind of entry 'what'"),
        ("a file 9999", "invalid number '9999'"),
        ("a file 7", "no mode of four octal digits"),
        ("a file x:y", "invalid number 'x'"),
        ("a file 1.2.3", "invalid time"),
        ("a file target=b", "file has no 'target'"),
        ("a dir text=b", "dir has no 'text'"),
        ("a char device=1", "not enough values"),
        ("a link", "pop from empty list"),
        ("a file text=x 0644", "'0644' is not KEY=VALUE"),
        ("a file text=x text=y", "'text' is given twice"),
        ("a file 1_0:0", "invalid number '1_0'"),
        ("a char device=1_0:0", "invalid number '1_0'"),
        ("a file type=ab", "a type flag is one byte"),
        ("a\\tb file", "a backslash in"),
        ("é file", "ascii"),
    ],
)
def test_what_is_not_in_the_notation_is_refused(line, reason):
    with pytest.raises(NameFormatError, match="line 2") as caught:
        parse_layer(f"ok file\n{line}")
    assert reason in str(caught.value)


ZEROS = 64 * "0"


def test_a_tree_is_text_with_the_defaults_of_a_layer():
    text = f"""
        # A comment.
        /etc            dir
        /etc/empty      file 0600
        /etc/mtab       symlink 1:2 target=../proc
        /etc/null       char T device=1:3
        /etc/other      link /etc/empty
        /etc/z          file 5.5 size=70 sha256={ZEROS}
        """
    assert dump(parse_tree(text)).splitlines() == [
        "/ dir 0755 0:0 0.000000000",
        "/etc dir 0755 0:0 1700000000.123456789",
        "/etc/empty file 0600 0:0 1700000000.123456789 text=",
        "/etc/mtab symlink 0777 1:2 1700000000.123456789 target=../proc",
        "/etc/null char 0644 0:0 1700000000.123456789 device=1:3",
        "/etc/other link /etc/empty",
        f"/etc/z file 0644 0:0 5.500000000 size=70 sha256={ZEROS}",
    ]
    assert parse_tree(dump(parse_tree(text))) == parse_tree(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n/a", "line 2: not enough values"),
        ("/a file 644", "line 1: '644' is no mode"),
        ("/a fil", "line 1: unknown kind of node 'fil'"),
        ("/a link /b", "line 1: the target of the link does not exist"),
    ],
)
def test_a_line_that_is_no_part_of_a_tree_is_refused_by_its_number(text, reason):
    with pytest.raises(NameFormatError, match=reason):
        parse_tree(text)
