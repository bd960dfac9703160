import contextlib
import errno
import os
import signal
import stat
import sys
import time

import attrs
import pytest

from oci_layers import scan, system
from oci_layers.disk.destination import destination
from oci_layers.disk.in_place import MARKER
from oci_layers.errors import DestinationError, UnsupportedError
from oci_layers.report import Report
from tests.support.listing import listing
from tests.support.process import IS_ROOT, USER, as_user, in_child, mounted, outcome


class TroubleError(Exception):
    pass


def put(root, name="file", text=b"new"):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=root)
    os.write(fd, text)
    os.close(fd)


def build(dest, **options):
    """Make a directory with one file."""
    with destination(dest, **options) as root:
        put(root)


def refusal(function, *arguments, **options):
    """Return what is said of a DEST that is refused, and the error."""
    with pytest.raises(DestinationError) as caught:
        function(*arguments, **options)
    return caught.value


def system_error(function, *arguments, **options):
    """Return the error of the system that a call raises."""
    with pytest.raises(OSError) as caught:
        function(*arguments, **options)
    return caught.value


def everything(place):
    """All of a place, and when its directories were changed last."""
    return listing(place)


BOTH = pytest.mark.parametrize("in_place", [False, True], ids=["beside", "in place"])


@BOTH
def test_an_absent_dest_is_made(place, in_place):
    build(place / "dest", in_place=in_place)
    assert os.listdir(place) == ["dest"]
    assert (place / "dest/file").read_bytes() == b"new"


@BOTH
def test_an_empty_dest_is_filled(place, in_place):
    (place / "dest").mkdir()
    before = os.stat(place / "dest").st_ino
    build(place / "dest", in_place=in_place)
    assert os.listdir(place) == ["dest"]
    assert os.listdir(place / "dest") == ["file"]
    assert (os.stat(place / "dest").st_ino == before) == in_place


@BOTH
@pytest.mark.parametrize(
    "name", ["n" * 255, "é" * 127, "a b\n\x1b[31m", b"\xff\xfe".decode("utf-8", "surrogateescape"), "-", "~"]
)
def test_any_name_will_do(place, in_place, name):
    build(place / name, in_place=in_place)
    assert os.listdir(place) == [name]
    assert os.listdir(place / name) == ["file"]


@BOTH
@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_it_is_private_while_it_is_built_whatever_the_mask(place, in_place, mask):
    (place / "there").mkdir(0o777)
    old = os.umask(mask)
    try:
        for name in ("there", "absent"):
            with destination(place / name, in_place=in_place) as root:
                assert stat.S_IMODE(os.fstat(root).st_mode) == 0o700
    finally:
        os.umask(old)


def test_what_is_built_beside_has_a_name_that_tells(place):
    with destination(place / "dest"):
        [name] = os.listdir(place)
    assert name.startswith(".dest.oci-layers-")
    assert len(name) == len(".dest.oci-layers-") + 8
    with destination(place / ("n" * 255)):
        [name] = set(os.listdir(place)) - {"dest"}
    assert name.startswith("." + "n" * 200 + ".oci-layers-")


@BOTH
def test_a_link_is_followed_first(place, in_place):
    (place / "real").mkdir()
    os.symlink("real", place / "one")
    os.symlink("one", place / "two")
    build(place / "two", in_place=in_place)
    assert sorted(os.listdir(place)) == ["one", "real", "two"]
    assert os.readlink(place / "two") == "one"
    assert os.listdir(place / "real") == ["file"]


@BOTH
def test_a_dangling_link_leads_to_where_dest_is_made(place, in_place):
    os.symlink("absent", place / "link")
    build(place / "link", in_place=in_place)
    assert os.readlink(place / "link") == "absent"
    assert os.listdir(place / "absent") == ["file"]


def file(dest):
    dest.write_bytes(b"precious")


def not_empty(dest):
    dest.mkdir()
    (dest / "precious").touch()


def hidden(dest):
    dest.mkdir()
    (dest / ".x").touch()


