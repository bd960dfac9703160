"""Names that users write or documents hold. Law: what is accepted is shown as text that is read as the same value."""

from oci_layers.errors import UnsupportedError
from oci_layers.layer.whiteout import aufs_artifact, check_name, is_marker, marker_name, parse_whiteout
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import check_media_type, lookup, role_of
from oci_layers.spec.platform import Platform, normalize
from oci_layers.spec.reference import Reference, is_ref_name
from oci_layers.store.name import ImageName, normalize_reference
from oci_layers.store.name import check_name as check_ref
from oci_layers.testing.strategies import digests, paths
from oci_layers.tree.path import clean, join, parent_and_name
from tests.fuzz.target import Target, drawn, refusals
from tests.validation.rule_cases import GOOD_TYPES


def text(data):
    """What Python makes of an argument or of a name on disk."""
    return data.decode("utf-8", "surrogateescape")


def read_digest(data):
    with refusals():
        digest = Digest.parse(text(data))
        assert str(digest).encode() == data
        assert f"{digest.algorithm}:{digest.encoded}" == str(digest)
        try:
            hasher = digest.hasher()
        except UnsupportedError:
            return True
        # A digest of an algorithm that can be computed is the name of a file.
        assert len(digest.encoded) == len(hasher.hexdigest())
        assert not set(digest.encoded) - set("0123456789abcdef")
        return True
    return False


def read_reference(data):
    name = text(data)
    is_ref_name(name)
    assert normalize_reference(normalize_reference(name)) == normalize_reference(name)
    with refusals():
        reference = Reference.parse(name)
        assert Reference.parse(str(reference)) == reference
        assert Reference.parse(reference.familiar()) == reference
        return True
    return False


def read_platform(data):
    with refusals():
        platform = Platform.parse(text(data))
        assert Platform.parse(str(platform)) == platform
        parts = platform.os, platform.architecture, platform.variant or ""
        assert normalize(*parts) == parts
        return True
    return False


def read_media_type(data):
    name = text(data)
    assert (lookup(name) is not None) == bool(role_of(name))
    with refusals():
        check_media_type(name)
        assert name.isascii()
        assert name.isprintable()
        return True
    return False


def read_image_name(data):
    name = text(data)
    with refusals():
        check_ref(name)
    with refusals():
        found = ImageName.parse(name)
        assert ImageName.parse(str(found)) == found
        return True
    return False


def read_whiteout(data):
    with refusals():
        path = clean(data)
        assert clean(path) == path
        assert join(*parent_and_name(path)) == path
        aufs_artifact(path)
        marker = parse_whiteout(path)
        assert (marker is not None) == is_marker(path)
        if marker is None:
            check_name(path)
        elif aufs_artifact(path) is None:
            assert marker_name(marker) == path
        return True
    return False


DIGESTS = ["sha512:" + 128 * "0", "blake3:" + 64 * "f", "sha384:" + 96 * "1", "sha256+b64u.x-y:a=_-"]
PREFIXES = ["", "alpine", "localhost/a", "a.b:5000/c/d", "[::1]:5000/x", "docker.io/library/a-b__c", "INDEX.x/y"]
SUFFIXES = ["", ":1", ":latest", "@sha256:" + 64 * "a", ":t@sha512:" + 128 * "0"]
PLATFORMS = ["linux/amd64", "linux/arm64/v8", "windows(10.0.1)/amd64", "macos/aarch64", "linux/armhf", "a/arm/armv7l"]
PLACES = ["oci:a", "oci:a:b", "oci:/a/b@sha256:" + 64 * "0", "oci-archive:-", "docker-archive:f:n:t", "a/b:c", "./-"]
MARKERS = ["", ".wh..wh..opq", ".wh..wh.plnk", ".wh.a", "a/.wh.b", ".wh..wh.a", "./a//b/", "a/../b", "/a", "..a/b."]

TARGETS = [
    Target(
        "digest",
        read_digest,
        lambda: [*drawn(digests(unknown=True).map(lambda digest: str(digest).encode()), 10), *map(str.encode, DIGESTS)],
        (b"sha256", b"sha512", b"blake3", b"sha384", b"+b64", b"/../", b"\n"),
        300,
    ),
    Target(
        "reference",
        read_reference,
        lambda: [(prefix + suffix).encode() for prefix in PREFIXES for suffix in SUFFIXES],
        (b"docker.io", b"index.docker.io", b"library/", b"localhost", b"latest", b"@sha256:", b"__", b"[::1]", b"\n"),
        400,
    ),
    Target(
        "platform",
        read_platform,
        lambda: map(str.encode, PLATFORMS),
        (b"linux", b"windows", b"x86_64", b"armhf", b"armel", b"arm64", b"armv7hl", b"(10.0)", b"/v8", b"armv8.2-a"),
        100,
    ),
    Target("media-type", read_media_type, lambda: map(str.encode, GOOD_TYPES), (b"application/", b"+json", b";"), 300),
    Target(
        "image-name",
        read_image_name,
        lambda: map(str.encode, PLACES),
        (b"oci:", b"oci-archive:", b"docker-archive:", b"docker://", b"@sha256:", b"@", b"dir:", b"\0"),
        300,
    ),
    Target(
        "whiteout",
        read_whiteout,
        lambda: [*map(str.encode, MARKERS), *drawn(paths(hostile=True), 10)],
        (b".wh.", b".wh..wh..opq", b".wh..wh.", b"../", b"./", b"//", b"plnk"),
        600,
    ),
]
