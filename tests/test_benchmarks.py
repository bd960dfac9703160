"""`benchmarks/`: its arithmetic, its picture, its choice by names, what it says of programs, and its inputs."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from xml.etree import ElementTree as ET

import attrs
import pytest

import oci_layers as oci
from benchmarks import __main__ as command
from benchmarks import inputs, layout, measure, peers
from benchmarks.benchmark import Benchmark
from benchmarks.measure import FailedError, Result, Row, Sample, compare, run
from benchmarks.peers import Program
from benchmarks.probe import PROBES
from benchmarks.report import Outcome, duration, panels, record, section
from benchmarks.suite import choose, suite
from benchmarks.svg import Bar, Panel, chart
from oci_layers.blob.compression import decompressed
from oci_layers.limits import Limits
from oci_layers.store.fsck import fsck
from oci_layers.store.layout import Layout
from oci_layers.tar.entry import REGULAR
from tests.support.examples import some

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """Keep what is made away from the user's cache."""
    directory = tmp_path_factory.getbasetemp() / "benchmark-inputs"
    monkeypatch.setattr(layout, "CACHE", directory)
    return directory


def result(name, *seconds, **others):
    return Result(name, "", tuple(Sample(each, each, 1024.0, **others) for each in seconds))


# Arithmetic


def test_a_ratio_is_the_median_of_the_ratios_of_pairs_within_a_round():
    ours, theirs = result("ours", 1.0, 2.0, 10.0), result("theirs", 3.0, 2.0, 20.0)
    assert theirs.ratios(ours, "seconds") == [3.0, 1.0, 2.0]
    assert theirs.times(ours, "seconds") == 2.0
    assert theirs.median("seconds") / ours.median("seconds") == 1.5  # which is something else


def test_ratios_are_of_the_cost_of_one_item_where_there_are_several():
    few, many = result("few", 1.0, items=10), result("many", 20.0, items=100)
    assert many.times(few, "seconds") == pytest.approx(2.0)
    assert many.times(few, "peak_kib") == 1.0


def test_bytes_are_for_each_item():
    first = Result("a", "", (Sample(0, 0, 1, items=10, bytes=2_000),))
    second = Result("b", "", (Sample(0, 0, 1, items=100, bytes=30_000),))
    assert first.each("bytes") == 200
    assert second.times(first, "bytes") == 1.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (123.4, "123 s"),
        (12.34, "12.3 s"),
        (1.0, "1.00 s"),
        (0.01234, "12.3 ms"),
        (4.567e-6, "4.57 µs"),
        (0.0, "0.00 µs"),
    ],
)
def test_a_time_is_told_in_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("name", "results", "said"),
    [
        ("import", [result("a", 0.1, items=10), result("b", 0.2, items=10)], "importing takes 10.0 ms more"),
        ("lint", [result("a", 1.0, 2.0, 1.0), result("b", 1.25, 2.5, 1.5)], "linting adds 25 % to the time"),
        ("growth", [result("a", 1.0, items=10), result("b", 20.0, items=100)], "costs 2.00 times as much"),
        ("memory", [result("a", 1.0), result("b", 1.0)], "the peak is +0.0 MiB"),
        ("archive-blob", [result("a", 1.0, bytes=2e6), result("b", 1.0, bytes=3e6)], "a reads 2.0 MB; b reads 3.0 MB"),
        ("archive-blob", [result("a", 1.0)], ""),
        ("unpack", [result("a", 1.0), result("b", 1.0)], ""),
        ("lint", [result("a", 1.0)], ""),
    ],
)
def test_a_benchmark_says_what_no_column_says(name, results, said):
    text = Benchmark(name, "", ()).says(results)
    assert said in text
    assert bool(said) == bool(text)


# Choice


def test_without_names_all_is_chosen_that_need_not_be_asked_for():
    every = (Benchmark("a", "", ()), Benchmark("b", "", (), asked=True), Benchmark("c", "", ()))
    assert [each.name for each in choose(every, [])] == ["a", "c"]
    assert [each.name for each in choose(every, ["b"])] == ["b"]
    assert [each.name for each in choose(every, ["c", "a"])] == ["a", "c"]


