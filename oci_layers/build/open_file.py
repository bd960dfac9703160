"""A file of a writable layer that is open, as a raw binary file; `open_file` puts buffers and text on it.

What one file writes, another that is open sees when it reads; buffers hold it back until they are flushed or closed.
"""

import errno
import io
from operator import index
from typing import IO, Any

import attrs

from oci_layers.build.contents import Contents, OpenContent
from oci_layers.image.content_reader import PositionedFile, check_size

__all__ = ["Mode", "OpenFile", "open_file"]

_PIECE = 1 << 18
_BUFFER = 1 << 16


@attrs.frozen
class Mode:
    """The mode of `open`, parsed."""

    kind: str
    """`r`, `w`, `a` or `x`."""
    is_text: bool
    reads: bool
    writes: bool
    given: str
    """The mode as it was given."""

    @classmethod
    def parse(cls, mode: str, buffering: int, *text: str | None) -> "Mode":
        """Parse a mode, and check it with the other arguments of `open`.

        Raises:
            ValueError: They do not fit each other.
        """
        kinds = set(mode) & set("rwax")
        if len(kinds) != 1 or len(set(mode)) != len(mode) or set(mode) - set("rwaxbt+") or {"b", "t"} <= set(mode):
            raise ValueError(f"mode {mode!r}: expected one of r, w, a and x, with + to read and write, and b or t")
        is_text = "b" not in mode
        if is_text and buffering == 0:
            raise ValueError("text needs a buffer")
        if not is_text and any(each is not None for each in text):
            raise ValueError(f"mode {mode!r} takes no encoding, errors or newline")
        (kind,) = kinds
        return cls(kind, is_text, kind == "r" or "+" in mode, kind != "r" or "+" in mode, mode)

    def of_raw(self) -> str:
        """Return the mode as that of `io.FileIO`, which programs ask for to know whether a file is written."""
        kind = "r" if self.kind == "w" and self.reads else self.kind
        return f"{kind}b+" if self.reads and self.writes else f"{kind}b"


class OpenFile(PositionedFile):
    """An open file without a buffer. Not thread-safe."""

    def __init__(self, name: str, mode: Mode, content: OpenContent, allowed: int) -> None:
        """Take an open file.

        Args:
            name: Its path.
            mode: What it is opened for.
            content: Closed with the file.
            allowed: The most bytes that `readall` returns.
        """
        self.name = name
        self.mode = mode.of_raw()
        self._mode = mode
        self._content: OpenContent | None = content
        self._allowed = allowed
        self._position = content.size if mode.kind == "a" else 0

    def _opened(self) -> OpenContent:
        if self._content is None:
            raise ValueError("I/O operation on closed file")
        return self._content

    def _length(self) -> int:
        return self._opened().size

    def readable(self) -> bool:
        """Tell whether the mode is for reading."""
        self._opened()
        return self._mode.reads

    def writable(self) -> bool:
        """Tell whether the mode is for writing."""
        self._opened()
        return self._mode.writes

    def readinto(self, buffer: Any, /) -> int:  # Any: a writable buffer, which has no type before Python 3.12
        """Fill a buffer, as far as there are bytes; return their number."""
        content = self._opened()
        self._check(self._mode.reads, "reading")
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view):
            data = content.read_at(self._position, min(len(view) - filled, _PIECE))
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
            self._position += len(data)
        return filled

    def readall(self) -> bytes:
        """Return all bytes from the position on.

        Raises:
            LimitError: There are more than `Limits.content_bytes`; nothing is read then.
        """
        content = self._opened()
        self._check(self._mode.reads, "reading")
        check_size(content.size - self._position, self._allowed)
        parts = []
        while data := content.read_at(self._position, _PIECE):
            parts.append(data)
            self._position += len(data)
        return b"".join(parts)

    def write(self, data: Any, /) -> int:  # Any: a buffer, which has no type before Python 3.12
        """Write all bytes, in mode `a` at the end; return their number.

        Raises:
            LimitError: The file would be too large, or there would be too much in temporary files.
            OSError: A temporary file cannot be written.
        """
        content = self._opened()
        self._check(self._mode.writes, "writing")
        view = memoryview(data).cast("B")
        if not len(view):
            return 0  # No system call moves to the end to write nothing.
        if self._mode.kind == "a":
            self._position = content.size
        content.write_at(self._position, view)
        self._position += len(view)
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size, to the position by default, and return it; raises as `write`."""
        content = self._opened()
        self._check(self._mode.writes, "writing")
        size = self._position if size is None else index(size)
        if size < 0:
            raise OSError(errno.EINVAL, f"a file cannot have {size} bytes")
        content.truncate(size)
        return size

    @staticmethod
    def _check(is_open_for_it: bool, what: str) -> None:
        if not is_open_for_it:
            raise io.UnsupportedOperation(f"the file is not open for {what}")

    def close(self) -> None:
        """Close the file; idempotent."""
        content, self._content = self._content, None
        if content is not None:
            content.close()
        super().close()


def open_file(
    contents: Contents,
    path: bytes,
    mode: Mode,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:  # Any: text or bytes, as the mode says
    """Open the file at a clean path, as `io.open` does; raises as `Contents.open`."""
    create = None if mode.kind == "r" else 0o666
    content = contents.open(path, mode=create, exclusive=mode.kind == "x", truncate=mode.kind == "w")
    name = "/" + path.decode("utf-8", "surrogateescape")
    raw = OpenFile(name, mode, content, contents.files.tree.limits.content_bytes)
    if buffering == 0:
        return raw  # type: ignore[return-value]  # a file in all but its declared bases
    size = buffering if buffering > 1 else _BUFFER
    buffered: io.BufferedRandom | io.BufferedReader | io.BufferedWriter
    if mode.reads and mode.writes:
        buffered = io.BufferedRandom(raw, size)
    else:
        buffered = io.BufferedReader(raw, size) if mode.reads else io.BufferedWriter(raw, size)
    if not mode.is_text:
        return buffered
    if newline is None and not mode.reads:
        newline = "\n"  # Whatever ends lines on this machine.
    text = io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)
    text.mode = mode.given  # type: ignore[misc]  # `io.open` sets it, too
    return text
