"""Blobs, manifests and indexes put into any store by a line each, and what a store on disk looks like.

`manifest(blobs, b"layer", ...)` puts an image and returns its descriptor; `index_of`, `blob` and `document` do so for
other content. `Recorded` is a repository that records the calls on another.
"""

import contextlib
import io
import os
import time
from pathlib import Path

import attrs

from oci_layers.blob.store import read_verified
from oci_layers.limits import Limits
from oci_layers.spec.codec import dumps, unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from oci_layers.spec.platform import Platform
from oci_layers.store.graph import Graph
from oci_layers.store.layout import Layout

HOUR = 3600.0
UNKNOWN = "application/vnd.example.thing+json"
NOT_THERE = Digest.of(b"not there")


def blob(blobs, data, media_type=OCI_LAYER, **fields):
    """Put bytes, and return their descriptor."""
    descriptor = attrs.evolve(Descriptor.of(data, media_type=media_type), **fields)
    blobs.put_blob(io.BytesIO(data), descriptor)
    return descriptor


def document(blobs, media_type, /, **fields):
    """Put a JSON object, in which descriptors are values like others."""
    return blob(blobs, dumps(_plain(fields)), media_type)


def _plain(value):
    if isinstance(value, Descriptor):
        return unstructure(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def config(blobs, platform="linux/amd64", **fields):
    """Put an image config."""
    os_name, architecture = platform.split("/")
    rootfs = {"type": "layers", "diff_ids": []}
    return document(blobs, OCI_CONFIG, architecture=architecture, os=os_name, rootfs=rootfs, **fields)


def manifest(blobs, *layers, platform="linux/amd64", **fields):
    """Put an image: layers are bytes, put as well, or descriptors; a `config` that is given is used."""
    found = [blob(blobs, each) if isinstance(each, bytes) else each for each in layers]
    fields.setdefault("config", None)
    fields["config"] = fields["config"] or config(blobs, platform, created="2020-01-01T00:00:00Z")
    return document(blobs, OCI_MANIFEST, schemaVersion=2, mediaType=OCI_MANIFEST, layers=found, **fields)


def index_of(blobs, *entries, **fields):
    """Put an index."""
    return document(blobs, OCI_INDEX, schemaVersion=2, mediaType=OCI_INDEX, manifests=entries, **fields)


def on(platform, descriptor, **annotations):
    """An entry for a platform; underscores in names of annotations are dots."""
    annotations = {key.replace("_", "."): value for key, value in annotations.items()}
    return attrs.evolve(descriptor, platform=Platform.parse(platform), annotations=annotations)


def multi(blobs, *platforms, layer=b"layer for "):
    """Put an index with an image for each platform; return its descriptor and those of the images."""
    images = [manifest(blobs, b"base", layer + each.encode(), platform=each) for each in platforms]
    return index_of(blobs, *(on(each, image) for each, image in zip(platforms, images, strict=True))), images


def shared_images(place, count):
    """Tag images `image-0` and so on, which all have one layer in common; each has one with its neighbour too."""
    found = []
    for number in range(count):
        layers = b"base", b"pair %d" % (number // 2), b"own %d" % number
        found.append(manifest(place.blobs, *layers, config=config(place.blobs, author=str(number))))
        place.tag(f"image-{number}", found[-1])
    return found


def signature(blobs, subject, text=b"signed", **fields):
    """Put a manifest that refers to a subject."""
    return manifest(blobs, text, subject=subject, artifactType="application/vnd.example.signature", **fields)


class Recorded:
    """A `WritableRepository` that records the calls on another: ("put", digest), ("tag", name) and so on."""

    def __init__(self, inner):
        self.inner = inner
        self.place = inner.place
        self.calls = []
        self.blobs = self

    def entries(self, ref=None):
        return self.inner.entries(ref)

    def tag(self, ref, *descriptors):
        self.calls.append(("tag", ref))
        self.inner.tag(ref, *descriptors)

    def untag(self, ref):
        self.calls.append(("untag", ref))
        self.inner.untag(ref)

    @contextlib.contextmanager
    def lease(self):
        self.calls.append(("lease", "begins"))
        with self.inner.lease():
            yield
        self.calls.append(("lease", "ends"))

    def close(self):
        self.inner.close()

    def open_blob(self, digest):
        self.calls.append(("open", digest))
        return self.inner.blobs.open_blob(digest)

    def put_blob(self, stream, descriptor):
        self.inner.blobs.put_blob(stream, descriptor)
        self.calls.append(("put", descriptor.digest))

    def has_blob(self, digest):
        return self.inner.blobs.has_blob(digest)

    def reuse_blob(self, descriptor):
        found = self.inner.blobs.reuse_blob(descriptor)
        self.calls.append(("reuse", descriptor.digest) if found else ("lacks", descriptor.digest))
        return found

    def iter_blobs(self):
        return self.inner.blobs.iter_blobs()

    def iter_calls(self, *kinds):
        """Yield what was done in the calls of some kinds, in their order."""
        return (subject for kind, subject in self.calls if kind in kinds)


def layout(directory, **options):
    """Make a layout, not synced, for one test; the caller closes it."""
    return Layout.create(directory, fsync=options.pop("fsync", "never"), **options)


def path_of(directory, digest):
    """The file of a blob."""
    return Path(directory) / "blobs" / str(getattr(digest, "digest", digest)).replace(":", "/")


def age(directory, seconds=2 * HOUR, *digests):
    """Make blobs as old as if they had been stored so long ago: all, and what is in `ingest/`, if none is named."""
    then = time.time() - seconds
    files = [path_of(directory, each) for each in digests]
    for file in files or [*Path(directory).glob("blobs/*/*"), *Path(directory).glob("ingest/*")]:
        os.utime(file, (then, then), follow_symlinks=False)


def look(directory):
    """Everything in a directory: names, kinds, times, contents; two looks are equal if nothing was written."""
    found = {}
    for path in [Path(directory), *sorted(Path(directory).rglob("*"))]:
        status = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path)] = status.st_mode, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, data
    return found


def flipped(data, at=None):
    """Bytes with one bit wrong, in the middle by default."""
    at = len(data) // 2 if at is None else at
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def closure(place, entry):
    """The bytes of an entry and of all that it leads to, by digest."""
    found = (each.descriptor for each in Graph(place.blobs, Limits()).below(entry))
    return {each.digest: read_verified(place.blobs, each, limit="blob", allowed=1 << 30) for each in found}


def digests(blobs):
    """The digests of all blobs, as a set."""
    return set(blobs.iter_blobs())
