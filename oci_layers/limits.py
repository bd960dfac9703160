"""The limits on what one image may cost in time, memory and disk space.

One frozen object; each field is a number with its unit. Input that exceeds one raises `LimitError` with the name of
the field. The defaults are far above what real images need and far below what exhausts a machine.

    >>> from oci_layers.limits import DEFAULT_LIMITS, LISTED, Limits
    >>> DEFAULT_LIMITS == Limits(), DEFAULT_LIMITS.document_bytes
    (True, 4194304)
    >>> from oci_layers.spec import load_json
    >>> load_json(b'{"a": [[[[]]]]}', media_type="text/json", limits=Limits(json_depth=4))
    Traceback (most recent call last):
        ...
    oci_layers.errors.LimitError: limit json_depth is 4, the input has 5 or more

The lists in reports are capped, too; their totals are not:

    >>> print(f"{LISTED:,} findings of each severity are kept")
    1,000 findings of each severity are kept
"""

import attrs

__all__ = ["DEFAULT_LIMITS", "LISTED", "Limits"]

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
    """Levels of nested arrays and objects."""
    index_depth: int = 16
    """Levels of nested indexes."""
    descriptors: int = 10_000
    """Descriptors visited while searching for one image."""
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
    """Bytes of memory that a zstd frame may require as its window."""
    plain_bytes: int = 1 << 40
    """Decompressed bytes of all layers of an image, holes of sparse files included."""
    file_bytes: int = 256 << 30
    """Bytes of one file, holes included."""
    entries: int = 20_000_000
    """Tar entries of all layers of an image; also, counted separately, the directories that they imply."""
    metadata_bytes: int = 256 * _MIB
    """Bytes of names, link targets and extended attributes of all entries of an image, held in memory; a directory that
    a path implies counts 512, a piece of a sparse file 128."""
    content_bytes: int = 1 << 30
    """Bytes of file contents held in memory: of one file read whole, or of all files of a tree that stores contents."""
    ratio: int | None = None
    """Uncompressed bytes for each compressed byte (checked past the first MiB); None for no limit."""
    temporary_bytes: int = 64 << 30
    """Bytes of temporary files that one open image may use."""


DEFAULT_LIMITS = Limits()
