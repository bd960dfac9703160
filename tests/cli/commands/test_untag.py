"""`untag`: names that are taken away."""

import json


def test_names_go_and_blobs_stay(run, store):
    blobs = store.blobs()
    ran = run("untag", f"oci:{store.directory}:low", f"oci:{store.directory}@{store.digest(None)}")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"{'low':<71}  {store.digest('low')}  untagged",
        f"{store.digest(None)}  {store.digest(None)}  untagged",
    ]
    assert store.names() == [("high", store.digest("high"))]
    assert store.blobs() == blobs


def test_nothing_is_removed_if_one_name_does_not_exist(run, store):
    before = store.names()
    ran = run("untag", f"oci:{store.directory}:low", f"oci:{store.directory}:none")
    line = f"{store.directory}: no image 'none'; there are: low, high, {store.digest(None)}"
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {line}\n")
    assert store.names() == before


def test_a_name_without_a_reference_is_a_usage_error(run, store):
    ran = run("untag", store.directory)
    line = f"image name '{store.directory}': it has no reference; write oci:DIR:REF or use --ref"
    assert (ran.code, ran.err) == (2, f"oci-layers: error: {line}\n")


def test_json_is_a_list_with_stable_keys(run, store):
    ran = run("untag", store.directory, "--ref", "low", "--format", "json")
    assert json.loads(ran.out) == [{"name": str(store.directory), "ref": "low", "digests": [store.digest("low")]}]
