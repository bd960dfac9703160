"""What each layer of an image did: names added, changed and removed, lower data hidden, and bytes wasted.

The layers are merged once, without contents. After each one its tree is compared with the tree below it, which shares
whatever the layer leaves alone (`tree.tree`), so this costs what the layer touched. All numbers come from these
differences, so they do not depend on the order in a layer. Kept are the last tree, and for each layer the nodes before
and after under the names that it touched: no more than the entries of the image and the names that they made.

Bytes are those of file contents as they are in the tar, without headers and holes. What a layer stores is either
visible in the whole image or wasted: hidden by an upper layer, or by a later entry of the layer itself.
`why` looks at a single path.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from oci_layers.errors import LinkError
from oci_layers.image.differences import Kind, differences, kind_of
from oci_layers.image.layer import Layer
from oci_layers.image.prefetch import prefetcher_of
from oci_layers.image.reader import OpenLayer
from oci_layers.layer.apply import apply
from oci_layers.layer.change import Change, Opaque, Whiteout
from oci_layers.layer.decode import decode
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.progress import OnRead, ProgressTracker
from oci_layers.tar.entry import Entry
from oci_layers.tree.content import RangeReader
from oci_layers.tree.node import Directory, File, Node
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.resolve import resolve
from oci_layers.tree.tree import FileTree

__all__ = ["Account", "LayerAccount", "Tally", "Touched", "account_of"]

Touched = tuple[Node | None, Node | None]
"""The nodes under a name below a layer and with it, None for nothing; directories without what is in them."""


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
    touched: Mapping[bytes, Touched] = attrs.field(repr=False)
    """The resolved paths that it added, changed, removed or has again, in the order of a walk."""
    places: tuple[tuple[bytes, bool], ...] = attrs.field(repr=False)
    """What its markers remove: the resolved path, and whether only what is in it, as an opaque marker does."""
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
        """Yield the resolved paths that the layer added, changed or removed; a directory before what is in it."""
        return (path for path, (old, new) in self.touched.items() if kind_of(path, old, new) == kind)


@attrs.frozen(kw_only=True, eq=False)
class Account:
    """What the layers of an image did."""

    layers: tuple[LayerAccount, ...]
    """One for each layer, the base first."""
    tree: FileTree = attrs.field(repr=False)
    """The merged tree. Do not change it; `fork()` gives one to change."""

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
    windows = any(layer.reader.windows for layer in layers)
    tree = FileTree(limits=layers[0].limits if layers else Limits(), windows=windows)
    merged: list[_Merged] = []
    readers = [layer.reader for layer in layers]
    with contextlib.closing(prefetcher_of(readers, [each.open_headers for each in readers])) as prefetcher:
        for layer, source in zip(layers, sources, strict=True):
            each = _Merged(layer=layer)
            each.merge(tree, source, tracker, policy, prefetcher.open)
            merged.append(each)
    visible = _visible(tree, len(layers))
    accounts = tuple(each.account(shown) for each, shown in zip(merged, visible, strict=True))
    return Account(layers=accounts, tree=tree)


@attrs.define(kw_only=True, eq=False)
class _Merged:
    """One layer while it is merged and after."""

    layer: Layer
    touched: dict[bytes, Touched] = attrs.field(factory=dict)
    tallies: dict[str, Tally] = attrs.field(factory=dict)
    markers: list[Whiteout | Opaque] = attrs.field(factory=list)
    places: tuple[tuple[bytes, bool], ...] = ()
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
        """Merge the layer into `tree`, and compare."""
        reader, lower = self.layer.reader, tree.fork()
        on_read = self._counted(tracker.on_read(reader.index))
        with reader.open_entries(on_read, opener=opener) as entries:
            changes = decode(
                self._tallied(tracker.count(entries)),
                layer=reader.index,
                policy=policy,
                limits=reader.limits,
                source=source,
                windows=tree.windows,
            )
            apply(self._noted(changes), tree, layer=reader.index, policy=policy)
        self.tallies = self._compared(lower, tree)
        follow = policy.parents == "follow" and not tree.windows
        self.places = tuple(_places(self.markers, lower, follow=follow))
        self.markers.clear()

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

    def _compared(self, lower: FileTree, upper: FileTree) -> dict[str, Tally]:
        """Record the names that the layer touched, and return the tallies."""
        counts = dict.fromkeys(("added", "changed", "removed", "hidden"), 0)
        sizes = dict(counts)
        stored: set[int] = set()
        lost: set[int] = set()
        for path, old, new in differences(lower, upper):
            kind = kind_of(path, old, new)
            if kind is None and _is_same_description(old, new):
                continue  # Only what is in the directory differs.
            self.touched[path] = _bare(old), _bare(new)
            if isinstance(old, File) and not upper.link_names(old.inode) and _is_first(old, lower, lost):
                counts["hidden"] += 1
                sizes["hidden"] += _stored(old)
                if new is None:
                    sizes["removed"] += _stored(old)
            if kind is None:
                continue
            counts[kind] += 1
            if isinstance(new, File) and new.layer == self.layer.index and _is_first(new, upper, stored):
                sizes[kind] += _stored(new)
        return {name: Tally(count, sizes[name]) for name, count in counts.items()}

    def account(self, visible_bytes: int) -> LayerAccount:
        """Return the account of the layer."""
        return LayerAccount(
            layer=self.layer,
            touched=self.touched,
            places=self.places,
            entries=self.entries,
            plain_size=self.plain_size,
            content_bytes=self.content_bytes,
            added=self.tallies["added"],
            changed=self.tallies["changed"],
            removed=self.tallies["removed"],
            hidden=self.tallies["hidden"],
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


def _places(markers: Iterable[Whiteout | Opaque], lower: FileTree, *, follow: bool) -> Iterator[tuple[bytes, bool]]:
    """Yield the resolved path that each marker names, and whether it is opaque; none for one that leads nowhere."""
    root, limit = lower.root, lower.limits.links
    for marker in markers:
        path = lower.spelled(marker.path) if lower.windows else marker.path
        parent, name = parent_and_name(path) if isinstance(marker, Whiteout) else (path, b"")
        with contextlib.suppress(LinkError):
            found = resolve(root, parent, follow=follow, follow_last=follow, limit=limit, lexical_dotdot=True)
            if not found.rest:
                yield b"/".join([*found.names, name] if name else found.names), not name


def _stored(node: File) -> int:
    """Return the bytes of the content of a file as its layer stores it, without holes."""
    content = node.content
    return content.size if content.extents is None else sum(length for _, length in content.extents)


def _is_same_description(old: Node | None, new: Node | None) -> bool:
    """Return whether both are a directory as the same entry describes it, or as it is implied."""
    if not (isinstance(old, Directory) and isinstance(new, Directory)):
        return False
    return (old.layer, old.implicit) == (new.layer, new.implicit)


def _bare(node: Node | None) -> Node | None:
    """Return a node without what is in it, which would keep the whole tree of a layer."""
    return attrs.evolve(node, children={}, token=None) if isinstance(node, Directory) else node
