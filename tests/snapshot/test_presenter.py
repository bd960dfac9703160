import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from oci_layers import snapshot, system
from oci_layers.disk import scan
from oci_layers.errors import PlaceMissingError, PresenterError
from oci_layers.snapshot import presenter as presenters
from oci_layers.snapshot.presenter import present
from oci_layers.system import mount
from tests.support.layers import d, f
from tests.support.process import USER, become, ended, in_child, mounted, start
from tests.support.shown import SMALL, Shown, numbered, python_of_all, seen

ALL = [
    "detached",
    "namespace",
    "mounted",
    pytest.param("fuse", marks=pytest.mark.peer("fuse-overlayfs")),
]
RELEASE = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) if sys.platform == "linux" else (0, 0)
NOBODY = 65534
"""A user with a name, which fusermount3 asks for."""
pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def clean(monkeypatch, place):
    """No test knows what another one was refused, or leaves a mount or an open file."""
    monkeypatch.setattr(presenters, "_refusals", {})
    monkeypatch.setattr(mounts, "place", str(place), raising=False)
    before = mounts(), sorted(os.listdir("/proc/self/fd"))
    yield
    assert (mounts(), sorted(os.listdir("/proc/self/fd"))) == before


@pytest.fixture(params=["disk", "tmpfs"])
def where(request, place):
    """A directory on the disk and one in memory."""
    if request.param == "disk":
        yield place
        return
    with mounted(place / "memory", options="size=64m,mode=755") as directory:
        os.chown(directory, USER, USER)
        yield directory


@pytest.fixture
def as_user(place):
    """Run a function as an ordinary user, who can start an interpreter."""
    found = python_of_all(place)
    if found is None:
        pytest.skip("no Python here that an ordinary user can start")

    def run(function):
        def child():
            sys.executable, mount.__file__ = found
            return function()

        return in_child(child, user=USER)

    return run


def mounts():
    """The mounts in the directory of the test; other tests have theirs at the same time."""
    with open("/proc/self/mountinfo") as lines:
        return "".join(line for line in lines if mounts.place in line)


# What is shown.

THOROUGH = pytest.mark.thorough


@pytest.mark.parametrize("presenter", ALL)
def test_a_stack_shows_the_tree_that_the_layers_make_in_memory(where, presenter):
    with Shown(where, SMALL) as shown, shown.present(presenter) as presented:
        assert seen(presented.fd) == shown.expected()
        assert (presented.presenter, presented.refused) == (presenter, ())


@pytest.mark.parametrize("presenter", [each for each in ALL if each != "namespace"])
def test_root_may_have_the_attributes_in_trusted(where, presenter):
    with Shown(where, SMALL, namespace="trusted") as shown, shown.present(presenter) as presented:
        assert seen(presented.fd) == shown.expected()


@pytest.mark.parametrize("count", [0, 1, 2, 20, *(pytest.param(n, marks=THOROUGH) for n in (128, 499, 500))])
@pytest.mark.parametrize("presenter", ALL)
def test_up_to_500_layers_are_shown(place, presenter, count):
    with Shown(place, numbered(count)) as shown, shown.present(presenter) as presented:
        if count:
            assert seen(presented.fd) == shown.expected()
        assert sorted(os.listdir(presented.fd)) == sorted([f"f{n}" for n in range(count)] + ["top"] * (count > 0))
        with pytest.raises(OSError) as caught:
            os.mkdir("new", dir_fd=presented.fd)
        assert caught.value.errno == errno.EROFS


@pytest.mark.parametrize("presenter", ALL)
def test_what_is_written_goes_to_the_upper_directory_alone(where, presenter):
    with Shown(where, SMALL) as shown:
        lowers = [seen(fd) for fd in shown.lowers]
        with shown.present(presenter, write=True) as presented:
            write(presented.fd, "swap/in", b"dark")
            os.unlink("link", dir_fd=presented.fd)
            assert read(presented.fd, "swap/in") == b"dark"
        assert [seen(fd) for fd in shown.lowers] == lowers
        assert read(shown.upper, "swap/in") == b"dark"
        assert stat.S_ISCHR(os.stat("link", dir_fd=shown.upper, follow_symlinks=False).st_mode)


