"""Mirrors: which place is asked for what, what happens when it fails, and whose credentials it gets."""

import json

import attrs
import pytest

import oci_layers as oci
from oci_layers.errors import (
    AccessDeniedError,
    BlobMissingError,
    ReferenceMissingError,
    UnreachableError,
    format_error,
)
from oci_layers.registry.credentials import Credential
from oci_layers.registry.session import RegistrySession
from oci_layers.store import Layout, MemoryRepository
from oci_layers.store.registry import RegistryRepository
from tests.support.model_registry import ModelRegistry, refuse, reply
from tests.support.registries import Timeless, remote
from tests.support.stores import closure, manifest, multi

ORIGIN, ONE, TWO = "registry.example", "one.example", "two.example"
CONF = """
[[registry]]
location = "registry.example"
[[registry.mirror]]
location = "one.example/x"
{}
[[registry.mirror]]
location = "two.example"
{}
"""


@attrs.define
class Net:
    """Registries by their hosts, as one transport. `log` has (host, method, what is asked for, Authorization)."""

    models: dict
    log: list = attrs.field(factory=list)

    def send(self, request):
        host = request.url.origin.host
        path = request.url.path.removeprefix("/v2/")
        self.log.append((host, request.method, path, request.headers.get("Authorization")))
        if host not in self.models:
            raise UnreachableError(str(request.url), "the name cannot be resolved", was_sent=False)
        return self.models[host].send(request)

    def interrupt(self):
        for each in self.models.values():
            each.interrupt()

    def close(self):
        pass

    def asked(self):
        """The hosts that were asked, each once for requests in a row."""
        hosts = [host for host, *_ in self.log]
        self.log.clear()
        return [host for at, host in enumerate(hosts) if at == 0 or hosts[at - 1] != host]


@pytest.fixture
def source():
    place = MemoryRepository()
    index, _ = multi(place.blobs, "linux/amd64", "linux/arm64")
    place.tag("all", index)
    place.tag("app", manifest(place.blobs, b"layer"))
    return place


@pytest.fixture
def net(source):
    """Three registries, all of which have the images."""
    models = {host: ModelRegistry(host) for host in (ORIGIN, ONE, TWO)}
    for host, name in ((ORIGIN, "a/b"), (ONE, "x/a/b"), (TWO, "a/b")):
        oci.copy(source, remote(models[host], name), everything=True)
        models[host].log.clear()
    return Net(models)


@pytest.fixture
def opened(net, tmp_path):
    """Open the repository with mirrors, which have these settings."""
    file = tmp_path / "registries.conf"

    def opener(one="", two="", **options):
        file.write_text(CONF.format(one, two))
        options.setdefault("credentials", lambda _domain, _path: None)
        options.setdefault("environ", {})
        session = RegistrySession(transport=net, registries_conf=file, clock=Timeless().clock(), **options)
        return RegistryRepository(f"{ORIGIN}/a/b", session=session)

    return opener


def pulled(repository, ref):
    target = MemoryRepository()
    with repository:
        oci.copy(repository, target, ref, target_ref="x")
    return closure(target, target.entries("x")[0])


def everything(source, ref):
    return closure(source, source.entries(ref)[0])


@pytest.mark.parametrize("ref", ["app", "all"])
def test_the_first_mirror_gives_the_whole_image(opened, net, source, ref):
    assert pulled(opened(), ref) == everything(source, ref)
    assert {path.split("/blobs/")[0].split("/manifests/")[0] for _, _, path, _ in net.log} == {"x/a/b"}
    assert net.asked() == [ONE]


def test_a_mirror_without_the_image_is_passed_over_and_the_next_one_gives_all_of_it(opened, net, source):
    net.models[ONE].repositories.clear()
    assert pulled(opened(), "all") == everything(source, "all")
    assert net.asked() == [ONE, TWO]
    net.models[TWO].repositories.clear()
    assert pulled(opened(), "all") == everything(source, "all")
    assert net.asked() == [ONE, TWO, ORIGIN]


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: refuse(request, 403, "DENIED"),
        lambda request: refuse(request, 401, "UNAUTHORIZED"),
        lambda request: refuse(request, 500, "UNKNOWN"),
        lambda request: refuse(request, 429, "TOOMANYREQUESTS"),
        lambda request: reply(request, 200, b"<html>", [("Content-Type", "text/html")]),
    ],
)
def test_a_mirror_that_fails_is_passed_over(opened, net, source, answer):
    net.models[ONE].answers.append(answer)
    assert pulled(opened(), "app") == everything(source, "app")
    assert net.asked() == [ONE, TWO]


def test_a_mirror_that_cannot_be_reached_is_passed_over(opened, net, source):
    del net.models[ONE]
    assert pulled(opened(), "app") == everything(source, "app")
    assert net.asked() == [ONE, TWO]


def test_a_mirror_that_gives_another_document_for_a_digest_is_passed_over(opened, net, source):
    [entry] = source.entries("app")
    media_type, raw = net.models[ONE].repository("x/a/b").manifests[str(entry.digest)]
    net.models[ONE].repository("x/a/b").manifests[str(entry.digest)] = media_type, raw + b" "
    assert pulled(opened(), str(entry.digest)) == everything(source, "app")
    assert net.asked() == [ONE, TWO]


def test_what_a_mirror_lacks_of_an_image_the_last_place_gives(opened, net, source):
    net.models[ONE].repository("x/a/b").blobs.clear()
    for digest in [str(each.digest) for each in source.entries("all")]:
        children = json.loads(net.models[ONE].repository("x/a/b").manifests[digest][1])["manifests"]
    del net.models[ONE].repository("x/a/b").manifests[children[1]["digest"]]
    assert pulled(opened(), "all") == everything(source, "all")
    assert TWO not in net.asked()


