r"""Every exception that the library raises on purpose.

One root, `OCIError`; below it one family for each thing that a caller may do next: correct the document, correct the
name, fetch the bytes again, refuse the layer, look elsewhere, install or convert something, raise a limit, fix the
place. An error holds data; `__str__` makes one line of it, with no character that a terminal acts on.
Callers add context (which layer, which image) with `add_note`, never by wrapping. `OSError` passes through unwrapped;
the code that knows the file completes it with `locate`. `format_error` puts notes and error into one line.

Names and places. Each family has data, for a program to ask again:

    >>> import io
    >>> import oci_layers as oci
    >>> from oci_layers import errors
    >>> def attempt(name: str) -> None:
    ...     try:
    ...         oci.open_image(name).close()
    ...     except errors.NameFormatError as error:
    ...         print("correct", error.what, repr(error.text))
    ...     except errors.ReferenceMissingError as error:
    ...         print("choose one of", error.known)
    ...     except (errors.PlaceMissingError, errors.StoreError) as error:
    ...         print("use another place than", error.place)
    ...     except errors.UnsupportedError as error:
    ...         print(error.hint)
    >>> for name in ("oci:", "oci:tests/data/image:3.20", "oci:nowhere", "oci:tests", "docker-daemon:alpine:3"):
    ...     attempt(name)
    correct image name 'oci:'
    choose one of ('lighthouse',)
    use another place than nowhere
    use another place than tests
    the images of a Docker daemon are not read; copy the image first: skopeo copy docker-daemon:alpine:3 oci:DIR

Bytes that are not what they should be, or are not there. Fetch them again:

    >>> issubclass(errors.DigestMismatchError, errors.IntegrityError)
    True
    >>> print(errors.SizeMismatchError("blob sha256:0", expected=10, actual=11))
    blob sha256:0: longer than the expected 10 bytes
    >>> issubclass(errors.BlobMissingError, errors.MissingError), issubclass(errors.MissingError, LookupError)
    (True, True)
    >>> try:
    ...     oci.blob.decompressed(io.BytesIO(b"plain"), "gzip", oci.Limits()).read(10)
    ... except errors.CompressionError as error:
    ...     print(error)
    stream: the media type promises gzip, the bytes are no compression that is known

Documents and layers that break rules. A layer error has the path; all are also `ValueError`:

    >>> descriptor = oci.Descriptor.of(b"{}", media_type="application/vnd.oci.image.manifest.v1+json")
    >>> try:
    ...     oci.spec.parse_manifest(b"{}", descriptor)
    ... except errors.DocumentError as error:
    ...     first: errors.Problem = error.problems[0]
    ...     print(error.total, first.pointer, first.message)
    3 /schemaVersion is required
    >>> entry = oci.tar.Entry
    >>> link = entry(b"link", oci.tar.HARDLINK, linkname=b"nothing")
    >>> for entries in ([entry(b"../up")], [entry(b".wh.")], [link], oci.read_tar(io.BytesIO(b"no tar" * 100))):
    ...     try:
    ...         oci.apply(oci.decode(entries), oci.FileTree())
    ...     except errors.TarFormatError as error:
    ...         print("not tar at byte", error.offset)
    ...     except (errors.UnsafePathError, errors.WhiteoutError, errors.LinkError) as error:
    ...         print(type(error).__name__, error.path, isinstance(error, errors.LayerError))
    UnsafePathError b'../up' True
    WhiteoutError b'.wh.' True
    LinkError b'link' True
    not tar at byte 148

Paths in an image raise what paths on disk raise, and are a `PathError`, too:

    >>> with oci.open_image("tests/data/image") as image:
    ...     root = image.root
    ...     for path in (root / "etc/nothing", root / "etc/motd/nothing", root / "etc"):
    ...         try:
    ...             path.read_bytes()
    ...         except (errors.PathMissingError, errors.NotDirectoryError, errors.IsDirectoryError) as error:
    ...             print(type(error).__name__, error.filename, isinstance(error, (OSError, errors.PathError)))
    ...     try:
    ...         (root / "etc/motd").owner()
    ...     except errors.OwnerMissingError as error:
    ...         print(error)
    ...     try:
    ...         image.unpack("tests")
    ...     except errors.DestinationError as error:
    ...         print(error)
    PathMissingError /etc/nothing True
    NotDirectoryError /etc/motd/nothing True
    IsDirectoryError /etc True
    the image has no name for user 0
    tests: the directory is not empty
    >>> try:
    ...     oci.WritableLayer(oci.FileTree()).root.mkdir()
    ... except (errors.PathExistsError, errors.NotPermittedError) as error:
    ...     print(type(error).__name__, error)
    PathExistsError /: file exists

A registry that refuses, is too busy or cannot be reached. All are a `RegistryError`:

    >>> denied: errors.RegistryError = errors.AccessDeniedError("https://r.example/v2/", "401", 401, ("UNAUTHORIZED",))
    >>> busy = errors.RateLimitError("https://r.example/v2/", "429", 429, retry_after=60)
    >>> gone = errors.UnreachableError("https://r.example/v2/", "connection refused", was_sent=False)
    >>> for error in (denied, busy, gone):
    ...     print(type(error).__name__, error.status, error)
    AccessDeniedError 401 https://r.example/v2/: 401
    RateLimitError 429 https://r.example/v2/: 429
    UnreachableError None https://r.example/v2/: connection refused

A limit can be raised, and metadata that could not be set is counted. `format_error` makes the line that the command
prints; `locate` completes an error of the system; `escape` and `shortened` make text safe to show:

    >>> error: errors.OCIError = errors.LimitError("layers", allowed=4096, seen=4097)
    >>> error.add_note("my-image")
    >>> print(errors.format_error(error))
    my-image: limit layers is 4096, the input has 4097 or more (to raise it: --limit layers=NUMBER)
    >>> print(errors.LayerMissingError(6, count=5), errors.BaseMismatchError("image", ("a",), ("b",)), sep="; ")
    6 is not possible: the image has 5 layers; image: layer 0 is b, that of the base is a
    >>> print(errors.MetadataError({"owner": 8}))
    not permitted to set all metadata: 8 owner
    >>> print(errors.PresenterError((("detached", "EPERM: Operation not permitted (fsopen)"),)))
    the layers cannot be shown as one directory: detached: EPERM: Operation not permitted (fsopen)
    >>> full = OSError(28, "No space left on device")
    >>> errors.locate(full, "/srv/rootfs", "destination")
    >>> print(errors.format_error(full))
    destination: /srv/rootfs: No space left on device
    >>> print(errors.escape(b"a" + bytes([27]) + b"b"), len(errors.shortened("x" * 1000)))
    a\x1bb 480
"""

