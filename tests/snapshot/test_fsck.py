"""Each way in which a room can be damaged is found, and what is whole is not called damaged."""

import os
import shutil
import stat

import pytest

from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.fsck import fsck
from tests.support.layers import char, d, f, fifo, ln, sym, tar, wh
from tests.support.process import USER, in_child
from tests.support.rooms import image_of, room, unpacked

LAYERS = (
    tar(
        *(d("./"), d("a", xattrs={b"user.k": b"1"}), f("a/small", "text", xattrs={b"user.k": b"1"}), fifo("a/pipe")),
        *(
            f("a/large", "x" * 5000),
            f("a/one", "l" * 100),
            ln("a/two", "a/one"),
            sym("a/link", "small"),
            char("a/null"),
        ),
        *(d("old"), f("old/gone"), f("empty")),
    ),
    tar(wh("old/gone"), f("top", "2")),
)
pytestmark = pytest.mark.root


def rewrite(path, data):
    """Give a file other bytes, and its old time."""
    found = os.stat(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def at_the_same_time(change):
    """Change something in a directory, which keeps its time."""

    def changed(path):
        above = os.path.dirname(path)
        found = os.stat(above)
        change(path)
        os.utime(above, ns=(found.st_atime_ns, found.st_mtime_ns))

    return changed


def again(make):
    """Remove a file, and make another one in its place."""

    @at_the_same_time
    def changed(path):
        os.unlink(path)
        make(path)

    return changed


def split(path):
    """Make a file of its own of one name of two."""
    shutil.copy2(path, f"{path}.new")
    os.rename(f"{path}.new", path)


def linked(path):
    os.link(path, f"{os.path.dirname(path)}/new")


DAMAGE = {
    "a byte of a small file": ("a/small", lambda path: rewrite(path, "tExt"), "corrupt"),
    "a byte of a large file": ("a/large", lambda path: rewrite(path, "x" * 4999 + "y"), "corrupt"),
    "the size of a file": ("a/large", lambda path: rewrite(path, "x" * 4999), "corrupt"),
    "a byte in an empty file": ("empty", lambda path: rewrite(path, "1"), "corrupt"),
    "the mode of a file": ("a/small", lambda path: os.chmod(path, 0o600), "changed"),
    "the mode of a directory": ("a", lambda path: os.chmod(path, 0o700), "changed"),
    "the mode of the root": ("", lambda path: os.chmod(path, 0o700), "changed"),
    "the owner of a file": ("a/small", lambda path: os.chown(path, 1, -1), "changed"),
    "the group of a link": ("a/link", lambda path: os.lchown(path, -1, 1), "changed"),
    "the time of a file": ("a/small", lambda path: os.utime(path, ns=(0, 1)), "changed"),
    "the time of a directory": ("old", lambda path: os.utime(path, ns=(0, 1)), "changed"),
    "the time of a link": ("a/link", lambda path: os.utime(path, ns=(0, 1), follow_symlinks=False), "changed"),
    "an attribute": ("a/small", lambda path: os.setxattr(path, "user.k", b"2"), "changed"),
    "an attribute more": ("a", lambda path: os.setxattr(path, "user.l", b"2"), "changed"),
    "an attribute less": ("a", lambda path: os.removexattr(path, "user.k"), "changed"),
    "a directory made opaque": ("a", lambda path: os.setxattr(path, "user.overlay.opaque", b"y"), "changed"),
    "the target of a link": ("a/link", again(lambda path: os.symlink("large", path)), "changed"),
    "a device": ("a/null", again(lambda path: os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5))), "changed"),
    "a pipe that is a file": ("a/pipe", again(lambda path: os.mknod(path, stat.S_IFREG)), "changed"),
    "a file that is missing": ("a/small", at_the_same_time(os.unlink), "missing"),
    "a directory that is missing": ("old", at_the_same_time(shutil.rmtree), "missing"),
    "a hard link that is missing": ("a/two", at_the_same_time(os.unlink), "missing"),
    "a file too many": ("a/new", at_the_same_time(lambda path: os.mknod(path, stat.S_IFREG)), "extra"),
    "a whiteout too many": ("a/new", at_the_same_time(lambda path: os.mknod(path, stat.S_IFCHR)), "extra"),
    "a directory too many": ("a/new", at_the_same_time(os.mkdir), "extra"),
    "a hard link that is none": ("a/two", at_the_same_time(split), "changed"),
    "a hard link too many": ("a/large", at_the_same_time(linked), "extra"),
}


