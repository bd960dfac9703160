"""What fuse-overlayfs writes, read as the kernel's form."""

import os
import shutil

import pytest

from oci_layers.disk import scan
from oci_layers.errors import PresenterError
from oci_layers.snapshot.fuse_form import in_kernel_form
from oci_layers.tree import dump, parse
from tests.support.layers import d, f, ln, tar
from tests.support.rooms import image_of, room


def test_each_way_to_hide_is_the_kernel_s():
    upper = parse(
        "/ dir 0755 0:0 0\n"
        "/d dir 0755 0:0 0 xattr.trusted.overlay.opaque=y xattr.user.fuseoverlayfs.origin=d\n"
        "/d/.wh..opq char 0700 0:0 0 device=0:0\n"
        "/d/.wh..wh..opq file 0700 0:0 0 text=\n"
        "/d/new file 0644 0:0 0 text=1 xattr.user.fuseoverlayfs.origin=x xattr.user.k=v\n"
        "/e dir 0755 0:0 0 xattr.user.fuseoverlayfs.opaque=y\n"
        "/.wh.gone file 0700 0:0 0 text=\n"
        "/device char 0000 0:0 0 device=0:0\n"
        "/one file 0644 0:0 0 text=1\n"
        "/two link /one\n"
    )
    assert dump(in_kernel_form(upper)) == dump(
        parse(
            "/ dir 0755 0:0 0\n"
            "/d dir 0755 0:0 0 xattr.user.overlay.opaque=y\n"
            "/d/new file 0644 0:0 0 text=1 xattr.user.k=v\n"
            "/e dir 0755 0:0 0 xattr.user.overlay.opaque=y\n"
            "/gone char 0000 0:0 0 device=0:0\n"
            "/device char 0000 0:0 0 device=0:0\n"
            "/one file 0644 0:0 0 text=1\n"
            "/two link /one\n"
        )
    )


@pytest.mark.root
@pytest.mark.peer("fuse-overlayfs", "fusermount3")
def test_a_container_of_fuse_overlayfs_has_its_changes(place):
    point = place / "point"
    point.mkdir()
    below = tar(d("etc"), f("etc/motd", "lit"), f("etc/issue", "1"), f("usr/share/x", "1"), f("a", "1"), ln("b", "a"))
    with image_of(below) as image, room(str(place / "room")) as opened:
        opened.unpack(image)
        with opened.container("app", name="fused", at=point, presenters=["fuse"]) as box:
            assert dump(scan(box.path)) == dump(image.tree())
            with open(point / "etc/motd", "a") as file:
                file.write(" again")
            os.unlink(point / "etc/issue")
            shutil.rmtree(point / "usr/share")
            (point / "usr/share").mkdir()
            (point / "usr/share/y").touch()
            (point / "n/m").mkdir(parents=True)
            names = sorted(path for path, _ in scan(box.path).walk())
        files = opened.container_files("fused")
        assert sorted(path for path, _ in files.tree().walk()) == names
        assert files.tree().require("etc/motd").content.size == len("lit again")
        with pytest.raises(PresenterError, match="no presenter was tried"):
            opened.open_container("fused", presenters=["detached"])
        opened.remove_container("fused")
