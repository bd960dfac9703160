"""The options and counts of findings that `validate` and `lint` share."""

import argparse
from collections import Counter

from oci_layers.cli.output import counted
from oci_layers.report import Severity

__all__ = ["SEVERITIES", "SeverityCounts", "finding_arguments"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""All severities, the worst first."""


def finding_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--profile` and `--format`."""
    parser.add_argument(
        "--profile",
        choices=("strict", "default", "lenient"),
        default="default",
        help="strict: warnings are errors, notes are warnings; lenient: hide notes, accept faults that common tools "
        "accept, follow links to blobs",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "sarif"), default="text", help="sarif is for CI systems (SARIF 2.1.0)"
    )


class SeverityCounts:
    """The number of findings of each severity."""

    def __init__(self) -> None:
        self._counts: Counter[Severity] = Counter()

    def add(self, severity: Severity, count: int = 1) -> None:
        """Add `count` findings of one severity."""
        self._counts[severity] += count

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not self._counts["error"]

    @property
    def code(self) -> int:
        """The exit code: 0 if `ok`, else 1."""
        return 0 if self.ok else 1

    def json(self) -> dict[str, int]:
        """Return the counts under stable keys."""
        return {f"{severity}s": self._counts[severity] for severity in SEVERITIES}

    def __str__(self) -> str:
        found = [counted(self._counts[each], each) for each in SEVERITIES if self._counts[each]]
        return ", ".join(found) or "no findings"
