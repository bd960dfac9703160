"""A part of an image: what is at or below some paths, the directories that lead there, and nothing else."""

import os
import stat

import pytest

from oci_layers import open_image, scan
from oci_layers.errors import NotDirectoryError, PathMissingError, UnsafePathError
from oci_layers.image.subset import select_paths
from tests.support.layers import MTIME, char, d, f, fifo, image, ln, sym, tar
from tests.support.trees import merged

BASE = tar(
    d("./", mode=0o751, uid=3),
    d("usr/", mode=0o711, uid=1, gid=2, mtime_ns=5, xattrs={b"user.k": b"v"}),
    d("usr/bin/", mode=0o1777, mtime_ns=6),
    f("usr/bin/tool", "tool", uid=7),
    f("usr/bin/other", "other"),
    ln("usr/bin/alias", "usr/bin/tool"),
    d("usr/lib/"),
    ln("usr/lib/tool", "usr/bin/tool"),
    sym("bin", "usr/bin"),
    sym("usr/bin/shortcut", "/usr/lib"),
    d("dev/"),
    char("dev/null"),
    fifo("dev/pipe"),
    ln("dev/pipe2", "dev/pipe"),
)
UPPER = tar(f("usr/bin/late", "late"), f("usr/bin/empty"))

PARTS = {
    "everything": ([""], None),
    "one file": (["usr/bin/tool"], {b"usr", b"usr/bin", b"usr/bin/tool"}),
    "a file by its absolute path": (["/usr/bin/tool"], {b"usr", b"usr/bin", b"usr/bin/tool"}),
    "a directory": (["usr/lib"], {b"usr", b"usr/lib", b"usr/lib/tool"}),
    "a file through a link": (["bin/late"], {b"usr", b"usr/bin", b"usr/bin/late"}),
    "a link itself": (["bin"], {b"bin"}),
    "two names of one file": (
        ["usr/lib/tool", "usr/bin/alias"],
        {b"usr", b"usr/lib", b"usr/lib/tool", b"usr/bin", b"usr/bin/alias"},
    ),
    "one path in another": (["usr/lib/tool", "usr/lib"], {b"usr", b"usr/lib", b"usr/lib/tool"}),
    "things that are no files": (["dev"], {b"dev", b"dev/null", b"dev/pipe", b"dev/pipe2"}),
    "an empty file": (["usr/bin/empty"], {b"usr", b"usr/bin", b"usr/bin/empty"}),
}


@pytest.mark.parametrize(("paths", "expected"), PARTS.values(), ids=PARTS)
def test_a_part_has_what_was_asked_for_as_it_is_in_the_whole(paths, expected):
    whole = merged(BASE, UPPER)
    part = select_paths(whole, [path.encode() for path in paths])
    found = {path: node for path, node in part.walk() if path}
    assert set(found) == (expected or {path for path, _ in whole.walk() if path})
    for path, node in part.walk():
        original = whole.require(path)
        for attribute in ("mode", "uid", "gid", "mtime_ns", "xattrs"):
            assert getattr(node, attribute) == getattr(original, attribute), path
    if expected is None:
        assert part == whole


def test_names_that_share_a_file_share_it_in_the_part_whichever_are_taken():
    part = select_paths(merged(BASE, UPPER), [b"usr/lib/tool", b"usr/bin/alias"])
    assert part.get("usr/lib/tool") is part.get("usr/bin/alias")
    assert part.get("usr/bin/tool") is None


@pytest.mark.root
@pytest.mark.parametrize(("paths", "expected"), PARTS.values(), ids=PARTS)
def test_a_part_on_disk_is_the_part(tmp_path, paths, expected):
    with open_image(image(tmp_path / "image", BASE, UPPER)) as opened:
        report = opened.unpack(tmp_path / "out", paths=paths)
        part = select_paths(opened.tree(), [path.encode() for path in paths])
        assert scan(tmp_path / "out") == part
    assert len(list(report.skipped)) == 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("usr/none", PathMissingError),
        ("none/x", PathMissingError),
        ("usr/bin/tool/x", NotDirectoryError),
        ("bin/none", PathMissingError),
    ],
)
def test_a_path_that_is_not_there_fails_before_dest_is_made(tmp_path, path, kind):
    with open_image(image(tmp_path / "image", BASE, UPPER)) as opened, pytest.raises(kind) as raised:
        opened.unpack(tmp_path / "out", paths=["usr", path])
    assert raised.value.path == path.encode()
    assert os.listdir(tmp_path) == ["image"]


def test_a_path_that_climbs_is_refused(tmp_path):
    with open_image(image(tmp_path / "image", BASE)) as opened, pytest.raises(UnsafePathError) as raised:
        opened.unpack(tmp_path / "out", paths=["../x"])
    assert raised.value.path == b"../x"


def test_directories_that_were_only_implied_come_as_they_were_implied(tmp_path):
    with open_image(image(tmp_path / "image", tar(f("a/b/c", "c", mtime_ns=MTIME)))) as opened:
        opened.unpack(tmp_path / "out", paths=["a/b/c"])
    found = os.stat(tmp_path / "out" / "a" / "b")
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o755, 0)
    assert os.stat(tmp_path / "out" / "a" / "b" / "c").st_mtime_ns == MTIME
