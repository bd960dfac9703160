"""Findings as SARIF: URIs, fingerprints, rules told once."""

import os
import urllib.parse

import attrs
import pytest

import oci_layers
from oci_layers.cli.sarif import Result, file_uri, sarif_log
from oci_layers.report import Rule
from tests.support.sarif import check_sarif

RULE = Rule(id="A-1", severity="error", sentence="Never do this.")
OTHER = Rule(id="B-2", severity="note", sentence="Better not.", fix="Do that.")
RESULT = Result(rule=RULE, severity="warning", message="it is done", uri="a/b.json")


def test_a_log_without_findings_is_a_log():
    log = sarif_log([])
    assert check_sarif(log) == []
    assert log["runs"][0]["tool"]["driver"]["version"] == oci_layers.__version__


def test_a_finding_has_its_rule_its_level_and_its_place():
    full = attrs.evolve(
        RESULT, rule=OTHER, line=3, column=4, name="b.json#/x", identity=("b.json", "/x"), properties={"value": "1"}
    )
    log = sarif_log([RESULT, full, attrs.evolve(RESULT, name="etc/x", kind="resource")])
    first, second, third = check_sarif(log)
    assert log["runs"][0]["tool"]["driver"]["rules"] == [
        {
            "id": "A-1",
            "shortDescription": {"text": "Never do this."},
            "defaultConfiguration": {"level": "error"},
        },
        {
            "id": "B-2",
            "shortDescription": {"text": "Better not."},
            "defaultConfiguration": {"level": "note"},
            "help": {"text": "Do that."},
        },
    ]
    assert (first["ruleId"], first["level"], first["message"]) == ("A-1", "warning", {"text": "it is done"})
    assert first["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "a/b.json"}}}]
    assert second["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a/b.json"},
                "region": {"startLine": 3, "startColumn": 4},
            },
            "logicalLocations": [{"fullyQualifiedName": "b.json#/x", "kind": "value"}],
        }
    ]
    assert (second["ruleIndex"], second["properties"]) == (1, {"value": "1"})
    assert third["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "etc/x", "kind": "resource"}]


def fingerprints(*results):
    return [next(iter(each["partialFingerprints"].values())) for each in check_sarif(sarif_log(results))]


def test_a_fingerprint_is_of_what_the_finding_is_and_not_of_where_it_stands():
    first = attrs.evolve(RESULT, identity=("index", "/a"))
    moved = attrs.evolve(first, line=9, column=9, message="otherwise", uri="elsewhere")
    assert fingerprints(first) == fingerprints(moved)
    one, two = fingerprints(first, moved)
    assert one.removesuffix(":1") == two.removesuffix(":2")
    assert fingerprints(attrs.evolve(first, identity=("index", "/b"))) != [one]
    assert fingerprints(attrs.evolve(first, rule=OTHER)) != [one]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a.json", "a.json"),
        ("./a/../b c", "b%20c"),
        ("x/%25#?[é]", "x/%2525%23%3F%5B%C3%A9%5D"),
        ("a:b", "a%3Ab"),
        ("bad\udce9", "bad%E9"),
        ("/etc/a b", "file:///etc/a%20b"),
        (".", "file://HERE"),
        ("..", "file://ABOVE"),
    ],
)
def test_a_file_is_named_from_the_working_directory_if_it_is_below_it(tmp_path, monkeypatch, path, uri):
    here = tmp_path / "work"
    here.mkdir()
    monkeypatch.chdir(here)
    uri = uri.replace("HERE", urllib.parse.quote(str(here))).replace("ABOVE", urllib.parse.quote(str(tmp_path)))
    assert file_uri(path) == uri
    assert file_uri(os.path.join(here, "a.json")) == "a.json"
