"""The merged file system as paths, like `pathlib`'s: read it without unpacking it.

`ImagePath` also satisfies `importlib.resources.abc.Traversable`. Links are followed inside the root of the image, as by
a process in the container; the parent of the root is the root. Like `zipfile.Path` it is not an `os.PathLike`: the host
may have a file of the same path, and `open` or `shutil.copy` would silently use that one.

Methods have the names and behavior of `pathlib.Path`, as in Python 3.13 where releases differ. Each error is both an
`OSError` and an `OCIError` (`errors.PathError`). If a path does not exist or has another type, methods that return a
value raise, and the `is_*` methods and `exists` return False.

Names are in `pure_path`, patterns in `pattern`, stat results in `path_stat`, open files in `content_reader`.
"""

import contextlib
import errno
import io
from collections.abc import Callable, Iterator
from typing import IO, Any, Literal, Self, overload

from oci_layers.errors import (
    LinkError,
    NotDirectoryError,
    OwnerMissingError,
    PathError,
)
from oci_layers.image.content_reader import ContentReader, check_size, is_text
from oci_layers.image.path_stat import ImageStat, file_type, name_of_owner, stat_of
from oci_layers.image.pattern import Pattern
from oci_layers.image.pure_path import PureImagePath
from oci_layers.tree.content import Content
from oci_layers.tree.node import Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.path import AnyPath, join, to_bytes
from oci_layers.tree.resolve import Resolution, require_file

__all__ = ["ImagePath"]

_BUFFER = 1 << 16


