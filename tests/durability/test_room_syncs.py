"""What gives something of a room its name comes after what is on the disk by then, and before what is promised.

So a power cut leaves in `tmp/` what was not finished, and a layer, an image or a container that has its name is whole.
"""

import os

import pytest

from oci_layers.snapshot import Snapshots
from tests.support.faults import CHANGING, intercepted
from tests.support.room_operations import OPERATIONS

SYNCS = frozenset({"fsync", "syncfs"})
FINAL = ("layers/sha256", "images", "containers", "")
"""The directories in which a name is a promise; the last is that of the marker."""
pytestmark = pytest.mark.root


def path_of(fd, directory):
    return os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), directory)


def recorded(operation, directory):
    """Return the changing calls of an operation on a room, each with the path of the directory or file it is about."""
    calls = []

    def hook(number, name, call, arguments):
        fds = [each for each in arguments if isinstance(each, int) and not isinstance(each, bool)]
        if name == "rename":
            source, source_parent, target, parent = arguments
            paths = ((path_of(source_parent, directory), source), (path_of(parent, directory), target))
            calls.append((name, *(os.path.normpath(os.path.join(above, os.fsdecode(each))) for above, each in paths)))
        elif name in CHANGING and fds:
            named = os.fsdecode(arguments[0]) if isinstance(arguments[0], bytes) and name not in SYNCS else "."
            fd = fds[0] if isinstance(arguments[0], int) or name != "link" else arguments[3]
            calls.append((name, os.path.normpath(os.path.join(path_of(fd, directory), named))))
        return call()

    with intercepted(hook):
        operation()
    return calls


def published(calls):
    """Yield (index, source, target) of each rename that gives something its name."""
    for index, (name, *paths) in enumerate(calls):
        if name == "rename" and os.path.dirname(paths[1]) in FINAL:
            yield index, *paths


def is_below(path, top):
    return path == top or path.startswith(f"{top}/")


@pytest.mark.parametrize(
    "name", ["make", "unpack", "unpack what shares layers", "create a container", "replace an image"]
)
def test_what_gets_its_name_is_on_the_disk_and_so_is_the_name_before_anything_else_happens(tmp_path, name):
    directory = tmp_path / "room"
    OPERATIONS[name].prepare(directory)
    calls = recorded(lambda: OPERATIONS[name].run(directory), directory)
    names = list(published(calls))
    assert names
    for index, source, target in names:
        before, after = calls[:index], calls[index + 1 :]
        for number, (call, *paths) in enumerate(before):
            if is_below(paths[-1], source) and call not in SYNCS | {"lock"}:
                later = before[number + 1 :]
                synced = {each for each in later if each[0] in SYNCS}
                whole = any(each[0] == "syncfs" for each in synced)
                assert whole or any(each[1] in {paths[-1], os.path.dirname(paths[-1])} for each in synced), (
                    call,
                    paths,
                )
        next_ = next(each for each in after if each[0] != "lock")
        assert next_ == ("fsync", os.path.dirname(target) or "."), (target, next_)


def test_a_layer_is_synced_then_its_record_then_its_name(tmp_path):
    directory = tmp_path / "room"
    OPERATIONS["unpack"].prepare(directory)
    calls = recorded(lambda: OPERATIONS["unpack"].run(directory), directory)
    layers = [each for each in published(calls) if each[2].startswith("layers/")]
    assert len(layers) == 2
    for index, source, target in layers:
        own = [
            (name, *(path.replace(source, "S") for path in paths))
            for name, *paths in calls[:index]
            if is_below(paths[-1], source) and name in {*SYNCS, "open_new_file", "write_all"}
        ]
        assert own[-5:] == [
            ("syncfs", "S"),
            ("open_new_file", "S/layer.json"),
            ("write_all", "S/layer.json"),
            ("fsync", "S/layer.json"),
            ("fsync", "S"),
        ]
        assert [name for name, *_ in own].count("syncfs") == 1
        assert calls[index + 1] == ("fsync", os.path.dirname(target))


def test_without_sync_nothing_waits_for_the_disk(tmp_path):
    def work():
        with Snapshots(tmp_path / "room", sync=False) as opened:
            opened.images()

    assert not SYNCS & {name for name, *_ in recorded(work, tmp_path / "room")}
