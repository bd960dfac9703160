"""Law: a writable layer does what a real directory does, and what it commits makes the same of what was below.

Every step is done in both, with the same result or errno; then names, contents, attributes and links are the same, and
the same times have changed. The files are those of root, those of an ordinary user, and those of root in a `chroot`.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from oci_layers.build.container import WritableLayer
from oci_layers.disk import scan
from oci_layers.layer import apply, diff
from oci_layers.tree import dump
from tests.support.examples import examples
from tests.support.process import IS_ROOT, USER

THEN = 1_000_000_000 * 10**9 + 5
NOW = 1_700_000_000 * 10**9 + 5
PREFIX = "oci-layers-test-"
MEMORY = 1 << 17
"""The bytes that the box holds in memory: less than is written."""

names = st.sampled_from("abcd")
new_paths = st.sampled_from(["e", "f", "a/e", "c/e", "a/b/e", "d/f", "f/a", "e/e"])
paths = st.one_of(
    # Those of the first files, which are open or moved more often; what is made more often; and any others.
    st.sampled_from(["a/a", "a/c", "c/a", "a", "c", "a/b", "d/a", "b", "d", "c/b"]),
    new_paths,
    st.lists(names, min_size=1, max_size=3).map("/".join),
)
places = st.one_of(new_paths, new_paths, paths)
"""Paths where something is made, most of them free at first."""
targets = st.sampled_from(["a", "a/", "e", "e/", "f", "a/a/", "c/d", "./a", ".", "b", "d/.", "no", "no/", "c/"])
offsets = st.sampled_from([0, 1, 5, 1000, (1 << 16) - 2, 1 << 16, 150_000, 1 << 18])
pieces = st.builds(lambda byte, size: byte * size, st.sampled_from([b"x", b"yz"]), offsets)
modes = st.sampled_from(["rb", "r+b", "wb", "w+b", "ab", "a+b", "xb", "x+b"])
FILES = Bundle("files")


def outcome(work):
    """What it returns, or the errno with which it fails."""
    try:
        return work()
    except OSError as error:
        return os.strerror(error.errno)


def inside(path):
    """The path in the box, of a real one."""
    parts = Path(path).parts
    place = next((index for index, part in enumerate(parts) if part.startswith(PREFIX)), 0)
    return "/" + "/".join(parts[place + 1 :])


def seen(found):
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    return found.st_mode, found.st_uid, found.st_gid, size, found.st_mtime_ns


def real_xattrs(path):
    names = os.listxattr(path, follow_symlinks=False)
    return {name.encode(): os.getxattr(path, name, follow_symlinks=False) for name in names}


questions = st.sampled_from(
    # What is asked of a path and another, and how that is asked on disk in all releases of Python.
    [
        (lambda path, _: path.exists(), lambda path, _: os.path.exists(path)),
        (lambda path, _: path.exists(follow_symlinks=False), lambda path, _: os.path.lexists(path)),
        *(
            (lambda path, _, name=name: getattr(path, name)(), lambda path, _, name=name: getattr(path, name)())
            for name in ("is_dir", "is_file", "is_symlink", "is_fifo", "is_char_device", "is_block_device", "is_socket")
        ),
        (lambda path, _: path.readlink(), lambda path, _: os.fsencode(os.readlink(path))),
        (lambda path, _: [each.name for each in path.iterdir()], lambda path, _: sorted(os.listdir(path))),
        (lambda path, _: sorted(map(str, path.rglob("*"))), lambda path, _: sorted(map(inside, path.rglob("*")))),
        (lambda path, _: sorted(map(str, path.glob("*/a"))), lambda path, _: sorted(map(inside, path.glob("*/a")))),
        (lambda path, _: str(path.resolve(strict=True)), lambda path, _: inside(os.path.realpath(path, strict=True))),
        (lambda path, _: dict(path.xattrs(follow_symlinks=False)), lambda path, _: real_xattrs(path)),
        (lambda path, _: seen(path.stat()), lambda path, _: seen(path.stat())),
        (lambda path, _: seen(path.lstat()), lambda path, _: seen(path.lstat())),
        (lambda path, other: path.samefile(other), os.path.samefile),
    ]
)
changes = st.one_of(
    # Whether that is for root alone, and how attributes are changed on disk and in the box. Writes of an ordinary user
    # take off bits beyond 0o1777.
    st.sampled_from([0o755, 0o700, 0o1750, 0o2755, 0o6755, 0o4711, 0o2704]).map(
        lambda mode: (mode >= 0o2000, lambda path: path.chmod(mode), lambda path: path.chmod(mode))
    ),
    st.builds(
        lambda uid, gid, follow: (
            True,
            lambda path: os.chown(path, uid, gid, follow_symlinks=follow),
            lambda path: path.chown(uid, gid, follow_symlinks=follow),
        ),
        st.sampled_from([-1, 0, 7]),
        st.sampled_from([-1, 0, 8]),
        st.booleans(),
    ),
    st.builds(
        lambda name, value: (
            False,
            lambda path: os.setxattr(path, name, value),
            lambda path: path.set_xattr(name, value),
        ),
        st.sampled_from(["user.a", "user.b"]),
        st.sampled_from([b"", b"1"]),
    ),
    st.sampled_from(["user.a", "user.b"]).map(
        lambda name: (False, lambda path: os.removexattr(path, name), lambda path: path.remove_xattr(name))
    ),
)


def without_waiting(path, flags):
    """Open a real file; refuse a pipe in both directions as the system does in one, instead of waiting for its end."""
    number = os.open(path, flags | os.O_NONBLOCK, 0o666)
    if stat.S_ISFIFO(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), path)
    return number


def real_open(path, mode, buffering=-1):
    return open(path, mode, buffering, opener=without_waiting)


def real_rmtree(path):
    """Do as `shutil.rmtree`, which opens what is no directory before it says so, and waits if that is a pipe."""
    if stat.S_ISFIFO(os.lstat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    shutil.rmtree(path)


class BoxMachine(RuleBasedStateMachine):
    uid = gid = 0
    is_root = True

    def __init__(self):
        super().__init__()
        self.place = tempfile.TemporaryDirectory(prefix=PREFIX)
        self.real = Path(self.place.name).resolve()
        os.chmod(self.real, 0o755)
        if IS_ROOT:
            os.chown(self.real, self.uid, self.gid)
        self.open = []
        self.snapshots = []

    @initialize(target=FILES)
    def begin(self):
        with self.user():
            for directory in ("a", "a/b", "c"):
                (self.real / directory).mkdir()
            (self.real / "a/a").write_bytes(b"lower" * 40_000)
            os.link(self.real / "a/a", self.real / "c/a")
            (self.real / "a/c").write_bytes(b"small")
            (self.real / "d").symlink_to("a")
            (self.real / "b").symlink_to("c/no")
        for above, directories, files in os.walk(self.real):
            for name in [".", *directories, *files]:
                os.utime(os.path.join(above, name), ns=(THEN, THEN), follow_symlinks=False)
        self.lower_place = tempfile.TemporaryDirectory(prefix=PREFIX)
        self.lower = scan(shutil.copytree(self.real, Path(self.lower_place.name, "x"), symlinks=True))
        # `copytree` knows no hard links: the tree of the directory itself, with the contents of the copy.
        for _, node in self.lower.walk():
            node.uid, node.gid = self.uid, self.gid
        first = self.lower.at(b"a/a")
        self.lower.writable_child(self.lower.writable_root(), b"c").children[b"a"] = first
        self.lower.note_link(first.inode, b"a/a", b"c/a")
        self.before = dump(self.lower)
        self.box = WritableLayer(self.lower, clock=lambda: NOW, uid=self.uid, gid=self.gid, memory_bytes=MEMORY)
        self.root = self.box.root
        return multiple(*(self.opened(path, mode) for path, mode in (("a/a", "r+b"), ("c/a", "ab"), ("a/c", "a+b"))))

    @contextlib.contextmanager
    def user(self):
        umask = os.umask(0o022)
        try:
            if IS_ROOT and not self.is_root:
                os.setegid(self.gid)
                os.seteuid(self.uid)
            yield
        finally:
            if IS_ROOT and not self.is_root:
                os.seteuid(0)
                os.setegid(0)
            os.umask(umask)

    def both(self, real, ours):
        """Do a step in both, and compare; then everything has the old time again."""
        with self.user():
            theirs = outcome(real)
        assert outcome(ours) == theirs
        touched = {path for path, node in scan(self.real).walk() if node.mtime_ns != THEN}
        assert {path for path, node in self.box.tree.walk() if node.mtime_ns != THEN} == touched
        for path in touched:
            os.utime(self.real / os.fsdecode(path), ns=(THEN, THEN), follow_symlinks=False)
            (self.root / path).utime(THEN, follow_symlinks=False)

    @invariant()
    def are_alike(self):
        tree = scan(self.real)
        assert dump(self.box.tree) == dump(tree)
        for path, node in tree.walk():
            if not hasattr(node, "children"):
                assert (self.root / path).lstat().st_nlink == os.lstat(self.real / os.fsdecode(path)).st_nlink

    @rule(path=places, mode=st.sampled_from([0o777, 0o750, 0o1777]), parents=st.booleans(), exist_ok=st.booleans())
    def mkdir(self, path, mode, parents, exist_ok):
        self.both(
            lambda: (self.real / path).mkdir(mode, parents, exist_ok),
            lambda: (self.root / path).mkdir(mode, parents, exist_ok),
        )

    @rule(path=paths, data=pieces)
    def write_bytes(self, path, data):
        def write_bytes(path):
            with real_open(path, "wb") as file:
                return file.write(data)

        self.both(lambda: write_bytes(self.real / path), lambda: (self.root / path).write_bytes(data))

    @rule(path=paths)
    def read_bytes(self, path):
        def read_bytes(path):
            with real_open(path, "rb") as file:
                return file.read()

        self.both(lambda: read_bytes(self.real / path), (self.root / path).read_bytes)

    @rule(path=paths, size=offsets)
    def truncate(self, path, size):
        # Systems differ on the time of a file whose size stays.
        with self.user():
            present = outcome(lambda: os.stat(self.real / path).st_size)
        if present != size:
            self.both(lambda: os.truncate(self.real / path, size), lambda: (self.root / path).truncate(size))

    @rule(path=paths, exist_ok=st.booleans())
    def touch(self, path, exist_ok):
        # A pipe that exists is not opened: its time is set.
        self.both(
            lambda: (self.real / path).touch(exist_ok=exist_ok), lambda: (self.root / path).touch(exist_ok=exist_ok)
        )

    @rule(path=places, text=targets)
    def symlink(self, path, text):
        self.make_symlink(path, text)

    def make_symlink(self, path, text):
        self.both(lambda: (self.real / path).symlink_to(text), lambda: (self.root / path).symlink_to(text))

    @rule(path=places, other=paths)
    def link(self, path, other):
        self.both(
            lambda: os.link(self.real / other, self.real / path, follow_symlinks=False),
            lambda: (self.root / path).hardlink_to(self.root / other),
        )

    @rule(path=places)
    def mkfifo(self, path):
        self.both(lambda: os.mkfifo(self.real / path), (self.root / path).mkfifo)

    @rule(source=paths, other=places)
    def rename(self, source, other):
        self.both(
            lambda: os.rename(self.real / source, self.real / other),
            lambda: (self.root / source).rename(self.root / other) and None,
        )

    @rule(path=paths, missing_ok=st.booleans())
    def unlink(self, path, missing_ok):
        self.both(lambda: (self.real / path).unlink(missing_ok), lambda: (self.root / path).unlink(missing_ok))

    @rule(path=paths)
    def rmdir(self, path):
        self.both(lambda: os.rmdir(self.real / path), (self.root / path).rmdir)

    @rule(path=paths)
    def rmtree(self, path):
        with self.user():
            is_link = os.path.islink(self.real / path)
        if not is_link:
            self.both(lambda: real_rmtree(self.real / path), (self.root / path).rmtree)

    @rule(path=paths, change=changes)
    def change_attributes(self, path, change):
        is_for_root, theirs, ours = change
        if self.is_root or not is_for_root:
            self.both(lambda: theirs(self.real / path), lambda: ours(self.root / path))

    @rule(path=paths, other=paths, question=questions)
    def ask(self, path, other, question):
        ours, theirs = question
        self.both(
            lambda: theirs(self.real / path, self.real / other), lambda: ours(self.root / path, self.root / other)
        )

    @rule(target=FILES, path=paths, mode=modes)
    def open_file(self, path, mode):
        return self.opened(path, mode)

    def opened(self, path, mode):
        opened = []
        self.both(
            lambda: opened.append(real_open(self.real / path, mode, 0)),
            lambda: opened.append((self.root / path).open(mode, 0)),
        )
        self.open.append(opened)
        return opened

    def with_file(self, opened, work):
        if opened:
            self.both(lambda: work(opened[0]), lambda: work(opened[1]))

    @rule(opened=FILES, data=pieces)
    def write(self, opened, data):
        self.with_file(opened, lambda file: (file.writable() and file.write(data), file.tell()))

    @rule(opened=FILES, size=st.sampled_from([-1, 0, 1, 1 << 16, 1 << 19]))
    def read(self, opened, size):
        self.with_file(opened, lambda file: (file.readable() and file.read(size), file.tell()))

    @rule(opened=FILES, offset=offsets, whence=st.sampled_from([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]))
    def seek(self, opened, offset, whence):
        self.with_file(opened, lambda file: file.seek(offset, whence))

    @rule(opened=FILES, size=offsets)
    def truncate_file(self, opened, size):
        if opened and os.fstat(opened[0].fileno()).st_size != size:
            self.with_file(opened, lambda file: file.writable() and file.truncate(size))

    @rule(opened=consumes(FILES))
    def close(self, opened):
        self.with_file(opened, lambda file: file.close())

    @rule()
    def snapshot(self):
        tree = self.box.tree
        self.snapshots.append((tree, dump(tree)))

    def teardown(self):
        for opened in self.open:
            for file in opened:
                file.close()
        if hasattr(self, "box"):
            self.check_commit()
            self.box.close()
            self.lower_place.cleanup()
        self.place.cleanup()

    def check_commit(self):
        for tree, text in self.snapshots:
            assert dump(tree) == text
        tree = self.box.tree
        assert dump(self.lower) == self.before
        apply(self.box.changes(), self.lower)
        assert self.lower == tree
        assert [*diff(self.lower, tree)] == []


class UserMachine(BoxMachine):
    uid = USER if IS_ROOT else os.geteuid()
    gid = USER if IS_ROOT else os.getegid()
    is_root = False


class RootedMachine(BoxMachine):
    """A process whose root is the directory, so that links may lead to the root, and above it."""

    @contextlib.contextmanager
    def user(self):
        place, root = self.real, os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        before = Path.cwd()
        with super().user():
            try:
                os.chroot(place)
                # The path is the root only while the root is the directory, whatever interrupts the test.
                self.real = Path("/")
                os.chdir("/")
                yield
            finally:
                self.real = place
                os.fchdir(root)
                os.chroot(".")
                os.close(root)
                os.chdir(before)

    @rule(path=places, text=st.sampled_from(["/", "/a", "/c/", "/no/", "..", "../c", "../../d/b", "a/../b", "no/../c"]))
    def symlink_to_anywhere(self, path, text):
        self.make_symlink(path, text)


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(BoxMachine, marks=pytest.mark.root),
        UserMachine,
        pytest.param(RootedMachine, marks=pytest.mark.root),
    ],
)
def test_a_box_does_what_a_directory_does(machine):
    steps = settings(max_examples=examples(dev=25, ci=60, deep=5000), stateful_step_count=examples(dev=25, ci=50))
    run_state_machine_as_test(machine, settings=steps)
