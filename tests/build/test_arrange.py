"""Entries as the options ask for them: places, owners, modes, times, and what is reported."""

import attrs
import pytest

from oci_layers.build.arrange import arranged, without_ignored
from oci_layers.build.options import LayerOptions
from oci_layers.errors import LayerError, LinkError, NotDirectoryError
from oci_layers.report import Skipped
from oci_layers.tar.entry import GLOBAL, Entry
from tests.support.layers import char, d, f, ln, opq, sym, tar, wh
from tests.support.trees import merged

SECOND = 10**9


def options(**changed):
    return LayerOptions(**{"clamp_mtime": None} | changed)


def arrange(*entries, skip=None, **changed):
    return list(arranged(map(attrs.evolve, entries), options(**changed), skip or (lambda _: None)))


def names(*entries, **changed):
    return [(entry.name, entry.linkname) for entry in arrange(*entries, **changed)]


EVERY = (d("./"), d("a"), f("./a/f"), ln("l", "/a/f"), sym("s", "a/f"), wh("a/gone"), opq("a"))


def test_names_are_clean_and_only_directories_end_with_a_slash():
    assert names(*EVERY) == [
        (b"./", b""),
        (b"a/", b""),
        (b"a/f", b""),
        (b"l", b"a/f"),
        (b"s", b"a/f"),
        (b"a/.wh.gone", b""),
        (b"a/.wh..wh..opq", b""),
    ]


def test_everything_goes_below_the_prefix_whose_parents_come_first():
    assert names(*EVERY, prefix="/srv/app") == [
        (b"srv/", b""),
        (b"srv/app/", b""),
        (b"srv/app/a/", b""),
        (b"srv/app/a/f", b""),
        (b"srv/app/l", b"srv/app/a/f"),
        (b"srv/app/s", b"a/f"),
        (b"srv/app/a/.wh.gone", b""),
        (b"srv/app/a/.wh..wh..opq", b""),
    ]


def test_the_top_directory_is_the_last_of_the_prefix_or_left_out():
    top = d("./", mode=0o700, uid=5, gid=6, mtime_ns=3 * SECOND)
    kept = [(e.name, e.mode, e.uid, e.gid, e.mtime_ns) for e in arrange(top, prefix="a/b")]
    assert kept == [(b"a/", 0o755, 0, 0, 0), (b"a/b/", 0o700, 5, 6, 3 * SECOND)]
    new = [(e.name, e.mode, e.uid, e.gid, e.mtime_ns) for e in arrange(top, prefix="a/b", keep_root=False)]
    assert new == [(b"a/", 0o755, 0, 0, 0), (b"a/b/", 0o755, 0, 0, 0)]
    assert arrange(top, keep_root=False) == []


def test_a_prefix_has_an_entry_though_the_source_has_no_top():
    assert names(f("f"), prefix="a/b") == [(b"a/", b""), (b"a/b/", b""), (b"a/b/f", b"")]
    assert names(prefix="a") == [(b"a/", b"")]
    assert names(f("f"), d("./")) == [(b"f", b""), (b"./", b"")]
    with pytest.raises(LayerError, match="the top directory comes after what is in it"):
        names(f("f"), d("./"), prefix="a")


def test_the_directory_that_files_are_copied_to_is_the_owners_and_those_above_it_are_not():
    """A mode for files would lock directories, so it changes none that is made."""
    made = arrange(prefix="a/b", keep_root=False, uid=7, gid=8, mode=0o600, clamp_mtime=9)
    assert [(e.name, e.mode, e.uid, e.gid, e.mtime_ns) for e in made] == [
        (b"a/", 0o755, 0, 0, 9 * SECOND),
        (b"a/b/", 0o755, 7, 8, 9 * SECOND),
    ]


BASE = merged(
    tar(
        d("tmp", mode=0o1777, uid=1, gid=2, mtime_ns=5 * SECOND + 1, xattrs={b"user.k": b"v"}),
        d("usr/bin", mode=0o711),
        sym("bin", "usr/bin"),
        sym("new", "/tmp/not/yet"),
        sym("up", "no/../tmp"),
        f("file"),
    )
)


def test_directories_of_the_base_keep_what_they_have_there():
    [tmp, mine] = arrange(prefix="tmp/mine", keep_root=False, base=BASE, uid=7, mode=0o700)
    assert (tmp.name, tmp.mode, tmp.uid, tmp.gid, tmp.mtime_ns) == (b"tmp/", 0o1777, 1, 2, 5 * SECOND)
    assert tmp.xattrs == {b"user.k": b"v"}
    assert (mine.name, mine.mode, mine.uid) == (b"tmp/mine/", 0o755, 7)
    [tmp] = arrange(prefix="tmp", keep_root=False, base=BASE, uid=7)
    assert (tmp.name, tmp.uid) == (b"tmp/", 1)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("bin", b"usr/bin/f"),
        ("bin/x", b"usr/bin/x/f"),
        ("new", b"tmp/not/yet/f"),
        ("up/x", b"tmp/x/f"),
        ("other", b"other/f"),
        ("", b"f"),
    ],
)
def test_links_of_the_base_are_followed(prefix, name):
    assert arrange(f("f"), prefix=prefix, base=BASE)[-1].name == name


