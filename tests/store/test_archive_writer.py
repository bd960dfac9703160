"""An archive written as one stream: what is put is read back, an error leaves nothing, and the bytes are the same."""

import contextlib
import errno
import io
import json
import os
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from oci_layers import Limits, check_image, list_images, open_image, system
from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    IntegrityError,
    NameFormatError,
    ReferenceMissingError,
    SizeMismatchError,
    StoreError,
    TarFormatError,
    UnsupportedError,
)
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.store.archive import TarArchive
from oci_layers.store.archive_writer import ArchiveWriter
from tests.store.test_archive import fed
from tests.support.layers import Built, digest, f, tar

LAYERS = tar(f("a", "a")), tar(f("b", "b" * 3000))
MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
REF, FULL = "org.opencontainers.image.ref.name", "io.containerd.image.name"


class Source:
    """An image in memory: its blobs with their descriptors, children first, and the descriptor of its manifest."""

    def __init__(self, *layers, compression="", **config):
        built = Built.of("unused", *layers, compression=compression)
        built.config |= config
        self.blobs = [(each["blob"], descriptor_of(each["descriptor"])) for each in built.layers]
        for value, media_type in ((built.config, CONFIG), (built.manifest, MANIFEST)):
            raw = json.dumps(value).encode()
            self.entry = Descriptor.of(raw, media_type=media_type)
            self.blobs.append((raw, self.entry))
            built.manifest["config"] = built.put(raw, media_type)

    def put(self, writer):
        """Put everything into a writer."""
        for data, descriptor in self.blobs:
            writer.blobs.put_blob(io.BytesIO(data), descriptor)
        return self.entry

    @property
    def files(self):
        """The members of an archive of it, in order."""
        return [f"blobs/{each.digest.algorithm}/{each.digest.encoded}" for _, each in self.blobs]


def descriptor_of(value):
    return Descriptor(media_type=value["mediaType"], digest=Digest.parse(value["digest"]), size=value["size"])


def put(writer, data, media_type=LAYER, algorithm="sha256"):
    descriptor = Descriptor(media_type=media_type, digest=Digest.of(data, algorithm), size=len(data))
    writer.blobs.put_blob(io.BytesIO(data), descriptor)
    return descriptor


def written(file, *, source=None, ref="t", **options):
    """Write an archive of one image and return its path as text."""
    with ArchiveWriter(file, **options) as writer:
        writer.tag(ref, (source or Source(*LAYERS)).put(writer))
    return str(file)


def members(file):
    with tarfile.open(file) as archive:
        return {each.name: archive.extractfile(each) and archive.extractfile(each).read() for each in archive}


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize(
    ("docker", "name"),
    [
        (False, "oci-archive:{}"),
        (False, "oci-archive:{}:me/app:1"),
        (False, "{}"),
        (True, "docker-archive:{}"),
        (True, "docker-archive:{}:docker.io/me/app:1"),
        (True, "oci-archive:{}:me/app:1"),
        (True, "{}"),
    ],
)
def test_an_image_that_is_written_is_read_by_every_name_of_it(tmp_path, compression, docker, name):
    source = Source(*LAYERS, compression=compression)
    file = written(tmp_path / "a.tar", source=source, ref="me/app:1", docker=docker)
    with open_image(name.format(file)) as opened:
        assert (opened.root / "b").read_text() == "b" * 3000
        if not name.startswith("docker"):
            assert opened.descriptor.digest == source.entry.digest
        assert [each.descriptor.digest for each in opened.layers] == [each.digest for _, each in source.blobs[:2]]
    assert check_image(name.format(file)).ok


@pytest.mark.parametrize("docker", [False, True])
def test_the_members_are_in_the_order_in_which_they_were_put_and_the_index_is_last(tmp_path, docker):
    source = Source(*LAYERS)
    file = written(tmp_path / "a.tar", source=source, docker=docker)
    with tarfile.open(file) as archive:
        infos = archive.getmembers()
    last = ["index.json", "manifest.json", "repositories"] if docker else ["index.json"]
    assert [each.name for each in infos] == ["oci-layout", "blobs", "blobs/sha256", *source.files, *last]
    assert {(each.mode, each.mtime, each.uid, each.gid, each.uname, each.gname) for each in infos if each.isreg()} == {
        (0o644, 0, 0, 0, "", "")
    }
    assert {(each.mode, each.mtime) for each in infos if each.isdir()} == {(0o755, 0)}
    assert (tmp_path / "a.tar").read_bytes().endswith(bytes(1024))


