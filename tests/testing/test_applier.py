"""The suite for what applies layers: it passes for this library, and shows a user's project its bugs."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import oci_layers
from oci_layers.testing import LayerApplierSuite
from oci_layers.testing.cases import cases
from oci_layers.testing.notation import DEFAULT_MTIME_NS
from tests.support.examples import examples

README = (Path(__file__).parents[2] / "README.md").read_text()


def unpack(layout, ref, dest):
    with oci_layers.open_image(f"oci:{layout}:{ref}") as image:
        image.unpack(dest)


class TestOurs(LayerApplierSuite):
    levels = ("safety",)
    strict = True
    examples = 30

    def apply(self, layout, ref, dest):
        unpack(layout, ref, dest)


# --- Outcomes ---------------------------------------------------------------------------------------------------------


def case_of(id_):
    return next(case for case in cases() if case.id == id_)


def suite(function, **attributes):
    """A suite of an unpacker, which is called with the image, and the destination."""

    def apply(self, layout, ref, dest):
        with oci_layers.open_image(f"oci:{layout}:{ref}") as image:
            function(image, dest)

    return type("Suite", (LayerApplierSuite,), {"apply": apply, **attributes})()


def plain(image, dest):
    image.unpack(dest)


def restoring(image, dest):
    """Unpack an image, and put a file back that its upper layer removes."""
    image.unpack(dest)
    if len(image.layers) > 1:
        file = Path(dest, "x")
        file.write_text("new")
        os.utime(file, ns=(0, DEFAULT_MTIME_NS))


def refusing(image, dest):
    if len(image.layers) > 1:
        raise ValueError("there is more than one layer")
    image.unpack(dest)


def test_a_failed_case_shows_the_layers_both_trees_and_where_the_layout_is(tmp_path):
    with pytest.raises(pytest.fail.Exception) as caught:
        suite(restoring).test_layers_make_what_the_case_says(case_of("whiteouts/of-a-file"), tmp_path)
    assert caught.value.msg.splitlines() == [
        "FAILED whiteouts/of-a-file (spec: WHT-01, WHT-02, WHT-05)",
        "  A whiteout deletes the file whose name follows its prefix, and is hidden itself.",
        "  /x: unexpected",
        "  lower:",
        "      a file",
        "      x file text=new",
        "  upper:",
        "      x whiteout",
        "  expected:",
        "      /a file 0644 0:0 T text=",
        "  actual:",
        f"      /a file 0644 {os.geteuid()}:{os.getegid()} T text=",
        f"    + /x file 0644 {os.geteuid()}:{os.getegid()} T text=new",
        "  command: Suite.apply(layout, ref, dest)",
        f"  kept: {tmp_path}/kept/whiteouts-of-a-file/layout",
    ]
    unpack(tmp_path / "kept" / "whiteouts-of-a-file" / "layout", "case", tmp_path / "again")
    assert (tmp_path / "again" / "a").is_file()


def test_a_refusal_shows_the_exception_from_where_it_was_raised(tmp_path):
    with pytest.raises(pytest.fail.Exception) as caught:
        suite(refusing).test_layers_make_what_the_case_says(case_of("whiteouts/of-a-file"), tmp_path)
    lines = caught.value.msg.splitlines()
    assert lines[2] == "  it refuses the image: ValueError: there is more than one layer"
    assert "  actual: refused" in lines
    traceback = lines[lines.index("  Traceback (most recent call last):") :]
    assert traceback[-1] == "  ValueError: there is more than one layer"
    assert [line for line in traceback if ", in " in line and line.endswith(("in apply", "in refusing"))] == [
        line for line in traceback if ", in " in line
    ]


def test_another_outcome_is_an_expected_failure_where_the_spec_is_silent_unless_strict(tmp_path):
    case = next(case for case in cases() if case.level == "decided" and case.expected and len(case.layers) > 1)
    with pytest.raises(pytest.xfail.Exception, match="the spec leaves it open: it refuses the image"):
        suite(refusing).test_layers_make_what_the_case_says(case, tmp_path)
    with pytest.raises(pytest.fail.Exception, match=rf"differs {case.id} \(decided"):
        suite(refusing, strict=True).test_layers_make_what_the_case_says(case, tmp_path / "strict")


def test_what_is_ignored_is_not_compared(tmp_path):
    def touched(image, dest):
        image.unpack(dest)
        for path in Path(dest).iterdir():
            path.chmod(0o700)

    case = case_of("whiteouts/of-a-file")
    with pytest.raises(pytest.fail.Exception, match="/a: mode"):
        suite(touched).test_layers_make_what_the_case_says(case, tmp_path)
    suite(touched, ignore=["mode"]).test_layers_make_what_the_case_says(case, tmp_path)


def test_the_root_may_be_anywhere_in_the_destination(tmp_path):
    def below(image, dest):
        Path(dest).mkdir()
        image.unpack(f"{dest}/bundle")

    suite(below, rootfs="bundle").test_layers_make_what_the_case_says(case_of("whiteouts/of-a-file"), tmp_path)


def test_the_cases_of_some_levels_are_run():
    class Metafunc:
        fixturenames = ("case", "tmp_path")

        def parametrize(self, name, values, ids):
            self.made = name, values, ids

    made = Metafunc()
    suite(plain, levels=["safety"]).pytest_generate_tests(made)
    chosen = [case for case in cases() if case.level == "safety"]
    assert made.made == ("case", chosen, [case.id for case in chosen])
    Metafunc.fixturenames = ()
    assert suite(plain).pytest_generate_tests(Metafunc()) is None


def test_an_unpacker_of_nothing_fails_one_test_and_the_others_are_skipped(tmp_path):
    made = LayerApplierSuite()
    with pytest.raises(pytest.fail.Exception) as caught:
        made.test_an_image_of_one_file_is_unpacked(tmp_path)
    first, *_, last = caught.value.msg.splitlines()
    reason = "NotImplementedError: define a method `apply` that unpacks an image"
    assert first == f"this fails for an image with one file: LayerApplierSuite.apply(layout, ref, dest): {reason}"
    assert last == f"  {reason}"
    for test in (
        lambda: made.test_layers_make_what_the_case_says(cases()[0], tmp_path),
        lambda: made.test_generated_layers_make_what_the_spec_says(tmp_path),
    ):
        with pytest.raises(pytest.skip.Exception, match="this fails for an image with one file"):
            test()


def test_generated_layers_show_the_broken_laws_and_a_run_without_any_is_skipped(tmp_path):
    with pytest.raises(pytest.fail.Exception) as caught:
        suite(refusing, examples=5, seed=1).test_generated_layers_make_what_the_spec_says(tmp_path)
    first, *lines = caught.value.msg.splitlines()
    assert re.fullmatch(r"[0-4] of 5 generated stacks of layers came out right \(seed 1\)", first)
    assert "FAILED MAN-14 " in "\n".join(lines)
    assert "  it refuses: ValueError: there is more than one layer" in lines
    with pytest.raises(pytest.skip.Exception, match="no layers are generated"):
        suite(plain, examples=0).test_generated_layers_make_what_the_spec_says(tmp_path)


@pytest.mark.parametrize(
    "id_",
    [
        "whiteouts/of-a-character-device",
        "replacing/a-file-by-a-block-device",
        "attributes/of-directories-that-change",
    ],
)
def test_a_case_that_this_user_cannot_make_or_read_is_skipped(id_, tmp_path, monkeypatch):
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (1000, 1000))
    with pytest.raises(pytest.skip.Exception, match="only root can make or read what it has"):
        suite(plain).test_layers_make_what_the_case_says(case_of(id_), tmp_path)


# --- A user's project -------------------------------------------------------------------------------------------------

UNPACKER = '''
"""Unpack an OCI image with the standard library."""

import io
import json
import os
import shutil
import tarfile
from pathlib import Path


def blob(layout, digest):
    algorithm, _, encoded = digest.partition(":")
    return Path(layout, "blobs", algorithm, encoded).read_bytes()


def manifest_of(layout, ref):
    index = json.loads(Path(layout, "index.json").read_bytes())
    for entry in index["manifests"]:
        if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == ref:
            return json.loads(blob(layout, entry["digest"]))
    raise LookupError(ref)


def unpack(layout, ref, dest):
    os.mkdir(dest)
    for layer in manifest_of(layout, ref)["layers"]:
        with tarfile.open(fileobj=io.BytesIO(blob(layout, layer["digest"]))) as tar:
            for member in tar:
                directory, name = os.path.split(member.name)
                if name.startswith(".wh."):
                    remove(os.path.join(dest, directory, name.removeprefix(".wh.")))
                else:
                    tar.extract(member, dest, numeric_owner=True, filter="tar")


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
'''


@pytest.fixture
def project(tmp_path):
    """The unpacker of a user, and the modules of tests that README gives."""
    (tmp_path / "unpacker.py").write_text(UNPACKER)
    for name, text in re.findall(r"```python\n# (test_\w+\.py)\n(.*?)```", README, re.DOTALL):
        (tmp_path / name).write_text(text)
    return tmp_path


def results(project, *options):
    """Run pytest in a project; return its exit code, and the outcome and message of each test by id."""
    words = [sys.executable, "-m", "pytest", "-q", "--junitxml", "results.xml", "-p", "no:cacheprovider", *options]
    ran = subprocess.run(words, cwd=project, check=False, capture_output=True, text=True)
    assert ran.returncode in {0, 1}, ran.stdout + ran.stderr
    found = {}
    for test in ET.parse(project / "results.xml").iter("testcase"):
        outcome = next(iter(test), None)
        name = re.sub(r"^test_layers_make_what_the_case_says\[(.*)\]$", r"\1", test.get("name"))
        found[name] = ("passed", "") if outcome is None else (outcome.tag, outcome.text or outcome.get("message"))
    return ran.returncode, found


@pytest.mark.parametrize("workers", [["-n", "2"], []], ids=["xdist", "one process"])
def test_a_project_that_does_what_readme_says_sees_its_bugs(project, workers):
    if workers and importlib.util.find_spec("xdist") is None:
        pytest.skip("xdist is not installed")
    code, found = results(project, *workers, "-k", "one_file or opaque/ or after-the-file or of-a-file or upper_file")
    assert code == 1
    assert found["test_an_image_of_one_file_is_unpacked"] == ("passed", "")
    assert found["test_the_upper_file_wins"] == ("passed", "")
    assert found["whiteouts/of-a-file"] == ("passed", "")
    # It removes what the layer of a whiteout itself adds.
    outcome, text = found["whiteouts/after-the-file"]
    assert outcome == "failure"
    shown = re.search(r"    FAILED whiteouts.*?\n\n", README, re.DOTALL)[0]
    assert [line.strip() for line in shown.splitlines() if line] == [
        line.strip() for line in text.splitlines()[: len(shown.splitlines()) - 1]
    ]
    # It does not know opaque markers.
    assert [id_ for id_, (outcome, _) in found.items() if id_.startswith("opaque/") and outcome == "failure"]


def test_generated_layers_find_the_bugs_of_a_project_and_make_them_small(project):
    module = project / "test_unpacker.py"
    module.write_text(
        module.read_text().replace(
            "(LayerApplierSuite):",
            '(LayerApplierSuite):\n    ignore = ["mode", "owner", "mtime", "xattrs"]\n'
            f"    examples = {examples(dev=3, ci=10)}\n",
        )
    )
    code, found = results(project, "-k", "generated")
    assert code == 1
    (text,) = [text for outcome, text in found.values() if outcome == "failure"]
    first, *broken = text.strip().split("\n\n")
    assert re.fullmatch(r"[0-9]+ of [0-9]+ generated stacks of layers came out right \(seed 0\)", first)
    assert broken[0].startswith("FAILED ")
    assert re.search(r"^  (layer|lower)[^:]*:\n      \S+ ", broken[0], re.MULTILINE)
    assert "  expected:\n" in broken[0]
