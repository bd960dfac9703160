"""The targets on their seeds, on changes of them, and on what once failed; without atheris."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.rows import ROWS
from tests.fuzz.targets import TARGETS
from tests.support.examples import examples

EXAMPLES = examples(dev=100, ci=200)
every_target = pytest.mark.parametrize(
    "target",
    [pytest.param(each, id=name, marks=[pytest.mark.root] * (name == "unpack")) for name, each in TARGETS.items()],
)


BYTES = tuple(bytes([byte]) for byte in range(256))
EDITS = st.lists(st.integers(0, (1 << 48) - 1), max_size=4)
"""Each is a place, how much is left out there, and what is put there instead, as one number: quick to draw."""


def changed(data, edits, pieces):
    """Return the bytes with parts of them replaced, left out or moved."""
    for edit in edits:
        rest, start = divmod(edit, len(data) + 1)
        rest, cut = divmod(rest, 20)
        data = data[:start] + pieces[rest % len(pieces)] + data[start + cut :]
    return data


@every_target
def test_every_change_of_a_seed_has_an_answer(target):
    seeds = list(target.seeds())
    accepted = [target.run(seed) for seed in seeds]
    assert any(accepted)
    pieces = (b"", *target.words, *seeds, *BYTES)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(seeds), EDITS)
    def run(seed, edits):
        target.run(changed(seed, edits, pieces)[: target.longest])

    run()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.target}: {row.failure}" for row in ROWS])
def test_what_once_failed_has_an_answer(row):
    TARGETS[row.target].run(row.data)
