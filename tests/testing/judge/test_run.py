"""A judgement of a program: the cases, then generated stacks; what counts, what is kept, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

import oci_layers
from oci_layers.errors import MissingError, NameFormatError
from oci_layers.progress import Progress
from oci_layers.testing.cases import cases
from oci_layers.testing.judge import Command, ProgramError, Score, judge
from oci_layers.tree import dump
from tests.support import unpackers
from tests.support.examples import examples, some
from tests.support.process import USER, in_child
from tests.support.unpackers import unpacker

pytestmark = pytest.mark.root

EMPTY = "sh -c 'mkdir \"$1\"' sh {dest} {layout}"
"""A program that unpacks nothing, whatever it gets."""
REFUSING = 'sh -c \'grep -qs hello "$1"/../layers/0.tar || { echo no >&2; exit 1; }; mkdir "$2"\' sh {layout} {dest}'
"""A program that unpacks nothing, and refuses all but the simplest image."""


def unpack(layout, ref, dest):
    with oci_layers.open_image(f"oci:{layout}:{ref}") as image:
        image.unpack(dest)


def test_this_library_passes_every_case():
    chosen = some([case.id for case in cases()], every=3)
    judgement = judge(unpack, select=chosen, examples=0)
    assert [(each.id, each.message) for each in judgement.verdicts if each.status != "passed"] == []
    assert [each.id for each in judgement.verdicts] == chosen
    assert judgement.generated is None
    assert judgement.skipped == 0


def test_this_library_breaks_no_law_on_a_disk():
    judgement = judge(unpack, select=(), examples=examples(dev=30, ci=60), implied=True)
    assert judgement.verdicts == ()
    assert judgement.generated.passed == judgement.generated.total > 20


def test_every_attribute_of_a_case_counts_unless_it_is_ignored():
    kind = unpackers.forgets(mtime_ns=10**18)
    case = "attributes/all-that-a-file-has"
    (bad,) = judge(unpacker(kind), select=[case], examples=0).verdicts
    assert (bad.status, bad.message) == ("failed", "/a: mtime (and 1 more)")
    assert judge(unpacker(kind), select=[case], examples=0, ignore=["mtime"]).ok
    with pytest.raises(NameFormatError, match="there are mode, owner"):
        judge(unpacker(kind), ignore=["colour"])


def test_fractions_of_times_are_no_failure():
    def cut(layout, ref, dest):
        unpack(layout, ref, dest)
        for path in [Path(dest), *Path(dest).rglob("*")]:
            seconds = path.lstat().st_mtime_ns // 10**9 * 10**9
            os.utime(path, ns=(seconds, seconds), follow_symlinks=False)

    judgement = judge(cut, select=["basics/*"], examples=40)
    assert judgement.ok
    fraction = next(each for each in judgement.verdicts if each.id == "LYR-06/fraction")
    assert (fraction.status, fraction.level) == ("differs", "decided")
    assert "/LYR" not in judgement.laws_broken


def test_what_differs_where_the_spec_is_open_fails_only_if_asked_for():
    case = "parents/keep-their-time"

    def touching(layout, ref, dest):
        unpack(layout, ref, dest)
        for path in Path(dest).rglob("*"):
            if path.is_dir():
                os.utime(path)

    assert judge(touching, select=[case], examples=0).verdicts[0].status in {"passed", "differs"}
    judgement = judge(touching, select=[case], examples=0, implied=True)
    assert (judgement.verdicts[0].status, judgement.ok) == ("differs", True)
    assert (judgement.score("decided"), judgement.score("spec")) == (Score(0, 1), Score(0, 0))
    strict = judge(touching, select=[case], examples=0, implied=True, strict=True)
    assert (strict.ok, [each.id for each in strict.failures]) == (False, [case])


def test_a_program_that_refuses_a_legal_image_fails():
    judgement = judge(
        'sh -c \'test -e "$1"/../layers/1.tar && { echo no >&2; exit 1; }; mkdir "$2"\' sh {layout} {dest}',
        select=["whiteouts/of-a-file"],
        examples=0,
    )
    (verdict,) = judgement.verdicts
    assert (verdict.status, verdict.actual, verdict.message) == ("failed", None, "it refuses the image: no")
    assert verdict.layers == ("a file\nx file text=new", "x whiteout")


def test_messages_have_no_paths_of_the_run():
    command = (
        'sh -c \'test -e "$2"/../layers/1.tar && { echo "$1 $2 $3/x" >&2; exit 1; }; mkdir "$1"\' '
        "sh {dest} {layout} {scratch}"
    )
    (verdict,) = judge(command, select=["whiteouts/of-a-file"], examples=0).verdicts
    assert verdict.message == "it refuses the image: {dest} {layout} {scratch}/x"


def test_a_program_that_accepts_what_must_be_refused_fails():
    refused = [case.id for case in cases() if case.accepted == (None,) and case.level == "spec"]
    for verdict in judge(EMPTY, select=refused, examples=0).verdicts if refused else ():
        assert (verdict.status, verdict.message) == ("failed", "it accepts the image")


FAILING = {
    "it was stopped after 1 seconds": "sleep 60",
    "signal 11 ended it": "kill -SEGV $$",
}


@pytest.mark.parametrize("level", ["spec", "safety", "decided"])
@pytest.mark.parametrize(("message", "script"), FAILING.items(), ids=["hangs", "crashes"])
def test_a_program_that_hangs_or_crashes_fails_at_every_level(level, message, script):
    case = next(case for case in cases() if case.level == level and len(case.layers) > 1)
    command = f'sh -c \'test -e "$1"/../layers/1.tar && {{ {script}; }}; mkdir "$2"\' sh {{layout}} {{dest}}'
    judgement = judge(command, select=[case.id], examples=0, timeout=1)
    assert [(each.status, each.level, each.message) for each in judgement.verdicts] == [("failed", level, message)]


@pytest.mark.parametrize("level", ["spec", "safety", "decided"])
def test_a_program_that_leaves_its_destination_fails_at_every_level(level):
    case = next(case for case in cases() if case.level == level and len(case.layers) > 1)
    command = 'sh -c \'test -e "$1"/../layers/1.tar && touch "$(dirname "$2")/evil"; mkdir "$2"\' sh {layout} {dest}'
    (verdict,) = judge(command, select=[case.id], examples=0).verdicts
    assert (verdict.status, verdict.level) == ("failed", "safety")
    assert verdict.message == "it changes what is outside the destination"
    assert verdict.sentence.startswith("Nothing outside the destination changes.")


def test_a_program_that_fails_at_the_simplest_image_is_not_judged():
    with pytest.raises(ProgramError, match=r"this fails for an image with one file: false .*: exit code 1"):
        judge("false {layout} {dest}")


def test_a_case_that_is_not_there_is_missing():
    with pytest.raises(MissingError, match="no case 'no/such'"):
        judge(unpack, select=["no/such"])


def timeless(judgement):
    return attrs.evolve(judgement, verdicts=tuple(attrs.evolve(each, kept=None) for each in judgement.verdicts))


@pytest.mark.parametrize("program", some([REFUSING, EMPTY], every=2))
def test_the_report_is_the_same_however_many_run_at_once(program):
    count = examples(dev=1, ci=2)
    results = [
        timeless(judge(program, select=["whiteouts/of-*"], examples=count, seed=3, jobs=jobs)) for jobs in (1, 4)
    ]
    assert results[0] == results[1]
    assert not results[0].ok


def test_layouts_that_reproduce_failures_are_kept(tmp_path):
    keep = tmp_path / "keep"
    count = examples(dev=60, ci=100)
    judgement = judge(unpacker(unpackers.IgnoresWhiteouts), select=["whiteouts/of-a-file"], examples=count, keep=keep)
    assert not judgement.ok
    for verdict in judgement.failures:
        assert (verdict.kept.parent / "layers.txt").read_text().count("layer\n") == len(verdict.layers)
        with oci_layers.open_image(f"oci:{verdict.kept}:case") as image:
            expected = (verdict.kept.parent / "expected.txt").read_text()
            assert dump(image.tree()) == expected
        assert verdict.sentence in (verdict.kept.parent / "sentence.txt").read_text()
        assert (verdict.kept.parent / "actual.txt").read_text().splitlines() == list(verdict.actual)
    assert {path.name for path in keep.iterdir()} >= {"whiteouts-of-a-file", "WHT-01"}


def test_progress_counts_cases_stacks_and_laws():
    told = []
    judge(
        unpacker(unpackers.IgnoresWhiteouts), select=["basics/*"], examples=20, shrink_seconds=0.1, progress=told.append
    )
    assert told[0] == Progress(layer=0, layers=3, done=1, total=3)
    assert [each.layer for each in told] == sorted(each.layer for each in told)
    assert {each.layer: (each.done, each.total) for each in told}[1] == (20, 20)


def test_an_exception_of_progress_stops_all_programs():
    begun = time.monotonic()

    def stop(now):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(
            'sh -c \'test -e "$1"/../layers/1.tar && sleep 100; mkdir "$2"\' sh {layout} {dest}',
            select=["basics/*", "whiteouts/*"],
            progress=stop,
            jobs=8,
        )
    assert time.monotonic() - begun < 60


def test_a_program_is_anything_that_can_run():
    program = Command(("sh", "-c", 'mkdir -p "$1/x"', "sh", "{dest}"), "x", "mine")
    judgement = judge(program, select=["basics/no-layers"], examples=0, version="1")
    assert (judgement.program, judgement.version, judgement.ok) == ("mine", "1", True)
    assert judgement.command == "sh -c 'mkdir -p \"$1/x\"' sh {dest}"


def test_an_interrupt_ends_the_command_and_what_it_runs(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(
        "import os, sys, time\n"
        "os.mkdir(sys.argv[2])\n"
        "if os.path.exists(sys.argv[1] + '/../layers/1.tar'):\n"
        "    open(os.environ['TMPDIR'] + '/pid', 'w').write(str(os.getpid()))\n"
        "    time.sleep(300)\n"
    )
    command = [sys.executable, "-m", "oci_layers", "conformance", "--case", "whiteouts/of-a-file"]
    command += ["--unpacker", f"{sys.executable} {script} {{layout}} {{dest}}"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    pids = []
    while not any(pids):
        time.sleep(0.05)
        assert running.poll() is None
        pids = [path.read_text() for path in tmp_path.glob("*/*/pid")]
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 143
    out, err = running.communicate()
    assert (out, err) == (b"", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["slow.py"]
    assert not Path(f"/proc/{pids[0]}").exists()


def test_a_judgement_is_a_value():
    assert judge(unpack, select=["basics/no-layers"], examples=0) == judge(
        unpack, select=["basics/no-layers"], examples=0
    )


def test_an_ordinary_user_judges_what_he_can_make(place):
    select = some([case.id for case in cases()], every=4)

    def judged():
        judgement = judge(unpack, select=select, examples=20)
        bad = [(each.id, each.message) for each in judgement.verdicts if each.status not in {"passed", "skipped"}]
        return bad, judgement.skipped, judgement.generated.passed == judgement.generated.total

    judge(unpack, select=["basics/*"], examples=3)  # Everything is imported, as the user may not read where it is.
    bad, skipped, right = in_child(judged, user=USER)
    assert bad == []
    assert 0 < skipped < len(select) // 4
    assert right
