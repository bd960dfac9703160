import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading

import pytest

from oci_layers import system
from oci_layers.errors import NameFormatError
from oci_layers.system import mount
from tests.support import shells
from tests.support.process import IS_ROOT, USER, in_child, mounted, outcome, shared_directory
from tests.support.shown import python_of_all


@pytest.fixture
def here(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def failure(function, *arguments, **options):
    with pytest.raises(OSError) as caught:
        function(*arguments, **options)
    return caught.value.errno


def test_every_call_is_exported_and_nothing_else():
    own = {
        name
        for name, value in vars(system).items()
        if getattr(value, "__module__", "").startswith("oci_layers.system.")
    }
    aliases = {
        "HAS_HANDLES",
        "HAS_PROC",
        "close",
        "duplicate",
        "fchmod",
        "fchown",
        "fdatasync",
        "fstat",
        "fsync",
        "ftruncate",
    }
    assert sorted({name for name in own if name[0] != "_"} | aliases) == sorted(system.__all__)


def test_new_things_are_private_and_never_over_old_ones(tmp_path, here):
    old = os.umask(0)
    try:
        os.close(system.open_new_file(b"file", here))
        system.make_directory(b"directory", here)
        system.make_fifo(b"fifo", here)
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"file": 0o600, "directory": 0o700, "fifo": 0o600}
    os.symlink("absent", tmp_path / "link")
    for name in (b"file", b"link", b"directory"):
        assert failure(system.open_new_file, name, here) == errno.EEXIST
        assert failure(system.make_directory, name, here) == errno.EEXIST
    assert not (tmp_path / "absent").exists()


def test_new_files_and_directories_have_the_mode_asked_for_less_the_umask(tmp_path, here):
    for umask in (0, 0o027):
        old = os.umask(umask)
        try:
            os.close(system.open_new_file(b"file", here, 0o644))
            system.make_directory(b"directory", here, 0o755)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644 & ~umask
        assert stat.S_IMODE((tmp_path / "directory").stat().st_mode) == 0o755 & ~umask
        (tmp_path / "file").unlink()
        (tmp_path / "directory").rmdir()


def test_a_file_that_exists_is_opened_to_be_read_and_written(tmp_path, here):
    (tmp_path / "file").write_bytes(b"The lamp is lit.")
    fd = system.open_existing_file(b"file", here)
    system.write_at(fd, memoryview(b"out."), 12)
    system.fdatasync(fd)
    assert system.pread(fd, 100, 0) == b"The lamp is out."
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == b"The lamp is out."


def test_only_a_regular_file_is_opened_to_be_written_and_none_is_made(tmp_path, here):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    before = len(os.listdir("/proc/self/fd"))
    assert failure(system.open_existing_file, b"absent", here) == errno.ENOENT
    assert failure(system.open_existing_file, b"link", here) == errno.ELOOP
    assert failure(system.open_existing_file, b"directory", here) == errno.EISDIR
    assert failure(system.open_existing_file, b"fifo", here) == errno.EINVAL
    assert len(os.listdir("/proc/self/fd")) == before
    assert not (tmp_path / "absent").exists()


@pytest.mark.root
def test_a_device_is_not_opened_to_be_written(tmp_path, here):
    os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    assert failure(system.open_existing_file, b"null", here) == errno.EINVAL


def test_a_file_is_touched_by_whoever_may_write_it(tmp_path, here):
    os.close(system.open_new_file(b"now", here))
    (tmp_path / "file").touch()
    os.utime(tmp_path / "file", (0, 0))
    fd = system.open_regular_file(b"file", here)  # The owner needs no handle for writing.
    system.touch(fd)
    os.close(fd)
    found = (tmp_path / "file").stat()
    assert found.st_mtime_ns >= (tmp_path / "now").stat().st_mtime_ns
    assert found.st_atime_ns == found.st_mtime_ns