import errno

import attrs

from oci_layers._error import MissingError, OCIError, locate
from oci_layers._path_error import (
    IsDirectoryError,
    NotDirectoryError,
    NotPermittedError,
    PathError,
    PathExistsError,
    PathMissingError,
)
from oci_layers._registry_error import AccessDeniedError, RateLimitError, RegistryError, UnreachableError
from oci_layers._text import escape, one_line, shortened

__all__ = [
    "AccessDeniedError",
    "BaseMismatchError",
    "BlobMissingError",
    "CompressionError",
    "DestinationError",
    "DigestMismatchError",
    "DocumentError",
    "IntegrityError",
    "IsDirectoryError",
    "LayerError",
    "LayerMissingError",
    "LimitError",
    "LinkError",
    "MetadataError",
    "MissingError",
    "NameFormatError",
    "NotDirectoryError",
    "NotPermittedError",
    "OCIError",
    "OwnerMissingError",
    "PathError",
    "PathExistsError",
    "PathMissingError",
    "PlaceMissingError",
    "PresenterError",
    "Problem",
    "RateLimitError",
    "ReferenceMissingError",
    "RegistryError",
    "SizeMismatchError",
    "StoreError",
    "TarFormatError",
    "UnreachableError",
    "UnsafePathError",
    "UnsupportedError",
    "WhiteoutError",
    "escape",
    "format_error",
    "locate",
    "shortened",
]

_LISTED = 5
"""Problems of a document that a message lists."""


