"""A repository of a registry as a place: its tags are the names of its images."""

import signal
import threading
import time

import attrs
import pytest

import oci_layers as oci
from oci_layers import Limits
from oci_layers.errors import (
    AccessDeniedError,
    BlobMissingError,
    LimitError,
    NameFormatError,
    PlaceMissingError,
    ReferenceMissingError,
    RegistryError,
    StoreError,
    UnreachableError,
)
from oci_layers.spec.digest import Digest
from oci_layers.store import MemoryRepository, create_repository, open_repository
from oci_layers.store.registry import RegistryRepository
from oci_layers.store.repository import ReferrerSource
from tests.support.model_registry import ModelRegistry, Switches, refuse, reply
from tests.support.registries import remote, run_in_thread, session
from tests.support.stores import multi, signature

IMAGE = "oci:tests/data/image:lighthouse"
DIGEST = "sha256:ae6737c88f2fc12c9c6b630e75d3ccb84cd6bd7ad46dc624c0e24597a9f2b42e"


def filled(*tags, model=None, **switches):
    repository = remote(model, switches=Switches(**switches))
    for tag in tags or ["v1"]:
        oci.copy(IMAGE, repository, target_ref=tag)
    return repository


def model_of(repository):
    return repository.client.exchange._transport


def asked(model):
    return [(method, url.removeprefix("https://registry.example/v2/")) for method, url, _ in model.log]


def test_an_image_is_opened_by_its_tag_or_digest():
    repository = filled()
    model = model_of(repository)
    shared = session(model)
    with oci.open_image(IMAGE) as local:
        for ref in (":v1", f"@{DIGEST}", f":v9@{DIGEST}"):
            with oci.open_image(f"docker://registry.example/a/b{ref}", session=shared) as image:
                assert image.tree() == local.tree()
                assert image.name == f"docker://registry.example/a/b{'@' + DIGEST if '@' in ref else ref}"
    with oci.open_image(repository, ref="v1") as image:
        assert image.descriptor.digest == Digest.parse(DIGEST)
    repository.close()


def test_the_tag_is_latest_unless_there_is_one():
    repository = filled("latest", "v1")
    model = model_of(repository)
    with oci.open_image("docker://registry.example/a/b", session=session(model)) as image:
        assert image.name == "docker://registry.example/a/b:latest"
    copied = oci.copy("docker://registry.example/a/b", "docker://registry.example/c", session=session(model))
    assert copied.blobs == 7
    assert list(model.repository("c").tags) == ["latest"]


def test_a_repository_is_opened_by_name():
    model = model_of(filled())
    for opener in (open_repository, create_repository):
        repository, ref = opener("docker://registry.example/a/b:v1", session=session(model))
        assert isinstance(repository, RegistryRepository)
        assert (repository.place, ref) == ("docker://registry.example/a/b", "v1")
        assert [str(each.digest) for each in repository.entries(ref)] == [DIGEST]


def test_what_a_repository_holds_is_listed():
    repository = filled("v1", "v2")
    shared = session(model_of(repository))
    [listed] = oci.list_images("docker://registry.example/a/b", session=shared)
    assert (listed.refs, str(listed.digest), listed.layers) == (("v1", "v2"), DIGEST, 5)
    [listed] = oci.list_images("docker://registry.example/a/b:v2", session=shared)
    assert listed.refs == ("v2",)
    assert repository.tags() == ["v1", "v2"]
    assert [each.annotations["org.opencontainers.image.ref.name"] for each in repository.entries()] == ["v1", "v2"]


def test_a_repository_is_checked():
    shared = session(model_of(filled()))
    checked = oci.check_image("docker://registry.example/a/b:v1", session=shared)
    local = oci.check_image(IMAGE)
    assert (checked.ok, checked.layers, checked.blobs) == (True, local.layers, local.blobs)
    assert [found.rule for found in checked.findings] == ["MAN-02"]
    assert checked.findings[0].location.line is not None
    model = model_of(filled())
    blobs = model.repository("a/b").blobs
    damaged = next(iter(blobs))
    blobs[damaged] += b"x"
    found = oci.check_image("docker://registry.example/a/b:v1", session=session(model))
    assert not found.ok


def test_only_what_is_missing_is_sent():
    repository = filled()
    model = model_of(repository)
    model.log.clear()
    copied = oci.copy(IMAGE, repository, target_ref="v2")
    assert (copied.blobs, copied.present) == (0, 7)
    assert [method for method, _ in asked(model)] == ["HEAD"] * 7 + ["PUT"]