@pytest.mark.parametrize("docker", [False, True])
def test_the_same_calls_give_the_same_bytes(tmp_path, docker):
    for name in ("1.tar", "2.tar"):
        written(tmp_path / name, docker=docker)
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_a_blob_is_written_once_however_often_it_is_put(tmp_path):
    source = Source(*LAYERS)
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        source.put(writer)
        assert writer.blobs.reuse_blob(source.entry)
        writer.tag("t", source.put(writer))
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert len(archive.getnames()) == 3 + 4 + 1


def test_a_stream_whose_blob_exists_is_closed_and_not_read(tmp_path):
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        descriptor = put(writer, b"x")
        again = io.BytesIO(b"another")
        writer.blobs.put_blob(again, descriptor)
        assert again.closed


def test_a_writer_knows_what_was_written_and_reads_only_documents(tmp_path):
    source = Source(*LAYERS)
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        assert list(writer.blobs.iter_blobs()) == []
        source.put(writer)
        digests = [each.digest for _, each in source.blobs]
        assert list(writer.blobs.iter_blobs()) == sorted(digests)
        assert all(map(writer.blobs.has_blob, digests))
        assert not writer.blobs.has_blob(Digest.of(b"none"))
        data, layer = source.blobs[0]
        other = Descriptor(media_type=LAYER, digest=layer.digest, size=layer.size + 1)
        assert [writer.blobs.reuse_blob(each) for each in (layer, other)] == [True, False]
        for data, each in source.blobs[2:]:
            assert writer.blobs.open_blob(each.digest).read() == data
        for digest_ in (layer.digest, Digest.of(b"none")):
            with pytest.raises(BlobMissingError) as raised:
                writer.blobs.open_blob(digest_)
            assert raised.value.digest == str(digest_)


def test_a_document_that_exceeds_the_limits_is_written_and_not_kept(tmp_path):
    limits = Limits(document_bytes=100, config_bytes=10)
    with ArchiveWriter(tmp_path / "a.tar", limits=limits) as writer:
        kept = put(writer, b"x" * 100, MANIFEST), put(writer, b"y" * 10, CONFIG), put(writer, b"i" * 100, INDEX)
        left = put(writer, b"x" * 101, MANIFEST), put(writer, b"y" * 11, CONFIG), put(writer, b"t", "text/plain")
        for each in kept:
            assert len(writer.blobs.open_blob(each.digest).read()) == each.size
        for each in left:
            with pytest.raises(BlobMissingError):
                writer.blobs.open_blob(each.digest)
    names = [f"blobs/sha256/{each.digest.encoded}" for each in left]
    assert {name: len(data) for name, data in members(tmp_path / "a.tar").items() if name in names} == dict(
        zip(names, (101, 11, 1), strict=True)
    )


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, (1 << 20) + 1])
def test_a_blob_of_any_size_is_what_it_was(tmp_path, size):
    data = os.urandom(size)
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        descriptor = put(writer, data)
    assert members(tmp_path / "a.tar")[f"blobs/sha256/{descriptor.digest.encoded}"] == data


def test_another_algorithm_has_its_own_directory(tmp_path):
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        long = [put(writer, data, algorithm="sha512") for data in (b"x", b"y")]
    names = [f"blobs/sha512/{each.digest.encoded}" for each in long]
    assert list(members(tmp_path / "a.tar")) == [
        *("oci-layout", "blobs", "blobs/sha256", "blobs/sha512"),
        *names,
        "index.json",
    ]


@pytest.mark.parametrize("algorithm", ["md5", "x+y", "sha256+b64"])
def test_a_digest_that_is_not_a_name_of_a_blob_is_refused_and_spoils_nothing(tmp_path, algorithm):
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        stream = io.BytesIO(b"x")
        with pytest.raises(UnsupportedError) as raised:
            writer.blobs.put_blob(stream, Descriptor(media_type=LAYER, digest=Digest(f"{algorithm}:AB-_"), size=1))
        assert (raised.value.what, raised.value.value) == ("digest algorithm", algorithm)
        assert stream.closed
        writer.tag("t", Source(*LAYERS).put(writer))
    assert check_image(tmp_path / "a.tar").ok


