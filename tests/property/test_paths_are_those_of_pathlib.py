"""A path in an image does what `pathlib` does with the same path, and with the same files on disk.

Where releases of Python differ, the rules are those of 3.13, and what earlier releases do otherwise is left out there.
"""

import os
import sys
import tempfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oci_layers.image.path import ImagePath
from oci_layers.tree import FileTree
from tests.support.layers import d, f, sym, tar
from tests.support.trees import merged

NAMES = ("a", "b", "ab", "a.b", ".a", "a.b.a")
SINCE_3_13 = sys.version_info >= (3, 13)

paths = st.lists(st.sampled_from(NAMES), max_size=4).map(lambda names: "/" + "/".join(names))
spelled = st.text("ab.", min_size=1, max_size=5).filter(
    # Releases differ on dots in a row at the beginning, and on one at the end.
    lambda name: not name.startswith("..") and not name.endswith(".")
)
components = st.one_of(
    st.sampled_from([*NAMES, "*", "**", "a*", "*b", "?", ".*", "[ab]", "[!a]*", "*.*"]),
    st.text("ab.*?[]!", min_size=1, max_size=4).filter(lambda part: part not in {".", ".."} and "**" not in part),
)
patterns = st.builds(
    lambda start, parts, end: start + "/".join(parts) + end,
    st.sampled_from(["", "", "/"]),
    st.lists(components, min_size=1, max_size=4),
    st.sampled_from(["", "", "/"]),
)


def at(path):
    return ImagePath(FileTree(), path)


def outcome(ask):
    """What it gives, as text, or that it is refused."""
    try:
        return str(ask())
    except ValueError:
        return ValueError


@given(parent=paths, name=spelled, other=spelled, suffix=st.sampled_from(["", ".", ".b", "b", ".a.b", "/", "./a"]))
def test_names_are_taken_apart_and_put_together(parent, name, other, suffix):
    ours, theirs = at(parent) / name, PurePosixPath(parent) / name
    for field in ("name", "stem", "suffix", "suffixes", "parts", "root", "anchor", "drive"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert [*map(str, ours.parents)] == [*map(str, theirs.parents)]
    assert outcome(lambda: ours.with_name(other)) == outcome(lambda: theirs.with_name(other))
    assert outcome(lambda: ours.with_stem(other)) == outcome(lambda: theirs.with_stem(other))
    assert outcome(lambda: ours.with_suffix(suffix)) == outcome(lambda: theirs.with_suffix(suffix))


@given(path=paths, other=paths)
def test_paths_are_relative_to_one_another(path, other):
    ours, theirs = at(path), PurePosixPath(path)
    assert ours.is_relative_to(other) == theirs.is_relative_to(other)
    assert outcome(lambda: ours.relative_to(other)) == outcome(lambda: theirs.relative_to(other))
    assert str(ours.relative_to(other, walk_up=True)) == os.path.relpath(path, other)


# Where pathlib matches whole paths at once, `[!a]` may be a slash, too.
of_names = patterns.filter(lambda text: "[!" not in text)


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="in Python 3.12 `**` and `[!a]` may be the root")
@given(path=paths, pattern=patterns)
def test_patterns_match(path, pattern):
    ours, theirs = at(path), PurePosixPath(path)
    # A relative pattern may match the root as if it were a name, in some releases.
    if pattern.startswith("/") or len(PurePosixPath(pattern).parts) < len(theirs.parts):
        assert ours.match(pattern) == theirs.match(pattern)


@pytest.mark.skipif(not SINCE_3_13, reason="pathlib has it since Python 3.13")
@given(path=paths, pattern=of_names)
def test_patterns_match_in_full(path, pattern):
    # In pathlib, a `**` at the beginning takes the root only with a name after it.
    assume(not pattern.startswith("**"))
    assert at(path).full_match(pattern) == PurePosixPath(path).full_match(pattern)


@st.composite
def trees(draw):
    """The entries of a tree whose links lead inside it, or nowhere."""
    entries = {}
    directories = [""]
    for parent in range(draw(st.integers(1, 4))):
        if parent >= len(directories):
            break
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4)):
            path = directories[parent] + name
            kind = draw(st.sampled_from("ddfs"))
            if kind == "d":
                entries[path] = d(path + "/")
                directories.append(path + "/")
            elif kind == "f":
                entries[path] = f(path)
            else:
                target = draw(st.sampled_from(["a", "b", "ab", ".", "a/b", "none"]))
                entries[path] = sym(path, target)
    return list(entries.values())


def make(root, tree):
    for path, node in tree.walk():
        place = root / os.fsdecode(path)
        if hasattr(node, "children"):
            place.mkdir(exist_ok=True)
        elif hasattr(node, "target"):
            place.symlink_to(os.fsdecode(node.target))
        else:
            place.write_bytes(b"")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="pathlib has it since Python 3.12")
@given(entries=trees(), start=paths, top_down=st.booleans(), keep=st.sampled_from(["", *NAMES]))
def test_walk_gives_the_same_names(entries, start, top_down, keep):
    tree = merged(tar(*entries))
    start = start.lstrip("/")

    def walked(path, top):
        for each, directories, others in path.walk(top_down=top_down):
            directories.sort()
            yield os.path.relpath(str(each), top), directories.copy(), sorted(others)
            directories[:] = [name for name in directories if name != keep]

    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        make(root, tree)
        ours, theirs = [*walked(ImagePath(tree, start), "/")], [*walked(root / start, root)]
        # From the bottom up, directories come in the order that the disk has.
        assert (ours if top_down else sorted(ours)) == (theirs if top_down else sorted(theirs))


@given(entries=trees(), pattern=patterns.filter(lambda text: not text.startswith("/")), start=paths)
def test_glob_finds_the_same_files(entries, pattern, start):
    tree = merged(tar(*entries))
    start = start.lstrip("/")
    last = PurePosixPath(pattern).parts[-1]
    # Before 3.13 a `**` at the end finds directories only, and 3.11 finds no link that leads nowhere by its name.
    assume(SINCE_3_13 or (last != "**" and ("*" in last or sys.version_info >= (3, 12))))
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        make(root, tree)
        found = [os.path.relpath(str(path), "/") for path in ImagePath(tree, start).glob(pattern)]
        theirs = {os.path.relpath(path, root) for path in (root / start).glob(pattern)}
        assert len(found) == len(set(found))
        assert set(found) == theirs
        assert found == sorted(found, key=lambda path: PurePosixPath(path).parts)
        recursive = [os.path.relpath(str(path), "/") for path in ImagePath(tree, start).rglob(pattern)]
        assert set(recursive) == {os.path.relpath(path, root) for path in (root / start).rglob(pattern)}
