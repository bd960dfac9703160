"""Layers opened before their turn: two at a time, each error in its turn, and everything that was opened is closed."""

import pytest

from oci_layers.errors import BlobMissingError
from oci_layers.image.prefetch import LayerPrefetcher


class Opened:
    def __init__(self, name, now):
        self.name = name
        self.now = now
        now.append(name)

    def close(self):
        self.now.remove(self.name)


def openers(names, now, **errors):
    def opener(name):
        def open_it():
            if name in errors:
                raise errors[name]
            return Opened(name, now)

        return open_it

    return [opener(name) for name in names]


def test_the_next_layer_is_opened_before_its_turn_and_no_more():
    now = []
    prefetcher = LayerPrefetcher(openers("abcd", now), threads=4)
    assert now == []
    seen = []
    for _ in range(4):
        opened = prefetcher.open()
        seen.append((opened.name, now.copy()))
        opened.close()
    assert seen == [("a", ["a", "b"]), ("b", ["b", "c"]), ("c", ["c", "d"]), ("d", ["d"])]
    prefetcher.close()
    assert now == []


def test_with_one_thread_each_is_opened_in_its_turn():
    now = []
    prefetcher = LayerPrefetcher(openers("ab", now), threads=1)
    opened = prefetcher.open()
    assert now == ["a"]
    opened.close()
    prefetcher.open().close()
    prefetcher.close()
    assert now == []


@pytest.mark.parametrize("error", [BlobMissingError("sha256:0"), OSError(5, "broken")])
def test_an_error_comes_in_the_turn_of_its_layer_and_the_rest_is_closed(error):
    now = []
    prefetcher = LayerPrefetcher(openers("abc", now, b=error), threads=2)
    prefetcher.open().close()
    with pytest.raises(type(error)) as raised:
        prefetcher.open()
    assert raised.value is error
    prefetcher.close()
    assert now == []


def test_the_caller_closes_what_was_returned():
    now = []
    prefetcher = LayerPrefetcher(openers("abc", now), threads=2)
    opened = prefetcher.open()
    prefetcher.close()
    assert now == ["a"]
    opened.close()
