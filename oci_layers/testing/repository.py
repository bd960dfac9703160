"""The tests of a `WritableRepository`: names and entries as the library needs them, also after it was closed."""

import contextlib
import functools
from collections.abc import Iterator, Sequence

import attrs
import pytest

from oci_layers.blob.store import read_verified
from oci_layers.errors import BlobMissingError, NameFormatError, ReferenceMissingError
from oci_layers.spec.annotations import REF_NAME
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.mediatype import OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.repository import BatchTagger, Repository, WritableRepository, tag_all
from oci_layers.testing.images import absent, listed, put, put_index, put_manifest
from oci_layers.testing.streams import in_threads, read_all

__all__ = ["RepositorySuite"]

_NAMES = [
    "latest",
    "3.20",
    "a",
    "a b",
    " ",
    "dir/name",
    "/",
    "//x//",
    "../..",
    "../../../../etc/passwd",
    ".",
    "-rf",
    "docker.io/library/alpine:3.20",
    "localhost:5000/a/b@x",
    "UPPER",
    "under_score.dot-dash",
    "quote\"d 'twice' \\ and %2e%2e",
    "grün",
    "灯台",
    "💡",
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
    "md5:abc",
    "sha256",
    "x" * 300,
]
"""Texts that are names: any but those refused (LAY-09)."""
_REFUSED = {
    "empty": "",
    "NUL": "a\0b",
    "newline": "a\nb",
    "escape": "\x1b[31mred",
    "delete": "a\x7f",
    "right-to-left override": "a\N{RIGHT-TO-LEFT OVERRIDE}b",
    "half a surrogate pair": "a\ud800",
    "digest": "sha256:" + 64 * "0",
    "digest of the wrong length": "sha256:0",
    "digest of another algorithm": "blake3:0",
}