def test_the_tag_comes_last_and_children_before_their_index():
    source = MemoryRepository()
    index, children = multi(source.blobs, "linux/amd64", "linux/arm64")
    source.tag("all", index)
    repository = remote()
    oci.copy(source, repository, "all", target_ref="all")
    written = [url for method, url in asked(model_of(repository)) if method == "PUT"]
    documents = [url.rsplit("/", 1)[1] for url in written if "/manifests/" in url]
    assert documents[-2:] == [str(index.digest), "all"]
    assert set(documents[:-2]) == {str(each.digest) for each in children}
    assert all("/blobs/" in url for url in written[: -len(documents)])
    back = MemoryRepository()
    oci.copy(repository, back, "all")
    assert back.entries("all")[0].digest == index.digest


def test_a_blob_of_the_same_registry_is_not_sent():
    model = model_of(filled())
    copied = oci.copy("docker://registry.example/a/b:v1", "docker://registry.example/c:v1", session=session(model))
    assert copied.blobs == 7
    assert model.repository("c").blobs == model.repository("a/b").blobs
    sent = [
        url for method, url in asked(model) if method in {"PUT", "GET"} and url.startswith(("c/blobs", "a/b/blobs/sha"))
    ]
    assert sent == []


def test_what_does_not_exist_is_said_with_what_does():
    repository = filled("v1", "v2")
    with pytest.raises(ReferenceMissingError, match="no image 'v3'; there are: v1, v2"):
        repository.entries("v3")
    with pytest.raises(ReferenceMissingError) as raised:
        oci.open_image("docker://registry.example/a/b:v3", session=session(model_of(repository)))
    assert raised.value.known == ("v1", "v2")
    for call in (lambda each: each.entries(), lambda each: each.entries("v1"), lambda each: each.tags()):
        with pytest.raises(PlaceMissingError, match="no such repository, or it is not shown to you"):
            call(remote(model_of(repository), "none"))
    denied = remote()
    model_of(denied).answers.append(lambda request: refuse(request, 403, "DENIED"))
    with pytest.raises(AccessDeniedError, match="DENIED"):
        denied.tags()


@pytest.mark.parametrize("ref", ["", "-a", "a b", "a/b", "x" * 129, "\u00e9", "sha256:abc", "v1@x"])
def test_what_is_no_tag_is_refused(ref):
    repository = filled()
    [entry] = repository.entries("v1")
    count = len(model_of(repository).log)
    for call in (lambda: repository.entries(ref), lambda: repository.tag(ref, entry), lambda: repository.untag(ref)):
        with pytest.raises(NameFormatError):
            call()
    assert len(model_of(repository).log) == count


def test_a_tag_is_given_and_taken():
    repository = filled()
    [entry] = repository.entries("v1")
    repository.tag("v2", entry)
    repository.tag(None, entry)
    repository.tag(str(entry.digest), entry)
    assert repository.tags() == ["v1", "v2"]
    repository.untag("v1")
    assert repository.tags() == ["v2"]
    with pytest.raises(ReferenceMissingError, match="there are: v2"):
        repository.untag("v1")
    with pytest.raises(NameFormatError, match=f"the digest of the image is {DIGEST}"):
        repository.tag(str(Digest.of(b"")), entry)
    with pytest.raises(StoreError, match="a tag names one document, not 2"):
        repository.tag("v3", entry, entry)
    absent = attrs.evolve(entry, digest=Digest.of(b"x"))
    for ref in (None, "v3"):
        with pytest.raises(BlobMissingError):
            repository.tag(ref, absent)


def test_a_registry_may_keep_its_tags_and_images():
    repository = filled(tag_delete=False, delete=False)
    with pytest.raises(RegistryError) as raised:
        repository.untag("v1")
    assert raised.value.__notes__ == ["the registry removes no single tag"]
    with pytest.raises(RegistryError) as raised:
        repository.delete(Digest.parse(DIGEST))
    assert raised.value.__notes__ == ["the registry deletes nothing, as it is configured"]
    model_of(repository).answers.append(
        lambda request: refuse(request, 403, "DENIED") if request.method == "DELETE" else None
    )
    for call in (lambda: repository.untag("v1"), lambda: repository.delete(Digest.parse(DIGEST))):
        with pytest.raises(AccessDeniedError) as raised:
            call()
        assert not hasattr(raised.value, "__notes__")


def test_an_image_is_deleted_with_its_tags():
    repository = filled("v1", "v2")
    repository.delete(Digest.parse(DIGEST))
    assert repository.tags() == []
    with pytest.raises(ReferenceMissingError, match=DIGEST):
        repository.delete(Digest.parse(DIGEST))


