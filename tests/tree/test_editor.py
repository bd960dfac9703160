import attrs
import pytest

from oci_layers.errors import LimitError, LinkError, PathMissingError, UnsafePathError
from oci_layers.limits import Limits
from oci_layers.tree import (
    NOWHERE,
    Directory,
    Fifo,
    File,
    FileTree,
    Inline,
    RangeContent,
    Symlink,
    TreeEditor,
    dump,
    parse,
)
from oci_layers.tree.editor import Event

FILE = File(0o644, 0, 0, 0)


def file(text=b""):
    return File(0o644, 0, 0, 0, content=Inline(text))


def directory(mode=0o755):
    return Directory(mode, 0, 0, 0)


@attrs.define
class Steps:
    """A mirror that writes down what it is told, and refuses one name."""

    refused: bytes = b""
    steps: list = attrs.field(factory=list)

    def check(self, name):
        if name == self.refused:
            raise UnsafePathError(name, "refused")

    def make(self, parent, name, node, data):
        self.check(name)
        self.steps.append(("make", parent, name, type(node).__name__, data and b"".join(data)))

    def link(self, target, parent, name, node):
        self.check(name)
        self.steps.append(("link", target, parent, name, type(node).__name__))

    def remove(self, parent, name, node):
        self.check(name)
        self.steps.append(("remove", parent, name, type(node).__name__))


def merging(text="", limits=None, **options):
    tree = parse(text, limits=limits)
    return tree, TreeEditor(tree, **options)


def root(merge):
    return merge.open_parent(b"")


def test_a_place_is_a_directory_by_its_resolved_path():
    tree, merge = merging("/d/e dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d")
    here = merge.open_parent(b"l/e")
    assert here.path == b"d/e"
    assert here.directory is tree.get("d/e")
    assert merge.events == [Event("followed", b"l")]
    assert merge.open_parent(b"l/e") is here
    assert merge.events == [Event("followed", b"l")]
    for path, resolved in ((b"l", b"d"), (b"d/e/f", b"d/e/f"), (b"l/e/f", b"d/e/f")):
        assert merge.open_parent(path).path == resolved


def test_a_path_below_a_place_behind_a_link_is_resolved_too():
    _, merge = merging("/d/e dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d")
    assert [merge.open_parent(path).path for path in (b"l", b"l/e")] == [b"d", b"d/e"]


@pytest.mark.parametrize("path", [b"no", b"no/where", b"f", b"f/x", b"dangling", b"dangling/x"])
def test_a_path_is_followed_in_any_tree_and_nothing_is_made(path):
    tree, merge = merging("/f file 0644 0:0 0 text=\n/dangling symlink 0777 0:0 0 target=no")
    before = dump(tree)
    assert merge.resolve(path, tree.root).rest
    assert merge.known_directory(path) is None
    assert dump(tree) == before
    assert merge.events == []


@pytest.mark.parametrize(
    ("path", "resolved"), [(b"l", b"d"), (b"l/e", b"d/e"), (b"past", b"d"), (b"past/e", b"d/e"), (b"d/e", b"d/e")]
)
def test_a_path_is_followed_as_it_is_to_open_a_parent(path, resolved):
    tree, merge = merging(
        "/d/e dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d\n/past symlink 0777 0:0 0 target=no/../d"
    )
    assert merge.resolve(path, tree.root).path == merge.open_parent(path).path == resolved


def test_a_known_directory_is_reached_through_no_link():
    tree, merge = merging("/d/e dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d")
    assert merge.known_directory(b"d/e").directory is tree.get("d/e")
    assert merge.known_directory(b"l/e") is None
    assert merge.known_directory(b"").directory is tree.root


def test_missing_directories_are_implied_from_the_top():
    tree, merge = merging("", mirror=Steps(), layer=3)
    here = merge.open_parent(b"a/b")
    assert here.directory is tree.get("a/b")
    assert (here.directory.implicit, here.directory.layer, here.directory.mode) == (True, 3, 0o755)
    assert merge.events == [Event("implied", b"a"), Event("implied", b"a/b")]
    assert merge._mirror.steps == [
        ("make", b"", b"a", "Directory", None),
        ("make", b"a", b"b", "Directory", None),
    ]


def test_what_is_in_the_way_gives_way():
    tree, merge = merging("/f file 0644 0:0 0 text=", mirror=Steps())
    merge.open_parent(b"f/x")
    assert dump(tree) == dump(parse("/f/x dir 0755 0:0 0"))
    assert merge.events == [Event("replaced", b"f"), Event("implied", b"f"), Event("implied", b"f/x")]
    assert merge._mirror.steps[0] == ("remove", b"", b"f", "File")


