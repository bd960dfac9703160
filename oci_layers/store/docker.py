"""Archives of `docker save`, read as images (DSV-01 to DSV-12).

`manifest.json` lists images by the names of their files in the archive, without digests. So a manifest is made for the
chosen image: the digest of an uncompressed layer is its diff_id in the config; the digests of compressed layers and of
the config are computed. The result is read like any other image, with every byte checked. Several images may have one
name, each for another platform, as in a layout; then the configs decide which one is chosen. Archives of Docker before
1.10 have no `manifest.json`; they are refused, as Docker refuses them (`diagnose`).
"""

import io
import re
from collections import Counter
from collections.abc import Iterable

from oci_layers.blob.compression import sniff
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    DocumentError,
    OCIError,
    Problem,
    ReferenceMissingError,
    StoreError,
    escape,
)
from oci_layers.limits import Limits
from oci_layers.spec.codec import dumps, unstructure
from oci_layers.spec.config import ImageConfig, platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document, parse_config
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import select
from oci_layers.store.archive import Member, TarArchive
from oci_layers.store.docker_listing import MANIFEST, DockerItem, parse_listing
from oci_layers.store.files import read_file
from oci_layers.store.name import normalize_reference
from oci_layers.store.select import fits, host_platform, stand_in

__all__ = ["DockerArchive"]

_CONFIG_NAME = re.compile(r"(?:.*/)?(?:sha256:)?([a-f0-9]{64})(?:\.json)?")