def test_an_algorithm_that_cannot_be_computed_spoils_nothing(tmp_path, monkeypatch):
    def refuse(digest):
        raise UnsupportedError("digest algorithm", digest.algorithm)

    with ArchiveWriter(tmp_path / "a.tar") as writer:
        with monkeypatch.context() as patch:
            patch.setattr(Digest, "hasher", refuse)
            with pytest.raises(UnsupportedError):
                put(writer, b"x")
        writer.tag("t", Source(*LAYERS).put(writer))
    assert check_image(tmp_path / "a.tar").ok


# Names of images.


@pytest.fixture
def writer(tmp_path):
    """A writer of which nothing is left."""
    writer = ArchiveWriter(tmp_path / "a.tar")
    with contextlib.suppress(KeyError), writer:
        yield writer
        raise KeyError


def refs(entries):
    return [(each.annotations.get(REF), str(each.digest)) for each in entries]


def test_entries_are_tagged_moved_and_untagged_until_the_end(writer):
    one, two = (put(writer, data, MANIFEST) for data in (b"1", b"2"))
    for ref, each in (("a", one), ("b", two), (None, one)):
        writer.tag(ref, each)
    assert refs(writer.entries()) == [("a", str(one.digest)), ("b", str(two.digest))]
    writer.tag("a", two, one)
    assert refs(writer.entries("a")) == [("a", str(two.digest)), ("a", str(one.digest))]
    assert refs(writer.entries(str(one.digest))) == [("a", str(one.digest))]
    writer.untag("a")
    assert refs(writer.entries()) == [("b", str(two.digest))]
    with pytest.raises(ReferenceMissingError) as raised:
        writer.untag("a")
    assert (raised.value.name, raised.value.known) == ("a", ("b",))
    with pytest.raises(ReferenceMissingError):
        writer.entries("a")
    with writer.lease():
        writer.tag(None, one)
    assert refs(writer.entries())[1] == (None, str(one.digest))


def test_what_is_tagged_must_have_been_written(writer):
    one = put(writer, b"1", MANIFEST)
    missing = Descriptor.of(b"2", media_type=MANIFEST)
    for descriptors in ((missing,), (one, missing)):
        with pytest.raises(BlobMissingError) as raised:
            writer.tag("t", *descriptors)
        assert raised.value.digest == str(missing.digest)
    embedded = Descriptor(media_type=MANIFEST, digest=missing.digest, size=1, data=b"2")
    writer.tag("t", embedded)
    assert [each.data for each in writer.entries()] == [b"2"]


@pytest.mark.parametrize("ref", ["", "a\n", digest(b"")])
def test_what_cannot_be_a_name_is_refused_and_spoils_nothing(writer, ref):
    one = put(writer, b"1", MANIFEST)
    with pytest.raises(NameFormatError):
        writer.tag(ref, one)
    assert writer.entries() == []
    put(writer, b"2")


# Docker's form.


def listed(file):
    return [(each["RepoTags"], each["Layers"]) for each in json.loads(members(file)["manifest.json"])]


def test_the_form_of_docker_25_has_all_three_lists(tmp_path):
    source = Source(*LAYERS)
    file = written(tmp_path / "a.tar", source=source, ref="registry.example/app", docker=True)
    found = members(file)
    *layers, config, _ = source.files
    assert json.loads(found["manifest.json"]) == [
        {"Config": config, "RepoTags": ["registry.example/app:latest"], "Layers": layers}
    ]
    last = layers[-1].rpartition("/")[2]
    assert json.loads(found["repositories"]) == {"registry.example/app": {"latest": last}}
    (entry,) = json.loads(found["index.json"])["manifests"]
    assert entry["annotations"] == {FULL: "registry.example/app:latest", REF: "latest"}
    assert found["oci-layout"] == b'{"imageLayoutVersion":"1.0.0"}'


