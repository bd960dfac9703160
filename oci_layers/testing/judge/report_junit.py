"""A judgement as JUnit XML, which servers for continuous integration read: a suite for each level, one for the laws.

A failure is a `failure`. What differs where the spec leaves it open is `skipped`, with its message, as is what was not
run.
"""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from oci_layers.testing.judge.report_text import verdict_lines
from oci_layers.testing.judge.verdict import Judgement, Verdict

__all__ = ["junit_text"]


def junit_text(judgement: Judgement) -> str:
    """Return the XML document."""
    top = ET.Element("testsuites", name=f"oci-layers conformance: {judgement.program}")
    bad = judgement.failures
    for name, verdicts in _suites(judgement):
        failures = [each for each in verdicts if each in bad]
        skipped = [each for each in verdicts if each.status in {"differs", "skipped"} and each not in failures]
        suite = ET.SubElement(
            top,
            "testsuite",
            name=name,
            tests=str(len(verdicts)),
            failures=str(len(failures)),
            errors="0",
            skipped=str(len(skipped)),
        )
        for verdict in verdicts:
            case = ET.SubElement(suite, "testcase", classname=f"oci-layers.{name}", name=verdict.id)
            if verdict in failures:
                made = ET.SubElement(case, "failure", message=_clean(verdict.message), type=verdict.level)
                made.text = _clean("\n".join(verdict_lines(verdict)))
            elif verdict in skipped:
                ET.SubElement(case, "skipped", message=_clean(verdict.message))
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _suites(judgement: Judgement) -> Iterator[tuple[str, Sequence[Verdict]]]:
    for level in ("spec", "safety", "decided"):
        # By the score of a level: an escape in a case of another level counts there.
        verdicts = [each for each in judgement.verdicts if each.level == level and not each.generated]
        if verdicts:
            yield level, verdicts
    if judgement.generated is not None:
        yield "laws", [each for each in judgement.verdicts if each.generated]


def _clean(text: str) -> str:
    """Return a text without the characters that XML cannot have."""
    return "".join(each if each in "\n\t" or each.isprintable() else f"\\x{ord(each):02x}" for each in text)
