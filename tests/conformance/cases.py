"""The rules of layers as one table: layers, the lowest first, and what they make.

A case has an id (of an edge case, a rule of the spec or an attribute), layers in the notation of `support.layers` or as
raw bytes, and an outcome: a tree in the notation of `oci_layers.tree.dump`, or an error by type, path and part of its
reason; and the findings by `what` and path, in order. In trees `T` stands for the time of all declared entries and `0`
for the epoch of what was only implied; the root may be left out where no entry describes it.

The outcome is that of the default policy. `strict` and `lenient` hold what these presets make of it where that differs,
`replace` what the default makes of it with `parents="replace"`. `disk` is the tree where a disk cannot hold all of it,
and `skipped` what the report then says, by `what` and path.
"""

import base64
import hashlib
import itertools

import attrs

from oci_layers.errors import LayerError, LimitError, LinkError, UnsafePathError, WhiteoutError
from oci_layers.layer import Policy
from oci_layers.tar import CONTIGUOUS, DIRECTORY, FIFO, GLOBAL, HARDLINK, SYMLINK
from oci_layers.tree import parse
from tests.support.blocks import END, GNU, V7, base256, extended, header, member, octal, padded
from tests.support.layers import MTIME, block, char, d, entry, f, fifo, ln, opq, sym, tar, wh

EDGE_IDS = """
    01 02 02b 03 04 04b 05 06 06b 07 07b 08 09 10 11 12 12b 12c 12d 12e 12f 13 13b 13c 13d 13e 14 14b 14c 14d 14e 14f
    15 15b 15c 16 16b 17 18 19 20 21 22 23 24 25 26 26b 27 28 29 30 31 32 33 34 34b 35 36 37
"""
"""Every letter of the table of edge cases that implementations disagree about."""

POLICIES = {
    "default": Policy(),
    "strict": Policy.preset("strict"),
    "lenient": Policy.preset("lenient"),
    "replace": Policy(parents="replace"),
}


@attrs.frozen
class Error:
    """An error of exactly this type, with this path and, somewhere in its reason, this text."""

    type: type
    path: bytes
    reason: str


@attrs.frozen
class Outcome:
    """A tree or an error, and the findings."""

    tree: str | None = None
    error: Error | None = None
    found: list[tuple[str, bytes]] = attrs.field(factory=list)


@attrs.frozen
class Row:
    """One case under one policy. `own` rows say something that the default row of their case does not."""

    id: str
    policy: Policy
    layers: list[bytes]
    outcome: Outcome
    disk: str | None
    skipped: list[tuple[str, bytes]]
    own: bool


ROWS: list[Row] = []


def tree(text):
    """The tree that an abbreviated dump describes."""
    time = f"{MTIME // 10**9}.{MTIME % 10**9:09d}"
    return parse("\n".join(line.strip().replace(" T", f" {time}") for line in text.splitlines()))


def makes(text, *found):
    """The outcome that is a tree."""
    return Outcome(tree=text, found=[(what, path.encode()) for what, path in found])


def raises(kind, path, reason, *found):
    """The outcome that is an error; findings may come before it."""
    path = path if isinstance(path, bytes) else path.encode()
    return Outcome(error=Error(kind, path, reason), found=[(what, place.encode()) for what, place in found])


def case(name, *layers, default, strict=None, lenient=None, replace=None, disk=None, skipped=()):
    """Add a case to the table: a row for each policy."""
    layers = [layer if isinstance(layer, bytes) else tar(*layer) for layer in layers]
    skipped = [(what, path.encode()) for what, path in skipped]
    for policy, special in (("default", default), ("strict", strict), ("lenient", lenient), ("replace", replace)):
        if policy != "replace" or special is not None:
            own = policy == "default" or special is not None
            row = Row(f"{name}-{policy}", POLICIES[policy], layers, special or default, disk, skipped, own)
            ROWS.append(row)


def twice(path, *found):
    """The error for a name that a layer has twice."""
    return raises(LayerError, path, "has this name twice", *found)


# --- One thing over another: LYR-15, LYR-16 ---------------------------------------------------------------------------

KINDS = {
    "file": (f("x", "new"), "/x file 0644 0:0 T text=new"),
    "directory": (d("x/", 0o700), "/x dir 0700 0:0 T"),
    "symlink": (sym("x", "there"), "/x symlink 0777 0:0 T target=there"),
    "char": (char("x", 1, 3), "/x char 0644 0:0 T device=1:3"),
    "block": (block("x", 8, 1), "/x block 0644 0:0 T device=8:1"),
    "fifo": (fifo("x"), "/x fifo 0644 0:0 T"),
}

for lower, (below, _) in KINDS.items():
    for upper, (above, line) in KINDS.items():
        child = [f("x/child")] if lower == "directory" else []
        kept = "/x/child file 0644 0:0 T text=" if lower == upper == "directory" else ""
        case(f"LYR-16/{upper}-over-{lower}", [below, *child], [above], default=makes(f"{line}\n{kept}"))
    case(
        f"LYR-16/link-over-{lower}",
        [below, f("t", "target")],
        [ln("x", "t")],
        default=makes("/t file 0644 0:0 T text=target\n/x link /t"),
    )
    case(f"WHT-02/whiteout-of-{lower}", [f("a"), below], [wh("x")], default=makes("/a file 0644 0:0 T text="))

case("LYR-18/no-layers", default=makes(""))
case("LYR-18/an-empty-layer", [f("a")], [], default=makes("/a file 0644 0:0 T text="))
case(
    "LYR-06/all-that-a-file-has",
    [f("a", "old", 0o600, uid=1, gid=2, xattrs={b"user.old": b"1"}), f("b", "other")],
    [f("a", "new", 0o4751, uid=3, gid=4, mtime_ns=1, xattrs={b"user.new": b"2"})],
    default=makes("/a file 4751 3:4 0.000000001 text=new xattr.user.new=2\n/b file 0644 0:0 T text=other"),
)
case(
    "LYR-11/names-as-they-come",
    [f(b"a\nb", "1"), f(b"\xff\xfe", "2"), f(b"sp ace", "3"), f(".hidden", "4"), f("...", "5"), f(b"c" * 255, "6")],
    default=makes(
        rf"""
        /a\x0ab file 0644 0:0 T text=1
        /\xff\xfe file 0644 0:0 T text=2
        /sp\x20ace file 0644 0:0 T text=3
        /.hidden file 0644 0:0 T text=4
        /... file 0644 0:0 T text=5
        /{"c" * 255} file 0644 0:0 T text=6
        """
    ),
)
case(
    "LYR-16/a-directory-gives-way-with-all-that-is-below",
    [f("x/a/b/c", "1"), ln("y", "x/a/b/c"), sym("x/l", "a")],
    [f("x", "new")],
    default=makes("/x file 0644 0:0 T text=new\n/y file 0644 0:0 T text=1"),
)

# --- Whiteouts and what their own layer adds --------------------------------------------------------------------------

UP = "/foo file 0644 0:0 T text=up"
case("EDGE-01", [f("foo", "low")], [wh("foo"), f("foo", "up")], default=makes(UP))
case("EDGE-02", [f("foo", "low")], [f("foo", "up"), wh("foo")], default=makes(UP))
case(
    "EDGE-02/link",
    [f("foo", "low"), f("t", "up")],
    [ln("foo", "t"), wh("foo")],
    default=makes("/foo file 0644 0:0 T text=up\n/t link /foo"),
)
D_WITH_B = "/d dir 0755 0:0 T\n/d/b file 0644 0:0 T text="
OLD_D = [d("d/", 0o700, uid=1, xattrs={b"user.old": b""}), f("d/a")]
case("EDGE-02b", OLD_D, [d("d/"), f("d/b"), wh("d")], default=makes(D_WITH_B))
case("EDGE-02b/in-the-middle", OLD_D, [d("d/"), wh("d"), f("d/b")], default=makes(D_WITH_B))
case("EDGE-02b/child-first", OLD_D, [f("d/b"), wh("d"), d("d/")], default=makes(D_WITH_B))
case(
    "EDGE-02b/same-name-below",
    OLD_D,
    [d("d/"), f("d/a", "up"), wh("d")],
    default=makes("/d dir 0755 0:0 T\n/d/a file 0644 0:0 T text=up"),
)
case("EDGE-03", OLD_D, [wh("d"), d("d/"), f("d/b")], default=makes(D_WITH_B))
case(
    "EDGE-03/emptied",
    OLD_D,
    [wh("d"), d("d/")],
    default=makes("/d dir 0755 0:0 T"),
)

