"""Random stacks of layers, as lists of entries (`tests.support.layers`).

`stacks` has few names, so that entries meet, and everything a layer can hold. `portable_stacks` is for comparison with
other programs and the kernel's overlay file system, which must make the same of them: within one layer every name is
there once, and hard links lead to files of the same layer. A layer may remove what it also adds, imply directories that
it does not describe, and mark what is not there.
"""

from hypothesis import strategies as st

from tests.support.layers import block, char, d, f, fifo, ln, opq, sym, wh

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
