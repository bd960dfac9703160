r"""Names in a layer for Windows: where they may be, separators, streams, and whiteouts, which have another grammar.

A layer has `Files` (the drive C:), `Hives` and `UtilityVM` at its root. A slash separates; `\` and `C:` would mean
something to Windows and are refused. `name:stream`, directly after the file, is an alternate data stream of it.

A base name that begins with `.wh.` removes the rest of it, whatever that is: there is no opaque marker, and
`.wh..wh..opq` removes a file `.wh..opq`. Windows refuses whiteouts outside `Files` and `UtilityVM/Files`.
"""

from oci_layers.errors import UnsafePathError, WhiteoutError
from oci_layers.layer.change import Whiteout
from oci_layers.layer.whiteout import PREFIX
from oci_layers.tree.path import join, parent_and_name

__all__ = ["FILES", "file_and_stream", "is_outside", "parse_tombstone", "windows_path"]

FILES = b"Files"
"""The directory of a layer that has the drive C:."""
_REMOVABLE = (b"Files/", b"UtilityVM/Files/")
_DATA = b":$DATA"


def windows_path(path: bytes, *, is_file: bool) -> bytes:
    r"""Return the clean path of an entry or of a hard link's target, that of a stream without `:$DATA`.

    Raises:
        UnsafePathError: It has a backslash, a drive, or a colon that does not separate the name of a stream.
    """
    if b"\\" in path:
        raise UnsafePathError(path, "the name has a backslash, which separates on Windows")
    if b":" not in path:
        return path
    parent, name = parent_and_name(path)
    if b":" in parent or (not parent and name[1:2] == b":"):
        raise UnsafePathError(path, "the name has a drive, or a colon before its last component")
    file, _, stream = name.removesuffix(_DATA).partition(b":")
    if not file or not stream or b":" in stream:
        raise UnsafePathError(path, "the colon in the name does not separate a file and one of its streams")
    if not is_file:
        raise UnsafePathError(path, "only a file can be the stream of another")
    return join(parent, file + b":" + stream)


def file_and_stream(path: bytes) -> tuple[bytes, bytes]:
    """Split a path that `windows_path` returned; the stream is empty if it has none."""
    file, _, stream = path.partition(b":")
    return file, stream


def is_outside(path: bytes) -> bool:
    """Return whether a clean path is not in Files or UtilityVM/Files, where alone names can be removed."""
    return not path.startswith(_REMOVABLE)


def parse_tombstone(path: bytes) -> Whiteout | None:
    """Parse a clean path as a whiteout of a Windows layer; return None for another name.

    Raises:
        WhiteoutError: It is not below Files or UtilityVM/Files, or names nothing that it could remove.
    """
    parent, name = parent_and_name(path)
    if not name.startswith(PREFIX):
        if path.startswith(PREFIX) or b"/" + PREFIX in path:
            raise WhiteoutError(path, "a directory cannot have a name that begins with '.wh.'")
        return None
    hidden = name[len(PREFIX) :]
    if hidden in {b"", b".", b".."}:
        raise WhiteoutError(path, "a whiteout must name what it removes")
    if is_outside(path):
        raise WhiteoutError(path, "Windows removes names only below Files and UtilityVM/Files")
    return Whiteout(join(parent, hidden))