@pytest.mark.parametrize("api", [True, False])
def test_referrers_go_along(api):
    source = MemoryRepository()
    index, children = multi(source.blobs, "linux/amd64", "linux/arm64")
    source.tag("all", index)
    signed = signature(source.blobs, children[0])
    source.tag(None, signed)
    repository = remote(switches=Switches(referrers=api))
    copied = oci.copy(source, repository, "all", target_ref="v1", referrers=True)
    assert [each.digest for each in copied.referrers] == [signed.digest]
    assert isinstance(repository, ReferrerSource)
    assert [each.digest for each in repository.referrers(children[0].digest)] == [signed.digest]
    back = MemoryRepository()
    copied = oci.copy(remote(model_of(repository)), back, "v1", referrers=True)
    assert [each.digest for each in copied.referrers] == [signed.digest]
    assert back.blobs.has_blob(signed.digest)
    repository.delete(signed.digest)
    assert repository.referrers(children[0].digest) == []


def test_a_copy_that_ended_before_a_referrer_was_listed_is_completed_by_the_next():
    source = MemoryRepository()
    _, children = multi(source.blobs, "linux/amd64")
    signed = signature(source.blobs, children[0])
    source.tag("signed", signed)
    repository = remote(switches=Switches(referrers=False))
    model = model_of(repository)
    model.answers.append(lambda request: refuse(request, 403, "DENIED") if "sha256-" in request.url.path else None)
    with pytest.raises(AccessDeniedError):
        oci.copy(source, repository, "signed")
    model.answers.clear()
    again = remote(model)
    copied = oci.copy(source, again, "signed")
    assert (copied.blobs, copied.present) == (0, 3)
    assert [each.digest for each in again.referrers(children[0].digest)] == [signed.digest]


def test_all_images_are_copied_under_their_tags():
    repository = filled("v1", "v2")
    back = MemoryRepository()
    oci.copy(repository, back, everything=True)
    assert [each.annotations["org.opencontainers.image.ref.name"] for each in back.entries()] == ["v1", "v2"]
    model = ModelRegistry()
    oci.copy(back, "docker://registry.example/x", everything=True, session=session(model))
    assert sorted(model.repository("x").tags) == ["v1", "v2"]
    back.tag("no/tag", back.entries("v1")[0])
    with pytest.raises(NameFormatError, match="no/tag"):
        oci.copy(back, remote(model), everything=True)


def test_a_tag_that_goes_while_tags_are_listed_is_left_out():
    repository = filled("v1", "v2")
    model_of(repository).answers.append(
        lambda request: refuse(request, 404, "MANIFEST_UNKNOWN") if request.url.path.endswith("/v1") else None
    )
    assert len(repository.entries()) == 1


def test_there_are_limits():
    repository = filled("v1", "v2", "v3")
    small = RegistryRepository(
        "registry.example/a/b", session=session(model_of(repository)), limits=Limits(descriptors=2)
    )
    with pytest.raises(LimitError, match="descriptors is 2"):
        small.entries()


def test_a_session_that_was_given_stays_open():
    model = model_of(filled())
    shared = session(model)
    with RegistryRepository("registry.example/a/b", session=shared) as repository, repository.lease():
        assert repository.tags() == ["v1"]
    assert not model.closed
    shared.close()
    assert model.closed


def test_without_a_session_there_is_one_of_its_own(monkeypatch):
    model = model_of(filled())
    monkeypatch.setattr("oci_layers.registry.urllib3_transport.Urllib3Transport", lambda **_: model)
    with oci.open_image("docker://registry.example/a/b:v1") as image:
        assert not model.closed
        reopened = image.root / "etc/motd"
    assert model.closed
    model.closed = False
    del reopened
    model.answers.append(lambda request: reply(request, 403))
    with pytest.raises(RegistryError):
        oci.open_image("docker://registry.example/a/b:v1")
    assert model.closed


def test_an_image_is_opened_again_by_its_digest(monkeypatch):
    import pickle

    repository = filled()
    model = model_of(repository)
    monkeypatch.setattr("oci_layers.registry.urllib3_transport.Urllib3Transport", lambda **_: model)
    with oci.open_image("docker://registry.example/a/b:v1") as image:
        kept = pickle.dumps(image.root / "etc/motd")
        text = (image.root / "etc/motd").read_text()
    model.closed = False
    model.repository("a/b").tags.clear()
    assert pickle.loads(kept).read_text() == text


def test_a_name_is_a_name_in_a_registry():
    for name in ("registry.example/A", "registry.example/", "registry.example/../x", ""):
        with pytest.raises(NameFormatError):
            RegistryRepository(name, session=session(ModelRegistry()))


def test_a_broken_upload_is_begun_again():
    from oci_layers.errors import UnreachableError

    repository = remote()
    model, left = model_of(repository), [3]

    def breaks(request):
        if request.method == "PUT" and "/blobs/" in request.url.path and left[0]:
            left[0] -= 1
            request.body.open().read(10)
            raise UnreachableError(str(request.url), "the connection broke")
        return

    model.answers.append(breaks)
    assert oci.copy(IMAGE, repository, target_ref="v1", threads=1).blobs == 7
    left[0] = 99
    with pytest.raises(UnreachableError):
        oci.copy(IMAGE, remote(model, "other"), target_ref="v1", threads=1)
    assert left[0] == 95


