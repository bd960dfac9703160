"""The `config` object changed, each change as the line of a Dockerfile."""

import pytest

from oci_layers.build.settings import Settings
from oci_layers.errors import NameFormatError
from oci_layers.spec import Healthcheck

ROWS = {
    "nothing": ({}, {"X": 1}, {"X": 1}, []),
    "a variable": ({"env": {"A": "1"}}, {}, {"Env": ["A=1"]}, ["ENV A=1"]),
    "variables by name": (
        {"env": {"B": "=\n", "C": "3"}},
        {"Env": ["A=1", "B=2", "B=3", "odd"]},
        {"Env": ["A=1", "B==\n", "odd", "C=3"]},
        ["ENV B==\n C=3"],
    ),
    "a variable removed": ({"env": {"A": None}}, {"Env": ["A=1"]}, {}, ["ENV (without A)"]),
    "an empty variable": ({"env": {"A": ""}}, {"Env": None}, {"Env": ["A="]}, ["ENV A="]),
    "labels": (
        {"labels": {"a": "2", "b": None, "c": ""}},
        {"Labels": {"a": "1", "b": "1"}},
        {"Labels": {"a": "2", "c": ""}},
        ["LABEL a=2 c= (without b)"],
    ),
    "ports": (
        {"ports": [80, "53/UDP", "8000-8010/tcp"]},
        {"ExposedPorts": {"80/tcp": {"x": 1}}},
        {"ExposedPorts": {"80/tcp": {"x": 1}, "53/udp": {}, "8000-8010/tcp": {}}},
        ["EXPOSE [80/tcp 53/udp 8000-8010/tcp]"],
    ),
    "a port removed": ({"ports": {80: None}}, {"ExposedPorts": {"80/tcp": {}}}, {}, ["EXPOSE (without 80/tcp)"]),
    "volumes": ({"volumes": ["/v"]}, {"Volumes": None}, {"Volumes": {"/v": {}}}, ["VOLUME [/v]"]),
    "commands": (
        {"entrypoint": ["/e"], "cmd": ["a b", "é"]},
        {"Cmd": "old", "Y": 2},
        {"Entrypoint": ["/e"], "Cmd": ["a b", "é"], "Y": 2},
        ['ENTRYPOINT ["/e"]', 'CMD ["a b", "é"]'],
    ),
    "a command removed": ({"entrypoint": ()}, {"Entrypoint": ["/e"], "Cmd": []}, {"Cmd": []}, ["ENTRYPOINT []"]),
    "the process": (
        {"user": "1:2", "working_dir": "/w", "stop_signal": "SIGINT"},
        {},
        {"User": "1:2", "WorkingDir": "/w", "StopSignal": "SIGINT"},
        ["USER 1:2", "WORKDIR /w", "STOPSIGNAL SIGINT"],
    ),
    "no user": ({"user": ""}, {"User": "1"}, {}, ["USER "]),
    "a health check": (
        {"healthcheck": Healthcheck(test=("CMD", "/ok"), retries=3)},
        {},
        {"Healthcheck": {"Test": ["CMD", "/ok"], "Retries": 3}},
        ['HEALTHCHECK {"Test": ["CMD", "/ok"], "Retries": 3}'],
    ),
    "no health check": ({"healthcheck": Healthcheck()}, {"Healthcheck": {}}, {}, ["HEALTHCHECK {}"]),
}


@pytest.mark.parametrize(("change", "old", "new", "lines"), ROWS.values(), ids=ROWS)
def test_a_setting_changes_one_field(change, old, new, lines):
    assert Settings(**change).apply(old) == (new, lines)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"env": {"": "x"}}, "environment variable"),
        ({"env": {"a=b": "x"}}, "environment variable"),
        ({"env": {"a": "\0"}}, "environment variable"),
        ({"labels": {"": "x"}}, "label"),
        ({"ports": ["http"]}, "port"),
        ({"ports": [0]}, "port"),
        ({"ports": [65536]}, "port"),
        ({"ports": ["1-"]}, "port"),
        ({"volumes": [""]}, "volume"),
    ],
)
def test_a_malformed_name_is_refused(change, what):
    with pytest.raises(NameFormatError) as caught:
        Settings(**change).apply({})
    assert caught.value.what == what


@pytest.mark.parametrize("change", [{"cmd": "ls"}, {"entrypoint": "ls"}, {"ports": "80"}, {"volumes": "/v"}])
def test_one_string_is_not_taken_for_a_sequence(change):
    with pytest.raises(TypeError, match="not the string"):
        Settings(**change).apply({})
