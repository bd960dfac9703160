r"""One image: its documents and blobs become layers, a merged file system, and a directory on disk.

`image` is the image, `layer` one of its layers, `path` the merged file system as paths, `lint` checks the layers. Below
them, in the order of the flow: `reader` opens a layer, `entries` and `prefetch` read ahead, `merge` applies layers to a
tree, `content` reads contents later, `subset` selects paths, `unpack` writes a tree to disk. `pattern`, `path_stat`
and `content_reader` are parts of `path`.

`store.open_image` opens an `Image`. It has documents, layers and a merged file system, each read when it is used:

    >>> from oci_layers.image import Image, ImagePath, ImageStat, Layer, Progress, lint_layers
    >>> from oci_layers.store import open_image
    >>> def longest(image: Image) -> Layer:
    ...     return max(image.layers, key=lambda layer: layer.descriptor.size)
    >>> image = open_image("tests/data/image")
    >>> image.config.config.cmd, len(image.layers)
    (('/usr/bin/lamp',), 5)
    >>> longest(image).index, [entry.name for entry in longest(image).entries()][:3]
    (0, [b'/', b'etc/', b'etc/motd'])
    >>> for change in image.layers[3].changes():
    ...     print(type(change).__name__, change.path)
    Opaque b'var/cache/oil'
    Add b'var/cache/oil'
    Add b'var/cache/oil/march'

The merged file system is there as paths, with the methods of `pathlib`; links are followed inside the image:

    >>> root: ImagePath = image.root
    >>> sorted(path.name for path in (root / "var/log").iterdir())
    ['1888', '1890']
    >>> status: ImageStat = (root / "usr/bin/light").stat()
    >>> oct(status.st_mode), status.st_nlink, status.st_size
    ('0o100755', 2, 24)
    >>> image.read(["etc/motd"])
    {'etc/motd': b'The lamp is lit. Keep two miles off.\n'}

`unpack` writes it to disk; its report counts. The callback gets the progress, in bytes of the blobs as stored:

    >>> import os, tempfile
    >>> seen: list[Progress] = []
    >>> with tempfile.TemporaryDirectory() as work:
    ...     report = image.unpack(os.path.join(work, "rootfs"), progress=seen.append)
    >>> report.files, report.bytes, seen[-1].done == seen[-1].total
    (8, 216, True)

The layers can be checked without unpacking. These have no findings; `image.lint()` is this for all layers of an image:

    >>> list(lint_layers(image.layers))
    []
    >>> image.close()
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
