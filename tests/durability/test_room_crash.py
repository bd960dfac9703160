"""A process that dies at any point leaves a room that opens, whose layers are whole, and that goes on from there."""

import shutil
import signal

import pytest

from tests.support.examples import some
from tests.support.faults import CHANGING, calls_of, killed_at
from tests.support.process import ended, start
from tests.support.room_operations import (
    OPERATIONS,
    assert_is_sound,
    assert_is_swept,
    content,
    copied,
)

pytestmark = pytest.mark.root


def points_of(calls, *, every):
    """Return the points at which to kill, as (number of a call, after it): all, or one for each state on the disk."""
    if every:
        return [(number, after) for number, call in enumerate(calls) for after in {False, call in CHANGING}]
    return [(0, False), *((number, True) for number, call in enumerate(calls) if call in CHANGING)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_process_may_be_killed_at_every_system_call(tmp_path, name, pytestconfig):
    operation = OPERATIONS[name]
    prepared, directory = tmp_path / "prepared", tmp_path / "room"
    operation.prepare(prepared)
    copied(prepared, tmp_path / "whole")
    calls = calls_of(lambda: operation.run(tmp_path / "whole"))
    assert len(calls) >= operation.least
    new = content(tmp_path / "whole")
    points = points_of(calls, every=pytestconfig.getoption("--slow"))
    for number, after in some(points, every=1 + len(points) // 4, ci=2):
        copied(prepared, directory)
        child = start(lambda: killed_at(lambda: operation.run(directory), number, after=after))  # noqa: B023
        assert ended(child) == -signal.SIGKILL, (number, calls[number])
        assert_is_sound(directory)
        operation.again(directory)
        assert content(directory) == new, (number, calls[number])
        assert_is_sound(directory)
        assert_is_swept(directory)
        shutil.rmtree(directory)
