"""Containers: what is written is in its own directory, and a commit makes of the image what the container shows."""

import contextlib
import errno
import os
import shutil
import stat

import pytest

from oci_layers.build.options import LayerOptions
from oci_layers.disk import scan
from oci_layers.errors import NameFormatError, PlaceMissingError, StoreError, UnsupportedError
from oci_layers.layer import Whiteout
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.fsck import fsck
from oci_layers.tree import dump
from tests.support.examples import examples
from tests.support.faults import open_files
from tests.support.layers import char, d, f, fifo, ln, sym, tar, wh
from tests.support.process import in_child
from tests.support.rooms import image_of, layer_bytes, room, seen, unpacked, with_layers

EXACT = LayerOptions(nanoseconds=True)
BASE = tar(
    *(
        d("./", 0o750, uid=2, gid=3, mtime_ns=5),
        d("etc"),
        f("etc/motd", "old\n"),
        f("etc/passwd", "root", 0o600, uid=1),
    ),
    *(d("usr"), d("usr/bin"), f("usr/bin/su", "su", 0o4755), ln("usr/bin/sg", "usr/bin/su"), sym("bin", "usr/bin")),
    *(d("var"), f("var/a", "a"), f("var/b", "b" * 5000, xattrs={b"user.k": b"1"}), fifo("var/p"), char("var/null")),
    *(d("tmp", 0o1777), f("big", bytes(range(256)) * 400)),
)
LAYERS = BASE, tar(wh("var/a"), f("etc/issue", "2"), ln("motd", "etc/motd"))
pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def image():
    with image_of(*LAYERS) as made:
        yield made


@pytest.fixture(scope="module")
def opened(image):
    with room() as made:
        made.unpack(image)
        yield made


def write(path, data, mode="w"):
    with open(path, mode, encoding="ascii") as file:
        file.write(data)