@pytest.mark.root
def test_a_file_of_another_user_is_not_touched():
    with shared_directory() as place:
        (place / "file").touch(0o644)
        os.chown(place / "file", 0, 0)

        def touch():
            fd = os.open(place / "file", os.O_RDONLY)
            return failure(system.touch, fd)

        assert in_child(touch, user=USER) in {errno.EPERM, errno.EACCES}


def test_links_are_not_opened(tmp_path, here):
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    os.symlink("directory", tmp_path / "to-directory")
    os.symlink("file", tmp_path / "to-file")
    assert failure(system.open_directory, b"to-directory", here) in {errno.ELOOP, errno.ENOTDIR}
    assert failure(system.open_regular_file, b"to-file", here) == errno.ELOOP
    assert failure(system.open_root, str(tmp_path / "to-directory")) in {errno.ELOOP, errno.ENOTDIR}
    assert failure(system.open_parent, str(tmp_path / "to-directory")) in {errno.ELOOP, errno.ENOTDIR}
    os.close(system.open_stream_path(str(tmp_path / "to-file")))
    os.close(system.open_directory(b"to-directory", here, follow=True))
    os.close(system.open_regular_file(b"to-file", here, follow=True))
    assert failure(system.open_regular_file, b"to-directory", here, follow=True) == errno.EINVAL


def test_only_regular_files_are_opened_and_nothing_waits(tmp_path, here):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for name in ("fifo", "directory"):
        assert failure(system.open_regular_file, name.encode(), here) == errno.EINVAL
    assert failure(system.open_stream_path, str(tmp_path / "directory")) == errno.EINVAL
    assert failure(system.open_stream_path, "/dev/null") == errno.EINVAL
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_read_or_written_in_order_is_opened_by_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    fifo, file = str(tmp_path / "fifo"), str(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"text")
    assert [system.is_pipe(each) for each in (fifo, file, "-", "/dev/null", "/dev/stdout", "nothing")] == [
        *(True, False, True, False, False, False)
    ]
    assert [system.is_pipe(each, write=True) for each in (fifo, file, "-", "/dev/null", "/dev/stdout")] == [
        *(True, False, True, True, True)
    ]
    keeper = os.open(fifo, os.O_RDWR)
    reader, writer = system.open_stream_path(fifo), system.open_output_path(fifo)
    system.write_all(writer, memoryview(b"one"))
    assert (system.read(reader, 9), system.is_regular(system.fstat(reader).st_mode)) == (b"one", False)
    for fd in (keeper, reader, writer):
        os.close(fd)
    fd = system.open_stream_path(file)
    assert (system.read(fd, 9), system.read(fd, 9), system.is_regular(system.fstat(fd).st_mode)) == (b"text", b"", True)
    os.close(fd)


def test_standard_input_and_output_are_opened_by_a_dash_unless_they_are_a_terminal():
    ours, theirs = os.openpty()
    code = (
        "from oci_layers import system\n"
        "for opens, fd in ((system.open_stream_path, 0), (system.open_output_path, 1)):\n"
        "    try:\n"
        "        assert system.fstat(opens('-')) == system.fstat(fd)\n"
        "    except OSError as error:\n"
        "        sys.stderr.write(f'{error.errno} ')\n"
    )
    for options, expected in (({"stdin": theirs, "stdout": theirs}, b"22 22 "), ({"input": b""}, b"")):
        if "input" in options:
            options["stdout"] = subprocess.PIPE
        ran = subprocess.run(
            [sys.executable, "-c", "import sys\n" + code], **options, stderr=subprocess.PIPE, check=True
        )
        assert ran.stderr == expected
    os.close(ours)
    os.close(theirs)


def test_a_hard_link_to_a_link_is_one_to_the_link(tmp_path, here):
    os.symlink("absent", tmp_path / "link")
    system.link(b"link", here, b"again", here)
    assert os.readlink(tmp_path / "again") == "absent"


def test_what_is_pinned_is_itself(tmp_path, here):
    os.symlink("absent", tmp_path / "link")
    with system.hold(b"link", here) as fd:
        assert stat.S_ISLNK(os.fstat(fd).st_mode)
    assert outcome(os.fstat, fd)[0] == "OSError"


