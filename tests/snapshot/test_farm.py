"""An image as one directory of clones, links or copies, where nothing can be mounted."""

import os
import shutil

import pytest

from oci_layers import system
from oci_layers.disk import scan
from oci_layers.errors import PresenterError
from oci_layers.snapshot import fsck
from oci_layers.tree import dump
from tests.support.layers import char, d, f, ln, sym, tar, wh
from tests.support.rooms import image_of, room

LAYERS = [
    tar(
        d("etc", mode=0o700), f("etc/motd", "lit"), f("bin/sh", "#!" * 100), ln("bin/ash", "bin/sh"), sym("sbin", "bin")
    ),
    tar(wh("etc/motd"), f("etc/issue", "x" * 5000), char("dev/null"), f("bin/ls", mode=0o4755)),
]
pytestmark = pytest.mark.root


@pytest.fixture
def image():
    with image_of(*LAYERS) as made:
        yield made


@pytest.mark.parametrize("share", ["clone", "link", "none"])
def test_a_farm_shows_the_tree_of_the_image(place, image, share):
    with room(str(place / "room"), share=share) as opened:
        opened.unpack(image)
        with opened.view("app", presenters=["farm"]) as view:
            assert (view.presenter, view.refused, view.mount_point) == ("farm", (), None)
            assert dump(scan(view.fd)) == dump(image.tree())
        assert os.listdir(place / "room" / "tmp") == []
        assert fsck(opened).ok


def test_linked_files_are_those_of_the_layers_and_only_to_be_read(place, image):
    with room(str(place / "room"), share="link") as opened:
        opened.unpack(image)
        below = os.stat(f"{opened.stack('app')[0].path}/etc/issue").st_ino
        with opened.view("app", presenters=["farm"]) as view:
            assert os.stat("etc/issue", dir_fd=view.fd).st_ino == below
        with opened.container("app", presenters=["farm"]) as box:
            assert os.stat("etc/issue", dir_fd=box.fd).st_ino != below


@pytest.mark.parametrize("share", ["clone", "link"])
def test_a_container_without_a_mount_has_its_changes(place, image, share):
    with room(str(place / "room"), share=share) as opened:
        opened.unpack(image)
        with opened.container("app", presenters=["farm"]) as box:
            assert list(box.changes()) == []
            shutil.rmtree(os.path.join(box.path, "bin"))
            with open(os.path.join(box.path, "etc/issue"), "a") as file:
                file.write("more")
            os.mkdir(os.path.join(box.path, "new"), 0o755)
            found = [(type(change).__name__, change.path) for change in box.changes()]
            assert found == [
                ("Add", b""),
                ("Whiteout", b"bin"),
                ("Add", b"etc"),
                ("Add", b"etc/issue"),
                ("Add", b"new"),
            ]
            assert dump(box.tree()) == dump(scan(box.fd))
        assert fsck(opened).ok


def test_what_a_farm_does_not_hold_is_no_change(place):
    """A device 0:0, which would be read as a whiteout, and attributes that mean something to a mount."""
    odd = tar(char("zero", 0, 0), ln("nought", "zero"), f("x", xattrs={b"user.overlay.k": b"1", b"user.k": b"2"}))
    with image_of(odd) as image, room(str(place / "room")) as opened:
        opened.unpack(image)
        with opened.container("app", presenters=["farm"]) as box:
            assert os.listdir(box.fd) == ["x"]
            assert list(box.changes()) == []
            assert dump(box.tree()) == dump(image.tree())


def test_a_container_stays_a_farm(place, image):
    with room(str(place / "room")) as opened:
        opened.unpack(image)
        with opened.container("app", name="kept", presenters=["farm"]) as box:
            os.unlink("etc/issue", dir_fd=box.fd)
        with opened.open_container("kept") as box:
            assert box.presenter == "farm"
            assert os.listdir(os.path.join(box.path, "etc")) == []
            assert [change.path for change in box.changes()] == [b"", b"etc", b"etc/issue"]
        with pytest.raises(PresenterError):
            opened.open_container("kept", presenters=["detached"])


def test_a_farm_is_the_last_resort_and_says_why(place, image, monkeypatch):
    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted", "fsopen")

    monkeypatch.setattr("oci_layers.snapshot.presenter._refusals", {})
    monkeypatch.setattr(system, "mount_overlay", refuse)
    monkeypatch.setattr(system, "mount_overlay_in_namespace", refuse)
    with room(str(place / "room")) as opened:
        opened.unpack(image)
        with opened.view("app") as view:
            assert view.presenter == "farm"
            assert dict(view.refused)["detached"].startswith("EPERM")
        with pytest.raises(PresenterError, match="EPERM"):
            opened.view("app", at=place, presenters=["mounted", "farm"])
