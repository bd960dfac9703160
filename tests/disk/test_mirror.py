import errno
import os
import stat
import struct
import subprocess
import sys

import pytest

import oci_layers
from oci_layers import system
from oci_layers.disk import DirectoryMirror, IdMap, Owner, scan
from oci_layers.errors import NameFormatError, UnsafePathError, UnsupportedError
from oci_layers.layer import apply, decode
from oci_layers.report import Report
from oci_layers.tree import FileTree
from oci_layers.tree.dump import dump
from tests.support import blocks
from tests.support.layers import block, char, d, entry, f, fifo, image, ln, opq, sym, tar, wh
from tests.support.listing import listing
from tests.support.process import IS_ROOT, USER, as_user, in_child, mounted, outcome
from tests.support.trees import merged, mirrored

root_only = pytest.mark.root
T = 1_600_000_000_987_654_321
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
"""cap_net_bind_service=ep"""
ME = {"uid": os.geteuid(), "gid": os.getegid()}


@pytest.fixture
def dest(place):
    (place / "dest").mkdir()
    if IS_ROOT:
        os.chown(place / "dest", USER, USER)
    return place / "dest"


def skipped(report):
    return [(item.what, item.path, item.layer, item.errno) for item in report.skipped]


def look(path):
    found = os.lstat(path)
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns


EVERYTHING = (
    d("./", 0o711, mtime_ns=T - 1),
    d("dir", 0o2775, uid=1, gid=2, mtime_ns=T),
    f("dir/file", "text", 0o640, uid=3, gid=4, mtime_ns=T + 1, xattrs={b"user.note": b"\0\xff", b"trusted.x": b""}),
    f("dir/set-id", "x", 0o6755, uid=5, gid=6, mtime_ns=T, xattrs={b"security.capability": CAPABILITY}),
    f("empty", mode=0, mtime_ns=0),
    sym("link", "../dir/\xff", uid=7, gid=8, mtime_ns=T + 2, xattrs={b"trusted.l": b"1"}),
    ln("dir/hard", "dir/file"),
    ln("hard-link-to-link", "link"),
    char("null", 1, 3, mode=0o666, uid=9, gid=10, mtime_ns=T + 3, xattrs={b"trusted.d": b"2"}),
    block("disk", 8, 300, mode=0o660, mtime_ns=T),
    char("zero", 0, 0, mode=0),
    fifo("pipe", mode=0o4622, uid=11, gid=12, mtime_ns=T + 4, xattrs={b"trusted.p": b"3"}),
    entry(b"\xff\n\\ \x1b", data="odd name"),
    d("shut", 0o000, mtime_ns=5),
    f("shut/inside", "x"),
    f("implied/deep/file", "x"),
)


@root_only
@pytest.mark.parametrize("mask", [0, 0o027, 0o077])
def test_the_disk_shows_what_the_tree_has(dest, mask):
    old = os.umask(mask)
    try:
        tree, report = mirrored(dest, tar(*EVERYTHING))
    finally:
        os.umask(old)
    assert skipped(report) == []
    assert dump(scan(dest)) == dump(tree)
    assert look(dest) == (0o711, 0, 0, T - 1)
    assert look(dest / "dir/set-id") == (0o6755, 5, 6, T)
    assert look(dest / "link") == (0o777, 7, 8, T + 2)
    assert look(dest / "implied") == (0o755, 0, 0, 0)
    assert os.getxattr(dest / "dir/set-id", "security.capability") == CAPABILITY
    assert os.stat(dest / "dir/hard").st_ino == os.stat(dest / "dir/file").st_ino
    assert os.lstat(dest / "hard-link-to-link").st_ino == os.lstat(dest / "link").st_ino
    assert os.lstat(dest / "disk").st_rdev == os.makedev(8, 300)