@pytest.mark.parametrize("prefix", ["file", "file/below"])
def test_a_file_of_the_base_is_no_place_for_others(prefix):
    with pytest.raises(NotDirectoryError) as caught:
        arrange(f("f"), prefix=prefix, base=BASE)
    assert caught.value.path == prefix.encode()


@pytest.mark.parametrize(
    ("rule", "owners"),
    [
        (None, [0, 5, 1000]),
        (7, [7, 7, 7]),
        ({5: 6, 1000: 0}, [0, 6, 0]),
        (lambda number: number + 100_000, [100_000, 100_005, 101_000]),
    ],
)
def test_owners_are_one_or_mapped(rule, owners):
    entries = [f(name, uid=number, gid=number) for name, number in zip("abc", (0, 5, 1000), strict=True)]
    assert [entry.uid for entry in arrange(*entries, uid=rule)] == owners
    assert [entry.gid for entry in arrange(*entries, gid=rule)] == owners


@pytest.mark.parametrize("rule", [-1, 2**32 - 1])
def test_an_owner_that_no_file_can_have_is_refused(rule):
    with pytest.raises(LayerError) as caught:
        arrange(f("a/b"), uid=rule)
    assert (caught.value.path, caught.value.reason) == (
        b"a/b",
        f"the owner {rule}:0 is out of the range 0 to 4294967294",
    )


def test_modes_are_one_or_the_result_of_a_function_but_not_those_of_links_and_markers():
    entries = (d("d", mode=0o777), f("f", mode=0o4666), ln("l", "f", mode=0o4666), sym("s", "f"), wh("w"), char("c"))
    assert [entry.mode for entry in arrange(*entries, mode=0o750)] == [
        0o750,
        0o750,
        0o750,
        0o777,
        0,
        0o750,
    ]
    assert [entry.mode for entry in arrange(*entries[:3], mode=lambda entry: entry.mode & 0o755)] == [
        0o755,
        0o644,
        0o644,
    ]
    with pytest.raises(LayerError, match="the mode 0o10000 is out of the range"):
        arrange(f("f"), mode=0o10000)


@pytest.mark.parametrize(
    ("mtime", "changed", "expected"),
    [
        (5 * SECOND + 7, {}, 5 * SECOND),
        (5 * SECOND + 7, {"nanoseconds": True}, 5 * SECOND + 7),
        (5 * SECOND + 7, {"nanoseconds": True, "clamp_mtime": 5}, 5 * SECOND),
        (5 * SECOND + 7, {"clamp_mtime": 6}, 5 * SECOND),
        (5 * SECOND + 7, {"clamp_mtime": 4}, 4 * SECOND),
        (-1, {}, -SECOND),
        (-1, {"clamp_mtime": 0}, -SECOND),
    ],
)
def test_times_are_cut_to_seconds_and_held_at_the_latest(mtime, changed, expected):
    [entry] = arrange(f("f", mtime_ns=mtime), **changed)
    assert entry.mtime_ns == expected


def test_what_users_and_machines_are_called_is_left_out():
    pax = {b"atime": b"1", b"ctime": b"2", b"comment": b"c"}
    [entry] = arrange(Entry(b"pax", GLOBAL, pax={b"comment": b"x"}), f("f", uname=b"u", gname=b"g", pax=pax))
    assert (entry.uname, entry.gname, entry.pax) == (b"", b"", {b"comment": b"c"})


def test_attributes_of_the_machine_are_left_out_and_reported():
    found = []
    [entry] = arrange(f("a/f", xattrs={b"user.k": b"v", b"security.selinux": b"s"}), skip=found.append)
    assert (entry.xattrs, found) == ({b"user.k": b"v"}, [Skipped("xattr", b"a/f", 0, None, "security.selinux")])
    [entry] = arrange(f("f", xattrs={b"user.k": b"v"}), keep_xattr=lambda _: False)
    assert entry.xattrs == {}


def taken(*entries, ignore):
    return [entry.name for entry in without_ignored(entries, options(ignore=ignore))]


def test_entries_are_left_out_by_the_paths_that_they_are_about():
    entries = (d("./"), d("a"), f("a/keep"), f("a/x"), wh("a/y"), opq("a"), wh("b"), opq("c"))
    assert taken(*entries, ignore="a\n!a/keep\nc") == [b"./", b"a", b"a/keep", b".wh.b"]
    assert taken(*entries, ignore="b") == [e.name for e in entries if e.name != b".wh.b"]
    assert taken(*entries, ignore="") == [e.name for e in entries]


def test_a_link_to_what_is_left_out_is_an_error():
    with pytest.raises(LinkError) as caught:
        taken(f("a"), ln("b", "a"), ignore="a")
    assert (caught.value.path, caught.value.reason) == (b"b", "the file that it links to is left out")
    assert taken(f("a"), ln("b", "a"), ignore="b") == [b"a"]
