"""The merged file system as paths, like `pathlib`'s: read it without unpacking it.

`ImagePath` also satisfies `importlib.resources.abc.Traversable`. Links are followed inside the root of the image, as a
process in the container would; the root's own parent is the root. As with `zipfile.Path` it is no `os.PathLike`: the
host has another file of that name, and `open` or `shutil.copy` would take it without a word.

What `pathlib.Path` has is here under its name and does the same, where releases of Python differ as in 3.13. Errors are
those of the system and of this library at once (`errors.PathError`). Asking for what is not there, or is of another
kind, is an error where a value is asked for, and False where the question is what it is.

Patterns are in `pattern`, what `stat` says in `path_stat`, open files in `content_reader`.
"""

import contextlib
import errno
import io
from collections.abc import Iterator
from itertools import takewhile
from pathlib import PurePosixPath
from typing import IO, Any, ClassVar, Literal, overload

from oci_layers.errors import (
    IsDirectoryError,
    LinkError,
    NotDirectoryError,
    OwnerMissingError,
    PathError,
    escape,
)
from oci_layers.image.content_reader import ContentReader, check_size, is_text
from oci_layers.image.path_stat import ImageStat, file_type, name_of_owner, stat_of
from oci_layers.image.pattern import Pattern
from oci_layers.tree.content import Content
from oci_layers.tree.node import Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.path import AnyPath, clean, join, parent_and_name, to_bytes
from oci_layers.tree.resolve import Resolution
from oci_layers.tree.tree import FileTree

__all__ = ["ImagePath"]

_BUFFER = 1 << 16


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


