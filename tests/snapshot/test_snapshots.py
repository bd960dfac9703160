"""A room as a caller has it: images by name, what unpacking returns, options; the contract is in `test_contract`."""

import pytest

from oci_layers.disk.owner import Owner
from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.fsck import fsck
from oci_layers.tree import dump
from tests.support.layers import d, f, tar
from tests.support.rooms import image_of, room, seen, unpacked

LAYERS = tar(d("a", uid=3), f("a/x", "1" * 100, 0o4755, uid=5)), tar(f("b", "2"))
pytestmark = pytest.mark.root


def test_unpacking_says_what_it_did():
    with image_of(*LAYERS) as image, room() as opened:
        snapshot = opened.unpack(image)
        assert snapshot.name == "app"
        assert snapshot.manifest == image.descriptor.digest
        assert snapshot.chain_id == image.layers[1].chain_id
        assert snapshot.unpacked == tuple(layer.chain_id for layer in image.layers)
        assert (snapshot.report.files, snapshot.report.bytes, snapshot.saved) == (2, 101, 0)
        again = opened.unpack(image)
        assert (again.unpacked, again.report.files) == ((), 0)
        assert [opened.image("app")] == opened.images()
        assert opened.image("app").chain_id == snapshot.chain_id


@pytest.mark.parametrize("name", ["registry.example/app:1", "a b/../c", "", "é\udcff", "x" * 5000])
def test_an_image_may_have_any_name(name):
    with unpacked(*LAYERS, name=name) as (opened, _):
        assert [each.name for each in opened.images()] == [name]
        with opened.container(name) as container:
            assert container.record.image == name
        opened.remove_image(name)
        assert opened.images() == []


def test_an_image_replaces_the_one_of_its_name():
    with unpacked(*LAYERS) as (opened, first), image_of(tar(f("new"))) as image:
        second = opened.unpack(image)
        assert [each.chain_id for each in opened.images()] == [second.chain_id] != [first.chain_id]
        third = opened.unpack(image, name="other")
        assert (third.name, third.chain_id) == ("other", second.chain_id)


def test_a_damaged_record_of_an_image_is_refused():
    with unpacked(*LAYERS) as (opened, _):
        opened.room.replace(b"images", opened.room.names(b"images")[0], b"{}")
        for use in (opened.images, lambda: opened.image("app"), lambda: opened.view("app")):
            with pytest.raises(StoreError, match="the record is damaged"):
                use()


def test_an_image_without_layers_is_an_empty_directory():
    with unpacked() as (opened, snapshot):
        assert (snapshot.chain_id, opened.stack(snapshot)) == (None, [])
        assert len(opened.tree(snapshot)) == 1
        with opened.view(snapshot) as view:
            assert [line.split(" ")[0] for line in seen(view.fd).splitlines()] == ["/"]
        assert fsck(opened).ok


def test_the_caller_may_change_the_tree():
    with unpacked(*LAYERS) as (opened, snapshot):
        before = dump(opened.tree(snapshot))
        del opened.tree(snapshot).writable_root().children[b"a"]
        assert dump(opened.tree(snapshot)) == before


def test_owners_may_be_others_than_those_of_the_image():
    with image_of(*LAYERS) as image, room(owner=Owner(same=False)) as opened:
        opened.unpack(image)
        with opened.view("app") as view, opened.container("app") as container:
            assert " 0:0 " in seen(view.fd).split("/a/x", 1)[1].splitlines()[0]
            assert list(container.changes()) == []
            assert dump(container.tree()) == dump(opened.tree("app")) == dump(image.tree())
        assert fsck(opened).ok


def test_a_room_may_be_used_by_several_at_once(tmp_path):
    with Snapshots(tmp_path / "room") as one, Snapshots(tmp_path / "room") as two, image_of(*LAYERS) as image:
        one.unpack(image)
        with two.container("app", name="web"):
            assert [each.name for each in one.containers()] == ["web"]
            with pytest.raises(StoreError, match="container web is in use"):
                one.remove_container("web")
        one.remove_container("web")
        assert two.containers() == []


def test_a_read_only_room_must_be_there(tmp_path):
    with pytest.raises(PlaceMissingError):
        Snapshots(tmp_path / "room", read_only=[tmp_path / "none"])


@pytest.mark.parametrize("name", ["a,b", "a:b", "a\\b", "a\nb", "x" * 200, "é"])
def test_a_room_may_have_any_path(tmp_path, name):
    with image_of(*LAYERS) as image, Snapshots(tmp_path / name, sync=False) as opened:
        opened.unpack(image)
        with opened.view("app") as view, opened.container("app", name="web") as container:
            assert seen(view.fd) == seen(container.fd) == dump(image.tree())
        assert opened.place == str(tmp_path / name)
