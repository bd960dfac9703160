"""Known programs: each that is installed unpacks, and is what it is known to be."""

import pytest

from oci_layers.errors import MissingError
from oci_layers.testing.judge import PROFILES, Profile, Score, judge, profile
from oci_layers.testing.judge.program import Command
from tests.support.examples import examples

INSTALLED = [name for name, each in PROFILES.items() if not each.missing()]
PEERS = {"umoci": "umoci", "buildah": "buildah", "skopeo-overlay": "skopeo", "bsdtar": "bsdtar", "tar": "tar"}
NO_LAW = ("oci-layers", "overlay")


def marks(name):
    return [pytest.mark.root, *([pytest.mark.peer(PEERS[name])] if name in PEERS else [])]


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in PROFILES])
def test_a_known_program_unpacks_the_simplest_images(name):
    known = profile(name)
    judgement = judge(known.program, select=["basics/*"], examples=0, ignore=known.ignore)
    assert judgement.score("spec") == Score(2, 2)
    assert known.version_line()
    assert known.says


@pytest.mark.root
@pytest.mark.parametrize("name", NO_LAW)
def test_those_that_are_made_here_break_no_law(name):
    known = profile(name)
    judgement = judge(known.program, select=["whiteouts/of-*"], examples=examples(dev=2, ci=5))
    assert judgement.failures == []


@pytest.mark.root
@pytest.mark.peer("tar")
def test_tar_knows_no_whiteouts():
    judgement = judge(profile("tar").program, select=["whiteouts/of-a-file"], examples=0)
    (verdict,) = judgement.failures
    assert [actual for _, actual, _ in verdict.differences] == [
        "/.wh.x file 0000 0:0 0.000000000 text=",
        "/x file 0644 0:0 T text=new",
    ]


@pytest.mark.root
@pytest.mark.peer("umoci")
def test_umoci_keeps_to_what_the_spec_says_of_whiteouts_but_times():
    judgement = judge(profile("umoci").program, select=["whiteouts/*"], examples=0, ignore=["directory-mtime"])
    assert judgement.failures == []


def test_a_profile_that_is_not_there_is_missing():
    with pytest.raises(MissingError, match="no profile 'nothing'; there are oci-layers, umoci"):
        profile("nothing")


def test_a_program_that_is_not_installed_is_missing(monkeypatch):
    absent = Profile("absent", "it", Command(("no-such-program",)), ("no-such-program", "sh"))
    monkeypatch.setattr("oci_layers.testing.judge.profiles.PROFILES", {"absent": absent})
    assert absent.missing() == ["no-such-program"]
    with pytest.raises(MissingError, match="the profile absent needs no-such-program"):
        profile("absent")
    assert absent.version_line() == ""


def test_what_only_root_can_run_is_missing_for_others(monkeypatch):
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (1000, 1000))
    assert "root" in Profile("x", "it", Command(("sh",)), ("sh",), root=True).missing()
