"""The transport over urllib3, against a server that says what each test tells it to."""

import errno
import os
import subprocess
import sys

import pytest

from oci_layers.errors import NameFormatError, SizeMismatchError
from oci_layers.registry import BytesBody, Request, Url
from tests.support.http_server import Server, answer
from tests.support.transports import StreamBody, failure, made_transport, read_all, request

transport = pytest.fixture(made_transport)


def test_an_answer_has_status_fields_and_body_and_the_connection_is_kept(transport):
    fields = ("X: one", "x:  two ", "Folded: a\r\n  b")
    with Server([[answer(404, b"no", *fields), answer(200, b"yes"), answer()]]) as server:
        first = transport.send(request(server, Authorization="Basic secret"))
        assert (first.status, str(first.url), first.headers.all("X")) == (404, f"{server.url}/v2/", ("one", "two"))
        assert first.headers["folded"] == "a b"
        assert first.body.read(1) + first.body.read(9) + first.body.read(9) == b"no"
        assert read_all(transport.send(request(server))) == b"yes"
        assert transport.send(request(server, "HEAD")).body.read(1) == b""
    assert [(one.connection, one.method, one.target, one.body) for one in server.received] == [
        (0, "GET", "/v2/", b""),
        (0, "GET", "/v2/", b""),
        (0, "HEAD", "/v2/", b""),
    ]
    assert server.received[0].headers == (
        ("Host", f"127.0.0.1:{server.port}"),
        ("User-Agent", "a lamp"),
        ("Authorization", "Basic secret"),
    )


def test_a_target_is_sent_byte_for_byte(transport):
    target = "/v2/a/../b/%7euploads/1?state=a%2fb%2FC==&x=[|]&y"
    with Server() as server:
        transport.send(request(server, "PATCH", target)).close()
    assert server.received[0].target == target


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_body_is_sent_with_its_length(transport, size):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with Server([[answer(201)]]) as server:
        assert transport.send(request(server, "PUT", body=BytesBody(data))).status == 201
    assert server.received[0].body == data
    assert server.received[0].header("content-length") == str(size)
    assert server.received[0].header("transfer-encoding") is None


@pytest.mark.parametrize(("method", "length"), [("POST", "0"), ("PUT", "0"), ("GET", None), ("DELETE", None)])
def test_a_request_without_a_body_says_so_where_one_is_expected(transport, method, length):
    with Server() as server:
        transport.send(request(server, method)).close()
    assert server.received[0].header("content-length") == length


@pytest.mark.parametrize(("data", "size"), [(b"x" * 9, 10), (b"", 1), (b"x" * 11, 10), (b"x", 0)])
def test_a_body_of_another_size_is_an_error_before_the_server_has_it(transport, data, size):
    body = StreamBody(data, size)
    with Server([[[]]]) as server, pytest.raises(SizeMismatchError) as caught:
        transport.send(request(server, "PUT", body=body))
    assert (caught.value.expected, caught.value.actual) == (size, min(len(data), size + 1))
    assert not [one for one in server.received if one.is_whole and size]
    assert body.opened[0].closed
    assert not transport._pool._used


def test_an_error_of_the_body_itself_passes_through(transport):
    class Failing:
        size = 10

        def open(self):
            return self

        def read(self, size):
            raise FileNotFoundError("the blob")

        def close(self):
            pass

    with Server([[[]]]) as server, pytest.raises(FileNotFoundError, match="the blob"):
        transport.send(request(server, "PUT", body=Failing()))


def test_a_header_that_would_become_two_is_refused_without_showing_it(transport):
    with Server() as server, pytest.raises(NameFormatError) as caught:
        transport.send(request(server, Authorization="Bearer secret\r\nX: y"))
    assert "Authorization" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not server.received


def test_a_server_that_is_not_there_is_unreachable_and_was_sent_nothing(transport):
    with Server() as server:
        wanted = request(server)
    error = failure(transport, wanted)
    assert (error.place, error.reason, error.was_sent) == (server.url, "connection refused", False)
    error = failure(transport, Request(method="GET", url=Url.parse("http://no.such.host.invalid/")))
    assert (str(error), error.was_sent) == ("http://no.such.host.invalid: the name cannot be resolved", False)


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..example"])
def test_a_name_that_no_resolver_takes_is_unreachable(transport, host):
    assert failure(transport, Request(method="GET", url=Url.parse(f"https://{host}/"))).reason == (
        "the name cannot be resolved"
    )


def test_an_address_of_version_6_is_reached(transport):
    try:
        server = Server(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        wanted = Request(method="GET", url=Url.parse(f"http://[::1]:{server.port}/"))
        assert transport.send(wanted).status == 200
    assert server.received[0].header("host") == f"[::1]:{server.port}"


def test_too_many_open_files_is_an_error_that_says_so(transport, monkeypatch):
    def full(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with Server() as server:
        monkeypatch.setattr("socket.socket", full)
        assert failure(transport, request(server)).reason == "Too many open files"
        monkeypatch.undo()


def test_importing_the_room_does_not_import_urllib3():
    code = "import sys, oci_layers.registry; print('urllib3' in sys.modules, 'ssl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"False False\n"


def test_without_urllib3_the_transport_says_what_to_install():
    code = (
        "import sys; sys.modules['urllib3'] = None\n"
        "import oci_layers.registry as registry\n"
        "try: registry.Urllib3Transport\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    hint = "needs urllib3: pip install 'oci-layers[registry]'"
    assert printed == f"UnsupportedError unsupported registry: HTTP ({hint})\n"
