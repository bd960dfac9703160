"""`system.mount` and `system.namespace`, as far as `snapshot` does not go through them; it has tests of its own."""

import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from oci_layers import system
from oci_layers.system import mount, namespace
from tests.support.process import IS_ROOT, USER, in_child, mounted
from tests.support.shown import Shown, numbered


@contextlib.contextmanager
def opened(*paths, flags=os.O_RDONLY):
    fds = [os.open(path, flags) for path in paths]
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def test_other_systems_than_linux_have_none_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    (tmp_path / "file").write_bytes(b"")
    with opened(tmp_path, tmp_path / "file") as (directory, file):
        for call in (
            lambda: system.mount_overlay([directory]),
            lambda: system.mount_overlay_in_namespace([directory]),
            lambda: system.attach_mount(directory, str(tmp_path)),
            lambda: system.unmount(str(tmp_path)),
            lambda: system.clone_file(file, file),
        ):
            with pytest.raises(OSError) as caught:
                call()
            assert caught.value.errno == errno.ENOSYS
        flushed = []
        monkeypatch.setattr(os, "sync", lambda: flushed.append("all"))
        system.syncfs(directory)
        assert flushed == ["all"]


def test_importing_the_room_does_not_import_what_makes_the_calls():
    code = "import sys, oci_layers.system; print(*sorted({'ctypes', '_socket', 'socket', 'fcntl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "ctypes" not in done.stdout


def test_a_file_system_is_flushed(tmp_path):
    with opened(tmp_path) as (directory,):
        system.syncfs(directory)
    with pytest.raises(OSError) as caught:
        system.syncfs(directory)
    assert (caught.value.errno, caught.value.filename) == (errno.EBADF, "syncfs")


def test_a_failure_has_the_name_of_the_call(tmp_path):
    with pytest.raises(OSError) as caught:
        system.unmount(str(tmp_path))
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL if IS_ROOT else errno.EPERM, "umount2")


@pytest.mark.root
def test_an_error_of_the_mount_has_the_words_of_the_kernel(tmp_path):
    with Shown(tmp_path, numbered(2)) as shown, pytest.raises(OSError) as caught:
        system.mount_overlay(shown.lowers, ["nonsense=1"])
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, "fsconfig")
    assert "nonsense" in caught.value.strerror


@pytest.mark.root
def test_root_reads_attributes_in_trusted_and_an_ordinary_user_does_not():
    assert system.may_trust_xattrs()
    assert not in_child(system.may_trust_xattrs, user=USER)


@pytest.mark.root
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_clone_has_the_same_contents_and_is_another_file(place, kind):
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    with open(place / "image", "wb") as image:
        image.truncate(400 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", place / "image"], check=True, stdout=subprocess.DEVNULL)
    with contextlib.ExitStack() as stack:
        try:
            at = stack.enter_context(mounted(place / "at", kind, "loop", place / "image"))
        except subprocess.CalledProcessError:
            pytest.skip(f"the system mounts no file with {kind}")
        (at / "a").write_bytes(b"x" * (1 << 20))
        (at / "b").write_bytes(b"")
        with opened(at / "a", at / "b", flags=os.O_RDWR) as (a, b):
            system.clone_file(a, b)
            os.pwrite(b, b"y", 0)
        assert (at / "a").read_bytes() == b"x" * (1 << 20)
        assert (at / "b").read_bytes() == b"y" + b"x" * ((1 << 20) - 1)


@pytest.mark.root
def test_a_file_system_without_clones_says_so(place):
    with mounted(place / "memory") as at:
        (at / "a").write_bytes(b"a")
        (at / "b").write_bytes(b"")
        with opened(at / "a", at / "b", flags=os.O_RDWR) as (a, b), pytest.raises(OSError) as caught:
            system.clone_file(a, b)
        assert caught.value.errno in {errno.EOPNOTSUPP, errno.EINVAL}
        assert (at / "b").read_bytes() == b""


# The child.


def test_the_child_is_bounded_in_time_and_its_end_is_an_error(tmp_path, monkeypatch):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(namespace, "_SECONDS", 0.2)
    for program, code in ((str(slow), errno.ETIMEDOUT), ("/bin/false", errno.ECHILD), ("/nothing", errno.ENOENT)):
        monkeypatch.setattr(sys, "executable", program)
        begun, files = time.monotonic(), sorted(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError) as caught:
            system.mount_overlay_in_namespace([], ["userxattr"])
        assert caught.value.errno == code
        assert time.monotonic() - begun < 10
        assert sorted(os.listdir("/proc/self/fd")) == files
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.root
def test_the_child_sends_a_handle_or_its_error(place, monkeypatch):
    """What it does in this process, without new namespaces."""
    monkeypatch.setattr(mount, "_enter_namespaces", lambda call: None)
    with Shown(place, numbered(3)) as shown:
        for options, upper in (([], True), ([], False), (["nonsense=1"], False)):
            ours, theirs = socket.socketpair()
            above = [str(shown.upper), str(shown.work)] if upper else ["-1", "-1"]
            given = ",".join(map(str, shown.lowers))
            files = set(os.listdir("/proc/self/fd"))
            mount._serve([str(theirs.detach()), *above, given, "rw", "userxattr", *options])
            answer, handles, _, _ = socket.recv_fds(ours, 4096, 1)
            ours.close()
            if options:
                assert answer.startswith(b"22\0")
                assert answer.endswith(b"\0fsconfig")
                assert handles == []
            else:
                assert sorted(os.listdir(f"/proc/self/fd/{handles[0]}")) == ["f0", "f1", "f2", "top"]
            for fd in sorted(set(map(int, os.listdir("/proc/self/fd"))) - set(map(int, files))):
                with contextlib.suppress(OSError):
                    os.close(fd)  # which the child leaves to its end


@pytest.mark.root
def test_the_error_of_the_child_says_what_and_where(place):
    lower = place / "lower"
    lower.mkdir()
    with opened(lower) as (fd,):
        lower.rmdir()
        with pytest.raises(FileNotFoundError) as caught:
            system.mount_overlay_in_namespace([fd])
        assert caught.value.filename == f"{lower} (deleted)"
    with Shown(place, numbered(2)) as shown, pytest.raises(OSError) as caught:
        system.mount_overlay_in_namespace(shown.lowers, ["nonsense=1"])
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, "fsconfig")
    assert "nonsense" in caught.value.strerror


@pytest.mark.root
def test_a_directory_over_which_another_is_mounted_is_not_taken_for_it(place):
    (place / "lower").mkdir()
    with opened(place / "lower") as (fd,), mounted(place / "lower"), pytest.raises(OSError) as caught:
        system.mount_overlay_in_namespace([fd])
    assert (caught.value.errno, caught.value.filename) == (errno.ESTALE, str(place / "lower"))


@pytest.mark.root
def test_a_user_who_may_have_no_namespaces_gets_the_error_of_the_system(place):
    """A limit of a user namespace in which the call is made."""
    code = f"""
import sys
sys.path.insert(0, {os.getcwd()!r})
with open("/proc/sys/user/max_user_namespaces", "w") as limit:
    limit.write("0")
from oci_layers import system
try:
    system.mount_overlay_in_namespace([])
except OSError as error:
    print(error.errno, error.filename)
"""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    if "unshare failed" in done.stderr:
        pytest.skip(f"the system permits no user namespace: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == (f"{errno.ENOSPC} unshare\n", "")
