"""Platforms: their text form, and the choice among the entries of an index (IDX-10..14, IDX-18)."""

import pytest

from oci_layers.errors import NameFormatError, ReferenceMissingError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import own_name, select


def entry(platform, *, media_type=OCI_MANIFEST, annotations=None, digest=None):
    """Return an index entry for `OS/ARCHITECTURE[/VARIANT]`, taken as it stands, or for a Platform or None."""
    if isinstance(platform, str):
        os, architecture, *variant = platform.split("/")
        platform = Platform(os=os, architecture=architecture, variant=variant[0] if variant else None)
    return Descriptor(
        media_type=media_type,
        digest=Digest.of((digest or str(platform)).encode()),
        size=1,
        platform=platform,
        annotations=annotations or {},
    )


@pytest.mark.parametrize(
    ("text", "platform", "shown"),
    [
        ("linux/amd64", Platform(os="linux", architecture="amd64"), "linux/amd64"),
        ("linux/arm64/v8", Platform(os="linux", architecture="arm64", variant="v8"), "linux/arm64/v8"),
        ("linux/arm64/8", Platform(os="linux", architecture="arm64", variant="v8"), "linux/arm64/v8"),
        ("Linux/X86_64", Platform(os="linux", architecture="amd64"), "linux/amd64"),
        ("linux/x86-64", Platform(os="linux", architecture="amd64"), "linux/amd64"),
        ("linux/i686", Platform(os="linux", architecture="386"), "linux/386"),
        ("linux/aarch64", Platform(os="linux", architecture="arm64"), "linux/arm64"),
        ("linux/armhf", Platform(os="linux", architecture="arm", variant="v7"), "linux/arm/v7"),
        ("linux/armel", Platform(os="linux", architecture="arm", variant="v6"), "linux/arm/v6"),
        ("linux/armhf/v6", Platform(os="linux", architecture="arm", variant="v6"), "linux/arm/v6"),
        ("linux/arm64/armv8", Platform(os="linux", architecture="arm64", variant="v8"), "linux/arm64/v8"),
        ("linux/aarch64/ARMv8.2-A", Platform(os="linux", architecture="arm64", variant="v8.2"), "linux/arm64/v8.2"),
        ("linux/arm64/armhf", Platform(os="linux", architecture="arm64", variant="armhf"), "linux/arm64/armhf"),
        ("linux/arm/armv7", Platform(os="linux", architecture="arm", variant="v7"), "linux/arm/v7"),
        ("linux/arm/armv7hl", Platform(os="linux", architecture="arm", variant="v7"), "linux/arm/v7"),
        ("linux/arm/armv6l", Platform(os="linux", architecture="arm", variant="v6"), "linux/arm/v6"),
        ("linux/arm/armhf", Platform(os="linux", architecture="arm", variant="v7"), "linux/arm/v7"),
        ("linux/arm/armel", Platform(os="linux", architecture="arm", variant="v6"), "linux/arm/v6"),
        ("linux/armv8l", Platform(os="linux", architecture="arm", variant="v8"), "linux/arm/v8"),
        ("linux/amd64/armv8", Platform(os="linux", architecture="amd64", variant="armv8"), "linux/amd64/armv8"),
        (
            "linux/ppc64el/power9",
            Platform(os="linux", architecture="ppc64le", variant="power9"),
            "linux/ppc64le/power9",
        ),
        ("macOS/arm64", Platform(os="darwin", architecture="arm64"), "darwin/arm64"),
        (
            "windows(10.0.17763)/amd64",
            Platform(os="windows", architecture="amd64", os_version="10.0.17763"),
            "windows(10.0.17763)/amd64",
        ),
    ],
)
def test_a_platform_is_read_in_the_names_of_go_and_shown_so_that_it_reads_the_same(text, platform, shown):
    assert Platform.parse(text) == platform
    assert str(platform) == shown
    assert Platform.parse(shown) == platform


@pytest.mark.parametrize(
    "text",
    ["", "linux", "linux/", "/amd64", "\0", "linux/\ud800", "a/b/c/d", "linux/amd64\n", "linux/é", "linux()/a"]
    + [f"windows({version})/amd64" for version in ("1\0", "1\n", "\ud800", "1 0", "é")],
)
def test_text_of_another_form_is_refused(text):
    with pytest.raises(NameFormatError) as caught:
        Platform.parse(text)
    assert (caught.value.what, caught.value.text) == ("platform", text)
    assert caught.value.reason == "must be OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT"


