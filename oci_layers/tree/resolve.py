"""Resolve a path in a tree, with links and `..`, as a process does whose root directory is the root of the tree.

Theory of operation. `rest` is a stack of the components that remain, the next one last; `names` and `directories` are
the directories passed. A component that is a directory moves from `rest` to them; a link puts the components of its
target on `rest`, and an absolute target starts again from the root; `..` removes the last directory passed, and at the
root does nothing. Resolution ends where a component is missing, or is not a directory and more remain: that component
is then the last item of `rest`.

A caller that makes missing directories (`TreeEditor.open_parent`) cannot stop there: `no/../d` in a link names `d`,
whether or not `no` exists. With `lexical_dotdot`, `..` cancels a name that is missing. A path follows at most `limit`
links, so a loop ends; the time grows with the components and targets read.
"""

import errno
from collections.abc import Sequence

import attrs

from oci_layers.errors import (
    IsDirectoryError,
    LinkError,
    NotDirectoryError,
    PathError,
    PathMissingError,
    escape,
)
from oci_layers.tree.fold import spelling
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.windows import drive_depth, posix_target

__all__ = ["Resolution", "require_file", "resolve"]


@attrs.define
class Resolution:
    """How far a path could be followed from the root.

    `names` and `directories` are the directories passed (`directories` begins with the root). `rest` has the remaining
    components, the next one last: empty if the path leads to a directory, else ending with the name of `node`, which is
    None if nothing exists there. `followed` has the resolved paths of the links followed, `escaped_root` the last of
    them before the path first led above the root and was held there. `consumed_dotdot` is true if `..` cancelled names
    that are missing or not directories: a link made there later redirects the path.
    """

    names: list[bytes]
    directories: list[Directory]
    rest: list[bytes]
    node: Node | None
    followed: list[bytes]
    escaped_root: bytes | None
    consumed_dotdot: bool

    @property
    def path(self) -> bytes:
        """The resolved path of the node, or of the directory that was reached."""
        return b"/".join([*self.names, *self.rest[::-1]])

    def require(self, path: bytes) -> Node:
        """Return the node that `path` led to.

        Raises:
            NotDirectoryError: It led through a node that is not a directory.
            PathMissingError: Nothing exists there; the message has the first link followed, if any.
        """
        if self.node is None and self.followed:
            link, place = escape(b"/" + self.followed[0]), escape(b"/" + self.path)
            raise PathMissingError(path, f"no such file or directory; through the link {link} it is {place}")
        if self.node is None:
            raise PathMissingError(path)
        if len(self.rest) > 1:
            raise NotDirectoryError(path)
        return self.node


def require_file(path: bytes, node: Node) -> File:
    """Return the node that `path` led to, if it has contents.

    Raises:
        IsDirectoryError: It is a directory.
        PathError: It is a pipe or a device (ENXIO: nothing is at its other end), or a link.
    """
    if isinstance(node, Directory):
        raise IsDirectoryError(path)
    if not isinstance(node, File):
        raise PathError(path, "not a regular file", errno.ENXIO)
    return node


def resolve(
    root: Directory,
    path: bytes,
    *,
    follow: bool,
    follow_last: bool,
    limit: int,
    follow_slash: bool = True,
    lexical_dotdot: bool = False,
    drives: Sequence[bytes] = (),
) -> Resolution:
    """Resolve `path` from `root`, never above it, as a process does whose root directory it is.

    Args:
        root: The directory where the path, and each absolute link target, starts.
        path: A clean path.
        follow: Follow links that are not the last component.
        follow_last: Follow the last component too.
        limit: The most links to follow.
        follow_slash: Follow a last component that has a slash after it in the target of a link.
        lexical_dotdot: Let `..` in a link cancel a name that is missing or not a directory, instead of stopping there;
            `rest` then has no `..`.
        drives: In an image for Windows, the directories that are a drive C:, empty for the root. Names are then looked
            up without case, and the targets of links are paths of Windows, which lead out of no drive that they are in.

    Raises:
        LinkError: More links than `limit`.
    """
    names: list[bytes] = []
    directories = [root]
    followed: list[bytes] = []
    escaped_root: bytes | None = None
    consumed_dotdot = False
    rest = path.split(b"/")[::-1]
    while rest:
        part = rest[-1]
        if part in {b"", b"."}:
            rest.pop()
            continue
        if part == b"..":
            rest.pop()
            top = drive_depth(names, drives) or 0
            if len(names) == top and escaped_root is None:
                escaped_root = followed[-1]
            del names[max(top, len(names) - 1) :]
            del directories[len(names) + 1 :]
            continue
        if drives:
            part = rest[-1] = spelling(directories[-1].children, part)
        child = directories[-1].children.get(part)
        if isinstance(child, Directory):
            rest.pop()
            names.append(part)
            directories.append(child)
            continue
        follows = follow_last if len(rest) == 1 else follow and (follow_slash or any(rest[:-1]))
        if not isinstance(child, Symlink) or not follows:
            if lexical_dotdot:
                consumed_dotdot = consumed_dotdot or b".." in rest
                if _take_back(rest):
                    continue
            return Resolution(names, directories, rest, child, followed, escaped_root, consumed_dotdot)
        rest.pop()
        followed.append(b"/".join([*names, part]))
        if len(followed) > limit:
            raise LinkError(path, f"more than {limit} links to follow, perhaps a loop")
        target = posix_target(child.target) if drives else child.target
        if target.startswith(b"/"):
            depth = drive_depth(names, drives or (b"",))
            if depth is None:  # C: is nowhere.
                rest.append(child.target.replace(b"/", b"\\"))
                continue
            del names[depth:]
            del directories[depth + 1 :]
        rest.extend(target.split(b"/")[::-1])
    return Resolution(names, directories, rest, directories[-1], followed, escaped_root, consumed_dotdot)


def _take_back(rest: list[bytes]) -> bool:
    """Remove the next name of `rest` and the `..` that cancels it; without one, only cancelled names after it."""
    pending: list[bytes] = []
    while rest:
        part = rest.pop()
        if part not in {b"", b".", b".."}:
            pending.append(part)
        elif part == b"..":
            pending.pop()
            if not pending:
                return True
    rest.extend(pending[::-1])
    return False
