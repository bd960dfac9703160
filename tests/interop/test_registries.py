"""Registries as Debian's docker-registry serves them, plain, with passwords and with tokens; skopeo and buildah beside.

What is pushed is pulled again byte by byte, by this library and by the peers; and what they push, by this library.
"""

import itertools
import json
import os
import shutil
import threading

import pytest

from oci_layers import open_image
from oci_layers.errors import AccessDeniedError, OCIError, ReferenceMissingError, RegistryError, UnreachableError
from oci_layers.registry import Credential, DefaultCredentials, Urllib3Transport, store_credential
from oci_layers.registry.session import RegistrySession
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
)
from oci_layers.store.copy import copy
from oci_layers.store.layout import Layout
from oci_layers.store.registry import RegistryRepository
from tests.support.broken_transport import Tapped
from tests.support.examples import some
from tests.support.layers import COMPRESS, d, f, sym, tar, wh
from tests.support.model_registry import reply
from tests.support.peers import Buildah, assert_listed_alike, run
from tests.support.registry_servers import PASSWORD, USER, mirror_of, plain, with_passwords, with_tokens
from tests.support.stores import blob, closure, document, index_of, layout, manifest, multi, on, signature

pytestmark = pytest.mark.peer("docker-registry")

SERVERS = {"plain": plain, "passwords": with_passwords, "tokens": with_tokens}
LAYERS = (
    tar(d("etc/"), f("etc/motd", "hello"), f("etc/old", "x" * 5000), d("bin/", mode=0o700)),
    tar(wh("etc/old"), sym("link", "etc/motd"), f("bin/su", "#!" * 999, mode=0o4755)),
)
NOTE = "application/vnd.example.signature"
NUMBERS = itertools.count()


@pytest.fixture(scope="module", params=SERVERS)
def registry(request):
    """A registry that runs, of each kind."""
    with SERVERS[request.param]() as it:
        yield it


def at(*servers):
    """Mark a test that needs some kinds of registries only."""
    return pytest.mark.parametrize("registry", servers, indirect=True, scope="module")


guarded = at("passwords", "tokens")


@pytest.fixture
def session(registry):
    """A session of the registry's user."""
    with registry.session() as it:
        yield it


