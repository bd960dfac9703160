"""Which layers two images share."""

from typing import Protocol

import attrs

from oci_layers.image.layer import Layer

__all__ = ["SharedLayers", "shared_layers"]


class _Layered(Protocol):
    """An `Image`, of which only the layers are used."""

    @property
    def layers(self) -> tuple[Layer, ...]: ...


@attrs.frozen(kw_only=True, eq=False)
class SharedLayers:
    """What two images have in common. Each pair has a layer of the one image and the same layer of the other."""

    base: tuple[tuple[Layer, Layer], ...]
    """The common layers at the bottom: the same file system, which both images begin with (equal chain ids)."""
    plain: tuple[tuple[Layer, Layer], ...]
    """Layers with the same diff_id, wherever they are: the same changes, perhaps compressed in another way."""
    stored: tuple[tuple[Layer, Layer], ...]
    """Layers with the same blob, which a store has once."""


def shared_layers(one: _Layered, other: _Layered) -> SharedLayers:
    """Return which layers two images share, by their documents alone: no layer is read.

    A layer that an image has twice is paired once, with the first of the other image.

    Raises:
        OCIError: A config is missing, damaged or malformed.
    """
    base = []
    for left, right in zip(one.layers, other.layers, strict=False):
        if left.diff_id != right.diff_id:
            break
        base.append((left, right))
    return SharedLayers(
        base=tuple(base),
        plain=_pairs(
            {each.diff_id: each for each in one.layers[::-1]}, {each.diff_id: each for each in other.layers[::-1]}
        ),
        stored=_pairs(
            {each.descriptor.digest: each for each in one.layers[::-1]},
            {each.descriptor.digest: each for each in other.layers[::-1]},
        ),
    )


def _pairs(one: dict[object, Layer], other: dict[object, Layer]) -> tuple[tuple[Layer, Layer], ...]:
    pairs = [(layer, other[key]) for key, layer in one.items() if key in other]
    return tuple(sorted(pairs, key=lambda pair: pair[0].index))
