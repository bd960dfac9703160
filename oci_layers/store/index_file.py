"""The bytes of an `index.json` to those with an entry more, less or renamed (image-layout.md, "index.json file").

Pure functions. Only the entries concerned are changed; all other fields and entries, unknown ones too, keep their
values and their order. An entry keeps its place when its name is given to another image.
"""

from collections.abc import Callable
from typing import Any

from oci_layers.errors import LimitError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec import annotations
from oci_layers.spec.codec import dumps, unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.manifest import Index
from oci_layers.spec.mediatype import OCI_INDEX
from oci_layers.spec.platform_selection import own_name
from oci_layers.spec.strict_json import load_json
from oci_layers.store.files import parse_index_file
from oci_layers.store.name import check_name
from oci_layers.store.repository import named
from oci_layers.store.select import matching, names_of

__all__ = ["EMPTY_INDEX", "renamed", "tagged", "untagged"]

EMPTY_INDEX = dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
"""The index of a new layout."""

_Entries = list[dict[str, Any]]  # Any: the values of JSON


def tagged(raw: bytes, ref: str | None, descriptors: tuple[Descriptor, ...], limits: Limits) -> bytes:
    """Return the index in which a name has these entries and no others; see `WritableRepository.tag`.

    An entry of the same content without a name is replaced too: it would be the same image twice. Without a name,
    descriptors are added unless an entry of the same content exists.
    """
    if ref is not None:
        check_name(ref)

    def change(entries: _Entries, index: Index) -> None:
        mine = {each.digest for each in descriptors}
        listed = {each.digest for each in index.manifests}
        if ref is None:
            entries += [_entry(each, None) for each in descriptors if each.digest not in listed]
            return
        old = set(matching(index.manifests, ref, names_only=True))
        old |= {at for at, each in enumerate(index.manifests) if own_name(each) is None and each.digest in mine}
        first = min(old, default=len(entries))
        kept = [each for at, each in enumerate(entries) if at not in old]
        entries[:] = [*kept[:first], *(_entry(each, ref) for each in descriptors), *kept[first:]]

    return _changed(raw, change, limits)


def untagged(raw: bytes, ref: str, limits: Limits) -> bytes:
    """Return the index without the entries that have a name or a digest.

    Raises:
        ReferenceMissingError: There is no such entry.
    """

    def change(entries: _Entries, index: Index) -> None:
        old = set(_found(index, ref))
        entries[:] = [each for at, each in enumerate(entries) if at not in old]

    return _changed(raw, change, limits)


def renamed(raw: bytes, old: str, new: str, limits: Limits) -> bytes:
    """Return the index in which the entries with a name or a digest have another name, which no other entry keeps.

    Raises:
        ReferenceMissingError: There is no such entry.
    """
    check_name(new)

    def change(entries: _Entries, index: Index) -> None:
        found = _found(index, old)
        gone = set(matching(index.manifests, new, names_only=True)) - set(found)
        for at in found:
            known = dict(entries[at].get("annotations") or {})
            known.pop(annotations.CONTAINERD_IMAGE_NAME, None)
            entries[at] = {**entries[at], "annotations": {**known, annotations.REF_NAME: new}}
        entries[:] = [each for at, each in enumerate(entries) if at not in gone]

    return _changed(raw, change, limits)


def _found(index: Index, ref: str) -> list[int]:
    found = matching(index.manifests, ref)
    if not found:
        raise ReferenceMissingError(ref, names_of(index.manifests))
    return found


def _entry(descriptor: Descriptor, ref: str | None) -> dict[str, Any]:  # Any: the values of JSON
    return unstructure(named(descriptor, ref))


def _changed(raw: bytes, change: Callable[[_Entries, Index], None], limits: Limits) -> bytes:
    index = parse_index_file(raw, limits)
    loaded = load_json(raw, media_type=OCI_INDEX, limits=limits)
    change(loaded["manifests"], index)
    changed = dumps(loaded)
    if len(changed) > limits.document_bytes:  # Nothing could be read of it again.
        raise LimitError("document_bytes", limits.document_bytes, len(changed))
    return changed