def test_links_give_way_when_they_are_not_followed():
    tree, merge = merging("/d/x dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d", follow=False)
    assert merge.resolve(b"l", tree.root).rest
    assert merge.open_parent(b"l/y").path == b"l/y"
    assert dump(tree) == dump(parse("/d/x dir 0755 0:0 0\n/l/y dir 0755 0:0 0"))
    assert merge.find(b"l/y/z") is None


def test_a_link_to_nothing_is_filled_with_directories_and_a_climbing_one_is_noted():
    tree, merge = merging("/l symlink 0777 0:0 0 target=../no/../way//./up")
    assert merge.open_parent(b"l/x").path == b"way/up/x"
    assert merge.events == [
        Event("followed", b"l"),
        Event("passed", b"l"),
        Event("climbed", b"l"),
        Event("implied", b"way"),
        Event("implied", b"way/up"),
        Event("implied", b"way/up/x"),
    ]
    assert merge.open_parent(b"l/x").directory is tree.get("way/up/x")


def test_links_are_counted_over_all_that_is_missing_on_the_way():
    links = "".join(f"/l{n} symlink 0777 0:0 0 target=no{n}/../l{n + 1}\n" for n in range(5))
    for limit in (5, 6):
        _, merge = merging(links, limits=Limits(links=limit))
        assert merge.open_parent(b"l0").path == b"l5"
    _, merge = merging(links, limits=Limits(links=4))
    with pytest.raises(LinkError) as caught:
        merge.open_parent(b"l0")
    assert (caught.value.path, caught.value.reason) == (b"l0", "more than 4 links to follow, perhaps a loop")


def test_implied_directories_are_held_to_the_limits():
    text = "/l symlink 0777 0:0 0 target=a/bb"
    for limits in (Limits(path_depth=3), Limits(path_bytes=6), Limits(component_bytes=2)):
        assert merging(text, limits=limits)[1].open_parent(b"l/c").path == b"a/bb/c"
    for name, allowed, seen in (("path_depth", 2, 3), ("path_bytes", 5, 6), ("component_bytes", 1, 2)):
        with pytest.raises(LimitError) as caught:
            merging(text, limits=Limits(**{name: allowed}))[1].open_parent(b"l/c")
        assert (caught.value.limit, caught.value.allowed, caught.value.seen) == (name, allowed, seen)


def test_places_are_found_anew_when_something_was_dropped():
    tree, merge = merging("/d dir 0755 0:0 0\n/e dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d")
    assert merge.open_parent(b"l").path == b"d"
    merge.put(root(merge), b"l", Symlink(0, 0, 0, target=b"e"))
    assert merge.open_parent(b"l").path == b"e"
    merge.put(root(merge), b"e", file())
    assert merge.resolve(b"l", tree.root).rest
    merge.drop(root(merge), b"e")
    assert merge.open_parent(b"l").directory is tree.get("e")


def test_places_are_found_anew_after_a_fork():
    tree, merge = merging("/d dir 0755 0:0 0")
    merge.open_parent(b"d")
    fork = tree.fork()
    here = merge.open_parent(b"d")
    merge.put(here, b"f", file())
    assert "d/f" in tree
    assert "d/f" not in fork


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"d", None),
        (b"d/no", None),
        (b"l", None),
        (b"f", b"f"),
        (b"f/x", b"f"),
        (b"l/f/x", b"d/f"),
        (b"to-f", b"f"),
        (b"past-f/no", None),
        (b"", None),
    ],
)
def test_an_obstacle_is_what_a_place_would_replace(path, expected):
    tree, merge = merging(
        """
        /d/f file 0644 0:0 0 text=
        /f fifo 0644 0:0 0
        /l symlink 0777 0:0 0 target=d
        /to-f symlink 0777 0:0 0 target=f
        /past-f symlink 0777 0:0 0 target=f/../d
        """
    )
    before = dump(tree)
    assert merge.blocking_path(path) == expected
    assert dump(tree) == before
    merge.open_parent(path)
    assert [note.path for note in merge.events if note.what == "replaced"] == ([expected] if expected else [])


def test_an_obstacle_may_be_a_link_that_is_not_followed():
    assert merging("/l symlink 0777 0:0 0 target=d", follow=False)[1].blocking_path(b"l/x") == b"l"


def test_a_node_is_put_where_nothing_stands():
    tree, merge = merging("", mirror=Steps())
    node = file(b"abc")
    merge.put(root(merge), b"f", node, iter([b"ab", b"c"]))
    assert tree.get("f") is node
    assert merge._mirror.steps == [("make", b"", b"f", "File", b"abc")]
    assert merge.events == []


