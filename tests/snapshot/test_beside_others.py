"""What others remove while a room is looked at is neither an error nor a finding."""

import json
import os
import shutil

import pytest

from oci_layers import system
from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot import Snapshots, du, fsck, gc, list_containers
from tests.support.layers import d, f, tar
from tests.support.rooms import image_of, room

LAYERS = tar(d("etc"), f("etc/a", "a" * 100)), tar(f("etc/b", "b" * 100)), tar(f("etc/c", "c" * 100))
pytestmark = pytest.mark.root


@pytest.fixture
def opened():
    with image_of(*LAYERS) as image, room() as made:
        made.unpack(image)
        yield made


@pytest.fixture
def other(opened):
    """The same room, as another process has it."""
    with Snapshots(opened.place, sync=False) as made:
        yield made


def collect(made):
    made.remove_image("app")
    return gc(made, grace=0)


@pytest.mark.parametrize("work", [du, lambda made: gc(made, grace=0).kept])
def test_a_name_that_is_gone_when_its_turn_comes_is_passed_over(opened, work, monkeypatch):
    expected = work(opened)
    list_names = system.list_names
    monkeypatch.setattr(system, "list_names", lambda fd: [b"gone", *list_names(fd)])
    assert work(opened) == expected


def test_a_directory_that_is_gone_when_its_turn_comes_is_passed_over(opened, monkeypatch):
    os.makedirs(f"{opened.place}/tmp/x/y")
    lstat = system.lstat

    def remove(name, fd):
        found = lstat(name, fd)
        if name == b"y":
            os.rmdir(f"{opened.place}/tmp/x/y")
        return found

    monkeypatch.setattr(system, "lstat", remove)
    assert du(opened).layers == 3


def test_a_layer_that_is_collected_before_its_turn_is_not_compared(opened, other):
    checked = fsck(opened, checkpoint=lambda _: other.images() and collect(other))
    assert checked.ok
    assert checked.layers == 0


def test_a_layer_is_not_collected_while_it_is_compared(opened, other, monkeypatch):
    kept = []
    scan = fsck.__globals__["scan"]

    def collecting(path):
        if not kept:
            kept.append(collect(other).kept)
        return scan(path)

    monkeypatch.setitem(fsck.__globals__, "scan", collecting)
    assert fsck(opened).ok
    assert kept[0] > 0


@pytest.mark.parametrize(
    "work", [Snapshots.view, Snapshots.container, Snapshots.tree, lambda made, image: made.create_container(image, "c")]
)
def test_layers_that_were_used_and_are_collected_are_missing(opened, other, work):
    image = opened.image("app")
    opened.tree(image)
    collect(other)
    with pytest.raises(StoreError, match="is missing; unpack the image again"):
        work(opened, image)
    assert opened.containers() == []


def test_a_view_keeps_layers_that_are_below_one_of_a_read_only_room(tmp_path):
    with room(tmp_path / "below") as below, image_of(*LAYERS) as image:
        below.unpack(image)
        with room(tmp_path / "room", read_only=[below.place]) as made, image_of(LAYERS[0], name="base") as base:
            chain_id = base.layers[0].chain_id
            with room(tmp_path / "room") as alone:
                alone.unpack(base)
            made.unpack(image)
            assert [layer.room.is_read_only for layer in made.stack("app")] == [True, True, False]
            with made.view("app"):
                made.remove_image("base")
                assert collect(made).layers == ()
            assert gc(made, grace=0).layers == (chain_id,)


def test_a_container_whose_layers_are_missing_keeps_what_was_written(opened):
    with opened.container("app", name="c") as container:
        with open(f"{container.path}/new", "w") as file:
            file.write("new")
        upper = opened.container_files("c").path
    shutil.rmtree(opened.stack("app")[0].path.removesuffix("/fs"))
    with pytest.raises(StoreError, match="is missing"):
        opened.reset_container("c")
    assert os.listdir(upper) == ["new"]


@pytest.mark.parametrize(
    ("work", "error"), [(Snapshots.remove_container, PlaceMissingError), (Snapshots.reset_container, StoreError)]
)
def test_a_container_that_is_removed_while_it_is_opened_is_not_opened(opened, other, monkeypatch, work, error):
    opened.create_container("app", "c")
    lock, done = system.lock, []

    def meanwhile(fd, **options):
        if not done:
            done.append(True)
            work(other, "c")
        return lock(fd, **options)

    monkeypatch.setattr(system, "lock", meanwhile)
    with pytest.raises((StoreError, PlaceMissingError), match="container c"):
        opened.open_container("c")
    assert done
    assert error is PlaceMissingError or opened.container_files("c").record.presenter == ""


def test_a_container_is_opened_by_what_its_record_says_when_it_is_locked(opened, other, monkeypatch):
    opened.create_container("app", "c")
    lock, done = system.lock, []

    def meanwhile(fd, **options):
        if not done:
            done.append(True)
            other.open_container("c", presenters=["farm"]).close()
        return lock(fd, **options)

    monkeypatch.setattr(system, "lock", meanwhile)
    with opened.open_container("c") as container:
        assert container.presenter == "farm"


@pytest.mark.parametrize("damage", [b"[" * 100_000, b'{"parent": null, "files": 1e999}'])
@pytest.mark.parametrize("name", ["layer.json", "changes"])
def test_numbers_and_depths_that_nothing_holds_are_damage(opened, name, damage):
    layer = opened.stack("app")[0]
    with open(f"{layer.path.removesuffix('fs')}{name}", "wb") as file:
        file.write(damage)
    with Snapshots(opened.place) as again:
        assert {each.kind for each in fsck(again).findings} & {"damaged"}
        with pytest.raises(StoreError, match="damaged"):
            again.tree("app")


@pytest.mark.parametrize("name", ["", "d", "../../../..", "a\0b", "\ud800"])
def test_a_record_of_a_container_with_another_name_is_damaged(opened, name):
    opened.create_container("app", "c")
    path = f"{opened.place}/containers/c/container.json"
    with open(path) as file:
        record = json.load(file)
    with open(path, "w") as file:
        json.dump(record | {"name": name}, file)
    for work in (du, list_containers, Snapshots.containers, lambda made: made.remove_container("c")):
        with pytest.raises(StoreError, match="another name"):
            work(opened)
    assert {each.kind for each in fsck(opened).findings} == {"damaged"}


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", "x" * 10_000])
def test_a_mount_at_no_possible_path_is_not_there(opened, path):
    with open(f"{opened.place}/mounts/x.json", "w") as file:
        json.dump({"path": path, "device": 1, "chain_id": None}, file)
    assert opened.mounts() == []


def test_a_file_in_place_of_the_directory_of_a_layer_is_found(opened):
    path = opened.stack("app")[0].path
    shutil.rmtree(path)
    with open(path, "w"):
        assert [each.kind for each in fsck(opened).findings] == ["missing"]


def test_a_link_in_place_of_the_changes_of_a_layer_is_damage(opened):
    path = f"{opened.stack('app')[0].path.removesuffix('fs')}changes"
    os.rename(path, f"{path}.old")
    os.symlink("changes.old", path)
    assert [each.kind for each in fsck(opened).findings] == ["damaged"]
    with pytest.raises(StoreError, match="changes"):
        opened.tree("app")