class ImagePath(PureImagePath):
    """A path in a tree, whether it exists or not. Immutable; equal to paths of the same tree and bytes."""

    __slots__ = ()

    def _other(self, path: AnyPath) -> "ImagePath":
        return path if isinstance(path, ImagePath) else self._clean(to_bytes(path))

    @property
    def node(self) -> Node | None:
        """The node, links followed; None if there is none, or a link is dangling or loops."""
        return self._found(follow=True)

    @property
    def link_node(self) -> Node | None:
        """The node, without following a link at the end of the path; None if there is none."""
        return self._found(follow=False)

    def _found(self, *, follow: bool) -> Node | None:
        with contextlib.suppress(LinkError):
            return self._tree.get(self._path, follow=follow)
        return None

    def _resolved(self, *, follow: bool) -> Resolution:
        try:
            return self._tree.resolve(self._path, follow=follow)
        except LinkError as error:
            raise PathError(bytes(self), error.reason, errno.ELOOP) from error

    def _required(self, *, follow: bool = True) -> Node:
        return self._resolved(follow=follow).require(bytes(self))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether the path exists; a dangling link exists only with `follow_symlinks=False`."""
        return self._found(follow=follow_symlinks) is not None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether this is a directory, or leads to one."""
        return isinstance(self._found(follow=follow_symlinks), Directory)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether this is a regular file, or leads to one."""
        return isinstance(self._found(follow=follow_symlinks), File)

    def is_symlink(self) -> bool:
        """Tell whether this is a symbolic link."""
        return isinstance(self.link_node, Symlink)

    def is_fifo(self) -> bool:
        """Tell whether this is a named pipe, or leads to one."""
        return isinstance(self.node, Fifo)

    def is_block_device(self) -> bool:
        """Tell whether this is a block device, or leads to one."""
        node = self.node
        return isinstance(node, Device) and node.kind == "block"

    def is_char_device(self) -> bool:
        """Tell whether this is a character device, or leads to one."""
        node = self.node
        return isinstance(node, Device) and node.kind == "char"

    def is_socket(self) -> bool:
        """Return False: a layer has no sockets."""
        return False

    def is_junction(self) -> bool:
        """Return False: only Windows has junctions."""
        return False

    def is_mount(self) -> bool:
        """Tell whether this is the root, the only mount point of an image."""
        return not self._path

    def samefile(self, other: AnyPath) -> bool:
        """Tell whether two paths lead to the same file or directory of the same tree, as hard links do.

        Raises:
            PathError: One of them does not exist.
        """
        there = self._other(other)
        one, two = self._required(), there._required()  # noqa: SLF001  # one of its own
        return self._tree is there._tree and one is two  # noqa: SLF001  # one of its own

    def mode(self, *, follow: bool = True) -> int:
        """Return type and permissions, as in `st_mode`.

        Raises:
            PathError: The path does not exist.
        """
        node = self._required(follow=follow)
        return file_type(node) | node.mode

    def size(self) -> int:
        """Return the size in bytes, holes included, of the file that this is or leads to.

        A method and not a property, because it may raise.

        Raises:
            PathError: The path does not exist, or is not a regular file.
        """
        return self.content().size

    def stat(self, *, follow_symlinks: bool = True) -> ImageStat:
        """Return what `os.stat` returns in a container, without the fields that an image does not have.

        Raises:
            PathError: The path does not exist.
        """
        found = self._resolved(follow=follow_symlinks)
        return stat_of(self._tree, found.path, found.require(bytes(self)))

    def lstat(self) -> ImageStat:
        """Return the same as `stat`, without following a link at the end of the path."""
        return self.stat(follow_symlinks=False)

    def owner(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the owner, from the image's own `etc/passwd`, which is read by each call.

        Raises:
            PathError: The path does not exist.
            OwnerMissingError: `etc/passwd` has no name for the number, or does not exist. Also a KeyError.
        """
        return self._owner("user", b"etc/passwd", self._required(follow=follow_symlinks).uid)

    def group(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the group, from the image's own `etc/group`; otherwise as `owner`."""
        return self._owner("group", b"etc/group", self._required(follow=follow_symlinks).gid)

    def _owner(self, what: str, file: bytes, number: int) -> str:
        names = self._at(file)
        if names.is_file():
            check_size(names.size(), self._tree.limits.content_bytes)
            with names.open("rb") as lines:
                name = name_of_owner(lines, number)
            if name is not None:
                return name
        raise OwnerMissingError(what, number)

    def readlink(self) -> bytes:
        """Return the target of a symbolic link.

        Raises:
            PathError: The path does not exist, or is not a symbolic link (EINVAL).
        """
        node = self._required(follow=False)
        if not isinstance(node, Symlink):
            raise PathError(bytes(self), "not a symbolic link")
        return node.target

    def resolve(self, strict: bool = False) -> Self:
        """Return the path with all links followed, as far as it exists.

        Raises:
            PathError: Links form a loop; or, if `strict`, the path does not exist.
        """
        found = self._resolved(follow=True)
        if strict:
            found.require(bytes(self))
        return self._at(found.path)

    def iterdir(self) -> Iterator[Self]:
        """Return an iterator over the children of this directory, in the order of the bytes of their names.

        Raises:
            PathError: This is not a directory; raised by the call, not by the iterator.
        """
        node = self._required()
        if not isinstance(node, Directory):
            raise NotDirectoryError(bytes(self))
        return (self._at(join(self._path, name)) for name in sorted(node.children))

    def walk(
        self,
        top_down: bool = True,
        on_error: Callable[[OSError], object] | None = None,
        follow_symlinks: bool = False,
    ) -> Iterator[tuple[Self, list[str], list[str]]]:
        """Yield each directory below this one, and this one, with the names of its directories and of all else.

        Names are in the order of their bytes. A caller may take names out of the list of directories, which are then
        not walked. `rglob("*")` gives all paths one by one.

        Args:
            top_down: Yield a directory before those in it; else after them.
            on_error: Called with the error if this is not a directory, or one is gone when it is reached; nothing is
                done about that by default.
            follow_symlinks: Walk into links to directories, too; a loop of links ends with an error (ELOOP).
        """
        stack: list[Self | tuple[Self, list[str], list[str]]] = [self]
        while stack:
            path = stack.pop()
            if isinstance(path, tuple):
                yield path
                continue
            try:
                children = list(path.iterdir())
            except PathError as error:
                if on_error is not None:
                    on_error(error)
                continue
            directories: list[str] = []
            others: list[str] = []
            for each in children:
                (directories if each.is_dir(follow_symlinks=follow_symlinks) else others).append(each.name)
            if top_down:
                yield path, directories, others
            else:
                stack.append((path, directories, others))
            stack.extend(path / name for name in reversed(directories))

    def glob(self, pattern: AnyPath) -> Iterator[Self]:
        """Return an iterator over the paths below this one that match a pattern; none if this is not a directory.

        A directory precedes its children, and children are in the order of the bytes of their names. Wildcards match a
        leading dot. The component `**` is any number of directories; it does not follow links to directories. A pattern
        that ends with a slash matches only directories and links to them.

        Raises:
            NotImplementedError: The pattern is absolute.
            ValueError: The pattern is empty, or has a `..`.
        """
        return map(self._at, Pattern.parse(pattern).glob(self._tree, self._path))

    def rglob(self, pattern: AnyPath) -> Iterator[Self]:
        """Return the same as `glob` for the pattern with `**/` before it."""
        return map(self._at, Pattern.parse(pattern).recursive().glob(self._tree, self._path))

    def content(self) -> Content:
        """Return the contents of the file that this is or leads to.

        Raises:
            PathError: The path does not exist, or is not a regular file; a pipe or device has no contents (ENXIO).
        """
        return require_file(bytes(self), self._required()).content

    def read_bytes(self) -> bytes:
        """Return all bytes of the file.

        Raises:
            PathError: The path does not exist, or is not a regular file.
            LimitError: The file is larger than `Limits.content_bytes`; nothing is read then.
        """
        content = self.content()
        check_size(content.size, self._tree.limits.content_bytes)
        return b"".join(content.chunks())

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:
        """Return all of the file as text, UTF-8 by default; arguments as `open`, raises as `read_bytes`."""
        with self.open("r", -1, encoding, errors, newline) as file:
            return file.read()

    @overload
    def open(
        self,
        mode: Literal["r", "rt", "tr"] = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[str]: ...
    @overload
    def open(self, mode: Literal["rb", "br"], buffering: int = -1) -> IO[bytes]: ...
    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:  # Any: text or bytes, as the mode says
        """Open the file for reading, seekable. The caller closes it; it cannot be read after the image is closed.

        Args:
            mode: `r` for text, `rb` for bytes.
            buffering: The size of the buffer, in bytes; 0 for none, only in mode `rb`; -1 for 64 KiB.
            encoding: UTF-8 if None, independent of the locale of the host.
            errors: As in `open`.
            newline: As in `open`; if None, every kind of line end is read as a newline.

        Raises:
            PathError: The path does not exist, or is not a regular file.
            ValueError: The mode is not for reading, or other arguments do not fit the mode.
            LimitError: Raised later, by `read()` without a size, if more than `Limits.content_bytes` are left.
        """
        text = is_text(mode, buffering, encoding, errors, newline)
        raw = ContentReader(self.content(), self._tree.limits.content_bytes)
        if buffering == 0:
            return raw  # type: ignore[return-value]  # a file in all but its declared bases
        buffered = io.BufferedReader(raw, buffering if buffering > 1 else _BUFFER)
        return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline) if text else buffered
