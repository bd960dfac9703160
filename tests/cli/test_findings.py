"""What `validate` and `lint` have in common: options, totals, exit codes."""

import argparse

import pytest

from oci_layers.cli.findings import SeverityCounts, finding_arguments


@pytest.mark.parametrize(
    ("severities", "text", "code"),
    [
        ([], "no findings", 0),
        (["note"], "1 note", 0),
        (["warning", "note", "warning"], "2 warnings, 1 note", 0),
        (["note", "error", "warning", "error"], "2 errors, 1 warning, 1 note", 1),
    ],
)
def test_findings_are_counted_and_errors_are_exit_1(severities, text, code):
    tally = SeverityCounts()
    for severity in severities:
        tally.add(severity)
    assert (str(tally), tally.code, tally.ok) == (text, code, code == 0)
    assert tally.json() == {f"{each}s": severities.count(each) for each in ("error", "warning", "note")}


def test_the_options_are_the_same_for_both():
    parser = argparse.ArgumentParser()
    finding_arguments(parser)
    assert vars(parser.parse_args([])) == {"profile": "default", "format": "text"}
    for profile in ("strict", "default", "lenient"):
        assert parser.parse_args(["--profile", profile]).profile == profile
    for style in ("text", "json", "sarif"):
        assert parser.parse_args(["--format", style]).format == style
