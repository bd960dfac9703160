"""New layers.

`container` has the files of an image to be changed.
"""

from oci_layers.build.box_path import BoxPath
from oci_layers.build.container import WritableLayer

__all__ = ["BoxPath", "WritableLayer"]