def change(root):
    """Change a bit of everything."""
    write(f"{root}/etc/motd", "changed\n")
    write(f"{root}/etc/passwd", "user", "a")
    write(f"{root}/new", "new")
    os.chmod(f"{root}/etc/issue", 0o600)
    os.chown(f"{root}/usr/bin/su", 7, 8)
    os.unlink(f"{root}/var/b")
    os.mkfifo(f"{root}/var/b")
    os.unlink(f"{root}/var/null")
    os.mkdir(f"{root}/dir")
    os.symlink("../etc", f"{root}/dir/link")
    os.link(f"{root}/new", f"{root}/dir/same")
    os.link(f"{root}/big", f"{root}/dir/big")
    shutil.rmtree(f"{root}/tmp")
    os.unlink(f"{root}/bin")
    os.mkdir(f"{root}/bin", 0o711)
    os.setxattr(f"{root}/dir", "user.k", b"v")
    os.mknod(f"{root}/zero", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    os.chmod(root, 0o711)


def emptied(root):
    for name in os.listdir(root):
        path = f"{root}/{name}"
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


def remade(root):
    """Remove a directory and make it again, and a file with what it had."""
    shutil.rmtree(f"{root}/etc")
    os.mkdir(f"{root}/etc")
    write(f"{root}/etc/motd", "old\n")
    shutil.rmtree(f"{root}/usr/bin")
    os.mkdir(f"{root}/usr/bin")
    shutil.rmtree(f"{root}/var")
    write(f"{root}/var", "a file now")


def half_a_group(root):
    os.unlink(f"{root}/usr/bin/sg")
    write(f"{root}/motd", "one name of two", "a")


WORKS = {each.__name__: each for each in (change, emptied, remade, half_a_group)}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_a_commit_makes_of_the_image_what_the_container_shows(opened, image, work):
    with opened.container("app") as container:
        assert seen(container.fd) == dump(image.tree())
        work(container.path)
        expected = seen(container.fd)
        assert dump(container.tree()) == expected
        layer = layer_bytes(container.commit(options=EXACT))
        assert layer_bytes(container.commit(options=EXACT)) == layer
    with with_layers(image, layer) as committed:
        assert dump(committed.tree()) == expected
        snapshot = opened.unpack(committed, name="committed")
        with opened.view(snapshot) as view:
            assert seen(view.fd) == expected
        opened.remove_image("committed")
    assert fsck(opened).ok


def test_a_new_name_of_a_lower_file_joins_all_that_it_has(opened, image):
    """A mount shows the other names as another file, since it copies one; the bytes are the same."""
    with opened.container("app") as container:
        os.link("etc/motd", "third", src_dir_fd=container.fd, dst_dir_fd=container.fd)
        tree = container.tree()
        assert {*tree.link_names(tree.at(b"third").inode)} == {b"etc/motd", b"motd", b"third"}
        with with_layers(image, layer_bytes(container.commit(options=EXACT))) as committed:
            assert dump(committed.tree()) == dump(tree)


def test_the_longest_name_is_removed_by_a_commit():
    name = "n" * 255
    with image_of(tar(f(name), f("other"))) as image, room() as opened:
        opened.unpack(image)
        with opened.container("app") as container:
            os.unlink(name, dir_fd=container.fd)
            layer = layer_bytes(container.commit(options=EXACT))
        with with_layers(image, layer) as committed:
            assert [path for path, _ in committed.tree().walk()] == [b"", b"other"]


def test_a_commit_has_whole_seconds_by_default(opened, image):
    with opened.container("app") as container:
        write(f"{container.path}/new", "new")
        os.utime(f"{container.path}/new", ns=(5, 10**18 + 7))
        with with_layers(image, layer_bytes(container.commit())) as committed:
            assert committed.tree().at(b"new").mtime_ns == 10**18


def touch_and_back(root):
    for path in ("etc/motd", "var/b", "usr/bin", "."):
        found = os.stat(f"{root}/{path}")
        os.utime(f"{root}/{path}")
        os.utime(f"{root}/{path}", ns=(found.st_atime_ns, found.st_mtime_ns))


def chmod_and_back(root):
    for path in ("etc/passwd", "usr/bin/su", "etc", "tmp", "."):
        mode = stat.S_IMODE(os.stat(f"{root}/{path}").st_mode)
        os.chmod(f"{root}/{path}", 0o700)
        os.chmod(f"{root}/{path}", mode)


def chown_and_back(root):
    for path in ("etc/passwd", "etc", "bin", "."):
        found = os.lstat(f"{root}/{path}")
        os.lchown(f"{root}/{path}", 77, 78)
        os.lchown(f"{root}/{path}", found.st_uid, found.st_gid)


def the_same_bytes(root):
    for path in ("etc/issue", "var/b", "big"):
        found = os.stat(f"{root}/{path}")
        with open(f"{root}/{path}", "rb+") as file:
            data = file.read()
            file.seek(0)
            file.write(data)
        os.utime(f"{root}/{path}", ns=(found.st_atime_ns, found.st_mtime_ns))


def made_and_removed(root):
    times = {path: os.stat(f"{root}/{path}") for path in (".", "etc")}
    os.mkdir(f"{root}/etc/new")
    write(f"{root}/etc/new/file", "x")
    shutil.rmtree(f"{root}/etc/new")
    os.symlink("x", f"{root}/link")
    os.unlink(f"{root}/link")
    for path, found in times.items():
        os.utime(f"{root}/{path}", ns=(found.st_atime_ns, found.st_mtime_ns))


def xattr_and_back(root):
    os.setxattr(f"{root}/var/b", "user.k", b"2")
    os.setxattr(f"{root}/var/b", "user.k", b"1")
    os.setxattr(f"{root}/etc", "user.new", b"2")
    os.removexattr(f"{root}/etc", "user.new")


def nothing(_):
    pass


def opened_for_writing(root):
    with open(f"{root}/etc/issue", "r+", encoding="ascii"):
        pass


VAIN = (
    *(nothing, touch_and_back, chmod_and_back, chown_and_back, the_same_bytes, made_and_removed, xattr_and_back),
    opened_for_writing,
)


@pytest.mark.parametrize("work", VAIN, ids=lambda work: work.__name__)
def test_what_is_as_it_was_is_not_in_the_layer(opened, image, work):
    with opened.container("app") as container:
        work(container.path)
        assert list(container.changes()) == []
        assert not layer_bytes(container.commit()).strip(b"\0")
        assert dump(container.tree()) == dump(image.tree())


def test_a_hundred_containers_over_one_image_see_nothing_of_one_another(opened, image):
    count = examples(dev=20, ci=100)
    with contextlib.ExitStack() as closing:
        containers = [closing.enter_context(opened.container("app")) for _ in range(count)]
        for number, each in enumerate(containers):
            for path in ("etc/motd", "big", "new", f"only-{number}"):
                write(f"{each.path}/{path}", str(number))
            os.unlink(f"{each.path}/etc/issue")
        for number, each in enumerate(containers):
            names = sorted(name for name in os.listdir(each.fd) if name.startswith("only"))
            assert names == [f"only-{number}"]
            for path in ("etc/motd", "big", "new"):
                with open(f"{each.path}/{path}", encoding="ascii") as file:
                    assert file.read() == str(number)
            assert Whiteout(b"etc/issue") in list(each.changes())
        assert fsck(opened).ok
        with opened.view("app") as view:
            assert seen(view.fd) == dump(image.tree())
    assert os.listdir(f"{opened.place}/tmp") == []


# Upper directories that another program wrote.


@pytest.mark.parametrize("space", ["user", "trusted"])
@pytest.mark.parametrize("name", ["redirect", "metacopy"])
@pytest.mark.parametrize("path", ["etc", "etc/motd"])
def test_a_redirect_and_a_file_without_its_content_are_refused_with_the_path(opened, space, name, path):
    opened.create_container("app", "smuggled")
    upper = f"{opened.place}/containers/smuggled/fs"
    try:
        os.mkdir(f"{upper}/etc")
        write(f"{upper}/etc/motd", "")
        os.setxattr(f"{upper}/{path}", f"{space}.overlay.{name}", b"/usr")
        files = opened.container_files("smuggled")
        for read in (files.tree, lambda: list(files.changes()), lambda: layer_bytes(files.commit())):
            with pytest.raises(UnsupportedError, match=f"{path} ") as caught:
                read()
            assert name in str(caught.value)
    finally:
        opened.remove_container("smuggled")


def test_an_unknown_mark_of_an_overlay_is_refused(opened):
    opened.create_container("app", "odd")
    try:
        write(f"{opened.place}/containers/odd/fs/x", "")
        os.setxattr(f"{opened.place}/containers/odd/fs/x", "user.overlay.unheard", b"")
        with pytest.raises(UnsupportedError, match="unheard"):
            opened.container_files("odd").tree()
    finally:
        opened.remove_container("odd")


# Names, and what becomes of containers.


@pytest.fixture
def own():
    with unpacked(*LAYERS) as (made, _):
        yield made


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "-x", "a b", "x" * 129, "a\n", "é"])
def test_a_name_that_no_container_can_have_is_refused(own, name):
    with pytest.raises(NameFormatError):
        own.create_container("app", name)
    assert own.containers() == []


