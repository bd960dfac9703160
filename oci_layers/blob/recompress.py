"""A layer's blob to the same layer with another compression, in a temporary file: its digest is not known before.

Size and digest of the old blob are checked by the stream that is given, the diff_id here if it is known, and nothing is
returned before the end of both. `compression` and `compressor` have the formats; which layers to recompress, and their
new media types, are in `store/convert`.
"""

import contextlib
from typing import Literal

from oci_layers import system
from oci_layers.blob.compression import Compression, decompressed
from oci_layers.blob.compressor import Encoder, compressed
from oci_layers.blob.pipeline import BackgroundReader
from oci_layers.blob.spool import Spool, Spooled, spooled
from oci_layers.blob.stream import ByteStream, VerifiedReader, drain
from oci_layers.errors import CompressionError
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest

__all__ = ["recompressed"]


def recompressed(
    stream: ByteStream,
    old: Compression | None,
    new: Literal["", "gzip", "zstd"],
    *,
    spool: Spool,
    limits: Limits,
    what: str,
    diff_id: Digest | None = None,
    level: int | None = None,
    encoder: Encoder = "zlib",
    threads: int | None = None,
) -> Spooled:
    """Decompress a blob, and compress it again into a temporary file.

    The same layer gives the same bytes, see `compressed`.

    Args:
        stream: The bytes of the blob, read to their end and closed; a `VerifiedReader` checks them.
        old: The compression that the media type declares, "" for none; None to detect it from the bytes.
        new: The compression of the result.
        spool: Makes the temporary file, and counts its bytes until the result is closed.
        limits: The limits on decompression.
        what: The name of the layer in errors.
        diff_id: The expected digest of the plain bytes, if known.
        level: The level of the new compression; see `compressed`.
        encoder: What makes gzip data; see `compressed`.
        threads: How many threads to use; by default as many as there are processors.

    Raises:
        ValueError, UnsupportedError: As `compressed`.
        IntegrityError: The blob or its plain bytes are not the expected ones.
        CompressionError: The blob is undamaged, but not compressed as declared.
        LimitError: A limit on decompression is exceeded, or `temporary_bytes` of the spool.
        OSError: The temporary file cannot be written; the error names its directory.
    """
    threads = system.cpu_count() if threads is None else threads
    with contextlib.closing(stream):
        try:
            with contextlib.ExitStack() as opened:
                plain: ByteStream = decompressed(_Borrowed(stream), old, limits, what=what)
                if diff_id is not None:
                    plain = VerifiedReader(plain, diff_id, what=f"{what}: diff_id of the plain layer")
                if threads > 1:
                    with contextlib.suppress(RuntimeError):  # No thread can be started.
                        plain = opened.enter_context(contextlib.closing(BackgroundReader(plain)))
                out = compressed(plain, new, level=level, threads=threads, encoder=encoder)
                return spooled(opened.enter_context(contextlib.closing(out)), spool, what)
        except CompressionError:
            drain(stream)  # Damage is reported as a wrong digest.
            raise


class _Borrowed:
    """A stream that stays open when this is closed: the threads that read it have ended then."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        return self._stream.read(size)

    def close(self) -> None:
        pass
