"""What a layer leaves in its directory, and what the union of the directories shows: whiteouts, links, parents, times.

That the union is the merged tree, for any layers, is `tests/property/test_snapshots_show_the_tree.py`.
"""

import itertools
import os
import stat

import pytest

from oci_layers import system
from oci_layers.errors import UnsupportedError
from oci_layers.snapshot.fsck import fsck
from oci_layers.tree import dump
from tests.support import blocks
from tests.support.layers import d, f, ln, opq, sym, tar, wh
from tests.support.rooms import image_of, room, seen, unpacked

pytestmark = pytest.mark.root


def shown(*layers):
    """What a room shows of layers, which is what memory has, as {path: the rest of the line}."""
    with image_of(*(tar(*layer) for layer in layers)) as image, room() as opened:
        snapshot = opened.unpack(image)
        with opened.view(snapshot) as view:
            found = seen(view.fd)
            assert found == dump(image.tree())
            assert_no_ghosts(view.path)
    return dict(line.split(" ", 1) for line in found.splitlines())


def assert_no_ghosts(directory):
    """Check that each name that a directory lists is there."""
    for above, directories, files in os.walk(directory, onerror=lambda error: pytest.fail(str(error))):
        for name in (*directories, *files):
            os.lstat(os.path.join(above, name))


def whiteouts(*layers):
    """The names of the whiteouts in the directory of the topmost layer."""
    with unpacked(*(tar(*layer) for layer in layers)) as (opened, snapshot):
        top = opened.stack(snapshot)[0].path
        return sorted(
            os.path.relpath(os.path.join(above, name), top)
            for above, _, names in os.walk(top)
            for name in names
            if stat.S_ISCHR(os.lstat(os.path.join(above, name)).st_mode)
        )


GHOSTS = {
    "in a new directory": ([f("x")], [d("new"), wh("new/gone")]),
    "in a directory that nothing describes": ([f("x")], [wh("new/gone")]),
    "in an opaque directory": ([d("a"), f("a/x")], [d("a"), opq("a"), wh("a/x"), wh("a/y")]),
    "in a directory where a file was": ([f("a")], [d("a"), wh("a/x")]),
    "below a removed directory": ([d("a"), d("a/b"), f("a/b/x")], [wh("a"), wh("a/b/x"), d("a/b")]),
    "at the root": ([f("x")], [wh("gone"), opq("gone")]),
    "in the base": ([wh("gone"), d("a"), wh("a/gone"), opq("a")],),
    "of what a middle layer has": ([d("a")], [f("a/x")], [wh("a/x")], [wh("a/x")]),
    "through a link": ([d("a"), f("a/x"), sym("s", "a")], [wh("s/x"), wh("s/y")]),
}


@pytest.mark.parametrize("layers", GHOSTS.values(), ids=GHOSTS)
def test_no_name_is_listed_that_is_not_there(layers):
    shown(*layers)


def test_a_whiteout_is_made_only_for_a_name_that_is_below():
    below = [d("a"), f("a/x"), f("a/y"), d("b"), f("b/x")]
    assert whiteouts(below, [wh("a/x"), wh("a/none"), d("new"), wh("new/none")]) == ["a/x"]
    assert whiteouts(below, [opq("a"), f("a/new")]) == ["a/x", "a/y"]
    assert whiteouts(below, [wh("a")]) == ["a"]
    assert whiteouts(below, [wh("a"), f("a/x")]) == ["a/y"]


STATES = {"file": lambda: [f("n", "file")], "directory": lambda: [d("n"), f("n/in", "in")], "gone": lambda: [wh("n")]}


@pytest.mark.parametrize("order", list(itertools.permutations(STATES)), ids="-".join)
def test_a_name_is_what_the_topmost_layer_makes_of_it(order):
    found = shown([f("other")], *(STATES[each]() for each in order), [f("last")])
    kinds = {"file": {"/n": "file"}, "directory": {"/n": "dir", "/n/in": "file"}, "gone": {}}[order[-1]]
    assert {path: words.split()[0] for path, words in found.items() if path.startswith("/n")} == kinds