@root_only
def test_an_ordinary_user_gets_all_but_what_only_root_may_set(dest):
    skips = as_user(lambda: skipped(mirrored(dest, tar(*EVERYTHING))[1]))
    rows = listing(dest)
    refused = {("owner", path) for path in (b"", b"dir", b"dir/file", b"dir/set-id", b"empty", b"link", b"pipe")}
    refused |= {("owner", path) for path in (b"\xff\n\\ \x1b", b"shut", b"shut/inside", b"zero")}
    refused |= {("owner", path) for path in (b"implied", b"implied/deep", b"implied/deep/file")}
    refused |= {("xattr", path) for path in (b"dir/file", b"dir/set-id", b"link", b"pipe")}
    refused |= {("device", b"null"), ("device", b"disk")}
    assert {(what, path) for what, path, *_ in skips} == refused | {
        ("set-id", path) for path in (b"dir", b"dir/set-id", b"pipe")
    }
    assert {number for what, *_, number in skips if what != "set-id"} == {errno.EPERM}
    assert [rows[name]["mode"] for name in (b"dir", b"dir/set-id", b"pipe")] == [0o775, 0o755, 0o622]
    assert rows[b"dir/file"]["xattrs"] == {"user.note": b"\0\xff"}
    assert [rows[name]["mtime_ns"] for name in (b"", b"dir", b"link", b"pipe")] == [T - 1, T, T + 2, T + 4]
    assert b"null" not in rows
    assert rows[b"dir/file"]["names"] == [b"dir/file", b"dir/hard"]


def test_times_of_directories_are_those_of_the_image_whatever_happens_in_them(dest):
    first = tar(d("./", mtime_ns=3), d("a", mtime_ns=T), d("a/b", 0o500, mtime_ns=T + 1), f("a/b/x", "1"), f("a/y"))
    second = tar(wh("a/y"), f("a/b/z", "2"), wh("a/b/x"), d("a/c", mtime_ns=7), opq("a/c"))
    as_user(lambda: mirrored(dest, first, second) and None)
    assert [look(dest / name)[3] for name in (".", "a", "a/b", "a/c")] == [3, T, T + 1, 7]
    assert look(dest / "a/b")[0] == 0o500


def test_a_directory_that_comes_again_has_its_last_attributes_only(dest):
    first = tar(d("a", 0o700, mtime_ns=1, xattrs={b"user.old": b"1"}), f("a/x", "1"))
    mirrored(dest, first, tar(d("a", 0o755, mtime_ns=2, xattrs={b"user.new": b"2"})))
    assert listing(dest)[b"a"]["xattrs"] == {"user.new": b"2"}
    assert look(dest / "a")[::3] == (0o755, 2)


def test_one_kind_takes_the_place_of_another(dest):
    kinds = {"f": lambda n: f(n, "x"), "d": d, "s": lambda n: sym(n, "t"), "p": fifo, "h": lambda n: ln(n, "target")}
    names = [a + b for a in kinds for b in kinds]
    first = tar(f("target", "t"), *(kinds[name[0]](name) for name in names))
    second = tar(*(kinds[name[1]](name) for name in names))
    tree, _ = mirrored(dest, first, second)
    assert dump(scan(dest)).split("/target")[0] == dump(tree).split("/target")[0]
    assert sorted(os.listdir(dest)) == sorted([*names, "target"])


# Sparse files.


MIB = 1 << 20


@pytest.mark.parametrize(
    ("extents", "size"),
    [
        ([(0, 4096), (16 * MIB, 4096)], 32 * MIB),
        ([(20 * MIB, 8192)], 20 * MIB + 8192),
        ([(20 * MIB, 0)], 20 * MIB),
        ([(0, 3 * MIB), (8 * MIB, MIB)], 12 * MIB),
        ([(1, 1), (3, 1)], 5),
    ],
)
def test_holes_are_holes_on_disk(place, extents, size):
    dest = place / "made"
    with oci_layers.open_image(image(place / "image", blocks.sparse(extents, size))) as opened:
        report = opened.unpack(dest)
    found = os.stat(dest / "sparse")
    data = sum(length for _, length in extents)
    assert found.st_size == size == report.bytes
    assert found.st_blocks * 512 <= data + 4 * 4096
    expected = bytearray(size)
    for number, (start, length) in enumerate(extents):
        expected[start : start + length] = b"%c" % (65 + number) * length
    assert (dest / "sparse").read_bytes() == expected
    content = scan(dest).get("sparse").content
    assert content.size == size
    assert b"".join(content.chunks()) == expected


