"""The writable layer of a container: over an image, of its own, gone or committed at the end."""

import gc
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import oci_layers as oci
from oci_layers.blob import MemoryBlobs
from oci_layers.build import LayerOptions, WritableLayer
from oci_layers.disk import scan
from oci_layers.errors import LimitError, StoreError
from oci_layers.limits import Limits
from oci_layers.tree import FileTree, dump, parse
from tests.support.layers import d, f, image, ln, sym, tar

BASE = tar(d("etc"), f("etc/motd", "The lamp is lit.\n"), ln("etc/issue", "etc/motd"), d("var"), f("var/log", "1888\n"))
UPPER = tar(d("usr"), f("usr/lamp", "#!lamp" * 20_000, mode=0o755), sym("bin", "usr"))
NOW = 1_800_000_000 * 10**9 + 5


@pytest.fixture
def lighthouse(tmp_path):
    with oci.open_image(image(tmp_path / "image", BASE, UPPER)) as opened:
        yield opened


def box_on(source, **options):
    return WritableLayer(source, clock=lambda: NOW, **options)


def edit(root):
    """Something of everything."""
    with (root / "etc/motd").open("a") as file:
        file.write("Mind the rocks.\n")
    with (root / "bin/lamp").open("r+b") as file:
        file.seek(70_000)
        file.write(b"changed")
    (root / "var").rename("srv")
    (root / "srv/log").chmod(0o600)
    (root / "usr/more").mkdir()
    (root / "usr/more/null").mknod("char", 1, 3)
    (root / "usr/more/log").hardlink_to("srv/log")
    (root / "big").write_bytes(b"big" * 100_000)


def applied(layer, below):
    """The tree that a layer makes of another."""
    blobs = MemoryBlobs()
    built = layer.write(blobs)
    plain = oci.blob.decompressed(blobs.open_blob(built.descriptor.digest), "gzip", Limits())
    tree = below.fork()
    oci.apply(oci.decode(oci.read_tar(plain)), tree)
    return tree


def file_bytes(tree, path):
    return b"".join(tree.get(path).content.chunks())


def test_what_is_committed_makes_the_tree_that_the_layer_showed(lighthouse):
    with box_on(lighthouse) as box:
        edit(box.root)
        shown = dump(box.tree)
        layer = box.commit(options=LayerOptions(nanoseconds=True))
    assert dump(applied(layer, lighthouse.tree())) == shown
    assert dump(applied(layer, lighthouse.tree())) == shown


def test_a_layer_has_the_changes_and_their_parents_alone(lighthouse):
    with box_on(lighthouse) as box:
        (box.root / "etc/issue").unlink()
        (box.root / "usr/new").touch()
        names = [entry.name for entry in oci.read_tar(io.BytesIO(b"".join(box.commit().iter_tar())))]
    assert names == [b"./", b"etc/", b"etc/.wh.issue", b"usr/", b"usr/new"]


def test_an_image_with_the_layer_has_the_files_that_were_shown(lighthouse):
    target = oci.store.MemoryRepository()
    with box_on(lighthouse) as box:
        edit(box.root)
        shown = dump(box.tree)
        layer = box.commit(options=LayerOptions(nanoseconds=True))
    oci.edit(lighthouse).append(layer, created_by="edit").write(target, "new")
    with oci.open_image(target, ref="new") as new:
        assert dump(new.tree()) == shown
        # As asked for by `nanoseconds`.
        assert [finding.rule for finding in new.lint() if finding.location.layer == 2] == ["fine-time"]


def test_a_change_that_neither_size_nor_time_tells_of_is_committed():
    lower = parse("""
/ dir 0755 0:0 1.000000005
/f file 0644 0:0 1.000000005 text=old
/g file 0644 0:0 1.000000005 text=g
""")
    with box_on(lower) as box:
        for name, data in (("f", b"new"), ("g", b"g")):
            with (box.root / name).open("r+b") as file:
                file.write(data)
        for path in (box.root / "f", box.root / "g", box.root):
            path.utime(10**9 + 5)
        assert [change.path for change in box.changes()] == [b"", b"f"]
        assert applied(box.commit(options=LayerOptions(nanoseconds=True)), lower) == box.tree


def test_no_change_is_no_entry(lighthouse):
    with box_on(lighthouse) as box:
        assert [*box.changes()] == []
        (box.root / "etc/motd").read_text()
        assert [*oci.read_tar(io.BytesIO(b"".join(box.commit().iter_tar())))] == []


