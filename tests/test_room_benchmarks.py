"""`benchmarks/` of rooms: what programs leave behind, what they check, what is counted, and that nothing stays."""

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

import oci_layers as oci
from benchmarks import __main__ as command
from benchmarks import inputs, layout, measure, peers, room_peers
from benchmarks.benchmark import Benchmark
from benchmarks.measure import FailedError, Result, Sample, run
from benchmarks.peers import Program
from benchmarks.probe import PROBES
from benchmarks.room_suite import rooms
from tests.support.examples import some

pytestmark = [pytest.mark.root, pytest.mark.peer("unshare")]
MOUNTS = pathlib.Path("/proc/self/mountinfo")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """Keep what is made away from the user's cache."""
    directory = tmp_path_factory.getbasetemp() / "room-benchmark-inputs"
    monkeypatch.setattr(layout, "CACHE", directory)
    return directory


@pytest.fixture(autouse=True)
def nothing_stays_mounted(tmp_path):
    yield
    assert str(tmp_path) not in MOUNTS.read_text()


@pytest.fixture
def image():
    return inputs.mixed(40, 2)


@pytest.fixture
def stack():
    return inputs.layered(40, 4)


def every(*programs):
    return [pytest.param(one, id=one.name, marks=[pytest.mark.peer(name) for name in one.commands]) for one in programs]


def done(program, image, scratch):
    """Do what is measured, and return the directory in which it was done."""
    for line in program.commands_for(image.layout(), scratch):
        subprocess.run(line, check=True, cwd=measure.ROOT, env={**os.environ, "TMPDIR": str(scratch)})
    return scratch


def files_below(directory):
    return {str(one.relative_to(directory)): one.read_bytes() for one in directory.rglob("*") if one.is_file()}


def files_of(image, name="b"):
    with oci.open_image(f"oci:{image.layout()}:{name}") as opened:
        return {path.decode(): b"".join(chunks) for path, _, chunks in opened.files()}


@pytest.mark.parametrize("program", every(room_peers.ROOM, room_peers.SNAPSHOT))
def test_a_room_shows_the_merged_tree(program, image, tmp_path):
    done(program, image, tmp_path)
    with oci.Snapshots(tmp_path / "dest") as room, room.view(room.images()[0]) as view:
        assert files_below(pathlib.Path(view.path)) == files_of(image)


ROOTS = (*room_peers.WRITABLE[1:], *room_peers.WRITABLE_AGAIN[1:])


@pytest.mark.parametrize("program", every(room_peers.UNPACK_SYNC, *room_peers.SECOND, room_peers.WRITABLE[1]))
def test_a_program_that_was_run_leaves_nothing_behind(program, image, tmp_path):
    assert run(program, inputs.and_one(image).layout(), tmp_path).seconds > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", every(*ROOTS))
def test_what_is_written_to_a_root_is_in_no_layer(program, image, tmp_path):
    done(program, image, tmp_path)
    found = [path.relative_to(tmp_path) for path in tmp_path.rglob("written")]
    if program.shell.startswith("umoci"):
        assert [str(path) for path in found] == ["dest/rootfs/written"]
        return
    (path,) = found
    top = {"oci-layers mount --name": "room/containers/box/fs", "buildah from, mount, vfs": "root/vfs/dir/"}
    assert str(path).startswith(top.get(program.name, "root/overlay/"))


@pytest.fixture
def damaged(image, tmp_path):
    """Make a layout with something wrong in it: a blob is not what its digest says, or a plain layer is not."""

    def make(check):
        target = tmp_path / "damaged"
        shutil.copytree(image.layout(), target)
        blobs = layout.layer_files(target)
        with oci.open_image(f"oci:{image.layout()}:b") as opened:
            diff_ids = [str(each.diff_id) for each in opened.layers]
            descriptors = [
                {
                    "mediaType": each.descriptor.media_type,
                    "digest": str(each.descriptor.digest),
                    "size": file.stat().st_size,
                }
                for each, file in zip(opened.layers, blobs, strict=True)
            ]
        if check == "diff_ids":
            diff_ids[-1] = "sha256:" + hashlib.sha256(b"other").hexdigest()
            layout.write_documents(target, descriptors, diff_ids)
        else:
            # The operating system in the header of gzip: nothing that is inflated changes.
            data = blobs[-1].read_bytes()
            blobs[-1].write_bytes(data[:9] + b"\x07" + data[10:])
        return target

    return make