def test_a_container_with_a_name_stays_and_is_opened_again(own):
    with own.container("app", name="web") as container:
        write(f"{container.path}/etc/motd", "1")
        first = seen(container.fd)
        with pytest.raises(StoreError, match="container web is in use"):
            own.open_container("web")
        with pytest.raises(StoreError, match="container web is in use"):
            own.remove_container("web")
    assert dump(own.container_files("web").tree()) == first
    with own.open_container("web") as container:
        assert seen(container.fd) == first
        assert (container.name, container.record.image) == ("web", "app")


def test_a_container_can_be_committed_while_it_is_open_and_after(own):
    with own.container("app", name="web") as container:
        write(f"{container.path}/x", "1")
        layer = layer_bytes(container.commit())
        assert layer_bytes(own.container_files("web").commit()) == layer
    assert layer_bytes(own.container_files("web").commit()) == layer


def test_a_container_is_reset(own):
    with own.container("app", name="web") as container:
        before = seen(container.fd)
        change(container.path)
    own.reset_container("web")
    with own.open_container("web") as container:
        assert seen(container.fd) == before
    assert list(own.container_files("web").changes()) == []


def test_a_container_without_a_name_is_gone_when_it_is_closed(own):
    with own.container("app") as container:
        write(f"{container.path}/x", "1")
        assert own.containers() == []
        assert len(os.listdir(f"{own.place}/tmp")) == 1
    assert os.listdir(f"{own.place}/tmp") == []
    with pytest.raises(OSError) as caught:
        os.fstat(container.fd)
    assert caught.value.errno == errno.EBADF


