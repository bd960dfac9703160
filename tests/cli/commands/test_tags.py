"""`tags`: the tags of a repository, one a line."""

import json


def test_tags_are_listed(run, registry):
    registry.repository("a/b").tags["latest"] = "sha256:x"
    ran = run("tags", "docker://registry.example/a/b")
    assert (ran.code, ran.out, ran.err) == (0, "latest\nv1\n", "")
    assert json.loads(run("tags", "docker://registry.example/a/b", "--format", "json").out) == ["latest", "v1"]


def test_what_is_no_repository_is_refused(run, registry):
    ran = run("tags", "docker://registry.example/a/b:v1")
    assert (ran.code, ran.out) == (2, "")
    assert "expected a repository, without a tag or digest" in ran.err
    ran = run("tags", "oci:tests/data/image")
    assert (ran.code, ran.out) == (2, "")
    assert "expected docker://HOST/REPOSITORY" in ran.err
    ran = run("tags", "docker://registry.example/none")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "oci-layers: error: docker://registry.example/none: there is no such repository, or it is not shown to you\n"
    )
