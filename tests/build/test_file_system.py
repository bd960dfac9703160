"""What a file system refuses and how it makes nodes; `property/test_a_box_is_a_file_system` has all the rest."""

import errno

import pytest

from oci_layers.build.file_system import Creator, FileSystem
from oci_layers.errors import (
    IsDirectoryError,
    LimitError,
    NotDirectoryError,
    NotPermittedError,
    PathError,
    PathExistsError,
    PathMissingError,
    StoreError,
    WhiteoutError,
)
from oci_layers.limits import Limits
from oci_layers.tree import Device, Fifo, FileTree, Symlink, dump, parse

LOWER = """
/ dir 0755 0:0 0
/d dir 0755 0:0 0
/d/e dir 0755 0:0 0
/d/e/f file 0644 0:0 0 text=f
/empty dir 0755 0:0 0
/file file 0644 0:0 0 text=x
/other link /file
/link symlink 0777 0:0 0 target=d
/loop symlink 0777 0:0 0 target=loop
/up symlink 0777 0:0 0 target=../../d/e
/abs symlink 0777 0:0 0 target=/d
"""


@pytest.fixture
def files():
    return on(parse(LOWER))


def on(tree, **owner):
    return FileSystem(tree, Creator(clock=lambda: 7 * 10**9, **owner), 3)


@pytest.mark.parametrize(
    ("work", "kind", "number", "path"),
    [
        (lambda fs: fs.rename(b"", b"x"), PathError, errno.EBUSY, b"/"),
        (lambda fs: fs.rename(b"d", b""), PathError, errno.EBUSY, b"/"),
        (lambda fs: fs.rename(b"no", b"x"), PathMissingError, errno.ENOENT, b"/no"),
        (lambda fs: fs.rename(b"no/x", b"file/x"), PathMissingError, errno.ENOENT, b"/no/x"),
        (lambda fs: fs.rename(b"no", b"file/x"), NotDirectoryError, errno.ENOTDIR, b"/file/x"),
        (lambda fs: fs.rename(b"d", b"d/e/x"), PathError, errno.EINVAL, b"/d/e/x"),
        (lambda fs: fs.rename(b"d", b"link/x"), PathError, errno.EINVAL, b"/link/x"),
        (lambda fs: fs.rename(b"d", b"up/x"), PathError, errno.EINVAL, b"/up/x"),
        (lambda fs: fs.rename(b"d/e/f", b"d"), PathError, errno.ENOTEMPTY, b"/d"),
        (lambda fs: fs.rename(b"empty", b"d"), PathError, errno.ENOTEMPTY, b"/d"),
        (lambda fs: fs.rename(b"file", b"empty"), IsDirectoryError, errno.EISDIR, b"/empty"),
        (lambda fs: fs.rename(b"empty", b"file"), NotDirectoryError, errno.ENOTDIR, b"/file"),
        (lambda fs: fs.unlink(b""), IsDirectoryError, errno.EISDIR, b"/"),
        (lambda fs: fs.unlink(b"d"), IsDirectoryError, errno.EISDIR, b"/d"),
        (lambda fs: fs.unlink(b"loop/x"), PathError, errno.ELOOP, b"/loop/x"),
        (lambda fs: fs.remove_directory(b""), PathError, errno.EBUSY, b"/"),
        (lambda fs: fs.remove_directory(b"d"), PathError, errno.ENOTEMPTY, b"/d"),
        (lambda fs: fs.remove_directory(b"link"), NotDirectoryError, errno.ENOTDIR, b"/link"),
        (lambda fs: fs.remove_tree(b""), PathError, errno.EBUSY, b"/"),
        (lambda fs: fs.remove_tree(b"link"), NotDirectoryError, errno.ENOTDIR, b"/link"),
        (lambda fs: fs.remove_tree(b"no"), PathMissingError, errno.ENOENT, b"/no"),
        (lambda fs: fs.make_directory(b"", 0o755), PathExistsError, errno.EEXIST, b"/"),
        (lambda fs: fs.make_directory(b"loop", 0o755), PathExistsError, errno.EEXIST, b"/loop"),
        (lambda fs: fs.link(b"d", b"x"), NotPermittedError, errno.EPERM, b"/d"),
        (lambda fs: fs.link(b"d", b"file"), PathExistsError, errno.EEXIST, b"/file"),
        (lambda fs: fs.link(b"no", b"file"), PathMissingError, errno.ENOENT, b"/no"),
    ],
)
def test_what_the_system_refuses_is_refused_and_changes_nothing(files, work, kind, number, path):
    before = dump(files.tree)
    with pytest.raises(PathError) as caught:
        work(files)
    assert (type(caught.value), caught.value.errno, caught.value.path) == (kind, number, path)
    assert dump(files.tree) == before