def interrupted(dest):
    dest.mkdir()
    (dest / os.fsdecode(MARKER)).touch()


REFUSED = {
    "file": (file, "it exists and is not a directory"),
    "fifo": (os.mkfifo, "it exists and is not a directory"),
    "link to a file": (
        lambda dest: (file(dest.parent / "f"), os.symlink("f", dest)),
        "it exists and is not a directory",
    ),
    "link in a circle": (lambda dest: os.symlink("dest", dest), "it exists and is not a directory"),
    "not empty": (not_empty, "the directory is not empty"),
    "hidden file": (hidden, "the directory is not empty"),
    "interrupted": (interrupted, "it holds what an interrupted unpacking left; empty it first"),
    "link to nowhere": (lambda dest: os.symlink("no/where", dest), "its parent directory does not exist"),
}


@BOTH
@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_and_left_alone(place, make, reason, in_place):
    make(place / "dest")
    before = everything(place)
    error = refusal(build, place / "dest", in_place=in_place)
    assert (error.place, error.reason) == (str(place / "dest"), reason)
    assert everything(place) == before


@BOTH
@pytest.mark.parametrize(
    ("dest", "reason"),
    [
        ("", "the destination has no name"),
        ("/", "the root directory cannot be unpacked to"),
        ("/..", "the root directory cannot be unpacked to"),
        ("/no/such/place", "its parent directory does not exist"),
        ("/tmp/a\0b", "no file can have this name"),
        ("/tmp/\ud800", "no file can have this name"),
        ("/etc/passwd/x", "its parent is not a directory"),
    ],
)
def test_some_names_are_no_place(dest, reason, in_place):
    error = refusal(build, dest, in_place=in_place)
    assert (error.place, error.reason) == (dest, reason)


@BOTH
def test_a_name_that_no_file_system_takes_is_an_error(place, in_place):
    error = system_error(build, place / ("n" * 256), in_place=in_place)
    assert (error.errno, error.filename) == (errno.ENAMETOOLONG, str(place / ("n" * 256)))
    assert error.__notes__ == ["destination"]
    assert os.listdir(place) == []


@pytest.mark.skipif(not system.HAS_PROC, reason="needs /proc")
@BOTH
def test_a_parent_in_which_no_directory_can_be_made_is_refused(in_place):
    error = refusal(build, "/proc/none", in_place=in_place)
    reason = "no directory can be made in its parent (No such file or directory); choose another destination"
    assert (error.place, error.reason) == ("/proc/none", reason)


def test_a_platform_without_calls_on_open_directories_is_refused(place, monkeypatch):
    monkeypatch.setattr(system, "HAS_HANDLES", False)
    for call in (lambda: build(place / "dest"), lambda: scan(place)):
        with pytest.raises(UnsupportedError) as caught:
            call()
        assert (caught.value.what, caught.value.value) == ("platform", sys.platform)
        assert caught.value.hint == "it has no calls on names in open directories"
    assert os.listdir(place) == []


