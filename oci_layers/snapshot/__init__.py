r"""A room: a directory in which each layer is unpacked once, and images and containers that stand on it.

An image costs the layers that the room lacks. A layer is stored as its change of the merged tree, in the form of an
overlay mount, so what the kernel shows is what `image.tree()` and `image.unpack` give:

    >>> import os, pathlib, tempfile
    >>> import oci_layers as oci
    >>> from oci_layers import snapshot
    >>> work = tempfile.TemporaryDirectory()
    >>> room: oci.Snapshots = oci.Snapshots(os.path.join(work.name, "room"))
    >>> with oci.open_image("tests/data/image") as image:
    ...     unpacked: snapshot.Snapshot = room.unpack(image, name="lighthouse")
    ...     again = room.unpack(image, name="lighthouse:copy")
    >>> len(unpacked.unpacked), len(again.unpacked), unpacked.chain_id == again.chain_id
    (5, 0, True)
    >>> [each.name for each in room.images()]
    ['lighthouse', 'lighthouse:copy']
    >>> room.tree("lighthouse").require("etc/motd").content.size
    37

A view is a directory to read. It is a mount that has no path where the system lets one be made, which an ordinary user
has as well; `at=` mounts it at a path. `PRESENTERS` are the ways to show it, `farm` is the last of all, which copies:

    >>> view: snapshot.View = room.view("lighthouse")
    >>> sorted(os.listdir(view.fd))
    ['etc', 'opt', 'usr', 'var']
    >>> ways: tuple[snapshot.PresenterName, ...] = snapshot.PRESENTERS
    >>> view.presenter in {*ways, "farm"}, view.mount_point
    (True, None)
    >>> view.close()

A container is a directory to write. The image stays as it is. One without a name is gone when it is closed; one with
a name is kept, and what it changed becomes a layer:

    >>> box: snapshot.Container = room.container("lighthouse", name="keeper")
    >>> with box:
    ...     etc = pathlib.Path(box.path, "etc")
    ...     (etc / "os-release").unlink()
    ...     (etc / "motd").write_text("gone fishing")
    12
    >>> files: snapshot.ContainerFiles = room.container_files("keeper")
    >>> [(type(change).__name__, change.path) for change in files.changes() if change.path]
    [('Add', b'etc'), ('Whiteout', b'etc/os-release'), ('Add', b'etc/motd')]
    >>> files.tree().get("etc/os-release") is None
    True
    >>> written = files.commit().write(oci.store.MemoryRepository().blobs)
    >>> containers: list[snapshot.ContainerRecord] = room.containers()
    >>> mounts: list[snapshot.MountRecord] = room.mounts()
    >>> [each.name for each in containers], mounts
    (['keeper'], [])

    >>> listed: list[snapshot.ListedContainer] = snapshot.list_containers(room)
    >>> listed[0].record == containers[0], listed[0].mount_point, listed[0].in_use
    (True, None, False)

What is kept, what it takes, and whether it is what it was:

    >>> usage: snapshot.Usage = snapshot.du(room)
    >>> image_size: snapshot.ImageSize = usage.images[0]
    >>> container_size: snapshot.ContainerSize = usage.containers[0]
    >>> usage.layers, image_size.exclusive, container_size.name
    (5, 0, 'keeper')
    >>> checked: snapshot.Checked = snapshot.fsck(room)
    >>> findings: tuple[snapshot.RoomFinding, ...] = checked.findings
    >>> checked.layers, findings
    (5, ())
    >>> room.remove_container("keeper")
    >>> room.remove_image("lighthouse")
    >>> room.remove_image("lighthouse:copy")
    >>> collected: snapshot.Collected = snapshot.gc(room, grace=0)
    >>> len(collected.layers), collected.kept
    (5, 0)
    >>> room.close()

Equal files of different layers share their space where the file system has clones: `oci.Snapshots(..., share=...)`,
a `Share`. A stack of other directories in the form of an overlay is shown as well, 500 of them at most:

    >>> share: snapshot.Share = "clone"
    >>> from oci_layers import errors, system
    >>> for name in ("lower/etc", "upper", "work"):
    ...     os.makedirs(os.path.join(work.name, name))
    >>> lower, upper, kernel = (system.open_root(os.path.join(work.name, name)) for name in ("lower", "upper", "work"))
    >>> stack = snapshot.Stack((lower,), upper=upper, work=kernel, namespace="user")
    >>> len(stack.lowers) <= snapshot.MOST_LOWERS
    True
    >>> try:
    ...     merged: snapshot.Presented = snapshot.present(stack)
    ... except errors.PresenterError as error:
    ...     assert error.refused
    ... else:
    ...     with merged:
    ...         system.make_directory(b"run", merged.fd)
    ...         assert system.list_names(merged.fd) == [b"etc", b"run"]
    ...         assert system.list_names(upper) == [b"run"] and merged.path is None
    >>> for fd in (lower, upper, kernel):
    ...     system.close(fd)
    >>> for name in os.listdir(os.path.join(work.name, "work")):  # The kernel's directory has no mode for its owner.
    ...     os.chmod(os.path.join(work.name, "work", name), 0o700)
    >>> work.cleanup()

Further rooms may stand under one, to be used and never written (`oci.Snapshots(..., read_only=[...])`). Where the
system maps owners, a container may show and write others than its image has, and its layers have those of the image
again (`container(..., owner=Owner(uids=..., gids=...))`).

`snapshots` is the room, `directory` its files, `record` its records. `unpack` writes layers through `upper_mirror`,
with their changes beside them (`changes_file`); `layers`, `images` and `containers` find what is there, `share` shares
files. `show` shows layers through `presenter` and `overlay`, with owners that are `mapped`, or makes a `farm`; `mounts`
notes what stays mounted. `container` is what is written over them, and `upper_tree` reads it.
"""

from oci_layers.snapshot.container import Container, ContainerFiles, View
from oci_layers.snapshot.du import ContainerSize, ImageSize, Usage, du
from oci_layers.snapshot.fsck import Checked, RoomFinding, fsck
from oci_layers.snapshot.gc import Collected, gc
from oci_layers.snapshot.images import Snapshot
from oci_layers.snapshot.listing import ListedContainer, list_containers
from oci_layers.snapshot.overlay import MOST_LOWERS, Stack
from oci_layers.snapshot.presenter import PRESENTERS, Presented, PresenterName, present
from oci_layers.snapshot.record import ContainerRecord, MountRecord
from oci_layers.snapshot.share import Share
from oci_layers.snapshot.snapshots import Snapshots

__all__ = [
    "MOST_LOWERS",
    "PRESENTERS",
    "Checked",
    "Collected",
    "Container",
    "ContainerFiles",
    "ContainerRecord",
    "ContainerSize",
    "ImageSize",
    "ListedContainer",
    "MountRecord",
    "Presented",
    "PresenterName",
    "RoomFinding",
    "Share",
    "Snapshot",
    "Snapshots",
    "Stack",
    "Usage",
    "View",
    "du",
    "fsck",
    "gc",
    "list_containers",
    "present",
]
