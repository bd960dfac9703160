"""Random stacks of layers, as lists of entries (`tests.support.layers`).

`stacks` has few names, so that entries meet, and everything a layer can hold. `portable_stacks` is for comparison with
other programs and the kernel's overlay file system, which must make the same of them: within one layer every name is
there once, and hard links lead to files of the same layer. A layer may remove what it also adds, imply directories that
it does not describe, and mark what is not there. `quick_stacks` is for laws over tens of thousands of stacks: it draws
each entry at once, from a list.
"""

import itertools

from hypothesis import strategies as st

from oci_layers.tar import CONTIGUOUS, DIRECTORY, GLOBAL, HARDLINK, SYMLINK
from tests.support.layers import block, char, d, entry, f, fifo, ln, opq, sym, wh

names = st.sampled_from("abc")
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
attributes = st.fixed_dictionaries(
    {
        "mode": st.sampled_from([0o644, 0o755, 0o700, 0o4711, 0o1777, 0]),
        "uid": st.sampled_from([0, 1, 1000]),
        "gid": st.sampled_from([0, 5]),
        "mtime_ns": st.sampled_from([0, 1, -1, 1_700_000_000_000_000_000]),
        "xattrs": st.dictionaries(st.sampled_from([b"user.k", b"user.l"]), st.binary(max_size=3), max_size=2),
    }
)
plain = attributes.map(lambda fields: fields | {"xattrs": {}})
owned = plain.map(lambda fields: {key: value for key, value in fields.items() if key != "mode"})
targets = st.one_of(
    paths,
    paths.map("/".__add__),
    st.builds("../{}".format, paths),
    st.builds("{}/../{}".format, names, paths),
    st.sampled_from([".", "..", "/", "a/", "../../.."]),
)
data = st.sampled_from(["", "1", "22", "x" * 70])

files = st.builds(lambda path, text, fields: f(path, text, **fields), paths, data, attributes)
directories = st.builds(lambda path, fields: d(path, **fields), paths, attributes)
roots = attributes.map(lambda fields: d("./", **fields))
specials = st.builds(
    lambda make, path, fields: make(path, **fields), st.sampled_from([fifo, char, block]), paths, plain
)
symlinks = st.builds(lambda path, target, fields: sym(path, target, **fields), paths, targets, owned)
links = st.builds(ln, paths, paths)
whiteouts = paths.map(wh)
opaques = (paths | st.just("")).map(opq)

markers = whiteouts | opaques
unlinked = files | directories | specials | roots
everything = files | directories | specials | symlinks | links | markers | roots


def stacks(entries=everything, *, size=8, layers=4):
    """Stacks of up to so many layers of up to so many entries."""
    return st.lists(st.lists(entries, max_size=size), max_size=layers)


NAMES = ("a", "b", "c")
_TIMES = st.sampled_from([0, 1, 10**9, 1_700_000_000 * 10**9, 1_700_000_000_123_456_789])
_OWNERS = st.sampled_from([(0, 0), (1, 2), (1000, 1000)])


@st.composite
def _directory(draw, path, depth, *, marks):
    """The entries of what is in a directory, and of it itself."""
    entries, files = [], []
    children = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    for name in children:
        below = f"{path}{name}"
        kind = draw(st.sampled_from("ddffflps" if depth else "fflps"))
        uid, gid = draw(_OWNERS)
        fields = {"uid": uid, "gid": gid, "mtime_ns": draw(_TIMES)}
        if kind == "d":
            inside, more = draw(_directory(below + "/", depth - 1, marks=marks))
            if draw(st.booleans()):
                entries.append(d(below + "/", mode=draw(st.sampled_from([0o755, 0o700, 0o1777])), **fields))
            entries += inside
            files += more
        elif kind == "f":
            entries.append(f(below, draw(st.sampled_from(["", "x", "yy"])), mode=0o640, **fields))
            files.append(below)
        elif kind == "l" and files:
            entries.append(ln(below, draw(st.sampled_from(files))))
        elif kind == "s":
            entries.append(sym(below, draw(st.sampled_from(["a", "b", "/a", "../b", "none", "."])), **fields))
        else:
            entries.append(fifo(below, **fields))
    if marks:
        white = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
        marked = [wh(f"{path}{name}") for name in white]
        if draw(st.integers(0, 4)) == 0:
            marked.append(opq(path.rstrip("/")))
        entries = marked + entries if draw(st.booleans()) else entries + marked
    return entries, files