# Owners.


@root_only
@pytest.mark.parametrize(
    ("owner", "owners"),
    [
        (Owner(), {"a": (0, 0), "b": (5, 6)}),
        (Owner(same=False), {"a": (0, 0), "b": (0, 0)}),
        (Owner(fixed=(77, 78)), {"a": (77, 78), "b": (77, 78)}),
        (Owner(uids=(IdMap(0, 1000, 10),), gids=(IdMap(0, 2000, 10),)), {"a": (1000, 2000), "b": (1005, 2006)}),
    ],
)
def test_owners_become_those_asked_for(dest, owner, owners):
    layer = tar(d("./", uid=5, gid=6), f("a", "x"), f("b", "x", uid=5, gid=6), sym("c", "a", uid=5, gid=6))
    _, report = mirrored(dest, layer, owner=owner)
    assert {name: look(dest / name)[1:3] for name in owners} == owners
    assert look(dest / "c")[1:3] == owners["b"]
    if owner.same:
        assert look(dest)[1:3] == owners["b"]
    assert skipped(report) == []


def test_an_owner_that_the_map_does_not_have_is_refused(dest):
    error = outcome(mirrored, dest, tar(f("a", uid=12)), owner=Owner(uids=(IdMap(0, 0, 10),)))
    assert error == ("NameFormatError", "uid '12': the image uses it and the uid map does not have it")
    assert NameFormatError.__name__ == error[0]


SET_ID_ENTRIES = (
    f("a", "x", 0o6755, uid=5, gid=6),
    d("b", 0o3775, uid=5, gid=6),
    fifo("c", mode=0o4600, uid=5, gid=6),
)
SET_ID = tar(*SET_ID_ENTRIES)


@pytest.mark.parametrize("user", [pytest.param(None, id="root", marks=root_only), pytest.param(USER, id="user")])
def test_set_id_bits_do_not_pass_to_an_owner_whom_they_were_not_meant_for(dest, user):
    def work():
        _, report = mirrored(dest, SET_ID, owner=Owner(same=False))
        return skipped(report), [look(dest / name)[0] for name in "abc"]

    skips, modes = in_child(work, user=user)
    assert modes == [0o755, 0o1775, 0o600]
    assert skips == [("set-id", name, 0, None) for name in (b"a", b"c", b"b")]


def test_set_id_bits_stay_where_the_owner_is_the_same(dest):
    def work():
        uid, gid = os.geteuid(), os.getegid()
        _, report = mirrored(dest, tar(f("a", "x", 0o6755, uid=uid, gid=gid)), owner=Owner(same=False))
        return look(dest / "a")[0], skipped(report)

    assert as_user(work) == (0o6755, [])


@root_only
def test_set_id_bits_do_not_pass_to_one_owner_for_all(dest):
    _, report = mirrored(dest, tar(*SET_ID_ENTRIES, f("d", "x", 0o4755, uid=7, gid=8)), owner=Owner(fixed=(7, 8)))
    assert [look(dest / name)[:3] for name in "abcd"] == [
        (0o755, 7, 8),
        (0o1775, 7, 8),
        (0o600, 7, 8),
        (0o4755, 7, 8),
    ]
    assert skipped(report) == [("set-id", name, 0, None) for name in (b"a", b"c", b"b")]


@root_only
def test_set_id_bits_stay_beside_a_mapped_owner(dest):
    mirrored(dest, SET_ID, owner=Owner(uids=(IdMap(0, 1000, 10),)))
    assert [look(dest / name)[:3] for name in "ab"] == [(0o6755, 1005, 6), (0o3775, 1005, 6)]


