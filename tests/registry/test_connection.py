"""Connections to servers that do what they should not, and what becomes of the sockets."""

import contextlib
import os
import socket
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from oci_layers.errors import UnreachableError
from oci_layers.registry import BytesBody, Request, Url, Urllib3Transport
from tests.support.http_server import DEAF, NOW, RESET, STAY, Server, answer
from tests.support.transports import StreamBody, failure, hasty_transport, made_transport, read_all, request

transport = pytest.fixture(made_transport)
hasty = pytest.fixture(hasty_transport)

# What a broken server does: rows of a table of faults.

SIZE = 10_000
DATA = bytes(range(250)) * 40


@pytest.mark.parametrize("end", [(), (RESET,)], ids=["cut", "reset"])
@pytest.mark.parametrize("count", [0, 1, SIZE // 2, SIZE - 1])
def test_a_body_that_breaks_off_says_after_how_many_bytes(transport, count, end):
    with Server([[[answer(200, DATA[:count], length=SIZE), *end]]]) as server:
        error = failure(transport, request(server))
    if not end:
        assert error.reason == f"the connection broke after {count} of {SIZE} bytes"
    assert error.reason.startswith("the connection broke")
    assert (error.place, error.was_sent, error.status) == (server.url, True, None)


def test_bytes_that_came_before_a_reset_are_given_out_first(transport):
    with Server([[[answer(200, DATA, length=2 * SIZE), 0.1, RESET]]]) as server:
        response = transport.send(request(server))
        read = b""
        while len(read) < SIZE:
            read += response.body.read(1 << 20)
        with pytest.raises(UnreachableError):
            response.body.read(1 << 20)
    assert read == DATA


def chunked(*chunks):
    body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks)
    return answer(200, body, "Transfer-Encoding: chunked", length=None)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (answer(200, DATA, "Content-Length: 10000"), DATA),
        (answer(200, DATA + b"more", length=SIZE), DATA),
        (answer(200, DATA + b"more", length="10000, 10000"), DATA),
        (answer(200, DATA, "Connection: close", length=None), DATA),
        (answer(200, DATA, length=None), DATA),
        (answer(200, DATA[:9], "Content-Length: 9", "Connection: close", length=None), DATA[:9]),
        (chunked(DATA[:1], DATA[1:], b""), DATA),
        (chunked(DATA, b"").replace(b"\r\n", b"\r\nContent-Length: 5\r\n", 1), DATA),
        (answer(200, DATA, "Content-Encoding: gzip"), DATA),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", b"hello"),
        (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(200, b"hello"), b"hello"),
        (answer(204, b"none"), b""),
        (answer(304, length=5), b""),
    ],
)
def test_what_the_bytes_of_an_answer_are(transport, sent, expected):
    with Server([[sent]]) as server:
        assert read_all(transport.send(request(server))) == expected


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (answer(200, b"hello", "Content-Length: 6"), "the answer is not HTTP: Content-Length is 6, 5"),
        (answer(200, b"hello", length="-5"), "the answer is not HTTP: Content-Length is -5"),
        (answer(200, b"hello", length="+5"), "the answer is not HTTP: Content-Length is +5"),
        (answer(200, b"hello", length="5_0"), "the answer is not HTTP: Content-Length is 5_0"),
        (answer(200, b"hello", length="9" * 30), f"the answer is not HTTP: Content-Length is {'9' * 30}"),
        (answer(200, b"hello", length="5, 6"), "the answer is not HTTP: Content-Length is 5, 6"),
        (
            answer(200, b"hello", "Transfer-Encoding: gzip, chunked", length=None),
            "the answer is not HTTP: Transfer-Encoding gzip, chunked is not supported",
        ),
        (chunked(DATA), "the connection broke"),
        (chunked(DATA)[:-3], "the connection broke"),
        (chunked(DATA)[:-3000], "the connection broke"),
        (chunked(DATA).replace(b"2710", b"27x0"), "the connection broke"),
        (answer(200, b"", *["X: x"] * 101), "the answer is not HTTP: got more than 100 headers"),
        (
            answer(200, b"", "X: " + "x" * 70_000),
            "the answer is not HTTP: got more than 65536 bytes when reading header line",
        ),
        (answer(200, b"", "no name"), "the answer is not HTTP: a header field has no name"),
        (answer(103, b""), "the answer is not HTTP: status 103"),
        (answer(101, b""), "the answer is not HTTP: status 101"),
        (answer(99, b""), "the answer is not HTTP/1"),
        (b"HTTP/2 200 OK\r\n\r\n", "the answer is not HTTP/1"),
        (b"<html>hello</html>", "the answer is not HTTP/1"),
        (b"\x1b[31m\x00\xff\r\n\r\n", "the answer is not HTTP/1"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "the connection broke before there was an answer"),
        (b"HTTP/1.1 2", "the answer is not HTTP/1"),
        (b"HTTP/1.1 200", "the connection broke before there was an answer"),
        (b"", "the connection broke before there was an answer"),
        ([RESET], "the connection broke before there was an answer"),
    ],
)
def test_what_is_no_answer_is_one_error_in_plain_words(transport, sent, reason):
    with Server([[sent]]) as server:
        assert failure(transport, request(server)).reason == reason