def test_a_container_that_does_not_exist_is_missing(own):
    for do in (own.open_container, own.container_files, own.remove_container, own.reset_container):
        with pytest.raises(PlaceMissingError, match="it has no container none"):
            do("none")
    with pytest.raises(PlaceMissingError, match="it has no image 'none'"):
        own.container("none")


def test_a_container_over_an_image_without_layers_is_an_empty_directory(own):
    with image_of(name="empty") as image:
        own.unpack(image)
    with own.container("empty") as container:
        assert seen(container.fd).startswith("/ dir 0755 0:0 ")
        assert list(container.changes()) == [] or [type(each).__name__ for each in container.changes()] == ["Add"]
        write(f"{container.path}/x", "1")
        with image_of(layer_bytes(container.commit(options=EXACT))) as committed:
            assert dump(committed.tree()) == seen(container.fd)


def test_a_container_outlives_the_name_of_its_image(own):
    with own.container("app", name="web") as container:
        write(f"{container.path}/x", "1")
        before = seen(container.fd)
    own.remove_image("app")
    with own.open_container("web") as container:
        assert seen(container.fd) == before
    own.reset_container("web")
    assert own.container_files("web").record.image == "app"


def test_a_directory_may_be_moved_only_if_it_is_the_containers_own(own):
    with own.container("app") as container:
        with pytest.raises(OSError) as caught:
            os.rename(f"{container.path}/etc", f"{container.path}/other")
        assert caught.value.errno == errno.EXDEV
        os.mkdir(f"{container.path}/own")
        os.rename(f"{container.path}/own", f"{container.path}/moved")


def test_the_layers_are_only_read(own):
    before = {layer.path: dump(scan(layer.path)) for layer in own.stack("app")}
    with own.container("app") as container:
        change(container.path)
        emptied(container.path)
    assert {layer.path: dump(scan(layer.path)) for layer in own.stack("app")} == before


def test_nothing_stays_open(own):
    before = open_files()
    with own.container("app", name="web") as container, own.view("app"):
        write(f"{container.path}/x", "1")
        list(container.changes())
    own.remove_container("web")
    assert open_files() == before


def test_a_container_that_is_killed_is_what_it_was_on_disk(own):
    """Nothing is mounted afterwards, and the lock is free."""

    def use():
        with Snapshots(own.place, sync=False) as other, other.container("app", name="web") as container:
            write(f"{container.path}/x", "1")
            os.kill(os.getpid(), 9)

    with pytest.raises(EOFError):
        in_child(use)
    with own.open_container("web") as container, open(f"{container.path}/x", encoding="ascii") as file:
        assert file.read() == "1"
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        assert own.place not in mounts.read()


def test_the_attributes_of_the_root_are_those_of_the_image(own, image):
    with own.container("app") as container:
        found = os.fstat(container.fd)
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns) == (0o750, 2, 3, 5)
        assert image.tree().root.mode == 0o750


def test_an_attribute_of_a_mount_in_a_farm_is_a_files_own(opened):
    with opened.container("app", name="plain", presenters=["farm"]) as container:
        os.setxattr(f"{container.path}/var", "user.overlay.opaque", b"y")
        os.setxattr(f"{container.path}/etc/motd", "user.overlay.metacopy", b"")
        os.mknod(f"{container.path}/etc/null", stat.S_IFCHR)
        assert dump(container.tree()) == seen(container.fd)
        assert {change.path for change in container.changes()} == {
            b"",
            b"etc",
            b"etc/null",
            b"etc/motd",
            b"motd",
            b"var",
        }
    opened.remove_container("plain")


def test_a_container_without_a_name_cannot_be_left(opened, tmp_path):
    with opened.container("app", at=tmp_path) as container:
        with pytest.raises(ValueError, match="without a name"):
            container.leave()
        write(tmp_path / "etc/new", "new")
        assert {change.path for change in container.changes()} == {b"", b"etc", b"etc/new"}
    assert opened.mounts() == []
    assert os.listdir(tmp_path) == []
