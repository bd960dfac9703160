"""Random stacks of layers, as lists of entries (`tests.support.layers`): every layer is a small tree with markers.

Within one layer every name stands once and hard links lead to files of the same layer, so that every program that
follows the spec, and the kernel's overlay file system, must make the same of a stack. A layer may remove what it also
adds, imply directories that it does not describe, and mark what is not there.
"""

from hypothesis import strategies as st

from tests.support.layers import d, f, fifo, ln, opq, sym, wh

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
def stacks(draw, layers=4):
    """A stack of one to `layers` layers."""
    count = draw(st.integers(1, layers))
    return [draw(_directory("", 2, marks=index > 0))[0] for index in range(count)]
