"""Temporary files without a name; errors name the temporary directory."""

import tempfile
from typing import IO

from oci_layers.errors import locate
from oci_layers.system.files import write_all, write_at

__all__ = ["temporary_directory", "temporary_file", "write_temporary"]


def temporary_file(directory: str | None = None) -> IO[bytes]:
    """Open a file without a name that is removed when closed; an error names the temporary directory."""
    try:
        return tempfile.TemporaryFile(dir=directory, buffering=0)
    except OSError as error:
        _locate_temporary(error, directory)
        raise


def write_temporary(
    file: IO[bytes], data: bytes | memoryview, directory: str | None = None, *, offset: int | None = None
) -> None:
    """Write all of `data` to a `temporary_file`, which is in `directory`; an error names the directory.

    With `offset`, write there, and leave the position of the file as it is.
    """
    try:
        if offset is None:
            write_all(file.fileno(), memoryview(data))
        else:
            write_at(file.fileno(), memoryview(data), offset)
    except OSError as error:
        _locate_temporary(error, directory)
        raise


def _locate_temporary(error: OSError, directory: str | None) -> None:
    if directory is None:
        # If none is usable, the error lists the directories tried.
        locate(error, tempfile.tempdir, "temporary directory (set TMPDIR to use another)")
    else:
        locate(error, directory, "temporary directory")


def temporary_directory(directory: str | None = None) -> str:
    """Return where `temporary_file` puts its files."""
    return directory or tempfile.gettempdir()
