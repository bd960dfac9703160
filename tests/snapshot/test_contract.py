"""The contract that snapshots have elsewhere, case by case, as containers and images of a room keep it.

The cases are those of containerd's suite (core/snapshots/testsuite). A committed snapshot is an image with one more
layer, which a container's commit makes; an active one is a container with a name; a view is a view.
"""

import contextlib
import errno
import os
import shutil
import stat

import attrs
import pytest

from oci_layers.build.options import LayerOptions
from oci_layers.disk import scan
from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot.gc import gc
from oci_layers.tree.node import File
from tests.support.examples import examples
from tests.support.rooms import image_of, layer_bytes, room, seen

EXACT = LayerOptions(nanoseconds=True)
pytestmark = pytest.mark.root


@attrs.define
class Snapshotter:
    """A room with the calls of the contract. `tars` has the layers of each committed snapshot, by name."""

    room: object
    tars: dict = attrs.Factory(lambda: {"": ()})
    keys: dict = attrs.Factory(dict)

    def __attrs_post_init__(self):
        self._unpack("")

    def _unpack(self, name):
        with image_of(*self.tars[name], name=name) as image:
            return self.room.unpack(image)

    @contextlib.contextmanager
    def prepare(self, key, parent=""):
        """Make an active snapshot over a committed one, and open it."""
        self.keys[key] = parent
        with self.room.container(parent, name=key) as container:
            yield container

    @contextlib.contextmanager
    def opened(self, key):
        with self.room.open_container(key) as container:
            yield container

    def commit(self, name, key):
        """Make a committed snapshot of an active one, which is gone then."""
        tar = layer_bytes(self.room.container_files(key).commit(options=EXACT))
        self.tars[name] = (*self.tars[self.keys.pop(key)], tar)
        self.room.remove_container(key)
        return self._unpack(name)

    def step(self, name, parent, work):
        """Prepare, do something, and commit; the committed snapshot shows what the active one did."""
        with self.prepare("key-" + name, parent) as container:
            work(container.path)
            before = seen(container.fd)
        self.commit(name, "key-" + name)
        assert self.shown(name) == before

    def shown(self, name):
        with self.room.view(name) as view:
            return seen(view.fd)

    def files(self, name):
        """The files of a committed snapshot, as {path: bytes}."""
        with self.room.view(name) as view:
            return {path: data for path, data in files_of(view.fd).items() if data is not None}


def files_of(fd):
    """What an open directory, or a path, has below it, as {path: bytes}; None for a directory."""
    return {
        path.decode(): b"".join(node.content.chunks()) if isinstance(node, File) else None
        for path, node in scan(fd).walk()
    }


@pytest.fixture
def snapshots():
    with room() as opened:
        yield Snapshotter(opened)


