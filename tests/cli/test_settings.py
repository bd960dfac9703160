"""Commands and pairs as they are typed; `commands/test_config` has all settings."""

import argparse

import pytest

from oci_layers.build import scratch
from oci_layers.cli.settings import configured, settings_arguments
from oci_layers.errors import NameFormatError


def config(*arguments):
    """The `config` object that options make."""
    parser = argparse.ArgumentParser()
    settings_arguments(parser)
    return configured(scratch("linux/amd64"), parser.parse_args(arguments)).config_json.get("config")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("a 'b c' \"d\"", ["a", "b c", "d"]),
        ('["a b", ""]', ["a b", ""]),
        ("a;b $X", ["a;b", "$X"]),
    ],
)
def test_a_command_is_split_as_by_a_shell_or_json(text, words):
    assert config("--cmd", text) == {"Cmd": words}


@pytest.mark.parametrize(
    ("text", "test"), [("a b", ["CMD-SHELL", "a b"]), ('["a b"]', ["CMD", "a b"]), ("none", ["NONE"])]
)
def test_a_healthcheck_is_for_a_shell_or_json(text, test):
    assert config("--healthcheck", text) == {"Healthcheck": {"Test": test}}


def test_a_value_may_be_empty_and_have_equals_signs():
    assert config("--env", "A=", "--env", "B=c=d") == {"Env": ["A=", "B=c=d"]}
    with pytest.raises(NameFormatError):
        config("--env", "=x")


def test_no_option_changes_nothing():
    assert config() is None
