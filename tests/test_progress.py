"""How far the reading has come, and when that is too far."""

import pytest

from oci_layers import Limits
from oci_layers.errors import LimitError
from oci_layers.progress import Progress, ProgressTracker
from tests.support.layers import f


def test_progress_counts_the_bytes_of_blobs_over_all_layers():
    seen = []
    tracker = ProgressTracker(Limits(), {4: 100, 7: 20}, seen.append)
    tracker.checkpoint()
    tracker.on_read(4)(10, 3)
    tracker.on_read(7)(10, 4)
    tracker.checkpoint()
    last = Progress(layer=7, layers=2, done=104, total=120)
    assert seen == [
        Progress(layer=0, layers=2, done=0, total=120),
        Progress(layer=4, layers=2, done=3, total=120),
        last,
        last,
    ]


def test_nothing_is_called_where_nothing_was_asked_for():
    tracker = ProgressTracker(Limits(), {0: 1})
    tracker.on_read(0)(1, 1)
    tracker.checkpoint()


def test_uncompressed_bytes_are_counted_over_all_layers():
    tracker = ProgressTracker(Limits(plain_bytes=20), {0: 5, 1: 5})
    tracker.on_read(0)(10, 0)
    tracker.on_read(1)(10, 0)
    with pytest.raises(LimitError) as raised:
        tracker.on_read(1)(1, 0)
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("plain_bytes", 20, 21)


def test_entries_are_counted_over_all_layers_and_are_in_the_report():
    tracker = ProgressTracker(Limits(entries=2), {0: 5, 1: 5})
    assert len(list(tracker.count([f("a")]))) == 1
    assert len(list(tracker.count([f("b")]))) == 1
    assert tracker.report.entries == 2
    with pytest.raises(LimitError) as raised:
        list(tracker.count([f("c")]))
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("entries", 2, 3)
    assert raised.value.__notes__ == ["at the entry c"]


def test_holes_count_as_uncompressed_bytes():
    tracker = ProgressTracker(Limits(plain_bytes=99), {0: 5})
    with pytest.raises(LimitError) as raised:
        list(tracker.count([f("s", size=100, extents=())]))
    assert (raised.value.limit, raised.value.seen, raised.value.__notes__) == ("plain_bytes", 100, ["at the entry s"])
