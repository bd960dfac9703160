"""A layer past the rules of lint and, entry by entry, into the tree that the next layer is over.

So lint finds whatever applying the layer refuses or reports: what the rules of single entries (`lint`) did not say of
an entry is taken from the engine, under the word of the rule that has it. Nothing is written, no content is read.
"""

from collections.abc import Iterable, Iterator, Sequence

import attrs

from oci_layers.errors import LayerError, LimitError
from oci_layers.layer.apply import Application
from oci_layers.layer.change import Link
from oci_layers.layer.decode import Decoder
from oci_layers.layer.policy import Policy
from oci_layers.layer.rules import ONCE, layer_finding
from oci_layers.limits import Limits
from oci_layers.lint.walk import EntryRules
from oci_layers.report import LayerFinding
from oci_layers.tar.entry import Entry
from oci_layers.tree.content import NOWHERE
from oci_layers.tree.tree import FileTree

__all__ = ["Linter", "lint"]

_OF_ONE_NAME = frozenset({"path_bytes", "path_depth", "component_bytes"})
"""The limits whose breach is a finding; one past any other limit makes lint end."""
_COVERED = {"nothing-hidden": {"nothing-hidden", "nothing-opaque"}, "climbing-link": {"climbing-link", "climbing-name"}}
"""The rules that say what the engine reports in one word."""


def lint(
    entries: Iterable[Entry],
    *,
    lower: FileTree | None = None,
    layer: int = 0,
    policy: Policy | None = None,
    limits: Limits | None = None,
    windows: bool = False,
) -> Iterator[LayerFinding]:
    """Yield what the rules find in one layer, as it is found; some findings wait for the end.

    Args:
        entries: What `tar.read_tar` yields; read once, one at a time, and not their contents.
        lower: The layers below, merged (an empty tree below the first layer). Without it, whatever depends on them is
            left open.
        layer: The number of the layer in its image, for the findings.
        policy: How the layer is applied; what it refuses is left out, and the rest applied.
        limits: What names and the tree are held to; those of `lower` by default.
        windows: Whether the image is for Windows, which has other names and attributes.

    Raises:
        TarFormatError: What `entries` raises; the rules themselves raise nothing.
        LimitError: As that; or the layer is past a limit on all entries together.
    """
    linter = Linter(lower=lower, layer=layer, policy=policy, limits=limits, windows=windows)
    for entry in entries:
        yield from linter.look(entry)
    yield from linter.end()


_Heard = tuple[LayerFinding, int, int]
"""What the engine reports, with the index and the offset of the entry."""


class Linter:
    """One layer on its way past the rules, for callers that need the same entries for something else, too."""

    def __init__(
        self,
        *,
        lower: FileTree | None = None,
        layer: int = 0,
        policy: Policy | None = None,
        limits: Limits | None = None,
        windows: bool = False,
    ) -> None:
        """Take what `lint` takes; `lower` must stay as it is until the end."""
        limits = limits or (Limits() if lower is None else lower.limits)
        policy = policy or Policy()
        self.tree = FileTree(limits=limits) if lower is None else lower.fork()
        """What can be made of the layer over `lower`, complete after `end`."""
        self._layer = layer
        self._lower = lower
        self._windows = windows
        self._rules = EntryRules(lower, layer, limits, windows=windows)
        self._decoder = Decoder(layer, policy, limits, NOWHERE, self._hear)
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
        """Return what the rules find in the next entry, mostly nothing; its content is not read.

        Raises:
            LimitError: There is more than a limit on all entries allows.
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
        """Return what can only be said once the layer has ended.

        Raises:
            LimitError: As `look`.
        """
        self._rules.end()
        if self._has_refused:  # In no order can all of it be applied.
            self._application.kept = None
        try:
            self._application.end()
        except LimitError as error:
            if error.limit not in _OF_ONE_NAME:
                raise
            self._refuse(b"", error)
        if self._lower is None:  # Nothing can be said of links to what is not in the layer.
            self._heard = [heard for heard in self._heard if heard[0].rule != "refused"]
        self._rules.waiting.clear()
        return self._taken()

    def _has_target(self, link: Link) -> bool:
        """Tell whether the engine has just made a link, perhaps to a target behind links of the layer."""
        refused = any(finding.rule == "refused" for finding, _, _ in self._heard)
        return not refused and link.path not in self._application.deferred

    def _is_waiting(self) -> bool:
        """Tell whether the rules have found no target yet for the hard link that is the present entry."""
        waiting = self._rules.waiting
        return bool(waiting) and waiting[-1][0].location.index == self._rules.index

    def _taken(self) -> list[LayerFinding]:
        told = self._rules.taken()
        for finding, index, offset in self._heard:
            if finding.rule == "nothing-hidden" and self._lower is None:
                continue
            if finding.rule in ONCE:
                if not self._windows:
                    self._rules.count(finding.rule, finding.location.path)
                continue
            if finding.rule == "refused" and self._is_waiting():
                continue  # What the rules say of it in the end is an error, too.
            here = [found for found in told if found.location.index == index]
            if not self._is_covered(finding, here):
                told.append(attrs.evolve(finding, location=attrs.evolve(finding.location, index=index, offset=offset)))
        self._heard.clear()
        return told

    def _is_covered(self, finding: LayerFinding, told: Iterable[LayerFinding]) -> bool:
        """Tell whether the rules said of an entry what the engine reports."""
        if finding.rule == "refused":
            return any(found.severity == "error" for found in told)
        words = _COVERED.get(finding.rule, {finding.rule})
        return any(found.rule in words for found in told)
