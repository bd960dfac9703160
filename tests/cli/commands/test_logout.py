"""`logout`: what is forgotten."""

import json

import pytest

from oci_layers.registry import Credential, logins, store_credential


@pytest.fixture
def kept(tmp_path):
    """A file with three credentials."""
    place = str(tmp_path / "auth.json")
    for name in ("r.example:5000", "r.example:5000/a", "docker.io"):
        store_credential(name, Credential(username="ann", password="p"), environ={}, authfile=place)
    return place


def test_one_registry_is_forgotten(run, kept):
    ran = run("logout", "r.example:5000", "--authfile", kept)
    assert (ran.code, ran.out, ran.err) == (0, "r.example:5000: logged out\n", "")
    assert list(logins(environ={}, authfile=kept)) == ["r.example:5000/a", "docker.io"]
    ran = run("logout", "r.example:5000", "--authfile", kept)
    assert (ran.code, ran.out, ran.err) == (3, "", "oci-layers: error: r.example:5000: not logged in\n")


def test_all_are_forgotten(run, kept):
    ran = run("logout", "--all", "--authfile", kept, "--format", "json")
    assert json.loads(ran.out) == [{"registry": name} for name in ("r.example:5000", "r.example:5000/a", "docker.io")]
    assert logins(environ={}, authfile=kept) == {}
    assert run("logout", "--all", "--authfile", kept).code == 0


@pytest.mark.parametrize("arguments", [[], ["--all", "r.example"]])
def test_one_registry_or_all_are_named(run, arguments):
    ran = run("logout", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("error: expected REGISTRY, or --all\n")
