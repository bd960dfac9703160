"""What the judge says: a verdict for each case and each broken law, and the judgement that they make together."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from oci_layers.testing.case import Level

__all__ = ["Judgement", "Score", "Status", "Verdict"]

Status = Literal["passed", "failed", "differs", "skipped"]
"""`differs`: another outcome where the spec leaves it open; `skipped`: this machine or user cannot run it."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of one case, or of one law in generated layers."""

    id: str
    """The id of the case or of the law."""
    level: Level
    status: Status
    sentence: str
    """What must come out."""
    rules: tuple[str, ...] = ()
    generated: bool = False
    """Whether the layers were generated, and are the smallest that were found."""
    message: str = ""
    """What is wrong, in a line."""
    layers: tuple[str, ...] = ()
    """Each layer as text, the lowest first; empty if the verdict is `passed`."""
    expected: tuple[str, ...] = ()
    """The lines of what must be there; empty if the layers are to be refused, or anything may be there."""
    actual: tuple[str, ...] | None = None
    """The lines of what is there; None if the program refused the layers."""
    differences: tuple[tuple[str | None, str | None, str], ...] = ()
    """The lines that differ: expected, actual, and in what."""
    made: tuple[str, ...] = ()
    """The lines of the layer that a differ made."""
    command: str = ""
    """The command that was run."""
    kept: Path | None = None
    """Where the layout is kept."""
    seen: int = 1
    """How many generated stacks broke the law."""


@attrs.frozen
class Score:
    """How many of how many passed."""

    passed: int
    total: int

    def __str__(self) -> str:
        return f"{self.passed} of {self.total}"


@attrs.frozen(kw_only=True)
class Judgement:
    """What the judge says of one program."""

    program: str
    version: str
    command: str
    seed: int
    verdicts: tuple[Verdict, ...]
    """Those of the cases in their order, then those of broken laws."""
    generated: Score | None = None
    """How many generated stacks came out right; None if none was generated."""
    seconds: float = attrs.field(default=0.0, eq=False)
    strict: bool = False
    """Whether an outcome that differs where the spec leaves it open counts as a failure."""

    @property
    def failures(self) -> Sequence[Verdict]:
        """The verdicts that make the judgement bad."""
        counted = ("failed", "differs") if self.strict else ("failed",)
        return [verdict for verdict in self.verdicts if verdict.status in counted]

    @property
    def ok(self) -> bool:
        """Whether there is none."""
        return not self.failures

    def score(self, level: Level) -> Score:
        """Return how many of the cases of a level passed, of those that were run."""
        counts = Counter(each.status for each in self.verdicts if each.level == level and not each.generated)
        return Score(counts["passed"], counts.total() - counts["skipped"])

    @property
    def skipped(self) -> int:
        """How many cases were not run."""
        return sum(verdict.status == "skipped" for verdict in self.verdicts)

    @property
    def laws_broken(self) -> Sequence[str]:
        """The ids of the laws that generated layers broke, in order."""
        return sorted(each.id for each in self.verdicts if each.generated and each.status == "failed")