@pytest.mark.parametrize("check", peers.BOTH)
@pytest.mark.parametrize("program", some(every(room_peers.ROOM, room_peers.SNAPSHOT, *room_peers.WRITABLE), every=2))
def test_a_program_verifies_what_the_table_says(program, check, damaged, tmp_path):
    target = damaged(check)
    (tmp_path / "place").mkdir()
    if check in program.verifies:
        with pytest.raises(FailedError):
            run(program, target, tmp_path / "place")
    else:
        run(program, target, tmp_path / "place")


# Inputs


@pytest.mark.parametrize("made", [lambda: inputs.layered(40, 4), lambda: inputs.and_one(inputs.mixed(40, 2))])
def test_an_input_is_an_image_that_verifies_and_is_made_the_same_again(made, tmp_path):
    image = made()
    with oci.open_image(f"oci:{image.layout()}:b") as opened:
        assert oci.verify_image(opened.blobs, [opened.descriptor]).ok
    image.make(tmp_path / "again")
    assert (tmp_path / "again/index.json").read_bytes() == (image.layout() / "index.json").read_bytes()


def test_each_layer_has_its_share_of_every_directory():
    with oci.open_image(f"oci:{inputs.layered(400, 4).layout()}:b") as opened:
        found = {
            layer: [
                path.rpartition(b"/")[0] for path, node in opened.tree().walk() if node.layer == layer and b"f" in path
            ]
            for layer in range(4)
        }
    assert all(sorted(set(paths)) == [b"srv/0", b"srv/1", b"srv/2", b"srv/3"] for paths in found.values())
    assert [len(paths) for paths in found.values()] == [100] * 4


def test_an_image_with_a_layer_more_has_all_layers_of_the_other(image, cache):
    more = inputs.and_one(image)
    before = files_below(image.layout())
    with (
        oci.open_image(f"oci:{more.layout()}:b") as first,
        oci.open_image(f"oci:{more.layout()}:c") as second,
    ):
        assert [each.chain_id for each in second.layers[:-1]] == [each.chain_id for each in first.layers]
    assert set(files_of(more, "c")) - set(files_of(image)) == {f"opt/{number}" for number in range(10)}
    assert files_below(image.layout()) == before


# Probes


def test_a_second_image_costs_its_own_layer_and_unpacking_it_as_a_whole_costs_all(tmp_path):
    image = inputs.and_one(inputs.big_file(2))
    sizes = {}
    for probe in ("second-room", "second-unpack"):
        (tmp_path / probe).mkdir()
        found = PROBES[probe](str(image.layout()), str(tmp_path / probe))
        assert found["items"] == 1
        sizes[probe] = found["bytes"]
    assert 0 < sizes["second-room"] < 200_000
    assert sizes["second-unpack"] > 2 << 20


@pytest.mark.peer("buildah")
def test_buildah_keeps_what_it_has_of_a_second_image(tmp_path):
    image = inputs.and_one(inputs.big_file(2))
    assert 0 < PROBES["second-buildah"](str(image.layout()), str(tmp_path))["bytes"] < 1 << 20


@pytest.mark.parametrize(
    "probe", ["container-open", "container-mount", pytest.param("container-buildah", marks=pytest.mark.peer("buildah"))]
)
def test_so_many_containers_are_opened_as_is_said(probe, stack, tmp_path):
    found = PROBES[probe]("3", str(stack.layout()), str(tmp_path / "room"))
    assert found["items"] == 3
    assert found["seconds"] > 0


def test_containers_at_the_same_time_copy_nothing(stack, tmp_path):
    found = PROBES["containers"]("5", str(stack.layout()), str(tmp_path / "room"))
    assert found["items"] == 5
    assert found["bytes"] == 0
    assert list((tmp_path / "room/tmp").iterdir()) == []


@pytest.mark.parametrize("probe", ["writable-root", "writable-root-again"])
def test_a_writable_root_leaves_the_room_as_it_is(probe, stack, tmp_path):
    assert PROBES[probe](str(stack.layout()), str(tmp_path / "room"))["items"] == 1
    assert list((tmp_path / "room").rglob("written")) == []
    with oci.Snapshots(tmp_path / "room") as room, room.view("b") as view:
        assert files_below(pathlib.Path(view.path)) == files_of(stack)


@pytest.mark.parametrize("way", ["first", "again"])
def test_both_walks_find_the_same_names(way, stack, tmp_path):
    with oci.open_image(f"oci:{stack.layout()}:b") as opened:
        names = len(opened.tree()) - 1
    for probe in ("walk-view", "walk-plain"):
        assert PROBES[probe](way, str(stack.layout()), str(tmp_path / probe))["items"] == names


