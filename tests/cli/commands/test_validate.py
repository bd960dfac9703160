"""`validate`: documents and images as a user has them judged, good, wrong, damaged and hostile."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from oci_layers.cli.commands import validate
from oci_layers.validation.rules import DOCUMENT_RULES
from tests.support import docker
from tests.support.layers import Built, d, digest, f, tar, wh
from tests.support.sarif import check_sarif

CARRIED = Path(__file__).parents[2] / "data" / "image"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
BROKEN = """{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:zz", "size": -1},
  "layers": [
    {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
     "digest": "md5:0123", "size": "12", "annotations": {"é\u202e": 5}}
  ],
  "Manifests": []
}
"""
GOOD = {
    "schemaVersion": 2,
    "mediaType": MANIFEST,
    "config": {"mediaType": CONFIG, "digest": digest(b""), "size": 0},
    "layers": [{"mediaType": LAYER, "digest": digest(b""), "size": 0}],
}


@pytest.fixture
def type_in(monkeypatch):
    """Give bytes on stdin; returns what counts how many are taken."""

    def type_in(data):
        stream = Counting(data)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        return stream

    return type_in


class Counting(io.RawIOBase):
    """Bytes that go on for ever when they end with a repetition, and how many were read."""

    def __init__(self, data, forever=b""):
        self.data = data
        self.forever = forever
        self.taken = 0

    def readable(self):
        return True

    def read(self, size=-1):
        assert size >= 0
        part, self.data = self.data[:size], self.data[size:]
        part = part or self.forever * size
        self.taken += len(part)
        return part


def findings(run, *arguments, code=1):
    ran = run("validate", *arguments, "--format", "json")
    assert (ran.code, ran.err) == (code, ""), ran
    return json.loads(ran.out)["findings"]


# Documents.


def test_findings_in_a_document_are_told_with_their_places_and_values(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(BROKEN)
    ran = run("validate", "m.json")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines() == [
        "m.json (image manifest)",
        "   9:16  error    MAN-21  /Manifests: belongs to an image index, not to a manifest: []",
        (
            '   4:81  error    DIG-05  /config/digest: "sha256:zz" is no valid sha256 digest: '
            "expected 64 lowercase hex digits"
        ),
        "  4:102  error    DSC-07  /config/size: must not be negative: -1",
        "   7:64  error    ANN-01  /layers/0/annotations/é\\xe2\\x80\\xae: must be a string, not an integer: 5",
        (
            '   7:64  note     ANN-02  /layers/0/annotations/é\\xe2\\x80\\xae: "é\\xe2\\x80\\xae" is not a name in '
            "reverse domain order"
        ),
        (
            '   7:16  note     DIG-08  /layers/0/digest: "md5:0123" is not of sha256, the one algorithm that '
            "all can verify"
        ),
        '   7:36  error    DSC-09  /layers/0/size: must be an integer, not a string: "12"',
        "",
        f"1 document, {len(BROKEN.encode())} B: 5 errors, 2 notes",
    ]


def test_a_good_document_is_one_line(run, tmp_path):
    file = tmp_path / "m.json"
    file.write_text(json.dumps(GOOD))
    size = file.stat().st_size
    assert run("validate", file) == run("validate", "--media-type", MANIFEST, file)
    ran = run("validate", file)
    assert (ran.code, ran.out, ran.err) == (0, f"1 document, {size} B: no findings\n", "")


MANY = json.dumps(GOOD | {"layers": [{}] * 5000})


def test_of_many_findings_the_first_are_shown_and_all_are_counted(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(MANY)
    ran = run("validate", "m.json")
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (1, "")
    assert sum(line.endswith("is required") for line in lines) == 1000
    assert lines[-3:] == [
        "14,000 more are counted and not shown: DSC-04 4,667 times, DSC-06 4,667 times, DSC-01 4,666 times",
        "",
        f"1 document, {len(MANY) / 1000:.1f} kB: 15000 errors",
    ]


def test_of_many_findings_json_has_the_first_and_exact_totals(run, tmp_path):
    (tmp_path / "m.json").write_text(MANY)
    told = json.loads(run("validate", "--format", "json", tmp_path / "m.json").out)
    assert (len(told["findings"]), told["totals"]["errors"], told["ok"]) == (1000, 15000, False)
    assert told["left_out"] == [
        {"rule": rule, "severity": "error", "count": count}
        for rule, count in [("DSC-01", 4666), ("DSC-04", 4667), ("DSC-06", 4667)]
    ]


def test_of_many_findings_sarif_has_the_first_and_says_so(run, tmp_path):
    (tmp_path / "m.json").write_text(MANY)
    log = json.loads(run("validate", "--format", "sarif", tmp_path / "m.json").out)
    assert len(check_sarif(log)) == 1000
    (notification,) = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("14,000 more are counted and not shown: DSC-04 4,667 times")


def test_an_image_whose_config_docker_reads_though_its_types_are_wrong_can_be_looked_into(run, built):
    built.config["config"] = {"Entrypoint": "/bin/sh", "Cmd": ["c", None], "Labels": {"a.b": None}}
    image = built.write()
    assert run("ls", image).code == 0
    pointers = {"/config/Entrypoint", "/config/Cmd/1", "/config/Labels/a.b"}
    for profile, severity, code in (("default", "error", 1), ("lenient", "warning", 0)):
        found = findings(run, image, "--profile", profile, code=code)
        assert {each["pointer"] for each in found if each["severity"] == severity} >= pointers


def test_a_document_as_json_has_stable_keys(run, type_in):
    type_in(b'{"manifests": [],\n "schemaVersion": 3}')
    ran = run("validate", "-", "--format", "json", "--profile", "strict")
    assert ran.code == 1
    assert json.loads(ran.out) == {
        "what": "-",
        "profile": "strict",
        "findings": [
            {
                "rule": "IDX-03",
                "severity": "error",
                "document": "-",
                "media_type": INDEX,
                "pointer": "/mediaType",
                "message": "should be there, so that the document cannot be taken for one of another kind",
                "line": 1,
                "column": 1,
                "sentence": DOCUMENT_RULES["IDX-03"].sentence,
            },
            {
                "rule": "IDX-02",
                "severity": "error",
                "document": "-",
                "media_type": INDEX,
                "pointer": "/schemaVersion",
                "message": "must be 2",
                "value": "3",
                "line": 2,
                "column": 19,
                "sentence": DOCUMENT_RULES["IDX-02"].sentence,
            },
        ],
        "left_out": [],
        "totals": {"documents": 1, "layers": 0, "blobs": 0, "bytes": 38, "errors": 2, "warnings": 0, "notes": 0},
        "ok": False,
    }


def test_a_document_as_sarif_points_into_the_file(run, tmp_path, monkeypatch, type_in):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "m#.json").write_text(BROKEN)
    results = check_sarif(json.loads(run("validate", "a b/m#.json", "--format", "sarif").out))
    (found,) = [each for each in results if each["ruleId"] == "DSC-07"]
    assert found["message"] == {"text": "/config/size: must not be negative"}
    assert found["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a%20b/m%23.json"},
                "region": {"startLine": 4, "startColumn": 102},
            },
            "logicalLocations": [{"fullyQualifiedName": "a b/m#.json#/config/size", "kind": "value"}],
        }
    ]
    assert found["properties"] == {"document": "a b/m#.json", "pointer": "/config/size", "value": "-1"}
    type_in(BROKEN.encode())
    results = check_sarif(json.loads(run("validate", "-", "--format", "sarif").out))
    assert {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results} == {"stdin"}


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (GOOD, "image manifest"),
        ({"manifests": []}, "image index"),
        ({"rootfs": {}}, "image config"),
        ({"imageLayoutVersion": 1}, "layout marker"),
        ({"digest": "", "size": 0}, "descriptor"),
    ],
)
def test_a_document_is_called_what_it_is(run, type_in, document, kind):
    type_in(json.dumps(document | {"schemaVersion": 1} if document is GOOD else document).encode())
    assert run("validate", "-").out.splitlines()[0] == f"- ({kind})"


def test_the_media_type_may_be_said(run, type_in):
    type_in(json.dumps(GOOD).encode())
    rules = [each["rule"] for each in findings(run, "-", "--media-type", INDEX) if each["severity"] == "error"]
    assert rules == ["MAN-21", "MAN-21", "IDX-05", "IDX-03"]
    type_in(b"{}")
    assert run("validate", "-", "--media-type", EMPTY).code == 0
    type_in(b"{ }")
    assert [each["rule"] for each in findings(run, "-", "--media-type", EMPTY)] == ["ART-01"]


@pytest.mark.parametrize("text", ["{}", '{"schemaVersion": 2}', '{"a": [1]}'])
def test_a_document_that_does_not_say_what_it_is_needs_the_option(run, type_in, text):
    type_in(text.encode())
    ran = run("validate", "-")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == ("oci-layers: error: document '-': media type not detected; give it with --media-type TYPE\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-", "--media-type", "application/x\x1b"], "unknown document type application/x\\x1b"),
        (["-", "--media-type", LAYER], "unknown document type"),
        (["-", "--ref", "x"], "--ref and --platform are for images"),
        (["-", "--platform", "linux/amd64"], "--ref and --platform are for images"),
        (["oci:x", "--media-type", MANIFEST], "--media-type is for documents"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(run, type_in, arguments, reason):
    type_in(b"{}")
    ran = run("validate", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert reason in ran.err.splitlines()[-1]


@pytest.mark.parametrize("arguments", [[], ["--media-type", MANIFEST]])
def test_a_file_that_is_not_there_is_exit_3(run, tmp_path, arguments):
    for name in (tmp_path / "none", CARRIED / "index.json" / "x"):
        ran = run("validate", name, *arguments)
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith(f"oci-layers: error: {name}: no such file or directory")


def test_an_unknown_transport_is_told(run):
    ran = run("validate", "ftp:x")
    assert (ran.code, ran.err.partition(" (")[0]) == (1, "oci-layers: error: unsupported transport: ftp")


@pytest.mark.parametrize(
    ("raw", "is_document"),
    [
        (b"{", True),
        (b" \n[", True),
        (b'\t"', True),
        (b"\xef\xbb\xbf{}", True),
        (b"\xff\xfe{\0", True),
        (b"\xfe\xff\0{", True),
        (b"", True),
        (b" " * 10_000, True),
        (b"x", False),
        (b"0" * 600, False),
        (b"null", False),
        (b"\x1f\x8b", False),
    ],
)
def test_a_document_is_told_from_an_archive_by_how_it_begins(run, tmp_path, raw, is_document):
    file = tmp_path / "file"
    file.write_bytes(raw)
    ran = run("validate", file)
    assert ran.code == 1
    assert ran.out.startswith(str(file)) == is_document
    assert ran.err.startswith("oci-layers: error: ") != is_document


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_a_document(run, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(json.dumps(GOOD).encode(),)).start()
    assert run("validate", pipe).code == 0


def test_stdin_is_read_from_the_process(tmp_path):
    command = [sys.executable, "-m", "oci_layers", "validate", "-"]
    done = subprocess.run(command, input=json.dumps(GOOD).encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout[-12:], done.stderr) == (0, b"no findings\n", b"")


# Hostile documents.


@pytest.mark.parametrize("at", range(0, len(BROKEN), 7))
def test_a_document_that_is_cut_short_anywhere_has_a_place_where_it_ends(run, type_in, at):
    raw = BROKEN[:at].encode()
    type_in(raw)
    (found,) = findings(run, "-")
    assert (found["rule"], found["severity"], found["media_type"]) == ("CON-04", "error", None)
    lines = raw.decode().split("\n")
    assert 1 <= found["line"] <= len(lines)
    assert 1 <= found["column"] <= len(lines[found["line"] - 1]) + 1


@pytest.mark.parametrize(
    ("raw", "rule", "pointer", "column"),
    [
        (b"[" * 500_000, "LIM-02", "", 101),
        (b'{"a":' * 200_000, "LIM-02", "", 501),
        (b'{"layers":' + b"9" * 10_000 + b"}", "CON-04", "/layers", 11),
        (b'{"layers":1e9999}', "CON-04", "/layers", 11),
        (b'{"layers":[],"manifests":[],"layers":[]}', "CON-04", "/layers", 38),
        (b'{"layers":["\\ud800"]}', "CON-04", "/layers/0", 12),
        (b'{"layers":"\xff"}', "CON-04", "", 12),
        (b"\xef\xbb\xbf{}", "CON-04", "", 1),
        (b"[]", "CON-04", "", 1),
        (b'"x"', "CON-04", "", 1),
        (b"NaN", "CON-04", "", 1),
        (b"\0", "CON-04", "", 1),
    ],
)
def test_hostile_bytes_have_an_answer_with_a_place(run, type_in, raw, rule, pointer, column):
    type_in(raw)
    (found,) = findings(run, "-")
    assert (found["rule"], found["pointer"], found["line"], found["column"]) == (rule, pointer, 1, column)
    assert len(found.get("value", "")) <= 60
    type_in(raw)
    assert all(len(line) < 200 for line in run("validate", "-").out.splitlines())


@pytest.mark.parametrize(
    "document",
    [
        {"schemaVersion": 2, "manifests": [], "config": {}, "layers": []},
        {"schemaVersion": 2, "mediaType": MANIFEST, "manifests": [], "config": {}, "layers": []},
        {"schemaVersion": 2, "mediaType": INDEX, "config": {}, "layers": []},
        {"schemaVersion": 2, "Manifests": [], "layers": []},
    ],
)
def test_a_document_that_could_be_two_things_is_refused_as_that(run, type_in, document):
    type_in(json.dumps(document).encode())
    assert "MAN-21" in {each["rule"] for each in findings(run, "-")}


@pytest.mark.parametrize(
    ("arguments", "limit", "allowed"),
    [
        ([], "config_bytes", 8 << 20),
        (["--media-type", MANIFEST], "document_bytes", 4 << 20),
        (["--media-type", CONFIG], "config_bytes", 8 << 20),
        (["--limit", "config_bytes=10", "--limit", "document_bytes=9"], "config_bytes", 10),
        (["--limit", "config_bytes=10", "--limit", "document_bytes=11"], "document_bytes", 11),
    ],
)
def test_no_more_than_the_limit_and_a_byte_is_read(run, monkeypatch, arguments, limit, allowed):
    stream = Counting(b'{"a": "', b"x")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    (found,) = findings(run, "-", *arguments)
    assert found["rule"] == "LIM-01"
    assert found["message"] == f"has more than {allowed} bytes (to allow more: --limit {limit}=NUMBER)"
    assert stream.taken == allowed + 1


def test_a_huge_file_is_refused_by_the_limit_before_it_is_parsed(run, tmp_path, monkeypatch):
    file = tmp_path / "huge.json"
    with file.open("wb") as stream:
        stream.write(b"{")
        stream.truncate(100 << 20)
    monkeypatch.setattr(validate, "check_document", None)
    monkeypatch.setattr(validate, "detect_media_type", None)
    (found,) = findings(run, file)
    assert (found["rule"], found["document"], found["media_type"]) == ("LIM-01", str(file), None)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_a_huge_file_costs_no_more_memory_than_the_limit(tmp_path):
    file = tmp_path / "huge.json"
    with file.open("wb") as stream:
        stream.write(b"{")
        stream.truncate(100 << 20)
    code = (
        "import re, sys\n"
        "from oci_layers.cli.main import main\n"
        "main(['validate', sys.argv[1]])\n"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) < 80_000


# Images.


@pytest.fixture
def layout(tmp_path):
    """Three layers, with everything that the profile `default` has something to say about left out."""
    base, middle, top = tar(d("a/"), f("a/x", "one")), tar(wh("a/x"), f("b", "two")), tar(f("c", "three"))
    built = Built.of(tmp_path / "layout", base, middle, top)
    built.config["created"] = "2024-01-01T00:00:00Z"
    built.index["mediaType"] = INDEX
    built.write()
    index = tmp_path / "layout" / "index.json"
    document = json.loads(index.read_text())
    document["manifests"][0]["platform"] = {"os": "linux", "architecture": "amd64"}
    index.write_text(json.dumps(document))
    return tmp_path / "layout"


@pytest.fixture(params=["built", "carried"])
def image(request, layout, tmp_path):
    """An image to damage."""
    if request.param == "built":
        return layout
    shutil.copytree(CARRIED, tmp_path / "carried")
    return tmp_path / "carried"


class Parts:
    """The parts of a layout with one image, and how to exchange them and make the digests right again."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.index = json.loads((self.directory / "index.json").read_text())
        self.manifest = json.loads(self.file(self.index["manifests"][0]["digest"]).read_text())
        self.config = json.loads(self.file(self.manifest["config"]["digest"]).read_text())

    def file(self, name):
        return self.directory / "blobs" / name.replace(":", "/")

    @property
    def blobs(self):
        layers = [layer["digest"] for layer in self.manifest["layers"]]
        return [self.index["manifests"][0]["digest"], self.manifest["config"]["digest"], *layers]

    def write(self):
        """Write the documents, each with the digest that it has now."""
        self.manifest["config"] |= self.put(self.config)
        self.index["manifests"][0] |= self.put(self.manifest)
        (self.directory / "index.json").write_text(json.dumps(self.index))

    def put(self, document):
        raw = json.dumps(document).encode()
        self.file(digest(raw)).write_bytes(raw)
        return {"digest": digest(raw), "size": len(raw)}