@pytest.mark.parametrize("number", [2**31, 2**32 - 1])
def test_a_device_number_that_no_system_has_is_refused_as_the_system_would(here, number):
    assert failure(system.make_device, b"d", here, block=False, major=number, minor=0) == errno.EINVAL
    assert failure(system.make_device, b"d", here, block=True, major=0, minor=number) == errno.EINVAL


@pytest.mark.root
@pytest.mark.parametrize("numbers", [(4095, 1048575), (8, 256), (0, 0)])
def test_a_device_gets_its_numbers(tmp_path, here, numbers):
    system.make_device(b"d", here, block=True, major=numbers[0], minor=numbers[1])
    found = os.lstat(tmp_path / "d")
    assert stat.S_ISBLK(found.st_mode)
    assert (os.major(found.st_rdev), os.minor(found.st_rdev)) == numbers


def test_names_are_bytes_in_order(tmp_path, here):
    names = [b"b", b"a", b"\xff", "é".encode(), b"\n"]
    for name in names:
        os.close(system.open_new_file(name, here))
    assert system.list_names(here) == sorted(names)


def test_times_are_set_to_the_nanosecond_a_link_s_own_too(tmp_path, here):
    (tmp_path / "file").touch()
    os.symlink("file", tmp_path / "link")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    system.utime(fd, 1_234_567_891)
    os.close(fd)
    system.utime_at(b"link", here, -1)
    assert (tmp_path / "file").stat().st_mtime_ns == 1_234_567_891
    assert (tmp_path / "link").lstat().st_mtime_ns == -1


@pytest.mark.parametrize("mtime", [2**63 * 10**9 - 1, -(2**63) * 10**9, 0])
def test_any_time_of_64_bits_can_be_asked_for(tmp_path, here, mtime):
    (tmp_path / "file").touch()
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    system.utime(fd, mtime)
    system.utime_at(b"file", here, mtime)
    os.close(fd)


def test_all_of_the_data_is_written_however_little_at_a_time(tmp_path, here, monkeypatch):
    write, pwrite = os.write, os.pwrite
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:3], offset))
    fd = system.open_new_file(b"file", here)
    system.write_all(fd, memoryview(b"0123456789"))
    system.write_at(fd, memoryview(b"abcdefgh"), 15)
    system.write_all(fd, memoryview(b""))
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == b"0123456789" + bytes(5) + b"abcdefgh"


def test_attributes_that_may_not_be_read_are_left_out(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for name in ("user.a", "user.b", "user.c"):
        os.setxattr(tmp_path / "file", name, name.encode())
    assert system.get_xattrs(str(tmp_path / "file")) == {f"user.{n}".encode(): f"user.{n}".encode() for n in "abc"}
    real = os.getxattr

    def getxattr(path, name, **options):
        if name == "user.b":
            raise OSError(number, "no")
        return real(path, name, **options)

    monkeypatch.setattr(os, "getxattr", getxattr)
    number = errno.EPERM
    assert list(system.get_xattrs(str(tmp_path / "file"))) == [b"user.a", b"user.c"]
    number = errno.ENODATA
    assert list(system.get_xattrs(str(tmp_path / "file"))) == [b"user.a", b"user.c"]
    number = errno.EIO
    assert failure(system.get_xattrs, str(tmp_path / "file")) == errno.EIO


def test_where_there_are_no_attributes_there_are_none(tmp_path, monkeypatch):
    def listxattr(path, **options):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "listxattr", listxattr)
    number = errno.ENOTSUP
    assert system.get_xattrs(str(tmp_path)) == {}
    number = errno.EIO
    assert failure(system.get_xattrs, str(tmp_path)) == errno.EIO
    monkeypatch.delattr(os, "listxattr")
    assert system.get_xattrs(str(tmp_path)) == {}


