"""Which token servers are asked, with what, and what counts as a token."""

import json

import pytest

from oci_layers.errors import AccessDeniedError, RegistryError
from oci_layers.registry import Url
from oci_layers.registry.challenge import Challenge
from oci_layers.registry.credentials import Credential
from oci_layers.registry.scope import Scope
from oci_layers.registry.token_server import TokenServer
from tests.support.token_servers import REALM, TokenServers

PULL = frozenset({Scope.repository("a", "pull")})
SERVER = TokenServer(Url.parse(REALM), "registry.example")
ANN = Credential(username="ann", password="s3cret")
IDENTITY = Credential(username="<token>", identity_token="s3cret&=")


def ask(*answers, credential=None, scopes=PULL, server=SERVER, **token):
    return server.token(credential, scopes, "oci-layers", TokenServers(*answers, **token))


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://r.example/", "https://auth.example/token?a=b"),
        ("https://r.example/", "https://r.example/token"),
        ("https://10.0.0.1/", "https://10.0.0.1:8443/token"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5001/token"),
        ("http://localhost:5000/", "http://127.0.0.1:5001/token"),
        ("http://r.example/", "http://auth.example/token"),
        ("http://10.0.0.1/", "https://auth.example/token"),
    ],
)
def test_the_realm_is_where_tokens_come_from(registry, realm):
    challenge = Challenge("bearer", {"realm": realm, "service": "s"})
    assert TokenServer.of(challenge, Url.parse(registry)) == TokenServer(Url.parse(realm), "s")


@pytest.mark.parametrize(
    ("registry", "realm", "reason"),
    [
        ("https://r.example/", None, "names no token server"),
        ("https://r.example/", "/token", "names no token server"),
        ("https://r.example/", "token", "names no token server"),
        ("https://r.example/", "file:///etc/passwd", "names no token server"),
        ("https://r.example/", "https://user:s3cret@auth.example/", "names no token server"),
        ("https://r.example/", "https://auth.example/\nx", "names no token server"),
        ("https://r.example/", "http://auth.example/token?s3cret", "http://auth.example/token is not encrypted"),
        ("https://r.example/", "http://r.example/token", "is not encrypted"),
        ("https://r.example/", "https://169.254.169.254/latest", "is in a private network"),
        ("https://r.example/", "https://10.0.0.1/", "is in a private network"),
        ("https://r.example/", "https://127.0.0.1/", "is in a private network"),
        ("https://r.example/", "https://localhost/", "is in a private network"),
        ("https://r.example/", "https://[::ffff:10.0.0.1]/", "names no token server"),
        ("https://r.example/", "https://[fd00::1]/", "is in a private network"),
        ("https://r.example/", "https://0x7f.1/", "is in a private network"),
        ("http://10.0.0.1/", "http://10.0.0.2/", "is in a private network"),
        ("http://r.example/", "http://127.0.0.1/", "is in a private network"),
    ],
)
def test_a_realm_that_must_not_have_credentials_is_refused(registry, realm, reason):
    challenge = Challenge("bearer", {} if realm is None else {"realm": realm})
    with pytest.raises(AccessDeniedError) as caught:
        TokenServer.of(challenge, Url.parse(registry))
    assert reason in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.place == registry


def test_a_realm_keeps_its_query():
    server = TokenServer(Url.parse("https://auth.example/token?x=%3a&y"), None)
    servers = TokenServers()
    server.token(None, frozenset(), "me", servers)
    assert servers.requests[0].url.full == "https://auth.example/token?x=%3a&y&client_id=me"


def test_an_identity_token_goes_into_a_form():
    servers = TokenServers()
    scopes = PULL | {Scope.repository("b", "push")}
    assert SERVER.token(IDENTITY, scopes, "oci-layers", servers).text == "token-1"
    assert servers.requests[0].method == "POST"
    assert servers.requests[0].url.full == REALM
    assert servers.requests[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert servers.forms == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": ["s3cret&="],
            "client_id": ["oci-layers"],
            "service": ["registry.example"],
            "scope": ["repository:b:push repository:a:pull"],
        }
    ]
    assert servers.sent == [("https://auth.example", None)]