@pytest.mark.root
class TestAMountPoint:
    @pytest.mark.parametrize("name", ["dest", "a b\t\\", "é", b"\xff".decode("utf-8", "surrogateescape")])
    def test_is_refused_with_a_hint_and_taken_in_place(self, place, name):
        with mounted(place / name):
            error = refusal(build, place / name)
            assert error.reason == "it is a mount point and cannot be replaced; use --in-place"
            build(place / name, in_place=True)
            assert os.listdir(place / name) == ["file"]

    def test_is_told_on_the_same_file_system_too(self, place):
        (place / "other").mkdir()
        with mounted(place / "dest", options="bind", source=str(place / "other")):
            assert refusal(build, place / "dest").reason == "it is a mount point and cannot be replaced; use --in-place"

    def test_in_the_parent_is_none_of_our_business(self, place):
        with mounted(place / "tmp"):
            build(place / "tmp/dest")
            assert os.listdir(place / "tmp/dest") == ["file"]

    def test_that_is_read_only_is_refused_in_place(self, place):
        with mounted(place / "dest", options="ro"):
            error = refusal(build, place / "dest", in_place=True)
            assert error.reason == "it cannot be written (Read-only file system)"
            assert not hasattr(error, "__notes__")
            assert refusal(build, place / "dest").reason == "it is a mount point and cannot be replaced"
            error = refusal(build, place / "dest/absent")
            assert error.reason == "its parent directory cannot be written (Read-only file system)"

    def test_with_an_odd_name_elsewhere_is_no_hindrance(self, place):
        (place / "dest").mkdir()
        with mounted(place / b"\xff\xfe \xc2\xa0\r".decode("utf-8", "surrogateescape")):
            build(place / "dest")

    def test_is_found_by_name_alone_where_the_system_does_not_tell(self, place, monkeypatch):
        monkeypatch.setattr(system, "mount_points", set)
        with mounted(place / "dest"):
            assert refusal(build, place / "dest").reason == "it is a mount point and cannot be replaced; use --in-place"


def test_the_current_directory_is_refused_with_a_hint(place, monkeypatch):
    (place / "dest").mkdir()
    monkeypatch.chdir(place / "dest")
    for dest in (".", place / "dest"):
        error = refusal(build, dest)
        assert error.reason == "it is the current directory and cannot be replaced; use --in-place"
    build(".", in_place=True)
    assert os.listdir(".") == ["file"]


def test_a_current_directory_that_is_gone_does_not_matter(place):
    (place / "dest").mkdir()
    (place / "gone").mkdir()

    def work():
        os.chdir(place / "gone")
        os.rmdir(place / "gone")
        build(place / "dest")

    in_child(work)
    assert os.listdir(place / "dest") == ["file"]


class TestAParentThatCannotBeWritten:
    @pytest.fixture
    def closed(self, place):
        (place / "closed/dest").mkdir(parents=True)
        if IS_ROOT:
            os.chown(place / "closed/dest", USER, USER)
        (place / "closed").chmod(0o555)
        yield place / "closed"
        (place / "closed").chmod(0o755)

    def test_is_refused_with_a_hint_where_that_helps(self, closed):
        def work():
            return [(refusal(build, closed / name).reason) for name in ("dest", "absent")]

        reason = "its parent directory cannot be written (Permission denied)"
        assert as_user(work) == [f"{reason}; use --in-place", reason]

    def test_does_not_matter_in_place(self, closed):
        as_user(lambda: build(closed / "dest", in_place=True))
        assert os.listdir(closed / "dest") == ["file"]

    def test_is_refused_in_place_where_dest_is_absent(self, closed):
        reason = as_user(lambda: refusal(build, closed / "absent", in_place=True).reason)
        assert reason == "its parent directory cannot be written (Permission denied)"

    def test_need_not_be_readable(self, closed):
        closed.chmod(0o711)
        as_user(lambda: build(closed / "dest", in_place=True))
        assert os.listdir(closed / "dest") == ["file"]

    @pytest.mark.root
    def test_may_be_a_sticky_one_where_dest_is_another_s(self, closed):
        (closed / "mine").mkdir(0o755)
        closed.chmod(0o1777)
        error = as_user(lambda: attrs.astuple(refusal(build, closed / "mine")))
        assert error == (str(closed / "mine"), "it cannot be replaced (Operation not permitted)")
        (closed / "mine").chmod(0o777)
        error = as_user(lambda: refusal(build, closed / "mine").reason)
        assert error == "it cannot be replaced (Operation not permitted); use --in-place"
        assert sorted(os.listdir(closed)) == ["dest", "mine"]


# Failure.


def fail(dest, error, **options):
    """Build a good deal and then fail."""
    with destination(dest, **options) as root:
        put(root)
        os.mkdir("d", 0o700, dir_fd=root)
        os.symlink("/etc", "d/link", dir_fd=root)
        os.chmod("d", 0, dir_fd=root)
        os.fchmod(root, 0)
        raise error


