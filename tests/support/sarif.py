"""What SARIF 2.1.0 (OASIS) asks of the part of a log that this project writes."""

import re

_URI = re.compile(r"(?:[A-Za-z0-9._~/!$&'()*+,;=:@-]|%[0-9A-F]{2})+")
_KEYS = {
    "log": {"$schema", "version", "runs"},
    "run": {"tool", "invocations", "columnKind", "results"},
    "invocation": {"executionSuccessful", "toolExecutionNotifications"},
    "driver": {"name", "version", "semanticVersion", "rules"},
    "rule": {"id", "shortDescription", "defaultConfiguration", "help"},
    "result": {
        "ruleId",
        "ruleIndex",
        "level",
        "message",
        "locations",
        "partialFingerprints",
        "properties",
    },
    "location": {"physicalLocation", "logicalLocations"},
    "physical": {"artifactLocation", "region"},
    "region": {"startLine", "startColumn"},
    "logical": {"fullyQualifiedName", "kind"},
}


def check_sarif(log):
    """Assert that a log is well-formed, and return its results."""
    assert _is(log, "log")
    assert log["version"] == "2.1.0"
    assert log["$schema"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    (run,) = log["runs"]
    assert _is(run, "run")
    assert run["columnKind"] == "unicodeCodePoints"
    (invocation,) = run["invocations"]
    assert _is(invocation, "invocation", optional={"toolExecutionNotifications"})
    assert invocation["executionSuccessful"] is True
    for each in invocation.get("toolExecutionNotifications", []):
        assert (each["level"], each.keys(), each["message"].keys()) == ("warning", {"level", "message"}, {"text"})
    assert list(run["tool"]) == ["driver"]
    driver = run["tool"]["driver"]
    assert _is(driver, "driver")
    assert driver["name"] == "oci-layers"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for rule in driver["rules"]:
        assert _is(rule, "rule", optional={"help"})
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
        assert all(
            rule[key].keys() == {"text"} and rule[key]["text"] for key in rule.keys() & {"shortDescription", "help"}
        )
    for result in run["results"]:
        assert _is(result, "result", optional={"properties"})
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"].isprintable()
        (location,) = result["locations"]
        _check_location(location)
        (fingerprint,) = result["partialFingerprints"].values()
        assert isinstance(fingerprint, str)
    fingerprints = [str(result["partialFingerprints"]) for result in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    return run["results"]


def _check_location(location):
    assert _is(location, "location", optional={"logicalLocations"})
    physical = location["physicalLocation"]
    assert _is(physical, "physical", optional={"region"})
    assert list(physical["artifactLocation"]) == ["uri"]
    uri = physical["artifactLocation"]["uri"]
    assert _URI.fullmatch(uri)
    assert uri.startswith("file:///") or ":" not in uri.partition("/")[0]
    if "region" in physical:
        assert _is(physical["region"], "region")
        assert all(type(each) is int and each >= 1 for each in physical["region"].values())
    for logical in location.get("logicalLocations", ()):
        assert _is(logical, "logical")
        assert logical["kind"] in {"value", "resource"}


def _is(value, name, optional=frozenset()):
    assert _KEYS[name] - optional <= value.keys() <= _KEYS[name], (name, value)
    return True
