"""A decorator that makes the constructor of a model check types: the models of documents are made by hand, too.

`checked` replaces the constructor of an attrs class by one that checks each argument against the annotation of its
field, before attrs' own constructor sets them. It converts where only one value can be meant: text for a digest is
parsed, and a list for a tuple becomes a tuple. `attrs.evolve` calls the constructor, so it checks too. `spec/codec`
checks the types of JSON itself, for errors with JSON pointers, and makes models with `unchecked`. Only types are
checked here; the rules of the spec are in `validation`.
"""

import functools
import types
from collections.abc import Callable, Mapping
from inspect import unwrap
from typing import Any, TypeVar, get_args, get_origin

import attrs

from oci_layers.spec.digest import Digest

__all__ = ["checked", "unchecked"]

T = TypeVar("T")

_Path = tuple[object, ...]  # The name of a field, then the keys and indexes that lead to a value inside it.
_Read = Callable[[Any, _Path], object]  # Any: a value that the caller gave for a field, or a part of it.


def checked(model: type[T]) -> type[T]:
    """Make the constructor of a class by `attrs.frozen(kw_only=True)` check and convert its arguments.

    The constructor raises TypeError for a value of a wrong type, and NameFormatError for text that is no digest.
    Signature, documentation and type hints of the class stay as they are.
    """
    made: Any = model  # Any: a class whose constructor has other parameters than that of the next, and is replaced.
    readers = {field.name: (_reader(field.type), (f"{model.__name__}.{field.name}",)) for field in attrs.fields(made)}
    fill = made.__init__

    @functools.wraps(fill)
    def check(self: T, **fields: object) -> None:
        for name, value in fields.items():
            if name in readers:
                read, path = readers[name]
                fields[name] = read(value, path)
        fill(self, **fields)

    made.__init__ = check
    return model


def unchecked(model: type[T]) -> Callable[[Mapping[str, object]], T]:
    """Return a function that makes a value of a checked class from its fields without checking them."""
    fill: Any = unwrap(model.__init__)  # Any: the parameters of constructors differ.
    new = object.__new__

    def make(fields: Mapping[str, object]) -> T:
        made = new(model)
        fill(made, **fields)
        return made

    return make


def _reader(kind: Any) -> _Read:  # Any: an annotation is a class, or one of several forms of `typing`.
    if kind is Any:
        return lambda value, _path: value
    if isinstance(kind, types.UnionType):
        return _optional(get_args(kind)[0])  # All unions are `X | None`.
    if get_origin(kind) is tuple:
        return _tuple_of(get_args(kind)[0])
    if get_origin(kind) is Mapping:
        return _mapping_to(get_args(kind)[1])
    return _read_digest if kind is Digest else _instance_of(kind)


def _optional(kind: object) -> _Read:
    read_other = _reader(kind)

    def read(value: object, path: _Path) -> object:
        return None if value is None else read_other(value, path)

    return read


def _instance_of(kind: type) -> _Read:
    def read(value: object, path: _Path) -> object:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _wrong(kind.__name__, value, path)
        return value

    return read


def _read_digest(value: object, path: _Path) -> object:
    if isinstance(value, str):
        return Digest.parse(value)
    if not isinstance(value, Digest):
        raise _wrong("Digest", value, path)
    return value


def _tuple_of(kind: object) -> _Read:
    read_item = _reader(kind)

    def read(value: object, path: _Path) -> object:
        if not isinstance(value, list | tuple):
            raise _wrong("tuple", value, path)
        return tuple([read_item(item, (*path, index)) for index, item in enumerate(value)])

    return read


def _mapping_to(kind: object) -> _Read:
    """Return a function that checks a mapping and returns it as it is: no annotation has values to convert."""
    read_item = _reader(kind)

    def read(value: object, path: _Path) -> object:
        if not isinstance(value, Mapping):
            raise _wrong("Mapping", value, path)
        for key, item in value.items():
            if not isinstance(key, str):
                raise _wrong("keys of type str", key, path)
            read_item(item, (*path, key))
        return value

    return read


def _wrong(expected: str, value: object, path: _Path) -> TypeError:
    field, *steps = path
    actual = "None" if value is None else type(value).__name__
    return TypeError(f"{field}{''.join(f'[{step!r}]' for step in steps)}: expected {expected}, not {actual}")
