"""`conformance`: a program is judged, in a form for people, programs, CI systems and browsers."""

import builtins
import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.root

EMPTY = "sh -c 'mkdir \"$1\"' sh {dest} {layout}"
"""A program that unpacks nothing, whatever it gets."""
FEW = ["--case", "whiteouts/of-a-file", "--examples", "0"]


@pytest.fixture
def judged(run):
    def judged(*arguments, unpacker=EMPTY):
        return run("conformance", "--unpacker", unpacker, *arguments)

    return judged


def test_a_failure_is_shown_with_its_layers_and_the_exit_code_is_1(judged):
    ran = judged(*FEW)
    assert (ran.code, ran.err) == (1, "")
    assert "FAILED whiteouts/of-a-file (spec: WHT-01, WHT-02, WHT-05)\n" in ran.out
    assert "  lower:\n      a file\n      x file text=new\n  upper:\n      x whiteout\n" in ran.out
    assert "  expected:\n    - /a file 0644 0:0 T text=\n  actual:\n      (empty)\n" in ran.out
    assert ran.out.endswith("cases: spec 0 of 1, safety 0 of 0, decided 0 of 0 as here\n1 failure\n")


def test_a_pass_is_the_exit_code_0(judged):
    ran = judged("--case", "basics/no-layers", "--examples", "0")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (f"sh\ncommand: {EMPTY}\n\ncases: spec 0 of 0, safety 0 of 0, decided 1 of 1 as here\npassed\n")


def test_generated_layers_are_judged_too_and_made_small(judged):
    ran = judged("--case", "", "--examples", "8", "--seed", "3", "--format", "json", "--shrink-seconds", "0.2")
    value = json.loads(ran.out)
    assert (ran.code, value["seed"], value["generated"]["total"] <= 8) == (1, 3, True)
    assert {each["generated"] for each in value["verdicts"]} == {True}
    assert value["laws_broken"]


def test_seconds_end_the_generated_layers(judged):
    ran = judged("--case", "", "--seconds", "0.01", "--shrink-seconds", "0.01", "--format", "json")
    assert json.loads(ran.out)["generated"]["total"] < 100


def test_reports_go_to_a_file_and_the_scores_to_stdout(judged, tmp_path):
    for kind in ("json", "junit", "html"):
        file = tmp_path / kind
        ran = judged(*FEW, "--format", kind, "--output", file)
        assert (ran.code, ran.out.splitlines()[-1]) == (1, "1 failure")
        assert "whiteouts/of-a-file" in file.read_text()
    assert ET.parse(tmp_path / "junit").getroot().tag == "testsuites"
    assert (tmp_path / "html").read_text().startswith("<!doctype html>")
    ran = judged(*FEW, "--output", tmp_path / "text")
    assert (ran.code, ran.out) == (1, "")
    assert (tmp_path / "text").read_text() == judged(*FEW).out


def test_progress_is_on_stderr(judged):
    ran = judged(*FEW, "--progress", "plain")
    assert ran.err == "cases: 1 of 1 image done\n"


def test_attributes_that_are_ignored_do_not_count(run):
    unpacker = 'sh -c \'mkdir "$1" && cd "$1" && for l in "$2"/../layers/*; do tar -xmf $l; done\' sh {dest} {layout}'
    case = ["--case", "attributes/time-with-nanoseconds", "--examples", "0"]
    strict = run("conformance", "--unpacker", unpacker, *case, "--strict")
    assert strict.code == 1
    assert run("conformance", "--unpacker", unpacker, *case, "--strict", "--ignore", "mtime").code == 0
    assert run("conformance", "--unpacker", unpacker, *case, "--ignore", "owner,mtime").code == 0


def test_a_layout_is_kept_for_each_failure(judged, tmp_path):
    ran = judged(*FEW, "--keep", tmp_path / "keep")
    assert f"  kept: {tmp_path}/keep/whiteouts-of-a-file/layout\n" in ran.out
    ran = judged(*FEW, "--keep", tmp_path / "keep")
    assert (ran.code, ran.out) == (2, "")
    assert "not an empty directory" in ran.err