@pytest.fixture
def remote(registry, session):
    """A repository that does not exist yet."""
    return registry.repository(f"a/r{next(NUMBERS)}", session)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A layout with something of every kind."""
    directory = tmp_path_factory.mktemp("source") / "layout"
    with layout(directory) as it:
        fill(it)
        yield it


def fill(it):
    """Tag an image of each kind; return none."""
    blobs = it.blobs
    app = image(blobs)
    others = [image(blobs, platform="linux/arm64", compression="zstd"), image(blobs, platform="windows/amd64")]
    several = index_of(blobs, on("linux/amd64", app), on("linux/arm64", others[0]), on("windows/amd64", others[1]))
    names = {
        "app": app,
        "multi": several,
        "nested": index_of(blobs, several, image(blobs, platform="linux/s390x"), subject=app),
        "docker": image(blobs, docker=True),
        "zstd": others[0],
        "artifact": document(
            blobs,
            OCI_MANIFEST,
            schemaVersion=2,
            mediaType=OCI_MANIFEST,
            artifactType="application/vnd.example.thing",
            config=blob(blobs, b"{}", "application/vnd.oci.empty.v1+json"),
            layers=[blob(blobs, b"thing", "text/plain"), blob(blobs, b"", "text/plain")],
        ),
        "signature": signature(blobs, app, annotations={"who": "ann"}),
        "untyped": document(blobs, OCI_INDEX, schemaVersion=2, manifests=[app]),
    }
    for name, descriptor in names.items():
        it.tag(name, descriptor)


def image(blobs, *, platform="linux/amd64", compression="gzip", docker=False):
    """Put an image of two layers, which has what its config says."""
    types = (
        (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER_GZIP) if docker else (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER_GZIP)
    )
    media_type, config_type, layer_type = types
    if compression == "zstd":
        layer_type = OCI_LAYER_ZSTD
    os_name, architecture = platform.split("/")
    rootfs = {"type": "layers", "diff_ids": [str(Digest.of(each)) for each in LAYERS]}
    config = {"architecture": architecture, "os": os_name, "rootfs": rootfs, "created": "2020-01-01T00:00:00Z"}
    return document(
        blobs,
        media_type,
        schemaVersion=2,
        mediaType=media_type,
        config=blob(blobs, json.dumps(config).encode(), config_type),
        layers=[blob(blobs, COMPRESS[compression](each), layer_type) for each in LAYERS],
    )


def held(place, ref):
    """The digest of an image, and all that it leads to."""
    (entry,) = place.entries(ref)
    return entry.digest, entry.media_type, closure(place, entry)


def skopeo(*arguments):
    """Run skopeo without a policy file."""
    return run("skopeo", "--insecure-policy", *arguments)


REFS = ["app", "artifact", "docker", "multi", "nested", "signature", "untyped", "zstd"]


def test_what_is_pushed_is_pulled_unchanged(source, remote, tmp_path):
    copy(source, remote, everything=True)
    tags = remote.tags()
    assert [tag for tag in tags if not tag.startswith("sha256-")] == REFS
    assert {str(each.digest) for each in remote.entries()} >= {str(each.digest) for each in source.entries()}
    with layout(tmp_path / "pulled") as pulled:
        copy(remote, pulled, everything=True)
        for ref in REFS:
            assert held(pulled, ref) == held(remote, ref) == held(source, ref)
    with pytest.raises(ReferenceMissingError) as caught:
        remote.entries("none")
    assert caught.value.known == tuple(tags)


def test_referrers_are_found_and_come_along(source, remote, tmp_path):
    app, note = source.resolve("app"), source.resolve("signature")
    nested = source.resolve("nested")
    copy(source, remote, "app", referrers=True)
    found = {each.digest: each for each in remote.referrers(app.digest)}
    assert found.keys() == {note.digest, nested.digest}
    assert (found[note.digest].artifact_type, found[note.digest].annotations) == (NOTE, {"who": "ann"})
    assert [each.digest for each in remote.referrers(app.digest, NOTE)] == [note.digest]
    assert remote.referrers(note.digest) == []
    with layout(tmp_path / "pulled") as pulled:
        copied = copy(remote, pulled, "app", referrers=True)
        assert {each.digest for each in copied.referrers} == {note.digest, nested.digest}
        assert closure(pulled, note) == closure(source, note)
    remote.delete(note.digest)
    assert [each.digest for each in remote.referrers(app.digest)] == [nested.digest]


def test_a_second_copy_sends_nothing_but_the_tag(source, remote, session):
    assert copy(source, remote, "multi").present == 0
    session.tap.log.clear()
    again = copy(source, remote, "multi", target_ref="other")
    assert (again.blobs, again.present) == (0, 11)
    assert [each for each in session.tap.log if each[0] not in {"HEAD", "GET"}] == [
        ("PUT", f"/v2/{remote.client.path}/manifests/other")
    ]


def test_within_a_registry_blobs_are_mounted(source, remote, registry, session):
    copy(source, remote, "multi")
    other = registry.repository(f"b/r{next(NUMBERS)}", session)
    session.tap.log.clear()
    copied = copy(remote, other, "multi")
    assert (copied.blobs, copied.present) == (11, 0)
    sent = [path for method, path in session.tap.log if method in {"POST", "PUT"}]
    mounts = [path for path in sent if "mount=sha256:" in path and path.endswith(f"&from={remote.client.path}")]
    assert len(mounts) == 7
    assert all("/manifests/" in path for path in sent if path not in mounts)
    assert held(other, "multi") == held(source, "multi")


def test_between_registries_blobs_are_sent(source, remote):
    with plain() as another, another.session() as there:
        copy(source, remote, "nested")
        elsewhere = another.repository("c/d", there)
        copy(remote, elsewhere, "nested")
        assert held(elsewhere, "nested") == held(source, "nested")


def test_an_image_is_deleted_by_digest_and_no_tag_is_removed(source, remote):
    app = source.resolve("app")
    copy(source, remote, "app")
    copy(source, remote, "docker")
    remote.tag("second", app)
    with pytest.raises(RegistryError) as caught:
        remote.untag("app")
    assert caught.value.status == 400
    assert caught.value.__notes__ == ["the registry removes no single tag"]
    remote.delete(app.digest)
    assert remote.tags() == ["docker"]
    with pytest.raises(ReferenceMissingError):
        remote.delete(app.digest)


@pytest.mark.parametrize("ref", ["app", "multi", "docker", "zstd"])
def test_a_tree_is_that_of_the_layout(source, remote, session, tmp_path, ref):
    copy(source, remote, ref)
    platform = "linux/arm64" if ref == "zstd" else "linux/amd64"
    with (
        open_image(f"oci:{source.place}:{ref}", platform=platform) as ours,
        open_image(f"{remote.place}:{ref}", platform=platform, session=session) as theirs,
    ):
        assert theirs.tree() == ours.tree()
        assert theirs.descriptor.digest == ours.descriptor.digest
        ours.unpack(tmp_path / "ours")
        theirs.unpack(tmp_path / "theirs")
    assert_listed_alike(tmp_path / "ours", tmp_path / "theirs")


def test_a_layer_may_have_a_digest_of_another_algorithm(remote, tmp_path):
    with layout(tmp_path / "source") as source:
        layer = blob(source.blobs, b"layer", digest=Digest.of(b"layer", "sha512"))
        source.tag("app", manifest(source.blobs, layer))
        copy(source, remote, "app")
        assert held(remote, "app") == held(source, "app")


def test_an_index_without_some_of_its_images_is_refused(remote, tmp_path):
    with layout(tmp_path / "source") as source:
        index, _ = multi(source.blobs, "linux/amd64", "linux/arm64", "linux/s390x")
        source.tag("part", index)
        with pytest.raises(RegistryError) as caught:
            copy(source, remote, "part", platforms=["linux/amd64", "linux/arm64"])
        assert caught.value.codes == ("MANIFEST_BLOB_UNKNOWN",)


# --- Peers ------------------------------------------------------------------------------------------------------------


@pytest.mark.peer("skopeo")
@guarded
def test_skopeo_pulls_what_was_pushed(source, remote, registry, tmp_path):
    for ref in ("app", "multi", "nested", "docker"):
        copy(source, remote, ref)
    for ref in ("app", "multi"):
        skopeo("copy", "--all", *registry.flags("src-"), f"{remote.place}:{ref}", f"oci:{tmp_path}/pulled:{ref}")
    with Layout.open(tmp_path / "pulled") as pulled:
        for ref in ("app", "multi"):
            assert held(pulled, ref) == held(source, ref)
    skopeo("copy", *registry.flags("src-"), f"{remote.place}:docker", f"dir:{tmp_path}/docker")
    _, _, blobs = held(source, "docker")
    assert (tmp_path / "docker/manifest.json").read_bytes() == blobs[source.resolve("docker").digest]
    raw = skopeo("inspect", "--raw", *registry.flags(), f"{remote.place}:nested")
    assert Digest.of(raw.encode()) == source.resolve("nested").digest
    assert json.loads(skopeo("list-tags", *registry.flags(), remote.place))["Tags"]


@pytest.mark.peer("skopeo")
@guarded
def test_what_skopeo_pushed_is_pulled(source, remote, registry, session, tmp_path):
    for ref in ("app", "multi"):
        skopeo("copy", "--all", *registry.flags("dest-"), f"oci:{source.place}:{ref}", f"{remote.place}:{ref}")
    flags = ["--format", "v2s2", *registry.flags("dest-")]
    skopeo("copy", *flags, f"oci:{source.place}:app", f"{remote.place}:docker")
    assert remote.tags() == ["app", "docker", "multi"]
    with layout(tmp_path / "pulled") as pulled:
        for ref in ("app", "multi"):
            copy(remote, pulled, ref)
            assert held(pulled, ref) == held(source, ref)
        copy(remote, pulled, "docker")
        assert pulled.resolve("docker").media_type == DOCKER_MANIFEST
        with open_image(pulled, ref="docker") as theirs, open_image(source, ref="app") as ours:
            assert theirs.tree() == ours.tree()


@pytest.mark.root
@pytest.mark.peer("buildah")
@at("tokens")
def test_buildah_adds_a_layer_to_what_was_pushed(source, remote, registry, session, tmp_path):
    copy(source, remote, "app")
    buildah = Buildah(tmp_path / "buildah", remote.place + ":app", *registry.flags())
    (tmp_path / "new").write_text("new")
    buildah("copy", "--quiet", buildah.container, tmp_path / "new", "/etc/new")
    digest = tmp_path / "digest"
    buildah.commit("built")
    buildah(
        "push",
        "--quiet",
        "--format",
        "oci",
        "--digestfile",
        digest,
        *registry.flags(),
        "built",
        f"{remote.place}:built",
    )
    with layout(tmp_path / "pulled") as pulled:
        copied = copy(remote, pulled, "built")
        assert str(copied.entries[0].digest) == digest.read_text()
        with open_image(pulled, ref="built") as built, open_image(source, ref="app") as ours:
            ours_tree = {path for path, _ in ours.tree().walk()}
            assert {path for path, _ in built.tree().walk()} == {*ours_tree, b"etc/new"}
            assert (built.root / "etc/new").read_text() == "new"


# --- Who may do what --------------------------------------------------------------------------------------------------


@guarded
@pytest.mark.parametrize("credentials", [Credential(username=USER, password="wrong"), lambda _domain, _path: None])
def test_without_the_right_password_nothing_is_done(source, registry, credentials):
    with registry.session(credentials=credentials) as session:
        remote = registry.repository(f"a/r{next(NUMBERS)}", session)
        for call in (remote.tags, lambda: remote.entries("app"), lambda: copy(source, remote, "app")):
            with pytest.raises(AccessDeniedError) as caught:
                call()
            assert caught.value.status == 401
            assert "\n" not in str(caught.value)
            assert "wrong" not in str(caught.value)


@guarded
def test_a_login_is_checked(registry, session):
    session.check(registry.host)
    wrong = Credential(username=USER, password="wrong")
    with registry.session(credentials=wrong) as other, pytest.raises(AccessDeniedError):
        other.check(registry.host)


def test_what_the_user_has_logged_in_with_is_found(source, remote, registry, tmp_path, monkeypatch):
    copy(source, remote, "app")
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    if registry.wants_login:
        login = Credential(username=USER, password=PASSWORD)
        store_credential(registry.host, login, environ=os.environ)
    if registry.certificates is not None:
        shutil.copytree(registry.certificates, tmp_path / "HOME/.config/containers/certs.d" / registry.host)
    with open_image(f"{remote.place}:app") as theirs, open_image(source, ref="app") as ours:
        assert theirs.tree() == ours.tree()


@pytest.mark.peer("skopeo")
@guarded
def test_skopeo_logs_in_with_what_was_stored_and_the_other_way_round(source, remote, registry, tmp_path):
    copy(source, remote, "app")
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    store_credential(registry.host, Credential(username=USER, password=PASSWORD), environ={}, authfile=ours)
    flags = registry.flags(login=False)
    skopeo("inspect", "--authfile", ours, *flags, f"{remote.place}:app")
    skopeo("login", "--authfile", theirs, *flags, "--username", USER, "--password", PASSWORD, registry.host)
    with registry.session(credentials=DefaultCredentials({}, theirs)) as session:
        assert registry.repository(remote.client.path, session).tags() == ["app"]


@at("passwords")
def test_an_unknown_authority_is_named_as_the_cause(registry):
    with registry.session(transport=Urllib3Transport()) as session:
        with pytest.raises(UnreachableError, match="certificate: unable to get local issuer certificate"):
            registry.repository("a/b", session).tags()
        assert {path for _, path in session.tap.log} == {"/v2/a/b/tags/list"}  # Never plain HTTP.


@at("tokens")
@pytest.mark.parametrize("fault", ["expired", "narrow"])
def test_a_token_that_is_refused_is_renewed_once(source, registry, session, remote, fault):
    copy(source, remote, "zstd", threads=1)
    registry.tokens.asked.clear()
    with registry.session() as another:
        again = registry.repository(f"a/r{next(NUMBERS)}", another)
        registry.tokens.faults = [None, fault]
        copy(source, again, "app", threads=1)
        assert held(again, "app") == held(source, "app")
        assert registry.tokens.faults == []
        assert len(registry.tokens.asked) == 3
        asked = [each for scopes, user in registry.tokens.asked for each in scopes]
        name = again.client.path
        assert asked == [f"repository:{name}:pull", f"repository:{name}:push,pull", f"repository:{name}:push,pull"]


# --- Interruptions ----------------------------------------------------------------------------------------------------


@at("tokens")
@pytest.mark.parametrize("answers_are_lost", [False, True])
def test_a_push_interrupted_at_any_request_is_completed_by_another(source, registry, answers_are_lost):
    ref, app = "signature", source.resolve("app").digest
    with registry.session() as session:
        whole = registry.repository(f"a/r{next(NUMBERS)}", session)
        copy(source, whole, ref, threads=1)
        requests = len(session.tap.log)
        expected = held(whole, ref), whole.tags(), whole.referrers(app)
    for number in some(range(requests), every=2):
        name = f"a/r{next(NUMBERS)}"
        broken = registry.session(breaks_at=number, answers_are_lost=answers_are_lost)
        with broken as session, pytest.raises(UnreachableError):
            copy(source, registry.repository(name, session), ref, threads=1)
        with registry.session() as session:
            again = registry.repository(name, session)
            copy(source, again, ref, threads=1)
            assert (held(again, ref), again.tags(), again.referrers(app)) == expected


class Refusing:
    """A transport that refuses large requests, as proxies do."""

    def __init__(self, inner, most):
        self.inner, self.most = inner, most
        self.interrupt, self.close = inner.interrupt, lambda: None

    def send(self, request):
        if request.method in {"PUT", "PATCH"} and request.body.size > self.most:
            return reply(request, 413)
        return self.inner.send(request)


def test_large_blobs_go_in_chunks_through_a_proxy_that_refuses_them(registry, tmp_path):
    data = os.urandom(9 << 20)
    with (
        Layout.create(tmp_path / "new") as source,
        registry.session(transport=Refusing(registry.transport, 4 << 20)) as session,
    ):
        source.tag("large", manifest(source.blobs, data))
        target = registry.repository(f"a/r{next(NUMBERS)}", session)
        copy(source, target, "large", threads=1)
        assert held(target, "large") == held(source, "large")
        sent = [method for method, path in session.tap.log if "/blobs/uploads/" in path]
        assert sent.count("PATCH") == 3


def test_an_image_is_read_from_a_mirror(source, remote, registry, tmp_path):
    """The registry that the name gives does not exist."""
    copy(source, remote, "multi", threads=1)
    conf = tmp_path / "registries.conf"
    mirror = f"location = '{registry.host}/{remote.client.path}'\ninsecure = true"
    conf.write_text(f"[[registry]]\nprefix = '127.0.0.1:1/image'\n[[registry.mirror]]\n{mirror}")
    own = Credential(username=USER, password=PASSWORD) if registry.wants_login else None
    known = lambda domain, _: own if domain == registry.host else None
    transport = Tapped(registry.transport)
    with RegistrySession(transport=transport, environ={}, credentials=known, registries_conf=conf) as session:
        there = RegistryRepository("127.0.0.1:1/image", session=session)
        assert held(there, "multi") == held(source, "multi")
        with pytest.raises(UnreachableError, match="connection refused"):
            there.tags()


@at("plain")
def test_two_clients_push_one_tag_at_once(source, registry):
    name, refs, errors = f"a/r{next(NUMBERS)}", ("app", "zstd"), []

    def push(ref, start):
        with registry.session() as session:
            start.wait()
            try:
                copy(source, registry.repository(name, session), ref, target_ref="same")
            except OCIError as error:
                errors.append(error)

    for _ in range(3):
        start = threading.Barrier(2)
        threads = [threading.Thread(target=push, args=(ref, start)) for ref in refs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        with registry.session() as session:
            remote = registry.repository(name, session)
            assert held(remote, "same") in [held(source, ref) for ref in refs]
            for ref in refs:
                digest = str(source.resolve(ref).digest)
                assert held(remote, digest) == held(source, ref)


# --- A cache ----------------------------------------------------------------------------------------------------------


def test_a_mirror_is_read_and_takes_nothing(source):
    with plain() as registry, mirror_of(registry) as mirror, registry.session() as here, mirror.session() as there:
        copy(source, registry.repository("a/b", here), "multi")
        cached = mirror.repository("a/b", there)
        assert cached.tags() == ["multi"]
        for _ in range(2):
            assert held(cached, "multi") == held(source, "multi")
        with pytest.raises(RegistryError) as caught:
            copy(source, cached, "app")
        assert caught.value.status == 405
        assert caught.value.codes == ("UNSUPPORTED",)
        assert "\n" not in str(caught.value)
        assert cached.tags() == ["multi"]
