"""Law: a container does what a plain directory does, and what it commits makes of the image what it shows.

The steps are those of `test_a_box_is_a_file_system`, done in a mount of a room and in a directory beside it, with the
same result or errno. An overlay mount renames no directory that a layer has (EXDEV); that is the one difference. Two
more are left out: a file that is open for reading while another handle first writes to it, and several names of a file
of the image: a mount takes them apart when one is written to, and gives those of a symbolic link numbers of their own.
"""

import contextlib
import errno
import os
import pathlib
import re

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, multiple, rule, run_state_machine_as_test

from oci_layers.build.layer import NewLayer
from oci_layers.build.options import LayerOptions
from oci_layers.disk import scan
from oci_layers.snapshot.fsck import fsck
from oci_layers.tree import dump
from tests.property import test_a_box_is_a_file_system as box
from tests.support.examples import examples
from tests.support.rooms import image_of, layer_bytes, room, seen, with_layers

EXACT = LayerOptions(nanoseconds=True)
TIME = re.compile(r"\b-?\d+\.\d{9}\b")


class Inside(type(pathlib.Path())):
    """A path in a container, with the calls that paths in a box have."""

    def open(self, mode, buffering=-1):
        return box.real_open(self, mode, buffering)

    def write_bytes(self, data):
        with self.open("wb") as file:
            return file.write(data)

    def read_bytes(self):
        with self.open("rb") as file:
            return file.read()

    def rmtree(self):
        box.real_rmtree(self)

    def truncate(self, size):
        os.truncate(self, size)

    def mkfifo(self):
        os.mkfifo(self)

    def chown(self, uid, gid, *, follow_symlinks=True):
        os.chown(self, uid, gid, follow_symlinks=follow_symlinks)

    def set_xattr(self, name, value):
        os.setxattr(self, name, value)

    def remove_xattr(self, name):
        os.removexattr(self, name)


class ContainerMachine(box.BoxMachine):
    ask = snapshot = None

    @initialize(target=box.FILES)
    def begin(self):
        for directory in ("a", "a/b", "c"):
            (self.real / directory).mkdir()
        (self.real / "a/a").write_bytes(b"lower" * 40_000)
        (self.real / "c/a").write_bytes(b"another")
        (self.real / "a/c").write_bytes(b"small")
        (self.real / "d").symlink_to("a")
        (self.real / "b").symlink_to("c/no")
        self.opened_room = room()
        self.room = self.opened_room.__enter__()
        layer = layer_bytes(NewLayer.from_directory(self.real, options=EXACT))
        self.image = image_of(layer)
        self.container = self.room.container(self.room.unpack(self.image))
        self.root = Inside(self.container.path)
        return multiple(*(self.opened(path, mode) for path, mode in (("a/a", "r+b"), ("c/a", "ab"), ("a/c", "a+b"))))

    def both(self, real, ours):
        umask = os.umask(0o022)
        try:
            result = box.outcome(ours)
            if result == os.strerror(errno.EXDEV):
                assert self.moved is not None
                assert os.path.isdir(self.root / self.moved)
            else:
                assert result == box.outcome(real)
        finally:
            os.umask(umask)

    moved = None

    @rule(source=box.paths, other=box.places)
    def rename(self, source, other):
        self.moved = source
        super().rename(source, other)
        self.moved = None

    @rule(path=box.places, other=box.paths)
    def link(self, path, other):
        if not os.path.islink(self.root / other):
            super().link(path, other)

    @rule(target=box.FILES, path=box.paths, mode=st.sampled_from(["r+b", "wb", "w+b", "ab", "a+b", "xb", "x+b"]))
    def open_file(self, path, mode):
        return self.opened(path, mode)

    @rule(path=box.paths)
    def unchanged(self, path):
        """Do to a path what leaves it as it is, and copies it up."""
        found = box.outcome(lambda: os.stat(self.root / path))
        if not isinstance(found, str):
            os.chmod(self.root / path, found.st_mode & 0o7777)

    @invariant()
    def are_alike(self):
        tree = scan(self.container.fd)
        assert TIME.sub("", dump(tree)) == TIME.sub("", dump(scan(self.real)))
        for path, node in tree.walk():
            if not hasattr(node, "children"):
                links = [os.lstat(above / os.fsdecode(path)).st_nlink for above in (self.root, self.real)]
                assert links[0] == links[1]

    def check_commit(self):
        shown = seen(self.container.fd)
        assert dump(self.container.tree()) == shown
        layer = layer_bytes(self.container.commit(options=EXACT))
        assert layer_bytes(self.container.commit(options=EXACT)) == layer
        with with_layers(self.image, layer) as committed:
            assert dump(committed.tree()) == shown
        assert fsck(self.room).ok

    def teardown(self):
        for opened in self.open:
            for file in opened:
                file.close()
        with contextlib.ExitStack() as closing:
            closing.callback(self.place.cleanup)
            if hasattr(self, "container"):
                for each in (self.opened_room, self.image, self.container):
                    closing.push(each)
                self.check_commit()


@pytest.mark.root
def test_a_container_does_what_a_directory_does():
    steps = settings(max_examples=examples(dev=10, ci=40, deep=500), stateful_step_count=examples(dev=20, ci=50))
    run_state_machine_as_test(ContainerMachine, settings=steps)