def test_pieces_of_a_file_are_what_is_no_hole(tmp_path):
    with open(tmp_path / "file", "wb") as file:
        assert list(system.data_extents(file.fileno(), 0)) == []
        os.truncate(file.fileno(), 1 << 20)
        assert list(system.data_extents(file.fileno(), 1 << 20)) == []
        os.pwrite(file.fileno(), b"x" * 10, 1 << 16)
        os.pwrite(file.fileno(), b"x" * 10, (1 << 20) - 10)
        assert list(system.data_extents(file.fileno(), 1 << 20)) == [(1 << 16, 4096), ((1 << 20) - 4096, 4096)]


def test_other_errors_of_a_search_for_data_come_through():
    reader, writer = os.pipe()
    assert failure(lambda: list(system.data_extents(reader, 1))) == errno.ESPIPE
    os.close(reader)
    os.close(writer)


def test_a_path_is_resolved_as_far_as_it_leads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    os.symlink("a", "link")
    os.symlink("nowhere/b", "dangling")
    os.symlink("loop", "loop")
    top = os.path.realpath(tmp_path)
    found = [
        system.resolve(path) for path in ("link/../x", "link/x", "dangling", "loop", "", "a/../../" + tmp_path.name)
    ]
    assert found == [f"{top}/x", f"{top}/a/x", f"{top}/nowhere/b", f"{top}/loop", top, top]


def test_the_current_directory_is_told_from_others(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    here = os.fsencode(tmp_path)
    assert [system.is_current_directory(path) for path in (here, here + b"/other", here + b"/absent")] == [
        True,
        False,
        False,
    ]


@pytest.mark.root
@pytest.mark.parametrize("name", ["plain", "a b\t\n\\", "é", b"\xff".decode("utf-8", "surrogateescape")])
def test_mount_points_are_found_whatever_their_names(tmp_path, name):
    place = tmp_path.resolve() / name
    with mounted(place):
        assert os.fsencode(place) in system.mount_points()
    assert os.fsencode(place) not in system.mount_points()


def test_without_proc_there_are_no_mount_points_known(monkeypatch):
    def no_open(*arguments, **options):
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", no_open)
    assert system.mount_points() == set()


@pytest.mark.parametrize(("soft", "limit"), [(64, 64), (resource.RLIM_INFINITY, 1 << 20)])
def test_the_limit_on_open_files_is_the_soft_one(monkeypatch, soft, limit):
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, 4096))
    assert system.open_file_limit() == limit


def test_files_are_ours():
    assert system.effective_ids() == (os.geteuid(), os.getegid())
    if IS_ROOT:
        assert in_child(system.effective_ids, user=USER) == (USER, USER)


def test_a_temporary_file_has_no_name(tmp_path):
    with system.temporary_file(str(tmp_path)) as file:
        file.write(b"x")
        assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError) as caught:
        system.temporary_file(str(tmp_path / "absent"))
    assert (caught.value.filename, caught.value.__notes__) == (str(tmp_path / "absent"), ["temporary directory"])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_temporary_directory_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for directory, role in (
        (None, "temporary directory (set TMPDIR to use another)"),
        (str(tmp_path), "temporary directory"),
    ):
        with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError) as caught:
            system.write_temporary(file, b"x", directory)
        error = caught.value
        assert (error.errno, error.filename, error.__notes__) == (errno.ENOSPC, str(tmp_path), [role])
    with system.temporary_file() as file:
        system.write_temporary(file, b"some data")
        assert os.pread(file.fileno(), 100, 0) == b"some data"


def test_a_lock_is_one_process_s_until_its_last_handle_is_closed(tmp_path, here):
    other = os.open(tmp_path, os.O_RDONLY)
    again = os.dup(here)
    assert system.lock(here, wait=True)
    assert not system.lock(other, wait=False)
    os.close(again)
    assert not system.lock(other, wait=False)
    last = os.open(tmp_path, os.O_RDONLY)
    os.dup2(last, here)
    os.close(last)
    assert system.lock(other, wait=False)
    os.close(other)


