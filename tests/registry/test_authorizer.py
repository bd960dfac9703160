"""What requests carry, and which server gets which credential."""

import io
import threading

import pytest

from oci_layers.errors import AccessDeniedError, NameFormatError, RegistryError
from oci_layers.registry import Headers, Request, Response, Url
from oci_layers.registry.authorizer import Authorizer
from oci_layers.registry.credentials import Credential
from oci_layers.registry.exchange import Access, Exchange
from oci_layers.registry.scope import Scope
from tests.support.token_servers import REGISTRY, TokenServers, basic, bearer, challenged

ORIGIN = REGISTRY.origin
DOMAIN = "registry.example"
ANN = Credential(username="ann", password="s3cret")
PULL = frozenset({Scope.repository("a/b", "pull")})
PUSH = frozenset({Scope.repository("a/b", "pull", "push")})


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self):
        return self.now


class Source:
    """A source of credentials that keeps who asked."""

    def __init__(self, *credentials):
        self.credentials = list(credentials)
        self.asked = []

    def __call__(self, domain, path):
        self.asked.append((domain, path))
        return self.credentials.pop(0) if len(self.credentials) > 1 else self.credentials[0]


def answer(authorizer, *challenges, scopes=PULL, sent=None, fetch=None, url=REGISTRY, domain=DOMAIN):
    return authorizer.answer(
        challenged(*challenges, url=url), url.origin, domain, scopes, sent, fetch or TokenServers()
    )


def test_nothing_is_sent_before_a_server_asks():
    source = Source(ANN)
    servers = TokenServers()
    assert Authorizer(source).header(ORIGIN, DOMAIN, PULL, servers) is None
    assert (source.asked, servers.requests) == ([], [])


def test_an_anonymous_token_is_fetched_once_and_used_until_nine_tenths_of_its_time_are_over():
    clock, servers = Clock(), TokenServers()
    authorizer = Authorizer(clock=clock)
    assert answer(authorizer, bearer("repository:a/b:pull"), fetch=servers) == "Bearer token-1"
    assert servers.queries == [
        {"service": [DOMAIN], "scope": ["repository:a/b:pull"], "client_id": ["oci-layers"]},
    ]
    assert servers.sent == [("https://auth.example", None)]
    clock.now += 269
    assert authorizer.header(ORIGIN, DOMAIN, PULL, servers) == "Bearer token-1"
    clock.now += 2
    assert authorizer.header(ORIGIN, DOMAIN, PULL, servers) == "Bearer token-2"
    assert authorizer.header(ORIGIN, DOMAIN, PULL, servers) == "Bearer token-2"
    assert len(servers.requests) == 2


def test_a_token_serves_what_it_was_asked_for_and_another_is_fetched_for_more():
    servers = TokenServers()
    authorizer = Authorizer()
    assert answer(authorizer, bearer(), scopes=PUSH, fetch=servers) == "Bearer token-1"
    assert authorizer.header(ORIGIN, DOMAIN, PULL, servers) == "Bearer token-1"
    mount = PUSH | {Scope.repository("c", "pull")}
    assert authorizer.header(ORIGIN, DOMAIN, mount, servers) == "Bearer token-2"
    assert servers.queries[1]["scope"] == ["repository:a/b:push,pull", "repository:c:pull"]


def test_a_refused_token_is_renewed_with_what_the_challenge_adds():
    servers = TokenServers()
    authorizer = Authorizer()
    answer(authorizer, bearer("repository:a/b:pull"), fetch=servers)
    more = bearer("repository:a/b:push", error="insufficient_scope")
    assert answer(authorizer, more, sent="Bearer token-1", fetch=servers) == "Bearer token-2"
    assert servers.queries[1]["scope"] == ["repository:a/b:push,pull"]
    assert authorizer.header(ORIGIN, DOMAIN, PULL, servers) == "Bearer token-2"
    # Another thread was refused with the same old token.
    assert answer(authorizer, more, sent="Bearer token-1", fetch=servers) == "Bearer token-2"
    # Without a challenge the last one counts.
    assert answer(authorizer, sent="Bearer token-2", fetch=servers) == "Bearer token-3"


def test_the_user_goes_to_the_token_server_and_the_token_to_the_registry():
    servers, source = TokenServers(), Source(ANN)
    assert answer(Authorizer(source), bearer(), fetch=servers) == "Bearer token-1"
    assert servers.sent == [("https://auth.example", basic("ann", "s3cret"))]
    assert servers.queries[0]["account"] == ["ann"]
    assert source.asked == [(DOMAIN, "a/b")]


def test_the_basic_scheme_is_used_when_asked_for():
    servers, source = TokenServers(), Source(ANN)
    authorizer = Authorizer(source)
    expected = basic("ann", "s3cret")
    assert answer(authorizer, 'Basic realm="x"', fetch=servers) == expected
    assert authorizer.header(ORIGIN, DOMAIN, PULL, servers) == expected
    assert answer(authorizer, 'Basic realm="x"', sent=expected, fetch=servers) is None
    assert servers.requests == []


