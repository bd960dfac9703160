"""`gc`: what no image needs is deleted, and what each blob is kept for is told."""

import argparse
import json
from shutil import copytree

import pytest

from oci_layers.cli.commands.gc import duration
from oci_layers.cli.output import human_bytes
from tests.support.scripts import ROOT


def kept(store, *without):
    blobs = store.blobs() - set(without)
    return f"kept {len(blobs)} blobs, {human_bytes(store.size(*blobs))}"


def test_what_no_image_needs_is_deleted(run, store):
    orphans = {store.put(b"one"), store.put(b"two!")}
    rest = kept(store, *orphans)
    ran = run("gc", store.directory, "--grace", "0")
    assert (ran.code, ran.out, ran.err) == (0, f"deleted 2 blobs, 7 B; {rest}\n", "")
    assert not store.blobs() & orphans
    assert run("gc", store.directory, "--grace", "0").out == f"deleted 0 blobs, 0 B; {rest}\n"


def test_what_is_young_is_kept_unless_the_grace_period_is_shorter(run, store):
    orphan = store.put(b"new")
    ran = run("gc", store.directory)
    only = "1 of them only because of their age (--grace)"
    assert (ran.code, ran.out) == (0, f"deleted 0 blobs, 0 B; {kept(store)}, {only}\n")
    assert orphan in store.blobs()


def test_a_dry_run_deletes_nothing_and_lists_on_request_why_each_blob_is_kept(run, store):
    orphan = store.put(b"orphan")
    ran = run("gc", store.directory, "--grace=0", "--dry-run")
    assert (ran.code, ran.out) == (0, f"would delete 1 blob, 6 B; {kept(store, orphan)}\n")
    lines = run("gc", store.directory, "--grace=0", "--dry-run", "--all").out.splitlines()
    assert lines[0] == f"delete  {orphan}  6 B"
    assert lines[-1] == ran.out.rstrip()
    reasons = {line.split()[1]: line.split("  ")[-1] for line in lines[1:-1]}
    assert set(reasons) == store.blobs() - {orphan}
    assert reasons[store.digest("low")] == "index.json lists it as low"
    assert reasons[store.digest(None)] == "index.json lists it"
    assert reasons[store.config("high")] == f"in config of {store.digest('high')[:19]}"
    assert orphan in store.blobs()


def test_what_is_marked_but_not_stored_is_not_listed(run, tmp_path):
    copytree(ROOT / "tests/data/image", tmp_path / "images")
    blobs = {f"sha256:{each.name}" for each in (tmp_path / "images/blobs/sha256").iterdir()}
    lines = run("gc", tmp_path / "images", "--dry-run", "--all").out.splitlines()
    assert {line.split()[1] for line in lines[:-1]} == blobs
    report = json.loads(run("gc", tmp_path / "images", "--dry-run", "--format", "json").out)
    assert {each["digest"] for each in report["reasons"]} == blobs


def test_what_was_deleted_is_listed_on_request(run, store):
    orphan = store.put(b"orphan")
    lines = run("gc", store.directory, "--grace=0", "--all").out.splitlines()
    assert lines == [f"delete  {orphan}  6 B", f"deleted 1 blob, 6 B; {kept(store)}"]


def test_a_blob_is_explained_from_the_index_down(run, store):
    top = store.layer("high", 2)
    ran = run("gc", store.directory, "--explain", top)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"{store.digest('high')}  index.json lists it as high",
        f"{top}  in layers of {store.digest('high')[:19]}",
    ]
    for prefix in (top[:19], top[7:19], top[7:40]):
        assert run("gc", store.directory, "--explain", prefix).out == ran.out


def test_a_blob_that_nothing_keeps_is_told_and_not_deleted(run, store):
    orphan = store.put(b"orphan")
    ran = run("gc", store.directory, "--grace=0", "--explain", orphan)
    assert (ran.code, ran.out) == (0, f"{orphan}  nothing keeps it; gc deletes it\n")
    assert orphan in store.blobs()
    young = "stored or reused within the grace period, or during a copy that is running"
    assert run("gc", store.directory, "--explain", orphan).out == f"{orphan}  {young}\n"


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("abc", 2, "digest 'abc': expected at least 12 lowercase hex digits"),
        ("sha256:" + "0" * 64, 3, "{}: blob sha256:" + "0" * 64 + " is missing"),
        ("0" * 12, 3, "{}: blob " + "0" * 12 + " is missing"),
    ],
)
def test_a_digest_that_is_none_or_unknown_is_an_error(run, store, text, code, reason):
    ran = run("gc", store.directory, "--explain", text)
    assert (ran.code, ran.out, ran.err) == (code, "", f"oci-layers: error: {reason.format(store.directory)}\n")


