"""Logging in and out: files that skopeo and buildah read, and what they write."""

import json
import stat
import threading

import pytest

from oci_layers.errors import DocumentError, NameFormatError, RegistryError, UnsupportedError
from oci_layers.registry.auth_file import erase_credential, logins, store_credential
from oci_layers.registry.credential_files import DefaultCredentials
from oci_layers.registry.credentials import Credential
from tests.support.credential_helper import CredentialHelper, script
from tests.support.peers import run

ANN = Credential(username="ann", password="p:w\u00e4")
BOB = Credential(username="bob", password="pw")


@pytest.fixture
def environ(tmp_path):
    return {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}


def test_what_is_stored_is_found_until_it_is_erased(environ):
    find = DefaultCredentials(environ)
    assert logins(environ=environ) == {}
    assert not erase_credential("r.example", environ=environ)
    for name, credential in {"r.example:5000": ANN, "r.example:5000/a/b": BOB, "docker.io": BOB}.items():
        assert store_credential(name, credential, environ=environ).endswith("/run/containers/auth.json")
    assert (find("r.example:5000", "x"), find("r.example:5000", "a/b/c"), find("docker.io", "library/a")) == (
        ANN,
        BOB,
        BOB,
    )
    assert logins(environ=environ) == {"r.example:5000": "ann", "r.example:5000/a/b": "bob", "docker.io": "bob"}
    assert erase_credential("r.example:5000", environ=environ)
    assert not erase_credential("r.example:5000", environ=environ)
    assert find("r.example:5000", "x") is None
    assert find("r.example:5000", "a/b") == BOB


def test_an_erasure_of_nothing_writes_nothing(environ, tmp_path):
    assert not erase_credential("r.example", environ=environ)
    assert not list(tmp_path.rglob("auth.json"))


def test_the_file_is_its_owner_s_and_is_written_as_others_do(environ, tmp_path):
    store_credential("r.example", BOB, environ=environ)
    place = tmp_path / "run/containers/auth.json"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert place.read_text() == '{\n\t"auths": {\n\t\t"r.example": {\n\t\t\t"auth": "Ym9iOnB3"\n\t\t}\n\t}\n}'
    assert [each.name for each in place.parent.iterdir()] == ["auth.json"]


def test_what_else_the_file_says_stays(tmp_path):
    place = tmp_path / "config.json"
    before = {
        "proxies": {"\u00e4": [1.5, None]},
        "Auths": {"https://index.docker.io/v1/": {"auth": "YTpi"}, "r.example": {}},
        "x": 10**20,
    }
    place.write_text(json.dumps(before))
    place.chmod(0o644)
    assert store_credential("s.example", BOB, environ={}, authfile=str(place)) == str(place)
    after = json.loads(place.read_text())
    assert list(after) == list(before)
    before["Auths"]["s.example"] = {"auth": "Ym9iOnB3"}
    assert after == before
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert erase_credential("docker.io", environ={}, authfile=str(place))
    assert "https://index.docker.io/v1/" not in json.loads(place.read_text())["Auths"]


def test_the_old_entry_is_replaced_whatever_its_form(tmp_path):
    place = tmp_path / "auth.json"
    place.write_text('{"auths": {"https://r.example/v1/": {"auth": "YTpi"}, "r.example/a": {}}}')
    store_credential("r.example", BOB, environ={}, authfile=str(place))
    assert list(json.loads(place.read_text())["auths"]) == ["r.example/a", "r.example"]


def test_tokens_are_stored(tmp_path):
    place = str(tmp_path / "auth.json")
    for credential in (Credential(identity_token="t"), Credential(registry_token="t"), Credential(username="ann")):
        store_credential("r.example", credential, environ={}, authfile=place)
        found = DefaultCredentials({}, place)("r.example")
        assert (found.identity_token, found.registry_token) == (credential.identity_token, credential.registry_token)


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "auth.json"
    link.symlink_to("real/auth.json")
    store_credential("r.example", BOB, environ={}, authfile=str(link))
    assert link.is_symlink()
    assert "r.example" in (tmp_path / "real/auth.json").read_text()


