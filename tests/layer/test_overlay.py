"""Upper directories of overlay mounts, as trees; `interop/test_upper_directories` has those of the kernel."""

import pytest

from oci_layers.errors import LayerError, LinkError, UnsupportedError
from oci_layers.layer import Add, Link, Opaque, Whiteout, apply, decode, from_upper, to_upper
from oci_layers.tree import Device, Directory, File, FileTree, Inline, TreeEditor
from tests.support.layers import block, char, d, f, fifo, ln, opq, sym, wh

SPACES = ("trusted", "user")


def upper(*entries):
    """A scanned upper directory; attributes are written without their namespace."""
    tree = FileTree()
    apply(decode(entries), tree)
    return tree


def marks(space, **values):
    return {f"{space}.overlay.{key}".encode(): value for key, value in values.items()}


def shown(changes):
    return [
        (change.path, type(change.node), dict(change.node.xattrs)) if isinstance(change, Add) else change
        for change in changes
    ]


ROOT = (b"", Directory, {})


@pytest.mark.parametrize("space", SPACES)
def test_an_upper_directory_is_read(space):
    tree = upper(
        d("./"),
        d("d/", xattrs={b"user.k": b"v", **marks(space, origin=b"\0", impure=b"y")}),
        f("d/file", "text", xattrs=marks(space, origin=b"\0", nlink=b"U+1")),
        ln("d/link", "d/file"),
        char("d/gone", 0, 0),
        d("new/", xattrs=marks(space, opaque=b"y")),
        char("new/hidden", 0, 0),
        d("new/sub/", xattrs=marks(space, opaque=b"y")),
        char("new/sub/hidden", 0, 0),
        sym("s", "d"),
        char("zero", 0, 1),
        block("zz", 0, 0),
    )
    assert shown(from_upper(tree, namespace=space)) == [
        ROOT,
        (b"d", Directory, {b"user.k": b"v"}),
        Whiteout(b"d/gone"),
        (b"d/file", File, {}),
        Link(b"d/link", b"d/file"),
        (b"new", Directory, {}),
        Opaque(b"new"),
        (b"new/sub", Directory, {}),
        (b"s", type(tree.at(b"s")), {}),
        (b"zero", Device, {}),
        (b"zz", Device, {}),
    ]


def test_contents_are_read_with_the_changes():
    changes = {change.path: change for change in from_upper(upper(f("a", "text"), f("b")))}
    assert b"".join(changes[b"a"].data) == b"text"
    assert changes[b"b"].data is None


def test_whiteouts_that_the_kernel_made_as_one_file_are_each_a_whiteout():
    assert shown(from_upper(upper(d("d/"), char("a", 0, 0), ln("d/b", "a"), ln("c", "a")))) == [
        ROOT,
        Whiteout(b"a"),
        Whiteout(b"c"),
        (b"d", Directory, {}),
        Whiteout(b"d/b"),
    ]


@pytest.mark.parametrize("space", SPACES)
def test_an_empty_file_with_an_attribute_is_a_whiteout_where_its_directory_says_so(space):
    white = marks(space, whiteout=b"y")
    tree = upper(d("d/", xattrs=marks(space, opaque=b"x")), f("d/gone", xattrs=white), f("d/here"))
    assert shown(from_upper(tree, namespace=space))[1:] == [
        (b"d", Directory, {}),
        Whiteout(b"d/gone"),
        (b"d/here", File, {}),
    ]


@pytest.mark.parametrize(
    "tree",
    [
        upper(d("d/"), f("d/gone", xattrs=marks("trusted", whiteout=b""))),
        upper(d("d/", xattrs=marks("trusted", opaque=b"y")), f("d/gone", xattrs=marks("trusted", whiteout=b""))),
        upper(d("d/", xattrs=marks("trusted", opaque=b"x")), f("d/gone", "x", xattrs=marks("trusted", whiteout=b""))),
        upper(d("d/", xattrs=marks("trusted", opaque=b"x")), d("d/gone/", xattrs=marks("trusted", whiteout=b""))),
    ],
    ids=["a directory without marks", "an opaque directory", "a file with content", "a directory"],
)
def test_elsewhere_that_attribute_is_refused(tree):
    with pytest.raises(UnsupportedError) as raised:
        list(from_upper(tree))
    error = raised.value
    assert (error.what, error.value) == ("overlay attribute whiteout", "d/gone")
    assert error.hint == "take the merged directory"


@pytest.mark.parametrize(
    ("entry", "what", "hint"),
    [
        (
            d("d/", xattrs=marks("trusted", redirect=b"/old")),
            "overlay attribute redirect",
            "the directory was renamed; take the merged directory, or mount with redirect_dir=off",
        ),
        (
            f("d", "x", xattrs=marks("trusted", metacopy=b"")),
            "overlay attribute metacopy",
            "only its attributes are here; take the merged directory, or mount with metacopy=off",
        ),
        (f("d", xattrs=marks("trusted", opaque=b"y")), "overlay attribute opaque", "take the merged directory"),
        (d("d/", xattrs=marks("trusted", new=b"")), "overlay attribute new", "take the merged directory"),
    ],
)
def test_what_an_upper_directory_alone_does_not_tell_is_refused(entry, what, hint):
    with pytest.raises(UnsupportedError) as raised:
        list(from_upper(upper(entry)))
    assert (raised.value.what, raised.value.value, raised.value.hint) == (what, "d", hint)