@pytest.mark.parametrize("presenter", ALL)
def test_a_lower_directory_is_removed_with_all_in_it_and_made_again(where, presenter):
    with Shown(where, SMALL) as shown, shown.present(presenter, write=True) as presented:
        os.unlink("new/fresh", dir_fd=presented.fd)
        os.rmdir("new", dir_fd=presented.fd)
        assert "new" not in os.listdir(presented.fd)
        os.mkdir("new", dir_fd=presented.fd)
        os.rmdir("new", dir_fd=presented.fd)  # which only works if it is empty


@pytest.mark.parametrize("presenter", ALL)
def test_a_stack_of_no_lower_directory_takes_what_is_written(where, presenter):
    with Shown(where, []) as shown, shown.present(presenter, write=True) as presented:
        write(presented.fd, "first", b"1")
        assert os.listdir(presented.fd) == ["first"]
        assert read(shown.upper, "first") == b"1"


@pytest.mark.parametrize("presenter", ALL)
def test_a_stack_that_is_only_read_leaves_its_upper_and_work_directories_as_they_are(where, presenter):
    with Shown(where, SMALL) as shown:
        with shown.present("detached", write=True) as presented:
            write(presented.fd, "swap/in", b"dark")
        before = seen(shown.upper)
        subprocess.run(["rm", "-rf", f"{where}/work/work"], check=True)
        with shown.present(presenter, write=True, read_only=True) as presented:
            assert read(presented.fd, "swap/in") == b"dark"
            with pytest.raises(OSError) as caught:
                write(presented.fd, "swap/in", b"light")
            assert caught.value.errno == errno.EROFS
        assert seen(shown.upper) == before
        assert os.listdir(shown.work) == []


@pytest.mark.parametrize("presenter", ALL)
@pytest.mark.parametrize("names", ["handles", "names"])
def test_a_path_may_have_any_character(place, presenter, names, monkeypatch):
    if names == "names":
        forbid_handles(monkeypatch)
    odd = place / ("a,b\\d\n e" if presenter == "fuse" else "a,b:c\\d\n e")  # fuse-overlayfs splits at the colon.
    odd.mkdir()
    with Shown(odd, SMALL) as shown, shown.present(presenter, write=True) as presented:
        assert seen(presented.fd) == shown.expected()
        write(presented.fd, "swap/in", b"dark")


def test_a_hundred_containers_over_one_image_do_not_see_one_another(where):
    with Shown(where, SMALL) as shown, contextlib.ExitStack() as opened:
        lowers = [seen(fd) for fd in shown.lowers]
        containers = []
        for number in range(100):
            for name in (f"upper{number}", f"work{number}"):
                os.mkdir(f"{where}/{name}")
            upper, work = shown.open(f"{where}/upper{number}"), shown.open(f"{where}/work{number}")
            stack = snapshot.Stack(shown.lowers, upper=upper, work=work, namespace="user")
            containers.append(opened.enter_context(present(stack)))
        for number, container in enumerate(containers):
            write(container.fd, "swap/in", str(number).encode())
        assert [int(read(container.fd, "swap/in")) for container in containers] == list(range(100))
        assert [seen(fd) for fd in shown.lowers] == lowers


@pytest.mark.parametrize("presenter", ["detached", "namespace", "mounted"])
@pytest.mark.parametrize("space", ["trusted", "user"])
def test_no_mark_leads_to_another_directory_or_the_contents_of_another_file(place, presenter, space):
    """Such as a layer could have, which another program unpacked."""
    if (space, presenter) == ("trusted", "namespace"):
        return  # which is refused
    with Shown(place, [[d(""), d("secret"), f("secret/s"), d("d"), f("big", "data")]], namespace=space) as shown:
        os.makedirs(place / "top/d")
        (place / "top/big").write_bytes(bytes(4))
        os.setxattr(place / "top/d", f"{space}.overlay.redirect", b"/secret")
        os.setxattr(place / "top/big", f"{space}.overlay.metacopy", b"")
        shown.lowers = (shown.open(place / "top"), *shown.lowers)
        with shown.present(presenter) as presented:
            for name in ("d", "big"):
                with pytest.raises(PermissionError):
                    os.open(name, os.O_RDONLY, dir_fd=presented.fd)


@pytest.mark.skipif(RELEASE < (6, 7), reason="the kernel is older than 6.7, and has no escape for attributes")
@pytest.mark.parametrize("presenter", ["detached", "namespace", "mounted"])
def test_attributes_that_look_like_marks_are_shown_as_the_image_has_them(where, presenter):
    marks = {b"user.overlay.opaque": b"y", b"user.overlay.other": b"z", b"user.overlayed": b"x"}
    layers = [[d(""), d("a", xattrs=marks), f("a/f", xattrs=marks)], [f("a/g", xattrs=marks)]]
    with Shown(where, layers) as shown, shown.present(presenter) as presented:
        assert seen(presented.fd) == shown.expected()


