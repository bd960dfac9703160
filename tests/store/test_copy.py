"""Images from one place to another: what moves, in which order, and what an interruption leaves."""

import contextlib
import errno
import itertools
import os
import subprocess
import sys
import threading

import attrs
import pytest

from oci_layers import Limits, Platform, system
from oci_layers.errors import (
    BlobMissingError,
    DocumentError,
    IntegrityError,
    LimitError,
    NameFormatError,
    OCIError,
    ReferenceMissingError,
    StoreError,
)
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_LAYER, OCI_MANIFEST, OCI_NONDISTRIBUTABLE_LAYER
from oci_layers.store.archive_output import ArchiveOutput
from oci_layers.store.copy import copy
from oci_layers.store.fsck import fsck
from oci_layers.store.gc import gc
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from oci_layers.testing.streams import read_all
from tests.support.stores import (
    UNKNOWN,
    Recorded,
    blob,
    config,
    digests,
    document,
    flipped,
    index_of,
    layout,
    look,
    manifest,
    multi,
    on,
    path_of,
    shared_images,
    signature,
)

AMD64, ARM64, S390X = "linux/amd64", "linux/arm64", "linux/s390x"
BIG = 3 << 20


@pytest.fixture
def source():
    return MemoryRepository("source")


@pytest.fixture
def target():
    return MemoryRepository("target")


@pytest.fixture
def place(tmp_path):
    with layout(tmp_path / "layout") as made:
        yield made


def names(repository):
    """The names of a repository with their digests; None for entries without a name."""
    key = "org.opencontainers.image.ref.name"
    return [(each.annotations.get(key), each.digest) for each in repository.entries()]


def contents(repository):
    return {digest: read_all(repository.blobs.open_blob(digest), BIG) for digest in repository.blobs.iter_blobs()}


def assert_whole(repository):
    """Everything that is listed can be read, to the last byte."""
    there = MemoryRepository("judge")
    copy(repository, there, everything=True)
    assert contents(there).items() <= contents(repository).items()


# What moves.


def test_an_image_is_copied_with_its_name_and_its_bytes(source, place):
    image = manifest(source.blobs, b"one", b"two")
    source.tag("t", image)
    copied = copy(source, place, "t")
    assert contents(place) == contents(source)
    assert list(place.entries()) == list(copied.entries) == list(source.entries())
    sizes = sum(map(len, contents(source).values()))
    assert (copied.blobs, copied.bytes, copied.present, copied.present_bytes) == (4, sizes, 0, 0)
    assert (copied.missing, copied.referrers, copied.converted) == ((), (), {})


def test_the_only_image_needs_no_name_and_may_have_another_in_the_target(source, target):
    image = manifest(source.blobs, b"layer")
    source.tag("t", image)
    copied = copy(source, target, target_ref="new")
    assert (
        names(target)
        == [("new", image.digest)]
        == [(each.annotations["org.opencontainers.image.ref.name"], each.digest) for each in copied.entries]
    )


def test_an_image_without_a_name_has_none_in_the_target(source, target):
    image = manifest(source.blobs, b"layer")
    source.tag(None, image)
    copy(source, target)
    assert names(target) == [(None, image.digest)]
    copy(source, target, target_ref="t")
    assert names(target) == [("t", image.digest)]


def test_only_what_is_missing_moves(source, place):
    one, two = shared_images(source, 2)
    first = copy(source, place, "image-0")
    recorded = Recorded(source)
    second = copy(recorded, place, "image-1")
    assert (first.blobs, first.present) == (5, 0)
    assert (second.blobs, second.present) == (3, 2)
    assert second.present_bytes == len(b"base") + len(b"pair 0")
    assert Digest.of(b"base") not in recorded.iter_calls("open")
    third = copy(recorded, place, "image-1")
    assert (third.blobs, third.bytes, third.present) == (0, 0, 5)
    assert names(place) == [("image-0", one.digest), ("image-1", two.digest)]


def test_a_blob_of_another_size_in_the_target_is_replaced(source, place):
    source.tag("t", manifest(source.blobs, b"layer"))
    copy(source, place)
    path_of(place.place, Digest.of(b"layer")).write_bytes(b"lay")
    assert copy(source, place).blobs == 1
    assert_whole(place)


