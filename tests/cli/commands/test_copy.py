"""`copy`: images between layouts and archives, and what was done."""

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from oci_layers.cli.output import human_bytes
from tests.cli.test_progress import on_terminal
from tests.support.sharing import Store

INDEX = "application/vnd.oci.image.index.v1+json"
COPY = [sys.executable, "-m", "oci_layers", "copy"]


def sizes(store, *digests):
    count = len(digests)
    return f"{count} blob{'s' * (count != 1)}, {human_bytes(store.size(*digests))}"


def of(store, ref):
    """The digests of all blobs of an image."""
    layers = [store.layer(ref, number) for number in range(len(store.images[ref].layers))]
    return {store.digest(ref), store.config(ref), *layers}


def test_an_image_is_copied_and_the_second_time_it_is_there(run, store, tmp_path):
    digest, blobs = store.digest("high"), of(store, "high")
    ran = run("copy", f"oci:{store.directory}:high", f"oci:{tmp_path / 'new'}")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [f"high  {digest}", f"{sizes(store, *blobs)} copied"]
    ran = run("copy", f"oci:{store.directory}:high", f"oci:{tmp_path / 'new'}:v2")
    assert ran.out.splitlines() == [f"v2  {digest}", f"0 blobs, 0 B copied; {sizes(store, *blobs)} there already"]
    new = Store(tmp_path / "new", {})
    assert (new.names(), new.blobs()) == ([("high", digest), ("v2", digest)], blobs)


def test_only_what_is_missing_is_copied(run, store, tmp_path):
    run("copy", f"oci:{store.directory}:low", f"oci:{tmp_path / 'new'}")
    ran = run("copy", f"oci:{store.directory}:high", f"oci:{tmp_path / 'new'}")
    base = store.layer("low", 0)
    said = f"{sizes(store, *of(store, 'high') - {base})} copied; {sizes(store, base)} there already"
    assert ran.out.splitlines()[1] == said


def test_all_images_keep_their_names(run, store, tmp_path):
    ran = run("copy", "--all", store.directory, tmp_path / "new.tar")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"low   {store.digest('low')}",
        f"high  {store.digest('high')}",
        f"-     {store.digest(None)}",
        f"{sizes(store, *store.blobs())} copied",
    ]
    names = json.loads(run("refs", tmp_path / "new.tar", "--format", "json").out)
    assert [(each["ref"], each["digest"]) for each in names] == store.names()
    ran = run("copy", "--all", store.directory, f"oci:{tmp_path / 'new'}:x")
    line = f"{store.directory}: all of its 3 images would be named x"
    assert (ran.code, ran.out, ran.err) == (1, "", f"oci-layers: error: {line}\n")


def test_the_references_of_the_options_are_those_of_the_names(run, store, tmp_path):
    ran = run("copy", store.directory, tmp_path / "new", "--ref", "low", "--target-ref", "a b")
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"a b  {store.digest('low')}")
    ran = run("copy", f"oci:{store.directory}:low", tmp_path / "new", "--ref", "high")
    line = "reference 'high': the image name has another one, low"
    assert (ran.code, ran.err) == (2, f"oci-layers: error: {line}\n")


