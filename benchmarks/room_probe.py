"""The probes of rooms: what is unpacked, opened, walked and written in one; see `probe`.

Each makes its room, or what stands beside it, at the path that it is given. Nothing is mounted at a path.
"""

import contextlib
import itertools
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.clock import passes, timed

if TYPE_CHECKING:
    from oci_layers.image import Image
    from oci_layers.snapshot import Container, Snapshots, View

_Way = Literal["first", "again"]
_BLOCK = 512


@contextlib.contextmanager
def _opened(layout: str, directory: str, name: str = "b") -> Iterator[tuple["Snapshots", "Image"]]:
    """Yield a room that nothing is synced in, and an image that is not in it."""
    import oci_layers as oci

    with oci.Snapshots(directory, sync=False) as room, oci.open_image(f"oci:{layout}:{name}") as image:
        yield room, image


@contextlib.contextmanager
def _room(layout: str, directory: str) -> Iterator["Snapshots"]:
    """Yield a room that has the image as `b`."""
    with _opened(layout, directory) as (room, image):
        room.unpack(image, name="b")
        yield room


def _mounted(view: "View") -> "View":
    """Return a view; fail if anything but the kernel shows it."""
    assert view.presenter in {"detached", "namespace"}, view.refused
    return view


def _container(room: "Snapshots") -> "Container":
    box = room.container("b")
    _mounted(box)
    return box


def writable_root(layout: str, directory: str) -> dict[str, float]:
    """Unpack an image, make a container over it, and write a file there."""

    def work() -> int:
        with _room(layout, directory) as room:
            return _written(room)

    return timed(work)


def writable_root_again(layout: str, directory: str) -> dict[str, float]:
    """Make a container over an image that is unpacked, and write a file there."""
    with _room(layout, directory) as room:
        return passes(lambda: _written(room))


def _written(room: "Snapshots") -> int:
    with _container(room) as box:
        Path(box.path, "written").touch()
    return 1


def second_room(layout: str, scratch: str) -> dict[str, float]:
    """Unpack an image that has a layer more than the one that the room has."""
    directory = os.path.join(scratch, "room")
    with _room(layout, directory), _opened(layout, directory, "c") as (room, image):

        def work() -> int:
            assert len(room.unpack(image, name="c").unpacked) == 1
            return 1

        return _growth(work, directory)


def second_unpack(layout: str, scratch: str) -> dict[str, float]:
    """Unpack that image beside the files of the first."""
    import oci_layers as oci

    first, second = (os.path.join(scratch, name) for name in "bc")
    with oci.open_image(f"oci:{layout}:b") as image:
        image.unpack(first)
    with oci.open_image(f"oci:{layout}:c") as image:

        def work() -> int:
            image.unpack(second)
            return 1

        return _growth(work, scratch)


def second_buildah(layout: str, scratch: str) -> dict[str, float]:
    """Pull that image when the first is there, with buildah."""
    store = _Buildah(scratch, layout)
    store.run("pull", "-q", "oci:layout:b")

    def work() -> int:
        store.run("pull", "-q", "oci:layout:c")
        return 1

    return _growth(work, os.path.join(scratch, "root"))


