"""A judgement as text, JSON, JUnit XML and a page: the same facts, and nothing that a terminal or a page acts on."""

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import pytest

from oci_layers.testing.judge import Judgement, Score, Verdict, html_text, judgement_json, junit_text, text_lines

FAILED = Verdict(
    id="whiteouts/of-a-file",
    level="spec",
    status="failed",
    sentence="A whiteout deletes the file.",
    rules=("WHT-01",),
    message="/x: unexpected\x1b[31m",
    layers=("a file\nx file text=<b>&", "x whiteout"),
    expected=("/ dir implied", "/a file 0644 0:0 T text="),
    actual=("/ dir 0755 0:0 now", "/a file 0644 0:0 T text=", "/x file 0644 0:0 T text=<b>&"),
    differences=((None, "/x file 0644 0:0 T text=<b>&", "unexpected"),),
    command="tool {layout} {dest}",
    kept=Path("keep/whiteouts-of-a-file/layout"),
)
REFUSED = Verdict(
    id="MAN-14",
    level="spec",
    status="failed",
    sentence="A legal image is unpacked.",
    rules=("MAN-14",),
    generated=True,
    message="it refuses: no",
    layers=("p fifo", "", "q fifo"),
    expected=("/ dir implied", "/p fifo 0644 0:0 T", "/q fifo 0644 0:0 T"),
    command="tool {layout} {dest}",
    seen=3,
)
DIFFERS = attrs.evolve(
    FAILED, id="parents/x", level="decided", status="differs", rules=("EDGE-12",), message="/x: missing", kept=None
)
ACCEPTED = Verdict(
    id="markers/x",
    level="spec",
    status="failed",
    sentence="It is refused.",
    message="it accepts the image",
    layers=(".wh. file",),
    actual=("/ dir 0755 0:0 now",),
    command="tool",
)
PASSED = Verdict(id="basics/x", level="spec", status="passed", sentence="It is right.")
SKIPPED = Verdict(id="basics/y", level="spec", status="skipped", sentence="A device.", message="only root can")
JUDGEMENT = Judgement(
    program="tool",
    version="tool 1.0 <&>",
    command="tool {layout} {dest}",
    seed=7,
    verdicts=(PASSED, SKIPPED, FAILED, ACCEPTED, DIFFERS, REFUSED),
    generated=Score(90, 100),
    seconds=1.5,
)
GOOD = attrs.evolve(JUDGEMENT, verdicts=(PASSED, DIFFERS), generated=None)


def text(judgement, **options):
    return "\n".join(text_lines(judgement, **options))


def test_the_text_shows_layers_and_both_trees_of_each_failure():
    assert (
        text(JUDGEMENT)
        == r"""tool: tool 1.0 <&>
command: tool {layout} {dest}

FAILED whiteouts/of-a-file (spec: WHT-01)
  A whiteout deletes the file.
  /x: unexpected\x1b[31m
  lower:
      a file
      x file text=<b>&
  upper:
      x whiteout
  expected:
      /a file 0644 0:0 T text=
  actual:
      /a file 0644 0:0 T text=
    + /x file 0644 0:0 T text=<b>&
  command: tool {layout} {dest}
  kept: keep/whiteouts-of-a-file/layout

FAILED markers/x (spec)
  It is refused.
  it accepts the image
  layer:
      .wh. file
  expected: the image is to be refused
  actual:
      (empty)
  command: tool

FAILED MAN-14 (spec, in 3 generated stacks)
  A legal image is unpacked.
  it refuses: no
  layer 0, the lowest:
      p fifo
  layer 1:
  layer 2:
      q fifo
  expected:
      /p fifo 0644 0:0 T
      /q fifo 0644 0:0 T
  actual: refused
  command: tool {layout} {dest}

Where the spec leaves the outcome open, and this one differs (no failure; --all shows more):
  parents/x: /x: missing

cases: spec 1 of 3, safety 0 of 0, decided 0 of 1 as here; 1 not run
generated stacks (seed 7): 90 of 100 right
laws broken: MAN-14
3 failures"""
    )


def test_all_of_the_text_shows_what_differs_in_full():
    assert "differs parents/x (decided: EDGE-12)" in text(JUDGEMENT, everything=True)
    assert "Where the spec leaves" not in text(JUDGEMENT, everything=True)
    assert text(GOOD).splitlines()[-1] == "passed"
    assert text(attrs.evolve(GOOD, strict=True)).splitlines()[-1] == "1 failure"


def test_long_listings_are_cut():
    lines = tuple(f"/{number:03} file 0644 0:0 T text=" for number in range(100))
    shown = text(attrs.evolve(GOOD, verdicts=(attrs.evolve(FAILED, expected=lines),)))
    assert "/039 file" in shown
    assert "/040 file" not in shown
    assert "... and 60 more" in shown


