"""Random stacks of layers, as lists of lists of entries, made of the strategies that users have (`oci_layers.testing`).

`stacks` has few names, so that entries meet, and everything that a layer can hold, also what must be refused.
`portable_stacks` is for comparison with other programs and the kernel's overlay file system, which must make the same
of them: within one layer every name is there once, and hard links lead to files of the same layer. A layer may remove
what it also adds, imply directories that it does not describe, and mark what is not there. `quick_stacks` is for laws
over tens of thousands of stacks: it draws each entry at once, from a list.
"""

import functools

from hypothesis import strategies as st

from oci_layers.tar import CONTIGUOUS, DIRECTORY, GLOBAL
from oci_layers.testing import strategies
from oci_layers.testing.strategies import PORTABLE
from tests.support.layers import block, char, d, entry, f, fifo, ln, opq, sym, wh

LOOKS = ("modes", "owners", "times", "xattrs")
SPECIALS = ("fifo", "char", "block")
INTO_LOWER = PORTABLE | {"file-parents"}
"""What portable layers have, and paths through what is no directory in a lower layer, links among it."""


def made_of(*kinds, features=LOOKS):
    return strategies.entries(kinds=kinds, features=features)


files = made_of("file")
directories = made_of("dir")
roots = strategies.entries(kinds=["dir"], features=[*LOOKS, "root"]).filter(lambda entry: entry.name == b"./")
specials = made_of(*SPECIALS)
symlinks = made_of("symlink")
links = made_of("link")
whiteouts = made_of("whiteout")
opaques = made_of("opaque")
markers = made_of("whiteout", "opaque")
unlinked = made_of("file", "dir", *SPECIALS, features=[*LOOKS, "root"])
everything = strategies.entries(features=[*LOOKS, "root"])


def stacks(entries=everything, *, size=8, layers=4):
    """Stacks of up to so many layers of up to so many entries."""
    return st.lists(st.lists(entries, max_size=size), max_size=layers)


def portable_stacks(layers=4, *, features=INTO_LOWER, parents="follow"):
    """A stack of one to `layers` layers, of which everything that follows the spec makes the same tree."""
    found = strategies.stacks(layers=(1, layers), features=features, parents=parents)
    return found.map(lambda stack: [list(layer) for layer in stack.layers])


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
