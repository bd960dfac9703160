"""The directory of a room: made, recognised, refused; names in it given and taken."""

import os

import pytest

from oci_layers import system
from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot import Snapshots, directory
from oci_layers.snapshot.directory import CONTAINERS, LAYERS, RoomDirectory, file_name
from tests.support.rooms import room


@pytest.fixture
def opened(tmp_path):
    made = RoomDirectory(str(tmp_path / "room"), sync=True)
    yield made
    made.close()


def test_a_room_is_made_of_what_is_absent_or_empty(tmp_path):
    for name in ("absent", "empty"):
        if name == "empty":
            (tmp_path / name).mkdir()
        RoomDirectory(str(tmp_path / name), sync=False).close()
        assert (tmp_path / name / "oci-layers-room").read_bytes() == b'{"version": 1}\n'
        RoomDirectory(str(tmp_path / name), sync=False, read_only=True).close()


def test_a_room_that_was_begun_is_completed(tmp_path):
    (tmp_path / "layers").mkdir()
    (tmp_path / ".oci-layers-room-1234").write_bytes(b"{")
    RoomDirectory(str(tmp_path), sync=False).close()
    assert not (tmp_path / ".oci-layers-room-1234").exists()


def test_what_is_no_room_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").write_bytes(b"")
    with pytest.raises(StoreError, match="not a room, and not empty: it has mine"):
        Snapshots(tmp_path)
    assert os.listdir(tmp_path) == ["mine"]
    with pytest.raises(StoreError, match="not a room: there is no file oci-layers-room"):
        RoomDirectory(str(tmp_path), sync=False, read_only=True)
    with pytest.raises(PlaceMissingError, match="its parent directory does not exist"):
        Snapshots(tmp_path / "no/room")
    with pytest.raises(PlaceMissingError):
        RoomDirectory(str(tmp_path / "none"), sync=False, read_only=True)
    with pytest.raises(PlaceMissingError):
        Snapshots(tmp_path / "mine/room")


@pytest.mark.parametrize("marker", [b'{"version": 2}\n', b""])
def test_a_room_of_another_version_is_refused(tmp_path, marker):
    (tmp_path / "oci-layers-room").write_bytes(marker)
    with pytest.raises(StoreError, match="a room of another version"):
        Snapshots(tmp_path)


@pytest.mark.parametrize("name", ["oci-layers-room", "layers", "images", "tmp"])
def test_a_link_in_place_of_a_part_of_a_room_is_refused(tmp_path, name):
    place = tmp_path / "room"
    with Snapshots(place, sync=False) as opened:
        opened.close()
    part = place / name
    part.unlink() if part.is_file() else part.rmdir()
    part.symlink_to(tmp_path)

    def use():
        with Snapshots(place, sync=False) as opened, opened.room.staging():
            return opened.images(), list(opened.layers.all())

    with pytest.raises(StoreError, match=f"{name} is not a "):
        use()
    assert sorted(os.listdir(tmp_path)) == ["room"]


def test_a_directory_of_no_use_is_given_no_name(opened):
    with opened.staging() as staging:
        assert os.listdir(f"{opened.path}/tmp") == [staging.name.decode()]
    assert os.listdir(f"{opened.path}/tmp") == []


def test_a_name_is_given_once(opened):
    for number in range(2):
        with opened.staging() as staging:
            with open(f"{opened.path}/tmp/{staging.name.decode()}/file", "wb"):
                pass
            assert opened.publish(staging, CONTAINERS, b"web") is (number == 0)
    assert os.listdir(f"{opened.path}/containers/web") == ["file"]
    assert os.listdir(f"{opened.path}/tmp") == []


def test_another_error_than_a_taken_name_comes_out(opened, monkeypatch):
    def refused(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(system, "rename", refused)
    with opened.staging() as staging, pytest.raises(OSError, match="Read-only") as caught:
        opened.publish(staging, CONTAINERS, b"web")
    assert caught.value.filename == opened.place


def test_what_a_killed_writer_left_is_removed_before_its_name_is_used(opened):
    os.makedirs(f"{opened.path}/tmp/x/deep")
    with opened.staging(b"x") as staging:
        assert os.listdir(staging.fd) == []


def test_a_record_that_is_no_file_or_too_large_is_refused(opened, monkeypatch):
    os.mkdir(f"{opened.path}/images/{file_name('a').decode()}")
    with pytest.raises(StoreError, match="is not a regular file"):
        opened.read(b"images", file_name("a"))
    monkeypatch.setattr(directory, "_SMALL", 10)
    opened.replace(b"images", file_name("b"), b"x" * 11)
    with pytest.raises(StoreError, match="is too large"):
        opened.read(b"images", file_name("b"))


def test_a_record_is_replaced_as_a_whole(opened, monkeypatch):
    opened.replace(b"images", b"a", b"old")

    def refused(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(system, "rename", refused)
    with pytest.raises(OSError, match="No space"):
        opened.replace(b"images", b"a", b"new")
    assert opened.read(b"images", b"a") == b"old"
    assert opened.names(b"images") == [b"a"]


def test_what_does_not_exist_is_no_error_where_nothing_is_asked_of_it(opened):
    assert opened.names(b"none", b"none") == []
    assert opened.read(b"none", b"none") is None
    assert opened.touch(b"none") is False
    assert opened.discard(LAYERS, b"none") is None
    opened.remove_file(b"none", b"none")
    opened.empty_trash(b"none")


def test_a_file_system_without_locks_is_refused(opened, monkeypatch):
    monkeypatch.setattr(system, "lock", lambda *_, **__: None)
    with pytest.raises(StoreError, match="has no locks, which a room needs"), opened.staging():
        pass
    with pytest.raises(StoreError, match="has no locks, without which nothing can be removed"), opened.exclusive():
        pass


def test_a_closed_room_is_not_used():
    with room() as made:
        made.close()
        with pytest.raises(StoreError, match="closed"):
            made.images()
        assert repr(made) == f"<Snapshots {made.place}>"
