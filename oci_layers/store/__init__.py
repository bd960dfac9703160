"""Places that hold images: layout directories and archives, opened by name.

`name` parses image names, `open` has `open_image`, `listing` has `list_images`, `check` has `check_image`. `layout`,
`archive` and `docker` read the kinds of places, `diagnose` explains why a place is not of the expected kind, `select`
chooses one image of several, and `sparse` reads archive members with holes.

A name is a transport, a place and a reference; a bare path has no transport, and its content decides:

    >>> from oci_layers.errors import ReferenceMissingError
    >>> from oci_layers.store import ImageName, ListedImage, check_image, list_images, open_image
    >>> ImageName.parse("oci:tests/data/image:lighthouse")
    ImageName(transport='oci', place='tests/data/image', ref='lighthouse')
    >>> ImageName.parse("docker-archive:saved.tar:alpine:3.20").ref
    'alpine:3.20'
    >>> with open_image("oci:tests/data/image:lighthouse") as image:
    ...     print(image.name, image.config.architecture)
    oci:tests/data/image:lighthouse amd64
    >>> try:
    ...     open_image("oci:tests/data/image:3.20")
    ... except ReferenceMissingError as error:
    ...     print(error)
    no image '3.20'; there are: lighthouse

`list_images` returns what a place holds, one item for each manifest:

    >>> listed: ListedImage = list_images("tests/data/image")[0]
    >>> listed.refs, str(listed.platform), listed.layers
    (('lighthouse',), 'linux/amd64', 5)

`check_image` checks all that a place holds: the marker and the index, and everything that can be reached from them:

    >>> checked = check_image("tests/data/image")
    >>> checked.ok, checked.blobs, checked.layers
    (True, 7, 5)
    >>> for found in checked.findings:
    ...     where = found.location
    ...     print(found.severity, found.rule, where.document or where.media_type, where.pointer)
    note DSC-23 index.json /manifests/0/platform
    warning IDX-03 index.json /mediaType
    warning MAN-02 application/vnd.oci.image.manifest.v1+json /mediaType
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image

if TYPE_CHECKING:
    from oci_layers.store.check import check_image
    from oci_layers.store.listing import ListedImage, list_images

__all__ = ["ImageName", "ListedImage", "check_image", "list_images", "open_image"]

__getattr__ = lazy(__name__, {"ListedImage": "listing", "check_image": "check", "list_images": "listing"})