def test_a_directory_over_a_directory_is_described_and_nothing_else_happens():
    tree, merge = merging("/d dir 0700 1:2 3 xattr.user.old=1\n/d/x fifo 0644 0:0 0", mirror=Steps())
    merge.put(root(merge), b"d", Directory(0o711, 4, 5, 6, {b"user.new": b"2"}, 7))
    node = tree.get("d")
    assert (node.mode, node.uid, node.gid, node.mtime_ns, node.xattrs, node.layer, node.implicit) == (
        0o711,
        4,
        5,
        6,
        {b"user.new": b"2"},
        7,
        False,
    )
    assert "d/x" in tree
    assert merge._mirror.steps == []


def test_a_directory_that_was_put_is_changed_in_place():
    tree, merge = merging()
    node = directory()
    merge.put(root(merge), b"d", node)
    assert merge.open_parent(b"d").directory is node
    fork = tree.fork()
    assert merge.open_parent(b"d").directory is not node
    assert fork.get("d") is node


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ("/x file 0644 0:0 0 text=", Fifo(0o600, 0, 0, 0), [("remove", "File"), ("make", "Fifo")]),
        ("/x dir 0755 0:0 0\n/x/y/z fifo 0644 0:0 0", file(), [("remove", "Directory"), ("make", "File")]),
        ("/x file 0644 0:0 0 text=", directory(), [("remove", "File"), ("make", "Directory")]),
    ],
)
def test_any_other_pair_is_removed_and_made(old, new, steps):
    tree, merge = merging(old, mirror=Steps())
    merge.put(root(merge), b"x", new)
    assert tree.get("x") is new
    assert len(tree) == 2
    assert [(step[0], step[3]) for step in merge._mirror.steps] == steps


def test_the_root_is_described():
    tree, merge = merging("/x fifo 0644 0:0 0")
    tree.fork()
    merge.describe_root(Directory(0o700, 1, 2, 3, {b"user.k": b"v"}, 4))
    assert tree == parse("/ dir 0700 1:2 0.000000003 xattr.user.k=v\n/x fifo 0644 0:0 0")
    assert (tree.root.layer, tree.root.implicit) == (4, False)


def test_a_file_is_found_through_links_in_its_parents_but_not_behind_one():
    tree, merge = merging(
        "/d/f file 0644 0:0 0 text=\n/d/s symlink 0777 0:0 0 target=f\n/l symlink 0777 0:0 0 target=d"
    )
    assert merge.find(b"l/f") == (b"d/f", tree.get("d/f"))
    assert merge.find(b"l/s") == (b"d/s", tree.get("d/s"))
    assert merge.events == [Event("followed", b"l"), Event("followed", b"l")]


@pytest.mark.parametrize("path", [b"no", b"d/no", b"no/no", b"d/f/no", b"to-f/"[:-1] + b"/no"])
def test_nothing_is_found_where_nothing_stands(path):
    _, merge = merging("/d/f file 0644 0:0 0 text=\n/to-f symlink 0777 0:0 0 target=d/f")
    assert merge.find(path) is None
    assert merge.events == []


@pytest.mark.parametrize("path", [b"", b"d", b"l/d"])
def test_a_directory_cannot_be_linked_to(path):
    _, merge = merging("/d dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=/")
    with pytest.raises(LinkError) as caught:
        merge.find(path)
    assert (caught.value.path, caught.value.reason) == (path, "a hard link to a directory")


def test_a_link_shares_the_node():
    tree, merge = merging("/f file 0644 0:0 0 text=x\n/h dir 0755 0:0 0\n/h/x fifo 0644 0:0 0", mirror=Steps())
    merge.link(merge.find(b"f"), root(merge), b"h")
    assert tree.get("h") is tree.get("f")
    assert merge._mirror.steps == [("remove", b"", b"h", "Directory"), ("link", b"f", b"", b"h", "File")]


@pytest.mark.parametrize(
    ("target", "here", "name", "reason"),
    [
        (b"d/f", b"d", b"f", "a hard link to itself"),
        (b"d/f", b"", b"d", "a hard link to a file of the directory that it replaces"),
    ],
)
def test_a_link_that_would_take_its_target_away_is_refused(target, here, name, reason):
    tree, merge = merging("/d/f file 0644 0:0 0 text=x", mirror=Steps())
    before = dump(tree)
    with pytest.raises(LinkError) as caught:
        merge.link(merge.find(target), merge.open_parent(here), name)
    assert caught.value.path == (here + b"/" + name if here else name)
    assert caught.value.reason == reason
    assert dump(tree) == before
    assert merge._mirror.steps == []


