import attrs
import pytest

from oci_layers.errors import ReferenceMissingError
from oci_layers.spec import Descriptor, Platform
from oci_layers.spec.mediatype import OCI_MANIFEST
from oci_layers.spec.platform_selection import select
from oci_layers.spec.windows_version import runs_on, version_numbers

IMAGES = (14393, 17763, 19041, 20348, 22621, 25398, 26100, 26200)
RUNS = {
    14393: {14393},
    17763: {17763},
    19041: {19041},
    20348: {20348},
    22621: {20348, 22621},
    25398: {20348, 22621, 25398},
    26100: {20348, 22621, 25398, 26100},
    26200: {20348, 22621, 25398, 26100, 26200},
}


@pytest.mark.parametrize("host", RUNS)
def test_a_host_runs_its_own_build_and_from_server_2022_on_those_before_it(host):
    for revisions in ((".5", ".5"), (".5", ""), ("", ".5")):
        assert {each for each in IMAGES if runs_on(f"10.0.{each}{revisions[0]}", f"10.0.{host}{revisions[1]}")} == RUNS[
            host
        ]


def test_a_revision_decides_only_before_server_2019():
    assert not runs_on("10.0.14393.5", "10.0.14393.6")
    assert not runs_on("10.0.17134.5", "10.0.17134.6")
    assert runs_on("10.0.17763.5", "10.0.17763.6")
    assert runs_on("10.0.20348.999", "10.0.20348.1")


@pytest.mark.parametrize(
    ("image", "host", "runs"),
    [
        (None, "10.0.17763", True),
        ("", "10.0.17763", True),
        ("6.3.20348.1", "10.0.20348.1", False),
        ("10.1.20348.1", "10.0.20348.1", False),
        ("ltsc2022", "ltsc2022", True),
        ("ltsc2022", "10.0.20348.1", False),
        ("10.0.20348", "ltsc2022", False),
    ],
)
def test_versions_of_another_form_are_compared_as_text(image, host, runs):
    assert runs_on(image, host) == runs


def test_a_version_has_three_or_four_numbers():
    assert version_numbers("10.0.20348.1006") == (10, 0, 20348, 1006)
    assert version_numbers("10.0.20348") == (10, 0, 20348)
    for text in ("", "10.0", "10.0.1.2.3", "10.0.x", "10.0.-1", "10.0.1\n", "1" * 10 + ".0.0"):
        assert version_numbers(text) is None


def entry(version, os="windows"):
    platform = Platform(os=os, architecture="amd64", os_version=version)
    return attrs.evolve(Descriptor.of(str(version).encode(), media_type=OCI_MANIFEST), platform=platform)


def chosen(host, *versions, os="windows"):
    wanted = Platform.parse(f"{os}({host})/amd64")
    return select([entry(version, os) for version in versions], wanted).platform.os_version


def test_the_latest_image_that_runs_on_the_host_is_chosen():
    many = [f"10.0.{build}.1" for build in IMAGES]
    assert [chosen(f"10.0.{host}.1", *many) for host in RUNS] == [f"10.0.{host}.1" for host in RUNS]
    assert chosen("10.0.26100.1", "10.0.20348.7", "10.0.25398.3", "10.0.26200.1") == "10.0.25398.3"
    assert chosen("10.0.20348.1", "10.0.20348.999", "10.0.20348.1006", "10.0.20348.2") == "10.0.20348.1006"
    assert chosen("10.0.20348.1", "10.0.17763.1", None) is None
    assert chosen("10.0.20348.1", None, "10.0.20348.1") == "10.0.20348.1"
    with pytest.raises(ReferenceMissingError):
        chosen("10.0.17763.1", *(each for each in many if "17763" not in each))


def test_other_systems_take_their_own_build_alone():
    assert chosen("10.0.26100", None, "10.0.26100.5", os="linux") == "10.0.26100.5"
    with pytest.raises(ReferenceMissingError):
        chosen("10.0.26100", "10.0.20348", os="linux")
