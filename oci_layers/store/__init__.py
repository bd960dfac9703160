"""Places that hold images: layout directories and archives, opened by name; and stores, which are written to.

`name` parses image names, `open` has `open_image`, `listing` has `list_images`, `check` has `check_image`. `layout`,
`archive` and `docker` are the kinds of places, `repository` is what they have in common, `memory` is one in memory and
`union` several as one, `registry` a repository of a registry. `place` opens any of them by name, `copy` copies between
them, and `fsck`, `gc` and `du` keep a layout. `files` and `index_file` interpret and change the files of a layout,
`diagnose` explains why a place is not of the expected kind, `select` chooses one image of several, and `sparse` reads
archive members with holes.

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

    >>> import contextlib, io, os, tempfile
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

`oci_layers.copy` copies images between any two places, given as repositories or by name, and only what is missing. A
document is copied as its bytes; a `Conversion` gives an image other media types or compressions, and new digests:

    >>> import oci_layers as oci
    >>> from oci_layers.store import Conversion, Copied, create_repository, open_repository
    >>> store, archive = os.path.join(work.name, "store"), os.path.join(work.name, "image.tar")
    >>> copied: Copied = oci.copy("tests/data/image", f"oci:{store}")
    >>> copied.blobs, copied.bytes, oci.copy("tests/data/image", f"oci:{store}").present
    (7, 3320, 7)
    >>> converted = oci.copy(f"oci:{store}:lighthouse", archive, conversion=Conversion(compression="zstd"))
    >>> len(converted.converted)  # the layers and the manifest
    6
    >>> source, ref = open_repository(f"oci-archive:{archive}:lighthouse")
    >>> target, new_ref = create_repository(f"oci:{store}:small")
    >>> with contextlib.closing(source), target:
    ...     oci.copy(source, target, ref, target_ref=new_ref).present  # the config is the same
    1

A repository of a registry is one, too; its session may have any transport:

    >>> from oci_layers.registry import Headers, RegistrySession, Response
    >>> from oci_layers.store import ReferrerSource, RegistryRepository
    >>> class Shelf:
    ...     def send(self, request):
    ...         body = io.BytesIO(b'{"tags": ["2", "1"]}')
    ...         return Response(url=request.url, status=200, headers=Headers(), body=body)
    ...     def close(self): ...
    >>> with RegistryRepository("registry.example/a", session=RegistrySession(transport=Shelf())) as remote:
    ...     remote.place, remote.tags(), isinstance(remote, ReferrerSource)
    ('docker://registry.example/a', ['1', '2'], True)

`oci_layers.Cached` keeps in a layout what is read of another place:

    >>> with oci.Cached(Layout.open("tests/data/image"), os.path.join(work.name, "cache")) as cached:
    ...     with oci.open_image(cached, ref="lighthouse") as image:
    ...         _ = image.tree()
    >>> with Layout.open(os.path.join(work.name, "cache")) as kept:
    ...     len(list(kept.blobs.iter_blobs()))
    7

Three functions keep a store. `fsck` compares every blob with its digest, says which images a damaged one breaks, and
takes the right bytes from elsewhere; nothing is deleted. `gc` deletes what nothing refers to, but no blob of the last
hour or of a running copy. `du` tells what images share:

    >>> from oci_layers.store import Checked, Collected, ImageUsage, StoreFinding, Usage
    >>> layout = Layout.open(store)
    >>> usage: Usage = oci.du(layout)
    >>> small: ImageUsage = usage.images[1]
    >>> small.refs, small.shared == usage.saved
    (('small',), True)
    >>> layout.untag("small")
    >>> collected: Collected = oci.gc(layout, dry_run=True)
    >>> len(collected.deleted), collected.marks.reasons[str(small.digest)].why
    (0, 'new')
    >>> damaged = os.path.join(store, "blobs", "sha256", layout.resolve().digest.encoded)
    >>> with open(damaged, "ab") as file:
    ...     _ = file.write(b" ")
    >>> with Layout.open("tests/data/image") as other:
    ...     checked: Checked = oci.fsck(layout, repair_from=[other.blobs])
    >>> finding: StoreFinding = checked.findings[0]
    >>> finding.kind, finding.refs, finding.repaired, checked.ok
    ('corrupt', ('lighthouse',), True, True)
    >>> from oci_layers.store import BatchTagger, tag_all
    >>> tag_all(layout, [(f"lighthouse:{number}", layout.entries("lighthouse")) for number in (1, 2)])
    >>> isinstance(layout, BatchTagger), [len(layout.entries(f"lighthouse:{number}")) for number in (1, 2)]
    (True, [1, 1])
    >>> layout.close()
    >>> work.cleanup()
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.store.layout import Layout
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image
from oci_layers.store.repository import BatchTagger, ReferrerSource, Repository, WritableRepository, tag_all

if TYPE_CHECKING:
    from oci_layers.store.check import check_image
    from oci_layers.store.convert import Conversion
    from oci_layers.store.du import ImageUsage, Usage
    from oci_layers.store.fsck import Checked, StoreFinding
    from oci_layers.store.gc import Collected
    from oci_layers.store.listing import ListedImage, list_images
    from oci_layers.store.memory import MemoryRepository
    from oci_layers.store.place import create_repository, open_repository
    from oci_layers.store.registry import RegistryRepository
    from oci_layers.store.transfer import Copied
    from oci_layers.store.union import Union

__all__ = [
    "BatchTagger",
    "Checked",
    "Collected",
    "Conversion",
    "Copied",
    "ImageName",
    "ImageUsage",
    "Layout",
    "ListedImage",
    "MemoryRepository",
    "ReferrerSource",
    "RegistryRepository",
    "Repository",
    "StoreFinding",
    "Union",
    "Usage",
    "WritableRepository",
    "check_image",
    "create_repository",
    "list_images",
    "open_image",
    "open_repository",
    "tag_all",
]

__getattr__ = lazy(
    __name__,
    {
        "Checked": "fsck",
        "Collected": "gc",
        "Conversion": "convert",
        "Copied": "transfer",
        "ImageUsage": "du",
        "ListedImage": "listing",
        "MemoryRepository": "memory",
        "RegistryRepository": "registry",
        "StoreFinding": "fsck",
        "Union": "union",
        "Usage": "du",
        "check_image": "check",
        "create_repository": "place",
        "list_images": "listing",
        "open_repository": "place",
    },
)