def test_a_refused_password_is_looked_up_once_more():
    source = Source(ANN, Credential(username="ann", password="new"))
    authorizer = Authorizer(source)
    first = answer(authorizer, "Basic")
    assert answer(authorizer, "Basic", sent=first) == basic("ann", "new")


def test_without_a_credential_the_basic_scheme_is_not_answered():
    assert answer(Authorizer(), "Basic") is None
    assert answer(Authorizer(Source(None)), "Basic") is None
    assert answer(Authorizer(Source(Credential())), "Basic") is None
    assert answer(Authorizer(Source(Credential(identity_token="t"))), "Basic") is None


@pytest.mark.parametrize(
    "challenges",
    [
        ["Negotiate", bearer()],
        [f'Negotiate, Basic realm="r", {bearer()}'],
        ['Basic realm="r"', bearer()],
        [f'A, B b=c, Digest realm="d", Basic realm="x", {bearer()}'],
    ],
)
def test_a_token_is_preferred_to_a_password(challenges):
    assert answer(Authorizer(Source(ANN)), *challenges) == "Bearer token-1"


def test_a_password_is_preferred_to_what_is_not_known():
    assert answer(Authorizer(Source(ANN)), "Negotiate", 'Basic realm="r"') == basic("ann", "s3cret")


def test_a_registry_that_asks_in_no_known_way_is_an_error_that_says_which():
    with pytest.raises(AccessDeniedError, match="no way that is known: negotiate, digest") as caught:
        answer(Authorizer(), "Negotiate, Digest realm=x, Negotiate")
    assert caught.value.status == 401


class Registry(TokenServers):
    """A registry that challenges only who asks for `/v2/`, and its token server."""

    def __init__(self, *challenges):
        super().__init__()
        self.challenges = challenges

    def __call__(self, request):
        if request.url.path != "/v2/":
            return super().__call__(request)
        self.requests.append(request)
        return challenged(*self.challenges, url=request.url)


def test_an_answer_without_a_challenge_makes_it_ask_the_registry_once():
    registry = Registry(bearer())
    authorizer = Authorizer(Source(ANN))
    assert answer(authorizer, fetch=registry) == "Bearer token-2"
    assert [str(each.url) for each in registry.requests] == [
        "https://registry.example/v2/",
        "https://auth.example/token",
    ]
    assert registry.sent[0][1] is None
    assert answer(authorizer, fetch=registry, sent="Bearer token-2") == "Bearer token-3"
    silent = Registry()
    authorizer = Authorizer()
    assert answer(authorizer, fetch=silent) is None
    assert answer(authorizer, fetch=silent) is None
    assert len(silent.requests) == 1


def test_a_challenge_that_comes_from_elsewhere_is_not_the_registry_s():
    def fetch(request):
        return challenged("Basic", url=Url.parse("https://elsewhere.example/v2/"))

    source = Source(ANN)
    assert answer(Authorizer(source), fetch=fetch) is None
    assert source.asked == []


def test_of_two_token_servers_the_first_is_asked():
    servers = TokenServers()
    answer(Authorizer(), bearer(), bearer(realm="https://second.example/"), fetch=servers)
    assert servers.sent == [("https://auth.example", None)]


def test_a_token_for_the_registry_is_sent_as_it_is():
    servers = TokenServers()
    authorizer = Authorizer(Source(Credential(registry_token="mine")))
    assert answer(authorizer, bearer(), fetch=servers) == "Bearer mine"
    assert answer(authorizer, bearer(), sent="Bearer mine", fetch=servers) is None
    assert servers.requests == []
    with pytest.raises(AccessDeniedError) as caught:
        answer(Authorizer(Source(Credential(registry_token="mi\nne"))), bearer())
    assert "mi" not in str(caught.value).partition("characters")[2]


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://other.example/v2/", DOMAIN),
        ("https://registry.example:444/v2/", DOMAIN),
        ("http://registry.example:443/v2/", DOMAIN),
        ("https://sub.registry.example/v2/", DOMAIN),
        ("https://registry.example.evil/v2/", DOMAIN),
        ("https://registry.example/v2/", ""),
        ("https://registry.example/v2/", "registry.example:5000"),
        ("https://registry.example/v2/", "evil@registry.example"),
        ("https://docker.io.evil/v2/", "docker.io"),
        ("http://registry-1.docker.io/v2/", "docker.io"),
        ("https://registry-1.docker.io:444/v2/", "docker.io"),
        ("https://auth.docker.io/v2/", "docker.io"),
    ],
)
@pytest.mark.parametrize("challenge", ["Basic", bearer(realm="http://auth.example/token"), bearer()])
def test_no_other_origin_gets_a_credential(url, domain, challenge):
    source, servers = Source(ANN), TokenServers()
    authorizer = Authorizer(source)
    url = Url.parse(url)
    for sent in (None, "Basic x", "Bearer y"):
        try:
            header = answer(authorizer, challenge, url=url, domain=domain, sent=sent, fetch=servers)
        except AccessDeniedError:
            continue
        assert header is None or header.startswith("Bearer token-")
        assert authorizer.header(url.origin, domain, PULL, servers) in {None, header}
    assert source.asked == []
    assert {authorization for _, authorization in servers.sent} <= {None}
    assert all("account" not in query for query in servers.queries)


