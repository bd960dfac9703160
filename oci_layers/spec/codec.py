"""JSON objects to typed models and back: the only module that knows the JSON name of each field.

Theory of operation. `structure` turns an object from `spec/strict_json` into a model, `unstructure` a model into an
object. cattrs does two things: it selects the reader and writer for a type, and it generates the writers of models
(JSON names, defaults left out). The readers are written here, because those of cattrs convert (`"12"` and `true` become
sizes), drop unknown fields, do not tell a null from an absent field, and report no JSON pointers. `structure` reports
all problems of an object at once, each with its pointer. It refuses fields of another kind of document, and other
spellings of a known key, which Go accepts for that key: two programs must not read two images from one document.

`extra` of a model holds, by JSON name, all values that its attributes do not hold exactly: unknown fields, nulls and
explicit empty values of optional fields, Docker's own fields of a type that is not Docker's, and values of a wrong type
that are read as Docker reads them. `unstructure` writes them back unless the attribute was set since, so that reading
and writing changes only the order of keys. The models and the tables below define all fields. Rules beyond types
(grammars of names, URIs, dates) are in `validation`.
"""

import base64
import binascii
import functools
import json
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import attrs

from oci_layers.errors import DocumentError, NameFormatError, Problem, shortened
from oci_layers.limits import LISTED
from oci_layers.spec.config import ContainerConfig, Healthcheck, History, ImageConfig, RootFS
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import FOREIGN_TO_INDEX, FOREIGN_TO_MANIFEST, Index, Manifest
from oci_layers.spec.model import unchecked
from oci_layers.spec.platform import Platform
from oci_layers.spec.strict_json import kind_of, pointer

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["dumps", "structure", "to_json", "unstructure"]

T = TypeVar("T")

_Hook = Callable[[Any, Any], Any]  # Any: a hook of cattrs takes any JSON value and the type, and returns a value of it.
_Path = tuple[str | int, ...]

_INT64 = 1 << 63


def structure(obj: object, model: type[T], *, media_type: str) -> T:
    """Return the model that a JSON object describes; the error reports `media_type`.

    Raises:
        DocumentError: A field is missing, of the wrong type or out of range; `problems` lists all such fields, or the
            first 1,000.
    """
    try:
        found: T = _converter().structure(obj, model)
    except _InvalidError as error:
        problems = tuple(Problem(pointer(path), message) for path, message in error.problems)
        raise DocumentError(media_type, problems, error.total) from None
    return found


def unstructure(model: object) -> dict[str, Any]:
    """Return the JSON object of a model: the spec's fields in the order of its Go types, then `extra`.

    Optional fields with their empty value are left out, unless `extra` holds the value that was read.

    Raises:
        TypeError: It is not a model: a `Document`, for example, whose model is its `value`.
    """
    if type(model) not in _SPELLING:
        raise TypeError(f"model: expected a model of oci_layers.spec, not {type(model).__name__}")
    found: dict[str, Any] = _converter().unstructure(model)
    return found


def to_json(model: object) -> bytes:
    """Return a model as JSON: `dumps(unstructure(model))`. The same model gives the same bytes.

    Raises:
        TypeError: As `unstructure`; or `extra` holds a value that is none of JSON's.
        ValueError: It holds a value that JSON cannot represent: NaN, an infinity, or text that is not Unicode.
    """
    return dumps(unstructure(model))