# Kernels of other times.


@pytest.mark.parametrize("count", [1, 2, 20, 128])
def test_a_kernel_that_takes_no_handles_is_given_names(place, count, monkeypatch):
    forbid_handles(monkeypatch)
    with Shown(place, numbered(count)) as shown, shown.present("detached", write=True) as presented:
        assert seen(presented.fd) == shown.expected()
        write(presented.fd, "new", b"n")
        assert os.listdir(shown.upper) == ["new"]


def test_a_kernel_that_takes_no_mount_without_a_path_as_a_layer_shows_the_only_one_as_it_is(place, monkeypatch):
    def old(name, *arguments):
        if name == "fsopen" and arguments[0] == b"overlay":
            raise OSError(errno.EINVAL, "old", name)

    change_kernel(monkeypatch, old)
    with Shown(place, numbered(1)) as shown:
        with shown.present("detached") as presented:
            assert seen(presented.fd) == shown.expected()
            with pytest.raises(OSError) as caught:
                os.mkdir("new", dir_fd=presented.fd)
            assert caught.value.errno == errno.EROFS
        with pytest.raises(PresenterError) as refused:
            shown.present("detached", write=True)
        assert refused.value.refused == (("detached", "EINVAL: old (fsopen)"),)


def forbid_handles(monkeypatch):
    def old(name, *arguments):
        if name == "fsconfig" and arguments[1] == 5:
            raise OSError(errno.EINVAL, "no handles", name)

    change_kernel(monkeypatch, old)


def change_kernel(monkeypatch, hook):
    real = mount._kernel

    def kernel():
        call = real()

        def hooked(name, *arguments):
            hook(name, *arguments)
            return call(name, *arguments)

        return hooked

    monkeypatch.setattr(mount, "_kernel", kernel)


# What is refused.


def test_one_directory_twice_is_refused_with_the_words_of_the_system(place):
    with Shown(place, numbered(1)) as shown:
        with pytest.raises(PresenterError) as refused:
            present(snapshot.Stack(shown.lowers * 2, namespace="user"))
        assert [name for name, _ in refused.value.refused] == ["detached", "namespace", "mounted", "fuse"]
        assert refused.value.refused[0][1].startswith("ELOOP: ")
        assert refused.value.refused[2:] == (
            ("mounted", "it needs a path to mount at"),
            ("fuse", "it needs a path to mount at"),
        )


@pytest.mark.peer("fuse-overlayfs")
def test_an_overlay_of_an_overlay_of_an_overlay_falls_to_the_presenter_that_can(where):
    with contextlib.ExitStack() as opened:
        fd, trees = None, []
        for level in range(3):
            os.mkdir(f"{where}/{level}")
            shown = opened.enter_context(Shown(f"{where}/{level}", [[d(""), f(f"at{level}")]]))
            lowers = shown.lowers if fd is None else (*shown.lowers, fd)
            stack = snapshot.Stack(lowers, namespace="user")
            at = shown.place if level == 2 else None
            presented = opened.enter_context(present(stack, at=at))
            trees.append((presented.presenter, sorted(os.listdir(presented.fd))))
            # A mount at a path, which fuse-overlayfs can open, too.
            fd = opened.enter_context(present(stack, at=shown.place)).fd if level < 2 else None
            refused = presented.refused
    assert trees == [("detached", ["at0"]), ("detached", ["at0", "at1"]), ("fuse", ["at0", "at1", "at2"])]
    assert [name for name, _ in refused] == ["mounted"]
    assert refused[0][1].startswith("EINVAL: ")


def test_a_refusal_for_good_is_remembered_and_another_is_not(place, monkeypatch):
    calls, answers = [], [OSError(errno.ENOMEM, "full", "fsopen"), OSError(errno.EPERM, "never", "fsopen")]
    answers.insert(1, OSError(errno.EPERM, "this directory", "fsconfig"))

    def refuse(*_, **__):
        calls.append(1)
        raise answers[min(len(calls), 3) - 1]

    monkeypatch.setattr(system, "mount_overlay", refuse)
    reasons = []
    with Shown(place, SMALL) as shown:
        for _ in range(5):
            with present(shown.stack()) as presented:
                assert presented.presenter == "namespace"
                assert seen(presented.fd) == shown.expected()
                reasons.append(presented.refused)
    assert reasons == [
        (("detached", "ENOMEM: full (fsopen)"),),
        (("detached", "EPERM: this directory (fsconfig)"),),
        *[(("detached", "EPERM: never (fsopen)"),)] * 3,
    ]
    assert len(calls) == 3


