"""One case of the rules of layers: what is applied, what must come out, and what this library makes of it."""

from collections.abc import Mapping
from typing import Literal

import attrs

from oci_layers.errors import OCIError
from oci_layers.testing.stack import Stack
from oci_layers.tree.node import Directory
from oci_layers.tree.tree import FileTree

__all__ = ["Case", "Level", "Outcome", "Refusal"]

Level = Literal["spec", "safety", "decided"]
"""How much a case demands.

`spec`: the text of the spec decides, and any other outcome is a failure. `safety`: the layers try to change something
outside the directory that they are applied to; whatever comes out is right as long as they do not succeed. `decided`:
the spec is silent or ambiguous, and the outcome is what this library decided; another outcome is no failure.
"""


@attrs.frozen
class Refusal:
    """An error of exactly this type, with this path, and with this text somewhere in its sentence."""

    error: type[OCIError]
    path: bytes
    reason: str


@attrs.frozen
class Outcome:
    """What this library makes of layers under one policy: a tree or an error, and what it reports."""

    tree: FileTree | None
    """None if the layers are refused."""
    refusal: Refusal | None = None
    """None if they are not."""
    findings: tuple[tuple[str, bytes], ...] = ()
    """The rule and the path of each finding, in order; of a refusal, of those before it."""


@attrs.frozen(kw_only=True)
class Case:
    """Layers, and what must come out when they are applied. Treat its trees as immutable: fork them to change them."""

    id: str
    """The theme and a name, such as `whiteouts/after-the-file`. An id never changes its meaning."""
    rules: tuple[str, ...]
    """Ids of rules (`oci_layers.rules`) and of questions that the spec leaves open (`questions`)."""
    level: Level
    sentence: str
    """What must come out, and why, in plain words."""
    stack: Stack | None
    """The layers as entries, the lowest first; None if one of them has bytes that no list of entries gives."""
    archives: tuple[bytes, ...] = ()
    """The layers as archives, if they are not a stack."""
    text: str
    """The layers as text: that of the stack, or the bytes (`raw`)."""
    expected: FileTree | None
    """What must come out; None if the layers are to be refused. Its implicit directories are those that no entry
    describes: the spec does not give their attributes."""
    also: tuple[FileTree | None, ...] = ()
    """What may come out as well, where the spec leaves several outcomes open."""
    touched: frozenset[bytes] = frozenset()
    """Directories of the expected trees whose children a layer changes without an entry for the directory: the spec
    does not say whether their time changes then."""
    outcomes: Mapping[str, Outcome]
    """What this library makes of the layers, by policy: `default`; `strict` and `lenient` where these presets make
    something else of them; and `replace`, the default with `parents="replace"`, where the case is about that."""
    disk: FileTree | None = None
    """What is on a disk, where a disk cannot hold all of the expected tree."""
    skipped: tuple[tuple[str, bytes], ...] = ()
    """What the report then has in `skipped`: what, and the path."""

    @property
    def layers(self) -> tuple[bytes, ...]:
        """The layers as archives, the lowest first; those of a stack are written anew each time."""
        return self.archives if self.stack is None else tuple(self.stack.tars())

    @property
    def accepted(self) -> tuple[FileTree | None, ...]:
        """Every outcome that is right, `expected` first."""
        return (self.expected, *self.also)

    @property
    def implied(self) -> frozenset[bytes]:
        """The directories that no entry describes, the root among them, in any tree that is accepted."""
        return frozenset(
            path
            for tree in self.accepted
            if tree is not None
            for path, node in tree.walk()
            if isinstance(node, Directory) and node.implicit
        )
