"""Two file systems compared: what counts, what does not, and the diff that a person reads."""

import os
import socket

import pytest
from hypothesis import given, reject

import oci_layers
from oci_layers.errors import LayerError, NameFormatError, UnsupportedError
from oci_layers.testing.same import ALL, assert_same_tree, differences, show_differences
from oci_layers.testing.stack import Stack
from oci_layers.tree import dump, parse
from tests.support.stacks import portable_stacks

BASE = """
/ dir 0755 0:0 1.000000000
/dev dir 0755 0:0 1.000000000
/dev/null char 0666 0:0 1.000000000 device=1:3
/etc dir 0755 0:0 1.000000000
/etc/motd file 0644 0:0 1.000000000 text=hello
/etc/mtab symlink 0777 0:0 1.000000000 target=../proc/mounts
/etc/pipe fifo 0644 0:0 1.000000000
"""


def changed(old, new):
    assert old in BASE
    return BASE.replace(old, new)


@pytest.mark.parametrize(
    ("actual", "path", "what"),
    [
        (changed("/etc/pipe fifo 0644 0:0 1.000000000\n", ""), b"etc/pipe", "missing"),
        (BASE + "/etc/extra fifo 0644 0:0 1.0", b"etc/extra", "unexpected"),
        (changed("text=hello", "text=other"), b"etc/motd", "content"),
        (changed("text=hello", "text=hello2"), b"etc/motd", "content"),
        (changed("file 0644", "file 4755"), b"etc/motd", "mode"),
        (changed("motd file 0644 0:0", "motd file 0644 0:7"), b"etc/motd", "owner"),
        (changed("etc/motd file 0644 0:0 1.0", "etc/motd file 0644 0:0 2.0"), b"etc/motd", "mtime"),
        (changed("etc dir 0755 0:0 1.0", "etc dir 0755 0:0 2.0"), b"etc", "mtime"),
        (changed("text=hello", "text=hello xattr.user.a=b"), b"etc/motd", "xattrs"),
        (changed("proc/mounts", "proc/self"), b"etc/mtab", "target"),
        (changed("device=1:3", "device=1:5"), b"dev/null", "device"),
        (changed("char", "block"), b"dev/null", "type"),
        (changed("pipe fifo 0644 0:0 1.000000000", "pipe file 0644 0:0 1.0 text="), b"etc/pipe", "type"),
        (changed("pipe fifo", "pipe dir"), b"etc/pipe", "type"),
        (changed("/ dir 0755", "/ dir 0700"), b"", "mode"),
    ],
)
def test_a_difference_has_the_path_what_differs_and_both_lines(actual, path, what):
    (found,) = differences(BASE, actual)
    lines = {
        text: [line for line in dump(parse(text)).splitlines() if line.startswith(f"/{path.decode()} ")]
        for text in (BASE, actual)
    }
    assert (found.path, found.what) == (path, (what,))
    assert [found.expected or "", found.actual or ""] == ["".join(lines[BASE]), "".join(lines[actual])]


@pytest.mark.parametrize(
    ("attribute", "actual"),
    [
        ("content", changed("text=hello", "text=other")),
        ("mode", changed("file 0644", "file 4755")),
        ("owner", changed("motd file 0644 0:0", "motd file 0644 0:7")),
        ("mtime", changed("etc dir 0755 0:0 1.0", "etc dir 0755 0:0 2.0")),
        ("directory-mtime", changed("etc dir 0755 0:0 1.0", "etc dir 0755 0:0 2.0")),
        ("nanoseconds", changed("motd file 0644 0:0 1.000000000", "motd file 0644 0:0 1.5")),
        ("xattrs", changed("text=hello", "text=hello xattr.user.a=b")),
    ],
)
def test_what_is_ignored_does_not_count_and_nothing_else_is_ignored(attribute, actual):
    assert_same_tree(actual, BASE, ignore=[attribute])
    others = {*ALL, "directory-mtime"} - {attribute} - ({"mtime"} if attribute == "directory-mtime" else set())
    with pytest.raises(AssertionError, match="1 of 7 names differ"):
        assert_same_tree(actual, BASE, ignore=others - {"mtime", "directory-mtime"})


def test_what_does_not_count_is_a_star_in_the_diff():
    actual = changed("motd file 0644 0:0 1.000000000 text=hello", "motd file 0600 5:5 2.0 text=x xattr.user.a=b")
    (found,) = differences(BASE, actual, attributes=["mode"])
    assert (found.expected, found.actual) == ("/etc/motd file 0644 * *", "/etc/motd file 0600 * *")
    (found,) = differences(BASE, changed("etc dir 0755 0:0", "etc dir 0700 0:0"), attributes=["mode", "mtime"])
    assert found.actual == "/etc dir 0700 * *"


