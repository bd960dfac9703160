"""What `stat` says of the nodes of a tree: as the system says it of the same files on disk."""

import os
import stat

import pytest

from oci_layers.image.path_stat import file_type, name_of_owner, stat_of
from oci_layers.tree import File
from tests.support.layers import MTIME, block, char, d, f, fifo, ln, sym, tar
from tests.support.trees import merged, mirrored

LAYER = tar(
    d("a/", mode=0o1777, uid=1, gid=2),
    d("a/b/"),
    d("a/c/"),
    f("a/file", "text", mode=0o4750, uid=3, gid=4),
    ln("link", "a/file"),
    ln("a/again", "link"),
    sym("sym", "a/file"),
    ln("sym2", "sym"),
    fifo("pipe"),
    char("char", 1, 3),
    block("block", 300, 70_000),
    f("holes", b"end", size=10_003, extents=((10_000, 3),)),
    f("before", mtime_ns=-1_500_000_000),
)


@pytest.fixture(scope="module")
def tree():
    return merged(LAYER)


def found(tree, path):
    return stat_of(tree, path, tree.require(path))


@pytest.mark.root
def test_it_is_what_the_system_says_of_the_files_on_disk(tmp_path):
    tree, _ = mirrored(tmp_path, LAYER)
    inodes = {}
    for path, node in tree.walk():
        ours, system = stat_of(tree, path, node), os.lstat(os.path.join(os.fsencode(tmp_path), path))
        for field in ("st_mode", "st_uid", "st_gid", "st_rdev", "st_mtime_ns", "st_mtime"):
            assert getattr(ours, field) == getattr(system, field), (path, field)
        if not isinstance(node, File) or node.content.extents is None:
            assert ours.st_size == (0 if stat.S_ISDIR(ours.st_mode) else system.st_size)
        if not stat.S_ISDIR(ours.st_mode):
            assert ours.st_nlink == system.st_nlink
        assert inodes.setdefault(ours.st_ino, system.st_ino) == system.st_ino
    assert len(set(inodes.values())) == len(inodes)


def test_every_field_has_a_value(tree):
    file = found(tree, b"a/file")
    assert (file.st_mode, file.st_uid, file.st_gid, file.st_size) == (stat.S_IFREG | 0o4750, 3, 4, 4)
    assert (file.st_nlink, file.st_dev, file.st_rdev, file.st_mtime_ns) == (3, 0, 0, MTIME)
    assert file.st_mtime == MTIME / 10**9
    assert found(tree, b"before").st_mtime == -1.5
    assert found(tree, b"holes").st_size == 10_003
    assert (found(tree, b"sym").st_size, found(tree, b"sym").st_nlink) == (6, 2)
    assert [found(tree, path).st_nlink for path in (b"", b"a", b"a/b", b"pipe")] == [3, 4, 2, 1]


def test_devices_have_the_numbers_that_linux_packs(tree):
    for path, major, minor in ((b"char", 1, 3), (b"block", 300, 70_000)):
        assert found(tree, path).st_rdev == (minor & 0xFF | major << 8 | (minor & ~0xFF) << 12)


def test_inodes_tell_files_apart_and_are_the_same_in_every_run(tree):
    numbers = {path: found(tree, path).st_ino for path, _ in tree.walk()}
    assert numbers[b"a/file"] == numbers[b"link"] == numbers[b"a/again"]
    assert numbers[b"sym"] == numbers[b"sym2"]
    assert len(set(numbers.values())) == len(numbers) - 3
    again = merged(LAYER)
    assert numbers == {path: found(again, path).st_ino for path, _ in again.walk()}
    assert all(0 < number < 1 << 64 for number in numbers.values())


def test_types_are_those_of_stat(tree):
    expected = {
        b"a": stat.S_IFDIR,
        b"link": stat.S_IFREG,
        b"sym": stat.S_IFLNK,
        b"pipe": stat.S_IFIFO,
        b"char": stat.S_IFCHR,
        b"block": stat.S_IFBLK,
    }
    assert {path: file_type(tree.require(path)) for path in expected} == expected


@pytest.mark.parametrize(
    ("line", "number", "name"),
    [
        (b"root:x:0:0::/:\n", 0, "root"),
        (b"me:x:1000:", 1000, "me"),
        (b"me:x:01000:", 1000, "me"),
        (b" me:x:7\r\n", 7, "me"),
        (b"n\xe9:x:7:", 7, "n\udce9"),
        (b"zero:x:000:", 0, "zero"),
        (b"me:x:1000:", 100, None),
        (b"#me:x:7:", 7, None),
        (b"+me:x:7:", 7, None),
        (b"-me:x:7:", 7, None),
        (b":x:7:", 7, None),
        (b"me:x:-7:", -7, None),
        (b"me:x::", 0, None),
        (b"me:x", 0, None),
        (b"me", 0, None),
        (b"", 0, None),
        (b"me:x:" + b"9" * 5000, 7, None),
    ],
)
def test_a_line_names_an_owner(line, number, name):
    assert name_of_owner([line], number) == name


def test_the_first_name_counts():
    assert name_of_owner([b"a:x:1:", b"b:x:2:", b"c:x:2:"], 2) == "b"
