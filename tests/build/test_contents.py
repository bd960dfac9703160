"""Open files: one content for all who have a file open, whatever happens to its names, and none for a fork."""

import errno
import itertools

import pytest

from oci_layers.blob.spool import Spool
from oci_layers.build.contents import Contents
from oci_layers.build.file_data import BlockStore
from oci_layers.build.file_system import Creator, FileSystem
from oci_layers.errors import (
    IsDirectoryError,
    LimitError,
    PathError,
    PathExistsError,
    PathMissingError,
    StoreError,
    WhiteoutError,
)
from oci_layers.limits import Limits
from oci_layers.tree import FileTree, Symlink, dump, parse

LOWER = """
/ dir 0755 0:0 0.000000000
/d dir 0755 0:0 0.000000000
/f file 0644 0:0 0.000000000 text=lower xattr.security.capability=all xattr.user.a=1
/g link /f
/l symlink 0777 0:0 0.000000000 target=new
/deep symlink 0777 0:0 0.000000000 target=new/
/p fifo 0644 0:0 0.000000000
"""


def on(tree, memory=1 << 20, clock=lambda: 7 * 10**9):
    files = FileSystem(tree, Creator(clock=clock), 3)
    return Contents(files, BlockStore(memory, Spool(None, 1 << 30)))


@pytest.fixture
def contents():
    return on(parse(LOWER))


@pytest.fixture
def ticking():
    """On a clock that never shows the same time, so that each write makes another node."""
    times = itertools.count(8)
    return on(parse(LOWER), clock=lambda: next(times))


def line(contents, name):
    return next(line for line in dump(contents.files.tree).splitlines() if line.startswith(f"/{name} "))


def read(opened):
    return opened.read_at(0, 1000)


def test_a_write_changes_time_and_layer_and_takes_off_capabilities_under_all_names(contents):
    opened = contents.open(b"f")
    opened.write_at(3, b"XYZ")
    opened.close()
    assert line(contents, "f") == "/f file 0644 0:0 7.000000000 text=lowXYZ xattr.user.a=1"
    assert line(contents, "g") == "/g link /f"
    assert contents.files.tree.at(b"g").layer == 3


def test_nothing_written_changes_nothing(contents):
    before = dump(contents.files.tree)
    opened = contents.open(b"f")
    opened.write_at(100, b"")
    opened.truncate(5)
    opened.close()
    assert dump(contents.files.tree) == before


def test_all_who_have_a_file_open_see_what_is_written(contents):
    one, other = contents.open(b"f"), contents.open(b"g")
    assert read(other) == b"lower"
    one.write_at(5, b" level")
    assert (read(other), other.size) == (b"lower level", 11)
    contents.open(b"f", truncate=True).close()
    assert read(other) == b""
    contents.replace(b"g", b"again")
    assert (read(one), read(other)) == (b"again", b"again")


def test_a_file_outlives_its_names(ticking):
    opened = ticking.open(b"f")
    ticking.files.rename(b"d", b"e")
    ticking.files.link(b"f", b"e/third")
    ticking.files.unlink(b"f")
    ticking.files.unlink(b"g")
    opened.write_at(0, b"L")
    assert line(ticking, "e/third").split()[5] == "text=Lower"
    ticking.files.rename(b"e", b"moved")
    opened.write_at(1, b"O")
    assert line(ticking, "moved/third").split()[5] == "text=LOwer"
    ticking.files.remove_tree(b"moved")
    before = dump(ticking.files.tree)
    opened.write_at(2, b"W")
    assert read(opened) == b"LOWer"
    assert dump(ticking.files.tree) == before
    opened.close()
    assert ticking.files.opened == {}


def test_a_file_of_one_name_is_followed_to_its_new_one(ticking):
    ticking.replace(b"d/x", b"1")
    opened = ticking.open(b"d/x")
    ticking.files.rename(b"d", b"e")
    opened.write_at(1, b"2")
    ticking.files.rename(b"e/x", b"g")
    opened.write_at(2, b"3")
    assert line(ticking, "g").split()[5] == "text=123"
    ticking.replace(b"y", b"y")
    ticking.files.rename(b"y", b"g")
    opened.write_at(3, b"4")
    assert line(ticking, "g").split()[5] == "text=y"
    assert sorted(ticking.files.tree.root.children) == [b"deep", b"e", b"f", b"g", b"l", b"p"]


def test_a_fork_does_not_see_later_writes(contents):
    opened = contents.open(b"f")
    texts = []
    for number in range(4):
        fork = contents.files.tree.fork()
        texts.append((fork, dump(fork)))
        opened.write_at(number, b"%d" % number)
        if number == 2:
            opened.truncate(2)
    for fork, text in texts:
        assert dump(fork) == text
    assert read(opened) == b"01\x003"


