"""Where the repositories of registries are read: the mirrors of containers-registries.conf(5), version 2 (REG-92).

An entry is for the repositories below its prefix, of which the longest counts. Mirrors come first, then the location of
the entry itself. All of this is for reading images; what is written goes to the registry of the name. Names without a
registry are those of Docker Hub: `unqualified-search-registries` and `[aliases]` are not read, as a search may find
what another user has put under the name.
"""

import errno
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import attrs

from oci_layers.errors import DocumentError, Problem, UnsupportedError
from oci_layers.registry.user_file import names_in, read_user_file
from oci_layers.spec.reference import Reference
from oci_layers.spec.strict_json import kind_of

__all__ = ["Place", "RegistriesConf", "RegistryEntry"]

_VARIABLE = "CONTAINERS_REGISTRIES_CONF"
_SYSTEM = "/etc/containers"
_FILE = "registries.conf"
_PULLS = ("all", "digest-only", "tag-only")


@attrs.frozen
class Place:
    """A repository in which the images of another one are read."""

    domain: str
    """The registry, as `Reference.domain`."""
    path: str
    """The repository in it."""
    insecure: bool
    """Whether any certificate is taken, and plain HTTP."""
    by_tag: bool = True
    """Whether images are read by tag."""
    by_digest: bool = True
    """Whether images are read by digest."""


@attrs.frozen
class _Mirror:
    location: str
    insecure: bool
    pulls: str


@attrs.frozen(kw_only=True)
class RegistryEntry:
    """What a file says of the repositories below a prefix."""

    file: str
    """The file, for messages."""
    prefix: str
    location: str
    insecure: bool
    blocked: bool
    mirrors: tuple[_Mirror, ...] = ()

    def places(self, domain: str, path: str) -> list[Place]:
        """Return where a repository below the prefix is read, in order; the last one is no mirror.

        Raises:
            NameFormatError: A location gives no name of a repository.
        """
        rest = _rest(f"{domain}/{path}", self.prefix) or ""
        found = [
            _place(
                each.location + rest,
                insecure=each.insecure,
                by_tag=each.pulls != "digest-only",
                by_digest=each.pulls != "tag-only",
            )
            for each in self.mirrors
        ]
        own = self.location + rest if self.location else f"{domain}/{path}"
        return [*found, _place(own, insecure=self.insecure)]


def _place(name: str, *, insecure: bool, by_tag: bool = True, by_digest: bool = True) -> Place:
    domain, _, path = name.partition("/")
    Reference(domain=domain, path=path)
    return Place(domain, path, insecure, by_tag, by_digest)


@attrs.frozen
class RegistriesConf:
    """The entries of all files, by prefix."""

    entries: Mapping[str, RegistryEntry] = attrs.field(factory=dict)

    @classmethod
    def read(cls, environ: Mapping[str, str], file: str | None = None) -> Self:
        """Read the files that podman and skopeo read.

        The file `file`, else the one that the variable `CONTAINERS_REGISTRIES_CONF` names, is the only one. Else they
        are `~/.config/containers/registries.conf`, or `/etc/containers/registries.conf` if it does not exist, and then
        the files `*.conf` in the directory `registries.conf.d` beside it, and in that of the user. An entry counts in
        place of one for the same prefix in an earlier file.

        Raises:
            DocumentError: A file is not TOML, or an entry is malformed.
            OSError: A file cannot be read; the only one does not exist.
        """
        only = file or environ.get(_VARIABLE)
        found: dict[str, RegistryEntry] = {}
        for path in [only] if only else _files(environ):
            raw = read_user_file(path, "registries")
            if raw is not None:
                found |= {each.prefix: each for each in _entries(raw, path)}
            elif only:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return cls(found)

    def find(self, name: str) -> RegistryEntry | None:
        """Return the entry for `HOST/REPOSITORY`, or for a registry alone; None if there is none.

        Raises:
            UnsupportedError: There is one for a single image of the repository.
        """
        best = None
        for prefix, entry in self.entries.items():
            if "/" in name and prefix.startswith((f"{name}:", f"{name}@")):
                raise UnsupportedError("prefix with a tag or a digest", prefix, f"in {entry.file}")
            if _rest(name, prefix) is not None and (best is None or len(prefix) > len(best.prefix)):
                best = entry
        return best


