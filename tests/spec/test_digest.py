"""Digests: DIG-01..07, DIG-11 and DIG-16."""

import hashlib
import sys
import types

import attrs
import pytest

from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.spec.digest import Digest

A64 = "a" * 64
EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("text", "algorithm", "encoded"),
    [
        pytest.param(EMPTY, "sha256", EMPTY[7:], id="DIG-05 sha256"),
        pytest.param("sha512:" + "0f" * 64, "sha512", "0f" * 64, id="DIG-06 sha512"),
        pytest.param("blake3:" + A64, "blake3", A64, id="DIG-07 blake3"),
        pytest.param("sha384:" + "1" * 96, "sha384", "1" * 96, id="DIG-11 sha384"),
        pytest.param("sha256+b64:" + A64, "sha256+b64", A64, id="DIG-04 unknown, plus"),
        pytest.param("sha256.foo-bar:" + A64, "sha256.foo-bar", A64, id="DIG-04 unknown, dot and dash"),
        pytest.param("multihash+base58:QmRZxt2b", "multihash+base58", "QmRZxt2b", id="DIG-04 unknown, upper case"),
        pytest.param("sha256+b64u.unknownlength:LCa0_-=", "sha256+b64u.unknownlength", "LCa0_-=", id="DIG-04 equals"),
    ],
)
def test_a_valid_digest_has_two_parts_and_its_text(text, algorithm, encoded):
    digest = Digest.parse(text)

    assert (digest.algorithm, digest.encoded, str(digest)) == (algorithm, encoded, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(text, reason, id=case)
        for case, text, reason in [
            ("DIG-12 empty", "", "must be ALGORITHM:ENCODED"),
            ("DIG-12 no colon", "sha256" + A64, "must be ALGORITHM:ENCODED"),
            ("DIG-12 no algorithm", ":" + A64, "must be ALGORITHM:ENCODED"),
            ("DIG-12 nothing encoded", "sha256:", "must be ALGORITHM:ENCODED"),
            ("DIG-01 two separators", "sha256+foo+-b:" + A64, "must be ALGORITHM:ENCODED"),
            ("DIG-01 separator at the end", "sha256+:" + A64, "must be ALGORITHM:ENCODED"),
            ("DIG-01 upper-case algorithm", "SHA256:" + A64, "must be ALGORITHM:ENCODED"),
            ("DIG-01 a path", "sha256:../../etc/passwd", "must be ALGORITHM:ENCODED"),
            ("DIG-02 newline at the end", EMPTY + "\n", "must be ALGORITHM:ENCODED"),
            ("DIG-02 newline at the end, unknown", "unknown:aa\n", "must be ALGORITHM:ENCODED"),
            ("DIG-02 digits that are not ASCII", "unknown:\u0661", "must be ALGORITHM:ENCODED"),
            ("DIG-05 upper-case hex", "sha256:" + "A" * 64, "sha256 takes 64 lowercase hex digits"),
            ("DIG-05 one short", "sha256:" + "a" * 63, "sha256 takes 64 lowercase hex digits"),
            ("DIG-05 one long", "sha256:" + "a" * 65, "sha256 takes 64 lowercase hex digits"),
            ("DIG-05 not hex", "sha256:" + "a" * 63 + "g", "sha256 takes 64 lowercase hex digits"),
            ("DIG-06 short", "sha512:" + A64, "sha512 takes 128 lowercase hex digits"),
            ("DIG-07 long", "blake3:" + A64 * 2, "blake3 takes 64 lowercase hex digits"),
            ("DIG-11 short", "sha384:" + A64, "sha384 takes 96 lowercase hex digits"),
            ("DIG-16 second colon", "sha256:sha256:" + A64, "must be ALGORITHM:ENCODED"),
        ]
    ],
)
def test_an_invalid_digest_is_refused_however_it_is_made(text, reason):
    for make in (Digest, Digest.parse):
        with pytest.raises(NameFormatError) as caught:
            make(text)
        assert (caught.value.what, caught.value.text, caught.value.reason) == ("digest", text, reason)


def test_the_digest_of_bytes_is_that_of_hashlib():
    for algorithm in ("sha256", "sha384", "sha512"):
        assert str(Digest.of(b"abc", algorithm)) == f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
    assert Digest.of(b"") == Digest(EMPTY)


def test_a_hasher_is_fresh_each_time():
    digest = Digest.of(b"ab")
    for _ in range(2):
        hasher = digest.hasher()
        hasher.update(b"a")
        hasher.update(memoryview(b"b"))
        assert hasher.hexdigest() == digest.encoded


def test_an_unknown_algorithm_cannot_be_computed():
    with pytest.raises(UnsupportedError) as caught:
        Digest("sha256+b64:abc").hasher()
    assert (caught.value.what, caught.value.value, caught.value.hint) == ("digest algorithm", "sha256+b64", "")


def test_blake3_without_its_package_is_a_digest_that_cannot_be_computed(monkeypatch):
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(UnsupportedError) as caught:
        Digest("blake3:" + A64).hasher()
    error = caught.value
    assert (error.what, error.value, error.hint) == ("digest algorithm", "blake3", "pip install oci-layers[blake3]")


def test_blake3_is_computed_where_its_package_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "blake3", types.SimpleNamespace(blake3=hashlib.sha256))
    assert Digest.of(b"", "blake3") == Digest("blake3:" + EMPTY[7:])


def test_digests_are_values_ordered_by_their_text():
    texts = ["sha256+b64:x", "sha256:" + A64, "sha512:" + A64 * 2, "z:1"]
    digests = [Digest(text) for text in texts]

    assert sorted([digests[2], digests[0], digests[3], digests[1]]) == digests
    assert {Digest(texts[1]), Digest(texts[1])} == {Digest(texts[1])}
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        digests[0].text = "sha256:x"
