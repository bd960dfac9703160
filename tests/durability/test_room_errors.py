"""A call that fails makes one error, leaves nothing behind, and the room goes on: every call of every operation."""

import errno
import shutil

import pytest

from oci_layers.errors import OCIError
from tests.support.examples import examples, some
from tests.support.faults import NEVER_FAILING, calls_of, failing_at, open_files, short_writes
from tests.support.room_operations import (
    OPERATIONS,
    assert_is_sound,
    assert_is_swept,
    content,
    copied,
    leftovers,
)

ERRORS = some([errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE], every=4)
SHARE = examples(dev=2, ci=4, deep=1)
"""Of so many calls, one fails with each error."""
UNNAMED = frozenset({"close", "lock"})
"""Calls whose errors need not name the room."""
UNTIDY = frozenset(
    {"close", "fstat", "fsync", "list_names", "lock", "lstat", "open_directory", "rename", "rmdir", "unlink"}
)
"""Calls without which what was begun is not removed at once, but by gc."""
REFUSALS = frozenset({("fsetxattr", errno.ENOSPC), ("fsetxattr", errno.EDQUOT)})
"""What a mirror reports as skipped: the file system has no room for the attribute."""
pytestmark = pytest.mark.root


def attempt(operation, number, error):
    """Return the error that came out, without what it holds on to; None if the operation did not need the call."""
    try:
        failing_at(operation, number, error)
    except (OSError, OCIError) as caught:
        return caught.with_traceback(None)
    return None


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_system_call_may_fail(tmp_path, name, error):
    operation = OPERATIONS[name]
    prepared, directory = tmp_path / "prepared", tmp_path / "room"
    operation.prepare(prepared)
    before = leftovers(prepared)
    copied(prepared, tmp_path / "whole")
    calls = calls_of(lambda: operation.run(tmp_path / "whole"))
    assert len(calls) >= operation.least
    new = content(tmp_path / "whole")
    numbers = [number for number, call in enumerate(calls) if call not in NEVER_FAILING | {"clock_ns"}]
    for number in some(numbers, every=1 + len(numbers) // 12)[ERRORS.index(error) % SHARE :: SHARE]:
        where = number, calls[number]
        copied(prepared, directory)
        handles = open_files()
        caught = attempt(lambda: operation.run(directory), number, error)
        # A handle that the system closes and reports an error for is as good as gone, and so is what it was opened for.
        assert calls[number] == "close" or open_files() == handles, where
        if caught is None:
            assert content(directory) == new or (calls[number], error) in REFUSALS, where
        else:
            assert isinstance(caught, OSError), (where, caught)
            assert (*where, caught.errno) == (*where, error)
            assert calls[number] in UNNAMED or str(directory) in str(caught.filename), (where, caught, caught.filename)
        assert calls[number] in UNTIDY or leftovers(directory) <= before, where
        assert_is_sound(directory)
        operation.again(directory)
        assert content(directory) == new or (calls[number], error) in REFUSALS, where
        assert_is_swept(directory)
        shutil.rmtree(directory)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_write_may_store_less_than_it_was_given(tmp_path, name):
    operation = OPERATIONS[name]
    operation.prepare(tmp_path / "room")
    copied(tmp_path / "room", tmp_path / "whole")
    operation.run(tmp_path / "whole")
    with short_writes():
        operation.run(tmp_path / "room")
    assert content(tmp_path / "room") == content(tmp_path / "whole")