@pytest.mark.peer("fuse-overlayfs")
def test_what_no_presenter_can_show_is_refused_with_the_reason_of_each(place, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOSYS, "no such call", "fsopen")

    monkeypatch.setattr(system, "mount_overlay", refuse)
    odd = place / "a:b"  # fuse-overlayfs splits at the colon.
    odd.mkdir()
    with Shown(odd, SMALL) as shown, pytest.raises(PresenterError) as refused:
        present(shown.stack(write=True), at=shown.place)
    assert refused.value.refused[0] == ("mounted", "ENOSYS: no such call (fsopen)")
    name, reason = refused.value.refused[1]
    assert name == "fuse"
    assert reason.startswith("EIO: ")
    assert reason.endswith("No such file or directory (fuse-overlayfs)")
    assert str(place) not in mounts()


def test_attributes_in_trusted_are_refused_to_a_user_from_whom_the_system_hides_them(place, as_user):
    with Shown(place, SMALL, namespace="trusted") as shown:
        with pytest.raises(PresenterError) as refused:
            shown.present("namespace")
        assert "attributes in trusted are hidden" in str(refused.value)

        def user():
            with pytest.raises(PresenterError) as refused:
                present(shown.stack())
            return refused.value.refused

        expected = "EPERM: attributes in trusted are hidden from this user; use those in user"
        assert as_user(user)[:2] == (("detached", expected), ("namespace", expected))


@pytest.mark.peer("unshare")
def test_root_of_a_user_namespace_mounts_with_attributes_in_user_and_is_refused_those_in_trusted(place):
    code = f"""
import os, sys
from oci_layers import snapshot, errors
lowers = tuple(os.open({str(place)!r} + "/" + str(n), os.O_RDONLY) for n in (2, 1, 0))
upper, work = (os.open({str(place)!r} + "/" + name, os.O_RDONLY) for name in ("upper", "work"))
with snapshot.present(snapshot.Stack(lowers, upper=upper, work=work, namespace="user")) as presented:
    print(presented.presenter, sorted(os.listdir(presented.fd)))
    os.unlink("new/fresh", dir_fd=presented.fd)
    os.rmdir("new", dir_fd=presented.fd)
    os.mkdir("new", dir_fd=presented.fd)
try:
    snapshot.present(snapshot.Stack(lowers))
except errors.PresenterError as error:
    print(error.refused[0][1])
"""
    with Shown(place, SMALL) as shown:
        names = sorted(shown.tree.root.children)
        command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", code]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if "unshare failed" in done.stderr:
            pytest.skip(f"the system permits no user namespace: {done.stderr.strip()}")
        assert done.stderr == ""
        listed = [name.decode() for name in names]
        expected = "EPERM: attributes in trusted are hidden from this user; use those in user"
        assert done.stdout == f"detached {listed}\n{expected}\n"


# An ordinary user.


def test_an_ordinary_user_gets_what_root_gets_and_writes(where, as_user):
    def user():
        with Shown(where, SMALL, owner=USER) as shown:
            with present(shown.stack(write=True)) as presented:
                first = seen(presented.fd), presented.presenter, presented.refused
                write(presented.fd, "swap/in", b"dark")
                os.unlink("new/fresh", dir_fd=presented.fd)
                os.rmdir("new", dir_fd=presented.fd)
                os.mkdir("new", dir_fd=presented.fd)
                os.rename("link", "renamed", src_dir_fd=presented.fd, dst_dir_fd=presented.fd)
                with pytest.raises(PermissionError):
                    os.chown("swap/in", 1, 1, dir_fd=presented.fd)
                second = seen(presented.fd)
            with present(shown.stack(write=True)) as presented:
                third = seen(presented.fd)
            return first, shown.expected(), second, third, os.stat("swap/in", dir_fd=shown.upper).st_uid

    (shown, presenter, refused), expected, second, third, owner = as_user(user)
    assert shown == expected
    assert presenter == "namespace"
    assert refused == (("detached", "EPERM: Operation not permitted (fsopen)"),)
    assert second == third != shown
    assert owner == USER