@pytest.mark.parametrize(("path", "damage", "kind"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_where_it_is(path, damage, kind):
    with unpacked(*LAYERS) as (opened, snapshot):
        bottom = opened.stack(snapshot)[-1]
        damage(os.path.join(bottom.path, path) if path else bottom.path)
        checked = fsck(opened)
        assert {each.chain_id for each in checked.findings} == {bottom.chain_id}
        expected = "a/new" if kind == "extra" and path == "a/large" else path
        assert (kind, expected) in [(each.kind, each.path.decode()) for each in checked.findings]
        assert not checked.ok
        assert [each for each in checked.findings if not each.path.startswith(path.split("/")[0].encode())] == []


def test_a_whiteout_that_is_missing_is_found():
    with unpacked(*LAYERS) as (opened, snapshot):
        top = opened.stack(snapshot)[0]
        at_the_same_time(os.unlink)(f"{top.path}/old/gone")
        (finding,) = fsck(opened).findings
        assert (finding.kind, finding.path, finding.chain_id) == ("missing", b"old/gone", top.chain_id)
        assert str(finding) == f"layer {top.chain_id}: /old/gone: not there"


def test_every_byte_of_a_file_counts():
    data = bytes(range(256)) * 20
    with unpacked(tar(f("f", data))) as (opened, snapshot):
        path = f"{opened.stack(snapshot)[0].path}/f"
        found = os.stat(path)
        for offset in (*range(0, len(data), 97), len(data) - 1):
            with open(path, "r+b") as file:
                file.seek(offset)
                file.write(bytes([data[offset] ^ 1]))
            os.utime(path, ns=(0, found.st_mtime_ns))
            assert [each.kind for each in fsck(opened).findings] == ["corrupt"]
            assert fsck(opened, contents=False).ok
            with open(path, "r+b") as file:
                file.seek(offset)
                file.write(data[offset : offset + 1])
            os.utime(path, ns=(0, found.st_mtime_ns))
        assert fsck(opened).ok


def test_without_contents_the_size_counts():
    with unpacked(*LAYERS) as (opened, snapshot):
        rewrite(f"{opened.stack(snapshot)[-1].path}/a/large", "y" * 5000)
        assert fsck(opened, contents=False).ok
        rewrite(f"{opened.stack(snapshot)[-1].path}/a/large", "y" * 5001)
        assert not fsck(opened, contents=False).ok


# Records.


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("changes", b""),
        ("changes", b"nonsense\n"),
        ("changes", b'["a", "dir"]\n'),
        ("changes", b'["no/parent", "whiteout"]\n["", "file", 420, 0, 0, 0, {}, 0, "text", ""]\n'),
        ("layer.json", b"{}"),
        ("layer.json", b"nonsense"),
    ],
)
def test_a_damaged_record_of_a_layer_is_found(name, data):
    with unpacked(*LAYERS) as (opened, snapshot):
        place = opened.place
        path = os.path.join(os.path.dirname(opened.stack(snapshot)[-1].path), name)
        with open(path, "wb") as file:
            file.write(data)
        with Snapshots(place, sync=False) as fresh:
            assert not fsck(fresh).ok


@pytest.mark.parametrize("name", ["changes", "layer.json", "fs"])
def test_a_part_of_a_layer_that_is_missing_is_found(name):
    with unpacked(*LAYERS) as (opened, snapshot):
        path = os.path.join(os.path.dirname(opened.stack(snapshot)[-1].path), name)
        shutil.rmtree(path) if name == "fs" else os.unlink(path)
        with Snapshots(opened.place, sync=False) as fresh:
            findings = fsck(fresh).findings
        assert {each.kind for each in findings} <= {"missing", "damaged"}
        assert findings