def test_a_platform_can_be_a_member_of_a_set():
    assert len({Platform.parse("linux/amd64"), Platform.parse("linux/x86_64")}) == 1


@pytest.mark.parametrize(
    ("offered", "wanted", "taken"),
    [
        pytest.param("linux/386 linux/amd64", "linux/amd64", 1, id="architecture"),
        pytest.param("windows/amd64 linux/amd64", "linux/amd64", 1, id="operating system"),
        pytest.param("linux/x86_64", "linux/amd64", 0, id="another name for the architecture"),
        pytest.param("LINUX/AMD64", "linux/amd64", 0, id="letter case"),
        pytest.param("linux/amd64 linux/amd64", "linux/amd64", 0, id="IDX-14 the first of equals"),
        pytest.param("linux/arm64/v8 linux/arm64", "linux/arm64", 0, id="IDX-14 the default variant equals none"),
        pytest.param("linux/arm64 linux/arm64/v8", "linux/arm64/v8", 0, id="IDX-14 none equals the default variant"),
        pytest.param("linux/arm64/armv8", "linux/arm64/v8", 0, id="armv8 is v8"),
        pytest.param("linux/arm/v6 linux/arm64/armv8", "linux/arm64/armv8", 1, id="armv8 is itself"),
        pytest.param("linux/arm64/v9 linux/arm64/v8", "linux/arm64/armv8", 1, id="armv8 is asked for, v8 is there"),
        pytest.param("linux/arm/v6 linux/arm/armv7l", "linux/armhf", 1, id="armv7l is v7"),
        pytest.param("linux/arm64/v8 linux/arm64/v8.0", "linux/arm64", 0, id="IDX-14 v8.0 is v8"),
        pytest.param("linux/arm64/v8.0 linux/arm64/v8", "linux/arm64/8", 0, id="IDX-14 v8 is v8.0"),
        pytest.param("linux/arm/v5 linux/arm/v6 linux/arm/v7", "linux/arm", 2, id="IDX-12 arm is v7"),
        pytest.param("linux/arm/v5 linux/arm/v6 linux/arm/v8", "linux/arm", 1, id="IDX-12 then lower ones descending"),
        pytest.param("linux/amd64/v3 linux/amd64/v2", "linux/amd64", 1, id="IDX-12 then higher ones ascending"),
        pytest.param("linux/amd64/strange", "linux/amd64", 0, id="IDX-12 any variant will do"),
        pytest.param("linux/amd64/strange linux/amd64/v4", "linux/amd64", 1, id="IDX-12 one not understood is last"),
        pytest.param("linux/s390x/z15 linux/s390x", "linux/s390x", 1, id="IDX-12 no default: none is best"),
        pytest.param("linux/arm/v8 linux/arm/v5 linux/arm/v6", "linux/arm/v7", 2, id="IDX-12 v7 takes v6"),
        pytest.param("linux/arm/v6 linux/arm/v7", "linux/armhf", 1, id="IDX-12 itself first"),
        pytest.param("linux/amd64 linux/amd64/v2 linux/amd64/v4", "linux/amd64/v3", 1, id="IDX-12 v3 takes v2"),
        pytest.param("linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64", "linux/arm64/v8.1", 1, id="IDX-12 v8.1"),
        pytest.param("linux/arm64/v8.6 linux/arm64/v8.5", "linux/arm64/v9", 1, id="IDX-12 v9.0 contains v8.5"),
        pytest.param(
            "linux/ppc64le linux/ppc64le/power9", "linux/ppc64le/power10", 1, id="IDX-12 power10 takes power9"
        ),
        pytest.param(
            "linux/riscv64 linux/riscv64/rva23u64", "linux/riscv64/rva22u64", 0, id="IDX-12 rva22 takes rva20"
        ),
        pytest.param("linux/amd64/x linux/amd64/y", "linux/amd64/y", 1, id="IDX-12 an unlisted one is itself"),
    ],
)
def test_the_best_variant_is_taken_and_of_equal_ones_the_first(offered, wanted, taken):
    entries = [entry(platform, digest=f"{number}") for number, platform in enumerate(offered.split())]

    assert select(entries, Platform.parse(wanted)) is entries[taken]


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        pytest.param("linux/arm/v7", "linux/arm/v6", id="a higher variant"),
        pytest.param("linux/arm", "linux/arm/v6", id="none, which is v7"),
        pytest.param("linux/arm64/v9", "linux/arm64/v8.6", id="v9 on v8.6"),
        pytest.param("linux/arm64/v8.6", "linux/arm64/v9", id="v8.6 on v9.0"),
        pytest.param("linux/amd64/x", "linux/amd64/v2", id="a variant that is not understood"),
        pytest.param("linux/ppc64le/power8", "linux/ppc64le/v9", id="a variant of another family"),
        pytest.param("linux/386", "linux/amd64", id="another architecture"),
        pytest.param("unknown/unknown", "unknown/unknown", id="IDX-18 attestation"),
    ],
)
def test_what_would_not_run_is_not_taken(offered, wanted):
    with pytest.raises(ReferenceMissingError) as caught:
        select([entry(offered)], Platform.parse(wanted))
    known = () if offered.startswith("unknown") else (offered,)
    assert (caught.value.name, caught.value.known, caught.value.what) == (wanted, known, "platform")


