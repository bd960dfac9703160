"""A tree as the entries of one layer: sorted, complete, and refused where no layer can hold it."""

import io
import tarfile

import pytest

from oci_layers import FileTree, lint, read_tar
from oci_layers.errors import WhiteoutError
from oci_layers.layer import Add, Link, Opaque, Whiteout, tree_entries
from oci_layers.layer.encode import change_entries
from oci_layers.tar import HARDLINK, write_tar
from oci_layers.tree import NOWHERE, Fifo, File, Inline, RangeContent
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


def listed(changes):
    return [(entry.name, entry.type, entry.mode, entry.mtime_ns) for entry in change_entries(changes)]


def test_markers_are_empty_files_of_mode_0_at_the_epoch():
    assert listed([Whiteout(b"a/b"), Whiteout(b"c"), Opaque(b"a"), Opaque(b"")]) == [
        (b"a/.wh.b", b"0", 0, 0),
        (b".wh.c", b"0", 0, 0),
        (b"a/.wh..wh..opq", b"0", 0, 0),
        (b".wh..wh..opq", b"0", 0, 0),
    ]


def test_the_content_of_a_change_is_read_once_and_when_its_entry_is():
    sparse = File(0o600, 0, 0, 0, content=RangeContent(NOWHERE, 0, 10, ((2, 3), (7, 1))))
    read = []

    def data():
        read.append("now")
        yield memoryview(b"abcd")

    [entry] = change_entries([Add(b"f", sparse, data())])
    assert read == []
    assert (entry.read(), read) == (b"\0\0abc\0\0d\0\0", ["now"])
    [entry] = change_entries([Add(b"f", File(0o600, 0, 0, 0, content=Inline(b"held")))])
    assert (entry.read(), entry.read()) == (b"held", b"held")


def test_a_link_has_the_metadata_of_its_file_if_the_changes_have_the_file():
    file = File(0o640, 5, 6, 7)
    entries = list(change_entries([Add(b"f", file), Link(b"g", b"f"), Link(b"h", b"g"), Link(b"i", b"lower")]))
    assert [(e.name, e.linkname, e.mode, e.uid, e.gid, e.mtime_ns) for e in entries[1:]] == [
        (b"g", b"f", 0o640, 5, 6, 7),
        (b"h", b"g", 0o640, 5, 6, 7),
        (b"i", b"lower", 0o644, 0, 0, 0),
    ]


@pytest.mark.parametrize("change", [Add(b"d/.wh.x", Fifo(0, 0, 0, 0)), Link(b".wh.x", b"y"), Whiteout(b".wh.x")])
def test_a_change_of_a_name_that_no_image_can_have_is_refused(change):
    with pytest.raises(WhiteoutError) as caught:
        list(change_entries([change]))
    assert caught.value.path == change.path
