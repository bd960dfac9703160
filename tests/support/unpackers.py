"""Unpackers for the judge: one that is right, as the oracle is, and others that each break one rule of layers.

An unpacker merges the layers of the oracle's way, with one method or one step changed, and writes the result to disk.
"""

import dataclasses
import os
import pathlib

from oci_layers import open_image
from oci_layers.testing import oracle
from oci_layers.testing.judge.expect import tree_of
from oci_layers.testing.judge.write import write_tree
from oci_layers.testing.oracle import IMPLIED, Add, Link, Merging, Opaque, Whiteout, changes, is_below, join


class Right(Merging):
    """The rules of the oracle: markers first. `past` has the names that whiteouts of lower layers hid."""

    past = frozenset()

    def prepared(self, layer):
        """The changes in the order in which they are made."""
        markers = [each for each in layer if isinstance(each, Whiteout | Opaque)]
        return markers + [each for each in layer if each not in markers]

    def finished(self, tree):
        """The tree that is written."""
        return tree


def merged(kind, layers):
    """The tree that an unpacker of a kind makes of layers of entries."""
    tree, past = {b"": IMPLIED}, set()
    for layer in map(changes, layers):
        merging = kind(tree, "follow")
        merging.past = frozenset(past)
        tree = merging.finished(merging.result(merging.prepared(layer)))
        past |= {join(each.directory, each.name) for each in layer if isinstance(each, Whiteout)}
    return tree_of(tree)


def unpacker(kind):
    """A callable for the judge."""

    def unpack(layout, ref, dest):
        with open_image(f"oci:{layout}:{ref}") as image:
            write_tree(pathlib.Path(dest), merged(kind, (layer.entries() for layer in image.layers)))

    unpack.__qualname__ = kind.__name__
    return unpack


class IgnoresWhiteouts(Right):
    def prepared(self, layer):
        return [each for each in super().prepared(layer) if not isinstance(each, Whiteout)]


class IgnoresOpaque(Right):
    def prepared(self, layer):
        return [each for each in super().prepared(layer) if not isinstance(each, Opaque)]


class ShowsMarkers(Right):
    def prepared(self, layer):
        marks = [each for each in layer if isinstance(each, Whiteout)]
        file = oracle.Node("file", 0, 0, 0, 0, {})
        return super().prepared(layer) + [Add(join(each.directory, b".wh." + each.name), file) for each in marks]


class HidesItsOwn(Right):
    """Whiteouts in tar order, which remove what the layer has added."""

    def prepared(self, layer):
        return layer

    def hide(self, directory, name):
        kept, self.own = self.own, self.own if name is None else set()
        super().hide(directory, name)
        self.own = kept


class HidesItsOwnInOpaque(Right):
    def prepared(self, layer):
        return layer

    def hide(self, directory, name):
        kept, self.own = self.own, self.own if name is not None else set()
        super().hide(directory, name)
        self.own = kept


class HidesLater(Right):
    """A whiteout hides its name in all higher layers, too."""

    def prepared(self, layer):
        return [
            each for each in super().prepared(layer) if not (isinstance(each, Add | Link) and each.path in self.past)
        ]


class RemovesOnlyTheDirectory(Right):
    """A whiteout of a directory that the layer adds again leaves what was in it."""

    def prepared(self, layer):
        added = {each.path for each in layer if isinstance(each, Add)}
        return [
            each
            for each in super().prepared(layer)
            if not (isinstance(each, Whiteout) and join(each.directory, each.name) in added)
        ]


class RemovesTooMuch(Right):
    """A whiteout removes all of its directory."""

    def hide(self, directory, name):
        super().hide(directory, name)
        if name is not None:
            super().hide(directory, None)


def keeps(attribute):
    """A directory over a directory keeps one attribute of the old one."""

    class Keeps(Right):
        def add(self, path, node):
            old = self.tree.get(self.resolve(path))
            if old is not None and old.kind == node.kind == "dir" and not old.implied:
                node = dataclasses.replace(node, **{attribute: getattr(old, attribute)})
            super().add(path, node)

    return Keeps


class MergesXattrs(Right):
    def add(self, path, node):
        old = self.tree.get(self.resolve(path))
        if old is not None and old.kind == node.kind == "dir":
            node = dataclasses.replace(node, xattrs={**old.xattrs, **node.xattrs})
        super().add(path, node)


class EmptiesDirectories(Right):
    def add(self, path, node):
        place = self.resolve(path)
        lower = [each for each in self.tree if place and is_below(each, place) and each not in self.own]
        if node.kind == "dir" and not any(is_below(own, each) for own in self.own for each in lower):
            for each in lower:
                del self.tree[each]
        super().add(path, node)


class WritesThroughLinks(Right):
    """A file over one of several names is written into the file that they share."""

    def add(self, path, node):
        place = self.resolve(path)
        old = self.tree.get(place)
        super().add(path, node)
        if old is not None and old.kind == node.kind == "file":
            for each in [each for each, other in self.tree.items() if other is old]:
                self.tree[each] = node


class KeepsTheOldType(Right):
    """A fifo in the place of a file leaves the file."""

    def add(self, path, node):
        old = self.tree.get(self.resolve(path))
        if old is not None and (old.kind, node.kind) == ("file", "fifo"):
            return
        super().add(path, node)


class CopiesLinks(Right):
    def link(self, path, target):
        super().link(path, target)
        place = self.resolve(path)
        self.tree[place] = dataclasses.replace(self.tree[place])


class SkipsFifos(Right):
    def add(self, path, node):
        if node.kind != "fifo":
            super().add(path, node)


class MakesMore(Right):
    def finished(self, tree):
        return {**tree, b"more": oracle.Node("file", 0o644, 0, 0, 0, {})}


class MakesFilesOfSymlinks(Right):
    def add(self, path, node):
        if node.kind == "symlink":
            node = dataclasses.replace(node, kind="file", mode=0o644)
        super().add(path, node)


def forgets(**values):
    """Every entry but a directory has one attribute replaced."""

    class Forgets(Right):
        def add(self, path, node):
            super().add(path, node if node.kind == "dir" else dataclasses.replace(node, **values))

    return Forgets


class RefusesFifos(Right):
    def add(self, path, node):
        if node.kind == "fifo":
            raise OSError(f"mknod: no fifos here: /some/path/{os.fsdecode(path)}")
        super().add(path, node)
