"""Programs that keep credentials: what they give, and each way in which they fail."""

import time

import pytest

from oci_layers.errors import NameFormatError, RegistryError
from oci_layers.registry.credential_helpers import Helper
from oci_layers.registry.credentials import Credential
from tests.support.credential_helper import CredentialHelper, script

ANN = Credential(username="ann", password="s3cret \u00e4\n")


def failing(directory, body, **options):
    """Return a helper that runs these commands of a shell."""
    return Helper("test", script(directory, "test", f"#!/bin/sh\n{body}\n"), **options)


def test_what_is_stored_is_given_until_it_is_erased(tmp_path):
    program = CredentialHelper(tmp_path)
    helper = Helper("test", program.environ)
    assert helper.get("r.example:5000") is None
    helper.store("r.example:5000", ANN)
    assert helper.get("r.example:5000") == ANN
    helper.erase("r.example:5000")
    helper.erase("r.example:5000")
    assert helper.get("r.example:5000") is None


def test_docker_hub_has_the_name_that_docker_gives_it(tmp_path):
    program = CredentialHelper(tmp_path)
    helper = Helper("test", program.environ)
    helper.store("docker.io", ANN)
    assert list(program.known) == ["https://index.docker.io/v1/"]
    assert helper.get("index.docker.io") == ANN


def test_a_user_of_that_name_is_an_identity_token(tmp_path):
    program = CredentialHelper(tmp_path)
    helper = Helper("test", program.environ)
    helper.store("r.example", Credential(identity_token="t"))
    assert program.known == {"r.example": ["<token>", "t"]}
    assert helper.get("r.example") == Credential(identity_token="t")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "a;b", "a\\b", "\u00e4", "a\n"])
def test_a_name_cannot_lead_elsewhere(name):
    with pytest.raises(NameFormatError):
        Helper(name, {})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo no credentials server URL; exit 1", "ended with 1: no credentials server URL"),
        ("echo no credentials username; exit 1", "ended with 1: no credentials username"),
        ("echo 'the ring is locked\x1b[2J'; echo more; exit 2", "ended with 2: the ring is locked\\x1b[2J"),
        ("echo s3cret >&2; exit 3", "ended with 3"),
        ("kill -KILL $$", "ended with -9"),
        ("echo s3cret", "its answer is not a JSON object with Username and Secret"),
        ("echo '[\"s3cret\"]'", "its answer is not a JSON object with Username and Secret"),
        ('echo \'{"Username": "s3cret"}\'', "its answer is not a JSON object with Username and Secret"),
        ('echo \'{"Username": "a", "Secret": 5}\'', "its answer is not a JSON object with Username and Secret"),
        ("head -c 3000000 /dev/zero", "its answer is not a JSON object with Username and Secret"),
        ("exit 0", "its answer is not a JSON object with Username and Secret"),
    ],
)
def test_a_failure_says_why_and_no_secret(tmp_path, body, reason):
    with pytest.raises(RegistryError) as caught:
        failing(tmp_path, body).get("r.example")
    assert str(caught.value) == f"docker-credential-test get: {reason}"
    assert "s3cret" not in str(caught.value)


def test_the_text_that_says_that_there_is_none_is_compared_without_blanks(tmp_path):
    helper = failing(tmp_path, "echo; echo '  credentials not found in native keychain  '; exit 1")
    assert helper.get("r.example") is None


def test_a_secret_that_a_program_repeats_is_not_shown(tmp_path):
    with pytest.raises(RegistryError) as caught:
        failing(tmp_path, "cat; exit 1").store("r.example", ANN)
    assert str(caught.value) == "docker-credential-test store: ended with 1"


def test_a_program_that_is_missing_or_cannot_be_run_is_an_error(tmp_path):
    with pytest.raises(RegistryError, match="docker-credential-none get: there is no such program in PATH"):
        Helper("none", {"PATH": str(tmp_path)}).get("r.example")
    helper = Helper("test", script(tmp_path, "test", "no program"))
    with pytest.raises(RegistryError, match="docker-credential-test erase: Exec format error"):
        helper.erase("r.example")


def test_a_program_that_hangs_is_stopped(tmp_path):
    begun = time.monotonic()
    with pytest.raises(RegistryError, match=r"docker-credential-test get: no answer within 0\.3 seconds"):
        failing(tmp_path, "sleep 100 & sleep 100", timeout=0.3).get("r.example")
    assert time.monotonic() - begun < 5