class _Buildah:
    """A store of buildah that has the layout at hand; each command is in a mount namespace of its own."""

    def __init__(self, scratch: str, layout: str) -> None:
        self._scratch = scratch
        os.symlink(layout, os.path.join(scratch, "layout"))
        Path(scratch, "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')

    def run(self, verb: str, *arguments: str) -> None:
        """Run one command."""
        policy = ["--signature-policy", "policy.json"] * (verb in {"pull", "from"})
        self.shell(f"$buildah {' '.join((verb, *policy, *arguments))}")

    def shell(self, script: str) -> None:
        """Run commands; `$buildah` is the program with its options."""
        options = f"--root {self._scratch}/root --runroot {self._scratch}/run --storage-driver overlay"
        line = ["unshare", "-m", "sh", "-ec", f"buildah='buildah {options}'; {script}"]
        subprocess.run(line, check=True, cwd=self._scratch, stdout=subprocess.DEVNULL)


def _growth(work: Callable[[], int], directory: str) -> dict[str, float]:
    """Time the work, and count the bytes of the disk that a directory takes afterwards and did not take before."""
    before = _taken(directory)
    return {**timed(work), "bytes": _taken(directory) - before}


def _taken(directory: str) -> int:
    """Return the bytes of the disk of all files below a directory, each once, however many names it has."""
    found = (os.lstat(os.path.join(here, name)) for here, below, files in os.walk(directory) for name in below + files)
    return sum({(each.st_dev, each.st_ino): each.st_blocks * _BLOCK for each in found}.values())


def container_open(count: str, layout: str, directory: str) -> dict[str, float]:
    """Open and close containers, one after another."""
    with _room(layout, directory) as room:

        def work() -> int:
            for _ in range(int(count)):
                _container(room).close()
            return int(count)

        return passes(work)


def container_mount(count: str, layout: str, directory: str) -> dict[str, float]:
    """Mount and unmount the same layers below directories to write to that are there."""
    from oci_layers.snapshot import Stack, present

    with _room(layout, directory) as room, contextlib.ExitStack() as closing:
        lowers = tuple(closing.enter_context(_handle(each.open())) for each in room.stack("b"))
        pairs = [tuple(f"{directory}-{name}-{number}" for name in ("upper", "work")) for number in range(int(count))]
        for each in itertools.chain.from_iterable(pairs):
            os.mkdir(each)

        def work() -> int:
            for pair in pairs:
                with _directory(pair[0]) as upper, _directory(pair[1]) as kernel:
                    stack = Stack(lowers, upper=upper, work=kernel, namespace="user", volatile=True)
                    present(stack, presenters=["detached"]).close()
            return int(count)

        return timed(work)


@contextlib.contextmanager
def _handle(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _directory(path: str) -> contextlib.AbstractContextManager[int]:
    return _handle(os.open(path, os.O_RDONLY | os.O_DIRECTORY))


def container_buildah(count: str, layout: str, scratch: str) -> dict[str, float]:
    """Make, mount, unmount and remove working containers of buildah, one after another."""
    os.mkdir(scratch)
    store = _Buildah(scratch, layout)
    store.run("pull", "-q", "oci:layout:b")
    one = "c=$($buildah from -q --pull-never --signature-policy policy.json localhost/layout)"

    def work() -> int:
        store.shell(f"for i in $(seq {count}); do {one}; $buildah mount $c; $buildah umount $c; $buildah rm $c; done")
        return int(count)

    return timed(work)


def containers(count: str, layout: str, directory: str) -> dict[str, float]:
    """Open containers over one image at the same time, and close them; count the bytes in what they write to."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _room(layout, directory) as room:

        def open_all(closing: contextlib.ExitStack) -> int:
            for _ in range(int(count)):
                closing.enter_context(_container(room))
            return int(count)

        def close_all(closing: contextlib.ExitStack) -> int:
            closing.close()
            return int(count)

        with contextlib.ExitStack() as closing:
            opened = timed(lambda: open_all(closing))
            uppers = list(Path(directory, "tmp").glob("*/fs"))
            assert len(uppers) == int(count)
            copied = sum(file.lstat().st_size for upper in uppers for file in upper.rglob("*") if not file.is_dir())
            closed = timed(lambda: close_all(closing))
    times = {name: opened[name] + closed[name] for name in ("seconds", "cpu_seconds")}
    return {**times, "items": opened["items"], "bytes": copied}


def walk_view(way: _Way, layout: str, directory: str) -> dict[str, float]:
    """Walk a view of an image, and ask for the attributes of all that is there."""
    with _room(layout, directory) as room, _mounted(room.view("b")) as view:
        return _walked(way, view.path)


def walk_plain(way: _Way, layout: str, directory: str) -> dict[str, float]:
    """Walk the files of the image in a plain directory."""
    import oci_layers as oci

    with oci.open_image(f"oci:{layout}:b") as image:
        image.unpack(directory)
    return _walked(way, directory)


def _walked(way: _Way, directory: str) -> dict[str, float]:
    first = timed(lambda: _walk(directory))
    return first if way == "first" else timed(lambda: _walk(directory))


def _walk(directory: str) -> int:
    """Return how many names there are below a directory; each is looked up."""
    found = 0
    stack = [directory]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                found += 1
                entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
    return found


def copy_up(way: Literal["open", "chmod", "plain"], layout: str, directory: str) -> dict[str, float]:
    """Have the file `big` of an image copied: to a container by a change, or in a plain directory."""
    with _room(layout, directory) as room, _container(room) as box:
        file = os.path.join(box.path, "big")

        def work() -> int:
            if way == "open":
                os.close(os.open(file, os.O_WRONLY))
            elif way == "chmod":
                os.chmod(file, 0o600)
            else:
                shutil.copyfile(os.path.join(directory, "plain"), os.path.join(directory, "copied"))
            return 1

        if way == "plain":
            shutil.copyfile(file, os.path.join(directory, "plain"))
        return _growth(work, directory)


def room_du(directory: str) -> dict[str, float]:
    """Count what a room takes."""
    import oci_layers as oci
    from oci_layers.snapshot import du

    with oci.Snapshots(directory) as room:
        return timed(lambda: bool(du(room).total))


def room_fsck(directory: str) -> dict[str, float]:
    """Read all files of a room, and compare them with what they should be."""
    import oci_layers as oci
    from oci_layers.snapshot import fsck

    with oci.Snapshots(directory) as room:

        def work() -> int:
            assert fsck(room).findings == ()
            return 1

        return timed(work)


PROBES: dict[str, Callable[..., dict[str, float]]] = {
    "writable-root": writable_root,
    "writable-root-again": writable_root_again,
    "second-room": second_room,
    "second-unpack": second_unpack,
    "second-buildah": second_buildah,
    "container-open": container_open,
    "container-mount": container_mount,
    "container-buildah": container_buildah,
    "containers": containers,
    "walk-view": walk_view,
    "walk-plain": walk_plain,
    "copy-up": copy_up,
    "room-du": room_du,
    "room-fsck": room_fsck,
}
