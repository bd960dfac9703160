"""What a container of an image starts with, changed: the `config` object of the image config (config.md).

Each setting changes one field, and is described by the line of a Dockerfile that would do the same, which becomes the
`created_by` of its history entry, as BuildKit writes it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from oci_layers.build.fields import JSONObject, merged, with_field, without_field
from oci_layers.errors import NameFormatError
from oci_layers.spec.codec import unstructure
from oci_layers.spec.config import Healthcheck

__all__ = ["Settings"]

Names = Iterable[str | int] | Mapping[str | int, None]


@attrs.frozen(kw_only=True)
class Settings:
    """Changes of the `config` object; None leaves a field as it is. See `NewImage.configure` for each."""

    env: Mapping[str, str | None] | None = None
    labels: Mapping[str, str | None] | None = None
    ports: Names | None = None
    volumes: Names | None = None
    entrypoint: Sequence[str] | None = None
    cmd: Sequence[str] | None = None
    user: str | None = None
    working_dir: str | None = None
    stop_signal: str | None = None
    healthcheck: Healthcheck | None = None

    def apply(self, config: JSONObject) -> tuple[JSONObject, list[str]]:
        """Return the object after the changes, and the line of a Dockerfile for each that changes anything.

        Raises:
            NameFormatError: A name of a variable, a label, a port or a volume is malformed.
            TypeError: A command is one string instead of a sequence of arguments.
        """
        lines = []
        for change in _CHANGES:
            done = change(self, config)
            if done is not None and done[0] != config:
                config, line = done
                lines.append(line)
        return config, lines


_Done = tuple[JSONObject, str] | None


def _put(config: JSONObject, name: str, value: object) -> JSONObject:
    """Return the object with a field, or without it if the value is empty."""
    return with_field("container", config, name, value) if value else without_field(config, name)


def _env(new: Settings, config: JSONObject) -> _Done:
    if new.env is None:
        return None
    for name, value in new.env.items():
        if not name or "=" in name or "\0" in name + (value or ""):
            raise NameFormatError("environment variable", name, "needs a name without =, and no NUL")
    done, variables = set(), []
    for entry in config.get("Env") or ():
        name = str(entry).partition("=")[0]
        if name not in new.env:
            variables.append(entry)
        elif name not in done and (value := new.env[name]) is not None:
            variables.append(f"{name}={value}")
        done.add(name)
    variables += [f"{name}={value}" for name, value in new.env.items() if name not in done and value is not None]
    return _put(config, "Env", variables), _pairs("ENV", new.env)


def _labels(new: Settings, config: JSONObject) -> _Done:
    if new.labels is None:
        return None
    if "" in new.labels:
        raise NameFormatError("label", "", "must not be empty")
    return _put(config, "Labels", merged(config.get("Labels"), new.labels)), _pairs("LABEL", new.labels)


def _pairs(word: str, changes: Mapping[str, str | None]) -> str:
    said = (f"{name}={value}" for name, value in changes.items() if value is not None)
    removed = [name for name, value in changes.items() if value is None]
    return " ".join([word, *said, *([f"(without {' '.join(removed)})"] if removed else [])])


def _ports(new: Settings, config: JSONObject) -> _Done:
    return None if new.ports is None else _named(config, "ExposedPorts", "EXPOSE", new.ports, _port)


def _port(port: str | int) -> str:
    """Return a port as Docker writes it, with its protocol."""
    number, _, protocol = str(port).partition("/")
    for each in number.split("-", 1):
        if not (each.isascii() and each.isdigit() and 0 < int(each) < 1 << 16):
            raise NameFormatError("port", str(port), "must be PORT, PORT/PROTOCOL or FIRST-LAST/PROTOCOL")
    return f"{number}/{protocol.lower() or 'tcp'}"


def _volumes(new: Settings, config: JSONObject) -> _Done:
    return None if new.volumes is None else _named(config, "Volumes", "VOLUME", new.volumes, _volume)


def _volume(path: str | int) -> str:
    if not str(path) or "\0" in str(path):
        raise NameFormatError("volume", str(path), "must be a path")
    return str(path)


def _named(config: JSONObject, field: str, word: str, names: Names, form: Callable[[str | int], str]) -> _Done:
    """Return what `_Done` is for a field whose keys are names, each with an empty object."""
    if isinstance(names, str):
        raise TypeError(f"{field}: expected several names, not the string {names!r}")
    removed = isinstance(names, Mapping)
    changed = [form(name) for name in names]
    old = config.get(field) or {}
    kept = {name: value for name, value in old.items() if not removed or name not in changed}
    new = kept if removed else {**kept, **{name: {} for name in changed if name not in kept}}
    line = f"(without {' '.join(changed)})" if removed else f"[{' '.join(changed)}]"
    return _put(config, field, new), f"{word} {line}"


def _command(field: str, word: str, arguments: Sequence[str] | None, config: JSONObject) -> _Done:
    if arguments is None:
        return None
    if isinstance(arguments, str):
        raise TypeError(f"{field}: expected a sequence of arguments, not the string {arguments!r}")
    return _put(config, field, list(arguments)), f"{word} {json.dumps(list(arguments), ensure_ascii=False)}"


def _entrypoint(new: Settings, config: JSONObject) -> _Done:
    return _command("Entrypoint", "ENTRYPOINT", new.entrypoint, config)


def _cmd(new: Settings, config: JSONObject) -> _Done:
    return _command("Cmd", "CMD", new.cmd, config)


def _text(field: str, word: str, value: str | None, config: JSONObject) -> _Done:
    return None if value is None else (_put(config, field, value), f"{word} {value}")


def _user(new: Settings, config: JSONObject) -> _Done:
    return _text("User", "USER", new.user, config)


def _working_dir(new: Settings, config: JSONObject) -> _Done:
    return _text("WorkingDir", "WORKDIR", new.working_dir, config)


def _stop_signal(new: Settings, config: JSONObject) -> _Done:
    return _text("StopSignal", "STOPSIGNAL", new.stop_signal, config)


def _healthcheck(new: Settings, config: JSONObject) -> _Done:
    if new.healthcheck is None:
        return None
    check = unstructure(new.healthcheck)
    return _put(config, "Healthcheck", check), f"HEALTHCHECK {json.dumps(check, ensure_ascii=False)}"


_CHANGES: tuple[Callable[[Settings, JSONObject], _Done], ...] = (
    _labels,
    _env,
    _user,
    _working_dir,
    _ports,
    _volumes,
    _stop_signal,
    _healthcheck,
    _entrypoint,
    _cmd,
)
"""In the order in which Dockerfiles usually have them."""