def test_a_registry_that_cannot_be_asked_is_no_finding():
    repository = filled()
    model = model_of(repository)
    layers = [digest for digest, data in model.repository("a/b").blobs.items() if data[:2] == b"\x1f\x8b"]
    model.answers.append(
        lambda request: refuse(request, 403, "DENIED") if request.url.path.endswith(layers[0]) else None
    )
    with pytest.raises(AccessDeniedError, match="DENIED"):
        oci.check_image("docker://registry.example/a/b:v1", session=session(model))


class Hanging:
    """A body that hangs until the connections are broken."""

    def __init__(self, broken, hangs):
        self.broken, self.hangs = broken, hangs

    def read(self, size):
        self.hangs.set()
        assert self.broken.wait(20)
        raise UnreachableError("https://registry.example", "broken")

    def close(self):
        pass


@pytest.mark.parametrize(
    "work",
    [
        lambda name, shared, tmp_path: oci.open_image(name, session=shared, threads=4).tree(),
        lambda name, shared, tmp_path: oci.open_image(name, session=shared, threads=4).unpack(tmp_path / "root"),
        lambda name, shared, tmp_path: oci.copy(name, f"oci:{tmp_path}/layout", session=shared, threads=4),
        lambda name, shared, tmp_path: oci.check_image(name, session=shared, threads=4),
    ],
    ids=["tree", "unpack", "copy", "check"],
)
def test_an_interrupt_ends_what_hangs(tmp_path, work):
    model = model_of(filled())
    broken, hangs = threading.Event(), threading.Event()
    interrupt = model.interrupt

    def break_all():
        interrupt()
        broken.set()

    model.interrupt = break_all

    def hang(request):
        if request.method != "GET" or "/blobs/" not in request.url.path:
            return None
        response = model.answer(request)
        if len(response.body.read(1)) and response.headers["content-length"] in {"770", "163"}:
            response.body = Hanging(broken, hangs)
            return response
        return None

    model.answers.append(hang)
    main = threading.get_ident()

    def stop():
        assert hangs.wait(20)
        time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGINT)

    stopping = run_in_thread(stop)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work("docker://registry.example/a/b:v1", session(model), tmp_path)
    assert time.monotonic() - started < 10
    stopping.join()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("oci-layers")]


def test_a_registry_that_says_that_it_has_blobs_and_has_not_gets_them():
    """Some answer so to a HEAD of what is in another repository."""
    repository = remote()
    model = model_of(repository)
    data = dict(model_of(filled()).repository("a/b").blobs.items())

    def lie(request):
        name = request.url.path.rsplit("/", 1)[1]
        return reply(request, 200, data[name]) if request.method == "HEAD" and name in data else None

    model.answers.append(lie)
    oci.copy(IMAGE, repository, target_ref="v1")
    assert model.repository("a/b").blobs == data
    assert list(model.repository("a/b").tags) == ["v1"]
    refusing = remote()
    model_of(refusing).answers.append(
        lambda request: (
            refuse(request, 400, "MANIFEST_INVALID")
            if request.method == "PUT" and "manifests" in request.url.path
            else None
        )
    )
    with pytest.raises(RegistryError, match="MANIFEST_INVALID"):
        oci.copy(IMAGE, refusing, target_ref="v1")


def test_in_a_docker_archive_an_image_has_its_whole_name(tmp_path):
    shared = session(model_of(filled("v1", "v2")))
    oci.copy("docker://registry.example/a/b:v1", f"docker-archive:{tmp_path}/one.tar", session=shared)
    oci.copy("docker://registry.example/a/b", f"docker-archive:{tmp_path}/all.tar", everything=True, session=shared)
    oci.copy("docker://registry.example/a/b:v1", f"docker-archive:{tmp_path}/new.tar:new:1", session=shared)
    names = {
        file: [ref for listed in oci.list_images(f"docker-archive:{tmp_path}/{file}.tar") for ref in listed.refs]
        for file in ("one", "all", "new")
    }
    assert names == {
        "one": ["registry.example/a/b:v1"],
        "all": ["registry.example/a/b:v1", "registry.example/a/b:v2"],
        "new": ["new:1"],
    }


def test_the_target_may_have_a_session_of_its_own():
    source = model_of(filled())
    target = ModelRegistry("other.example")
    copied = oci.copy(
        "docker://registry.example/a/b:v1",
        "docker://other.example/c",
        session=session(source),
        target_session=session(target),
    )
    assert copied.blobs == 7
    assert list(target.repository("c").tags) == ["latest"]
