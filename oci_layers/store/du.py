"""How much space the images of a layout take, and how much they share: `du`."""

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from oci_layers.errors import format_error
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.gc import abandoned
from oci_layers.store.graph import Graph
from oci_layers.store.layout import Layout

__all__ = ["ImageUsage", "Usage", "du"]


@attrs.frozen(kw_only=True)
class ImageUsage:
    """What one image takes: a digest that the index lists, under whatever names."""

    digest: Digest
    """The digest of its manifest or index."""
    refs: tuple[str, ...]
    """Its names."""
    size: int
    """Bytes of all blobs that it leads to, as stored, each once."""
    exclusive: int
    """Bytes of those that no other image leads to: what `gc` frees once the image has no name."""
    missing: int
    """How many of the blobs that it leads to are not in the store."""
    error: str | None = None
    """Why a document of it cannot be read; what that refers to is not counted."""

    @property
    def shared(self) -> int:
        """Bytes of the blobs that other images lead to, too."""
        return self.size - self.exclusive


@attrs.frozen(kw_only=True)
class Usage:
    """What a layout takes. Holds the blobs of each image."""

    images: tuple[ImageUsage, ...]
    """The images, in the order of the index."""
    blobs: int
    """How many blobs there are."""
    total: int
    """Their bytes."""
    used: int
    """Bytes of the blobs that images lead to."""
    leftover: int
    """Bytes of what killed writers have left; `gc` removes it."""
    _sizes: Mapping[Digest, Mapping[Digest, int]] = attrs.field(repr=False)
    _images_of: Mapping[Digest, Sequence[Digest]] = attrs.field(repr=False)

    @property
    def unused(self) -> int:
        """Bytes of the blobs that no image leads to; `gc` deletes those that no referrer needs."""
        return self.total - self.used

    @property
    def saved(self) -> int:
        """Bytes that deduplication saves: the sizes of all images, less what their blobs take."""
        return sum(each.size for each in self.images) - self.used

    def shared_with(self, image: ImageUsage) -> list[tuple[ImageUsage, int]]:
        """Return the images that share blobs with one, and how many bytes, the most first."""
        counts = Counter[Digest]()
        for blob, size in self._sizes[image.digest].items():
            for other in self._images_of[blob]:
                counts[other] += size
        found = [(each, counts[each.digest]) for each in self.images if each.digest != image.digest]
        return sorted((each for each in found if each[1]), key=lambda each: -each[1])


def du(layout: Layout, *, limits: Limits | None = None) -> Usage:
    """Return what each image of a layout takes alone and shares, and what the layout takes.

    Only documents are read. Sizes are those of the files.

    Raises:
        OCIError: The index is missing, damaged or malformed.
    """
    graph = Graph(layout.blobs, limits or Limits())
    sizes = {Digest(text): size for text, (size, _, _) in layout.own_blobs.statuses()}
    refs: dict[Digest, dict[str, None]] = {}
    found: dict[Digest, dict[Digest, int]] = {}
    missing: Counter[Digest] = Counter()
    errors: dict[Digest, str] = {}
    images_of: dict[Digest, list[Digest]] = {}
    for entry in layout.entries():
        names = refs.setdefault(entry.digest, {})
        if (name := own_name(entry)) is not None:
            names[name] = None
        if entry.digest in found:
            continue
        blobs = dict.fromkeys(visit.descriptor.digest for visit in graph.below(entry))
        own = found[entry.digest] = {each: sizes[each] for each in blobs if each in sizes}
        missing[entry.digest] = len(blobs) - len(own)
        for digest in own:
            images_of.setdefault(digest, []).append(entry.digest)
        for digest in blobs:
            if digest in graph.errors:
                errors.setdefault(entry.digest, format_error(graph.errors[digest]))
    images = tuple(
        ImageUsage(
            digest=image,
            refs=tuple(refs[image]),
            size=sum(own.values()),
            exclusive=sum(size for blob, size in own.items() if len(images_of[blob]) == 1),
            missing=missing[image],
            error=errors.get(image),
        )
        for image, own in found.items()
    )
    return Usage(
        images=images,
        blobs=len(sizes),
        total=sum(sizes.values()),
        used=sum(sizes[each] for each in images_of),
        leftover=sum(size for _, size in abandoned(layout)),
        sizes=found,
        images_of=images_of,
    )