def write(path, data="", mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(data)
    os.chmod(path, mode)


def works(*steps):
    """One function that does several things with a path."""

    def work(path):
        for step in steps:
            step(path)

    return work


def w(name, data="", mode=0o644):
    return lambda path: write(f"{path}/{name}", data, mode)


def mkdir(name, mode=0o755):
    def make(path):
        os.mkdir(f"{path}/{name}")
        os.chmod(f"{path}/{name}", mode)

    return make


def rm(name):
    def remove(path):
        where = f"{path}/{name}"
        shutil.rmtree(where) if os.path.isdir(where) and not os.path.islink(where) else os.unlink(where)

    return remove


def test_basic(snapshots):
    one = works(w("foo", "foo\n", 0o777), mkdir("a"), mkdir("a/b"), mkdir("a/b/c"))
    two = works(w("bar", "bar\n"), w("foo", "foo, changed\n"), rm("a/b"))
    snapshots.step("one", "", one)
    assert snapshots.files("one") == {"foo": b"foo\n"}
    snapshots.step("two", "one", two)
    assert snapshots.files("two") == {"foo": b"foo, changed\n", "bar": b"bar\n"}
    with pytest.raises(PlaceMissingError):
        snapshots.room.open_container("key-two")
    with snapshots.prepare("active", "two") as container:
        assert seen(container.fd) == snapshots.shown("two")
    assert [each.name for each in snapshots.room.images()] == ["", "one", "two"]
    # An image may go while another has its layers; they stay as long as that does.
    snapshots.room.remove_image("one")
    assert gc(snapshots.room, grace=0).layers == ()
    assert snapshots.files("two") == {"foo": b"foo, changed\n", "bar": b"bar\n"}
    snapshots.room.remove_container("active")
    snapshots.room.remove_image("two")
    assert len(gc(snapshots.room, grace=-1).layers) == 2


def test_stat_of_active_and_committed(snapshots):
    with snapshots.prepare("active") as container:
        record = container.record
        assert (record.name, record.image, record.chain_id) == ("active", "", None)
    (found,) = snapshots.room.containers()
    assert found == record
    committed = snapshots.commit("committed", "active")
    assert snapshots.room.image("committed").chain_id == committed.chain_id
    assert snapshots.room.containers() == []
    with pytest.raises(PlaceMissingError):
        snapshots.room.image("active")


def test_the_parent_of_the_parent_is_known(snapshots):
    snapshots.step("one", "", w("1"))
    snapshots.step("two", "one", w("2"))
    snapshots.step("three", "two", w("3"))
    stack = snapshots.room.stack("three")
    assert [layer.record.parent for layer in stack] == [*(layer.chain_id for layer in stack[1:]), None]
    assert [layer.chain_id for layer in stack[1:]] == [layer.chain_id for layer in snapshots.room.stack("two")]


def test_a_key_is_taken_once(snapshots):
    snapshots.step("one", "", w("1"))
    with snapshots.prepare("key", "one"):
        with pytest.raises(StoreError, match="it has a container key already"):
            snapshots.room.container("one", name="key")
        with pytest.raises(StoreError, match="it has a container key already"):
            snapshots.room.create_container("", "key")
    with pytest.raises(PlaceMissingError):
        snapshots.room.container("none", name="other")
    assert [each.name for each in snapshots.room.containers()] == ["key"]
    # A view needs no key.
    with snapshots.room.view("one") as one, snapshots.room.view("one") as two:
        assert seen(one.fd) == seen(two.fd)


def test_remove(snapshots):
    snapshots.step("one", "", w("1", "first"))
    with snapshots.prepare("key", "one") as container:
        write(f"{container.path}/2")
    snapshots.room.remove_container("key")
    with snapshots.prepare("key", "one") as container:
        assert sorted(os.listdir(container.fd)) == ["1"]
    snapshots.room.remove_container("key")
    snapshots.room.remove_image("one")
    with pytest.raises(PlaceMissingError):
        snapshots.room.container("one")
    snapshots.step("one", "", w("1", "again"))
    assert snapshots.files("one") == {"1": b"again"}


def test_walk(snapshots):
    for name in "abc":
        snapshots.step(name, "", w(name))
        snapshots.room.create_container(name, f"of-{name}")
    images, containers = snapshots.room.images(), snapshots.room.containers()
    assert [each.name for each in images] == ["", "a", "b", "c"]
    assert [(each.name, each.image) for each in containers] == [("of-a", "a"), ("of-b", "b"), ("of-c", "c")]
    # What is listed can be looked at while it is.
    assert [snapshots.room.image(each.name) for each in snapshots.room.images()] == images
    for each in containers:
        assert snapshots.room.container_files(each.name).record == each


def test_a_file_changed_in_the_same_second_at_the_same_size(snapshots):
    snapshots.step("0", "", works(*(w(name, "0") for name in "abcde")))
    for number in range(1, 6):
        snapshots.step(str(number), str(number - 1), works(*(w(name, str(number)) for name in "abcde")))
        assert set(snapshots.files(str(number)).values()) == {b"%d" % number}


def test_a_directory_that_is_removed_and_made_again_hides_what_was_in_it(snapshots):
    snapshots.step("one", "", works(mkdir("lib"), w("lib/hidden", "x")))
    snapshots.step("two", "one", works(rm("lib"), mkdir("lib"), w("lib/not-hidden", "y")))
    snapshots.step("three", "two", w("lib/not-hidden", "z"))
    assert snapshots.files("three") == {"lib/not-hidden": b"z"}


def test_chown(snapshots):
    snapshots.step("one", "", works(mkdir("opt"), mkdir("opt/a"), mkdir("opt/a/b"), w("opt/a/b/file.txt", "hello")))

    def chown(path):
        for above, directories, files in os.walk(f"{path}/opt"):
            for name in (".", *directories, *files):
                os.chown(os.path.join(above, name), 1, 1)

    snapshots.step("two", "one", chown)
    with snapshots.room.view("two") as view:
        for path in ("opt", "opt/a", "opt/a/b", "opt/a/b/file.txt"):
            found = os.stat(path, dir_fd=view.fd)
            assert (found.st_uid, found.st_gid) == (1, 1), path


def test_owners_and_modes_of_directories_that_are_made_again(snapshots):
    def owned(*names):
        return works(*(lambda path, name=name: os.chown(f"{path}/{name}", 1, 1) for name in names))

    tree = works(
        mkdir("d1", 0o700),
        mkdir("d2"),
        mkdir("d2/d", 0o777),
        mkdir("d3"),
        w("d3/f", "f"),
        mkdir("d4", 0o711),
        mkdir("d5"),
    )
    snapshots.step("one", "", works(tree, owned("d1", "d3", "d5")))
    snapshots.step("two", "one", works(owned("d2", "d4", "d2/d"), rm("d3"), rm("d1"), w("d5/f", "new")))
    snapshots.step("three", "two", works(mkdir("d1", 0o711), mkdir("d3", 0o700), owned("d3"), w("d4/f")))
    with snapshots.room.view("three") as view:
        found = {name: os.stat(name, dir_fd=view.fd) for name in ("d1", "d2", "d2/d", "d3", "d4", "d5")}
    assert {name: (each.st_uid, stat.S_IMODE(each.st_mode)) for name, each in found.items()} == {
        "d1": (0, 0o711),
        "d2": (1, 0o755),
        "d2/d": (1, 0o777),
        "d3": (1, 0o700),
        "d4": (1, 0o711),
        "d5": (1, 0o755),
    }


def test_a_layer_in_the_middle_stays_and_the_topmost_can_go(snapshots):
    for name, parent in (("one", ""), ("two", "one"), ("three", "two")):
        snapshots.step(name, parent, w(name))
    snapshots.room.remove_image("two")
    assert gc(snapshots.room, grace=-1).layers == ()
    top = snapshots.room.stack("three")[0].chain_id
    snapshots.room.remove_image("three")
    assert gc(snapshots.room, grace=-1).layers[0] == top
    assert snapshots.files("one") == {"one": b""}


def test_files_removed_in_a_child_stay_removed_below_an_empty_layer(snapshots):
    snapshots.step("one", "", works(w("foo", "1"), w("kept", "2")))
    snapshots.step("two", "one", rm("foo"))
    snapshots.step("three", "two", lambda _: None)
    assert snapshots.files("three") == {"kept": b"2"}


def test_a_lower_file_moves_with_its_directory(snapshots):
    def move(path):
        os.mkdir(f"{path}/dir2")
        os.link(f"{path}/dir1/f1", f"{path}/dir2/f2")
        os.unlink(f"{path}/dir1/f1")
        shutil.rmtree(f"{path}/dir1")

    snapshots.step("one", "", works(mkdir("dir1"), w("dir1/f1", "moved")))
    snapshots.step("two", "one", move)
    assert snapshots.files("two") == {"dir2/f2": b"moved"}


def test_a_view_is_not_written(snapshots):
    snapshots.step("one", "", works(w("foo", "1"), mkdir("a")))
    with snapshots.room.view("one") as view:
        for attempt in (
            lambda: write(f"{view.path}/foo", "x"),
            lambda: write(f"{view.path}/a/new", "x"),
            lambda: os.unlink(f"{view.path}/foo"),
            lambda: os.chmod(f"{view.path}/foo", 0o600),
            lambda: os.mkdir(f"{view.path}/b"),
            lambda: os.rename(f"{view.path}/foo", f"{view.path}/bar"),
            lambda: os.setxattr(f"{view.path}/foo", "user.k", b""),
        ):
            with pytest.raises(OSError) as caught:
                attempt()
            assert caught.value.errno == errno.EROFS
    assert snapshots.files("one") == {"foo": b"1"}


def test_closing_twice_is_fine(snapshots):
    snapshots.step("one", "", w("1"))
    view = snapshots.room.view("one")
    container = snapshots.room.container("one")
    for each in (view, view, container, container, snapshots.room, snapshots.room):
        each.close()


def test_the_root_has_the_mode_of_a_root(snapshots):
    with snapshots.prepare("key") as container:
        assert stat.S_IMODE(os.fstat(container.fd).st_mode) == 0o755
        write(f"{container.path}/x")
    snapshots.commit("one", "key")
    with snapshots.room.view("one") as view, snapshots.room.container("one") as container:
        assert [stat.S_IMODE(os.fstat(each.fd).st_mode) for each in (view, container)] == [0o755, 0o755]


def test_rename(snapshots):
    def rename(path):
        with contextlib.suppress(OSError):  # An overlay mount renames no directory of a lower layer.
            os.rename(f"{path}/dir1", f"{path}/dir2")
        os.rename(f"{path}/f1", f"{path}/f2")
        os.rename(f"{path}/f3", f"{path}/new")
        os.mkdir(f"{path}/made")
        os.rename(f"{path}/made", f"{path}/renamed")

    snapshots.step("one", "", works(mkdir("dir1"), w("dir1/f", "in"), w("f1", "1"), w("f2", "2"), w("f3", "3")))
    snapshots.step("two", "one", rename)
    assert snapshots.files("two") == {"dir1/f": b"in", "f2": b"1", "new": b"3"}
    assert " dir " in snapshots.shown("two").split("/renamed", 1)[1].splitlines()[0]


def test_128_layers(snapshots, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()

    def work(number):
        def change(path):
            write(f"{path}/bottom" if number == 0 else f"{path}/overwritten", str(number))
            write(f"{path}/add-{number}", "x" * number)
            shutil.rmtree(f"{path}/again", ignore_errors=True)
            os.mkdir(f"{path}/again")
            write(f"{path}/again/{number}", str(number))

        return change

    parent = ""
    for number in range(examples(dev=12, ci=128)):
        with snapshots.prepare("key", parent) as container:
            assert files_of(container.fd) == files_of(flat)
            for each in (container.path, flat):
                work(number)(each)
            if number % 16 == 0:
                assert files_of(container.fd) == files_of(flat)
        snapshots.commit(str(number), "key")
        snapshots.room.remove_image(parent)
        parent = str(number)
    with snapshots.room.view(parent) as view:
        assert files_of(view.fd) == files_of(flat)