ABC = [d("a/", 0o750), d("a/b/"), d("a/b/c/"), f("a/b/c/bar"), f("a/b/x"), f("a/y")]
EXPLICIT = [d("a/"), d("a/b/"), d("a/b/c/"), f("a/b/c/foo")]
FOO = "/a dir 0755 0:0 T\n/a/b dir 0755 0:0 T\n/a/b/c dir 0755 0:0 T\n/a/b/c/foo file 0644 0:0 T text="
IMPLIED_FOO = "/a dir 0750 0:0 T\n/a/b dir 0755 0:0 0\n/a/b/c dir 0755 0:0 0\n/a/b/c/foo file 0644 0:0 T text="
case("EDGE-04", ABC, [*EXPLICIT, opq("a")], default=makes(FOO))
case("WHT-11/opaque-first", ABC, [d("a/"), opq("a"), *EXPLICIT[1:]], default=makes(FOO))
case("WHT-11/opaque-before-its-directory", ABC, [opq("a"), *EXPLICIT], default=makes(FOO))
case("WHT-11/opaque-before-the-file", ABC, [*EXPLICIT[:3], opq("a"), f("a/b/c/foo")], default=makes(FOO))
case("EDGE-04b", ABC, [f("a/b/c/foo"), opq("a")], default=makes(IMPLIED_FOO))
case("EDGE-04b/opaque-first", ABC, [opq("a"), f("a/b/c/foo")], default=makes(IMPLIED_FOO))
TWICE_OPAQUE = makes(IMPLIED_FOO, *[("duplicate", "a/.wh..wh..opq")] * 2)
case(
    "EDGE-04b/opaque-twice",
    ABC,
    [opq("a"), f("a/b/c/foo"), opq("a"), opq("a")],
    default=TWICE_OPAQUE,
    strict=twice("a/.wh..wh..opq"),
)
case(
    "EDGE-04b/nested",
    ABC,
    [opq("a/b/c"), f("a/b/c/foo"), opq("a/b"), opq("a")],
    default=makes(IMPLIED_FOO),
)
case(
    "WHT-09/not-the-directory-itself",
    [d("d/", 0o711, uid=1, xattrs={b"user.x": b"1"}), f("d/a"), f("d/s/b"), f("e")],
    [opq("d")],
    default=makes("/d dir 0711 1:0 T xattr.user.x=1\n/e file 0644 0:0 T text="),
)
case("EDGE-05", [f("x"), f("d/y")], [f("n"), opq()], default=makes("/n file 0644 0:0 T text="))
case("EDGE-05/first", [f("x"), f("d/y")], [opq(), f("n")], default=makes("/n file 0644 0:0 T text="))
case(
    "EDGE-05/keeps-the-root",
    [d("./", 0o700), f("x")],
    [opq()],
    default=makes("/ dir 0700 0:0 T"),
)
O_ = "/o file 0644 0:0 T text="
case("EDGE-06", [f("o")], [opq("missing")], default=makes(O_, ("nothing-hidden", "missing")))
case(
    "EDGE-06/below-a-missing-directory", [f("o")], [opq("no/where")], default=makes(O_, ("nothing-hidden", "no/where"))
)
case("EDGE-06/below-a-file", [f("o")], [opq("o/where")], default=makes(O_, ("nothing-hidden", "o/where")))
case("EDGE-06b", [f("o")], [opq("o")], default=makes(O_, ("nothing-hidden", "o")))
case("EDGE-07", [f("o")], [wh("x")], default=makes(O_, ("nothing-hidden", "x")))
case(
    "EDGE-07/twice",
    [f("o"), f("x")],
    [wh("x"), wh("x")],
    default=makes(O_, ("duplicate", ".wh.x")),
    strict=twice(".wh.x"),
)
case("EDGE-07b", [f("o")], [wh("nodir/x")], default=makes(O_, ("nothing-hidden", "nodir/x")))
case("EDGE-07b/below-a-file", [f("o")], [wh("o/x")], default=makes(O_, ("nothing-hidden", "o/x")))
case("EDGE-08", [f("x/a"), f("x/b/c")], [f("x", "1")], default=makes("/x file 0644 0:0 T text=1"))
case("EDGE-09", [f("x")], [d("x/"), f("x/a")], default=makes("/x dir 0755 0:0 T\n/x/a file 0644 0:0 T text="))
case(
    "EDGE-28",
    [f("foo/bar"), f("foo/baz")],
    [wh("foo"), wh("foo/bar")],
    default=makes(""),
)
case("EDGE-28/child-first", [f("foo/bar"), f("foo/baz")], [wh("foo/bar"), wh("foo")], default=makes(""))
NEW_P = "/p dir 0755 0:0 0\n/p/new file 0644 0:0 T text="
OLD_P = [d("p/", 0o700, uid=1, gid=2, xattrs={b"user.old": b"1"}), f("p/old"), f("p/s/old")]
case("EDGE-29", OLD_P, [wh("p"), f("p/new")], default=makes(NEW_P))
case("EDGE-30", OLD_P, [f("p/new"), wh("p")], default=makes(NEW_P))
case(
    "EDGE-30/twice",
    OLD_P,
    [f("p/new"), wh("p"), wh("p")],
    default=makes(NEW_P, ("duplicate", ".wh.p")),
    strict=twice(".wh.p"),
)
case("EDGE-30/opaque-too", OLD_P, [f("p/new"), opq("p"), wh("p")], default=makes(NEW_P))
case("EDGE-30/child-too", OLD_P, [f("p/new"), wh("p/old"), wh("p")], default=makes(NEW_P))
case(
    "EDGE-30/below-a-described-directory",
    [d("p/", 0o700), d("p/s/", 0o700), f("p/s/old")],
    [d("p/", 0o711), f("p/s/new"), wh("p")],
    default=makes("/p dir 0711 0:0 T\n/p/s dir 0755 0:0 0\n/p/s/new file 0644 0:0 T text="),
)
case(
    "EDGE-31",
    [f("foo"), wh("foo"), wh("bar"), f("bar")],
    default=makes(
        "/bar file 0644 0:0 T text=\n/foo file 0644 0:0 T text=", ("nothing-hidden", "foo"), ("nothing-hidden", "bar")
    ),
)
case(
    "WHT-12",
    [f("d/a"), f("d/s/b"), f("d/s/c")],
    [wh("d"), f("d/s/c", "up")],
    default=makes("/d dir 0755 0:0 0\n/d/s dir 0755 0:0 0\n/d/s/c file 0644 0:0 T text=up"),
)
case(
    "WHT-06/only-what-is-below",
    [f("a", "0"), f("b", "0")],
    [wh("a")],
    [f("a", "2")],
    [f("c", "3"), wh("b")],
    default=makes("/a file 0644 0:0 T text=2\n/c file 0644 0:0 T text=3"),
)
case(
    "WHT-06/a-file-that-became-a-directory",
    [f("x", "low")],
    [d("x/"), wh("x"), f("x/a"), wh("x/a"), opq("x")],
    default=makes("/x dir 0755 0:0 T\n/x/a file 0644 0:0 T text=", ("nothing-hidden", "x/a"), ("nothing-hidden", "x")),
)
case(
    "WHT-06/a-directory-that-became-a-file",
    [f("x/a", "low")],
    [f("x", "up"), wh("x"), wh("x/a"), opq("x")],
    default=makes("/x file 0644 0:0 T text=up"),
)
case(
    "WHT-02/one-name-of-two",
    [f("a", "1"), ln("b", "a")],
    [wh("a")],
    default=makes("/b file 0644 0:0 T text=1"),
)
case(
    "WHT-04/a-name-that-only-contains-the-prefix",
    [f("a.wh.b", "1"), f("wh.c", "2"), f(".whd", "3")],
    default=makes("/a.wh.b file 0644 0:0 T text=1\n/wh.c file 0644 0:0 T text=2\n/.whd file 0644 0:0 T text=3"),
)
case("WHT-01/of-three-dots", [f("...")], [entry(".wh....")], default=makes(""))

# --- Parents ----------------------------------------------------------------------------------------------------------

