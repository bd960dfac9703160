"""The marker file `oci-layout` of an image layout (image-layout.md).

Only the document. Directories, blobs and `index.json` as a place to store images live in `store/layout`.
"""

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["ImageLayout"]


@attrs.frozen(kw_only=True)
class ImageLayout:
    """The content of `oci-layout` (image-layout.md, "oci-layout file")."""

    image_layout_version: str = "1.0.0"
    """The only version that there is (image-layout.md, `imageLayoutVersion`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it stood in the document; see `spec/codec`."""
