"""`config`: the settings of an image."""

import json

import pytest

from oci_layers import open_image
from tests.support.layers import Built, f, tar
from tests.support.packed import config_of, layers_of


@pytest.fixture(autouse=True)
def no_epoch(monkeypatch):
    """No time that the environment gives."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def image(tmp_path):
    """An image with settings."""
    built = Built.of(tmp_path / "image", tar(f("x", "x")))
    built.config["config"] = {
        "User": "1",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["A=b", "C=d"],
        "Cmd": ["x"],
        "Volumes": {"/v": {}},
        "Labels": {"k": "v", "l": "m"},
    }
    built.manifest["annotations"] = {"a": "b", "c": "d"}
    return built.write()


def test_what_is_not_named_stays(run, image, tmp_path):
    out = f"oci:{tmp_path / 'out'}:v2"
    ran = run("config", image, "-o", out, "--env", "A=1=2", "--env", "E=", "--label", "k=w", "--workdir", "/w")
    assert (ran.code, ran.err) == (0, "")
    config, history = config_of(out)
    assert (config.env, config.labels) == (("A=1=2", "C=d", "E="), {"k": "w", "l": "m"})
    assert (config.user, config.cmd, config.working_dir) == ("1", ("x",), "/w")
    assert history[-3:] == ["LABEL k=w", "ENV A=1=2 E=", "WORKDIR /w"]
    with open_image(out) as new:
        assert ran.out.splitlines()[0] == f"v2  {new.descriptor.digest}"
    assert layers_of(out) == layers_of(image)
    assert ran.out.splitlines()[-1].startswith("1 layer shared, ")


def test_everything_can_be_set(run, image, tmp_path):
    options = ["--entrypoint", '["/a b"]', "--cmd", "c 'd e'", "--user", "2:3", "--stop-signal", "SIGINT"]
    options += ["--healthcheck", "test -f /x", "--author", "me", "--port", "81/udp", "--volume", "/w"]
    options += ["--annotation", "e=f", "--created", "0", "--set-platform", "linux/arm64/v8"]
    assert run("config", image, "-o", tmp_path / "out", *options).code == 0
    with open_image(str(tmp_path / "out"), platform="linux/arm64") as new:
        config, manifest = new.config, new.manifest
    run_config = config.config
    assert (run_config.entrypoint, run_config.cmd) == (("/a b",), ("c", "d e"))
    assert (run_config.user, run_config.stop_signal) == ("2:3", "SIGINT")
    assert run_config.healthcheck.test == ("CMD-SHELL", "test -f /x")
    assert (list(run_config.exposed_ports), list(run_config.volumes)) == (["80/tcp", "81/udp"], ["/v", "/w"])
    assert (config.author, config.created) == ("me", "1970-01-01T00:00:00Z")
    assert (config.architecture, config.variant) == ("arm64", "v8")
    assert manifest.annotations == {"a": "b", "c": "d", "e": "f"}


def test_everything_can_be_removed(run, image, tmp_path):
    options = ["--user", "", "--cmd", "", "--no-env", "A", "--no-env", "C", "--no-label", "k", "--no-label", "l"]
    options += ["--no-port", "80", "--no-volume", "/v", "--no-annotation", "a", "--healthcheck", "none"]
    assert run("config", image, "-o", tmp_path / "out", *options).code == 0
    with open_image(str(tmp_path / "out")) as new:
        assert json.loads(new.config_document.raw)["config"] == {"Healthcheck": {"Test": ["NONE"]}}
        assert new.manifest.annotations == {"c": "d"}


def test_without_a_change_it_is_the_same_image(run, image, tmp_path):
    ran = run("config", image, "-o", tmp_path / "out", "--format", "json")
    with open_image(image) as old:
        report = json.loads(ran.out)
        assert (report["digest"], report["new_bytes"]) == (str(old.descriptor.digest), 0)
        assert [(each["new"], each["plain_size"]) for each in report["layers"]] == [(False, None)]


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--port", "http"], 2, "port 'http': must be PORT, PORT/PROTOCOL or FIRST-LAST/PROTOCOL"),
        (["--label", "=x"], 2, "label '=x': expected NAME=VALUE"),
        (["--annotation", "x"], 2, "annotation 'x': expected NAME=VALUE"),
        (["--set-platform", "x"], 2, "platform 'x'"),
        (["--healthcheck", "[1]"], 2, "healthcheck '[1]': expected a JSON array of texts"),
        (["--platform", "linux/s390x"], 3, "no platform 'linux/s390x'"),
        (["--compression", "zstd"], 2, "unrecognized arguments: --compression zstd"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(run, image, tmp_path, options, code, line):
    ran = run("config", image, "-o", f"oci:{tmp_path / 'out'}:v", *options)
    assert (ran.code, ran.out) == (code, "")
    assert line in ran.err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