@pytest.mark.parametrize("way", ["open", "chmod", "plain"])
def test_each_way_copies_the_file_once(way, tmp_path):
    found = PROBES["copy-up"](way, str(inputs.big_file(2).layout()), str(tmp_path / "room"))
    assert 2 << 20 <= found["bytes"] < (2 << 20) + 50_000


@pytest.mark.parametrize("program", every(*room_peers.DU, *room_peers.FSCK))
def test_rooms_are_counted_and_checked(program, image, tmp_path):
    assert run(program, image.layout(), tmp_path).seconds > 0


@pytest.mark.peer("du")
def test_a_room_takes_what_du_says(image, tmp_path):
    done(room_peers.ROOM, image, tmp_path)
    said = subprocess.run(["du", "-s", "-B1", tmp_path / "dest"], check=True, capture_output=True, text=True).stdout
    with oci.Snapshots(tmp_path / "dest") as room:
        assert oci.snapshot.du(room).total == int(said.split()[0])


def test_a_room_with_a_file_that_was_changed_is_no_result(image, tmp_path):
    done(room_peers.ROOM, image, tmp_path)
    (file,) = [max((tmp_path / "dest/layers").rglob("fs/**/f*"), key=lambda each: each.stat().st_size)]
    file.write_bytes(b"other")
    with pytest.raises(AssertionError):
        PROBES["room-fsck"](str(tmp_path / "dest"))


# The suite


@pytest.mark.parametrize("small", [True, False])
def test_every_benchmark_of_rooms_is_left_out_where_nothing_can_be_mounted(small, image, monkeypatch, capsys):
    monkeypatch.setattr(peers, "_can_mount", lambda: False)
    every = rooms(image, small=small)
    assert {"room-unpack", "room-second", "container-open", "containers"} <= {each.name for each in every}
    assert {"writable-root", "overlay-walk", "copy-up", "room-du", "room-fsck"} <= {each.name for each in every}
    monkeypatch.setattr(command, "place_of", lambda mib, *, on_disk: measure.ROOT)
    assert [*command.measured(every, 1)] == []
    lines = capsys.readouterr().out.split("\n\n")[1:]
    assert [line.strip() for line in lines] == [
        f"{each.name}: left out: needs mounts, which the system refuses" for each in every
    ]


def test_a_program_that_mounts_is_left_out_without_root(monkeypatch):
    program = Program("ours", "true", mounts=True)
    assert program.missing() is None
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert program.missing() == "needs root"


def test_a_mount_that_is_refused_is_found_by_trying(monkeypatch):
    line = ["false"]

    def refuse(command, **options):
        return subprocess.CompletedProcess(line, 1 if command[0] == "unshare" else 0)

    peers._can_mount.cache_clear()
    monkeypatch.setattr(peers.subprocess, "run", refuse)
    try:
        assert Program("ours", "true", mounts=True).missing() == "needs mounts, which the system refuses"
    finally:
        peers._can_mount.cache_clear()


def test_a_benchmark_says_what_it_is_asked_to():
    def result(name, seconds, taken=0.0):
        return Result(name, "", (Sample(seconds, seconds, 1024.0, bytes=taken),))

    first = Benchmark("a", "", (), saying=lambda results: f"{len(results)} rows")
    assert first.says([result("a", 1.0)]) == "1 rows"
    by_name = {each.name: each for each in rooms(inputs.mixed(40, 2), small=True)}
    unpacked = [result("room", 3.0), result("synced", 5.0), result("whole", 2.0), result("whole, synced", 4.0)]
    assert by_name["room-unpack"].says(unpacked) == (
        "a room takes 1.50 times as long as a directory, 1.25 times when both are synced"
    )
    assert by_name["room-second"].says([result("a", 1.0, 2e6), result("b", 1.0, 3e9)]) == "a: 2.00 MB; b: 3,000.00 MB"
    assert by_name["containers"].says([result("a", 1.0, 0.0)]) == "0 bytes are copied"


def test_the_whole_command_measures_rooms(tmp_path, capsys):
    files = ["--json", str(tmp_path / "b.json"), "--svg", str(tmp_path / "b.svg")]
    assert command.main(["--small", *files, "copy-up"]) == 0
    assert "opened for writing in a container: 2." in capsys.readouterr().out
