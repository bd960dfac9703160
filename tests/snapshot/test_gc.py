"""What nothing needs goes, all of it and nothing else, whatever other processes do meanwhile."""

import os
import shutil
import time

import pytest

from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.fsck import fsck
from oci_layers.snapshot.gc import Collected, gc
from oci_layers.tree import dump
from tests.support.layers import d, f, ln, tar, wh
from tests.support.rooms import image_of, room, seen

BASE, MIDDLE, TOP, OTHER = tar(d("a"), f("a/x", "1" * 100)), tar(f("b", "2")), tar(wh("b"), ln("c", "a/x")), tar(f("o"))
NOW = -3600.0
"""A grace period for which everything is old."""
pytestmark = pytest.mark.root


def layers_of(opened):
    return {layer.chain_id for layer in opened.layers.all()}


@pytest.fixture
def opened():
    """A room with `low` of one layer, `high` of that and two more, and `other` of one."""
    with room() as made:
        for name, tars in {"low": [BASE], "high": [BASE, MIDDLE, TOP], "other": [OTHER]}.items():
            with image_of(*tars, name=name) as image:
                made.unpack(image)
        yield made


def chain(opened, name):
    return [layer.chain_id for layer in opened.stack(name)]


def test_nothing_is_removed_that_an_image_has(opened):
    before = layers_of(opened)
    assert gc(opened, grace=NOW) == Collected(kept=4)
    assert layers_of(opened) == before
    assert fsck(opened).ok


def test_exactly_the_rest_is_removed_and_a_dry_run_says_the_same(opened):
    high, low = chain(opened, "high"), chain(opened, "low")
    opened.remove_image("high")
    before = layers_of(opened)
    foretold = gc(opened, grace=NOW, dry_run=True)
    assert layers_of(opened) == before
    done = gc(opened, grace=NOW)
    assert done == foretold
    assert list(done.layers) == high[:2]
    assert (done.kept, done.bytes) == (2, 101)
    assert layers_of(opened) == before - set(high[:2])
    assert chain(opened, "low") == low
    assert os.listdir(f"{opened.place}/trash") == []
    assert fsck(opened).ok


def test_the_upper_layer_goes_before_the_lower(opened):
    high = chain(opened, "high")
    for name in ("high", "low", "other"):
        opened.remove_image(name)
    removed = list(gc(opened, grace=NOW).layers)
    assert [each for each in removed if each in high] == high
    assert len(removed) == 4
    assert layers_of(opened) == set()


def test_a_layer_is_kept_for_the_grace_period(opened):
    opened.remove_image("other")
    assert gc(opened).layers == gc(opened, grace=60).layers == ()
    (layer,) = chain_of_orphans(opened)
    path = os.path.dirname(layer.path)
    os.utime(path, (time.time() - 100, time.time() - 100))
    assert gc(opened, grace=200).layers == ()
    assert gc(opened, grace=60).layers == (layer.chain_id,)


def chain_of_orphans(opened):
    kept = {*chain(opened, "high"), *chain(opened, "low")}
    return [layer for layer in opened.layers.all() if layer.chain_id not in kept]


def test_a_container_keeps_its_layers_without_the_image(opened):
    opened.create_container("high", "web")
    opened.remove_image("high")
    assert gc(opened, grace=NOW).layers == ()
    with opened.open_container("web") as container:
        assert "/c link" in seen(container.fd)
    opened.remove_container("web")
    assert len(gc(opened, grace=NOW).layers) == 2


def test_an_open_container_without_a_name_keeps_its_layers(opened):
    with opened.container("high") as container:
        opened.remove_image("high")
        assert gc(opened, grace=NOW).layers == ()
        assert "/c link" in seen(container.fd)
    assert len(gc(opened, grace=NOW).layers) == 2


def test_an_open_view_keeps_its_layers(opened):
    with opened.view("high") as view:
        opened.remove_image("high")
        assert gc(opened, grace=NOW).layers == ()
        assert "/c link" in seen(view.fd)
    assert len(gc(opened, grace=NOW).layers) == 2


def test_a_mount_keeps_its_layers_and_is_gone_when_it_is_unmounted(opened, tmp_path):
    with opened.view("high", at=tmp_path, presenters=["mounted"]) as view:
        view.leave()
    opened.remove_image("high")
    assert [mount.path for mount in opened.mounts()] == [str(tmp_path)]
    assert gc(opened, grace=NOW).layers == ()
    opened.unmount(tmp_path)
    assert opened.mounts() == []
    assert len(gc(opened, grace=NOW).layers) == 2


