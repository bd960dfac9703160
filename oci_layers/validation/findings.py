"""The findings of a document, which may be millions: the first of them, and the number of the others by rule.

A document of 4 MB can break rules at a million places. The first findings of each severity are kept and the others
counted, so that memory is bounded and the result does not depend on what is left out: if any finding is an error, at
least one error is kept. The cap is that of every list that the library returns, `report.Listing.CAP`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self, get_args

from oci_layers.report import DocumentFinding, Listing, Severity

__all__ = ["Findings", "Sieve"]


class Sieve:
    """Decides which findings are kept, the first 1,000 of each severity, and counts the others."""

    def __init__(self) -> None:
        self._room: dict[Severity, int] = dict.fromkeys(get_args(Severity), Listing.CAP)
        self.left_out: Counter[tuple[str, Severity]] = Counter()

    def admits(self, rule: str, severity: Severity) -> bool:
        """Count one finding, and return whether there is room for it."""
        if self._room[severity]:
            self._room[severity] -= 1
            return True
        self.left_out[rule, severity] += 1
        return False


class Findings(tuple[DocumentFinding, ...]):  # noqa: SLOT001  # a tuple cannot have a slot of its own
    """The findings as a tuple, the first 1,000 of each severity; `total`, `totals` and `ok` are about all of them."""

    left_out: Mapping[tuple[str, Severity], int]
    """The number of findings that are not in the tuple, by rule and severity."""

    def __new__(
        cls, found: Iterable[DocumentFinding] = (), left_out: Mapping[tuple[str, Severity], int] | None = None
    ) -> Self:
        """Keep the first findings of each severity.

        Args:
            found: The findings in order; the `left_out` of a `Findings` is added.
            left_out: The number of other findings, by rule and severity.
        """
        sieve = Sieve()
        self = super().__new__(cls, (each for each in found if sieve.admits(each.rule, each.severity)))
        sieve.left_out.update(left_out or {})
        if isinstance(found, Findings):
            sieve.left_out.update(found.left_out)
        self.left_out = sieve.left_out
        return self

    @property
    def totals(self) -> Counter[Severity]:
        """The number of findings of each severity, including those left out."""
        totals = Counter(each.severity for each in self)
        for (_, severity), count in self.left_out.items():
            totals[severity] += count
        return totals

    @property
    def total(self) -> int:
        """The number of findings, including those left out."""
        return self.totals.total()

    @property
    def ok(self) -> bool:
        """Whether none is an error."""
        return not self.totals["error"]
