"""What happened, for the caller to read: nothing that the library passes over is passed over in silence.

A rule that is not kept either raises (`errors`) or is listed here: a `Finding` about the image itself, a `Skipped`
about what the place where it was unpacked could not hold. Lists are capped; the totals beside them are not.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

import attrs

from oci_layers.errors import escape

__all__ = ["Finding", "LayerTime", "Listing", "Report", "Skipped"]


@attrs.frozen
class Finding:
    """Something in a layer that is legal to apply and still worth a look, or that a lenient policy let pass.

    `what` is a short stable name such as `duplicate`; `layer` counts from 0 at the bottom.
    """

    what: str
    path: bytes
    layer: int
    detail: str = ""

    def __str__(self) -> str:
        detail = f": {escape(self.detail)}" if self.detail else ""
        return f"layer {self.layer}: {escape(self.path) or '/'}: {self.what}{detail}"


@attrs.frozen
class Skipped:
    """Something of the image that the disk does not show. `what` is `owner`, `device`, `xattr` and so on."""

    what: str
    path: bytes
    layer: int
    errno: int | None
    detail: str = ""

    def __str__(self) -> str:
        detail = f": {escape(self.detail)}" if self.detail else ""
        return f"layer {self.layer}: {escape(self.path) or '/'}: {self.what}{detail}"


_Item = TypeVar("_Item", Finding, Skipped)


class Listing(Generic[_Item]):
    """The first items of a list that may be very long, and how many there were of each kind."""

    CAP = 1_000

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self.totals: Counter[str] = Counter()

    def add(self, item: _Item) -> None:
        """Count `item`, and keep it while there is room."""
        self.totals[item.what] += 1
        if len(self.items) < self.CAP:
            self.items.append(item)

    def count(self, what: str, number: int) -> None:
        """Count `number` more of a kind, of which no item is kept."""
        self.totals[what] += number

    def __iter__(self) -> Iterator[_Item]:
        return iter(self.items)

    def __len__(self) -> int:
        """How many there were, kept or not."""
        return self.totals.total()

    def __repr__(self) -> str:
        return f"<Listing {dict(self.totals)}>"


@attrs.frozen
class LayerTime:
    """How long one layer took."""

    diff_id: str
    seconds: float


@attrs.define(kw_only=True)
class Report:
    """What was unpacked, and what was not."""

    entries: int = 0
    """Tar entries read, whiteouts among them."""
    files: int = 0
    """Names of regular files that there are now."""
    bytes: int = 0
    """Bytes of their contents, holes counted, a file with several names once."""
    layers: list[LayerTime] = attrs.field(factory=list)
    skipped: Listing[Skipped] = attrs.field(factory=Listing)
    """What could not be set of what there is in the end, not of what a higher layer took away again."""
    findings: Listing[Finding] = attrs.field(factory=Listing)
    leftovers: list[str] = attrs.field(factory=list)
    """Full paths of directories that killed runs left beside the destination; they are not removed."""
