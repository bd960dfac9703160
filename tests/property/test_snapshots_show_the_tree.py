"""Law: a room shows the tree that the layers make in memory and a flat unpack makes on disk, and refuses what they do.

What differs is stated here. A mount shows no device 0:0, which it takes for a whiteout, and the report says so. An
attribute that the system refuses, such as one of a user on a symbolic link, is reported as well, and a flat unpack has
it neither.
"""

import os
import tempfile

import pytest
from hypothesis import given

from oci_layers.disk import scan
from oci_layers.errors import OCIError, PresenterError
from oci_layers.snapshot.fsck import fsck
from oci_layers.testing.cases import cases
from oci_layers.tree import dump
from oci_layers.tree.node import Directory
from tests.support.examples import some
from tests.support.layers import char, d, f, fifo, ln, sym, tar
from tests.support.rooms import image_of, room
from tests.support.stacks import portable_stacks, stacks

MOUNTS = ("detached", "namespace")
"""What the law is about; a farm is the second way."""
pytestmark = pytest.mark.root


def attempt(do):
    """The result, or what an error says."""
    try:
        return do()
    except OCIError as error:
        return type(error), str(error)


def without_hidden(text):
    """A dump without devices 0:0 and their other names."""
    hidden, kept = set(), []
    for line in text.splitlines(keepends=True):
        path, kind, *words = line.split()
        if (kind == "char" and "device=0:0" in words) or (kind == "link" and words[0] in hidden):
            hidden.add(path)
        else:
            kept.append(line)
    return "".join(kept)


def shown(opened, snapshot, presenter):
    """What one presenter shows, as text; each file has as many names as that says."""
    try:
        with opened.view(snapshot, presenters=presenter) as view:
            tree = scan(view.fd)
            for path, node in tree.walk():
                if not isinstance(node, Directory):
                    found = os.stat(path, dir_fd=view.fd, follow_symlinks=False)
                    assert found.st_nlink == tree.link_count(node), path
            return dump(tree)
    except PresenterError as error:
        pytest.skip(f"nothing can be mounted here: {error}; only the tree of the room was compared")


def check(*tars, presenter=MOUNTS):
    """Compare a room with the tree in memory; return what memory has, and what was skipped by kind."""
    with image_of(*tars) as image, room() as opened:
        expected = attempt(lambda: dump(image.tree()))
        snapshot = attempt(lambda: opened.unpack(image))
        if isinstance(expected, tuple):
            assert snapshot == expected
            assert opened.images() == []
            return "", {}
        skipped = {kind: count for kind, count in snapshot.report.skipped.totals.items() if count}
        assert dump(opened.tree(snapshot)) == expected
        assert fsck(opened).findings == ()
        expected = without_hidden(expected)
        if tars and not skipped.keys() - {"device"}:
            assert shown(opened, snapshot, presenter) == expected
        return expected, skipped


PRESENTERS = {"mount": MOUNTS, "farm": ["farm"]}


@pytest.mark.parametrize("presenter", PRESENTERS.values(), ids=PRESENTERS)
@given(stacks())
def test_a_room_shows_what_memory_has(presenter, stack):
    _, skipped = check(*(tar(*layer) for layer in stack), presenter=presenter)
    assert skipped == {}


@given(portable_stacks(6))
def test_a_room_shows_what_a_flat_unpack_makes(stack):
    tars = [tar(*layer) for layer in stack]
    expected, skipped = check(*tars)
    assert skipped == {}
    with tempfile.TemporaryDirectory() as directory, image_of(*tars) as image:
        flat = os.path.join(directory, "flat")
        image.unpack(flat)
        assert without_hidden(dump(scan(flat))) == expected


@pytest.mark.parametrize("case", [pytest.param(each, id=each.id) for each in some(cases(), every=16)])
def test_a_room_shows_every_case_of_the_conformance_table(case):
    _, skipped = check(*case.layers)
    assert skipped.keys() <= {"device", "xattr", "overlay-xattr"}, case.id


OVERLAY = {
    b"user.overlay.opaque": b"y",
    b"user.overlay.redirect": b"/etc",
    b"user.overlay.whiteout": b"",
    b"user.overlay.overlay.a": b"1",
    b"trusted.overlay.opaque": b"y",
    b"trusted.overlay.metacopy": b"",
}
NODES = [d("a"), f("a/x", "1"), d("b"), f("b/y", "2"), f("f", "old")], [d("a", xattrs=OVERLAY), f("f", xattrs=OVERLAY)]


def test_attributes_of_overlay_mounts_in_an_image_are_shown_and_never_followed():
    expected, skipped = check(*(tar(*layer) for layer in NODES))
    assert skipped == {}
    assert expected.count("xattr.user.overlay.overlay.a=1") == 2


def test_a_device_that_a_mount_would_take_for_a_whiteout_is_reported_and_not_shown():
    tars = tar(d("a"), f("a/x")), tar(char("n", 0, 0), ln("m", "n"), char("a/n", 0, 0), char("a/m", 0, 1), d("new"))
    expected, skipped = check(*tars)
    assert skipped == {"device": 2}
    assert "device=0:0" not in expected
    assert "/a/m char" in expected
    assert check(*tars, presenter=["farm"]) == (expected, skipped)


def test_attributes_that_the_system_refuses_are_reported_and_kept_in_memory():
    refused = {b"user.k": b"1"}
    tars = [tar(sym("s", "t", xattrs=refused), fifo("p", xattrs={**refused, b"trusted.k": b"2"}))]
    expected, skipped = check(*tars)
    assert skipped == {"xattr": 2}
    with image_of(*tars) as image, room() as opened:
        assert shown(opened, opened.unpack(image), MOUNTS) == expected.replace(" xattr.user.k=1", "")
