"""Image names in the syntax of skopeo: `TRANSPORT:PLACE[:REF]`, split at the first colon after the transport.

`oci:DIR@DIGEST` names an image of a layout by its digest; for a directory whose name has that form, use `--ref`.
The file `-` of an archive is standard input, or standard output where one is written; `./-` is a file of that name.
`docker://HOST/REPOSITORY[:TAG|@DIGEST]` names an image in a registry as `docker pull` does; of a tag and a digest the
digest counts.
"""

import re

import attrs

from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.spec.digest import Digest
from oci_layers.spec.reference import Reference

__all__ = ["TRANSPORTS", "ImageName", "check_name", "check_text", "normalize_reference"]

TRANSPORTS = ("oci", "oci-archive", "docker-archive", "docker")
_WITH_DIGESTS = frozenset({"oci", "oci-archive"})
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "blake3"})
"""The known algorithms: text before a colon is an algorithm only if it is one of these."""
_ELSEWHERE = {
    "docker-daemon": "the images of a Docker daemon are not read",
    "containers-storage": "the storage of Podman and Buildah is not read",
    "dir": "directories of skopeo's are not read",
    "ostree": "OSTree repositories are not read",
    "sif": "images of Singularity and Apptainer are not read",
}
"""Other transports of skopeo, which can copy images from there, each with the reason why it is refused."""
_TRANSPORT = re.compile(r"[a-z][a-z0-9+-]*(?=:)")


@attrs.frozen
class ImageName:
    """The place of an image. If the transport is empty, the place is a bare path, and its content decides the kind.

    Raises:
        NameFormatError: The place or the reference has a NUL, or half of a surrogate pair.
    """

    transport: str
    place: str
    ref: str | None = None

    def __attrs_post_init__(self) -> None:
        check_text("image name", self.place)
        check_text("reference", self.ref or "")

    @classmethod
    def parse(cls, text: str) -> "ImageName":
        """Parse a name. Text without a colon, or with a slash before the first colon, is a bare path.

        Raises:
            UnsupportedError: The transport is unknown.
            NameFormatError: The name is empty, names no place, or cannot be a path.
        """
        found = _TRANSPORT.match(text)
        if found is None:
            if not text:
                raise NameFormatError("image name", text, "it is empty")
            return cls("", text)
        transport = found[0]
        if transport not in TRANSPORTS:
            raise UnsupportedError("transport", transport, _hint(transport, text))
        if transport == "docker":
            return cls._of_registry(text)
        place, colon, ref = text[len(transport) + 1 :].partition(":")
        if transport in _WITH_DIGESTS:
            directory, _, algorithm = place.rpartition("@")
            if directory and colon and algorithm in _ALGORITHMS:
                place, ref = directory, str(Digest.parse(f"{algorithm}:{ref}"))
        if not place:
            raise NameFormatError("image name", text, "it names no file or directory")
        if colon and not ref:
            raise NameFormatError("image name", text, "the reference after the last colon is empty")
        return cls(transport, place, ref if colon else None)

    @classmethod
    def _of_registry(cls, text: str) -> "ImageName":
        name = text.removeprefix("docker://")
        if name == text:
            raise NameFormatError("image name", text, f"write docker://{text.removeprefix('docker:')}")
        Reference.parse(name)
        place, _, digest = name.partition("@")
        tag = ""
        if ":" in place.rpartition("/")[2]:
            place, _, tag = place.rpartition(":")
        return cls("docker", f"//{place}", digest or tag or None)

    @property
    def repository(self) -> str:
        """The registry and the repository of a name of the transport `docker`, as it was written."""
        return self.place.removeprefix("//")

    def __str__(self) -> str:
        if self.transport == "docker" and self.ref is not None and ":" in self.ref:
            return f"docker:{self.place}@{self.ref}"
        return ":".join(filter(None, (self.transport, self.place, self.ref)))


def _hint(transport: str, text: str) -> str:
    if transport in _ELSEWHERE:
        return f"{_ELSEWHERE[transport]}; copy the image first: skopeo copy {text} oci:DIR"
    return f"there are {', '.join(TRANSPORTS)}; for a path with a colon write ./{text}, for REF use --ref"


def check_text(what: str, text: str) -> None:
    """Refuse text that can be neither a path nor a reference, before the system refuses it.

    Raises:
        NameFormatError: The text has a NUL, or half of a surrogate pair.
    """
    if "\0" in text:
        raise NameFormatError(what, text, "it has a NUL byte")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise NameFormatError(what, text, "it is not valid Unicode") from None


def check_name(ref: str) -> None:
    """Refuse text that cannot be the name of an image in an index; any other text can (LAY-09).

    Raises:
        NameFormatError: The text is empty, has a control character, looks like a digest, or cannot be a reference.
    """
    check_text("reference", ref)
    if not ref:
        raise NameFormatError("reference", ref, "it is empty")
    if not ref.isprintable():
        raise NameFormatError("reference", ref, "it has a control character")
    if ref.partition(":")[0] in _ALGORITHMS and ":" in ref:
        raise NameFormatError("reference", ref, "it looks like a digest")


def normalize_reference(name: str) -> str:
    """Return a name with Docker's defaults written out: `alpine` is `docker.io/library/alpine:latest` (DSV-12).

    A name that is not a reference, which archives may hold, is returned unchanged.
    """
    try:
        return str(Reference.parse(name))
    except NameFormatError:
        return name
