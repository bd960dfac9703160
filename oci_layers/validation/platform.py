"""The rules of `platform`, as a table (image-index.md), and the checks that a config shares with it.

Types are required, values only advised: a system or variant that the spec does not list may be valid later, so it is a
note. The entry for a machine is chosen in `spec.platform_selection`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oci_layers.validation.rule import OK, Check, Fault, array_of, has_type, matches, quoted, required, rule

__all__ = ["PLATFORM_RULES", "fits_platform", "known_names", "windows_features"]

# The names of Go's compiler: `go tool dist list`, and reserved names.
_SYSTEMS = frozenset(
    {
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "hurd",
        "illumos",
        "ios",
        "js",
        "linux",
        "nacl",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "wasip1",
        "windows",
        "zos",
    }
)
_ARCHITECTURES = frozenset(
    {
        "386",
        "amd64",
        "amd64p32",
        "arm",
        "arm64",
        "arm64be",
        "armbe",
        "loong64",
        "mips",
        "mips64",
        "mips64le",
        "mips64p32",
        "mips64p32le",
        "mipsle",
        "ppc",
        "ppc64",
        "ppc64le",
        "riscv",
        "riscv64",
        "s390",
        "s390x",
        "sparc",
        "sparc64",
        "wasm",
    }
)
_VARIANTS = {
    "amd64": re.compile(r"v[1-9]"),
    "arm": re.compile(r"v[5-8]"),
    "arm64": re.compile(r"v(?:8|9)(?:\.[0-9]+)?"),
    "ppc64le": re.compile(r"power[0-9]+"),
    "riscv64": re.compile(r"rva[0-9]+u64"),
}
_UNKNOWN = "unknown"  # Marks an entry of an index that is not an image.


def fits_platform(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    """Return a fault if the variant is not one that the spec lists for the object's architecture."""
    found: list[Fault] = []
    architecture, variant = node.get("architecture"), node.get("variant")
    table = _VARIANTS.get(architecture) if type(architecture) is str else None
    if table and type(variant) is str and not table.fullmatch(variant):
        found.append((("variant",), f"{quoted(variant)} is not a variant that the spec lists for {architecture}"))
    return found


def windows_features(node: Mapping[str, Any]) -> Iterable[Fault]:  # Any: JSON.
    """Return a fault for each feature that the spec does not list for windows, if that is the object's system."""
    features = node.get("os.features")
    if node.get("os") != "windows" or type(features) is not list:
        return OK
    return (
        (("os.features", index), f"{quoted(feature)} is not a feature that the spec lists for windows")
        for index, feature in enumerate(features)
        if type(feature) is str and feature != "win32k"
    )


def known_names(kind: str) -> tuple[Check, ...]:
    """Return the checks that an object has a system and an architecture, with names that Go knows."""
    systems, architectures = _SYSTEMS | {_UNKNOWN}, _ARCHITECTURES | {_UNKNOWN}
    return (
        required(kind, "architecture"),
        has_type(f"{kind}.architecture", str),
        matches(f"{kind}.architecture", architectures.__contains__, "is not a GOARCH that Go knows", severity="note"),
        required(kind, "os"),
        has_type(f"{kind}.os", str),
        matches(f"{kind}.os", systems.__contains__, "is not a GOOS that Go knows", severity="note"),
    )


PLATFORM_RULES = (
    rule("IDX-08", "MUST", "error", "`platform` is an object.", (has_type("descriptor.platform", dict),)),
    rule(
        "IDX-09",
        "MUST",
        "error",
        "A platform has an `architecture` and an `os`, strings that Go knows as GOARCH and GOOS.",
        known_names("platform"),
    ),
    rule(
        "IDX-10",
        "MUST",
        "error",
        "`os.version` of a platform is a string.",
        (has_type("platform.os.version", str),),
    ),
    rule(
        "IDX-11",
        "MUST",
        "error",
        "`os.features` of a platform is an array of strings; for windows there is win32k.",
        (array_of("platform.os.features", str), Check("platform", windows_features, "note")),
    ),
    rule(
        "IDX-12",
        "MUST",
        "error",
        "`variant` of a platform is a string; for some architectures the values are listed.",
        (has_type("platform.variant", str), Check("platform", fits_platform, "note")),
    ),
    rule(
        "IDX-13",
        "MUST",
        "error",
        "`features` of a platform is reserved; if present, it is an array of strings.",
        (array_of("platform.features", str),),
    ),
)
