"""One request to one server and its answer, without any policy: the port that an HTTP library implements.

A transport follows no redirect, repeats nothing, keeps no cookie, decodes nothing and knows no credentials. All of
that is above it, so every rule is tested without a socket.
"""

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import attrs

from oci_layers.blob.stream import ByteStream
from oci_layers.registry.url import Url

__all__ = ["Body", "BytesBody", "Headers", "Request", "Response", "Transport", "read_body"]


class Body(Protocol):
    """The bytes that a request carries."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def open(self) -> ByteStream:
        """Open them from the start; called once for each attempt."""
        ...


@attrs.frozen
class BytesBody:
    """A body in memory."""

    data: bytes = attrs.field(repr=False)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def open(self) -> ByteStream:
        """Open them."""
        return io.BytesIO(self.data)


class Headers(Mapping[str, str]):
    """The header fields of an answer; names in any case (RFC 9110, 5). A field that comes twice is two values."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        """Return the value of a field, several joined by commas (RFC 9110, 5.3)."""
        return ", ".join(self._values[name.lower()])

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of a field, in the order of the answer."""
        return tuple(self._values.get(name.lower(), ()))

    @property
    def length(self) -> int | None:
        """The number in `Content-Length`; None if there is none."""
        text = self.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def media_type(self) -> str:
        """The media type in `Content-Type`, without parameters; empty if there is none."""
        return self.get("Content-Type", "").partition(";")[0].strip()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({sorted(self._values)})"  # Values may be secrets.


@attrs.frozen(kw_only=True)
class Request:
    """A request. `Content-Length` follows from the body; no other header is added but `Host` and `User-Agent`."""

    method: str
    url: Url
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: Body | None = None

    def with_headers(self, **headers: str) -> "Request":
        """Return the request with further headers; an underscore in a name is a hyphen."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return attrs.evolve(self, headers={**self.headers, **more})


@attrs.define(kw_only=True)
class Response:
    """An answer, whose body is read from the connection. To close it keeps the connection if all was read."""

    url: Url
    """The URL that answered."""
    status: int
    headers: Headers
    body: ByteStream = attrs.field(repr=False)
    """The bytes as they were sent. Reading raises `UnreachableError` if they end before `Content-Length` of them."""

    def close(self) -> None:
        """Close the body."""
        self.body.close()


def read_body(response: Response, limit: int) -> bytes:
    """Return up to `limit` bytes of an answer, and close it."""
    parts, left = [], limit
    with contextlib.closing(response):
        while left > 0 and (data := response.body.read(min(left, 1 << 16))):
            parts.append(data)
            left -= len(data)
    return b"".join(parts)


class Transport(Protocol):
    """What sends requests. Several threads may call it at once."""

    def send(self, request: Request) -> Response:
        """Send one request and return the answer, whatever its status, once its headers are there.

        Raises:
            UnreachableError: There is no answer, or none that is HTTP.
        """
        ...

    def interrupt(self) -> None:
        """Break all connections that are in use: who reads from one or waits for an answer gets `UnreachableError`."""
        ...

    def close(self) -> None:
        """Close all connections; idempotent."""
        ...