def test_a_conversion_says_the_old_and_the_new_digest(run, store, tmp_path):
    ran = run("copy", f"oci:{store.directory}:low", f"oci:{tmp_path / 'new'}", "--compression", "zstd")
    ((_, digest),) = Store(tmp_path / "new", {}).names()
    assert (ran.code, ran.err) == (0, "")
    assert digest != store.digest("low")
    assert ran.out.splitlines()[0] == f"low  {digest}  (was {store.digest('low')})"
    assert ran.out.endswith("; 2 blobs converted, with new digests\n")
    ran = run("copy", f"oci:{store.directory}:low", f"oci:{tmp_path / 'new'}:d", "--convert=docker", "--format=json")
    value = json.loads(ran.out)
    assert value["images"][0]["media_type"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert value["images"][0]["was"] == store.digest("low")
    assert value["converted"] == {store.digest("low"): value["images"][0]["digest"]}


def test_layers_are_recompressed_at_a_level_by_an_encoder(run, store, tmp_path):
    run("copy", f"oci:{store.directory}:low", f"oci:{tmp_path / 'plain'}", "--compression", "none")
    digests = set()
    for options in (["gzip"], ["gzip", "--level=0"], ["gzip", "--encoder=isal", "--level=0"], ["zstd", "--level=19"]):
        out = tmp_path / "-".join(options)
        ran = run("copy", tmp_path / "plain", out, "--compression", *options)
        assert (ran.code, ran.err) == (0, "")
        assert run("validate", out).code == 0
        digests.add(json.loads(run("inspect", out, "--format", "json").out)["layers"][0]["digest"])
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--level", "3"], "--level and --encoder go with --compression"),
        (["--convert", "docker", "--encoder", "isal"], "--level and --encoder go with --compression"),
        (["--compression", "gzip", "--level", "10"], "level of compression '10': gzip has 0 to 9"),
        (["--compression", "none", "--encoder", "isal"], "encoder 'isal': it makes gzip data, not none"),
    ],
)
def test_a_level_that_does_not_go_with_the_compression_is_refused(run, store, tmp_path, options, line):
    ran = run("copy", f"oci:{store.directory}:low", tmp_path / "out", *options)
    assert (ran.code, ran.out) == (2, "")
    assert line in ran.err
    assert not (tmp_path / "out").exists()


def test_referrers_are_copied_on_request(run, store, tmp_path):
    entry = store.entry("low")
    subject = {key: entry[key] for key in ("mediaType", "digest", "size")}
    raw = json.dumps(
        {"schemaVersion": 2, "mediaType": entry["mediaType"], "config": subject, "layers": [], "subject": subject}
    ).encode()
    index = json.loads((store.directory / "index.json").read_text())
    index["manifests"].append({"mediaType": entry["mediaType"], "digest": store.put(raw), "size": len(raw)})
    (store.directory / "index.json").write_text(json.dumps(index))
    ran = run("copy", f"oci:{store.directory}:low", tmp_path / "one")
    assert "referrer" not in ran.out
    ran = run("copy", f"oci:{store.directory}:low", tmp_path / "two", "--referrers")
    assert ran.out.splitlines()[:2] == [
        f"low  {store.digest('low')}",
        f"-    {index['manifests'][-1]['digest']}  (referrer)",
    ]


@pytest.fixture
def platforms(store):
    """An index, `multi`, of a platform that is there and one that is not."""
    low = {key: store.entry("low")[key] for key in ("mediaType", "digest", "size")}
    gone = {**low, "digest": "sha256:" + "0" * 64}
    entries = [
        {**low, "platform": {"os": "linux", "architecture": "amd64"}},
        {**gone, "platform": {"os": "linux", "architecture": "arm64"}},
    ]
    raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    entry = {"mediaType": INDEX, "digest": store.put(raw), "size": len(raw)}
    entry["annotations"] = {"org.opencontainers.image.ref.name": "multi"}
    (store.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return entry


def test_what_the_source_does_not_have_is_told(run, store, platforms, tmp_path):
    ran = run("copy", store.directory, tmp_path / "new")
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"multi  {platforms['digest']}")
    gone = "oci-layers: not in the source, or not distributed, and not copied: sha256:000000000000 for linux/arm64\n"
    assert ran.err == gone
    ran = run("copy", store.directory, tmp_path / "new", "--format", "json")
    value = json.loads(ran.out)
    assert value["missing"] == [
        {
            "digest": "sha256:" + "0" * 64,
            "media_type": store.entry("low")["mediaType"],
            "size": store.entry("low")["size"],
            "platform": "linux/arm64",
        }
    ]


def test_one_platform_is_copied_without_the_index(run, store, platforms, tmp_path):
    ran = run("copy", store.directory, tmp_path / "new", "--platform", "linux/amd64")
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"multi  {store.digest('low')}")
    ran = run("copy", store.directory, tmp_path / "other", "--platform", "linux/s390x")
    line = f"{store.directory}: no platform 'linux/s390x'; there are: linux/amd64, linux/arm64"
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {line}\n")
    assert not (tmp_path / "other").exists()