def test_the_layer_of_a_differ_is_shown():
    judgement = attrs.evolve(GOOD, verdicts=(attrs.evolve(FAILED, made=("x whiteout",)),))
    assert "  the layer that was made:\n      x whiteout\n" in text(judgement)
    assert "the layer that was made" in html_text(judgement)
    assert judgement_json(judgement)["verdicts"][0]["made"] == ["x whiteout"]


def test_styles_are_those_that_are_asked_for():
    styled = text(JUDGEMENT, style=lambda word, style: f"<{style}>{word}</{style}>")
    assert "<bad>FAILED</bad> <strong>markers/x (spec)</strong>" in styled
    assert "<bad>    + /x file 0644 0:0 T text=<b>&</bad>" in styled


def test_json_has_all_of_it_with_stable_keys():
    value = json.loads(json.dumps(judgement_json(JUDGEMENT)))
    verdicts = value.pop("verdicts")
    assert value == {
        "program": "tool",
        "version": "tool 1.0 <&>",
        "command": "tool {layout} {dest}",
        "seed": 7,
        "ok": False,
        "failures": 3,
        "cases": {
            "spec": {"passed": 1, "total": 3},
            "safety": {"passed": 0, "total": 0},
            "decided": {"passed": 0, "total": 1},
            "skipped": 1,
        },
        "generated": {"passed": 90, "total": 100},
        "laws_broken": ["MAN-14"],
        "seconds": 1.5,
    }
    assert [each["status"] for each in verdicts] == ["passed", "skipped", "failed", "failed", "differs", "failed"]
    assert verdicts[0] == {
        "id": "basics/x",
        "status": "passed",
        "level": "spec",
        "rules": [],
        "sentence": "It is right.",
        "generated": False,
    }
    assert verdicts[1]["message"] == "only root can"
    assert verdicts[2] == {
        "id": "whiteouts/of-a-file",
        "status": "failed",
        "level": "spec",
        "rules": ["WHT-01"],
        "sentence": "A whiteout deletes the file.",
        "generated": False,
        "message": "/x: unexpected\x1b[31m",
        "layers": [["a file", "x file text=<b>&"], ["x whiteout"]],
        "expected": list(FAILED.expected),
        "actual": list(FAILED.actual),
        "differences": [{"expected": None, "actual": "/x file 0644 0:0 T text=<b>&", "what": ["unexpected"]}],
        "made": [],
        "command": "tool {layout} {dest}",
        "kept": "keep/whiteouts-of-a-file/layout",
        "seen": 1,
    }
    assert (verdicts[5]["actual"], verdicts[5]["kept"], verdicts[5]["seen"]) == (None, None, 3)
    assert judgement_json(GOOD)["generated"] is None


def test_junit_has_a_suite_for_each_level_and_one_for_laws():
    top = ET.fromstring(junit_text(JUDGEMENT))
    assert top.get("name") == "oci-layers conformance: tool"
    assert [(each.get("name"), each.get("tests"), each.get("failures"), each.get("skipped")) for each in top] == [
        ("spec", "4", "2", "1"),
        ("decided", "1", "0", "1"),
        ("laws", "1", "1", "0"),
    ]
    failure = top.find("testsuite/testcase[@name='whiteouts/of-a-file']/failure")
    assert (failure.get("message"), failure.get("type")) == ("/x: unexpected\\x1b[31m", "spec")
    assert "      x file text=<b>&\n" in failure.text
    assert top.find("testsuite/testcase[@name='parents/x']/skipped").get("message") == "/x: missing"
    strict = ET.fromstring(junit_text(attrs.evolve(JUDGEMENT, strict=True)))
    assert strict.find("testsuite[@name='decided']").get("failures") == "1"
    assert [each.get("name") for each in ET.fromstring(junit_text(GOOD))] == ["spec", "decided"]


class Page(HTMLParser):
    """Counts what is open, and gathers text and what a page loads."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.loads, self.bad = [], [], [], False

    def handle_starttag(self, tag, attributes):
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.bad |= tag in {"script", "link", "img", "b\x1b"}
        self.loads += [value for name, value in attributes if name in {"src", "href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("judgement", [JUDGEMENT, GOOD, attrs.evolve(GOOD, strict=True, verdicts=(SKIPPED, DIFFERS))])
def test_a_page_is_whole_and_needs_nothing_else(judgement):
    page = Page()
    page.feed(html_text(judgement))
    assert (page.open, page.loads, page.bad) == ([], [], False)
    shown = "".join(page.text)
    assert judgement.version in shown
    for verdict in judgement.verdicts:
        assert verdict.status == "skipped" or verdict.id in shown
    assert "url(" not in html_text(judgement)


def test_a_page_marks_what_is_wrong_and_escapes_everything():
    page = html_text(JUDGEMENT)
    assert '<span class="bad">/x file 0644 0:0 T text=&lt;b&gt;&amp;</span>' in page
    assert "text=<b>" not in page
    assert "\x1b" not in page