def test_a_document_keeps_its_bytes_however_they_are_written(source, target):
    own = config(source.blobs)
    raw = (
        b'{ "layers":[],\n"x-unknown" : [1.0, "\\u00e9"],"schemaVersion":2, "config":'
        b'{"size":%d,"digest":"%s","mediaType":"%s"} }\n'
    ) % (own.size, str(own.digest).encode(), own.media_type.encode())
    image = blob(source.blobs, raw, OCI_MANIFEST)
    source.tag("t", index_of(source.blobs, image, **{"x-more": {"b": 1, "a": 2}}))
    copy(source, target)
    assert contents(target) == contents(source)


def test_an_entry_keeps_its_annotations_platform_and_unknown_fields(source, target):
    image = attrs.evolve(
        on(ARM64, manifest(source.blobs, b"layer"), org_example="kept"), artifact_type="a/b", extra={"x": [1]}
    )
    source.tag("t", image)
    copy(source, target)
    assert list(target.entries()) == list(source.entries())


def test_the_name_in_the_target_is_given_to_another_image(source, target):
    old = manifest(target.blobs, b"old")
    target.tag("t", old)
    target.tag("other", old)
    image = manifest(source.blobs, b"new")
    source.tag("t", image)
    copy(source, target)
    assert names(target) == [("t", image.digest), ("other", old.digest)]


def test_the_source_may_be_the_target(place):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    before = contents(place)
    copied = copy(place, place, "t", target_ref="u")
    assert (copied.blobs, copied.present) == (0, 3)
    assert contents(place) == before
    assert names(place) == [("t", image.digest), ("u", image.digest)]


def test_two_layouts_of_one_directory_may_be_source_and_target(place):
    place.tag("t", manifest(place.blobs, b"layer"))
    with Layout.open(place.place) as other:
        copy(other, place, "t", target_ref="u")
    assert [name for name, _ in names(place)] == ["t", "u"]


def test_content_of_an_unknown_type_is_copied_as_it_is(source, target):
    leaf = blob(source.blobs, b"leaf")
    thing = document(source.blobs, UNKNOWN, uses=leaf)
    source.tag("t", thing)
    source.tag("u", index_of(source.blobs, thing))
    copy(source, target, "t")
    assert digests(target.blobs) == {thing.digest}
    assert copy(source, target, "u").present == 1
    assert [name for name, _ in names(target)] == ["t", "u"]


def test_a_subject_is_no_part_of_an_image(source, target):
    subject = manifest(source.blobs, b"subject", config=config(source.blobs, author="subject"))
    signed = signature(source.blobs, subject)
    source.tag("t", signed)
    copy(source, target)
    assert subject.digest not in digests(target.blobs)


# In which order.


@pytest.mark.parametrize("threads", [1, 4])
def test_children_come_before_parents_and_the_name_last_all_under_a_lease(source, target, threads):
    inner, images = multi(source.blobs, AMD64, ARM64)
    outer = index_of(source.blobs, inner, manifest(source.blobs, b"other"))
    source.tag("t", outer)
    recorded = Recorded(target)
    copy(source, recorded, threads=threads)
    written = list(recorded.iter_calls("put"))
    assert len(written) == len(set(written)) == len(digests(source.blobs))
    for parent, children in {outer: [inner], inner: images, images[0]: [], images[1]: []}.items():
        before = written[: written.index(parent.digest)]
        assert {each.digest for each in children} < set(before) | {None}
        if not children:
            assert Digest.of(b"base") in before
    assert recorded.calls[0] == ("lease", "begins")
    assert recorded.calls[-2:] == [("tag", "t"), ("lease", "ends")]


def test_of_several_images_each_is_whole_when_it_is_named(source, target):
    shared_images(source, 4)
    recorded = Recorded(target)
    real = recorded.tag

    def tag(ref, *descriptors):
        real(ref, *descriptors)
        assert_whole(target)

    recorded.tag = tag
    copy(source, recorded, everything=True)
    assert list(recorded.iter_calls("tag")) == [f"image-{each}" for each in range(4)]
    assert list(recorded.iter_calls("lease")) == ["begins", "ends"]


def test_garbage_collection_during_the_copy_takes_nothing_of_it(source, place):
    source.tag("t", manifest(source.blobs, b"one", b"two"))
    recorded = Recorded(place)
    real = recorded.put_blob

    def put_blob(stream, descriptor):
        gc(place, grace=0)
        real(stream, descriptor)
        gc(place, grace=0)

    recorded.put_blob = put_blob
    copy(source, recorded, threads=1)
    assert_whole(place)