def test_a_layer_that_an_image_or_a_container_needs_is_found_missing():
    with unpacked(*LAYERS) as (opened, snapshot):
        opened.create_container("app", "web")
        bottom = opened.stack(snapshot)[-1]
        shutil.rmtree(os.path.dirname(bottom.path))
        with Snapshots(opened.place, sync=False) as fresh:
            checked = fsck(fresh)
        assert [each.kind for each in checked.findings] == ["missing", "missing"]
        assert [str(each).split(":")[0] for each in checked.findings] == ["image app", "container web"]
        assert all(str(bottom.chain_id) in str(each) for each in checked.findings)


@pytest.mark.parametrize("place", ["images", "containers/web"])
def test_a_damaged_record_of_an_image_or_a_container_is_found(place):
    with unpacked(*LAYERS) as (opened, _):
        opened.create_container("app", "web")
        for file in os.scandir(f"{opened.place}/{place}"):
            if file.name.endswith(".json"):
                with open(file.path, "w", encoding="utf-8") as record:
                    record.write("[]")
        (finding,) = fsck(opened).findings
        assert finding.kind == "damaged"


# No false alarms.

PLENTY = (
    *LAYERS,
    tar(d("a", 0o700, mtime_ns=-1), ln("again", "a/one"), f("su", "x", 0o4755, uid=5), wh("top")),
    tar(f("s", "", xattrs={b"user.overlay.opaque": b"y"}), char("zero", 0, 0), sym("l", "x", xattrs={b"user.k": b""})),
    tar(f("cap", "x", xattrs={b"security.capability": b"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"})),
    tar(),
)


def test_nothing_is_found_in_a_room_that_is_whole():
    with unpacked(*PLENTY) as (opened, _):
        opened.create_container("app", "web")
        with opened.container("app") as container, opened.view("app"):
            os.unlink(f"{container.path}/su")
            checked = fsck(opened)
        assert (checked.findings, checked.layers, checked.ok) == ((), len(PLENTY), True)


def test_nothing_is_found_in_a_users_room_that_is_whole(place):
    def user():
        with image_of(*PLENTY) as image, Snapshots(place / "room", sync=False) as opened:
            skipped = opened.unpack(image).report.skipped.totals
            return [str(each) for each in fsck(opened).findings], {kind for kind, count in skipped.items() if count}

    findings, skipped = in_child(user, user=USER)
    assert findings == []
    assert skipped >= {"xattr", "device", "set-id"}


def test_what_the_system_refused_in_one_layer_is_compared_in_the_others(place):
    def user():
        tars = tar(f("plain", "1", 0o755)), tar(f("su", "2", 0o4755))
        with image_of(*tars) as image, Snapshots(place / "room", sync=False) as opened:
            stack = opened.stack(opened.unpack(image))
            os.chmod(f"{stack[1].path}/plain", 0o700)
            return [str(each.path) for each in fsck(opened).findings]

    assert in_child(user, user=USER) == ["b'plain'"]


def test_layers_of_a_read_only_room_are_not_compared_and_those_that_are_missing_are():
    with unpacked(*LAYERS) as (below, _), image_of(*LAYERS) as image, room(read_only=[below.place]) as opened:
        opened.unpack(image)
        os.chmod(f"{below.stack('app')[0].path}/top", 0o600)
        assert fsck(opened).ok
        assert fsck(opened).layers == 0
        assert not fsck(below).ok


def test_leftovers_are_counted():
    with unpacked(*LAYERS) as (opened, _):
        os.mkdir(f"{opened.place}/tmp/left")
        os.mkdir(f"{opened.place}/trash/left")
        checked = fsck(opened)
        assert (checked.ok, checked.leftovers) == (True, 2)


def test_a_caller_may_end_the_work():
    class StopError(Exception):
        pass

    seen = []

    def checkpoint(layer):
        seen.append(layer.chain_id)
        raise StopError

    with unpacked(*LAYERS) as (opened, _):
        with pytest.raises(StopError):
            fsck(opened, checkpoint=checkpoint)
        assert len(seen) == 1