def test_a_server_that_says_nothing_is_given_up(hasty):
    with Server([[[STAY]]]) as server:
        error = failure(hasty, request(server))
    assert (error.reason, error.was_sent) == ("no answer within 0.15 s", True)


def test_a_server_that_stalls_in_a_body_is_given_up(hasty):
    with Server([[[answer(200, b"hello", length=6), STAY]]]) as server:
        response = hasty.send(request(server))
        assert response.body.read(1 << 20) == b"hello"
        with pytest.raises(UnreachableError, match="no answer within"):
            response.body.read(1 << 20)
        response.close()
        with pytest.raises(UnreachableError, match="no answer within"):
            response.body.read(1)


def test_headers_that_come_byte_by_byte_are_given_up(hasty):
    drip = [part for byte in b"HTTP/1.1 200 OK\r\n" for part in (bytes([byte]), 0.05)]
    with Server([[[*drip, STAY]]]) as server:
        began = time.monotonic()
        error = failure(hasty, request(server))
        assert time.monotonic() - began < 0.5
    assert error.reason == "no answer within 0.15 s"


def test_an_endless_trailer_is_given_up(hasty):
    drip = [part for _ in range(30) for part in (b"X: y\r\n", 0.05)]
    with Server([[[chunked(b"hello") + b"0\r\n", *drip]]]) as server:
        assert failure(hasty, request(server)).reason == "no answer within 0.15 s"


def test_a_slow_body_is_read_in_the_pieces_in_which_it_comes(transport):
    with Server([[[answer(200, length=5), 0.06, b"h", 0.06, b"e", 0.06, b"llo"]]]) as server:
        response = transport.send(request(server))
        pieces = []
        while piece := response.body.read(1 << 20):
            pieces.append(piece)
    assert len(pieces) >= 2
    assert b"".join(pieces) == b"hello"


@pytest.mark.parametrize("status", [416, 500])
def test_an_answer_that_is_closed_is_not_read_on(transport, status):
    with Server([[[answer(status, b"x" * 33, length=1 << 30), STAY]], [answer()]]) as server:
        began = time.monotonic()
        response = transport.send(request(server))
        assert response.body.read(5) == b"xxxxx"
        response.close()
        assert time.monotonic() - began < 5
        with pytest.raises(UnreachableError, match="closed before it was read"):
            response.body.read(5)
        transport.send(request(server)).close()
    assert [one.connection for one in server.received] == [0, 1]


def test_a_small_body_that_is_there_is_read_to_keep_the_connection_and_no_longer_than_that(transport):
    with Server(
        [[answer(307, b"x" * 300), chunked(b"x" * 300, b""), [answer(416, b"x" * 33, length=5000), STAY]], [answer()]]
    ) as server:
        transport.send(request(server)).close()
        transport.send(request(server)).close()
        began = time.monotonic()
        transport.send(request(server)).close()
        assert time.monotonic() - began < 5
        transport.send(request(server)).close()
    assert [one.connection for one in server.received] == [0, 0, 0, 1]


