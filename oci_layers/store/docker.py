"""What `docker save` writes, read as an image (DSV-01 to DSV-12).

`manifest.json` lists images by the names of their files in the archive, without digests. So a manifest is made for the
chosen one: a plain layer's digest is what the config says of it, a compressed one's and the config's are computed. From
there on the image is one like any other, every byte checked. The archives of Docker before 1.10 have no
`manifest.json`; they are refused, as Docker refuses them.
"""

import re

import attrs

from oci_layers.blob.compression import sniff
from oci_layers.blob.directory import FileRange
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    DocumentError,
    Problem,
    ReferenceMissingError,
    StoreError,
    printable,
)
from oci_layers.limits import Limits
from oci_layers.spec.codec import dumps, unstructure
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document, parse_config
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST
from oci_layers.spec.strict_json import load_json
from oci_layers.store.archive import TarFiles
from oci_layers.store.layout import read_file
from oci_layers.store.name import normal_name

__all__ = ["MANIFEST", "DockerArchive"]

MANIFEST = "manifest.json"
_CONFIG_NAME = re.compile(r"(?:.*/)?(?:sha256:)?([a-f0-9]{64})(?:\.json)?")


@attrs.frozen
class _Item:
    """One image of `manifest.json` (DSV-01)."""

    config: str
    repo_tags: tuple[str, ...]
    layers: tuple[str, ...]


class DockerArchive:
    """The images of an archive, and the `BlobSource` of the one that is chosen."""

    def __init__(self, files: TarFiles, limits: Limits) -> None:
        """Read what the archive lists.

        Raises:
            StoreError: There is no `manifest.json`.
            DocumentError: It is malformed.
        """
        self._files = files
        self._limits = limits
        self._names: dict[Digest, str] = {}
        raw = read_file(files, MANIFEST, limit="document_bytes", allowed=limits.document_bytes)
        if raw is None:
            reason = f"not a Docker archive: there is no file {MANIFEST} (archives of Docker before 1.10 have none)"
            raise StoreError(files.place, reason)
        self._items = _parse_items(raw, limits)

    def choose(self, ref: str | None) -> Document[Manifest]:
        """Return a manifest for the image called `ref`: a name with or without tag, or `@INDEX` (DSV-10, DSV-12).

        Raises:
            ReferenceMissingError: There is no such image, or there are several and `ref` is None.
            StoreError: A file that the image lists is not in the archive.
            DocumentError: The config is malformed, or lists another number of layers.
        """
        item = self._find(ref)
        config = self._config(item)
        diff_ids = config.value.rootfs.diff_ids
        if len(diff_ids) != len(item.layers):
            problem = Problem(
                "/rootfs/diff_ids", f"{len(diff_ids)} diff_ids for the archive's {len(item.layers)} layers"
            )
            raise DocumentError(DOCKER_CONFIG, (problem,))
        layers = tuple(self._layer(name, diff_id) for name, diff_id in zip(item.layers, diff_ids, strict=True))
        manifest = Manifest(media_type=DOCKER_MANIFEST, config=config.descriptor, layers=layers)
        raw = dumps(unstructure(manifest))
        return Document(raw=raw, descriptor=Descriptor.of(raw, media_type=DOCKER_MANIFEST), value=manifest)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._items)

    def read_config(self, ref: str | None) -> tuple[str, bytes]:
        """Return the name of an image's config in the archive, and its bytes, as they are.

        Raises:
            ReferenceMissingError: As `choose`.
            StoreError: It is not in the archive.
        """
        item = self._find(ref)
        return item.config, self._read_config(item)

    def name_of(self, digest: Digest) -> str | None:
        """Return what a blob of a chosen image is called in the archive."""
        return self._names.get(digest)

    def _find(self, ref: str | None) -> _Item:
        known = tuple(name for number, item in enumerate(self._items) for name in item.repo_tags or (f"@{number}",))
        if ref is None:
            if len(self._items) == 1:
                return self._items[0]
            raise ReferenceMissingError("", known)
        if ref.startswith("@") and ref[1:].isascii() and ref[1:].isdigit() and int(ref[1:]) < len(self._items):
            return self._items[int(ref[1:])]
        for item in self._items:
            if normal_name(ref) in map(normal_name, item.repo_tags):
                return item
        raise ReferenceMissingError(ref, known)

    def _range(self, name: str) -> FileRange:
        found = self._files.find(name)
        if found is None:
            raise StoreError(self._files.place, f"the image lists {printable(name)}, which is not in the archive")
        return found

    def _read_config(self, item: _Item) -> bytes:
        self._range(item.config)
        raw = read_file(self._files, item.config, limit="config_bytes", allowed=self._limits.config_bytes)
        assert raw is not None
        return raw

    def _config(self, item: _Item) -> Document[ImageConfig]:
        raw = self._read_config(item)
        descriptor = Descriptor.of(raw, media_type=DOCKER_CONFIG)
        named = _CONFIG_NAME.fullmatch(item.config)
        if named and named[1] != descriptor.digest.encoded:
            raise DigestMismatchError(f"config {printable(item.config)}", f"sha256:{named[1]}", str(descriptor.digest))
        self._names[descriptor.digest] = item.config
        return parse_config(raw, descriptor, self._limits)

    def _layer(self, name: str, diff_id: Digest) -> Descriptor:
        found = self._range(name)
        digest = _digest(found) if sniff(found.read_at(0, 16)) else diff_id
        self._names[digest] = name
        return Descriptor(media_type=DOCKER_LAYER, digest=digest, size=found.size)

    def open_blob(self, digest: Digest) -> ByteStream:
        """Return the bytes of the chosen image's config or of one of its layers."""
        name = self._names.get(digest)
        found = None if name is None else self._files.find(name)
        if found is None:
            raise BlobMissingError(str(digest))
        return found


def _digest(data: FileRange) -> Digest:
    hasher = Digest.of(b"").hasher()
    at = 0
    while piece := data.read_at(at, PIECE):
        hasher.update(piece)
        at += len(piece)
    return Digest.parse(f"sha256:{hasher.hexdigest()}")


def _parse_items(raw: bytes, limits: Limits) -> tuple[_Item, ...]:
    # The strict reader takes objects; the archive has an array, so it is read as the value of one.
    loaded = load_json(b'{"":' + raw + b"}", media_type=MANIFEST, limits=limits)[""]
    problems: list[Problem] = []
    items = []
    if not isinstance(loaded, list):
        raise DocumentError(MANIFEST, (Problem("", "must be an array"),))
    for number, each in enumerate(loaded):
        if not isinstance(each, dict):
            problems.append(Problem(f"/{number}", "must be an object"))
            continue
        config = each.get("Config")
        if not isinstance(config, str):
            problems.append(Problem(f"/{number}/Config", "must be a string"))
            config = ""
        tags = _strings(each.get("RepoTags") or [], f"/{number}/RepoTags", problems)
        layers = _strings(each.get("Layers") or [], f"/{number}/Layers", problems)
        items.append(_Item(config, tags, layers))
    if problems:
        raise DocumentError(MANIFEST, tuple(problems))
    return tuple(items)


def _strings(value: object, pointer: str, problems: list[Problem]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        problems.append(Problem(pointer, "must be an array of strings"))
        return ()
    return tuple(value)
