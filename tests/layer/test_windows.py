import base64
import io

import attrs
import pytest

from oci_layers.errors import LimitError, UnsafePathError
from oci_layers.layer import Policy, apply, decode, diff, differences, encode, tree_entries
from oci_layers.layer.compare import Comparison
from oci_layers.layer.windows import filetime_ns
from oci_layers.limits import Limits
from oci_layers.tar import read_tar
from oci_layers.tree import FileTree, Inline, RangeContent
from tests.support.layers import f, tar
from tests.support.trees import merged
from tests.support.windows import EVERYTHING, SECOND, descriptor, paths, pax, reported, windir, windows_tree, winfile

STRICT = Policy.preset("strict")


def read_back(tree):
    return list(read_tar(io.BytesIO(tar(*tree_entries(tree)))))


def test_all_that_a_layer_of_windows_has_is_in_its_tree_and_in_the_layer_of_the_tree():
    tree = windows_tree(EVERYTHING)
    raw = tar(*tree_entries(tree))
    again = merged(raw, windows=True)
    assert again == tree
    assert tar(*tree_entries(again)) == raw
    given = {entry.name: entry for entry in read_tar(io.BytesIO(tar(*EVERYTHING)))}
    for entry in read_tar(io.BytesIO(raw)):
        before = given.pop(entry.name)
        if b":" in entry.name:
            continue  # A stream has nothing of its own but its name and content.
        assert (entry.type, entry.mtime_ns, entry.linkname) == (before.type, before.mtime_ns, before.linkname)
        assert dict(entry.pax) == dict(before.pax)
        assert entry.mode & ~0o777 == {b"0": 0o100000, b"5": 0o40000, b"2": 0o120000}.get(entry.type, 0)
    assert not given


def test_each_record_has_its_field():
    records = pax(0x2821, descriptor(b"x")) | {
        b"MSWINDOWS.sd": b"O:BAG:SY",
        b"MSWINDOWS.mountpoint": b"1",
        b"MSWINDOWS.xattr.B": b"/w==",
        b"MSWINDOWS.xattr.A": b"",
    }
    [change] = decode([f("x", pax=records)])
    windows = change.node.windows
    assert windows.attributes == 0x2821
    assert windows.is_read_only
    assert windows.security_descriptor == descriptor(b"x")
    assert windows.sddl == b"O:BAG:SY"
    assert windows.is_junction
    assert windows.extended_attributes == {b"A": b"", b"B": b"\xff"}
    assert (windows.created_ns, windows.accessed_ns, windows.changed_ns) == (
        1_600_000_000_123_456_700,
        1_700_000_001_500_000_000,
        -1_000_000_001,
    )
    assert windows.streams == {}


def test_the_records_are_written_in_the_order_of_their_names():
    tree = windows_tree(EVERYTHING)
    first = tar(*tree_entries(tree))
    shuffled = [attrs.evolve(entry, pax=dict(reversed(entry.pax.items()))) for entry in EVERYTHING]
    assert tar(*tree_entries(windows_tree(shuffled))) == first
    assert first.index(b"MSWINDOWS.xattr.$KERNEL") < first.index(b"MSWINDOWS.xattr.A=")


def test_the_form_of_2016_is_read_and_written_as_the_new_one():
    old = {
        b"fileattr": b"33",
        b"accesstime": b"133444736000000001",
        b"changetime": b"133444736000000002",
        b"createtime": b"116444736000000000",
        b"writetime": b"133444736000000003",
        b"sd": b"O:BAG:SY",
        b"mountpoint": b"1",
    }
    given = f("Files/x", pax={b"SCHILY.xattr.MSWINDOWS." + key: value for key, value in old.items()}, mtime_ns=5)
    [given] = read_tar(
        io.BytesIO(
            tar(attrs.evolve(given, xattrs={b"user.k": b"v"} | {b"MSWINDOWS." + k: v for k, v in old.items()}, pax={}))
        )
    )
    assert given.xattrs.keys() >= {b"MSWINDOWS.sd"}
    tree = windows_tree([given])
    node = tree.require("Files/x")
    assert (node.windows.attributes, node.windows.sddl, node.windows.is_junction) == (33, b"O:BAG:SY", True)
    assert node.windows.created_ns == 0
    assert node.mtime_ns == 1_700_000_000 * SECOND + 300
    assert (node.windows.accessed_ns, node.windows.changed_ns) == (
        1_700_000_000 * SECOND + 100,
        1_700_000_000 * SECOND + 200,
    )
    assert node.xattrs == {b"user.k": b"v"}
    entry = read_back(tree)[-1]
    assert entry.xattrs == {b"user.k": b"v"}
    assert entry.pax[b"MSWINDOWS.fileattr"] == b"33"
    assert windows_tree(read_back(tree)) == tree


