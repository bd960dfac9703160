"""The JSON Schemas in `schemas/`, and the check of a document by the schema of its media type.

The schemas are for any program, with any validator; `rules` checks more and is faster. Where both check something they
agree, so each is a test of the other, and of other validators. `jsonschema` is imported only when a document is
checked, because the import is slow. Where JSON Schema leaves a choice, formats are checked, by the functions of
`grammar`, and 1.0 is not an integer.

The only module of this room that reads files: the schemas in the package, where a wheel puts them, or in the checkout
beside it.
"""

import functools
import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

from oci_layers.errors import DocumentError, Problem, UnsupportedError
from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.report import Listing, Rule
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.spec.strict_json import load_json, pointer
from oci_layers.validation.detect import detect_media_type
from oci_layers.validation.grammar import is_date_time, is_uri

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

__all__ = ["SCHEMA_RULE", "SchemaName", "schema", "schema_errors"]

SchemaName = Literal["descriptor", "manifest", "index", "config", "layout", "docker-manifest", "docker-manifest-list"]

SCHEMA_RULE = Rule("schema", "error", "A document fits the JSON Schema of its kind.")
"""The rule of the findings of schemas."""

_NAMES: dict[str, SchemaName] = {
    OCI_DESCRIPTOR: "descriptor",
    OCI_MANIFEST: "manifest",
    OCI_INDEX: "index",
    OCI_CONFIG: "config",
    OCI_LAYOUT: "layout",
    DOCKER_MANIFEST: "docker-manifest",
    DOCKER_MANIFEST_LIST: "docker-manifest-list",
    DOCKER_CONFIG: "config",
}


def schema(name: SchemaName) -> dict[str, Any]:
    """Return a schema of JSON Schema 2020-12, a fresh copy. Its `$ref`s lead to others by their `$id`.

    Raises:
        UnsupportedError: The name is unknown; the message lists the names.
    """
    from importlib import resources

    if name not in get_args(SchemaName):
        raise UnsupportedError("schema", name, f"there are {', '.join(get_args(SchemaName))}")
    file_name = f"{name}.json"
    package = resources.files("oci_layers")
    installed = package.joinpath("schemas", file_name)
    file = installed if installed.is_file() else package.joinpath("..", "schemas", file_name)
    loaded: dict[str, Any] = json.loads(file.read_bytes())
    return loaded


def schema_errors(
    document: bytes, media_type: str | None = None, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[Problem, ...]:
    """Return the errors that a document's schema finds, in the order of their locations; empty if it is valid.

    At most the first 1,000 errors are collected.

    Args:
        document: The bytes of the document.
        media_type: Its media type; detected from the content if None.
        limits: The limits on its length and depth.

    Raises:
        UnsupportedError: There is no schema for the media type, or none is detected, or `jsonschema` is not installed.
        LimitError: The document exceeds a limit.
    """
    try:
        if media_type is None:
            media_type = detect_media_type(document, limits=limits)
            if media_type is None:
                raise UnsupportedError("document", "JSON", "media type not detected; give its media type")
        name = _NAMES.get(media_type)
        if name is None:
            raise UnsupportedError("media type of a document", media_type)
        limit: Literal["config_bytes", "document_bytes"] = "config_bytes" if name == "config" else "document_bytes"
        loaded = load_json(document, media_type=media_type, limits=limits, limit=limit)
    except DocumentError as error:
        return error.problems
    every = (problem for error in _validator(name).iter_errors(loaded) for problem in _problems(error))
    found = set(itertools.islice(every, Listing.CAP))
    return tuple(Problem(pointer(path), message) for path, message in sorted(found))


def _problems(error: "ValidationError") -> Iterator[tuple[tuple[str | int, ...], str]]:
    path = tuple(error.absolute_path)
    if error.validator == "required":
        # `jsonschema` has one error for each missing name, with the name in its message alone.
        required: Any = error.validator_value  # Any: JSON, here an array of names.
        instance: Any = error.instance  # Any: JSON, here an object.
        yield from (((*path, name), "is required") for name in required if name not in instance)
        return
    said = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
    yield path, f"does not fit `{error.validator}` of the schema" + (f": {said}" if said else "")


@functools.cache
def _validator(name: SchemaName) -> "Validator":
    try:
        from jsonschema import Draft202012Validator, FormatChecker
        from jsonschema.validators import extend
        from referencing import Registry, Resource
    except ImportError:
        raise UnsupportedError("validation by a schema", name, "install the package jsonschema") from None

    formats = FormatChecker(formats=())
    formats.checks("date-time")(lambda value: not isinstance(value, str) or is_date_time(value))
    formats.checks("uri")(lambda value: not isinstance(value, str) or is_uri(value))
    # JSON Schema accepts 1.0 as an integer; the programs that read documents do not.
    integers = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _checker, value: type(value) is int)
    every = (schema(each) for each in get_args(SchemaName))
    registry: Registry[Any] = Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in every)
    kind: type[Validator] = extend(Draft202012Validator, type_checker=integers)  # type: ignore[no-untyped-call]  # Theirs.
    return kind(schema(name), registry=registry, format_checker=formats)
