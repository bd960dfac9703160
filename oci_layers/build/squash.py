"""Several layers of an image into one: all of them, the top ones, or those above a base.

The new layer is the difference between two trees, the one below and the one of the whole image. So it holds what can be
seen, each file once, and whiteouts only for what the layers below have. Layers below are shared.

Passes over the layers: one, when `squash` is called, which also copies the squashed layers to temporary files, unless
they are not compressed; another one for the contents if the image was merged before. `Limits.temporary_bytes` limits
what is copied. Memory: the tree, and one piece of a file.
"""

from collections.abc import Generator, Iterator, Sequence

from oci_layers.build.begin import edit
from oci_layers.build.fields import Created, JSONObject
from oci_layers.build.history import aligned, is_empty, say
from oci_layers.build.image import NewImage
from oci_layers.build.layer import NewLayer
from oci_layers.build.stack import Slot
from oci_layers.errors import BaseMismatchError, LayerMissingError
from oci_layers.image.image import Image
from oci_layers.layer.change import Change
from oci_layers.layer.diff import diff
from oci_layers.layer.encode import encode
from oci_layers.spec.digest import Digest
from oci_layers.tar.writer import write_tar

__all__ = ["layers_below", "squash"]


def squash(
    image: Image,
    *,
    top: int | None = None,
    base: Image | Sequence[Digest | str] | None = None,
    keep_empty: bool = False,
    created: Created | None = None,
) -> NewImage:
    """Return an image in which one layer makes what several do; the merged file system is the same.

    The entries of the squashed layers become one, whose comment lists them; entries of other steps stay, and an image
    without a history has none afterwards either. A single layer is left as it is, and so is the image then.

    Args:
        image: The image; it must be open until the new one is written.
        top: How many layers to squash; all by default.
        base: Squash what is above this image, given by itself or by its diff_ids, instead.
        keep_empty: Whether there is a new layer if the layers together change nothing.
        created: As for `edit`.

    Raises:
        LayerMissingError: `top` is negative, or there are not as many layers.
        BaseMismatchError: The layers of `base` are not the lowest ones of the image.
        OCIError: A layer is missing, damaged or refused.
        ValueError: Both `top` and `base` are given.
    """
    count = len(image.layers)
    if top is not None and base is not None:
        raise ValueError("top, base: only one of them says what is squashed")
    if top is not None and not 0 <= top <= count:
        raise LayerMissingError(top, count)
    below = layers_below(image, base) if base is not None else count - (count if top is None else top)
    found = edit(image, created=created)
    if count - below < 2:
        return found
    history = list(found.history)
    changed = next(_changes(image, below), None) is not None
    slots = list(found.slots[:below])
    if changed or keep_empty:
        slots.append(Slot(layer=NewLayer(lambda _: _tar(image, below))))
    if history:
        history = _squashed(aligned(history, count), below, found.created, empty=len(slots) == below)
    return found.restack(slots, history)


def layers_below(image: Image, base: Image | Sequence[Digest | str]) -> int:
    """Return how many layers a base has, whose layers are the lowest ones of an image.

    Raises:
        BaseMismatchError: They are not.
    """
    diff_ids: Sequence[Digest | str] = base.config.rootfs.diff_ids if isinstance(base, Image) else base
    expected = tuple(map(str, diff_ids))
    actual = tuple(str(layer.diff_id) for layer in image.layers)
    if actual[: len(expected)] != expected:
        raise BaseMismatchError(image.name, expected, actual)
    return len(expected)


def _changes(image: Image, below: int) -> Iterator[Change]:
    # A file of the layers below has the same content in both trees, which costs nothing to see. One that the layers
    # above have again, with the same time and size, may have another one.
    return diff(image.tree(below, root="layer"), image.tree(root="layer", keep_contents=True), content="always")


def _tar(image: Image, below: int) -> Generator[bytes | memoryview, None, None]:
    yield from write_tar(encode(_changes(image, below)))


def _squashed(history: Sequence[JSONObject], below: int, created: str | None, *, empty: bool) -> list[JSONObject]:
    """Return a history, aligned, with one entry for the layers above the lowest `below`, where the last of them is."""
    positions = [at for at, entry in enumerate(history) if not is_empty(entry)][below:]
    replaced = [history[at] for at in positions]
    said = [str(entry.get("created_by") or entry.get("comment") or "?") for entry in replaced]
    authors = {entry.get("author") for entry in replaced}
    one = say(
        created=replaced[-1].get("created") if created is None else created,
        author=authors.pop() if len(authors) == 1 else None,
        comment=f"{len(replaced)} layers squashed: {'; '.join(said)}",
        empty=empty,
    )
    last = positions[-1]
    return [one if at == last else entry for at, entry in enumerate(history) if at == last or at not in set(positions)]