# Interruptions.


class Broken:
    """Blobs whose streams fail midway, for some digests; counts the bytes that are read of each."""

    def __init__(self, blobs, error=None, *, at=1 << 20, of=()):
        self.blobs = blobs
        self.error = error
        self.at = at
        self.of = set(of)
        self.read = {}

    def open_blob(self, digest):
        return _BrokenStream(self, digest)

    def iter_blobs(self):
        return self.blobs.iter_blobs()


class _BrokenStream:
    def __init__(self, owner, digest):
        self.owner = owner
        self.digest = digest
        self.inner = owner.blobs.open_blob(digest)

    def read(self, size):
        if self.owner.error is not None and self.digest in self.owner.of and self.inner.tell() >= self.owner.at:
            raise self.owner.error
        data = self.inner.read(size)
        self.owner.read[self.digest] = self.owner.read.get(self.digest, 0) + len(data)
        return data

    def skip(self, size):
        before = self.inner.tell()
        return self.inner.seek(before + size) - before

    def close(self):
        self.inner.close()


class Elsewhere:
    """A repository with other blobs."""

    def __init__(self, repository, blobs):
        self.place = repository.place
        self.entries = repository.entries
        self.blobs = blobs

    def close(self):
        pass


def big(number=0):
    return bytes([number]) * BIG


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [OSError(5, "input/output error"), KeyboardInterrupt(), StoreError("x", "gone")])
def test_a_source_that_fails_midway_leaves_no_name_and_a_repeated_call_reads_the_rest(source, place, threads, error):
    source.tag("t", manifest(source.blobs, big(), big(1)))
    blobs = Broken(source.blobs, error, at=2 << 20, of=[Digest.of(big()), Digest.of(big(1))])
    with pytest.raises(type(error)):
        copy(Elsewhere(source, blobs), place, threads=threads)
    assert place.entries() == []
    assert fsck(place).ok
    assert os.listdir(f"{place.place}/ingest")
    blobs.error = None
    copy(Elsewhere(source, blobs), place, threads=threads)
    assert_whole(place)
    assert not os.listdir(f"{place.place}/ingest")
    again = sum(blobs.read[Digest.of(big(each))] for each in range(2))
    assert again == 2 * BIG if threads == 1 else again <= 2 * BIG + (2 << 20)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_exception_of_the_callback_leaves_no_name_and_a_repeated_call_goes_on(source, place, threads):
    """Wherever it comes; in the end all is there, and what was read before is not read again."""
    source.tag("t", manifest(source.blobs, big(), b"small", big(1)))
    for at in itertools.count(1):
        blobs = Broken(source.blobs)
        seen = []

        def stop(progress, at=at, seen=seen):
            seen.append(progress)
            if len(seen) == at:
                raise KeyboardInterrupt

        try:
            copy(Elsewhere(source, blobs), place, threads=threads, progress=stop)
        except KeyboardInterrupt:
            assert place.entries() == []
            assert fsck(place).ok
        else:
            break
    assert_whole(place)
    assert at > 2
    assert not os.listdir(f"{place.place}/ingest")


def test_what_was_stored_before_an_interruption_is_not_read_again(source, place):
    source.tag("t", manifest(source.blobs, b"first", big()))
    blobs = Broken(source.blobs, OSError(5, "input/output error"), of=[Digest.of(b"first")], at=0)
    with pytest.raises(OSError, match="input/output"):
        copy(Elsewhere(source, blobs), place, threads=1)
    recorded = Recorded(source)
    copied = copy(recorded, place)
    assert Digest.of(big()) not in recorded.iter_calls("open")
    assert copied.present == 2


@pytest.mark.parametrize("kept", [1, 1000, BIG - 1, BIG])
def test_what_an_interrupted_copy_left_damaged_is_copied_from_the_beginning(source, place, kept):
    source.tag("t", manifest(source.blobs, big()))
    descriptor = Descriptor.of(big(), media_type=OCI_LAYER)
    with place.own_blobs.ingest(descriptor, resume=True) as writer:
        writer.write(b"x" * kept)
    copied = copy(Elsewhere(source, Broken(source.blobs)), place)
    assert copied.blobs == 3
    assert_whole(place)


