"""The entries of an index: the name of each, and the choice of one for a platform.

The caller always passes the platform; no function here looks at the machine.
"""

import re
from collections.abc import Iterable

from oci_layers.errors import ReferenceMissingError
from oci_layers.spec.annotations import CONTAINERD_IMAGE_NAME, DOCKER_REFERENCE_TYPE, REF_NAME
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.mediatype import is_document
from oci_layers.spec.platform import Platform, normalize
from oci_layers.spec.windows_version import runs_on, version_numbers

__all__ = ["is_attestation", "own_name", "select"]

# The variant of an architecture that is given without one; other architectures have no variants.
_DEFAULT_VARIANT = {"amd64": "v1", "arm": "v7", "arm64": "v8", "ppc64le": "power8", "riscv64": "rva20u64"}
_RANKS = 5
"""The numbers of a rank by version: whether there is none, and four of a version, the latest first."""
_VARIANT = re.compile(r"(?P<family>[a-z]+)(?P<major>[0-9]{1,9})(?:\.(?P<minor>[0-9]{1,9}))?(?:u64)?")


def select(descriptors: Iterable[Descriptor], wanted: Platform) -> Descriptor:
    """Return the best descriptor for a platform; of equally good ones the first.

    If `wanted` has a variant, that variant is best, then older ones that run on it, the closest first. If not, all
    variants match: the default of the architecture is best, then older ones, then newer ones. An entry is skipped if
    `wanted` lists operating system features and the entry requires others, and if `wanted` has a version and the entry
    is for another build; for Windows, if it does not run on that version, and of those that do, the latest is best.
    Attestations are skipped. The last resort is an image without a platform.

    Raises:
        ReferenceMissingError: No entry matches; `known` lists the platforms of the entries.
    """
    found: list[tuple[tuple[int, ...], Descriptor]] = []
    known: dict[str, None] = {}
    last_resort: Descriptor | None = None
    for descriptor in descriptors:
        platform = descriptor.platform
        if is_attestation(descriptor):
            continue
        if platform is None:
            if last_resort is None and is_document(descriptor.media_type):
                last_resort = descriptor
            continue
        known[str(platform)] = None
        rank = _rank(platform, wanted)
        if rank is not None:
            found.append((rank, descriptor))
    if found:
        return min(found, key=lambda pair: pair[0])[1]
    if last_resort is not None:
        return last_resort
    raise ReferenceMissingError(name=str(wanted), known=tuple(known), what="platform")


def is_attestation(descriptor: Descriptor) -> bool:
    """Tell whether an entry is an attestation of BuildKit's, which describes another entry and is not an image."""
    if descriptor.annotations.get(DOCKER_REFERENCE_TYPE) == "attestation-manifest":
        return True
    platform = descriptor.platform
    return platform is not None and platform.os == platform.architecture == "unknown"


def own_name(descriptor: Descriptor) -> str | None:
    """Return the name of an entry of an index: its full name, or else its reference.

    Entries with the same name are one image for several platforms.
    """
    known = descriptor.annotations
    return known.get(CONTAINERD_IMAGE_NAME, known.get(REF_NAME))


def _rank(offered: Platform, wanted: Platform) -> tuple[int, ...] | None:
    """Return how well an entry matches, smaller is better; None if it does not match."""
    os, architecture, variant = normalize(offered.os, offered.architecture, offered.variant)
    wanted_os, wanted_architecture, wanted_variant = normalize(wanted.os, wanted.architecture, wanted.variant)
    if (os, architecture) != (wanted_os, wanted_architecture):
        return None
    if wanted.os_features and not set(offered.os_features) <= set(wanted.os_features):
        return None
    by_version = _version_rank(os, offered.os_version, wanted.os_version)
    rank = _variant_rank(architecture, variant, wanted_variant)
    return None if rank is None or by_version is None else (*by_version, *rank)


def _version_rank(os: str, offered: str | None, wanted: str | None) -> tuple[int, ...] | None:
    """Return how well a version matches; an entry without one ranks after those with one that does."""
    if not wanted:
        return (0,) * _RANKS
    if not offered:
        return (1,) + (0,) * (_RANKS - 1)
    if os != "windows":
        return (0,) * _RANKS if _build(offered) == _build(wanted) else None
    if not runs_on(offered, wanted):
        return None
    numbers = [-number for number in version_numbers(offered) or ()]
    return (0, *numbers, *[0] * (_RANKS - 1 - len(numbers)))


def _build(os_version: str) -> list[str]:
    """Return major, minor and build, without the revision, which does not matter."""
    return os_version.split(".")[:3]


def _variant_rank(architecture: str, offered: str, wanted: str) -> tuple[int, ...] | None:
    default = _DEFAULT_VARIANT.get(architecture, "")
    any_will_do = not wanted
    offered, wanted = offered or default, wanted or default
    if offered == wanted:
        return (0,)
    have, want = _level(offered), _level(wanted)
    if have is None or want is None or have[0] != want[0]:
        return (3,) if any_will_do else None
    (_, major, minor), (_, wanted_major, wanted_minor) = have, want
    if (major, minor) == (wanted_major, wanted_minor):
        return (0,)
    if (major, minor) < (wanted_major, wanted_minor):
        # Armv9.x contains Armv8 only up to 8.(x+5).
        runs = architecture != "arm64" or major == wanted_major or minor <= wanted_minor + 5
        return (1, -major, -minor) if runs or any_will_do else None
    return (2, major, minor) if any_will_do else None


def _level(variant: str) -> tuple[str, int, int] | None:
    match = _VARIANT.fullmatch(variant)
    return (match["family"], int(match["major"]), int(match["minor"] or 0)) if match else None
