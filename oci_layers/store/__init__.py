"""Places that hold images: layout directories and archives, opened by name.

`name` parses image names, `open` has `open_image`, `check` has `check_image`. `layout`, `archive` and `docker` read the
kinds of places, `diagnose` explains why a place is not of the expected kind, `select` chooses one image of several, and
`sparse` reads archive members with holes.
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image

if TYPE_CHECKING:
    from oci_layers.store.check import check_image

__all__ = ["ImageName", "check_image", "open_image"]

__getattr__ = lazy(__name__, {"check_image": "check"})
