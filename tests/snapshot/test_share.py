"""Files of different layers that share their space: by clones on xfs and btrfs, by hard links, or not at all."""

import contextlib
import os
import subprocess

import pytest

from oci_layers import system
from oci_layers.disk import scan
from oci_layers.snapshot import du, fsck
from oci_layers.tree import dump
from tests.support.layers import d, f, ln, tar
from tests.support.rooms import image_of, room

LARGE, SMALL = "x" * 100_000, "y" * 5_000
FIRST = [tar(f("a", LARGE), f("s", SMALL), ln("t", "s"), f("tiny", "z"))]
SECOND = [
    tar(f("q", "1")),
    tar(f("c", LARGE), f("c2", LARGE), f("private", LARGE, mode=0o600), f("s2", SMALL), f("z", "z")),
]
pytestmark = pytest.mark.root


@pytest.fixture(params=["xfs", "btrfs"])
def cloning(request, place):
    """A directory on a file system that has clones."""
    kind = request.param
    file, point = place / "disk", place / "point"
    with open(file, "wb") as disk:
        disk.truncate(400 << 20)
    point.mkdir()
    made = subprocess.run([f"mkfs.{kind}", "-q", file], capture_output=True, check=False)
    if made.returncode == 0:
        made = subprocess.run(["mount", "-o", "loop", file, point], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"{kind} cannot be mounted here: {made.stderr.decode()[:200]}")
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


@contextlib.contextmanager
def two_images(directory, **options):
    """A room with two images that have equal files and no layer in common; the second is unpacked last."""
    with (
        image_of(*FIRST, name="first") as first,
        image_of(*SECOND, name="second") as second,
        room(str(directory / "room"), **options) as opened,
    ):
        opened.unpack(first)
        yield opened, first, second


def shown(opened, image):
    with opened.view(image.name) as view:
        return dump(scan(view.fd))


@pytest.mark.peer("mkfs.xfs", "mkfs.btrfs")
def test_clones_share_the_blocks_of_equal_files(cloning):
    with two_images(cloning) as (opened, first, second):
        before = free(cloning)
        saved = opened.unpack(second).saved
        assert saved == 3 * len(LARGE) + len(SMALL)
        assert before - free(cloning) < len(LARGE)
        for image in (first, second):
            assert shown(opened, image) == dump(image.tree())
        assert fsck(opened).ok


def free(directory):
    os.sync()
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


@pytest.mark.peer("mkfs.xfs", "mkfs.btrfs")
def test_a_container_writes_to_no_clone(cloning):
    with two_images(cloning) as (opened, _, second):
        opened.unpack(second)
        with opened.container("second") as box, open(os.path.join(box.path, "c"), "r+b") as file:
            file.write(b"changed")
        assert fsck(opened).ok


@pytest.mark.peer("mkfs.xfs", "mkfs.btrfs")
def test_files_that_are_not_equal_stay_apart(cloning):
    """The digest is only where to look: the kernel compares the bytes."""
    with two_images(cloning) as (opened, _, second):
        with open(os.path.join(opened.stack("first")[0].path, "a"), "r+b") as file:
            file.write(b"damaged")
        assert opened.unpack(second).saved == len(SMALL)
        assert shown(opened, second) == dump(second.tree())


def test_where_there_are_no_clones_nothing_is_shared_and_no_layer_is_read_for_it(place, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(system, "dedupe_file", refuse)
    with two_images(place) as (opened, _, second):
        monkeypatch.setattr(opened.layers, "all", None)
        assert opened.unpack(second).saved == 0


def test_hard_links_join_files_that_are_equal_in_all(place):
    """And no two names of one image that the image does not join: `c2` is a copy."""
    with two_images(place, share="link") as (opened, first, second):
        assert opened.unpack(second).saved == len(LARGE) + len(SMALL)
        for image in (first, second):
            assert shown(opened, image) == dump(image.tree())
        (one,), (two, _) = opened.stack("first"), opened.stack("second")
        inode = {name: os.stat(f"{layer.path}/{name}").st_ino for layer, name in ((one, "a"), (two, "c"), (two, "c2"))}
        assert inode["a"] == inode["c"] != inode["c2"]
        assert os.stat(f"{two.path}/private").st_nlink == 1
        assert fsck(opened).ok
        assert du(opened).total == blocks(opened.room.path)


def blocks(directory):
    return int(subprocess.run(["du", "-s", "-B1", directory], capture_output=True, check=True).stdout.split()[0])


def test_a_file_that_the_layers_below_have_is_not_joined_with_another_one(place):
    """It would have one inode with the file below, which the image does not say."""
    below = tar(f("a", LARGE))
    with room(str(place / "room"), share="link") as opened:
        with image_of(tar(f("b", LARGE)), name="other") as other:
            opened.unpack(other)
        with image_of(below, tar(d("n"), f("n/a", LARGE)), name="app") as app:
            opened.unpack(app)
            with opened.view("app") as view:
                inodes = {os.stat(name, dir_fd=view.fd).st_ino for name in ("a", "n/a")}
            assert len(inodes) == 2
            assert shown(opened, app) == dump(app.tree())


@pytest.mark.parametrize("number", [31, 18, 1, 2])
def test_a_file_that_the_system_does_not_link_is_kept(place, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with two_images(place, share="link") as (opened, _, second):
        monkeypatch.setattr(system, "link", refuse)
        assert opened.unpack(second).saved == 0
        assert shown(opened, second) == dump(second.tree())


def test_a_file_with_several_names_is_not_replaced_by_one_with_another(place):
    linked = image_of(tar(f("u", SMALL), ln("v", "u")), name="linked")
    with linked, two_images(place, share="link") as (opened, _, _):
        assert opened.unpack(linked).saved == 0
        assert shown(opened, linked) == dump(linked.tree())


def test_nothing_is_shared_unless_asked_for(place):
    with two_images(place, share="none") as (opened, _, second):
        assert opened.unpack(second).saved == 0


def test_files_of_two_new_layers_of_one_image_stay_apart(place):
    """Each has a twin in another image; the second one's twin is the first one's as well."""
    with (
        image_of(tar(f("a", LARGE)), name="one") as one,
        image_of(tar(f("c", LARGE)), tar(f("e", LARGE)), name="two") as two,
        room(str(place / "room"), share="link") as opened,
    ):
        opened.unpack(one)
        snapshot = opened.unpack(two)
        assert snapshot.saved == len(LARGE)
        with opened.view(snapshot) as view:
            assert dump(scan(view.fd)) == dump(two.tree())
