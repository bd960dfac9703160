"""The layers that `diff` and `encode` make are read alike by everything that reads layers, and the reverse.

All rows of `test_diff` in one image, each in a directory of its own, and random edits: umoci, buildah, GNU tar where
there are no markers, and the kernel, from an upper directory, all make of them the tree that they were made from. And
what `umoci repack` and the kernel write about the same edits makes the same tree here.
"""

import io
import os
import pathlib
import shutil
import tempfile

import attrs
import pytest
from hypothesis import given, settings

from oci_layers import open_image, scan
from oci_layers.disk import DirectoryMirror
from oci_layers.errors import UnsupportedError
from oci_layers.layer import Opaque, Whiteout, apply, decode, diff, encode, from_upper
from oci_layers.lint import lint
from oci_layers.tar import DIRECTORY, HARDLINK, read_tar, write_tar
from oci_layers.tree import FileTree, TreeEditor, dump
from tests.interop.test_images import furnish, rearrange
from tests.layer.test_diff import ROWS
from tests.support.edits import edited, edits
from tests.support.layers import d, f, image, tar
from tests.support.listing import listing
from tests.support.peers import Buildah, Umoci, run, umoci_unpack
from tests.support.trees import merged
from tests.support.uppers import mounted, write_tree, write_upper

pytestmark = pytest.mark.root
overlay = pytest.mark.skipif(
    "overlay" not in pathlib.Path("/proc/filesystems").read_text() if pathlib.Path("/proc").exists() else True,
    reason="this kernel has no overlay file system",
)
MODES = [{"content": "always"}, {"content": "always", "opaque": True}]


def below(prefix, entry):
    """An entry, moved into a directory."""
    name = prefix + entry.name.removeprefix(b"./")
    link = prefix + entry.linkname if entry.type == HARDLINK else entry.linkname
    return attrs.evolve(entry, name=name, linkname=link)


def all_rows(rows):
    """The trees before and after rows of `test_diff`, each in its own directory."""
    old, upper = [d("./")], []
    for number, (before, after, _) in enumerate(rows):
        prefix = b"row %d/" % number
        old += [attrs.evolve(d("x"), name=prefix, type=DIRECTORY), *(below(prefix, each) for each in before)]
        upper += [below(prefix, each) for each in after]
    lower = merged(tar(*old))
    return lower, merged(tar(*old), tar(*upper))


TYPES = {"names where a directory was", "a name becomes a directory"}
OLD, NEW = all_rows(ROWS.values())
REMOVED = [change.path for change in diff(OLD, NEW, content="always") if isinstance(change, Whiteout)]
modes = pytest.mark.parametrize("mode", MODES, ids=["whiteouts", "opaque"])


def raw(changes):
    return b"".join(write_tar(encode(changes)))


def two_layers(directory, old, new, mode):
    return image(directory, raw(diff(FileTree(), old)), raw(diff(old, new, **mode)))


def assert_listed(directory, tree, *, vfs=False):
    """Compare a directory with a tree, by the tests' own eyes.

    A `vfs` of buildah gives its root the present time, and copies each name of a symbolic link for a new container.
    """
    with tempfile.TemporaryDirectory() as work:
        assert write_tree(f"{work}/ours", diff(FileTree(), tree)) == []
        mine, theirs = listing(f"{work}/ours"), listing(directory)
    for rows in (mine, theirs) if vfs else ():
        del rows[b""]["mtime_ns"]
        for row in rows.values():
            row.pop("names" if row["kind"] == "symlink" else "", None)
    assert sorted(mine) == sorted(theirs)
    assert {path: (mine[path], theirs[path]) for path in mine if mine[path] != theirs[path]} == {}


def test_the_rows_remove_and_make_all_sorts():
    assert len(REMOVED) > 10
    findings = lint(read_tar(io.BytesIO(raw(diff(OLD, NEW, content="always")))), lower=OLD)
    assert [finding for finding in findings if finding.rule != "fine-time"] == []


@modes
@pytest.mark.peer("umoci")
def test_umoci_unpacks_what_the_diff_was_made_from(tmp_path, mode):
    layout = two_layers(tmp_path / "image", OLD, NEW, mode)
    assert_listed(umoci_unpack(f"{layout}:t", f"{tmp_path}/bundle"), NEW)


def with_values(steps):
    """Edits without extended attributes that are empty, of which Go's tar loses each."""

    def kept(xattrs):
        return {name: value for name, value in xattrs.items() if value}

    def changed(step):
        entry = step.entry if step.entry is None else attrs.evolve(step.entry, xattrs=kept(step.entry.xattrs))
        attributes = {**step.attributes}
        if "xattrs" in attributes:
            attributes["xattrs"] = kept(attributes["xattrs"])
        return attrs.evolve(step, entry=entry, attributes=attributes)

    return [changed(step) for step in steps]