def test_a_lease_keeps_what_was_used_since_it_began(opened):
    with opened.lease():
        with image_of(BASE, MIDDLE, TOP, name="again") as image:
            opened.unpack(image)
        for name in ("again", "high"):
            opened.remove_image(name)
        removed = gc(opened, grace=NOW).layers
        assert removed == ()
    assert len(gc(opened, grace=NOW).layers) == 2


def test_a_lease_does_not_keep_what_is_older(opened):
    orphan = os.path.dirname(opened.stack("other")[0].path)
    os.utime(orphan, (1e9, 1e9))
    opened.remove_image("other")
    with opened.lease():
        assert len(gc(opened, grace=60).layers) == 1


def test_what_killed_processes_left_is_swept(opened):
    for path in ("tmp/abandoned", "trash/left"):
        os.makedirs(f"{opened.place}/{path}/deep/er")
        os.chmod(f"{opened.place}/{path}/deep", 0o000)
        os.utime(f"{opened.place}/{path}", (1e9, 1e9))
    with open(f"{opened.place}/leases/dead", "wb"):
        pass
    os.utime(f"{opened.place}/leases/dead", (1e9, 1e9))
    assert gc(opened, dry_run=True).leftovers == ("tmp/abandoned", "leases/dead", "trash/left")
    assert gc(opened).leftovers == ("tmp/abandoned", "leases/dead", "trash/left")
    for directory in ("tmp", "trash", "leases"):
        assert os.listdir(f"{opened.place}/{directory}") == []


def test_what_a_writer_has_locked_or_has_just_made_is_left_alone(opened):
    with opened.room.staging() as staging:
        os.utime(staging.fd, (1e9, 1e9))
        os.mkdir(f"{opened.place}/tmp/young")
        assert gc(opened, grace=NOW).leftovers == ()
        assert len(os.listdir(f"{opened.place}/tmp")) == 2


def test_a_volatile_container_that_was_killed_is_swept(opened):
    """It has what the kernel works in, without a mode."""
    container = opened.container("low")
    name = os.listdir(f"{opened.place}/tmp")[0]
    shutil.copytree(f"{opened.place}/tmp/{name}/work", f"{opened.place}/tmp/killed", copy_function=os.symlink)
    container.close()
    os.utime(f"{opened.place}/tmp/killed", (1e9, 1e9))
    assert gc(opened).leftovers == ("tmp/killed",)
    assert os.listdir(f"{opened.place}/tmp") == []


@pytest.mark.parametrize("path", ["images", "containers/web", "mounts"])
def test_a_record_that_cannot_be_read_ends_the_work_before_anything_is_removed(opened, path):
    opened.create_container("low", "web")
    opened.remove_image("other")
    if path == "mounts":
        with open(f"{opened.place}/mounts/{'0' * 64}.json", "wb"):
            pass
    for file in os.scandir(f"{opened.place}/{path}"):
        if file.name.endswith(".json"):
            with open(file.path, "wb") as record:
                record.write(b"[]")
    before = layers_of(opened)
    with pytest.raises(StoreError, match="damaged"):
        gc(opened, grace=NOW)
    assert layers_of(opened) == before


def test_a_layer_without_a_record_ends_the_work(opened):
    opened.remove_image("other")
    os.unlink(f"{os.path.dirname(opened.stack('high')[0].path)}/layer.json")
    with Snapshots(opened.place, sync=False) as fresh, pytest.raises(StoreError, match="has no record"):
        gc(fresh, grace=NOW)


def test_layers_that_a_room_has_and_another_one_reads_are_left_alone(opened):
    with image_of(BASE, tar(f("new")), name="above") as image, room(read_only=[opened.place]) as above:
        above.unpack(image)
        before = layers_of(opened)
        assert gc(above, grace=NOW).kept == 1
        above.remove_image("above")
        assert len(gc(above, grace=NOW).layers) == 1
        assert layers_of(opened) == before


def test_a_removed_image_is_unpacked_again(opened):
    opened.remove_image("high")
    gc(opened, grace=NOW)
    with image_of(BASE, MIDDLE, TOP, name="high") as image:
        snapshot = opened.unpack(image)
        assert len(snapshot.unpacked) == 2
        assert dump(opened.tree("high")) == dump(image.tree())
    with pytest.raises(PlaceMissingError):
        opened.remove_image("none")
