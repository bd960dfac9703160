"""The platform on which an image runs, parsed from text such as `linux/arm64/v8`.

The names are those of Go (GOOS, GOARCH), the variants those of image-index.md, `platform`. Other programs use other
names for the same machine (`x86_64`, `aarch64`, `armhf`), so `normalize` maps names to Go's before they are compared;
a document keeps its own.
"""

import re
from collections.abc import Mapping
from typing import Any, Self

import attrs

from oci_layers.errors import NameFormatError
from oci_layers.spec.model import checked

__all__ = ["Platform", "normalize"]

_NAME = r"[A-Za-z0-9_.-]+"
_GRAMMAR = re.compile(
    rf"(?P<os>{_NAME})(?:\((?P<os_version>[!-\'*-.0-~]+)\))?/(?P<architecture>{_NAME})(?:/(?P<variant>{_NAME}))?"
)

_OS = {"macos": "darwin"}

# Other names of an architecture; the part after the slash is the variant that the name implies.
_ARCHITECTURE = {
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armel": "arm/v6",
    "armhf": "arm/v7",
    "armv5l": "arm/v5",
    "armv6l": "arm/v6",
    "armv7l": "arm/v7",
    "armv8l": "arm/v8",
    "ppc64el": "ppc64le",
    "mipsel": "mipsle",
    "mips64el": "mips64le",
    "loongarch64": "loong64",
}


# Names of Arm variants in kernels and compilers: armv7l, armv7hl, armv8, armv8.2-a.
_ARM_VARIANT = re.compile(r"arm(?P<variant>v[0-9]+(?:\.[0-9]+)?)(?:l|hl|-?a)?")
_ARM_FLOATS = {"armhf": "v7", "armel": "v6"}


@checked
@attrs.frozen(kw_only=True)
class Platform:
    """The platform that an image requires (image-index.md, `platform`). Hashed without its unknown fields."""

    architecture: str
    """The CPU architecture, a GOARCH value (image-index.md, `platform.architecture`)."""
    os: str
    """The operating system, a GOOS value (image-index.md, `platform.os`)."""
    os_version: str | None = None
    """The required version of the operating system (image-index.md, `platform.os.version`)."""
    os_features: tuple[str, ...] = ()
    """The required features of the operating system (image-index.md, `platform.os.features`)."""
    variant: str | None = None
    """The variant of the CPU (image-index.md, `platform.variant`)."""
    features: tuple[str, ...] = ()
    """Reserved; kept but not interpreted (image-index.md, `platform.features`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `OS[(VERSION)]/ARCHITECTURE[/VARIANT]`; the platform has the names that Go uses.

        Raises:
            NameFormatError: The text is not of that form.
        """
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise NameFormatError("platform", text, "must be OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT")
        os, architecture, variant = normalize(match["os"], match["architecture"], match["variant"])
        return cls(os=os, architecture=architecture, variant=variant or None, os_version=match["os_version"])

    def __str__(self) -> str:
        version = f"({self.os_version})" if self.os_version else ""
        variant = f"/{self.variant}" if self.variant else ""
        return f"{self.os}{version}/{self.architecture}{variant}"


def normalize(os: str, architecture: str, variant: str | None) -> tuple[str, str, str]:
    """Return system, architecture and variant in the names that Go uses; "" is no variant."""
    os = os.lower()
    architecture = architecture.lower()
    variant = (variant or "").lower()
    architecture, _, implied = _ARCHITECTURE.get(architecture, architecture).partition("/")
    if variant[:1].isdigit():
        variant = f"v{variant}"
    elif architecture in {"arm", "arm64"} and (named := _ARM_VARIANT.fullmatch(variant)):
        variant = named["variant"]
    elif architecture == "arm":
        variant = _ARM_FLOATS.get(variant, variant)
    return _OS.get(os, os), architecture, variant or implied
