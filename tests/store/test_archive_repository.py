"""Archives as repositories: what a place lists, and the blobs that the entries lead to."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from oci_layers import Limits
from oci_layers.blob.store import read_verified
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    DocumentError,
    ReferenceMissingError,
    StoreError,
)
from oci_layers.spec import annotations
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_manifest
from oci_layers.spec.mediatype import DOCKER_MANIFEST, OCI_MANIFEST
from oci_layers.store.place import open_repository
from tests.store.test_open import hybrid, layout_entries
from tests.support import docker
from tests.support.layers import COMPRESS, Built, digest, f, image, tar

LAYERS = tar(f("a", "a")), tar(f("b", "b"))


@pytest.fixture
def opened():
    """A function that opens a repository, which is closed in the end."""
    with contextlib.ExitStack() as closing:

        def open_it(name):
            repository, _ = open_repository(name)
            closing.callback(repository.close)
            return repository

        yield open_it


def names(entries):
    return [each.annotations.get(annotations.REF_NAME) for each in entries]


def layers_of(repository, entry):
    """Read everything that an entry leads to, verified, and return its layers."""
    raw = read_verified(repository.blobs, entry, limit="document_bytes", allowed=1 << 20)
    manifest = parse_manifest(raw, entry, Limits()).value
    read_verified(repository.blobs, manifest.config, limit="config_bytes", allowed=1 << 20)
    return [read_verified(repository.blobs, each, limit="", allowed=1 << 20) for each in manifest.layers]


def refused(repository, ref):
    with pytest.raises(ReferenceMissingError) as raised:
        repository.entries(ref)
    return raised.value.name, raised.value.known


def test_the_entries_of_a_layout_in_an_archive_are_those_of_its_index(tmp_path, opened):
    built = Built.of(tmp_path / "layout", *LAYERS, compression="")
    directory = built.write()
    file = docker.archive(tmp_path / "a.tar", layout_entries(directory))
    for name in (file, f"oci-archive:{file}", f"oci-archive:{file}:t"):
        repository = opened(name)
        assert repository.place == file
        (entry,) = repository.entries()
        assert repository.entries("t") == repository.entries(str(entry.digest)) == [entry]
        assert (entry.media_type, names([entry])) == (OCI_MANIFEST, ["t"])
        assert layers_of(repository, entry) == list(LAYERS)
        assert refused(repository, "u") == ("u", ("t",))


def test_a_nested_entry_is_found_by_its_digest(tmp_path, opened):
    built = Built.of(tmp_path / "layout", ref=None)
    built.write()
    (inner,) = built.index["manifests"]
    nested = built.put(json.dumps(built.index).encode(), "application/vnd.oci.image.index.v1+json")
    built.index["manifests"] = [nested]
    repository = opened(docker.archive(tmp_path / "a.tar", layout_entries(built.write())))
    assert [str(each.digest) for each in repository.entries()] == [nested["digest"]]
    assert [str(each.digest) for each in repository.entries(inner["digest"])] == [inner["digest"]]


FORMS = {
    "docker 1.10 to 24": docker.classic,
    "skopeo": docker.skopeo,
    "crane": docker.crane,
    "docker 25": lambda *layers: docker.modern(("app", "1", layers)),
}


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_each_form_of_docker_has_an_entry_whose_blobs_can_all_be_read(tmp_path, opened, make):
    file = docker.archive(tmp_path / "a.tar", make(*LAYERS, LAYERS[0]))
    repository = opened(f"docker-archive:{file}")
    (entry,) = repository.entries("app:1")
    assert (entry.media_type, str(entry.platform)) == (DOCKER_MANIFEST, "linux/amd64")
    pack = COMPRESS["gzip" if make is docker.crane else ""]
    assert layers_of(repository, entry) == [pack(each) for each in (*LAYERS, LAYERS[0])]
    assert repository.entries() == repository.entries(str(entry.digest)) == repository.entries("@0") == [entry]


def several(tmp_path):
    """Three images: one of two names, listed twice; one without; one for another platform with a name of the first."""
    entries, rows = [], []
    for name, tags, machine in (
        ("one", ["app:1", "docker.io/library/app:2"], "amd64"),
        ("two", None, "amd64"),
        ("one", ["me/app:3"], "amd64"),
        ("three", ["app:1"], "arm64"),
    ):
        layer = tar(f(name))
        entries += [f(f"{name}.json", docker.config(layer, architecture=machine)), f(f"{name}.tar", layer)]
        rows.append((f"{name}.json", tags, [f"{name}.tar"]))
    return docker.archive(tmp_path / "several.tar", [*entries, docker.listing(*rows)])


def test_an_image_has_an_entry_for_each_of_its_names_and_one_if_it_has_none(tmp_path, opened):
    repository = opened(several(tmp_path))
    entries = repository.entries()
    assert names(entries) == ["app:1", "docker.io/library/app:2", "me/app:3", None, "app:1"]
    assert [str(each.platform) for each in entries] == ["linux/amd64"] * 4 + ["linux/arm64"]
    one, two, three = entries[0].digest, entries[3].digest, entries[4].digest
    assert [each.digest for each in entries] == [one, one, one, two, three]


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("app:1", [0, 4]),
        ("docker.io/library/app:1", [0, 4]),
        ("app:2", [1]),
        ("me/app:3", [2]),
        ("@0", [0, 1, 2]),
        ("@1", [3]),
        ("@2", [0, 1, 2]),
        ("@3", [4]),
    ],
)
def test_a_reference_gives_the_entries_of_that_name_or_of_that_number(tmp_path, opened, ref, expected):
    repository = opened(several(tmp_path))
    entries = repository.entries()
    assert repository.entries(ref) == [entries[number] for number in expected]


def test_a_digest_gives_the_entries_of_that_manifest(tmp_path, opened):
    digests = [str(each.digest) for each in opened(several(tmp_path)).entries()]
    repository = opened(several(tmp_path))
    assert names(repository.entries(digests[3])) == [None]
    assert names(repository.entries(digests[0])) == ["app:1", "docker.io/library/app:2", "me/app:3"]
    unknown = digest(b"another")
    assert refused(repository, unknown)[0] == unknown


def test_an_image_that_is_not_listed_is_refused_with_those_that_are(tmp_path, opened):
    known = ("app:1", "docker.io/library/app:2", "@1", "me/app:3", "@3")
    assert refused(opened(several(tmp_path)), "none") == ("none", known)
    empty = opened(docker.archive(tmp_path / "empty.tar", [f("manifest.json", "[]")]))
    assert refused(empty, None) == ("", ())


def test_a_damaged_image_is_an_error_where_it_is_asked_for_and_hides_no_other(tmp_path, opened):
    good, bad = docker.config(LAYERS[0]), docker.config(LAYERS[1])
    rows = ("bad.json", ["bad:1"], ["1.tar"]), ("good.json", ["good:1"], ["0.tar"])
    files = [f("good.json", good), f("0.tar", LAYERS[0]), docker.listing(*rows)]
    repository = opened(docker.archive(tmp_path / "a.tar", files))
    (entry,) = repository.entries("good:1")
    assert layers_of(repository, entry) == [LAYERS[0]]
    assert repository.entries(str(entry.digest)) == [entry]
    for ref in (None, "bad:1"):
        with pytest.raises(StoreError) as raised:
            repository.entries(ref)
        assert raised.value.reason == "the image lists bad.json, which is not in the archive"
    repository = opened(docker.archive(tmp_path / "b.tar", [*files, f("bad.json", bad[:-1]), f("1.tar", LAYERS[1])]))
    with pytest.raises(DocumentError):
        repository.entries("bad:1")


def test_the_blobs_are_those_of_the_entries_that_were_listed(tmp_path, opened):
    repository = opened(docker.archive(tmp_path / "a.tar", docker.classic(*LAYERS)))
    with pytest.raises(BlobMissingError) as raised:
        repository.blobs.open_blob(Digest.of(LAYERS[0]))
    assert raised.value.digest == digest(LAYERS[0])
    (entry,) = repository.entries()
    assert repository.blobs.open_blob(Digest.of(LAYERS[0])).read(1 << 20) == LAYERS[0]
    assert Digest.of(repository.blobs.open_blob(entry.digest).read(1 << 20)) == entry.digest


def test_several_threads_list_the_same_entries(tmp_path, opened):
    repository = opened(docker.archive(tmp_path / "a.tar", docker.crane(*LAYERS)))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: repository.entries(), range(40)))
    assert found == [found[0]] * 40


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_a_repository_that_is_closed_gives_nothing_more(tmp_path, kind):
    made = docker.classic(*LAYERS) if kind == "docker" else layout_entries(image(tmp_path / "layout", *LAYERS))
    repository, _ = open_repository(docker.archive(tmp_path / "a.tar", made))
    (entry,) = repository.entries()
    repository.close()
    repository.close()
    with pytest.raises(StoreError):
        layers_of(repository, entry)


def test_layers_that_the_layout_of_docker_25_0_0_does_not_list_are_those_of_its_other_list(tmp_path, opened):
    """DSV-05: as a bare path; a transport says which of the two is meant."""
    file = hybrid(tmp_path, listed=LAYERS)
    repository = opened(file)
    (entry,) = repository.entries()
    assert (entry.media_type, names([entry])) == (DOCKER_MANIFEST, ["t"])
    assert layers_of(repository, entry) == list(LAYERS)
    assert repository.entries("t") == repository.entries(str(entry.digest)) == [entry]
    with pytest.raises(BlobMissingError):
        repository.blobs.open_blob(Digest.of(b"nothing"))
    by_transport = opened(f"oci-archive:{file}")
    assert layers_of(by_transport, by_transport.entries()[0]) == []
    with_layers = opened(docker.archive(tmp_path / "b.tar", docker.modern(("app", "1", LAYERS))))
    assert [each.media_type for each in with_layers.entries("app:1")] == [OCI_MANIFEST]


def test_a_manifest_of_both_that_is_damaged_is_found_when_it_is_read(tmp_path, opened):
    entries = docker.modern(("app", "1", LAYERS), ("base", "1", LAYERS[:1]))
    for at, each in enumerate(entries):
        if b'"layers": [' in b"".join(each.chunks()) and each.name.startswith(b"blobs"):
            entries[at] = f(each.name.decode(), "x" * each.size)
            break
    repository = opened(docker.archive(tmp_path / "a.tar", entries))
    damaged, good = repository.entries()
    with pytest.raises(DigestMismatchError):
        layers_of(repository, damaged)
    assert layers_of(repository, good) == [LAYERS[0]]
