"""Changes, and a whole tree, as the entries of one layer; refused where no layer can hold them."""

import io
import tarfile

import pytest

from oci_layers import FileTree, lint, read_tar
from oci_layers.errors import WhiteoutError
from oci_layers.layer import Add, Link, Opaque, Whiteout, decode, encode, tree_entries
from oci_layers.tar import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, SYMLINK, Entry, write_tar
from oci_layers.tree import NOWHERE, Device, Directory, Fifo, File, Inline, RangeContent, Symlink
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


def test_each_change_is_one_entry():
    changes = [
        Add(b"", Directory(0o755, 1, 2, 3)),
        Add(b"d", Directory(0o700, 0, 0, 0, {b"user.k": b"v"})),
        Opaque(b"d"),
        Add(b"d/f", File(0o4755, 1, 2, 3, content=Inline(b"text"))),
        Link(b"d/l", b"d/f"),
        Link(b"d/m", b"d/l"),
        Add(b"d/s", Symlink(1, 2, 3, target=b"f")),
        Add(b"d/b", Device(0o600, 0, 0, 0, kind="block", major=7, minor=1)),
        Add(b"d/c", Device(0o600, 0, 0, 0, kind="char", major=1, minor=3)),
        Add(b"d/p", Fifo(0o600, 0, 0, 0)),
        Whiteout(b"d/gone"),
        Whiteout(b"gone"),
        Opaque(b""),
        Link(b"far", b"below"),
    ]
    assert list(encode(changes)) == [
        Entry(b"./", DIRECTORY, mode=0o755, uid=1, gid=2, mtime_ns=3),
        Entry(b"d/", DIRECTORY, mode=0o700, xattrs={b"user.k": b"v"}),
        Entry(b"d/.wh..wh..opq", mode=0),
        Entry(b"d/f", mode=0o4755, uid=1, gid=2, mtime_ns=3, size=4),
        Entry(b"d/l", HARDLINK, mode=0o4755, uid=1, gid=2, mtime_ns=3, linkname=b"d/f"),
        Entry(b"d/m", HARDLINK, mode=0o4755, uid=1, gid=2, mtime_ns=3, linkname=b"d/l"),
        Entry(b"d/s", SYMLINK, mode=0o777, uid=1, gid=2, mtime_ns=3, linkname=b"f"),
        Entry(b"d/b", BLOCK, mode=0o600, devmajor=7, devminor=1),
        Entry(b"d/c", CHARACTER, mode=0o600, devmajor=1, devminor=3),
        Entry(b"d/p", FIFO, mode=0o600),
        Entry(b"d/.wh.gone", mode=0),
        Entry(b".wh.gone", mode=0),
        Entry(b".wh..wh..opq", mode=0),
        Entry(b"far", HARDLINK, linkname=b"below"),
    ]
    assert [entry.read() for entry in encode(changes) if entry.size] == [b"text"]


def test_a_marker_is_the_header_that_containerd_and_umoci_write():
    raw = b"".join(write_tar(encode([Whiteout(b"gone")])))
    (entry,) = read_tar(io.BytesIO(raw))
    assert (entry.name, entry.type, entry.mode, entry.size, entry.mtime_ns) == (b".wh.gone", b"0", 0, 0, 0)
    assert len(raw) == 3 * 512


def test_decoded_entries_are_encoded_again_with_their_contents():
    raw = tar(*EVERYTHING)
    again = b"".join(write_tar(encode(decode(read_tar(io.BytesIO(raw)), source=NOWHERE))))
    assert merged(again) == merged(raw)


def test_a_sparse_file_is_written_with_its_zeros():
    content = RangeContent(NOWHERE, 0, 6, ((1, 2), (4, 1)))
    node = File(0o644, 0, 0, 0, content=content)
    (entry,) = encode([Add(b"a", node, iter([memoryview(b"abc")]))])
    assert (entry.size, entry.stored_size) == (6, 3)
    assert entry.read() == b"\0ab\0c\0"
    (again,) = read_tar(io.BytesIO(b"".join(write_tar(encode([Add(b"a", node, iter([memoryview(b"abc")]))])))))
    assert (again.size, again.stored_size, again.extents) == (6, 6, None)


NODE = File(0o644, 0, 0, 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Add(b".wh.x", NODE), "no layer can add or remove a name that begins with '.wh.'"),
        (Add(b"d/.wh..wh..opq", NODE), "no layer can add or remove a name that begins with '.wh.'"),
        (Add(b".wh.d/x", NODE), "no layer can add or remove a name that begins with '.wh.'"),
        (Link(b"d/.wh.x", b"x"), "no layer can add or remove a name that begins with '.wh.'"),
        (Whiteout(b".wh.x"), "no layer can add or remove a name that begins with '.wh.'"),
        (Whiteout(b".wh.d/x"), "no layer can add or remove a name that begins with '.wh.'"),
        (Opaque(b".wh.d"), "no layer can add or remove a name that begins with '.wh.'"),
        (Whiteout(b""), "no layer can remove the root"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(change, reason):
    with pytest.raises(WhiteoutError) as raised:
        list(encode([change]))
    assert (raised.value.path, raised.value.reason) == (change.path, reason)
