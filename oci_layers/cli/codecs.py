"""The options that say how layers are compressed, and what they say; the same for every verb."""

import argparse
from typing import TYPE_CHECKING, Literal

from oci_layers.blob.compressor import GZIP_LEVELS, Encoder, require_encoder
from oci_layers.errors import NameFormatError

if TYPE_CHECKING:
    from oci_layers.build.options import Codec

__all__ = ["codec_arguments", "codec_of"]


def codec_arguments(parser: argparse.ArgumentParser, text: str = "of new layers (default: gzip)") -> None:
    """Add how layers are compressed; the text is the help of `--compression`."""
    parser.add_argument("--compression", choices=("gzip", "zstd", "none"), help=text)
    parser.add_argument(
        "--level",
        type=int,
        metavar="N",
        help="0 to 9 for gzip (default: 6), with isal 0 to 3 (1); 1 to 22 for zstd (3)",
    )
    parser.add_argument(
        "--encoder",
        choices=("zlib", "isal"),
        help="what makes gzip data (default: zlib); isal is about ten times as fast, but the digest may then differ "
        "between processors",
    )


def codec_of(options: argparse.Namespace) -> "Codec":
    """Return how new layers are compressed.

    Raises:
        NameFormatError: There is no such level, or the encoder is not one of the compression.
        UnsupportedError: The encoder is not installed.
    """
    from oci_layers.build.options import Codec

    level, compression = options.level, options.compression or "gzip"
    encoder: Encoder = options.encoder or "zlib"
    if options.encoder is not None and compression != "gzip":
        raise NameFormatError("encoder", encoder, f"it makes gzip data, not {compression}")
    require_encoder(encoder)
    known = {"gzip": GZIP_LEVELS[encoder], "zstd": range(1, 23), "none": range(0)}[compression]
    if level is not None and level not in known:
        hint = f"{compression} has {known[0]} to {known[-1]}" if known else "there is no compression"
        raise NameFormatError("level of compression", str(level), hint)
    names: dict[str, Literal["", "gzip", "zstd"]] = {"gzip": "gzip", "zstd": "zstd", "none": ""}
    return Codec(compression=names[compression], level=level, encoder=encoder)
