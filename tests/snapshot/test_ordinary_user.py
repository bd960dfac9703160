"""An ordinary user has all of a room: unpacks, looks, writes, commits, checks and removes, and the images keep what is
theirs: owners, set-id bits and capabilities that no file of this user can have."""

import os
import shutil
import stat
import sys

import pytest

from oci_layers.build.options import LayerOptions
from oci_layers.disk.owner import IdMap, Owner
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.du import du
from oci_layers.snapshot.fsck import fsck
from oci_layers.snapshot.gc import gc
from oci_layers.system import mount
from oci_layers.tree import dump
from tests.support.layers import d, f, fifo, ln, sym, tar, wh
from tests.support.process import USER, in_child, outcome
from tests.support.rooms import image_of, layer_bytes, with_layers
from tests.support.shown import python_of_all

EXACT = LayerOptions(nanoseconds=True)
CAPABILITY = b"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
CAPABLE = {b"security.capability": CAPABILITY}
LAYERS = (
    tar(
        *(d("./", 0o755, mtime_ns=5), d("etc", uid=0, gid=12), f("etc/motd", "old\n", uid=3, gid=4)),
        *(f("etc/shadow", "secret", 0o640, gid=42), d("closed", 0o500, uid=9), f("closed/x", "in", 0o400)),
        *(
            d("bin"),
            f("bin/su", "su" * 50, 0o4755),
            f("bin/ping", "p", 0o755, xattrs={b"security.capability": CAPABILITY}),
        ),
        *(f("bin/wall", "w", 0o2755, gid=5), ln("bin/w", "bin/wall"), sym("lib", "usr/lib", uid=7), fifo("pipe")),
        *(d("home", uid=1000, gid=1000), f("home/f", "f", uid=1000, gid=1000), f("gone", "g")),
    ),
    tar(wh("gone"), f("home/g", "g" * 5000, uid=1000, gid=1000, xattrs={b"user.k": b"1"}), d("var"), f("var/new")),
)
PRESENTERS = ["namespace", "farm"]


UNREADABLE = tar(f("etc/shadow", "secret", 0o000), d("shut", 0o000), d("shut/in", 0o000), f("shut/in/x", "in", 0o111))
"""What its owner cannot read."""


@pytest.fixture(params=PRESENTERS)
def user(request, place):
    """Call a function with a room in which an ordinary user has the image, and what shows it."""
    found = python_of_all(place)
    if request.param == "namespace" and found is None:
        pytest.skip("no Python here that an ordinary user can start")

    def run(function, layers=LAYERS):
        def child():
            if found is not None:
                sys.executable, mount.__file__ = found
            with image_of(*layers) as image, Snapshots(place / "room", sync=False) as opened:
                opened.unpack(image)
                return function(opened, image, {"presenters": [request.param]})

        return in_child(child, user=USER)

    return run


def test_the_room_keeps_the_tree_of_the_image(user):
    def work(opened, image, options):
        assert opened.image("app").chain_id == image.layers[-1].chain_id
        assert {os.stat(layer.path).st_uid for layer in opened.stack("app")} == {os.geteuid()}
        with opened.view("app", **options) as view:
            with open("home/g", opener=lambda path, flags: os.open(path, flags, dir_fd=view.fd)) as file:
                assert file.read() == "g" * 5000
            assert sorted(os.listdir(view.fd)) == sorted(os.fsdecode(name) for name in image.tree().root.children)
            assert os.stat("etc/motd", dir_fd=view.fd).st_uid == os.geteuid()
        return dump(opened.tree("app")), dump(image.tree())

    kept, expected = user(work)
    assert kept == expected
    assert "security.capability" in kept
    assert "4755" in kept


def test_files_that_their_owner_cannot_read_are_in_the_room(user):
    def work(opened, image, options):
        with opened.view("app", **options) as view:
            modes = {path: os.stat(path, dir_fd=view.fd).st_mode & 0o7777 for path in ("etc/shadow", "shut")}
        tree, expected = opened.tree("app"), image.tree()
        return modes, [(path, node.mode) for path, node in tree.walk()] == [
            (path, node.mode) for path, node in expected.walk()
        ]

    assert user(work, (*LAYERS, UNREADABLE)) == ({"etc/shadow": 0, "shut": 0}, True)


