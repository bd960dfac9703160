"""What an upper directory shows over the layers of an image, read from the directory alone."""

import os
import shutil
import stat
import subprocess

import pytest

from oci_layers.errors import UnsupportedError
from oci_layers.tree import dump
from tests.support.layers import char, d, f, fifo, ln, sym, tar
from tests.support.rooms import seen, unpacked

LAYERS = (
    tar(d("a", uid=3), f("a/x", "1" * 100, xattrs={b"user.k": b"1"}), ln("l", "a/x"), sym("s", "a"), fifo("p")),
    tar(f("b", "2"), char("null"), d("gone"), f("gone/y")),
)
pytestmark = pytest.mark.root


@pytest.fixture
def made():
    """A room, the files of a container, and its upper directory."""
    with unpacked(*LAYERS) as (opened, _):
        opened.create_container("app", "web")
        yield opened, opened.container_files("web"), f"{opened.place}/containers/web/fs"


def names(files):
    return [(type(change).__name__, change.path) for change in files.changes() if change.path]


def test_an_empty_directory_shows_the_image(made):
    opened, files, _ = made
    assert list(files.changes()) == []
    assert dump(files.tree()) == dump(opened.tree("app"))
    assert files.lower() == opened.tree("app")


def test_what_a_mount_wrote_is_shown_when_it_is_not_mounted(made):
    opened, files, _ = made
    with opened.open_container("web") as container:
        os.chmod("a/x", 0o600, dir_fd=container.fd)
        shutil.rmtree(f"{container.path}/gone")
        os.mkdir("gone", dir_fd=container.fd)
        os.mkfifo("gone/p", dir_fd=container.fd)
        os.unlink("null", dir_fd=container.fd)
        os.chown("s", 5, 5, dir_fd=container.fd, follow_symlinks=False)
        os.chown("p", 5, 5, dir_fd=container.fd)
        shown = seen(container.fd)
    assert dump(files.tree()) == shown


def test_a_whiteout_of_nothing_is_no_change(made):
    _, files, upper = made
    os.mknod(f"{upper}/none", stat.S_IFCHR)
    assert names(files) == []


def test_a_copy_of_what_is_below_is_no_change(made):
    opened, files, upper = made
    for path in ("b", "s", "p", "null"):
        source = next(layer.path for layer in opened.stack("app") if os.path.lexists(f"{layer.path}/{path}"))
        subprocess.run(["cp", "-a", f"{source}/{path}", f"{upper}/{path}"], check=True)
    assert names(files) == []


def test_a_file_that_the_layer_has_no_more_is_taken_as_it_is(made):
    opened, files, upper = made
    os.unlink(f"{opened.stack('app')[0].path}/b")
    with open(f"{upper}/b", "w", encoding="ascii") as file:
        file.write("3")
    assert names(files) == [("Add", b"b")]


def test_marks_of_a_mount_are_no_attributes(made):
    _, files, upper = made
    os.mkdir(f"{upper}/new")
    for mark in ("origin", "impure", "uuid"):
        os.setxattr(f"{upper}/new", f"user.overlay.{mark}", b"y")
    os.setxattr(f"{upper}/new", "user.overlay.overlay.opaque", b"own")
    assert dict(files.tree().at(b"new").xattrs) == {b"user.overlay.opaque": b"own"}


def test_an_opaque_directory_hides_what_is_below(made):
    _, files, upper = made
    os.mkdir(f"{upper}/gone")
    os.setxattr(f"{upper}/gone", "user.overlay.opaque", b"y")
    assert names(files) == [("Add", b"gone"), ("Whiteout", b"gone/y")]


def test_a_mark_of_the_other_name_space_is_refused_unless_the_image_has_it():
    mark = {b"trusted.overlay.redirect": b"/x"}
    with unpacked(tar(f("own", "1", xattrs=mark))) as (opened, _), opened.container("app") as container:
        os.chmod("own", 0o600, dir_fd=container.fd)
        assert names(container) == [("Add", b"own")]
        os.setxattr(f"{container.path}/own", "trusted.overlay.redirect", b"/y")
        with pytest.raises(UnsupportedError, match="own"):
            container.tree()


def test_a_directory_that_is_gone_is_an_error_that_names_it(made):
    _, files, upper = made
    os.rmdir(upper)
    with pytest.raises(FileNotFoundError) as caught:
        files.tree()
    assert caught.value.filename == upper


def test_a_farm_has_all_files_and_what_it_lacks_was_removed():
    with unpacked(*LAYERS) as (opened, _), opened.container("app", presenters=["farm"]) as container:
        assert names(container) == []
        shutil.rmtree(f"{container.path}/gone")
        os.unlink(f"{container.path}/a/x")
        os.unlink(f"{container.path}/l")
        os.mkdir(f"{container.path}/l")
        found = names(container)
        assert {("Whiteout", b"gone"), ("Whiteout", b"a/x"), ("Add", b"l")} <= set(found)
        assert dump(container.tree()) == seen(container.fd)