def test_an_interruption_between_documents_leaves_no_name(source, target):
    index, _ = multi(source.blobs, AMD64, ARM64)
    source.tag("t", index)
    for at in range(len(digests(source.blobs))):
        target = MemoryRepository("target")
        recorded = Recorded(target)
        real = recorded.put_blob

        def put_blob(stream, descriptor, at=at, recorded=recorded, real=real):
            if len(list(recorded.iter_calls("put"))) == at:
                raise KeyboardInterrupt
            real(stream, descriptor)

        recorded.put_blob = put_blob
        with pytest.raises(KeyboardInterrupt):
            copy(source, recorded, threads=1)
        assert target.entries() == []
        assert len(digests(target.blobs)) == at
        copied = copy(source, target)
        assert copied.present == at
        assert_whole(target)


def test_the_images_that_were_copied_before_an_interruption_stay(source, target):
    shared_images(source, 3)
    blobs = Broken(source.blobs, StoreError("x", "gone"), of=[Digest.of(b"own 1")], at=0)
    with pytest.raises(StoreError):
        copy(Elsewhere(source, blobs), target, everything=True, threads=1)
    assert [name for name, _ in names(target)] == ["image-0"]
    assert_whole(target)


# Threads and progress.


def test_several_blobs_are_copied_at_once(source, target):
    layers = [b"layer %d" % each for each in range(8)]
    source.tag("t", manifest(source.blobs, *layers))
    together = threading.Barrier(3)
    recorded = Recorded(source)
    real = recorded.open_blob

    def open_blob(digest):
        if digest in map(Digest.of, layers[:6]):
            together.wait(20)
        return real(digest)

    recorded.open_blob = open_blob
    copy(recorded, target, threads=3)
    assert_whole(target)


def test_progress_counts_the_bytes_of_blobs_in_the_callers_thread(source, target):
    source.tag("t", manifest(source.blobs, big(), big(1)))
    seen = []
    copy(source, target, progress=lambda progress: seen.append((progress, threading.get_ident())), threads=2)
    total = 2 * BIG + config(source.blobs, created="2020-01-01T00:00:00Z").size
    assert {each.total for each, _ in seen} == {total}
    assert {each.layers for each, _ in seen} == {3}
    assert {ident for _, ident in seen} == {threading.get_ident()}
    done = [each.done for each, _ in seen]
    assert done == sorted(done)
    assert done[-1] == total
    seen.clear()
    copy(source, target, progress=lambda progress: seen.append((progress, 0)))
    assert [each.done for each, _ in seen][-1] == total


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_the_result_is_the_same_for_any_number_of_threads(source, target, threads):
    shared_images(source, 6)
    copied = copy(source, target, everything=True, threads=threads)
    assert contents(target) == contents(source)
    assert (copied.blobs, copied.present) == (len(digests(source.blobs)), 0)


# Damage.


def damaged_sources():
    """A source with one blob that is wrong, for each blob and each way."""
    made = MemoryRepository("source")
    index, _ = multi(made.blobs, AMD64, ARM64)
    made.tag("t", index)
    for digest in sorted(digests(made.blobs)):
        for how in ("flipped", "cut", "longer", "empty"):
            yield pytest.param(digest, how, id=f"{digest.encoded[:6]}-{how}")


@pytest.mark.parametrize(("digest", "how"), list(damaged_sources()))
def test_a_damaged_blob_is_refused_and_no_name_is_written(source, place, digest, how):
    index, _ = multi(source.blobs, AMD64, ARM64)
    source.tag("t", index)
    data = source.blobs.open_blob(digest).read(BIG)
    source.blobs._blobs[digest] = {"flipped": flipped(data), "cut": data[:-1], "longer": data + b"x", "empty": b""}[how]
    with pytest.raises(IntegrityError) as raised:
        copy(source, place)
    assert raised.value.what == f"blob {digest}"
    assert place.entries() == []
    assert not place.blobs.has_blob(digest)
    assert fsck(place).ok


def test_a_layer_whose_size_is_wrong_in_one_of_its_descriptors_is_refused(source, target):
    layer = blob(source.blobs, b"layer")
    wrong = attrs.evolve(layer, size=layer.size + 1)
    for layers in ([layer, wrong], [wrong, layer]):
        source.tag("t", manifest(source.blobs, *layers))
        with pytest.raises(IntegrityError):
            copy(source, target)
    assert target.entries() == []


