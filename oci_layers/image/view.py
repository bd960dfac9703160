"""The merged file system as paths, like `pathlib`'s: read it without unpacking it.

`ImagePath` also satisfies `importlib.resources.abc.Traversable`. Links are followed inside the root of the image, as a
process in the container would; the root's own parent is the root.
"""

import contextlib
import io
import stat
from collections.abc import Iterator
from typing import IO, Any, Literal, overload

from oci_layers.errors import LinkError, PathMissingError
from oci_layers.tree.node import Content, Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.path import AnyPath, clean, join, parent_and_name, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["ImagePath"]


class ImagePath:
    """A path in a tree, whether something stands there or not. Immutable; equal to paths of the same tree and bytes."""

    __slots__ = ("_path", "_tree")

    def __init__(self, tree: FileTree, path: AnyPath = b"") -> None:
        self._tree = tree
        self._path = clean(to_bytes(path), clamp=True)

    def __fspath__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return "/" + self._path.decode("utf-8", "surrogateescape")

    def __bytes__(self) -> bytes:
        return b"/" + self._path

    def __repr__(self) -> str:
        return f"ImagePath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImagePath):
            return NotImplemented
        return self._tree is other._tree and self._path == other._path

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, ImagePath):
            return NotImplemented
        return self._path < other._path

    def __hash__(self) -> int:
        return hash((id(self._tree), self._path))

    @property
    def name(self) -> str:
        """The last component; empty for the root."""
        return parent_and_name(self._path)[1].decode("utf-8", "surrogateescape")

    @property
    def suffix(self) -> str:
        """The last component from its last dot on, as `pathlib` has it."""
        stem, dot, suffix = self.name.rpartition(".")
        return dot + suffix if stem and suffix else ""

    @property
    def stem(self) -> str:
        """The last component without its suffix."""
        return self.name.removesuffix(self.suffix) if self.suffix else self.name

    @property
    def parent(self) -> "ImagePath":
        """The path without its last component; the root's parent is the root."""
        return self._at(parent_and_name(self._path)[0])

    @property
    def parts(self) -> tuple[str, ...]:
        """The components, the root `/` before them."""
        return ("/", *(part.decode("utf-8", "surrogateescape") for part in self._path.split(b"/") if part))

    def _at(self, path: bytes) -> "ImagePath":
        made = ImagePath.__new__(ImagePath)
        made._tree, made._path = self._tree, path  # noqa: SLF001  # one of its own
        return made

    def joinpath(self, *descendants: AnyPath) -> "ImagePath":
        """Return the path of what is below this one; an absolute path starts from the root."""
        path = self._path
        for each in descendants:
            below = to_bytes(each)
            path = below if below.startswith(b"/") else path + b"/" + below
        return ImagePath(self._tree, path)

    def __truediv__(self, child: AnyPath) -> "ImagePath":
        return self.joinpath(child)

    @property
    def node(self) -> Node | None:
        """What stands here, links followed; None for nothing, and for a link that leads nowhere or in a circle."""
        with contextlib.suppress(LinkError):
            return self._tree.get(self._path, follow=True)
        return None

    @property
    def link_node(self) -> Node | None:
        """What stands here, a link itself; None for nothing."""
        with contextlib.suppress(LinkError):
            return self._tree.get(self._path)
        return None

    def exists(self) -> bool:
        """Tell whether something stands here, links followed."""
        return self.node is not None

    def is_dir(self) -> bool:
        """Tell whether this is a directory, or leads to one."""
        return isinstance(self.node, Directory)

    def is_file(self) -> bool:
        """Tell whether this is a regular file, or leads to one."""
        return isinstance(self.node, File)

    def is_symlink(self) -> bool:
        """Tell whether this is a symbolic link."""
        return isinstance(self.link_node, Symlink)

    def mode(self, *, follow: bool = True) -> int:
        """Return type and permissions, as `stat` has them in `st_mode`.

        Raises:
            PathMissingError: Nothing stands here.
        """
        node = self._tree.require(self._path, follow=follow)
        return _format(node) | node.mode

    def readlink(self) -> bytes:
        """Return the target of a symbolic link.

        Raises:
            PathMissingError: There is none here.
        """
        node = self.link_node
        if not isinstance(node, Symlink):
            raise PathMissingError(bytes(self), "not a symbolic link")
        return node.target

    def resolve(self) -> "ImagePath":
        """Return the path with all links followed; as far as it leads where nothing stands."""
        return self._at(self._tree.resolve(self._path, follow=True).path)

    def iterdir(self) -> Iterator["ImagePath"]:
        """Yield what is in this directory, in the order of the bytes of the names.

        Raises:
            PathMissingError: It is no directory.
        """
        node = self.node
        if not isinstance(node, Directory):
            raise PathMissingError(bytes(self), "not a directory" if node else "no such file or directory")
        for name in sorted(node.children):
            yield self._at(join(self._path, name))

    def walk(self) -> Iterator["ImagePath"]:
        """Yield this path and all below it, parents first; links are not followed."""
        for path, _ in self._tree.walk(self._path):
            yield self._at(path)

    def content(self) -> Content:
        """Return the contents of the file that this is or leads to.

        Raises:
            PathMissingError: It is none.
        """
        node = self.node
        if not isinstance(node, File):
            raise PathMissingError(bytes(self), "not a regular file" if node else "no such file or directory")
        return node.content

    def read_bytes(self) -> bytes:
        """Return all of the file."""
        return b"".join(self.content().chunks())

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """Return all of the file as text, UTF-8 unless said otherwise."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    @overload
    def open(self, mode: Literal["r"] = "r", *args: Any, **kwargs: Any) -> IO[str]: ...
    @overload
    def open(self, mode: Literal["rb"], *args: Any, **kwargs: Any) -> IO[bytes]: ...
    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:  # Any: as Traversable has it
        """Open the file for reading, `r` for text (arguments as `io.TextIOWrapper`) or `rb`."""
        if mode not in {"r", "rb"}:
            raise ValueError(f"mode {mode!r}: an image can only be read, 'r' or 'rb'")
        raw = io.BufferedReader(_ContentReader(self.content()))
        if mode == "rb":
            return raw
        return io.TextIOWrapper(raw, *(args or (kwargs.pop("encoding", None) or "utf-8",)), **kwargs)


def _format(node: Node) -> int:
    match node:
        case Directory():
            return stat.S_IFDIR
        case File():
            return stat.S_IFREG
        case Symlink():
            return stat.S_IFLNK
        case Device():
            return stat.S_IFCHR if node.kind == "char" else stat.S_IFBLK
        case Fifo():
            return stat.S_IFIFO


class _ContentReader(io.RawIOBase):
    """Contents as a file that is read once, from its beginning."""

    def __init__(self, content: Content) -> None:
        self._chunks = content.chunks()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # Any: a writable buffer, which has no type before Python 3.12
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
