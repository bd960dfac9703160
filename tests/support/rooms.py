"""Images of layers in memory, rooms in which they are unpacked, and what the kernel makes of the room's directories."""

import contextlib
import json
import os
import subprocess
import tempfile

import oci_layers as oci
from oci_layers.blob.store import put_bytes
from oci_layers.disk import scan
from oci_layers.snapshot import Snapshots
from oci_layers.spec import parse_manifest
from oci_layers.store.memory import MemoryRepository
from oci_layers.tree import dump
from tests.support.layers import digest

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def image_of(*tars, name="app", os_="linux"):
    """An image of layers, in memory."""
    blobs = MemoryRepository().blobs
    layers = [blobs_put(blobs, LAYER, each) for each in tars]
    rootfs = {"type": "layers", "diff_ids": [digest(each) for each in tars]}
    config = blobs_put(blobs, CONFIG, json.dumps({"architecture": "amd64", "os": os_, "rootfs": rootfs}).encode())
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": plain(config), "layers": [*map(plain, layers)]}
    raw = json.dumps(manifest).encode()
    return oci.Image(parse_manifest(raw, blobs_put(blobs, MANIFEST, raw)), blobs, name=name, threads=1)


def blobs_put(blobs, media_type, data):
    descriptor = oci.Descriptor.of(data, media_type=media_type)
    put_bytes(blobs, data, descriptor)
    return descriptor


def plain(descriptor):
    return {"mediaType": descriptor.media_type, "digest": str(descriptor.digest), "size": descriptor.size}


@contextlib.contextmanager
def room(directory=None, **options):
    """A room in a directory, which is a temporary one by default."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        Snapshots(directory or os.path.join(temporary, "room"), sync=False, **options) as made,
    ):
        yield made


@contextlib.contextmanager
def mounted(layers):
    """Mount the directories of unpacked layers, the topmost first, read-only; yield the mount point."""
    with tempfile.TemporaryDirectory() as directory:
        point, empty = os.path.join(directory, "point"), os.path.join(directory, "empty")
        os.mkdir(point)
        os.mkdir(empty)
        lower = ":".join([*(layer.path for layer in layers), empty])
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"ro,userxattr,lowerdir={lower}", point], check=True)
        try:
            yield point
        finally:
            subprocess.run(["umount", point], check=True)


@contextlib.contextmanager
def unpacked(*tars, name="app", **options):
    """A room with an image of layers; yields both."""
    with image_of(*tars, name=name) as image, room(**options) as opened:
        yield opened, opened.unpack(image)


def seen(fd):
    """What an open directory shows, as text."""
    return dump(scan(fd))


def with_layers(image, *tars):
    """The layers of an image in memory with more above them, as a new image of that name."""
    below = [image.blobs.open_blob(layer.descriptor.digest).read() for layer in image.layers]
    return image_of(*below, *tars, name=image.name)


def layer_bytes(new_layer):
    """The tar of a new layer."""
    return b"".join(new_layer.iter_tar())
