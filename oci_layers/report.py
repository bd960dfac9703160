"""Rules, findings and reports: what is wrong or doubtful, where, and how severe it is.

A broken rule either raises (`errors`) or is a `Finding`, whether in a document (`validation`, `verify`) or in a layer
(`layer`, `lint`). A `Skipped` is something of an image that the disk it is unpacked to cannot hold. Nothing is dropped
silently: lists are capped, their totals are not.

A finding has a rule, a severity, a location and a message, and its text is one line. The kind of location tells a
document from a layer:

    >>> from typing import get_args
    >>> from oci_layers import report
    >>> from oci_layers.rules import RULES
    >>> rule: report.Rule = RULES["DSC-07"]
    >>> rule.level, rule.level in get_args(report.Level)
    ('MUST NOT', True)
    >>> rule.severity, get_args(report.Severity)
    ('error', ('error', 'warning', 'note'))
    >>> where = report.DocumentLocation("/manifests/0", document="index.json").field("size")
    >>> wrong: report.DocumentFinding = report.Finding("DSC-07", "error", where, "must not be negative: -1")
    >>> print(wrong)
    error DSC-07 index.json/manifests/0/size: must not be negative: -1
    >>> twice: report.LayerFinding = report.Finding("duplicate", "error", report.LayerLocation(2, b"etc/motd"))
    >>> print(twice)
    error duplicate layer 2: etc/motd
    >>> twice.location.layer, twice.location.path
    (2, b'etc/motd')

`unpack` returns a `Report`. Its listings keep the first items, and count all of them by kind:

    >>> unpacked = report.Report(files=1, layers=[report.LayerTime(0, "sha256:0...", "sha256:1...", seconds=0.2)])
    >>> unpacked.skipped.add(report.Skipped("device", b"dev/null", layer=0, errno=1))
    >>> unpacked.skipped.count("owner", 8)
    >>> len(unpacked.skipped), dict(unpacked.skipped.totals)
    (9, {'device': 1, 'owner': 8})
    >>> [str(item) for item in unpacked.skipped], report.Listing.CAP
    (['layer 0: dev/null: device'], 1000)
"""

from collections import Counter
from collections.abc import Iterator
from typing import Generic, Literal, TypeVar

import attrs

from oci_layers.errors import escape, shortened
from oci_layers.limits import LISTED
from oci_layers.spec.digest import Digest

__all__ = [
    "DocumentFinding",
    "DocumentLocation",
    "Finding",
    "LayerFinding",
    "LayerLocation",
    "LayerTime",
    "Level",
    "Listing",
    "Report",
    "Rule",
    "Severity",
    "Skipped",
]

Severity = Literal["error", "warning", "note"]
"""How severe it is to break a rule."""
Level = Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "INFO"]
"""The key word of RFC 2119; INFO where the spec only explains."""


@attrs.frozen
class Rule:
    """One sentence that documents, layers or programs follow. Its id never changes its meaning."""

    id: str
    """For documents, letters for the page of the spec and a number; for layers, a word."""
    severity: Severity
    """The severity in the profile `default`."""
    sentence: str
    """What the rule requires; for a layer, what is wrong."""
    level: Level | None = None
    """The key word of the spec; None for a rule of layers."""
    fix: str | None = None
    """What the maker of the image can do."""
    unchecked: str | None = None
    """Why no program can check it; None if it is checked."""


@attrs.frozen
class DocumentLocation:
    """A place in a JSON document."""

    pointer: str = ""
    """The JSON pointer (RFC 6901) to the value, or to where a missing one would be; empty for the whole blob."""
    digest: Digest | None = None
    """The digest of the document or of the faulty blob; None if the caller did not give it."""
    document: str = ""
    """The name of the file, if it is not the digest: `index.json`."""
    media_type: str = attrs.field(default="", kw_only=True)
    """The media type of the blob, according to the first document that refers to it."""
    named_by: str = attrs.field(default="", kw_only=True)
    """Where that document refers to the blob, for a message; empty if none does."""
    value: str | None = attrs.field(default=None, kw_only=True)
    """The JSON text at the pointer, shortened; not escaped. `check_image` sets this and the fields below."""
    line: int | None = attrs.field(default=None, kw_only=True)
    """The line in the document, from 1."""
    column: int | None = attrs.field(default=None, kw_only=True)
    """The column in characters, from 1."""
    offset: int | None = attrs.field(default=None, kw_only=True, eq=False)
    """The offset in bytes in the document, from 0."""

    def __str__(self) -> str:
        where = escape(self.document) or ("" if self.digest is None else str(self.digest))
        return f"{where}{shortened(self.pointer)}" or "/"

    def field(self, name: str) -> "DocumentLocation":
        """Return the location of a field of the object here; without a pointer, of the whole document."""
        return DocumentLocation(f"{self.pointer}/{name}" if self.pointer else "", self.digest, self.document)