P_A = "/p dir 0755 0:0 0\n/p/a file 0644 0:0 T text="
USED = ("file-as-directory", "p")
USED_ERROR = raises(LayerError, "p", "used as a directory")
case("EDGE-10", [f("p", "x")], [f("p/a")], default=makes(P_A, USED), strict=USED_ERROR)
case("EDGE-10/same-layer", [f("p", "x"), f("p/a")], default=makes(P_A, USED), strict=USED_ERROR)
case("EDGE-10/fifo", [fifo("p")], [f("p/a")], default=makes(P_A, USED), strict=USED_ERROR)
case("EDGE-10/removed-too", [f("p", "x")], [wh("p"), f("p/a")], default=makes(P_A))
case("EDGE-10/removed-after", [f("p", "x")], [f("p/a"), wh("p")], default=makes(P_A, USED), strict=USED_ERROR)
case(
    "EDGE-11",
    [f("a/b/c")],
    default=makes("/a dir 0755 0:0 0\n/a/b dir 0755 0:0 0\n/a/b/c file 0644 0:0 T text="),
)
case(
    "EDGE-11/there-below",
    [d("a/", 0o2710, uid=1, gid=2, xattrs={b"user.k": b"v"}), f("a/old")],
    [f("a/b/c")],
    default=makes(
        """
        /a dir 2710 1:2 T xattr.user.k=v
        /a/old file 0644 0:0 T text=
        /a/b dir 0755 0:0 0
        /a/b/c file 0644 0:0 T text=
        """
    ),
)
case(
    "EDGE-11/described-later",
    [f("a/b"), d("a/", 0o700)],
    default=makes("/a dir 0700 0:0 T\n/a/b file 0644 0:0 T text="),
)
case(
    "EDGE-27",
    [d("p/", mtime_ns=5), f("p/a")],
    [f("p/b"), wh("p/a")],
    default=makes("/p dir 0755 0:0 0.000000005\n/p/b file 0644 0:0 T text="),
)


def linked(target, at="l"):
    """A lower layer with a directory `d` and a link to it."""
    return [d("d/", 0o700), f("d/old"), sym(at, target)]


def through(target, at="l"):
    """What is there when `f` came through the link."""
    return f"""
        /d dir 0700 0:0 T
        /d/f file 0644 0:0 T text=
        /d/old file 0644 0:0 T text=
        /{at} symlink 0777 0:0 T target={target}
    """


REPLACED = """
    /d dir 0700 0:0 T
    /d/old file 0644 0:0 T text=
    /l dir 0755 0:0 0
    /l/f file 0644 0:0 T text=
"""
for spelling, target in {"": "d", "/absolute": "/d", "/roundabout": "./d/../d/.", "/slashes": "d///"}.items():
    case(
        f"EDGE-12{spelling}",
        linked(target),
        [f("l/f")],
        default=makes(through(target)),
        replace=makes(REPLACED, ("file-as-directory", "l")),
    )
case(
    "EDGE-12/up",
    linked("../d", "s/l"),
    [f("s/l/f")],
    default=makes(through("../d", "s/l")),
)
case(
    "EDGE-12/beside",
    [*linked("d"), d("s/"), d("s/d/"), sym("s/l", "d")],
    [f("s/l/f")],
    default=makes(
        """
        /d dir 0700 0:0 T
        /d/old file 0644 0:0 T text=
        /l symlink 0777 0:0 T target=d
        /s dir 0755 0:0 T
        /s/d dir 0755 0:0 T
        /s/d/f file 0644 0:0 T text=
        /s/l symlink 0777 0:0 T target=d
        """
    ),
)
case(
    "EDGE-12/chain",
    [*linked("d", "m"), sym("l", "m")],
    [f("l/f")],
    default=makes(through("d", "m") + "/l symlink 0777 0:0 T target=m"),
    replace=makes(
        REPLACED + "/m symlink 0777 0:0 T target=d",
        ("file-as-directory", "l"),
    ),
)
case(
    "EDGE-12/through-the-same-layer",
    [*linked("d"), f("l/f")],
    default=makes(through("d")),
)
case(
    "EDGE-12/re-pointed",
    [d("d/"), d("e/"), sym("l", "d")],
    [f("l/a"), sym("l", "e"), f("l/b")],
    default=makes(
        """
        /d dir 0755 0:0 T
        /d/a file 0644 0:0 T text=
        /e dir 0755 0:0 T
        /e/b file 0644 0:0 T text=
        /l symlink 0777 0:0 T target=e
        """
    ),
)
case(
    "EDGE-12/to-the-root",
    [sym("l", "/"), sym("s/m", "..")],
    [f("l/a"), f("s/m/b")],
    default=makes(
        """
        /a file 0644 0:0 T text=
        /b file 0644 0:0 T text=
        /l symlink 0777 0:0 T target=/
        /s dir 0755 0:0 0
        /s/m symlink 0777 0:0 T target=..
        """
    ),
)
case(
    "EDGE-12/to-a-file",
    [f("p"), sym("l", "p")],
    [f("l/a")],
    default=makes(P_A + "\n/l symlink 0777 0:0 T target=p", USED),
    strict=USED_ERROR,
)
case(
    "EDGE-12/below-a-file",
    [f("p"), sym("l", "p/")],
    [f("l/a")],
    default=makes(P_A + "\n/l symlink 0777 0:0 T target=p/", USED),
    strict=USED_ERROR,
)
case(
    "EDGE-12b",
    linked("d"),
    [d("l/"), f("l/f")],
    default=makes(
        """
        /d dir 0700 0:0 T
        /d/old file 0644 0:0 T text=
        /l dir 0755 0:0 T
        /l/f file 0644 0:0 T text=
        """
    ),
)
case(
    "EDGE-12b/opaque",
    linked("d"),
    [d("l/"), opq("l")],
    default=makes("/d dir 0700 0:0 T\n/d/old file 0644 0:0 T text=\n/l dir 0755 0:0 T"),
)
case(
    "EDGE-12b/followed-first",
    linked("d"),
    [f("l/f"), d("l/")],
    default=makes("/d dir 0700 0:0 T\n/d/f file 0644 0:0 T text=\n/d/old file 0644 0:0 T text=\n/l dir 0755 0:0 T"),
)
case(
    "EDGE-12c",
    [sym("l", "../../outside")],
    [f("l/f")],
    default=makes(
        "/l symlink 0777 0:0 T target=../../outside\n/outside dir 0755 0:0 0\n/outside/f file 0644 0:0 T text=",
        ("climbing-link", "l"),
    ),
    strict=raises(LayerError, "l", "above the root"),
    replace=makes("/l dir 0755 0:0 0\n/l/f file 0644 0:0 T text=", ("file-as-directory", "l")),
)
case(
    "EDGE-12c/after-a-detour",
    [d("d/"), sym("d/l", "/d/../../../etc")],
    [f("d/l/f"), f("d/l/g")],
    default=makes(
        """
        /d dir 0755 0:0 T
        /d/l symlink 0777 0:0 T target=/d/../../../etc
        /etc dir 0755 0:0 0
        /etc/f file 0644 0:0 T text=
        /etc/g file 0644 0:0 T text=
        """,
        ("climbing-link", "d/l"),
    ),
    strict=raises(LayerError, "d/l", "above the root"),
)
case(
    "EDGE-12d",
    [sym("l", "no/where")],
    [f("l/f"), f("l/g")],
    default=makes(
        """
        /l symlink 0777 0:0 T target=no/where
        /no dir 0755 0:0 0
        /no/where dir 0755 0:0 0
        /no/where/f file 0644 0:0 T text=
        /no/where/g file 0644 0:0 T text=
        """
    ),
)
case(
    "EDGE-12d/and-up-again",
    [sym("l", "no/../d/./x"), sym("m", "a//b/../../c")],
    [f("l/f"), f("m/g")],
    default=makes(
        """
        /c dir 0755 0:0 0
        /c/g file 0644 0:0 T text=
        /d dir 0755 0:0 0
        /d/x dir 0755 0:0 0
        /d/x/f file 0644 0:0 T text=
        /l symlink 0777 0:0 T target=no/../d/./x
        /m symlink 0777 0:0 T target=a//b/../../c
        """
    ),
)
LOOP = "/a symlink 0777 0:0 T target=b\n/b symlink 0777 0:0 T target=a"
case(
    "EDGE-12d/past-a-file",
    [f("p"), sym("l", "p/../d/no/../.."), sym("m", "p/no/../../d"), f("d/x"), f("d/y")],
    [f("l/f"), ln("h", "m/x"), wh("m/y")],
    default=makes(
        """
        /d dir 0755 0:0 0
        /d/x file 0644 0:0 T text=
        /f file 0644 0:0 T text=
        /h link /d/x
        /l symlink 0777 0:0 T target=p/../d/no/../..
        /m symlink 0777 0:0 T target=p/no/../../d
        /p file 0644 0:0 T text=
        """
    ),
)
case(
    "EDGE-12e",
    [sym("a", "b"), sym("b", "a")],
    [f("a/f")],
    default=raises(LinkError, "a", "perhaps a loop"),
    lenient=makes(LOOP, ("refused", "a/f")),
    replace=makes(
        "/a dir 0755 0:0 0\n/a/f file 0644 0:0 T text=\n/b symlink 0777 0:0 T target=a", ("file-as-directory", "a")
    ),
)
case(
    "EDGE-12e/itself",
    [sym("a", "a/x")],
    [f("a/f")],
    default=raises(LinkError, "a", "perhaps a loop"),
    lenient=makes("/a symlink 0777 0:0 T target=a/x", ("refused", "a/f")),
)
case(
    "EDGE-12e/marker",
    [sym("a", "b"), sym("b", "a")],
    [wh("a/f"), opq("b")],
    default=raises(LinkError, "a", "perhaps a loop"),
    lenient=makes(LOOP, ("refused", "a/f"), ("refused", "b")),
)
case(
    "EDGE-12e/hard-link",
    [sym("a", "b"), sym("b", "a")],
    [ln("h", "a/f")],
    default=raises(LinkError, "h", "perhaps a loop: 'a/f'"),
    lenient=makes(LOOP, ("refused", "h")),
)
LINK_D = "/l symlink 0777 0:0 T target=/d"
NOT_FOLLOWED = "/d dir 0755 0:0 T\n/d/x file 0644 0:0 T text=\n/d/y file 0644 0:0 T text=\n" + LINK_D
D_XY = [d("d/"), f("d/x"), f("d/y"), sym("l", "/d")]
case(
    "EDGE-12f",
    D_XY,
    [wh("l/x")],
    default=makes("/d dir 0755 0:0 T\n/d/y file 0644 0:0 T text=\n" + LINK_D),
    replace=makes(NOT_FOLLOWED, ("nothing-hidden", "l/x")),
)
case(
    "EDGE-12f/opaque",
    D_XY,
    [opq("l")],
    default=makes("/d dir 0755 0:0 T\n" + LINK_D),
    replace=makes(NOT_FOLLOWED, ("nothing-hidden", "l")),
)
case(
    "EDGE-12f/keeps-what-came-by-the-other-name",
    D_XY,
    [f("d/x", "up"), opq("l"), wh("l/x")],
    default=makes("/d dir 0755 0:0 T\n/d/x file 0644 0:0 T text=up\n" + LINK_D),
)
case(
    "EDGE-12f/climbing",
    [f("x"), sym("l", "..")],
    [wh("l/x")],
    default=makes("/l symlink 0777 0:0 T target=..", ("climbing-link", "l")),
    strict=raises(LayerError, "l", "above the root"),
)
for order, layer in {"first": [wh("l/x"), ln("h", "d/x")], "last": [ln("h", "d/x"), wh("l/x")]}.items():
    case(
        f"EDGE-12f/{order}-of-what-the-layer-links",
        D_XY,
        layer,
        default=makes("/d dir 0755 0:0 T\n/d/y file 0644 0:0 T text=\n/h file 0644 0:0 T text=\n" + LINK_D),
    )