def test_a_form_has_no_empty_field():
    servers = TokenServers()
    TokenServer(Url.parse(REALM)).token(IDENTITY, frozenset(), "me", servers)
    assert sorted(servers.forms[0]) == ["client_id", "grant_type", "refresh_token"]


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        ({"token": "t"}, "t"),
        ({"access_token": "a"}, "a"),
        ({"token": "t", "access_token": "a"}, "a"),
        ({"token": "t", "access_token": ""}, "t"),
        ({"token": "t", "access_token": None}, "t"),
        ({"token": "t", "refresh_token": "r", "unknown": [1]}, "t"),
    ],
)
def test_a_token_has_two_names(answer, token):
    assert ask((200, answer)).text == token


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        (None, 54),
        (0, 54),
        (1, 54),
        (-5, 54),
        (60, 54),
        (300, 270),
        (300.5, 270.45),
        ("300", 54),
        (True, 54),
        ([], 54),
        (10**300, 77760),
        (86400, 77760),
    ],
)
@pytest.mark.parametrize("issued_at", ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "yesterday", 5])
def test_a_token_lives_a_minute_or_longer_from_when_it_was_asked_for(expires_in, life, issued_at):
    answer = {"token": "t", "expires_in": expires_in, "issued_at": issued_at}
    assert ask((200, answer)).life == pytest.approx(life)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "something else than a JSON object"),
        (b"<html>s3cret</html>", "something else than a JSON object"),
        (b'["s3cret"]', "something else than a JSON object"),
        (b'{"token": "s3cret", "token": "s3cret"}', "something else than a JSON object"),
        (b'{"token": "s3cret", "x": ' + b"[" * 10**5 + b"]" * 10**5 + b"}", "something else than a JSON object"),
        (b'{"Token": "s3cret"}', "without a token"),
        (b"{}", "without a token"),
        (b'{"token": ""}', "without a token"),
        (b'{"token": 5}', "a token that no header can have"),
        (b'{"token": "s3cret\\r\\nX: y"}', "a token that no header can have"),
        (b'{"token": "s3cret\\u00e4"}', "a token that no header can have"),
        (b'{"token": "s3cret"}' + b" " * (1 << 20), "more than 1048576 bytes"),
    ],
)
def test_what_is_no_token_is_an_error_that_shows_nothing_of_it(body, reason):
    servers = TokenServers((200, body))
    with pytest.raises(RegistryError) as caught:
        SERVER.token(None, PULL, "me", servers)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"{REALM}: the token server answers with")
    assert "s3cret" not in str(caught.value)
    assert servers.body.closed


def test_an_endless_answer_is_not_read_to_its_end():
    servers = TokenServers((200, b"x" * (4 << 20)))
    with pytest.raises(RegistryError):
        SERVER.token(None, PULL, "me", servers)


@pytest.mark.parametrize(
    ("status", "credential", "reason"),
    [
        (401, ANN, "refuses the user 'ann' (status 401)"),
        (403, None, "refuses a user without credentials (status 403)"),
        (400, IDENTITY, "refuses the identity token (status 400)"),
        (401, IDENTITY, "refuses the identity token (status 401)"),
        (404, IDENTITY, "takes no identity token: it has no OAuth2 (status 404)"),
        (405, IDENTITY, "takes no identity token: it has no OAuth2 (status 405)"),
        (404, ANN, "refuses the user 'ann' (status 404)"),
    ],
)
def test_a_refusal_says_who_was_refused(status, credential, reason):
    servers = TokenServers((status, json.dumps({"details": "s3cret"}).encode()))
    with pytest.raises(AccessDeniedError) as caught:
        SERVER.token(credential, PULL, "me", servers)
    assert str(caught.value) == f"{REALM}: the token server {reason}"
    assert caught.value.status == status
    assert servers.body.closed


@pytest.mark.parametrize("status", [201, 204, 302, 307, 408, 429, 500, 503])
def test_any_other_status_is_no_refusal(status):
    with pytest.raises(RegistryError) as caught:
        ask((status, b"s3cret"))
    assert str(caught.value) == f"{REALM}: the token server answers with status {status}"
    assert not isinstance(caught.value, AccessDeniedError)
    assert caught.value.status == status
