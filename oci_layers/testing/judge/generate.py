"""Draw examples of a strategy with Hypothesis: the same seed gives the same ones, however fast a program is.

They are run afterwards, several at once; `simplify` makes those that fail smaller. Hypothesis would do that by itself,
one run after the other and within one failure; here every law that an example breaks gets its own smallest layers, so
that one broken law does not hide another, and an unpacker that takes a second for each image is called less often.
"""

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

__all__ = ["draw"]

T = TypeVar("T")


def draw(strategy: SearchStrategy[T], count: int, number: int) -> list[T]:
    """Return `count` examples, or fewer if there are no more; the same seed `number` gives the same ones."""
    drawn: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: T) -> None:
        drawn.append(example)

    collect()
    return drawn
