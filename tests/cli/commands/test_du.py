"""`du`: what images take and share, as a table, as bars and as JSON."""

import json
import subprocess
import sys

from oci_layers.cli.output import human_bytes


def sizes(store, ref, *, alone):
    """The sizes of an image as the table shows them; `alone` are the digests that no other image has."""
    image = store.images[ref]
    layers = [store.layer(ref, number) for number in range(len(image.layers))]
    size = store.size(store.digest(ref), store.config(ref), *layers)
    exclusive = store.size(store.digest(ref), store.config(ref), *alone)
    return size, exclusive, size - exclusive


def test_a_table_has_the_largest_image_first_and_the_totals_below(run, store):
    store.put(b"orphan")
    (store.directory / "ingest").mkdir()
    (store.directory / "ingest" / "0123").write_bytes(b"xy")
    run("tag", f"oci:{store.directory}:low", "a\x07")
    run("tag", f"oci:{store.directory}:low", "b\\")
    ran = run("du", store.directory)
    assert (ran.code, ran.err) == (0, "")
    rows = [
        ("high", *sizes(store, "high", alone=[store.layer("high", 2)])),
        (store.digest(None)[:19], *sizes(store, None, alone=[])),
        ("low, b\\x5c", *sizes(store, "low", alone=[])),
    ]
    lines = ran.out.splitlines()
    assert lines[0].split() == ["REF", "SIZE", "ALONE", "SHARED"]
    assert [line.split("  ")[0] for line in lines[1:4]] == [row[0] for row in rows]
    assert [" ".join(line.split()) for line in lines[1:4]] == [
        f"{name} {' '.join(map(human_bytes, row))}" for name, *row in rows
    ]
    blobs = store.size(*store.blobs())
    assert [" ".join(line.split()) for line in lines[4:]] == [
        "",
        f"on disk {human_bytes(blobs)} 10 blobs",
        f"saved {human_bytes(sum(row[1] for row in rows) - blobs + 6)} what is shared is stored once",
        "unused 6 B of no image; gc deletes it",
        "leftover 2 B of killed writers; gc deletes it",
    ]


def test_one_image_is_shown_with_those_it_shares_with(run, store):
    base, middle = store.layer("high", 0), store.layer("high", 1)
    ran = run("du", f"oci:{store.directory}:high")
    size, alone, shared = map(human_bytes, sizes(store, "high", alone=[store.layer("high", 2)]))
    assert (ran.code, ran.err) == (0, "")
    assert [" ".join(line.split()) for line in ran.out.splitlines()] == [
        f"high {size}: {alone} alone, {shared} shared",
        f"{human_bytes(store.size(base, middle))} {store.digest(None)[:19]}",
        f"{human_bytes(store.size(base))} low",
    ]
    ran = run("du", store.directory, "--ref", "none")
    line = f"{store.directory}: no image 'none'; there are: low, high, {store.digest(None)}"
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {line}\n")


def test_bars_show_what_is_alone_and_shared(run, store):
    for ref in (None, "low"):
        run("untag", store.directory, "--ref", ref or store.digest(None))
    whole = run("du", store.directory, "--bars").out.splitlines()[:2]
    assert whole[0].endswith("█ alone ░ shared")
    assert whole[1].endswith("  " + "█" * 40)
    run("tag", f"oci:{store.directory}:high", "other")
    assert "█" * 40 in run("du", store.directory, "--bars").out
    assert "█" not in run("du", store.directory).out
    assert "█" not in run("du", store.directory, "--no-bars").out


def test_bars_are_ascii_where_the_output_is(store):
    environment = {"PYTHONIOENCODING": "ascii", "COLUMNS": "20"}
    command = [sys.executable, "-m", "oci_layers", "du", store.directory, "--bars"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment, timeout=60)
    lines = done.stdout.splitlines()
    assert lines[0].endswith("# alone - shared")
    assert set(lines[1].split("  ")[-1]) <= set("#-")
    assert len(lines[1].split("  ")[-1]) == 10


def test_what_is_missing_or_cannot_be_read_is_noted(run, store):
    store.path(store.layer("high", 2)).unlink()
    store.flip(store.digest("low"))
    lines = run("du", store.directory).out.splitlines()
    assert lines[1].endswith("(1 blob missing)")
    assert lines[3].startswith("low ")
    assert f"(blob {store.digest('low')[:19]}: digest is " in lines[3]


def test_json_has_stable_keys(run, store):
    ran = run("du", f"oci:{store.directory}:low", "--format", "json")
    size, alone, shared = sizes(store, "low", alone=[])
    blobs = store.size(*store.blobs())
    base = store.size(store.layer("low", 0))
    value = json.loads(ran.out)
    others = [
        {"digest": store.digest("high"), "refs": ["high"], "bytes": base},
        {"digest": store.digest(None), "refs": [], "bytes": base},
    ]
    image = {
        "digest": store.digest("low"),
        "refs": ["low"],
        "size": size,
        "alone": alone,
        "shared": shared,
        "missing": 0,
        "error": None,
    }
    saved = 2 * base + store.size(store.layer("high", 1))
    assert value == {
        "layout": f"oci:{store.directory}:low",
        "images": [image | {"shared_with": others}],
        "blobs": 9,
        "total": blobs,
        "used": blobs,
        "unused": 0,
        "saved": saved,
        "leftover": 0,
    }
    images = json.loads(run("du", store.directory, "--format", "json").out)["images"]
    assert [each["refs"] for each in images] == [["high"], [], ["low"]]
    assert images[2] == image