@pytest.mark.parametrize("everything", [False, True])
def test_a_blob_that_is_missing_is_an_error_and_no_name_is_written(source, target, everything):
    source.tag("t", manifest(source.blobs, b"one", b"two"))
    source.blobs.delete_blob(Digest.of(b"two"))
    with pytest.raises(BlobMissingError) as raised:
        copy(source, target, everything=everything)
    assert raised.value.digest == str(Digest.of(b"two"))
    assert target.entries() == []


def test_a_malformed_document_is_an_error_and_nothing_is_written(source, target):
    source.tag("t", index_of(source.blobs, blob(source.blobs, b"{}", OCI_MANIFEST)))
    recorded = Recorded(target)
    with pytest.raises(DocumentError):
        copy(source, recorded)
    assert recorded.calls == []


# What may be absent.


def test_layers_that_are_not_distributed_may_be_absent_and_are_copied_if_not(source, target):
    here = blob(source.blobs, b"here", OCI_NONDISTRIBUTABLE_LAYER)
    gone = Descriptor.of(b"gone", media_type=OCI_NONDISTRIBUTABLE_LAYER)
    image = manifest(source.blobs, here, gone)
    source.tag("t", image)
    copied = copy(source, target)
    assert copied.missing == (gone,)
    assert here.digest in digests(target.blobs)
    assert names(target) == [("t", image.digest)]


def test_embedded_content_is_stored_where_the_source_has_it_in_the_descriptor_only(source, target):
    image = manifest(source.blobs, attrs.evolve(EMPTY_DESCRIPTOR), config=EMPTY_DESCRIPTOR)
    source.tag("t", image)
    copied = copy(source, target)
    assert copied.missing == ()
    assert contents(target)[EMPTY_DESCRIPTOR.digest] == b"{}"
    other = MemoryRepository()
    source.tag("t", manifest(source.blobs, attrs.evolve(EMPTY_DESCRIPTOR, data=b"[]")))
    with pytest.raises(IntegrityError):
        copy(source, other)


def test_an_embedded_manifest_is_copied(source, target):
    image = manifest(source.blobs, b"layer")
    raw = source.blobs.open_blob(image.digest).read(BIG)
    source.blobs.delete_blob(image.digest)
    source.tag("t", index_of(source.blobs, attrs.evolve(image, data=raw)))
    copy(source, target)
    assert image.digest in digests(target.blobs)


def test_manifests_that_a_sparse_source_does_not_have_are_said(source, place):
    image = manifest(source.blobs, b"layer")
    lost = [on(each, Descriptor.of(each.encode(), media_type=OCI_MANIFEST)) for each in (ARM64, S390X)]
    index = index_of(source.blobs, lost[0], on(AMD64, image), lost[1])
    source.tag("t", index)
    copied = copy(source, place)
    assert copied.missing == tuple(lost)
    assert names(place) == [("t", index.digest)]
    assert fsck(place).ok


def test_a_source_with_none_of_the_manifests_is_an_error(source, target):
    lost = Descriptor.of(b"lost", media_type=OCI_MANIFEST)
    source.tag("t", index_of(source.blobs, lost))
    with pytest.raises(BlobMissingError) as raised:
        copy(source, target)
    assert raised.value.digest == str(lost.digest)
    assert target.entries() == []


# Platforms.


def test_one_platform_is_copied_without_the_index(source, target):
    index, images = multi(source.blobs, AMD64, ARM64)
    source.tag("t", index)
    copied = copy(source, target, platforms=[ARM64])
    (entry,) = target.entries()
    assert (entry.digest, entry.platform) == (images[1].digest, Platform.parse(ARM64))
    assert copied.entries == (entry,)
    assert not {index.digest, images[0].digest} & digests(target.blobs)


def test_several_platforms_are_copied_with_the_index_as_it_is(source, place):
    index, images = multi(source.blobs, AMD64, ARM64, S390X)
    source.tag("t", index)
    copied = copy(source, place, platforms=[AMD64, Platform.parse(S390X)])
    assert names(place) == [("t", index.digest)]
    assert images[1].digest not in digests(place.blobs)
    assert copied.missing == ()
    assert fsck(place).ok
    assert copy(source, place).present == 8
    assert contents(place) == contents(source)


