"""The targets on their seeds, on changes of them, and on what once failed; without atheris."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.rows import ROWS
from tests.fuzz.targets import TARGETS

EXAMPLES = max(200, settings().max_examples)
every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@st.composite
def changed(draw, seeds, words):
    """One of the seeds, with parts of it replaced, left out or moved."""
    data = draw(st.sampled_from(seeds))
    pieces = st.binary(max_size=8) | st.sampled_from([*words, *seeds])
    for at, cut, piece in draw(st.lists(st.tuples(st.integers(0, 1 << 14), st.integers(0, 40), pieces), max_size=5)):
        start = at % (len(data) + 1)
        data = data[:start] + piece + data[start + cut :]
    return data


@every_target
def test_every_change_of_a_seed_has_an_answer(target):
    seeds = list(target.seeds())
    accepted = [target.run(seed) for seed in seeds]
    assert any(accepted)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(changed(seeds, target.words))
    def run(data):
        target.run(data[: target.longest])

    run()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.target}: {row.failure}" for row in ROWS])
def test_what_once_failed_has_an_answer(row):
    TARGETS[row.target].run(row.data)
