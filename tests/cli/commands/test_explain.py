"""`explain`: rules by their ids, for people and for programs."""

import json

import pytest

from oci_layers.layer.rules import LAYER_RULES
from oci_layers.rules import RULES, SOURCES, source_of
from oci_layers.validation.rules import DOCUMENT_RULES


def test_a_rule_is_shown_with_all_that_is_known_about_it(run):
    ran = run("explain", "DSC-07", "LYR-02", "sparse")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "DSC-07: `size` is not negative.",
        "  severity  error in the profile default",
        "  key word  MUST NOT",
        "  source    descriptor.md",
        "",
        "LYR-02: A layer has no two entries of one path.",
        "  severity  error in the profile default",
        "  key word  MUST NOT",
        "  source    layer.md",
        "  check     none of its own. It is about the tar archive of a layer, which `tar` and `layer` read.",
        "",
        "sparse: A sparse file (layer.md: they should not be used).",
        "  severity  warning in the profile default",
        "  fix       Write the holes as zeros.",
    ]


def test_a_rule_of_no_page_says_what_it_is_from(run):
    ran = run("explain", "LIM-01")
    assert "  key word  none\n  source    the limits of this library; not in the spec\n" in ran.out


def test_ids_match_in_any_letter_case_and_each_is_shown_once(run):
    ran = run("explain", "dsc-07", "DSC-07", "Missing-Parent", "dsc-07")
    assert [line.partition(":")[0] for line in ran.out.splitlines() if line[:1].strip()] == ["DSC-07", "missing-parent"]


def test_without_ids_all_rules_are_listed_documents_first(run):
    ran = run("explain")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines] == [*DOCUMENT_RULES, "schema", *LAYER_RULES]
    assert "DSC-23  note     An entry that points at an image manifest has a `platform`." in lines
    assert "empty-link error A link without a target." in [" ".join(line.split()) for line in lines]


def test_json_has_every_field_of_each_rule(run):
    [rule] = json.loads(run("explain", "cfg-20", "--format", "json").out)
    assert rule == {
        "rule": "CFG-20",
        "severity": "error",
        "level": "MUST",
        "sentence": "There are as many diff_ids as layers.",
        "fix": None,
        "source": "config.md",
        "unchecked": "The layers are in another document; `verify` compares the two.",
    }
    rules = json.loads(run("explain", "--format", "json").out)
    assert [each["rule"] for each in rules] == list(RULES)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("LYR-2", "no rule 'LYR-2'; the nearest: LYR-12, LYR-02, LYR-18"),
        ("missing-parents", "no rule 'missing-parents'; the nearest: missing-parent"),
        ("zzzzz", "no rule 'zzzzz'; oci-layers explain lists all"),
        ("\x1b[2J", "no rule '\\x1b[2J'; oci-layers explain lists all"),
        ("", "no rule ''; oci-layers explain lists all"),
    ],
)
def test_an_unknown_id_is_not_found_and_the_nearest_are_named(run, name, line):
    ran = run("explain", "DSC-07", name)
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {line}\n")


def test_options_may_stand_between_ids(run):
    rules = json.loads(run("explain", "DSC-07", "--format", "json", "DSC-08").out)
    assert [each["rule"] for each in rules] == ["DSC-07", "DSC-08"]


def test_every_rule_but_those_of_layers_has_a_source_and_every_source_a_rule():
    assert {id_ for id_, rule in RULES.items() if source_of(rule) is None} == set(LAYER_RULES)
    assert {id_.partition("-")[0] for id_ in RULES if id_ not in LAYER_RULES} == set(SOURCES)
