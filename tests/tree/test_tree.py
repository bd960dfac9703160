import errno
import pickle

import pytest

from oci_layers.errors import (
    IsDirectoryError,
    LimitError,
    LinkError,
    NotDirectoryError,
    PathError,
    PathMissingError,
    UnsafePathError,
)
from oci_layers.limits import Limits
from oci_layers.tree import DigestContent, Directory, Fifo, File, FileTree, Inline, Symlink, TreeEditor, parse
from oci_layers.tree.resolve import require_file, resolve

TREE = """
    /bin symlink 0777 0:0 0 target=usr/bin
    /d dir 0755 0:0 0
    /d/abs symlink 0777 0:0 0 target=/usr
    /d/dangling symlink 0777 0:0 0 target=no/where
    /d/file file 0644 0:0 0 text=x
    /d/to-file symlink 0777 0:0 0 target=file
    /d/to-file-below symlink 0777 0:0 0 target=file/
    /d/up symlink 0777 0:0 0 target=../../../d
    /usr dir 0755 0:0 0
    /usr/bin dir 0755 0:0 0
    /usr/bin/sh file 0755 0:0 0 text=sh
"""


@pytest.fixture
def tree():
    return parse(TREE)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", b""),
        ("/", b""),
        ("usr/bin/sh", b"usr/bin/sh"),
        (b"/bin/sh", b"usr/bin/sh"),
        ("d/abs/bin/sh", b"usr/bin/sh"),
        ("d/up/file", b"d/file"),
        ("d/up/up/up/file", b"d/file"),
        ("bin", b"bin"),
        ("x/../d/file", b"d/file"),
    ],
)
def test_links_in_the_parents_are_followed(tree, path, expected):
    node = tree.get(path)
    assert node is not None
    assert tree.resolve(path).path == expected
    assert tree.require(path) is node
    assert path in tree


@pytest.mark.parametrize(
    ("path", "expected"),
    [("bin", b"usr/bin"), ("d/to-file", b"d/file"), ("d/abs", b"usr"), ("d/up", b"d"), ("d/file", b"d/file")],
)
def test_the_last_link_is_followed_on_request(tree, path, expected):
    assert tree.get(path, follow=True) is tree.require(path, follow=True) is tree.get(expected)
    assert tree.resolve(path, follow=True).path == expected


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("no", PathMissingError, "no such file or directory"),
        ("no/where", PathMissingError, "no such file or directory"),
        ("usr/no", PathMissingError, "no such file or directory"),
        ("d/file/x", NotDirectoryError, "not a directory"),
        ("d/to-file/x", NotDirectoryError, "not a directory"),
        (
            "d/dangling/x",
            PathMissingError,
            "no such file or directory; through the link /d/dangling it is /d/no/where/x",
        ),
        ("d/to-file-below/x", NotDirectoryError, "not a directory"),
        ("usr/bin/sh/x", NotDirectoryError, "not a directory"),
    ],
)
def test_nothing_stands_below_what_is_no_directory(tree, path, kind, reason):
    assert tree.get(path) is None
    assert path not in tree
    for asked in (lambda: tree.require(path), lambda: next(tree.walk(path))):
        with pytest.raises(kind) as caught:
            asked()
        assert (caught.value.path, caught.value.reason) == (path.encode(), reason)


@pytest.mark.parametrize("path", ["d/dangling", "d/to-file-below"])
def test_a_link_that_leads_nowhere_is_there_until_it_is_followed(tree, path):
    assert isinstance(tree.get(path), Symlink)
    assert tree.get(path, follow=True) is None


def test_only_a_file_has_contents():
    file = File(0o644, 0, 0, 0)
    assert require_file(b"p", file) is file
    for node, kind, reason, number in (
        (Directory(0o755, 0, 0, 0), IsDirectoryError, "is a directory", errno.EISDIR),
        (Fifo(0o644, 0, 0, 0), PathError, "not a regular file", errno.ENXIO),
        (Symlink(0, 0, 0), PathError, "not a regular file", errno.ENXIO),
    ):
        with pytest.raises(PathError) as caught:
            require_file(b"p", node)
        error = caught.value
        assert (type(error), error.path, error.reason, error.errno) == (kind, b"p", reason, number)


def test_paths_are_held_to_the_limits_of_the_tree():
    tree = parse("/a dir 0755 0:0 0", limits=Limits(path_depth=2))
    assert tree.get("a/b") is None
    with pytest.raises(LimitError) as caught:
        tree.get("a/b/c")
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("path_depth", 2, 3)


def test_a_path_that_climbs_is_refused(tree):
    with pytest.raises(UnsafePathError) as caught:
        tree.get("d/../..")
    assert caught.value.path == b"d/../.."