def _files(environ: Mapping[str, str]) -> Iterator[str]:
    home = environ.get("HOME")
    user = f"{home}/.config/containers" if home else None
    if user is not None and read_user_file(f"{user}/{_FILE}", "registries") is not None:
        directories = [user]
    else:
        directories = [_SYSTEM, *([user] if user else [])]
    yield f"{directories[0]}/{_FILE}"
    for directory in directories:
        try:
            names = names_in(f"{directory}/{_FILE}.d")
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield from (f"{directory}/{_FILE}.d/{name}" for name in names if name.endswith(".conf"))


def _rest(name: str, prefix: str) -> str | None:
    """Return what follows a prefix in a name, which ends at a word; None if the name does not begin with it."""
    end = len(prefix) if name.startswith(prefix) else -1
    if prefix.startswith("*."):  # Any name below a domain.
        at = name.find(prefix[1:])
        end = at + len(prefix) - 1 if at > 0 and "/" not in name[:at] else -1
    rest = name[end:]
    return rest if end >= 0 and (not rest or rest[0] in ":/@") else None


def _entries(raw: bytes, file: str) -> Iterator[RegistryEntry]:
    """Yield the entries of a file.

    Raises:
        DocumentError: It is not TOML, or one is malformed.
    """
    try:
        document = tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise DocumentError(file, (Problem("", f"is not TOML: {error}"),)) from None
    if "registries" in document:
        raise DocumentError(file, (Problem("/registries", "is of the first version of the format"),))
    for where, each in _tables(document, "registry", "", file):
        table = _Table(each, where, file)
        prefix, location = table.name("prefix"), table.name("location")
        if not (prefix or location):
            raise table.error("location", "is required without a prefix")
        is_wild = prefix.startswith("*.")
        yield RegistryEntry(
            file=file,
            prefix=prefix or location,
            location=location or ("" if is_wild else prefix),
            insecure=table.flag("insecure"),
            blocked=table.flag("blocked"),
            mirrors=tuple(_mirrors(table)),
        )


def _mirrors(entry: "_Table") -> Iterator[_Mirror]:
    default = "digest-only" if entry.flag("mirror-by-digest-only") else None
    for where, each in _tables(entry.value, "mirror", entry.where, entry.file):
        table = _Table(each, where, entry.file)
        pulls = table.text("pull-from-mirror")
        if not table.name("location"):
            raise table.error("location", "is required")
        if pulls and pulls not in _PULLS:
            raise table.error("pull-from-mirror", f"must be one of {', '.join(_PULLS)}")
        if pulls and default:
            raise table.error("pull-from-mirror", "contradicts mirror-by-digest-only")
        yield _Mirror(table.name("location"), table.flag("insecure"), pulls or default or "all")


def _tables(parent: Mapping[str, Any], key: str, where: str, file: str) -> Iterable[tuple[str, dict[str, Any]]]:
    value = parent.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise DocumentError(file, (Problem(f"{where}/{key}", "must be an array of tables"),))
    return [(f"{where}/{key}/{at}", each) for at, each in enumerate(value)]


@attrs.frozen
class _Table:
    """A table of a file."""

    value: Mapping[str, Any]  # Any: the values of TOML
    where: str
    file: str

    def flag(self, key: str) -> bool:
        """Return a boolean; False if there is none."""
        value = self.value.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, f"must be a boolean, not {kind_of(value)}")
        return value

    def text(self, key: str) -> str:
        """Return a text; empty if there is none."""
        value = self.value.get(key, "")
        if not isinstance(value, str):
            raise self.error(key, f"must be a string, not {kind_of(value)}")
        return value

    def name(self, key: str) -> str:
        """Return the name of a registry or a repository, or of what is below one; empty if there is none."""
        text = self.text(key).rstrip("/")
        if "://" in text:
            raise self.error(key, "is a URL; expected HOST[:PORT][/PATH]")
        return text

    def error(self, key: str, message: str) -> DocumentError:
        """Return the error for a value."""
        return DocumentError(self.file, (Problem(f"{self.where}/{key}", message),))
