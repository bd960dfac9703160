"""`tag`: further names for an image, and other names."""

import json

import pytest


def test_an_image_gets_further_names(run, store):
    low, high, unnamed = map(store.digest, ("low", "high", None))
    ran = run("tag", f"oci:{store.directory}:low", "v1", "latest")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [f"v1      {low}", f"latest  {low}"]
    assert store.names() == [("low", low), ("high", high), (None, unnamed), ("v1", low), ("latest", low)]


def test_an_image_that_has_the_name_loses_it_and_is_shown(run, store):
    low, high, unnamed = map(store.digest, ("low", "high", None))
    ran = run("tag", store.directory, "high", "--ref", "low")
    assert (ran.code, ran.out) == (0, f"high  {low}  (was {high})\n")
    assert store.names() == [("low", low), ("high", low), (None, unnamed)]


def test_an_image_without_a_name_gets_one_by_its_digest(run, store):
    ran = run("tag", f"oci:{store.directory}@{store.digest(None)}", "third")
    assert ran.code == 0
    assert store.names()[2:] == [("third", store.digest(None))]


def test_rename_takes_the_old_name_away(run, store):
    ran = run("tag", "--rename", f"oci:{store.directory}:low", "base")
    assert (ran.code, ran.out) == (0, f"base  {store.digest('low')}\n")
    assert [name for name, _ in store.names()] == ["base", "high", None]
    ran = run("tag", "--rename", f"oci:{store.directory}:base", "a", "b")
    assert ran.code == 2
    assert ran.err.endswith("error: --rename expects one NEW\n")


def test_json_has_stable_keys(run, store):
    ran = run("tag", f"oci:{store.directory}:low", "high", "--format", "json")
    assert json.loads(ran.out) == {
        "layout": f"oci:{store.directory}:low",
        "tagged": [{"ref": "high", "digests": [store.digest("low")], "replaced": [store.digest("high")]}],
    }


@pytest.mark.parametrize(
    ("name", "new", "code", "line"),
    [
        ("{}", "x", 3, "{}: there are several images, name one; there are: low, high, {unnamed}"),
        ("oci:{}:none", "x", 3, "{}: no image 'none'; there are: low, high, {unnamed}"),
        ("oci:{}:low", "a\n", 2, "{}: reference 'a\\x0a': it has a control character"),
        ("oci:{}:low", "sha256:a", 2, "{}: reference 'sha256:a': it looks like a digest"),
        ("oci:{}:low", "oci:a:b", 2, "new name 'oci:a:b': expected the reference alone, without the layout"),
        ("{}/index.json", "x", 2, "layout '{}/index.json': it is a file; copy an archive to a directory first"),
        ("oci-archive:{}:low", "x", 2, "layout 'oci-archive:{}:low': it is an archive; copy it to a directory first"),
    ],
)
def test_errors_are_one_line_and_nothing_changes(run, store, name, new, code, line):
    before = (store.directory / "index.json").read_bytes()
    ran = run("tag", name.format(store.directory), new)
    line = line.format(store.directory, unnamed=store.digest(None))
    assert (ran.code, ran.out, ran.err) == (code, "", f"oci-layers: error: {line}\n")
    assert (store.directory / "index.json").read_bytes() == before
