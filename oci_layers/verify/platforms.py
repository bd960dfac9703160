"""The platform in an index entry, compared with the platform of the content to which the entry refers.

That content is an image, with the platform in its config, or another index, with images. Names are compared in Go's
form, so that x86_64 is amd64; a value that one side lacks is no difference. `verify.image` finds the entries and their
content; `validation.platform` checks whether the names are known.
"""

from collections.abc import Mapping

from oci_layers.errors import NameFormatError, escape
from oci_layers.report import Severity
from oci_layers.spec.config import ImageConfig, platform_of
from oci_layers.spec.platform import Platform

__all__ = ["Difference", "Pair", "compare_with_config", "compare_with_several", "normal", "pair"]

Pair = tuple[str, str]
"""An operating system and an architecture."""

Difference = tuple[str, Severity, str]
"""The id of the rule that is broken, the severity, and a message to which the caller appends a digest."""


def normal(platform: Platform) -> Platform:
    """Return a platform in the names that Go uses, or unchanged if malformed; without versions and features."""
    try:
        return Platform.parse("/".join(filter(None, (platform.os, platform.architecture, platform.variant))))
    except NameFormatError:
        return Platform(os=platform.os, architecture=platform.architecture, variant=platform.variant)


def compare_with_config(entry: Platform, config: ImageConfig) -> list[Difference]:
    """Return the differences between the platform of an entry and that of the config, for values that both have."""
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
    """Return the differences between the platform of an entry and the images in the index to which it refers.

    An error if no image matches, because the entry then leads to none; a warning if only some do not, which are then
    never selected.
    """
    said = normal(entry)
    other = next((platform for key, platform in inside.items() if key != pair(said)), None)
    if other is None:
        return []
    severity: Severity = "warning" if pair(said) in inside else "error"
    return [("IDX-09", severity, f"is {_shown(said)}, but there is an image for {_shown(other)} in")]


def pair(platform: Platform) -> Pair:
    """Return the part of a platform that must be equal for two platforms to match."""
    return platform.os, platform.architecture


def _shown(platform: Platform) -> str:
    return escape(str(platform))
