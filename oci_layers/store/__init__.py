"""Places that hold images: layout directories and archives, opened by name.

`name` parses names, `open` is `open_image` and `check` is `check_image`, `layout` and `archive` and `docker` are the
kinds of place, `diagnose` says what a place is that is another or none, `choose` finds one image among several, and
`sparse` reads members of archives that have holes.
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image

if TYPE_CHECKING:
    from oci_layers.store.check import check_image

__all__ = ["ImageName", "check_image", "open_image"]

__getattr__ = lazy(__name__, {"check_image": "check"})
