"""Archives that are damaged or lie: each is refused, or is the image that it says, and no other file is read."""

import contextlib
import gzip
import json
import sys

import pytest

from oci_layers import Limits, check_image, list_images, open_image
from oci_layers.blob.store import open_verified, read_verified
from oci_layers.blob.stream import drain
from oci_layers.errors import (
    CompressionError,
    DigestMismatchError,
    DocumentError,
    OCIError,
    StoreError,
    TarFormatError,
)
from oci_layers.spec.document import parse_manifest
from oci_layers.store.place import open_repository
from tests.store.test_archive import fed
from tests.store.test_open import layout_entries
from tests.support import docker
from tests.support.blocks import END, member
from tests.support.layers import digest, f, image, ln, sym, tar

LAYER = tar(f("a", "a"))
OTHER = tar(f("a", "another"))


def archives(tmp_path):
    """The same image in each kind of archive."""
    yield "oci", tar(*layout_entries(image(tmp_path / "layout", LAYER, compression="")))
    yield "docker", tar(*docker.classic(LAYER))
    yield "skopeo", tar(*docker.skopeo(LAYER, LAYER))
    yield "both", tar(*docker.modern(("app", "1", [LAYER])))


def content(name):
    """Return what is in the image, all of it read."""
    with open_image(name) as opened:
        return {path: b"".join(pieces) for path, _, pieces in opened.files()}


def copied(name):
    """Read all that a repository has, as a copy does, and return the number of blobs."""
    repository, _ = open_repository(name)
    with contextlib.closing(repository):
        count = 0
        for entry in repository.entries():
            raw = read_verified(repository.blobs, entry, limit="", allowed=1 << 20)
            manifest = parse_manifest(raw, entry, Limits()).value
            for each in (manifest.config, *manifest.layers):
                with open_verified(repository.blobs, each) as stream:
                    drain(stream)
                count += 1
        return count


def outcome(function, name):
    """Return the result, or the error if it is one of the library's."""
    try:
        return function(name)
    except OCIError as error:
        return error


def test_an_archive_that_is_cut_at_any_block_is_refused_or_whole(tmp_path):
    """The end of an archive may be missing, as GNU tar has it; nothing else may."""
    file = tmp_path / "cut.tar"
    for kind, raw in archives(tmp_path):
        file.write_bytes(raw)
        whole = content(file), copied(file)
        results = []
        for end in range(0, len(raw), 512):
            file.write_bytes(raw[:end])
            found = outcome(content, file), outcome(copied, file)
            checked = outcome(check_image, file)
            results.append(found == whole)
            assert found == whole or all(isinstance(each, OCIError) for each in found), (kind, end)
            assert found == whole or isinstance(checked, OCIError) or not checked.ok, (kind, end)
            if end:
                file.write_bytes(raw[: end - 7])
                cut = outcome(content, file)
                assert cut == whole[0] or isinstance(cut, OCIError), (kind, end)
        # The end is two blocks; of the last members, some programs need `repositories` and the marker, others do not.
        assert results[-2:] == [True, True], kind
        assert sum(results) <= 6, kind


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_a_compressed_archive_that_is_cut_anywhere_is_refused(tmp_path, kind):
    raw = gzip.compress(tar(*docker.classic(LAYER)), mtime=0)
    for end in range(20, len(raw), 41):
        with contextlib.ExitStack() as closing:
            if kind == "pipe":
                closing.enter_context(fed(raw[:end]))
            else:
                (tmp_path / "cut.tar.gz").write_bytes(raw[:end])
            with pytest.raises(CompressionError):
                open_image("-" if kind == "pipe" else tmp_path / "cut.tar.gz")


def test_of_two_lists_the_last_counts_as_for_a_program_that_unpacks_the_archive(tmp_path):
    lists = [(f"{name}.json", [f"{name}:1"], [f"{name}.tar"]) for name, _ in (("one", LAYER), ("two", OTHER))]
    files = []
    for name, layer in (("one", LAYER), ("two", OTHER)):
        files += [f(f"{name}.json", docker.config(layer)), f(f"{name}.tar", layer)]
    first, second = map(docker.listing, lists)
    for entries, expected in (
        ([first, *files, second], b"another"),
        ([second, first, *files], b"a"),
        ([*files, first, sym("other", "x"), f("./manifest.json", json.dumps([]))], None),
    ):
        file = docker.archive(tmp_path / "a.tar", entries)
        if expected is None:
            assert isinstance(outcome(content, file), LookupError)
        else:
            assert content(file) == {b"a": expected}
            assert [each.refs for each in list_images(file)] == [("two:1",) if expected == b"another" else ("one:1",)]


@pytest.mark.parametrize("name", ["manifest.json", "index.json", "oci-layout"])
@pytest.mark.parametrize("how", ["directory", "loop", "nothing", "outside"])
def test_a_document_that_is_no_file_is_as_good_as_absent(tmp_path, name, how):
    (tmp_path / "outside").write_text("[]")
    target = {"loop": name, "nothing": "none", "outside": f"../../../../../../../..{tmp_path}/outside"}
    entries = [each for each in docker.modern(("app", "1", [LAYER])) if each.name != name.encode()]
    entries.append(f(f"{name}/x") if how == "directory" else sym(name, target[how]))
    file = docker.archive(tmp_path / "a.tar", entries)
    transport = "docker-archive" if name == "manifest.json" else "oci-archive"
    for function in (content, copied, check_image, list_images):
        error = outcome(function, f"{transport}:{file}")
        assert isinstance(error, StoreError) or not error.ok
        assert isinstance(error, StoreError) or function is check_image