@pytest.fixture(params=["absent", "empty"])
def dest(request, place):
    """DEST in a state that one would notice a change of."""
    path = place / "dest"
    if request.param == "empty":
        path.mkdir()
        os.setxattr(path, "user.mine", b"1")
        os.setxattr(path, "system.posix_acl_default", ACL)
        path.chmod(0o2751)
        os.utime(path, ns=(5, 123_456_789))
        if IS_ROOT:
            os.chown(path, USER, USER)
            path.chmod(0o2751)
    os.utime(place, ns=(7, 7))
    return path


ACL = bytes.fromhex("0200000001000700ffffffff020007000100000004000500ffffffff10000700ffffffff20000000ffffffff")
"""Everything for user 1, and little for others."""


@BOTH
@pytest.mark.parametrize(
    "error", [TroubleError(), KeyboardInterrupt(), SystemExit(), OSError(errno.ENOSPC, "full")], ids=repr
)
def test_on_failure_dest_is_as_it_was(place, dest, in_place, error):
    before = everything(place)
    with pytest.raises(type(error)) as caught:
        fail(dest, error, in_place=in_place)
    assert caught.value is error
    after = everything(place)
    before[b""].pop("mtime_ns"), after[b""].pop("mtime_ns")
    assert after == before


@BOTH
def test_on_failure_of_an_ordinary_user_dest_is_as_it_was(place, dest, in_place):
    before = everything(place)
    assert as_user(lambda: outcome(fail, dest, TroubleError("x"), in_place=in_place)) == ("TroubleError", "x")
    after = everything(place)
    before[b""].pop("mtime_ns"), after[b""].pop("mtime_ns")
    assert after == before


CALLS = [
    "make_directory",
    "open_directory",
    "open_new_file",
    "fchmod",
    "unlink",
    "rename",
    "close",
    "utime",
    "list_names",
]


@BOTH
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_at_any_call_leaves_the_old_or_the_new(place, call, when, in_place, monkeypatch):
    """A signal is noticed when a system call returns, and may have come before it."""
    real = getattr(system, call)
    for number in range(20):
        dest = place / f"dest{number}"
        calls = 0

        def interrupted(*arguments, number=number):
            nonlocal calls
            calls += 1
            if calls == number + 1 and when == "before":
                raise KeyboardInterrupt
            result = real(*arguments)
            if calls == number + 1:
                if call in {"open_directory", "open_new_file"}:
                    os.close(result)
                raise KeyboardInterrupt
            return result

        monkeypatch.setattr(system, call, interrupted)
        try:
            build(dest, in_place=in_place)
        except KeyboardInterrupt:
            monkeypatch.setattr(system, call, real)
            assert not dest.exists() or os.listdir(dest) == ["file"], number
            assert [name for name in os.listdir(place) if name.startswith(".")] == []
        else:
            break
    assert calls <= number


@BOTH
def test_what_cannot_be_removed_is_told_with_the_first_error(place, in_place, monkeypatch):
    def refuse(name, parent):
        raise OSError(errno.EIO, "input/output error")

    def work():
        with destination(place / "dest", in_place=in_place) as root:
            put(root)
            monkeypatch.setattr(system, "unlink", refuse)
            raise TroubleError

    with pytest.raises(TroubleError) as caught:
        work()
    left = (place / "dest") if in_place else next(place.iterdir())
    what = "could not be emptied again" if in_place else "is left behind, it cannot be removed"
    assert caught.value.__notes__ == [f"{left} {what} ([Errno 5] input/output error)"]


@BOTH
def test_a_second_ctrl_c_stops_the_removal_and_names_what_is_left(place, in_place, monkeypatch):
    def again(name, parent):
        raise KeyboardInterrupt

    def work():
        with destination(place / "dest", in_place=in_place) as root:
            put(root)
            monkeypatch.setattr(system, "unlink", again)
            raise TroubleError

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    left = (place / "dest") if in_place else next(place.iterdir())
    what = " holds what was unpacked so far; empty it" if in_place else " is left behind; remove it with rm -r"
    assert caught.value.__notes__ == [f"{left}{what}"]