def test_a_filetime_counts_from_1601():
    assert [filetime_ns(0), filetime_ns(116444736000000001)] == [-11_644_473_600 * SECOND, 100]


def test_a_file_of_linux_has_none_of_it():
    tree = merged(tar(f("a", pax={b"LIBARCHIVE.creationtime": b"5", b"atime": b"7"}), f("b:c", "x")))
    assert [node.windows for _, node in tree.walk()] == [None] * 3
    assert paths(tree) == [b"a", b"b:c"]
    assert [entry.pax for entry in tree_entries(tree)] == [{}] * 3


def test_a_time_alone_counts_in_an_image_for_windows():
    tree = windows_tree([f("Files/a", pax={b"LIBARCHIVE.creationtime": b"5"})])
    assert tree.require("Files/a").windows.created_ns == 5 * SECOND


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"MSWINDOWS.rawsd", b"AQ", "not base64"),
        (b"MSWINDOWS.rawsd", b"A\nQ=", "not base64"),
        (b"MSWINDOWS.rawsd", b"AQ==AQ==", "not base64"),
        (b"MSWINDOWS.fileattr", b"0x20", "'0x20' is not a decimal number"),
        (b"MSWINDOWS.fileattr", b"-1", "-1 is outside 32 bits"),
        (b"MSWINDOWS.fileattr", b"4294967296", "4294967296 is outside 32 bits"),
        (b"MSWINDOWS.xattr.", b"AQ==", "the name of an attribute has 0 bytes, and may have 1 to 255"),
        (b"MSWINDOWS.xattr." + b"n" * 256, b"AQ==", "the name of an attribute has 256 bytes, and may have 1 to 255"),
        (b"MSWINDOWS.xattr.A", base64.b64encode(bytes(65_536)), "65536 bytes, at most 65535 are possible"),
        (b"MSWINDOWS.future", b"1", "an unknown record"),
        (b"SCHILY.xattr.MSWINDOWS.createtime", b"soon", "'soon' is not a decimal number"),
    ],
)
def test_a_record_that_is_malformed_is_reported_or_refused(key, value, reason):
    found = []
    [change] = decode([f("x", pax={key: value, b"MSWINDOWS.sd": b"D:"})], on_finding=found.append)
    assert change.node.windows.sddl == b"D:"
    assert change.node.windows.attributes is change.node.windows.security_descriptor is None
    assert [(each.rule, each.location.path) for each in found] == [("windows-record", b"x")]
    assert found[0].message.endswith(": " + reason.replace("'", "")) or found[0].message.endswith(": " + reason)
    with pytest.raises(UnsafePathError):
        list(decode([f("x", pax={key: value})], policy=STRICT))


def test_attributes_of_ntfs_have_a_limit_together():
    records = {b"MSWINDOWS.xattr.%d" % n: b"AQ==" for n in range(10)}
    assert next(decode([f("x", pax=records)], limits=Limits(xattr_bytes=20))).node.windows
    with pytest.raises(LimitError):
        next(decode([f("x", pax=records)], limits=Limits(xattr_bytes=19)))


def test_metadata_count_as_metadata_of_the_tree():
    tree = windows_tree([winfile("Files/a")])
    assert tree.metadata - windows_tree([f("Files/a")]).metadata == len(descriptor())


