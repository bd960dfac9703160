"""Findings: the first of each severity are kept, all are counted, and no verdict depends on the difference."""

import copy
import pickle

import pytest

from oci_layers.report import Listing
from oci_layers.validation.findings import Findings, Sieve
from tests.support.findings import in_document

CAP = Listing.CAP


def breaches(rule, severity, count):
    return [in_document(rule, severity, f"/{number}", "is bad") for number in range(count)]


def test_a_few_findings_are_a_tuple_of_them():
    found = Findings(breaches("A", "error", 2) + breaches("B", "note", 1))

    assert found == (*breaches("A", "error", 2), *breaches("B", "note", 1))
    assert (found.total, found.totals, found.left_out, found.ok) == (3, {"error": 2, "note": 1}, {}, False)
    assert (Findings(), Findings().total, Findings().ok) == ((), 0, True)


def test_of_many_the_first_of_each_severity_are_kept_and_all_are_counted():
    notes, errors = breaches("A", "note", CAP + 5), breaches("B", "error", CAP + 1)
    found = Findings(iter([*notes, *breaches("C", "note", 2), *errors, *breaches("D", "warning", 1)]))

    assert found == (*notes[:CAP], *errors[:CAP], *breaches("D", "warning", 1))
    assert found.left_out == {("A", "note"): 5, ("C", "note"): 2, ("B", "error"): 1}
    assert found.totals == {"note": CAP + 7, "error": CAP + 1, "warning": 1}
    assert (found.total, found.ok) == (2 * CAP + 9, False)


def test_an_error_that_is_left_out_is_still_one():
    assert not Findings(breaches("A", "note", 1), {("B", "error"): 1}).ok
    assert Findings(breaches("A", "note", 1), {("B", "warning"): 1}).ok


def test_findings_of_findings_have_what_those_left_out():
    inner = Findings(breaches("A", "note", CAP + 3))

    assert Findings(inner).left_out == {("A", "note"): 3}
    assert Findings(inner, {("A", "note"): 1, ("B", "error"): 2}).left_out == {("A", "note"): 4, ("B", "error"): 2}


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))])
def test_a_copy_has_all_of_it(again):
    found = Findings(breaches("A", "note", CAP + 3))

    assert (again(found), again(found).left_out) == (found, found.left_out)


def test_a_sieve_has_room_for_each_severity():
    sieve = Sieve()

    assert [sieve.admits("A", "note") for _ in range(CAP + 2)] == [True] * CAP + [False] * 2
    assert sieve.admits("A", "error")
    assert sieve.left_out == {("A", "note"): 2}