case(
    "EDGE-12f/the-link-itself",
    [f("d/x"), sym("l", "d")],
    [wh("l")],
    default=makes("/d dir 0755 0:0 0\n/d/x file 0644 0:0 T text="),
)

# What cannot be free of order: removed and followed in one layer.
case(
    "WHT-07/link-removed-and-then-followed",
    linked("d"),
    [wh("l"), f("l/f")],
    default=makes(REPLACED, ("order", "l")),
    replace=makes(REPLACED),
)
case(
    "WHT-07/link-followed-and-then-removed",
    linked("d"),
    [f("l/f"), wh("l")],
    default=makes("/d dir 0700 0:0 T\n/d/f file 0644 0:0 T text=\n/d/old file 0644 0:0 T text=", ("order", "l")),
    replace=makes(REPLACED, ("file-as-directory", "l")),
)
case(
    "WHT-07/link-removed-with-its-directory-and-then-followed",
    linked("../d", "p/q/l"),
    [wh("p"), f("p/q/l/f")],
    default=makes(
        """
        /d dir 0700 0:0 T
        /d/old file 0644 0:0 T text=
        /p dir 0755 0:0 0
        /p/q dir 0755 0:0 0
        /p/q/l dir 0755 0:0 0
        /p/q/l/f file 0644 0:0 T text=
        """,
        ("order", "p/q/l"),
    ),
)
case(
    "WHT-07/link-followed-and-then-removed-with-its-directory",
    linked("/d", "p/q/l"),
    [f("p/q/l/f"), wh("p")],
    default=makes("/d dir 0700 0:0 T\n/d/f file 0644 0:0 T text=\n/d/old file 0644 0:0 T text=", ("order", "p")),
)
case(
    "WHT-07/link-followed-and-then-hidden",
    linked("../d", "p/l"),
    [f("p/l/f"), f("p/new"), opq("p")],
    default=makes(
        """
        /d dir 0700 0:0 T
        /d/f file 0644 0:0 T text=
        /d/old file 0644 0:0 T text=
        /p dir 0755 0:0 0
        /p/new file 0644 0:0 T text=
        """,
        ("order", "p"),
    ),
)
OWN_LINK = [d("d/"), f("d/x")], "/d dir 0755 0:0 T\n/l symlink 0777 0:0 T target=d"
case(
    "WHT-07/marker-behind-its-own-link",
    OWN_LINK[0],
    [sym("l", "d"), wh("l/x")],
    default=makes(OWN_LINK[1] + "\n/d/x file 0644 0:0 T text=", ("nothing-hidden", "l/x")),
)
case(
    "WHT-07/marker-behind-its-own-link-and-others",
    OWN_LINK[0],
    [sym("l", "d"), f("l/y"), wh("l/x"), opq("l")],
    default=makes(
        OWN_LINK[1] + "\n/d/x file 0644 0:0 T text=\n/d/y file 0644 0:0 T text=",
        ("nothing-hidden", "l/x"),
        ("nothing-hidden", "l"),
    ),
)
case(
    "WHT-07/marker-before-its-own-link",
    OWN_LINK[0],
    [wh("l/x"), sym("l", "d")],
    default=makes(OWN_LINK[1] + "\n/d/x file 0644 0:0 T text=", ("nothing-hidden", "l/x")),
)
KEPT = "/a symlink 0777 0:0 T target=b\n/b dir 0755 0:0 T\n/b/a file 0644 0:0 T text=2"
A_B = [d("a/"), f("a/a", "1"), d("b/"), f("b/a", "2")]
case("WHT-07/marker-behind-the-link-in-place-of-its-directory", A_B, [sym("a", "b"), wh("a/a")], default=makes(KEPT))
case("WHT-07/marker-before-the-link-in-place-of-its-directory", A_B, [wh("a/a"), sym("a", "b")], default=makes(KEPT))
case("WHT-07/opaque-behind-the-link-in-place-of-its-directory", A_B, [sym("a", "b"), opq("a")], default=makes(KEPT))
REPLACED_LINK = "/d dir 0755 0:0 T\n/d/x file 0644 0:0 T text=\n/l dir 0755 0:0 T\n/l/y file 0644 0:0 T text="
D_L = [d("d/"), f("d/x"), sym("l", "d")]
for number, layer in enumerate(itertools.permutations([opq("l"), d("l/"), f("l/y")])):
    if layer.index(d("l/")) < layer.index(f("l/y")):
        case(f"WHT-07/opaque-directory-in-place-of-a-link/{number}", D_L, layer, default=makes(REPLACED_LINK))
