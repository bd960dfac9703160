"""How much of anything is taken from an image before it is refused.

One frozen object, every number adjustable, each with its unit. What goes past one raises `LimitError` with the name of
the field. The defaults are far above what honest images need and far below what hurts.
"""

import attrs

__all__ = ["LISTED", "Limits"]

_MIB = 1 << 20


LISTED = 1_000
"""How many items a list of findings keeps; the others are counted."""


@attrs.frozen(kw_only=True)
class Limits:
    """The limits, as inclusive maxima; see each field for its unit."""

    document_bytes: int = 4 * _MIB
    """Bytes of a manifest, index or layout marker."""
    config_bytes: int = 8 * _MIB
    """Bytes of a config document."""
    json_depth: int = 100
    """Arrays and objects inside one another."""
    index_depth: int = 16
    """Indexes inside one another."""
    descriptors: int = 10_000
    """Descriptors met while looking for one image."""
    layers: int = 4096
    """Layers of one image."""
    header_bytes: int = _MIB
    """Bytes of one PAX or GNU extension header."""
    meta_headers: int = 16
    """Extension headers before one entry."""
    sparse_pieces: int = 1 << 20
    """Pieces in the map of one sparse file."""
    xattr_bytes: int = 64 << 10
    """Bytes of names and values of one entry's extended attributes."""
    component_bytes: int = 255
    """Bytes of one name between slashes."""
    path_bytes: int = 4096
    """Bytes of one cleaned path."""
    path_depth: int = 256
    """Components of one path."""
    links: int = 40
    """Symlinks followed in one resolution."""
    window_bytes: int = 128 * _MIB
    """Memory that a zstd frame may ask for."""
    plain_bytes: int = 1 << 40
    """Decompressed bytes of all layers of an image, the holes of sparse files counted as they read."""
    file_bytes: int = 256 << 30
    """Bytes of one file, its holes counted."""
    entries: int = 20_000_000
    """Tar entries of all layers of an image; and, counted apart, the directories that they imply."""
    metadata_bytes: int = 256 * _MIB
    """Bytes of names, link targets and extended attributes that all entries of an image bring into memory; a directory
    that a path implies counts 512, a piece of a sparse file 128."""
    content_bytes: int = 1 << 30
    """Bytes of contents held in memory: of one file that is read whole, of all files of a tree that holds its own."""
    ratio: int | None = None
    """Plain bytes for each compressed byte (checked past the first MiB); None is off."""
    temporary_bytes: int = 64 << 30
    """Bytes of temporary files that one open image may use."""
