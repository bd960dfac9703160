"""The rules of the image config, as a table (config.md, and the fields that Docker adds to it).

Every optional field may be null, which equals leaving it out; the walk in `rules` applies this. Docker's own fields in
`config` are unknown to the spec, so that a type other than Docker's is a warning and not an error. A value that Docker
accepts in place of one of the right type is a tolerated error: `spec.codec` reads it as Docker does. Whether the layers
match `diff_ids` is checked in `image` and `verify`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oci_layers.validation.grammar import is_date_time
from oci_layers.validation.platform import fits_platform, known_names, windows_features
from oci_layers.validation.rule import (
    OK,
    Check,
    Fault,
    array_of,
    each_matches,
    fault,
    has_type,
    map_of_objects,
    matches,
    must_be,
    quoted,
    required,
    rule,
    tolerant,
    unchecked,
)

__all__ = ["CONFIG_RULES"]

_NULL = type(None)
_PORT = re.compile(r"(?P<port>[0-9]{1,5})(?:/(?:tcp|udp))?")
_USER = re.compile(r"[^:]*|[^:]+:[^:]+")
_VARIABLE = re.compile(r"[^=]+=.*", re.DOTALL)
_SIGNAL = re.compile(r"|SIG[A-Z0-9]+(?:[+-][0-9]+)?")


def _created(kind: str) -> tuple[Check, ...]:
    place = f"{kind}.created"
    return (
        has_type(place, str),
        matches(place, is_date_time, "is not a date and time after RFC 3339", tolerated=True),
    )


def _integers(*places: str, tolerated: bool = False) -> tuple[Check, ...]:
    def run(value: object) -> Sequence[Fault]:
        if type(value) is not int:
            return fault(must_be(int, value))
        return OK if -(1 << 63) <= value < 1 << 63 else fault("must fit in 64 bits")

    return tuple(Check(place, run, tolerated=tolerated) for place in places)


def _is_port(text: str) -> bool:
    match = _PORT.fullmatch(text)
    return match is not None and int(match["port"]) <= 65535


def _port_names(value: object) -> Iterable[Fault]:
    if type(value) is not dict:
        return OK
    return (((key,), f"{quoted(key)} is not PORT, PORT/tcp or PORT/udp") for key in value if not _is_port(key))


def _empty_values(value: object) -> Iterable[Fault]:
    if type(value) is not dict:
        return OK
    return (((key,), "must be an empty object") for key, item in value.items() if type(item) is dict and item)


def _layer_count(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    history, rootfs = node.get("history"), node.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if type(rootfs) is dict else None
    if type(history) is not list or not history or type(diff_ids) is not list:
        return OK
    if not all(type(entry) is dict for entry in history):
        return OK
    made = sum(1 for entry in history if entry.get("empty_layer") is not True)
    return OK if made == len(diff_ids) else fault(f"lists {made} layers, rootfs lists {len(diff_ids)}", "history")


_HEALTHCHECK_TIMES = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")

CONFIG_RULES = (
    unchecked("CFG-01", "MUST", "Every optional field may be null.", "It is a permission; every rule here grants it."),
    unchecked("CFG-02", "MUST NOT", "Unknown fields are not an error.", "No rule mentions them."),
    unchecked("CFG-03", "MAY", "White space may be left out.", "Both forms are valid."),
    rule(
        "CFG-04",
        "MUST",
        "error",
        "`created` is a date and time after RFC 3339 section 5.6.",
        _created("config"),
    ),
    rule("CFG-05", "MUST", "error", "`author` is a string.", (has_type("config.author", str),)),
    rule(
        "CFG-06",
        "MUST",
        "error",
        "A config has an `architecture` and an `os`, strings that Go knows as GOARCH and GOOS.",
        known_names("config"),
    ),
    rule(
        "CFG-07",
        "MUST",
        "error",
        "`os.version` and `variant` are strings, `os.features` is an array of strings, as in a platform.",
        (
            has_type("config.os.version", str),
            array_of("config.os.features", str),
            has_type("config.variant", str),
            Check("config", fits_platform, "note"),
            Check("config", windows_features, "note"),
        ),
    ),
    rule("CFG-08", "MUST", "error", "`config` is an object.", (has_type("config.config", dict),)),
    rule(
        "CFG-09",
        "MUST",
        "error",
        "`User` is a string: a user, or a user and a group with a colon between them.",
        (
            has_type("container.User", str),
            matches("container.User", _USER.fullmatch, "is not USER or USER:GROUP", severity="warning"),
        ),
    ),
    rule(
        "CFG-10",
        "MUST",
        "error",
        "`ExposedPorts` maps PORT/tcp, PORT/udp or PORT to empty objects.",
        (
            *tolerant(map_of_objects("container.ExposedPorts"), inside=_NULL),
            Check("container.ExposedPorts", _empty_values, tolerated=True),
            Check("container.ExposedPorts", _port_names, "warning"),
        ),
    ),
    rule(
        "CFG-11",
        "MUST",
        "error",
        "`Env` is an array of strings NAME=VALUE; a value may have any characters in it.",
        (
            *tolerant(array_of("container.Env", str), inside=_NULL),
            each_matches("container.Env", _VARIABLE.fullmatch, "is not NAME=VALUE", tolerated=True),
        ),
    ),
    rule(
        "CFG-12",
        "MUST",
        "error",
        "`Entrypoint` and `Cmd` are arrays of strings.",
        (
            *tolerant(array_of("container.Entrypoint", str), whole=str, inside=_NULL),
            *tolerant(array_of("container.Cmd", str), whole=str, inside=_NULL),
        ),
    ),
    rule(
        "CFG-13",
        "MUST",
        "error",
        "`Volumes` maps paths to empty objects.",
        (
            *tolerant(map_of_objects("container.Volumes"), inside=_NULL),
            Check("container.Volumes", _empty_values, tolerated=True),
        ),
    ),
    rule(
        "CFG-14",
        "MUST",
        "error",
        "`WorkingDir` and `StopSignal` are strings, the latter like SIGKILL or SIGRTMIN+3.",
        (
            has_type("container.WorkingDir", str),
            has_type("container.StopSignal", str),
            matches("container.StopSignal", _SIGNAL.fullmatch, "is not the name of a signal", severity="warning"),
        ),
    ),
    rule(
        "CFG-15",
        "MUST",
        "error",
        "`Labels` is an object, and follows the rules of annotations.",
        (has_type("container.Labels", dict),),
    ),
    rule(
        "CFG-16",
        "MUST",
        "error",
        "`ArgsEscaped` is a boolean, and new images do without it.",
        (
            has_type("container.ArgsEscaped", bool),
            Check("container.ArgsEscaped", lambda value: fault("is deprecated") if value is True else OK, "note"),
        ),
    ),
    rule(
        "CFG-17",
        "MUST",
        "error",
        "`Memory`, `MemorySwap`, `CpuShares` are reserved integers, `Healthcheck` a reserved object.",
        (
            *_integers("container.Memory", "container.MemorySwap", "container.CpuShares", tolerated=True),
            has_type("container.Healthcheck", dict),
        ),
    ),
    rule(
        "CFG-18",
        "MUST",
        "error",
        "A config has a `rootfs`, an object whose `type` is layers.",
        (
            required("config", "rootfs"),
            has_type("config.rootfs", dict),
            required("rootfs", "type"),
            has_type("rootfs.type", str),
            matches("rootfs.type", "layers".__eq__, 'is not "layers"'),
        ),
    ),
    rule(
        "CFG-19",
        "MUST",
        "error",
        "A rootfs has `diff_ids`, an array of strings, which are digests.",
        (required("rootfs", "diff_ids"), *tolerant(array_of("rootfs.diff_ids", str), whole=_NULL)),
    ),
    unchecked(
        "CFG-20",
        "MUST",
        "There are as many diff_ids as layers.",
        "The layers are in another document; `verify` compares the two.",
    ),
    rule(
        "CFG-21",
        "MUST",
        "error",
        "`history` is an array of objects with dates, strings and a boolean.",
        (
            array_of("config.history", dict),
            *_created("history"),
            *(has_type(f"history.{name}", str) for name in ("author", "created_by", "comment")),
            has_type("history.empty_layer", bool),
        ),
    ),
    rule(
        "CFG-22",
        "INFO",
        "warning",
        "`history`, if present, has one entry for each layer, besides those with `empty_layer`.",
        (Check("config", _layer_count),),
    ),
    unchecked("CFG-23", "INFO", "The id of an image is the digest of its config.", "No document contains it."),
    unchecked("CFG-24", "MUST", "Some fields are required.", "CFG-06, CFG-18 and CFG-19 check it."),
    unchecked("CFG-25", "INFO", "Go writes the fields in a certain order.", "Order means nothing: CON-05."),
    rule(
        "DCF-02",
        "INFO",
        "warning",
        "The fields that Docker adds to `config`, and that are read here, have Docker's types.",
        (
            array_of("container.OnBuild", str),
            array_of("container.Shell", str),
            has_type("container.Hostname", str),
            has_type("container.Domainname", str),
            *_integers("container.StopTimeout"),
        ),
    ),
    rule(
        "DCF-03",
        "INFO",
        "warning",
        "The fields of `Healthcheck` have Docker's types: an array of strings, and integers.",
        (
            array_of("healthcheck.Test", str),
            *_integers(*(f"healthcheck.{name}" for name in _HEALTHCHECK_TIMES)),
        ),
    ),
)