edits_for_go = edits.map(with_values)


@settings(max_examples=15)
@pytest.mark.peer("umoci")
@given(edits_for_go, edits_for_go)
def test_umoci_unpacks_any_diff(first, steps):
    old = edited(FileTree(), first)
    new = edited(old, steps)
    with tempfile.TemporaryDirectory() as work:
        layout = two_layers(f"{work}/image", old, new, {"content": "always"})
        assert_listed(umoci_unpack(f"{layout}:t", f"{work}/bundle"), new)


@modes
@pytest.mark.peer("buildah")
def test_buildah_unpacks_what_the_diff_was_made_from(tmp_path, mode):
    layout = two_layers(tmp_path / "image", OLD, NEW, mode)
    buildah = Buildah(tmp_path, f"oci:{layout}:t")
    try:
        assert_listed(buildah("mount", buildah.container), NEW, vfs=True)
    finally:
        buildah("umount", buildah.container)


@pytest.mark.peer("tar")
def test_gnu_tar_unpacks_what_has_no_markers(tmp_path):
    """It lays files over files and directories over directories; what changes its type is left out, as all markers."""
    rows = [row for name, row in ROWS.items() if " -" not in row[2] and " over " not in name and name not in TYPES]
    assert len(rows) > 20
    old, new = all_rows(rows)
    (tmp_path / "root").mkdir()
    for layer in (raw(diff(FileTree(), old)), raw(diff(old, new, content="always"))):
        (tmp_path / "layer.tar").write_bytes(layer)
        options = ["--numeric-owner", "--xattrs", "--xattrs-include=*"]
        run("tar", "-xpf", tmp_path / "layer.tar", "-C", tmp_path / "root", *options)
    assert_listed(tmp_path / "root", new)


@overlay
@modes
@pytest.mark.parametrize("namespace", ["trusted", "user"])
def test_the_kernel_shows_what_the_diff_was_made_from(tmp_path, mode, namespace):
    assert write_tree(tmp_path / "lower", diff(FileTree(), OLD)) == []
    assert write_upper(tmp_path / "upper", diff(OLD, NEW, **mode), namespace=namespace) == []
    options = ["userxattr"] if namespace == "user" else []
    with mounted(tmp_path / "mount", tmp_path / "upper", tmp_path / "lower", options=options) as mount:
        assert_listed(mount, NEW)
        assert scan(mount) == NEW
    read = OLD.fork()
    apply(from_upper(scan(tmp_path / "upper"), namespace=namespace), read, policy="strict")
    assert read == NEW


@overlay
@given(edits, edits)
def test_the_kernel_shows_any_diff(first, steps):
    old = edited(FileTree(), first)
    new = edited(old, steps)
    for mode in MODES:
        changes = list(diff(old, new, **mode))
        if changes:
            with tempfile.TemporaryDirectory() as work:
                write_tree(f"{work}/lower", diff(FileTree(), old))
                assert write_upper(f"{work}/upper", changes) == []
                with mounted(f"{work}/mount", f"{work}/upper", f"{work}/lower") as mount:
                    assert dump(scan(mount)) == dump(new)


def kept(directory):
    """What a directory has now, contents too."""
    return merged(raw(diff(FileTree(), scan(directory))))