def test_attributes_in_the_other_namespace_are_those_of_files():
    """A container that runs containers has upper directories of its own, with `user.overlay.opaque`."""
    tree = upper(d("d/", xattrs=marks("user", opaque=b"y", redirect=b"/a")))
    assert shown(from_upper(tree)) == [ROOT, (b"d", Directory, marks("user", opaque=b"y", redirect=b"/a"))]


@pytest.mark.parametrize("space", SPACES)
def test_attributes_of_files_that_look_like_those_of_mounts_are_escaped(space):
    looks = marks(space, opaque=b"y", whiteout=b"", **{"overlay.opaque": b"x"})
    tree = upper(d("d/", xattrs=looks), f("d/f", xattrs=looks | {b"user.k": b""}))
    wrapped = FileTree()
    apply(to_upper(map(Add, [b"", b"d", b"d/f"], map(tree.at, [b"", b"d", b"d/f"])), namespace=space), wrapped)
    assert wrapped.at(b"d").xattrs == marks(
        space, **{"overlay.opaque": b"y", "overlay.whiteout": b"", "overlay.overlay.opaque": b"x"}
    )
    assert shown(from_upper(wrapped, namespace=space)) == [
        ROOT,
        (b"d", Directory, looks),
        (b"d/f", File, looks | {b"user.k": b""}),
    ]


def test_the_opaque_root_of_a_converted_layer_is_read():
    assert shown(from_upper(upper(d("./", xattrs=marks("trusted", opaque=b"y")), f("a")))) == [
        ROOT,
        Opaque(b""),
        (b"a", File, {}),
    ]


LAYER = [d("./"), d("d/"), opq("d"), f("d/f", "x"), ln("d/l", "d/f"), fifo("p"), d("e/"), wh("e/gone"), d("last/")]


@pytest.mark.parametrize("space", SPACES)
def test_changes_are_written_as_files(space):
    files = FileTree()
    apply(to_upper(decode(LAYER), namespace=space), files, policy="strict")
    gone = files.at(b"e/gone")
    assert (gone.kind, gone.major, gone.minor, gone.mode) == ("char", 0, 0, 0)
    assert (gone.uid, gone.gid, gone.mtime_ns) == (0, 0, 0)
    assert files.at(b"d").xattrs == marks(space, opaque=b"y")
    assert files.link_count(files.at(b"d/f")) == 2
    assert [path for path, _ in files.walk()] == [
        b"", b"d", b"d/f", b"d/l", b"e", b"e/gone", b"last", b"p"
    ]  # fmt: skip
    assert shown(from_upper(files, namespace=space)) == shown(decode([*LAYER[:5], *LAYER[6:], LAYER[5]]))


def test_an_opaque_directory_at_the_end_is_written_too():
    files = FileTree()
    apply(to_upper(decode([d("./"), d("d/"), opq("d")])), files)
    assert files.at(b"d").xattrs == marks("trusted", opaque=b"y")


@pytest.mark.parametrize(
    ("layer", "path", "reason"),
    [
        ([f("a")], b"a", "no change before it describes its directory"),
        ([d("./"), f("d/a")], b"d/a", "no change before it describes its directory"),
        ([d("./"), wh("d/a")], b"d/a", "no change before it describes its directory"),
        ([d("./"), ln("d/a", "x")], b"d/a", "no change before it describes its directory"),
        ([d("./"), f("d/a"), d("d/")], b"d/a", "no change before it describes its directory"),
        ([d("./"), opq("d")], b"d", "the opaque marker does not come next after its directory"),
        ([d("./"), d("d/"), f("d/a"), opq("d")], b"d", "the opaque marker does not come next after its directory"),
    ],
)
def test_changes_that_do_not_describe_their_directories_are_refused(layer, path, reason):
    with pytest.raises(LayerError) as raised:
        list(to_upper(decode(layer)))
    assert (raised.value.path, raised.value.reason) == (path, reason)


def test_a_link_to_a_lower_file_is_refused_when_the_files_are_made():
    with pytest.raises(LinkError) as raised:
        apply(to_upper(decode([d("./"), ln("a", "lower")])), FileTree())
    assert raised.value.path == b"a"


@pytest.mark.parametrize(
    ("layer", "what", "value", "hint"),
    [
        ([d("./"), opq()], "opaque marker", "/", "an overlay mount ignores it; use a whiteout for each name"),
        ([d("./"), char("zero", 0, 0)], "character device 0:0", "zero", "an overlay mount reads a whiteout"),
    ],
)
def test_what_a_mount_would_not_show_is_refused(layer, what, value, hint):
    with pytest.raises(UnsupportedError) as raised:
        list(to_upper(decode(layer)))
    assert (raised.value.what, raised.value.value, raised.value.hint) == (what, value, hint)


def test_the_contents_of_changes_pass_through():
    node = File(0o644, 0, 0, 0, content=Inline(b"text"))
    changes = [Add(b"", Directory(0o755, 0, 0, 0)), Add.of(b"a", node)]
    assert b"".join(list(to_upper(changes))[1].data) == b"text"


def test_a_tree_is_not_changed_when_it_is_read():
    tree = upper(d("d/", xattrs=marks("trusted", opaque=b"y")), f("d/a"))
    before = tree.fork()
    apply(from_upper(tree), FileTree())
    assert tree == before
    editor = TreeEditor(tree)
    editor.drop(editor.open_parent(b"d"), b"a")
    assert b"d/a" in before
