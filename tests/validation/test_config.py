"""The rules of configs on documents as Docker and others write them."""

from oci_layers.spec.mediatype import DOCKER_CONFIG, OCI_CONFIG
from oci_layers.validation.rules import validate
from tests.support.documents import CONFIG, SHA, changed, dumped
from tests.support.findings import in_document

DOCKERS = CONFIG | {
    "author": "A <a@example.com>",
    "container": "f" * 64,
    "container_config": {"Cmd": None},
    "created": "2024-05-01T12:00:00.123456789Z",
    "docker_version": "27.0.3",
    "config": {
        "Hostname": "",
        "Domainname": "",
        "User": "",
        "AttachStdin": False,
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Env": ["PATH=/usr/bin:/bin", "EMPTY=", "LINES=a\nb\n"],
        "Cmd": ["sh"],
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 30_000_000_000, "Retries": 3},
        "Image": "",
        "Volumes": None,
        "WorkingDir": "/",
        "Entrypoint": None,
        "OnBuild": [],
        "Labels": {"org.opencontainers.image.version": "24.04"},
        "StopSignal": "SIGQUIT",
    },
    "history": [
        {"created": "2024-05-01T12:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file"},
        {"created": "2024-05-01T12:00:01+02:00", "created_by": "CMD", "empty_layer": True, "comment": "x"},
    ],
}


def test_a_config_as_docker_writes_it_keeps_every_rule():
    assert validate(dumped(DOCKERS), DOCKER_CONFIG, profile="strict") == ()
    assert validate(dumped(DOCKERS), OCI_CONFIG, profile="strict") == ()


def test_the_faults_of_a_config_have_their_places():
    config = changed(changed(DOCKERS, "config/Env/1", "EMPTY"), "history/1/empty_layer", False)
    config = changed(changed(config, "rootfs/diff_ids/0", SHA.upper()), "config/Labels", {"a": 1})

    assert validate(dumped(config), OCI_CONFIG) == (
        in_document("CFG-11", "error", "/config/Env/1", '"EMPTY" is not NAME=VALUE'),
        in_document("ANN-01", "error", "/config/Labels/a", "must be a string, not an integer"),
        in_document("ANN-02", "note", "/config/Labels/a", '"a" is not a name in reverse domain order'),
        in_document("CFG-22", "warning", "/history", "lists 2 layers, rootfs lists 1"),
        in_document("DIG-01", "error", "/rootfs/diff_ids/0", f'"{SHA.upper()[:60]}..." is not a digest'),
    )


def test_a_history_is_compared_only_where_it_can_be():
    """CFG-22."""
    for history in [None, [], [None, {}]]:
        assert "CFG-22" not in {breach.rule for breach in validate(dumped(CONFIG | {"history": history}), OCI_CONFIG)}
    assert [breach.rule for breach in validate(dumped(CONFIG | {"history": [{}], "rootfs": 1}), OCI_CONFIG)] == [
        "CFG-18"
    ]
