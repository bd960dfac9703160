"""The judge finds each rule that a faulty unpacker breaks, and shows it with few layers of few entries."""

import functools

import pytest

from oci_layers.tar import BLOCK, CHARACTER
from oci_layers.testing.judge import of_stacks
from oci_layers.testing.judge.attempt import Attempt, looked_at
from oci_layers.testing.judge.classify import counted
from oci_layers.testing.judge.expect import Expectation
from oci_layers.testing.judge.generate import draw
from oci_layers.testing.judge.of_stacks import Budget, Outcome, judged_stacks, strategy
from oci_layers.testing.judge.verdict import Score
from oci_layers.testing.oracle import RefusedError
from oci_layers.testing.stack import Stack
from tests.support import unpackers
from tests.support.examples import some
from tests.support.unpackers import forgets, keeps, merged


@pytest.fixture(autouse=True, scope="module")
def drawn_once():
    """Draw the stacks of each seed once for all tests, as they are the same."""
    once = functools.cache(lambda count, number: draw(strategy(), count, number))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_stacks, "draw", lambda _, count, number: once(count, number))
        yield


BUDGET = Budget(examples=300, seconds=None, seed=1, shrink_seconds=60)

FAULTS = {
    "WHT-01": unpackers.IgnoresWhiteouts,
    "WHT-01/more": unpackers.RemovesTooMuch,
    "WHT-05": unpackers.ShowsMarkers,
    "WHT-06": unpackers.HidesItsOwn,
    "WHT-06/higher": unpackers.HidesLater,
    "WHT-09": unpackers.IgnoresOpaque,
    "WHT-11": unpackers.HidesItsOwnInOpaque,
    "WHT-12": unpackers.RemovesOnlyTheDirectory,
    "LYR-05": unpackers.MakesFilesOfSymlinks,
    "LYR-06/mode": forgets(mode=0o600),
    "LYR-06/owner": forgets(uid=7),
    "LYR-06/mtime": forgets(mtime_ns=10**18),
    "LYR-06/xattrs": forgets(xattrs={}),
    "LYR-06/content": forgets(data=b"x"),
    "LYR-06/device": forgets(device=(9, 9)),
    "LYR-08": unpackers.CopiesLinks,
    "LYR-14": unpackers.SkipsFifos,
    "LYR-14/more": unpackers.MakesMore,
    "LYR-15/mode": keeps("mode"),
    "LYR-15/owner": keeps("uid"),
    "LYR-15/mtime": keeps("mtime_ns"),
    "LYR-15/xattrs": unpackers.MergesXattrs,
    "LYR-15/children": unpackers.EmptiesDirectories,
    "LYR-16": unpackers.KeepsTheOldType,
    "LYR-16/links": unpackers.WritesThroughLinks,
    "MAN-14": unpackers.RefusesFifos,
}


def run_of(kind, told=None):
    """What runs an unpacker of a kind in memory."""

    def run(stack):
        expectation = Expectation(stack.layers)
        if told is not None:
            told.append(stack)
        try:
            actual = merged(kind, stack.layers)
        except (OSError, RefusedError) as error:
            return Outcome.of(stack, Attempt(str(error)), expectation)
        made = looked_at(actual, [expectation.tree], counted(), expectation.touched, expectation)
        return Outcome.of(stack, made, expectation)

    return run


def judged(kind, budget=BUDGET, progress=lambda *_: None, told=None):
    return judged_stacks(run_of(kind, told), "fake {layout} {dest}", budget, mapped=map, progress=progress)


def test_an_unpacker_that_is_right_breaks_no_law():
    done = []
    found = judged(unpackers.Right, progress=lambda *what: done.append(what))
    assert found.verdicts == ()
    assert found.score == Score(found.score.total, found.score.total)
    assert done[-1] == ("generated stacks", BUDGET.examples, BUDGET.examples)


