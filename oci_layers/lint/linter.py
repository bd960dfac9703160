"""Lint one layer: check its entries against the rules, and apply them to the tree of the layers below.

Each entry takes two paths. `walk.EntryRules` checks it against the rules for entries. `Decoder` and `Application`, the
engine, apply it to a fork of `lower` as `unpack` does, but without contents. What the engine refuses or reports becomes
a finding with the index and offset of the entry, unless a rule of the walk covers it already. So lint finds everything
that applying the layer refuses or reports. The fork is then the tree below the next layer. Nothing is written, no
content is read.
"""

from collections.abc import Iterable, Iterator, Sequence

import attrs

from oci_layers.errors import LayerError, LimitError
from oci_layers.layer.apply import Application
from oci_layers.layer.change import Link
from oci_layers.layer.decode import Decoder
from oci_layers.layer.policy import AnyPolicy, Policy
from oci_layers.layer.rules import ONCE, layer_finding
from oci_layers.limits import Limits
from oci_layers.lint.walk import EntryRules
from oci_layers.lint.windows import base_faults
from oci_layers.report import LayerFinding
from oci_layers.tar.entry import Entry
from oci_layers.tree.content import NOWHERE
from oci_layers.tree.tree import FileTree

__all__ = ["Linter", "lint"]

_OF_ONE_NAME = frozenset({"path_bytes", "path_depth", "component_bytes"})
"""Limits on one name, which lint reports as findings; it stops at any other limit."""
_COVERED = {"nothing-hidden": {"nothing-hidden", "nothing-opaque"}, "climbing-link": {"climbing-link", "climbing-name"}}
"""For a rule that the engine reports, the rules of the walk that cover it, if not that rule itself."""


def lint(
    entries: Iterable[Entry],
    *,
    lower: FileTree | None = None,
    layer: int = 0,
    policy: AnyPolicy = None,
    limits: Limits | None = None,
    windows: bool = False,
) -> Iterator[LayerFinding]:
    """Yield the findings of one layer as they are found; some are found only at the end.

    Args:
        entries: What `tar.read_tar` yields; read once, one at a time, without contents.
        lower: The layers below, merged (an empty tree below the first layer). Without it, rules that depend on them
            are not checked.
        layer: The number of the layer in its image, for the findings.
        policy: How the layer is applied; refused entries are left out, the rest is applied.
        limits: The limits on names and the tree; those of `lower` by default.
        windows: Whether the image is for Windows, which has other names and attributes.

    Raises:
        TarFormatError: Raised by `entries`; the rules themselves raise nothing.
        LimitError: Raised by `entries`, or the layer exceeds a limit on all entries together.
    """
    linter = Linter(lower=lower, layer=layer, policy=policy, limits=limits, windows=windows)
    for entry in entries:
        yield from linter.look(entry)
    yield from linter.end()


_Heard = tuple[LayerFinding, int, int]
"""A finding of the engine, with the index and the offset of the entry."""


class Linter:
    """Lints one layer incrementally, one entry for each call, for callers that also use the entries themselves."""

    def __init__(
        self,
        *,
        lower: FileTree | None = None,
        layer: int = 0,
        policy: AnyPolicy = None,
        limits: Limits | None = None,
        windows: bool = False,
    ) -> None:
        """Take the arguments of `lint`; `lower` must not change before `end` returns."""
        limits = limits or (Limits() if lower is None else lower.limits)
        policy = Policy.of(policy)
        self.tree = FileTree(limits=limits, windows=windows) if lower is None else lower.fork()
        """The layer applied to `lower`, as far as it can be; complete after `end`."""
        self._layer = layer
        self._lower = lower
        self._is_base = windows and layer == 0 and lower is not None
        self._rules = EntryRules(lower, layer, limits, windows=windows)
        self._decoder = Decoder(layer, policy, limits, NOWHERE, self._hear, windows=windows)
        self._application = Application(self.tree, layer, None, policy, self._hear)
        self._heard: list[_Heard] = []
        self._has_refused = False

    def _hear(self, finding: LayerFinding) -> None:
        turn = self._application.turn
        assert isinstance(turn, tuple)
        self._heard.append((finding, *turn))

    def _refuse(self, path: bytes, error: LayerError | LimitError) -> None:
        self._has_refused = True
        self._hear(layer_finding("refused", path, self._layer, getattr(error, "reason", str(error))))

    def look(self, entry: Entry) -> Sequence[LayerFinding]:
        """Return the findings of the next entry, usually none; its content is not read.

        Raises:
            LimitError: The layer exceeds a limit on all entries together.
        """
        rules = self._rules
        rules.look(entry)
        self._application.turn = rules.index, entry.offset
        try:
            change = self._decoder.change(entry)
            if change is not None:
                self._application.take(change)
            if self._is_waiting() and isinstance(change, Link) and self._has_target(change):
                rules.waiting.pop()
        except LayerError as error:
            self._refuse(error.path, error)
        except LimitError as error:
            if error.limit not in _OF_ONE_NAME:
                raise
            self._refuse(entry.name, error)
        return self._taken() if rules.found or self._heard else ()

    def end(self) -> Sequence[LayerFinding]:
        """Return the findings that need the whole layer.

        Raises:
            LimitError: As `look`.
        """
        self._rules.end()
        if self._has_refused:  # In no order can all entries be applied.
            self._application.order.discard()
        try:
            self._application.end()
        except LimitError as error:
            if error.limit not in _OF_ONE_NAME:
                raise
            self._refuse(b"", error)
        if self._lower is None:  # The targets of refused links may be in layers below.
            self._heard = [heard for heard in self._heard if heard[0].rule != "refused"]
        self._rules.waiting.clear()
        faults = base_faults(self.tree) if self._is_base else ()
        base = [layer_finding("windows-base", path, self._layer, detail) for path, detail in faults]
        return self._taken() + base

    def _has_target(self, link: Link) -> bool:
        """Return whether the engine has just made this link, perhaps to a target behind links of the layer."""
        refused = any(finding.rule == "refused" for finding, _, _ in self._heard)
        return not refused and link.path not in self._application.deferred

    def _is_waiting(self) -> bool:
        """Return whether the present entry is a hard link for which the rules have found no target yet."""
        waiting = self._rules.waiting
        return bool(waiting) and waiting[-1][0].location.index == self._rules.index

    def _taken(self) -> list[LayerFinding]:
        told = self._rules.taken()
        for finding, index, offset in self._heard:
            if finding.rule == "nothing-hidden" and self._lower is None:
                continue
            if finding.rule in ONCE:
                self._rules.count(finding.rule, finding.location.path)
                continue
            if finding.rule == "refused" and self._is_waiting():
                continue  # `EntryRules.end` reports an error for it.
            here = [found for found in told if found.location.index == index]
            if not self._is_covered(finding, here):
                told.append(attrs.evolve(finding, location=attrs.evolve(finding.location, index=index, offset=offset)))
        self._heard.clear()
        return told

    def _is_covered(self, finding: LayerFinding, told: Iterable[LayerFinding]) -> bool:
        """Return whether the rules already report, for the same entry, what the engine reports."""
        if finding.rule == "refused":
            return any(found.severity == "error" for found in told)
        words = _COVERED.get(finding.rule, {finding.rule})
        return any(found.rule in words for found in told)
