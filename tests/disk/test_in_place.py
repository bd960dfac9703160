"""What is built inside DEST; what this has in common with what is built beside it is in `test_destination`."""

import errno
import os
import stat

import pytest

from oci_layers import system
from oci_layers.disk.destination import destination
from oci_layers.disk.in_place import MARKER
from oci_layers.errors import UnsafePathError
from tests.disk.test_destination import REFUSED, TroubleError, build, put, refusal
from tests.support.process import as_user, outcome


def test_what_is_built_in_place_has_a_marker(place):
    with destination(place / "dest", in_place=True):
        assert os.listdir(place / "dest") == [os.fsdecode(MARKER)]


def test_a_dest_that_its_owner_may_not_write_is_filled_in_place(place):
    def work():
        (place / "dest").mkdir(0o555)
        build(place / "dest", in_place=True)
        return os.listdir(place / "dest")

    assert as_user(work) == ["file"]


def build_twice(dest):
    with destination(dest, in_place=True) as root:
        put(root)
        os.mkdir("d", dir_fd=root)
        os.mkdir("d", dir_fd=root)


@pytest.mark.root
def test_a_dest_of_another_s_that_all_may_write_is_filled_in_place(place):
    (place / "dest").mkdir()
    (place / "dest").chmod(0o777)
    before = os.stat(place / "dest")
    as_user(lambda: build(place / "dest", in_place=True))
    assert os.listdir(place / "dest") == ["file"]
    os.unlink(place / "dest/file")
    reason = as_user(lambda: outcome(build_twice, place / "dest"))
    # An error of what is done in the block is passed on as it is.
    assert reason == ("FileExistsError", "[Errno 17] File exists: 'd'")
    assert os.listdir(place / "dest") == []
    assert os.stat(place / "dest").st_mode == before.st_mode


@pytest.mark.root
def test_a_dest_of_another_s_is_refused_in_place(place):
    (place / "dest").mkdir(0o755)
    reason = as_user(lambda: refusal(build, place / "dest", in_place=True).reason)
    assert reason == "it cannot be written (Operation not permitted)"


def test_of_two_in_place_the_first_goes_on_undisturbed(place, monkeypatch):
    (place / "dest").mkdir()
    with destination(place / "dest", in_place=True) as root:
        assert refusal(build, place / "dest", in_place=True).reason == REFUSED["interrupted"][1]
        monkeypatch.setattr(system, "list_names", lambda fd: [])
        error = refusal(build, place / "dest", in_place=True)
        assert error.reason == "something else is being unpacked there"
        put(root)
    assert os.listdir(place / "dest") == ["file"]


def test_an_image_that_holds_the_marker_s_name_is_refused_in_place(place):
    def work():
        with destination(place / "dest", in_place=True):
            raise UnsafePathError(MARKER, "there is one")

    assert refusal(work).reason == (
        "the image holds .oci-layers-incomplete, which --in-place uses itself; unpack without --in-place"
    )
    assert os.listdir(place) == []


def test_a_failure_with_no_room_for_the_marker_changes_nothing(place, monkeypatch):
    (place / "dest").mkdir(0o751)

    def full(name, parent):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(system, "open_new_file", full)
    for name in ("dest", "absent"):
        assert outcome(build, place / name, in_place=True)[0] == "OSError"
    assert os.listdir(place) == ["dest"]
    assert stat.S_IMODE(os.stat(place / "dest").st_mode) == 0o751


def test_a_handle_that_lists_only_what_was_there_when_it_was_opened_is_no_hindrance(place, monkeypatch):
    """As handles on directories of btrfs are."""
    first = {}
    real = system.list_names

    def list_names(fd):
        return [name for name in real(fd) if name in first.get(fd, (name,))]

    (place / "dest").mkdir()
    monkeypatch.setattr(system, "list_names", list_names)

    def work():
        with destination(place / "dest", in_place=True) as root:
            first[root] = real(root)
            put(root)
            raise TroubleError

    with pytest.raises(TroubleError):
        work()
    assert os.listdir(place / "dest") == []


def test_the_root_keeps_what_it_got_when_the_marker_goes(place):
    with destination(place / "dest", in_place=True) as root:
        os.fchmod(root, 0o555)
        os.utime(root, ns=(5, 987_654_321))
    found = os.stat(place / "dest")
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o555, 987_654_321)


def test_the_marker_goes_from_a_root_that_its_owner_may_not_write(place):
    def work():
        with destination(place / "dest", in_place=True) as root:
            os.fchmod(root, 0o555)
            os.utime(root, ns=(5, 987_654_321))
        found = os.stat(place / "dest")
        return os.listdir(place / "dest"), stat.S_IMODE(found.st_mode), found.st_mtime_ns

    assert as_user(work) == ([], 0o555, 987_654_321)