def test_the_same_work_gives_the_same_bytes(lighthouse):
    made = []
    for memory in (0, 1 << 20):
        with box_on(lighthouse, memory_bytes=memory) as box:
            edit(box.root)
            made.append(b"".join(box.commit().iter_tar()))
    assert made[0] == made[1]


def test_two_layers_over_one_image_see_neither_each_other_nor_change_the_image(lighthouse):
    before = dump(lighthouse.tree())
    with box_on(lighthouse) as one, box_on(lighthouse) as other:
        edit(one.root)
        assert dump(other.tree) == before
        (other.root / "etc/motd").unlink()
        (other.root / "etc/motd").write_text("dark")
        assert (one.root / "etc/motd").read_text() == "The lamp is lit.\nMind the rocks.\n"
    assert dump(lighthouse.tree()) == before
    assert (lighthouse.root / "etc/motd").read_text() == "The lamp is lit.\n"


def test_threads_have_layers_of_their_own_over_one_image(lighthouse):
    def work(number):
        with box_on(lighthouse, memory_bytes=1 << 16) as box:
            edit(box.root)
            (box.root / "number").write_text(str(number))
            for _ in range(20):
                with (box.root / "etc/motd").open("a") as file:
                    file.write(f"{number}\n" * 1000)
                assert set((box.root / "etc/motd").read_text().splitlines()[2:]) == {str(number)}
            tree = applied(box.commit(), lighthouse.tree())
            return tree.get("number").content.size, file_bytes(tree, "etc/issue") == (
                box.root / "etc/motd"
            ).read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(work, range(8))] == [(1, True)] * 8


def test_an_image_that_is_closed_is_said_to_be(tmp_path):
    with oci.open_image(image(tmp_path / "image", BASE)) as opened:
        box = box_on(opened)
    (box.root / "new").write_text("of the layer alone")
    assert (box.root / "new").read_text() == "of the layer alone"
    with pytest.raises(StoreError, match="closed"):
        (box.root / "etc/motd").read_bytes()
    box.close()


def test_a_layer_may_be_over_what_another_shows(lighthouse):
    with box_on(lighthouse) as first:
        edit(first.root)
        with box_on(first.tree) as second:
            (second.root / "big").truncate(5)
            (first.root / "big").unlink()
            assert (second.root / "big").read_bytes() == b"bigbi"
            assert [change.path for change in second.changes()] == [b"", b"big"]


def test_a_layer_over_what_another_shows_writes_to_its_own_files():
    with box_on(FileTree(limits=Limits(temporary_bytes=0))) as below:
        (below.root / "f").write_bytes(b"a" * 200_000)
        with box_on(below.tree, memory_bytes=1 << 16) as box:
            with (box.root / "f").open("r+b", 0) as file:
                file.write(b"b" * (1 << 16))
                with pytest.raises(LimitError):
                    file.write(b"b")
            layer = box.commit()
        (below.root / "f").write_bytes(b"other")
        tree = applied(layer, FileTree())
        assert file_bytes(tree, "f") == b"b" * (1 << 16) + b"a" * (200_000 - (1 << 16))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"uid": -1}, ValueError, "the owner -1:0 is out of the range 0 to 4294967294"),
        ({"gid": 1 << 32}, ValueError, "the owner 0:4294967296 is out of the range 0 to 4294967294"),
        ({"source": "oci:image"}, TypeError, "a writable layer is over an Image or a FileTree, not str"),
    ],
)
def test_what_a_layer_cannot_be_made_of_is_refused_at_once(options, error, words):
    with pytest.raises(error, match=words):
        WritableLayer(**{"source": FileTree(), **options})


def test_a_tree_that_was_taken_does_not_change(lighthouse):
    with box_on(lighthouse) as box:
        edit(box.root)
        tree, text = box.tree, dump(box.tree)
        (box.root / "big").write_bytes(b"small")
        with (box.root / "usr/lamp").open("ab") as file:
            file.write(b"!")
        assert dump(tree) == text != dump(box.tree)


def test_each_commit_has_all_changes_up_to_then(lighthouse):
    with box_on(lighthouse, memory_bytes=0) as box:
        (box.root / "a").write_bytes(b"first")
        one = box.commit()
        (box.root / "a").write_bytes(b"second")
        other = box.commit()
        (box.root / "a").write_bytes(b"third")
    trees = [applied(each, lighthouse.tree()) for each in (one, other)]
    assert [b"".join(tree.require("a").content.chunks()) for tree in trees] == [b"first", b"second"]