class DockerArchive:
    """The images of an archive, and the `BlobSource` of those for which a manifest was made."""

    def __init__(self, files: TarArchive, limits: Limits) -> None:
        """Read the `manifest.json` of the archive, which must exist.

        Raises:
            DocumentError: It is malformed.
        """
        self._files = files
        self._limits = limits
        self._names_of: dict[Digest, str] = {}
        self._digests: dict[bytes, Digest] = {}
        self._made: dict[Digest, bytes] = {}
        raw = read_file(files, MANIFEST, limit="document_bytes", allowed=limits.document_bytes)
        assert raw is not None, "diagnose.is_docker has looked for it"
        self._items = parse_listing(raw, limits)
        # The numbers of all images, those of the same one together.
        self._same: dict[tuple[object, ...], list[int]] = {}
        for number, item in enumerate(self._items):
            self._same.setdefault((item.config, item.layers), []).append(number)

    def choose(self, ref: str | None, platform: Platform | None = None) -> Document[Manifest]:
        """Return a manifest for the image with the name `ref`, with or without tag, or `@INDEX` (DSV-10, DSV-12).

        Of several images, the one whose config is for the platform is chosen; the default is this machine's platform.

        Raises:
            ReferenceMissingError: There is no such image, or none for the platform, or several; the error lists the
                existing ones.
            StoreError: A file that the image lists is not in the archive.
            DocumentError: The config is malformed, or has a different number of layers.
        """
        return self.manifest(self._one_of(self.called(ref), ref, platform))

    def manifest(self, number: int) -> Document[Manifest]:
        """Return a manifest for an image, given by its number; raises as `choose`."""
        item = self._items[number]
        config = self._config(item)
        diff_ids = config.value.rootfs.diff_ids
        if len(diff_ids) != len(item.layers):
            problem = Problem(
                "/rootfs/diff_ids", f"{len(diff_ids)} diff_ids for the archive's {len(item.layers)} layers"
            )
            raise DocumentError(DOCKER_CONFIG, (problem,))
        layers = tuple(
            self._layer(f"layer {at}", *each) for at, each in enumerate(zip(item.layers, diff_ids, strict=True))
        )
        manifest = Manifest(media_type=DOCKER_MANIFEST, config=config.descriptor, layers=layers)
        raw = dumps(unstructure(manifest))
        descriptor = Descriptor.of(raw, media_type=DOCKER_MANIFEST)
        self._made[descriptor.digest] = raw
        return Document(raw=raw, descriptor=descriptor, value=manifest)

    def called(self, ref: str | None) -> list[int]:
        """Return the numbers of the images with the name `ref`, or of all; only the first of an image listed twice.

        Raises:
            ReferenceMissingError: There is no such image; the error lists the existing ones.
        """
        count = len(self._items)
        found = [number for number in range(count) if ref is None or self._is_called(number, ref)]
        if not found:
            raise ReferenceMissingError(ref or "", self._names(range(count)))
        first: dict[tuple[object, ...], int] = {}
        for number in found:
            first.setdefault((self._items[number].config, self._items[number].layers), number)
        return list(first.values())

    def images(self, ref: str | None) -> list[tuple[int, tuple[str, ...]]]:
        """Return the number and the references of each image, or of those called `ref`; `@N` where no name is its own.

        Raises:
            ReferenceMissingError: There is no such image; the error lists the existing ones.
        """
        own = Counter(tag for numbers in self._same.values() for tag in self._tags(numbers))
        found = []
        for number in self.called(ref):
            tags = self.tags(number)
            alone = any(own[tag] == 1 for tag in tags)
            found.append((number, (*tags, *(() if alone else (f"@{number}",)))))
        return found

    def tags(self, number: int) -> tuple[str, ...]:
        """Return the names of an image, given by its number: those of each place where it is listed."""
        item = self._items[number]
        return self._tags(self._same[item.config, item.layers])

    def _tags(self, numbers: Iterable[int]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(tag for number in numbers for tag in self._items[number].repo_tags))

    def with_config(self, digest: Digest) -> int | None:
        """Return the number of the first image whose config file is named after this digest; None if there is none."""
        for number, item in enumerate(self._items):
            named = _CONFIG_NAME.fullmatch(item.config)
            if named and f"sha256:{named[1]}" == str(digest):
                return number
        return None

    def platform_of(self, number: int) -> Platform:
        """Return the platform in the config of an image; raises as `choose`."""
        return platform_of(self._config(self._items[number]).value)

    def diff_ids(self, number: int) -> tuple[Digest, ...]:
        """Return the diff_ids in the config of an image; raises as `choose`."""
        return tuple(self._config(self._items[number]).value.rootfs.diff_ids)

    def read_config(self, number: int) -> tuple[str, bytes]:
        """Return the name of an image's config in the archive, and its bytes, not checked.

        Raises:
            StoreError: The config is not in the archive.
        """
        item = self._items[number]
        return item.config, self._read_config(item)

    def name_of(self, digest: Digest) -> str | None:
        """Return the file name in the archive of a blob of an image for which a manifest was made."""
        return self._names_of.get(digest)

    def _is_called(self, number: int, ref: str) -> bool:
        if ref.startswith("@") and ref[1:].isascii() and ref[1:].isdigit():
            return number == int(ref[1:])
        return normalize_reference(ref) in map(normalize_reference, self._items[number].repo_tags)

    def _names(self, numbers: Iterable[int], *, shared: bool = True) -> tuple[str, ...]:
        """Return references to images: their names, and the number of each image without a name of its own.

        Args:
            numbers: The numbers of the images.
            shared: Whether to list names of several images, too; a platform may choose among these.
        """
        counts = Counter(tag for item in self._items for tag in set(item.repo_tags))
        names: dict[str, None] = {}
        for number in numbers:
            tags = self._items[number].repo_tags
            own = [tag for tag in tags if counts[tag] == 1]
            names.update(dict.fromkeys(tags if shared else own))
            if not own:
                names[f"@{number}"] = None
        return tuple(names)

    def _one_of(self, numbers: list[int], ref: str | None, platform: Platform | None) -> int:
        """Return the image for a platform, of several; a single one is returned, and the caller checks its platform."""
        if len(numbers) == 1:
            return numbers[0]
        if platform is None and ref is None and self._are_several(numbers):
            raise ReferenceMissingError("", self._names(numbers))
        wanted = platform or host_platform()
        entries = {number: stand_in(self.platform_of(number)) for number in numbers}
        best = select(entries.values(), wanted)
        fitting = [number for number in numbers if fits(entries[number], wanted)]
        chosen = [number for number in fitting if entries[number].platform == best.platform]
        if len(chosen) > 1 or (ref is None and self._are_several(fitting)):
            raise ReferenceMissingError("", self._names(fitting, shared=False))
        return chosen[0]

    def _are_several(self, numbers: Iterable[int]) -> bool:
        """Tell whether these are different images, by their names, and not one image for several platforms."""
        return len({self._items[number].repo_tags for number in numbers}) > 1

    def _range(self, name: str, what: str) -> Member:
        if not name:
            raise StoreError(self._files.place, f"{what} of the image has an empty name in {MANIFEST}")
        found = self._files.find(name)
        if found is None:
            *links, target = self._files.follow(name)
            way = f" which leads to the link {escape(links[-1])}" if len(links) > 1 else ""
            leads = f",{way} to {escape(target)}" if way else f", a link to {escape(target)}" if links else ""
            raise StoreError(self._files.place, f"the image lists {escape(name)}{leads}, which is not in the archive")
        return found

    def _read_config(self, item: DockerItem) -> bytes:
        self._range(item.config, "the config")
        raw = read_file(self._files, item.config, limit="config_bytes", allowed=self._limits.config_bytes)
        assert raw is not None
        return raw

    def _config(self, item: DockerItem) -> Document[ImageConfig]:
        raw = self._read_config(item)
        descriptor = Descriptor.of(raw, media_type=DOCKER_CONFIG)
        named = _CONFIG_NAME.fullmatch(item.config)
        if named and named[1] != descriptor.digest.encoded:
            raise DigestMismatchError(f"config {escape(item.config)}", f"sha256:{named[1]}", str(descriptor.digest))
        self._names_of[descriptor.digest] = item.config
        try:
            return parse_config(raw, descriptor, self._limits)
        except OCIError as error:
            error.add_note(f"config {escape(item.config)} ({descriptor.digest})")
            raise

    def _layer(self, what: str, name: str, diff_id: Digest) -> Descriptor:
        found = self._range(name, what)
        digest, member = diff_id, self._files.follow(name)[-1]
        other = self._names_of.get(diff_id)
        # If two files have one diff_id, the digest of the second is computed: one may be right and the other wrong.
        if sniff(found.read_at(0, 16)) or (other is not None and self._files.follow(other)[-1] != member):
            if member not in self._digests:
                self._digests[member] = _digest(found)
            digest = self._digests[member]
        self._names_of.setdefault(digest, name)
        return Descriptor(media_type=DOCKER_LAYER, digest=digest, size=found.size)

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a manifest that was made, or of a config or layer of its image."""
        if digest in self._made:
            return io.BytesIO(self._made[digest])
        name = self._names_of.get(digest)
        found = None if name is None else self._files.find(name)
        if found is None:
            raise BlobMissingError(str(digest))
        return found


def _digest(data: Member) -> Digest:
    hasher = Digest.of(b"").hasher()
    at = 0
    while piece := data.read_at(at, PIECE):
        hasher.update(piece)
        at += len(piece)
    return Digest.parse(f"sha256:{hasher.hexdigest()}")
