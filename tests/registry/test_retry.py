"""Pauses between attempts, and what servers say of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.registry.retry import Retries, retry_after

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("9" * 30, 1 << 31),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2015 07:27:30 GMT", 0),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 30),
        ("Wed Oct 21 07:28:30 2015", 30),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0661", None),
    ],
)
def test_a_server_says_when_to_come_back(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text())
def test_any_text_has_an_answer(value):
    found = retry_after(value, NOW)
    assert found is None or found >= 0


def test_pauses_grow_to_a_bound_and_then_end():
    retries = Retries(attempts=12)
    pauses = [retries.pause(attempt, None) for attempt in range(1, 12)]
    assert all(0.25 * 2**at <= pause <= 0.5 * 2**at for at, pause in enumerate(pauses[:6]))
    assert all(15 <= pause <= 30 for pause in pauses[6:])
    assert retries.pause(12, None) is None
    assert len(set(pauses)) > 8


def test_what_a_server_asks_for_is_done_within_limits():
    retries = Retries()
    assert retries.pause(1, 20) == 20
    assert retries.pause(1, 60) == 60
    assert retries.pause(1, 61) is None
    assert 0.25 <= retries.pause(1, 0) <= 0.5
    assert retries.pause(5, 1) is None