@BOTH
@pytest.mark.parametrize(
    "call", ["lstat", "open_directory", "make_directory", "open_new_file", "fchmod", "rename", "get_xattrs", "unlink"]
)
def test_an_error_of_the_system_names_dest(place, in_place, call, monkeypatch):
    def broken(*arguments, **options):
        raise OSError(errno.EIO, "broken", "some name")

    monkeypatch.setattr(system, call, broken)
    monkeypatch.chdir(place)
    if call in ({"rename"} if in_place else {"open_new_file", "unlink"}):
        build("dest", in_place=in_place)
        return
    error = system_error(build, "dest", in_place=in_place)
    assert (error.errno, error.filename, error.__notes__[0]) == (errno.EIO, "dest", "destination")


@pytest.mark.root
def test_an_error_on_the_way_to_the_parent_names_it(place):
    (place / "hidden/deep").mkdir(parents=True)
    (place / "hidden").chmod(0o700)
    error = as_user(lambda: vars(system_error(build, place / "hidden/deep/dest")))
    assert error == {"__notes__": ["parent of the destination"]}


def build_while(dest, do):
    with destination(dest) as root:
        put(root)
        do(dest)


def test_a_dest_that_appears_meanwhile_is_left_alone(place):
    for make in (not_empty, file, lambda dest: os.symlink("/etc", dest)):
        dest = place / make.__name__.strip("<>")
        error = refusal(build_while, dest, make)
        assert error.reason == "something else was put there meanwhile"
        assert not (dest / "file").exists()
        assert [name for name in os.listdir(place) if name.startswith(".")] == []


@pytest.mark.root
def test_a_dest_that_something_is_mounted_on_meanwhile_is_refused(place):
    (place / "dest").mkdir()
    with contextlib.ExitStack() as stack:
        error = refusal(build_while, place / "dest", lambda dest: stack.enter_context(mounted(dest)))
    assert error.reason == "it cannot be replaced (Device or resource busy); use --in-place"
    assert os.listdir(place) == ["dest"]


def test_of_two_in_one_dest_one_wins(place):
    first = destination(place / "dest")
    put(first.__enter__(), text=b"first")
    build(place / "dest")
    with pytest.raises(DestinationError):
        first.__exit__(None, None, None)
    assert (place / "dest/file").read_bytes() == b"new"
    assert os.listdir(place) == ["dest"]


@pytest.mark.parametrize(("in_place", "left"), [(False, 1), (True, 0)], ids=["beside", "in place"])
def test_a_kill_leaves_one_sibling_or_a_marker(place, in_place, left):
    pid = os.fork()
    if pid == 0:
        with destination(place / "dest", in_place=in_place) as root:
            put(root)
            (place / "ready").touch()
            time.sleep(60)
    while not (place / "ready").exists():
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.unlink(place / "ready")
    names = os.listdir(place)
    assert [name.startswith(".dest.oci-layers-") for name in names] == [not in_place]
    assert (MARKER.decode() in os.listdir(place / names[0])) == in_place
    if in_place:
        assert refusal(build, place / "dest", in_place=True).reason == REFUSED["interrupted"][1]
    else:
        report = Report()
        build(place / "dest", report=report)
        assert sorted(os.listdir(place)) == sorted(["dest", *names])
        assert report.leftovers == [str(place / names[0])]


