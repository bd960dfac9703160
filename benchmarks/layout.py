"""Entries into an OCI layout of one image, called `b`, that is made once and kept; and the layer files of a layout.

Layers are written as they are compressed, so that the memory held does not grow with them. Contents are made to
compress about as well as those of real images do. zlib at level 6 is what most images are made with; where a layer is
so large that this would take minutes, it is igzip's level 2 (or zlib's 1, without isal), which compresses worse and
inflates at about the same speed. The same entries give the same bytes.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import attrs

from oci_layers.tar import Entry, write_tar

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "oci-layers-benchmarks"

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_GZIP = 31
"""What zlib calls the window and the header of gzip."""


class _Compressor(Protocol):
    def compress(self, data: bytes | memoryview, /) -> bytes: ...

    def flush(self) -> bytes: ...


@attrs.frozen
class Gzip:
    """A way to compress layers."""

    name: str
    start: Callable[[], _Compressor]


def _fast() -> Gzip:
    try:
        from isal import isal_zlib
    except ImportError:
        return Gzip("zlib, level 1", lambda: zlib.compressobj(1, wbits=_GZIP))
    return Gzip("igzip, level 2", lambda: isal_zlib.compressobj(2, wbits=_GZIP))


USUAL = Gzip("zlib, level 6", lambda: zlib.compressobj(6, wbits=_GZIP))
FAST = _fast()
STORED = Gzip("zlib, level 0", lambda: zlib.compressobj(0, wbits=_GZIP))


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return the directory of this name in the cache, made by `make` at the path that it is given if it is not there.

    It appears whole or not at all. Of two runs that make it at once, the first wins.
    """
    place = CACHE / name
    if place.exists():
        return place
    print(f"making {name}, to be kept in {CACHE}", file=sys.stderr)
    CACHE.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=CACHE))
    try:
        make(work / "made")
        try:
            (work / "made").rename(place)
        except OSError:
            if not place.exists():
                raise
    finally:
        remove(work)
    return place


def remove(directory: Path) -> None:
    """Remove a directory whatever its modes are."""
    if subprocess.run(["rm", "-rf", "--", directory], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        subprocess.run(["chmod", "-R", "u+rwx", "--", directory], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--", directory], check=True)


def write_layout(layout: Path, layers: Iterable[Iterable[Entry]], gzip: Gzip = USUAL) -> None:
    """Write the layout of an image of these layers, the lowest first."""
    (layout / "blobs" / "sha256").mkdir(parents=True)
    written = [_write_layer(layout, entries, gzip) for entries in layers]
    diff_ids = [diff_id for _, diff_id in written]
    write_documents(layout, [descriptor for descriptor, _ in written], diff_ids)


def write_documents(layout: Path, layers: list[dict[str, object]], diff_ids: list[str]) -> None:
    """Write config, manifest, index and marker of a layout; `layers` are the descriptors of blobs that are there."""
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _put(layout, json.dumps(config).encode(), _CONFIG),
        "layers": layers,
    }
    entry = _put(layout, json.dumps(manifest).encode(), _MANIFEST)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "b"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def _write_layer(layout: Path, entries: Iterable[Entry], gzip: Gzip) -> tuple[dict[str, object], str]:
    """Write the blob of a layer; return its descriptor and its diff_id."""
    plain, stored, size = hashlib.sha256(), hashlib.sha256(), 0
    compressor = gzip.start()
    unnamed = layout / "blobs" / "sha256" / "unnamed"
    with unnamed.open("wb") as file:

        def write(data: bytes) -> int:
            stored.update(data)
            return file.write(data)

        for piece in write_tar(entries):
            plain.update(piece)
            size += write(compressor.compress(piece))
        size += write(compressor.flush())
    unnamed.rename(unnamed.with_name(stored.hexdigest()))
    return _descriptor(_LAYER, stored.hexdigest(), size), f"sha256:{plain.hexdigest()}"


def _put(layout: Path, data: bytes, media_type: str) -> dict[str, object]:
    name = hashlib.sha256(data).hexdigest()
    (layout / "blobs" / "sha256" / name).write_bytes(data)
    return _descriptor(media_type, name, len(data))


def _descriptor(media_type: str, name: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": f"sha256:{name}", "size": size}


def layer_files(layout: Path) -> list[Path]:
    """Return the blobs of the layers of a layout's one image, from the lowest."""
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(_blob(layout, index["manifests"][0]["digest"]).read_text())
    return [_blob(layout, layer["digest"]) for layer in manifest["layers"]]


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")