@pytest.mark.parametrize("law", some(FAULTS, every=3))
def test_a_fault_is_the_law_that_it_breaks_in_few_layers_of_few_entries(law):
    found = judged(FAULTS[law])
    assert found.score.passed < found.score.total
    at, verdict = next((at, each) for at, each in enumerate(found.verdicts) if each.id == law)
    assert (verdict.generated, verdict.status, verdict.level) == (True, "failed", "spec")
    assert verdict.rules == (law.partition("/")[0],)
    assert len(verdict.layers) <= 2, verdict.layers
    assert all(len(layer.splitlines()) <= 3 for layer in verdict.layers), verdict.layers
    assert "\n".join(verdict.layers) == "\n".join(
        line.strip() for line in str(found.stacks[at]).splitlines() if line != "layer"
    )


def test_the_same_seed_gives_the_same_verdicts(monkeypatch):
    monkeypatch.setattr(of_stacks, "draw", draw)
    assert judged(unpackers.HidesItsOwn) == judged(unpackers.HidesItsOwn)


def test_time_ends_the_generated_stacks():
    told = []
    found = judged(unpackers.Right, Budget(examples=10**6, seconds=1e-9, seed=0, shrink_seconds=1), told=told)
    assert found.score.total == len(told) == 1


def test_time_ends_the_search_for_smaller_stacks():
    told = []
    found = judged(unpackers.ShowsMarkers, Budget(examples=50, seconds=None, seed=0, shrink_seconds=1e-9), told=told)
    assert found.verdicts
    assert found.score.total == len(told)


def test_a_refusal_of_what_the_spec_leaves_open_is_no_failure():
    def run(stack):
        times = [entry.mtime_ns for layer in stack.layers for entry in layer]
        return Outcome.of(stack, Attempt("a time" if min(times, default=0) < 0 else None), Expectation(stack.layers))

    found = judged_stacks(run, "fake", BUDGET, mapped=map, progress=lambda *_: None)
    assert [(each.id, each.status, each.message) for each in found.verdicts] == [
        ("ATT-08", "differs", "it refuses: a time")
    ]
    assert found.score.passed == found.score.total


def test_a_refusal_is_not_put_down_to_a_question_that_has_nothing_to_do_with_it():
    def run(stack):
        kinds = {entry.type for layer in stack.layers for entry in layer}
        return Outcome.of(stack, Attempt("no fifo" if b"6" in kinds else None), Expectation(stack.layers))

    found = judged_stacks(run, "fake", BUDGET, mapped=map, progress=lambda *_: None)
    (verdict,) = found.verdicts
    assert (verdict.id, verdict.status, len(verdict.layers)) == ("MAN-14", "failed", 1)


def test_refusals_with_other_messages_are_other_failures():
    def run(stack):
        expectation = Expectation(stack.layers)
        kinds = {entry.type for layer in stack.layers for entry in layer}
        message = "no fifo: /tmp/1/x" if b"6" in kinds else "no symlink '/a'" if b"2" in kinds else None
        return Outcome.of(stack, Attempt(message), expectation)

    found = judged_stacks(run, "fake", BUDGET, mapped=map, progress=lambda *_: None)
    refused = [each for each in found.verdicts if each.id == "MAN-14"]
    assert sorted(each.message.partition(":")[2].split()[1] for each in refused) == ["fifo:", "symlink"]
    assert all(len(each.layers) == 1 and "\n" not in each.layers[0] for each in refused)


@pytest.mark.parametrize(
    ("made", "law", "level"),
    [
        (Attempt(escapes=("+ /outside/x",)), "outside", "safety"),
        (Attempt("", "signal 11 ended it"), "MAN-14/crash", "spec"),
    ],
)
def test_escapes_and_crashes_are_failures(made, law, level):
    def run(stack):
        return Outcome.of(stack, made, Expectation(stack.layers))

    found = judged_stacks(
        run, "fake", Budget(examples=5, seconds=None, seed=0, shrink_seconds=9), mapped=map, progress=lambda *_: None
    )
    (verdict,) = found.verdicts
    assert (verdict.id, verdict.level, verdict.status) == (law, level, "failed")
    assert found.stacks == (Stack(((),)),)


def test_an_ordinary_user_gets_stacks_that_can_be_made_and_read(monkeypatch):
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (1000, 1000))
    entries = [entry for stack in draw(strategy(), 200, 0) for layer in stack.layers for entry in layer]
    assert {entry.mode & 0o600 for entry in entries if b".wh." not in entry.name} == {0o600}
    assert not {CHARACTER, BLOCK} & {entry.type for entry in entries}
