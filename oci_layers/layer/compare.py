"""Whether two nodes are the same to a diff: by all that a file system shows, or by less where the caller asks.

Attributes first, then the size, then contents, and those only where they are asked for or where times cannot decide.
Programs cut the times in tars to seconds, so a time without a fraction is weak evidence: a file may be written twice in
one second (GEN-03, as containerd decides). Hard links are not compared here, but in `groups`.
"""

from collections.abc import Collection
from typing import Literal, TypeAlias, get_args

from oci_layers.errors import NameFormatError
from oci_layers.tree.content import Content, DigestContent, Inline, same_content
from oci_layers.tree.node import Device, Directory, File, Leaf, Node, Symlink
from oci_layers.tree.windows import same_windows

__all__ = ["Aspect", "Comparison", "ContentMode"]

ContentMode: TypeAlias = Literal["auto", "always", "never"]
"""When contents are read to compare them."""
Aspect: TypeAlias = Literal["mtime", "directory-mtime", "nanoseconds", "owner", "mode", "xattrs"]
"""An attribute that a diff may ignore."""

_SECOND = 10**9


class Comparison:
    """Compares nodes; `diff.diff` documents the arguments."""

    def __init__(self, content: ContentMode, ignore: Collection[Aspect]) -> None:
        """Check the arguments.

        Raises:
            NameFormatError: There is no such mode, or no such attribute to ignore.
        """
        _check("content mode", content, get_args(ContentMode))
        for aspect in ignore:
            _check("attribute to ignore", aspect, get_args(Aspect))
        self._content = content
        self._owner = "owner" not in ignore
        self._mode = "mode" not in ignore
        self._xattrs = "xattrs" not in ignore
        self._mtime = "mtime" not in ignore
        self._directory_mtime = self._mtime and "directory-mtime" not in ignore
        self._nanoseconds = "nanoseconds" not in ignore

    def directories(self, one: Directory, two: Directory) -> bool:
        """Return whether two directories have the same attributes, whatever is in them."""
        return one is two or (
            self._attributes(one, two)
            and (not self._directory_mtime or one.mtime_ns == two.mtime_ns or self._same_second(one, two))
        )

    def leaves(self, one: Leaf, two: Leaf) -> bool:
        """Return whether two nodes that are not directories are the same, by the contents too where they matter."""
        if one is two:
            return True
        if type(one) is not type(two) or not self._attributes(one, two):
            return False
        if self._mtime and one.mtime_ns != two.mtime_ns and not self._same_second(one, two):
            return False
        match one, two:
            case File(), File():
                return self.contents(one, two)
            case Symlink(), Symlink():
                return one.target == two.target
            case Device(), Device():
                return one.number == two.number
            case _:  # Fifos, which have nothing else.
                return True

    def aspects(self, one: Node, two: Node) -> tuple[Literal["mode", "owner", "mtime", "xattrs", "windows"], ...]:
        """Return the attributes in which two nodes of one type differ, of those that count."""
        found: list[Literal["mode", "owner", "mtime", "xattrs", "windows"]] = []
        if self._mode and one.mode != two.mode:
            found.append("mode")
        if self._owner and (one.uid, one.gid) != (two.uid, two.gid):
            found.append("owner")
        counts = self._directory_mtime if isinstance(one, Directory) else self._mtime
        if counts and one.mtime_ns != two.mtime_ns and not self._same_second(one, two):
            found.append("mtime")
        if self._xattrs and one.xattrs != two.xattrs:
            found.append("xattrs")
        if not self._same_windows(one, two):
            found.append("windows")
        return tuple(found)

    def _attributes(self, one: Node, two: Node) -> bool:
        return (
            (not self._mode or one.mode == two.mode)
            and (not self._owner or (one.uid == two.uid and one.gid == two.gid))
            and (not self._xattrs or one.xattrs == two.xattrs)
            and self._same_windows(one, two)
        )

    def _same_windows(self, one: Node, two: Node) -> bool:
        """Return whether two nodes have the same metadata of Windows; streams are compared as contents are."""
        if one.windows is two.windows:
            return True
        same = _same_size if self._content == "never" else same_content
        return same_windows(one.windows, two.windows, same)

    def _same_second(self, one: Node, two: Node) -> bool:
        """Return whether two times are in one second, one of them has no fraction, and the caller ignores that."""
        if self._nanoseconds or one.mtime_ns // _SECOND != two.mtime_ns // _SECOND:
            return False
        return not one.mtime_ns % _SECOND or not two.mtime_ns % _SECOND

    def contents(self, one: File, two: File) -> bool:
        """Return whether two files have the same bytes, as far as they are compared."""
        mine, other = one.content, two.content
        if mine is other:
            return True
        if mine.size != other.size:
            return False
        if self._content == "never":
            return True
        if self._content == "auto" and one.mtime_ns == two.mtime_ns and one.mtime_ns % _SECOND:
            return not _is_known(mine) or not _is_known(other) or same_content(mine, other)
        return same_content(mine, other)


def _is_known(content: Content) -> bool:
    """Return whether a comparison reads nothing."""
    return isinstance(content, Inline | DigestContent)


def _same_size(one: Content, two: Content) -> bool:
    return one.size == two.size


def _check(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise NameFormatError(what, value, f"there are {', '.join(known)}")