@pytest.mark.parametrize("order", list(itertools.product(STATES, repeat=2)), ids="-".join)
def test_a_name_is_what_the_topmost_of_two_layers_makes_of_it(order):
    shown(*(STATES[each]() for each in order))


def test_a_lower_file_is_left_alone_if_a_link_to_it_is_gone_when_the_layer_ends():
    tars = [tar(f("a", "1" * 100)), tar(ln("b", "a"), f("b", "2"))]
    with unpacked(*tars) as (opened, snapshot):
        assert os.listdir(opened.stack(snapshot)[0].path) == ["b"]


GROUPS = {
    "a link to a lower file": ([f("a", "1" * 100)], [ln("b", "a")]),
    "half of a group replaced": ([f("a", "1" * 100), ln("b", "a"), ln("c", "a")], [f("b", "2")]),
    "half of a group removed": ([f("a", "1" * 100), ln("b", "a"), ln("c", "a")], [wh("a")]),
    "a group over three layers": ([f("a", "1" * 100)], [d("x"), ln("x/b", "a")], [ln("c", "x/b")]),
    "a group over directories of which one goes": (
        [d("x"), f("x/a", "1"), ln("b", "x/a"), d("y"), ln("y/c", "b")],
        [wh("x")],
        [ln("d", "y/c")],
    ),
    "a link whose target the same layer replaces": ([f("a", "old")], [ln("b", "a"), f("a", "new")]),
    "a sparse-sized empty file": ([f("a")], [ln("b", "a")], [wh("a"), ln("c", "b")]),
    "symbolic links": ([sym("a", "t")], [ln("b", "a")]),
}


@pytest.mark.parametrize("layers", GROUPS.values(), ids=GROUPS)
def test_names_of_one_file_are_one_file_with_as_many_names(layers):
    shown(*layers)
    tars = [tar(*layer) for layer in layers]
    with image_of(*tars) as image, unpacked(*tars) as (opened, snapshot), opened.view(snapshot) as view:
        tree = image.tree()
        groups = {}
        for path, node in tree.walk():
            if not hasattr(node, "children"):
                found = os.stat(path, dir_fd=view.fd, follow_symlinks=False)
                assert found.st_nlink == tree.link_count(node), path
                groups.setdefault(node.inode, set()).add((found.st_dev, found.st_ino))
        assert all(len(group) == 1 for group in groups.values())
        assert len(set.union(*groups.values())) == len(groups)


PARENTS = {
    "relative": ([d("usr"), d("usr/lib"), sym("lib", "usr/lib")], [f("lib/x", "1")]),
    "absolute": ([d("usr"), d("usr/lib"), sym("lib", "/usr/lib")], [f("lib/x", "1"), wh("lib/none")]),
    "chained": ([d("a"), sym("b", "a"), sym("c", "/b"), sym("d", "c")], [d("d/new"), f("d/new/x", "1")]),
    "above the root": ([d("a"), sym("b", "../../a")], [f("b/x", "1")]),
    "in the same layer": ([d("a")], [sym("b", "a"), f("b/x", "1"), f("a/y")]),
    "replaced by a directory": ([d("a"), sym("b", "a")], [f("b/x")], [wh("b"), d("b"), f("b/y")]),
    "of a whiteout": ([d("a"), f("a/x"), sym("b", "a")], [wh("b/x")]),
    "of a link's target": ([d("a"), f("a/x"), sym("b", "a")], [ln("y", "b/x")]),
}


@pytest.mark.parametrize("layers", PARENTS.values(), ids=PARENTS)
def test_parents_that_are_links_lead_to_where_they_lead_in_the_merged_tree(layers):
    shown(*layers)


