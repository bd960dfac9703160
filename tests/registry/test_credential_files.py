"""Which file and which entry counts, and that a broken file is an error that names the place and no secret."""

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers import system
from oci_layers.errors import DocumentError, LimitError, OCIError, UnsupportedError, format_error
from oci_layers.registry.credential_files import AuthDocument, DefaultCredentials, default_auth_file, key_of
from oci_layers.registry.credentials import Credential
from tests.support.credential_helper import CredentialHelper


def encoded(user, password="p"):
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def auths(**entries):
    return json.dumps({"auths": entries})


def user_in(value, domain, path="", environ=None):
    """Return the user of the credential that a file gives."""
    found = AuthDocument.parse(json.dumps(value).encode(), "auth.json").find(domain, path, environ or {})
    return found and found.username


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (encoded("ann", "p:w"), Credential(username="ann", password="p:w")),
        (encoded("ann", "pw\0\0"), Credential(username="ann", password="pw")),
        (encoded("ann", ""), Credential(username="ann")),
        ({"auth": "YW5u\nOnA=\n"}, Credential(username="ann", password="p")),
        ({"auth": "/zr/"}, Credential(username="\udcff", password="\udcff")),
        ({"Auth": "YTpi"}, Credential(username="a", password="b")),
        ({"username": "ann", "password": "pw"}, Credential(username="ann", password="pw")),
        ({**encoded("bob"), "username": "ann"}, Credential(username="bob", password="p")),
        ({**encoded("<token>", ""), "identitytoken": "t"}, Credential(username="<token>", identity_token="t")),
        ({"registrytoken": "t", "email": 5}, Credential(registry_token="t")),
        ({}, None),
        (None, None),
        ({"auth": ""}, None),
        ({"auth": None, "username": ""}, None),
    ],
)
def test_an_entry_is_a_credential(entry, expected):
    document = AuthDocument.parse(auths(**{"r.example": entry}).encode(), "auth.json")
    assert document.find("r.example", "", {}) == expected


PATHS = {"r.example": encoded("host"), "r.example/a": encoded("a"), "r.example/a/b": encoded("b"), "s.example/x": {}}


@pytest.mark.parametrize(
    ("domain", "path", "user"),
    [
        ("r.example", "", "host"),
        ("r.example", "x", "host"),
        ("r.example", "a", "a"),
        ("r.example", "ab", "host"),
        ("r.example", "a/bc", "a"),
        ("r.example", "a/b/c/d", "b"),
        ("R.example", "a", "a"),
        ("s.example", "x", None),
        ("r.example:5000", "a", None),
        ("example", "", None),
        ("sub.r.example", "", None),
        ("r.example.evil", "", None),
    ],
)
def test_the_closest_entry_counts_and_no_other_host(domain, path, user):
    assert user_in({"auths": PATHS}, domain, path) == user


@pytest.mark.parametrize(
    ("key", "domain", "path"),
    [
        ("https://r.example/v1/", "r.example", "a"),
        ("http://r.example:5000", "r.example:5000", ""),
        ("https://index.docker.io/v1/", "docker.io", "library/a"),
        ("docker.io", "index.docker.io", ""),
        ("registry-1.docker.io", "docker.io", ""),
        ("docker.io/library", "docker.io", "library/a"),
    ],
)
def test_older_keys_are_understood(key, domain, path):
    assert user_in({"auths": {key: encoded("ann")}}, domain, path) == "ann"


def test_a_path_in_a_url_is_not_one_of_repositories():
    assert user_in({"auths": {"https://r.example/a": encoded("ann")}}, "r.example", "b") == "ann"
    assert user_in({"auths": {"r.example/a": encoded("ann")}}, "r.example", "b") is None


def test_a_plain_key_counts_before_a_url():
    both = {"https://r.example/v1/": encoded("old"), "r.example": encoded("new")}
    assert user_in({"auths": both}, "r.example") == "new"
    assert user_in({"auths": dict(reversed(both.items()))}, "r.example") == "new"


def test_names_are_matched_in_any_case():
    assert user_in({"AUTHS": {"r.example": encoded("ann")}}, "r.example") == "ann"