@root_only
def test_a_group_that_would_be_inherited_is_not(place):
    (place / "shared").mkdir()
    os.chown(place / "shared", 0, 50)
    (place / "shared").chmod(0o2777)
    (place / "shared/dest").mkdir()
    assert os.stat(place / "shared/dest").st_gid == 50
    mirrored(place / "shared/dest", tar(d("a"), f("a/b", "x"), sym("c", "d")))
    assert {row["owner"] for row in listing(place / "shared/dest").values()} == {(0, 0)}


@root_only
@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ("chown", {"owner", "set-id"}),
        ("mknod", {"device"}),
        ("setfcap", {"xattr"}),
        ("fowner", {"mode", "time"}),
        ("chown,-fowner,-mknod,-setfcap,-sys_admin", {"device", "owner", "set-id", "xattr"}),
    ],
)
def test_root_without_a_capability_is_told_what_is_missing(dest, missing, what):
    """By the errno and not by the user: a container's root may lack any of them."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from oci_layers.tar import HARDLINK\n"
        "from tests.disk.test_mirror import EVERYTHING, mirrored, tar\n"
        "_, report = mirrored(sys.argv[1], tar(*(each for each in EVERYTHING if each.type != HARDLINK)))\n"
        "print(*sorted(report.skipped.totals))\n"
    )
    os.chown(dest, 0, 0)
    command = ["setpriv", f"--bounding-set=-{missing}", f"--inh-caps=-{missing}", sys.executable, "-c", program, dest]
    done = subprocess.run([*command, *sys.path], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == what


# What the system refuses, and what breaks.

ONE_OF_EACH = (
    d("dir", uid=5),
    f("file", "x", uid=5, xattrs={b"user.a": b"1"}),
    sym("link", "t", uid=5, xattrs={b"trusted.a": b"1"}),
    char("device", uid=5),
    fifo("fifo", uid=5),
)
REFUSED_CALLS = {
    "fchown": ("owner", {b"", b"dir", b"file"}),
    "lchown": ("owner", {b"link", b"device", b"fifo"}),
    "fsetxattr": ("xattr", {b"file"}),
    "lsetxattr": ("xattr", {b"link"}),
    "make_device": ("device", {b"device"}),
    "make_fifo": ("fifo", {b"fifo"}),
    "fchmod": ("mode", {b"", b"dir", b"file"}),
    "chmod": ("mode", {b"device", b"fifo"}),
    "utime": ("time", {b"", b"dir", b"file"}),
    "utime_at": ("time", {b"link", b"device", b"fifo"}),
}


def refuse(monkeypatch, call, number):
    def refused(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(system, call, refused)


@root_only
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EINVAL], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", REFUSED_CALLS)
def test_what_the_system_refuses_is_reported(dest, monkeypatch, call, number):
    what, paths = REFUSED_CALLS[call]
    refuse(monkeypatch, call, number)
    _, report = mirrored(dest, tar(*ONE_OF_EACH))
    assert {(skip, path) for skip, path, *_ in skipped(report)} == {(what, path) for path in paths}
    assert {item.errno for item in report.skipped} == {number}
    assert report.skipped.totals == {what: len(paths)}


@root_only
@pytest.mark.parametrize("number", [errno.ERANGE, errno.E2BIG, errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_xattrs_that_the_system_cannot_hold_are_reported(dest, monkeypatch, number):
    refuse(monkeypatch, "fsetxattr", number)
    _, report = mirrored(dest, tar(*ONE_OF_EACH))
    [item] = report.skipped
    assert (item.what, item.path, item.errno, item.detail) == ("xattr", b"file", number, "user.a")


MADE = {"make_directory": {b"dir"}, "make_symlink": {b"link"}, "open_new_file": {b"file"}, "write_all": {b"file"}}
BROKEN_CALLS = {call: paths for call, (_, paths) in REFUSED_CALLS.items()} | MADE | {"open_directory": {b"dir"}}


@root_only
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", BROKEN_CALLS)
def test_what_breaks_is_raised_with_the_path_below_dest(dest, monkeypatch, call, number):
    if "xattr" in call and number in {errno.ENOSPC, errno.EDQUOT}:
        return  # There is no room for attributes, which may not mean that there is none for files.
    refuse(monkeypatch, call, number)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as caught:
        mirrored(dest, tar(*ONE_OF_EACH), dest="out/")
    error = caught.value
    assert (error.errno, error.__notes__) == (number, ["destination"])
    assert error.filename in {f"out/{os.fsdecode(path)}" for path in BROKEN_CALLS[call]}
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("call", ["link", "unlink"])
def test_what_breaks_at_a_name_that_is_there_is_raised_with_its_path(dest, monkeypatch, call):
    refuse(monkeypatch, call, errno.EIO)
    with pytest.raises(OSError) as caught:
        mirrored(dest, tar(f("a", **ME), ln("d/b", "a")), tar(wh("a")), owner=Owner(same=False), dest="out")
    assert caught.value.filename == {"link": "out/d/b", "unlink": "out/a"}[call]


def test_an_error_of_where_the_contents_are_read_is_none_of_dest(dest):
    def contents():
        yield memoryview(b"x")
        raise broken

    broken = OSError(errno.EIO, "broken")
    root = os.open(dest, os.O_RDONLY)
    mirror = DirectoryMirror(root, owner=Owner(same=False), dest="out")
    with pytest.raises(OSError) as caught:
        mirror.make(b"", b"file", merged(tar(f("file", "xx"))).get("file"), contents())
    os.close(root)
    assert caught.value is broken
    assert (broken.filename, hasattr(broken, "__notes__")) == (None, False)


def test_a_link_to_what_could_not_be_made_is_left_out_too(dest, monkeypatch):
    refuse(monkeypatch, "make_device", errno.EPERM)
    layers = (
        tar(char("d/dev", **ME), ln("d/again", "d/dev"), ln("other", "d/again"), f("x", **ME)),
        tar(wh("d/dev"), f("other", "now a file", **ME)),
        tar(wh("d"), d("d", **ME), char("d/dev", **ME), ln("y", "d/dev")),
    )
    _, report = mirrored(dest, *layers, owner=Owner(same=False))
    assert [(item.what, item.path, item.layer) for item in report.skipped] == [
        ("device", b"y", 2),
        ("link", b"d/dev", 2),
    ]
    assert sorted(listing(dest)) == [b"", b"d", b"other", b"x"]
    assert (dest / "other").read_text() == "now a file"


@root_only
def test_without_proc_what_cannot_be_set_is_reported(dest, monkeypatch):
    monkeypatch.setattr(system, "HAS_PROC", False)
    _, report = mirrored(dest, tar(*ONE_OF_EACH, fifo("p", xattrs={b"trusted.a": b"1"})))
    assert [(item.what, item.path, item.errno) for item in report.skipped] == [
        ("xattr", b"link", None),
        ("mode", b"device", None),
        ("mode", b"fifo", None),
        ("mode", b"p", None),
        ("xattr", b"p", None),
    ]


@root_only
def test_overlay_attributes_are_kept_off_the_disk_and_reported(dest):
    names = [b"trusted.overlay.opaque", b"trusted.overlay.redirect", b"user.overlay.whiteout", b"user.overlayed"]
    _, report = mirrored(dest, tar(d("a", xattrs=dict.fromkeys(names, b"y")), fifo("p", xattrs={names[0]: b"y"})))
    assert os.listxattr(dest / "a") == ["user.overlayed"]
    assert [(item.what, item.path, item.detail) for item in report.skipped] == [
        ("overlay-xattr", b"p", "trusted.overlay.opaque"),
        *(("overlay-xattr", b"a", name.decode()) for name in names[:3]),
    ]


@root_only
def test_overlay_attributes_are_set_in_an_upper_directory(dest):
    xattrs = {b"trusted.overlay.opaque": b"y", b"user.overlay.opaque": b"y"}
    tree = merged(tar(d("a/", xattrs=xattrs), char("a/gone", 0, 0, mode=0)))
    root = os.open(dest, os.O_RDONLY)
    mirror = DirectoryMirror(root, overlay=True)
    apply(decode([d("a/", xattrs=xattrs), char("a/gone", 0, 0, mode=0)]), FileTree(), mirror=mirror)
    mirror.finish(tree)
    mirror.close()
    os.close(root)
    assert skipped(mirror.report) == []
    assert dump(scan(dest)) == dump(tree)


def in_upper(dest, *entries):
    """Make entries in an upper directory; return what is skipped."""
    root = os.open(dest, os.O_RDONLY)
    mirror = DirectoryMirror(root, overlay=True)
    tree = FileTree()
    try:
        apply(decode(entries), tree, mirror=mirror)
        mirror.finish(tree)
    finally:
        mirror.close()
        os.close(root)
    return skipped(mirror.report)


def test_an_ordinary_user_makes_whiteouts_in_an_upper_directory(dest):
    """They have an owner, as all files do, which says nothing."""

    def work():
        mine = {"uid": os.geteuid(), "gid": os.getegid()}
        made = in_upper(dest, d("./", **mine), d("a/", **mine), char("a/gone", 0, 0, mode=0, uid=0, gid=0))
        found = os.lstat(dest / "a/gone")
        return made, stat.S_ISCHR(found.st_mode), found.st_rdev, found.st_uid == os.geteuid()

    assert as_user(work) == ([], True, 0, True)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_whiteout_or_a_mark_that_the_system_refuses_is_an_error(dest, monkeypatch, number):
    """Without it, a mount would show what the layer removes. Another error is raised as it is."""

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(system, "make_device", refuse)
        with pytest.raises(UnsupportedError, match=r"file system: it refuses a device 0:0 \(an upper directory needs"):
            in_upper(dest, d("a/", **ME), char("a/gone", 0, 0, **ME))
        assert in_upper(dest, char("null", 1, 3, **ME)) == [("device", b"null", 0, number)]
    monkeypatch.setattr(system, "fsetxattr", refuse)
    with pytest.raises(UnsupportedError, match=r"it refuses the attribute user\.overlay\.opaque"):
        in_upper(dest, d("b/", **ME, xattrs={b"user.overlay.opaque": b"y"}))
    assert [row[:2] for row in in_upper(dest, d("c/", **ME, xattrs={b"user.note": b"y"}))] == [("xattr", b"c")]


@root_only
def test_labels_of_selinux_are_kept_off_the_disk_and_reported(dest, monkeypatch):
    set_there = []
    monkeypatch.setattr(system, "fsetxattr", lambda fd, key, value: set_there.append(key))
    monkeypatch.setattr(system, "lsetxattr", lambda at, name, key, value: set_there.append(key))
    xattrs = {b"security.selinux": b"u:object_r:etc_t:s0\0", b"security.ima": b"\3"}
    entries = (d("a", xattrs=xattrs), f("b", xattrs=xattrs), sym("c", "b", xattrs=xattrs), fifo("e", xattrs=xattrs))
    report = mirrored(dest, tar(*entries))[1]
    assert set_there == [b"security.ima"] * 4
    assert [(item.what, item.path, item.errno, item.detail) for item in report.skipped] == [
        ("selinux", path, None, "a label of another machine") for path in (b"b", b"c", b"e", b"a")
    ]


def test_what_is_left_out_on_purpose_is_not_missed(dest):
    root = os.open(dest, os.O_RDONLY)
    mirror = DirectoryMirror(root, owner=Owner(same=False))
    xattrs = {b"security.selinux": b"x", b"user.overlay.opaque": b"y", b"no-namespace": b"z"}
    mirror.finish(merged(tar(f("a", "x", 0o4755, uid=5, xattrs=xattrs)), mirror=mirror))
    mirror.close()
    os.close(root)
    assert mirror.report.skipped.totals == {"selinux": 1, "overlay-xattr": 1, "set-id": 1, "xattr": 1}
    assert mirror.missed() == {"xattr": 1}


TIMES = (
    f("whole", mtime_ns=5_000_000_000, **ME),
    f("part", mtime_ns=5_123_456_789, **ME),
    sym("link", "t", mtime_ns=6_000_000_001, **ME),
    d("dir", mtime_ns=7_500_000_000, **ME),
)


@root_only
@pytest.mark.peer("mkfs.ext4")
def test_parts_of_seconds_that_the_file_system_does_not_hold_are_reported(place):
    (place / "disk").write_bytes(bytes(8 << 20))
    subprocess.run(["mkfs.ext4", "-q", "-I", "128", place / "disk"], check=True, capture_output=True)
    with mounted(place / "mounted", "ext4", "loop", str(place / "disk")):
        (place / "mounted/dest").mkdir()
        _, report = mirrored(place / "mounted/dest", tar(*TIMES))
        times = {row: look(place / "mounted/dest" / row)[3] for row in ("whole", "part", "link", "dir")}
    assert times == {"whole": 5 * 10**9, "part": 5 * 10**9, "link": 6 * 10**9, "dir": 7 * 10**9}
    assert [(item.what, item.path, item.errno, item.detail) for item in report.skipped] == [
        ("time", b"part", None, "the file system holds 5000000000 ns for 5123456789 ns"),
        ("time", b"link", None, "the file system holds 6000000000 ns for 6000000001 ns"),
        ("time", b"dir", None, "the file system holds 7000000000 ns for 7500000000 ns"),
    ]


@pytest.mark.parametrize("unit", [100, 10**9, 2 * 10**9])
def test_times_are_looked_at_again_where_the_file_system_rounds_them(dest, monkeypatch, unit):
    for call in ("utime", "utime_at"):
        real = getattr(system, call)
        monkeypatch.setattr(system, call, lambda *to, real=real: real(*to[:-1], to[-1] // unit * unit))
    _, report = mirrored(dest, tar(*TIMES), owner=Owner(same=False))
    times = {b"whole": 5_000_000_000, b"part": 5_123_456_789, b"link": 6_000_000_001, b"dir": 7_500_000_000}
    assert {item.path for item in report.skipped} == {path for path, time in times.items() if time % unit}


def test_times_are_not_looked_at_again_where_the_file_system_holds_them(dest, monkeypatch):
    looks = []
    real = system.fstat
    monkeypatch.setattr(system, "fstat", lambda fd: (looks.append(fd), real(fd))[1])
    monkeypatch.setattr(system, "lstat", None)
    _, report = mirrored(dest, tar(*TIMES), owner=Owner(same=False))
    assert (len(looks), skipped(report)) == (1, [])


def test_a_time_that_may_not_be_set_is_reported_once(dest, monkeypatch):
    refuse(monkeypatch, "utime", errno.EPERM)
    _, report = mirrored(dest, tar(f("a", mtime_ns=2**62, **ME)), owner=Owner(same=False))
    assert skipped(report) == [("time", b"a", 0, errno.EPERM), ("time", b"", 0, errno.EPERM)]


def test_times_that_the_file_system_cannot_hold_are_reported(dest):
    far = (2**62) * 10**9
    layer = tar(f("file", "x", mtime_ns=far, **ME), sym("link", "t", mtime_ns=-far, **ME), f("old", mtime_ns=-1, **ME))
    _, report = mirrored(dest, layer, owner=Owner(same=False))
    expected = [
        name
        for name, time in ((b"file", far), (b"link", -far))
        if os.lstat(dest / os.fsdecode(name)).st_mtime_ns != time
    ]
    assert [(item.what, item.path) for item in report.skipped] == [("time", name) for name in expected]
    assert os.stat(dest / "old").st_mtime_ns == -1


@root_only
def test_a_full_disk_is_an_error(place):
    with mounted(place / "small"), pytest.raises(OSError) as caught:
        mirrored(place / "small", tar(f("big", "x" * (2 << 20))))
    assert caught.value.errno == errno.ENOSPC


# File systems that take two names for one.


def fold(monkeypatch, call, place):
    """Let a call find what is there by another spelling."""
    real = getattr(system, call)

    def folded(*arguments):
        name, parent = arguments[-2:]
        if name.lower() in {each.lower() for each in os.listdir(parent) and map(os.fsencode, os.listdir(parent))}:
            raise FileExistsError(errno.EEXIST, "File exists", os.fsdecode(name))
        return real(*arguments)

    monkeypatch.setattr(system, call, folded)


@pytest.mark.parametrize(
    ("call", "second"),
    [
        ("open_new_file", f("A", "2", **ME)),
        ("make_directory", d("A", **ME)),
        ("make_symlink", sym("A", "t", **ME)),
        ("make_fifo", fifo("A", **ME)),
        ("link", ln("A", "other")),
    ],
)
def test_two_names_that_the_file_system_takes_for_one_are_refused(dest, monkeypatch, call, second):
    fold(monkeypatch, call, dest)
    with pytest.raises(UnsafePathError) as caught:
        mirrored(dest, tar(f("other", "1", **ME), f("a", "1", **ME), second))
    assert caught.value.path == b"A"
    assert caught.value.reason == "name already exists: the file system does not distinguish two names of the image"


# Resources.


def test_many_directories_need_few_handles(dest):
    names = [f"{a}/{b}/{c}" for a in range(6) for b in range(6) for c in range(6)]
    entries = [f(f"{name}/{n}", "x", **ME) for n in range(3) for name in names]
    entries += [ln(f"h{n}", f"{name}/0") for n, name in enumerate(names)]

    def work():
        _, report = mirrored(dest, tar(*entries), tar(*(wh(f"{a}/3") for a in range(6))), owner=Owner(same=False))
        return report.files

    files = in_child(work, files=len(os.listdir("/proc/self/fd")) + 12)
    assert files == len([path for path in dest.rglob("*") if path.is_file()]) == 3 * 6 * 5 * 6 + len(names)


def test_a_hard_link_from_far_away_is_to_the_right_file(dest):
    """Opening the way to the one directory must not push out the other, whose handle would then be another's."""
    deep = "/".join("d" * 200)
    entries = [f("t/file", "right", **ME), *(f("d/" * depth + "file", "wrong", **ME) for depth in range(1, 201))]
    again = [ln(f"{deep}/linked", "t/file"), ln("t/back", f"{deep}/file")]
    mirrored(dest, tar(*entries), tar(*again), owner=Owner(same=False))
    assert (dest / deep / "linked").read_text() == "right"
    assert (dest / "t/back").stat().st_ino == (dest / deep / "file").stat().st_ino


