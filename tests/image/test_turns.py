"""Layers begun before their turn: two at a time, each error in its turn, and all that was begun is closed."""

import pytest

from oci_layers.errors import BlobMissingError
from oci_layers.image.turns import Turns


class Begun:
    def __init__(self, name, open_now):
        self.name = name
        self.open_now = open_now
        open_now.append(name)

    def close(self):
        self.open_now.remove(self.name)


class Layer:
    def __init__(self, name, open_now, *, threads=4, error=None):
        self.name = name
        self.threads = threads
        self._open = open_now
        self._error = error

    def start(self):
        if self._error is not None:
            raise self._error
        return Begun(self.name, self._open)

    def start_headers(self):
        return Begun(f"headers of {self.name}", self._open)


def test_the_next_layer_is_begun_with_before_its_turn_and_no_more():
    now = []
    turns = Turns([Layer(name, now) for name in "abcd"], contents=True)
    assert now == []
    seen = []
    for _ in range(4):
        begun = turns.next()
        seen.append((begun.name, now.copy()))
        begun.close()
    assert seen == [("a", ["a", "b"]), ("b", ["b", "c"]), ("c", ["c", "d"]), ("d", ["d"])]
    turns.close()
    assert now == []


def test_with_one_thread_each_is_begun_with_in_its_turn():
    now = []
    turns = Turns([Layer(name, now, threads=1) for name in "ab"], contents=True)
    begun = turns.next()
    assert now == ["a"]
    begun.close()
    turns.next().close()
    turns.close()
    assert now == []


def test_headers_are_asked_for_where_contents_are_not():
    now = []
    turns = Turns([Layer(name, now) for name in "ab"], contents=False)
    turns.next().close()
    assert now == ["headers of b"]
    turns.close()
    assert now == []


@pytest.mark.parametrize("error", [BlobMissingError("sha256:0"), OSError(5, "broken")])
def test_an_error_comes_when_it_is_the_layers_turn_and_the_rest_is_closed(error):
    now = []
    turns = Turns([Layer("a", now), Layer("b", now, error=error), Layer("c", now)], contents=True)
    turns.next().close()
    with pytest.raises(type(error)) as raised:
        turns.next()
    assert raised.value is error
    assert now == ["c"]
    turns.close()
    assert now == []


def test_what_is_handed_over_is_closed_by_whoever_has_it():
    now = []
    turns = Turns([Layer(name, now) for name in "abc"], contents=True)
    begun = turns.next()
    turns.close()
    assert now == ["a"]
    begun.close()
