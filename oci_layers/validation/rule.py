"""What a rule is, and the functions that make most checks.

A rule has an id, which is this project's own and never changes its meaning; a sentence; and checks. A check examines
one kind of location in a document and returns the faults there. A rule without a check gives the reason why none is
possible. The rules themselves are in the tables beside this module; `rules` walks through a document and calls them.

Checks run on every value of every document, so a check is one plain function that returns an empty tuple if there is no
fault, and yields faults one at a time, because there may be millions. It accepts values of any type: another rule
checks the type.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, assert_never

import attrs

from oci_layers.errors import escape
from oci_layers.report import Level, Rule, Severity
from oci_layers.spec.strict_json import kind_of

__all__ = [
    "OK",
    "Check",
    "CheckedRule",
    "Fault",
    "Profile",
    "array_of",
    "each_matches",
    "fault",
    "has_type",
    "map_of_objects",
    "matches",
    "must_be",
    "quoted",
    "required",
    "rule",
    "severity_in",
    "tolerant",
    "unchecked",
]

Profile = Literal["strict", "default", "lenient"]
Fault = tuple[tuple[str | int, ...], str]
"""What is wrong: the path to it from the checked value, and a message."""

_Run = Callable[[Any], Iterable[Fault]]  # Any: a JSON value.

OK: tuple[Fault, ...] = ()
_SHOWN = 60


@attrs.frozen
class Check:
    """A check of a rule at one kind of location."""

    at: str
    """A kind of object, such as `descriptor`, or a field of one, such as `descriptor.size`."""
    run: _Run
    """Takes the value there, returns its faults."""
    severity: Severity | None = None
    """The severity of a fault, if not that of the rule."""
    tolerated: bool = False
    """Whether common registries accept documents with this fault, and programs can still use them."""


@attrs.frozen
class CheckedRule:
    """A rule and its checks; none if no program can check it in a document alone."""

    rule: Rule
    checks: tuple[Check, ...] = ()


def rule(id_: str, level: Level, severity: Severity, sentence: str, checks: tuple[Check, ...]) -> CheckedRule:
    """Return a rule with its checks."""
    return CheckedRule(Rule(id_, severity, sentence, level), checks)


def severity_in(severity: Severity, profile: Profile, *, tolerated: bool = False) -> Severity | None:
    """Return the severity of a fault in a profile, or None if it is not reported; `rules` explains the profiles."""
    match profile:
        case "default":
            return severity
        case "strict":
            return "warning" if severity == "note" else "error"
        case "lenient":
            if severity == "note":
                return None
            return "warning" if tolerated else severity
        case _:
            assert_never(profile)


def unchecked(id_: str, level: Level, sentence: str, reason: str, *, severity: Severity | None = None) -> CheckedRule:
    """Return a rule that cannot be checked within one document, or that other rules cover."""
    usual: Severity = "error" if level.startswith("MUST") else "warning" if level.startswith("SHOULD") else "note"
    return CheckedRule(Rule(id_, severity or usual, sentence, level, unchecked=reason))


def fault(message: str, *path: str | int) -> tuple[Fault, ...]:
    """Return the one fault that a check has found."""
    return ((path, message),)


def quoted(text: str) -> str:
    """Return `text` for a message: quoted, printable, and not too long."""
    return f'"{escape(text[:_SHOWN])}{"..." if len(text) > _SHOWN else ""}"'


def required(kind: str, name: str) -> Check:
    """Return a check that objects of a kind have the field `name`."""
    missing = fault("is required", name)
    return Check(kind, lambda node: OK if name in node else missing)


def has_type(place: str, expected: type) -> Check:
    """Return a check that the value at a place is of one JSON type, given as Python's."""
    return Check(place, lambda value: OK if type(value) is expected else _another_type(expected, value))


def array_of(place: str, expected: type) -> Check:
    """Return a check that the value at a place is an array, and everything in it of one JSON type."""

    def run(value: object) -> Iterable[Fault]:
        if type(value) is not list:
            return _another_type(list, value)
        for item in value:
            if type(item) is not expected:
                break
        else:
            return OK
        return (((index,), must_be(expected, item)) for index, item in enumerate(value) if type(item) is not expected)

    return Check(place, run)


def map_of_objects(place: str) -> Check:
    """Return a check that the value at a place is an object in which each key has an object."""

    def run(value: object) -> Iterable[Fault]:
        if type(value) is not dict:
            return _another_type(dict, value)
        return (((key,), must_be(dict, item)) for key, item in value.items() if type(item) is not dict)

    return Check(place, run)


def matches(
    place: str,
    fits: Callable[[str], object],
    message: str,
    *,
    severity: Severity | None = None,
    tolerated: bool = False,
) -> Check:
    """Return a check that the string at a place is of some form; the message follows the string itself."""

    def run(value: object) -> Sequence[Fault]:
        return OK if type(value) is not str or fits(value) else fault(f"{quoted(value)} {message}")

    return Check(place, run, severity, tolerated)


def each_matches(place: str, fits: Callable[[str], object], message: str, *, tolerated: bool = False) -> Check:
    """Return a check that each string in the array at a place is of some form."""

    def run(value: object) -> Iterable[Fault]:
        if type(value) is not list:
            return OK
        return (
            ((index,), f"{quoted(item)} {message}")
            for index, item in enumerate(value)
            if type(item) is str and not fits(item)
        )

    return Check(place, run, tolerated=tolerated)


def tolerant(check: Check, *, whole: type | None = None, inside: type | None = None) -> tuple[Check, Check]:
    """Split a check in two: the second is tolerated, and has the faults of values that Docker's programs accept.

    Args:
        check: Finds values of a wrong type, at the place itself or directly inside.
        whole: The type that is accepted at the place itself.
        inside: The type that is accepted in the array or object there.
    """

    def faults(value: Any, *, taken: bool) -> Iterable[Fault]:  # Any: a JSON value.
        for path, message in check.run(value):
            item, kind = (value[path[0]], inside) if path else (value, whole)
            if (type(item) is kind) is taken:
                yield path, message

    return (
        Check(check.at, functools.partial(faults, taken=False)),
        Check(check.at, functools.partial(faults, taken=True), tolerated=True),
    )


def must_be(expected: type, value: object) -> str:
    """Return the message that a value must be of another JSON type, given as Python's."""
    return f"must be {kind_of(expected())}, not {kind_of(value)}"


def _another_type(expected: type, value: object) -> tuple[Fault, ...]:
    return fault(must_be(expected, value))