@st.composite
def portable_stacks(draw, layers=4):
    """A stack of one to `layers` layers, of which everything that follows the spec makes the same tree."""
    count = draw(st.integers(1, layers))
    return [draw(_directory("", 2, marks=index > 0))[0] for index in range(count)]


# --- Entries to draw from, the simplest first, so that examples shrink to them ------------------------------------------

PATHS = ["/".join(parts) for depth in (1, 2, 3) for parts in itertools.product(NAMES, repeat=depth)]
SHORT = [path for path in PATHS if len(path) < 4]
OLD = {"mode": 0o4711, "uid": 1, "gid": 5, "mtime_ns": -1, "xattrs": {b"user.k": b"1"}}
NEW = {"mode": 0o1777, "uid": 1000, "mtime_ns": 1, "xattrs": {b"user.l": b"2"}}
TARGETS = ["a", "b", "/", "..", "a/b", "../a", "/c/a", "a/../b", "../../..", "b/c/"]
LINKED = [ln(path, f"file {number}") for path in SHORT for number in range(4)]
"""Hard links to the last file of the stack, the last but one, and so on."""

PLAIN = [make for path in PATHS for make in (f(path), f(path, "1", **OLD), d(path), d(path, **NEW), wh(path))]
FURTHER = [
    make
    for path in SHORT
    for make in (
        *(opq(path), wh(path), f(path, "x" * 70, **NEW), d(path, **OLD)),
        *(fifo(path, mode=0o600), char(path, 1, 3, uid=1), block(path, 8, 0)),
    )
]
SYMLINKS = [sym(path, target) for path in SHORT for target in TARGETS if not f"{path}/".startswith(f"{target}/")]
ODD = [
    *(opq(), d("./", **OLD), d("./", **NEW), entry("c/g", GLOBAL), entry("a", CONTIGUOUS, data="3")),
    *(f("/./b//c", "4"), f("c/../a", "5"), f("a.wh.b"), f("wh.a"), f("a/.whb"), entry(".wh.a", DIRECTORY)),
    *(f(".wh..wh.c"), d(".wh..wh.plnk/"), f(".wh..wh.plnk/1"), entry("b/.wh..wh..opq", b"Z")),
    *(f("d", mode=0o107777, uid=2**31, gid=2**32 - 2, mtime_ns=10**18 + 1, uname=b"root"), fifo("d", xattrs={})),
]
REFUSED = [
    *(f("../a"), f(".wh.a/b"), f(".wh."), f("a/.wh..."), entry("a", b"Z"), f("/"), sym("a", "")),
    *(f("a", uid=2**32 - 1), d("a", gid=-1), char("a", 2**32, 0), ln("a", "a"), ln("a", "none"), sym("a", "a")),
]
ENTRIES = [*PLAIN, *FURTHER, *SYMLINKS, *LINKED, *LINKED, *ODD, *ODD, *REFUSED]


def quick_stacks(entries=ENTRIES, *, size=8, layers=4):
    """Stacks of up to so many layers of up to so many of these entries, nearly all of which can be applied."""
    return st.lists(st.lists(st.sampled_from(entries), max_size=size), max_size=layers).map(_aimed)


def _aimed(stack):
    """A stack with the hard links of `LINKED` led to files of it; they are files where there is none."""
    files, aimed = [], []
    for layer in stack:
        aimed.append([])
        for each in layer:
            path = each.name
            if each.type == HARDLINK and each.linkname.startswith(b"file "):
                back = int(each.linkname.removeprefix(b"file "))
                others = [other for other in files if not f"{path}/".startswith(f"{other}/")]
                each = ln(path, others[-1 - back]) if back < len(others) else f(path)
            hidden = path.replace(b".wh.", b"")
            files = [file for file in files if not (file + b"/").startswith(hidden + b"/")]
            if each.type not in {DIRECTORY, SYMLINK} and b".wh." not in path:
                files.append(path)
            aimed[-1].append(each)
    return aimed
