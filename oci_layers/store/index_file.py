"""The bytes of an `index.json` to those with an entry more, less or renamed (image-layout.md, "index.json file").

Pure functions. Only the entries concerned are changed; all other fields and entries, unknown ones too, keep their
values and their order. An entry keeps its place when its name is given to another image.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from oci_layers.errors import LimitError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec import annotations
from oci_layers.spec.codec import dumps, unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.manifest import Index
from oci_layers.spec.mediatype import OCI_INDEX
from oci_layers.spec.strict_json import load_json
from oci_layers.store.files import parse_index_file
from oci_layers.store.name import check_name
from oci_layers.store.repository import Tagged, named
from oci_layers.store.select import NameKey, keys_of, matching, name_key, names_of

__all__ = ["EMPTY_INDEX", "renamed", "tagged", "untagged"]

EMPTY_INDEX = dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
"""The index of a new layout."""

_Entries = list[dict[str, Any]]  # Any: the values of JSON


def tagged(raw: bytes, images: Iterable[Tagged], limits: Limits) -> bytes:
    """Return the index in which each name has its entries and no others, one image after the other; see `tag_all`.

    An entry of the same content without a name is replaced too: it would be the same image twice. Without a name,
    descriptors are added unless an entry of the same content exists. Time: that of the index, and of the images.
    """
    given = list(images)
    for ref, _ in given:
        if ref is not None:
            check_name(ref)

    def change(entries: _Entries, index: Index) -> None:
        edited = _Edited(entries, index)
        for ref, descriptors in given:
            edited.add(ref, descriptors)
        entries[:] = [entry for slot in edited.slots for entry in slot]

    return _changed(raw, change, limits)


class _Edited:
    """The entries of an index while names are given: in slots, which keep their places, and are found by name."""

    def __init__(self, entries: _Entries, index: Index) -> None:
        self.slots: list[_Entries] = []
        self._named: dict[NameKey, set[int]] = {}
        self._unnamed: dict[Digest, set[int]] = {}
        self._listed: Counter[str] = Counter()
        for entry, each in zip(entries, index.manifests, strict=True):
            self._append([entry], (each,))

    def add(self, ref: str | None, descriptors: Sequence[Descriptor]) -> None:
        """Give a name to an image."""
        if ref is None:
            for each in descriptors:
                if not self._listed[str(each.digest)]:
                    self._append([_entry(each, None)], (named(each, None),))
            return
        old: set[int] = set().union(*(self._named.pop(key, set()) for key in keys_of(ref)))
        for each in descriptors:
            old |= self._unnamed.pop(each.digest, set())
        first = min(old, default=None)
        for slot in old:
            self._listed.subtract(entry["digest"] for entry in self.slots[slot])
            self.slots[slot] = []
        self._append([_entry(each, ref) for each in descriptors], [named(each, ref) for each in descriptors], first)

    def _append(self, entries: _Entries, descriptors: Sequence[Descriptor], slot: int | None = None) -> None:
        """Put entries of one name into a slot, by default a new one."""
        if slot is None:
            slot = len(self.slots)
            self.slots.append([])
        self.slots[slot] = entries
        for each in descriptors:
            self._listed[str(each.digest)] += 1
            key = name_key(each)
            if key is None:
                self._unnamed.setdefault(each.digest, set()).add(slot)
            else:
                self._named.setdefault(key, set()).add(slot)


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