def errors(run, image, *arguments):
    return [
        (each["rule"], each["document"]) for each in findings(run, image, *arguments) if each["severity"] == "error"
    ]


DAMAGE = {
    "flip a byte": (lambda raw: bytes([raw[0] ^ 1]) + raw[1:], "DSC-05"),
    "flip the last": (lambda raw: raw[:-1] + bytes([raw[-1] ^ 128]), "DSC-05"),
    "cut": (lambda raw: raw[:-1], "DSC-08"),
    "empty": (lambda _: b"", "DSC-08"),
    "append": (lambda raw: raw + b"\0", "DSC-08"),
    "delete": (None, "LAY-05"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_every_damage_to_every_blob_is_found_and_named(run, image, damage):
    change, rule = DAMAGE[damage]
    parts = Parts(image)
    for name in parts.blobs:
        file = parts.file(name)
        raw = file.read_bytes()
        if change is None:
            file.unlink()
        else:
            file.write_bytes(change(raw))
        assert errors(run, image) == [(rule, name)]
        file.write_bytes(raw)
    assert run("validate", image).code == 0


def test_two_blobs_in_each_others_place_are_both_found(run, image):
    parts = Parts(image)
    for one, other in zip(parts.blobs[1:], parts.blobs[2:], strict=False):
        raws = [parts.file(name).read_bytes() for name in (one, other)]
        parts.file(one).write_bytes(raws[1])
        parts.file(other).write_bytes(raws[0])
        found = errors(run, image)
        assert {document for _, document in found} == {one, other}
        assert {rule for rule, _ in found} <= {"DSC-05", "DSC-08"}
        for name, raw in zip((one, other), raws, strict=True):
            parts.file(name).write_bytes(raw)


def test_two_layers_of_the_manifest_in_each_others_place_do_not_have_the_diff_ids(run, image):
    parts = Parts(image)
    layers = parts.manifest["layers"]
    layers[0], layers[1] = layers[1], layers[0]
    parts.write()
    assert errors(run, image) == [("CHN-01", parts.manifest["config"]["digest"])] * 2
    found = [each for each in findings(run, image) if each["rule"] == "CHN-01"]
    assert [each["pointer"] for each in found] == ["/rootfs/diff_ids/0", "/rootfs/diff_ids/1"]
    for each, layer in zip(found, layers, strict=False):
        assert layer["digest"] in each["message"]


def test_two_diff_ids_in_each_others_place_are_not_those_of_the_layers(run, image):
    parts = Parts(image)
    diff_ids = parts.config["rootfs"]["diff_ids"]
    diff_ids[0], diff_ids[1] = diff_ids[1], diff_ids[0]
    parts.write()
    assert errors(run, image) == [("CHN-01", parts.manifest["config"]["digest"])] * 2


@pytest.mark.parametrize("at", [0, -1])
def test_a_diff_id_that_was_dropped_is_missed(run, image, at):
    parts = Parts(image)
    del parts.config["rootfs"]["diff_ids"][at]
    parts.write()
    assert ("CFG-20", parts.manifest["config"]["digest"]) in errors(run, image)


def test_a_good_image_is_one_line(run, layout):
    size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(layout) for name in names)
    ran = run("validate", f"oci:{layout}:t")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"4 documents, 3 layers, \d\.\d kB: no findings\n", ran.out)
    assert json.loads(run("validate", layout, "--format", "json").out)["totals"]["bytes"] == size
    assert check_sarif(json.loads(run("validate", layout, "--format", "sarif").out)) == []
    ran = run("validate", layout, "--fast")
    assert re.fullmatch(r"4 documents, no layer read, \d\.\d kB: no findings\n", ran.out)