def test_a_directory_of_a_layer_has_names_of_the_merged_tree_alone():
    with unpacked(tar(d("usr"), d("usr/lib"), sym("lib", "usr/lib")), tar(f("lib/x"))) as (opened, snapshot):
        top = opened.stack(snapshot)[0].path
        assert os.listdir(top) == ["usr"]
        assert os.listdir(f"{top}/usr/lib") == ["x"]


def test_directories_have_the_attributes_of_the_merged_tree():
    found = shown(
        [d("./", 0o700, uid=3, gid=4, mtime_ns=5), d("a", 0o711, uid=1, mtime_ns=10**18 + 1, xattrs={b"user.k": b"1"})],
        [f("a/x"), f("implied/x"), d("b", 0o1777)],
        [f("b/x"), d("a", 0o750, mtime_ns=7)],
    )
    assert found["/"] == "dir 0700 3:4 0.000000005"
    assert found["/a"] == "dir 0750 0:0 0.000000007"
    assert found["/implied"] == "dir 0755 0:0 0.000000000"
    assert found["/b"].startswith("dir 1777 0:0 ")


def test_the_last_description_of_the_root_counts():
    below = [d("./", 0o700, uid=3, gid=4, mtime_ns=5, xattrs={b"user.k": b"1"})]
    assert shown(below, [f("x")], [f("y")])["/"] == "dir 0700 3:4 0.000000005 xattr.user.k=1"
    assert shown(below, [d("./", 0o711)])["/"].startswith("dir 0711 0:0 17")
    assert shown([f("x")])["/"] == "dir 0755 0:0 0.000000000"


def test_one_layer_may_be_there_twice_and_the_empty_layer_ten_times():
    once, other = [d("a"), f("a/x", "1")], [f("a/x", "2"), f("a/y")]
    assert shown(once, other, once)["/a/x"].endswith("text=1")
    assert shown(*([[]] * 10)) == {"/": "dir 0755 0:0 0.000000000"}
    with unpacked(tar(*once), *([tar()] * 10), tar(*once)) as (opened, snapshot):
        assert len({layer.path for layer in opened.stack(snapshot)}) == 12


def test_whiteouts_that_share_an_inode_are_no_links():
    """The kernel makes all whiteouts of a mount one device with many names."""
    tars = [tar(d("a"), *(f(f"a/{number}", str(number)) for number in range(4)))]
    with unpacked(*tars) as (opened, snapshot), opened.container(snapshot) as container:
        for number in range(3):
            os.unlink(f"a/{number}", dir_fd=container.fd)
        upper = f"{opened.place}/tmp/{os.listdir(f'{opened.place}/tmp')[0]}/fs/a"
        assert len({os.lstat(f"{upper}/{name}").st_ino for name in os.listdir(upper)}) < 3
        assert [type(change).__name__ for change in container.changes()] == [*["Add"] * 2, *["Whiteout"] * 3]


@pytest.mark.parametrize(
    ("extents", "size"),
    [([(0, 4096), (1 << 20, 4096)], 1 << 21), ([(1 << 20, 1)], (1 << 20) + 1), ([], 1 << 20), ([(1, 1), (3, 1)], 5)],
)
def test_holes_are_holes_and_bytes_are_those_of_the_layer(extents, size):
    with image_of(blocks.sparse(extents, size), tar(f("big", bytes(range(256)) * 4096))) as image, room() as opened:
        snapshot = opened.unpack(image)
        with opened.view(snapshot) as view:
            assert seen(view.fd) == dump(image.tree()) == dump(opened.tree(snapshot))
            assert os.stat("sparse", dir_fd=view.fd).st_blocks * 512 <= 6 * 4096
        assert fsck(opened).ok


def test_a_file_system_that_holds_no_whiteouts_is_refused(monkeypatch):
    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    with image_of(tar(f("a")), tar(wh("a"))) as image, room() as opened:
        monkeypatch.setattr(system, "make_device", refused)
        with pytest.raises(UnsupportedError, match="an upper directory needs one that holds whiteouts"):
            opened.unpack(image)
        assert opened.images() == []
        assert os.listdir(f"{opened.place}/tmp") == []
