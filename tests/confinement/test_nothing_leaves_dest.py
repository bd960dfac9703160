"""Hostile layers, each unpacked as root and as an ordinary user, by every policy, with canaries all around DEST.

Failing is allowed, with an error of our own; reading, changing or removing anything outside of DEST is not. Beside it
each row says what exactly happens by default. What a tar reader refuses by itself is in `tests/tar`, what the rules of
layers make of these names in memory in `tests/layer`, what file systems that take two names for one do in
`tests/disk`, and what a second process can do in `test_race`.
"""

import attrs
import pytest

import oci_layers
from oci_layers.errors import (
    LayerError,
    LimitError,
    LinkError,
    OCIError,
    TarFormatError,
    UnsafePathError,
    WhiteoutError,
)
from oci_layers.layer.policy import Policy
from tests.support import blocks
from tests.support.canary import Canaries
from tests.support.examples import some
from tests.support.layers import block, char, d, entry, f, fifo, image, ln, opq, sym, tar, wh
from tests.support.process import USER, asking_user


@attrs.frozen
class Row:
    """Layers, and what comes of them by default: the names below DEST that are no directories, or the error."""

    layers: tuple
    made: list | type


def row(name, *layers, made):
    """A layer is the bytes of a tar, or makes them of the absolute path of the directory that DEST is in."""
    return pytest.param(Row(layers, sorted(made.split()) if isinstance(made, str) else made), id=name)


def raw(*pieces):
    return b"".join(pieces) + blocks.END


def pax(*records, **fields):
    return raw(blocks.extended(*records), blocks.header(**fields))


def long_name(text, flag=b"L", **fields):
    return raw(blocks.longname(text, flag), blocks.header(**fields))


def device(major, minor, **fields):
    """A device whose numbers are binary."""
    numbers = {"devmajor": blocks.base256(major, 8), "devminor": blocks.base256(minor, 8)}
    return raw(blocks.header(b"dev", type=b"3", **numbers, **fields))


def far_away():
    """A path longer than any that a system call takes, made of links, and then a link that leads out of it."""
    long = "d" * 247
    entries, path = [], ""
    for step in "abcdefghijklmnopq":
        entries += [d(f"{path}{long}"), sym(f"{path}{step}", long)]
        path += f"{step}/"
    return tar(*entries, sym(f"{path}out", "../" * 17 + "../canary"), f(f"{path}out/secret", "owned"))


def deeper_and_deeper():
    """Each link stands for a longer path, which the next one begins from."""
    entries = [d("a" + "/a" * 200), sym("l0", "a" + "/a" * 200)]
    for step in range(1, 12):
        entries += [d(f"l{step - 1}" + "/a" * 200), sym(f"l{step}", f"l{step - 1}" + "/a" * 200)]
    return tar(*entries)


def chain(length):
    """A path through as many links."""
    links = [sym(f"l{step}", f"l{step + 1}") for step in range(1, length)]
    return tar(*links, sym(f"l{length}", "../canary"), f("l1/secret", "owned"))