def test_the_error_lists_each_platform_once_in_order():
    entries = [entry("linux/arm/v7"), entry("windows/amd64"), entry("linux/arm/v7"), entry("unknown/unknown")]

    with pytest.raises(ReferenceMissingError) as caught:
        select(entries, Platform.parse("linux/s390x"))
    assert str(caught.value) == "no platform 'linux/s390x'; there are: linux/arm/v7, windows/amd64"


def test_an_attestation_is_passed_over_by_its_annotation():
    """IDX-18."""
    marked = entry("linux/amd64", annotations={"vnd.docker.reference.type": "attestation-manifest"})
    image = entry("linux/amd64", annotations={"vnd.docker.reference.type": "something else"})

    assert select([marked, image], Platform.parse("linux/amd64")) is image


def test_an_entry_without_a_platform_is_the_last_resort():
    unknown = entry(None, media_type="application/xml")
    first, second = entry(None, digest="1"), entry(None, digest="2", media_type=OCI_INDEX)
    other, right = entry("linux/386"), entry("linux/amd64")
    wanted = Platform.parse("linux/amd64")

    assert select([unknown, first, second, other, right], wanted) is right
    assert select([unknown, first, second, other], wanted) is first
    assert select([second, first], wanted) is second
    with pytest.raises(ReferenceMissingError) as caught:
        select([unknown], wanted)
    assert caught.value.known == ()


def windows(version, *features):
    return entry(
        Platform(os="windows", architecture="amd64", os_version=version, os_features=features), digest=version or "none"
    )


def test_a_wanted_version_is_matched_up_to_the_build():
    """IDX-10."""
    entries = [windows("10.0.14393.1"), windows(None), windows("10.0.17763.5"), windows("10.0.17763.9")]

    assert select(entries, Platform.parse("windows(10.0.17763.1234)/amd64")) is entries[3]
    assert select(entries, Platform.parse("windows(10.0.17763)/amd64")) is entries[3]
    assert select(entries, Platform.parse("windows(10.0.1776)/amd64")) is entries[1]
    assert select(entries, Platform.parse("windows/amd64")) is entries[0]


def test_needed_features_must_be_among_those_wanted_if_any_are():
    """IDX-11."""
    entries = [windows("1", "win32k", "other"), windows("1", "win32k"), windows("1")]
    win32k = Platform(os="windows", architecture="amd64", os_features=("win32k",))

    assert select(entries, win32k) is entries[1]
    assert select(entries[2:], win32k) is entries[2]
    assert select(entries, Platform.parse("windows/amd64")) is entries[0]


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        ({}, None),
        ({"org.opencontainers.image.ref.name": "1"}, "1"),
        (
            {"org.opencontainers.image.ref.name": "1", "io.containerd.image.name": "docker.io/library/app:1"},
            "docker.io/library/app:1",
        ),
    ],
)
def test_an_entry_has_the_full_name_that_containerd_writes_or_a_reference(annotations, name):
    assert own_name(entry("linux/amd64", annotations=annotations)) == name
