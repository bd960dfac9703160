"""The files of a writable layer as paths, with all of `pathlib.Path`: an `ImagePath` that also writes.

Methods have the names and behavior of `pathlib.Path`, and do what Linux does for root: see `file_system`. What `os` has
for paths are methods, too: `chown`, `utime`, `truncate`, `mkfifo`, `mknod` and extended attributes; and so is `rmtree`
of `shutil`. Text that a method takes as another path is a path from the root of the image.
"""

import errno
from collections.abc import Iterator, Mapping
from operator import index
from typing import IO, Any, Literal, Self, overload

from oci_layers.build import attributes
from oci_layers.build.contents import Contents
from oci_layers.build.file_data import FileData
from oci_layers.build.file_system import FileSystem
from oci_layers.build.open_file import Mode, open_file
from oci_layers.errors import (
    LimitError,
    PathError,
    PathMissingError,
    UnsafePathError,
)
from oci_layers.image.path import ImagePath
from oci_layers.tree.content import Content
from oci_layers.tree.node import Device, Fifo, File, Node, Symlink
from oci_layers.tree.path import AnyPath, to_bytes
from oci_layers.tree.resolve import Resolution

__all__ = ["BoxPath"]

ReadText = Literal["r", "rt", "tr"]
WriteText = Literal[
    "w", "wt", "tw", "a", "at", "ta", "x", "xt", "tx", "r+", "rt+", "r+t", "w+", "wt+", "w+t", "a+", "x+"
]
ReadBytes = Literal["rb", "br"]
WriteBytes = Literal["wb", "bw", "ab", "ba", "xb", "bx", "rb+", "r+b", "wb+", "w+b", "ab+", "a+b", "xb+", "x+b"]


