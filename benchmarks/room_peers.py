"""The programs that keep images unpacked, and give writable roots of them; see `peers`.

`mounts` of a program that mounts at a path end with a mount namespace of its own. umoci knows no mounts: it unpacks
each root whole. buildah keeps layers apart for an overlay mount, as a room does; its vfs copies each onto the next.
"""

import attrs

from benchmarks import peers
from benchmarks.benchmark import probe
from benchmarks.peers import BOTH, POLICY, Program, python_script

_ROOM = (
    "import gc, sys\n"
    "import oci_layers as oci\n"
    "gc.set_threshold(100_000)\n"  # As the command does.
    "with oci.Snapshots(sys.argv[2], sync=False) as room, oci.open_image(f'oci:{sys.argv[1]}:b') as image:\n"
    "    room.unpack(image, name='b')\n"
)
_FILLED = python_script(_ROOM) + " {layout} {scratch}/room"
"""Makes a room that has the image as `b`."""

SNAPSHOT = Program(
    "oci-layers snapshot, synced",
    "{python} -m oci_layers snapshot --progress none --room {dest} oci:{layout}:b",
    BOTH,
    mounts=True,
)
ROOM = Program("Snapshots.unpack, sync=False", python_script(_ROOM) + " {layout} {dest}", BOTH, mounts=True)
UNPACK_SYNC = attrs.evolve(
    peers.OURS, name="oci-layers unpack --sync", shell=peers.OURS.shell.replace("unpack", "unpack --sync")
)
ROOMS = (ROOM, SNAPSHOT, peers.OURS, UNPACK_SYNC, peers.UMOCI, peers.BUILDAH)


def _buildah(driver: str, *, warm: bool) -> Program:
    """Return buildah's working container, mounted and written to."""
    command = f'buildah --root "$0/root" --runroot "$0/run" --storage-driver {driver}'
    image = "--pull-never localhost/layout" if warm else "oci:layout:b"
    ready = POLICY + " ln -s {layout} {scratch}/layout; cd {scratch}; "
    pull = f"unshare -m sh -ec '{command} pull -q --signature-policy policy oci:layout:b' {{scratch}}"
    root = (
        f"unshare -m sh -ec 'c=$({command} from -q --signature-policy policy {image}); "
        f'm=$({command} mount $c); echo > "$m/written"\' {{scratch}}'
    )
    return Program(
        f"buildah from, mount, {driver}",
        ("cd {scratch}; " if warm else ready) + root,
        () if warm else ("blob digests",),
        commands=("buildah", "unshare"),
        mounts=True,
        prepare=ready + pull if warm else "",
    )


_MOUNT = Program(
    "oci-layers mount --name",
    "mkdir {scratch}/m; unshare -m sh -ec "
    '\'"$0" -m oci_layers mount --progress none --room "$1/room" --name box "oci:$2:b" "$1/m"; echo > "$1/m/written"\' '
    "{python} {scratch} {layout}",
    BOTH,
    commands=("unshare",),
    mounts=True,
)
_UMOCI_BUNDLE = Program(
    "umoci unpack",
    "umoci unpack --image {layout}:b {dest}; echo > {dest}/rootfs/written",
    BOTH,
    commands=("umoci",),
    root=True,
)
WRITABLE = (
    attrs.evolve(probe("Snapshots.unpack, .container", "writable-root {layout} {dest}", BOTH), mounts=True),
    _MOUNT,
    _UMOCI_BUNDLE,
    _buildah("overlay", warm=False),
    _buildah("vfs", warm=False),
)
WRITABLE_AGAIN = (
    attrs.evolve(probe("Snapshots.container", "writable-root-again {layout} {dest}"), mounts=True),
    attrs.evolve(
        _MOUNT,
        verifies=(),
        prepare="{python} -m oci_layers snapshot --progress none --room {scratch}/room oci:{layout}:b",
    ),
    _UMOCI_BUNDLE,
    _buildah("overlay", warm=True),
    _buildah("vfs", warm=True),
)

SECOND = (
    *(
        attrs.evolve(probe(name, f"second-{way} {{layout}} {{scratch}}", BOTH), mounts=True)
        for name, way in (("Snapshots.unpack, sync=False", "room"), ("Image.unpack", "unpack"))
    ),
    attrs.evolve(
        probe("buildah pull, overlay", "second-buildah {layout} {scratch}", ("blob digests",)),
        commands=("buildah", "unshare"),
        mounts=True,
    ),
)


def open_containers(count: int) -> tuple[Program, ...]:
    """Return what opens and closes so many containers one after another, and the mounts of these alone."""
    return tuple(
        attrs.evolve(probe(name, f"{way} {count} {{layout}} {{dest}}"), mounts=True)
        for name, way in (
            ("Snapshots.container, close", "container-open"),
            ("present, close: the mount alone", "container-mount"),
            ("buildah from, mount, rm", "container-buildah"),
        )
    )


def open_at_once(count: int) -> Program:
    """Return what has so many containers open at the same time."""
    return attrs.evolve(probe("Snapshots.container", f"containers {count} {{layout}} {{dest}}"), mounts=True)


def walked(way: str) -> tuple[Program, Program]:
    """Return what walks a view of an image, and its files in a plain directory, for the `first` time or `again`."""
    view, plain = (
        probe("a view", f"walk-view {way} {{layout}} {{dest}}"),
        probe("", f"walk-plain {way} {{layout}} {{dest}}"),
    )
    return attrs.evolve(view, mounts=True), attrs.evolve(plain, mounts=True)


COPY_UPS = tuple(
    attrs.evolve(probe(name, f"copy-up {way} {{layout}} {{dest}}"), mounts=True)
    for name, way in (
        ("opened for writing in a container", "open"),
        ("its mode changed in a container", "chmod"),
        ("copied in a plain directory", "plain"),
    )
)

DU = (
    Program("snapshot.du", "{probe} room-du {scratch}/room", mounts=True, prepare=_FILLED),
    Program("du -s", "du -s {scratch}/room", commands=("du",), mounts=True, prepare=_FILLED),
)
FSCK = (
    Program("snapshot.fsck", "{probe} room-fsck {scratch}/room", mounts=True, prepare=_FILLED),
    Program(
        "find, xargs -P2 sha256sum",
        "find {scratch}/room/layers -type f -print0 | xargs -0 -n 200 -P 2 sha256sum > {scratch}/sums",
        commands=("find", "xargs", "sha256sum"),
        mounts=True,
        prepare=_FILLED,
    ),
)