def test_a_helper_of_the_registry_counts_first_and_one_for_all_last(tmp_path):
    program = CredentialHelper(tmp_path, **{"one.example": ["one", "p"], "two.example": ["two", "p"]})
    value = {
        "credHelpers": {"one.example": "test", "three.example": "test"},
        "auths": {"one.example": encoded("file"), "two.example": {}, "three.example": encoded("three")},
        "credsStore": "test",
    }
    assert user_in(value, "one.example", "a", program.environ) == "one"
    assert user_in(value, "two.example", "a", program.environ) == "two"
    assert user_in(value, "three.example", "a", program.environ) == "three"
    assert user_in(value, "four.example", "a", program.environ) is None
    assert program.asked == ["get one.example", "get two.example", "get three.example", "get four.example"]


def test_docker_hub_may_have_a_helper_under_any_name(tmp_path):
    program = CredentialHelper(tmp_path, **{"https://index.docker.io/v1/": ["hub", "p"]})
    for name in ("docker.io", "index.docker.io", "https://index.docker.io/v1/"):
        assert user_in({"credHelpers": {name: "test"}}, "docker.io", "a", program.environ) == "hub"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("s3cret", ""),
        ('["s3cret"]', ""),
        ('{"auths": "s3cret"}', "/auths"),
        ('{"auths": {"r.example": "s3cret"}}', "/auths/r.example"),
        ('{"auths": {"r.example": {"auth": 5}}}', "/auths/r.example/auth"),
        ('{"auths": {"r.example": {"auth": "s3cret"}}}', "/auths/r.example/auth"),
        ('{"auths": {"r.example": {"auth": "czNjcmV0"}}}', "/auths/r.example/auth"),
        ('{"auths": {"r.example": {"auth": "YTpi\u00e4"}}}', "/auths/r.example/auth"),
        ('{"auths": {"r.example": {"auth": "YT!pi"}}}', "/auths/r.example/auth"),
        ('{"auths": {"r.example": {"password": ["s3cret"]}}}', "/auths/r.example/password"),
        ('{"auths": {"http://r.example/v1": {"auth": "?"}}}', "/auths/http:~1~1r.example~1v1/auth"),
        ('{"credHelpers": ["s3cret"]}', "/credHelpers"),
        ('{"credHelpers": {"r.example": 5}}', "/credHelpers/r.example"),
        ('{"credsStore": {}}', "/credsStore"),
    ],
)
def test_a_broken_file_is_an_error_that_shows_where(tmp_path, text, where):
    place = tmp_path / "auth.json"
    place.write_text(text)
    with pytest.raises(DocumentError) as caught:
        DefaultCredentials({}, str(place))("r.example", "a")
    assert (caught.value.media_type, caught.value.pointer) == (str(place), where)
    assert str(caught.value).startswith(f"{place}: ")
    assert "s3cret" not in str(caught.value)


def test_only_what_is_needed_has_to_be_right():
    assert user_in({"auths": {"r.example": encoded("ann"), "s.example": 5}}, "r.example") == "ann"


def test_a_file_is_limited(tmp_path):
    place = tmp_path / "auth.json"
    for text in ("{" + " " * (5 << 20) + "}", '{"a":' + "[" * 200 + "]" * 200 + "}"):
        place.write_text(text)
        with pytest.raises(LimitError) as caught:
            DefaultCredentials({}, str(place))("r.example", "a")
        assert str(place) in format_error(caught.value)


