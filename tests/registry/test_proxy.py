"""Which proxy a server is asked through: the rows are those of Go's `httpproxy`, whose rules these are."""

import pytest

from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.registry import Url
from oci_layers.registry.proxy import Proxy, proxy_for

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