case(
    "WHT-07/marker-of-a-link-and-marker-behind-it",
    D_L,
    [wh("l"), wh("l/x")],
    default=makes("/d dir 0755 0:0 T"),
    replace=makes("/d dir 0755 0:0 T\n/d/x file 0644 0:0 T text=", ("nothing-hidden", "l/x")),
)
case(
    "WHT-07/marker-behind-a-link-and-marker-of-the-link",
    D_L,
    [wh("l/x"), wh("l")],
    default=makes("/d dir 0755 0:0 T"),
    replace=makes("/d dir 0755 0:0 T\n/d/x file 0644 0:0 T text=", ("nothing-hidden", "l/x")),
)
case(
    "WHT-07/linked-replaced-and-then-removed",
    [f("f", "old")],
    [ln("h", "f"), f("f", "new"), wh("f")],
    default=makes("/f file 0644 0:0 T text=new\n/h file 0644 0:0 T text=old", ("order", "f")),
)
case(
    "WHT-07/link-followed-replaced-and-then-removed",
    D_L,
    [f("l/y"), d("l/"), wh("l")],
    default=makes(
        "/d dir 0755 0:0 T\n/d/x file 0644 0:0 T text=\n/d/y file 0644 0:0 T text=\n/l dir 0755 0:0 T", ("order", "l")
    ),
    replace=makes(
        "/d dir 0755 0:0 T\n/d/x file 0644 0:0 T text=\n/l dir 0755 0:0 T\n/l/y file 0644 0:0 T text=",
        ("file-as-directory", "l"),
    ),
)
ON_THE_WAY = """
    /d dir 0755 0:0 0
    /d/f file 0644 0:0 T text=
    /l symlink 0777 0:0 T target=no/../d
"""
case(
    "WHT-07/passed-and-then-removed",
    [f("no/x"), sym("l", "no/../d")],
    [f("l/f"), wh("no")],
    default=makes(ON_THE_WAY),
)
case(
    "WHT-07/removed-and-then-passed",
    [f("no/x"), sym("l", "no/../d")],
    [wh("no"), f("l/f")],
    default=makes(ON_THE_WAY),
)
case(
    "WHT-07/removed-twice-and-implied",
    [f("p/s/x"), sym("p/l", "s")],
    [wh("p/l"), wh("p"), f("p/s/y"), f("p/t/y")],
    default=makes(
        """
        /p dir 0755 0:0 0
        /p/s dir 0755 0:0 0
        /p/s/y file 0644 0:0 T text=
        /p/t dir 0755 0:0 0
        /p/t/y file 0644 0:0 T text=
        """
    ),
)

# --- Hard links -------------------------------------------------------------------------------------------------------

NO_TARGET = raises(LinkError, "h", "no file 'f' to link to")
FH = "/f file 0600 7:8 T text=x xattr.user.k=v\n/h link /f"
LOW_F = [f("f", "x", 0o600, uid=7, gid=8, xattrs={b"user.k": b"v"})]
case(
    "EDGE-13",
    LOW_F,
    [ln("h", "f", mode=0o777, uid=5, gid=5, mtime_ns=3, xattrs={b"user.other": b""})],
    default=makes(FH),
)
case("EDGE-13/same-layer", [*LOW_F, ln("h", "f")], default=makes(FH))
case("EDGE-13/replaces", LOW_F, [f("h", "old")], [ln("h", "f")], default=makes(FH))
case("EDGE-13/again", [*LOW_F, ln("h", "f")], [ln("h", "f"), ln("f", "h")], default=makes(FH))
case(
    "EDGE-13b",
    [f("f")],
    [wh("f"), ln("h", "f")],
    default=NO_TARGET,
    lenient=makes("", ("refused", "h"), ("order", "h")),
)
case("EDGE-13c", [f("f", "x")], [ln("h", "f"), wh("f")], default=makes("/h file 0644 0:0 T text=x", ("order", "f")))
case(
    "EDGE-13c/with-its-directory",
    [f("d/f", "x")],
    [ln("h", "d/f"), wh("d")],
    default=makes("/h file 0644 0:0 T text=x", ("order", "d")),
)
case(
    "EDGE-13c/both-of-this-layer",
    [f("f", "low")],
    [f("f", "x"), ln("h", "f"), wh("f"), wh("h")],
    default=makes("/f file 0644 0:0 T text=x\n/h link /f", ("nothing-hidden", "h")),
)
OLD_NEW = "/f file 0644 0:0 T text=new\n/h file 0644 0:0 T text=old"
case("EDGE-13d", [f("f", "old")], [ln("h", "f"), f("f", "new")], default=makes(OLD_NEW))
case(
    "EDGE-13d/replaced-before",
    [f("f", "old")],
    [f("f", "new"), ln("h", "f")],
    default=makes("/f file 0644 0:0 T text=new\n/h link /f"),
)
case("EDGE-13e", [f("f", "old"), ln("h", "f")], [f("f", "new")], default=makes(OLD_NEW))
case(
    "EDGE-13e/three",
    [f("f", "old"), ln("g", "f"), ln("h", "g")],
    [sym("f", "g")],
    default=makes("/f symlink 0777 0:0 T target=g\n/g file 0644 0:0 T text=old\n/h link /g"),
)
case(
    "EDGE-14",
    [sym("s", "nowhere")],
    [ln("h", "s", mode=0o777)],
    default=makes("/h symlink 0777 0:0 T target=nowhere\n/s link /h"),
)
case(
    "EDGE-14/symlink-to-a-directory",
    [f("d/x"), sym("s", "d")],
    [ln("h", "s"), f("h/y")],
    default=makes(
        """
        /d dir 0755 0:0 0
        /d/x file 0644 0:0 T text=
        /d/y file 0644 0:0 T text=
        /h symlink 0777 0:0 T target=d
        /s link /h
        """
    ),
)
case("EDGE-14/fifo", [fifo("s")], [ln("h", "s")], default=makes("/h fifo 0644 0:0 T\n/s link /h"))
case("EDGE-14/device", [char("s")], [ln("h", "s")], default=makes("/h char 0644 0:0 T device=1:3\n/s link /h"))
F_AND_H = "/f file 0644 0:0 T text=x\n/h link /f"
case("EDGE-14b", [ln("h", "f"), f("f", "x")], default=NO_TARGET, lenient=makes(F_AND_H))
case(
    "EDGE-14b/chain",
    [ln("a", "b"), ln("b", "c"), ln("c", "f"), f("f", "x")],
    default=raises(LinkError, "a", "no file 'b'"),
    lenient=makes("/a file 0644 0:0 T text=x\n/b link /a\n/c link /a\n/f link /a"),
)
case(
    "EDGE-14b/implies-its-parents",
    [ln("p/q/h", "f"), f("f", "x")],
    default=raises(LinkError, "p/q/h", "no file 'f'"),
    lenient=makes("/f file 0644 0:0 T text=x\n/p dir 0755 0:0 0\n/p/q dir 0755 0:0 0\n/p/q/h link /f"),
)
case(
    "EDGE-14b/to-a-directory",
    [ln("h", "d"), d("d/")],
    default=raises(LinkError, "h", "no file 'd'"),
    lenient=makes("/d dir 0755 0:0 T", ("refused", "h")),
)
case(
    "EDGE-14b/loop",
    [ln("a", "b"), ln("b", "a"), f("f")],
    default=raises(LinkError, "a", "no file 'b'"),
    lenient=makes("/f file 0644 0:0 T text=", ("refused", "a"), ("refused", "b")),
)
case(
    "EDGE-14b/a-later-entry-of-its-name",
    [ln("h", "f"), f("h", "own"), f("f", "x")],
    default=NO_TARGET,
    lenient=makes("/f file 0644 0:0 T text=x\n/h file 0644 0:0 T text=own", ("duplicate", "h")),
)
case(
    "EDGE-14b/a-later-link-of-its-name",
    [ln("h", "f"), f("g", "y"), ln("h", "g"), f("f", "x")],
    default=NO_TARGET,
    lenient=makes("/f file 0644 0:0 T text=x\n/g file 0644 0:0 T text=y\n/h link /g", ("duplicate", "h")),
)
case(
    "EDGE-14b/an-earlier-entry-of-its-name",
    [f("h", "own"), ln("h", "f"), f("f", "x")],
    default=NO_TARGET,
    lenient=makes(F_AND_H, ("duplicate", "h")),
)
case(
    "EDGE-14b/hidden-meanwhile",
    [f("h", "low"), d("p/", 0o700), f("p/low")],
    [ln("h", "f"), ln("p/h", "f"), wh("h"), wh("p"), f("f", "x")],
    default=NO_TARGET,
    lenient=makes("/f file 0644 0:0 T text=x\n/h link /f\n/p dir 0755 0:0 0\n/p/h link /f"),
)
for spelling, target in {"absolute": "/f", "dot": "./f", "up": "x/../f", "slash": "f/", "slashes": ".//f"}.items():
    case(f"EDGE-14c/{spelling}", [f("f", "x")], [ln("h", target)], default=makes(F_AND_H))
