"""A call that fails makes one error, leaves nothing behind, and the store goes on: every call of every operation."""

import errno
import shutil

import pytest

from tests.support.examples import some
from tests.support.faults import NEVER_FAILING, calls_of, failing_at, open_files, short_writes
from tests.support.operations import OPERATIONS, assert_between, content, leftovers, stores_of

ERRORS = some([errno.EIO, errno.EDQUOT, errno.ENOSPC, errno.EMFILE, errno.EINTR], every=2)
UNNAMED = frozenset({"close", "lock"})
"""Calls whose errors need not name the store."""


def attempt(operation, number, error):
    """Return the error that came out, without what it holds on to; None if the operation did not need the call."""
    try:
        failing_at(operation, number, error)
    except OSError as caught:
        return caught.with_traceback(None)
    return None


LONG = frozenset({"copy", "gc", "image", "image, not synced", "image, synced at once"})
"""Operations of which the errors but one are left to the long run."""
ROWS = [
    pytest.param(
        name,
        error,
        id=f"{name}-{errno.errorcode[error]}",
        marks=[pytest.mark.slow] if name in LONG and error != errno.EIO else [],
    )
    for name in OPERATIONS
    for error in ERRORS
]


@pytest.mark.parametrize(("name", "error"), ROWS)
def test_every_system_call_may_fail(tmp_path, name, error):
    operation = OPERATIONS[name]
    operation.prepare(tmp_path / "prepared")
    old, before = content(tmp_path / "prepared"), leftovers(tmp_path / "prepared")
    shutil.copytree(tmp_path / "prepared", tmp_path / "whole")
    calls = calls_of(lambda: operation.run(tmp_path / "whole"))
    assert len(calls) >= operation.least
    new = content(tmp_path / "whole")
    directory = tmp_path / "store"
    for number in [number for number, call in enumerate(calls) if call not in NEVER_FAILING]:
        where = number, calls[number]
        shutil.copytree(tmp_path / "prepared", directory)
        handles = open_files()
        caught = attempt(lambda: operation.run(directory), number, error)
        assert open_files() == handles, where
        if caught is None:
            assert content(directory) == new, where
        else:
            assert (*where, caught.errno) == (*where, error)
            assert calls[number] in UNNAMED or caught.filename in map(str, stores_of(directory, new)), (where, caught)
        assert calls[number] in {"unlink", "lock"} or leftovers(directory, resumable=False) <= before, where
        assert_between(content(directory), old, new)
        operation.again(directory)
        assert content(directory) == new, where
        shutil.rmtree(directory)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_write_may_store_less_than_it_was_given(tmp_path, name):
    operation = OPERATIONS[name]
    operation.prepare(tmp_path / "store")
    shutil.copytree(tmp_path / "store", tmp_path / "whole")
    operation.run(tmp_path / "whole")
    with short_writes():
        operation.run(tmp_path / "store")
    assert content(tmp_path / "store") == content(tmp_path / "whole")
