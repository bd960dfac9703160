"""The marker file `oci-layout` of an image layout (image-layout.md).

Only the document: `store/layout` reads the directories, blobs and `index.json` of a layout.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from oci_layers.spec.model import checked

__all__ = ["ImageLayout"]


@checked
@attrs.frozen(kw_only=True)
class ImageLayout:
    """The content of `oci-layout` (image-layout.md, "oci-layout file")."""

    image_layout_version: str = "1.0.0"
    """Always `1.0.0`, the only version (image-layout.md, `imageLayoutVersion`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""