def test_a_lock_is_shared_by_those_who_share_it(tmp_path):
    first, second, third = (os.open(tmp_path, os.O_RDONLY) for _ in range(3))
    assert system.lock(first, wait=False, shared=True) is True
    assert system.lock(second, wait=True, shared=True) is True
    assert system.lock(third, wait=False) is False
    os.close(first)
    assert system.lock(third, wait=False) is False
    assert in_child(lambda: system.lock(os.open(tmp_path, os.O_RDONLY), wait=False)) is False
    os.close(second)
    assert system.lock(third, wait=False) is True
    fourth = os.open(tmp_path, os.O_RDONLY)
    assert system.lock(fourth, wait=False, shared=True) is False
    os.close(third)
    assert system.lock(fourth, wait=False, shared=True) is True
    os.close(fourth)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks_is_told_from_one_that_fails(tmp_path, here, monkeypatch, number):
    def flock(fd, kind):
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert system.lock(here, wait=True) is None
    assert system.lock(here, wait=False, shared=True) is None
    number = errno.EIO
    assert failure(system.lock, here, wait=True) == errno.EIO


def test_what_has_no_locks_cannot_be_locked(tmp_path):
    fd = os.open(tmp_path, getattr(os, "O_PATH", 0) | os.O_RDONLY)
    try:
        assert not system.lock(fd, wait=True)
    finally:
        os.close(fd)


@pytest.mark.root
def test_whether_a_directory_may_be_written_is_the_effective_user_s_matter():
    names = (b"open", b"closed", b"blind", b"absent")
    with shared_directory() as place:
        for name, mode in (("open", 0o777), ("closed", 0o755), ("blind", 0o776)):
            (place / name).mkdir()
            (place / name).chmod(mode)

        def answers():
            parent = system.open_root(str(place))
            return [system.may_write(name, parent) for name in names]

        assert in_child(answers) == [True, True, True, False]
        assert in_child(answers, user=USER) == [True, False, False, False]


def test_what_a_platform_does_not_have_is_refused_as_unsupported(tmp_path, here, monkeypatch):
    monkeypatch.setattr(os, "supports_dir_fd", set())
    monkeypatch.delattr(os, "setxattr")
    assert failure(system.make_fifo, b"p", here) == errno.ENOTSUP
    assert failure(system.make_device, b"d", here, block=False, major=1, minor=3) == errno.ENOTSUP
    assert failure(system.fsetxattr, here, b"user.a", b"") == errno.ENOTSUP
    assert failure(system.lsetxattr, "/", b"a", b"user.a", b"") == errno.ENOTSUP