class BoxPath(ImagePath):
    """A path in a writable layer, whether it exists or not."""

    __slots__ = ("_contents",)

    def __init__(self, contents: Contents, path: AnyPath = b"") -> None:
        """Make a path of the files of a layer: `WritableLayer.root` is the root, and has all others."""
        super().__init__(contents.files.tree, path)
        self._contents = contents

    def _at(self, path: bytes) -> Self:
        made = super()._at(path)
        made._contents = self._contents  # noqa: SLF001  # one of its own
        return made

    @property
    def _files(self) -> FileSystem:
        return self._contents.files

    def _path_of(self, path: AnyPath) -> bytes:
        """Return the clean path of another path of this layer.

        Raises:
            PathError: It is a path of something else (EXDEV).
        """
        other = self._other(path)
        if other._tree is not self._tree:  # noqa: SLF001  # one of its own
            raise PathError(bytes(other), "a path of another image or layer", errno.EXDEV)
        return other._path  # noqa: SLF001  # one of its own

    def _found(self, *, follow: bool) -> Node | None:
        self._files.check_open()
        return super()._found(follow=follow)

    def _resolved(self, *, follow: bool) -> Resolution:
        self._files.check_open()
        return super()._resolved(follow=follow)

    @property
    def node(self) -> Node | None:
        """The node as it is now, links followed; None if there is none, or a link is dangling or loops."""
        return _frozen(super().node)

    @property
    def link_node(self) -> Node | None:
        """The node as it is now, without following a link at the end of the path; None if there is none."""
        return _frozen(super().link_node)

    def glob(self, pattern: AnyPath) -> Iterator[Self]:
        """Do as `ImagePath.glob`; names that are made or removed meanwhile may be among the paths or not."""
        self._files.check_open()
        return super().glob(pattern)

    def rglob(self, pattern: AnyPath) -> Iterator[Self]:
        """Do as `ImagePath.rglob`; names that are made or removed meanwhile may be among the paths or not."""
        self._files.check_open()
        return super().rglob(pattern)

    # Contents.

    def content(self) -> Content:
        """Return the contents of the file that this is or leads to, as they are now; raises as `ImagePath.content`."""
        content = super().content()
        if isinstance(content, FileData):
            content.freeze()
        return content

    @overload
    def open(
        self,
        mode: ReadText | WriteText = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[str]: ...
    @overload
    def open(self, mode: ReadBytes | WriteBytes, buffering: int = -1) -> IO[bytes]: ...
    @overload
    def open(
        self,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]: ...  # Any: text or bytes, as the mode says
    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:  # Any: text or bytes, as the mode says
        """Open the file, as the function `open`; a new one gets the mode 0666 less the umask.

        A file that is open stays usable when its names are moved or removed, and sees what others write to it.

        Args:
            mode: `r`, `w`, `a` or `x`, perhaps with `+` and `b`.
            buffering: The size of the buffer, in bytes; 0 for none, only for bytes; -1 for 64 KiB.
            encoding: UTF-8 if None, independent of the locale of the host.
            errors: As in `open`.
            newline: As in `open`; written lines end with a newline on every host.

        Raises:
            PathError: As the system call, with its errno; a pipe or device cannot be opened (ENXIO).
            WhiteoutError: No layer can have the name.
            ValueError: The arguments do not fit each other.
            LimitError: Raised later, by `read()` without a size, if more than `Limits.content_bytes` are left; and when
                too much is written.
        """
        parsed = Mode.parse(mode, buffering, encoding, errors, newline)
        return open_file(self._contents, self._path, parsed, buffering, encoding, errors, newline)

    def write_bytes(self, data: bytes | bytearray | memoryview) -> int:
        """Make the file of these bytes, or replace what is in it; return their number. Raises as `open`."""
        view = memoryview(data).cast("B")
        self._contents.replace(self._path, view)
        return len(view)

    def write_text(
        self, data: str, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> int:
        """Make the file of this text, or replace what is in it; return its length. Raises as `open`."""
        if not isinstance(data, str):
            raise TypeError(f"data must be str, not {type(data).__name__}")
        with self.open("w", -1, encoding, errors, newline) as file:
            return file.write(data)

    def truncate(self, size: int) -> None:
        """Set the size of the file, as `os.truncate`; what is added is a hole. Raises as `open`.

        Raises:
            PathError: The size is negative, or this is a pipe or device (EINVAL).
        """
        size = index(size)
        if size < 0:
            raise PathError(bytes(self), f"a file cannot have {size} bytes")
        if isinstance(self._required(), Device | Fifo):
            raise PathError(bytes(self), "not a regular file")
        opened = self._contents.open(self._path)
        try:
            opened.truncate(size)
        finally:
            opened.close()

    def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:
        """Make an empty file, or set the time of what exists to the present one.

        Raises:
            PathExistsError: It exists, and `exist_ok` is False.
        """
        if exist_ok and self.exists():
            self.utime()
        else:
            self._contents.open(self._path, mode=mode, exclusive=not exist_ok).close()

    # New names.

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make a directory, with `parents` also those above it.

        Raises:
            PathExistsError: It exists; with `exist_ok`, if it is not a directory.
        """
        try:
            self._files.make_directory(self._path, mode)
        except PathMissingError:
            if not parents:
                raise
            for each in self.parents[-2::-1]:
                each.mkdir(exist_ok=True)
            self.mkdir(mode, exist_ok=exist_ok)
        except PathError:
            if not exist_ok or not self.is_dir():
                raise

    def symlink_to(self, target: AnyPath, target_is_directory: bool = False) -> None:  # noqa: ARG002  # as pathlib
        """Make a symbolic link with this target, as it is given; a path of an image gives an absolute one.

        Raises:
            PathExistsError: The path exists.
            LimitError: The target is longer than `Limits.path_bytes`.
        """
        text, allowed = to_bytes(target), self._tree.limits.path_bytes
        if not text:
            raise PathMissingError(bytes(self))
        if b"\0" in text:
            raise UnsafePathError(self._path, "the target of the link has a NUL byte")
        if len(text) > allowed:
            raise LimitError("path_bytes", allowed, len(text))
        self._files.make_node(self._path, Symlink(0, 0, 0, target=text), masked=False)

    def hardlink_to(self, target: AnyPath) -> None:
        """Make this path another name of the file `target`; of a link itself, not of what it leads to.

        Raises:
            PathExistsError: The path exists.
            NotPermittedError: The target is a directory.
        """
        self._files.link(self._path_of(target), self._path)

    def mkfifo(self, mode: int = 0o666) -> None:
        """Make a named pipe."""
        self._files.make_node(self._path, Fifo(mode, 0, 0, 0))

    def mknod(self, kind: Literal["char", "block"], major: int, minor: int, mode: int = 0o600) -> None:
        """Make a device.

        Raises:
            WhiteoutError: It is the character device 0:0, which is a whiteout where layers are mounted as an overlay.
            PathError: The number is one that no device has (EINVAL).
            ValueError: The kind is no device's.
        """
        if kind not in {"char", "block"}:
            raise ValueError(f"kind {kind!r}: expected 'char' or 'block'")
        major, minor = index(major), index(minor)
        if not (0 <= major < 1 << 32 and 0 <= minor < 1 << 32):
            raise PathError(bytes(self), f"there is no device {major}:{minor}")
        self._files.make_node(self._path, Device(mode, 0, 0, 0, kind=kind, major=major, minor=minor))

    def rename(self, target: AnyPath) -> Self:
        """Move this name, over a file or an empty directory if there is one; return the new path.

        Raises:
            PathError: As the system call, with its errno.
            WhiteoutError, LimitError: No layer can have the new name.
        """
        path = self._path_of(target)
        self._files.rename(self._path, path)
        return self._at(path)

    def replace(self, target: AnyPath) -> Self:
        """Do the same as `rename`."""
        return self.rename(target)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove this name of a file, or this link.

        Raises:
            IsDirectoryError: It is a directory.
            PathMissingError: It does not exist, and `missing_ok` is False.
        """
        try:
            self._files.unlink(self._path)
        except PathMissingError:
            if not missing_ok:
                raise

    def rmdir(self) -> None:
        """Remove this directory, which must be empty."""
        self._files.remove_directory(self._path)

    def rmtree(self) -> None:
        """Remove this directory and all that is in it, in a moment; links are not followed.

        Raises:
            NotDirectoryError: It is no directory.
            PathError: It does not exist, or is the root (EBUSY).
        """
        self._files.remove_tree(self._path)

    # Attributes.

    def chmod(self, mode: int, *, follow_symlinks: bool = True) -> None:
        """Set the permissions.

        Raises:
            PathError: This is a link, and not followed: a link has none (ENOTSUP).
        """
        if not follow_symlinks and isinstance(self.link_node, Symlink):
            raise PathError(bytes(self), "a link has no permissions", errno.ENOTSUP)
        attributes.set_mode(self._files, self._path, mode)

    def lchmod(self, mode: int) -> None:
        """Do the same as `chmod`, without following a link."""
        self.chmod(mode, follow_symlinks=False)

    def chown(self, uid: int = -1, gid: int = -1, *, follow_symlinks: bool = True) -> None:
        """Set owner and group, as `os.chown`: -1 leaves one as it is; files lose set-user-ID and capabilities."""
        attributes.set_owner(self._files, self._path, index(uid), index(gid), follow=follow_symlinks)

    def utime(self, mtime_ns: int | None = None, *, follow_symlinks: bool = True) -> None:
        """Set the time of modification, in nanoseconds since 1970; to the present time by default.

        Raises:
            PathError: The seconds take more than 64 bits (EINVAL).
        """
        time = None if mtime_ns is None else index(mtime_ns)
        attributes.set_mtime(self._files, self._path, time, follow=follow_symlinks)

    def xattrs(self, *, follow_symlinks: bool = True) -> Mapping[bytes, bytes]:
        """Return all extended attributes."""
        return dict(self._required(follow=follow_symlinks).xattrs)

    def set_xattr(
        self, name: bytes | str, value: bytes | bytearray | memoryview, *, follow_symlinks: bool = True
    ) -> None:
        """Set an extended attribute, as `os.setxattr`.

        Raises:
            PathError: There are no attributes of this name (ENOTSUP).
            NotPermittedError: The name begins with `user.`, and this is neither a file nor a directory.
            LimitError: All attributes together have more than `Limits.xattr_bytes`.
        """
        attributes.set_xattr(self._files, self._path, to_bytes(name), bytes(memoryview(value)), follow=follow_symlinks)

    def remove_xattr(self, name: bytes | str, *, follow_symlinks: bool = True) -> None:
        """Remove an extended attribute, as `os.removexattr`.

        Raises:
            PathError: It does not exist (ENODATA).
        """
        attributes.remove_xattr(self._files, self._path, to_bytes(name), follow=follow_symlinks)


def _frozen(node: Node | None) -> Node | None:
    """Return a node whose contents do not change any more."""
    if isinstance(node, File) and isinstance(node.content, FileData):
        node.content.freeze()
    return node
