"""The probes of trees that are compared and changed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from benchmarks.clock import passes, timed

if TYPE_CHECKING:
    from oci_layers.tree.tree import FileTree

_Content = Literal["auto", "never"]
_FORKS = 1_000


def diff(content: _Content, old: str, new: str) -> dict[str, float]:
    """Compare two directories that were scanned before."""
    import oci_layers as oci

    before, after = oci.scan(old), oci.scan(new)
    return timed(lambda: _differing(before, after, content))


def scan_diff(content: _Content, old: str, new: str) -> dict[str, float]:
    """Scan two directories, and compare them."""
    import oci_layers as oci

    return timed(lambda: _differing(oci.scan(old), oci.scan(new), content))


def _differing(old: "FileTree", new: "FileTree", content: _Content) -> int:
    """Compare trees that differ in one file; return how often that was done: once."""
    import oci_layers as oci
    from oci_layers.layer import Add
    from oci_layers.tree import Directory

    changes = list(oci.diff(old, new, content=content))
    assert all(isinstance(change, Add) for change in changes)
    assert [isinstance(each.node, Directory) for each in changes if isinstance(each, Add)].count(False) == 1
    return 1


def diff_shared(layout: str) -> dict[str, float]:
    """Compare a tree with a fork in which one file was made."""
    import oci_layers as oci

    with oci.open_image(f"oci:{layout}:b") as image:
        old = image.tree()
        new = _written(old, _place(old, "median"))
        return passes(lambda: _differing(old, new, "auto"))


def fork(place: Literal["median", "largest"], layout: str) -> dict[str, float]:
    """Fork a tree and make one file in it, again and again."""
    import oci_layers as oci

    with oci.open_image(f"oci:{layout}:b") as image:
        tree = image.tree()
        directory = _place(tree, place)

        def work() -> int:
            for _ in range(_FORKS):
                _written(tree, directory)
            return _FORKS

        return passes(work)


def _written(tree: "FileTree", directory: bytes) -> "FileTree":
    """Return a fork with one more file."""
    from oci_layers.tree import File, Inline, TreeEditor

    new = tree.fork()
    editor = TreeEditor(new)
    editor.put(editor.open_parent(directory), b".made", File(0o644, 0, 0, 0, {}, content=Inline(b"lit")))
    return new


def _place(tree: "FileTree", place: Literal["median", "largest"]) -> bytes:
    """Return the directory of the median of all paths, or that of most names."""
    from oci_layers.tree import Directory

    nodes = list(tree.walk())
    if place == "median":
        return nodes[len(nodes) // 2][0].rpartition(b"/")[0]
    return max((len(node.children), path) for path, node in nodes if isinstance(node, Directory))[1]


PROBES: dict[str, Callable[..., dict[str, float]]] = {
    "diff": diff,
    "scan-diff": scan_diff,
    "diff-shared": diff_shared,
    "fork": fork,
}
