"""Programs that are no one command: overlay mounts, of the upper directories made here, and of a storage of layers."""

import contextlib
import io
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from oci_layers import system
from oci_layers.errors import OCIError, StoreError, format_error
from oci_layers.layer.apply import apply
from oci_layers.layer.decode import decode
from oci_layers.layer.diff import diff
from oci_layers.layer.overlay import to_upper
from oci_layers.layer.policy import Policy
from oci_layers.tar.reader import read_tar
from oci_layers.testing.judge.program import Job, Result, run_words
from oci_layers.testing.judge.write import write_changes
from oci_layers.tree.tree import FileTree

__all__ = ["KernelOverlay", "StoredOverlay"]

_TRIES = 200
_PAUSE = 0.05


@attrs.frozen
class KernelOverlay:
    """The kernel's overlay of the layers as upper directories, which `layer.to_upper` makes."""

    name: str = "overlay"
    command: str = "mount -t overlay -o ro,lowerdir={upper}:...:{upper} overlay {dest}"
    is_parallel: bool = True

    @contextlib.contextmanager
    def run(self, job: Job) -> Iterator[Result]:
        """Write the upper directories into the scratch directory, and mount them."""
        policy = Policy(parents="replace")
        tree = FileTree()
        uppers: list[Path] = []
        try:
            for number, file in enumerate(job.tars):
                lower = tree.fork()
                changes = decode(read_tar(io.BytesIO(file.read_bytes())), layer=number, policy=policy)
                apply(changes, tree, layer=number, policy=policy)
                found = list(diff(lower, tree))
                if found:  # A directory without changes would have attributes of its own.
                    uppers.append(job.scratch / f"upper{number}")
                    write_changes(uppers[-1], to_upper(found), overlay=True)
        except OCIError as error:
            yield Result(None, format_error(error))
            return
        with mounted(job, uppers) as result:
            yield result


@attrs.frozen
class StoredOverlay:
    """A copy into containers-storage with the driver `overlay`, mounted as its programs mount it."""

    name: str = "skopeo-overlay"
    command: str = (
        "skopeo copy oci:{layout}:{ref} 'containers-storage:[overlay@{scratch}/root+{scratch}/run]localhost/case' && "
        "mount -t overlay -o ro,lowerdir={diff}:...:{diff} overlay {dest}"
    )
    is_parallel: bool = True

    @contextlib.contextmanager
    def run(self, job: Job) -> Iterator[Result]:
        """Copy the image, and mount the directories of its layers."""
        root = job.scratch / "root"
        store = f"containers-storage:[overlay@{root}+{job.scratch}/run]localhost/case"
        result = run_words(["skopeo", "copy", "--quiet", f"oci:{job.layout}:{job.ref}", store], job, job.scratch)
        try:
            if result.root is None:
                yield result
            else:
                with mounted(job, _stored_layers(root)) as made:
                    yield made
        finally:
            unmount(root / "overlay")  # The driver mounts its own directory on itself.


def _stored_layers(root: Path) -> list[Path]:
    """Return the directories of the layers of the only image in a storage, the lowest first."""
    file = root / "overlay-layers/layers.json"
    layers = {each["id"]: each for each in json.loads(file.read_text("utf-8"))} if file.exists() else {}
    top: str | None = json.loads((root / "overlay-images/images.json").read_text("utf-8"))[0].get("layer")
    found = []
    while top:
        found.append(root / "overlay" / top / "diff")
        top = layers[top].get("parent")
    return found[::-1]


@contextlib.contextmanager
def mounted(job: Job, uppers: Sequence[Path]) -> Iterator[Result]:
    """Mount directories, the lowest first, and give the mount point."""
    # The kernel wants two lower directories at least.
    nothing = [job.scratch / "nothing0", job.scratch / "nothing1"]
    point = job.scratch / "mount"
    for directory in (*nothing, point):
        directory.mkdir(0o755)
    lower = ":".join(map(str, [*reversed(uppers), *nothing]))
    result = run_words(
        ["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lower}", str(point)], job, point, on_host=True
    )
    try:
        yield result
    finally:
        unmount(point)


def unmount(point: Path) -> None:
    """Unmount a directory, if something is mounted there.

    Raises:
        StoreError: It stays in use.
    """
    for _ in range(_TRIES):
        if os.fsencode(point) not in system.mount_points():
            return
        if subprocess.run(["umount", str(point)], capture_output=True, check=False).returncode:  # noqa: S603, S607
            # A program that another thread is just starting has the open files of this one for a moment.
            time.sleep(_PAUSE)
    raise StoreError(str(point), "cannot be unmounted")