def test_a_directory_over_a_directory_has_its_metadata_and_no_other():
    upper = windir("Files", mtime_ns=7)
    assert windows_tree(EVERYTHING, [upper]).require("Files").windows.attributes == 16
    assert windows_tree(EVERYTHING, [attrs.evolve(upper, pax={})]).require("Files").windows is None


def test_a_change_of_metadata_alone_is_a_change():
    old = windows_tree([windir("Files"), winfile("Files/a", "x"), winfile("Files/a:s", "1")])
    for changed in (
        [winfile("Files/a", "x", pax=pax(33, descriptor())), winfile("Files/a:s", "1")],
        [winfile("Files/a", "x", pax=pax(32, descriptor(b"!"))), winfile("Files/a:s", "1")],
        [winfile("Files/a", "x"), winfile("Files/a:s", "2")],
        [winfile("Files/a", "x"), winfile("Files/a:t", "1")],
        [winfile("Files/a", "x")],
    ):
        new = windows_tree([windir("Files"), *changed])
        assert new != old
        assert [(each.path, each.what) for each in differences(old, new)] == [(b"Files/a", ("windows",))]
        upper = [entry for entry in encode(diff(old, new)) if entry.name != b"./"]
        assert windows_tree([*tree_entries(old)], upper) == new


def test_an_entry_that_is_no_layer_of_windows_keeps_its_metadata_too():
    tree = merged(tar(f("a", pax=pax(32))))
    assert tree.require("a").windows.attributes == 32
    assert reported([f("Files/a", pax=pax(32))])[1] == []


def test_a_stream_is_read_as_a_content():
    tree = windows_tree(EVERYTHING)
    streams = tree.require("Files/Windows/win.ini").windows.streams
    assert streams == {b"Zone.Identifier": Inline(b"[ZoneTransfer]"), b"empty": Inline(b"")}


class Guarded:
    """A source that must not be read."""

    def read_at(self, offset, size):
        raise AssertionError


def test_streams_are_not_read_where_contents_are_not():
    layers = ([windir("Files"), winfile("Files/a"), winfile("Files/a:s", text)] for text in ("12", "34", "5"))
    one, two, three = (windows_tree(layer).require("Files/a") for layer in layers)
    for node in (one, two, three):
        size = node.windows.streams[b"s"].size
        node.windows = node.windows.with_stream(b"s", RangeContent(Guarded(), 0, size))
    never = Comparison("never", ())
    assert never.aspects(one, two) == ()
    assert never.aspects(one, three) == ("windows",)


@pytest.mark.parametrize(
    "record",
    [
        {b"MSWINDOWS.rawsd": b"A" * (1 << 20)},
        {b"MSWINDOWS.xattr.%d" % n: b"" for n in range(100_000)},
    ],
)
def test_records_have_the_limit_of_a_header(record):
    raw = tar(f("Files/x", pax=record))
    with pytest.raises(LimitError):
        merged(raw, windows=True)


def test_a_tree_of_many_descriptors_has_the_limit_of_metadata():
    layer = [f(f"Files/{n}", pax={b"MSWINDOWS.rawsd": base64.b64encode(bytes([n]) * 1000)}) for n in range(10)]
    tree = FileTree(limits=Limits(metadata_bytes=5000), windows=True)
    with pytest.raises(LimitError):
        apply(decode(layer, windows=True), tree)


def test_equal_descriptors_are_held_once_up_to_a_number(monkeypatch):
    """A layer that has a new one for each file does not make the reader hold all of them."""
    monkeypatch.setattr("oci_layers.layer.windows._MAX_INTERNED", 1)
    entries = [
        f(name, pax={b"MSWINDOWS.rawsd": value})
        for name, value in (("a", b"AQ=="), ("b", b"Ag=="), ("c", b"AQ=="), ("d", b"Ag=="))
    ]
    a, b, c, d = (change.node.windows.security_descriptor for change in decode(entries))
    assert (a, b, c, d) == (b"\1", b"\2", b"\1", b"\2")