def test_a_prefix_of_several_digests_is_an_error_that_lists_them(run, store):
    names = ["ab" * 6 + digit * 52 for digit in "01"]
    for name in names:
        store.path(f"sha256:{name}").touch()
    ran = run("gc", store.directory, "--explain", "ab" * 6)
    listed = ", ".join(f"sha256:{name}" for name in names)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(f"digest '{'ab' * 6}': there are several; write more digits: {listed}\n")


def test_a_referrer_is_kept_for_its_subject(run, store):
    subject = store.entry("low")
    raw = {"schemaVersion": 2, "mediaType": subject["mediaType"], "config": subject, "layers": [], "subject": subject}
    referrer = store.put(json.dumps(raw).encode())
    ran = run("gc", store.directory, "--grace=0", "--explain", referrer)
    assert ran.out.splitlines() == [
        f"{store.digest('low')}  index.json lists it as low",
        f"{referrer}  its subject is {store.digest('low')[:19]}",
    ]


def test_nothing_is_deleted_if_a_document_in_use_is_missing_unless_that_is_allowed(run, store):
    orphan, manifest = store.put(b"orphan"), store.digest("high")
    store.path(manifest).unlink()
    ran = run("gc", store.directory, "--grace=0")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"oci-layers: error: {store.directory}: ")
    assert ran.err.count("\n") == 1
    assert orphan in store.blobs()
    ran = run("gc", store.directory, "--grace=0", "--allow-missing")
    assert ran.code == 0
    assert ran.err == f"oci-layers: {manifest} is missing; what only it refers to is not kept\n"
    assert orphan not in store.blobs()


def test_json_has_stable_keys(run, store):
    orphan = store.put(b"orphan")
    ran = run("gc", store.directory, "--grace=0", "--dry-run", "--format=json")
    value = json.loads(ran.out)
    reasons = {each.pop("digest"): each for each in value.pop("reasons")}
    assert reasons[store.digest("low")] == {"why": "entry", "ref": "low", "parent": None, "field": None}
    assert reasons[store.config("low")] == {
        "why": "field",
        "ref": None,
        "parent": store.digest("low"),
        "field": "config",
    }
    blobs = store.blobs() - {orphan}
    found = {
        "layout": str(store.directory),
        "dry_run": True,
        "deleted": [{"digest": orphan, "size": 6}],
        "leftovers": [],
        "bytes": 6,
        "kept": 9,
        "kept_bytes": store.size(*blobs),
        "missing": [],
    }
    assert value == found
    assert json.loads(run("gc", store.directory, "--grace=0", "--format=json").out) == found | {"dry_run": False}


def test_an_explanation_as_json_has_stable_keys(run, store):
    ran = run("gc", store.directory, "--explain", store.config("low"), "--format=json")
    assert json.loads(ran.out) == {
        "layout": str(store.directory),
        "digest": store.config("low"),
        "kept": True,
        "path": [
            {"digest": store.digest("low"), "why": "entry", "ref": "low", "parent": None, "field": None},
            {
                "digest": store.config("low"),
                "why": "field",
                "ref": None,
                "parent": store.digest("low"),
                "field": "config",
            },
        ],
    }


def test_progress_has_lines_for_marking_and_deleting(run, store):
    store.put(b"orphan")
    ran = run("gc", store.directory, "--grace=0", "--progress=plain")
    assert ran.err.splitlines() == ["marking: 0 of 10 blobs done", "deleting: 1 of 1 blob done"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("7", 7), ("90s", 90), ("15m", 900), ("2h", 7200), ("14d", 1_209_600)]
)
def test_a_duration_has_a_unit(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1w", "-1", "1.5h", "1 h", "h", "\u00b2h", "1h\n", "9" * 10])
def test_anything_else_is_no_duration(run, store, text):
    with pytest.raises(argparse.ArgumentTypeError, match="is no duration; expected 0, 90s, 15m, 2h or 14d"):
        duration(text)
    assert run("gc", store.directory, f"--grace={text}").code == 2


def test_a_reference_is_refused(run, store):
    ran = run("gc", f"oci:{store.directory}:low")
    line = f"layout 'oci:{store.directory}:low': expected the whole layout, without a reference"
    assert (ran.code, ran.err) == (2, f"oci-layers: error: {line}\n")
