"""The root of all errors of this library, and the context of those of the system."""

from oci_layers._text import escape, one_line

__all__ = ["MissingError", "OCIError", "locate"]


class OCIError(Exception):
    """The base class of all errors of this library."""

    def _sentence(self) -> str:
        return super().__str__()

    def __str__(self) -> str:
        return one_line(self._sentence())


class MissingError(OCIError, LookupError):
    """Something requested by name that does not exist."""


def locate(error: OSError, path: str | None, role: str) -> None:
    """Complete an `OSError` with the full path of the file and, as a note, the role of the file.

    An error of this library is left unchanged. Without `path`, the error keeps the path that it has.
    """
    if isinstance(error, OCIError):
        return
    if path is not None:
        error.filename = path
        if error.filename2 is not None:
            del error.filename2
    if escape(role) not in getattr(error, "__notes__", ()):
        error.add_note(escape(role))