def chain(length):
    lines = [f"/l{number} symlink 0777 0:0 0 target=l{number + 1}" for number in range(length)]
    return parse("\n".join([*lines, f"/l{length} file 0644 0:0 0 text=end"]))


def test_up_to_40_links_are_followed():
    for length in (39, 40):
        assert chain(length).get("l0", follow=True).content == Inline(b"end")
    with pytest.raises(LinkError) as caught:
        chain(41).get("l0", follow=True)
    assert (caught.value.path, caught.value.reason) == (b"l0", "more than 40 links to follow, perhaps a loop")


def test_resolving_says_how_far_it_led(tree):
    found = tree.resolve("d/up/no/where")
    assert (found.names, found.rest, found.node, found.followed, found.escaped_root) == (
        [b"d"],
        [b"where", b"no"],
        None,
        [b"d/up"],
        b"d/up",
    )
    assert found.consumed_dotdot is False
    assert found.path == b"d/no/where"
    assert found.directories == [tree.root, tree.get("d")]


def test_the_link_that_climbs_is_told_from_those_that_follow_it():
    made = parse(
        "/a symlink 0777 0:0 0 target=b\n/b symlink 0777 0:0 0 target=../../c\n/c symlink 0777 0:0 0 target=.."
    )
    found = made.resolve("a", follow=True)
    assert (found.followed, found.escaped_root) == ([b"a", b"b", b"c"], b"b")
    assert made.resolve("a").escaped_root is None


@pytest.mark.parametrize(
    ("follow", "follow_last", "path", "rest"),
    [
        (True, True, b"bin/sh", [b"sh"]),
        (False, False, b"bin/sh", [b"sh", b"bin"]),
        (False, True, b"bin/sh", [b"sh", b"bin"]),
        (True, False, b"bin", [b"bin"]),
        (True, True, b"bin", []),
        (False, True, b"bin", []),
        (False, False, b"bin", [b"bin"]),
    ],
)
def test_links_are_followed_where_the_caller_says(tree, follow, follow_last, path, rest):
    assert resolve(tree.root, path, follow=follow, follow_last=follow_last, limit=1).rest == rest


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        ("bin", []),
        ("bin/", [b"", b"bin"]),
        ("bin//", [b"", b"", b"bin"]),
        ("bin/.", []),
        ("bin/./", []),
        ("bin/sh", [b"sh"]),
    ],
)
def test_a_last_link_with_a_slash_after_it_is_followed_where_the_caller_says(tree, target, rest):
    TreeEditor(tree).put(TreeEditor(tree).open_parent(b""), b"l", Symlink(0, 0, 0, target=target.encode()))
    found = resolve(tree.root, b"l", follow=True, follow_last=True, limit=9, follow_slash=False)
    assert found.rest == rest
    assert resolve(tree.root, b"l", follow=True, follow_last=True, limit=9).rest == [
        each for each in rest if each == b"sh"
    ]


@pytest.mark.parametrize(
    ("target", "names", "rest"),
    [
        ("no/../d", [b"d"], []),
        ("d/file/../../usr", [b"usr"], []),
        ("no/../../d", [b"d"], []),
        ("no/./a//../b/.", [], [b"b", b"no"]),
        ("no/a/b/../../../bin/x", [b"usr", b"bin"], [b"x"]),
        ("d/no/../file", [b"d"], [b"file"]),
    ],
)
def test_dots_take_back_what_is_no_directory_for_writers(tree, target, names, rest):
    TreeEditor(tree).put(TreeEditor(tree).open_parent(b""), b"l", Symlink(0, 0, 0, target=target.encode()))
    found = resolve(tree.root, b"l", follow=True, follow_last=True, limit=9, lexical_dotdot=True)
    assert (found.names, found.rest) == (names, rest)
    assert tree.get("l", follow=True) is None


def test_a_walk_gives_directories_first_and_names_in_the_order_of_their_bytes(tree):
    assert [path for path, _ in tree.walk("/bin")] == [b"bin"]
    assert [path for path, _ in tree.walk("d/abs/bin")] == [b"usr/bin", b"usr/bin/sh"]
    other = parse("/a/z file 0644 0:0 0 text=\n/a- file 0644 0:0 0 text=\n/a/b/c file 0644 0:0 0 text=")
    assert [path for path, _ in other.walk()] == [b"", b"a", b"a/b", b"a/b/c", b"a/z", b"a-"]
    assert len(other) == 6
    assert repr(other) == "<FileTree of 6 names>"


def test_an_empty_tree_is_an_implicit_root():
    tree = FileTree()
    assert list(tree.walk()) == [(b"", tree.root)]
    assert isinstance(tree.root, Directory)
    assert tree.root.implicit


