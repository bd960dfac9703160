"""Findings, of which a document may have millions: the first of them, and how many there are of each rule.

A document of 4 MB can break rules at a million places. What judges it keeps the first findings of each severity and
counts the others, so that memory is bounded and no verdict depends on what is left out: if any finding is an error, at
least one error is kept. The cap is that of every list that the library returns, `report.Listing.CAP`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar, get_args

import attrs

from oci_layers.errors import escape, shortened
from oci_layers.report import Listing
from oci_layers.spec.digest import Digest
from oci_layers.validation.rule import Severity

__all__ = ["Findings", "Flaw", "Sieve"]


class _Finding(Protocol):
    """What is counted: anything of a rule and a severity."""

    @property
    def rule(self) -> str: ...
    @property
    def severity(self) -> Severity: ...


F_co = TypeVar("F_co", bound=_Finding, covariant=True)


class Sieve:
    """Tells which findings are kept: the first 1,000 of each severity; and counts the others."""

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


class Findings(tuple[F_co, ...]):  # noqa: SLOT001  # a tuple cannot have a slot of its own
    """The findings as a tuple, the first 1,000 of each severity; `total`, `totals` and `ok` are about all of them."""

    left_out: Mapping[tuple[str, Severity], int]
    """How many findings are not in the tuple, by rule and severity."""

    def __new__(
        cls, found: Iterable[F_co] = (), left_out: Mapping[tuple[str, Severity], int] | None = None
    ) -> "Findings[F_co]":
        """Keep the first findings of each severity.

        Args:
            found: The findings in their order; a `Findings` brings its `left_out` along.
            left_out: How many more there are, by rule and severity.
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
        """How many there are of each severity, left out or not."""
        totals = Counter(each.severity for each in self)
        for (_, severity), count in self.left_out.items():
            totals[severity] += count
        return totals

    @property
    def total(self) -> int:
        """How many there are, left out or not."""
        return self.totals.total()

    @property
    def ok(self) -> bool:
        """Whether none is an error."""
        return not self.totals["error"]


@attrs.frozen
class Flaw:
    """Something wrong with an image. Its text is one line."""

    rule: str
    """The id of the rule that is not kept; `spec.RULES` has what it says."""
    severity: Severity
    """How bad it is, in the profile that was asked for."""
    digest: Digest
    """The blob that it is in: the document that says something wrong, or the blob that is not what it should be."""
    pointer: str
    """The JSON pointer (RFC 6901) to the place in the document; empty for a blob as a whole."""
    message: str
    """What is wrong there."""
    media_type: str = attrs.field(default="", kw_only=True)
    """What the blob is, as the first place says that names it."""
    named: str = attrs.field(default="", kw_only=True)
    """That place, for a message; empty if nothing names it."""
    document: str = attrs.field(default="", kw_only=True)
    """The name of the file that it is in, where it has another than its digest: `index.json`."""
    value: str | None = attrs.field(default=None, kw_only=True)
    """The JSON text at the place, shortened; it may have any characters. This and what follows is for `check_image`."""
    line: int | None = attrs.field(default=None, kw_only=True)
    """The line of the place in the document, from 1."""
    column: int | None = attrs.field(default=None, kw_only=True)
    """The column, from 1, in characters."""
    offset: int | None = attrs.field(default=None, kw_only=True, eq=False)
    """The byte of the document, from 0."""

    def __str__(self) -> str:
        where = escape(self.document) or self.digest
        return f"{self.severity} {self.rule} {where}{shortened(self.pointer)}: {self.message}"