def test_json_has_stable_keys(run, store, tmp_path):
    ran = run("copy", f"oci:{store.directory}:low", tmp_path / "new", "--format", "json")
    assert json.loads(ran.out) == {
        "source": f"oci:{store.directory}:low",
        "target": str(tmp_path / "new"),
        "images": [
            {
                "ref": "low",
                "digest": store.digest("low"),
                "media_type": store.entry("low")["mediaType"],
                "size": store.entry("low")["size"],
                "platform": None,
                "was": None,
            }
        ],
        "referrers": [],
        "blobs": 3,
        "bytes": store.size(*of(store, "low")),
        "present": 0,
        "present_bytes": 0,
        "missing": [],
        "converted": {},
    }


def test_an_archive_on_stdout_has_the_report_on_stderr_and_goes_into_another_copy(store, tmp_path):
    sent = subprocess.run([*COPY, f"oci:{store.directory}:low", "-"], capture_output=True, check=True, timeout=60)
    assert sent.stderr.decode().splitlines()[0] == f"low  {store.digest('low')}"
    with tarfile.open(fileobj=io.BytesIO(sent.stdout)) as archive:
        assert archive.getnames()[0] == "oci-layout"
    got = subprocess.run(
        [*COPY, "-", f"oci:{tmp_path / 'new'}"], input=sent.stdout, capture_output=True, check=True, timeout=60
    )
    assert got.stdout.decode().splitlines()[0] == f"low  {store.digest('low')}"


def test_an_archive_is_not_written_to_a_terminal(store):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    command = [*COPY, store.directory, "oci-archive:/dev/stdout"]
    done = subprocess.run(command, stdout=slave, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.endswith(b"error: stdout is a terminal; redirect it to a file or a pipe\n")
    for each in (master, slave):
        os.close(each)


@pytest.mark.parametrize(
    ("source", "target", "code", "line"),
    [
        ("{}", "new", 3, "{0}: there are several images, name one; there are: low, high, {unnamed}"),
        ("oci:{}:none", "new", 3, "{0}: no image 'none'; there are: low, high, {unnamed}"),
        ("{}/none", "new", 3, "{0}/none: no such file or directory"),
        ("oci:{}:low", "old.tar", 1, "{1}/old.tar: it exists, and an archive that exists is not changed"),
        ("oci:{}:low", "none/new.tar", 3, "{1}/none/new.tar: {1}/none: no such directory"),
        ("oci:{}:low", "odd", 1, "{1}/odd: not a layout, and not empty: it has file"),
    ],
)
def test_errors_are_one_line(run, store, tmp_path, source, target, code, line):
    (tmp_path / "old.tar").touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "file").touch()
    ran = run("copy", source.format(store.directory), tmp_path / target)
    line = line.format(store.directory, tmp_path, unnamed=store.digest(None))
    assert (ran.code, ran.out, ran.err) == (code, "", f"oci-layers: error: {line}\n")


def test_a_damaged_blob_is_exit_5_and_gives_no_name(run, store, tmp_path):
    store.flip(store.layer("low", 0))
    ran = run("copy", f"oci:{store.directory}:low", tmp_path / "new")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith(f"oci-layers: error: {store.directory}: blob {store.layer('low', 0)}: digest is ")
    assert Store(tmp_path / "new", {}).names() == []


def test_progress_is_about_blobs(run, store, tmp_path):
    ran = run("copy", f"oci:{store.directory}:low", tmp_path / "new", "--progress", "plain")
    total = human_bytes(store.size(*of(store, "low") - {store.digest("low")}))
    assert ran.err.splitlines()[-1] == f"blob 2 of 2: {total} of {total} done"
    pytest.importorskip("rich")
    code, out, shown = on_terminal([*COPY, f"oci:{store.directory}:low", tmp_path / "other"])
    assert (code, out.decode().splitlines()[0]) == (0, f"low  {store.digest('low')}")
    assert b"blob 2 of 2" in shown