@attrs.frozen
class LayerLocation:
    """An entry of a layer, or a path that its entries lead to."""

    layer: int
    """The number of the layer, 0 for the lowest."""
    path: bytes
    """Clean, or as stored when it cannot be cleaned."""
    index: int | None = None
    """The number of the entry in its layer, from 0. `lint` sets this and the offset."""
    offset: int | None = None
    """The offset in bytes of its first header block in the uncompressed tar."""

    def __str__(self) -> str:
        return f"layer {self.layer}: {escape(self.path) or '/'}"


L_co = TypeVar("L_co", bound=DocumentLocation | LayerLocation, covariant=True)


@attrs.frozen
class Finding(Generic[L_co]):
    """A broken rule, and where. Its text is one line."""

    rule: str
    """The id of the rule: `oci.RULES[rule]` has its sentence."""
    severity: Severity
    """The severity in the profile of the check."""
    location: L_co
    """Where it is: a `DocumentLocation` or a `LayerLocation`."""
    message: str = ""
    """What is wrong there, if the rule alone does not show it."""

    def __str__(self) -> str:
        message = self.message if self.message.isprintable() else escape(self.message)
        return f"{self.severity} {self.rule} {self.location}{message and ': '}{message}"


DocumentFinding = Finding[DocumentLocation]
LayerFinding = Finding[LayerLocation]


@attrs.frozen
class Skipped:
    """Something of the image that is not on disk. `what` is `owner`, `device`, `xattr` and so on."""

    what: str
    path: bytes
    layer: int
    errno: int | None
    detail: str = ""

    def __str__(self) -> str:
        detail = f": {escape(self.detail)}" if self.detail else ""
        return f"layer {self.layer}: {escape(self.path) or '/'}: {self.what}{detail}"


_Item = TypeVar("_Item", bound=LayerFinding | Skipped)


class Listing(Generic[_Item]):
    """The first items of a list that may be very long, and the number of items of each kind."""

    CAP = LISTED

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self.totals: Counter[str] = Counter()

    def add(self, item: _Item) -> None:
        """Count `item`, and keep it while there is room."""
        self.totals[item.what if isinstance(item, Skipped) else item.rule] += 1
        if len(self.items) < self.CAP:
            self.items.append(item)

    def count(self, what: str, number: int) -> None:
        """Count `number` more items of a kind, without keeping them."""
        self.totals[what] += number

    def extend(self, other: "Listing[_Item]") -> None:
        """Add all items of another list, and those that it only counted."""
        self.totals += other.totals
        self.items += other.items[: max(0, self.CAP - len(self.items))]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Listing):
            return NotImplemented
        return self.items == other.items and self.totals == other.totals

    __hash__ = None  # type: ignore[assignment]  # a list changes, so it is no key

    def __iter__(self) -> Iterator[_Item]:
        return iter(self.items)

    def __len__(self) -> int:
        """The number of items, kept or not."""
        return self.totals.total()

    def __repr__(self) -> str:
        return f"<Listing {dict(self.totals)}>"


@attrs.frozen
class LayerTime:
    """One layer that was read, and how long it took."""

    layer: int
    """Its number, 0 for the lowest."""
    digest: str
    """The digest of its blob."""
    diff_id: str
    """The digest of its uncompressed tar."""
    seconds: float


@attrs.define(kw_only=True)
class Report:
    """What was unpacked, and what was not."""

    entries: int = 0
    """Tar entries read, whiteouts among them."""
    files: int = 0
    """Names of regular files in the result."""
    bytes: int = 0
    """Bytes of their contents, including holes, a file with several names once."""
    layers: list[LayerTime] = attrs.field(factory=list)
    skipped: Listing[Skipped] = attrs.field(factory=Listing)
    """What could not be set on files in the result, without files that a higher layer removed."""
    findings: Listing[LayerFinding] = attrs.field(factory=Listing)
    leftovers: list[str] = attrs.field(factory=list)
    """Full paths of directories that killed runs left beside the destination; they are not removed."""