def test_an_unknown_name_is_a_usage_error_that_lists_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--small", "nonesuch"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "no benchmark is called nonesuch" in said
    assert "tiny-files" in said


@pytest.mark.parametrize("small", [True, False])
def test_the_list_names_every_benchmark_and_makes_nothing(small, capsys, cache):
    names = {each.name for each in suite(small=small)}
    before = set(cache.iterdir()) if cache.exists() else set()
    assert command.main(["--list", *(["--small"] if small else [])]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == names
    assert {"copy", "copy-again", "blobs-commit", "blobs-commit-disk", "fsck", "gc", "archive-blob"} <= names
    assert {"pull", "pull-unpack", "push", "pull-far", "cat-remote", "memory-pull"} <= names
    assert {"pack", "diff", "diff-shared", "fork", "squash", "export"} <= names
    assert {"room-unpack", "room-unpack-disk", "containers", "copy-up-disk", "room-fsck"} <= names
    assert {"unpack", "ls", "headers", "tiny-files", "rewrites", "growth", "memory-10g", "tree", "import"} <= names
    assert (set(cache.iterdir()) if cache.exists() else set()) == before


# Measuring


@pytest.fixture
def tiny():
    return inputs.tiny_files(30)


def rows(image, *programs):
    return tuple(Row(program, image.layout, program.name) for program in programs)


def test_a_program_that_is_not_installed_is_named_and_left_out(tiny, tmp_path):
    program = Program("theirs", "nonesuch-program", commands=("nonesuch-program",), modules=("nonesuch_module",))
    results, left_out = compare(rows(tiny, Program("ours", "true"), program), 2, tmp_path)
    assert [(each.name, len(each.samples)) for each in results] == [("ours", 2)]
    assert left_out == ["theirs: nonesuch-program, nonesuch_module not installed"]


def test_a_program_that_needs_root_is_left_out_without(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert Program("theirs", "true", root=True).missing() == "needs root"
    assert Program("theirs", "true").missing() is None


def test_a_program_that_fails_is_named_and_left_out_with_the_last_thing_it_said(tiny, tmp_path):
    program = Program("theirs", "echo first >&2; echo cannot mount >&2; exit 3")
    results, left_out = compare(rows(tiny, Program("ours", "true"), program), 2, tmp_path)
    assert [each.name for each in results] == ["ours"]
    assert left_out == ["theirs: failed with exit code 3: cannot mount"]


def test_a_failure_of_our_own_is_no_result(tiny, tmp_path):
    with pytest.raises(FailedError, match="exit code 1: said nothing"):
        compare(rows(tiny, Program("ours", "exit 1"), Program("theirs", "true")), 1, tmp_path)


def test_a_left_out_program_is_named_once(tiny, tmp_path, monkeypatch, capsys):
    absent = Program("theirs", "nonesuch-program", commands=("nonesuch-program",))
    benchmark = Benchmark("a", "something", rows(tiny, Program("ours", "true"), absent))
    monkeypatch.setattr(command, "place_of", lambda mib, *, on_disk: tmp_path)
    outcomes = [*command.measured((benchmark, attrs.evolve(benchmark, name="b")), 1)]
    assert [each.left_out for each in outcomes] == [["theirs: nonesuch-program not installed"]] * 2
    assert capsys.readouterr().out.count("left out: theirs: nonesuch-program not installed") == 1


def test_files_are_made_in_memory_or_where_the_checkout_is(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "MEMORY", tmp_path / "memory")
    assert measure.place_of(1) == tmp_path / "build"
    (tmp_path / "memory").mkdir()
    assert measure.place_of(1) == tmp_path / "memory"
    assert measure.place_of(1 << 40) == tmp_path / "build"
    monkeypatch.setattr(measure, "file_system", lambda directory: "ext4")
    assert measure.place_of(1, on_disk=True) == tmp_path / "build"
    monkeypatch.setattr(measure, "file_system", lambda directory: "tmpfs")
    assert measure.place_of(1, on_disk=True) is None


def test_the_type_of_a_file_system_is_found_by_its_device(tmp_path, monkeypatch):
    number = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 0:999999 / /x rw - proc proc rw\n"
        f"22 1 {os.major(number)}:{os.minor(number)} / /tmp rw shared:1 - ext4 /dev/vda rw\n"
    )
    monkeypatch.setattr(measure, "_MOUNTS", mounts)
    assert measure.file_system(tmp_path) == "ext4"
    mounts.write_text("")
    assert measure.file_system(tmp_path) == ""


def test_a_benchmark_for_a_disk_is_left_out_where_there_is_none(tiny, monkeypatch, capsys):
    monkeypatch.setattr(command, "place_of", lambda mib, *, on_disk: None)
    assert [
        *command.measured((Benchmark("a", "something", rows(tiny, Program("ours", "true")), on_disk=True),), 1)
    ] == []
    assert capsys.readouterr().out.splitlines()[-1] == "a: left out: the checkout is on a RAM disk"


def test_time_cpu_and_memory_are_those_of_the_command_and_its_children(tiny, tmp_path):
    work = "x = bytearray(100 << 20); sum(range(1_000_000))"
    sample = run(Program("ours", f"{{python}} -c '{work}'; sleep 0.2"), tiny.layout(), tmp_path)
    assert sample.seconds > 0.2
    assert sample.cpu_seconds > 0
    assert sample.peak_kib > 100 << 10
    assert list(tmp_path.iterdir()) == []


def test_a_probe_says_itself_how_long_its_work_took(tiny, tmp_path):
    sample = run(Program("tree", "{probe} tree {layout}"), tiny.layout(), tmp_path)
    assert sample.items == len(tree_of(tiny))
    assert 0 < sample.seconds < 5
    assert sample.peak_kib > 1024


# Programs


@pytest.fixture
def damaged(tiny, tmp_path):
    """Make a layout with something wrong in it: the blob is not what its digest says, or the plain layer is not."""

    def make(check):
        target = tmp_path / "damaged"
        shutil.copytree(tiny.layout(), target)
        (blob,) = layout.layer_files(target)
        data = blob.read_bytes()
        diff_id = "sha256:" + hashlib.sha256(b"other").hexdigest()
        if check == "blob digests":
            diff_id = str(diff_id_of(tiny))
            # The operating system in the header of gzip: nothing that is inflated changes.
            blob.write_bytes(data[:9] + b"\x07" + data[10:])
        descriptor = {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": f"sha256:{blob.name}",
            "size": len(data),
        }
        # Twice, since a single layer needs no squashing.
        layout.write_documents(target, [descriptor] * 2, [diff_id] * 2)
        return target

    return make


def tree_of(image):
    with oci.open_image(f"oci:{image.layout()}:b") as opened:
        return opened.tree()


def diff_id_of(image):
    with oci.open_image(f"oci:{image.layout()}:b") as opened:
        return opened.layers[0].diff_id


MAKERS = (*peers.PACKERS, peers.UMOCI_REPACK, *peers.SQUASHERS[:3], *peers.EXPORTERS)
UNCHECKED = (*peers.PACKERS, peers.UMOCI_REPACK, peers.SQUASH_ISAL, peers.SQUASH_ZLIB, peers.LIST_AND_WRITE)
PROGRAMS = [
    pytest.param(
        program,
        id=program.name,
        marks=[pytest.mark.peer(name) for name in program.commands] + [pytest.mark.root] * program.root,
    )
    for program in (*peers.UNPACKERS, *peers.COPIERS, *peers.CHECKERS, *MAKERS, peers.OUR_LIST, peers.IGZIP)
]


# What makes layers is compared by what it makes, below.
@pytest.mark.parametrize("program", some([each for each in PROGRAMS if each.values[0] not in MAKERS], every=2))
def test_every_program_does_its_work(program, tiny, tmp_path):
    assert run(program, tiny.layout(), tmp_path).seconds > 0


# Those that need something prepared would fail while that is made, and the codec of a squash is no question.
@pytest.mark.parametrize("check", peers.BOTH)
@pytest.mark.parametrize("program", some([each for each in PROGRAMS if each.values[0] not in UNCHECKED], every=2))
def test_a_program_verifies_what_the_table_says(program, check, damaged, tmp_path):
    image = damaged(check)
    (tmp_path / "place").mkdir()
    if check in program.verifies:
        with pytest.raises(FailedError):
            run(program, image, tmp_path / "place")
    elif not program.verifies:  # One that compares one digest may compare the other in a later version.
        run(program, image, tmp_path / "place")


def files_of_tar(stream):
    entries = oci.tar.read_tar(stream)
    return {
        each.name.removeprefix(b"./"): (each.mode, b"".join(each.content.stored(each)))
        for each in entries
        if each.type == REGULAR
    }


def files_of_image(name):
    with oci.open_image(f"oci:{name}") as opened:
        return {path: (node.mode, b"".join(chunks)) for path, node, chunks in opened.files()}


def made_by(program, scratch):
    """Return the files in what a program left behind."""
    dest, own = scratch / "dest", scratch / "layout"
    if program in (peers.PACK, peers.PACK_ISAL):
        (dest,) = (dest / "blobs/sha256").iterdir()
    if dest.is_file():
        with dest.open("rb") as file:
            return files_of_tar(decompressed(file, None, Limits()))
    names = {peers.UMOCI_INSERT: f"{own}:b", peers.UMOCI_REPACK: f"{own}:new"}
    return files_of_image(names.get(program, f"{dest}:b"))


@pytest.mark.parametrize("program", [each for each in PROGRAMS if each.values[0] in MAKERS])
def test_programs_that_are_compared_make_the_same_files(program, tmp_path):
    image = inputs.mixed(40, 2)
    for line in program.commands_for(image.layout(), tmp_path):
        subprocess.run(line, check=True, cwd=measure.ROOT, env={**os.environ, "TMPDIR": str(tmp_path)})
    expected, actual = files_of_image(f"{image.layout()}:b"), made_by(program, tmp_path)
    assert expected.keys() == actual.keys()
    changed = [path for path in expected if expected[path] != actual[path]]
    assert changed == ([min(expected)] if program is peers.UMOCI_REPACK else [])


def test_what_a_program_needs_is_prepared_unmeasured(tiny, tmp_path):
    work = "x = bytearray(100 << 20); sum(range(3_000_000))"
    prepare = f"{{python}} -c '{work}'; sleep 0.3; touch {{scratch}}/made"
    sample = run(Program("ours", "test -e {scratch}/made", prepare=prepare), tiny.layout(), tmp_path)
    assert sample.seconds < 0.3
    assert sample.peak_kib < 100 << 10
    with pytest.raises(FailedError, match="exit code 3: no room"):
        run(Program("ours", "true", prepare="echo no room >&2; exit 3"), tiny.layout(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_program_does_is_told_in_a_few_words():
    assert peers.OURS.remark == "both digests"
    assert peers.BSDTAR.remark == "nothing; whiteouts stay files"
    assert Program("a", "").remark == ""


# Probes


def files_below(directory):
    return {str(each.relative_to(directory)): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


@pytest.mark.parametrize("fsync", ["always", "commit", "never"])
def test_the_loop_beside_small_blobs_writes_the_same_files(fsync, tmp_path):
    for probe in ("blobs", "blobs-loop"):
        found = PROBES[probe](fsync, "20", str(tmp_path / probe))
        assert found["items"] == 20
        assert found["seconds"] > 0
    assert len(files_below(tmp_path / "blobs-loop")) == 20
    assert files_below(tmp_path / "blobs/blobs/sha256") == files_below(tmp_path / "blobs-loop")


def test_the_loop_beside_garbage_collection_leaves_the_same_files(tmp_path):
    for probe in ("gc", "gc-loop"):
        store = tmp_path / probe
        assert PROBES["make-store"]("4", str(store)) == {"items": 40}
        assert len(files_below(store / "blobs")) == 40
        assert PROBES[probe]("4", str(store))["items"] == 40
    assert len(files_below(tmp_path / "gc/blobs")) == 13
    assert files_below(tmp_path / "gc/blobs") == files_below(tmp_path / "gc-loop/blobs")
    with Layout.open(tmp_path / "gc") as store:
        assert fsck(store).findings == ()


def test_the_archive_of_which_one_blob_is_read_is_sparse(tmp_path):
    for probe in ("archive-blob", "archive-blob-tarfile"):
        file = tmp_path / probe
        found = PROBES[probe]("64", str(file))
        assert found["items"] == 1
        assert found["bytes"] > 1 << 20
        assert file.stat().st_size > 64 << 20
        assert file.stat().st_blocks * 512 < 4 << 20


@pytest.mark.parametrize("probe", ["copy-again", pytest.param("copy-again-skopeo", marks=pytest.mark.peer("skopeo"))])
def test_what_is_timed_of_a_second_copy_leaves_a_whole_image(probe, tiny, tmp_path):
    assert PROBES[probe](str(tiny.layout()), str(tmp_path / "copy"))["items"] == 1
    assert files_below(tmp_path / "copy/blobs") == files_below(tiny.layout() / "blobs")


@pytest.mark.parametrize("content", ["auto", "never"])
@pytest.mark.parametrize("probe", ["diff", "scan-diff"])
def test_the_comparison_of_two_directories_finds_one_file(probe, content, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name / "srv").mkdir(parents=True)
        (tmp_path / name / "srv/same").write_text("same")
        (tmp_path / name / "srv/other").write_text(name * 2 if name == "new" else name)
    for path in ("new/srv/same", "old/srv/same"):
        os.utime(tmp_path / path, (0, 0))
    assert PROBES[probe](content, str(tmp_path / "old"), str(tmp_path / "new"))["items"] == 1
    with pytest.raises(AssertionError):
        PROBES[probe](content, str(tmp_path / "old"), str(tmp_path / "old"))


@pytest.mark.parametrize("place", ["median", "largest"])
def test_each_fork_gets_a_file_and_the_tree_stays_as_it_is(place, tiny):
    assert PROBES["fork"](place, str(tiny.layout()))["items"] == 1_000
    assert PROBES["diff-shared"](str(tiny.layout()))["items"] == 1


# Inputs


SMALL = [
    inputs.mixed(200, 3),
    inputs.big_file(2),
    inputs.tiny_files(250),
    inputs.names(250),
    inputs.deep_paths(3, 10),
    inputs.hard_links(4, 5),
    inputs.rewrites(3, 1),
    inputs.zeros(2),
    inputs.big_blob(2),
]


@pytest.mark.parametrize("image", SMALL, ids=lambda image: image.name)
def test_an_input_is_an_image_that_verifies_and_is_made_the_same_again(image, tmp_path):
    with oci.open_image(f"oci:{image.layout()}:b") as opened:
        assert oci.verify_image(opened.blobs, [opened.descriptor]).ok
        assert len(opened.tree()) > 1
    image.make(tmp_path / "again")
    assert (tmp_path / "again/index.json").read_bytes() == (image.layout() / "index.json").read_bytes()


def test_inputs_have_what_their_names_say():
    assert len(tree_of(SMALL[3])) == 251  # and the root
    assert max(path.count(b"/") for path, _ in tree_of(SMALL[4]).walk()) == 10
    assert len({node.inode for _, node in tree_of(SMALL[5]).walk() if hasattr(node, "content")}) == 4
    with oci.open_image(f"oci:{SMALL[6].layout()}:b") as opened:
        first, *_, last = ([entry.name for entry in layer.entries()] for layer in opened.layers)
        assert first == last
        assert {node.layer for _, node in opened.tree().walk() if hasattr(node, "content")} == {2}
    (blob,) = layout.layer_files(SMALL[8].layout())
    assert 2 << 20 < blob.stat().st_size < 3 << 20


def test_an_input_that_was_not_finished_is_not_kept(cache):
    def fail(target):
        target.mkdir()
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        layout.kept("unfinished", fail)
    assert [file.name for file in cache.iterdir() if "unfinished" in file.name] == []


# Reports


@pytest.fixture
def outcome():
    samples = Result("ours <&>", "both digests", (Sample(2.0, 1.5, 2048.0, items=10),))
    other = Result("theirs", "", (Sample(4.0, 1.0, 1024.0, items=10),))
    benchmark = Benchmark("a", "do a thing", (), unit="entry", chart=True)
    return Outcome(benchmark, [samples, other], ["absent: not installed"], in_memory=False)


def test_the_table_has_a_line_for_each_program(outcome):
    title, first, second = section(outcome).strip().splitlines()
    assert title == "a: do a thing"
    assert first.split() == ["ours", "<&>", "both", "digests", "2.00", "1.50", "2", "200", "ms", "5", "1.00"]
    assert second.split() == ["theirs", "-", "4.00", "1.00", "1", "400", "ms", "2", "2.00"]


def test_the_record_says_on_what_and_keeps_every_sample(outcome):
    made = json.loads(json.dumps(record([outcome], rounds=1, small=True)))
    assert made["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"kernel", "cpus", "processor", "packages", "programs", "rounds"} <= made.keys()
    assert {"isal", "backports.zstd"} <= made["packages"].keys()
    (benchmark,) = made["benchmarks"]
    assert benchmark["left_out"] == ["absent: not installed"]
    assert [row["times_first"] for row in benchmark["rows"]] == [1.0, 2.0]
    assert [row["first_times"] for row in benchmark["rows"]] == [1.0, 0.5]
    assert benchmark["rows"][1]["samples"] == [
        {"seconds": 4.0, "cpu_seconds": 1.0, "peak_kib": 1024.0, "items": 10, "bytes": 0}
    ]


def test_the_picture_is_well_formed_and_says_in_words_what_it_shows(outcome):
    root = ET.fromstring(chart("Shorter <is> faster", panels([outcome])))
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title").text == "Shorter <is> faster"
    assert root.find(f"{SVG}desc").text == "Do a thing: ours <&> 200 ms / entry, theirs 400 ms / entry (2.0x)"
    assert "prefers-color-scheme: dark" in root.find(f"{SVG}style").text
    lengths = [float(bar.get("width")) for bar in root.iter(f"{SVG}rect")]
    assert lengths[1] == 2 * lengths[0]
    assert all(float(bar.get("y")) < float(root.get("height")) for bar in root.iter(f"{SVG}rect"))


def test_a_picture_of_nothing_and_of_odd_letters_is_well_formed():
    ET.fromstring(chart("", []))
    ET.fromstring(chart("a\x00\x1b", [Panel('"&', [Bar("<\x07>", "\n", 0.0, "0")]), Panel("empty", [])]))


def test_the_whole_command_works(tmp_path, capsys):
    files = ["--json", str(tmp_path / "a/b.json"), "--svg", str(tmp_path / "a/b.svg")]
    assert command.main(["--small", "--rounds", "2", *files, "headers", "growth", "gc"]) == 0
    printed = capsys.readouterr().out
    assert "oci_layers.read_tar" in printed
    assert [each["name"] for each in json.loads((tmp_path / "a/b.json").read_text())["benchmarks"]] == [
        "headers",
        "growth",
        "gc",
    ]
    ET.parse(tmp_path / "a/b.svg")


def test_small_ones_are_run_once(tmp_path, capsys):
    files = ["--json", str(tmp_path / "b.json"), "--svg", str(tmp_path / "b.svg")]
    assert command.main(["--small", *files, "fork"]) == 0
    assert "in the largest directory" in capsys.readouterr().out
    made = json.loads((tmp_path / "b.json").read_text())
    assert made["rounds"] == 1
    assert [len(row["samples"]) for row in made["benchmarks"][0]["rows"]] == [1, 1]


def test_a_run_that_is_interrupted_keeps_what_was_measured(tmp_path, capsys, monkeypatch):
    once = iter([command.compare])

    def interrupted(*asked):
        for one in once:
            return one(*asked)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "compare", interrupted)
    files = ["--json", str(tmp_path / "b.json"), "--svg", str(tmp_path / "b.svg")]
    assert command.main(["--small", *files, "headers", "gc"]) == 130
    assert "interrupted; what was measured is kept" in capsys.readouterr().err
    assert [each["name"] for each in json.loads((tmp_path / "b.json").read_text())["benchmarks"]] == ["headers"]


def test_an_interrupt_ends_the_program_with_all_that_it_started(tiny, tmp_path):
    busy = Program("busy", "(while :; do mkdir -p {scratch}/a {scratch}/b; rmdir {scratch}/a; done) & sleep 60; true")
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(busy, tiny.layout(), tmp_path)
    timer.join()
    assert list(tmp_path.iterdir()) == []