def test_each_image_is_listed_with_its_names_and_one_without_has_none(tmp_path):
    one, two, three = Source(LAYERS[0]), Source(*LAYERS, LAYERS[0]), Source()
    with ArchiveWriter(tmp_path / "a.tar", docker=True) as writer:
        for source in (one, two, three):
            source.put(writer)
        for ref, source in (("app:1", one), ("not a name", two), ("me/app", one), (None, three), ("app:2", two)):
            writer.tag(ref, source.entry)
        writer.tag("gone", three.entry)
        writer.untag("docker.io/library/gone:latest")
        writer.tag("docker.io/library/app:2", two.entry)
        writer.tag(None, three.entry)
        assert len(writer.entries()) == 5
        assert refs(writer.entries("app:1")) == [("1", str(one.entry.digest))]
    a, b = Source(*LAYERS).files[:2]
    assert listed(tmp_path / "a.tar") == [
        (["app:1", "me/app:latest"], [a]),
        (["app:2"], [a, b, a]),
        (None, []),
    ]
    for ref, source in (("app:1", one), ("me/app", one), ("app:2", two), ("@2", three)):
        with open_image(f"docker-archive:{tmp_path}/a.tar:{ref}") as opened:
            assert opened.manifest.config.digest == source.blobs[-2][1].digest
    assert [each.refs for each in list_images(f"docker-archive:{tmp_path}/a.tar")] == [
        *(("app:1", "me/app:latest"), ("app:2",), ("@2",))
    ]


def test_the_images_of_several_platforms_are_listed_with_one_name(tmp_path):
    sources = [Source(LAYERS[0], architecture=each) for each in ("amd64", "arm64")]
    with ArchiveWriter(tmp_path / "a.tar", docker=True) as writer:
        entries = [source.put(writer) for source in sources]
        raw = json.dumps(
            {
                "schemaVersion": 2,
                "manifests": [
                    {"mediaType": MANIFEST, "digest": str(each.digest), "size": each.size} for each in entries
                ],
            }
        )
        writer.tag("app:1", put(writer, raw.encode(), INDEX))
    assert [tags for tags, _ in listed(tmp_path / "a.tar")] == [["app:1"], ["app:1"]]
    for transport in ("docker-archive", "oci-archive"):
        for architecture in ("amd64", "arm64"):
            with open_image(f"{transport}:{tmp_path}/a.tar:app:1", platform=f"linux/{architecture}") as opened:
                assert opened.config.architecture == architecture


def test_an_image_whose_layers_were_not_written_is_not_tagged(tmp_path):
    source = Source(*LAYERS)
    with ArchiveWriter(tmp_path / "a.tar", docker=True) as writer:
        for data, descriptor in source.blobs[1:]:
            writer.blobs.put_blob(io.BytesIO(data), descriptor)
        with pytest.raises(BlobMissingError) as raised:
            writer.tag("t", source.entry)
        assert raised.value.digest == digest(LAYERS[0])
        assert writer.entries() == []
        writer.tag("t", source.put(writer))
    assert check_image(f"docker-archive:{tmp_path}/a.tar").ok


# The end.


def test_an_archive_appears_when_it_is_complete(tmp_path):
    writer = ArchiveWriter(tmp_path / "a.tar")
    writer.tag("t", Source(*LAYERS).put(writer))
    assert not (tmp_path / "a.tar").exists()
    writer.commit()
    writer.commit()
    writer.close()
    assert os.listdir(tmp_path) == ["a.tar"]
    assert check_image(tmp_path / "a.tar").ok


def test_closing_completes_an_archive_that_lists_an_image_and_discards_any_other(tmp_path):
    for name, tag in (("tagged", True), ("not", False)):
        writer = ArchiveWriter(tmp_path / name)
        entry = Source(*LAYERS).put(writer)
        if tag:
            writer.tag("t", entry)
        writer.close()
        writer.close()
    assert os.listdir(tmp_path) == ["tagged"]


def test_a_context_completes_an_archive_of_no_image_too(tmp_path):
    with ArchiveWriter(tmp_path / "a.tar", docker=True):
        pass
    assert list_images(f"oci-archive:{tmp_path}/a.tar") == []
    assert members(tmp_path / "a.tar")["manifest.json"] == b"[]"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_context_that_is_left_by_an_exception_leaves_nothing(tmp_path, error):
    writer = ArchiveWriter(tmp_path / "a.tar")
    writer.tag("t", Source(*LAYERS).put(writer))
    with pytest.raises(error), writer:
        raise error
    assert os.listdir(tmp_path) == []
    with pytest.raises(StoreError) as raised:
        writer.commit()
    assert (raised.value.place, raised.value.reason) == (f"{tmp_path}/a.tar", "the archive is discarded")
    writer.close()


