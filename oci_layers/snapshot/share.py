"""Share the bytes of a new layer's files with equal files that the room has already.

A file is found by the SHA-256 of its bytes in the changes of the layers; there is no other store of files. By a clone,
both files have the same blocks until one of them is written (FIDEDUPERANGE), and nothing else of them changes; the
kernel compares the bytes. A hard link makes them one file, so their attributes must be equal as well, and no two names
of one image are joined that the image does not join: a program that looks at link counts would see it.
"""

import contextlib
import errno
import secrets
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import attrs

from oci_layers import system
from oci_layers.disk.confine import Handles, open_file
from oci_layers.errors import OCIError, UnsafePathError
from oci_layers.snapshot.changes_file import StoredContent, stored_files
from oci_layers.snapshot.layers import RoomLayer, RoomLayers
from oci_layers.spec.digest import Digest
from oci_layers.tree.node import File
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["Share", "SharedFiles"]

Share: TypeAlias = Literal["clone", "link", "none"]
"""How files are shared: by clones where the file system has them, by hard links, or not at all."""

_LEAST = 4096
"""The fewest bytes of a file that is shared: less than a block saves nothing."""
_NO_CLONES = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV})
"""Why no file is cloned here."""
_NO_LINK = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.ENOENT})
"""Why a file is not linked: it has too many names, is on another file system, may not be linked, or is gone."""

_Attributes: TypeAlias = tuple[object, ...]


@attrs.frozen
class _Known:
    """A file of a layer."""

    layer: RoomLayer
    path: bytes
    attributes: _Attributes


class SharedFiles:
    """The files of a room by their bytes. Used for one image, in one thread."""

    def __init__(self, layers: RoomLayers, share: Share) -> None:
        self._layers = layers
        self._share = share
        self._works = share != "none"
        self._known: dict[tuple[str, int], list[_Known]] | None = None
        self._indexed: set[Digest] = set()
        self._mine: set[tuple[str, int, _Attributes]] = set()
        """The files of the layers of this image that were shared before."""

    def share(
        self, root: int, files: Iterable[tuple[bytes, File, StoredContent]], tree: FileTree, below: Digest | None
    ) -> int:
        """Share files of a new layer; return how many bytes need no space of their own.

        Args:
            root: The directory of the layer, which has no name yet.
            files: The path, node and content of each file that the layer writes.
            tree: The merged tree with this layer.
            below: The chain_id of the layer below it.

        Raises:
            OSError: A file cannot be opened.
        """
        if not self._works:
            return 0
        stack = self._layers.stack(below)
        chain = {layer.chain_id for layer in stack}
        if self._known is not None:
            self._index(stack)
        saved = 0
        with contextlib.closing(Handles(root)) as handles:
            for path, node, content in files:
                if content.size < _LEAST:
                    continue
                if self._known is None and self._share == "clone" and not self._can_clone(handles, path):
                    self._works = False
                if not self._works:
                    break
                mine = attributes_of(node)
                key = content.sha256, content.size, mine
                for known in self._find(content):
                    if self._share == "clone":
                        shared = self._clone(known, handles, path, content.size)
                    else:
                        alone = key not in self._mine and tree.link_count(node) == 1
                        shared = (
                            alone
                            and known.attributes == mine
                            and not self._is_in(chain, content, mine)
                            and _link(known, handles, path)
                        )
                    if shared:
                        saved += content.size
                        break
                self._mine.add(key)
        return saved

    def _can_clone(self, handles: Handles, path: bytes) -> bool:
        """Return whether the file system has clones, as it says of a file with itself."""
        parent, name = parent_and_name(path)
        try:
            fd = system.open_regular_file(name, handles.directory(parent))
        except PermissionError:
            return True
        try:
            system.dedupe_file(fd, fd, 1)
        except OSError as error:
            return error.errno not in _NO_CLONES
        else:
            return True
        finally:
            system.close(fd)

    def _find(self, content: StoredContent) -> list[_Known]:
        if self._known is None:
            self._known = {}
            self._index(self._layers.all())
        return self._known.get((content.sha256, content.size), [])

    def _index(self, layers: Iterable[RoomLayer]) -> None:
        """Add the files of layers that were not there when the last layer was shared."""
        assert self._known is not None
        with contextlib.suppress(OCIError):  # A damaged layer is found by fsck, and not shared with.
            for layer in layers:
                if layer.chain_id in self._indexed:
                    continue
                self._indexed.add(layer.chain_id)
                for path, node, stored in stored_files(layer.changes().splitlines(), layer.place):
                    if stored.size >= _LEAST:
                        found = _Known(layer, path, attributes_of(node))
                        self._known.setdefault((stored.sha256, stored.size), []).append(found)

    def _is_in(self, chain: set[Digest], content: StoredContent, attributes: _Attributes) -> bool:
        """Return whether the layers below have such a file."""
        return any(known.layer.chain_id in chain and known.attributes == attributes for known in self._find(content))

    def _clone(self, known: _Known, handles: Handles, path: bytes, size: int) -> bool:
        parent, name = parent_and_name(path)
        try:
            with _opened(known) as source:
                fd = system.open_regular_file(name, handles.directory(parent))
                try:
                    return system.dedupe_file(source, fd, size)
                finally:
                    system.close(fd)
        except (FileNotFoundError, PermissionError, UnsafePathError):
            return False
        except OSError as error:
            if error.errno in _NO_CLONES:
                self._works = False
                return False
            raise


def _link(known: _Known, handles: Handles, path: bytes) -> bool:
    """Replace a file by another name of a file of a layer; return False if the system refuses, and leave it then."""
    (source_parent, source), (parent, name) = parent_and_name(known.path), parent_and_name(path)
    root = known.layer.open()
    sources = Handles(root)
    temporary = b".oci-layers-" + secrets.token_hex(8).encode()
    try:
        here = handles.directory(parent)
        system.link(source, sources.directory(source_parent), temporary, here)
        system.rename(temporary, here, name, here)
    except UnsafePathError:
        return False
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    finally:
        sources.close()
        system.close(root)
    return True


def attributes_of(node: File) -> _Attributes:
    """Return what two files must have in common, besides their bytes, to be one."""
    return node.mode, node.uid, node.gid, node.mtime_ns, tuple(sorted(node.xattrs.items()))


@contextlib.contextmanager
def _opened(known: _Known) -> Iterator[int]:
    """Yield a handle on a file of a layer."""
    root = known.layer.open()
    try:
        fd = open_file(known.path, root)
        try:
            yield fd
        finally:
            system.close(fd)
    finally:
        system.close(root)
