"""IMAGE and what goes with it: references, platforms, limits, policies; the same for every verb."""

import json

import pytest

from tests.support import docker
from tests.support.layers import Built, d, f, image, sym, tar

VERBS = {
    "ls": [],
    "tree": [],
    "cat": ["a"],
    "inspect": [],
    "unpack": ["DEST"],
    "layers": [],
    "why": ["a"],
    "export": [],
}
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
    there_are = "there are oci, oci-archive, docker-archive, docker"
    instead = "for a path with a colon write ./image:tag, for REF use --ref"
    assert ran.err == f"oci-layers: error: unsupported transport: image ({there_are}; {instead})\n"
    assert ran.code == 1


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("docker:alpine", 2, "image name 'docker:alpine': write docker://alpine"),
        (
            "docker://Alpine",
            2,
            (
                "reference 'docker.io/library/Alpine:latest': the path must be of lower-case letters and digits, with "
                "single separators between them"
            ),
        ),
        ("a\0b", 2, "image name 'a\\x00b': it has a NUL byte"),
        ("oci:x@sha256:0", 2, "digest 'sha256:0': sha256 takes 64 lowercase hex digits"),
    ],
)
@pytest.mark.parametrize("verb", ["ls", "validate", "lint"])
def test_a_name_that_is_none_is_one_line(run, verb, name, code, line):
    ran = run(verb, name)
    assert (ran.code, ran.out, ran.err) == (code, "", f"oci-layers: error: {line}\n")


def test_an_image_is_named_by_its_digest(run, two, tmp_path):
    index = json.loads((tmp_path / "two" / "index.json").read_text())
    for entry in index["manifests"]:
        assert f"digest      {entry['digest']}" in run("inspect", f"oci:{two}@{entry['digest']}").out


def test_a_platform_that_is_not_there_is_not_found_and_those_that_are_are_listed(run, two, tmp_path):
    index = json.loads((tmp_path / "two" / "index.json").read_text())
    for entry, architecture in zip(index["manifests"], ("amd64", "arm64"), strict=True):
        entry["platform"] = {"os": "linux", "architecture": architecture}
        del entry["annotations"]
    (tmp_path / "two" / "index.json").write_text(json.dumps(index))
    gone = index["manifests"][0]["digest"]
    (tmp_path / "two" / "blobs" / gone.replace(":", "/")).unlink()
    ran = run("ls", two, "--platform", "linux/amd64")
    line = f"{two}: the index lists {gone}, which is not there: no platform 'linux/amd64'; there are: linux/arm64"
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {line}\n")
    assert run("ls", two, "--platform", "linux/arm64").out == "a\n"
    assert run("validate", two).code == 0


def test_blobs_that_are_links_are_followed_where_it_is_asked_for(run, tmp_path):
    real = image(tmp_path / "real", LAYER)
    (tmp_path / "linked").mkdir()
    for name in ("oci-layout", "index.json", "blobs"):
        (tmp_path / "linked" / name).symlink_to(f"{real}/{name}")
    linked = tmp_path / "linked"
    for verb, option in (
        ("ls", "--policy"),
        ("tree", "--policy"),
        ("inspect", "--policy"),
        ("validate", "--profile"),
        ("lint", "--profile"),
    ):
        ran = run(verb, linked)
        assert ran.code == 1
        assert "oci-layout is not a regular file, or is reached through a link; links are followed with" in ran.err
        assert f"{option} lenient" in ran.err
        assert run(verb, linked, option, "lenient").code == 0
    assert run("cat", linked, "a", "--policy", "lenient").out == "content"
    assert run("unpack", linked, tmp_path / "out", "--policy", "lenient").code == 0


def test_the_name_of_an_entry_is_escaped_once(run, tmp_path):
    name = image(tmp_path / "i", tar(sym("a\x1b[31mb\\c", "x" * 3000)))
    ran = run("unpack", name, tmp_path / "out", "--limit", "path_bytes=2000")
    assert r": at the entry a\x1b[31mb\x5cc" in ran.err


def test_limits_are_those_of_an_archive_too(run, tmp_path):
    file = docker.archive(tmp_path / "a.tar", docker.classic(LAYER))
    ran = run("ls", file, "--limit", "entries=2")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"oci-layers: error: {file}: at the entry ")
    assert ran.err.endswith(": limit entries is 2, the input has 3 or more (to raise it: --limit entries=NUMBER)\n")


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
