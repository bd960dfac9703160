"""What the containers of a room are, take, and are used for."""

import os

from oci_layers.snapshot import list_containers
from tests.support.layers import f, tar
from tests.support.rooms import image_of, room


def test_containers_are_listed_by_name_with_what_was_written_to_them():
    with room() as made:
        made.unpack(image_of(tar(f("a", "x"))))
        records = [made.create_container("app", name) for name in ("b", "a")][::-1]
        before = {each.record.name: each.size for each in list_containers(made)}
        with made.open_container("b") as box, made.container("app"):
            with open(f"{box.path}/new", "wb") as file:
                file.write(b"x" * 100_000)
                os.fsync(file.fileno())
            listed = list_containers(made)
        assert [each.record.name for each in listed] == ["a", "b"]
        assert listed[0].record == records[0]
        assert [each.in_use for each in listed] == [False, True]
        assert [each.mount_point for each in listed] == [None, None]
        assert listed[0].size == before["a"]
        assert listed[1].size - before["b"] >= 100_000
        assert not any(each.in_use for each in list_containers(made))


def test_a_container_that_goes_meanwhile_is_left_out(monkeypatch):
    with room() as made:
        made.unpack(image_of(tar(f("a", "x"))))
        record = made.create_container("app", "box")
        made.remove_container("box")
        monkeypatch.setattr(made, "containers", lambda: [record])
        assert list_containers(made) == []
