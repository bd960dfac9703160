"""A new layer as a file of its own, which appears when it is complete."""

import argparse
import sys
from collections.abc import Iterator

import attrs

from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.build.layer import NewLayer
from oci_layers.cli.building import print_skipped
from oci_layers.cli.codecs import codec_of
from oci_layers.cli.options import limits_of
from oci_layers.cli.output import human_bytes, json_text, listing_json
from oci_layers.errors import BlobMissingError, escape
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.store.archive_output import ArchiveOutput

__all__ = ["is_layer_file", "write_layer_file"]

_SUFFIXES = {".tar.gz": "gzip", ".tgz": "gzip", ".tar.zst": "zstd"}
"""The ends of names of compressed tars, which no archive of images is."""


def is_layer_file(name: str) -> bool:
    """Tell whether a name is that of a layer rather than of a place for images."""
    return name.endswith(tuple(_SUFFIXES))


def write_layer_file(layer: NewLayer, options: argparse.Namespace) -> int:
    """Write a layer to the file of the options, print its digests, and return the exit code."""
    file = options.output
    compression = next((each for end, each in _SUFFIXES.items() if file.endswith(end)), None)
    if compression is not None:
        if options.compression not in {None, compression}:
            options.refuse(f"{file} would be {options.compression}; give it another name")
        options.compression = compression
    codec = codec_of(options)
    output = ArchiveOutput(file, sync=options.fsync != "never")
    try:
        built = layer.write(
            _OneBlob(output), codec=codec, limits=limits_of(options), temporary_directory=options.temporary_directory
        )
        output.commit()
    except BaseException as error:
        output.discard(error)
        raise
    out = sys.stderr if file == "-" else sys.stdout
    descriptor = built.descriptor
    if options.format == "json":
        value = {
            "target": file,
            "digest": str(descriptor.digest),
            "diff_id": str(built.diff_id),
            "size": descriptor.size,
            "media_type": descriptor.media_type,
            "plain_size": built.plain_size,
            "skipped": listing_json(built.skipped),
        }
        out.write(json_text(value, indent=2) + "\n")
    else:
        sizes = f"{human_bytes(descriptor.size)}, {human_bytes(built.plain_size)} uncompressed"
        out.write(f"{escape(file)}  {sizes}\ndigest   {descriptor.digest}\ndiff_id  {built.diff_id}\n")
    print_skipped(built.skipped)
    return 0


@attrs.frozen
class _OneBlob:
    """A `BlobStore` that writes each blob to one file."""

    output: ArchiveOutput

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:  # noqa: ARG002  # of the protocol
        try:
            while data := stream.read(PIECE):
                self.output.write(data)
        finally:
            stream.close()

    def open_blob(self, digest: Digest) -> ByteStream:
        raise BlobMissingError(str(digest))

    def has_blob(self, digest: Digest) -> bool:  # noqa: ARG002  # of the protocol
        return False

    def reuse_blob(self, descriptor: Descriptor) -> bool:  # noqa: ARG002  # of the protocol
        return False

    def iter_blobs(self) -> Iterator[Digest]:
        return iter(())
