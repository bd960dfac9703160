import pickle

import pytest

from oci_layers.errors import PathMissingError
from oci_layers.image.subset import select_paths
from oci_layers.tree import FileTree, Inline
from oci_layers.tree.content import same_content
from oci_layers.tree.windows import WindowsMetadata, posix_target, same_windows
from tests.support.layers import sym
from tests.support.windows import windir, windows_tree, winfile

FULL = WindowsMetadata(
    attributes=32,
    security_descriptor=b"1",
    sddl=b"2",
    created_ns=3,
    accessed_ns=4,
    changed_ns=5,
    is_junction=True,
    extended_attributes={b"a": b"6"},
    streams={b"s": Inline(b"7")},
)


def test_metadata_differ_in_any_of_their_fields():
    assert same_windows(FULL, WindowsMetadata(**values(FULL)), same_content)
    for name in values(FULL):
        other = WindowsMetadata(**{key: value for key, value in values(FULL).items() if key != name})
        assert not same_windows(FULL, other, same_content), name
    assert not same_windows(FULL, FULL.with_stream(b"s", Inline(b"8")), same_content)
    assert not same_windows(FULL, None, same_content)
    assert not same_windows(None, FULL, same_content)
    assert same_windows(None, None, same_content)


def values(metadata):
    return {name: getattr(metadata, name) for name in WindowsMetadata.__slots__ if not name.startswith("__")}


def test_names_and_values_have_a_size_and_contents_have_none():
    assert FULL.byte_count() == 5
    assert WindowsMetadata().byte_count() == 0


def test_a_stream_is_added_to_a_copy():
    other = FULL.with_stream(b"t", Inline(b"8"))
    assert ([*FULL.streams], [*other.streams], other.attributes) == ([b"s"], [b"s", b"t"], 32)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (rb"C:\Users\x", b"/Users/x"),
        (b"c:\\", b"/"),
        (rb"\\?\C:\Users", b"/Users"),
        (rb"\??\C:\Users", b"/Users"),
        (rb"..\x", b"../x"),
        (rb"\Users", b"/Users"),
        (b"x", b"x"),
        (rb"D:\x", rb"D:\x"),
        (b"C:x", b"C:x"),
        (rb"\\server\share", rb"\\server\share"),
        (rb"\\?\UNC\server\share", rb"\\?\UNC\server\share"),
        (rb"\\?\Volume{0}\x", rb"\\?\Volume{0}\x"),
    ],
)
def test_a_target_is_a_path_of_the_drive_or_stays(target, path):
    assert posix_target(target) == path


def test_links_of_windows_are_followed_by_who_looks_a_path_up():
    links = [sym("Files/Docs", r"C:\users"), sym("Files/up", r"docs\x"), sym("Files/d", r"D:\x")]
    tree = windows_tree([windir("Files"), windir("Files/Users"), winfile("Files/Users/X", "x"), *links]).subtree(
        b"Files"
    )
    assert tree.require("DOCS/x").content.data == b"x"
    assert tree.require("up", follow=True).content.data == b"x"
    with pytest.raises(PathMissingError):
        tree.require("d", follow=True)


BOTH = (
    *(windir("Files"), windir("Files/Users"), winfile("Files/x", "drive"), winfile("Files/Files/x", "within")),
    *(windir("UtilityVM"), windir("UtilityVM/Files"), winfile("UtilityVM/Files/x", "machine")),
    *(windir("Hives"), winfile("Hives/x", "hive"), winfile("x", "root")),
)


@pytest.mark.parametrize(
    ("link", "target", "found"),
    [
        ("Files/l", r"C:\x", b"drive"),
        ("files/Users/l", r"c:\X", b"drive"),
        ("Files/Users/l", r"\x", b"drive"),
        ("Files/Users/l", r"\\?\C:\x", b"drive"),
        ("Files/l", r"C:\Files\x", b"within"),
        ("Files/Users/l", r"..\x", b"drive"),
        ("Files/Users/l", r"..\..\x", b"drive"),
        ("Files/l", r"..\Hives\x", None),
        ("Files/l", r"C:\..\Hives\x", None),
        ("Files/l", r"C:\Hives\x", None),
        ("Files/l", r"D:\x", None),
        ("UtilityVM/Files/l", r"C:\x", b"machine"),
        ("UtilityVM/Files/l", r"..\..\x", b"machine"),
        ("UtilityVM/l", r"Files\x", b"machine"),
        ("UtilityVM/l", r"C:\x", None),
        ("Hives/l", r"C:\x", None),
        ("Hives/l", "/x", None),
        ("Hives/l", "x", b"hive"),
        ("Hives/l", r"..\x", b"root"),
    ],
)
def test_a_link_in_the_tree_of_layers_leads_to_the_drive_that_it_is_in(link, target, found):
    tree = windows_tree([*BOTH, sym(link, target)])
    for each in (tree, tree.fork(), pickle.loads(pickle.dumps(tree))):
        node = each.get(link, follow=True)
        assert (None if node is None else node.content.size) == (None if found is None else len(found))


def test_the_drive_alone_is_where_its_links_lead():
    tree = windows_tree([*BOTH, sym("Files/Files/l", r"C:\x"), sym("Files/Files/up", r"..\..\x")])
    drive = tree.subtree(b"Files")
    for each in (drive, drive.fork(), pickle.loads(pickle.dumps(drive))):
        assert [each.get(path, follow=True).content.size for path in ("Files/l", "Files/up")] == [5, 5]
    assert tree.subtree(b"").drives == tree.drives
    assert drive.subtree(b"Files").drives == drive.drives
    assert FileTree().drives == FileTree().subtree(b"").drives == ()


def test_a_part_of_an_image_has_the_drives_of_the_whole():
    tree = windows_tree([*BOTH, sym("Files/l", r"C:\x")])
    assert [
        select_paths(each, paths).drives for each, paths in ((tree, [b"Files"]), (tree.subtree(b"Files"), [b"x"]))
    ] == [*(tree.drives, (b"",))]


def test_a_link_that_is_held_in_its_drive_is_noted():
    tree = windows_tree([*BOTH, sym("Files/Users/l", r"..\..\x"), sym("Files/Users/m", r"..\x")])
    assert [tree.resolve(f"Files/Users/{name}", follow=True).escaped_root for name in "lm"] == [b"Files/Users/l", None]


def test_a_drive_is_found_in_whatever_case_a_layer_has_it():
    tree = windows_tree([windir("files"), winfile("files/x", "drive"), winfile("x", "root"), sym("files/l", r"C:\x")])
    assert tree.require("Files/l", follow=True).content.size == 5