def test_cases_are_written(run, tmp_path):
    ran = run("conformance", "--write-cases", tmp_path / "cases")
    count = len(json.loads((tmp_path / "cases/cases.json").read_text()))
    assert (ran.code, ran.out, ran.err) == (0, f"{count} cases in {tmp_path}/cases\n", "")
    assert (tmp_path / "cases/whiteouts/of-a-file/expected.txt").exists()


def test_profiles_are_listed(run):
    ran = run("conformance", "--profile", "list")
    assert (ran.code, ran.err) == (0, "")
    assert "oci-layers: this library\n" in ran.out
    rows = json.loads(run("conformance", "--profile", "list", "--format", "json").out)
    assert {"umoci", "tar", "overlay"} <= {row["name"] for row in rows}
    assert set(rows[0]) == {"name", "says", "command", "ignore", "missing", "version"}


@pytest.mark.peer("tar")
def test_a_profile_has_its_command_and_version(run):
    ran = run("conformance", "--profile", "tar", "--case", "basics/no-layers", "--examples", "0")
    assert ran.code == 0
    assert ran.out.startswith("tar: tar (GNU tar) ")


def test_a_differ_is_judged(run):
    program = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(bytes(1024))"
    differ = f"{sys.executable} -c '{program}' {{layer}} {{old}} {{new}}"
    ran = run("conformance", "--differ", differ, "--examples", "2", "--format", "json", "--shrink-seconds", "0.01")
    value = json.loads(ran.out)
    assert (ran.code, value["cases"]["spec"]["total"], value["command"]) == (1, 0, differ)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "one of the arguments --unpacker --profile --differ --write-cases is required"),
        (["--unpacker", "x", "--profile", "tar"], 2, "not allowed with argument"),
        (["--unpacker", "sh {dest}"], 2, "there is no {layout} or {layer} in it"),
        (["--unpacker", "no-such-program {layout} {dest}"], 3, "no program no-such-program: give the path of one"),
        (["--unpacker", "false {layout} {dest}"], 1, "this fails for an image with one file"),
        (["--unpacker", EMPTY, "--case", "nothing"], 3, "no case 'nothing'"),
        (["--unpacker", EMPTY, "--ignore", "colour"], 2, "attribute 'colour': there are mode, owner"),
        (["--profile", "nothing"], 3, "no profile 'nothing'"),
        (["--unpacker", EMPTY, "--examples", "x"], 2, "'x' is no whole number"),
        (["--unpacker", EMPTY, "--jobs", "0"], 2, "expected 1 to 1000"),
        (["--unpacker", EMPTY, "--timeout", "-1"], 2, "'-1' is no number of seconds above 0"),
        (["--unpacker", EMPTY, "--seconds", "nan"], 2, "'nan' is no number of seconds above 0"),
    ],
)
def test_what_cannot_be_judged_is_one_line(run, arguments, code, message):
    ran = run("conformance", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err.splitlines()[-1]


def test_without_the_modules_of_tests_it_says_what_to_install(run, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments):
        if name == "hypothesis":
            raise ImportError("No module named 'hypothesis'", name="hypothesis")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    ran = run("conformance", "--unpacker", EMPTY)
    assert (ran.code, ran.out) == (1, "")
    assert "pip install 'oci-layers[testing]'" in ran.err


def test_nothing_is_left_in_the_directory_of_the_user(judged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYPOTHESIS_STORAGE_DIRECTORY", raising=False)
    judged("--case", "", "--examples", "3", "--shrink-seconds", "0.01")
    assert list(Path().iterdir()) == []
    assert "HYPOTHESIS_STORAGE_DIRECTORY" not in os.environ


def test_colours_are_for_terminals(judged, monkeypatch):
    monkeypatch.setattr("oci_layers.cli.commands.conformance._has_colour", lambda _: True)
    assert "\x1b[31mFAILED\x1b[0m" in judged(*FEW).out
