"""Declare a layer, and an image of some: `d("a/"), f("a/x", "text"), wh("a/y"), opq("a"), ln("h", "a/x")`.

Every function returns one entry; `tar` makes a layer's bytes of them, `Built` an image layout of layers.
"""

import gzip
import hashlib
import json
from pathlib import Path

import attrs
from backports import zstd

from oci_layers.tar import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARDLINK,
    REGULAR,
    SYMLINK,
    Entry,
    Pieces,
    write_tar,
)

MTIME = 1_700_000_000_123_456_789


def _bytes(text):
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def entry(name, kind=REGULAR, *, data=b"", **fields):
    """An entry of any type; text becomes bytes, and the size is that of the data."""
    data = _bytes(data)
    fields.setdefault("mtime_ns", MTIME)
    if "linkname" in fields:
        fields["linkname"] = _bytes(fields["linkname"])
    if data:
        fields.setdefault("stored_size", len(data))
        fields.setdefault("size", len(data))
        fields.setdefault("content", Pieces([data]))
    return Entry(_bytes(name), kind, **fields)


def f(name, data="", mode=0o644, **fields):
    """A regular file."""
    return entry(name, REGULAR, data=data, mode=mode, **fields)


def d(name, mode=0o755, **fields):
    """A directory."""
    return entry(name, DIRECTORY, mode=mode, **fields)


def sym(name, target, **fields):
    """A symbolic link."""
    return entry(name, SYMLINK, linkname=target, mode=0o777, **fields)


def ln(name, target, **fields):
    """A hard link."""
    return entry(name, HARDLINK, linkname=target, **fields)


def char(name, major=1, minor=3, **fields):
    """A character device."""
    return entry(name, CHARACTER, devmajor=major, devminor=minor, **fields)


def block(name, major=8, minor=0, **fields):
    """A block device."""
    return entry(name, BLOCK, devmajor=major, devminor=minor, **fields)


def fifo(name, **fields):
    """A named pipe."""
    return entry(name, FIFO, **fields)


def wh(path, **fields):
    """A whiteout of `path`."""
    parent, slash, name = path.rpartition("/")
    return entry(f"{parent}{slash}.wh.{name}", REGULAR, mode=0, mtime_ns=0, **fields)


def opq(directory="", **fields):
    """An opaque marker in `directory`."""
    return entry(f"{directory}/.wh..wh..opq".lstrip("/"), REGULAR, mode=0, mtime_ns=0, **fields)


def tar(*entries):
    """The bytes of a layer."""
    return b"".join(write_tar(entries))


COMPRESS = {
    "": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "zstd": zstd.compress,
}
MEDIA_TYPES = {
    "": "application/vnd.oci.image.layer.v1.tar",
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}


def digest(data):
    """The SHA-256 digest of bytes, as documents write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@attrs.define
class Built:
    """An image layout made of layers (bytes of tars), every document of which can be changed before it is written.

    `layers` are dicts with `plain` bytes, `blob` bytes and the `descriptor`; `write` puts everything on disk.
    """

    directory: Path
    layers: list
    config: dict
    manifest: dict
    index: dict
    ref: str | None = "t"
    blobs: dict = attrs.field(factory=dict)

    @classmethod
    def of(cls, directory, *tars, compression="gzip", ref="t"):
        """Make the documents for layers, the lowest first; nothing is written yet."""
        layers = []
        for plain in tars:
            blob = COMPRESS[compression](plain)
            descriptor = {"mediaType": MEDIA_TYPES[compression], "digest": digest(blob), "size": len(blob)}
            layers.append({"plain": plain, "blob": blob, "descriptor": descriptor})
        config = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest(layer["plain"]) for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "layers": [layer["descriptor"] for layer in layers],
        }
        return cls(Path(directory), layers, config, manifest, {"schemaVersion": 2, "manifests": []}, ref)

    def put(self, data, media_type):
        """Add a blob and return its descriptor."""
        self.blobs[digest(data)] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def write(self):
        """Write the layout and return its directory as text; a `config` that the manifest already has is kept."""
        for layer in self.layers:
            self.blobs.setdefault(layer["descriptor"]["digest"], layer["blob"])
        raw = json.dumps(self.config).encode()
        self.manifest.setdefault("config", self.put(raw, "application/vnd.oci.image.config.v1+json"))
        if not self.index["manifests"]:
            media_type = "application/vnd.oci.image.manifest.v1+json"
            descriptor = self.put(json.dumps(self.manifest).encode(), media_type)
            if self.ref is not None:
                descriptor["annotations"] = {"org.opencontainers.image.ref.name": self.ref}
            self.index["manifests"].append(descriptor)
        (self.directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        for name, data in self.blobs.items():
            (self.directory / "blobs" / name.replace(":", "/")).write_bytes(data)
        (self.directory / "index.json").write_text(json.dumps(self.index))
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        return str(self.directory)


def image(directory, *tars, compression="gzip", ref="t"):
    """Write an image layout of layers and return its directory as text."""
    return Built.of(directory, *tars, compression=compression, ref=ref).write()