def test_helpers_keep_what_they_are_named_for(tmp_path):
    program = CredentialHelper(tmp_path)
    place = tmp_path / "auth.json"
    value = {"credHelpers": {"r.example": "test"}, "auths": {"r.example": {"auth": "YTpi"}}}
    place.write_text(json.dumps(value))
    options = {"environ": program.environ, "authfile": str(place)}
    assert store_credential("r.example", ANN, **options) == "docker-credential-test"
    assert program.known == {"r.example": ["ann", "p:w\u00e4"]}
    assert json.loads(place.read_text()) == {**value, "auths": {}}
    assert logins(**options) == {"r.example": "ann"}
    with pytest.raises(
        UnsupportedError, match=r"docker-credential-test, which serves r\.example, knows registries alone"
    ):
        store_credential("r.example/a", BOB, **options)
    assert erase_credential("r.example", **options)
    assert not erase_credential("r.example", **options)
    assert program.known == {}
    assert not erase_credential("r.example/a", **options)


def test_a_store_keeps_all_that_has_no_helper(tmp_path):
    program = CredentialHelper(tmp_path)
    place = tmp_path / "config.json"
    place.write_text('{"credsStore": "test"}')
    options = {"environ": program.environ, "authfile": str(place)}
    assert store_credential("docker.io", ANN, **options) == "docker-credential-test"
    assert list(program.known) == ["https://index.docker.io/v1/"]
    assert place.read_text() == '{"credsStore": "test"}'
    assert store_credential("docker.io/library/a", BOB, **options) == str(place)
    assert DefaultCredentials(program.environ, str(place))("docker.io", "library/a") == BOB
    assert DefaultCredentials(program.environ, str(place))("docker.io", "library/b") == ANN
    assert erase_credential("docker.io", **options)


def test_a_helper_that_fails_leaves_the_file_as_it_is(tmp_path):
    environ = script(tmp_path, "test", "#!/bin/sh\nexit 1\n")
    place = tmp_path / "auth.json"
    place.write_text(text := '{"credsStore": "test", "auths": {"r.example": {"auth": "YTpi"}}}')
    with pytest.raises(RegistryError):
        store_credential("r.example", ANN, environ=environ, authfile=str(place))
    assert place.read_text() == text


@pytest.mark.parametrize("name", ["", "/a", "r.example/", "r.example/A", "https://r.example", "ann@r.example", "a b"])
def test_what_is_no_registry_is_refused(environ, tmp_path, name):
    with pytest.raises(NameFormatError):
        store_credential(name, ANN, environ=environ)
    assert list(tmp_path.iterdir()) == []


def test_a_user_that_no_file_can_hold_is_refused(environ, tmp_path):
    with pytest.raises(NameFormatError):
        store_credential("r.example", Credential(username="a:b"), environ=environ)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_broken_or_too_old_is_left(tmp_path):
    for name, text, kind in (("auth.json", '{"auths": []}', DocumentError), (".dockercfg", "{}", UnsupportedError)):
        (tmp_path / name).write_text(text)
        with pytest.raises(kind):
            store_credential("r.example", ANN, environ={}, authfile=str(tmp_path / name))
        assert (tmp_path / name).read_text() == text


def test_many_writers_lose_nothing(tmp_path):
    place = str(tmp_path / "auth.json")

    def store(number):
        store_credential(f"r{number}.example", BOB, environ={}, authfile=place)

    threads = [threading.Thread(target=store, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(logins(environ={}, authfile=place)) == 12
    assert [each.name for each in tmp_path.iterdir()] == ["auth.json"]


@pytest.mark.peer("buildah")
def test_buildah_reads_what_is_stored(tmp_path):
    place = str(tmp_path / "auth.json")
    names = {"r.example:5000": "ann", "r.example:5000/a/b": "bob", "docker.io": "cat"}
    for name, username in names.items():
        store_credential(name, Credential(username=username, password="p"), environ={}, authfile=place)
    for name, username in {**names, "r.example:5000/x": "ann", "r.example:5000/a/b/c": "bob"}.items():
        assert run("buildah", "login", "--get-login", "--authfile", place, name) == username


@pytest.mark.peer("skopeo")
def test_skopeo_erases_what_is_stored_and_leaves_the_rest_readable(tmp_path):
    place = str(tmp_path / "auth.json")
    for name in ("r.example:5000", "r.example:5000/a", "docker.io"):
        store_credential(name, ANN, environ={}, authfile=place)
    run("skopeo", "logout", "--authfile", place, "r.example:5000")
    run("skopeo", "logout", "--authfile", place, "docker.io")
    assert logins(environ={}, authfile=place) == {"r.example:5000/a": "ann"}
    assert DefaultCredentials({}, place)("r.example:5000", "a") == ANN