def test_an_image_is_told_by_document(run, layout):
    parts = Parts(layout)
    parts.config["os"] = "bla"
    parts.config["author"] = "e\x1b[31m"
    parts.config["x"] = 1
    parts.write()
    first, second, third = (layer["digest"] for layer in parts.manifest["layers"])
    parts.file(first).unlink()
    parts.file(second).write_bytes(b"x")
    manifest, config = parts.index["manifests"][0]["digest"], parts.manifest["config"]["digest"]
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1\\u001b"}')
    lines = run("validate", layout).out.splitlines()
    headings = [line for line in lines if line and not line.startswith(" ")]
    short = manifest[:19]
    below = sorted(
        [
            (first, f"{first} (layer, /layers/0 of {short})"),
            (second, f"{second} (layer, /layers/1 of {short})"),
            (config, f"{config} (image config, /config of {short})"),
        ]
    )
    assert headings[:-1] == ["oci-layout (layout marker)", "index.json (image index)", *(line for _, line in below)]
    at = lines.index(f"{second} (layer, /layers/1 of {short})")
    size = parts.manifest["layers"][1]["size"]
    assert lines[at + 1] == f"  error    DSC-08  has 1 bytes, not the {size} that /layers/1 of {manifest} says"
    assert third not in "".join(lines)
    assert headings[-1].startswith("4 documents, 1 layer, ")
    assert not any("\x1b" in line for line in lines)


