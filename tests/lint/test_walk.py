import io
import unicodedata

import attrs
import pytest

from oci_layers.errors import TarFormatError
from oci_layers.layer import apply, decode
from oci_layers.limits import Limits
from oci_layers.lint import LAYER_RULES, Linter, lint
from oci_layers.tar import CONTIGUOUS, DIRECTORY, GLOBAL, HARDLINK, SYMLINK, read_tar
from oci_layers.tree import FileTree
from tests.support.findings import in_entry
from tests.support.layers import block, char, d, entry, f, fifo, ln, opq, sym, tar, wh

WHOLE = 1_700_000_000 * 10**9


def whole(*entries):
    """The entries with times of whole seconds, and offsets that tell them apart."""
    return [
        attrs.evolve(
            one, mtime_ns=WHOLE if one.mtime_ns > 0 and b"late" not in one.pax else one.mtime_ns, offset=512 * i
        )
        for i, one in enumerate(entries)
    ]


def linted(*entries, **options):
    return list(lint(whole(*entries), **options))


def tree(*entries):
    made = FileTree()
    apply(decode(whole(*entries)), made)
    return made


def at(path, index, detail=""):
    path = path if isinstance(path, bytes) else path.encode()
    return path, index, detail


NFC = unicodedata.normalize("NFC", "café")
NFD = unicodedata.normalize("NFD", "café")
BASE = tree(d("a/"), f("a/f"), sym("a/l", "f"), d("a/d/"), fifo("a/p"), sym("loop", "loop"))
ODD_TIME = attrs.evolve(f("x"), mtime_ns=5, pax={b"late": b""})
EARLY = attrs.evolve(f("x"), mtime_ns=-(10**9))
EPOCH = attrs.evolve(f("x"), mtime_ns=0)
ATIME = attrs.evolve(f("x"), pax={b"atime": b"1"})
MTIME = attrs.evolve(f("x"), pax={b"mtime": b"1"})
ACL = attrs.evolve(f("x"), pax={b"SCHILY.acl.access": b"user::rw-", b"SCHILY.acl.default": b"user::rw-"})
LABEL = attrs.evolve(f("x"), pax={b"RHT.security.selinux": b"system_u:object_r:etc_t:s0"})
FLAGS = attrs.evolve(f("x"), pax={b"SCHILY.fflags": b"nodump"})
WINDOWS = attrs.evolve(f("x"), pax={b"MSWINDOWS.fileattr": b"32", b"LIBARCHIVE.creationtime": b"1.5"})
LOWER = {"lower": BASE}
NONE = {"lower": FileTree()}
DEEP = [d("/".join("d" * n) + "/") for n in range(1, 256)]

