"""References to images in registries (REG-01, DSV-12), and the grammar of names in a layout (ANN-08)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import NameFormatError
from oci_layers.spec.digest import Digest
from oci_layers.spec.reference import Reference, is_ref_name

SHA = "sha256:" + "a" * 64
ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        pytest.param("alpine", "docker.io/library/alpine:latest", "alpine:latest", id="DSV-12 all defaults"),
        pytest.param("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20", id="DSV-12 a tag"),
        pytest.param("me/app", "docker.io/me/app:latest", "me/app:latest", id="DSV-12 a user"),
        pytest.param("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", id="DSV-12 the hub"),
        pytest.param("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest", id="DSV-12 the hub's old name"),
        pytest.param("docker.io/library/a", "docker.io/library/a:latest", "a:latest", id="DSV-12 library in full"),
        pytest.param("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest", id="library with more stays"),
        pytest.param(f"library/{ID}", f"docker.io/library/{ID}:latest", f"library/{ID}:latest", id="an id stays too"),
        pytest.param(f"a@{SHA}", f"docker.io/library/a@{SHA}", f"a@{SHA}", id="a digest, no tag"),
        pytest.param(f"a:b@{SHA}", f"docker.io/library/a:b@{SHA}", f"a:b@{SHA}", id="tag and digest"),
        pytest.param("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest", id="a user with a dot"),
        pytest.param("localhost/a", "localhost/a:latest", "localhost/a:latest", id="localhost"),
        pytest.param("host:5000/a", "host:5000/a:latest", "host:5000/a:latest", id="a port"),
        pytest.param("Host/a:B", "Host/a:B", "Host/a:B", id="an upper-case registry"),
        pytest.param("ghcr.io/a/b.c__d---e/f:_1", "ghcr.io/a/b.c__d---e/f:_1", "ghcr.io/a/b.c__d---e/f:_1", id="long"),
        pytest.param("[2001:db8::1]:5000/a", "[2001:db8::1]:5000/a:latest", "[2001:db8::1]:5000/a:latest", id="IPv6"),
        pytest.param("a:" + "b" * 128, "docker.io/library/a:" + "b" * 128, "a:" + "b" * 128, id="the longest tag"),
        pytest.param("h.io/" + "a" * 250, "h.io/" + "a" * 250 + ":latest", "h.io/" + "a" * 250 + ":latest", id="255"),
    ],
)
def test_a_reference_is_read_with_its_defaults_and_written_in_two_forms(text, canonical, familiar):
    reference = Reference.parse(text)

    assert str(reference) == canonical
    assert reference.familiar() == familiar
    assert Reference.parse(canonical) == Reference.parse(familiar) == reference


def test_the_parts_are_at_hand():
    reference = Reference.parse(f"quay.io/a/b:c@{SHA}")

    assert (reference.domain, reference.path, reference.tag, reference.digest) == (
        "quay.io",
        "a/b",
        "c",
        Digest.parse(SHA),
    )
    assert Reference(domain="quay.io", path="a/b", tag="c", digest=Digest.parse(SHA)) == reference


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it names no repository"),
        (":tag", "it names no repository"),
        (f"@{SHA}", "it names no repository"),
        (ID, "64 hexadecimal digits"),
        (f"{ID}:a", "64 hexadecimal digits"),
        ("Alpine", "the path must be"),
        ("a//b", "the path must be"),
        ("a/", "the path must be"),
        ("/a", "the path must be"),
        ("a..b", "the path must be"),
        ("a___b", "the path must be"),
        ("a._b", "the path must be"),
        ("-a", "the path must be"),
        ("a-", "the path must be"),
        ("host.io/", "the path must be"),
        ("a\n", "the path must be"),
        ("é", "the path must be"),
        ("-h.io/a", "the registry must be"),
        ("h-.io/a", "the registry must be"),
        ("h_i.o/a", "the registry must be"),
        ("h.io:x/a", "the registry must be"),
        ("h.io:/a", "the registry must be"),
        ("[::g]/a", "the registry must be"),
        ("h.io:٣/a", "the registry must be"),
        ("a:", "the tag must be"),
        ("a:-b", "the tag must be"),
        ("a:.b", "the tag must be"),
        ("a:b\n", "the tag must be"),
        ("a:" + "b" * 129, "the tag must be"),
        ("h.io/" + "a" * 251, "the name must not be longer than 255 characters"),
    ],
)
def test_text_that_is_not_a_reference_is_refused(text, reason):
    with pytest.raises(NameFormatError) as caught:
        Reference.parse(text)
    assert caught.value.what == "reference"
    assert caught.value.reason.startswith(reason)


@pytest.mark.parametrize("text", ["a@", "a@sha256:abc", f"a@{SHA}\n", f"a@{SHA}@{SHA}", "a@sha256:" + "A" * 64])
def test_a_digest_follows_its_own_grammar(text):
    with pytest.raises(NameFormatError) as caught:
        Reference.parse(text)
    assert caught.value.what == "digest"


hosts = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)?\.[a-z]{2,3}(:[0-9]{1,5})?", fullmatch=True)
words = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8})?", fullmatch=True)
paths = st.lists(words, min_size=1, max_size=3).map("/".join)
tags = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,9}", fullmatch=True)
digests = st.none() | st.just(Digest.parse(SHA))


@given(hosts | st.sampled_from(["docker.io", "localhost"]), paths, tags, digests)
def test_writing_and_reading_gives_the_same_reference(domain, path, tag, digest):
    if domain == "docker.io" and "/" not in path:
        path = f"library/{path}"
    if tag is None and digest is None:
        tag = "latest"
    reference = Reference(domain=domain, path=path, tag=tag, digest=digest)

    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar()) == reference


@given(st.text(alphabet="aA0.:/@_-[]é\n", max_size=20))
def test_any_text_is_a_reference_that_round_trips_or_an_error(text):
    try:
        reference = Reference.parse(text)
    except NameFormatError:
        return
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar()) == reference


@pytest.mark.parametrize("text", ["a", "latest", "v1.3.1+dev", "a/b", "A--2.C+9@e_3", "docker.io/library/a:b"])
def test_a_name_in_a_layout_follows_its_grammar(text):
    assert is_ref_name(text)


@pytest.mark.parametrize("text", ["", "/a", "a/", "a//b", "a..b", "a---b", "-a", "a+", "../x", "a\n", "a b", "é", "~"])
def test_a_name_that_does_not_is_told(text):
    assert not is_ref_name(text)
