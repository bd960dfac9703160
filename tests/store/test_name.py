"""What image names mean: split at the first colon after the transport, as skopeo's users know them."""

import pytest

from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.spec.reference import Reference
from oci_layers.store import ImageName
from oci_layers.store.name import normalize_reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "transport", "place", "ref"),
    [
        ("oci:dir", "oci", "dir", None),
        ("oci:dir:tag", "oci", "dir", "tag"),
        ("oci:/a/b:registry.example/x:1", "oci", "/a/b", "registry.example/x:1"),
        ("oci:dir:sha256:aa", "oci", "dir", "sha256:aa"),
        ("oci-archive:x.tar:tag", "oci-archive", "x.tar", "tag"),
        ("docker-archive:x.tar", "docker-archive", "x.tar", None),
        ("docker-archive:x.tar:alpine:3.20", "docker-archive", "x.tar", "alpine:3.20"),
        ("docker-archive:x.tar:@1", "docker-archive", "x.tar", "@1"),
        ("dir", "", "dir", None),
        ("./oci:dir", "", "./oci:dir", None),
        ("/a/b:c", "", "/a/b:c", None),
        ("a.tar:c", "", "a.tar:c", None),
        ("n\u00e4h", "", "n\u00e4h", None),
    ],
)
def test_a_name_is_a_transport_a_place_and_a_reference_and_comes_back_as_text(text, transport, place, ref):
    name = ImageName.parse(text)
    assert name == ImageName(transport, place, ref)
    assert str(name) == text


@pytest.mark.parametrize(
    ("text", "transport", "place", "ref"),
    [
        (f"oci:dir@{DIGEST}", "oci", "dir", DIGEST),
        (f"oci:/a/b@c@{DIGEST}", "oci", "/a/b@c", DIGEST),
        (f"oci-archive:x.tar@{DIGEST}", "oci-archive", "x.tar", DIGEST),
        (f"oci:dir:{DIGEST}", "oci", "dir", DIGEST),
        (f"docker-archive:x.tar@{DIGEST}", "docker-archive", "x.tar@sha256", "0" * 64),
        ("oci:dir@v1:tag", "oci", "dir@v1", "tag"),
        ("oci:dir@sha256", "oci", "dir@sha256", None),
        (f"oci:@{DIGEST}", "oci", "@sha256", "0" * 64),
    ],
)
def test_an_image_of_a_layout_may_be_named_by_its_digest(text, transport, place, ref):
    name = ImageName.parse(text)
    assert name == ImageName(transport, place, ref)
    assert ImageName.parse(str(name)) == name


def test_a_digest_that_is_none_is_refused():
    with pytest.raises(NameFormatError) as raised:
        ImageName.parse("oci:dir@sha256:abc")
    assert (raised.value.what, raised.value.text) == ("digest", "sha256:abc")


@pytest.mark.parametrize(
    ("text", "what", "wrong", "reason"),
    [
        ("a\0b", "image name", "a\0b", "it has a NUL byte"),
        ("oci:a\0b:t", "image name", "a\0b", "it has a NUL byte"),
        ("oci:a:t\0", "reference", "t\0", "it has a NUL byte"),
        ("a\ud800", "image name", "a\ud800", "it is not valid Unicode"),
        ("docker-archive:a:\udfff", "reference", "\udfff", "it is not valid Unicode"),
    ],
)
def test_what_no_path_and_no_reference_can_be_is_refused(text, what, wrong, reason):
    with pytest.raises(NameFormatError) as raised:
        ImageName.parse(text)
    assert (raised.value.what, raised.value.text, raised.value.reason) == (what, wrong, reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("oci:", "it names no file or directory"),
        ("oci::tag", "it names no file or directory"),
        ("oci:dir:", "the reference after the last colon is empty"),
    ],
)
def test_a_name_of_nothing_is_refused(text, reason):
    with pytest.raises(NameFormatError) as raised:
        ImageName.parse(text)
    assert (raised.value.what, raised.value.text, raised.value.reason) == ("image name", text, reason)


@pytest.mark.parametrize("text", ["dockre:x", "alpine:3.20"])
def test_a_transport_that_nobody_knows_is_refused_with_those_there_are(text):
    with pytest.raises(UnsupportedError) as raised:
        ImageName.parse(text)
    assert (raised.value.what, raised.value.value) == ("transport", text.partition(":")[0])
    assert "oci, oci-archive, docker-archive" in raised.value.hint
    assert f"./{text}" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "place", "ref", "reference"),
    [
        ("docker://alpine", "//alpine", None, "docker.io/library/alpine:latest"),
        ("docker://alpine:3", "//alpine", "3", "docker.io/library/alpine:3"),
        ("docker://localhost:5000/a/b", "//localhost:5000/a/b", None, "localhost:5000/a/b:latest"),
        ("docker://[::1]:5000/a:x", "//[::1]:5000/a", "x", "[::1]:5000/a:x"),
        (f"docker://ghcr.io/a@{DIGEST}", "//ghcr.io/a", DIGEST, f"ghcr.io/a@{DIGEST}"),
    ],
)
def test_an_image_in_a_registry_is_named_as_docker_names_it(text, place, ref, reference):
    name = ImageName.parse(text)
    assert name == ImageName("docker", place, ref)
    assert str(name) == text
    assert str(Reference.parse(text.removeprefix("docker://"))) == reference
    assert name.repository == place[2:]


def test_of_a_tag_and_a_digest_the_digest_counts():
    assert ImageName.parse(f"docker://a:3@{DIGEST}") == ImageName("docker", "//a", DIGEST)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("docker:alpine", "write docker://alpine"),
        ("docker:/alpine", "write docker:///alpine"),
        ("docker://", "it names no repository"),
        ("docker://A", "lower-case"),
        ("docker://a:", "tag"),
        ("docker://a:b c", "tag"),
        ("docker://a@sha256:0", "sha256 takes 64"),
        ("docker://user@host/a", "digest"),
        ("docker://" + "a" * 64, "an image's id"),
        ("docker://https://host/a", "host name"),
    ],
)
def test_a_name_that_is_none_in_a_registry_says_why(text, reason):
    with pytest.raises(NameFormatError, match=reason):
        ImageName.parse(text)


@pytest.mark.parametrize("text", ["docker-daemon:alpine:3", "containers-storage:x", "dir:x", "ostree:x", "sif:x"])
def test_a_transport_of_other_programs_is_refused_with_what_brings_the_image_here(text):
    with pytest.raises(UnsupportedError) as raised:
        ImageName.parse(text)
    assert (raised.value.what, raised.value.value) == ("transport", text.partition(":")[0])
    assert raised.value.hint.endswith(f" not read; copy the image first: skopeo copy {text} oci:DIR")


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3", "docker.io/library/alpine:3"),
        ("library/alpine", "docker.io/library/alpine:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("docker.io/library/alpine:latest", "docker.io/library/alpine:latest"),
        ("index.docker.io/alpine:3", "docker.io/library/alpine:3"),
        ("me/app", "docker.io/me/app:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("registry.example/a/b:c", "registry.example/a/b:c"),
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}"),
        (f"alpine:3@{DIGEST}", f"docker.io/library/alpine:3@{DIGEST}"),
        ("no name: at all", "no name: at all"),
    ],
)
def test_dockers_defaults_are_written_out(name, normal):
    assert normalize_reference(name) == normal
    assert normalize_reference(normal) == normal