def test_findings_in_an_image_point_into_its_files_in_sarif(run, layout, monkeypatch):
    monkeypatch.chdir(layout.parent)
    parts = Parts(layout)
    parts.config["os"] = 7
    parts.index["manifests"][0]["annotations"] = []
    parts.write()
    parts.file(parts.manifest["layers"][0]["digest"]).unlink()
    results = check_sarif(json.loads(run("validate", "layout", "--format", "sarif").out))
    assert {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results} == {
        "layout/index.json"
    }
    del parts.index["manifests"][0]["annotations"]
    parts.write()
    results = check_sarif(json.loads(run("validate", "layout", "--format", "sarif").out))
    places = {each["ruleId"]: each["locations"][0]["physicalLocation"] for each in results}
    config, layer = parts.manifest["config"]["digest"], parts.manifest["layers"][0]["digest"]
    assert places["CFG-06"]["artifactLocation"]["uri"] == f"layout/blobs/{config.replace(':', '/')}"
    assert places["CFG-06"]["region"] == {"startLine": 1, "startColumn": json.dumps(parts.config).index("7,") + 1}
    assert places["LAY-05"] == {"artifactLocation": {"uri": f"layout/blobs/{layer.replace(':', '/')}"}}


def test_findings_in_an_archive_have_the_archive_as_their_file(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layer = tar(f("a"))
    raw = docker.config(layer, os=7)
    files = [f("c.json", raw), f("l.tar", layer), docker.listing(("c.json", ["app:1"], ["l.tar"]))]
    docker.archive(tmp_path / "a.tar", files)
    ran = run("validate", "docker-archive:a.tar")
    assert ran.code == 1
    assert ran.out.splitlines()[0] == "c.json (image config)"
    (found,) = check_sarif(json.loads(run("validate", "a.tar", "--format", "sarif").out))
    assert found["locations"] == [
        {
            "physicalLocation": {"artifactLocation": {"uri": "a.tar"}},
            "logicalLocations": [{"fullyQualifiedName": "c.json#/os", "kind": "value"}],
        }
    ]


def test_the_profile_weighs_what_documents_say_and_what_they_say_of_one_another(run, layout):
    parts = Parts(layout)
    parts.config["variant"] = "v2"
    parts.index["manifests"][0]["platform"]["variant"] = "v3"
    parts.write()
    severities = {
        profile: {each["rule"]: each["severity"] for each in findings(run, layout, "--profile", profile, code=code)}
        for profile, code in (("default", 0), ("strict", 1), ("lenient", 0))
    }
    assert [found["IDX-12"] for found in severities.values()] == ["warning", "error", "warning"]


def test_other_blobs_are_counted(run, layout):
    parts = Parts(layout)
    blob = parts.put("some bytes")
    parts.index["manifests"].append({"mediaType": "application/x", **blob})
    parts.write()
    assert ", 1 other blob, " in run("validate", layout).out


def test_a_reference_chooses(run, layout):
    ran = run("validate", layout, "--ref", "none")
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {layout}: no image 'none'; there are: t\n")
    assert run("validate", layout, "--ref", "t", "--platform", "linux/amd64").code == 0
    assert run("validate", layout, "--platform", "linux/arm64").code == 3


def test_progress_may_be_told(run, layout):
    ran = run("validate", layout, "--progress", "plain")
    assert ran.code == 0
    assert ran.err.startswith("layer ")


def test_the_readme_shows_what_is_printed(run, type_in):
    text = (CARRIED.parents[2] / "README.md").read_text()
    (document,) = re.findall(r"^echo '(.*)' \| oci-layers validate -$", text, re.MULTILINE)
    type_in(document.encode() + b"\n")
    assert f"```\n{run('validate', '-').out}```\n" in text


@pytest.mark.parametrize("format_", ["text", "json", "sarif"])
def test_a_document_is_judged_by_its_schema_alone(run, tmp_path, format_):
    file = tmp_path / "index.json"
    file.write_text('{"schemaVersion": 2, "manifests": [{"size": -1}]}')
    ran = run("validate", "--schema", file, "--format", format_)
    assert ran.code == 1
    if format_ == "text":
        assert [line.split()[1:4] for line in ran.out.splitlines()[1:4]] == [
            ["error", "schema", f"/manifests/0/{name}:"] for name in ("digest", "mediaType", "size")
        ]
        assert ran.out.endswith("\n1 document, 49 B: 3 errors\n")
    elif format_ == "json":
        assert {row["rule"] for row in json.loads(ran.out)["findings"]} == {"schema"}
    else:
        assert [rule["id"] for rule in json.loads(ran.out)["runs"][0]["tool"]["driver"]["rules"]] == ["schema"]


def test_schemas_are_not_for_images_nor_for_documents_that_have_none(run, layout, tmp_path):
    assert run("validate", "--schema", layout).code == 2
    file = tmp_path / "odd.json"
    file.write_text("{}")
    assert run("validate", "--schema", file, "--media-type", "application/vnd.oci.empty.v1+json").code == 1
