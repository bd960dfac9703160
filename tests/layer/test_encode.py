"""A tree as the entries of one layer: sorted, complete, and refused where no layer can hold it."""

import io
import tarfile

import pytest

from oci_layers import FileTree, lint, read_tar
from oci_layers.errors import WhiteoutError
from oci_layers.layer import tree_entries
from oci_layers.tar import HARDLINK, write_tar
from oci_layers.tree import File
from oci_layers.tree.editor import TreeEditor
from tests.disk.test_mirror import EVERYTHING
from tests.support.layers import f, ln, tar
from tests.support.trees import merged


def written(tree):
    return b"".join(write_tar(tree_entries(tree)))


def test_what_is_written_makes_the_same_tree_and_the_same_bytes_again():
    tree = merged(tar(*EVERYTHING))
    raw = written(tree)
    assert merged(raw) == tree
    assert written(merged(raw)) == raw


def test_the_other_names_of_a_file_have_its_metadata():
    """Python's tarfile, for one, gives those of the link to the file."""
    raw = written(merged(tar(f("p", "x", mode=0o4755, uid=1000, gid=5, mtime_ns=3 * 10**9), ln("q", "p"))))
    found = {entry.name: entry for entry in read_tar(io.BytesIO(raw))}
    assert found[b"q"].type == HARDLINK
    assert [(e.mode, e.uid, e.gid, e.mtime_ns) for e in (found[b"p"], found[b"q"])] == [
        (0o4755, 1000, 5, 3 * 10**9)
    ] * 2
    with tarfile.open(fileobj=io.BytesIO(raw)) as other:
        assert other.getmember("q").mode == 0o4755
    assert [each.rule for each in lint.lint(read_tar(io.BytesIO(raw))) if each.rule == "link-metadata"] == []


def test_a_name_that_would_be_a_marker_is_refused():
    tree = FileTree()
    editor = TreeEditor(tree)
    editor.put(editor.open_parent(b""), b".wh.x", File(0o644, 0, 0, 0))
    with pytest.raises(WhiteoutError) as raised:
        written(tree)
    assert raised.value.path == b".wh.x"