def test_one_platform_of_a_name_with_an_entry_for_each_is_copied(source, target):
    entries = [on(each, manifest(source.blobs, each.encode(), platform=each)) for each in (AMD64, ARM64)]
    source.tag("t", *entries)
    copy(source, target, "t", platforms=[ARM64])
    assert names(target) == [("t", entries[1].digest)]


def test_a_platform_that_is_not_there_leaves_no_trace(source, target):
    index, _ = multi(source.blobs, AMD64, ARM64)
    source.tag("t", index)
    recorded = Recorded(target)
    with pytest.raises(ReferenceMissingError) as raised:
        copy(source, recorded, platforms=[S390X])
    assert (raised.value.name, raised.value.known, raised.value.what) == (S390X, (AMD64, ARM64), "platform")
    assert recorded.calls == []


# Names.


def test_a_name_that_is_not_there_leaves_no_trace(source, target):
    source.tag("a", manifest(source.blobs, b"layer"))
    recorded = Recorded(target)
    with pytest.raises(ReferenceMissingError) as raised:
        copy(source, recorded, "b")
    assert (raised.value.name, raised.value.known) == ("b", ("a",))
    assert recorded.calls == []


def test_of_several_images_one_must_be_named(source, target):
    shared_images(source, 2)
    with pytest.raises(ReferenceMissingError) as raised:
        copy(source, target)
    assert (raised.value.name, raised.value.known) == ("", ("image-0", "image-1"))
    with pytest.raises(ReferenceMissingError) as raised:
        copy(MemoryRepository(), target)
    assert (raised.value.name, raised.value.known) == ("", ())


@pytest.mark.parametrize("ref", ["", "a\nb", "sha256:" + "0" * 64])
def test_what_cannot_be_a_name_is_refused_and_not_written(source, target, ref):
    source.tag("t", manifest(source.blobs, b"layer"))
    with pytest.raises(NameFormatError):
        copy(source, target, "t", target_ref=ref)
    assert target.entries() == []


def test_an_image_is_found_by_its_digest_under_whatever_names(source, target):
    image = manifest(source.blobs, b"layer")
    source.tag("a", image)
    source.tag("b", image)
    copy(source, target, str(image.digest), target_ref="t")
    assert names(target) == [("t", image.digest)]


def test_an_image_of_a_nested_index_is_found_by_its_digest(source, target):
    index, images = multi(source.blobs, AMD64, ARM64)
    source.tag("t", index)
    copy(source, target, str(images[1].digest))
    assert [digest for _, digest in names(target)] == [images[1].digest]


def test_all_entries_of_one_name_are_copied_under_it(source, target):
    entries = [on(each, manifest(source.blobs, each.encode(), platform=each)) for each in (AMD64, ARM64)]
    source.tag("t", *entries)
    source.tag("other", entries[0])
    copied = copy(source, target, "t")
    assert names(target) == [("t", each.digest) for each in entries]
    assert copied.entries == tuple(target.entries())


def test_everything_is_copied_each_under_its_own_name(source, target):
    shared_images(source, 3)
    entries = [on(each, manifest(source.blobs, each.encode(), platform=each)) for each in (AMD64, ARM64)]
    source.tag("multi", *entries)
    unnamed = manifest(source.blobs, b"unnamed")
    source.tag(None, unnamed)
    source.tag("thing", document(source.blobs, UNKNOWN))
    copied = copy(source, target, everything=True)
    assert names(target) == names(source)
    assert copied.entries == tuple(target.entries())
    assert contents(target) == contents(source)
    assert copy(MemoryRepository(), target, everything=True).entries == ()


def test_several_images_do_not_get_one_name(source, target):
    shared_images(source, 2)
    recorded = Recorded(target)
    with pytest.raises(StoreError) as raised:
        copy(source, recorded, everything=True, target_ref="t")
    assert raised.value.place == "source"
    assert recorded.calls == []


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/../../b", "..", "ä ö", "a:b@c", "-rf", "CON"])
def test_any_name_is_only_a_name(source, tmp_path, name):
    image = manifest(source.blobs, b"layer")
    source.tag(name, image)
    with layout(tmp_path / "in" / "layout") as place:
        copy(source, place)
        assert names(place) == [(name, image.digest)]
    assert [each.name for each in tmp_path.iterdir()] == ["in"]
    assert sorted(os.listdir(tmp_path / "in/layout")) == ["blobs", "index.json", "ingest", "oci-layout"]


