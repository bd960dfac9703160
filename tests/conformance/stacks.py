"""Hypothesis strategies for stacks of layers: few names, so that entries meet, and everything a layer can hold."""

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
