"""Whole images: documents and blobs into layers, the merged file system, and a directory that holds it.

`image` is the image, `layer` one of its layers, `view` the merged file system as paths, `lint` what is
doubtful in the layers; `contents`, `part` and `meter`, and for paths `pattern`, `path_stat` and `content_reader`, are
what these need.
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.image.image import Image
from oci_layers.image.layer import Layer
from oci_layers.image.meter import Progress
from oci_layers.image.path_stat import ImageStat
from oci_layers.image.view import ImagePath

if TYPE_CHECKING:
    from oci_layers.image.lint import lint_layers

__all__ = ["Image", "ImagePath", "ImageStat", "Layer", "Progress", "lint_layers"]

__getattr__ = lazy(__name__, {"lint_layers": "lint"})
