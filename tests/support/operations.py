"""Stores that are written to: images of a few blobs, what a directory holds, and the operations on it as one table.

An operation makes a store (`prepare`), changes it (`run`), and can be run again after an interruption at any point
(`again`). Tests over the table interrupt it everywhere; a new operation is one more row.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import attrs

from oci_layers import Descriptor
from oci_layers.errors import ReferenceMissingError
from oci_layers.store.copy import copy
from oci_layers.store.gc import gc
from oci_layers.store.layout import Layout

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@attrs.frozen
class Sample:
    """An image of two layers: its blobs, by descriptor, the manifest last."""

    blobs: dict[Descriptor, bytes]

    @classmethod
    def of(cls, name):
        """Make the image of that name; the lower layer is the same in all."""
        layers = [b"shared " * 20, f"layer of {name} ".encode() * 20]
        blobs = {Descriptor.of(data, media_type=LAYER): data for data in layers}
        config = json.dumps({"architecture": "amd64", "os": "linux", "author": name}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": plain(Descriptor.of(config, media_type=CONFIG)),
            "layers": [plain(each) for each in blobs],
        }
        blobs[Descriptor.of(config, media_type=CONFIG)] = config
        manifest = json.dumps(document).encode()
        blobs[Descriptor.of(manifest, media_type=MANIFEST)] = manifest
        return cls(blobs)

    @property
    def manifest(self):
        """The descriptor of the manifest."""
        return list(self.blobs)[-1]


def plain(descriptor):
    """Return a descriptor as a document has it."""
    return {"mediaType": descriptor.media_type, "digest": str(descriptor.digest), "size": descriptor.size}


class Source(io.BytesIO):
    """A stream that can be continued: it skips bytes."""

    def skip(self, size):
        """Skip bytes; return how many."""
        before = self.tell()
        return self.seek(min(before + size, len(self.getbuffer()))) - before


OLD, NEW, OTHER = Sample.of("old"), Sample.of("new"), Sample.of("other")
DATA = b"a blob that is written in three pieces, and resumed after the first of them"
BLOB = Descriptor.of(DATA, media_type="text/plain")
PIECES = DATA[:30], DATA[30:31], DATA[31:]


def put_image(layout, image):
    """Put the blobs of an image."""
    for descriptor, data in image.blobs.items():
        layout.blobs.put_blob(io.BytesIO(data), descriptor)


def filled(directory, *, tags=("old",), images=(OLD, NEW)):
    """Make a store of images; the first has the names."""
    with Layout.create(directory, fsync="never") as layout:
        for image in images:
            put_image(layout, image)
        for tag in tags:
            layout.tag(tag, images[0].manifest)


def interrupted(directory):
    """Make a store in which a blob was written in part."""
    filled(directory)
    with Layout.open(directory, fsync="never") as layout, layout.blobs.ingest(BLOB, resume=True) as writer:
        writer.write(PIECES[0])


def _create(directory):
    Layout.create(directory / "above" / "store", exist_ok=True).close()


def _put(directory):
    with Layout.open(directory) as layout:
        layout.blobs.put_blob(io.BytesIO(DATA), BLOB)


def _ingest(directory):
    with Layout.open(directory) as layout, layout.blobs.ingest() as writer:
        for piece in PIECES:
            writer.write(piece)
        assert writer.commit(BLOB) == BLOB


def _resume(directory):
    with Layout.open(directory) as layout, layout.blobs.ingest(BLOB, resume=True) as writer:
        rest = DATA[writer.offset :]
        writer.write(rest[:10])
        writer.write(rest[10:])
        writer.commit()


def _resume_source(directory):
    with Layout.open(directory) as layout:
        layout.blobs.put_blob(Source(DATA), BLOB)


def _reuse(directory):
    with Layout.open(directory) as layout:
        for each in list(OLD.blobs)[:2]:
            assert layout.blobs.reuse_blob(each)


def _tag(directory):
    with Layout.open(directory) as layout:
        layout.tag("new", NEW.manifest)


def _retag(directory):
    with Layout.open(directory) as layout:
        layout.tag("old", NEW.manifest)


def _untag(directory):
    with Layout.open(directory) as layout:
        layout.untag("old")


def _move(directory):
    with Layout.open(directory) as layout:
        layout.move("old", "new")


def _image(directory, fsync="always"):
    with Layout.open(directory, fsync=fsync) as layout, layout.lease():
        put_image(layout, OTHER)
        layout.tag("other", OTHER.manifest)


def _unused(directory):
    """Make a store with blobs that nothing refers to, and a part of one, all of them old."""
    interrupted(directory)
    for top, _, names in os.walk(directory):
        for name in names:
            os.utime(os.path.join(top, name), (1e9, 1e9))


def _gc(directory):
    with Layout.open(directory) as layout:
        gc(layout)


def _two_stores(directory):
    directory.mkdir()
    filled(directory / "source", tags=("new",), images=(NEW,))
    filled(directory / "target", images=(OLD,))


def _copy(directory):
    with Layout.open(directory / "source") as source, Layout.open(directory / "target") as target:
        copy(source, target, "new", threads=1)


@attrs.frozen
class Operation:
    """An operation on a store: `least` is the number of system calls that it makes at least."""

    prepare: Callable[[Path], object]
    run: Callable[[Path], object]
    least: int
    again: Callable[[Path], object] = attrs.field(default=attrs.Factory(lambda self: self.run, takes_self=True))


def _unless_missing(run):
    """Repeat an operation that may have been completed, and then finds nothing more."""

    def again(directory):
        with contextlib.suppress(ReferenceMissingError):
            run(directory)

    return again


OPERATIONS = {
    "create": Operation(lambda directory: directory.mkdir(), _create, 35),
    "first put": Operation(lambda directory: Layout.create(directory).close(), _put, 25),
    "put": Operation(filled, _put, 25),
    "ingest": Operation(filled, _ingest, 25),
    "resume": Operation(interrupted, _resume, 30),
    "resume a source": Operation(interrupted, _resume_source, 30),
    "reuse": Operation(filled, _reuse, 25),
    "tag": Operation(filled, _tag, 35),
    "retag": Operation(filled, _retag, 35),
    "untag": Operation(lambda directory: filled(directory, tags=("old", "kept")), _untag, 30, _unless_missing(_untag)),
    "move": Operation(filled, _move, 30, _unless_missing(_move)),
    "gc": Operation(_unused, _gc, 60),
    "copy": Operation(_two_stores, _copy, 100),
    "image": Operation(filled, _image, 80),
    "image, synced at once": Operation(filled, lambda directory: _image(directory, "commit"), 70),
    "image, not synced": Operation(filled, lambda directory: _image(directory, "never"), 60),
}
"""By name. `tests/durability` kills each at every call, and lets every call fail."""


def content(directory, *, leftovers=False):
    """Return {path: bytes} of the files below a directory; those in `ingest` only if asked."""
    found = {}
    for top, _, names in os.walk(directory):
        for name in names:
            path = os.path.relpath(os.path.join(top, name), directory)
            if leftovers or "ingest" not in path.split("/"):
                found[path] = Path(top, name).read_bytes()
    return found


def leftovers(directory, *, resumable=True):
    """Return the paths of the files in `ingest`; without `resumable`, only of those that are not the part of a blob."""
    files = content(directory, leftovers=True)
    paths = files.keys() - content(directory).keys()
    return {path for path in paths if resumable or not (files[path] and "/sha256-" in path)}


def stores_of(directory, files):
    """Return the layouts in a directory, which has the files {path: bytes}."""
    return [directory / path.removesuffix("oci-layout") for path in files if path.endswith("oci-layout")]


def assert_blobs_are_whole(files):
    """Check that each file below `blobs/` has the bytes that its name says; `files` is {path: bytes}."""
    for path, data in files.items():
        parts = path.split("/")
        if "blobs" in parts:
            assert parts[-3] == "blobs", path
            assert hashlib.new(parts[-2], data).hexdigest() == parts[-1], path


def assert_between(files, old, new):
    """Check a store whose change from `old` to `new` was interrupted; all are {path: bytes} without leftovers.

    Each file is as before or as after, what both have is there, and nothing else is.
    """
    assert_blobs_are_whole(files)
    for path, data in files.items():
        assert data in (old.get(path), new.get(path)), path
    assert files.keys() >= old.keys() & new.keys()
    if any(path.endswith("oci-layout") for path in files):
        assert any(path.endswith("index.json") for path in files)


def assert_opens(directory):
    """Check that each layout opens, if its marker is there, and that all entries of its index can be read."""
    for store in stores_of(directory, content(directory)):
        with Layout.open(store) as layout:
            for each in layout.entries():
                assert layout.blobs.has_blob(each.digest)