@pytest.fixture
def files(tmp_path):
    """All files in which credentials are looked for, each with one of its own, and the environment."""
    environ = {name: str(tmp_path / name) for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG")}
    places = {
        "runtime": tmp_path / "XDG_RUNTIME_DIR/containers/auth.json",
        "config": tmp_path / "XDG_CONFIG_HOME/containers/auth.json",
        "docker": tmp_path / "DOCKER_CONFIG/config.json",
        "legacy": tmp_path / "HOME/.dockercfg",
    }
    for name, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        entries = {"r.example": encoded(name), f"{name}.example": encoded(name)}
        place.write_text(json.dumps(entries if name == "legacy" else {"auths": entries}))
    return environ, places


def user(environ, domain="r.example", **options):
    found = DefaultCredentials(environ, **options)(domain, "a")
    return found and found.username


def test_files_are_read_in_order_and_the_next_one_has_what_one_has_not(files):
    environ, places = files
    for name in places:
        assert user(environ, f"{name}.example") == name
    for name in list(places):
        assert user(environ) == name
        places.pop(name).unlink()
    assert user(environ) is None


def test_the_text_in_the_environment_comes_before_all_files(files):
    environ, _ = files
    environ["DOCKER_AUTH_CONFIG"] = auths(**{"r.example": encoded("inline")})
    assert user(environ) == "inline"
    assert user(environ, "docker.example") == "docker"
    environ["DOCKER_AUTH_CONFIG"] = "s3cret"
    with pytest.raises(DocumentError, match=r"^DOCKER_AUTH_CONFIG: ") as caught:
        user(environ)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_named_is_the_only_one(files, tmp_path):
    environ, places = files
    environ["DOCKER_AUTH_CONFIG"] = auths(**{"r.example": encoded("inline")})
    environ["REGISTRY_AUTH_FILE"] = str(places["docker"])
    assert user(environ) == "docker"
    assert user(environ, "config.example") is None
    assert user(environ, authfile=str(places["config"])) == "config"
    assert user(environ, "docker.example", authfile=str(places["config"])) is None
    assert user(environ, authfile=str(tmp_path / "none")) is None


def test_defaults_are_below_the_home_directory(tmp_path):
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "none")}
    for name in (".config/containers/auth.json", ".docker/config.json"):
        place = tmp_path / name
        place.parent.mkdir(parents=True)
        place.write_text(auths(**{"r.example": encoded(name)}))
        assert user(environ) == name
        place.unlink()


def test_without_a_home_directory_nothing_at_the_top_of_the_file_system_is_read(monkeypatch):
    opened = []

    def note(path, *arguments, **options):
        opened.append(path)
        raise FileNotFoundError(2, "no", path)

    monkeypatch.setattr(system, "open_regular_file", note)
    assert user({}) is None
    assert opened == [f"/run/containers/{os.geteuid()}/auth.json"]


def test_the_first_file_is_that_which_is_written(monkeypatch):
    assert default_auth_file({"XDG_RUNTIME_DIR": "/x"}) == "/x/containers/auth.json"
    assert default_auth_file({}) == f"/run/containers/{os.geteuid()}/auth.json"
    assert default_auth_file({"REGISTRY_AUTH_FILE": "/f", "XDG_RUNTIME_DIR": "/x"}) == "/f"
    assert default_auth_file({"REGISTRY_AUTH_FILE": "/f"}, "/g") == "/g"
    monkeypatch.setattr("sys.platform", "darwin")
    assert default_auth_file({"HOME": "/h"}) == "/h/.config/containers/auth.json"
    with pytest.raises(UnsupportedError, match="set HOME or REGISTRY_AUTH_FILE"):
        default_auth_file({})


def test_what_is_no_file_is_an_error_and_a_file_on_the_way_is_an_absent_one(tmp_path):
    with pytest.raises(OSError) as caught:
        user({}, authfile=str(tmp_path))
    assert format_error(caught.value).startswith(f"credentials: {tmp_path}: ")
    (tmp_path / "file").write_text("")
    assert user({}, authfile=str(tmp_path / "file/auth.json")) is None
    assert user({}, authfile=str(tmp_path / "file")) is None


def test_the_key_of_a_url_is_its_host():
    assert key_of("https://Index.Docker.io/v1/") == "docker.io"
    assert key_of("host:5000/a/b") == "host:5000/a/b"
    assert key_of("https://host:5000/a/b") == "host:5000"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("YTpi"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["auths", "credHelpers", "r.example", "r.example/a", "auth", "username", "AUTH"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_file_gives_a_credential_none_or_an_error_of_this_library(raw):
    try:
        found = AuthDocument.parse(raw, "auth.json").find("r.example", "a", {"PATH": "/nowhere"})
    except OCIError:
        return
    assert found is None or found
