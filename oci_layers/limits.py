"""How much of anything is taken from an image before it is refused.

One frozen object, every number adjustable, each with its unit. What goes past one raises `LimitError` with the name of
the field. The defaults are far above what honest images need and far below what hurts.
"""

import attrs

__all__ = ["Limits"]

_MIB = 1 << 20


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
    """Decompressed bytes of all layers of an image."""
    file_bytes: int = 256 << 30
    """Bytes of one file, its holes counted."""
    entries: int = 20_000_000
    """Tar entries of all layers of an image; and, counted apart, the directories that they imply."""
    ratio: int | None = None
    """Plain bytes for each compressed byte (checked past the first MiB); None is off."""
    temporary_bytes: int = 64 << 30
    """Bytes of temporary files that one open image may use."""
