"""Which proxy a server is asked through: the rows are those of Go's `httpproxy`, whose rules these are."""

import ssl

import pytest

from oci_layers.errors import NameFormatError, UnreachableError, UnsupportedError
from oci_layers.registry import Request, Url, Urllib3Transport
from oci_layers.registry.proxy import Proxy, proxy_for
from tests.support.certificates import Authority
from tests.support.http_server import NOW, STAY, Server, answer
from tests.support.transports import read_all

ENVIRON = {"HTTPS_PROXY": "http://proxy:3128", "HTTP_PROXY": "http://plain:80"}


def origin(text):
    return Url.parse(text).origin


def asked_directly(url, listed):
    return proxy_for(origin(url), {**ENVIRON, "NO_PROXY": listed}) is None


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://a", {}, None),
        ("https://a", ENVIRON, "http://proxy:3128"),
        ("http://a", ENVIRON, "http://plain"),
        ("http://a", {"HTTPS_PROXY": "p"}, None),
        ("https://a", {"HTTP_PROXY": "p"}, None),
        ("https://a", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://a", {"https_proxy": "p:1", "HTTPS_PROXY": "q:1"}, "http://q:1"),
        ("https://a", {"HTTPS_PROXY": "HTTPS://p"}, "https://p"),
        ("https://a", {"HTTPS_PROXY": "http://p:8/path"}, "http://p:8"),
        ("https://a", {"HTTPS_PROXY": "http://[::1]:8"}, "http://[::1]:8"),
        ("https://a", {"ALL_PROXY": "p"}, None),
        ("https://a", {"HTTPS_PROXY": ""}, None),
    ],
)
def test_the_scheme_of_the_url_chooses_the_variable(url, environ, expected):
    proxy = proxy_for(origin(url), environ)
    assert (None if proxy is None else str(proxy.origin)) == expected


@pytest.mark.parametrize(
    "url", ["https://localhost:5000", "https://127.0.0.1", "https://127.9.9.9:1", "https://[::1]:8"]
)
def test_the_loopback_is_asked_directly(url):
    assert proxy_for(origin(url), ENVIRON) is None


# Rows of TestUseProxy in httpproxy, and their neighbours.
NO_PROXY = "foobar.com, .barbaz.net, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, 2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64"  # noqa: E501


@pytest.mark.parametrize(
    ("host", "direct"),
    [
        ("local.localhost", False),
        ("barbaz.net", False),
        ("www.barbaz.net", True),
        ("foobar.com", True),
        ("www.foobar.com", True),
        ("foofoobar.com", False),
        ("baz.com", False),
        ("localhost.net", False),
        ("192.168.1.1", True),
        ("192.168.1.2", False),
        ("192.168.1.3", True),
        ("192.168.1.4", False),
        ("10.0.0.2", True),
        ("10.0.0.4", False),
        ("[2001:db8::52:0:1]", True),
        ("[2001:db8::52:0:2]", False),
        ("[2001:db8::52:0:3]", True),
        ("[2002:db8:a::123]", True),
        ("[fe80::424b:c8be:1643:a1b6]", False),
    ],
)
def test_hosts_of_no_proxy_are_asked_directly(host, direct):
    assert asked_directly(f"http://{host}", NO_PROXY) is direct


@pytest.mark.parametrize(
    ("listed", "url", "direct"),
    [
        ("*", "https://a", True),
        (" a , * ", "https://b", True),
        ("*.x.com", "https://x.com", False),
        ("*.x.com", "https://a.x.com", True),
        ("X.COM", "https://A.x.Com", True),
        ("x.com:443", "https://a.x.com", True),
        ("x.com:444", "https://a.x.com", False),
        ("x.com:", "https://a.x.com", True),
        (":443", "https://a", False),
        (",,", "https://a", False),
        ("10.0.0.0/99", "https://10.0.0.1", False),
        ("a/b", "https://a", False),
        ("0.0.0.0/0", "https://a", False),
        ("[2001:db8::1]", "https://[2001:db8::1]:5000", True),
    ],
)
def test_forms_of_an_entry(listed, url, direct):
    assert asked_directly(url, listed) is direct


def test_the_password_of_a_proxy_is_decoded_and_not_shown():
    proxy = proxy_for(origin("https://a"), {"HTTPS_PROXY": "http://us%40er:p%3Aw@proxy:3128"})
    assert proxy == Proxy(origin("http://proxy:3128"), "Basic dXNAZXI6cDp3")
    assert "dXNAZXI6cDp3" not in repr(proxy)


@pytest.mark.parametrize(
    "value", ["http://", "http://user:secret@/", "http://a:99999", "http://user:secret@a b", "[::"]
)
def test_what_names_no_proxy_is_an_error_without_the_password(value):
    with pytest.raises(NameFormatError) as caught:
        proxy_for(origin("https://a"), {"HTTPS_PROXY": value})
    assert caught.value.what == "HTTPS_PROXY"
    assert "secret" not in str(caught.value)