case(
    "EDGE-14c",
    [f("f", "x")],
    [ln("d/h", "f")],
    default=makes("/d dir 0755 0:0 0\n/d/h file 0644 0:0 T text=x\n/f link /d/h"),
)
case(
    "EDGE-14d",
    [f("f", "x")],
    [ln("h", "../f")],
    default=makes(F_AND_H, ("climbing-link", "h")),
    strict=raises(UnsafePathError, "h", "the target climbs above the root"),
)
case(
    "EDGE-14e/directory",
    [d("d/"), f("x")],
    [f("h", "kept"), ln("h", "d")],
    default=raises(LinkError, "h", "a hard link to a directory: 'd'"),
    lenient=makes("/d dir 0755 0:0 T\n/h file 0644 0:0 T text=kept\n/x file 0644 0:0 T text=", ("refused", "h")),
)
case(
    "EDGE-14e/root",
    [ln("h", "/")],
    default=raises(LinkError, "h", "a hard link to a directory: '/'"),
    lenient=makes("", ("refused", "h")),
)
case(
    "EDGE-14e/missing",
    [f("h")],
    [ln("h", "f")],
    default=NO_TARGET,
    lenient=makes("/h file 0644 0:0 T text=", ("refused", "h")),
)
case(
    "EDGE-14e/missing-directory",
    [ln("h", "no/f")],
    default=raises(LinkError, "h", "no file 'no/f'"),
    lenient=makes("", ("refused", "h")),
)
case(
    "EDGE-14e/below-a-file",
    [f("f"), ln("h", "f/g")],
    default=raises(LinkError, "h", "no file 'f/g'"),
    lenient=makes("/f file 0644 0:0 T text=", ("refused", "h")),
)
case(
    "EDGE-14e",
    [f("f", "x")],
    [ln("f", "f")],
    default=raises(LinkError, "f", "a hard link to itself"),
    lenient=makes("/f file 0644 0:0 T text=x", ("refused", "f")),
)
case(
    "EDGE-14e/self-of-this-layer",
    [f("f", "x"), ln("f", "f")],
    default=raises(LinkError, "f", "a hard link to itself"),
    lenient=makes("/f file 0644 0:0 T text=x", ("refused", "f")),
)
case(
    "EDGE-14e/self-by-another-way",
    [f("d/f", "x"), sym("l", "d")],
    [ln("l/f", "d/f")],
    default=raises(LinkError, "d/f", "a hard link to itself"),
    lenient=makes("/d dir 0755 0:0 0\n/d/f file 0644 0:0 T text=x\n/l symlink 0777 0:0 T target=d", ("refused", "l/f")),
)
case(
    "EDGE-14e/in-the-directory-that-it-replaces",
    [f("d/e/f", "x")],
    [ln("d", "d/e/f")],
    default=raises(LinkError, "d", "the directory that it replaces"),
    lenient=makes("/d dir 0755 0:0 0\n/d/e dir 0755 0:0 0\n/d/e/f file 0644 0:0 T text=x", ("refused", "d")),
)
case(
    "EDGE-14e/beside-a-directory-of-almost-that-name",
    [f("d-/f", "x"), f("d/g")],
    [ln("d", "d-/f")],
    default=makes("/d file 0644 0:0 T text=x\n/d- dir 0755 0:0 0\n/d-/f link /d"),
)
case(
    "EDGE-14e/below-itself",
    [f("f", "x")],
    [ln("f/h", "f")],
    default=raises(LinkError, "f/h", "a file that it uses as a directory"),
    lenient=makes("/f file 0644 0:0 T text=x", ("refused", "f/h")),
)
case(
    "EDGE-14f",
    [f("d/f", "x"), sym("l", "d")],
    [ln("h", "l/f")],
    default=makes(
        "/d dir 0755 0:0 0\n/d/f file 0644 0:0 T text=x\n/h link /d/f\n/l symlink 0777 0:0 T target=d",
    ),
    replace=raises(LinkError, "h", "no file 'l/f'"),
)
case(
    "EDGE-14f/and-its-own-parent",
    [f("f", "x"), d("d/"), sym("l", "/d")],
    [ln("l/h", "f")],
    default=makes("/d dir 0755 0:0 T\n/d/h file 0644 0:0 T text=x\n/f link /d/h\n/l symlink 0777 0:0 T target=/d"),
    replace=makes(
        "/d dir 0755 0:0 T\n/f file 0644 0:0 T text=x\n/l dir 0755 0:0 0\n/l/h link /f", ("file-as-directory", "l")
    ),
)

# --- Names that come twice --------------------------------------------------------------------------------------------


def twice(path):
    """What the strict policy says of a name that comes twice."""
    return raises(LayerError, path, "twice (LYR-02)")


A2 = "/a file 0644 0:0 T text=2"
case("EDGE-15", [f("a", "1"), f("a", "2")], default=makes(A2, ("duplicate", "a")), strict=twice("a"))
case(
    "EDGE-15/spelt-otherwise",
    [f("a", "1"), f("./x/../a", "2")],
    default=makes(A2, ("duplicate", "a")),
    strict=twice("a"),
)
case(
    "EDGE-15/by-another-way",
    [d("d/"), sym("l", "d")],
    [f("d/a", "1"), f("l/a", "2")],
    default=makes(
        "/d dir 0755 0:0 T\n/d/a file 0644 0:0 T text=2\n/l symlink 0777 0:0 T target=d", ("duplicate", "d/a")
    ),
    strict=twice("d/a"),
)
case(
    "EDGE-15/link",
    [f("a", "1"), f("b", "2"), ln("b", "a")],
    default=makes("/a file 0644 0:0 T text=1\n/b link /a", ("duplicate", "b")),
    strict=twice("b"),
)
case(
    "EDGE-15/three",
    [f("a", "0"), sym("a", "1"), f("a", "2")],
    default=makes(A2, ("duplicate", "a"), ("duplicate", "a")),
    strict=twice("a"),
)
case(
    "EDGE-15/not-across-layers",
    [f("a", "1"), d("d/")],
    [f("a", "2"), d("d/")],
    default=makes(A2 + "\n/d dir 0755 0:0 T"),
)
case(
    "EDGE-15b",
    [d("d/", 0o700), f("d/a"), d("d", 0o711)],
    default=makes("/d dir 0711 0:0 T\n/d/a file 0644 0:0 T text=", ("duplicate", "d")),
    strict=twice("d"),
)
case(
    "EDGE-15c",
    [d("x/"), f("x/a"), f("x", "1")],
    default=makes("/x file 0644 0:0 T text=1", ("duplicate", "x")),
    strict=twice("x"),
)
case(
    "EDGE-15c/implied-then-file",
    [f("x/a"), f("x", "1")],
    default=makes("/x file 0644 0:0 T text=1", ("duplicate", "x")),
    strict=twice("x"),
)
case(
    "EDGE-15c/file-then-directory",
    [f("x", "1"), d("x/"), f("x/a")],
    default=makes("/x dir 0755 0:0 T\n/x/a file 0644 0:0 T text=", ("duplicate", "x")),
    strict=twice("x"),
)
case(
    "EDGE-15c/directory-file-directory",
    [d("x/", 0o700), f("x/a"), f("x", "1"), d("x/"), f("x/a", "again")],
    default=makes(
        "/x dir 0755 0:0 T\n/x/a file 0644 0:0 T text=again",
        ("duplicate", "x"),
        ("duplicate", "x"),
        ("duplicate", "x/a"),
    ),
    strict=twice("x"),
)