def test_a_file_is_made_where_a_link_leads_but_not_if_it_must_be_new(contents):
    contents.open(b"l", mode=0o666).close()
    assert line(contents, "new") == "/new file 0644 0:0 7.000000000 text="
    with pytest.raises(PathExistsError) as caught:
        contents.open(b"l", mode=0o666, exclusive=True)
    assert caught.value.path == b"/l"


@pytest.mark.parametrize(
    ("path", "mode", "kind", "number"),
    [
        (b"no", None, PathMissingError, errno.ENOENT),
        (b"l", None, PathMissingError, errno.ENOENT),
        (b"no/x", 0o666, PathMissingError, errno.ENOENT),
        (b"d", 0o666, IsDirectoryError, errno.EISDIR),
        (b"deep", None, PathMissingError, errno.ENOENT),
        (b"deep", 0o666, IsDirectoryError, errno.EISDIR),
        (b"p", 0o666, PathError, errno.ENXIO),
    ],
)
def test_what_cannot_be_opened_is_refused(contents, path, mode, kind, number):
    before = dump(contents.files.tree)
    with pytest.raises(PathError) as caught:
        contents.open(path, mode=mode)
    assert (type(caught.value), caught.value.errno, caught.value.path) == (kind, number, b"/" + path)
    assert dump(contents.files.tree) == before
    assert contents.files.opened == {}


OK, ISDIR, NOTDIR, NOENT, LOOP, NXIO = 0, errno.EISDIR, errno.ENOTDIR, errno.ENOENT, errno.ELOOP, errno.ENXIO


@pytest.mark.parametrize(
    ("target", "plain", "creating"),
    [
        # What Linux answers to `open`, without and with O_CREAT: a slash after the last name is a directory's.
        (b"f", OK, OK),
        (b"f/", NOTDIR, ISDIR),
        (b"f//", NOTDIR, ISDIR),
        (b"f/.", NOTDIR, NOTDIR),
        (b"no", NOENT, OK),
        (b"no/", NOENT, ISDIR),
        (b"no/.", NOENT, NOENT),
        (b"no/..", NOENT, NOENT),
        (b"no/x", NOENT, NOENT),
        (b"no/x/", NOENT, NOENT),
        (b"f/x/", NOTDIR, NOTDIR),
        (b"p", NXIO, NXIO),
        (b"p/", NOTDIR, ISDIR),
        (b"to-f", OK, OK),
        (b"to-f/", NOTDIR, ISDIR),
        (b"to-slash", NOENT, ISDIR),
        (b"to-nowhere", NOENT, NOENT),
        (b"to-nowhere/", NOENT, ISDIR),
        (b"loop", LOOP, LOOP),
        (b"loop/", LOOP, ISDIR),
        (b"d/", ISDIR, ISDIR),
        (b"d/.", ISDIR, ISDIR),
        (b"/", ISDIR, ISDIR),
    ],
)
def test_a_link_with_a_slash_at_its_end_leads_to_a_directory_or_nowhere(target, plain, creating):
    tree = parse("""
/ dir 0755 0:0 0
/d dir 0755 0:0 0
/f file 0644 0:0 0 text=x
/p fifo 0644 0:0 0
/to-f symlink 0777 0:0 0 target=f
/to-slash symlink 0777 0:0 0 target=no/
/to-nowhere symlink 0777 0:0 0 target=no/x
/loop symlink 0777 0:0 0 target=loop
""")
    contents = on(tree)
    contents.files.make_node(b"l", Symlink(0, 0, 0, target=target), masked=False)

    def number(mode):
        try:
            contents.open(b"l", mode=mode).close()
        except PathError as error:
            return error.errno
        return OK

    assert (number(None), number(0o666)) == (plain, creating)


def test_a_name_that_no_layer_can_have_is_refused(contents):
    with pytest.raises(WhiteoutError):
        contents.replace(b".wh.f", b"")


def test_a_file_beyond_the_limit_is_refused():
    contents = on(FileTree(limits=Limits(file_bytes=10)))
    contents.replace(b"f", b"0123456789")
    opened = contents.open(b"f")
    for work in (
        lambda: opened.write_at(10, b"x"),
        lambda: opened.truncate(11),
        lambda: contents.replace(b"f", b"x" * 11),
    ):
        with pytest.raises(LimitError) as caught:
            work()
        assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("file_bytes", 10, 11)
    assert read(opened) == b"0123456789"


def test_open_files_are_of_no_use_after_the_end(contents):
    opened = contents.open(b"f")
    contents.files.close()
    for work in (lambda: read(opened), lambda: opened.write_at(0, b"x"), lambda: opened.truncate(0)):
        with pytest.raises(StoreError):
            work()
    opened.close()