def test_the_latest_time_of_a_build_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert system.source_date_epoch() is None
    for text, seconds in (("", None), ("0", 0), ("1700000000", 1_700_000_000)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
        assert system.source_date_epoch() == seconds
    for text in ("-1", "1.5", " 1", "\u0661", "1" * 12):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
        with pytest.raises(NameFormatError) as caught:
            system.source_date_epoch()
        assert (caught.value.what, caught.value.text) == ("SOURCE_DATE_EPOCH", text)


def test_a_program_gets_the_variables_and_the_umask_that_are_promised():
    script = 'echo "$X $HOME"; umask; cat'
    ended = system.run_program(["sh", "-c", script], timeout=60, environment={"X": "y"})
    assert (ended.code, ended.stdout.decode(), ended.stderr) == (0, f"y {os.environ.get('HOME', '')}\n0022\n", b"")
    assert ended.seconds >= 0


def test_a_program_reads_its_input_to_the_end():
    assert system.run_program(["cat"], timeout=60, stdin=b"a\0b" * 50000).stdout == (b"a\0b" * 50000)[-65536:]


def test_only_the_end_of_long_output_is_kept():
    ended = system.run_program(["sh", "-c", "head -c 100000 /dev/zero; echo end"], timeout=60)
    assert (len(ended.stdout), ended.stdout[-5:]) == (65536, b"\0end\n")


def test_a_program_is_stopped_at_its_time_or_when_it_is_asked_to():
    assert system.run_program(["sleep", "100"], timeout=0.3).code is None
    stop = threading.Event()
    stop.set()
    assert system.run_program(["sleep", "100"], timeout=100, stop=stop).code is None


def test_a_program_that_a_signal_ends_says_which():
    assert system.run_program(["sh", "-c", "kill -TERM $$"], timeout=60).code == -15


def test_a_program_that_is_not_there_is_an_error():
    assert failure(system.run_program, ["/no/such/program"], timeout=1) == errno.ENOENT


@pytest.fixture
def top():
    fd = system.open_root("/")
    yield fd
    os.close(fd)


@pytest.mark.root
def test_a_program_in_another_root_sees_nothing_else(tmp_path, capfd):
    found = shells.files()
    for name, data in found.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        script = 'cd ..; echo "$PWD $X ${HOME-none}" *; exit 3'
        assert system.run_in_root(fd, ["sh", "-c", script], {"PATH": "/none:/bin", "X": "a=b c"}) == 3
    finally:
        os.close(fd)
    assert capfd.readouterr() == (f"/ a=b c none {' '.join(sorted({name.split('/')[0] for name in found}))}\n", "")


@pytest.mark.root
def test_how_a_program_in_another_root_ended(top):
    path = {"PATH": "/no:/usr/bin:/bin"}
    assert system.run_in_root(top, ["true"], path) == 0
    assert system.run_in_root(top, ["sh", "-c", "kill -TERM $$"], path) == -15
    # Python ignores SIGPIPE and SIGXFSZ; what else is ignored here, the program inherits.
    ignored = "mask=$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/self/status); test $((0x$mask & 0x1001000)) -eq 0"
    assert system.run_in_root(top, ["sh", "-c", ignored], path) == 0
    assert failure(system.run_in_root, top, ["no-such-program"], path) == errno.ENOENT
    assert failure(system.run_in_root, top, ["/etc/passwd"], path) == errno.EACCES
    assert failure(system.run_in_root, top, ["passwd"], {"PATH": "/etc:/no"}) == errno.EACCES


@pytest.mark.root
def test_no_module_of_the_other_root_is_run(tmp_path):
    """A program that is looked for is one moment at which Python would import a module."""
    for directory in sys.path:
        if directory.startswith("/"):
            (tmp_path / directory[1:]).mkdir(parents=True, exist_ok=True)
            for module in ("warnings", "encodings", "traceback", "errno", "os"):
                (tmp_path / directory[1:] / f"{module}.py").write_text("open('/owned', 'w')")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert failure(system.run_in_root, fd, ["none"], {"PATH": "/bin"}) == errno.ENOENT
    finally:
        os.close(fd)
    assert not (tmp_path / "owned").exists()


@pytest.mark.root
def test_a_program_in_another_root_ends_when_the_wait_is_interrupted(top):
    class StopError(Exception):
        pass

    def stop(*_):
        raise StopError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(StopError):
            system.run_in_root(top, ["sleep", "1000.125"], {"PATH": "/usr/bin:/bin"})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert subprocess.run(["pgrep", "-f", "^sleep 1000.125"], check=False).returncode == 1


@pytest.mark.root
def test_an_ordinary_user_is_root_in_namespaces(place, capfd):
    import ctypes  # noqa: F401  # An ordinary user may not be able to read it.

    found = python_of_all(place)
    if found is None:
        pytest.skip("no Python here that an ordinary user can start")

    def child():
        sys.executable, mount.__file__ = found
        fd = system.open_root("/")
        return system.run_in_root(fd, ["sh", "-c", "id -u; exit 4"], {"PATH": "/usr/bin:/bin"})

    assert in_child(child, user=USER) == 4
    assert capfd.readouterr() == ("0\n", "")


def test_directories_are_made_for_the_user_alone_and_left_if_they_exist(tmp_path):
    (tmp_path / "a").mkdir(0o755)
    system.make_directories(f"{tmp_path}/a/b/c")
    system.make_directories(f"{tmp_path}/a/b/c")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/c")]
    assert modes == [0o755, 0o700, 0o700]
    (tmp_path / "file").touch()
    assert failure(system.make_directories, f"{tmp_path}/file/x") == errno.ENOTDIR