@pytest.mark.parametrize(
    "work",
    [
        lambda fs: fs.make_directory(b"d/.wh.x", 0o755),
        lambda fs: fs.make_node(b".wh.x", Fifo(0o644, 0, 0, 0)),
        lambda fs: fs.link(b"file", b".wh..wh..opq"),
        lambda fs: fs.rename(b"file", b".wh.file"),
        lambda fs: fs.make_node(b"null", Device(0o644, 0, 0, 0)),
    ],
)
def test_a_name_that_no_layer_can_have_is_refused_when_it_is_made(files, work):
    before = dump(files.tree)
    with pytest.raises(WhiteoutError):
        work(files)
    assert dump(files.tree) == before


def test_a_device_0_0_that_is_no_character_device_is_made(files):
    files.make_node(b"disk", Device(0o666, 0, 0, 0, kind="block"))
    assert "/disk block 0644 0:0 7.000000000 device=0:0" in dump(files.tree)


def test_links_are_followed_inside_the_root(files):
    files.make_directory(b"up/new", 0o700)
    files.make_directory(b"abs/new", 0o700)
    assert [path for path, _ in files.tree.walk("d")] == [b"d", b"d/e", b"d/e/f", b"d/e/new", b"d/new"]


@pytest.mark.parametrize(
    ("limit", "path", "allowed", "seen"),
    [
        ("path_depth", b"link/e/x", 2, 3),
        ("path_bytes", b"up/xxxx", 7, 8),
        ("component_bytes", b"xxxxxx", 5, 6),
    ],
)
def test_a_resolved_path_that_is_beyond_a_limit_is_refused(limit, path, allowed, seen):
    files = on(parse(LOWER, limits=Limits(**{limit: max(allowed, 5)})) if limit == "path_bytes" else parse(LOWER))
    files.tree.limits = Limits(**{limit: allowed})
    with pytest.raises(LimitError) as caught:
        files.make_node(path, Symlink(0, 0, 0, target=b"x"))
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == (limit, allowed, seen)


def test_a_directory_is_not_moved_where_a_path_below_it_is_beyond_a_limit(files):
    files.tree.limits = Limits(path_depth=3)
    files.rename(b"d", b"a-longer-name")
    before = dump(files.tree)
    with pytest.raises(LimitError) as caught:
        files.rename(b"a-longer-name", b"empty/d")
    assert (caught.value.limit, caught.value.seen) == ("path_depth", 4)
    assert dump(files.tree) == before


def test_new_nodes_have_owner_time_and_mode_of_their_maker():
    files = on(FileTree(), uid=5, gid=6, umask=0o027)
    files.make_directory(b"d", 0o7777)
    files.make_node(b"d/p", Fifo(0o666, 0, 0, 0))
    files.make_node(b"d/s", Symlink(0, 0, 0, target=b"x"), masked=False)
    assert dump(files.tree) == (
        "/ dir 0755 0:0 7.000000000\n"
        "/d dir 1750 5:6 7.000000000\n"
        "/d/p fifo 0640 5:6 7.000000000\n"
        "/d/s symlink 0777 5:6 7.000000000 target=x\n"
    )
    assert {node.layer for path, node in files.tree.walk() if path} == {3}
    assert not files.tree.root.implicit


def test_a_directory_may_hand_on_its_group():
    files = on(parse("/d dir 2755 0:9 0"))
    files.make_directory(b"d/e", 0o755)
    files.make_node(b"d/p", Fifo(0o644, 0, 0, 0))
    assert "/d/e dir 2755 0:9" in dump(files.tree)
    assert "/d/p fifo 0644 0:9" in dump(files.tree)


def test_the_names_of_a_file_are_known_after_all_moves(files):
    files.link(b"file", b"d/e/third")
    files.rename(b"d", b"moved")
    files.rename(b"other", b"moved/other")
    node = files.tree.at(b"file")
    assert set(files.tree.link_names(node.inode)) == {b"file", b"moved/other", b"moved/e/third"}
    files.remove_tree(b"moved")
    assert files.tree.link_names(node.inode) == (b"file",)
    assert files.tree.link_count(node) == 1


def test_names_of_one_file_are_not_moved_over_each_other(files):
    before = dump(files.tree)
    files.rename(b"file", b"other")
    files.rename(b"file", b"file")
    files.rename(b"d", b"d")
    assert dump(files.tree) == before


def test_forks_do_not_see_what_happens_to_the_tree(files):
    fork, before = files.tree.fork(), dump(files.tree)
    files.rename(b"d/e/f", b"f")
    files.link(b"file", b"d/third")
    files.unlink(b"other")
    assert dump(fork) == before


def test_nothing_can_be_done_after_the_end(files):
    files.close()
    for work in (lambda: files.unlink(b"file"), files.check_open):
        with pytest.raises(StoreError) as caught:
            work()
        assert str(caught.value) == "writable layer: it is closed, and cannot be used any more"