# Connections: kept, replaced, broken, counted.


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"])
def test_a_connection_closed_while_idle_is_replaced_unseen_where_a_request_may_come_twice(transport, method):
    # The server closes when the second request is there: too late for the client to see it before it sends.
    repeated = method in {"GET", "HEAD", "PUT"}
    body = StreamBody(b"hello", 5) if method in {"PUT", "POST", "PATCH"} else None
    with Server([[answer(), []], [answer(201)]]) as server:
        transport.send(request(server)).close()
        if repeated:
            assert transport.send(request(server, method, body=body)).status == 201
            assert [one.connection for one in server.received] == [0, 0, 1]
            assert [one.body for one in server.received[1:]] == [b"hello" if body else b""] * 2
        else:
            error = failure(transport, request(server, method, body=body))
            assert error.was_sent
            assert [one.connection for one in server.received] == [0, 0]
    assert body is None or [one.closed for one in body.opened] == [True] * (1 + repeated)


def test_a_connection_that_was_seen_to_be_closed_is_replaced_for_every_method(transport):
    with Server([[answer()], [answer(202)]]) as server:
        transport.send(request(server)).close()
        while server.open:
            time.sleep(0.001)
        assert transport.send(request(server, "POST", body=StreamBody(b"hello", 5))).status == 202
    assert [one.connection for one in server.received] == [0, 1]


@pytest.mark.parametrize("second", [[], [b"HTTP/1.1 2"], [b"HTTP/1.1 200 OK\r\nX"]])
def test_a_request_on_a_new_connection_or_with_the_begin_of_an_answer_is_not_repeated(transport, second):
    script = [[second]] if not second else [[answer(), second]]
    with Server(script) as server:
        if second:
            transport.send(request(server)).close()
        failure(transport, request(server))
    assert len(server.received) == len(script[0])


def test_a_request_that_got_no_answer_in_time_is_not_repeated(hasty):
    with Server([[answer(), [STAY]]]) as server:
        hasty.send(request(server)).close()
        failure(hasty, request(server))
    assert len(server.received) == 2


def test_an_answer_before_the_body_was_sent_is_seen_and_its_connection_not_used_again(transport):
    with Server([[[DEAF, answer(401, b"who?")]], [answer()]]) as server:
        response = transport.send(request(server, "PUT", body=BytesBody(bytes(20 << 20))))
        assert response.status == 401
        response.close()
        transport.send(request(server)).close()
    assert [one.connection for one in server.received] == [0, 1]


def test_a_connection_over_which_half_a_request_went_is_not_used_again(hasty):
    with Server([[[DEAF, answer(401, b"who?"), STAY]], [answer()]]) as server:
        assert read_all(hasty.send(request(server, "PUT", body=BytesBody(bytes(20 << 20))))) == b"who?"
        assert hasty.send(request(server)).status == 200


def test_each_server_has_its_own_connections(transport):
    with Server() as one, Server() as other:
        for server in (one, other, one, other):
            transport.send(request(server, "GET", f"/{server.port}")).close()
    for server in (one, other):
        assert [(got.connection, got.target) for got in server.received] == [(0, f"/{server.port}")] * 2


def test_a_server_that_takes_no_more_of_a_body_is_given_up(hasty):
    with Server([[[DEAF, STAY]]]) as server:
        error = failure(hasty, request(server, "PUT", body=BytesBody(bytes(20 << 20))))
    assert error.reason == "no answer within 0.15 s"


def test_only_so_many_idle_connections_are_kept():
    transport = Urllib3Transport(connections=2)
    with Server([[answer(200, b"x")] * 9]) as server:
        for response in [transport.send(request(server)) for _ in range(4)]:
            response.close()
        assert len(transport._pool._idle) == 2
        transport.close()
        transport.close()
        transport.send(request(server)).close()
        assert not transport._pool._idle


def test_a_thousand_requests_use_one_connection_and_leave_nothing(transport):
    script = [answer(200, b"hello"), answer(404, b"no"), answer(204), chunked(b"hello", b"")] * 250
    before = len(os.listdir("/proc/self/fd"))
    with Server([script]) as server:
        for _ in range(1000):
            transport.send(request(server)).close()
        assert server.connections == 1
        transport.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_failures_leave_no_socket(transport):
    before = len(os.listdir("/proc/self/fd"))
    scripts = [[RESET], [b"HTTP/1.1 2"], [answer(200, b"x", length=5)], [b"no"]]
    with Server([[scripts[number % 4]] for number in range(100)]) as server:
        for _ in range(100):
            failure(transport, request(server))
    assert len(os.listdir("/proc/self/fd")) == before


