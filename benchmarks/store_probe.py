"""The probes of places that hold images; those that need a store or an archive make it at the path they are given.

Beside each is the shortest code that leaves the same files behind, or returns the same bytes.
"""

import contextlib
import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from benchmarks.clock import passes, timed

_Fsync = Literal["always", "commit", "never"]
_MIB = 1 << 20
_IO = Path("/proc/self/io")
_OCTETS = "application/octet-stream"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_DOCUMENTS = {
    "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    "index.json": b'{"schemaVersion":2,"manifests":[]}',
}


def copy_again(layout: str, target: str) -> dict[str, float]:
    """Copy an image that the target has."""
    from oci_layers.store.copy import copy
    from oci_layers.store.layout import Layout

    with Layout.open(layout) as old, Layout.create(target) as new:
        copy(old, new)

        def work() -> int:
            assert copy(old, new).blobs == 0
            return 1

        return passes(work)


def copy_again_skopeo(layout: str, target: str) -> dict[str, float]:
    """Copy an image that the target has, with skopeo."""
    command = ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}:b", f"oci:{target}:b"]

    def work() -> int:
        subprocess.run(command, check=True)
        return 1

    return passes(work)


def blobs(fsync: _Fsync, count: str, target: str) -> dict[str, float]:
    """Store small blobs, then name one of them, so that all survive a power cut that are meant to."""
    from oci_layers.store.layout import Layout

    contents = _contents(int(count))
    with Layout.create(target, fsync=fsync) as layout:

        def work() -> int:
            last = None
            for data in contents:
                with layout.own_blobs.ingest() as writer:
                    writer.write(data)
                    last = writer.commit()
            assert last is not None
            layout.tag("b", last)
            return len(contents)

        return timed(work)


def blobs_loop(fsync: _Fsync, count: str, target: str) -> dict[str, float]:
    """Write the same files."""
    contents = _contents(int(count))
    os.mkdir(target)
    directory = os.open(target, os.O_RDONLY)

    def work() -> int:
        for data in contents:
            with open(f"{target}/{hashlib.sha256(data).hexdigest()}", "wb") as file:
                file.write(data)
                if fsync != "never":
                    file.flush()
                    os.fsync(file.fileno())
            if fsync == "always":
                os.fsync(directory)
        if fsync == "commit":
            os.fsync(directory)
        return len(contents)

    return timed(work)


def _contents(count: int) -> list[bytes]:
    dice = random.Random(count)
    return [dice.randbytes(1_000) for _ in range(count)]


def make_store(images: str, target: str) -> dict[str, float]:
    """Make a layout of ten times as many blobs as images, of which every second one is listed, all without a name."""
    blobs_directory = Path(target, "blobs", "sha256")
    blobs_directory.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, object]:
        name = hashlib.sha256(data).hexdigest()
        (blobs_directory / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    listed = []
    config = put(b"{}", _CONFIG)
    for number in range(int(images)):
        layers = [put(f"layer {number} {layer}".encode(), _LAYER) for layer in range(5)]
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
        entry = put(json.dumps(manifest).encode(), _MANIFEST)
        if number % 2 == 0:
            listed.append(entry)
    for number in range(4 * int(images) - 1):
        put(f"orphan {number}".encode(), _OCTETS)
    Path(target, "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    Path(target, "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return {"items": 10 * int(images)}


def gc(images: str, target: str) -> dict[str, float]:
    """Delete what the store of `make_store` does not need."""
    from oci_layers.store.gc import gc as collect
    from oci_layers.store.layout import Layout

    with Layout.open(target) as layout:
        return _collected(int(images), lambda: len(collect(layout, grace=0).deleted))


def gc_loop(images: str, target: str) -> dict[str, float]:
    """Delete the same."""
    directory = f"{target}/blobs/sha256"

    def work() -> int:
        used, deleted = set(), 0
        for entry in json.loads(Path(target, "index.json").read_bytes())["manifests"]:
            name = entry["digest"].removeprefix("sha256:")
            manifest = json.loads(Path(directory, name).read_bytes())
            used.add(name)
            used.update(each["digest"].removeprefix("sha256:") for each in (manifest["config"], *manifest["layers"]))
        for name in os.listdir(directory):
            if name not in used:
                os.unlink(f"{directory}/{name}")
                deleted += 1
        return deleted

    return _collected(int(images), work)


def _collected(images: int, work: Callable[[], int]) -> dict[str, float]:
    result = timed(work)
    assert result["items"] == 7 * images - 1
    return {**result, "items": 10 * images}


def archive_blob(mib: str, file: str) -> dict[str, float]:
    """Read one blob from an archive of as many MiB."""
    from oci_layers.blob.store import read_verified
    from oci_layers.spec.descriptor import Descriptor
    from oci_layers.spec.digest import Digest
    from oci_layers.store.archive import TarArchive

    wanted = Descriptor(media_type=_LAYER, digest=Digest(f"sha256:{_make_archive(int(mib), file)}"), size=_MIB)

    def work() -> int:
        with contextlib.closing(TarArchive(file)) as archive:
            assert len(read_verified(archive.blobs, wanted, limit="blob", allowed=_MIB)) == _MIB
        return 1

    return _read(work)


def archive_blob_tarfile(mib: str, file: str) -> dict[str, float]:
    """Read the same with `tarfile`."""
    name = _make_archive(int(mib), file)

    def work() -> int:
        with tarfile.open(file, "r:") as archive:
            member = archive.extractfile(f"blobs/sha256/{name}")
            assert member is not None
            assert hashlib.sha256(member.read()).hexdigest() == name
        return 1

    return _read(work)


def _make_archive(mib: int, file: str) -> str:
    """Make a sparse archive of blobs of 1 MiB of zeros; return the name of the one in the middle, the right one."""
    right = hashlib.sha256(bytes(_MIB)).hexdigest()
    names = (right if number == mib // 2 else f"{number:064x}" for number in range(mib))
    with open(file, "wb") as opened:
        for name, data in _DOCUMENTS.items():
            opened.write(_header(name, len(data)))
            opened.write(data.ljust(tarfile.BLOCKSIZE, b"\0"))
        for name in names:
            opened.write(_header(f"blobs/sha256/{name}", _MIB))
            opened.seek(_MIB, io.SEEK_CUR)
        opened.truncate(opened.tell() + 2 * tarfile.BLOCKSIZE)
    return right


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.USTAR_FORMAT)


def _read(work: Callable[[], int]) -> dict[str, float]:
    """Return how long it takes, and how many bytes one pass reads; 0 where the system does not count them."""
    result = passes(work)
    before = _bytes_read()
    work()
    return {**result, "bytes": _bytes_read() - before}


def _bytes_read() -> int:
    counters = _IO.read_text().split() if _IO.exists() else []
    return int(counters[counters.index("rchar:") + 1]) if counters else 0


PROBES: dict[str, Callable[..., dict[str, float]]] = {
    "copy-again": copy_again,
    "copy-again-skopeo": copy_again_skopeo,
    "blobs": blobs,
    "blobs-loop": blobs_loop,
    "make-store": make_store,
    "gc": gc,
    "gc-loop": gc_loop,
    "archive-blob": archive_blob,
    "archive-blob-tarfile": archive_blob_tarfile,
}
