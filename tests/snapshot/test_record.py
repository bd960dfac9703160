import json

import attrs
import pytest

from oci_layers.errors import StoreError
from oci_layers.snapshot.record import ContainerRecord, ImageRecord, LayerRecord, MountRecord, dumps, loads
from oci_layers.spec.digest import Digest

ONE, TWO = (Digest.parse(f"sha256:{letter * 64}") for letter in "ab")
RECORDS = [
    LayerRecord(diff_id=ONE, parent=TWO, files=3, bytes=4, same_owner=True, skipped={"xattr": 2}),
    LayerRecord(diff_id=ONE, parent=None, files=0, bytes=0, same_owner=False),
    ImageRecord(name="é\udcff", manifest=ONE, chain_id=None),
    ContainerRecord(name="", image="app", manifest=ONE, chain_id=TWO, created_ns=5, presenter="farm"),
    MountRecord(path="/mnt", device=7, chain_id=TWO, container="web"),
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_read_as_it_was_written(record):
    assert loads(type(record), dumps(record), "x") == record


@pytest.mark.parametrize("record", RECORDS)
def test_fields_that_are_not_known_are_ignored_and_those_that_are_missing_are_not(record):
    fields = json.loads(dumps(record))
    assert loads(type(record), json.dumps({**fields, "later": 1}).encode(), "x") == record
    needed = [field.name for field in attrs.fields(type(record)) if field.default is attrs.NOTHING]
    for name in needed:
        raw = json.dumps({key: value for key, value in fields.items() if key != name}).encode()
        with pytest.raises(StoreError, match="x: the record is damaged"):
            loads(type(record), raw, "x")


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"7", b"null", b"\xff", b'{"name": "a", "manifest": 7, "chain_id": null}', b"{"]
)
def test_a_damaged_record_is_refused(raw):
    with pytest.raises(StoreError, match="x: the record is damaged"):
        loads(ImageRecord, raw, "x")
