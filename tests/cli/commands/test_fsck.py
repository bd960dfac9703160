"""`fsck`: damage to a store, told with the images that it breaks, and repaired."""

import json
import os
import shutil

import pytest

from oci_layers.cli.output import human_bytes


@pytest.fixture
def good(store, tmp_path):
    """A copy of the store, made before any damage."""
    shutil.copytree(store.directory, tmp_path / "good")
    return tmp_path / "good"


def total(store):
    return human_bytes(store.size(*store.blobs()))


def test_a_store_that_is_whole_is_one_line(run, store):
    ran = run("fsck", store.directory)
    assert (ran.code, ran.out, ran.err) == (0, f"9 blobs, {total(store)} read: ok\n", "")


def test_each_kind_of_damage_is_a_line_with_the_images_that_need_the_blob(run, store):
    layer, config, top = store.layer("low", 0), store.config("low"), store.layer("high", 2)
    store.flip(layer)
    store.path(config).write_bytes(store.path(store.config("high")).read_bytes())
    store.path(top).unlink()
    orphan = store.put(b"orphan")
    store.flip(orphan)
    ran = run("fsck", store.directory)
    assert ran.code == 5
    lines = ran.out.splitlines()
    assert (lines[0], lines[-2:]) == ("errors", ["", f"9 blobs, {total(store)} read: 4 errors"])
    said = dict(line.strip().split(": ", 1) for line in lines[1:-2])
    wrong = said.pop(f"corrupt   {layer}")
    assert wrong.startswith("has the digest sha256:")
    assert wrong.endswith(f"; needed by low, high, {store.digest(None)[:19]}")
    assert said.pop(f"corrupt   {orphan}").endswith("; no image needs it")
    assert said == {
        f"misnamed  {config}": f"has the bytes of {store.config('high')[:19]}; needed by low",
        f"missing   {top}": f"/layers/2 of {store.digest('high')[:19]} refers to it; needed by high",
    }
    assert ran.err == "oci-layers: to repair it from another place: fsck LAYOUT --repair FROM\n"


def test_what_is_missing_alone_is_exit_1(run, store):
    store.path(store.layer("high", 2)).unlink()
    ran = run("fsck", store.directory)
    assert (ran.code, ran.out.splitlines()[-1]) == (1, f"8 blobs, {total(store)} read: 1 error")
    assert ran.err == "oci-layers: to repair it from another place: fsck LAYOUT --repair FROM\n"


def test_what_is_of_no_use_is_counted_and_listed_on_request(run, store):
    orphan = store.put(b"orphan")
    (store.directory / "blobs" / "sha256" / "e\x1b").touch()
    (store.directory / "ingest").mkdir()
    (store.directory / "ingest" / "0123").write_bytes(b"xy")
    ran = run("fsck", store.directory)
    end = ["", f"10 blobs, {human_bytes(store.size(*store.blobs() - {'sha256:e' + chr(27)}))} read: ok, 3 notes"]
    assert (ran.code, ran.err) == (0, "")
    swept = "gc deletes what is old enough (--all lists them)"
    assert ran.out.splitlines() == [
        "notes",
        "  foreign   1 file in blobs/ is no blob (--all lists them)",
        f"  leftover  1 file was left by a writer that did not finish, 2 B; {swept}",
        f"  orphan    1 blob is of no image, 6 B; {swept}",
        *end,
    ]
    assert sorted(run("fsck", store.directory, "--all").out.splitlines()) == sorted(
        [
            "notes",
            "  foreign   blobs/sha256/e\\x1b: is no blob",
            "  leftover  ingest/0123: was left by a writer that did not finish; 2 B",
            f"  orphan    {orphan}: no image refers to it; 6 B",
            *end,
        ]
    )


def test_a_repair_takes_blobs_from_another_place_and_deletes_nothing(run, store, good):
    layer, top = store.layer("low", 0), store.layer("high", 2)
    store.flip(layer)
    damaged = store.path(layer).read_bytes()
    store.path(top).unlink()
    ran = run("fsck", store.directory, "--repair", f"oci:{good}", "--threads", "1")
    assert (ran.code, ran.err) == (0, "")
    assert [line.endswith("; repaired") for line in ran.out.splitlines()[1:3]] == [True, True]
    assert ran.out.splitlines()[-1].endswith(" read: ok, 2 repaired, 1 file moved to quarantine/")
    moved = store.directory / "quarantine" / layer.replace(":", "-")
    assert moved.read_bytes() == damaged
    assert run("fsck", store.directory).out == f"9 blobs, {total(store)} read: ok\n"


def test_quarantine_alone_moves_damaged_files_and_is_still_an_error(run, store):
    layer = store.layer("high", 2)
    store.flip(layer)
    ran = run("fsck", store.directory, "--quarantine")
    assert ran.code == 5
    assert ran.out.splitlines()[-1].endswith(" read: 1 error, 1 file moved to quarantine/")
    assert os.listdir(store.directory / "quarantine") == [layer.replace(":", "-")]
    assert run("fsck", store.directory).code == 1


def test_json_has_stable_keys(run, store):
    layer = store.layer("high", 2)
    size = store.size(layer)
    store.flip(layer)
    ran = run("fsck", store.directory, "--quarantine", "--format", "json")
    value = json.loads(ran.out)
    message = value["findings"][0].pop("message")
    assert message.startswith("has the digest sha256:")
    name = layer.removeprefix("sha256:")
    assert (ran.code, ran.err) == (5, "")
    assert value == {
        "layout": str(store.directory),
        "findings": [
            {
                "kind": "corrupt",
                "severity": "error",
                "path": f"blobs/sha256/{name}",
                "digest": layer,
                "refs": ["high"],
                "size": size,
                "repaired": False,
            }
        ],
        "quarantined": [f"quarantine/sha256-{name}"],
        "blobs": 9,
        "bytes": store.size(*store.blobs()) + size,
        "ok": False,
    }


def test_what_is_no_layout_is_a_finding_and_what_is_not_there_an_error(run, tmp_path):
    ran = run("fsck", tmp_path)
    text = f"malformed  oci-layout: {tmp_path}: not an OCI image layout: there is no file oci-layout"
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines() == ["errors", f"  {text}", "", "0 blobs, 0 B read: 1 error"]
    ran = run("fsck", tmp_path / "none")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {tmp_path / 'none'}: no such directory\n")


def test_progress_is_lines_about_blobs(run, store):
    ran = run("fsck", store.directory, "--progress", "plain")
    assert ran.err.splitlines()[-1] == f"blob 9 of 9: {total(store)} of {total(store)} done"
    assert run("fsck", store.directory, "--progress", "none").err == ""


@pytest.mark.parametrize("text", ["0", "x", "-1", "1000", "\u00b2"])
def test_a_number_of_threads_is_one(run, store, text):
    ran = run("fsck", store.directory, f"--threads={text}")
    assert ran.code == 2
    assert ran.err.endswith(f"argument --threads: '{text}' is not a number from 1 to 999\n")