def test_the_size_of_a_file_is_part_of_its_content():
    one, two = (f"/a file 0644 0:0 0.0 size={size} sha256={digest * 64}" for size, digest in [(70, "a"), (80, "b")])
    assert [found.what for found in differences(one, two)] == [("content",)]
    assert not differences(one, two, attributes=["mode"])


# --- Links ------------------------------------------------------------------------------------------------------------

ALONE = "/a file 0644 0:0 0.0 text=x\n/b file 0644 0:0 0.0 text=x\n/c file 0644 0:0 0.0 text=x\n"
LINKED = "/a file 0644 0:0 0.0 text=x\n/b link /a\n/c link /a\n"


def test_names_that_should_share_a_file_and_do_not_are_reported_once_each():
    assert [str(found) for found in differences(LINKED, ALONE)] == [
        f"- /{name} link /a\n+ /{name} file 0644 0:0 0.000000000 text=x  # links" for name in "bc"
    ]
    assert [(found.path, found.what) for found in differences(ALONE, LINKED)] == [
        (b"b", ("links",)),
        (b"c", ("links",)),
    ]
    assert not differences(LINKED, ALONE, attributes=["mode", "content"])


def test_a_file_of_several_names_differs_at_the_first_of_them():
    assert [(found.path, found.what) for found in differences(LINKED, LINKED.replace("text=x", "text=y"))] == [
        (b"a", ("content",))
    ]


def test_a_missing_name_of_a_file_says_nothing_about_the_others():
    rest = "/b file 0644 0:0 0.0 text=x\n/c link /b\n"
    (found,) = differences(LINKED, rest)
    assert (found.path, found.what) == (b"a", ("missing",))
    (found,) = differences(rest, LINKED)
    assert (found.path, found.what) == (b"a", ("unexpected",))
    (found,) = differences(LINKED, rest.replace("text=x", "text=y"))[1:]
    assert (found.path, found.what) == (b"b", ("content",))


def test_names_that_share_another_file_than_expected_are_links_and_whatever_else_differs():
    expected = "/a file 0644 0:0 0.0 text=x\n/b file 0644 0:0 0.0 text=y\n/c link /a\n"
    actual = "/a file 0644 0:0 0.0 text=x\n/b file 0644 0:0 0.0 text=y\n/c link /b\n"
    (found,) = differences(expected, actual)
    assert (found.path, found.what) == (b"c", ("content", "links"))
    assert (found.expected, found.actual) == ("/c link /a", "/c link /b")


# --- Implied directories ----------------------------------------------------------------------------------------------


def test_attributes_of_a_directory_that_the_expected_side_implies_count_only_if_asked_for():
    expected = "/etc/motd file 0644 0:0 0.0 text=hello"
    actual = "/ dir 0700 1:1 5.0\n/etc dir 0700 1:1 5.0 xattr.user.a=b\n" + expected
    assert not differences(expected, actual)
    assert [found.what for found in differences(expected, actual, implied=True)] == [
        ("mode", "owner", "mtime"),
        ("mode", "owner", "mtime", "xattrs"),
    ]
    assert [found.path for found in differences(actual, expected)] == [b"", b"etc"]
    with pytest.raises(AssertionError, match="2 of 3"):
        assert_same_tree(actual, expected, implied=True)


def test_an_implied_directory_must_still_be_one():
    (found,) = differences("/etc/motd fifo 0644 0:0 0.0", "/etc symlink 0777 0:0 0.0 target=usr")[:1]
    assert str(found) == "- /etc dir * * *\n+ /etc symlink * * * target=usr  # type"


def test_the_time_of_a_directory_that_was_touched_does_not_count():
    actual = changed("etc dir 0755 0:0 1.0", "etc dir 0700 0:0 2.0")
    (found,) = differences(BASE, actual, touched=[b"etc"])
    assert (found.what, found.actual) == (("mode",), "/etc dir 0700 0:0 *")


# --- Sides ------------------------------------------------------------------------------------------------------------

STACK = Stack.parse(
    """
layer
  ./ dir
  etc/ dir
  etc/motd file text=hello
  etc/issue link etc/motd
  etc/old fifo
layer
  etc/old whiteout
"""
)


