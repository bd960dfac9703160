import json

import pytest
from hypothesis import given

from oci_layers.errors import LayerError
from oci_layers.tree import Directory, File, FileTree, Inline, TreeEditor, dump
from oci_layers.windows import from_unpacked
from oci_layers.windows.unpacked import unpacked_lines
from tests.property.test_windows_metadata import trees


def directory(lines, *nodes):
    """A directory, as it is scanned: of nodes by their paths, and the file of lines."""
    tree = FileTree()
    editor = TreeEditor(tree)
    for path, node in (*nodes, (b"meta.jsonl", File(0o644, 0, 0, 0, content=Inline(lines)))):
        parent, _, name = path.rpartition(b"/")
        editor.put(editor.open_parent(parent), name, node)
    return tree


@given(trees())
def test_a_tree_is_read_back_from_a_directory_and_its_lines(tree):
    lines = b"".join(line for _, _, line in unpacked_lines(tree))
    nodes = [
        (path, Directory(0o755, 9, 9, 9) if isinstance(node, Directory) else File(0o600, 9, 9, 9, content=node.content))
        for path, node in tree.walk()
        if path and isinstance(node, Directory | File)
    ]
    assert dump(from_unpacked(directory(lines, *nodes))) == dump(tree)


GOOD = {"path": "a", "written": "0.0"}


@pytest.mark.parametrize(
    "value",
    [
        5,
        [],
        {},
        {"path": "../a", "written": "0.0"},
        {"path": "", "written": "0.0"},
        {"path": "a"},
        GOOD | {"written": "soon"},
        GOOD | {"mode": -1},
        GOOD | {"mode": 0o10000},
        GOOD | {"uid": 2**32},
        GOOD | {"gid": "0"},
        GOOD | {"target": 5},
        GOOD | {"link": 5},
        GOOD | {"windows": 5},
        GOOD | {"windows": {"attributes": -1}},
        GOOD | {"windows": {}, "streams": [{"name": "s"}]},
        GOOD | {"windows": {}, "streams": [5]},
        GOOD | {"windows": {}, "streams": 5},
    ],
)
def test_a_line_that_is_malformed_is_refused(value):
    with pytest.raises(LayerError):
        from_unpacked(directory(json.dumps(value).encode(), (b"a", File(0, 0, 0, 0))))


@pytest.mark.parametrize("lines", [b"{", b"[" * 100_000, b"\xff", b"\n"])
def test_what_is_no_json_is_refused(lines):
    with pytest.raises(LayerError):
        from_unpacked(directory(lines))


def test_without_the_lines_it_is_no_unpacked_image():
    with pytest.raises(LayerError):
        from_unpacked(FileTree())


def test_a_link_to_what_is_gone_is_gone_too():
    lines = b"".join(json.dumps(value).encode() + b"\n" for value in (GOOD, {"path": "b", "link": "a"}))
    assert len(from_unpacked(directory(lines, (b"b", File(0, 0, 0, 0))))) == 1


def test_another_name_of_a_link_that_leads_out_of_the_drive_is_kept_with_it():
    link = GOOD | {"target": "C:\\a"}
    lines = b"".join(json.dumps(value).encode() + b"\n" for value in (link, {"path": "b", "link": "a"}))
    tree = from_unpacked(directory(lines))
    assert tree.at(b"a") is tree.at(b"b") is not None
