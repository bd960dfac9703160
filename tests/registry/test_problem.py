"""Answers that are errors: the status decides, and one line says what the server said."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import AccessDeniedError, RateLimitError, RegistryError, UnreachableError
from oci_layers.registry import Headers, Request, Response, Url
from oci_layers.registry.problem import problem
from oci_layers.registry.transport import read_body
from tests.support.model_registry import reply

REQUEST = Request(method="GET", url=Url.parse("https://r.example/v2/a/manifests/x?signature=secret"))
PLACE = "https://r.example/v2/a/manifests/x"


def body(*errors):
    return json.dumps({"errors": list(errors)}).encode()


UNKNOWN = {"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": {"Tag": "x"}}


@pytest.mark.parametrize(
    ("status", "data", "reason", "codes"),
    [
        (404, body(UNKNOWN), "404 Not Found: MANIFEST_UNKNOWN: manifest unknown", ("MANIFEST_UNKNOWN",)),
        (
            400,
            body(UNKNOWN, {"code": "B"}),
            "400 Bad Request: MANIFEST_UNKNOWN: manifest unknown; B",
            ("MANIFEST_UNKNOWN", "B"),
        ),
        (
            400,
            body({"code": "MANIFEST_BLOB_UNKNOWN", "message": "unknown", "detail": {"digest": f"sha256:{'0' * 64}"}}),
            f"400 Bad Request: MANIFEST_BLOB_UNKNOWN: unknown (sha256:{'0' * 64})",
            ("MANIFEST_BLOB_UNKNOWN",),
        ),
        (404, b"404 page not found\n", "404 Not Found: 404 page not found", ()),
        (502, b"<html><body>Bad Gateway", "502 Bad Gateway", ()),
        (403, b"<?xml version='1.0'?><Error><Code>AccessDenied", "403 Forbidden", ()),
        (500, b"", "500 Internal Server Error", ()),
        (500, b'{"message": "it broke"}', "500 Internal Server Error: it broke", ()),
        (500, b'{"errors": "many"}', "500 Internal Server Error", ()),
        (500, b'{"errors": [1, {"code": 5, "message": "x"}]}', "500 Internal Server Error: 5: x", ()),
        (500, b"[1]", "500 Internal Server Error: [1]", ()),
        (500, b"[" * 100_000, None, ()),
        (599, b"\xff\xfe", "status 599: \ufffd\ufffd", ()),
        (400, b"x" * 1000, "400 Bad Request: " + "x" * 300 + "...", ()),
        (
            400,
            b"Client sent an HTTP request to an HTTPS server.\n",
            "400 Bad Request: Client sent an HTTP request to an HTTPS server.; it speaks TLS, so it is not plain HTTP",
            (),
        ),
    ],
)
def test_what_the_server_said_is_one_line(status, data, reason, codes):
    error = problem(reply(REQUEST, status, data), 0)
    assert (error.status, error.codes, error.place) == (status, codes, PLACE)
    assert isinstance(error, AccessDeniedError) == (status in {401, 403})
    if reason is not None:
        assert error.reason == reason
    assert "secret" not in str(error)


def test_a_line_does_not_act_on_a_terminal():
    assert "\x1b" not in str(problem(reply(REQUEST, 404, b"\x1b[2J\nsecond"), 0))


@pytest.mark.parametrize(
    ("status", "headers", "seconds", "reason"),
    [
        (429, [], None, "429 Too Many Requests"),
        (429, [("Retry-After", "7")], 7, "429 Too Many Requests (it takes requests again in 7 seconds)"),
        (503, [("Retry-After", "7")], 7, "503 Service Unavailable (it takes requests again in 7 seconds)"),
        (
            429,
            [("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "0;w=21600")],
            None,
            "429 Too Many Requests (ratelimit-limit 100;w=21600, ratelimit-remaining 0;w=21600)",
        ),
    ],
)
def test_a_server_that_is_busy_says_until_when(status, headers, seconds, reason):
    error = problem(reply(REQUEST, status, headers=headers), 0)
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, error.reason) == (seconds, reason)
    assert not isinstance(problem(reply(REQUEST, 503), 0), RateLimitError)


class Endless:
    """A body without an end; `read` counts."""

    def __init__(self, breaks=False):
        self.seen, self.closed, self.breaks = 0, 0, breaks

    def read(self, size):
        if self.breaks:
            raise UnreachableError("x", "broke")
        self.seen += size
        return b"x" * size

    def close(self):
        self.closed += 1


def test_an_endless_body_is_read_in_part():
    endless = Endless()
    problem(Response(url=REQUEST.url, status=500, headers=Headers(), body=endless), 0)
    assert endless.seen == 64 << 10
    assert endless.closed
    assert len(read_body(Response(url=REQUEST.url, status=500, headers=Headers(), body=Endless()), 100)) == 100


def test_a_body_that_breaks_is_no_other_error():
    endless = Endless(breaks=True)
    error = problem(Response(url=REQUEST.url, status=404, headers=Headers(), body=endless), 0)
    assert str(error) == f"{PLACE}: 404 Not Found"
    assert endless.closed


def test_the_body_of_a_range_that_is_not_there_is_left_alone():
    """docker-registry says that it has the length of the blob."""
    endless = Endless()
    assert problem(Response(url=REQUEST.url, status=416, headers=Headers(), body=endless), 0).status == 416
    assert endless.seen == 0
    assert endless.closed


@given(st.integers(400, 599), st.binary(max_size=200))
def test_any_body_has_an_answer(status, data):
    assert isinstance(problem(reply(REQUEST, status, data), 0), RegistryError)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["errors", "code", "message"]), x),
    )
)
def test_any_json_has_an_answer(value):
    assert str(problem(reply(REQUEST, 400, json.dumps(value).encode()), 0)).isprintable()