def format_error(error: BaseException) -> str:
    """Return any error as the one line that the command prints.

    The notes come first, the outermost first (their authors escape names); then the message of the error, then a hint
    what to do where one is known. The line has no character that a terminal acts on.
    """
    if isinstance(error, OCIError):
        text = str(error)
        if isinstance(error, LimitError):
            text += f" (to raise it: --limit {error.limit}=NUMBER)"
    elif isinstance(error, OSError):
        end = " (to allow more: ulimit -n NUMBER)" if error.errno == errno.EMFILE else ""
        names = [name for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        text = ": ".join([*map(shortened, names), one_line(error.strerror or str(error) or type(error).__name__)]) + end
    else:
        text = ": ".join(filter(None, (type(error).__name__, one_line(str(error)))))
    notes = [one_line(note) for note in reversed(getattr(error, "__notes__", ())) if note not in text]
    if isinstance(error, IntegrityError) and any(error.what.removeprefix("blob ") in note for note in notes):
        text = text.removeprefix(f"{error.what}: ")  # A note names the blob already, as that of a layer.
    return ": ".join([*dict.fromkeys(notes), text])


@attrs.frozen
class Problem:
    """One problem of a document: a JSON pointer (RFC 6901) to the place, and what is wrong there."""

    pointer: str
    message: str
    offset: int | None = attrs.field(default=None, eq=False)
    """The offset of the byte where the problem is, if known."""

    def __str__(self) -> str:
        return f"{shortened(self.pointer or '/')}: {self.message}"


@attrs.define(eq=False, slots=False, str=False)
class DocumentError(OCIError, ValueError):
    """A JSON document that does not match its media type.

    `problems` lists its problems, at least one and at most the first 1,000.
    """

    media_type: str
    problems: tuple[Problem, ...]
    total: int = attrs.field(default=attrs.Factory(lambda self: len(self.problems), takes_self=True))
    """The number of problems, listed or not."""

    @property
    def pointer(self) -> str:
        """The JSON pointer to the first problem."""
        return self.problems[0].pointer

    def _sentence(self) -> str:
        more = self.total - _LISTED
        listed = "; ".join(map(str, self.problems[:_LISTED])) + (f"; and {more:,} more" if more > 0 else "")
        return f"{shortened(self.media_type)}: {listed}"


@attrs.define(eq=False, slots=False, str=False)
class NameFormatError(OCIError, ValueError):
    """A digest, media type, platform, image name or reference that does not follow its grammar."""

    what: str
    text: str
    reason: str

    def _sentence(self) -> str:
        return f"{self.what} '{shortened(self.text)}': {self.reason}"


@attrs.define(eq=False, slots=False, str=False)
class IntegrityError(OCIError):
    """Bytes that do not match their descriptor or the config."""

    what: str
    expected: object
    actual: object


class DigestMismatchError(IntegrityError):
    """Content whose digest differs from the expected one (DSC-05, DIG-13, CHN-01)."""

    def _sentence(self) -> str:
        expected = "" if str(self.expected) in self.what else f", expected {self.expected}"
        return f"{self.what}: digest is {self.actual}{expected}"


class SizeMismatchError(IntegrityError):
    """Content shorter or longer than its descriptor's size (DSC-08). `actual` is at most one more than `expected`."""

    expected: int
    actual: int

    def _sentence(self) -> str:
        if self.actual > self.expected:
            return f"{self.what}: longer than the expected {self.expected} bytes"
        return f"{self.what}: {self.actual} bytes, expected {self.expected}"


@attrs.define(eq=False, slots=False, str=False)
class CompressionError(OCIError, ValueError):
    """A compressed stream that is damaged, cut short, or compressed otherwise than its media type declares."""

    what: str
    reason: str

    def _sentence(self) -> str:
        return f"{self.what}: {self.reason}"


@attrs.define(eq=False, slots=False, str=False)
class LayerError(OCIError, ValueError):
    """A layer that cannot be applied. `path` is a path inside the image, as bytes."""

    path: bytes
    reason: str

    def _sentence(self) -> str:
        return f"{shortened(self.path) or '/'}: {self.reason}"


@attrs.define(eq=False, slots=False, str=False)
class TarFormatError(LayerError):
    """An archive that is not tar, or is cut short. `offset` counts plain bytes from the start of the archive."""

    offset: int

    def _sentence(self) -> str:
        where = f"{shortened(self.path)}: " if self.path else ""
        return f"{where}not a valid tar archive at byte {self.offset}: {self.reason}"


class UnsafePathError(LayerError):
    """A name that leads out of the root, or that no file system can hold."""


class WhiteoutError(LayerError):
    """A `.wh.` name that the grammar does not allow (WHT-03, WHT-04)."""


class LinkError(LayerError):
    """A link that cannot be made or followed: no target, a loop, a directory as the target of a hard link."""


@attrs.define(eq=False, slots=False, str=False)
class BlobMissingError(MissingError):
    """A blob that the store does not have."""

    digest: str
    hint: str = ""

    def _sentence(self) -> str:
        return f"blob {self.digest} is missing" + (f" ({self.hint})" if self.hint else "")


@attrs.define(eq=False, slots=False, str=False)
class LayerMissingError(MissingError, IndexError):
    """A layer, or a number of layers, that an image does not have; it has `count` layers."""

    number: int
    count: int

    def _sentence(self) -> str:
        return f"{self.number} is not possible: the image has {self.count} layers"


@attrs.define(eq=False, slots=False, str=False)
class ReferenceMissingError(MissingError):
    """An image name that does not exist, or that is needed to choose an image. `known` lists the existing names."""

    name: str
    known: tuple[str, ...]
    what: str = "image"

    def _sentence(self) -> str:
        if not self.known and not self.name:
            return f"there is no {self.what}"
        known = ", ".join(escape(name) for name in self.known[:20]) or "none"
        more = f" and {len(self.known) - 20} more" if len(self.known) > 20 else ""
        asked = f"no {self.what} '{escape(self.name)}'" if self.name else f"there are several {self.what}s, name one"
        return f"{asked}; there are: {known}{more}"


@attrs.define(eq=False, slots=False, str=False)
class OwnerMissingError(MissingError, KeyError):
    """A user or group (`what`) whose number is not in the image's own `etc/passwd` or `etc/group`."""

    what: str
    number: int

    def _sentence(self) -> str:
        return f"the image has no name for {self.what} {self.number}"


@attrs.define(eq=False, slots=False, str=False)
class PlaceMissingError(MissingError):
    """A file or directory on disk that does not exist."""

    place: str
    reason: str = "no such file or directory"

    def _sentence(self) -> str:
        return f"{escape(self.place)}: {self.reason}"


@attrs.define(eq=False, slots=False, str=False)
class UnsupportedError(OCIError):
    """Something valid that this library, or this installation of it, cannot do."""

    what: str
    value: str
    hint: str = ""

    def _sentence(self) -> str:
        return f"unsupported {self.what}: {shortened(self.value)}" + (f" ({self.hint})" if self.hint else "")


@attrs.define(eq=False, slots=False, str=False)
class PresenterError(OCIError):
    """Layers that this machine can show in no way. `refused` has each presenter that was tried, and its reason."""

    refused: tuple[tuple[str, str], ...]

    def _sentence(self) -> str:
        listed = "; ".join(f"{presenter}: {shortened(reason)}" for presenter, reason in self.refused)
        return f"the layers cannot be shown as one directory: {listed or 'no presenter was tried'}"


@attrs.define(eq=False, slots=False, str=False)
class BaseMismatchError(OCIError, ValueError):
    """An image that is not built on a base: its lowest diff_ids, `actual`, do not begin with those of the base."""

    image: str
    expected: tuple[str, ...]
    actual: tuple[str, ...]

    def _sentence(self) -> str:
        actual = (*self.actual, *("missing" for _ in self.expected))
        at = next(at for at, expected in enumerate(self.expected) if expected != actual[at])
        return f"{escape(self.image)}: layer {at} is {actual[at]}, that of the base is {self.expected[at]}"


@attrs.define(eq=False, slots=False, str=False)
class LimitError(OCIError):
    """Input that exceeds a limit. `limit` is the name of the field of `Limits`, so that a caller can raise it."""

    limit: str
    allowed: int
    seen: int

    def _sentence(self) -> str:
        return f"limit {self.limit} is {self.allowed}, the input has {self.seen} or more"


@attrs.define(eq=False, slots=False, str=False)
class MetadataError(OCIError):
    """Metadata that could not be set although the caller requires all of it. `totals` counts it by kind."""

    totals: dict[str, int]

    def _sentence(self) -> str:
        listed = ", ".join(f"{count} {what}" for what, count in sorted(self.totals.items()))
        return f"not permitted to set all metadata: {listed}"


@attrs.define(eq=False, slots=False, str=False)
class StoreError(OCIError):
    """A place (file or directory) that cannot be used as a store of images."""

    place: str
    reason: str

    def _sentence(self) -> str:
        return f"{escape(self.place)}: {self.reason}"


class DestinationError(StoreError):
    """A DEST that is refused before anything is written: not empty, a mount point, a parent that cannot be written."""