def test_every_kind_of_side_is_compared_with_every_other(tmp_path):
    with oci_layers.open_image(STACK.write(tmp_path / "layout")) as image:
        image.unpack(tmp_path / "dest", owner=oci_layers.Owner(same=False))
        sides = [STACK, image, image.tree(), tmp_path / "dest", dump(STACK.tree())]
        for one in sides:
            for two in sides:
                assert_same_tree(one, two, ignore=["owner"])
        (tmp_path / "dest" / "etc" / "motd").write_text("HELLO")
        for side in (STACK, image):
            assert [found.what for found in differences(side, tmp_path / "dest", attributes=["content", "links"])] == [
                ("content",)
            ]


def test_a_text_may_be_short():
    assert_same_tree(STACK, "/ dir\n\n/etc dir\n/etc/issue file text=hello\n/etc/motd link /etc/issue")


def test_a_text_that_is_no_dump_says_how_a_directory_is_given(tmp_path):
    with pytest.raises(NameFormatError) as caught:
        assert_same_tree(str(tmp_path), BASE)
    assert caught.value.__notes__ == ["a str is the text of a tree; a directory is given as a pathlib.Path"]


def test_a_directory_that_is_missing_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        differences(BASE, tmp_path / "nothing")


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(UnsupportedError, match="comparison of a socket: /s"):
            differences("", tmp_path)


def test_labels_of_the_machine_do_not_count(tmp_path):
    (tmp_path / "a").touch()
    try:
        os.setxattr(tmp_path / "a", "security.selinux", b"label")
        os.setxattr(tmp_path / "a", "trusted.overlay.opaque", b"y")
    except OSError as error:
        pytest.skip(f"attributes cannot be set here: {error}")
    (found,) = differences("/a file 0644 0:0 0.0 text=", tmp_path, attributes=["xattrs"])
    assert found.actual == "/a file * * * xattr.trusted.overlay.opaque=y"


def test_an_unknown_attribute_is_refused():
    for call in (lambda: assert_same_tree("", "", ignore=["time"]), lambda: differences("", "", attributes=["time"])):
        with pytest.raises(NameFormatError, match="attribute 'time': there are mode, owner, mtime"):
            call()


# --- The diff ---------------------------------------------------------------------------------------------------------


def test_the_diff_has_the_differing_lines_and_their_neighbours():
    names = [f"/{name} fifo 0644 0:0 0.000000000" for name in "abcdefghij"]
    actual = [line.replace("0644", "0600") if line[1] in "ej" else line for line in names]
    assert show_differences("\n".join(names), "\n".join(actual)).splitlines() == [
        "2 of 11 names differ (- expected, + actual):",
        "  ...",
        f"  {names[3]}",
        f"- {names[4]}",
        f"+ {actual[4]}  # mode",
        f"  {names[5]}",
        "  ...",
        f"  {names[8]}",
        f"- {names[9]}",
        f"+ {actual[9]}  # mode",
    ]
    assert show_differences("\n".join(names), "\n".join(names)) == ""


def test_the_diff_is_bounded_and_counts_what_it_leaves_out():
    expected = "\n".join(f"/{number:03} file 0644 0:0 0.0 text={'x' * 64}" for number in range(500))
    lines = show_differences(expected, "").splitlines()
    assert len(lines) <= 62
    assert lines[0] == "500 of 501 names differ (- expected, + actual):"
    shown = sum(line.startswith("-") for line in lines)
    assert lines[-1] == f"  ... and {500 - shown} more"
    (line,) = show_differences(f"/a symlink 0777 0:0 0.0 target={'t' * 4000}", "").splitlines()[2:]
    assert len(line) < 450


def test_the_assertion_shows_the_diff():
    with pytest.raises(AssertionError) as caught:
        assert_same_tree(changed("text=hello", "text=other"), BASE, ignore=["mtime"])
    assert str(caught.value).splitlines() == [
        "1 of 7 names differ (- expected, + actual):",
        "  ...",
        "  /etc dir 0755 0:0 *",
        "- /etc/motd file 0644 0:0 * text=hello",
        "+ /etc/motd file 0644 0:0 * text=other  # content",
        "  /etc/mtab symlink 0777 0:0 * target=../proc/mounts",
    ]


@given(portable_stacks(), portable_stacks())
def test_trees_differ_exactly_if_they_are_not_equal(one, two):
    try:
        expected, actual = Stack(tuple(map(tuple, one))).tree(), Stack(tuple(map(tuple, two))).tree()
    except LayerError:  # Links in a circle.
        reject()
    assert not differences(expected, parse(dump(expected)), implied=True)
    assert bool(differences(expected, actual, implied=True)) == (expected != actual)
