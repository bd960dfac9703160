"""Places that hold images: layout directories and archives, opened by name.

`name` parses names, `open` is `open_image` and `check` is `check_image`, `layout` and `archive` and `docker` are the
kinds of place, `choose` finds one image among several.
"""

from oci_layers.store.check import check_image
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image

__all__ = ["ImageName", "check_image", "open_image"]
