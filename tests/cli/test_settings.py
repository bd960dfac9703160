"""Commands and pairs as they are typed; `commands/test_config` has all settings."""

import argparse

import attrs
import pytest

from oci_layers.build import scratch
from oci_layers.cli.settings import configured, settings_arguments
from oci_layers.errors import NameFormatError
from oci_layers.spec import Healthcheck


def parsed(*arguments):
    """The options."""
    parser = argparse.ArgumentParser()
    settings_arguments(parser)
    return parser.parse_args(arguments)


def config(*arguments):
    """The `config` object that options make."""
    return configured(scratch("linux/amd64"), parsed(*arguments)).config_json.get("config")


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


def test_a_healthcheck_has_times_as_docker_writes_them():
    times = ["--health-interval", "1m30s", "--health-timeout", "0.5s", "--health-start-period", "1h"]
    more = ["--health-start-interval", "500ms", "--health-retries", "3"]
    assert config("--healthcheck", "a", *times, *more) == {
        "Healthcheck": {
            "Test": ["CMD-SHELL", "a"],
            "Interval": 90 * 10**9,
            "Timeout": 5 * 10**8,
            "StartPeriod": 3600 * 10**9,
            "StartInterval": 5 * 10**8,
            "Retries": 3,
        }
    }


def test_times_change_those_of_the_healthcheck_that_is_there():
    old = Healthcheck(test=("CMD", "a"), interval=10**9, retries=2, extra={"x": 1})
    image = scratch("linux/amd64").configure(healthcheck=old)
    changed = configured(image, parsed("--health-interval", "2s", "--health-retries", "0"))
    assert changed.config.config.healthcheck == attrs.evolve(old, interval=2 * 10**9, retries=0)
    assert changed.history[-1]["created_by"].startswith("HEALTHCHECK {")


@pytest.mark.parametrize("arguments", [[], ["--healthcheck", "none"]])
def test_times_without_a_healthcheck_are_refused(arguments):
    with pytest.raises(NameFormatError) as raised:
        config(*arguments, "--health-interval", "2s", "--health-retries", "1")
    assert raised.value.text == "--health-interval, --health-retries"


@pytest.mark.parametrize(
    "option",
    [
        *(f"--health-interval={text}" for text in ("", "5", "1d", "-1s", "1s ", "1ns", "999us", "9999999999h", "s")),
        *(f"--health-retries={text}" for text in ("", "-1", "x", "1.5")),
    ],
)
def test_what_is_no_time_or_number_is_a_usage_error(option):
    with pytest.raises(SystemExit) as raised:
        config("--healthcheck", "a", option)
    assert raised.value.code == 2


def test_a_value_may_be_empty_and_have_equals_signs():
    assert config("--env", "A=", "--env", "B=c=d") == {"Env": ["A=", "B=c=d"]}
    with pytest.raises(NameFormatError):
        config("--env", "=x")


def test_no_option_changes_nothing():
    assert config() is None


@pytest.mark.parametrize("arguments", [["--no-env", "NOPE"], ["--no-label", "x"], ["--no-port", "1"], ["--cmd", "a"]])
def test_what_changes_nothing_leaves_the_image_as_it_is(arguments):
    image = scratch("linux/amd64").configure(cmd=["a"])
    assert configured(image, parsed(*arguments)).config_json == image.config_json