OUTSIDE = sym("l", "../canary")
NAMES = [
    row("parent", tar(f("../victim", "x")), made=UnsafePathError),
    row("absolute parent", tar(f("/../victim", "x")), made=UnsafePathError),
    row("parent after a directory", tar(d("a"), f("a/../../victim", "x")), made=UnsafePathError),
    row("parent inside", tar(f("a/../b", "x")), made="b"),
    row("absolute", tar(f("/victim", "x")), made="victim"),
    row("absolute and outside", lambda out: tar(f(f"{out}/canary/secret", "x")), made="@/canary/secret"),
    row("sibling with the same beginning", tar(f("../dest-evil/secret", "x")), made=UnsafePathError),
    row("directory above", tar(d("..", 0o777)), made=UnsafePathError),
    row("directory above, spelled longer", tar(d("a/../../", 0o777)), made=UnsafePathError),
    row("parent in an extension", pax((b"path", b"../victim")), made=UnsafePathError),
    row("parent in a long name", long_name(b"../" * 50 + b"victim"), made=UnsafePathError),
    row("parent in a prefix", raw(blocks.header(b"victim", at=[(345, b"..")])), made=UnsafePathError),
    row("longest component", tar(f("x" * 255)), made="x" * 255),
    row("too long a component", tar(f("x" * 256)), made=LimitError),
    row("too long a path", tar(f("/".join(["x" * 250] * 17))), made=LimitError),
    row("too deep a path", tar(f("/".join("x" * 257))), made=LimitError),
    row("a hundred thousand deep", long_name(b"a/" * 100_000), made=LimitError),
    row("a hundred thousand up", long_name(b"../" * 100_000 + b"victim"), made=UnsafePathError),
    row("nothing but dots", tar(d("./././."), f("././a", "x")), made="a"),
    row("no name", tar(f("", "x")), made=UnsafePathError),
    row("names of a shell", tar(f("~/a", "x"), f("$HOME", "x"), f("-rf", "x"), f("*", "x")), made="~/a $HOME -rf *"),
]
LINKS = [
    row("write through", tar(OUTSIDE, f("l/secret", "owned")), made="l canary/secret"),
    row(
        "write through an absolute one",
        lambda out: tar(sym("l", f"{out}/canary"), f("l/secret")),
        made="l @/canary/secret",
    ),
    row("write through in the next layer", tar(OUTSIDE), tar(f("l/secret", "owned")), made="l canary/secret"),
    row("write to the link itself", tar(sym("l", "../canary/secret"), f("l", "owned")), made="l"),
    row("several hops", tar(sym("a", "b"), sym("b", "./c/"), sym("c", "../canary"), f("a/x")), made="a b c canary/x"),
    row("up by a link inside", tar(d("d/e"), sym("d/e/l", "../../../.."), f("d/e/l/x")), made="d/e/l x"),
    row("up through what a link leads to", tar(d("d/e"), sym("l", "d/e"), f("l/../../x")), made=UnsafePathError),
    row("a link as the root's own name", tar(sym("l", "."), f("l/l/l/x")), made="l x"),
    row("to the root", tar(sym("l", "/"), f("l/x")), made="l x"),
    row("to the directory above", tar(sym("l", ".."), f("l/victim", "owned")), made="l victim"),
    row("directory over a link", tar(OUTSIDE, d("l", 0o777), f("l/secret", "x")), made="l/secret"),
    row("link over a directory", tar(d("l", 0o777), f("l/x"), OUTSIDE, f("l/secret", "x")), made="l canary/secret"),
    row(
        "link over a directory, below",
        tar(d("l", 0o700), f("l/secret")),
        tar(OUTSIDE),
        tar(f("l/y")),
        made="l canary/y",
    ),
    row("file as a directory", tar(f("l", "x"), f("l/secret", "y")), made="l/secret"),
    row("loop", tar(sym("a", "b"), sym("b", "a"), f("a/x")), made=LinkError),
    row("link to itself", tar(sym("a", "a"), f("a/x")), made=LinkError),
    row("as many links as may be", chain(40), made=" ".join(f"l{n}" for n in range(1, 41)) + " canary/secret"),
    row("one link more", chain(41), made=LinkError),
    row("a path that no call takes", far_away(), made=LimitError),
    row("paths that grow by links", deeper_and_deeper(), made=LimitError),
    row("no target", tar(sym("l", "")), made=UnsafePathError),
    row(
        "a name that becomes a link half-way",
        tar(d("l"), f("l/a"), wh("l"), OUTSIDE, f("l/secret")),
        made="l canary/secret",
    ),
]
HARD_LINKS = [
    row("outside", tar(ln("l", "../victim")), made=LinkError),
    row("absolute", lambda out: tar(ln("l", f"{out}/victim")), made=LinkError),
    row("sibling with the same beginning", tar(ln("l", "../dest-evil/secret")), made=LinkError),
    row("through a link", tar(OUTSIDE, ln("h", "l/secret")), made=LinkError),
    row("through an absolute link", lambda out: tar(sym("l", f"{out}/canary"), ln("h", "l/secret")), made=LinkError),
    row("in an extension", pax((b"linkpath", b"../victim"), type=b"1"), made=LinkError),
    row("in a long name", long_name(b"../" * 50 + b"victim", b"K", type=b"1"), made=LinkError),
    row("to a link", tar(sym("l", "../victim"), ln("h", "l", mode=0o777, uid=5)), made="l h"),
    row("to a link, then written to", tar(sym("l", "../victim"), ln("h", "l"), f("h", "owned", 0o777)), made="l h"),
    row("to itself", tar(f("h", "x"), ln("h", "h")), made=LinkError),
    row("to itself through a link", tar(d("d"), f("d/h", "x"), sym("l", "d"), ln("l/h", "d/h")), made=LinkError),
    row("to nothing", tar(ln("h", "missing")), made=LinkError),
    row("to a directory", tar(d("d"), ln("h", "d")), made=LinkError),
    row("to the root", tar(ln("h", "/")), made=LinkError),
    row("to what comes later", tar(ln("h", "x"), f("x", "y")), made=LinkError),
    row("with content", raw(blocks.header(b"h", type=b"1", size=3, linkname=b"../victim")), made=LinkError),
    row(
        "in a directory deep down",
        tar(f("a", "x"), d("/".join("d" * 200)), ln("/".join("d" * 200) + "/h", "a")),
        made="a " + "/".join("d" * 200) + "/h",
    ),
]
ROOTS = [
    *(
        row(f"{kind} at {name!r}", tar(make(name)), made=UnsafePathError)
        for name in (".", "/", "./", "a/..", "//.//")
        for kind, make in {
            "link": lambda name: sym(name, "../canary"),
            "file": f,
            "fifo": fifo,
            "hard link": lambda name: ln(name, "../victim"),
            "device": char,
        }.items()
    ),
    row("directory", tar(d("./", 0o700, mtime_ns=5)), made=""),
]
WHITEOUTS = [
    *(
        row(f"name {name!r}", tar(f("x")), tar(f(name)), made=WhiteoutError)
        for name in (".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh..", "a/.wh...", ".wh.a/b", "a/.wh.b/c")
    ),
    row("through a link", tar(OUTSIDE), tar(wh("l/secret")), made="l"),
    row("through an absolute link", lambda out: tar(sym("l", f"{out}/canary")), tar(wh("l/deep")), made="l"),
    row("of the link itself", tar(OUTSIDE), tar(wh("l")), made=""),
    row("of what a link in it leads to", tar(d("d"), sym("d/l", "../../canary")), tar(wh("d")), made=""),
    row("outside", tar(f("x")), tar(wh("../victim")), made=UnsafePathError),
    row("of the directory above", tar(f("x")), tar(f("../.wh.dest")), made=UnsafePathError),
    row("opaque through a link", tar(OUTSIDE), tar(opq("l")), made="l"),
    row("opaque outside", tar(f("x")), tar(opq("..")), made=UnsafePathError),
    row("opaque with links inside", tar(d("d"), sym("d/l", "../../canary"), ln("d/h", "d/l")), tar(opq("d")), made=""),
    row("opaque at the root", tar(OUTSIDE, f("x")), tar(opq()), made=""),
    row("marker that is a link", tar(f("a/x")), tar(sym("a/.wh.x", "../../victim")), made=""),
    row("marker that is a directory", tar(f("a/x")), tar(d("a/.wh.x")), made=""),
    row("marker that is a hard link", tar(f("a/x")), tar(ln("a/.wh.x", "../victim")), made=""),
    row("marker with content", tar(f("a/x")), tar(f("a/.wh.x", "y")), made=""),
    row("leftovers of AUFS", tar(d(".wh..wh.plnk"), f(".wh..wh.plnk/9.9", "x"), f(".wh..wh.aufs"), f("x")), made="x"),
    row("link to a leftover of AUFS", tar(f(".wh..wh.plnk/9.9", "x"), ln("h", ".wh..wh.plnk/9.9")), made=LinkError),
    row("deep below", tar(f("/".join("d" * 250), "x")), tar(wh("d")), made=""),
]
METADATA = [
    row("mode and time through a link", tar(sym("l", "../canary", mtime_ns=5, xattrs={b"user.a": b"b"})), made="l"),
    row("late attributes of a replaced directory", tar(d("l", 0o777, mtime_ns=5, uid=1), OUTSIDE), made="l"),
    row("late attributes, one layer later", tar(d("l", 0o777, mtime_ns=5)), tar(OUTSIDE), made="l"),
    row("device", tar(char("chr"), block("blk")), made="chr blk"),
    row("device 0:0, which anyone may make", tar(char("zero", 0, 0)), made="zero"),
    row("device number of 32 bits", device(2**31, 2**32 - 1), made=""),
    row("device number too large", device(2**32, 0), made=LayerError),
    row("device number below zero", device(0, -1), made=LayerError),
    row("device in the way", tar(char("c"), f("c/x", "y")), made="c/x"),
    row("fifo written to", tar(fifo("p"), f("p", "x")), made="p"),
    row("fifo as a directory", tar(fifo("p"), f("p/x", "y")), made="p/x"),
    row("fifo linked to", tar(fifo("p"), ln("q", "p"), f("q", "x")), made="p q"),
    row("set-id bits", tar(f("s", "x", 0o6755), d("t", 0o3777), fifo("u", mode=0o4777)), made="s u"),
    row("bits above the mode", tar(f("s", "x", 0o107777)), made="s"),
    row("owner -1", raw(blocks.header(uid=blocks.base256(-1, 8))), made=LayerError),
    row("owner 2^32 - 1", raw(blocks.header(gid=blocks.base256(2**32 - 1, 8))), made=LayerError),
    row("owner 2^32", pax((b"uid", b"4294967296")), made=LayerError),
    row("largest owner", pax((b"uid", b"4294967294"), (b"gid", b"4294967294")), made="file"),
    row(
        "xattrs of an overlay",
        tar(d("o", xattrs={b"trusted.overlay.opaque": b"y"}), f("p", xattrs={b"user.overlay.redirect": b"/"})),
        made="p",
    ),
    row(
        "xattrs that no system has",
        tar(f("x", xattrs={b"no-namespace": b"1", b"user." + b"n" * 300: b"1", b"a\n=": b""})),
        made="x",
    ),
    row(
        "xattrs of a fifo and a device",
        tar(fifo("p", xattrs={b"user.a": b"1"}), char("chr", xattrs={b"trusted.a": b"1"})),
        made="p chr",
    ),
    row("xattrs of 64 KiB", tar(f("x", xattrs={b"trusted.a": bytes(65_536)})), made=LimitError),
    row(
        "time below zero",
        tar(f("x", mtime_ns=-1), d("d", mtime_ns=-(2**40) * 10**9), sym("l", "x", mtime_ns=-5)),
        made="x l",
    ),
    row("time of no calendar", pax((b"mtime", b"9223372036854775807.999999999")), made="file"),
    row("time before all calendars", pax((b"mtime", b"-9223372036854775807.999999999")), made="file"),
    row("time of 20 digits", pax((b"mtime", b"99999999999999999999")), made=TarFormatError),
    row("time that is no number", pax((b"mtime", b"nan")), made=TarFormatError),
    row("unknown type", tar(entry("x", b"Z")), made=LayerError),
    row(
        "global header with a name",
        raw(blocks.extended((b"path", b"../victim"), flag=b"g"), blocks.header()),
        made="file",
    ),
]
TABLE = [
    pytest.param(each.values[0], id=f"{kind}: {each.id}")
    for kind, rows in {
        "name": NAMES,
        "link": LINKS,
        "hard link": HARD_LINKS,
        "root": ROOTS,
        "whiteout": WHITEOUTS,
        "metadata": METADATA,
    }.items()
    for each in rows
]
POLICIES = {
    "default": None,
    "strict": Policy.preset("strict"),
    "lenient": Policy.preset("lenient"),
    "lenient, parents replaced": attrs.evolve(Policy.preset("lenient"), parents="replace"),
}


