"""What the images of a layout take, alone and together."""

import os
import tempfile
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import DocumentError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.mediatype import OCI_MANIFEST, OCI_NONDISTRIBUTABLE_LAYER
from oci_layers.store.du import ImageUsage, du
from tests.support.stores import (
    NOT_THERE,
    blob,
    config,
    flipped,
    index_of,
    layout,
    manifest,
    multi,
    path_of,
    signature,
)


@pytest.fixture
def place(tmp_path):
    with layout(tmp_path / "layout") as made:
        yield made


def names(usage):
    return {image.refs: image for image in usage.images}


def test_an_empty_layout_takes_nothing(place):
    usage = du(place)
    assert (usage.images, usage.blobs, usage.total, usage.used, usage.unused, usage.saved) == ((), 0, 0, 0, 0, 0)


def test_an_image_takes_its_blobs_and_shares_some_of_them(place):
    """A config, a layer of 1000 bytes that both have, one of 20 and one of 300 of their own."""
    own = config(place.blobs)
    one = manifest(place.blobs, b"s" * 1000, b"1" * 20, config=own)
    two = manifest(place.blobs, b"s" * 1000, b"2" * 300, config=own)
    place.tag("one", one)
    place.tag("two", two)
    usage = du(place)
    shared = 1000 + own.size
    assert usage.images == (
        ImageUsage(digest=one.digest, refs=("one",), size=shared + one.size + 20, exclusive=one.size + 20, missing=0),
        ImageUsage(digest=two.digest, refs=("two",), size=shared + two.size + 300, exclusive=two.size + 300, missing=0),
    )
    assert [image.shared for image in usage.images] == [shared, shared]
    assert (usage.blobs, usage.saved, usage.unused) == (6, shared, 0)
    assert usage.total == usage.used == shared + one.size + two.size + 320
    assert usage.shared_with(usage.images[0]) == [(usage.images[1], shared)]


def test_names_of_one_digest_are_one_image(place):
    image = manifest(place.blobs, b"layer")
    place.tag("a", image)
    place.tag("b", image)
    (found,) = du(place).images
    assert (found.refs, found.exclusive) == (("a", "b"), found.size)


def test_an_image_without_a_name_is_known_by_its_digest(place):
    image = manifest(place.blobs, b"layer")
    place.tag(None, image)
    (found,) = du(place).images
    assert (found.digest, found.refs) == (image.digest, ())


def test_an_index_takes_all_of_its_images_and_shares_them_with_their_own_names(place):
    index, (one, two) = multi(place.blobs, "linux/amd64", "linux/arm64")
    place.tag("all", index)
    place.tag("one", one)
    usage = du(place)
    whole, single = usage.images
    assert whole.size == usage.total
    assert single.exclusive == 0
    assert whole.exclusive == whole.size - single.size
    assert usage.shared_with(whole) == [(single, single.size)]
    assert two.size < whole.exclusive


def test_what_no_image_leads_to_is_unused(place):
    blob(place.blobs, b"x" * 77)
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    signed = signature(place.blobs, image)
    usage = du(place)
    assert usage.unused == 77 + signed.size + len(b"signed")


def test_a_blob_that_is_not_there_is_counted_as_missing(place):
    absent = attrs.evolve(Descriptor.of(b"x" * 99, media_type=OCI_NONDISTRIBUTABLE_LAYER))
    place.tag("t", manifest(place.blobs, b"layer", absent))
    (image,) = du(place).images
    assert (image.missing, image.size, image.error) == (1, du(place).total, None)


def test_a_document_that_cannot_be_read_is_said_with_the_image(place, tmp_path):
    lost = Descriptor(media_type=OCI_MANIFEST, digest=NOT_THERE, size=9)
    bad, good = manifest(place.blobs, b"bad"), manifest(place.blobs, b"good")
    for name, entry in (("bad", bad), ("lost", index_of(place.blobs, good, lost)), ("good", good)):
        place.tag(name, entry)
    file = path_of(tmp_path / "layout", bad)
    file.write_bytes(flipped(file.read_bytes()))
    found = names(du(place))
    assert found["bad",].error.startswith(f"blob {bad.digest}: digest is sha256:")
    assert (found["bad",].size, found["bad",].missing) == (bad.size, 0)
    assert (found["lost",].error, found["lost",].missing) == (f"blob {NOT_THERE} is missing", 1)
    assert (found["good",].error, found["good",].missing) == (None, 0)