def test_a_step_that_the_mirror_refuses_is_in_neither():
    text = "/bad file 0644 0:0 0 text=\n/f file 0644 0:0 0 text=x"
    tree, merge = merging(text, mirror=Steps(refused=b"bad"))
    with pytest.raises(UnsafePathError):
        merge.drop(root(merge), b"bad")
    assert dump(tree) == dump(parse(text))
    tree, merge = merging("/f file 0644 0:0 0 text=x", mirror=Steps(refused=b"bad"))
    for step in (
        lambda: merge.put(root(merge), b"bad", file()),
        lambda: merge.link(merge.find(b"f"), root(merge), b"bad"),
        lambda: merge.open_parent(b"bad/x"),
    ):
        with pytest.raises(UnsafePathError):
            step()
    assert dump(tree) == dump(parse("/f file 0644 0:0 0 text=x"))
    assert tree.link_names(tree.get("f").inode) == ()


def test_a_change_is_seen_through_every_name_of_a_file():
    tree, merge = merging(
        "/d/f file 0644 0:0 0 text=x\n/g link /d/f\n/h file 0644 0:0 0 text=x\n/l symlink 0777 0:0 0 target=d"
    )
    tree.fork()
    before = tree.get("g")
    merge.change(b"l/f", mode=0o600, uid=5)
    assert tree.get("d/f") is tree.get("g")
    assert (tree.get("g").mode, tree.get("g").uid, tree.get("h").mode, before.mode) == (0o600, 5, 0o644, 0o644)
    merge.change(b"h", content=Inline(b"new"))
    assert tree.get("h").content == Inline(b"new")


def test_a_directory_is_changed_and_a_link_is_not_followed():
    tree, merge = merging("/d dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d")
    fork = tree.fork()
    merge.change(b"d", mode=0o700, mtime_ns=5)
    merge.change(b"l", uid=3)
    merge.change(b"", gid=4)
    assert tree == parse("/ dir 0755 0:4 0\n/d dir 0700 0:0 0.000000005\n/l symlink 0777 3:0 0 target=d")
    assert fork == parse("/d dir 0755 0:0 0\n/l symlink 0777 0:0 0 target=d")


@pytest.mark.parametrize("path", [b"no", b"no/where", b"f/x"])
def test_what_is_not_there_cannot_be_changed(path):
    _, merge = merging("/f file 0644 0:0 0 text=")
    with pytest.raises(PathMissingError) as caught:
        merge.change(path, mode=0)
    assert caught.value.path == path


def test_a_new_merge_begins_without_notes():
    tree = FileTree()
    merge = TreeEditor(tree)
    assert merge.tree is tree
    assert merge.events == []
    assert merge.open_parent(b"d").directory.layer == 0


def test_directories_that_paths_imply_are_counted_over_all_merges_of_a_tree():
    tree = FileTree(limits=Limits(entries=5))
    TreeEditor(tree).open_parent(b"a/b/c")
    TreeEditor(tree.fork()).open_parent(b"a/x/y")
    tree = tree.fork()
    TreeEditor(tree).open_parent(b"a/b/c")
    TreeEditor(tree).open_parent(b"a/x/y")
    assert tree.implied == 5
    merge = TreeEditor(tree)
    with pytest.raises(LimitError) as caught:
        merge.open_parent(b"z")
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("entries", 5, 6)
    assert tree.get(b"z") is None
    merge.put(merge.open_parent(b""), b"z", directory())


SPARSE = RangeContent(NOWHERE, 0, 9, ((0, 1), (5, 2)))
XATTRS = {b"user.k": b"value", b"user.long": b""}


@pytest.mark.parametrize(
    ("step", "size"),
    [
        (lambda merge: merge.put(root(merge), b"name", file(b"text")), 4),
        (lambda merge: merge.put(root(merge), b"name", Directory(0o755, 0, 0, 0, XATTRS)), 4 + 20),
        (lambda merge: merge.put(root(merge), b"name", File(0, 0, 0, 0, XATTRS, content=SPARSE)), 4 + 20 + 2 * 128),
        (lambda merge: merge.put(root(merge), b"name", Symlink(0, 0, 0, target=b"target")), 4 + 6),
        (lambda merge: merge.link(merge.find(b"f"), root(merge), b"name"), 4),
        (lambda merge: merge.open_parent(b"name/below"), 2 * 512 + 4 + 5),
        (lambda merge: merge.describe_root(Directory(0o755, 0, 0, 0, XATTRS)), 20),
    ],
    ids=["file", "attributes", "pieces", "symlink", "link", "implied", "root"],
)
def test_metadata_are_counted_over_all_that_is_laid_over_a_tree(step, size):
    before = len(b"f")
    tree, merge = merging("/f file 0644 0:0 0 text=", limits=Limits(metadata_bytes=before + size))
    assert tree.metadata == before
    step(merge)
    assert tree.metadata == before + size
    _, merge = merging("/f file 0644 0:0 0 text=", limits=Limits(metadata_bytes=before + size - 1))
    with pytest.raises(LimitError) as caught:
        step(merge)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == (
        "metadata_bytes",
        before + size - 1,
        before + size,
    )