ON = {"windows": True, "layer": 3}
BACKSLASH = "the name has a backslash, which separates on Windows"
OPAQUE = "not an opaque marker on Windows"
A = "one name with 'Files/A' on Windows"
STREAM = [d("Files"), f("Files/a"), f("Files/a:b")]
LOWEST = "a whiteout in the lowest layer"
BASE64 = "MSWINDOWS.rawsd: not base64"
CONFIG = [f(f"Files/Windows/System32/config/{name}") for name in ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT")]
GAVE_WAY = "a file is used as a directory, and is replaced by one"

# Word of the rule: a layer that has it and nothing else, what is found, a layer that barely does not; and options.
PAIRS = {
    "duplicate": ([f("x"), f("./x")], at("x", 1), [f("x"), f("x0")]),
    "climbing-name": ([d("a/"), f("a/../../x")], at("a/../../x", 1), [d("a/"), f("a/../x")]),
    "nul-name": ([f("a\0b")], at("a\0b", 0), [f("a0b")]),
    "root-not-directory": ([f("./")], at("", 0), [d("./")]),
    "long-name": ([f("x" * 256)], at("x" * 256, 0, "256 bytes"), [f("x" * 255)]),
    "long-path": ([*DEEP, f("d/" * 256 + "d")], at("d/" * 256 + "d", 255, "513 bytes, 257 components"), DEEP),
    "missing-parent": ([f("a/x")], at("a", 0), [d("a"), f("a/x")]),
    "file-as-directory": ([f("a"), f("a/x")], at("a", 1, GAVE_WAY), [d("a"), f("a/x")]),
    "link-as-directory": ([sym("a", "b"), f("a/x")], at("a", 1), [d("a"), f("a/x"), sym("b", "a")]),
    "whiteout-and-name": ([wh("x"), f("x")], at("x", 1), [wh("x"), f("x0")]),
    "late-marker": ([f("x"), wh("y")], at(".wh.y", 1), [d("a"), wh("a/y"), f("a/z")]),
    "odd-marker": ([f(".wh.x", "text")], at(".wh.x", 0), [f(".wh.x")]),
    "bad-marker": ([f(".wh.")], at(".wh.", 0), [f(".wh....")]),
    "marker-as-directory": ([f(".wh.a/x")], at(".wh.a/x", 0), [d(".wh"), f(".wh/x")]),
    "aufs": ([d(".wh..wh.plnk/")], at(".wh..wh.plnk", 0), [wh("wh.plnk")]),
    "whiteout-of-marker": ([f(".wh..wh.x")], at(".wh..wh.x", 0), [f(".wh..wh..opq")]),
    "nothing-hidden": ([wh("a/x")], at("a/x", 0), [wh("a/f")], LOWER),
    "nothing-opaque": ([opq("a/f")], at("a/f", 0), [opq("a/d")], LOWER),
    "forward-link": ([ln("a", "b"), f("b")], at("a", 0, "b"), [f("a"), ln("b", "a")]),
    "no-target": ([ln("b", "a/x")], at("b", 0, "a/x"), [ln("b", "a/f")], LOWER),
    "outside-link": ([ln("b", "a/f")], at("b", 0, "a/f"), [f("a"), ln("b", "a")]),
    "link-to-directory": ([d("a"), ln("b", "a")], at("b", 1, "a"), [sym("a", "/"), ln("b", "a", mode=0o777)]),
    "link-to-itself": ([ln("a", "./a")], at("a", 0), [f("a"), ln("b", "./a")]),
    "climbing-link": ([f("a"), ln("b", "../a")], at("b", 1, "../a"), [f("a"), ln("b", "x/../a")]),
    "link-metadata": (
        [f("a"), ln("b", "a", mode=0o600, uid=7)],
        at("b", 1, "mode, uid of a"),
        [f("a", mode=0o600, uid=7), ln("b", "a", mode=0o100600, uid=7)],
    ),
    "empty-link": ([sym("a", "")], at("a", 0), [sym("a", ".")]),
    "long-link": ([sym("a", "x" * 4096)], at("a", 0, "4096 bytes"), [sym("a", "x" * 4095)]),
    "refused": (
        [f("abcd")],
        at("abcd", 0, "limit component_bytes is 3, the input has 4 or more"),
        [f("abc")],
        {"limits": Limits(component_bytes=3)},
    ),
    "order": (
        [ln("h", "a/f"), wh("a/f")],
        at("a/f", 1, "the layer uses this and removes it: read in tar order"),
        [ln("h", "a/f"), wh("a/l")],
        LOWER,
    ),
    "access-list": ([ACL], at("x", 0, "1 of 1 entries"), [MTIME]),
    "selinux-label": ([LABEL], at("x", 0, "1 of 1 entries"), [MTIME]),
    "file-flags": ([FLAGS], at("x", 0, "1 of 1 entries"), [MTIME]),
    "windows-metadata": ([WINDOWS], at("x", 0, "1 of 1 entries"), [MTIME]),
    "global-header": ([entry("g", GLOBAL)], at("g", 0), [f("g")]),
    "unknown-type": ([entry("x", b"Z")], at("x", 0, "'Z'"), [fifo("x")]),
    "contiguous": ([entry("x", CONTIGUOUS)], at("x", 0), [f("x")]),
    "sparse": ([f("x", size=9, extents=((0, 1),))], at("x", 0), [f("x", size=9)]),
    "overlay-whiteout": ([char("x", 0, 0)], at("x", 0), [block("x", 0, 0)]),
    "overlay-xattr": (
        [d("x", xattrs={b"user.x": b"", b"trusted.overlay.opaque": b"y"})],
        at("x", 0, "trusted.overlay.opaque"),
        [d("x", xattrs={b"user.overlays": b"y"})],
    ),
    "windows-path": ([d("Files"), f("Files/a\\b")], at("Files/a\\b", 1, BACKSLASH), STREAM, ON),
    "windows-root": ([f("File")], at("File", 0), [d("Files")], ON),
    "windows-refuses": ([d("Files"), f("Files/a?b")], at("Files/a?b", 1, "?"), [d("Files"), f("Files/a b")], ON),
    "folded-name": ([d("Files"), f("Files/A"), f("Files/a")], at("Files/a", 2, A), [d("Files"), f("Files/a")], ON),
    "windows-opaque": ([opq("Files")], at("Files/.wh..wh..opq", 0, OPAQUE), [wh("Files/x")], ON),
    "misplaced-whiteout": ([wh("Hives/x")], at("Hives/.wh.x", 0), [wh("UtilityVM/Files/x")], ON),
    "whiteout-in-base": ([wh("Files/x")], at("Files/.wh.x", 0, LOWEST), [f("Files/x")], ON | {"layer": 0}),
    "windows-base": (
        [d("Files"), *CONFIG[1:]],
        at("Files/Windows/System32/config/SYSTEM", None, "a hive of the registry is missing"),
        [d("Files"), *CONFIG],
        ON | NONE | {"layer": 0},
    ),
    "windows-record": ([attrs.evolve(f("x"), pax={b"MSWINDOWS.rawsd": b"A"})], at("x", 0, BASE64), [f("x")]),
    "device-range": ([char("x", 2**32, 1)], at("x", 0, "4294967296:1"), [char("x", 2**32 - 1, 1)]),
    "owner-range": ([f("x", uid=2**32 - 1)], at("x", 0, "4294967295:0"), [f("x", uid=2**32 - 2)]),
    "case-twin": ([f("X"), f("x")], at("x", 1, "X"), [f("X"), f("y")]),
    "unicode-twin": ([f(NFD), f(NFC)], at(NFC, 1, f"{NFD}"), [f("cafe"), f(NFC)]),
    "not-utf8": ([f(b"x\xff")], at(b"x\xff", 0, "at byte 1 of the name"), [f("x\u00ff")]),
    "control-character": ([f("x\n")], at("x\n", 0, "'\\n'"), [f("x\u00a0")]),
    "backslash": ([f("a\\b")], at("a\\b", 0, "1 of 1 entries"), [f("a'b")]),
    "windows-character": ([f("a:b")], at("a:b", 0, "1 of 1 entries"), [f("a;b")]),
    "windows-name": ([f("nul.tar.gz")], at("nul.tar.gz", 0, "1 of 1 entries"), [f("null.tar.gz")]),
    "trailing-dot": ([f("x."), f("y")], at("x.", 0, "1 of 2 entries"), [f("x.y")]),
    "unsorted": ([f("b"), f("a")], at("a", 1, "after b"), [f("a"), f("b")]),
    "owner-name": ([f("x", uname=b"u"), f("y", gname=b"g")], at("x", 0, "2 of 2 entries"), [f("x", uid=5)]),
    "extra-time": ([ATIME], at("x", 0, "1 of 1 entries"), [MTIME]),
    "fine-time": ([ODD_TIME], at("x", 0, "1 of 1 entries"), [EPOCH]),
    "negative-time": ([EARLY], at("x", 0), [EPOCH]),
    "set-id": ([f("x", mode=0o4755)], at("x", 0, "4755"), [d("x", mode=0o2755)]),
    "world-writable": ([d("x", mode=0o777)], at("x", 0, "0777"), [d("x", mode=0o1777)]),
    "secret": ([f(".netrc", "text")], at(".netrc", 0), [f(".netrc")]),
}


BESIDE = {
    "windows-base": {"missing-parent", "unsorted"},
    "whiteout-in-base": {"missing-parent"},
    "windows-record": {"windows-metadata"},
}
"""Rules that the layers for another rule break, too."""


def test_every_rule_has_a_layer_that_breaks_it_and_one_that_barely_does_not():
    assert PAIRS.keys() == LAYER_RULES.keys()


@pytest.mark.parametrize("what", LAYER_RULES)
def test_a_layer_that_breaks_one_rule_gets_that_finding_and_no_other(what):
    entries, (path, index, detail), _, *options = PAIRS[what]
    chosen = {"layer": 3} | dict(*options)
    found = [each for each in linted(*entries, **chosen) if each.rule not in BESIDE.get(what, ())]
    offset = None if index is None else 512 * index
    assert found == [in_entry(what, path, chosen["layer"], index, offset, detail)]


@pytest.mark.parametrize("what", LAYER_RULES)
def test_a_layer_that_barely_keeps_a_rule_gets_no_finding(what):
    _, _, entries, *options = PAIRS[what]
    found = linted(*entries, **dict(*options))
    assert [each for each in found if each.rule not in BESIDE.get(what, ())] == []


def told(*entries, **options):
    return [(found.rule, found.location.path) for found in linted(*entries, **options)]


@pytest.mark.parametrize(
    ("entries", "options", "expected"),
    [
        # Parents.
        ([f("a/d/x"), f("a/x")], LOWER, []),
        ([f("a/l/x")], LOWER, [("link-as-directory", b"a/l"), ("file-as-directory", b"a/f")]),
        ([f("a/p/x")], LOWER, [("file-as-directory", b"a/p")]),
        (
            [f("loop/x/y")],
            LOWER,
            [("link-as-directory", b"loop"), ("missing-parent", b"loop/x"), ("refused", b"loop/x")],
        ),
        ([f("A:/x/y")], NONE, [("missing-parent", b"A:"), ("missing-parent", b"A:/x"), ("windows-character", b"A:")]),
        ([d("a"), f("a/x"), f("a")], {}, [("duplicate", b"a"), ("file-as-directory", b"a"), ("unsorted", b"a")]),
        ([f("a/x"), d("a")], {}, [("missing-parent", b"a"), ("unsorted", b"a")]),
        # Markers.
        ([f("x"), wh("x")], {}, [("late-marker", b".wh.x"), ("whiteout-and-name", b"x")]),
        ([wh("a"), f("a/x")], {}, [("whiteout-and-name", b"a")]),
        ([wh("a"), d("a"), f("a/x")], {}, [("whiteout-and-name", b"a")]),
        ([wh("a"), f("a/x"), d("a")], {}, [("whiteout-and-name", b"a"), ("unsorted", b"a")]),
        ([wh("x"), wh("x")], {}, [("duplicate", b".wh.x")]),
        ([d("a/"), opq("a")], {}, []),
        ([opq("no")], {}, []),
        ([opq("no")], LOWER, [("nothing-opaque", b"no")]),
        ([wh("loop/x")], LOWER, [("nothing-hidden", b"loop/x"), ("refused", b"loop")]),
        ([sym("a", "b"), wh("a/x")], LOWER, [("link-as-directory", b"a"), ("nothing-hidden", b"a/x")]),
        ([d(".wh.x")], {}, [("odd-marker", b".wh.x")]),
        ([f("x.wh.y")], {}, []),
        ([f(".wh.a/.wh.b")], {}, [("marker-as-directory", b".wh.a/.wh.b")]),
        # Links.
        ([ln("b", "a/d")], LOWER, [("link-to-directory", b"b")]),
        ([f("x/y"), ln("x/z", "x")], NONE, [("missing-parent", b"x"), ("link-to-directory", b"x/z")]),
        ([ln("b", "/")], {}, [("link-to-directory", b"b")]),
        ([ln("b", "a/f", gid=1)], LOWER, [("link-metadata", b"b")]),
        ([ln("b", "a/p")], LOWER, []),
        ([wh("a/f"), ln("b", "a/f")], LOWER, [("no-target", b"b")]),
        ([f("a"), ln("b", "a", uid=1), ln("c", "b")], {}, [("link-metadata", b"b")]),
        ([sym("a", "/"), ln("b", "a/x")], {}, [("outside-link", b"b")]),
        ([sym("a", "/"), f("x"), ln("z", "a/x")], NONE, []),
        ([d("a"), f("a/x"), ln("b", "a/y")], NONE, [("no-target", b"b")]),
        ([ln("b", "x\0")], {}, [("nul-name", b"b")]),
        ([sym("b", "x\0")], {}, [("nul-name", b"b")]),
        # Nothing below has a name that no file system takes.
        ([f("x" * 256 + "/y")], NONE, [("missing-parent", b"x" * 256), ("long-name", b"x" * 256)]),
        ([f("./" + "x" * 256 + "/y")], NONE, [("missing-parent", b"x" * 256), ("long-name", b"x" * 256)]),
        ([wh("x" * 256)], LOWER, [("nothing-hidden", b"x" * 256), ("refused", b".wh." + b"x" * 256)]),
        ([ln("b", "x" * 256)], LOWER, [("no-target", b"b")]),
        ([sym("a", "/"), ln("b", "a/" + "x/" * 4096)], LOWER, [("no-target", b"b")]),
        # Twins.
        ([f("x"), f("X")], {}, [("case-twin", b"X"), ("unsorted", b"X")]),
        ([f("X"), f("X")], {}, [("duplicate", b"X")]),
        ([f("xA"), f("xa"), f("xa")], {}, [("case-twin", b"xa"), ("case-twin", b"xa"), ("duplicate", b"xa")]),
        ([f(NFC), f(NFD)], {}, [("unicode-twin", NFD.encode()), ("unsorted", NFD.encode())]),
        ([f("A/x"), d("a")], {}, [("missing-parent", b"A"), ("case-twin", b"a")]),
        ([f("a/x"), d("A")], {}, [("missing-parent", b"a"), ("case-twin", b"A"), ("unsorted", b"A")]),
        ([f("A"), f("a/x")], NONE, [("missing-parent", b"a"), ("case-twin", b"a")]),
        # The rest.
        ([sym("x", "y"), d("y", mode=0o755)], {}, []),
        ([f("x", mode=0o6757)], {}, [("set-id", b"x"), ("world-writable", b"x")]),
        ([f("x", gid=-1)], {}, [("owner-range", b"x")]),
        ([char("x", 1, -1)], {}, [("device-range", b"x")]),
        ([f("x", xattrs={b"user.overlay.a": b""})], {}, [("overlay-xattr", b"x")]),
        ([f("b"), f("a"), f("c"), f("b0")], {}, [("unsorted", b"a")]),
        ([f("./" * 300 + "x"), f("y"), f("./" * 300 + "z")], {}, []),
        ([], {}, []),
    ],
)
def test_what_stands_before_and_below_decides(entries, options, expected):
    assert told(*entries, **options) == expected


@pytest.mark.parametrize("names", [["a", "a/b", "a-b"], ["a", "a-b", "a/b"]])
def test_names_may_be_in_the_order_of_bytes_or_of_components(names):
    entries = [d(name) for name in names]
    assert told(*entries) == []


def test_spelling_makes_no_difference():
    assert told(d("./"), d("./a/"), f("./a/x"), f("a//y"), f("/a/z"), f("a/b/../zz")) == []
    assert told(d("a"), d("./a/"), f("./a/./x"), f("a/x")) == [("duplicate", b"a"), ("duplicate", b"a/x")]


def test_a_finding_has_its_rule():
    [found] = linted(f("x"), f("x"))
    assert found.severity == LAYER_RULES["duplicate"].severity
    assert (found.severity, LAYER_RULES[found.rule].fix) == ("error", "Keep the last entry.")


def test_findings_come_while_the_layer_is_read():
    def entries():
        yield from whole(f("x"), f("x"))
        raise TarFormatError(b"", "cut short", 0)

    found = lint(entries())
    assert next(found).rule == "duplicate"
    with pytest.raises(TarFormatError):
        next(found)


def test_entries_may_be_looked_at_one_by_one():
    linter = Linter(lower=BASE, layer=2)
    found = [
        [one.rule for one in linter.look(each)] for each in whole(f("x"), f("x"), ln("y", "z"), f("z", uname=b"u"))
    ]
    assert found == [[], ["duplicate"], [], []]
    assert [(one.rule, one.location.layer, one.location.index) for one in linter.end()] == [
        ("forward-link", 2, 2),
        ("owner-name", 2, 3),
    ]


def test_offsets_are_those_of_the_archive():
    layer = tar(*whole(f("a", "text"), f("b" * 120, mode=0o666)))
    [found] = lint(read_tar(io.BytesIO(layer)))
    assert (found.rule, found.location.index, found.location.offset) == ("world-writable", 1, 1024)


@pytest.mark.parametrize("kind", [SYMLINK, HARDLINK, DIRECTORY])
def test_only_files_hold_secrets_and_run_as_others(kind):
    assert told(f("a", mode=0o4755), entry(".npmrc", kind, linkname="a", mode=0o4755))[0] == ("set-id", b"a")
