"""Changes of JSON objects that keep order and unknown fields."""

import datetime as dt

import pytest

from oci_layers.build.fields import merged, referring, time_text, with_field, without_field
from oci_layers.errors import NameFormatError
from oci_layers.spec import Descriptor


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["os", "x", "rootfs"], ["author", "os", "x", "rootfs"]),
        (["x", "created"], ["x", "created", "author"]),
        ([], ["author"]),
        (["os", "author", "created"], ["os", "author", "created"]),
    ],
)
def test_a_new_field_comes_where_the_spec_has_it_and_an_old_one_stays(old, new):
    before = dict.fromkeys(old)
    after = with_field("config", before, "author", "Ida")
    assert list(after) == new
    assert after == {**dict.fromkeys(old), "author": "Ida"}
    assert before == dict.fromkeys(old)


def test_a_field_is_removed():
    assert list(without_field({"a": 1, "b": 2}, "a")) == ["b"]
    assert without_field({"a": 1}, "b") == {"a": 1}


def test_strings_are_merged_by_key_and_none_removes_one():
    old = {"a": "1", "null": None, "b": "2"}
    assert merged(old, {"b": "3", "c": "4"}) == {"a": "1", "null": None, "b": "3", "c": "4"}
    assert merged(old, {"a": None, "x": None}) == {"null": None, "b": "2"}
    assert merged(None, {"a": "1"}) == {"a": "1"}


def test_a_descriptor_of_other_bytes_loses_what_describes_the_old_ones():
    new = Descriptor.of(b"new", media_type="m/t")
    node = {"x": 1, "digest": "sha256:old", "data": "e30=", "urls": ["u"], "annotations": {"a": "b"}}
    said = {"mediaType": "m/t", "digest": str(new.digest), "size": 3}
    assert referring(node, new) == {"x": 1, **said, "annotations": {"a": "b"}}
    same = {**node, "digest": str(new.digest)}
    assert referring(same, new) == {**same, **said}


@pytest.mark.parametrize(
    ("created", "text"),
    [
        ("2024-01-31T12:00:00.123456789+01:00", "2024-01-31T12:00:00.123456789+01:00"),
        (0, "1970-01-01T00:00:00Z"),
        (
            dt.datetime(2024, 1, 31, 12, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            "2024-01-31T11:00:00Z",
        ),
    ],
)
def test_a_time_is_written_as_rfc_3339(created, text):
    assert time_text(created) == text


@pytest.mark.parametrize("created", ["yesterday", "2024-01-31", dt.datetime(2024, 1, 31)])  # noqa: DTZ001 - a time without a zone
def test_a_time_without_a_zone_is_refused(created):
    with pytest.raises(NameFormatError) as caught:
        time_text(created)
    assert (caught.value.what, caught.value.text) == ("time", str(created))
