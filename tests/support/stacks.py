"""Random stacks of layers, as lists of entries (`tests.support.layers`).

`stacks` has few names, so that entries meet, and everything a layer can hold. `portable_stacks` is for comparison with
other programs and the kernel's overlay file system, which must make the same of them: within one layer every name is
there once, and hard links lead to files of the same layer. A layer may remove what it also adds, imply directories that
it does not describe, and mark what is not there. `quick_stacks` is for laws over tens of thousands of stacks: it draws
each entry at once, from a list.
"""

import functools

from hypothesis import strategies as st

from oci_layers.tar import CONTIGUOUS, DIRECTORY, GLOBAL
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


# --- Entries to draw from, the simplest first, so that examples shrink to them ----------------------------------------

PATHS = ["a", "b", "a/a", "a/b", "b/a", "a/a/a", "a/a/b", "c", "c/a"]
OLD = {"mode": 0o4711, "uid": 1, "gid": 5, "mtime_ns": -1, "xattrs": {b"user.k": b"1"}}
NEW = {"mode": 0o1777, "uid": 1000, "mtime_ns": 1, "xattrs": {b"user.l": b"2"}}
TARGETS = ["a", "b", "/", "a/b", "../b", "/b/a", "c/../b/", "../../c"]
PLAIN = [make for path in PATHS for make in (f(path), f(path, "1", **OLD), d(path), d(path, **NEW))]
FURTHER = [
    make
    for path in PATHS[:6]
    for make in (
        *(f(path, "x" * 70, **NEW), d(path, **OLD), wh(path), opq(path)),
        *(fifo(path, mode=0o600), char(path, 1, 3, uid=1), block(path, 8, 0)),
    )
]
SYMLINKS = [sym(path, target) for path in PATHS[:6] for target in TARGETS if not f"{path}/".startswith(f"{target}/")]
UNLINKED = [*(PLAIN * 4), *FURTHER]
LINKED = [(functools.partial(ln, path), back) for path in PATHS for back in range(4)]
MARKERS = [(make, back) for back in range(8) for make in (wh, opq)]
"""Hard links and markers of a name that the stack has: the last, the last but one, and so on."""
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
ENTRIES = [*UNLINKED, *SYMLINKS, *LINKED, *(MARKERS * 4), *(ODD * 2), *REFUSED]


def quick_stacks(entries=ENTRIES, *, size=8, layers=4):
    """Stacks of up to so many layers of up to so many of these entries, most of which can be applied."""
    return st.lists(st.lists(st.sampled_from(entries), max_size=size), max_size=layers).map(_aimed)


def _aimed(stack):
    """The entries of a stack: markers led to names of lower layers, hard links to files of any layer so far."""
    lower, files, aimed = [], [], []
    for layer in stack:
        names = []
        aimed.append([])
        for move in layer:
            each = move
            if isinstance(move, tuple):
                make, back = move
                known = lower if make in {wh, opq} else [file for file in files if file != make.args[0]]
                each = make(known[-1 - back % len(known)] if known else "none")
            aimed[-1].append(each)
            path = each.name.decode().rstrip("/").replace(".wh.", "")
            files = [file for file in files if not f"{file}/".startswith(f"{path}/") or each.type == DIRECTORY]
            if b".wh." not in each.name and path != ".":
                parts = path.split("/")
                names += ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
                files += [path] if each.type != DIRECTORY else []
        lower += names
    return aimed
