r"""One image: its documents and blobs become layers, a merged file system, and a directory on disk.

`image` is the image, `layer` one of its layers, `path` the merged file system as paths, `lint` checks the layers. Below
them, in the order of the flow: `reader` opens a layer, `entries` and `prefetch` read ahead, `merge` applies layers to a
tree, `content` reads contents later, `subset` selects paths, `unpack` writes a tree to disk and `export` to one tar.
`account` is what each layer did, `why` the history of one path, `shared` what two images share. `pattern`, `path_stat`
and `content_reader` are parts of `path`.

`store.open_image` opens an `Image`. It has documents, layers and a merged file system, each read when it is used:

    >>> from oci_layers.image import Image, ImagePath, ImageStat, Layer, Progress, lint_layers, shared_layers
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

`export` writes it as one tar, which `docker import` reads, without a disk:

    >>> import io
    >>> exported = io.BytesIO()
    >>> image.export(exported).entries, len(exported.getvalue())
    (19, 14336)

`account` says what each layer did, and how many bytes of it the image does not show; `why` is the history of a path:

    >>> from oci_layers.image import Account, LayerAccount, PathHistory, SharedLayers, Tally, Touch
    >>> account: Account = image.account()
    >>> account.content_bytes, account.wasted_bytes
    (321, 105)
    >>> top: LayerAccount = account.layers[4]
    >>> top.added, top.changed, top.removed == Tally(count=2, bytes=25)
    (Tally(count=0, bytes=0), Tally(count=1, bytes=19), True)
    >>> list(top.paths("removed"))
    [b'opt/lens/first', b'opt/lens/second']
    >>> history: PathHistory = image.why("/var/log/1889")
    >>> history.path, history.links
    (b'usr/share/log/1889', (b'var/log',))
    >>> last: Touch = history.touches[-1]
    >>> last.layer.index, last.what, last.marker
    (2, 'removed', 'whiteout')

`shared_layers` compares the stacks of two images by their documents:

    >>> shared: SharedLayers = shared_layers(image, image)
    >>> len(shared.base), len(shared.plain), len(shared.stored)
    (5, 5, 5)

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
    from oci_layers.image.account import Account, LayerAccount, Tally
    from oci_layers.image.lint import lint_layers
    from oci_layers.image.shared import SharedLayers, shared_layers
    from oci_layers.image.why import PathHistory, Touch

__all__ = [
    "Account",
    "Image",
    "ImagePath",
    "ImageStat",
    "Layer",
    "LayerAccount",
    "PathHistory",
    "Progress",
    "SharedLayers",
    "Tally",
    "Touch",
    "lint_layers",
    "shared_layers",
]

__getattr__ = lazy(
    __name__,
    {
        "Account": "account",
        "LayerAccount": "account",
        "PathHistory": "why",
        "SharedLayers": "shared",
        "Tally": "account",
        "Touch": "why",
        "lint_layers": "lint",
        "shared_layers": "shared",
    },
)
