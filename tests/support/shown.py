"""Layers unpacked as directories that lie over one another, and the tree that they make in memory."""

import contextlib
import os
import shutil
import subprocess
import sys

import attrs

from oci_layers import snapshot
from oci_layers.disk import scan
from oci_layers.layer import apply, decode, diff
from oci_layers.system import mount
from oci_layers.tree import FileTree, dump
from tests.support.layers import d, f, fifo, ln, opq, sym, wh
from tests.support.process import USER
from tests.support.uppers import write_upper

SMALL = (
    [
        *(d(""), d("etc"), f("etc/motd", "The lamp is lit."), ln("etc/issue", "etc/motd"), d("gone"), f("gone/x")),
        *(d("new"), f("new/old", "o"), d("new/below"), sym("link", "etc/motd"), fifo("pipe"), f("swap", "file")),
    ],
    [wh("gone"), d("new", 0o750), opq("new"), f("new/fresh", "n"), f("etc/passwd", "root"), wh("swap"), d("late")],
    [f("gone", "a file now"), d("etc", 0o700), wh("etc/passwd"), d("swap"), f("swap/in", "dir now"), f("late/x")],
)
"""Whiteouts, an opaque directory, a file that becomes a directory and the other way round, over three layers."""


def numbered(count):
    """So many layers, of which each adds a file and replaces another."""
    return [[d(""), f(f"f{number}", str(number)), f("top", str(number))] for number in range(count)]


class Shown:
    """A stack of directories below `directory`, with the tree that it should show; a context manager."""

    def __init__(self, directory, layers, *, namespace="user", owner=None):
        self.directory = os.fspath(directory)
        self.namespace = namespace
        self.tree = FileTree()
        self.opened = contextlib.ExitStack()
        lowers = []
        for number, entries in enumerate(layers):
            below = self.tree.fork()
            own = [entry if owner is None else attrs.evolve(entry, uid=owner, gid=owner) for entry in entries]
            apply(decode(own), self.tree)
            at = f"{self.directory}/{number}"
            skipped = write_upper(at, diff(below, self.tree, opaque=True), namespace=namespace)
            assert not skipped
            lowers.append(self.open(at))
        self.lowers = tuple(reversed(lowers))
        for name in ("upper", "work"):
            os.mkdir(f"{self.directory}/{name}")
        self.upper, self.work = self.open(f"{self.directory}/upper"), self.open(f"{self.directory}/work")
        # A mount shows the attributes of the upper directory as those of its root.
        os.fchmod(self.upper, self.tree.root.mode)
        os.utime(self.upper, ns=(self.tree.root.mtime_ns,) * 2)
        self.place = f"{self.directory}/place"
        os.mkdir(self.place)

    def open(self, path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.opened.callback(os.close, fd)
        return fd

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.opened.close()

    def stack(self, *, write=False, volatile=False):
        above = {"upper": self.upper, "work": self.work, "volatile": volatile} if write else {}
        return snapshot.Stack(self.lowers, namespace=self.namespace, **above)

    def present(self, presenter, *, write=False, **options):
        """Present it with this presenter and no other."""
        at = self.place if presenter in {"mounted", "fuse"} else None
        return snapshot.present(self.stack(write=write), at=at, presenters=[presenter], **options)

    def expected(self):
        return dump(self.tree)


def seen(fd):
    """What a directory shows, with contents, as text."""
    return dump(scan(fd))


def python_of_all(directory):
    """Return a Python that any user can start, and a copy of `system.mount` in `directory` that any user can read.

    Nothing if there is none: the one that runs the tests may be in a directory of root's.
    """
    code = "import sys, ctypes, _socket; sys.exit(sys.version_info < (3, 11))"
    copy = shutil.copy(mount.__file__, f"{directory}/mount.py")
    os.chmod(copy, 0o644)
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if not subprocess.run([python, "-I", "-S", "-c", code], user=USER, check=False, stderr=-3).returncode:
                return python, copy
    return None
