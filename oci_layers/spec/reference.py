"""Text such as `alpine:3.20` to a reference and back; and the grammar of names inside a layout.

A reference names an image in a registry: domain, path, and a tag, a digest or both. Users leave out the defaults of
Docker, so parsing adds them: `docker.io`, `library/` and the tag `latest`. Two texts name the same image if their
references are equal. No function here contacts a registry.

A `ref.name` is not a reference: it is the name of an entry in the index of an image layout (annotations.md). It may
look like a reference, but has no defaults.
"""

import re
from typing import Self

import attrs

from oci_layers.errors import NameFormatError
from oci_layers.spec.digest import Digest

__all__ = ["LATEST", "Reference", "is_ref_name", "is_tag"]

_HUB = "docker.io"
_OFFICIAL = "library/"
LATEST = "latest"
"""The tag of a name that has neither a tag nor a digest."""

# Registries and clients share this bound on domain, slash and path together (distribution-spec, "Pulling manifests").
_NAME_LENGTH = 255

# Repetitions are possessive: otherwise the matcher keeps a backtracking state per repetition, 100 bytes a character.
_HOST = r"[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*+"
_DOMAIN = re.compile(rf"(?:{_HOST}(?:\.{_HOST})*+|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?")
_WORD = r"[a-z0-9]++(?:(?:\.|__?+|-++)[a-z0-9]++)*+"
_PATH = re.compile(rf"{_WORD}(?:/{_WORD})*+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")

_PART = r"[A-Za-z0-9]++(?:(?:--?+|[._:@+])[A-Za-z0-9]++)*+"
_REF_NAME = re.compile(rf"{_PART}(?:/{_PART})*+")


@attrs.frozen(kw_only=True, order=True)
class Reference:
    """The full name of an image in a registry. It always follows the grammar.

    Raises:
        NameFormatError: A part does not follow its grammar, or the name is too long.
    """

    domain: str
    """The registry: a host name or an IPv6 address in brackets, with an optional port."""
    path: str
    """The repository in the registry, lower case, of one or more words between slashes."""
    tag: str | None = None
    """The tag; None if there is only a digest."""
    digest: Digest | None = None
    """The digest, which identifies the image even if there is a tag."""

    def __attrs_post_init__(self) -> None:
        if not _DOMAIN.fullmatch(self.domain):
            raise self._error("the registry must be a host name or an address in brackets, and perhaps a port")
        if not _PATH.fullmatch(self.path):
            raise self._error("the path must be of lower-case letters and digits, with single separators between them")
        if len(self.domain) + 1 + len(self.path) > _NAME_LENGTH:
            raise self._error(f"the name must not be longer than {_NAME_LENGTH} characters")
        if self.tag is not None and not is_tag(self.tag):
            raise self._error("the tag must be of 1 to 128 letters, digits and ._- and begin with none of .-")

    def _error(self, reason: str) -> NameFormatError:
        return NameFormatError("reference", str(self), reason)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `NAME[:TAG][@DIGEST]`; the reference has Docker's defaults written out.

        The default registry is `docker.io`; a path of a single word there is in `library/`. The default tag, if there
        is no digest, is `latest`. The part before the first slash is a registry if it contains a dot, a colon or an
        upper-case letter, or is `localhost`.

        Raises:
            NameFormatError: The text is not a reference.
        """
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        name, tag = rest, None
        if ":" in rest.rpartition("/")[2]:
            name, _, tag = rest.rpartition(":")
        if not name:
            raise NameFormatError("reference", text, "it names no repository")
        if _IMAGE_ID.fullmatch(name):
            raise NameFormatError("reference", text, "64 hexadecimal digits are an image's id, not a name")
        domain, path = _split(name)
        if tag is None and digest is None:
            tag = LATEST
        return cls(domain=domain, path=path, tag=tag, digest=digest)

    def familiar(self) -> str:
        """Return the short form that Docker shows, without `docker.io/` and `library/`; it parses to this reference."""
        return self._shown(self._short_name())

    def __str__(self) -> str:
        return self._shown(f"{self.domain}/{self.path}")

    def _short_name(self) -> str:
        if self.domain == _HUB:
            for name in (self.path.removeprefix(_OFFICIAL), self.path):
                # The short form must not be read as an image id or as the name of a registry.
                if not _IMAGE_ID.fullmatch(name) and _split(name) == (self.domain, self.path):
                    return name
        return f"{self.domain}/{self.path}"

    def _shown(self, name: str) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{name}{tag}{digest}"


def _split(name: str) -> tuple[str, str]:
    """Return the registry and the path of a name, with Docker Hub's defaults."""
    domain, slash, path = name.partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost" or domain != domain.lower()):
        domain, path = _HUB, name
    elif domain == f"index.{_HUB}":
        domain = _HUB
    if domain == _HUB and "/" not in path:
        path = _OFFICIAL + path
    return domain, path


def is_ref_name(text: str) -> bool:
    """Tell whether `text` follows the grammar of `org.opencontainers.image.ref.name` (annotations.md)."""
    return _REF_NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether `text` is a tag (distribution-spec, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None
