"""How layers are applied where the spec leaves a choice or an image breaks it: a frozen object with three presets."""

from typing import Literal, get_args

import attrs

from oci_layers.errors import NameFormatError

__all__ = ["AnyPolicy", "Policy", "PolicyName"]

PolicyName = Literal["default", "strict", "lenient"]
"""The presets."""


@attrs.frozen(kw_only=True)
class Policy:
    """How layers are applied. The field defaults are the preset `default`.

    No policy lets a path leave the root, accepts a wrong digest, or lifts a limit (`Limits`).
    """

    parents: Literal["follow", "replace"] = "follow"
    """Links in the parents of a name: followed inside the root, or replaced by directories, as an overlay does."""
    duplicates: Literal["last", "error"] = "last"
    """Two entries of one layer with one name: the last one wins, or an error (LYR-02)."""
    climbing: Literal["error", "clamp"] = "error"
    """Names that climb above the root: an error, or held at the root."""
    unknown_types: Literal["error", "skip"] = "error"
    """Entries of an unknown tar type: an error, or dropped and reported."""
    forward_links: Literal["error", "defer"] = "error"
    """Hard links to a name that comes later: an error, or made at the end of the layer."""
    refused: Literal["error", "skip"] = "error"
    """Any other entry that the rules refuse: an error, or dropped and reported."""
    suspicious: Literal["report", "error"] = "report"
    """What is legal and probably a mistake, such as a file used as a directory: reported, or an error."""

    @classmethod
    def of(cls, policy: "AnyPolicy") -> "Policy":
        """Return a policy that is given as itself, by the name of a preset, or as None for the default.

        Raises:
            NameFormatError: There is no such preset.
        """
        if policy is None:
            return cls()
        return policy if isinstance(policy, Policy) else cls.preset(policy)

    @classmethod
    def preset(cls, name: str) -> "Policy":
        """Return the preset called `name`: `default`, `strict` or `lenient`.

        Raises:
            NameFormatError: There is no such preset.
        """
        match name:
            case "default":
                return cls()
            case "strict":
                return cls(duplicates="error", suspicious="error")
            case "lenient":
                return cls(climbing="clamp", unknown_types="skip", forward_links="defer", refused="skip")
            case _:
                raise NameFormatError("policy", name, f"there are {', '.join(get_args(PolicyName))}")


AnyPolicy = Policy | PolicyName | None
"""What takes a policy takes the name of a preset too."""