# Referrers.


def test_referrers_are_copied_when_they_are_asked_for(source, target):
    image, other = manifest(source.blobs, b"layer"), manifest(source.blobs, b"other")
    signed = signature(source.blobs, image)
    source.tag("t", image)
    source.tag("other", other)
    source.tag(None, signed)
    source.tag("unrelated", signature(source.blobs, other, b"of another"))
    assert copy(source, target, "t").referrers == ()
    assert signed.digest not in digests(target.blobs)
    copied = copy(source, target, "t", referrers=True)
    assert copied.referrers == (signed,)
    assert names(target) == [("t", image.digest), (None, signed.digest)]


def test_referrers_of_referrers_are_copied_in_whatever_order_they_are_listed(source, target):
    image = manifest(source.blobs, b"layer")
    chain = [image]
    for number in range(4):
        chain.append(signature(source.blobs, chain[-1], b"number %d" % number))
    for each in chain[:0:-1]:
        source.tag(None, each)
    source.tag("t", image)
    copied = copy(source, target, "t", referrers=True)
    assert [each.digest for each in copied.referrers] == [each.digest for each in chain[1:]]
    assert contents(target) == contents(source)


def test_referrers_of_what_an_index_lists_and_indexes_that_refer_are_copied(source, target):
    index, images = multi(source.blobs, AMD64, ARM64)
    of_image = signature(source.blobs, images[0])
    of_index = index_of(source.blobs, signature(source.blobs, images[1], b"1"), subject=index)
    source.tag("t", index)
    source.tag(None, of_image)
    source.tag("about", of_index)
    copied = copy(source, target, "t", referrers=True)
    assert {each.digest for each in copied.referrers} == {of_image.digest, of_index.digest}
    (entry,) = target.entries("about")
    assert entry.digest == of_index.digest
    assert contents(target) == contents(source)


@pytest.mark.parametrize("end", ["", ".sig", ".att", ".sbom"])
def test_what_is_named_after_the_digest_is_a_referrer(source, target, end):
    image, other = manifest(source.blobs, b"layer"), manifest(source.blobs, b"other")
    about = index_of(source.blobs, manifest(source.blobs, b"about"))
    name = f"sha256-{image.digest.encoded}{end}"
    source.tag("t", image)
    source.tag(name, about)
    source.tag(f"sha256-{other.digest.encoded}{end}", other)
    source.tag(f"sha256-{image.digest.encoded}.other", other)
    copied = copy(source, target, "t", referrers=True)
    assert names(target) == [("t", image.digest), (name, about.digest)]
    assert [each.digest for each in copied.referrers] == [about.digest]


def test_a_referrer_that_cannot_be_read_is_no_part_of_the_image(source, target):
    image = manifest(source.blobs, b"layer")
    signed = signature(source.blobs, image)
    source.tag("t", image)
    source.tag("bad", blob(source.blobs, b"{", OCI_MANIFEST))
    source.tag("gone", attrs.evolve(signed))
    source.blobs.delete_blob(signed.digest)
    assert copy(source, target, "t", referrers=True).referrers == ()


def test_a_referrer_is_copied_once_though_two_images_share_it(source, target):
    index, images = multi(source.blobs, AMD64, ARM64)
    signed = signature(source.blobs, images[0])
    source.tag("t", index)
    source.tag("u", images[0])
    source.tag("signature", signed)
    copied = copy(source, target, everything=True, referrers=True)
    assert copied.referrers == ()
    assert names(target) == names(source)


# Limits, and size.


def test_indexes_that_are_nested_too_deep_are_refused(source, target):
    deep = manifest(source.blobs, b"layer")
    for _ in range(17):
        deep = index_of(source.blobs, deep)
    source.tag("t", deep)
    with pytest.raises(LimitError) as raised:
        copy(source, target)
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("index_depth", 16, 17)
    copy(source, target, limits=Limits(index_depth=17))
    assert contents(source) == contents(target)


def test_too_many_descriptors_are_refused(source, target):
    image = manifest(source.blobs, b"layer")
    source.tag("t", index_of(source.blobs, *(blob(source.blobs, b"%d" % each, UNKNOWN) for each in range(20)), image))
    with pytest.raises(LimitError) as raised:
        copy(source, target, limits=Limits(descriptors=21))
    assert raised.value.limit == "descriptors"
    copy(source, target, limits=Limits(descriptors=22))


