"""The kind of a place (DSV-08) and, if it is not the expected kind, one line with what it is and what to do.

Users have archives and directories of many programs, and name them with the wrong transport. All detection is in this
module, so that all functions that open a place give the same answer.
"""

from oci_layers.errors import StoreError, UnsupportedError
from oci_layers.store.archive import TarArchive
from oci_layers.store.files import LayoutFiles

__all__ = ["describe", "is_docker", "refuse_schema_1", "wrong_transport"]

_MARKER, _INDEX, _MANIFEST = "oci-layout", "index.json", "manifest.json"
_SCHEMA_1 = frozenset(f"application/vnd.docker.distribution.manifest.v1+{syntax}" for syntax in ("json", "prettyjws"))
_ROOT = ("bin", "etc", "usr", "lib", "sbin", "var", "root")


def is_docker(transport: str, files: LayoutFiles) -> bool:
    """Tell whether a place is a Docker archive: by the transport, else by content, where a layout wins (DSV-08).

    Raises:
        StoreError: It is neither, or not of the transport's kind; the message has its actual kind, if known.
    """
    if transport == "docker-archive":
        if _head(files, _MANIFEST) is None:
            raise _error(files, f"not a Docker archive: there is no file {_MANIFEST}")
        return True
    is_archive = isinstance(files, TarArchive)
    if not transport and is_archive and _head(files, _MARKER) is None and _head(files, _MANIFEST) is not None:
        return True
    if _head(files, _MARKER) is None and _head(files, _INDEX) is None:
        if not transport and is_archive:
            raise _error(
                files, f"no OCI layout and no Docker archive: there is no file {_MARKER} and no file {_MANIFEST}"
            )
        raise _error(files, f"not an OCI image layout: there is no file {_MARKER}")
    return False


def wrong_transport(files: LayoutFiles, instead: str) -> StoreError:
    """Return the error for a file where the transport requires a directory, or the reverse.

    Args:
        files: The opened place.
        instead: The transport to suggest if the kind of the place is not known.
    """
    what = "a file, not a directory" if isinstance(files, TarArchive) else "a directory, not a file"
    return StoreError(files.place, f"it is {what}; {describe(files) or f'write {instead}:{files.place}'}")


def _error(files: LayoutFiles, reason: str) -> StoreError:
    return StoreError(files.place, "; ".join(filter(None, (reason, describe(files)))))


def describe(files: LayoutFiles) -> str:
    """Return what a place is and what to do with it, as a clause; empty if not known."""
    place, is_archive = files.place, isinstance(files, TarArchive)
    if _known(files, _MARKER) is not None:
        return f"it is an OCI image layout, write {'oci-archive' if is_archive else 'oci'}:{place}"
    manifest = _known(files, _MANIFEST)
    if manifest is not None and manifest.lstrip().startswith(b"["):
        if is_archive:
            return f"it is a Docker archive, write docker-archive:{place}"
        return f"it is a Docker archive that was unpacked, pack it: tar -cf FILE -C {place} ."
    if manifest is not None and (_known(files, "version") or b"").startswith(b"Directory Transport Version"):
        packed, source = (", packed; unpack it and", "DIR") if is_archive else (",", place)
        return f"it is what skopeo writes as dir:{packed} convert it: skopeo copy dir:{source} oci:LAYOUT"
    if _known(files, "repositories") is not None:
        return (
            "it is an archive of Docker before 1.10, which current programs do not read; "
            "save the image again with a later Docker"
        )
    found = [name for name in _ROOT if files.has_directory(name)]
    if found:
        return f"it holds a root file system ({', '.join(found)}) and no image; `docker import` makes an image of a tar"
    return ""


def _head(files: LayoutFiles, name: str) -> bytes | None:
    """Return the first bytes of a file; None if there is no file."""
    stream = files.open_file(name)
    if stream is None:
        return None
    try:
        return stream.read(4096)
    finally:
        stream.close()


def _known(files: LayoutFiles, name: str) -> bytes | None:
    """Return the first bytes of a file; None if there is no regular file."""
    try:
        return _head(files, name)
    except StoreError:
        return None


def refuse_schema_1(media_type: str) -> None:
    """Refuse an index entry that is a manifest of Docker's first schema, which has no config and no diff_ids.

    Raises:
        UnsupportedError: The media type is one of that schema.
    """
    if media_type in _SCHEMA_1:
        hint = (
            "Docker image manifest version 2, schema 1 is not supported; "
            "convert the image from where it came: skopeo copy --format oci docker://NAME oci:DIR"
        )
        raise UnsupportedError("image manifest", media_type, hint)
