"""Operations on rooms as one table, with what a room holds, for tests that interrupt them anywhere.

As in `operations`: an operation makes a room (`prepare`), changes it (`run`), and can be run again after an
interruption at any point (`again`).
"""

import contextlib
import fnmatch
import glob
import os
import re
import stat
import subprocess
from pathlib import Path

from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.fsck import fsck
from oci_layers.snapshot.gc import gc
from tests.support.layers import d, f, ln, sym, tar, wh
from tests.support.operations import Operation
from tests.support.rooms import image_of, layer_bytes

BASE = tar(d("a", xattrs={b"user.k": b"1"}), f("a/x", "1" * 100), f("gone"), sym("s", "a/x"), ln("h", "a/x"))
TOP, OTHER = tar(wh("gone"), ln("a/y", "h"), f("b/c", "2")), tar(d("./", 0o711), f("o", "3" * 70))
PASSING = ("tmp", "trash", "leases")
"""Where what is being written or removed is."""
_TIME = re.compile(rb'"created_ns": \d+')


def unpack(directory, name, *tars, sync=False):
    with image_of(*tars, name=name) as image, Snapshots(directory, sync=sync) as opened:
        opened.unpack(image)


def with_image(directory):
    unpack(directory, "old", BASE, TOP)


def with_container(directory):
    with_image(directory)
    with Snapshots(directory, sync=False) as opened:
        opened.create_container("old", "web")
    # What a mount would leave there.
    upper = directory / "containers/web/fs"
    (upper / "new").write_bytes(b"n" * 100)
    os.mknod(upper / "s", stat.S_IFCHR)


def with_unused(directory):
    with_image(directory)
    unpack(directory, "other", BASE, OTHER)
    with Snapshots(directory, sync=False) as opened:
        opened.remove_image("other")
    (directory / "tmp/left/deep").mkdir(parents=True)
    (directory / "trash/left").mkdir()
    for path in (directory / "tmp/left", directory / "trash/left", *(directory / "layers/sha256").iterdir()):
        os.utime(path, (1e9, 1e9))


def _unless_done(run):
    """Repeat an operation that may have been completed, and then finds it so."""

    def again(directory):
        with contextlib.suppress(PlaceMissingError, StoreError):
            run(directory)

    return again


def _make(directory):
    Snapshots(directory).close()


def _create(directory):
    with Snapshots(directory) as opened:
        opened.create_container("old", "web")


def _commit(directory):
    with Snapshots(directory) as opened:
        layer = layer_bytes(opened.container_files("web").commit())
    unpack(directory, "committed", BASE, TOP, layer, sync=True)


def _reset(directory):
    with Snapshots(directory) as opened:
        opened.reset_container("web")


def _reset_again(directory):
    """A container that was removed before it was made again is gone."""
    with Snapshots(directory) as opened:
        try:
            opened.reset_container("web")
        except PlaceMissingError:
            opened.create_container("old", "web")


def _remove_container(directory):
    with Snapshots(directory) as opened:
        opened.remove_container("web")


def _remove_image(directory):
    with Snapshots(directory) as opened:
        opened.remove_image("old")


def _gc(directory):
    with Snapshots(directory) as opened:
        gc(opened, grace=60)


OPERATIONS = {
    "make": Operation(lambda directory: directory.mkdir(), _make, 25),
    "make with its directory": Operation(lambda _: None, _make, 28),
    "unpack": Operation(_make, lambda directory: unpack(directory, "old", BASE, TOP, sync=True), 180),
    "unpack what shares layers": Operation(
        with_image, lambda directory: unpack(directory, "new", BASE, OTHER, sync=True), 100
    ),
    "replace an image": Operation(with_image, lambda directory: unpack(directory, "old", BASE, sync=True), 40),
    "create a container": Operation(with_image, _create, 50, _unless_done(_create)),
    "commit": Operation(with_container, _commit, 150),
    "reset a container": Operation(with_container, _reset, 90, _reset_again),
    "remove a container": Operation(with_container, _remove_container, 50, _unless_done(_remove_container)),
    "remove an image": Operation(with_image, _remove_image, 20, _unless_done(_remove_image)),
    "gc": Operation(with_unused, _gc, 90),
}


def copied(source, target):
    """Copy a room, with its devices and links, if it exists."""
    if os.path.exists(source):
        subprocess.run(["cp", "-a", source, target], check=True)


def content(directory):
    """Return {path: what is there} of a room, without what is being written or removed."""
    found = {}
    for top, directories, names in os.walk(directory):
        if top == os.fspath(directory):
            directories[:] = [name for name in directories if name not in PASSING]
        for name in (*directories, *names):
            if name.startswith(".oci-layers-room-") or fnmatch.fnmatch(name, ".*.json-*"):
                continue
            path = os.path.join(top, name)
            status = os.lstat(path)
            data = os.readlink(path) if stat.S_ISLNK(status.st_mode) else None
            if stat.S_ISREG(status.st_mode):
                data = _TIME.sub(b"", Path(path).read_bytes())
            # A record may have a second name, under which it was written.
            is_record = name.endswith(".json") or name == "oci-layers-room"
            links = None if stat.S_ISDIR(status.st_mode) or is_record else status.st_nlink
            found[os.path.relpath(path, directory)] = status.st_mode, status.st_uid, status.st_rdev, links, data
    return found


def leftovers(directory):
    """Return the paths of what is being written or removed."""
    found = {os.path.relpath(path, directory) for path in glob.glob(f"{directory}/*/**/.*.json-*", recursive=True)}
    for name in PASSING:
        with contextlib.suppress(FileNotFoundError):
            found |= {f"{name}/{each}" for each in os.listdir(os.path.join(directory, name))}
    return found


def assert_is_sound(directory):
    """Check that a room opens, and that each layer with a name is whole."""
    if os.path.exists(os.path.join(directory, "oci-layers-room")):
        with Snapshots(directory, sync=False) as opened:
            assert fsck(opened).findings == ()
            for each in (*opened.images(), *opened.containers()):
                opened.tree(opened.image(each.name)) if hasattr(each, "unpacked") else opened.container_files(each.name)


def assert_is_swept(directory):
    """Check that gc removes what was left in the end, and nothing else."""
    for path in leftovers(directory):
        os.utime(os.path.join(directory, path), (1e9, 1e9))
    before = content(directory)
    with Snapshots(directory, sync=False) as opened:
        assert gc(opened).layers == ()
    assert leftovers(directory) == set()
    assert content(directory) == before
