"""URLs are kept as they were written, and what is no URL of HTTP is refused without showing secrets."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import NameFormatError
from oci_layers.registry import Url


@pytest.mark.parametrize(
    ("text", "full", "loopback", "local"),
    [
        ("https://a", "https://a/", False, False),
        ("http://A:5000/x/../y?q=1#f", "http://a:5000/x/../y?q=1", False, False),
        ("https://a:443/", "https://a/", False, False),
        ("http://a:443/%zz?x=%3a", "http://a:443/%zz?x=%3a", False, False),
        ("https://[::1]/", "https://[::1]/", True, True),
        ("http://localhost:5000/", "http://localhost:5000/", True, True),
        ("http://x.localhost/", "http://x.localhost/", True, True),
        ("http://127.1.2.3/", "http://127.1.2.3/", True, True),
        ("http://[::ffff:7f00:1]/", "http://[::ffff:7f00:1]/", True, True),
        ("https://0x7f.1/", "https://0x7f.1/", False, True),
        ("https://127.1/", "https://127.1/", False, True),
        ("https://2130706433/", "https://2130706433/", False, True),
        ("https://10.0.0.1/", "https://10.0.0.1/", False, True),
        ("https://169.254.169.254/", "https://169.254.169.254/", False, True),
        ("https://0.0.0.0/", "https://0.0.0.0/", False, True),
        ("https://[fe80::1]/", "https://[fe80::1]/", False, True),
        ("https://224.0.0.1/", "https://224.0.0.1/", False, True),
        ("https://8.8.8.8/", "https://8.8.8.8/", False, False),
        ("https://3com.example/", "https://3com.example/", False, False),
    ],
)
def test_a_url_is_kept(text, full, loopback, local):
    url = Url.parse(text)
    assert url.full == full
    assert (url.origin.is_loopback, url.origin.is_local) == (loopback, local)
    assert Url.parse(url.full) == url
    assert url.origin.is_secure == full.startswith("https")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a",
            "/a",
            "//a/b",
            "ftp://a/",
            "file:///etc",
            "https://",
            "https:///a",
            "https://user@a/",
            "https://a b/",
        ),
        *(
            "https://a/\r\nX: y",
            "https://a/\u00e9",
            "https://a\\@b/",
            "https://a:0/",
            "https://a:65536/",
            "https://a:/",
        ),
        *("https://[::1/", "https://[::g]/", "https://[1::2::3]/", "https://a/" + "x" * 9000, "javascript:alert(1)"),
    ],
)
def test_what_is_no_url_is_refused(text):
    with pytest.raises(NameFormatError, match="URL"):
        Url.parse(text)


def test_secrets_are_not_shown():
    url = Url.parse("https://a/b?signature=secret")
    assert "secret" not in f"{url} {url!r}"
    for text in ("https://user:secret@host/", "x?secret", "https://u:secret@h/a@b?secret"):
        with pytest.raises(NameFormatError) as raised:
            Url.parse(text)
        assert "secret" not in str(raised.value)


BASE = Url.parse("https://a/v2/x/y?z=1")


@pytest.mark.parametrize(
    ("location", "full"),
    [
        ("/p?q", "https://a/p?q"),
        ("q", "https://a/v2/x/q"),
        ("../q?x=%3A&y=+", "https://a/v2/q?x=%3A&y=+"),
        ("//b/x", "https://b/x"),
        ("?x=1", "https://a/v2/x/y?x=1"),
        ("http://b:1/", "http://b:1/"),
    ],
)
def test_a_location_may_be_relative(location, full):
    assert BASE.join(location).full == full


@pytest.mark.parametrize("location", ["http://[::1/", "file:///etc", "https://u@h/", "ftp://x/"])
def test_a_location_may_be_none(location):
    with pytest.raises(NameFormatError):
        BASE.join(location)


def test_parameters_are_added_and_the_rest_is_left_alone():
    assert Url.parse("https://a/x").with_parameter("digest", "sha256:ab").full == "https://a/x?digest=sha256:ab"
    assert Url.parse("https://a/x?_s=%3a&").with_parameter("a b", "c&d").full == "https://a/x?_s=%3a&&a%20b=c%26d"
    assert (BASE / "blobs/z").full == "https://a/v2/x/y/blobs/z"


@given(st.text())
def test_any_text_is_a_url_or_an_error(text):
    with contextlib.suppress(NameFormatError):
        assert Url.parse(Url.parse(text).full)


@given(st.text("ab:/?#[]@.%\\", max_size=20))
def test_any_location_is_joined_or_an_error(text):
    with contextlib.suppress(NameFormatError):
        assert Url.parse(BASE.join(text).full)
