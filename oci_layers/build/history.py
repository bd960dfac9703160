"""The history of an image: which entry is of which layer, and new entries (config.md, `history`).

An entry without `empty_layer` belongs to a layer, the lowest first. An image may have no history, or one with fewer or
more such entries than it has layers. Such a history stays as it is until an entry is added. Then each layer that has no
entry gets one without fields, so that every reader finds the entry of a layer at its place. The layers without an entry
are taken to be the lowest ones: those of a base without a history, to which a program added layers with one. If the
history has more such entries than there are layers, the lowest surplus ones get `empty_layer`.
"""

from collections.abc import Iterable, Sequence

from oci_layers.build.fields import JSONObject, without_field

__all__ = ["aligned", "as_empty", "is_empty", "layer_positions", "say"]


def is_empty(entry: JSONObject) -> bool:
    """Tell whether an entry is of a step that made no layer."""
    return bool(entry.get("empty_layer"))


def layer_positions(history: Sequence[JSONObject]) -> list[int]:
    """Return the positions of the entries of layers."""
    return [at for at, entry in enumerate(history) if not is_empty(entry)]


def aligned(history: Sequence[JSONObject], layers: int) -> list[JSONObject]:
    """Return a history with exactly one entry for each layer; the same entries if it has that already."""
    found = list(history)
    positions = layer_positions(found)
    for at in positions[: max(0, len(positions) - layers)]:
        found[at] = as_empty(found[at])
    return [{} for _ in range(layers - len(positions))] + found


def as_empty(entry: JSONObject) -> JSONObject:
    """Return an entry as that of a step that made no layer."""
    return {**without_field(entry, "empty_layer"), "empty_layer": True}


def say(
    *,
    created: str | None = None,
    created_by: str | None = None,
    author: str | None = None,
    comment: str | None = None,
    empty: bool = False,
) -> JSONObject:
    """Return a new entry, without the fields that say nothing."""
    fields: Iterable[tuple[str, object]] = (
        ("created", created),
        ("created_by", created_by),
        ("author", author),
        ("comment", comment),
        ("empty_layer", empty or None),
    )
    return {name: value for name, value in fields if value is not None}