def test_what_is_not_committed_is_gone(lighthouse):
    with box_on(lighthouse, memory_bytes=10) as box:
        edit(box.root)
        tree = box.tree
    with pytest.raises(StoreError, match="closed without a commit"):
        dump(tree)
    for work in (lambda: box.tree, box.changes, box.commit):
        with pytest.raises(StoreError):
            work()
    box.close()


def test_what_is_committed_survives_an_error_and_what_is_not_does_not(lighthouse):
    def work(box):
        with box:
            (box.root / "a").write_bytes(b"a")
            kept.append(box.commit())
            (box.root / "b").write_bytes(b"b")
            raise KeyError

    kept = []
    with pytest.raises(KeyError):
        work(box_on(lighthouse))
    tree = applied(kept[0], lighthouse.tree())
    assert ("a" in tree, "b" in tree) == (True, False)


def test_a_temporary_file_is_closed_with_the_last_that_needs_it(lighthouse, monkeypatch):
    files = []
    real = oci.blob.spool.Spool.open
    monkeypatch.setattr(oci.blob.spool.Spool, "open", lambda self: files.append(real(self)) or files[-1])
    with box_on(lighthouse, memory_bytes=0) as box:
        (box.root / "a").write_bytes(b"a")
        layer = box.commit()
    del box
    gc.collect()
    assert [file.closed for file in files] == [False]
    assert "a" in applied(layer, lighthouse.tree())
    del layer
    gc.collect()
    assert files[0].closed


def test_temporary_files_have_a_limit_and_a_place(lighthouse, tmp_path):
    tree = FileTree(limits=Limits(temporary_bytes=1 << 20))
    with box_on(tree, memory_bytes=1000, temporary_directory=tmp_path) as box:
        with pytest.raises(LimitError) as caught:
            (box.root / "f").write_bytes(bytes(40 << 16))
        assert caught.value.limit == "temporary_bytes"
        assert str(tmp_path) in caught.value.__notes__[0]
        assert (box.root / "f").read_bytes() == b""


def test_an_umask_takes_permissions_only():
    with box_on(FileTree(), umask=0o7777) as box:
        (box.root / "s").mknod("char", 1, 3, 0o4755)
        assert oct((box.root / "s").stat().st_mode & 0o7777) == "0o4000"


def test_new_files_are_those_of_the_user_who_is_named():
    with box_on(FileTree(), uid=5, gid=6, umask=0o077) as box:
        (box.root / "d").mkdir()
        (box.root / "d/f").touch()
        assert dump(box.tree).splitlines()[1:] == [
            "/d dir 0700 5:6 1800000000.000000005",
            "/d/f file 0600 5:6 1800000000.000000005 text=",
        ]


def test_times_are_those_of_the_system_by_default(tmp_path):
    (tmp_path / "f").touch()
    with WritableLayer(scan(tmp_path)) as box:
        (box.root / "f").write_text("x")
        assert abs((box.root / "f").stat().st_mtime_ns - (tmp_path / "f").stat().st_mtime_ns) < 3600 * 10**9


def test_layers_are_clamped_to_source_date_epoch(lighthouse, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    with WritableLayer(lighthouse) as box:
        (box.root / "f").touch()
        layer = box.commit()
    assert applied(layer, lighthouse.tree()).require("f").mtime_ns == 1_750_000_000 * 10**9


GIBIBYTE = """
import resource, sys
import oci_layers as oci
from oci_layers.build import WritableLayer
with WritableLayer(oci.FileTree(), temporary_directory=sys.argv[1]) as box:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (box.root / "big").open("wb") as file:
        for number in range(1 << 10):
            file.write(bytes([number % 255 + 1]) * (1 << 20))
    with (box.root / "big").open("r+b") as file:
        file.seek(1 << 29)
        file.write(b"middle")
    layer = box.commit()
    (box.root / "big").truncate(1 << 20)
size = sum(map(len, layer.iter_tar()))
print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.thorough
def test_a_file_of_a_gibibyte_takes_little_memory(tmp_path):
    run = subprocess.run([sys.executable, "-c", GIBIBYTE, tmp_path], check=True, capture_output=True, text=True)
    size, kibibytes = map(int, run.stdout.split())
    assert size > 1 << 30
    assert kibibytes < 60 << 10