def in_seconds(tree):
    """A tree with the times that other programs write: without fractions of a second."""
    editor = TreeEditor(copy := tree.fork())
    for path, node in tree.walk():
        editor.change(path, mtime_ns=node.mtime_ns // 10**9 * 10**9)
    return copy


def settle(root):
    """Cut all times below a directory to seconds, since programs differ in how they do."""
    for directory, below, files in os.walk(root, topdown=False):
        for name in [*below, *files, "."]:
            at = os.path.join(directory, name)
            os.utime(at, ns=(0, os.lstat(at).st_mtime_ns // 10**9 * 10**9), follow_symlinks=False)


def change_directory(directory, new):
    """Make a directory on disk what a tree is."""
    old = scan(directory)
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    mirror = DirectoryMirror(root)
    try:
        apply(list(diff(kept(directory), new, content="always")), old, mirror=mirror)
        mirror.finish(old)
    finally:
        mirror.close()
        os.close(root)


@pytest.mark.peer("umoci")
def test_a_layer_of_umoci_makes_what_our_diff_of_the_same_edits_makes(tmp_path):
    umoci, seen = Umoci(tmp_path), []

    def watched(root):
        seen.append(kept(root))
        rearrange(root)
        settle(root)
        seen.append(kept(root))

    umoci.layer(lambda root: (furnish(root), settle(root)))
    umoci.layer(watched)
    old, new = seen
    with open_image(umoci.ours) as opened:
        theirs = opened.tree()
        assert dump(theirs) == dump(new)
        apply(diff(old, new), old, policy="strict")
        assert old == theirs


@settings(max_examples=10)
@pytest.mark.peer("umoci")
@given(edits_for_go, edits_for_go)
def test_a_layer_of_umoci_makes_what_any_edits_made(first, steps):
    old = edited(FileTree(), first)
    new = edited(old, steps)
    with tempfile.TemporaryDirectory() as work:
        umoci = Umoci(work)
        umoci.layer(lambda root: (change_directory(root, old), settle(root)))
        umoci.layer(lambda root: (change_directory(root, new), settle(root)))
        with open_image(umoci.ours) as opened:
            assert dump(in_seconds(opened.tree())) == dump(in_seconds(new))


@pytest.mark.peer("buildah")
def test_a_layer_of_buildah_makes_what_our_diff_of_the_same_edits_makes(tmp_path):
    (tmp_path / "base").mkdir()
    furnish(tmp_path / "base")
    os.removexattr(tmp_path / "base/usr/lib/noted", "trusted.secret")  # Which buildah does not store.
    layout = image(tmp_path / "image", raw(diff(FileTree(), scan(tmp_path / "base"))))
    buildah = Buildah(tmp_path, f"oci:{layout}:t")
    try:
        root = buildah("mount", buildah.container)
        before = kept(root)
        rearrange(root)
        settle(root)
        after = kept(root)
        buildah("commit", "--quiet", buildah.container, f"oci:{tmp_path}/made:t")
    finally:
        buildah("umount", buildah.container)
    apply(diff(before, after), before, policy="strict")
    with open_image(f"oci:{tmp_path}/made:t") as opened:
        theirs, ours = dump(in_seconds(opened.tree())), dump(in_seconds(before))
    assert theirs.splitlines()[1:] == ours.splitlines()[1:]  # The vfs of buildah sets the time of the root.


@overlay
def test_what_the_kernel_writes_makes_what_the_mount_shows(tmp_path):
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    furnish(tmp_path / "lower")
    old = kept(tmp_path / "lower")
    places = {"upper": tmp_path / "upper", "work": tmp_path / "work"}
    with mounted(tmp_path / "mount", tmp_path / "lower", **places) as mount:
        rearrange(mount)
        shutil.rmtree(mount / "usr")
        (mount / "usr/bin").mkdir(parents=True)
        (mount / "usr/bin/new").write_text("new")
        (mount / "etc/empty").write_text("not any more")
        new = kept(mount)
    upper = scan(tmp_path / "upper")
    result = old.fork()
    apply(from_upper(upper), result, policy="strict")
    assert result == new
    assert any(isinstance(change, Opaque) for change in from_upper(upper))
    assert b"usr" in [change.path for change in diff(old, new)]


@overlay
@pytest.mark.parametrize(
    ("option", "edit", "what", "path"),
    [
        ("redirect_dir=on", lambda at: os.rename(at / "gone", at / "moved"), "overlay attribute redirect", "moved"),
        ("metacopy=on", lambda at: os.chmod(at / "usr/bin/wall", 0), "overlay attribute metacopy", "usr/bin/wall"),
    ],
)
def test_what_an_upper_directory_does_not_hold_is_refused(tmp_path, option, edit, what, path):
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    furnish(tmp_path / "lower")
    places = {"upper": tmp_path / "upper", "work": tmp_path / "work"}
    with mounted(tmp_path / "mount", tmp_path / "lower", **places, options=[option]) as mount:
        edit(mount)
    with pytest.raises(UnsupportedError) as raised:
        list(from_upper(scan(tmp_path / "upper")))
    assert (raised.value.what, raised.value.value) == (what, path)


@overlay
def test_whiteouts_that_are_attributes_are_those_of_the_kernel(tmp_path):
    write_tree(tmp_path / "lower", decode([d("./"), d("d/"), f("d/gone", "x"), f("d/here", "x")]))
    marks = {b"trusted.overlay.opaque": b"x"}
    layer = [d("./", xattrs=marks), d("d/", xattrs=marks), f("d/gone", xattrs={b"trusted.overlay.whiteout": b""})]
    write_tree(tmp_path / "upper", decode(layer), overlay=True)
    old = kept(tmp_path / "lower")
    apply(from_upper(scan(tmp_path / "upper")), old)
    with mounted(tmp_path / "mount", tmp_path / "upper", tmp_path / "lower") as mount:
        assert sorted(os.listdir(mount / "d")) == ["here"]
        assert scan(mount) == old
