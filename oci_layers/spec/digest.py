"""Text such as `sha256:...` to a digest that follows the grammar, and bytes to their digest.

The grammar of the spec (descriptor.md, "Digests"): the general form, and the exact length and alphabet for the known
algorithms. A `Digest` always follows it, so functions that take one need no check. A digest of an unknown algorithm is
valid data, but its text may not be safe in a path: use only digests of known algorithms there.
`blob/stream` compares the digest of a stream with the expected one.
"""

import hashlib
import importlib
import re
from typing import Any, Protocol, Self

import attrs

from oci_layers.errors import NameFormatError, UnsupportedError

__all__ = ["Digest", "Hasher"]

_GRAMMAR = re.compile(r"(?P<algorithm>[a-z0-9]++(?:[+._-][a-z0-9]++)*+):(?P<encoded>[a-zA-Z0-9=_-]+)")

# The length of the lower-case hexadecimal part. The spec registers all but sha384, which Go's tools also accept.
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64}
_HEX = re.compile(r"[a-f0-9]+")


class Hasher(Protocol):
    """The part of the `hashlib` interface that this library uses."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the digest of the bytes added so far, in lower-case hexadecimal."""


def _check(digest: "Digest", _attribute: "attrs.Attribute[str]", text: str) -> None:
    del digest
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise NameFormatError("digest", text, "must be ALGORITHM:ENCODED")
    algorithm, encoded = match.groups()
    length = _HEX_LENGTH.get(algorithm)
    if length is not None and (len(encoded) != length or not _HEX.fullmatch(encoded)):
        raise NameFormatError("digest", text, f"{algorithm} takes {length} lowercase hex digits")


@attrs.frozen(order=True)
class Digest:
    """A digest, the name of content (descriptor.md, "Digests"). Compared, ordered and hashed by its text.

    Raises:
        NameFormatError: The text does not follow the grammar, or not that of its algorithm.
    """

    text: str = attrs.field(validator=_check)
    """The whole digest, `algorithm:encoded`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a digest.

        Raises:
            NameFormatError: The text does not follow the grammar, or not that of its algorithm.
        """
        return cls(text)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Self:
        """Return the digest of `data`.

        Raises:
            UnsupportedError: This installation cannot compute the algorithm.
        """
        hasher = _new_hasher(algorithm)
        hasher.update(data)
        return cls(f"{algorithm}:{hasher.hexdigest()}")

    @property
    def algorithm(self) -> str:
        """The part before the colon."""
        return self.text.partition(":")[0]

    @property
    def encoded(self) -> str:
        """The part after the colon."""
        return self.text.partition(":")[2]

    def hasher(self) -> Hasher:
        """Return a new hasher for this digest's algorithm.

        Raises:
            UnsupportedError: This installation cannot compute the algorithm.
        """
        return _new_hasher(self.algorithm)

    def __str__(self) -> str:
        return self.text


def _new_hasher(algorithm: str) -> Hasher:
    if algorithm == "sha256":
        return hashlib.sha256()
    if algorithm == "sha384":
        return hashlib.sha384()
    if algorithm == "sha512":
        return hashlib.sha512()
    if algorithm == "blake3":
        try:
            blake3: Any = importlib.import_module("blake3")  # Any: an optional package, not there to be type-checked.
        except ImportError:
            raise UnsupportedError("digest algorithm", algorithm, "pip install oci-layers[blake3]") from None
        hasher: Hasher = blake3.blake3()
        return hasher
    raise UnsupportedError("digest algorithm", algorithm)
