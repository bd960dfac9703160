"""A function that takes arbitrary bytes, and what one needs to try it."""

import contextlib
from collections.abc import Callable, Iterable

import attrs
from hypothesis import HealthCheck, Phase, given, settings

from oci_layers.errors import OCIError, format_error

_LONGEST_MESSAGE = 20_000
"""Characters of an error with its notes. Each name in it is shortened to 480; a list of names is a limited one."""


@attrs.frozen
class Target:
    """Something that reads untrusted bytes."""

    name: str
    run: Callable[[bytes], bool]
    """Reads the bytes and checks the laws of the result; returns whether they were accepted, as far as that is said."""
    seeds: Callable[[], Iterable[bytes]]
    """Makes inputs that are accepted; the same ones each time."""
    words: tuple[bytes, ...] = ()
    """Text that means something in the inputs."""
    longest: int = 4096
    """The length of the longest input that is worth trying."""


def drawn(strategy, count):
    """Return examples of a strategy, the same ones each time, the simple ones first."""
    found = []

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(value):
        found.append(value)

    keep()
    return sorted(dict.fromkeys(found), key=lambda each: (len(each), each))


@contextlib.contextmanager
def refusals(*documented):
    """Accept the errors that may come out: ours, with a message of one line, and those that the function documents."""
    try:
        yield
    except OCIError as error:
        check_message(error)
    except documented:
        pass


def check_message(error):
    """Check that the message of an error, with its notes, is one line that a terminal can show."""
    message = format_error(error)
    assert message.isprintable(), message
    assert len(message) <= _LONGEST_MESSAGE, message


def outcome(function, *arguments, **options):
    """Return what a function returns, or the type and the text of the error of ours that it raises."""
    try:
        return function(*arguments, **options)
    except OCIError as error:
        check_message(error)
        return type(error), str(error)