def test_what_cannot_be_read_is_not_compared_and_no_error(user):
    def checked(opened, _, __):
        found = fsck(opened)
        return found.ok, [each.kind for each in found.findings]

    assert user(checked, layers=[UNREADABLE]) == (True, ["unchecked"])


def test_a_container_in_which_nothing_was_done_has_no_changes(user):
    def work(opened, image, options):
        with opened.container("app", **options) as container:
            return [repr(each) for each in container.changes()], dump(container.tree()), dump(image.tree())

    changes, tree, expected = user(work)
    assert changes == []
    assert tree == expected


def test_what_was_not_changed_keeps_its_owner_mode_and_capabilities(user):
    def work(opened, image, options):
        with opened.container("app", **options) as container:
            root = container.path
            with open(f"{root}/etc/motd", "a", encoding="utf-8") as file:
                file.write("more")
            os.chmod(f"{root}/bin/ping", 0o700)
            os.utime(f"{root}/bin/su", ns=(7, 7))
            os.mkdir(f"{root}/home/own", 0o750)
            os.unlink(f"{root}/var/new")
            shutil.rmtree(f"{root}/var")
            os.symlink("x", f"{root}/home/own/link")
            os.setxattr(f"{root}/home/g", "user.k", b"2")
            layer = layer_bytes(container.commit(options=EXACT))
            tree = container.tree()
            text = dump(tree)
        with with_layers(image, layer) as committed:
            assert dump(committed.tree()) == text
        found = {
            path: tree.at(path) for path in (b"etc/motd", b"bin/ping", b"bin/su", b"home/own", b"home/g", b"closed")
        }
        return {
            path.decode(): (stat.filemode(node.mode), node.uid, node.gid, dict(node.xattrs))
            for path, node in found.items()
        }, text

    found, text = user(work)
    assert found == {
        "etc/motd": ("?rw-r--r--", 3, 4, {}),
        "bin/ping": ("?rwx------", 0, 0, {b"security.capability": CAPABILITY}),
        "bin/su": ("?rwsr-xr-x", 0, 0, {}),
        "home/own": ("?rwxr-x---", 0, 0, {}),
        "home/g": ("?rw-r--r--", 1000, 1000, {b"user.k": b"2"}),
        "closed": ("?r-x------", 9, 0, {}),
    }
    assert "/var " not in text


def test_a_room_is_checked_and_measured_without_false_alarms(user):
    def work(opened, image, options):
        with opened.container("app", name="web", **options) as container:
            os.unlink(f"{container.path}/home/f")
        return [str(each) for each in fsck(opened).findings], du(opened).images[0].name

    assert user(work) == ([], "app")


def test_everything_is_removed_afterwards(user, place):
    def work(opened, image, options):
        for name in ("web", ""):
            with opened.container("app", name=name, **options) as container:
                shutil.rmtree(f"{container.path}/home")
                os.mkdir(f"{container.path}/home", 0o000)
                os.mkdir(f"{container.path}/new")
                with open(f"{container.path}/new/file", "w", encoding="utf-8"):
                    os.chmod(f"{container.path}/new", 0o000)
        opened.remove_container("web")
        opened.remove_image("app")
        assert len(gc(opened, grace=-3600).layers) == 3
        directories = ("layers/sha256", "containers", "tmp", "trash", "images", "leases", "mounts")
        return [os.listdir(f"{opened.place}/{name}") for name in directories]

    (place / "outside").mkdir(mode=0o777)
    assert user(work, (*LAYERS, UNREADABLE)) == [[]] * 7
    assert sorted(os.listdir(place)) == sorted({"outside", "room", *(["mount.py"] if python_of_all(place) else [])})


def test_a_volatile_container_of_a_user_is_removed(user):
    """What the kernel works in has no mode that lets its owner in."""

    def work(opened, image, options):
        container = opened.container("app", **options)
        os.unlink(f"{container.path}/home/f")
        container.close()
        return os.listdir(f"{opened.place}/tmp")

    assert user(work) == []


def test_owners_are_not_mapped_for_an_ordinary_user(user):
    maps = Owner(uids=(IdMap(0, 100_000, 1000),), gids=(IdMap(0, 100_000, 1000),))

    def work(opened, image, presenters):
        return outcome(lambda: opened.view("app", owner=maps)), opened.room.names(b"tmp")

    (error, text), left = user(work)
    assert (error, left) == ("PresenterError", [])
    assert "mapped owners: EPERM" in text
