"""When a request is worth sending again, and after which pause."""

import datetime as dt
import email.utils
import random
import threading
import time
from collections.abc import Callable

import attrs

__all__ = ["Clock", "Retries", "retry_after"]

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses of answers that may be another one soon."""


@attrs.frozen
class Clock:
    """The time, and how to wait, so that a test can do both at once."""

    now: Callable[[], float] = time.monotonic
    """Returns the seconds since any moment; never goes back."""
    wall: Callable[[], float] = time.time
    """Returns the seconds since the epoch."""
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    """Waits so many seconds, or until the event is set, and tells whether it is."""


@attrs.frozen
class Retries:
    """How often and how late a request is repeated."""

    attempts: int = 5
    """How often it is sent in all."""
    first: float = 0.5
    """The seconds of the first pause; each further one is twice as long."""
    longest: float = 30
    """The seconds of the longest pause that is chosen here."""
    patience: float = 60
    """The seconds of the longest pause that a server may ask for; if it asks for more, its answer is the error."""

    def pause(self, attempt: int, asked: float | None) -> float | None:
        """Return the seconds to wait after an attempt, the first being 1; None if the request is not repeated.

        Args:
            attempt: How often it was sent.
            asked: The seconds that the server asks for, if it does.
        """
        if attempt >= self.attempts or (asked is not None and asked > self.patience):
            return None
        chosen = min(self.longest, self.first * 2 ** (attempt - 1))
        # Those that were turned away together do not come back together.
        pause: float = max(asked or 0.0, chosen * random.uniform(0.5, 1))  # noqa: S311  # no secret
        return pause


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that `Retry-After` asks to wait (RFC 9110, 10.2.3); None if it says nothing.

    Args:
        value: Seconds, or a date.
        now: The time since the epoch.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), 1 << 31))
    try:
        date: dt.datetime = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=dt.UTC)
    seconds: float = date.timestamp() - now
    return max(0.0, seconds)