def test_ten_thousand_names_are_no_obstacle_to_one(source, target):
    image = manifest(source.blobs, b"layer")
    source._index = _index_of_many(source, image, 10_000)
    copy(source, target, "v7777", referrers=True)
    assert names(target) == [("v7777", image.digest)]


def _index_of_many(source, image, count):
    source.tag("v", image)
    head, entry, tail = source._index.partition(
        b'{"mediaType":"%s","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"v"}}'
        % (image.media_type.encode(), str(image.digest).encode(), image.size)
    )
    assert entry
    return head + b",".join(entry.replace(b'"v"', b'"v%d"' % each) for each in range(count)) + tail


def test_many_signatures_of_one_image_are_copied(source, target):
    image = manifest(source.blobs, b"layer")
    own = config(source.blobs)
    source.tag("t", index_of(source.blobs, image))
    signed = [signature(source.blobs, image, b"%d" % each, config=own) for each in range(300)]
    source.tag("all", *signed)
    copied = copy(source, target, "t", referrers=True)
    assert len(copied.referrers) == 300


MEMORY = """
import resource, sys
from oci_layers.store.archive_output import ArchiveOutput
from oci_layers.store.copy import copy
from oci_layers.store.layout import Layout
with Layout.open(sys.argv[1]) as source, Layout.create(sys.argv[2], fsync="never") as target:
    copy(source, target, sys.argv[3])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    copy(source, target, sys.argv[4], threads=2)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.thorough
def test_memory_does_not_grow_with_the_blobs(tmp_path):
    """A layer of 128 MiB is copied in less than 24 MiB more than one of a few bytes."""
    with layout(tmp_path / "source") as source:
        source.tag("small", manifest(source.blobs, b"small"))
        large = Zeros(128 << 20)
        descriptor = Descriptor(media_type=OCI_LAYER, digest=large.digest, size=large.left)
        source.blobs.put_blob(large, descriptor)
        source.tag("big", manifest(source.blobs, descriptor))
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path / "source", tmp_path / "target", "small", "big"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(run.stdout) < 24 << 10


class Zeros:
    """A stream of zeros."""

    def __init__(self, size):
        self.left = size
        hasher = Digest.of(b"").hasher()
        for _ in range(size >> 20):
            hasher.update(bytes(1 << 20))
        self.digest = Digest(f"sha256:{hasher.hexdigest()}")

    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

    def close(self):
        pass


# The disk.


def test_a_target_that_cannot_be_written_is_an_error_and_stays_as_it_is(source, place, monkeypatch):
    source.tag("t", manifest(source.blobs, b"layer"))
    before = look(f"{place.place}/blobs")

    def full(*arguments):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(system, "write_at", full)
    with pytest.raises(OSError, match="no space left") as raised:
        copy(source, place)
    assert (raised.value.filename, raised.value.__notes__[0]) == (place.place, "store")
    monkeypatch.undo()
    assert look(f"{place.place}/blobs") == before
    assert os.listdir(f"{place.place}/ingest") == []
    copy(source, place)
    assert_whole(place)


def test_every_error_of_a_copy_is_one_of_the_library_or_the_system(source, target):
    """For whatever bytes a manifest has."""
    image = manifest(source.blobs, b"layer")
    raw = source.blobs.open_blob(image.digest).read(BIG)
    for at in range(0, len(raw), 3):
        bad = blob(source.blobs, flipped(raw, at), OCI_MANIFEST)
        with contextlib.suppress(OCIError):
            copy(source_of(source, bad), target)


def source_of(source, descriptor):
    made = MemoryRepository("made")
    made._blobs = source.blobs
    made.tag(None, descriptor)
    return made


def test_an_archive_is_written_in_the_callers_thread_and_its_error_is_the_one_raised(source, tmp_path, monkeypatch):
    source.tag("t", manifest(source.blobs, *(bytes([at]) * 100_000 for at in range(8))))
    threads = set()

    def full(_, data):
        threads.add(threading.current_thread())
        if len(data) > 10_000:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(ArchiveOutput, "write", full)
    with pytest.raises(OSError, match="full"):
        copy(source, f"oci-archive:{tmp_path / 'a.tar'}", "t", threads=4)
    assert threads == {threading.current_thread()}
    assert list(tmp_path.iterdir()) == []
