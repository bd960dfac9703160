import io

import attrs
import pytest

from oci_layers.errors import LayerError, LimitError, TarFormatError, UnsafePathError, WhiteoutError
from oci_layers.layer import Add, Link, Opaque, Policy, Whiteout, decode
from oci_layers.limits import Limits
from oci_layers.tar import BLOCK, CHARACTER, DIRECTORY, FIFO, GLOBAL, HARDLINK, REGULAR, SYMLINK, Pieces, read_tar
from oci_layers.tree import Device, Directory, Fifo, File, Inline, RangeContent, Symlink
from tests.support.findings import in_layer
from tests.support.layers import block, char, d, entry, f, fifo, ln, opq, sym, tar, wh

LENIENT = Policy.preset("lenient")
STRICT = Policy.preset("strict")
ATTRIBUTES = {"uid": 1, "gid": 2, "mtime_ns": 3, "xattrs": {b"user.k": b"v"}}


def decoded(*entries, **options):
    findings = []
    changes = list(decode(entries, on_finding=findings.append, **options))
    return changes, findings


def values(node):
    return {field.name: getattr(node, field.name) for field in attrs.fields(type(node))}


@pytest.mark.parametrize(
    ("given", "kind", "special"),
    [
        (f("x", "text", 0o4644, **ATTRIBUTES), File, {"mode": 0o4644, "content": Inline(b"text"), "inode": 0}),
        (d("x/", 0o1700, **ATTRIBUTES), Directory, {"mode": 0o1700, "implicit": False, "children": {}, "token": None}),
        (sym("x", "../y", **ATTRIBUTES), Symlink, {"mode": 0o777, "target": b"../y", "inode": 0}),
        (char("x", 1, 2, **ATTRIBUTES), Device, {"mode": 0o644, "kind": "char", "major": 1, "minor": 2, "inode": 0}),
        (block("x", 3, 4, **ATTRIBUTES), Device, {"mode": 0o644, "kind": "block", "major": 3, "minor": 4, "inode": 0}),
        (fifo("x", mode=0o600, **ATTRIBUTES), Fifo, {"mode": 0o600, "inode": 0}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_an_entry_becomes_a_node_with_all_that_it_says(given, kind, special):
    [change], findings = decoded(given, layer=7)
    assert type(change) is Add
    assert change.path == b"x"
    assert type(change.node) is kind
    assert values(change.node) == ATTRIBUTES | {"layer": 7, "windows": None} | special
    assert findings == []


def test_links_and_markers_become_changes_of_their_own():
    changes, findings = decoded(ln("./a", "/x/../b"), wh("d/a"), opq("d"), opq())
    assert changes == [Link(b"a", b"b"), Whiteout(b"d/a"), Opaque(b"d"), Opaque(b"")]
    assert findings == []


@pytest.mark.parametrize("kind", [REGULAR, DIRECTORY, CHARACTER, BLOCK, FIFO])
def test_bits_above_the_twelve_of_a_mode_are_dropped(kind):
    [change], _ = decoded(entry("x", kind, mode=0o177777))
    assert change.node.mode == 0o7777


def test_a_name_that_only_contains_the_prefix_is_a_name():
    changes, findings = decoded(f("a.wh.b"), d("d.wh./"))
    assert [change.path for change in changes] == [b"a.wh.b", b"d.wh."]
    assert findings == []


def test_the_root_is_described_by_a_directory():
    [change], _ = decoded(d("./", 0o700))
    assert (change.path, change.node.mode) == (b"", 0o700)


class Source:
    """A source that nothing is read from."""

    def read_at(self, offset, size):
        raise AssertionError


def test_contents_are_a_range_of_the_source():
    archive, source = tar(f("empty"), f("x", "text", mtime_ns=0)), Source()
    first, second = decode(read_tar(io.BytesIO(archive)), source=source)
    assert (first.node.content, first.data) == (Inline(b""), None)
    content = second.node.content
    assert type(content) is RangeContent
    assert (content.source, content.offset, content.size, content.extents) == (source, archive.index(b"text"), 4, None)


def test_the_stored_bytes_pass_by():
    archive = tar(f("x", "text"), d("d/"))
    changes = decode(read_tar(io.BytesIO(archive)), source=Source())
    assert b"".join(next(changes).data) == b"text"
    assert next(changes).data is None


def test_holes_are_kept_apart_from_the_stored_bytes():
    sparse = entry("x", size=9, stored_size=3, extents=((1, 2), (5, 1)), content=Pieces([b"ab", b"c"]), data_offset=512)
    source = Source()
    [change] = decode([sparse], source=source)
    content = change.node.content
    assert (content.source, content.offset, content.size, content.extents) == (source, 512, 9, ((1, 2), (5, 1)))
    assert b"".join(change.data) == b"abc"
    [change] = decode([sparse])
    assert change.node.content == Inline(b"\0ab\0\0c\0\0\0")
    assert b"".join(change.data) == b"\0ab\0\0c\0\0\0"


def test_contents_are_held_without_a_source():
    [change] = decode(read_tar(io.BytesIO(tar(f("x", "text")))))
    assert change.node.content == Inline(b"text")
    assert b"".join(change.data) == b"text"


def test_entries_are_taken_one_at_a_time():
    changes = decode(iter([f("a"), entry("b", b"Z")]))
    assert next(changes).path == b"a"
    with pytest.raises(LayerError):
        next(changes)


NUL_PATH = f(b"a\0b")
REFUSED = [
    (f("../x"), UnsafePathError, b"../x", "the name climbs above the root of the image"),
    (NUL_PATH, UnsafePathError, b"a\0b", "the name has a NUL byte"),
    (f("/"), UnsafePathError, b"/", "the root of the image can only be a directory"),
    (ln("./", "x"), UnsafePathError, b"./", "the root of the image can only be a directory"),
    (f("d/.wh."), WhiteoutError, b"d/.wh.", "a whiteout must name what it removes"),
    (entry("x", b"Z"), LayerError, b"x", "unknown tar type 'Z'"),
    (sym("x", ""), UnsafePathError, b"x", "a symlink without a target"),
    (sym("x", b"a\0b"), UnsafePathError, b"x", "the link target has a NUL byte"),
    (ln("x", b"a\0b"), UnsafePathError, b"x", "the link target has a NUL byte"),
    (ln("x", ""), UnsafePathError, b"x", "a hard link without a target"),
    (f("x", uid=-1), LayerError, b"x", "the owner -1:0 is out of the range 0 to 4294967294"),
    (f("x", uid=2**32 - 1), LayerError, b"x", "the owner 4294967295:0 is out of the range 0 to 4294967294"),
    (f("x", gid=-1), LayerError, b"x", "the owner 0:-1 is out of the range 0 to 4294967294"),
    (d("./", gid=2**32 - 1), LayerError, b"", "the owner 0:4294967295 is out of the range 0 to 4294967294"),
    (sym("x", "y", uid=-1), LayerError, b"x", "the owner -1:0 is out of the range 0 to 4294967294"),
    (char("x", uid=-1), LayerError, b"x", "the owner -1:0 is out of the range 0 to 4294967294"),
    (fifo("x", uid=-1), LayerError, b"x", "the owner -1:0 is out of the range 0 to 4294967294"),
    (char("x", -1, 0), LayerError, b"x", "the device number -1:0 is out of range"),
    (char("x", 2**32, 0), LayerError, b"x", "the device number 4294967296:0 is out of range"),
    (block("x", 0, -1), LayerError, b"x", "the device number 0:-1 is out of range"),
    (block("x", 0, 2**32), LayerError, b"x", "the device number 0:4294967296 is out of range"),
]


@pytest.mark.parametrize(("given", "kind", "path", "reason"), REFUSED, ids=[reason for *_, reason in REFUSED])
def test_what_the_rules_refuse_raises_or_is_skipped_and_reported(given, kind, path, reason):
    with pytest.raises(LayerError) as caught:
        decoded(given, f("next"))
    assert (type(caught.value), caught.value.path, caught.value.reason) == (kind, path, reason)
    changes, findings = decoded(given, f("next"), layer=2, policy=Policy(refused="skip"))
    assert [change.path for change in changes] == [b"next"]
    assert findings == [in_layer("refused", path, 2, reason)]


@pytest.mark.parametrize("number", [0, 2**32 - 2])
def test_owners_up_to_the_last_one_are_taken(number):
    [change], _ = decoded(f("x", uid=number, gid=number))
    assert (change.node.uid, change.node.gid) == (number, number)


@pytest.mark.parametrize("number", [0, 2**32 - 1])
def test_device_numbers_of_32_bits_are_taken(number):
    [change], _ = decoded(char("x", number, number))
    assert (change.node.major, change.node.minor) == (number, number)


@pytest.mark.parametrize(
    ("given", "finding"),
    [
        (entry("x", b"Z"), in_layer("unknown-type", b"x", 1, "unknown tar type 'Z'")),
        (entry("../x/g", GLOBAL, pax={b"comment": b""}), in_layer("global-header", b"../x/g", 1)),
        (f(".wh..wh.plnk/1"), in_layer("aufs", b".wh..wh.plnk/1", 1)),
        (f("d/.wh..wh.x"), in_layer("whiteout-of-marker", b"d/.wh..wh.x", 1)),
    ],
)
def test_what_means_nothing_is_dropped_and_reported(given, finding):
    assert decoded(given, policy=LENIENT, layer=1) == ([], [finding])


@pytest.mark.parametrize(
    ("keys", "rules"),
    [
        ([b"comment", b"SCHILY.xattr.user.k"], []),
        ([b"SCHILY.acl.access", b"SCHILY.acl.default"], ["access-list"]),
        ([b"RHT.security.selinux"], ["selinux-label"]),
        ([b"MSWINDOWS.rawsd", b"comment", b"SCHILY.fflags"], ["file-flags"]),
    ],
)
def test_metadata_that_no_tree_has_are_reported_each_kind_once(keys, rules):
    changes, findings = decoded(f("./x", pax=dict.fromkeys(keys, b"")), layer=1)
    assert [change.path for change in changes] == [b"x"]
    assert findings == [in_layer(rule, b"x", 1, "not set") for rule in rules]


def test_only_unknown_types_depend_on_their_policy():
    with pytest.raises(LayerError):
        decoded(entry("x", b"Z"), policy=Policy(refused="error"))
    assert decoded(entry("x", b"Z"), policy=Policy(unknown_types="skip"))[0] == []


@pytest.mark.parametrize(
    "given",
    [entry(".wh.x", DIRECTORY), entry(".wh.x", SYMLINK, linkname=""), entry(".wh.x", HARDLINK), f(".wh.x", "text")],
)
@pytest.mark.parametrize("policy", [Policy(), STRICT, LENIENT])
def test_a_marker_of_any_type_is_one_and_is_reported(given, policy):
    finding = in_layer("odd-marker", b".wh.x", 0, "a whiteout that is not an empty file")
    assert decoded(given, policy=policy) == ([Whiteout(b"x")], [finding])


def test_names_that_climb_are_held_at_the_root_on_request():
    changes, findings = decoded(f("../../x"), wh("../y"), policy=Policy(climbing="clamp"))
    assert changes[0].path == b"x"
    assert changes[1:] == [Whiteout(b"y")]
    assert findings == []


def test_link_targets_that_climb_are_held_at_the_root_and_reported():
    change, finding = Link(b"x", b"y"), in_layer("climbing-link", b"x", 0, "the target climbs above the root")
    assert decoded(ln("x", "a/../../y")) == ([change], [finding])
    assert decoded(ln("x", "../y"), policy=LENIENT) == ([change], [finding])
    with pytest.raises(UnsafePathError) as caught:
        decoded(ln("d/../x", "../y"), policy=STRICT)
    assert (caught.value.path, caught.value.reason) == (b"x", "the target climbs above the root")
    skipping = Policy(suspicious="error", refused="skip")
    assert decoded(ln("x", "../y"), policy=skipping) == (
        [],
        [in_layer("refused", b"x", 0, "the target climbs above the root")],
    )


def limited(*entries, policy=LENIENT, **limits):
    with pytest.raises(LimitError) as caught:
        decoded(*entries, policy=policy, limits=Limits(**limits))
    return caught.value.limit, caught.value.allowed, caught.value.seen


@pytest.mark.parametrize("policy", [Policy(), STRICT, LENIENT])
def test_limits_hold_whatever_the_policy(policy):
    assert limited(f("a/b/c"), policy=policy, path_depth=2) == ("path_depth", 2, 3)
    assert limited(f("abcd"), policy=policy, path_bytes=3) == ("path_bytes", 3, 4)
    assert limited(f("abcd"), policy=policy, component_bytes=3) == ("component_bytes", 3, 4)
    assert limited(wh("abcd"), policy=policy, component_bytes=3) == ("component_bytes", 7, 8)
    assert limited(ln("a", "b/c/d"), policy=policy, path_depth=2) == ("path_depth", 2, 3)
    assert limited(sym("a", "x" * 10), policy=policy, path_bytes=10) == ("path_bytes", 9, 10)


def test_contents_in_memory_are_limited_together():
    given = [f("a", "12345"), f("empty"), f("b", "678")]
    assert limited(*given, content_bytes=7) == ("content_bytes", 7, 8)
    assert len(decoded(*given, limits=Limits(content_bytes=8))[0]) == 3
    assert len(decoded(*given, limits=Limits(content_bytes=0), source=Source())[0]) == 3


def test_what_is_within_the_limits_is_taken():
    limits = Limits(path_depth=2, path_bytes=10, component_bytes=9)
    given = [f("a/b"), f("123456789"), ln("a", "b/c"), sym("a", "x" * 9), f("12345678/a")]
    assert len(decoded(*given, limits=limits)[0]) == 5


def test_a_marker_may_be_as_much_longer_as_the_name_that_it_removes_allows():
    limits = Limits(component_bytes=12, path_bytes=14)
    given = [wh("123456789012"), wh("a/123456789012"), opq("a")]
    assert decoded(*given, limits=limits)[0] == [Whiteout(b"123456789012"), Whiteout(b"a/123456789012"), Opaque(b"a")]


def test_a_whiteout_may_be_as_much_longer_as_its_prefix_is():
    name, path = b"c" * 255, b"/".join([b"d" * 255] * 15 + [b"d" * 127, b"d" * 128])
    assert decoded(f(b".wh." + name))[0] == [Whiteout(name)]
    assert decoded(f(path[:-128] + b".wh." + path[-128:]))[0] == [Whiteout(path)]
    assert limited(f(b".wh." + name + b"c")) == ("component_bytes", 259, 260)
    assert limited(f(path[:-128] + b".wh." + path[-128:] + b"d")) == ("path_bytes", 4100, 4101)
    assert limited(f(path + b"d")) == ("path_bytes", 4096, 4097)
    assert limited(f(b"a.wh." + b"c" * 251)) == ("component_bytes", 255, 256)


def test_a_name_past_the_default_limits_can_have_a_climbing_target():
    limits = Limits(path_depth=300)
    [change], [finding] = decoded(ln("d/" * 299 + "x", "../y"), limits=limits)
    assert change.path == finding.location.path == b"d/" * 299 + b"x"
    [change], findings = decoded(ln("x", "d/" * 299 + "e/../y"), limits=limits)
    assert (change.target, findings) == (b"d/" * 299 + b"y", [])


@pytest.mark.parametrize("target", [4094, 4095])
def test_a_symlink_may_have_a_target_of_4095_bytes(target):
    [change], _ = decoded(sym("x", "y" * target))
    assert len(change.node.target) == target


def test_a_symlink_may_not_have_a_target_of_4096_bytes():
    assert limited(sym("x", "y" * 4096)) == ("path_bytes", 4095, 4096)


@pytest.mark.parametrize("policy", [Policy(), STRICT, LENIENT])
def test_an_archive_cut_short_is_never_passed_over(policy):
    archive = tar(f("x", "t" * 2000, mtime_ns=0), f("y"))[:1000]
    with pytest.raises(TarFormatError) as caught:
        decoded(*read_tar(io.BytesIO(archive)), policy=policy)
    with pytest.raises(TarFormatError) as caught:
        list(decode(read_tar(io.BytesIO(archive)), policy=policy))
    assert caught.value.path == b"x"


class Cut:
    """Content that ends too soon."""

    def stored(self, entry):
        raise TarFormatError(entry.name, "cut", 7)


@pytest.mark.parametrize("policy", [Policy(), STRICT, LENIENT])
def test_content_cut_short_is_never_passed_over(policy):
    findings = []
    with pytest.raises(TarFormatError) as caught:
        list(decode([entry("x", size=1, content=Cut())], policy=policy, on_finding=findings.append))
    assert (caught.value.path, caught.value.reason, caught.value.offset) == (b"x", "cut", 7)
    assert findings == []


def test_findings_nobody_asked_for_are_no_problem():
    assert list(decode([f(".wh..wh.plnk/1")])) == []
