"""The room that a verb uses, and the names under which images of other places are kept."""

import os
import shutil
import subprocess
import sys

import pytest

from oci_layers import Snapshots, copy
from oci_layers.cli import rooms
from tests.cli.conftest import LIGHTHOUSE


def names(place):
    with Snapshots(place) as room:
        return [each.name for each in room.images()]


@pytest.mark.parametrize(
    ("user", "variables", "expected"),
    [
        (0, {}, "/var/lib/oci-layers/room"),
        (0, {"XDG_DATA_HOME": "/data"}, "/var/lib/oci-layers/room"),
        (1000, {"XDG_DATA_HOME": "/data"}, "/data/oci-layers/room"),
        (1000, {"XDG_DATA_HOME": "data", "HOME": "/home/me"}, "/home/me/.local/share/oci-layers/room"),
        (1000, {"HOME": "/home/me"}, "/home/me/.local/share/oci-layers/room"),
    ],
)
def test_the_default_is_the_users_own(monkeypatch, user, variables, expected):
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (user, user))
    for name in ("XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert rooms._default_room() == expected


def test_the_default_is_made_with_the_directories_above_it_and_others_are_not(run, tmp_path, monkeypatch):
    monkeypatch.delenv("OCI_LAYERS_ROOM", raising=False)
    monkeypatch.setattr(rooms, "_default_room", lambda: f"{tmp_path}/a/b/room")
    assert run("snapshot", LIGHTHOUSE).code == 0
    assert names(tmp_path / "a" / "b" / "room") == [LIGHTHOUSE]
    assert os.stat(tmp_path / "a").st_mode & 0o777 == os.stat(tmp_path / "a" / "b").st_mode & 0o777 == 0o700
    monkeypatch.setenv("OCI_LAYERS_ROOM", f"{tmp_path}/c/room")
    assert run("snapshot", LIGHTHOUSE).code == 3
    monkeypatch.setenv("OCI_LAYERS_ROOM", f"{tmp_path}/c")
    assert run("snapshot", LIGHTHOUSE).code == 0
    assert run("snapshot", LIGHTHOUSE, "--room", tmp_path / "d").code == 0
    assert names(tmp_path / "c") == names(tmp_path / "d") == [LIGHTHOUSE]


@pytest.mark.parametrize("given", ["option", "variable"])
def test_layers_of_a_read_only_room_are_used_and_the_room_is_not_written(run, tmp_path, monkeypatch, given):
    shared, own = tmp_path / "shared", tmp_path / "own"
    assert run("snapshot", LIGHTHOUSE, "--room", shared).code == 0
    before = sorted(shared.rglob("*"))
    more = []
    if given == "option":
        more = ["--read-only-room", shared, "--read-only-room", shared]
    else:
        monkeypatch.setenv("OCI_LAYERS_READ_ONLY_ROOMS", f"{shared}{os.pathsep}")
    assert run("snapshot", LIGHTHOUSE, "--room", own, *more).code == 0
    assert not list((own / "layers").rglob("layer.json"))
    for verb in ("du", "fsck", "gc"):
        assert run(verb, own, *more).code == 0
    assert run("rm", "--image", LIGHTHOUSE, "--room", own, *more).code == 0
    assert (names(own), names(shared), sorted(shared.rglob("*"))) == ([], [LIGHTHOUSE], before)
    ran = run("snapshot", LIGHTHOUSE, "--room", own, "--read-only-room", tmp_path / "none")
    assert (ran.code, str(tmp_path / "none") in ran.err) == (3, True)


def test_an_image_is_kept_under_the_whole_path_of_its_place(run, room_place, tmp_path, monkeypatch):
    shutil.copytree(LIGHTHOUSE, tmp_path / "images")
    copy(LIGHTHOUSE, f"oci-archive:{tmp_path}/images.tar:1")
    monkeypatch.chdir(tmp_path)
    for each in (
        ["images"],
        ["images", "--ref", "lighthouse"],
        ["oci:images:lighthouse"],
        ["oci:images", "--ref", "lighthouse"],
        ["images.tar"],
        ["oci-archive:images.tar:1"],
    ):
        assert run("snapshot", *each).code == 0
    assert names(room_place) == [
        f"{tmp_path}/images",
        f"{tmp_path}/images.tar",
        f"oci-archive:{tmp_path}/images.tar:1",
        f"oci:{tmp_path}/images:lighthouse",
    ]


def test_an_image_of_a_registry_is_kept_under_its_name(run, room_place, registry):
    name = "docker://registry.example/a/b:v1"
    assert run("snapshot", name).code == 0
    assert names(room_place) == [name]


@pytest.mark.root
def test_what_the_room_has_is_taken_and_its_place_is_not_read(run, room_place, point, tmp_path):
    shutil.copytree(LIGHTHOUSE, tmp_path / "images")
    run("snapshot", tmp_path / "images")
    shutil.rmtree(tmp_path / "images")
    assert run("mount", tmp_path / "images", point).code == 0
    run("umount", point)
    ran = run("mount", tmp_path / "images", point, "--platform", "linux/amd64")
    assert (ran.code, os.path.ismount(point)) == (3, False)


@pytest.mark.root
def test_a_path_means_what_is_in_the_working_directory(run, room_place, point, tmp_path, monkeypatch, image):
    shutil.copytree(LIGHTHOUSE, tmp_path / "one" / "image")
    shutil.copytree(image, tmp_path / "two" / "image")
    for directory, file in (("one", "motd"), ("two", "new")):
        monkeypatch.chdir(tmp_path / directory)
        assert run("mount", "image", point).code == 0
        assert (point / "etc" / file).exists()
        run("umount", point)


def test_ctrl_c_leaves_no_image_and_nothing_half_written(run, room_place, monkeypatch):
    from oci_layers.cli import process, progress

    class Held:
        def __enter__(self):
            def check():
                raise process.Stopped(2)

            return check

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(progress, "deferred_signals", Held)
    assert run("snapshot", LIGHTHOUSE).code == 130
    assert names(room_place) == []
    assert os.listdir(room_place / "tmp") == []


@pytest.mark.root
def test_an_image_on_stdin_is_read_each_time(room_place, point, tmp_path):
    copy(LIGHTHOUSE, f"oci-archive:{tmp_path}/images.tar:1")
    command = f'"{sys.executable}" -m oci_layers mount oci-archive:- "{point}" --room "{room_place}"'
    for _ in range(2):
        ran = subprocess.run(f'{command} < "{tmp_path}/images.tar"', shell=True, check=True, capture_output=True)
        assert ran.stdout.decode() == f"{point}  oci-archive:-  read-only  mounted\n"
        with Snapshots(room_place) as room:
            room.unmount(point)
    assert subprocess.run(f"{command} < /dev/null", shell=True, check=False, capture_output=True).returncode == 1