def test_the_names_of_docker_hub_are_one_registry():
    for host in ("registry-1.docker.io", "index.docker.io", "docker.io"):
        url = Url.parse(f"https://{host}/v2/")
        assert answer(Authorizer(Source(ANN)), "Basic", url=url, domain="docker.io") == basic("ann", "s3cret")


def test_the_challenge_of_another_origin_is_not_answered():
    servers = TokenServers()
    response = challenged(bearer(), url=Url.parse("https://evil.example/"))
    assert Authorizer(Source(ANN)).answer(response, ORIGIN, DOMAIN, PULL, None, servers) is None
    assert servers.requests == []


def test_what_one_origin_asked_for_is_not_known_of_another():
    authorizer = Authorizer(Source(ANN))
    answer(authorizer, "Basic")
    other = Url.parse("https://registry.example:444/v2/").origin
    assert authorizer.header(other, "registry.example:444", PULL, TokenServers()) is None


def test_a_refusal_ahead_of_a_request_is_left_to_the_registry():
    authorizer = Authorizer(Source(ANN))
    answer(authorizer, bearer())
    delete = frozenset({Scope.repository("a/b", "delete")})
    assert authorizer.header(ORIGIN, DOMAIN, delete, TokenServers((400, b"what is delete?"))) is None
    servers = TokenServers()
    assert answer(authorizer, bearer("repository:a/b:push"), scopes=delete, fetch=servers) == "Bearer token-1"
    assert servers.queries[0]["scope"] == ["repository:a/b:push"]
    with pytest.raises(RegistryError):
        authorizer.header(ORIGIN, DOMAIN, delete, TokenServers((500, b"")))


def test_a_challenge_with_a_scope_that_is_none_is_an_error():
    with pytest.raises(AccessDeniedError, match="its challenge is wrong: scope"):
        answer(Authorizer(), bearer("\u00e4"))


def test_a_source_that_fails_is_heard():
    def source(domain, path):
        raise NameFormatError("file", domain, path)

    with pytest.raises(NameFormatError):
        answer(Authorizer(source), "Basic")


def test_many_threads_wait_for_one_token():
    gate, begun = threading.Event(), threading.Semaphore(0)
    servers = TokenServers()

    def slow(request):
        begun.release()
        gate.wait(10)
        return servers(request)

    authorizer = Authorizer()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(answer(authorizer, bearer(), fetch=slow))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=10)
    other = frozenset({Scope.repository("other", "pull")})
    waits = threading.Thread(target=lambda: answer(authorizer, bearer(), scopes=other, fetch=slow))
    waits.start()
    assert begun.acquire(timeout=10)  # Another scope is asked for meanwhile.
    gate.set()
    for thread in [*threads, waits]:
        thread.join(10)
    assert len(set(found)) == 1
    assert len(found) == 8
    assert len(servers.requests) == 2


class Redirecting:
    """A transport: a registry, and its token server, which sends all that it gets elsewhere."""

    def __init__(self, status):
        self.status = status
        self.elsewhere = []

    def send(self, request):
        host = request.url.origin.host
        if host == "registry.example" and "Authorization" not in request.headers:
            return challenged(bearer(), url=request.url)
        headers, body = Headers(), b'{"token": "t"}'
        if host == "auth.example":
            headers = Headers([("Location", "https://evil.example/token")])
        elif host == "evil.example":
            self.elsewhere.append(request)
        status = self.status if host == "auth.example" else 200
        return Response(url=request.url, status=status, headers=headers, body=io.BytesIO(body))

    def interrupt(self):
        pass

    def close(self):
        pass


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("credential", [ANN, Credential(identity_token="s3cret")])
def test_a_token_server_that_redirects_takes_no_credential_along(status, credential):
    transport = Redirecting(status)
    exchange = Exchange(transport, Authorizer(Source(credential)))
    try:
        exchange.send(Request(method="GET", url=REGISTRY), Access(DOMAIN, PULL)).close()
    except RegistryError as error:
        assert "s3cret" not in str(error)  # noqa: PT017
    for request in transport.elsewhere:
        assert "Authorization" not in request.headers
        assert request.body is None
        assert "s3cret" not in request.url.full
        assert "refresh_token" not in request.url.full