@pytest.mark.parametrize("how", ["complete", "discarded"])
def test_nothing_is_written_after_the_end(tmp_path, how):
    with contextlib.suppress(ValueError), ArchiveWriter(tmp_path / "a.tar") as writer:
        entry = Source(*LAYERS).put(writer)
        writer.tag("t", entry)
        if how == "discarded":
            raise ValueError
    for call in (lambda: put(writer, b"x"), lambda: writer.tag("u", entry), lambda: writer.untag("t")):
        with pytest.raises(StoreError) as raised:
            call()
        assert (raised.value.place, raised.value.reason) == (f"{tmp_path}/a.tar", f"the archive is {how}")


def test_a_file_that_exists_is_not_changed(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"mine")
    with pytest.raises(StoreError):
        ArchiveWriter(tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == b"mine"


# Damage on the way.


class Broken:
    """A stream that gives some bytes, and then an error."""

    def __init__(self, data, error):
        self.data, self.error = data, error
        self.closed = False

    def read(self, size):
        if not self.data:
            raise self.error
        data, self.data = self.data[:size], self.data[size:]
        return data

    def close(self):
        self.closed = True


DATA = b"x" * (3 << 20)
WRONG = {
    "shorter": (DATA[:-1], SizeMismatchError),
    "longer": (DATA + b"x", SizeMismatchError),
    "another": (DATA[:-1] + b"y", DigestMismatchError),
    "empty": (b"", SizeMismatchError),
}


@pytest.mark.parametrize(("data", "error"), WRONG.values(), ids=WRONG)
def test_bytes_that_do_not_match_end_the_archive_and_leave_nothing(tmp_path, data, error):
    writer = ArchiveWriter(tmp_path / "a.tar")
    put(writer, b"good")
    expected = Descriptor.of(DATA, media_type=LAYER)
    with pytest.raises(error) as raised:
        writer.blobs.put_blob(io.BytesIO(data), expected)
    assert raised.value.what == f"blob {expected.digest}"
    assert os.listdir(tmp_path) == []
    assert not writer.blobs.has_blob(expected.digest)
    with pytest.raises(StoreError):
        put(writer, b"more")
    writer.close()


def test_a_blob_of_no_bytes_is_verified_too(tmp_path):
    writer = ArchiveWriter(tmp_path / "a.tar")
    with pytest.raises(DigestMismatchError):
        writer.blobs.put_blob(io.BytesIO(), Descriptor(media_type=LAYER, digest=Digest.of(b"x"), size=0))
    with pytest.raises(IntegrityError), ArchiveWriter(tmp_path / "b.tar") as other:
        other.blobs.put_blob(io.BytesIO(b"x"), Descriptor.of(b"", media_type=LAYER))
    assert os.listdir(tmp_path) == []


def test_a_second_size_of_one_blob_is_refused_and_spoils_nothing(tmp_path):
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        put(writer, b"xx")
        with pytest.raises(SizeMismatchError) as raised:
            writer.blobs.put_blob(io.BytesIO(b"xx"), Descriptor(media_type=LAYER, digest=Digest.of(b"xx"), size=1))
        assert (raised.value.expected, raised.value.actual) == (1, 2)
    assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "no"), KeyboardInterrupt(), BlobMissingError("sha256:0")])
@pytest.mark.parametrize("at", [0, 2 << 20])
def test_a_source_that_breaks_ends_the_archive_and_leaves_nothing(tmp_path, error, at):
    writer = ArchiveWriter(tmp_path / "a.tar")
    stream = Broken(DATA[:at], error)
    with pytest.raises(type(error)) as raised:
        writer.blobs.put_blob(stream, Descriptor.of(DATA, media_type=LAYER))
    assert raised.value is error
    assert stream.closed
    assert os.listdir(tmp_path) == []


class Failing:
    """A system call that fails once, after `spared` calls."""

    def __init__(self, call, code, spared):
        self.call, self.code, self.left = call, code, spared

    def __call__(self, *arguments):
        self.left -= 1
        if self.left == -1:
            raise OSError(self.code, os.strerror(self.code))
        return self.call(*arguments)


def failure(function, *arguments, **options):
    """Return the error of a call; None if there is none."""
    try:
        function(*arguments, **options)
    except OSError as error:
        return error


