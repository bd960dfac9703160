"""What `validate` and `lint` have in common: how findings are asked for, counted, and said to be none."""

import argparse
from collections import Counter

from oci_layers.cli.output import counted
from oci_layers.report import Severity

__all__ = ["SEVERITIES", "SeverityCounts", "finding_arguments"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From the worst down."""


def finding_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how findings are weighed and shown."""
    parser.add_argument(
        "--profile",
        choices=("strict", "default", "lenient"),
        default="default",
        help="strict: warnings are errors, notes are warnings; lenient: no notes, and what the world tolerates passes; "
        "links to blobs are followed",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "sarif"), default="text", help="sarif is for CI systems (SARIF 2.1.0)"
    )


class SeverityCounts:
    """How many findings there are of each severity."""

    def __init__(self) -> None:
        self._counts: Counter[Severity] = Counter()

    def add(self, severity: Severity, count: int = 1) -> None:
        """Count one, or several."""
        self._counts[severity] += count

    @property
    def ok(self) -> bool:
        """Whether none is an error."""
        return not self._counts["error"]

    @property
    def code(self) -> int:
        """The exit code that says so."""
        return 0 if self.ok else 1

    def json(self) -> dict[str, int]:
        """Return the numbers under stable keys."""
        return {f"{severity}s": self._counts[severity] for severity in SEVERITIES}

    def __str__(self) -> str:
        found = [counted(self._counts[each], each) for each in SEVERITIES if self._counts[each]]
        return ", ".join(found) or "nothing is wrong"
