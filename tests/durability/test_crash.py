"""A process that dies at any point leaves a store that opens, has all that was acknowledged, and goes on from there."""

import shutil
import signal

import pytest

from tests.support.faults import CHANGING, calls_of, killed_at
from tests.support.operations import OPERATIONS, assert_between, assert_opens, content
from tests.support.process import ended, start

ROWS = [pytest.param(name, marks=[pytest.mark.slow] if "synced" in name else []) for name in OPERATIONS]
"""The calls of an image in the other modes are among those of the first."""


def points_of(calls, *, every):
    """Yield the points at which to kill, as (number of a call, after it): all, or one for each state on the disk.

    Nothing on the disk changes between the end of one changing call and the end of the next one.
    """
    if not every:
        yield 0, False
    for number, call in enumerate(calls):
        if every:
            yield number, False
        if call in CHANGING:
            yield number, True


@pytest.mark.parametrize("name", ROWS)
def test_a_process_may_be_killed_at_every_system_call(tmp_path, name, pytestconfig):
    operation = OPERATIONS[name]
    operation.prepare(tmp_path / "prepared")
    old = content(tmp_path / "prepared")
    shutil.copytree(tmp_path / "prepared", tmp_path / "whole", symlinks=True)
    calls = calls_of(lambda: operation.run(tmp_path / "whole"))
    assert len(calls) >= operation.least
    new = content(tmp_path / "whole")
    for number, after in points_of(calls, every=pytestconfig.getoption("--slow")):
        directory = tmp_path / "store"
        shutil.copytree(tmp_path / "prepared", directory, symlinks=True)
        child = start(lambda: killed_at(lambda: operation.run(directory), number, after=after))  # noqa: B023
        assert ended(child) == -signal.SIGKILL, (number, calls[number])
        assert_between(content(directory), old, new)
        assert_opens(directory)
        operation.again(directory)
        assert content(directory) == new
        shutil.rmtree(directory)