def dumps(obj: Mapping[str, Any]) -> bytes:
    """Return a JSON object as bytes: UTF-8, no spaces, keys in the order given, no final newline.

    Raises:
        ValueError: It holds a value that JSON cannot represent: NaN, an infinity, or text that is not Unicode.
    """
    return json.dumps(obj, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


# From the attributes of each model to the JSON names of the spec.


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _pascal(name: str) -> str:
    return "".join(map(str.capitalize, name.split("_")))


def _dotted(name: str) -> str:
    return f"os.{name[3:]}" if name.startswith("os_") else name


_SPELLING: Mapping[type, Callable[[str], str]] = {
    Descriptor: _camel,
    Manifest: _camel,
    Index: _camel,
    ImageLayout: _camel,
    Platform: _dotted,
    ImageConfig: _dotted,
    RootFS: _dotted,
    History: _dotted,
    ContainerConfig: _pascal,
    Healthcheck: _pascal,
}

# Required in JSON, and valid only with one value, the default of the attribute.
_FIXED = frozenset({"schema_version", "image_layout_version", "type"})

# Docker's own fields: to the spec they are unknown fields, which must not be an error, whatever their type. A value of
# another type than Docker's is kept in `extra`, like an unknown field.
_DOCKERS: Mapping[type, frozenset[str]] = {
    ContainerConfig: frozenset({"on_build", "stop_timeout", "shell", "hostname", "domainname"}),
    Healthcheck: frozenset(each.name for each in attrs.fields(Healthcheck)),
}

# No field of these decides which blobs are read, and users write the keys by hand: another spelling is an unknown key.
_ANY_CASE = frozenset({ContainerConfig, Healthcheck, History})

_FOREIGN: Mapping[type, Mapping[str, str]] = {Manifest: FOREIGN_TO_MANIFEST, Index: FOREIGN_TO_INDEX}


def _list_of_texts(value: object) -> object:
    """Return a value as Go reads it into a slice of strings: a null in it becomes an empty string."""
    return ["" if item is None else item for item in value] if type(value) is list and None in value else value


def _command(value: object) -> object:
    """Return a value as Docker reads it into its type `StrSlice`: a string becomes a list of one."""
    return [value] if type(value) is str else value


def _map_of(empty: object) -> Callable[[object], object]:
    """Return a function that returns a value as Go reads it into a map: a null in it becomes `empty`."""

    def read(value: object) -> object:
        if type(value) is not dict or None not in value.values():
            return value
        return {key: empty if item is None else item for key, item in value.items()}

    return read


# Values of a wrong type that Docker's programs accept, and how they read them. None decides which blobs are read.
_TOLERATED: Mapping[type, Mapping[str, Callable[[object], object]]] = {
    RootFS: {"diff_ids": lambda value: [] if value is None else value},
    ContainerConfig: {
        "entrypoint": lambda value: _list_of_texts(_command(value)),
        "cmd": lambda value: _list_of_texts(_command(value)),
        "shell": _command,
        "env": _list_of_texts,
        "exposed_ports": _map_of({}),
        "volumes": _map_of({}),
        "labels": _map_of(""),
    },
}


class _InvalidError(Exception):
    """The problems of one JSON value: the first ones, and their total number. Never leaves this module."""

    def __init__(self, problems: Sequence[tuple[_Path, str]], total: int) -> None:
        super().__init__(problems, total)
        self.problems = problems
        self.total = total


class _Problems:
    """Collects the problems of an array or an object."""

    def __init__(self) -> None:
        self._first: list[tuple[_Path, str]] = []
        self._total = 0

    def add(self, key: str | int, *problems: tuple[_Path, str], total: int = 1) -> None:
        """Record problems of the value at `key`; `total` is their number, which may exceed those given."""
        self._total += total
        room = LISTED - len(self._first)
        if room:
            self._first.extend(((key, *path), message) for path, message in problems[:room])

    def check(self) -> None:
        """Raise _InvalidError if there are problems."""
        if self._total:
            raise _InvalidError(self._first, self._total)


def _invalid(message: str) -> _InvalidError:
    return _InvalidError([((), message)], 1)


def _expect(kind: type, value: object) -> None:
    if type(value) is not kind:  # Not isinstance: a bool is an int.
        raise _invalid(f"must be {kind_of(kind())}, not {kind_of(value)}")


@functools.cache
def _converter() -> "Converter":
    """Return the one converter, made at first use because importing cattrs takes most of the import time of `spec`."""
    from cattrs import Converter

    converter = Converter(unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(str, _read_str)
    converter.register_structure_hook(bool, _read_bool)
    converter.register_structure_hook(int, _read_int)
    converter.register_structure_hook(bytes, _read_bytes)
    converter.register_structure_hook(Digest, _read_digest)
    converter.register_structure_hook_factory(_is_array, _array_reader)
    converter.register_structure_hook_factory(_is_mapping, _mapping_reader)
    converter.register_structure_hook_factory(_SPELLING.__contains__, _model_reader)
    converter.register_unstructure_hook(Digest, str)
    converter.register_unstructure_hook(bytes, _write_bytes)
    converter.register_unstructure_hook_factory(_SPELLING.__contains__, _model_writer)
    return converter


def _is_array(kind: object) -> bool:
    return get_origin(kind) is tuple


def _is_mapping(kind: object) -> bool:
    return get_origin(kind) is Mapping


def _read_str(value: object, _kind: object) -> object:
    _expect(str, value)
    return value


def _read_bool(value: object, _kind: object) -> object:
    _expect(bool, value)
    return value


def _read_int(value: Any, _kind: object) -> object:  # Any: a number once `_expect` has returned.
    _expect(int, value)
    if not -_INT64 <= value < _INT64:
        raise _invalid("must fit in 64 bits")
    return value


def _read_size(value: Any, kind: object) -> object:  # Any: a number once `_read_int` has returned.
    _read_int(value, kind)
    if value < 0:
        raise _invalid("must not be negative")
    return value


def _read_bytes(value: Any, _kind: object) -> bytes:  # Any: a string once `_expect` has returned.
    _expect(str, value)
    try:
        data = binascii.a2b_base64(value)
    except ValueError:
        data = b""
    # The decoder ignores unknown characters; only the canonical encoding of the data encodes back to `value`.
    if _write_bytes(data) != value:
        raise _invalid("must be padded base64 of the standard alphabet")
    return data


def _write_bytes(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read_digest(value: Any, _kind: object) -> Digest:  # Any: a string once `_expect` has returned.
    _expect(str, value)
    try:
        return Digest.parse(value)
    except NameFormatError as error:
        raise _invalid(str(error)) from None


def _read_fixed(expected: object) -> _Hook:
    def read(value: object, _kind: object) -> object:
        _expect(type(expected), value)
        if value != expected:
            said = shortened(value) if isinstance(value, str) else value
            raise _invalid(f"must be {expected}, not {said}")
        return value

    return read


def _array_reader(kind: Any, converter: "Converter") -> _Hook:  # Any: `tuple[item, ...]` has no type of its own.
    item_kind = get_args(kind)[0]
    read_item = converter.get_structure_hook(item_kind)

    def read(value: Any, _kind: object) -> object:  # Any: a list once `_expect` has returned.
        _expect(list, value)
        return tuple(_read_each(enumerate(value), read_item, item_kind).values())

    return read


def _mapping_reader(kind: Any, converter: "Converter") -> _Hook:  # Any: `Mapping[str, item]` has no type of its own.
    item_kind = get_args(kind)[1]
    read_item = converter.get_structure_hook(item_kind)

    def read(value: Any, _kind: object) -> object:  # Any: a dict once `_expect` has returned.
        _expect(dict, value)
        return _read_each(value.items(), read_item, item_kind)

    return read


def _read_each(items: Iterable[tuple[Any, Any]], read: _Hook, kind: object) -> dict[Any, Any]:  # Any: keys or indexes.
    found = {}
    problems = _Problems()
    for key, item in items:
        try:
            found[key] = read(item, kind)
        except _InvalidError as error:
            problems.add(key, *error.problems, total=error.total)
    problems.check()
    return found


@attrs.frozen
class _Field:
    """How one field of a JSON object becomes an attribute."""

    attribute: str
    kind: object
    read: _Hook
    required: bool
    empty: object
    """The empty value in JSON; None for a required field, and for one whose only empty value is null."""
    tolerate: Callable[[object], object] | None
    """Returns a value of a wrong type as Docker reads it, and any other value unchanged."""

    def is_absent(self, value: object) -> bool:
        """Tell whether the value of an optional field is null or empty, so that the attribute keeps its default."""
        return not self.required and (value is None or (type(value) is type(self.empty) and value == self.empty))


def _fields(model: type, converter: "Converter") -> dict[str, _Field]:
    found = {}
    for attribute in attrs.fields(model):
        if attribute.name == "extra":
            continue
        kind, default = attribute.type, attribute.default
        if isinstance(kind, types.UnionType):
            kind = get_args(kind)[0]  # All unions are `X | None`, and null is never passed to the hook of X.
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # A class, typed as a function.
            default = default.factory()
        fixed = attribute.name in _FIXED
        if fixed:
            read = _read_fixed(default)
        elif attribute.name == "size":
            read = _read_size
        else:
            read = converter.get_structure_hook(kind)
        required = fixed or default is attrs.NOTHING
        empty = None if required else converter.unstructure(default)
        tolerate = _TOLERATED.get(model, {}).get(attribute.name)
        found[_SPELLING[model](attribute.name)] = _Field(attribute.name, kind, read, required, empty, tolerate)
    return found


def _model_reader(model: Any, converter: "Converter") -> _Hook:  # Any: one of the models; their constructors differ.
    fields = _fields(model, converter)
    make = unchecked(model)
    required = [name for name, field in fields.items() if field.required]
    refused = dict(_FOREIGN.get(model, {}))
    dockers = _DOCKERS.get(model, frozenset())
    if model not in _ANY_CASE:
        refused |= {name.casefold(): f"must be spelled {name}" for name in fields}

    def read(value: Any, _kind: object) -> object:  # Any: a dict once `_expect` has returned.
        _expect(dict, value)
        extra: dict[str, Any] = {}  # Any: JSON values.
        found: dict[str, Any] = {"extra": extra}  # Any: values of attributes.
        problems = _Problems()
        for key, item in value.items():
            field = fields.get(key)
            if field is None and (message := refused.get(key.casefold())):
                problems.add(key, ((), message))
            elif field is None or field.is_absent(item):
                extra[key] = item
            else:
                meant = field.tolerate(item) if field.tolerate else item
                if meant is not item:
                    extra[key] = item
                try:
                    found[field.attribute] = field.read(meant, field.kind)
                except _InvalidError as error:
                    if field.attribute in dockers:
                        extra[key] = item
                    else:
                        problems.add(key, *error.problems, total=error.total)
        for name in required:
            if name not in value:
                problems.add(name, ((), "is required"))
        problems.check()
        return make(found)

    return read


def _model_writer(model: Any, converter: "Converter") -> Callable[[Any], dict[str, Any]]:  # Any: one of the models.
    from cattrs.gen import make_dict_unstructure_fn, override

    names = {field.name: _SPELLING[model](field.name) for field in attrs.fields(model) if field.name != "extra"}
    tolerated = {names[name]: tolerate for name, tolerate in _TOLERATED.get(model, {}).items()}
    overrides = {name: override(rename=names[name], omit_if_default=name not in _FIXED) for name in names}
    overrides["extra"] = override(omit=True)
    # The ignore: its options and the names of the attributes share one set of keywords.
    write_known: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(model, converter, **overrides)  # type: ignore[arg-type]

    def stands(name: str, item: object, known: Mapping[str, object]) -> bool:
        """Tell whether to write the value that was read: the attribute has not been set since."""
        meant = tolerated[name](item) if name in tolerated else item
        return name not in known if meant is item else known.get(name) == meant

    def write(value: Any) -> dict[str, Any]:  # Any: an instance of `model`.
        known = write_known(value)
        # The generated function puts the required fields first.
        ordered = {name: known[name] for name in names.values() if name in known}
        return ordered | {name: item for name, item in value.extra.items() if stands(name, item, known)}

    return write
