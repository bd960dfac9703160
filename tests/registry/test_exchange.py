"""Redirects, credentials, repetition, rates: what stands between a request and its answer."""

import contextlib
import functools
import threading

import attrs
import pytest

from oci_layers.errors import AccessDeniedError, LimitError, RateLimitError, RegistryError, UnreachableError
from oci_layers.registry import BytesBody, Headers, Request, Response, Url
from oci_layers.registry.exchange import Access, Exchange
from oci_layers.registry.retry import Retries
from oci_layers.registry.scope import Scope
from tests.support.model_registry import refuse, reply
from tests.support.registries import Timeless

HERE = Url.parse("https://r.example/v2/a")
GET = Request(method="GET", url=HERE)
ACCESS = Access("r.example", frozenset({Scope.repository("a", "pull")}))


class Scripted:
    """A transport that answers from a list: a status, a response, a function of the request, or an error."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []
        self.interrupts = 0
        self.closed = False

    def send(self, request):
        self.sent.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return answer(request)
        return reply(request, answer)

    def interrupt(self):
        self.interrupts += 1

    def close(self):
        self.closed = True


class Badge:
    """An authorizer that gives `one`, and after a refusal `two`."""

    def __init__(self):
        self.asked = []

    def header(self, origin, domain, scopes, fetch):
        self.asked.append((str(origin), domain, scopes))
        return "one"

    def answer(self, response, origin, domain, scopes, sent, fetch):
        return "two" if sent == "one" else None


def exchange(*answers, authorizer=None, retries=None, **options):
    scripted, timeless = Scripted(*answers), Timeless()
    made = Exchange(scripted, authorizer, clock=timeless.clock(), retries=retries, **options)
    return made, scripted, timeless


def to(location, status=307, **headers):
    pairs = [] if location is None else [("Location", location)]
    return lambda request: reply(request, status, headers=[*pairs, *headers.items()])


def cut(**options):
    return UnreachableError(str(HERE), "the connection broke", **options)


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("https://storage.example/b?signature=s", "https://storage.example/b?signature=s"),
        ("/other", "https://r.example/other"),
        ("b?x", "https://r.example/v2/b?x"),
        ("https://r.example:444/", "https://r.example:444/"),
    ],
)
def test_a_redirect_is_followed(status, location, there):
    made, scripted, _ = exchange(to(location, status))
    assert made.send(GET).url.full == there
    assert [each.method for each in scripted.sent] == ["GET", "GET"]


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("/other", ["one", "one"]),
        ("https://r.example:443/", ["one", "one"]),
        ("https://R.EXAMPLE/", ["one", "one"]),
        ("https://r.example:444/", ["one", None]),
        ("https://s.example/", ["one", None]),
        ("https://r.example.evil.example/", ["one", None]),
    ],
)
def test_credentials_stay_at_their_origin(location, sent):
    made, scripted, _ = exchange(to(location), authorizer=Badge())
    made.send(GET, ACCESS)
    assert [each.headers.get("Authorization") for each in scripted.sent] == sent


def test_credentials_that_a_request_has_stay_there_too():
    made, scripted, _ = exchange(to("https://evil.example/"))
    made.send(GET.with_headers(authorization="secret", Accept="x"))
    assert [dict(each.headers) for each in scripted.sent] == [
        {"Accept-Encoding": "identity", "authorization": "secret", "Accept": "x"},
        {"Accept-Encoding": "identity", "Accept": "x"},
    ]
    made, scripted, _ = exchange(to("https://evil.example/"))
    with pytest.raises(RegistryError, match=r"a redirect .307. of credentials to https://evil\.example"):
        made.send(Request(method="POST", url=HERE, headers={"Authorization": "s"}, body=BytesBody(b"secret")))
    assert len(scripted.sent) == 1


def test_an_origin_that_was_redirected_to_gets_no_credentials_when_it_asks():
    made, scripted, _ = exchange(to("https://s.example/"), 401, authorizer=Badge())
    with pytest.raises(AccessDeniedError, match=r"https://s\.example/: 401"):
        made.send(GET, ACCESS)
    assert [each.headers.get("Authorization") for each in scripted.sent] == ["one", None]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (None, "leads nowhere"),
        ("", "leads nowhere"),
        ("http://[::1/", "to no URL"),
        ("file:///etc/passwd", "to no URL"),
        ("https://user:pass@s.example/", "to no URL"),
        ("http://s.example/", "not encrypted"),
        ("https://169.254.169.254/latest/meta-data", "local address"),
        ("https://127.0.0.1/", "local address"),
        ("https://0x7f000001/", "local address"),
        ("https://localhost/", "local address"),
    ],
)
def test_a_redirect_astray_is_an_error(location, message):
    made, scripted, _ = exchange(to(location))
    with pytest.raises(RegistryError, match=message):
        made.send(GET)
    assert len(scripted.sent) == 1


def test_a_registry_at_a_local_address_may_redirect_to_local_addresses():
    made, _, _ = exchange(to("http://10.0.0.2:9000/x"))
    there = made.send(Request(method="GET", url=Url.parse("http://10.0.0.1:5000/v2/")))
    assert there.url.full == "http://10.0.0.2:9000/x"


def test_ten_redirects_are_enough():
    made, scripted, _ = exchange(*[to(f"/{number}") for number in range(10)])
    assert made.send(GET).url.path == "/9"
    made, scripted, _ = exchange(*[to("/v2/a")] * 99)
    with pytest.raises(RegistryError, match="more than 10 redirects"):
        made.send(GET)
    assert len(scripted.sent) == 11


def test_what_changes_something_is_redirected_only_as_it_is():
    put = Request(method="PUT", url=HERE, body=BytesBody(b"data"))
    made, scripted, _ = exchange(to("https://s.example/x", 308))
    made.send(put)
    assert [each.method for each in scripted.sent] == ["PUT", "PUT"]
    assert scripted.sent[1].body.open().read(9) == b"data"
    for status in (301, 302, 303):
        made, _, _ = exchange(to("/x", status))
        with pytest.raises(RegistryError, match=r"a redirect .* of a PUT"):
            made.send(put)


# Credentials.


def test_credentials_that_are_refused_are_renewed_once():
    made, scripted, _ = exchange(401, 200, authorizer=Badge())
    assert made.send(GET, ACCESS).status == 200
    assert [each.headers["Authorization"] for each in scripted.sent] == ["one", "two"]
    made, scripted, _ = exchange(401, 401, authorizer=Badge())
    with pytest.raises(AccessDeniedError):
        made.send(GET, ACCESS)
    assert len(scripted.sent) == 2


def test_without_access_there_are_no_credentials():
    badge = Badge()
    made, scripted, _ = exchange(401, authorizer=badge)
    with pytest.raises(AccessDeniedError):
        made.send(GET)
    assert not badge.asked
    made, scripted, _ = exchange(401)
    with pytest.raises(AccessDeniedError):
        made.send(GET, ACCESS)
    assert len(scripted.sent) == 1


def test_the_answer_is_closed_when_credentials_cannot_be_had():
    class Refusing(Badge):
        def answer(self, response, *_):
            self.response = response
            raise AccessDeniedError("x", "no")

    closed, badge = [], Refusing()
    made, _, _ = exchange(lambda request: watched(request, 401, closed), authorizer=badge)
    with pytest.raises(AccessDeniedError, match="no"):
        made.send(GET, ACCESS)
    assert closed == [401]


def watched(request, status, closed):
    """An answer that notes when it is closed."""
    response = reply(request, status)

    class Body:
        read = response.body.read

        def close(self):
            closed.append(status)

    response.body = Body()
    return response


def test_what_the_authorizer_sends_is_repeated_and_returned_whatever_it_is():
    class Asking(Badge):
        def header(self, origin, domain, scopes, fetch):
            self.found = fetch(Request(method="GET", url=Url.parse("https://auth.example/token"))).status
            return "token"

    badge = Asking()
    made, scripted, _ = exchange(503, 404, 200, authorizer=badge)
    made.send(GET, ACCESS)
    assert badge.found == 404
    assert [str(each.url) for each in scripted.sent] == ["https://auth.example/token"] * 2 + [str(HERE)]


# Repetition.


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_is_waited_out(status):
    made, scripted, timeless = exchange(status, status, 200)
    assert made.send(GET).status == 200
    assert len(scripted.sent) == 3
    assert len(timeless.waited) == 2
    assert 0.7 < sum(timeless.waited) <= 1.5


@pytest.mark.parametrize("status", [400, 403, 404, 405, 416, 501, 505])
def test_another_error_is_final(status):
    made, scripted, _ = exchange(status)
    with pytest.raises(RegistryError) as raised:
        made.send(GET)
    assert raised.value.status == status
    assert len(scripted.sent) == 1


def test_an_error_that_does_not_pass_is_the_answer():
    made, scripted, _ = exchange(*[502] * 99)
    with pytest.raises(RegistryError, match="502 Bad Gateway"):
        made.send(GET)
    assert len(scripted.sent) == 5


def test_a_connection_that_breaks_is_tried_again_if_that_changes_nothing():
    made, scripted, _ = exchange(cut(), cut(), 200)
    assert made.send(GET).status == 200
    for method, times in (("HEAD", 5), ("GET", 5), ("POST", 1), ("PUT", 1), ("PATCH", 1), ("DELETE", 1)):
        made, scripted, _ = exchange(*[cut()] * 99)
        with pytest.raises(UnreachableError):
            made.send(Request(method=method, url=HERE))
        assert len(scripted.sent) == times
    made, scripted, _ = exchange(cut(), 503, 200)
    assert made.send(Request(method="PUT", url=HERE, body=BytesBody(b"x")), repeat=True).status == 200
    made, scripted, _ = exchange(cut())
    with pytest.raises(UnreachableError):
        made.send(GET, repeat=False)


def test_a_server_that_was_not_reached_is_not_tried_again():
    made, scripted, _ = exchange(cut(was_sent=False))
    with pytest.raises(UnreachableError):
        made.send(GET)
    assert len(scripted.sent) == 1


def busy(seconds, status=429):
    return to(None, status, **{"Retry-After": str(seconds)})


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks():
    made, _, timeless = exchange(busy(20), 200)
    assert made.send(GET).status == 200
    assert timeless.waited == [20]
    made, _scripted, timeless = exchange(busy(7, 503), 200)
    made.send(GET)
    assert timeless.waited == [7]


def test_nobody_waits_for_hours():
    made, _scripted, timeless = exchange(busy(3600))
    with pytest.raises(RateLimitError, match="requests again in 3600 seconds") as raised:
        made.send(GET)
    assert raised.value.retry_after == 3600
    assert timeless.waited == []


def test_the_pause_is_for_all_requests_to_the_server():
    made, _, timeless = exchange(busy(20), 200, 200, 200)
    with pytest.raises(RateLimitError):
        made.send(Request(method="POST", url=HERE))
    made.send(GET)
    assert timeless.waited == []  # That request was not to be repeated, so nobody has set a pause.
    made, _scripted, timeless = exchange(busy(20))
    waiting = threading.Event()
    real = timeless.wait

    def wait(event, seconds):
        waiting.set()
        timeless.others = made._until.copy()
        return real(event, seconds)

    timeless.wait = wait
    made._clock = timeless.clock()
    made.send(GET)
    assert timeless.others == {HERE.origin: 1_000_020}


def test_an_interrupt_ends_pauses_and_later_requests_are_not_concerned():
    made, scripted, timeless = exchange(503, 200, 200)

    def wait(event, seconds):
        made.interrupt()
        return event.is_set()

    made._clock = attrs.evolve(timeless.clock(), wait=wait)
    with pytest.raises(RegistryError, match="503"):
        made.send(GET)
    assert scripted.interrupts == 1
    assert made.send(GET).status == 200
    moment = made.moment()
    made.interrupt()
    assert made.rest(1, moment) is False


def test_an_interrupt_ends_the_wait_for_a_busy_server():
    made, scripted, timeless = exchange(200)
    made._until[HERE.origin] = timeless.time + 10
    made._clock = attrs.evolve(timeless.clock(), wait=lambda *_: True)
    with pytest.raises(UnreachableError, match="interrupted"):
        made.send(GET)
    assert scripted.sent == []


def test_a_connection_that_an_interrupt_has_broken_is_not_tried_again():
    made, scripted, _ = exchange()

    def breaking(_):
        made.interrupt()
        raise cut()

    scripted.answers = [breaking, 200]
    with pytest.raises(UnreachableError):
        made.send(GET)
    assert len(scripted.sent) == 1


# Bodies.


class Slow:
    """A body of so many bytes a read, each of which takes some time."""

    def __init__(self, timeless, pieces, seconds):
        self.timeless, self.pieces, self.seconds = timeless, list(pieces), seconds

    def read(self, size):
        self.timeless.time += self.seconds
        return b"x" * self.pieces.pop(0) if self.pieces else b""

    def close(self):
        pass


@pytest.mark.parametrize(
    ("pieces", "seconds", "is_enough"),
    [
        ([1] * 100, 1, False),
        ([1023] * 100, 1, False),
        ([1025] * 200, 1, True),
        ([70_000] * 20, 59, True),
        ([1] * 50, 1, True),
        ([1], 300, False),
    ],
)
def test_a_body_comes_at_a_minimum_rate(pieces, seconds, is_enough):
    made, scripted, timeless = exchange()
    scripted.answers = [
        lambda r: Response(url=r.url, status=200, headers=Headers(), body=Slow(timeless, pieces, seconds))
    ]
    body = made.send(GET).body
    slow = pytest.raises(UnreachableError, match="slower than 1024 bytes a second")
    with contextlib.nullcontext() if is_enough else slow:
        while body.read(100):
            timeless.time += 1000  # The reader may take its time.


class Broken:
    def __init__(self, *pieces):
        self.pieces = list(pieces)

    def read(self, size):
        if not self.pieces:
            raise cut()
        return self.pieces.pop(0)

    def close(self):
        pass


def test_a_document_is_fetched_again_if_it_breaks():
    def breaks(request):
        return Response(url=request.url, status=200, headers=Headers(), body=Broken(b"ab"))

    made, scripted, _ = exchange(breaks, breaks, lambda request: reply(request, 200, b"abc"))
    assert made.fetch(GET, limit=3)[1] == b"abc"
    assert len(scripted.sent) == 3
    made, scripted, _ = exchange(*[breaks] * 99)
    with pytest.raises(UnreachableError):
        made.fetch(GET, limit=3)
    assert len(scripted.sent) == 5


def test_a_document_has_a_limit():
    made, _, _ = exchange(lambda request: reply(request, 200, b"abcd"))
    with pytest.raises(LimitError, match="document_bytes is 3") as raised:
        made.fetch(GET, limit=3)
    assert raised.value.__notes__ == [str(HERE)]


# Warnings.


def test_a_warning_is_shown_once():
    seen = []
    answers = [
        functools.partial(reply, status=200, headers=[("Warning", value) for value in values])
        for values in (
            ['299 - "old image"'],
            ['299 - "old image"', '299 - "a \\"b\\""'],
            ['299 host "x"', '110 - "stale"', "299 - x", '299 - "a\x1bb"', '299 - ""', '299 - "x" "date"'],
            [f'299 - "{"x" * 5000}"'],
        )
    ]
    made, _, _ = exchange(*answers, on_warning=seen.append)
    for _ in answers:
        made.send(GET)
    assert seen == ["old image", 'a "b"']
    made, _, _ = exchange(answers[0])
    made.send(GET)


def test_closing_closes_the_transport():
    made, scripted, _ = exchange()
    made.close()
    assert scripted.closed


def test_an_unexpected_status_is_an_error_and_the_expected_ones_are_not():
    made, _, _ = exchange(202, 404)
    with pytest.raises(RegistryError, match="202 Accepted"):
        made.send(GET)
    assert made.send(GET, expect=(404,)).status == 404
    made, _, _ = exchange(lambda request: refuse(request, 404, "NAME_UNKNOWN"), retries=Retries(attempts=1))
    with pytest.raises(RegistryError) as raised:
        made.send(GET)
    assert raised.value.codes == ("NAME_UNKNOWN",)
