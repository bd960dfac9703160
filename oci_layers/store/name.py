"""Image names, as skopeo's users know them: `TRANSPORT:PLACE[:REF]`, split at the first colon after the transport."""

import re

import attrs

from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.spec.reference import Reference

__all__ = ["TRANSPORTS", "ImageName", "normal_name"]

TRANSPORTS = ("oci", "oci-archive", "docker-archive")
_TRANSPORT = re.compile(r"[a-z][a-z0-9+-]*(?=:)")


@attrs.frozen
class ImageName:
    """Where an image is. An empty transport means that the place is a bare path, to be told by its content."""

    transport: str
    place: str
    ref: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ImageName":
        """Parse a name. A path that has a slash before its first colon, or no colon, is a bare one.

        Raises:
            UnsupportedError: The transport is none of those that are known.
            NameFormatError: The name is empty, or names no place.
        """
        found = _TRANSPORT.match(text)
        if found is None:
            if not text:
                raise NameFormatError("image name", text, "it is empty")
            return cls("", text)
        transport = found[0]
        if transport not in TRANSPORTS:
            hint = f"there are {', '.join(TRANSPORTS)}; for a path with a colon write ./{text}, for REF use --ref"
            raise UnsupportedError("transport", transport, hint)
        place, colon, ref = text[len(transport) + 1 :].partition(":")
        if not place:
            raise NameFormatError("image name", text, "it names no file or directory")
        if colon and not ref:
            raise NameFormatError("image name", text, "the reference after the last colon is empty")
        return cls(transport, place, ref if colon else None)

    def __str__(self) -> str:
        return ":".join(filter(None, (self.transport, self.place, self.ref)))


def normal_name(name: str) -> str:
    """Return a name with Docker's defaults written out: `alpine` is `docker.io/library/alpine:latest` (DSV-12).

    Archives hold names that are no references too; those stay as they are.
    """
    try:
        return str(Reference.parse(name))
    except NameFormatError:
        return name