SIZES = {
    "longer than the archive": 1 << 20,
    "longer by a block": len(LAYER) + 512,
    "shorter by a block": len(LAYER) - 512,
    "shorter by a byte": len(LAYER) - 1,
    "nothing": 0,
    "more than there can be": (1 << 33) - 1,
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_member_whose_size_lies_is_refused(tmp_path, size):
    raw = docker.config(LAYER)
    listing = docker.listing(("c.json", ["app:1"], ["layer.tar"]))
    before = tar(f("c.json", raw), listing)[:-1024]
    for blocks in (before + member(b"layer.tar", LAYER, size=size), member(b"layer.tar", LAYER, size=size) + before):
        (tmp_path / "a.tar").write_bytes(blocks + END)
        error = outcome(content, tmp_path / "a.tar")
        assert isinstance(error, TarFormatError | DigestMismatchError | StoreError | DocumentError), error
        assert not isinstance(error, dict)


UNSAFE = [
    "sha256:../../x",
    "../x",
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "blobs/sha256/../../../x",
    "./../x",
    "x\n/../../x",
]


@contextlib.contextmanager
def opened_files():
    """Collect the paths that are opened meanwhile."""
    paths, watching = [], True

    def hook(event, arguments):
        if watching and event == "open":
            paths.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        yield paths
    finally:
        watching = False


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_climbs_reaches_a_member_or_nothing_and_never_another_file(tmp_path, name):
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "x").write_bytes(docker.config(LAYER))
    (inside / "x").write_bytes(docker.config(LAYER))
    rows = ((name, ["a:1"], ["layer.tar"]), ("c.json", ["b:1"], [name]))
    listings = [docker.listing(each) for each in rows]
    links = [sym("c.json", name), ln("layer.tar", name)]
    without = [f("c.json", docker.config(LAYER)), f("layer.tar", LAYER)]
    content("tests/data/image")  # So that what is imported late is.
    for entries in ([*without, listings[0]], [*without, listings[1]], [*links, docker.listing(("c.json", [], []))]):
        file = docker.archive(inside / "a.tar", entries)
        with opened_files() as paths:
            for function in (content, copied, list_images, check_image):
                found = outcome(function, file)
                reason = "which is not in the archive"
                if isinstance(found, StoreError):
                    assert reason in found.reason
                elif isinstance(found, list):
                    assert [reason in each.error for each in found] == [True]
                else:
                    assert [reason in each.message for each in found.findings] == [True]
        assert set(paths) == {file}


def test_a_member_of_such_a_name_is_read_as_a_member(tmp_path):
    """As a program does that unpacks the archive into a root."""
    raw = docker.config(LAYER)
    entries = [f("sha256:../../x", raw), f("l", LAYER), docker.listing(("sha256:../../x", ["a:1"], ["l"]))]
    assert content(docker.archive(tmp_path / "a.tar", entries)) == {b"a": b"a"}


@pytest.mark.parametrize("digest_", ["sha256:../../x", "sha256:/etc/passwd", "../sha256:x", f"sha256:{'A' * 64}"])
def test_a_digest_that_is_a_path_is_no_digest(tmp_path, digest_):
    index = {"schemaVersion": 2, "manifests": [{"mediaType": "x/y", "digest": digest_, "size": 1}]}
    marker = f("oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    file = docker.archive(tmp_path / "a.tar", [marker, f("index.json", json.dumps(index)), f("x", "x")])
    for function in (content, copied, list_images):
        error = outcome(function, f"oci-archive:{file}")
        assert isinstance(error, DocumentError)
        assert error.pointer == "/manifests/0/digest"


def test_a_digest_of_an_algorithm_that_is_not_known_is_a_blob_that_is_missing(tmp_path):
    index = {"schemaVersion": 2, "manifests": [{"mediaType": "x/y", "digest": "x.y:..", "size": 1}]}
    index["manifests"][0]["digest"] = "x.y:__"
    marker = f("oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    file = docker.archive(tmp_path / "a.tar", [marker, f("index.json", json.dumps(index))])
    repository, _ = open_repository(file)
    with contextlib.closing(repository):
        (entry,) = repository.entries()
        error = outcome(repository.blobs.open_blob, entry.digest)
    assert error.digest == "x.y:__"


def test_every_blob_that_is_flipped_is_found(tmp_path):
    """Each byte of a blob in turn would take long: the first, the last, and one between."""
    entries = layout_entries(image(tmp_path / "layout", LAYER))
    blobs = [each for each in entries if each.name.startswith(b"blobs/")]
    assert len(blobs) == 3
    for each in blobs:
        data = b"".join(each.chunks())
        for at in (0, len(data) // 2, len(data) - 1):
            flipped = bytearray(data)
            flipped[at] ^= 1
            others = [other for other in entries if other is not each]
            file = docker.archive(tmp_path / "a.tar", [*others, f(each.name.decode(), bytes(flipped))])
            for function in (content, copied):
                error = outcome(function, file)
                assert isinstance(error, DigestMismatchError), (each.name, at)
                assert error.expected == "sha256:" + each.name.decode().rpartition("/")[2]
                assert error.actual == digest(bytes(flipped))