case(
    "EDGE-15c/directory-file-implied-directory",
    [d("x/", 0o700), f("x", "1"), f("x/a"), d("x/")],
    default=makes(
        "/x dir 0755 0:0 T\n/x/a file 0644 0:0 T text=",
        ("duplicate", "x"),
        ("file-as-directory", "x"),
        ("duplicate", "x"),
    ),
    strict=twice("x"),
)

# --- The root ---------------------------------------------------------------------------------------------------------

ROOT = d("./", 0o1711, uid=1, gid=2, mtime_ns=5, xattrs={b"user.r": b"1"})
ROOT_LINE = "/ dir 1711 1:2 0.000000005 xattr.user.r=1"
case("EDGE-16", [ROOT], default=makes(ROOT_LINE))
case(
    "EDGE-16/after-others",
    [f("a"), d("/", 0o1711, uid=1, gid=2, mtime_ns=5, xattrs={b"user.r": b"1"})],
    default=makes(ROOT_LINE + "\n/a file 0644 0:0 T text="),
)
case("EDGE-16/kept", [ROOT], [f("a")], [wh("a")], default=makes(ROOT_LINE))
case("EDGE-16/replaced", [ROOT], [d(".", 0o700)], default=makes("/ dir 0700 0:0 T"))
case(
    "EDGE-16/twice",
    [ROOT, d("./", 0o700)],
    default=makes("/ dir 0700 0:0 T", ("duplicate", "")),
    strict=twice(""),
)
for name, odd in {
    "symlink": sym(".", "x"),
    "file": f("/", "x"),
    "fifo": fifo("./"),
    "device": char("a/.."),
    "hardlink": ln("", "f"),
}.items():
    case(
        f"EDGE-16b/{name}",
        [f("f")],
        [odd, f("g")],
        default=raises(UnsafePathError, odd.name, "can only be a directory"),
        lenient=makes("/f file 0644 0:0 T text=\n/g file 0644 0:0 T text=", ("refused", odd.name.decode())),
    )

# --- Names ------------------------------------------------------------------------------------------------------------

case(
    "EDGE-17",
    [f("./a"), f("/b"), d("x/../dd"), f("e//g"), f("///./h/./i//")],
    default=makes(
        """
        /a file 0644 0:0 T text=
        /b file 0644 0:0 T text=
        /dd dir 0755 0:0 T
        /e dir 0755 0:0 0
        /e/g file 0644 0:0 T text=
        /h dir 0755 0:0 0
        /h/i file 0644 0:0 T text=
        """
    ),
)
case(
    "EDGE-17/lexically-first",
    [d("d/s/"), sym("l", "d/s")],
    [f("l/../f")],
    default=makes("/d dir 0755 0:0 0\n/d/s dir 0755 0:0 T\n/f file 0644 0:0 T text=\n/l symlink 0777 0:0 T target=d/s"),
)
for name in ("../c", "x/../../c", "/../c", "a/../../../c"):
    case(
        f"EDGE-18/{name.replace('/', ':')}",
        [f("o")],
        [f(name, "1")],
        default=raises(UnsafePathError, name, "climbs above the root"),
        lenient=makes("/c file 0644 0:0 T text=1\n" + O_),
    )
case(
    "EDGE-18",
    [d("..", 0o700)],
    default=raises(UnsafePathError, "..", "climbs above the root"),
    lenient=makes("/ dir 0700 0:0 T"),
)
case(
    "EDGE-18/whiteout",
    [f("c"), f("o")],
    [entry("../.wh.c")],
    default=raises(UnsafePathError, "../.wh.c", "climbs above the root"),
    lenient=makes(O_),
)
case(
    "EDGE-19",
    [f("a/"), f("b/c/")],
    default=makes("/a file 0644 0:0 T text=\n/b dir 0755 0:0 0\n/b/c file 0644 0:0 T text="),
)
case(
    "EDGE-19/old-v7",
    member(b"a/", type=b"\0", magic=V7) + member(b"b", type=b"\0", magic=V7) + END,
    default=makes("/a dir 0644 0:0 0\n/b file 0644 0:0 0 text="),
)
LONG = raises(LimitError, "", "")
case("threat-4/component", [f("c" * 256)], default=LONG)
case("threat-4/path", [f("/".join(["d" * 255] * 16) + "/d")], default=LONG)
case("threat-4/depth", [f("d/" * 256 + "x")], default=LONG)
case("threat-4/target", [sym("l", "x" * 4096)], default=LONG)
case("threat-4/through-a-link", [f("d/" * 255 + "x"), sym("l", "d/" * 255)], [f("l/a/b")], default=LONG)
case("threat-4/at-the-end-of-a-link", [d("d/" * 256), sym("l", "d/" * 256)], [f("l/a")], default=LONG)
case(
    "threat-4/empty-target",
    member(b"l", type=b"2") + END,
    default=raises(UnsafePathError, "l", "without a target"),
    lenient=makes("", ("refused", "l")),
)

# --- The grammar of markers -------------------------------------------------------------------------------------------

KEPT = "/d dir 0755 0:0 0\n/d/x file 0644 0:0 T text=\n/x file 0644 0:0 T text="
for number, name in (("20", ".wh."), ("21", ".wh.."), ("22", ".wh...")):
    for where in ("", "d/"):
        case(
            f"EDGE-{number}{'/below' if where else ''}",
            [f("x"), f("d/x")],
            [f(where + name)],
            default=raises(WhiteoutError, where + name, "must name what it removes"),
            lenient=makes(KEPT, ("refused", where + name)),
        )
case("EDGE-23", [f("o")], [f(".wh..wh.foo")], default=makes(O_, ("whiteout-of-marker", ".wh..wh.foo")))
case("EDGE-23/below", [f("o")], [f("d/.wh..wh.foo")], default=makes(O_, ("whiteout-of-marker", "d/.wh..wh.foo")))
case("EDGE-23/of-the-prefix", [f("o")], [f(".wh..wh.")], default=makes(O_, ("whiteout-of-marker", ".wh..wh.")))
case(
    "EDGE-23/almost-opaque", [f("o")], [f(".wh..wh..opqx")], default=makes(O_, ("whiteout-of-marker", ".wh..wh..opqx"))
)
for kind, fields in {
    "directory": {"kind": DIRECTORY},
    "symlink": {"kind": SYMLINK, "linkname": "o"},
    "hardlink": {"kind": HARDLINK, "linkname": "nowhere"},
    "fifo": {"kind": FIFO},
    "full-file": {"data": "text"},
    "unknown-type": {"kind": b"Z"},
}.items():
    case(f"EDGE-24/{kind}", [f("o"), f("x")], [entry(".wh.x", **fields)], default=makes(O_, ("odd-marker", ".wh.x")))
case("EDGE-24", [f("o"), f("x")], [entry(".wh.x", CONTIGUOUS)], default=makes(O_))
case(
    "EDGE-24/opaque-directory",
    [d("d/"), f("d/x")],
    [entry("d/.wh..wh..opq/", DIRECTORY)],
    default=makes("/d dir 0755 0:0 T", ("odd-marker", "d/.wh..wh..opq")),
)
case("EDGE-24/owner", [f("o"), f("x")], [entry(".wh.x", uid=2**40)], default=makes(O_))
for name in (".wh.x/bar", "d/.wh.x/bar", ".wh.x/.wh.x", ".wh.x/.wh..wh.y", ".wh..wh..opq/x", "d/.wh.x/e/x"):
    case(
        "EDGE-25" + ("" if name == ".wh.x/bar" else f"/{name.replace('/', ':')}"),
        [f("x"), f("d/x")],
        [f(name)],
        default=raises(WhiteoutError, name, "a directory cannot have a name that begins with '.wh.'"),
        lenient=makes(KEPT, ("refused", name)),
    )
case(
    "AUF-01",
    [f("o")],
    [d(".wh..wh.plnk/"), f(".wh..wh.plnk/1.2", "x"), f(".wh..wh.aufs"), d("./.wh..wh.orph/")],
    default=makes(
        O_, ("aufs", ".wh..wh.plnk"), ("aufs", ".wh..wh.plnk/1.2"), ("aufs", ".wh..wh.aufs"), ("aufs", ".wh..wh.orph")
    ),
)
case(
    "AUF-04",
    [f("o")],
    [f("d/.wh..wh.aufs")],
    default=makes(O_, ("whiteout-of-marker", "d/.wh..wh.aufs")),
)
case(
    "AUF-05",
    [f(".wh..wh.plnk/1.2", "x"), ln("h", ".wh..wh.plnk/1.2")],
    default=raises(LinkError, "h", "no file '.wh..wh.plnk/1.2'", ("aufs", ".wh..wh.plnk/1.2")),
    lenient=makes("", ("aufs", ".wh..wh.plnk/1.2"), ("refused", "h")),
)