@pytest.mark.parametrize("sync", [False, True])
def test_everything_is_flushed_when_asked_for(dest, monkeypatch, sync):
    flushed = {}
    monkeypatch.setattr(system, "fsync", lambda fd: flushed.update({os.fstat(fd).st_ino: os.fstat(fd).st_mtime_ns}))
    root = os.open(dest, os.O_RDONLY)
    mirror = DirectoryMirror(root, owner=Owner(same=False), report=Report(), sync=sync)
    tree = merged(tar(d("a", mtime_ns=T), f("a/b", "x", mtime_ns=T + 1), f("c", mtime_ns=T + 2)), mirror=mirror)
    mirror.finish(tree)
    mirror.close()
    os.close(root)
    expected = {os.stat(dest / name).st_ino: os.stat(dest / name).st_mtime_ns for name in (".", "a", "a/b", "c")}
    assert flushed == (expected if sync else {})


def test_the_report_counts_what_was_made(dest):
    layers = (
        tar(f("a", "12345", **ME), ln("b", "a"), d("c", **ME), sym("s", "a", **ME)),
        tar(f("a", "1", **ME), f("d", **ME)),
    )
    _, report = mirrored(dest, *layers, owner=Owner(same=False))
    assert (report.files, report.bytes) == (3, 6)