@pytest.mark.parametrize(("call", "count"), [("write_all", 25), ("fsync", 2), ("link", 1)])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_at_any_write_leaves_nothing(tmp_path, monkeypatch, call, count, code):
    """Every call of the kind fails once, from the first to the last."""
    file = tmp_path / "a.tar"
    real = getattr(system, call)
    for spared in range(count):
        monkeypatch.setattr(system, call, Failing(real, code, spared))
        error = failure(written, file, docker=True)
        assert (error.errno, error.filename) == (code, str(file))
        in_place = ["archive, which is in place but may not survive a power loss"]
        if error.__notes__ == in_place:
            assert (call, spared) == ("fsync", 1)
            file.unlink()
        assert os.listdir(tmp_path) == []
    monkeypatch.setattr(system, call, Failing(real, code, count))
    assert failure(written, file, docker=True) is None
    assert check_image(file).ok


def test_several_threads_put_blobs_one_after_the_other(tmp_path):
    blobs = [os.urandom(5000) for _ in range(30)]
    with ArchiveWriter(tmp_path / "a.tar") as writer, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: put(writer, data), blobs * 3))
    found = members(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert len(archive.getnames()) == 3 + 30 + 1
    assert {found[f"blobs/sha256/{Digest.of(data).encoded}"] for data in blobs} == set(blobs)


def test_a_thread_that_waits_while_another_breaks_the_archive_is_refused(tmp_path):
    writer = ArchiveWriter(tmp_path / "a.tar")
    begun, go = threading.Event(), threading.Event()

    class Slow(Broken):
        def read(self, size):
            begun.set()
            assert go.wait(10)
            return super().read(size)

    with ThreadPoolExecutor(2) as pool:
        stream = Slow(b"", ValueError())
        first = pool.submit(writer.blobs.put_blob, stream, Descriptor.of(DATA, media_type=LAYER))
        assert begun.wait(10)
        second = pool.submit(put, writer, b"x")
        go.set()
        assert isinstance(first.exception(), ValueError)
        assert isinstance(second.exception(), StoreError)
    assert os.listdir(tmp_path) == []


# Pipes.


@pytest.mark.parametrize("docker", [False, True])
def test_a_pipe_gets_what_a_file_would_have(tmp_path, docker):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    written(tmp_path / "pipe", docker=docker)
    reader.join()
    file = written(tmp_path / "a.tar", docker=docker)
    assert got == [(tmp_path / "a.tar").read_bytes()]
    with fed(got[0]), open_image("-", ref="t") as opened, open_image(file) as other:
        assert opened.tree() == other.tree()


def test_a_pipe_of_an_archive_that_was_discarded_is_cut_short(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    with pytest.raises(DigestMismatchError), ArchiveWriter(tmp_path / "pipe") as writer:
        writer.blobs.put_blob(io.BytesIO(DATA[:-1] + b"y"), Descriptor.of(DATA, media_type=LAYER))
    reader.join()
    (tmp_path / "cut.tar").write_bytes(got[0][:-512])
    with pytest.raises(TarFormatError):
        TarArchive(tmp_path / "cut.tar")
    (tmp_path / "whole.tar").write_bytes(got[0])
    with pytest.raises(StoreError):
        list_images(tmp_path / "whole.tar")


def test_a_reader_that_goes_away_is_an_error_of_the_system(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    writer = ArchiveWriter(tmp_path / "pipe")
    os.close(reader)
    with pytest.raises(BrokenPipeError) as raised:
        put(writer, DATA)
    assert (raised.value.filename, raised.value.__notes__) == (f"{tmp_path}/pipe", ["archive"])


def test_what_is_written_is_the_blobs_of_a_store(tmp_path):
    """A copy from one store to another, through the protocol alone."""
    store = MemoryBlobs()
    source = Source(*LAYERS)
    for data, descriptor in source.blobs:
        store.put_blob(io.BytesIO(data), descriptor)
    with ArchiveWriter(tmp_path / "a.tar") as writer:
        for _, descriptor in source.blobs:
            if not writer.blobs.reuse_blob(descriptor):
                writer.blobs.put_blob(store.open_blob(descriptor.digest), descriptor)
        writer.tag("t", source.entry)
    with contextlib.closing(TarArchive(tmp_path / "a.tar")) as files:
        for data, descriptor in source.blobs:
            assert files.open_blob(descriptor.digest).read(1 << 20) == data
