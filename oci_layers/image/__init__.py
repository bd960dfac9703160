"""One image: its documents and blobs become layers, a merged file system, and a directory on disk.

`image` is the image, `layer` one of its layers, `path` the merged file system as paths, `lint` checks the layers. Below
them, in the order of the flow: `reader` opens a layer, `entries` and `prefetch` read ahead, `merge` applies layers to a
tree, `content` reads contents later, `subset` selects paths, `unpack` writes a tree to disk. `pattern`, `path_stat`
and `content_reader` are parts of `path`.

    with open_image("oci:alpine") as image:
        image.unpack("rootfs")
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.image.image import Image
from oci_layers.image.layer import Layer
from oci_layers.image.path import ImagePath
from oci_layers.image.path_stat import ImageStat
from oci_layers.progress import Progress

if TYPE_CHECKING:
    from oci_layers.image.lint import lint_layers

__all__ = ["Image", "ImagePath", "ImageStat", "Layer", "Progress", "lint_layers"]

__getattr__ = lazy(__name__, {"lint_layers": "lint"})
