"""Names of files and paths of them, as bytes; those that programs stumble over only where they are asked for.

Every name is one that a file can have, also the hostile ones: not UTF-8, with a newline, an escape sequence or a
leading dash, very long, almost a whiteout, or the twin of another name in upper case or another form of Unicode.
"""

import functools
import itertools
from collections.abc import Sequence

from hypothesis import strategies as st

__all__ = ["FEW", "FewNames", "Names", "as_bytes", "few_names", "names", "path_table", "paths", "strategy_of"]

Names = Sequence[bytes | str] | st.SearchStrategy[bytes]
"""What the parameter `names` of a strategy takes: some names, or a strategy of names."""

FewNames = tuple[bytes, ...] | st.SearchStrategy[tuple[bytes, ...]]
"""Names that one example is made of, or a strategy of them."""

FEW = (b"a", b"b", b"c")
"""The names that are drawn if none are given: few, so that entries meet."""

_HOSTILE = (
    *(b"a", b"A", b"\xc3\xa9", b"e\xcc\x81", b"\xff", b"\xc3", b"a\nb", b"\n", b"\t", b" ", b"a b", b"-", b"-rf"),
    *(b"--help", b"*", b"?", b"$HOME", b"`a`", b'"', b"'", b"\\", b"\\x0a", b"a=b", b"#", b":", b"a:b", b"~", b"..."),
    *(b"..a", b".a", b".wh", b"wh.a", b".wh-a", b".WH.a", b".Wh..wh..opq", b"a.wh.b", b"..wh.a", b"\x1b[31m", b"\x7f"),
    *(b"\xe2\x80\xae", b"a" * 100, b"a" * 101, b"b" * 155, b"c" * 255, b"\xf0\x9f\x8f\xae" * 60),
)


def names(*, hostile: bool = False) -> st.SearchStrategy[bytes]:
    """Return a strategy of names: short ones of plain letters, or such as break programs if `hostile`.

    A name has 1 to 255 bytes, none of them a slash or a NUL; it is neither `.` nor `..`, and no name of a whiteout.
    """
    if not hostile:
        return st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8).map(str.encode)
    return st.sampled_from(_HOSTILE) | st.binary(min_size=1, max_size=12).filter(_is_name)


def _is_name(name: bytes) -> bool:
    return bool(name) and not (b"/" in name or b"\0" in name or name in {b".", b".."} or name.startswith(b".wh."))


def paths(
    *, names: Names | None = None, depth: tuple[int, int] = (1, 3), hostile: bool = False
) -> st.SearchStrategy[bytes]:
    """Return a strategy of clean paths: names joined by slashes.

    Args:
        names: What they are made of; by default any name of `names(hostile=hostile)`.
        depth: The fewest and the most names of a path.
        hostile: Take hostile names, if `names` does not say which.
    """
    each = strategy_of(names, hostile=hostile)
    return st.lists(each, min_size=depth[0], max_size=depth[1]).map(b"/".join)


def strategy_of(found: Names | None, *, hostile: bool = False) -> st.SearchStrategy[bytes]:
    """Return the strategy of single names that an option `names` describes."""
    if found is None:
        return names(hostile=hostile)
    return found if isinstance(found, st.SearchStrategy) else st.sampled_from(as_bytes(found))


def as_bytes(names: Sequence[bytes | str]) -> tuple[bytes, ...]:
    """Return names as bytes; text is encoded as UTF-8 with `surrogateescape`."""
    return tuple(name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name for name in names)


def few_names(names: Names | None) -> FewNames:
    """Return the names that one example is made of, or a strategy that draws as many different ones as `FEW` has.

    Raises:
        ValueError: There is none, or one that no file of an image can have.
    """
    if names is None:
        return FEW
    if isinstance(names, st.SearchStrategy):
        return st.lists(names, min_size=len(FEW), max_size=len(FEW), unique=True).map(tuple)
    found = as_bytes(names)
    if not found or not all(map(_is_name, found)):
        raise ValueError(f"names: expected names that files of an image can have, not {names!r}")
    return found


@functools.lru_cache(maxsize=64)
def path_table(names: tuple[bytes, ...], depth: int) -> tuple[bytes, ...]:
    """Return the paths of up to `depth` names, the simplest first; the shorter, the more often one is listed.

    Of long paths only those of the first two names are listed, so that their number does not outgrow that of others.
    """
    found: list[bytes] = []
    for length in range(1, depth + 1):
        used = names if length < 3 else names[:2]
        here = [b"/".join(parts) for parts in itertools.product(used, repeat=length)]
        times = max(1, 12 // len(here)) if length < 3 else 1
        found += [path for path in here for _ in range(times)]
    return tuple(found)