@pytest.mark.parametrize(
    ("one", "two", "by_tag", "by_digest"),
    [
        ("digest-only", "tag-only", TWO, ONE),
        ("digest-only", "digest-only", ORIGIN, ONE),
        ("tag-only", "tag-only", ONE, ORIGIN),
    ],
)
def test_mirrors_may_be_for_tags_or_digests_alone(opened, net, source, one, two, by_tag, by_digest):
    """An image that a tag has led to is whole from there, though its parts have digests."""
    settings = [f'pull-from-mirror = "{each}"' for each in (one, two)]
    digest = str(source.entries("app")[0].digest)
    for ref, host in (("app", by_tag), (digest, by_digest)):
        assert pulled(opened(*settings), ref) == everything(source, "app")
        assert net.asked() == [host]


def test_the_error_is_that_of_the_last_place_and_names_the_others(opened, net):
    del net.models[TWO]
    with pytest.raises(ReferenceMissingError) as raised:
        opened().entries("none")
    assert raised.value.known == ("all", "app")
    cause = raised.value.__cause__
    assert isinstance(cause, BlobMissingError)
    shown = format_error(cause)
    assert "mirror one.example/x/a/b: blob none is missing" in shown
    assert "mirror two.example/a/b: https://two.example/v2/a/b/manifests/none: the name cannot be resolved" in shown


def test_an_interrupt_ends_the_search(opened, net):
    repository = opened(credentials=Credential(username="ann", password="secret"))

    def interrupted(request):
        repository.blobs.interrupt()
        raise UnreachableError(str(request.url), "interrupted")

    net.models[ONE].answers.append(interrupted)
    with pytest.raises(UnreachableError, match="interrupted"):
        repository.blobs.manifest("app")
    assert net.asked() == [ONE]


def test_what_is_written_listed_and_deleted_goes_to_the_registry_itself(opened, net, source):
    repository = opened()
    oci.copy(source, repository, "app", target_ref="new")
    [entry] = source.entries("app")
    assert repository.tags() == ["all", "app", "new"]
    assert repository.referrers(entry.digest) == []
    repository.untag("new")
    net_of_reads = {host for host, method, path, _ in net.log if method != "GET" or "/tags/" in path}
    assert net_of_reads == {ORIGIN}


def test_the_cache_keeps_what_mirrors_give(opened, net, source, tmp_path):
    for hosts in ([ONE], [ONE]):
        assert pulled(opened(cache=tmp_path / "cache"), "all") == everything(source, "all")
        assert net.asked() == hosts
    with Layout.open(tmp_path / "cache") as cache:
        for each in list(cache.own_blobs.iter_blobs()):
            if each not in {entry.digest for entry in source.entries("all")}:
                cache.own_blobs.delete_blob(each)
    assert pulled(opened(cache=tmp_path / "cache"), "all") == everything(source, "all")
    assert net.asked() == [ONE]


def challenge(request):
    if "Authorization" in request.headers:
        return None
    return reply(request, 401, headers=[("WWW-Authenticate", 'Basic realm="r"')])


def test_a_credential_that_is_given_is_for_the_registry_and_not_for_mirrors(opened, net, source, tmp_path):
    """They get what is kept for them (REG-94)."""
    for each in net.models.values():
        each.answers.append(challenge)
    given, kept = Credential(username="ann", password="given"), Credential(username="bob", password="kept")
    auths = {"auths": {TWO: {"username": "bob", "password": "kept"}}}
    (tmp_path / "auth.json").write_text(json.dumps(auths))
    options = {"credentials": given, "authfile": tmp_path / "auth.json"}
    assert pulled(opened(**options), "app") == everything(source, "app")
    assert {(host, secret) for host, _, _, secret in net.log} == {(ONE, None), (TWO, None), (TWO, kept.basic())}
    net.log.clear()
    (tmp_path / "auth.json").write_text("{}")
    assert pulled(opened(**options), "app") == everything(source, "app")
    sent = {(host, secret) for host, _, _, secret in net.log}
    assert sent == {(ONE, None), (TWO, None), (ORIGIN, None), (ORIGIN, given.basic())}


def test_a_source_of_credentials_is_asked_for_each_host(opened, net):
    asked = []
    for each in net.models.values():
        each.answers.append(challenge)
    with pytest.raises(AccessDeniedError):
        opened(credentials=lambda domain, path: asked.append((domain, path))).blobs.manifest("app")
    assert asked == [(ONE, "x/a/b"), (TWO, "a/b"), (ORIGIN, "a/b")]


def test_a_name_may_stand_for_another_place(net, source, tmp_path):
    file = tmp_path / "registries.conf"
    file.write_text('[[registry]]\nprefix = "name.example/y"\nlocation = "one.example/x/a"')
    session = RegistrySession(
        transport=net, environ={}, registries_conf=file, credentials=lambda *_: None, clock=Timeless().clock()
    )
    with oci.open_image("docker://name.example/y/b:all", platform="linux/amd64", session=session) as image:
        assert image.name == "docker://name.example/y/b:all"
    assert net.asked() == [ONE]


def test_an_insecure_mirror_may_speak_plain_http(opened, net, source):
    def no_tls(request):
        if request.url.origin.is_secure:
            raise UnreachableError(str(request.url), "no TLS", speaks_tls=False, was_sent=False)

    net.models[ONE].answers.append(no_tls)
    assert pulled(opened(), "app") == everything(source, "app")
    assert net.asked() == [ONE, TWO]
    assert pulled(opened("insecure = true"), "app") == everything(source, "app")
    assert net.asked() == [ONE]
    session = opened("insecure = true").client
    assert session.endpoint.plain_http is False