def test_what_is_no_proxy_of_http_is_not_supported():
    with pytest.raises(UnsupportedError, match="socks5://"):
        proxy_for(origin("https://a"), {"HTTPS_PROXY": "socks5://user:secret@a"})
    with pytest.raises(UnsupportedError, match="CGI"):
        proxy_for(origin("http://a"), {"HTTP_PROXY": "a", "REQUEST_METHOD": "GET"})
    assert proxy_for(origin("https://a"), {"HTTPS_PROXY": "a", "REQUEST_METHOD": "GET"}) is not None


# Proxies. The loopback is never proxied, so the servers have other names.


def proxied(proxy, url, seconds=20, **options):
    name = url.partition(":")[0].upper() + "_PROXY"
    transport = Urllib3Transport(environ={name: proxy}, connect_timeout=seconds, read_timeout=seconds, **options)
    try:
        return read_all(transport.send(Request(method="GET", url=Url.parse(url), headers={"Authorization": "secret"})))
    finally:
        assert not transport._pool._used
        transport.close()


def test_plain_http_is_asked_for_by_its_whole_url():
    with Server([[answer(200, b"hello")]]) as proxy:
        named = proxy.url.replace("//", "//us%40er:p%3Aw@")
        assert proxied(named, "http://registry.example:81/v2/?a=%2f") == b"hello"
    asked = proxy.received[0]
    assert (asked.method, asked.target) == ("GET", "http://registry.example:81/v2/?a=%2f")
    assert (asked.header("host"), asked.header("proxy-authorization")) == ("registry.example:81", "Basic dXNAZXI6cDp3")


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("secure", [False, True])
def test_https_goes_through_a_tunnel_and_the_proxy_sees_none_of_it(tmp_path, secure):
    authority = Authority(tmp_path / "ca")
    pair = authority.pair("registry", "DNS:registry.example")
    inner = authority.server(pair)

    def tunnel(stream):
        stream.sendall(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = inner.wrap_bio(incoming, outgoing, server_side=True)

        def step(call, *args):
            while True:
                try:
                    return call(*args)
                except ssl.SSLWantReadError:
                    stream.sendall(outgoing.read())
                    incoming.write(stream.recv(1 << 16))
                finally:
                    stream.sendall(outgoing.read())

        step(secured.do_handshake)
        seen.append(step(secured.read, 1 << 16))
        step(secured.write, answer(200, b"hello"))

    seen = []
    outer = authority.server() if secure else None
    with Server([[[tunnel, STAY]]], tls=outer) as proxy:
        named = proxy.url.replace("//", "//user:pass@")
        assert proxied(named, "https://registry.example/v2/", tls=authority.client()) == b"hello"
    asked = proxy.received[0]
    assert (asked.method, asked.target) == ("CONNECT", "registry.example:443")
    assert asked.header("proxy-authorization") == "Basic dXNlcjpwYXNz"
    assert asked.header("authorization") is None
    assert b"Authorization: secret" in seen[0]
    assert b"Proxy-Authorization" not in seen[0]


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([answer(407)], "Tunnel connection failed: 407 Status"),
        ([b"HTTP/1.1 502 \x1b[31m\r\n\r\n"], "Tunnel connection failed: 502 \\x1b[31m"),
        ([], "the connection broke before there was an answer"),
        ([b"HTTP/1.1 200 O"], "the connection broke before there was an answer"),
        ([b"<html>"], "the answer is not HTTP/1"),
        ([STAY], "no answer within 0.15 s"),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n", 0.05] * 30], "no answer within 0.15 s"),
    ],
)
def test_a_proxy_that_makes_no_tunnel_is_named(steps, reason):
    with Server([[steps]]) as proxy, pytest.raises(UnreachableError) as caught:
        proxied(
            proxy.url.replace("//", "//user:secret@"),
            "https://registry.example/v2/",
            0.15 if "within" in reason else 20,
        )
    assert caught.value.reason == f"through the proxy {proxy.url}: {reason}"
    assert (caught.value.was_sent, caught.value.speaks_tls) == (False, True)
    assert caught.value.place == "https://registry.example"


def test_a_proxy_that_is_not_there_or_speaks_no_tls_is_named():
    with Server([[[NOW, b"HTTP/1.0 400 Bad Request\r\n\r\n"]]]) as proxy, pytest.raises(UnreachableError) as caught:
        proxied(proxy.url.replace("http:", "https:"), "https://registry.example/v2/")
    assert caught.value.reason == f"through the proxy https://127.0.0.1:{proxy.port}: the server speaks no TLS"
    assert caught.value.speaks_tls
    with pytest.raises(UnreachableError) as caught:
        proxied(proxy.url, "http://registry.example/v2/")
    assert caught.value.reason == f"through the proxy {proxy.url}: connection refused"


def test_a_server_behind_a_tunnel_that_speaks_no_tls_is_seen():
    steps = [b"HTTP/1.1 200 OK\r\n\r\n", 0.02, b"HTTP/1.0 400 Bad Request\r\n\r\n"]
    with Server([[steps]]) as proxy, pytest.raises(UnreachableError) as caught:
        proxied(proxy.url, "https://registry.example/v2/")
    assert caught.value.reason == f"through the proxy {proxy.url}: the server speaks no TLS"
    assert not caught.value.speaks_tls
