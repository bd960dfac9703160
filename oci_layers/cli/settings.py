"""The options for the settings of an image, such as its command and its environment, and what they change."""

import argparse
import decimal
import json
import re
import shlex
from collections.abc import Sequence

import attrs

from oci_layers.build.fields import Created
from oci_layers.build.image import NewImage
from oci_layers.errors import NameFormatError
from oci_layers.spec.config import Healthcheck

__all__ = ["configured", "pairs", "settings_arguments"]

_HEALTH = {
    "interval": "the time between two checks",
    "timeout": "the time after which a check counts as failed",
    "start_period": "the time after the start during which failures do not count",
    "start_interval": "the time between two checks in that time",
}
"""The times of a health check."""
_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)(ns|us|ms|s|m|h)", re.ASCII)
_LONGEST = 2**63 - 1
"""The longest duration that Docker can read, in nanoseconds."""
_COMMAND = 'words as for a shell, which takes no part: "lamp --lit"; or a JSON array'


def settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for settings."""
    group = parser.add_argument_group("settings", "An empty text removes a setting.")
    group.add_argument("--entrypoint", metavar="COMMAND", help=f"the command: {_COMMAND}")
    group.add_argument("--cmd", metavar="COMMAND", help="its arguments, or the command without --entrypoint; as there")
    group.add_argument("--user", metavar="USER[:GROUP]", help="whose process it is: names or numbers")
    group.add_argument("--workdir", metavar="PATH", help="the directory that it starts in")
    group.add_argument("--stop-signal", metavar="SIGNAL", help="the signal that ends it, such as SIGTERM")
    group.add_argument(
        "--healthcheck", metavar="COMMAND", help="a command for a shell in the container; or a JSON array; or none"
    )
    for name, text in _HEALTH.items():
        group.add_argument(
            f"--health-{name.replace('_', '-')}",
            type=_duration,
            metavar="DURATION",
            help=f"of the health check, the new or the old one: {text}, such as 30s, 1m30s or 500ms; 0 is the default",
        )
    group.add_argument(
        "--health-retries", type=_retries, metavar="N", help="the failures in a row that make a container unhealthy"
    )
    group.add_argument("--author", metavar="TEXT", help="the author of the image")
    for name, form, text in (
        ("env", "NAME=VALUE", "an environment variable"),
        ("label", "KEY=VALUE", "a label"),
        ("annotation", "KEY=VALUE", "an annotation of the manifest"),
        ("port", "PORT[/PROTOCOL]", "a port that is listened on"),
        ("volume", "PATH", "a directory for data that are not part of the image"),
    ):
        again = f"{text}; may be repeated"
        group.add_argument(f"--{name}", action="append", default=[], metavar=form, help=again)
        key = form.partition("=")[0].partition("[")[0]
        group.add_argument(f"--no-{name}", action="append", default=[], metavar=key, help="remove one; may be repeated")


def configured(image: NewImage, options: argparse.Namespace, *, created: Created | None = None) -> NewImage:
    """Return an image with the settings of the options.

    Raises:
        NameFormatError: One is malformed.
    """
    image = image.configure(
        env=pairs("environment variable", options.env, options.no_env),
        labels=pairs("label", options.label, options.no_label),
        ports=options.port or None,
        volumes=options.volume or None,
        entrypoint=_command("entrypoint", options.entrypoint),
        cmd=_command("cmd", options.cmd),
        user=options.user,
        working_dir=options.workdir,
        stop_signal=options.stop_signal,
        healthcheck=_healthcheck(image, options),
        author=options.author,
        created=created,
    )
    ports, volumes = dict.fromkeys(options.no_port), dict.fromkeys(options.no_volume)
    image = image.configure(ports=ports or None, volumes=volumes or None)
    annotations = pairs("annotation", options.annotation, options.no_annotation)
    return image.annotate(annotations) if annotations else image


def pairs(what: str, given: Sequence[str], removed: Sequence[str]) -> dict[str, str | None] | None:
    """Return the values of `NAME=VALUE` arguments, None for each that is removed; None if there is none at all.

    Raises:
        NameFormatError: An argument has another form.
    """
    found: dict[str, str | None] = dict.fromkeys(removed)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise NameFormatError(what, text, "expected NAME=VALUE")
        found[name] = value
    return found or None


def _command(what: str, text: str | None) -> list[str] | None:
    """Return the arguments of a command."""
    if text is None:
        return None
    if not text.startswith("["):
        try:
            return shlex.split(text)
        except ValueError as error:
            raise NameFormatError(what, text, f"as for a shell, {str(error).lower()}") from error
    try:
        words = json.loads(text)
    except ValueError as error:
        raise NameFormatError(what, text, f"begins as a JSON array, but: {error}") from error
    if not all(isinstance(word, str) for word in words):
        raise NameFormatError(what, text, "expected a JSON array of texts")
    return list(words)


def _healthcheck(image: NewImage, options: argparse.Namespace) -> Healthcheck | None:
    """Return the health check of the options: a new one, or that of the image with other times."""
    given = {name: getattr(options, f"health_{name}") for name in (*_HEALTH, "retries")}
    changes = {name: value for name, value in given.items() if value is not None}
    check = image.config.config.healthcheck if changes else None
    if options.healthcheck is not None:
        check = Healthcheck(test=_test(options.healthcheck))
    if changes and (check is None or check.test == ("NONE",)):
        names = ", ".join(f"--health-{name.replace('_', '-')}" for name in changes)
        raise NameFormatError("option", names, "there is no health check; --healthcheck COMMAND adds one")
    return None if check is None else attrs.evolve(check, **changes)


def _test(text: str) -> tuple[str, ...]:
    if text in {"", "none"}:
        return ("NONE",)
    if text.startswith("["):
        return ("CMD", *(_command("healthcheck", text) or ()))
    return ("CMD-SHELL", text)


def _duration(text: str) -> int:
    """Return the nanoseconds of a duration as Docker writes it; Docker accepts none between 0 and a millisecond."""
    parts = _PART.findall(text)
    total = sum((decimal.Decimal(number) * _UNITS[unit] for number, unit in parts), decimal.Decimal(0))
    if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; expected 30s, 1m30s, 500ms or the like")
    if 0 < total < _UNITS["ms"] or total > _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; expected 1ms or more, and less than 292 years")
    return int(total)


def _retries(text: str) -> int:
    if re.fullmatch("[0-9]{1,9}", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of failures")
    return int(text)
