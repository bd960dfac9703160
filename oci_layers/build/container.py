"""The writable layer of a container: the files of an image, copy-on-write, and what was changed as a new layer.

Theory of operation. The merged tree of the image is forked, which takes constant time and shares everything. A
`FileSystem` changes the fork as Linux changes a file system, and copies the directories that it changes; a `BlockStore`
holds what is written to files. `diff` then finds the changes in the time that the changed directories take.
"""

from collections.abc import Callable, Iterator
from os import PathLike, fspath

import attrs

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.blob.spool import Spool
from oci_layers.build.box_path import BoxPath
from oci_layers.build.contents import Contents
from oci_layers.build.file_data import BlockStore
from oci_layers.build.file_system import Creator, FileSystem
from oci_layers.build.layer import NewLayer
from oci_layers.build.options import LayerOptions
from oci_layers.image.image import Image
from oci_layers.layer.change import Change
from oci_layers.layer.decode import MAX_OWNER
from oci_layers.layer.diff import diff
from oci_layers.tree.tree import FileTree

__all__ = ["WritableLayer"]

_MEMORY = 32 << 20


class WritableLayer(Closing):
    """The files of an image, to be changed as in a container that runs; the image stays as it is. A context manager.

    Any number of them may be over one image, and none sees what another does. One thread uses each, with all its paths
    and files; different ones may be used by different threads at the same time. What is not committed is gone when it
    is closed. Memory: what is written, up to `memory_bytes`, and the changed directories; what is written beyond that
    is in a temporary file without a name. The image is read when contents are, so it is closed after the layer.
    """

    def __init__(
        self,
        source: Image | FileTree,
        *,
        uid: int = 0,
        gid: int = 0,
        umask: int = 0o022,
        clock: Callable[[], int] | None = None,
        memory_bytes: int = _MEMORY,
        temporary_directory: str | PathLike[str] | None = None,
    ) -> None:
        """Begin with the files of an image; those of a tree are not read before they are needed.

        Args:
            source: The image, which is merged; or the tree, which does not change.
            uid: The owner of new files. Nothing is forbidden to any owner.
            gid: The group of new files, except in directories that hand on their own group.
            umask: The permissions that new files and directories do not get.
            clock: Returns the time of each change, in nanoseconds since 1970; the time of the system by default. Layers
                have whole seconds, and none after `SOURCE_DATE_EPOCH`, unless `LayerOptions` say otherwise.
            memory_bytes: The most bytes of contents that are held in memory.
            temporary_directory: The directory of the temporary file, which has at most `Limits.temporary_bytes`; the
                system's default if None.

        Raises:
            OCIError: A layer of the image is missing, damaged or refused.
            ValueError: No file can have such an owner.
        """
        if not (0 <= uid <= MAX_OWNER and 0 <= gid <= MAX_OWNER):
            raise ValueError(f"the owner {uid}:{gid} is out of the range 0 to {MAX_OWNER}")
        if not isinstance(source, Image | FileTree):
            raise TypeError(f"a writable layer is over an Image or a FileTree, not {type(source).__name__}")
        if isinstance(source, Image):
            self._lower, number = source.tree(), len(source.layers)
        else:
            self._lower, number = source.fork(), 0
        tree = self._lower.fork()
        directory = None if temporary_directory is None else fspath(temporary_directory)
        self._blocks = BlockStore(memory_bytes, Spool(directory, tree.limits.temporary_bytes))
        creator = Creator(clock=clock or system.clock_ns, uid=uid, gid=gid, umask=umask & 0o777)
        self._files = FileSystem(tree, creator, number)
        self._root = BoxPath(Contents(self._files, self._blocks))
        self._is_committed = False

    @property
    def root(self) -> BoxPath:
        """The root directory, as a path: `(box.root / "etc/motd").write_text("...")`."""
        return self._root

    @property
    def tree(self) -> FileTree:
        """The files as they are now, in constant time; what happens later does not change them.

        Contents can be read until the layer is closed, or for longer after `commit`.
        """
        self._files.check_open()
        return self._files.tree.fork()

    def changes(self) -> Iterator[Change]:
        """Yield what is different from the image now, as `diff` does. Later changes make no difference.

        A file that was written is compared by its bytes if nothing else tells that it changed, whatever its time says.
        """
        return _changes(self._lower, self.tree)

    def commit(self, *, options: LayerOptions | None = None) -> NewLayer:
        """Return the changes up to now as a layer, which can be written at any time while the image is open.

        Nothing is read or compared before it is written. The layer goes on to be changed, and may be committed again:
        each commit has all changes to the image. The contents live as long as the layers that need them.

        Args:
            options: How files become entries. By default times have whole seconds; the other attributes of the layer,
                applied to the image, are those that the files have here.
        """
        tree, lower = self.tree, self._lower
        self._is_committed = True
        if lower.windows:
            options = options or LayerOptions()
            options = attrs.evolve(options, base=lower if options.base is None else options.base)
        return NewLayer.from_changes(lambda: _changes(lower, tree), options=options)

    def close(self) -> None:
        """Leave the layer: what was not committed is gone. Idempotent."""
        self._files.close()
        if not self._is_committed:
            self._blocks.close()


def _changes(lower: FileTree, tree: FileTree) -> Iterator[Change]:
    # Only files that were written are read: the others have the contents that they had.
    return diff(lower, tree, content="always")
