"""What a room takes is what `du` counts, and what images have of their own and together adds up."""

import os
import subprocess

import pytest

from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.du import du
from tests.support.layers import d, f, ln, tar, wh
from tests.support.process import USER, in_child
from tests.support.rooms import image_of, room, unpacked

BASE = tar(d("a"), f("a/big", "x" * 100_000), ln("a/same", "a/big"), f("small", "s"))
OTHER, THIRD = tar(f("other", "o" * 50_000)), tar(wh("small"), f("third", "t" * 9000))
pytestmark = pytest.mark.root


def counted(path):
    """What `du` says, in bytes."""
    done = subprocess.run(["du", "-s", "-B1", path], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


@pytest.fixture
def opened():
    with room() as made:
        for name, tars in {"one": [BASE], "two": [BASE, OTHER], "three": [BASE, OTHER, THIRD], "none": []}.items():
            with image_of(*tars, name=name) as image:
                made.unpack(image)
        yield made


def test_the_whole_is_what_du_counts(opened):
    assert du(opened).total == counted(opened.place)
    with opened.container("three", name="web") as container, opened.container("one"):
        with open(f"{container.path}/new", "wb") as file:
            file.write(b"n" * 30_000)
        os.link(f"{container.path}/new", f"{container.path}/again")
        with open(f"{container.path}/sparse", "wb") as file:
            file.truncate(1 << 24)
        usage = du(opened)
        assert usage.total == counted(opened.place)
        assert [(each.name, each.image) for each in usage.containers] == [("web", "three")]
        assert usage.containers[0].size == counted(f"{opened.place}/containers/web")


def test_each_image_has_its_layers_and_shares_those_of_others(opened):
    paths = [os.path.dirname(layer.path) for layer in opened.stack("three")]
    third, other, base = map(counted, paths)
    usage = du(opened)
    assert {each.name: (each.size, each.exclusive, each.shared) for each in usage.images} == {
        "none": (0, 0, 0),
        "one": (base, 0, base),
        "two": (base + other, 0, base + other),
        "three": (base + other + third, third, base + other),
    }
    assert usage.layers == 3
    assert base < 2 * 100_000


def test_what_is_removed_is_counted_until_it_is_gone(opened):
    opened.remove_image("three")
    usage = du(opened)
    assert [each.name for each in usage.images] == ["none", "one", "two"]
    assert usage.layers == 3
    assert usage.total == counted(opened.place)
    assert next(each for each in usage.images if each.name == "two").exclusive > 50_000


def test_layers_of_a_read_only_room_count_for_images_and_not_for_the_room(opened):
    with image_of(BASE, tar(f("new"))) as image, room(read_only=[opened.place]) as above:
        above.unpack(image)
        usage = du(above)
        assert usage.layers == 1
        assert usage.images[0].size > 100_000 > usage.total
        assert usage.total == counted(above.place)


def test_shared_files_are_counted_once():
    same = [tar(f(f"file{number}", "z" * 200_000)) for number in range(3)]
    with room(share="link") as opened:
        for number, each in enumerate(same):
            with image_of(each, name=str(number)) as image:
                opened.unpack(image)
        usage = du(opened)
        assert usage.total == counted(opened.place) < 400_000
        assert all(each.size > 200_000 for each in usage.images)


def test_an_ordinary_user_counts_the_same(place):
    def user():
        with image_of(BASE, OTHER) as image, Snapshots(place / "room", sync=False) as opened:
            opened.unpack(image)
            opened.create_container("app", "web")
            return du(opened).total

    assert in_child(user, user=USER) == counted(place / "room")


def test_an_empty_room_takes_its_directories():
    with room() as opened:
        usage = du(opened)
        assert (usage.images, usage.containers, usage.layers) == ((), (), 0)
        assert usage.total == counted(opened.place)


def test_a_mount_in_a_room_is_not_counted(tmp_path):
    with unpacked(BASE) as (opened, _):
        os.mkdir(f"{opened.place}/point")
        before = du(opened).total
        with opened.view("app", at=f"{opened.place}/point", presenters=["mounted"]):
            assert before <= du(opened).total < before + 20_000
