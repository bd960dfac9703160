"""What the kernel shows of a stack of layers is what `Policy(parents="replace")` makes of them.

Everything is compared: names, types, modes, owners, times to the nanosecond, extended attributes, contents, hard links.
Nothing is left aside but hard links to files of lower layers, which no upper directory can hold. A directory that a
layer only implies is made as the kernel copies it up, from a mount of the layers below (`overlay` says how), so that
its attributes and time are compared too.
"""

import os
import pathlib
import tempfile

import pytest
from hypothesis import given

from oci_layers import Policy, scan
from tests.support.layers import block, char, d, f, fifo, ln, opq, sym, tar, wh
from tests.support.listing import listing
from tests.support.overlay import Overlay
from tests.support.stacks import portable_stacks
from tests.support.trees import merged, mirrored

pytestmark = [
    pytest.mark.root,
    pytest.mark.peer("mount"),
    pytest.mark.skipif(
        "overlay" not in pathlib.Path("/proc/filesystems").read_text() if pathlib.Path("/proc").exists() else True,
        reason="this kernel has no overlay file system",
    ),
]

BASE = [
    d("./", mode=0o750, uid=3, mtime_ns=7),
    d("dir/", mode=0o711, uid=1, gid=2, mtime_ns=5, xattrs={b"user.k": b"v"}),
    d("dir/sub/", mode=0o700, mtime_ns=6),
    f("dir/sub/x", "x"),
    f("dir/file", "file", mode=0o4755),
    ln("dir/link", "dir/file"),
    f("file", "file"),
    sym("symlink", "dir"),
    sym("dangling", "none"),
]

STACKS = {
    "one layer": [],
    "a whiteout of a file": [[wh("dir/file")]],
    "a whiteout of a directory": [[wh("dir")]],
    "a whiteout of nothing": [[wh("none"), wh("none/below"), wh("file/below")]],
    "a whiteout and the same name": [[wh("file"), f("file", "new")], [f("dir/sub/x", "2"), wh("dir/sub/x")]],
    "a whiteout and a directory of the same name": [[wh("dir"), d("dir/"), f("dir/new")]],
    "a whiteout and what implies it": [[wh("dir"), f("dir/sub/new")]],
    "the other way round": [[f("dir/sub/new"), wh("dir")]],
    "an opaque directory": [[d("dir/", mtime_ns=9), opq("dir"), f("dir/new")]],
    "an opaque directory without an entry": [[opq("dir")]],
    "an opaque directory that is implied, with what it implies": [[f("dir/sub/new"), opq("dir")]],
    "an opaque directory in a directory": [[opq("dir/sub")]],
    "an opaque root": [[opq(), f("new")]],
    "an opaque root with implied directories": [[opq(), f("dir/sub/new")], [f("dir/more")]],
    "an opaque marker where nothing is": [[opq("none"), opq("file"), opq("symlink")]],
    "a directory over a file": [[d("file/", mode=0o700), f("file/in")]],
    "a file over a directory": [[f("dir", "a file")], [f("dir/x", "again")]],
    "an implied directory over a file": [[f("file/in")]],
    "an implied directory over a link": [[f("symlink/in")]],
    "markers below a link": [[wh("symlink/file"), opq("symlink")]],
    "a directory over a link": [[d("symlink/")]],
    "attributes of a directory replaced": [[d("dir/", mode=0o755, uid=9, mtime_ns=11, xattrs={b"user.new": b"n"})]],
    "the root described again": [[d("./", mode=0o755, mtime_ns=8)]],
    "one of two names replaced": [[f("dir/link", "another")], [f("dir/file", "new"), ln("dir/third", "dir/file")]],
    "removed, made and removed": [[wh("dir")], [f("dir/x")], [wh("dir")], [d("dir/")]],
    "opaque over opaque": [[opq("dir"), f("dir/1")], [opq("dir"), f("dir/2")], [f("dir/3")]],
    "special files": [[char("dir/null"), block("loop", 7, 1), fifo("file")], [wh("dir/null"), fifo("dir/sub")]],
}


def assert_the_kernel_agrees(directory, stack):
    tars = [tar(*layer) for layer in stack]
    policy = Policy(parents="replace")
    overlay = Overlay(directory)
    for layer in stack:
        overlay.add(layer)
    ours = pathlib.Path(directory) / "ours"
    ours.mkdir()
    mirrored(ours, *tars, policy=policy)
    with overlay.mounted() as mount:
        assert listing(mount) == listing(ours)
        assert scan(os.fsdecode(mount)) == merged(*tars, policy=policy)


@pytest.mark.parametrize("upper", STACKS.values(), ids=STACKS)
def test_a_stack_is_what_the_kernel_shows_of_it(tmp_path, upper):
    assert_the_kernel_agrees(tmp_path, [BASE, *upper])


@given(portable_stacks(parents="replace"))
def test_any_stack_is_what_the_kernel_shows_of_it(stack):
    with tempfile.TemporaryDirectory() as directory:
        assert_the_kernel_agrees(directory, stack)