def test_threads_have_connections_of_their_own(transport):
    data = [bytes([number]) * 300_000 for number in range(8)]

    def put_and_get(number):
        wanted = request(server, "PUT", f"/{number}", BytesBody(data[number]))
        return [read_all(transport.send(wanted)) for _ in range(5)]

    with Server([[answer(200, b"ok")] * 100]) as server, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(put_and_get, range(8))) == [[b"ok"] * 5] * 8
    assert sorted((one.target, one.body) for one in server.received) == sorted(
        (f"/{number}", data[number]) for number in range(8) for _ in range(5)
    )
    assert not transport._pool._used


STALLS = {
    "in the handshake": ([NOW, STAY], True),
    "before the answer": ([STAY], False),
    "in the headers": ([b"HTTP/1.1 200 OK\r\nX", STAY], False),
    "in the body": ([answer(200, b"hello", length=SIZE), STAY], False),
    "in a chunk": ([answer(200, b"f\r\nhello", "Transfer-Encoding: chunked", length=None), STAY], False),
    "in the upload": ([DEAF, STAY], False),
}


@contextlib.contextmanager
def interrupted(transport, is_ready):
    """Interrupt a transport once, when something is so; the block has to end soon after that."""

    def interrupt():
        while not is_ready():
            time.sleep(0.001)
        time.sleep(0.03)
        times.append(time.monotonic())
        transport.interrupt()

    times = []
    thread = threading.Thread(target=interrupt)
    thread.start()
    yield
    thread.join()
    assert 0 <= time.monotonic() - times[0] < 5
    transport.close()


@pytest.mark.parametrize("case", STALLS)
def test_an_interrupt_breaks_what_waits_at_once(case):
    steps, secure = STALLS[case]
    transport = Urllib3Transport(connect_timeout=30, read_timeout=30)
    with Server([[steps], [answer()]]) as server, interrupted(transport, lambda: server.connections):
        url = server.url.replace("http:", "https:") if secure else server.url
        body = BytesBody(bytes(20 << 20)) if "upload" in case else None
        error = failure(transport, Request(method="PUT" if body else "GET", url=Url.parse(url), body=body))
        assert error.reason == "interrupted"
        transport.send(request(server)).close()


def test_an_interrupt_breaks_a_connection_that_is_being_made():
    # A full backlog: the kernel answers no further SYN.
    transport = Urllib3Transport(connect_timeout=30)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        stack.enter_context(interrupted(transport, lambda: transport._pool._used))
        url = Url.parse(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        error = failure(transport, Request(method="GET", url=url))
        assert (error.reason, error.was_sent) == ("interrupted", False)


def test_an_interrupt_counts_for_a_request_that_has_no_connection_yet(transport):
    class InTime(dict):
        """An environment that is read between the begin of a request and its connection."""

        def get(self, name, default=None):
            transport.interrupt()
            return default

    transport._environ = InTime()
    with Server() as server:
        assert failure(transport, request(server)).reason == "interrupted"
        assert not server.received


def test_an_interrupted_body_without_a_length_does_not_look_whole(transport):
    with Server([[[answer(200, b"hello", length=None), STAY]]]) as server:
        response = transport.send(request(server))
        assert response.body.read(5) == b"hello"
        transport.interrupt()
        with pytest.raises(UnreachableError, match="interrupted"):
            response.body.read(5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_fork_has_connections_of_its_own(transport):
    with Server([[answer(200, b"parent"), answer(200, b"parent")], [answer(200, b"child")]]) as server:
        assert read_all(transport.send(request(server))) == b"parent"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # The threads of the server are not forked.
            child = os.fork()
        if not child:
            answered = False
            with contextlib.suppress(BaseException):
                answered = read_all(transport.send(request(server))) == b"child"
            os._exit(0 if answered else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert read_all(transport.send(request(server))) == b"parent"


def test_no_log_has_a_query_or_a_credential(transport, caplog):
    caplog.set_level(0)
    with Server([[answer(200, b"", "no name")], [answer(200, b"hello")]]) as server:
        failure(transport, request(server, "GET", "/v2/?secret", Authorization="secret"))
        transport.send(request(server, "GET", "/v2/?secret", Authorization="secret")).close()
    assert "secret" not in caplog.text
