"""The options for the settings of an image, such as its command and its environment, and what they change."""

import argparse
import json
import shlex
from collections.abc import Sequence

from oci_layers.build.fields import Created
from oci_layers.build.image import NewImage
from oci_layers.errors import NameFormatError
from oci_layers.spec.config import Healthcheck

__all__ = ["configured", "pairs", "settings_arguments"]

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
        healthcheck=_healthcheck(options.healthcheck),
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


def _healthcheck(text: str | None) -> Healthcheck | None:
    if text is None:
        return None
    if text in {"", "none"}:
        return Healthcheck(test=("NONE",))
    if text.startswith("["):
        return Healthcheck(test=("CMD", *(_command("healthcheck", text) or ())))
    return Healthcheck(test=("CMD-SHELL", text))