def test_indexes_that_are_nested_too_deep_are_said_with_the_image(place):
    image = deep = manifest(place.blobs, b"layer")
    for _ in range(18):
        deep = index_of(place.blobs, deep)
    place.tag("deep", deep)
    place.tag("image", image)
    found = names(du(place))
    assert found["deep",].error.startswith("limit index_depth is 16, the input has 17 or more")
    assert found["image",].error is None


def test_sizes_are_those_of_the_files(place, tmp_path):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    before = du(place).total
    os.truncate(path_of(tmp_path / "layout", Descriptor.of(b"layer", media_type="")), 500)
    assert du(place).total == before + 495


def test_what_killed_writers_have_left_is_counted(place, tmp_path):
    (tmp_path / "layout/ingest").mkdir(exist_ok=True)
    (tmp_path / "layout/ingest/left").write_bytes(b"x" * 123)
    with place.lease():
        assert du(place).leftover == 123


def test_an_index_that_is_malformed_is_an_error(place, tmp_path):
    (tmp_path / "layout/index.json").write_text("{}")
    with pytest.raises(DocumentError):
        du(place)


@attrs.frozen
class Model:
    """Images by what they are made of, and the blobs of each, found by looking at all pairs."""

    blobs: dict

    def size(self, image):
        return sum(size for _, size in self.blobs[image])

    def exclusive(self, image):
        others = set().union(*(blobs for other, blobs in self.blobs.items() if other != image))
        return sum(size for _, size in self.blobs[image] - others)

    def shared(self, one, two):
        return sum(size for _, size in self.blobs[one] & self.blobs[two])

    @property
    def used(self):
        return sum(size for _, size in set().union(*self.blobs.values()))


IMAGES = st.lists(st.lists(st.integers(0, 7), max_size=5), min_size=1, max_size=6)
GROUPS = st.lists(st.sets(st.integers(0, 5), min_size=1), max_size=3)


@given(IMAGES, GROUPS, st.sets(st.integers(0, 5)))
def test_usage_is_what_sets_of_blobs_say(images, groups, untagged):
    with tempfile.TemporaryDirectory() as directory, layout(Path(directory, "layout")) as place:
        own = config(place.blobs)
        blobs, entries = {}, []
        for layers in images:
            found = [blob(place.blobs, b"%d" % each * (each + 1) * 10) for each in layers]
            image = manifest(place.blobs, *found, config=own)
            blobs[image.digest] = {(each.digest, each.size) for each in (image, own, *found)}
            entries.append(image)
        kept = [image for at, image in enumerate(entries) if at not in untagged]
        for group in groups:
            members = [entries[at] for at in sorted(group) if at < len(entries)]
            index = index_of(place.blobs, *members)
            blobs[index.digest] = {(index.digest, index.size)}.union(*(blobs[each.digest] for each in members))
            kept.append(index)
        for at, entry in enumerate(kept):
            place.tag(f"name-{at}", entry)
        model = Model({entry.digest: blobs[entry.digest] for entry in kept})
        usage = du(place)
        assert {image.digest for image in usage.images} == model.blobs.keys()
        for image in usage.images:
            assert (image.size, image.exclusive) == (model.size(image.digest), model.exclusive(image.digest))
            shared = {other.digest: size for other, size in usage.shared_with(image)}
            pairs = {other: model.shared(image.digest, other) for other in model.blobs if other != image.digest}
            assert shared == {other: size for other, size in pairs.items() if size}
            assert list(shared.values()) == sorted(shared.values(), reverse=True)
        assert usage.used == model.used
        assert usage.saved == sum(map(model.size, model.blobs)) - model.used
        assert usage.total == sum(file.stat().st_size for file in Path(directory).glob("layout/blobs/*/*"))