class RepositorySuite:
    """What a `WritableRepository` must do. Define the fixture `repository`.

    A place that is written once and then read is two classes: the fixture returns the one that writes, and `reopened`
    closes it and returns the one that reads.
    """

    replaces: bool = True
    """Whether entries that were written can be replaced and removed; False where all is written in one stream."""

    @pytest.fixture
    def repository(self, tmp_path: object) -> WritableRepository:
        """Return an empty repository, or yield it and close it; `tmp_path` is a directory for it."""
        raise NotImplementedError("define a fixture `repository` that returns an empty repository")

    def reopened(self, repository: WritableRepository) -> Repository:
        """Return the repository as one that only reads it finds it: by default, the same object.

        Each test calls this once, after all that it writes. The suite closes what is returned; whether the fixture's
        repository is closed before is left to the place.
        """
        return repository

    @contextlib.contextmanager
    def _found(self, repository: WritableRepository) -> Iterator[Repository]:
        found = self.reopened(repository)
        try:
            yield found
        finally:
            if found is not repository:
                found.close()

    def _assert_listed(self, repository: WritableRepository, *expected: tuple[str | None, Descriptor]) -> None:
        with self._found(repository) as found:
            assert listed(found) == [(name, each.digest) for name, each in expected]

    def _needs_replacing(self) -> None:
        if not self.replaces:
            pytest.skip("this repository does not replace entries")

    # Names.

    def test_a_new_repository_is_empty(self, repository: WritableRepository) -> None:
        with pytest.raises(ReferenceMissingError) as caught:
            repository.entries("latest")
        assert (caught.value.name, caught.value.known) == ("latest", ())
        assert list(repository.blobs.iter_blobs()) == []
        self._assert_listed(repository)

    def test_a_repository_says_its_place(self, repository: WritableRepository) -> None:
        assert isinstance(repository.place, str)
        assert repository.place

    def test_an_image_is_found_by_its_name(self, repository: WritableRepository) -> None:
        image = put_manifest(repository, "a")
        repository.tag("a", image)
        expected = attrs.evolve(image, annotations={REF_NAME: "a"})
        assert list(repository.entries("a")) == list(repository.entries()) == [expected]
        with self._found(repository) as found:
            assert list(found.entries("a")) == list(found.entries()) == [expected]

    def test_a_document_is_read_as_it_was_put(self, repository: WritableRepository) -> None:
        raw = b'{ "schemaVersion": 2,\n\t"mediaType": "%s", "manifests": [], "x-unknown": 1.50 }\n' % OCI_INDEX.encode()
        image = put(repository, raw, OCI_INDEX)
        repository.tag("a", image)
        with self._found(repository) as found:
            assert read_all(found.blobs.open_blob(image.digest)) == raw
            assert read_verified(found.blobs, image, limit="document_bytes", allowed=1000) == raw

    @pytest.mark.parametrize("name", _NAMES)
    def test_any_text_is_a_name(self, repository: WritableRepository, name: str) -> None:
        image, other = put_manifest(repository, "a"), put_manifest(repository, "b")
        repository.tag(name, image)
        repository.tag("other", other)
        with self._found(repository) as found:
            assert listed(found, name) == [(name, image.digest)]
            assert listed(found) == [(name, image.digest), ("other", other.digest)]

    @pytest.mark.parametrize("name", _REFUSED.values(), ids=_REFUSED)
    def test_text_that_would_be_mistaken_is_no_name(self, repository: WritableRepository, name: str) -> None:
        image = put_manifest(repository, "a")
        with pytest.raises(NameFormatError) as caught:
            repository.tag(name, image)
        assert caught.value.text == name
        self._assert_listed(repository)

    def test_names_differ_that_look_alike(self, repository: WritableRepository) -> None:
        names = ["\u00e9", "e\u0301", "E\u0301", "a", "A", "a ", "a/", "./a"]
        images = [put_manifest(repository, name) for name in names]
        for name, image in zip(names, images, strict=True):
            repository.tag(name, image)
        with self._found(repository) as found:
            assert [listed(found, name)[0][1] for name in names] == [image.digest for image in images]

    def test_an_unknown_name_is_refused_with_the_names_there_are(self, repository: WritableRepository) -> None:
        images = [put_manifest(repository, each) for each in "abc"]
        repository.tag("second", images[0])
        repository.tag("first", images[1])
        repository.tag(None, images[2])
        with self._found(repository) as found:
            for name in ("third", "", "FIRST", "sha256", "sha256:" + 64 * "0", "no digest:"):
                with pytest.raises(ReferenceMissingError) as caught:
                    found.entries(name)
                assert caught.value.name == name
                assert caught.value.known == ("second", "first", str(images[2].digest))

    def test_entries_keep_their_order(self, repository: WritableRepository) -> None:
        images = [(name, put_manifest(repository, name)) for name in "zaymbx"]
        for name, image in images:
            repository.tag(name, image)
        self._assert_listed(repository, *images)

    def test_an_image_may_have_several_names(self, repository: WritableRepository) -> None:
        image = put_manifest(repository, "a")
        for name in "abc":
            repository.tag(name, image)
        self._assert_listed(repository, ("a", image), ("b", image), ("c", image))

    def test_tagging_again_changes_nothing(self, repository: WritableRepository) -> None:
        image = put_manifest(repository, "a")
        for _ in range(3):
            repository.tag("a", image)
        self._assert_listed(repository, ("a", image))

    def test_several_entries_may_have_one_name(self, repository: WritableRepository) -> None:
        images = [
            attrs.evolve(put_manifest(repository, each), platform=Platform(os="linux", architecture=each))
            for each in ("amd64", "arm64", "riscv64")
        ]
        repository.tag("other", put_manifest(repository, "other"))
        repository.tag("a", *images)
        with self._found(repository) as found:
            assert [(each.digest, each.platform) for each in found.entries("a")] == [
                (each.digest, each.platform) for each in images
            ]

    def test_an_entry_keeps_what_its_descriptor_says(self, repository: WritableRepository) -> None:
        image = attrs.evolve(
            put_manifest(repository, "a"),
            annotations={"org.example.note": "kept", REF_NAME: "another name"},
            platform=Platform(os="linux", architecture="arm", variant="v7"),
            artifact_type="application/vnd.example",
            urls=("https://example.org/a",),
            extra={"x-unknown": [1, {"deep": None}]},
        )
        repository.tag("a", image)
        expected = attrs.evolve(image, annotations={"org.example.note": "kept", REF_NAME: "a"})
        with self._found(repository) as found:
            assert list(found.entries()) == [expected]

    def test_anything_may_have_a_name(self, repository: WritableRepository) -> None:
        note = put(repository, b"just a note", "text/plain")
        repository.tag("note", note)
        repository.tag("image", put_manifest(repository, "a"))
        with self._found(repository) as found:
            assert listed(found, "note") == listed(found, str(note.digest)) == [("note", note.digest)]
            with pytest.raises(ReferenceMissingError) as caught:
                found.entries("absent")
            assert caught.value.known == ("note", "image")

    # Names that change.

    def test_a_name_is_given_to_another_image_in_its_place(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        images = {name: put_manifest(repository, name) for name in "abc"}
        for name, image in images.items():
            repository.tag(name, image)
        new = put_manifest(repository, "new")
        repository.tag("b", new)
        assert repository.blobs.has_blob(images["b"].digest)
        self._assert_listed(repository, ("a", images["a"]), ("b", new), ("c", images["c"]))

    def test_one_entry_takes_the_place_of_several_and_several_that_of_one(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        images = [put_manifest(repository, str(number)) for number in range(4)]
        repository.tag("a", images[0], images[1])
        repository.tag("b", images[2])
        repository.tag("a", images[3])
        assert listed(repository) == [("a", images[3].digest), ("b", images[2].digest)]
        repository.tag("a", images[1], images[0])
        self._assert_listed(repository, ("a", images[1]), ("a", images[0]), ("b", images[2]))

    def test_many_names_are_given_in_their_order(self, repository: WritableRepository) -> None:
        images = [put_manifest(repository, str(number)) for number in range(3)]
        tag_all(repository, [("a", images[:2]), ("b", images[2:]), (None, images[1:2])])
        self._assert_listed(repository, ("a", images[0]), ("a", images[1]), ("b", images[2]))

    def test_of_many_names_none_is_given_if_a_blob_is_missing(self, repository: WritableRepository) -> None:
        image = put_manifest(repository, "there")
        missing = Descriptor.of(b"missing", media_type=OCI_MANIFEST)
        if isinstance(repository, BatchTagger):
            with pytest.raises(BlobMissingError):
                tag_all(repository, [("a", [image]), ("b", [missing])])
            assert list(repository.entries()) == []
        repository.tag("c", image)
        self._assert_listed(repository, ("c", image))

    def test_a_name_is_removed_and_the_blobs_stay(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        images = {name: put_manifest(repository, name) for name in "abc"}
        for name, image in images.items():
            repository.tag(name, image)
        repository.untag("b")
        assert repository.blobs.has_blob(images["b"].digest)
        with pytest.raises(ReferenceMissingError) as caught:
            repository.entries("b")
        assert caught.value.known == ("a", "c")
        self._assert_listed(repository, ("a", images["a"]), ("c", images["c"]))

    def test_all_entries_of_a_name_are_removed_and_no_other_name_of_the_image(
        self, repository: WritableRepository
    ) -> None:
        self._needs_replacing()
        first, second = put_manifest(repository, "1"), put_manifest(repository, "2")
        repository.tag("a", first, second)
        repository.tag("b", first)
        repository.untag("a")
        self._assert_listed(repository, ("b", first))

    def test_all_entries_of_a_digest_are_removed(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        first, second = put_manifest(repository, "1"), put_manifest(repository, "2")
        for name, image in (("a", first), ("b", second), ("c", first)):
            repository.tag(name, image)
        repository.untag(str(first.digest))
        self._assert_listed(repository, ("b", second))

    def test_an_unknown_name_is_not_removed(self, repository: WritableRepository) -> None:
        child = put_manifest(repository, "child")
        image = put_index(repository, child)
        repository.tag("a", image)
        # An entry of a nested index is no entry of the repository.
        for name in ("b", "", str(child.digest)):
            with pytest.raises(ReferenceMissingError) as caught:
                repository.untag(name)
            assert (caught.value.name, caught.value.known) == (name, ("a",))
        self._assert_listed(repository, ("a", image))

    # Digests, and entries without a name.

    def test_an_entry_is_found_by_its_digest(self, repository: WritableRepository) -> None:
        first, second = put_manifest(repository, "1"), put_manifest(repository, "2")
        for name, image in (("a", first), ("b", second), ("c", first)):
            repository.tag(name, image)
        with self._found(repository) as found:
            assert {each.digest for each in found.entries(str(first.digest))} == {first.digest}
            assert listed(found, str(second.digest)) == [("b", second.digest)]

    def test_an_entry_of_a_nested_index_is_found_by_its_digest(self, repository: WritableRepository) -> None:
        lowest = put_manifest(repository, "lowest")
        middle = put_index(repository, lowest)
        beside = put_manifest(repository, "beside")
        repository.tag("a", put_index(repository, absent("missing"), middle, beside))
        with self._found(repository) as found:
            for each in (lowest, middle, beside):
                (entry,) = found.entries(str(each.digest))
                assert (entry.digest, entry.media_type, entry.size) == (each.digest, each.media_type, each.size)

    def test_an_image_without_a_name_is_found_by_its_digest(self, repository: WritableRepository) -> None:
        image = put_manifest(repository, "a")
        repository.tag(None, attrs.evolve(image, annotations={REF_NAME: "dropped"}))
        with self._found(repository) as found:
            assert list(found.entries()) == list(found.entries(str(image.digest))) == [image]

    def test_an_image_is_listed_without_a_name_once_and_not_beside_its_name(
        self, repository: WritableRepository
    ) -> None:
        named, unnamed = put_manifest(repository, "a"), put_manifest(repository, "b")
        repository.tag("a", named)
        for image in (unnamed, named, unnamed):
            repository.tag(None, image)
        self._assert_listed(repository, ("a", named), (None, unnamed))

    def test_a_name_takes_the_place_of_none(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        first, second = put_manifest(repository, "1"), put_manifest(repository, "2")
        repository.tag(None, first)
        repository.tag(None, second)
        repository.tag("a", first)
        self._assert_listed(repository, ("a", first), (None, second))

    def test_an_image_without_a_name_is_removed_by_its_digest(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        first, second = put_manifest(repository, "1"), put_manifest(repository, "2")
        repository.tag(None, first)
        repository.tag(None, second)
        repository.untag(str(first.digest))
        self._assert_listed(repository, (None, second))

    # Blobs.

    def test_an_image_whose_blob_is_missing_has_no_name(self, repository: WritableRepository) -> None:
        image, missing = put_manifest(repository, "a"), absent("absent")
        repository.tag("a", image)
        calls: Sequence[tuple[str | None, Sequence[Descriptor]]] = [
            ("b", [missing]),
            ("a", [missing]),
            (None, [missing]),
            ("a", [image, missing]),
        ]
        for name, descriptors in calls:
            with pytest.raises(BlobMissingError) as caught:
                repository.tag(name, *descriptors)
            assert caught.value.digest == str(missing.digest)
        self._assert_listed(repository, ("a", image))

    def test_blobs_are_read_as_they_were_put(self, repository: WritableRepository) -> None:
        contents = [b"", b"a", bytes(511), bytes(512), bytes(513), bytes(range(256)) * 10_000]
        blobs = [(put(repository, data, OCI_LAYER), data) for data in contents]
        repository.tag("a", put_manifest(repository, "a"))
        with self._found(repository) as found:
            for descriptor, data in blobs:
                assert read_all(found.blobs.open_blob(descriptor.digest)) == data

    def test_a_missing_blob_is_an_error_of_its_own(self, repository: WritableRepository) -> None:
        repository.tag("a", put_manifest(repository, "a"))
        with self._found(repository) as found, pytest.raises(BlobMissingError) as caught:
            found.blobs.open_blob(absent("absent").digest)
        assert caught.value.digest == str(absent("absent").digest)

    def test_blobs_are_kept_in_a_lease(self, repository: WritableRepository) -> None:
        with repository.lease(), repository.lease():
            image = put_manifest(repository, "a")
            assert repository.blobs.reuse_blob(image)
        repository.tag("a", image)
        self._assert_listed(repository, ("a", image))

    def test_an_error_in_a_lease_comes_out_as_it_is(self, repository: WritableRepository) -> None:
        error = FileNotFoundError(2, "No such file or directory", "/not/of/the/store")
        with pytest.raises(FileNotFoundError) as caught, repository.lease():
            raise error
        assert caught.value is error
        assert (error.filename, getattr(error, "__notes__", [])) == ("/not/of/the/store", [])
        with repository.lease():
            pass

    def test_a_repository_is_closed_once_or_twice(self, repository: WritableRepository) -> None:
        repository.tag("a", put_manifest(repository, "a"))
        repository.close()
        repository.close()

    # Threads.

    def test_threads_lose_no_names(self, repository: WritableRepository) -> None:
        def tag(thread: int) -> None:
            for number in range(5):
                name = f"{thread}.{number}"
                image = put_manifest(repository, name)
                repository.tag(name, image)
                assert listed(repository, name) == [(name, image.digest)]

        in_threads([functools.partial(tag, thread) for thread in range(4)])
        expected = {f"{thread}.{number}" for thread in range(4) for number in range(5)}
        with self._found(repository) as found:
            names = [own_name(each) for each in found.entries()]
        assert (set(names), len(names)) == (expected, len(expected))

    def test_threads_that_give_one_name_leave_it_to_one_image(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        images = [put_manifest(repository, str(number)) for number in range(4)]
        in_threads([functools.partial(repository.tag, "a", image) for image in images])
        with self._found(repository) as found:
            ((name, digest),) = listed(found)
        assert name == "a"
        assert digest in {image.digest for image in images}

    def test_threads_tag_and_untag_and_list(self, repository: WritableRepository) -> None:
        self._needs_replacing()
        kept, image = put_manifest(repository, "kept"), put_manifest(repository, "a")
        repository.tag("kept", kept)

        def change(name: str) -> None:
            for _ in range(4):
                repository.tag(name, image)
                repository.untag(name)

        def look() -> None:
            for _ in range(20):
                assert listed(repository, "kept") == [("kept", kept.digest)]
                assert {own_name(each) for each in repository.entries()} <= {"kept", "a", "b"}

        in_threads([lambda: change("a"), lambda: change("b"), look])
        self._assert_listed(repository, ("kept", kept))