def unpack(name, dest, **options):
    """Unpack and return the class of the error, if there is one; any other than ours goes through."""
    try:
        with oci_layers.open_image(name) as opened:
            opened.unpack(dest, **options)
    except OCIError as error:
        return type(error)
    return None


def expected(row, place, *, devices):
    if not isinstance(row.made, list):
        return []
    absent = () if devices else ("chr", "blk")
    return sorted(name.replace("@", str(place).lstrip("/")) for name in row.made if name not in absent)


def work(name, place):
    """Unpack an image beside the canaries by each policy; return the errors by the names of the directories."""
    (place / "in place").mkdir()
    errors = {kind: unpack(name, place / kind, policy=policy) for kind, policy in POLICIES.items()}
    return errors | {"in place": unpack(name, place / "in place", in_place=True)}


@pytest.fixture(
    scope="module", params=[pytest.param(0, id="root", marks=pytest.mark.root), pytest.param(USER, id="user")]
)
def user(request):
    """A user's number, and a function that has `work` done by him."""
    with asking_user(work, request.param) as ask:
        yield request.param, ask


@pytest.mark.parametrize("row", some(TABLE, every=3))
def test_a_layer_cannot_reach_out_of_dest(place, row, user):
    number, ask = user
    tars = [layer if isinstance(layer, bytes) else layer(str(place)) for layer in row.layers]
    name = image(place / "image", *tars)
    canaries = Canaries(place, *POLICIES, "in place")
    refused = None if isinstance(row.made, list) else row.made
    errors = ask(name, place)
    canaries.check()
    assert (errors["default"], errors["in place"]) == (refused, refused)
    assert canaries.leaves("default") == canaries.leaves("in place") == expected(row, place, devices=number == 0)
    assert {kind: (place / kind).exists() for kind in POLICIES} == {kind: errors[kind] is None for kind in POLICIES}
