"""Follow a path through a tree, links and `..` as a process does whose root directory is the tree's.

Theory of operation. `rest` is a stack of the components that are still to go, the next one last; `names` and
`directories` are the way that was gone. A component that is a directory moves from the one to the other; a link puts
the components of its target on the stack, and an absolute one starts again from the root; `..` takes the last step
back, and at the root stays there. The way ends where a component is missing, or is no directory and more are to go:
`rest` then begins with that component.

A path that makes directories as it goes (`TreeEditor.open_parent`) cannot stop there: `no/../d` in a link names `d`,
whether or not `no` exists. With `lexical_dotdot` a `..` takes back a name that is missing. A path follows at most
`limit` links, so a loop ends; the time is that of the components and targets read.
"""

import attrs

from oci_layers.errors import LinkError, NotDirectoryError, PathMissingError, escape
from oci_layers.tree.node import Directory, Node, Symlink

__all__ = ["Resolution", "resolve"]


@attrs.define
class Resolution:
    """How far a path could be followed from the root.

    `names` and `directories` are the directories passed (`directories` begins with the root). `rest` holds, last
    component first, what was not passed: it is empty for a directory; else it ends with the name of `node`, which is
    None where nothing stands. `followed` are the resolved paths of the links taken, `escaped_root` is the first after
    which the way led above the root and was held there. `consumed_dotdot` tells that `..` took back names that are
    missing or no directories: a link that comes there leads elsewhere.
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
            NotDirectoryError: It led through something that is no directory.
            PathMissingError: It led to nothing; names the first link on the way, if there was one.
        """
        if self.node is None and self.followed:
            link, place = escape(b"/" + self.followed[0]), escape(b"/" + self.path)
            raise PathMissingError(path, f"no such file or directory; through the link {link} it is {place}")
        if self.node is None:
            raise PathMissingError(path)
        if len(self.rest) > 1:
            raise NotDirectoryError(path)
        return self.node


def resolve(
    root: Directory, path: bytes, *, follow: bool, follow_last: bool, limit: int, lexical_dotdot: bool = False
) -> Resolution:
    """Follow `path` from `root`, never above it, as a process whose root directory it is would.

    Args:
        root: Where to start, and what an absolute link target starts from.
        path: A clean path.
        follow: Follow links that are not the last component.
        follow_last: Follow the last component too.
        limit: How many links may be followed.
        lexical_dotdot: Let `..` in a link take back a name that is missing or no directory, instead of stopping there;
            `rest` has no `..` then.

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
            if not names and escaped_root is None:
                escaped_root = followed[-1]
            del names[-1:]
            del directories[len(names) + 1 :]
            continue
        child = directories[-1].children.get(part)
        if isinstance(child, Directory):
            rest.pop()
            names.append(part)
            directories.append(child)
            continue
        if not isinstance(child, Symlink) or not (follow if len(rest) > 1 else follow_last):
            if lexical_dotdot:
                consumed_dotdot = consumed_dotdot or b".." in rest
                if _take_back(rest):
                    continue
            return Resolution(names, directories, rest, child, followed, escaped_root, consumed_dotdot)
        rest.pop()
        followed.append(b"/".join([*names, part]))
        if len(followed) > limit:
            raise LinkError(path, f"more than {limit} links to follow, perhaps a loop")
        if child.target.startswith(b"/"):
            names, directories = [], [root]
        rest.extend(child.target.split(b"/")[::-1])
    return Resolution(names, directories, rest, directories[-1], followed, escaped_root, consumed_dotdot)


def _take_back(rest: list[bytes]) -> bool:
    """Drop the first name of `rest` with the `..` that takes it back; else only what is taken back below it."""
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