def test_only_siblings_of_dest_that_no_process_builds_are_leftovers(place):
    kept = [".dest.oci-layers-0123456", ".dest.oci-layers-012345678", ".other.oci-layers-01234567", "oci-layers-0123"]
    for name in (*kept, ".dest.oci-layers-01234567"):
        (place / name).mkdir()
        (place / name / "file").touch()
    (place / ".dest.oci-layers-76543210").mkdir()
    (place / ".dest.oci-layers-aaaaaaaa").touch()
    os.symlink(kept[0], place / ".dest.oci-layers-bbbbbbbb")
    before = set(os.listdir(place))
    for in_place in (False, True):
        with destination(place / "dest") as root:
            put(root)
            report = Report()
            build(place / "dest", in_place=in_place, report=report)
            assert report.leftovers == [str(place / ".dest.oci-layers-01234567")]
            (place / "dest/file").unlink()
        assert set(os.listdir(place)) - before == {"dest"}
        (place / "dest/file").unlink()
        (place / "dest").rmdir()


@pytest.mark.root
def test_a_parent_that_cannot_be_listed_has_no_leftovers_known(place):
    (place / ".dest.oci-layers-01234567/file").mkdir(parents=True)
    place.chmod(0o333)
    report = as_user(lambda: build_with_report(place / "dest"))
    place.chmod(0o755)
    assert (report.leftovers, (place / "dest/file").exists()) == ([], True)


def build_with_report(dest):
    report = Report()
    build(dest, report=report)
    return report


# What the surroundings of DEST must not do to it.


@BOTH
def test_access_lists_of_the_surroundings_are_not_inherited(place, in_place):
    os.setxattr(place, "system.posix_acl_default", ACL)
    (place / "there").mkdir()
    assert os.listxattr(place / "there")
    for name in ("there", "absent"):
        build(place / name, in_place=in_place)
        assert os.listxattr(place / name) == []
        assert os.listxattr(place / name / "file") == []


@attrs.define
class Flushes:
    """Notes which directories are flushed."""

    seen: list = attrs.field(factory=list)

    def __call__(self, fd):
        self.seen.append(os.fstat(fd).st_ino)


@BOTH
def test_syncing_flushes_the_names_too(place, in_place, monkeypatch):
    flushes = Flushes()
    monkeypatch.setattr(system, "fsync", flushes)
    build(place / "quick", in_place=in_place)
    assert flushes.seen == []
    build(place / "dest", in_place=in_place, sync=True)
    inner = [os.stat(place / "dest").st_ino] * in_place
    assert flushes.seen == [*inner, os.stat(place).st_ino]


@pytest.mark.root
class TestSyncingWithAParentThatCannotBeRead:
    @pytest.fixture
    def parent(self, place):
        (place / "parent/dest").mkdir(parents=True)
        os.chown(place / "parent/dest", USER, USER)
        (place / "parent").chmod(0o333)
        return place / "parent"

    @pytest.mark.parametrize(("name", "in_place"), [("dest", False), ("absent", False), ("absent", True)])
    def test_is_refused_before_anything_is_made(self, parent, name, in_place):
        error = as_user(lambda: refusal(build, parent / name, in_place=in_place, sync=True).reason)
        assert error == "its parent directory cannot be read (Permission denied), which --sync needs"
        assert os.listdir(parent) == ["dest"]
        assert os.listdir(parent / "dest") == []

    def test_does_not_matter_where_dest_is_there_and_is_filled_in_place(self, parent):
        as_user(lambda: build(parent / "dest", in_place=True, sync=True))
        assert os.listdir(parent / "dest") == ["file"]


def test_what_cannot_be_flushed_in_the_end_is_an_error_that_says_where_dest_is(place, monkeypatch):
    def broken(fd):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(system, "fsync", broken)
    error = system_error(build, place / "dest", sync=True)
    assert error.__notes__ == ["destination, which is in place but may not survive a power loss"]
    assert (error.filename, os.listdir(place)) == (str(place / "dest"), ["dest"])


@BOTH
def test_no_handle_stays_open(place, in_place):
    before = len(os.listdir("/proc/self/fd"))
    build(place / "dest", in_place=in_place)
    outcome(build, place / "dest", in_place=in_place)
    outcome(fail, place / "other", TroubleError(), in_place=in_place)
    assert len(os.listdir("/proc/self/fd")) == before
