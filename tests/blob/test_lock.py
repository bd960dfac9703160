"""The lock of a store: shared by those who add blobs, held alone by those who change the index or delete."""

import os
import threading

import pytest

from oci_layers import system
from oci_layers.blob import lock
from oci_layers.blob.lock import LOCK_FILE, exclusive_lock, shared_lock
from oci_layers.errors import StoreError
from tests.support.process import in_child


@pytest.fixture
def root(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def alone(root):
    return exclusive_lock(root, "place")


def state(directory):
    """Return what another handle can take now: everything, the shared lock, or nothing."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        if system.lock(fd, wait=False):
            return "free"
        return "shared" if system.lock(fd, wait=False, shared=True) else "alone"
    finally:
        os.close(fd)


def test_any_number_share_the_lock(tmp_path, root):
    with shared_lock(root):
        with shared_lock(root):
            assert state(tmp_path) == "shared"
        assert state(tmp_path) == "shared"
    assert state(tmp_path) == "free"


def test_one_holds_it_alone(tmp_path, root):
    with exclusive_lock(root, "place") as excludes:
        assert excludes
        assert state(tmp_path) == "alone"
        assert in_child(lambda: state(tmp_path)) == "alone"
    assert state(tmp_path) == "free"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("take", [shared_lock, alone])
def test_an_error_ends_it(tmp_path, root, take):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyboardInterrupt), take(root):
        raise KeyboardInterrupt
    assert state(tmp_path) == "free"
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("take", [shared_lock, alone])
def test_an_error_in_taking_it_leaves_nothing_open(root, take, monkeypatch):
    def fault(*arguments, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(system, "lock", fault)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Input/output error"), take(root):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_threads_wait_for_one_another(root):
    at_once, most = set(), []

    def work(name):
        for _ in range(20):
            with exclusive_lock(root, "place"):
                at_once.add(name)
                most.append(len(at_once))
                at_once.remove(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80


def test_those_who_share_it_wait_for_one_who_holds_it_alone(root):
    order = []

    def share():
        with shared_lock(root):
            order.append("shared")

    with exclusive_lock(root, "place"):
        thread = threading.Thread(target=share)
        thread.start()
        thread.join(0.05)
        order.append("alone")
    thread.join()
    assert order == ["alone", "shared"]


@pytest.fixture
def no_locks(monkeypatch):
    monkeypatch.setattr(system, "lock", lambda fd, *, wait, shared=False: None)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_an_exclusive_one_is_a_file_and_says_that_it_excludes_no_writer(tmp_path, root):
    with shared_lock(root):
        assert os.listdir(tmp_path) == []
        with exclusive_lock(root, "place") as excludes:
            assert not excludes
            assert os.listdir(tmp_path) == [LOCK_FILE.decode()]
    assert os.listdir(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), exclusive_lock(root, "place"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_file_of_another_is_waited_for_and_kept(tmp_path, root, monkeypatch):
    monkeypatch.setattr(lock, "_PATIENCE", 0.03)
    (tmp_path / LOCK_FILE.decode()).touch()
    with pytest.raises(StoreError) as caught, exclusive_lock(root, "place"):
        pass
    assert (caught.value.place, caught.value.reason) == (
        "place",
        "locked by another process; if there is none, remove index.json.lock, which a killed one left",
    )
    assert os.listdir(tmp_path) == [LOCK_FILE.decode()]
    monkeypatch.setattr(lock, "_PATIENCE", 10)
    timer = threading.Timer(0.03, (tmp_path / LOCK_FILE.decode()).unlink)
    timer.start()
    with exclusive_lock(root, "place") as excludes:
        assert not excludes
    timer.join()
