"""`delete`: images in a registry, by digest alone."""

import json


def test_an_image_is_deleted(run, registry):
    mine = registry.repository("a/b")
    name = f"docker://registry.example/a/b@{mine.tags['v1']}"
    ran = run("delete", name)
    assert (ran.code, ran.out, ran.err) == (0, f"{name}  deleted\n", "")
    assert (mine.tags, mine.manifests) == ({}, {})
    ran = run("delete", name)
    assert (ran.code, ran.out) == (3, "")


def test_json_lists_what_was_deleted(run, registry):
    digest = registry.repository("a/b").tags["v1"]
    name = f"docker://registry.example/a/b@{digest}"
    assert json.loads(run("delete", name, "--format", "json").out) == [{"image": name, "digest": digest}]


def test_a_tag_is_not_a_digest(run, registry):
    for name in ("docker://registry.example/a/b:v1", "docker://registry.example/a/b"):
        ran = run("delete", name)
        assert (ran.code, ran.out) == (2, "")
        assert "expected a digest, as all tags of an image go with it; `untag` removes one tag" in ran.err
    assert registry.repository("a/b").tags


def test_a_registry_that_deletes_nothing_says_so(run, registry):
    registry.switches.delete = False
    ran = run("delete", f"docker://registry.example/a/b@{registry.repository('a/b').tags['v1']}")
    assert (ran.code, ran.out) == (1, "")
    assert "the registry deletes nothing, as it is configured: " in ran.err
    assert ran.err.count("\n") == 1
