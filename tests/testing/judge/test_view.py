"""A view of the host: a program sees it, changes nothing of it, and what it changed is found."""

import os
from pathlib import Path

import pytest

from oci_layers import system
from oci_layers.testing.judge.program import Command
from oci_layers.testing.judge.sandbox import sandbox
from oci_layers.testing.judge.view import is_possible, view
from oci_layers.testing.stack import Stack
from tests.support.process import as_user, in_child

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0 or not is_possible(), reason="no overlay of the root can be mounted"),
]


@pytest.fixture
def places(tmp_path):
    for name in ("view", "own"):
        (tmp_path / name).mkdir()
    return tmp_path


def in_view(places, script):
    seen = view(places / "view", [places / "own"])
    ended = system.run_program(seen.words(["sh", "-euc", script]), timeout=60)
    assert (ended.code, ended.stderr) == (0, b"")
    return seen, ended.stdout


def test_a_program_sees_the_host(places):
    (places / "there").write_text("seen\n")
    seen, out = in_view(places, f"cat {places}/there; test -c /dev/null; test -d /proc/self; test -w {places}/own")
    assert out == b"seen\n"
    assert seen.changed([places, Path("/etc")]) == []


def test_what_it_changes_is_kept_apart_and_found(places):
    (places / "removed").touch()
    seen, _ = in_view(places, f"rm {places}/removed; echo > {places}/added; chmod 0700 /etc/passwd")
    paths = [places / "removed", places / "added", Path("/etc/passwd"), places / "own"]
    assert seen.changed(paths) == paths[:3]
    assert (places / "removed").exists()
    assert not (places / "added").exists()


def test_the_attributes_of_the_root_are_found(places):
    before = os.stat("/")
    seen, _ = in_view(places, "chmod 0700 /")
    assert seen.changed([]) == [Path("/")]
    assert os.stat("/") == before


def test_what_it_changes_in_its_own_directory_is_on_the_host(places):
    in_view(places, f"echo text > {places}/own/file")
    assert (places / "own/file").read_text() == "text\n"


def test_a_user_has_no_view():
    assert not as_user(is_possible.__wrapped__)


def test_a_program_that_follows_a_link_to_the_root_is_found_and_leaves_the_host_alone(tmp_path):
    stack = Stack.parse("layer\n  l symlink target=/\nlayer\n  l/oci-layers-canary file text=x")
    naive = Command.parse("sh -c 'mkdir -p $0; ln -sfn / $0/l; echo > $0/l/oci-layers-canary' {dest} {layout}")
    with sandbox(stack, timeout=60, directory=tmp_path) as box, naive.run(box.job) as result:
        assert result.root is not None, result
        assert box.escapes() == ["+ /oci-layers-canary changed"]
    assert not os.path.lexists("/oci-layers-canary")


def test_what_a_user_may_not_look_at_is_left_out(place, monkeypatch):
    hidden = Path(place) / "root's"
    hidden.mkdir(mode=0o700)
    (hidden / "mount").mkdir()
    (Path(place) / "view").mkdir(mode=0o777)
    (Path(place) / "view").chmod(0o777)
    monkeypatch.setattr(system, "mount_points", lambda: [os.fsencode(hidden / "mount"), os.fsencode(place)])
    seen = in_child(lambda: view(Path(place) / "view", []).mounts, user=54321)
    assert str(place) in seen
    assert not [each for each in seen if "root's" in each]
