"""Places that hold images: layout directories and archives, opened by name; and stores, which are written to.

`name` parses image names, `open` has `open_image`, `listing` has `list_images`, `check` has `check_image`. `layout`,
`archive` and `docker` are the kinds of places, `repository` is what they have in common, `memory` is one in memory and
`union` several as one. `files` and `index_file` interpret and change the files of a layout, `diagnose` explains why a
place is not of the expected kind, `select` chooses one image of several, and `sparse` reads archive members with holes.

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

A `Layout` is a store: blobs are put first, children before the documents that list them, then the image gets its name.
Any number of processes may write to it, and what a call has returned from survives a power cut:

    >>> import io, os, tempfile
    >>> from oci_layers.spec import EMPTY_DESCRIPTOR, Descriptor, Manifest, to_json
    >>> from oci_layers.store import Layout, Repository, WritableRepository
    >>> manifest = to_json(Manifest(artifact_type="text/x-log", config=EMPTY_DESCRIPTOR, layers=(EMPTY_DESCRIPTOR,)))
    >>> descriptor = Descriptor.of(manifest, media_type="application/vnd.oci.image.manifest.v1+json")
    >>> def write(target: WritableRepository) -> None:
    ...     target.blobs.put_blob(io.BytesIO(b"{}"), EMPTY_DESCRIPTOR)
    ...     target.blobs.put_blob(io.BytesIO(manifest), descriptor)
    ...     target.tag("log", descriptor)
    >>> work = tempfile.TemporaryDirectory()
    >>> layout = Layout.create(os.path.join(work.name, "layout"))
    >>> write(layout)
    >>> layout.resolve("log").digest == descriptor.digest
    True
    >>> layout.move("log", "log/2024")
    >>> layout.resolve("log")
    Traceback (most recent call last):
        ...
    oci_layers.errors.ReferenceMissingError: no image 'log'; there are: log/2024
    >>> layout.close()

All places are a `Repository`; those that are written to are a `WritableRepository`, such as `MemoryRepository`. A
`Union` puts one of these in front of others, which are only read:

    >>> from oci_layers.store import MemoryRepository, Union
    >>> def names(place: Repository) -> list[str]:
    ...     return [entry.annotations["org.opencontainers.image.ref.name"] for entry in place.entries()]
    >>> union = Union(MemoryRepository(), Layout.open(layout.place))
    >>> write(union)
    >>> names(union)
    ['log', 'log/2024']
    >>> union.close()
    >>> work.cleanup()
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.store.layout import Layout
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image
from oci_layers.store.repository import Repository, WritableRepository

if TYPE_CHECKING:
    from oci_layers.store.check import check_image
    from oci_layers.store.listing import ListedImage, list_images
    from oci_layers.store.memory import MemoryRepository
    from oci_layers.store.union import Union

__all__ = [
    "ImageName",
    "Layout",
    "ListedImage",
    "MemoryRepository",
    "Repository",
    "Union",
    "WritableRepository",
    "check_image",
    "list_images",
    "open_image",
]

__getattr__ = lazy(
    __name__,
    {
        "ListedImage": "listing",
        "MemoryRepository": "memory",
        "Union": "union",
        "check_image": "check",
        "list_images": "listing",
    },
)