@pytest.mark.parametrize("count", [1, 2, *(pytest.param(n, marks=THOROUGH) for n in (128, 500))])
def test_an_ordinary_user_has_as_many_layers(where, as_user, count):
    def user():
        with Shown(where, numbered(count), owner=USER) as shown, shown.present("namespace") as presented:
            return seen(presented.fd), shown.expected()

    shown, expected = as_user(user)
    assert shown == expected


def test_threads_run_and_nothing_of_the_process_changes_while_a_child_mounts(place):
    stop = threading.Event()
    counts = [0] * 4

    def count(number):
        while not stop.is_set():
            counts[number] += 1
            time.sleep(0)

    threads = [threading.Thread(target=count, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        with Shown(place, SMALL) as shown:
            before = view(), sorted(os.listdir("/proc/self/fd"))
            with shown.present("namespace", write=True) as presented:
                assert seen(presented.fd) == shown.expected()
                assert view() == before[0]
                write(presented.fd, "swap/in", b"dark")
            assert (view(), sorted(os.listdir("/proc/self/fd"))) == before
            with pytest.raises(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert min(counts) > 0


def view():
    spaces = [os.readlink(f"/proc/self/ns/{name}") for name in ("user", "mnt", "pid")]
    return spaces, mounts(), os.getresuid(), os.getcwd()


@pytest.mark.peer("fuse-overlayfs", "fusermount3")
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_an_ordinary_user_has_fuse_where_the_device_may_be_opened(place, mode):
    """In namespaces of mounts in which everybody may open the device, or root alone."""
    os.mknod(place / "fuse", stat.S_IFCHR | mode, os.stat("/dev/fuse").st_rdev)
    os.chmod(place / "fuse", mode)
    with Shown(place, SMALL, owner=NOBODY) as shown:
        for name in ("upper", "work", "place"):
            os.chown(place / name, NOBODY, NOBODY)

        def user():
            mount._kernel()("unshare", 0x20000)  # CLONE_NEWNS
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["mount", "--bind", place / "fuse", "/dev/fuse"], check=True)
            become(NOBODY)
            try:
                with present(shown.stack(write=True), at=shown.place, presenters=["mounted", "fuse"]) as presented:
                    found = seen(presented.fd)
                    write(presented.fd, "late/x", b"y")
            except PresenterError as error:
                return None, error.refused, os.path.ismount(shown.place)
            return found, presented.refused, os.path.ismount(shown.place)

        found, refused, at_path = in_child(user)
        assert not at_path
        assert refused[0] == ("mounted", "EPERM: Operation not permitted (fsopen)")
        if mode == 0o600:
            assert (found, refused[1:]) == (None, (("fuse", "EACCES: Permission denied (/dev/fuse)"),))
        else:
            assert refused[1:] == ()
            assert found == shown.expected()
            assert read(shown.upper, "late/x") == b"y"


# How it ends.


@pytest.mark.parametrize("presenter", ALL)
def test_closing_ends_it_and_twice_is_fine(where, presenter):
    before = mounts()
    with Shown(where, SMALL) as shown:
        presented = shown.present(presenter)
        assert (mounts() == before) == (presented.path is None)
        presented.close()
        presented.close()
        with pytest.raises(OSError):
            os.fstat(presented.fd)
    assert mounts() == before


@pytest.mark.parametrize("presenter", ["mounted", pytest.param("fuse", marks=pytest.mark.peer("fuse-overlayfs"))])
def test_a_path_is_free_at_once_although_a_file_on_it_is_open(place, presenter):
    with Shown(place, SMALL) as shown:
        presented = shown.present(presenter)
        assert presented.path == shown.place
        with open(f"{shown.place}/etc/motd", "rb") as file:
            presented.close()
            assert os.listdir(shown.place) == []
            assert file.read() == b"The lamp is lit."


@pytest.mark.parametrize("presenter", ["mounted", pytest.param("fuse", marks=pytest.mark.peer("fuse-overlayfs"))])
def test_a_mount_that_is_left_stays_until_it_is_unmounted(place, presenter):
    with Shown(place, SMALL) as shown:
        with shown.present(presenter) as presented:
            path = presented.leave()
        assert seen(path) == shown.expected()
        presenters.unmount(path)
        assert os.listdir(path) == []
        with shown.present("detached") as presented, pytest.raises(ValueError, match="mounted at no path"):
            presented.leave()


def test_a_path_that_is_no_directory_is_refused(place):
    with Shown(place, SMALL) as shown:
        for path in (place / "absent", place / "0/swap"):
            with pytest.raises(PlaceMissingError) as refused:
                present(shown.stack(), at=path)
            assert str(refused.value) == f"{path}: no such directory"


@pytest.mark.parametrize(("presenter", "call"), [
    *[(name, "open_directory") for name in ("detached", "namespace", "mounted")],
    pytest.param("fuse", "open_root", marks=pytest.mark.peer("fuse-overlayfs")),
])  # fmt: skip
def test_nothing_stays_mounted_if_its_root_cannot_be_opened(place, presenter, call, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    with Shown(place, SMALL) as shown, monkeypatch.context() as patch:
        patch.setattr(system, call, refuse)
        with pytest.raises(PresenterError) as refused:
            shown.present(presenter)
        assert refused.value.refused == ((presenter, "EMFILE: Too many open files"),)


@pytest.mark.peer("fusermount3")
def test_a_mount_that_may_not_be_unmounted_is_an_error_of_the_system(place, as_user):
    with Shown(place, SMALL) as shown, shown.present("mounted"):

        def user():
            with pytest.raises(PermissionError) as caught:
                presenters.unmount(shown.place)
            return caught.value.filename

        assert as_user(user) == "umount2"
        assert os.path.ismount(shown.place)


def test_what_was_unmounted_by_another_is_an_error(place):
    with Shown(place, SMALL) as shown:
        presented = shown.present("mounted")
        system.unmount(shown.place, lazy=True)
        with pytest.raises(OSError) as caught:
            presented.close()
        assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("presenter", ["detached", "namespace"])
def test_nothing_is_left_of_a_killed_process_and_what_it_wrote_is_there(place, presenter):
    own = place / "own"
    with mounted(own, options="size=16m,mode=755"), Shown(own, SMALL) as shown:

        def hold():
            presented = shown.present(presenter, write=True)
            write(presented.fd, "swap/in", b"dark")
            os.write(theirs, b"x")
            signal.pause()

        ours, theirs = os.pipe()
        before = mounts()
        child = start(hold)
        os.read(ours, 1)
        assert mounts() == before
        os.kill(child, signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL
        os.close(ours)
        os.close(theirs)
        with shown.present(presenter, write=True) as presented:
            assert read(presented.fd, "swap/in") == b"dark"
        shown.opened.close()
        # A file system that another mount lies over would be busy.
        subprocess.run(["umount", own], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", own], check=True)  # which the fixture unmounts


@pytest.mark.parametrize("user", [None, USER])
def test_a_volatile_upper_directory_is_lost_after_a_crash(where, as_user, user):
    def run():
        with Shown(where, SMALL, owner=user) as shown:

            def hold():
                presented = present(shown.stack(write=True, volatile=True))
                write(presented.fd, "swap/in", b"dark")
                os.kill(os.getpid(), signal.SIGKILL)

            assert ended(start(hold)) == -signal.SIGKILL
            with pytest.raises(PresenterError) as refused:
                present(shown.stack(write=True))
            return [reason.partition(":")[0] for _, reason in refused.value.refused]

    reasons = run() if user is None else as_user(run)
    assert reasons[0] == ("EINVAL" if user is None else "EPERM")
    assert reasons[1] == "EINVAL"


def write(fd, path, data):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=fd)
    os.write(file, data)
    os.close(file)


def read(fd, path):
    file = os.open(path, os.O_RDONLY, dir_fd=fd)
    try:
        return os.read(file, 1 << 20)
    finally:
        os.close(file)


@pytest.mark.peer("fuse-overlayfs")
def test_fuse_keeps_some_attributes_for_itself(place):
    marks = {b"user.overlay.other": b"z", b"user.fuseoverlayfs.origin": b"o", b"user.overlayed": b"x"}
    layers = [[d(""), d("b"), f("b/x"), f("c", xattrs=marks)], [d("b", xattrs={b"user.fuseoverlayfs.opaque": b"y"})]]
    with Shown(place, layers) as shown, shown.present("fuse") as presented:
        tree = scan(presented.fd)
        assert tree.get(b"c").xattrs == {b"user.overlayed": b"x"}
        assert shown.tree.get(b"b/x") is not None
        assert tree.get(b"b/x") is None
