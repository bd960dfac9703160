"""`lint`: what layers should not do, told for people with five minutes, for programs and for CI systems."""

import base64
import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from oci_layers.layer.rules import LAYER_RULES
from tests.support import docker
from tests.support.layers import COMPRESS, Built, d, f, ln, tar, wh
from tests.support.sarif import check_sarif

CARRIED = Path(__file__).parents[2] / "data" / "image"
AT = 1_700_000_000 * 10**9


def at(entry):
    entry.mtime_ns = AT
    return entry


BASE = tar(*map(at, [d("etc/"), f("etc/x"), f("etc/x"), f("bad\udce9"), f("../climb"), f("e\x1b[31m")]))
UPPER = tar(*map(at, [wh("nothing"), ln("l", "nowhere"), f("z/x")]))
LAST = tar(at(f("fine")))
CLEAN = tar(at(d("a/")), at(f("a/x", "one")))


@pytest.fixture
def built(tmp_path):
    return Built.of(tmp_path / "image", BASE, UPPER, LAST)


@pytest.fixture
def odd(built):
    """An image with three layers, the last of which has nothing to tell."""
    return built.write()


def told(run, *arguments, code=1):
    ran = run("lint", *arguments, "--format", "json")
    assert (ran.code, ran.err) == (code, ""), ran
    return json.loads(ran.out)


def words(value):
    return [(each["layer"], each["severity"], each["rule"]) for each in value["findings"]]


def test_findings_are_told_by_layer_and_rule_the_worst_first(run, odd, built):
    ran = run("lint", odd)
    first, second, _ = (layer["descriptor"]["digest"] for layer in built.layers)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines() == [
        f"layer 0 ({first})",
        "  error duplicate: The layer has this name twice (layer.md, Creating the tar).",
        "    fix: Keep the last entry.",
        "    /etc/x (entry 2, byte 1024)",
        "  error climbing-name: The name climbs above the root of the image.",
        "    fix: Name it from the root.",
        "    ../climb (entry 4, byte 3072)",
        "  warning not-utf8: The name is not UTF-8.",
        "    fix: Rename it.",
        "    /bad\\xe9 (entry 3, byte 1536): at byte 3 of the name",
        "  warning control-character: The name has a control character.",
        "    fix: Rename it.",
        "    /e\\x1b[31m (entry 5, byte 3584): '\\x1b'",
        "  note unsorted: From here on, the entries are not sorted by name.",
        "    fix: Sort the entries by name.",
        "    /bad\\xe9 (entry 3, byte 1536): after etc/x",
        "",
        f"layer 1 ({second})",
        "  error no-target: The target of the hard link does not exist.",
        "    fix: Write the file itself.",
        "    /l (entry 1, byte 512): nowhere",
        f"  warning nothing-hidden: {LAYER_RULES['nothing-hidden'].sentence}",
        "    fix: Remove the marker.",
        "    /nothing (entry 0, byte 0)",
        f"  warning missing-parent: {LAYER_RULES['missing-parent'].sentence}",
        "    fix: Write an entry for each parent directory, before its children.",
        "    /z (entry 2, byte 1024)",
        "",
        "3 layers: 3 errors, 4 warnings, 1 note",
    ]


def test_a_good_image_is_one_line(run, tmp_path):
    directory = Built.of(tmp_path / "image", CLEAN, CLEAN).write()
    ran = run("lint", f"oci:{directory}")
    assert (ran.code, ran.out, ran.err) == (0, "2 layers: no findings\n", "")
    assert run("lint", CARRIED).code == 0


def test_as_json_has_stable_keys_and_everything(run, odd, built):
    value = told(run, odd)
    assert {key: value[key] for key in value if key != "findings"} == {
        "what": odd,
        "profile": "default",
        "totals": {"layers": 3, "errors": 3, "warnings": 4, "notes": 1},
        "ok": False,
    }
    (found,) = [each for each in value["findings"] if each["rule"] == "not-utf8"]
    assert found == {
        "rule": "not-utf8",
        "severity": "warning",
        "layer": 0,
        "digest": built.layers[0]["descriptor"]["digest"],
        "path": "/bad\\xe9",
        "path_base64": base64.b64encode(b"/bad\xe9").decode(),
        "index": 3,
        "offset": 1536,
        "message": "at byte 3 of the name",
        "sentence": LAYER_RULES["not-utf8"].sentence,
        "fix": "Rename it.",
    }


