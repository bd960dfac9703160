"""IMAGE and what goes with it: references, platforms, limits, policies; the same for every verb."""

import json

import pytest

from tests.support.layers import Built, d, f, image, sym, tar

VERBS = {"ls": [], "tree": [], "cat": ["a"], "inspect": [], "unpack": ["DEST"]}
LAYER = tar(f("a", "content"))


@pytest.fixture
def two(tmp_path):
    """Two images, `x` for amd64 and `y` for arm64, in one layout."""
    built = Built.of(tmp_path / "two", LAYER, ref="x")
    directory = built.write()
    index = json.loads((tmp_path / "two" / "index.json").read_text())
    other = Built.of(tmp_path / "two", LAYER, ref="y")
    other.config["architecture"] = "arm64"
    other.write()
    index["manifests"] += json.loads((tmp_path / "two" / "index.json").read_text())["manifests"]
    (tmp_path / "two" / "index.json").write_text(json.dumps(index))
    return directory


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_a_reference_and_a_platform_and_limits(run, two, tmp_path, verb):
    rest = [tmp_path / "out" if each == "DEST" else each for each in VERBS[verb]]
    assert run(verb, f"oci:{two}:x", *rest).code == 0
    ran = run(verb, two, *rest)
    known = "there are several images, name one; there are: x, y"
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {two}: {known}\n")
    ran = run(verb, two, *rest, "--ref", "z")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {two}: no image 'z'; there are: x, y\n")
    ran = run(verb, two, *rest, "--ref", "y", "--platform", "linux/amd64")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {two}: no platform 'linux/amd64'; there are: linux/arm64\n")
    ran = run(verb, two, *rest, "--ref", "y", "--limit", "document_bytes=5")
    assert ran.code == 1
    assert ran.err.endswith("(to raise it: --limit document_bytes=NUMBER)\n")


def test_the_reference_of_the_option_is_that_of_the_name(run, two):
    assert run("ls", two, "--ref", "x").out == "a\n"
    ran = run("ls", f"oci:{two}:x", "--ref", "y")
    assert (ran.code, ran.err) == (2, "oci-layers: error: reference 'y': the image name has another one, x\n")


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("plain=1", "there are document_bytes, "),
        ("entries", "expected NAME=NUMBER"),
        ("entries=", "expected NAME=NUMBER"),
        ("entries=-1", "expected NAME=NUMBER"),
        ("entries=1e3", "expected NAME=NUMBER"),
        ("entries=\u00b2", "expected NAME=NUMBER"),
        ("entries=" + "9" * 30, "expected NAME=NUMBER"),
    ],
)
def test_a_limit_that_is_none_is_a_usage_error(run, two, limit, reason):
    ran = run("ls", two, "--limit", limit)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"oci-layers: error: limit {limit!r}: {reason}")


def test_limits_are_held(run, tmp_path):
    directory = image(tmp_path, LAYER, tar(f("b")))
    assert run("ls", directory, "--limit", "entries=2", "--limit", "plain_bytes=100000").out == "a\nb\n"
    ran = run("ls", directory, "--limit", "entries=1")
    assert ran.code == 1
    assert ran.err.endswith(": limit entries is 1, the input has 2 or more (to raise it: --limit entries=NUMBER)\n")


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("", 2, "image name '': it is empty"),
        ("oci:", 2, "image name 'oci:': it names no file or directory"),
        ("oci:none", 3, "none: no such directory"),
        ("none", 3, "none: no such file or directory"),
        ("no\x1b[2Jne", 3, "no\\x1b[2Jne: no such file or directory"),
        ("oci-archive:none", 3, "none: no such file or directory"),
    ],
)
def test_an_image_that_is_not_there_is_one_line(run, tmp_path, monkeypatch, name, code, line):
    monkeypatch.chdir(tmp_path)
    ran = run("ls", name)
    assert (ran.code, ran.out, ran.err) == (code, "", f"oci-layers: error: {line}\n")


def test_a_transport_that_nobody_knows_says_what_to_write_instead(run):
    ran = run("ls", "image:tag")
    there_are = "there are oci, oci-archive, docker-archive"
    instead = "for a path with a colon write ./image:tag, for REF use --ref"
    assert ran.err == f"oci-layers: error: unsupported transport: image ({there_are}; {instead})\n"
    assert ran.code == 1


def test_policies_are_presets_and_the_parents_on_their_own(run, tmp_path):
    linked = image(tmp_path / "linked", tar(d("real/"), sym("link", "real")), tar(f("link/x", "x")))
    assert run("ls", "-R", linked).out.split() == ["/link", "/real", "/real/x"]
    assert run("ls", "-R", linked, "--parents", "replace").out.split() == ["/link", "/link/x", "/real"]
    climbing = image(tmp_path / "climbing", tar(f("../x", "x")))
    assert run("ls", climbing).code == 1
    assert run("ls", climbing, "--policy", "lenient").out == "x\n"
    twice = image(tmp_path / "twice", tar(f("x", "1"), f("x", "2")))
    assert run("cat", twice, "x").out == "2"
    ran = run("cat", twice, "x", "--policy", "strict")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith(": x: the layer has this name twice (LYR-02)\n")