# --- Directories over directories -------------------------------------------------------------------------------------

case(
    "EDGE-26",
    [d("d/", 0o700, uid=1, gid=2, mtime_ns=3), f("d/a")],
    [d("d/", 0o2755, uid=3, gid=4)],
    default=makes("/d dir 2755 3:4 T\n/d/a file 0644 0:0 T text="),
)
case(
    "EDGE-26b",
    [d("d/", xattrs={b"user.old": b"1", b"user.both": b"1"}), f("d/a")],
    [d("d/", xattrs={b"user.both": b"2"})],
    default=makes("/d dir 0755 0:0 T xattr.user.both=2\n/d/a file 0644 0:0 T text="),
)

# --- Types and archives -----------------------------------------------------------------------------------------------

case("EDGE-32", [entry("a", CONTIGUOUS, data="x")], default=makes("/a file 0644 0:0 T text=x"))
case(
    "EDGE-32/unknown",
    [f("o"), entry("z", b"Z", data="x")],
    default=raises(LayerError, "z", "unknown tar type 'Z'"),
    lenient=makes(O_, ("unknown-type", "z")),
)
case(
    "EDGE-33",
    [entry("no/pax_global_header", GLOBAL, mode=0, pax={b"comment": b"x"}), f("o")],
    default=makes(O_, ("global-header", "no/pax_global_header")),
)
HOLES = b"\0\0abcd".ljust(1200, b"\0") + b"ef" + bytes(98)
SPARSE = f"/file file 0644 0:0 0 size=1300 sha256={hashlib.sha256(HOLES).hexdigest()}"
PIECES = [(2, 4), (1200, 2)]
case(
    "EDGE-34",
    header(
        type=b"S",
        magic=GNU,
        size=6,
        at=[(386, b"".join(octal(n, 12) for piece in PIECES for n in piece)), (483, octal(1300, 12))],
    )
    + padded(b"abcdef")
    + END,
    default=makes(SPARSE),
)
case(
    "EDGE-34b",
    extended(
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"file"),
        (b"GNU.sparse.realsize", b"1300"),
    )
    + member(b"GNUSparseFile.1/file", padded(b"2\n2\n4\n1200\n2\n") + b"abcdef")
    + END,
    default=makes(SPARSE),
)
case(
    "EDGE-34b/only-holes",
    extended(
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"file"),
        (b"GNU.sparse.realsize", b"1300"),
    )
    + member(b"x", padded(b"0\n"))
    + END,
    default=makes(f"/file file 0644 0:0 0 size=1300 sha256={hashlib.sha256(bytes(1300)).hexdigest()}"),
)
case("EDGE-35", tar(f("o")) + b"junk" * 1000, default=makes(O_))
case("EDGE-35/no-end", tar(f("o"))[:-1024], default=makes(O_))
case("EDGE-35/no-bytes", tar(f("o")), b"", default=makes(O_))
case("EDGE-36", [f("a", uname=b"daemon", gname=b"mail")], default=makes("/a file 0644 0:0 T text="))
case("EDGE-37", [f("a", uid=2**31 + 5, gid=2**32 - 2)], default=makes("/a file 0644 2147483653:4294967294 T text="))
for name, odd in {
    "file": f("x", "1", uid=2**32 - 1),
    "group": f("x", "1", gid=2**32),
    "directory": d("x/", uid=2**32 - 1),
    "symlink": sym("x", "y", gid=2**63 - 1),
    "device": char("x", uid=2**32 - 1),
    "fifo": fifo("x", gid=2**32 - 1),
}.items():
    case(
        f"EDGE-37/{name}",
        [f("o"), odd],
        default=raises(LayerError, "x", "out of the range 0 to 4294967294"),
        lenient=makes(O_, ("refused", "x")),
    )
case(
    "EDGE-37/negative",
    member(b"x", uid=base256(-1, 8)) + END,
    default=raises(LayerError, "x", "the owner -1:0 is out of the range"),
    lenient=makes("", ("refused", "x")),
)

# --- Attributes -------------------------------------------------------------------------------------------------------

case(
    "ATT-01",
    extended(
        (b"LIBARCHIVE.xattr.user.both", base64.b64encode(b"libarchive")),
        (b"LIBARCHIVE.xattr.user.a%20b", base64.b64encode(b"\0\xff")),
        (b"SCHILY.xattr.user.both", b"schily"),
    )
    + member(b"a")
    + END,
    default=makes(r"/a file 0644 0:0 0 text= xattr.user.both=schily xattr.user.a\x20b=\x00\xff"),
)
case("ATT-02", [f("a", xattrs={b"user.e": b""})], default=makes("/a file 0644 0:0 T text= xattr.user.e="))
case(
    "ATT-03/overlay",
    [f("a", xattrs={b"trusted.overlay.opaque": b"y", b"user.overlay.x": b"", b"user.kept": b"1"})],
    default=makes(
        "/a file 0644 0:0 T text= xattr.trusted.overlay.opaque=y xattr.user.overlay.x= xattr.user.kept=1",
    ),
    disk="/a file 0644 0:0 T text= xattr.user.kept=1",
    skipped=[("overlay-xattr", "a"), ("overlay-xattr", "a")],
)
case(
    "ATT-03/trusted",
    [f("a", xattrs={b"trusted.k": b"v", b"user.k": b"v"}), d("d/", xattrs={b"trusted.k": b"v"})],
    default=makes(
        "/a file 0644 0:0 T text= xattr.trusted.k=v xattr.user.k=v\n/d dir 0755 0:0 T xattr.trusted.k=v",
    ),
)
case(
    "ATT-04",
    [f("t"), sym("s", "t", xattrs={b"user.k": b"v"})],
    default=makes("/s symlink 0777 0:0 T target=t xattr.user.k=v\n/t file 0644 0:0 T text="),
    disk="/s symlink 0777 0:0 T target=t\n/t file 0644 0:0 T text=",
    skipped=[("xattr", "s")],
)
case("ATT-07", [f("a", mtime_ns=1)], default=makes("/a file 0644 0:0 0.000000001 text="))
case("ATT-08", [f("a", mtime_ns=-5_000_000_001)], default=makes("/a file 0644 0:0 -5.000000001 text="))
case(
    "ATT-09",
    [f("a", mode=0o6755, uid=1, gid=2), d("d/", 0o3777, uid=1), f("b", mode=0o107755)],
    default=makes("/a file 6755 1:2 T text=\n/d dir 3777 1:0 T\n/b file 7755 0:0 T text="),
)
case(
    "ATT-10",
    [d("d/", mtime_ns=7), d("d/s/", 0, mtime_ns=8), f("d/s/x"), f("d/y")],
    [wh("d/y"), f("d/s/z")],
    default=makes(
        """
        /d dir 0755 0:0 0.000000007
        /d/s dir 0000 0:0 0.000000008
        /d/s/x file 0644 0:0 T text=
        /d/s/z file 0644 0:0 T text=
        """
    ),
)
case(
    "ATT-11",
    [char("z", 0, 0, mode=0), block("b", 8, 300, uid=5), fifo("p", mode=0o600, uid=3)],
    default=makes("/z char 0000 0:0 T device=0:0\n/b block 0644 5:0 T device=8:300\n/p fifo 0600 3:0 T"),
)
case(
    "ATT-11/out-of-range",
    member(b"x", type=b"3", devmajor=base256(2**32, 8), devminor=octal(0, 8)) + END,
    default=raises(LayerError, "x", "the device number 4294967296:0 is out of range"),
    lenient=makes("", ("refused", "x")),
)
case(
    "ATT-11/negative",
    member(b"x", type=b"4", devmajor=octal(0, 8), devminor=base256(-1, 8)) + END,
    default=raises(LayerError, "x", "the device number 0:-1 is out of range"),
    lenient=makes("", ("refused", "x")),
)
