"""The answer that comes over a connection: its fields and its body, with a time and a length for all of it."""

import contextlib
import http.client
import io
import re
import time
from collections.abc import Callable
from typing import Any

from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

from oci_layers.errors import UnreachableError
from oci_layers.registry.transport import Headers

__all__ = ["AnswerBody", "Wire", "fields_of", "length_of"]

_GATHERED = 0.05
"""Seconds for which one read gathers bytes that are there."""
_DRAINED = 64 << 10
_DRAINS = 4
_DRAIN_TIME = 0.05
_FOLD = re.compile(r"[ \t]*\r?\n[ \t]+")
_LENGTH = re.compile(r"[0-9]{1,18}")


class Wire(io.RawIOBase):
    """The bytes of a socket, with a time for each operation, however many small pieces they come in."""

    def __init__(self, raw: Any, sock: Any) -> None:  # Any: a socket, or what urllib3 has for TLS in TLS
        self._raw = raw
        self._sock = sock
        self.seen = 0
        """The number of bytes that came."""
        self.is_ended = False
        """Whether the connection was read to its end."""
        self._is_dry = False
        self._failure: OSError | None = None
        self.allow(sock.gettimeout())

    def allow(self, seconds: float, *, partial: bool = False, has_some: bool = False) -> None:
        """Begin an operation that has some seconds.

        With `partial` it may end early, with what has come in a short time, or is in a buffer (`has_some`).
        """
        if self._sock.gettimeout() != seconds:
            self._sock.settimeout(seconds)
        self._end = time.monotonic() + (_GATHERED if has_some else seconds)
        self._partial = partial
        self._got = has_some

    def is_buffered(self, reader: io.BufferedReader) -> bool:
        """Return whether the reader above has bytes that it has not given out."""
        self._is_dry = True
        try:
            return bool(reader.peek())
        finally:
            self._is_dry = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # Any: a writable buffer
        """Return how many bytes were read, None if the operation is to end with those that it has."""
        if self._is_dry:
            return None
        if self._failure is not None:
            raise self._failure
        if self._got and time.monotonic() > self._end:
            if self._partial:
                return None
            raise TimeoutError
        try:
            count: int = self._raw.readinto(buffer)
        except OSError as error:
            if not (self._got and self._partial):
                raise
            self._failure = error
            return None
        if not self._got and self._partial:
            self._end = time.monotonic() + _GATHERED
        self._got = True
        self.seen += count
        self.is_ended = not count
        return count

    def close(self) -> None:
        """Give the socket up."""
        self._raw.close()
        super().close()


def fields_of(answer: http.client.HTTPResponse) -> Headers:
    """Return the header fields of an answer.

    Raises:
        HTTPException: They are not those of HTTP (RFC 9112, 5).
    """
    try:
        assert_header_parsing(answer.msg)
    except (HeaderParsingError, TypeError):
        raise http.client.HTTPException("a header field has no name") from None
    return Headers((name, _FOLD.sub(" ", value).strip(" \t")) for name, value in answer.getheaders())


def length_of(answer: http.client.HTTPResponse, fields: Headers, method: str) -> int | None:
    """Return how many bytes the body has, None if its end or that of the connection tells (RFC 9112, 6.3).

    Raises:
        HTTPException: There are several lengths, or what is no length; or the status is not that of an answer.
    """
    if answer.status < 200:
        raise http.client.HTTPException(f"status {answer.status}")
    if method == "HEAD" or answer.status in {204, 304}:
        return 0
    coding = fields.get("Transfer-Encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            raise http.client.HTTPException(f"Transfer-Encoding {coding} is not supported")
        return None
    lengths = {value.strip() for value in fields.get("Content-Length", "").split(",")}
    if lengths == {""}:
        return None
    if len(lengths) > 1 or not _LENGTH.fullmatch(min(lengths)):
        raise http.client.HTTPException(f"Content-Length is {fields['Content-Length']}")
    return int(lengths.pop())


class AnswerBody:
    """The body of an answer: a `ByteStream`, which ends with its length or raises `UnreachableError`."""

    def __init__(
        self,
        answer: http.client.HTTPResponse,
        wire: Wire,
        length: int | None,
        *,
        timeout: float,
        check: Callable[[], None],
        failed: Callable[[str | Exception], UnreachableError],
        finish: Callable[[bool], None],
    ) -> None:
        """Begin a body.

        Args:
            answer: The answer, whose headers are read.
            wire: The bytes below it.
            length: The number of bytes, if known.
            timeout: Seconds for one piece.
            check: Raises `OSError` if the connection was broken by `interrupt`.
            failed: Makes an error of a reason.
            finish: Is called once, with whether all was read.
        """
        self._answer = answer
        self._wire = wire
        self._length = length
        self._timeout = timeout
        self._check = check
        self._failed = failed
        self._finish = finish
        self._seen = 0
        self._is_done = False
        self._broken: UnreachableError | None = None
        if length == 0:
            self._end(whole=True)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end.

        Raises:
            UnreachableError: The connection broke, or was broken by `interrupt`, or nothing came in time.
        """
        return self._read(size, self._timeout)

    def _read(self, size: int, seconds: float) -> bytes:
        if self._broken is not None:
            raise self._broken
        if self._is_done or not size:
            return b""
        try:
            data = self._take(size, seconds)
            self._check()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._break(error) from None
        except BaseException:
            self._break("interrupted")
            raise
        self._seen += len(data)
        if not data and self._length is not None:
            raise self._break(f"the connection broke after {self._seen} of {self._length} bytes")
        if not data or self._seen == self._length:
            self._end(whole=True)
        return data

    def _take(self, size: int, seconds: float) -> bytes:
        if self._answer.chunked:
            self._wire.allow(seconds)
            return self._answer.read1(size)
        self._wire.allow(seconds, partial=True, has_some=self._wire.is_buffered(self._answer.fp))
        return self._answer.read(size if self._length is None else min(size, self._length - self._seen))

    def _break(self, error: str | Exception) -> UnreachableError:
        """End before all was read; this and every later read raises the error that is returned."""
        self._broken = self._failed(error)
        self._end(whole=False)
        return self._broken

    def _end(self, *, whole: bool) -> None:
        if not self._is_done:
            self._is_done = True
            self._answer.close()
            self._finish(whole)

    def close(self) -> None:
        """Close the body; what is left of it is read if it is little and there."""
        if self._answer.chunked or (self._length is not None and self._length - self._seen <= _DRAINED):
            with contextlib.suppress(UnreachableError):
                for _ in range(_DRAINS):
                    self._read(_DRAINED // _DRAINS, _DRAIN_TIME)
        if not self._is_done:
            self._break("the answer was closed before it was read")