class ImagePath:
    """A path in a tree, whether it exists or not. Immutable; equal to paths of the same tree and bytes.

    Wherever a method takes another path, text and bytes are paths from the root of the image.
    """

    __slots__ = ("_path", "_tree")

    drive: ClassVar[str] = ""
    root: ClassVar[str] = "/"
    anchor: ClassVar[str] = "/"

    def __init__(self, tree: FileTree, path: AnyPath = b"") -> None:
        self._tree = tree
        self._path = clean(to_bytes(path), clamp=True)

    def __image_path__(self) -> bytes:
        return bytes(self)

    def __str__(self) -> str:
        return "/" + _text(self._path)

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

    def _at(self, path: bytes) -> "ImagePath":
        made = ImagePath.__new__(ImagePath)
        made._tree, made._path = self._tree, path  # noqa: SLF001  # one of its own
        return made

    def _other(self, path: AnyPath) -> "ImagePath":
        return path if isinstance(path, ImagePath) else ImagePath(self._tree, path)

    @property
    def name(self) -> str:
        """The last component; empty for the root."""
        return _text(parent_and_name(self._path)[1])

    @property
    def suffix(self) -> str:
        """The last component from its last dot on; nothing where that dot is the first character or the last."""
        stem, dot, suffix = self.name.rpartition(".")
        return dot + suffix if stem and suffix else ""

    @property
    def suffixes(self) -> list[str]:
        """The last component from its second dot on, in pieces that begin with a dot each."""
        name = self.name
        return [] if name.endswith(".") else ["." + each for each in name.lstrip(".").split(".")[1:]]

    @property
    def stem(self) -> str:
        """The last component without its suffix."""
        return self.name.removesuffix(self.suffix)

    @property
    def parent(self) -> "ImagePath":
        """The path without its last component; the root's parent is the root."""
        return self._at(parent_and_name(self._path)[0])

    @property
    def parents(self) -> tuple["ImagePath", ...]:
        """The parent, its parent, and so on up to the root; none for the root."""
        found = []
        path = self._path
        while path:
            path, _ = parent_and_name(path)
            found.append(self._at(path))
        return tuple(found)

    @property
    def parts(self) -> tuple[str, ...]:
        """The components, the root `/` before them."""
        return ("/", *self._names())

    def _names(self) -> list[str]:
        return _text(self._path).split("/") if self._path else []

    def joinpath(self, *descendants: AnyPath) -> "ImagePath":
        """Return the path of what is below this one; an absolute path starts from the root."""
        path = self._path
        for each in descendants:
            below = to_bytes(each)
            path = below if below.startswith(b"/") else path + b"/" + below
        return ImagePath(self._tree, path)

    def __truediv__(self, child: AnyPath) -> "ImagePath":
        return self.joinpath(child)

    def with_name(self, name: bytes | str) -> "ImagePath":
        """Return the path with another last component.

        Raises:
            ValueError: This is the root, or `name` is no single name.
        """
        if not self._path:
            raise ValueError("the root has no name that could be another")
        given = to_bytes(name)
        if b"/" in given or given in {b"", b".", b".."}:
            raise ValueError(f"{escape(given)!r} is not the name of a file")
        return ImagePath(self._tree, join(parent_and_name(self._path)[0], given))

    def with_stem(self, stem: str) -> "ImagePath":
        """Return the path with another last component, but its suffix; raises ValueError as `with_name`."""
        if self.suffix and not stem:
            raise ValueError(f"{escape(bytes(self))} has a suffix, which cannot be all of a name")
        return self.with_name(stem + self.suffix)

    def with_suffix(self, suffix: str) -> "ImagePath":
        """Return the path with another suffix, or without one where that is empty.

        Raises:
            ValueError: This is the root, or `suffix` does not begin with a dot, is one, or has a slash.
        """
        if suffix == "." or (suffix and not suffix.startswith(".")):
            raise ValueError(f"{escape(suffix)!r} is not a suffix: it begins with a dot and goes on")
        return self.with_name(self.stem + suffix)

    def relative_to(self, other: AnyPath, *, walk_up: bool = False) -> PurePosixPath:
        """Return what leads from `other` to here, as names are spelled: no link is followed.

        Args:
            other: Where to start; the tree of an ImagePath does not matter.
            walk_up: Begin with a `..` for each component of `other` that this path does not have.

        Raises:
            ValueError: This is not below `other`, and `walk_up` was not asked for.
        """
        start = self._other(other)
        ours, theirs = self.parts, start.parts
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))
        if common < len(theirs) and not walk_up:
            raise ValueError(f"{escape(bytes(self))} is not below {escape(bytes(start))}")
        return PurePosixPath(*[".."] * (len(theirs) - common), *ours[common:])

    def is_relative_to(self, other: AnyPath) -> bool:
        """Tell whether this is `other` or below it, as names are spelled."""
        start = self._other(other).parts
        return self.parts[: len(start)] == start

    def match(self, pattern: AnyPath) -> bool:
        """Tell whether the last components match a pattern (all of them an absolute one); `**` is as `*` here.

        Raises:
            ValueError: The pattern is empty.
        """
        return Pattern.parse(pattern).match(self._names())

    def full_match(self, pattern: AnyPath) -> bool:
        """Tell whether the whole path matches a pattern, in which the component `**` is any number of components.

        The path is absolute, so the pattern begins with a slash or with `**`.
        """
        return Pattern.parse(pattern).full_match(self._names())

    @property
    def node(self) -> Node | None:
        """The node, links followed; None if there is none, or a link is dangling or loops."""
        return self._found(follow=True)

    @property
    def link_node(self) -> Node | None:
        """The node, a link itself; None if there is none."""
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
        """Tell whether the path exists, links followed."""
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

    def is_mount(self) -> bool:
        """Tell whether this is the root, as it is the only mount point that an image has."""
        return not self._path

    def samefile(self, other: AnyPath) -> bool:
        """Tell whether two paths lead to one file or directory of one tree: the names of a linked file do.

        Raises:
            PathError: One of them does not exist.
        """
        there = self._other(other)
        one, two = self._required(), there._required()  # noqa: SLF001  # one of its own
        return self._tree is there._tree and one is two  # noqa: SLF001  # one of its own

    def mode(self, *, follow: bool = True) -> int:
        """Return type and permissions, as `stat` has them in `st_mode`.

        Raises:
            PathError: There is no such path.
        """
        node = self._required(follow=follow)
        return file_type(node) | node.mode

    def size(self) -> int:
        """Return the bytes of the file that this is or leads to, its holes among them.

        A method, as all that may fail is.

        Raises:
            PathError: It is none.
        """
        return self.content().size

    def stat(self, *, follow_symlinks: bool = True) -> ImageStat:
        """Return what `os.stat` says in a container, as far as an image knows.

        Raises:
            PathError: There is no such path.
        """
        found = self._resolved(follow=follow_symlinks)
        return stat_of(self._tree, found.path, found.require(bytes(self)))

    def lstat(self) -> ImageStat:
        """Return what `stat` does, for a link itself."""
        return self.stat(follow_symlinks=False)

    def owner(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the owner, from the image's own `etc/passwd`, which is read each time.

        Raises:
            PathError: There is no such path.
            OwnerMissingError: The file has no name for the number, or is not there. Also a KeyError.
        """
        return self._owner("user", b"etc/passwd", self._required(follow=follow_symlinks).uid)

    def group(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the group, from the image's own `etc/group`; as `owner`."""
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
            PathError: There is none here; with EINVAL where something else is.
        """
        node = self._required(follow=False)
        if not isinstance(node, Symlink):
            raise PathError(bytes(self), "not a symbolic link")
        return node.target

    def resolve(self, strict: bool = False) -> "ImagePath":
        """Return the path with all links followed, as far as it exists.

        Raises:
            PathError: Links loop; or, if `strict`, the path does not exist.
        """
        found = self._resolved(follow=True)
        if strict:
            found.require(bytes(self))
        return self._at(found.path)

    def iterdir(self) -> Iterator["ImagePath"]:
        """Return an iterator over what is in this directory, in the order of the bytes of the names.

        Raises:
            PathError: It is no directory; at once, not where the first is asked for.
        """
        node = self._required()
        if not isinstance(node, Directory):
            raise NotDirectoryError(bytes(self))
        return (self._at(join(self._path, name)) for name in sorted(node.children))

    def walk(self) -> Iterator["ImagePath"]:
        """Return an iterator over this path and all below it, parents first; links are not followed.

        Raises:
            PathError: There is no such path.
        """
        self._required(follow=False)
        return (self._at(path) for path, _ in self._tree.walk(self._path))

    def glob(self, pattern: AnyPath) -> Iterator["ImagePath"]:
        """Return an iterator over what is below and matches a pattern; over nothing where this is no directory.

        A directory comes before what is in it, and names in one directory come in the order of their bytes. Names with
        a leading dot are no exception. The component `**` is any number of directories, links to directories not among
        them; a pattern that ends with a slash finds directories and links to them.

        Raises:
            NotImplementedError: The pattern is absolute.
            ValueError: The pattern is empty, or has a `..`.
        """
        return map(self._at, Pattern.parse(pattern).glob(self._tree, self._path))

    def rglob(self, pattern: AnyPath) -> Iterator["ImagePath"]:
        """Return what `glob` does for the pattern with `**/` before it."""
        return map(self._at, Pattern.parse(pattern).recursive().glob(self._tree, self._path))

    def content(self) -> Content:
        """Return the contents of the file that this is or leads to.

        Raises:
            PathError: It is none.
        """
        node = self._required()
        if isinstance(node, Directory):
            raise IsDirectoryError(bytes(self))
        if not isinstance(node, File):
            raise PathError(bytes(self), "not a regular file")
        return node.content

    def read_bytes(self) -> bytes:
        """Return all of the file.

        Raises:
            PathError: It is none.
            LimitError: It is larger than `Limits.content_bytes`; nothing has been read then.
        """
        content = self.content()
        check_size(content.size, self._tree.limits.content_bytes)
        return b"".join(content.chunks())

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:
        """Return all of the file as text, UTF-8 unless said otherwise; arguments as `open`, raises as `read_bytes`."""
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
        """Open the file for reading, from anywhere in it; close it, or let the image do so.

        Args:
            mode: `r` for text, `rb` for bytes.
            buffering: The size of the buffer, in bytes; 0 for none, where the mode is `rb`; -1 for one that fits.
            encoding: UTF-8 if None, whatever the host has.
            errors: As `open` takes it.
            newline: As `open` takes it; all kinds of line ends come out as one if None.

        Raises:
            PathError: It is no file.
            ValueError: A mode that is not for reading, or arguments that do not go with it.
            LimitError: Later, on `read()` without a number, where there is more than `Limits.content_bytes`.
        """
        text = is_text(mode, buffering, encoding, errors, newline)
        raw = ContentReader(self.content(), self._tree.limits.content_bytes)
        if buffering == 0:
            return raw  # type: ignore[return-value]  # a file in all but its declared bases
        buffered = io.BufferedReader(raw, buffering if buffering > 1 else _BUFFER)
        return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline) if text else buffered
