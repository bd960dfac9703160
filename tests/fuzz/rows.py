"""Inputs that once failed, and how: `test_targets` runs each of them again."""

import attrs


@attrs.frozen
class Row:
    """An input of a target, and what came of it before it was mended."""

    target: str
    data: bytes
    failure: str


ROWS = ()
