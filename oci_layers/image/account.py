"""What each layer of an image did: names added, changed and removed, lower data hidden, and bytes wasted.

The layers are merged once, without contents, and the tree below and above each layer is kept. Trees share what a layer
leaves alone (`tree.tree`), so all of them take little more memory than the last, and the difference of two neighbours
costs what the layer touched. All numbers come from these differences, so they do not depend on the order in a layer.

Bytes are those of file contents as they are in the tar, without headers and holes. What a layer stores is either
visible in the whole image or wasted: hidden by an upper layer, or by a later entry of the layer itself.
`why` looks at a single path.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import attrs

from oci_layers.image.layer import Layer
from oci_layers.image.prefetch import LayerPrefetcher
from oci_layers.image.reader import OpenLayer
from oci_layers.layer.apply import apply
from oci_layers.layer.change import Change, Opaque, Whiteout
from oci_layers.layer.decode import decode
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.progress import OnRead, ProgressTracker
from oci_layers.tar.entry import Entry
from oci_layers.tree.content import RangeReader
from oci_layers.tree.node import Device, Directory, File, Node, Symlink
from oci_layers.tree.path import join
from oci_layers.tree.tree import FileTree

__all__ = ["Account", "Kind", "LayerAccount", "Tally", "account_of", "compare", "differences", "kind_of"]

Kind = Literal["added", "changed", "removed"]
"""What a layer can do to a name."""


@attrs.frozen
class Tally:
    """A number of names or files, and the bytes of contents that belong to them."""

    count: int = 0
    bytes: int = 0


@attrs.frozen(kw_only=True, eq=False)
class LayerAccount:
    """What one layer did. Bytes are of file contents in its tar, each file counted once whatever its names."""

    layer: Layer
    """The layer, with descriptor, diff_id and history entry."""
    lower: FileTree = attrs.field(repr=False)
    """The merged tree below the layer. Do not change it; `fork()` gives one to change."""
    upper: FileTree = attrs.field(repr=False)
    """The merged tree with the layer."""
    markers: tuple[Whiteout | Opaque, ...] = attrs.field(repr=False)
    """Its whiteouts and opaque markers, in their order."""
    entries: int
    """The number of entries in its tar."""
    plain_size: int
    """The bytes of its uncompressed tar."""
    content_bytes: int
    """The bytes of file contents in its tar."""
    added: Tally
    """Names that did not exist below it, and the bytes that it stores for them."""
    changed: Tally
    """Names that existed and have other metadata, another type, or contents stored again, which are not compared."""
    removed: Tally
    """Names that existed and no longer do; the bytes are those that no other name shows."""
    hidden: Tally
    """Files of lower layers that no name shows any more, since they are replaced or removed; and their bytes."""
    visible_bytes: int
    """The bytes of its contents that the whole image shows."""

    @property
    def size(self) -> int:
        """The bytes of its blob as stored."""
        return self.layer.descriptor.size

    @property
    def wasted_bytes(self) -> int:
        """The bytes of its contents that the whole image does not show."""
        return self.content_bytes - self.visible_bytes

    @property
    def repeated_bytes(self) -> int:
        """The bytes of its contents that it hides itself: names that it has twice, and files that it drops again."""
        return self.content_bytes - self.added.bytes - self.changed.bytes

    def paths(self, kind: Kind) -> Iterator[bytes]:
        """Yield the resolved paths that the layer added, changed or removed, in the order of their bytes."""
        for path, old, new in differences(self.lower, self.upper):
            if kind_of(path, old, new) == kind:
                yield path


@attrs.frozen(kw_only=True, eq=False)
class Account:
    """What the layers of an image did, the base first. Memory held: the merged tree after each layer, all shared."""

    layers: tuple[LayerAccount, ...]
    policy: Policy
    """How the layers were merged."""

    @property
    def size(self) -> int:
        """The bytes of all blobs as stored."""
        return sum(each.size for each in self.layers)

    @property
    def plain_size(self) -> int:
        """The bytes of all uncompressed tars."""
        return sum(each.plain_size for each in self.layers)

    @property
    def content_bytes(self) -> int:
        """The bytes of file contents that the layers store."""
        return sum(each.content_bytes for each in self.layers)

    @property
    def visible_bytes(self) -> int:
        """The bytes of file contents that the image shows."""
        return sum(each.visible_bytes for each in self.layers)

    @property
    def wasted_bytes(self) -> int:
        """The bytes of file contents that the layers store and the image does not show."""
        return self.content_bytes - self.visible_bytes


def account_of(
    layers: Sequence[Layer], sources: Sequence[RangeReader], tracker: ProgressTracker, policy: Policy
) -> Account:
    """Read all layers once, without contents, and return the account.

    Args:
        layers: The layers, the base first.
        sources: Read contents of each layer later.
        tracker: Counts, limits and reports progress.
        policy: What to do where the spec leaves a choice.

    Raises:
        OCIError: A layer is missing, damaged, or refused by the policy; a note names the layer.
    """
    tree = FileTree(limits=layers[0].limits if layers else Limits())
    merged: list[_Merged] = []
    threads = min((layer.reader.threads for layer in layers), default=1)
    openers: list[Callable[[], OpenLayer]] = [functools.partial(layer.reader.open_headers) for layer in layers]
    with contextlib.closing(LayerPrefetcher(openers, threads=threads)) as prefetcher:
        for layer, source in zip(layers, sources, strict=True):
            each = _Merged(layer=layer, lower=tree.fork())
            each.merge(tree, source, tracker, policy, prefetcher.open)
            merged.append(each)
    visible = _visible(tree, len(layers))
    accounts = tuple(each.account(shown) for each, shown in zip(merged, visible, strict=True))
    return Account(layers=accounts, policy=policy)


@attrs.define(kw_only=True, eq=False)
class _Merged:
    """One layer while it is merged and after."""

    layer: Layer
    lower: FileTree
    upper: FileTree = attrs.field(factory=FileTree)
    markers: list[Whiteout | Opaque] = attrs.field(factory=list)
    entries: int = 0
    plain_size: int = 0
    content_bytes: int = 0

    def merge(
        self,
        tree: FileTree,
        source: RangeReader,
        tracker: ProgressTracker,
        policy: Policy,
        opener: Callable[[], OpenLayer],
    ) -> None:
        """Merge the layer into `tree`, count, and keep a fork."""
        reader = self.layer.reader
        on_read = self._counted(tracker.on_read(reader.index))
        with reader.open_entries(on_read, opener=opener) as entries:
            changes = decode(
                self._tallied(tracker.count(entries)),
                layer=reader.index,
                policy=policy,
                limits=reader.limits,
                source=source,
            )
            apply(self._noted(changes), tree, layer=reader.index, policy=policy)
        self.upper = tree.fork()

    def _counted(self, on_read: OnRead) -> OnRead:
        def counted(plain: int, blob: int) -> None:
            self.plain_size += plain
            on_read(plain, blob)

        return counted

    def _tallied(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            self.entries += 1
            self.content_bytes += entry.stored_size
            yield entry

    def _noted(self, changes: Iterable[Change]) -> Iterator[Change]:
        for change in changes:
            if isinstance(change, Whiteout | Opaque):
                self.markers.append(change)
            yield change

    def account(self, visible_bytes: int) -> LayerAccount:
        """Return the account of the layer."""
        tallies = _tallies(self.lower, self.upper, self.layer.index)
        return LayerAccount(
            layer=self.layer,
            lower=self.lower,
            upper=self.upper,
            markers=tuple(self.markers),
            entries=self.entries,
            plain_size=self.plain_size,
            content_bytes=self.content_bytes,
            added=tallies["added"],
            changed=tallies["changed"],
            removed=tallies["removed"],
            hidden=tallies["hidden"],
            visible_bytes=visible_bytes,
        )


def _visible(tree: FileTree, layers: int) -> list[int]:
    """Return how many bytes of each layer a tree shows."""
    visible = [0] * layers
    seen: set[int] = set()
    for _, node in tree.walk():
        if isinstance(node, File) and _is_first(node, tree, seen):
            visible[node.layer] += _stored(node)
    return visible


def _is_first(node: File, tree: FileTree, seen: set[int]) -> bool:
    """Return whether a file was not seen under another name; only files with several names are kept in `seen`."""
    if node.inode in seen:
        return False
    if tree.link_names(node.inode):
        seen.add(node.inode)
    return True


def _tallies(lower: FileTree, upper: FileTree, layer: int) -> dict[str, Tally]:
    counts = dict.fromkeys(("added", "changed", "removed", "hidden"), 0)
    sizes = dict(counts)
    stored: set[int] = set()
    lost: set[int] = set()
    for path, old, new in differences(lower, upper):
        kind = kind_of(path, old, new)
        if kind is not None:
            counts[kind] += 1
        if kind is not None and isinstance(new, File) and new.layer == layer and _is_first(new, upper, stored):
            sizes[kind] += _stored(new)
        if isinstance(old, File) and not upper.link_names(old.inode) and _is_first(old, lower, lost):
            counts["hidden"] += 1
            sizes["hidden"] += _stored(old)
            if new is None:
                sizes["removed"] += _stored(old)
    return {name: Tally(count, sizes[name]) for name, count in counts.items()}


def _stored(node: File) -> int:
    """Return the bytes of the content of a file as its layer stores it, without holes."""
    content = node.content
    return content.size if content.extents is None else sum(length for _, length in content.extents)


def differences(lower: FileTree, upper: FileTree) -> Iterator[tuple[bytes, Node | None, Node | None]]:
    """Yield the path and the nodes in both trees, or None, where these are not the same object; sorted by path.

    A directory comes before what is in it. Directories that the trees share are skipped at once; one that differs only
    below is yielded, too.
    """
    stack: list[tuple[bytes, Node | None, Node | None]] = [(b"", lower.root, upper.root)]
    while stack:
        path, old, new = stack.pop()
        if old is new:
            continue
        yield path, old, new
        olds = old.children if isinstance(old, Directory) else {}
        news = new.children if isinstance(new, Directory) else {}
        names = [name for name, node in olds.items() if news.get(name) is not node]
        names += [name for name in news if name not in olds]
        names.sort(reverse=True)
        stack.extend((join(path, name), olds.get(name), news.get(name)) for name in names)


def kind_of(path: bytes, old: Node | None, new: Node | None) -> Kind | None:
    """Return what happened to a name; None if it shows the same as before.

    A layer adds the root if it is the first to describe it.
    """
    if old is None or (not path and _is_implicit(old) and not _is_implicit(new)):
        return "added"
    if new is None:
        return "removed"
    aspects, doubtful = compare(old, new)
    return "changed" if aspects or doubtful else None


def _is_implicit(node: Node | None) -> bool:
    return isinstance(node, Directory) and node.implicit


def compare(old: Node, new: Node) -> tuple[tuple[str, ...], bool]:
    """Return what of a node differs, and whether contents of the same size may differ, which this does not read.

    The names: `type`, `content`, `target` of a link, `device`, `mode`, `owner`, `times`, `xattrs`.
    """
    aspects: list[str] = []
    doubtful = False
    match old, new:
        case File(), File():
            if old.content.size != new.content.size:
                aspects.append("content")
            else:
                doubtful = old.content is not new.content and new.content.size > 0
        case Symlink(), Symlink():
            if old.target != new.target:
                aspects.append("target")
        case Device(), Device():
            if (old.kind, old.major, old.minor) != (new.kind, new.major, new.minor):
                aspects.append("device")
        case _:
            if type(old) is not type(new):
                aspects.append("type")
    pairs = {
        "mode": (old.mode, new.mode),
        "owner": ((old.uid, old.gid), (new.uid, new.gid)),
        "times": (old.mtime_ns, new.mtime_ns),
        "xattrs": (old.xattrs, new.xattrs),
    }
    aspects += [name for name, (one, other) in pairs.items() if one != other]
    return tuple(aspects), doubtful
