"""Containers whose owners are mapped: others are shown and written; a layer has those of the image again."""

import os
import struct
import tempfile
from types import SimpleNamespace

import pytest

from oci_layers import system
from oci_layers.build.options import LayerOptions
from oci_layers.disk.owner import IdMap, Owner
from oci_layers.errors import NameFormatError, PresenterError, UnsupportedError
from oci_layers.snapshot.mapped import in_image
from oci_layers.tree import File, dump
from tests.support.faults import open_files
from tests.support.layers import d, f, ln, sym, tar, wh
from tests.support.rooms import image_of, layer_bytes, room, with_layers
from tests.support.shown import numbered

EXACT = LayerOptions(nanoseconds=True)
CAPABLE = struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0)
LAYERS = (
    tar(
        *(d("./", 0o755), d("etc", uid=1, gid=2), f("etc/f", "f" * 100, 0o4755, uid=5, gid=6), ln("etc/l", "etc/f")),
        *(sym("s", "etc/f"), f("gone", uid=7), f("cap", "c", xattrs={b"security.capability": CAPABLE})),
    ),
    tar(f("top", "t", uid=65_535, gid=70), wh("gone"), f("far", uid=70_000)),
)
MAPS = Owner(uids=(IdMap(0, 100_000, 1000), IdMap(1000, 300_000, 64_536)), gids=(IdMap(0, 200_000, 65_536),))


@pytest.fixture(scope="module", params=["/tmp", "/dev/shm"])  # ext4 and tmpfs, on most machines
def opened(request):
    with (
        tempfile.TemporaryDirectory(dir=request.param) as directory,
        image_of(*LAYERS) as image,
        room(f"{directory}/room") as made,
    ):
        made.unpack(image)
        yield SimpleNamespace(room=made, image=image)


def owner_of(shown, path):
    found = os.lstat(path, dir_fd=shown.fd)
    return found.st_uid, found.st_gid


@pytest.mark.root
def test_a_view_shows_mapped_owners(opened):
    with opened.room.view("app", owner=MAPS) as view:
        assert {path: owner_of(view, path) for path in (".", "etc", "etc/f", "etc/l", "s", "top", "far")} == {
            ".": (100_000, 200_000),
            "etc": (100_001, 200_002),
            "etc/f": (100_005, 200_006),
            "etc/l": (100_005, 200_006),
            "s": (100_000, 200_000),
            "top": (364_535, 200_070),
            "far": (65_534, 200_000),  # nobody
        }


def change(container):
    """Change something of each kind, as the users of the container would."""
    root = f"/proc/self/fd/{container.fd}"
    os.chmod(f"{root}/etc/f", 0o700)  # Copies it up.
    with open(f"{root}/cap", "a", encoding="ascii") as file:
        file.write("more")
    os.setxattr(f"{root}/cap", "security.capability", struct.pack("<6I", 0x03000001, 0x2000, 0, 0, 0, 100_000))
    os.unlink(f"{root}/top")
    os.mkdir(f"{root}/new", 0o711)
    os.chown(f"{root}/new", 300_005, 200_003)
    with open(f"{root}/new/file", "w", encoding="ascii") as file:
        file.write("n")
    os.chown(f"{root}/new/file", 100_000, 200_000)
    os.chown(f"{root}/s", 100_004, 200_004, follow_symlinks=False)


@pytest.mark.root
@pytest.mark.parametrize("name", ["", "web"])
def test_a_commit_has_the_owners_of_the_image(opened, name):
    with opened.room.container("app", name=name, owner=MAPS) as container:
        assert list(container.changes()) == []
        change(container)
        assert {path: owner_of(container, path) for path in ("etc/f", "new", "s")} == {
            "etc/f": (100_005, 200_006),
            "new": (300_005, 200_003),
            "s": (100_004, 200_004),
        }
        expected = dump(container.tree())
        layer = layer_bytes(container.commit(options=EXACT))
    if name:
        assert (opened.room.containers()[0].uids, opened.room.containers()[0].gids) == (MAPS.uids, MAPS.gids)
        with opened.room.open_container(name) as again:
            assert owner_of(again, "etc") == (100_001, 200_002)
            assert dump(again.tree()) == expected
        opened.room.reset_container(name)
        assert opened.room.container_files(name).record.owner == MAPS
        opened.room.remove_container(name)
    with with_layers(opened.image, layer) as committed:
        made = committed.tree()
        assert dump(made) == expected
        owners = {path: (made.at(path).uid, made.at(path).gid) for path in (b"", b"etc/f", b"new", b"new/file", b"s")}
        assert owners == {b"": (0, 0), b"etc/f": (5, 6), b"new": (1005, 3), b"new/file": (0, 0), b"s": (4, 4)}
        assert made.at(b"cap").xattrs == {b"security.capability": CAPABLE}
        assert made.at(b"top") is None


@pytest.mark.root
def test_an_owner_outside_of_the_maps_is_refused_with_the_path(opened):
    with opened.room.container("app", owner=MAPS) as container:
        os.mkdir("new", dir_fd=container.fd)  # It belongs to this process, which is outside.
        with pytest.raises(UnsupportedError) as caught:
            container.tree()
    assert str(caught.value) == "unsupported uid of new: 0 (the maps of the container do not have it)"


@pytest.mark.root
def test_groups_alone_are_mapped(opened):
    with opened.room.container("app", owner=Owner(gids=(IdMap(0, 50_000, 1000),))) as container:
        assert owner_of(container, "etc/f") == (5, 50_006)
        os.chmod("etc/f", 0o600, dir_fd=container.fd)
        assert container.tree().at(b"etc/f").gid == 6


@pytest.mark.root
def test_many_layers_are_mapped_and_nothing_stays_open():
    with image_of(*(tar(*layer) for layer in numbered(130))) as image, room() as opened:
        opened.unpack(image)
        before = open_files()
        with opened.container("app", owner=MAPS) as container:
            assert owner_of(container, "f129") == (100_000, 200_000)
            assert not [point for point in system.mount_points() if os.fsencode(opened.place) in point]
        assert open_files() == before


@pytest.mark.root
@pytest.mark.parametrize(
    ("owner", "error"),
    [
        (Owner(fixed=(1, 1)), UnsupportedError),
        (Owner(same=False), UnsupportedError),
        (Owner(uids=(IdMap(1, 100_000, 10),)), NameFormatError),  # The root of the image is no one.
        (Owner(uids=(IdMap(0, 100_000, 10), IdMap(5, 200_000, 10))), PresenterError),  # The ranges overlap.
    ],
)
def test_maps_that_cannot_be_are_refused_and_nothing_is_left(opened, owner, error):
    with pytest.raises(error):
        opened.room.container("app", owner=owner)
    assert opened.room.room.names(b"tmp") == []


@pytest.mark.root
@pytest.mark.parametrize("presenter", ["namespace", "farm"])
def test_what_cannot_map_is_not_tried(opened, presenter):
    with pytest.raises(PresenterError) as caught:
        opened.room.view("app", owner=MAPS, presenters=[presenter])
    assert caught.value.refused == ((presenter, "it cannot map owners"),)


def test_capabilities_of_another_root_than_that_of_the_container_keep_it():
    own, other = (struct.pack("<6I", 0x03000001, 1, 2, 3, 4, root) for root in (100_007, 7))
    node = File(0o755, 100_000, 200_000, 0, {b"security.capability": own})
    assert in_image(MAPS, b"f", node).xattrs == {b"security.capability": other}
    kept = {b"security.capability": CAPABLE}
    assert in_image(MAPS, b"f", File(0o755, 100_000, 200_000, 0, kept)).xattrs == kept
