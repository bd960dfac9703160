"""A case is run, or not where only root can make what it has."""

import threading

import pytest

from oci_layers.testing.cases import cases
from oci_layers.testing.judge.attempt import Conditions
from oci_layers.testing.judge.classify import counted
from oci_layers.testing.judge.of_cases import of_case
from oci_layers.testing.judge.program import Function
from oci_layers.testing.judge.sandbox import sandbox
from oci_layers.testing.stack import Stack

BY_ID = {case.id: case for case in cases()}


def refuse(layout, ref, dest):
    raise OSError(1, "no")


@pytest.fixture
def conditions(tmp_path):
    return Conditions(Function(refuse), counted(), 60, tmp_path, threading.Event())


@pytest.mark.parametrize(
    "id_",
    [
        "replacing/a-file-by-a-character-device",
        "attributes/trusted-extended-attributes",
        "attributes/of-directories-that-change",
    ],
)
def test_an_ordinary_user_does_not_run_what_only_root_can_make(conditions, monkeypatch, id_):
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (5, 5))
    verdict = of_case(conditions, BY_ID[id_])
    assert (verdict.status, verdict.message) == ("skipped", "only root can make or read what it has")


@pytest.mark.parametrize("case", [case for case in cases() if case.level != "safety"], ids=lambda case: case.id)
def test_a_program_that_refuses_everything_is_right_where_a_refusal_is(conditions, case):
    verdict = of_case(conditions, case)
    bad = "failed" if case.level == "spec" else "differs"
    assert verdict.status == ("passed" if None in case.accepted else bad)
    if verdict.status != "passed":
        assert verdict.message == "it refuses the image: no"
        assert len(verdict.layers) == len(case.layers) or case.stack is None
        assert verdict.expected


def test_safety_is_all_that_counts_at_its_level(conditions):
    verdicts = [of_case(conditions, case) for case in cases() if case.level == "safety"]
    assert {verdict.status for verdict in verdicts} == {"passed"}


def test_directories_that_cannot_be_read_are_opened_for_an_ordinary_user(monkeypatch):
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (5, 5))
    with sandbox(Stack.parse("a file"), timeout=1) as box:
        (box.job.dest / "d/e").mkdir(parents=True)
        (box.job.dest / "link").symlink_to("../canary")
        (box.job.dest / "d/e").chmod(0)
        assert box.escapes() == []
        assert (box.job.dest / "d/e").stat().st_mode & 0o777 == 0o700
