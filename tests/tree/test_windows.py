import pytest

from oci_layers.errors import PathMissingError
from oci_layers.tree import Inline
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
    tree = windows_tree(
        [windir("Users"), winfile("Users/X", "x"), sym("Docs", r"C:\users"), sym("up", r"docs\x"), sym("d", r"D:\x")]
    )
    assert tree.require("DOCS/x").content.data == b"x"
    assert tree.require("up", follow=True).content.data == b"x"
    with pytest.raises(PathMissingError):
        tree.require("d", follow=True)