BASE = """\
/d dir 0755 0:0 0
/f file 0644 0:0 0 text=x
/g link /f
/h file 0644 0:0 0 text=x
/s symlink 0777 0:0 0 target=f
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/d dir 0755", "/d dir 0750"),
        ("/d dir 0755 0:0", "/d dir 0755 1:0"),
        ("/d dir 0755 0:0", "/d dir 0755 0:1"),
        ("/d dir 0755 0:0 0", "/d dir 0755 0:0 0.000000001"),
        ("/d dir 0755 0:0 0", "/d dir 0755 0:0 0 xattr.user.k=v"),
        ("/d dir", "/d fifo"),
        ("/d dir", "/e dir"),
        ("/d dir 0755 0:0 0\n", ""),
        ("/f file 0644 0:0 0 text=x", "/f file 0644 0:0 0 text=y"),
        ("/g link /f", "/g file 0644 0:0 0 text=x"),
        ("/h file 0644 0:0 0 text=x", "/h link /f"),
        ("target=f", "target=g"),
        ("/s symlink 0777 0:0 0 target=f", "/s char 0777 0:0 0 device=0:0"),
    ],
)
def test_trees_differ_in_anything_that_a_file_system_shows(old, new):
    assert old in BASE
    assert parse(BASE) == parse(BASE)
    assert parse(BASE) != parse(BASE.replace(old, new))
    assert parse(BASE.replace(old, new)) != parse(BASE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("char 0644 0:0 0 device=1:2", "block 0644 0:0 0 device=1:2"),
        ("char 0644 0:0 0 device=1:2", "char 0644 0:0 0 device=2:2"),
        ("char 0644 0:0 0 device=1:2", "char 0644 0:0 0 device=1:3"),
        ("fifo 0644 0:0 0", "fifo 0600 0:0 0"),
    ],
)
def test_special_files_differ_in_kind_and_number(one, other):
    assert parse(f"/x {one}") == parse(f"/x {one}")
    assert parse(f"/x {one}") != parse(f"/x {other}")


def test_groups_of_links_are_compared_and_not_the_names_they_began_with():
    one, other = parse("/a file 0644 0:0 0 text=x\n/b link /a\n/c file 0644 0:0 0 text=x\n/d link /c"), FileTree()
    merge = TreeEditor(other)
    for number, names in enumerate([(b"d", b"c"), (b"b", b"a")]):
        here = merge.open_parent(b"")
        merge.put(here, names[0], File(0o644, 0, 0, 0, layer=number, content=DigestContent(1, _X)))
        merge.link(merge.find(names[0]), here, names[1])
    assert one == other
    merge.link(merge.find(b"a"), merge.open_parent(b""), b"c")
    assert one != other


_X = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_a_tree_is_equal_to_trees_only_and_no_key(tree):
    assert tree != TREE
    with pytest.raises(TypeError):
        hash(tree)


def test_a_fork_shares_what_neither_side_changes(tree):
    fork = tree.fork()
    assert fork == tree
    assert fork.root is tree.root
    TreeEditor(fork).change(b"d/file", mode=0o600)
    assert (fork.get("d/file").mode, tree.get("d/file").mode) == (0o600, 0o644)
    assert fork.get("usr") is tree.get("usr")
    assert fork.get("d") is not tree.get("d")
    TreeEditor(tree).change(b"usr", mode=0o700)
    assert (fork.get("usr").mode, tree.get("usr").mode) == (0o755, 0o700)


def test_a_change_after_a_fork_copies_each_directory_once(tree):
    tree.fork()
    merge = TreeEditor(tree)
    merge.change(b"d/file", mode=0o600)
    root, directory = tree.root, tree.get("d")
    merge.change(b"d/file", mode=0o601)
    assert (tree.root, tree.get("d")) == (root, directory)


def test_a_tree_that_was_never_forked_copies_no_directory():
    tree = FileTree()
    root = tree.root
    TreeEditor(tree).open_parent(b"a")
    directory = tree.get("a")
    TreeEditor(tree).open_parent(b"a/b")
    assert (tree.root, tree.get("a")) == (root, directory)


LINKS = "/a file 0644 0:0 0 text=x\n/b link /a\n/c link /a"


def modes(tree):
    return {path: node.mode for path, node in tree.walk() if path}


def test_only_linked_files_have_link_names():
    tree = parse(LINKS + "\n/d file 0644 0:0 0 text=")
    assert tree.link_names(tree.get("a").inode) == (b"a", b"b", b"c")
    assert tree.link_names(tree.get("d").inode) == ()


def test_names_that_were_replaced_are_no_link_names_any_more():
    tree = parse(LINKS + "\n/p/q link /a\n/b dir 0755 0:0 0\n/p file 0644 0:0 0 text=")
    assert tree.link_names(tree.get("a").inode) == (b"a", b"c")


def test_the_link_names_of_a_fork_are_its_own():
    tree = parse(LINKS)
    inode = tree.get("a").inode
    fork = tree.fork()
    merge = TreeEditor(fork)
    here = merge.open_parent(b"")
    merge.drop(here, b"b")
    merge.link(merge.find(b"a"), here, b"z")
    assert fork.link_names(inode) == (b"a", b"c", b"z")
    assert tree.link_names(inode) == (b"a", b"b", b"c")
    TreeEditor(tree).change(b"a", mode=0o600)
    TreeEditor(fork).change(b"z", mode=0o601)
    assert modes(tree) == dict.fromkeys([b"a", b"b", b"c"], 0o600)
    assert modes(fork) == dict.fromkeys([b"a", b"c", b"z"], 0o601)


def test_the_link_names_of_the_original_are_its_own():
    tree = parse(LINKS)
    inode = tree.get("a").inode
    fork = tree.fork()
    merge = TreeEditor(tree)
    merge.link(merge.find(b"a"), merge.open_parent(b""), b"z")
    merge.link(merge.find(b"a"), merge.open_parent(b""), b"y")
    assert fork.link_names(inode) == (b"a", b"b", b"c")
    assert tree.link_names(inode) == (b"a", b"b", b"c", b"z", b"y")


def test_the_names_of_a_file_can_be_replaced_in_a_fork():
    tree = parse("/a file 0644 0:0 0 text=\n/b link /a")
    fork = tree.fork()
    node = fork.require("a")
    fork.writable_root().children[b"c"] = fork.writable_root().children.pop(b"a")
    fork.replace_link_names(node.inode, [b"c", b"b"])
    assert (set(fork.link_names(node.inode)), fork.link_count(node)) == ({b"b", b"c"}, 2)
    assert (set(tree.link_names(node.inode)), tree.link_count(node)) == ({b"a", b"b"}, 2)


def test_a_file_has_as_many_links_as_names_and_a_directory_2_and_its_directories():
    tree = parse(LINKS + "\n/d/x/y dir 0755 0:0 0\n/d/f fifo 0644 0:0 0\n/d/z dir 0755 0:0 0")
    counts = {path: tree.link_count(node) for path, node in tree.walk()}
    assert counts == {b"": 3, b"a": 3, b"b": 3, b"c": 3, b"d": 4, b"d/f": 1, b"d/x": 3, b"d/x/y": 2, b"d/z": 2}


def test_a_pickle_of_a_tree_is_an_equal_tree_that_changes_independently():
    tree = FileTree(limits=Limits(links=7))
    editor = TreeEditor(tree, layer=3)
    editor.put(editor.open_parent(b"d"), b"f", File(0o644, 0, 0, 0, layer=2, content=Inline(b"x")))
    for name in (b"g", b"h"):
        editor.link(editor.find(b"d/f"), editor.open_parent(b""), name)
    editor.put(editor.open_parent(b""), b"s", Symlink(0, 0, 0, target=b"d"))
    editor.link(editor.find(b"s"), editor.open_parent(b""), b"t")
    before = tree.fork()
    made = pickle.loads(pickle.dumps(tree))
    assert made == tree
    assert made.limits == tree.limits
    assert (made.implied, made.metadata) == (tree.implied, tree.metadata)
    assert (made.get("d").layer, made.get("d").implicit, made.get("g").layer) == (3, True, 2)
    assert made.get("g") is made.get("d/f")
    assert made.link_names(made.get("g").inode) == (b"d/f", b"g", b"h")
    root, directory = made.root, made.get("d")
    editor = TreeEditor(made)
    editor.put(editor.open_parent(b"d"), b"new", File(0o644, 0, 0, 0))
    editor.change(b"g", mode=0o600)
    assert made.get("d/new").inode not in {node.inode for _, node in tree.walk() if not isinstance(node, Directory)}
    assert (made.root, made.get("d")) == (root, directory)
    assert made.get("h").mode == 0o600
    assert tree == before


def test_a_tree_of_any_depth_can_be_pickled():
    tree = FileTree(limits=Limits(path_depth=5000, path_bytes=10_000))
    TreeEditor(tree).open_parent(b"/".join([b"d"] * 5000))
    assert pickle.loads(pickle.dumps(tree)) == tree


def test_the_files_that_ever_had_several_names_are_known():
    tree = parse("/a file 0644 0:0 0 text=a\n/b link /a\n/c file 0644 0:0 0 text=c\n")
    editor = TreeEditor(tree)
    editor.drop(editor.open_parent(b""), b"b")
    assert tree.linked_inodes() == {tree.at(b"a").inode}
    assert tree.fork().linked_inodes() == tree.linked_inodes()
    assert FileTree().linked_inodes() == set()
