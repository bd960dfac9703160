"""What an entry of an index says that its target runs on, held against what the target says itself.

The target is an image, whose config says it, or another index, with images in it. Names are compared as Go writes them,
so that x86_64 is amd64; what either leaves out is no difference. Which places these are, and in which documents, is in
`verify`; whether the words are known, in `spec.rules_platform`.
"""

from collections.abc import Mapping

from oci_layers.errors import NameFormatError, escape
from oci_layers.report import Severity
from oci_layers.spec.config import ImageConfig, platform_of
from oci_layers.spec.platform import Platform

__all__ = ["Difference", "Pair", "compare_with_config", "compare_with_several", "normal", "pair"]

Pair = tuple[str, str]
"""A system and an architecture."""

Difference = tuple[str, Severity, str]
"""The id of a rule, how bad it is that it is not kept, and a message to which the digest of the target belongs."""


def normal(platform: Platform) -> Platform:
    """Return a platform in the names that Go uses, so far as they are names; without versions and features."""
    try:
        return Platform.parse("/".join(filter(None, (platform.os, platform.architecture, platform.variant))))
    except NameFormatError:
        return Platform(os=platform.os, architecture=platform.architecture, variant=platform.variant)


def compare_with_config(entry: Platform, config: ImageConfig) -> list[Difference]:
    """Return how the platform of an entry differs from that of the config, where both say something."""
    image = platform_of(config)
    said, found = normal(entry), normal(image)
    if pair(said) != pair(found):
        return [("IDX-09", "error", f"is {_shown(said)}, but {_shown(found)} in the config of")]
    differences: list[Difference] = []
    if entry.os_version and image.os_version and entry.os_version != image.os_version:
        message = f"has os.version {escape(entry.os_version)}, but {escape(image.os_version)} in the config of"
        differences.append(("IDX-10", "warning", message))
    if said.variant and found.variant and said.variant != found.variant:
        differences.append(("IDX-12", "warning", f"is {_shown(said)}, but {_shown(found)} in the config of"))
    return differences


def compare_with_several(entry: Platform, inside: Mapping[Pair, Platform]) -> list[Difference]:
    """Return how the platform of an entry differs from those of the images in the index that it names.

    If none of them is for it, the entry leads to no image; if only some are not, these are never found.
    """
    said = normal(entry)
    other = next((platform for key, platform in inside.items() if key != pair(said)), None)
    if other is None:
        return []
    severity: Severity = "warning" if pair(said) in inside else "error"
    return [("IDX-09", severity, f"is {_shown(said)}, but there is an image for {_shown(other)} in")]


def pair(platform: Platform) -> Pair:
    """Return what two platforms must have in common."""
    return platform.os, platform.architecture


def _shown(platform: Platform) -> str:
    return escape(str(platform))
