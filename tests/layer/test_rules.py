import re

import pytest

from oci_layers.layer.rules import LAYER_RULES, ONCE, layer_finding
from oci_layers.report import Finding, LayerLocation

ENGINE_WORDS = {"aufs", "climbing-link", "duplicate", "file-as-directory", "global-header", "nothing-hidden"}
ENGINE_WORDS |= {"access-list", "file-flags", "odd-marker", "order", "refused", "selinux-label", "unknown-type"}
ENGINE_WORDS |= {"whiteout-of-marker", "windows-record", "windows-opaque", "whiteout-in-base", "folded-name"}


@pytest.mark.parametrize("what", LAYER_RULES)
def test_a_rule_is_a_short_word_and_whole_sentences(what):
    rule = LAYER_RULES[what]
    assert rule.id == what
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+){0,3}", what)
    assert rule.severity in {"error", "warning", "note"}
    for sentence in [rule.sentence, *filter(None, [rule.fix])]:
        assert re.fullmatch(r"[A-Z].*\.", sentence)


def test_every_rule_but_two_has_a_fix():
    assert {rule.id for rule in LAYER_RULES.values() if rule.fix is None} == {"refused", "set-id"}


def test_a_finding_has_the_severity_of_its_rule_and_the_place_that_is_known():
    assert layer_finding("aufs", b"p", 2) == Finding("aufs", "warning", LayerLocation(2, b"p", None, None), "")
    assert layer_finding("sparse", b"p", 2, "why", index=3, offset=512) == Finding(
        "sparse", "warning", LayerLocation(2, b"p", 3, 512), "why"
    )


def test_where_the_engine_reports_the_same_the_word_is_the_same():
    assert LAYER_RULES.keys() >= ENGINE_WORDS


def test_what_many_entries_have_in_common_is_told_once_a_layer():
    assert {
        *("owner-name", "extra-time", "fine-time"),
        *("access-list", "selinux-label", "file-flags", "windows-metadata"),
        *("backslash", "windows-character", "windows-name", "trailing-dot"),
    } == ONCE