def test_as_sarif_a_finding_is_in_the_blob_of_its_layer(run, odd, built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = json.loads(run("lint", "image", "--format", "sarif").out)
    results = check_sarif(log)
    assert len(results) == 8
    (found,) = [each for each in results if each["ruleId"] == "no-target"]
    digest = built.layers[1]["descriptor"]["digest"]
    assert found["message"] == {"text": "/l: The target of the hard link does not exist. (nowhere)"}
    assert found["locations"] == [
        {
            "physicalLocation": {"artifactLocation": {"uri": f"image/blobs/{digest.replace(':', '/')}"}},
            "logicalLocations": [{"fullyQualifiedName": "/l", "kind": "resource"}],
        }
    ]
    assert found["properties"] == {"layer": 1, "digest": digest, "path": "/l", "index": 1, "offset": 512}
    rule = log["runs"][0]["tool"]["driver"]["rules"][found["ruleIndex"]]
    assert rule["help"] == {"text": "Write the file itself."}


@pytest.mark.parametrize(
    ("profile", "severities", "code"),
    [
        ("default", {"error", "warning", "note"}, 1),
        ("strict", {"error", "warning"}, 1),
        ("lenient", {"error", "warning"}, 1),
    ],
)
def test_the_profile_weighs(run, odd, profile, severities, code):
    found = words(told(run, odd, "--profile", profile, code=code))
    assert {severity for _, severity, _ in found} == severities
    assert ((0, "warning", "unsorted") in found) == (profile == "strict")
    assert ((0, "error" if profile == "strict" else "warning", "not-utf8")) in found


def test_warnings_are_exit_0_unless_strict(run, tmp_path):
    directory = Built.of(tmp_path / "image", tar(at(f("a/x")))).write()
    assert words(told(run, directory, code=0)) == [(0, "warning", "missing-parent")]
    assert words(told(run, directory, "--profile", "strict")) == [(0, "error", "missing-parent")]


def test_one_layer_may_be_asked_for(run, odd):
    assert {layer for layer, _, _ in words(told(run, odd, "--layer", "1"))} == {1}
    assert {layer for layer, _, _ in words(told(run, odd, "--layer", "1", "--layer", "0"))} == {0, 1}
    ran = run("lint", odd, "--layer", "2")
    assert (ran.code, ran.out) == (0, "3 layers: no findings\n")


def test_what_is_above_the_layer_that_is_asked_for_is_not_read(run, odd, built):
    blob = Path(odd, "blobs", *built.layers[2]["descriptor"]["digest"].split(":"))
    blob.unlink()
    assert run("lint", odd, "--layer", "0").code == 1
    ran = run("lint", odd)
    assert ran.code == 3
    assert ran.err.startswith("oci-layers: error: ")


@pytest.mark.parametrize("number", ["3", "-1"])
def test_a_layer_that_is_not_there_is_a_usage_error(run, odd, number):
    ran = run("lint", odd, "--layer", number)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"oci-layers: error: layer '{number}': the layers are 0 to 2\n"
    assert run("lint", odd, "--layer", "x").code == 2


def test_many_findings_of_one_rule_are_cut_unless_all_are_asked_for(run, tmp_path):
    layer = tar(at(d("d/")), *(at(f(f"d/{number:03}", mode=0o777)) for number in range(300)), at(f("id_rsa", "x")))
    directory = Built.of(tmp_path / "image", layer, layer).write()
    lines = run("lint", directory).out.splitlines()
    assert lines.count("    ... and 290 more; --all shows them") == 2
    assert sum(line.startswith("    /d/") for line in lines) == 20
    assert "    /id_rsa (entry 301, byte 154112)" in lines
    assert lines[-1] == "2 layers: 600 warnings, 2 notes"
    everything = run("lint", directory, "--all").out.splitlines()
    assert sum(line.startswith("    /d/") for line in everything) == 600
    assert len(told(run, directory, code=0)["findings"]) == 602


# Layers that stand alone.


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_a_layer_may_be_a_file(run, tmp_path, monkeypatch, compression):
    monkeypatch.chdir(tmp_path)
    Path("a layer.tar").write_bytes(COMPRESS[compression](UPPER))
    ran = run("lint", "a layer.tar")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "a layer.tar"
    assert lines[-1] == "1 layer: 1 warning, 1 note"
    value = told(run, "a layer.tar", "--layer", "0", code=0)
    assert words(value) == [(0, "warning", "missing-parent"), (0, "note", "outside-link")]
    assert "digest" not in value["findings"][0]
    first, _ = check_sarif(json.loads(run("lint", "a layer.tar", "--format", "sarif").out))
    assert first["locations"][0]["physicalLocation"] == {"artifactLocation": {"uri": "a%20layer.tar"}}
    ran = run("lint", "a layer.tar", "--layer", "1")
    assert (ran.code, ran.err) == (2, "oci-layers: error: layer '1': the only layer is 0\n")


def test_a_layer_may_come_on_stdin(run, monkeypatch):
    for raw in (UPPER, COMPRESS["gzip"](tar(f("oci-layout")) + b"")):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
        ran = run("lint", "-", "--format", "sarif")
        results = check_sarif(json.loads(ran.out))
        assert {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results} == {"stdin"}
        assert ran.code == 0


def test_an_archive_is_told_from_a_layer_by_what_is_in_it(run, odd, tmp_path):
    shutil.make_archive(str(tmp_path / "archive"), "tar", odd)
    assert words(told(run, tmp_path / "archive.tar")) == words(told(run, odd))
    docker.archive(tmp_path / "docker.tar", docker.classic(BASE, UPPER, LAST))
    assert words(told(run, tmp_path / "docker.tar")) == words(told(run, odd))
    assert words(told(run, f"docker-archive:{tmp_path}/docker.tar:app:1")) == words(told(run, odd))
    (tmp_path / "inner.tar").write_bytes(tar(at(d("a/")), at(f("a/manifest.json"))))
    assert run("lint", tmp_path / "inner.tar").out == "1 layer: no findings\n"


def test_options_for_images_are_refused_for_layers(run, tmp_path):
    (tmp_path / "layer.tar").write_bytes(CLEAN)
    for option in (["--ref", "x"], ["--platform", "linux/amd64"]):
        ran = run("lint", tmp_path / "layer.tar", *option)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.endswith("--ref and --platform are for images, not for a layer file\n")


# What cannot be judged.


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (UPPER[:700], "not a valid tar archive at byte "),
        (b"x" * 2000, "not a valid tar archive at byte 148: "),
        (COMPRESS["gzip"](UPPER)[:-3], "the gzip data is cut short"),
        (COMPRESS["zstd"](UPPER)[:-3], "the zstd data is cut short"),
        (b"{}", "not a valid tar archive at byte 2: "),
    ],
)
def test_a_damaged_layer_is_one_line(run, tmp_path, raw, reason):
    file = tmp_path / "layer\x1b"
    file.write_bytes(raw)
    ran = run("lint", file)
    assert (ran.code, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert line.startswith(f"oci-layers: error: {tmp_path}/layer\\x1b: ")
    assert reason in line


@pytest.mark.parametrize("style", ["text", "json", "sarif"])
def test_a_damaged_blob_is_exit_5(run, odd, built, style):
    name = built.layers[1]["descriptor"]["digest"]
    blob = Path(odd, "blobs", *name.split(":"))
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    ran = run("lint", odd, "--format", style)
    assert ran.code == 5
    (line,) = ran.err.splitlines()
    assert line.startswith(f"oci-layers: error: layer 1 ({name}): digest is ")
    # What was found before is told, where it can be.
    assert ran.out.startswith("layer 0 (") if style == "text" else ran.out == ""
    ran = run("lint", odd, "--layer", "0", "--format", style)
    assert (ran.code, ran.err) == (1, "")


@pytest.mark.parametrize(
    ("what", "code", "line"),
    [
        ("none", 3, "none: no such file or directory"),
        ("oci:none", 3, "none: no such directory"),
        ("pyproject.toml/x", 3, "pyproject.toml/x: no such file or directory"),
        (
            "ftp:x",
            1,
            (
                "unsupported transport: ftp (there are oci, oci-archive, docker-archive, docker; for a path with a "
                "colon write ./ftp:x, for REF use --ref)"
            ),
        ),
    ],
)
def test_what_is_not_there_is_told(run, what, code, line):
    ran = run("lint", what)
    assert (ran.code, ran.out, ran.err) == (code, "", f"oci-layers: error: {line}\n")


def test_limits_are_held(run, odd, tmp_path):
    (tmp_path / "layer.tar").write_bytes(BASE)
    for what in (odd, tmp_path / "layer.tar"):
        ran = run("lint", what, "--limit", "entries=2")
        assert ran.code == 1
        assert ran.err.endswith("(to raise it: --limit entries=NUMBER)\n")


def test_a_layer_of_an_image_is_judged_over_those_below(run, tmp_path):
    upper = tar(at(wh("b")), at(ln("l", "c")))
    (tmp_path / "layer.tar").write_bytes(upper)
    assert words(told(run, tmp_path / "layer.tar", code=0)) == [(0, "note", "outside-link")]
    directory = Built.of(tmp_path / "image", tar(at(f("b")), at(f("c"))), upper).write()
    assert words(told(run, directory, code=0)) == []


def test_a_rule_without_a_fix_has_none(run, tmp_path):
    directory = Built.of(tmp_path / "image", tar(at(f("su", "x", mode=0o4755)))).write()
    assert run("lint", directory).out.splitlines()[1:4] == [
        f"  note set-id: {LAYER_RULES['set-id'].sentence}",
        "    /su (entry 0, byte 0): 4755",
        "",
    ]
    (found,) = told(run, directory, code=0)["findings"]
    assert found["fix"] is None


def test_an_archive_of_docker_before_1_10_is_no_layer(run, tmp_path):
    file = tmp_path / "old.tar"
    file.write_bytes(tar(d("1/"), f("1/json", "{}"), f("1/layer.tar", "x"), f("repositories", "{}")))
    ran = run("lint", file)
    assert (ran.code, ran.out) == (1, "")
    assert "it is an archive of Docker before 1.10" in ran.err


@pytest.mark.parametrize("name", ["repositories", "1/layer.tar"])
def test_one_such_name_makes_no_archive(run, tmp_path, name):
    file = tmp_path / "layer.tar"
    file.write_bytes(tar(f(name, "x")))
    assert run("lint", file).code == 0


def test_a_file_without_a_byte_is_no_layer(run, tmp_path):
    file = tmp_path / "empty.tar"
    file.touch()
    ran = run("lint", file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"oci-layers: error: {file}: not a valid tar archive at byte 0: it is empty\n"
    file.write_bytes(bytes(1024))
    assert run("lint", file).code == 0


def test_a_layer_file_for_windows_is_checked_as_one_on_request(run, tmp_path):
    (tmp_path / "layer.tar").write_bytes(tar(at(d("Files/")), at(f("Files/con")), at(f("Files/a:b"))))
    found = {each["rule"] for each in told(run, tmp_path / "layer.tar", "--windows")["findings"]}
    without = {each["rule"] for each in told(run, tmp_path / "layer.tar", code=0)["findings"]}
    assert (found, without) == ({"refused", "windows-refuses"}, {"windows-name", "windows-character", "unsorted"})
    ran = run("lint", CARRIED, "--windows")
    assert (ran.code, "--windows is for a layer file, not for an image" in ran.err) == (2, True)
