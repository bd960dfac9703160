"""Credentials show nothing secret, and are written as RFC 7617 says."""

import base64

import pytest

from oci_layers.errors import NameFormatError
from oci_layers.registry.credentials import Credential, is_token


def test_a_credential_shows_the_user_alone():
    shown = repr(Credential(username="ann", password="s3cret", identity_token="s3cret", registry_token="s3cret"))
    assert "ann" in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("credential", "header"),
    [
        (Credential(username="ann", password="p:w\u00e4\n"), b"ann:p:w\xc3\xa4\n"),
        (Credential(username="ann"), b"ann:"),
        (Credential(password="p"), b":p"),
        (Credential(username="\udcff", password="\udcff"), None),
        (Credential(password="\udcff"), b":\xff"),
        (Credential(identity_token="t"), None),
    ],
)
def test_user_and_password_are_the_basic_scheme(credential, header):
    if header is None and credential.username:
        with pytest.raises(NameFormatError):
            credential.basic()
    else:
        assert credential.basic() == (None if header is None else "Basic " + base64.b64encode(header).decode())


@pytest.mark.parametrize("username", ["a:b", "a\nb", "\x00"])
def test_a_user_that_the_scheme_cannot_carry_is_refused(username):
    with pytest.raises(NameFormatError):
        Credential(username=username, password="s3cret").basic()


def test_an_empty_credential_is_false():
    assert not Credential()
    assert Credential(registry_token="t")
    assert Credential(identity_token="t")
    assert Credential(username="u")
    assert Credential(password="p")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a.b-c_d/e+f==", True),
        ("", False),
        ("a b", False),
        ("a\r\nX: y", False),
        ("a\n", False),
        ("\u00e4", False),
        (3, False),
    ],
)
def test_a_token_is_what_a_header_may_carry(text, is_one):
    assert is_token(text) is is_one
