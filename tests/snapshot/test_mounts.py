"""A mount at a path is known to the room as long as it is there, also to other processes."""

import os
import subprocess

import pytest

from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.record import MountRecord
from oci_layers.tree import dump
from tests.support.layers import f, tar
from tests.support.rooms import seen, unpacked

pytestmark = pytest.mark.root
MOUNTED = ["mounted"]


@pytest.fixture
def opened():
    with unpacked(tar(f("a", "1")), tar(f("b", "2"))) as (made, _):
        yield made


def test_a_mount_is_listed_while_it_is_there(opened, tmp_path):
    with opened.view("app", at=tmp_path, presenters=MOUNTED) as view:
        assert (view.path, view.mount_point, view.presenter) == (str(tmp_path), str(tmp_path), "mounted")
        device = os.stat(tmp_path).st_dev
        expected = MountRecord(path=str(tmp_path), device=device, chain_id=opened.image("app").chain_id)
        with Snapshots(opened.place, sync=False) as other:
            assert other.mounts() == opened.mounts() == [expected]
        assert seen(view.fd) == dump(opened.tree("app"))
    assert opened.mounts() == []
    assert os.listdir(tmp_path) == os.listdir(f"{opened.place}/mounts") == []


def test_a_mount_that_was_left_stays_until_it_is_unmounted(opened, tmp_path):
    assert opened.view("app", at=tmp_path, presenters=MOUNTED).leave() == str(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    with Snapshots(opened.place, sync=False) as other:
        other.unmount(tmp_path)
    assert opened.mounts() == []
    with pytest.raises(PlaceMissingError, match="is mounted there"):
        opened.unmount(tmp_path)


def test_a_mount_that_another_program_ended_is_not_listed(opened, tmp_path):
    opened.view("app", at=tmp_path, presenters=MOUNTED).leave()
    subprocess.run(["umount", tmp_path], check=True)
    assert opened.mounts() == []
    os.rmdir(tmp_path)
    assert opened.mounts() == []


def test_a_container_that_is_mounted_is_in_use(opened, tmp_path):
    container = opened.container("app", name="web", at=tmp_path, presenters=MOUNTED)
    with open(tmp_path / "new", "w", encoding="ascii") as file:
        file.write("1")
    container.leave()
    assert [mount.container for mount in opened.mounts()] == ["web"]
    for use in (opened.open_container, opened.remove_container, opened.reset_container):
        with pytest.raises(StoreError, match=f"container web is mounted at {tmp_path}"):
            use("web")
    opened.unmount(tmp_path)
    with opened.open_container("web") as again:
        assert sorted(os.listdir(again.fd)) == ["a", "b", "new"]


def test_a_note_that_cannot_be_written_leaves_no_mount(opened, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(opened.room), "replace", refused)
    with pytest.raises(OSError, match="No space"):
        opened.view("app", at=tmp_path, presenters=MOUNTED)
    assert os.listdir(tmp_path) == []


def test_what_is_mounted_at_no_path_cannot_be_left(opened):
    with opened.view("app", presenters=["detached"]) as view:
        assert (view.mount_point, list(view.refused)) == (None, [])
        with pytest.raises(ValueError, match="mounted at no path"):
            view.leave()


def test_a_damaged_note_is_refused(opened):
    with open(f"{opened.place}/mounts/x.json", "wb"):
        pass
    with pytest.raises(StoreError, match="the record is damaged"):
        opened.mounts()
