r"""The OCI image spec for Python: typed documents, verified blobs, and layers merged exactly as the spec says.

An image is opened by its name, and closed or used in a `with` statement. Everything else is read when it is used:

    >>> import io, os, tempfile
    >>> import oci_layers as oci
    >>> image: oci.Image = oci.open_image("tests/data/image")
    >>> image.config.config.cmd  # typed documents
    ('/usr/bin/lamp',)
    >>> motd: oci.ImagePath = image.root / "etc/motd"  # the merged file system, nothing extracted
    >>> motd.read_text()
    'The lamp is lit. Keep two miles off.\n'
    >>> with tempfile.TemporaryDirectory() as work:  # the same on disk, every byte verified
    ...     report: oci.Report = image.unpack(os.path.join(work, "rootfs"), owner=oci.Owner(same=False))
    ...     on_disk: oci.FileTree = oci.scan(os.path.join(work, "rootfs"))
    >>> report.files, "etc/motd" in on_disk
    (8, True)

What is read, and what is written:

    oci:DIR[:REF], oci:DIR@DIGEST        an image layout in a directory
    oci-archive:FILE[:REF], FILE@DIGEST  the same in a tar file, which may be compressed
    docker-archive:FILE[:NAME:TAG]       what `docker save` writes
    DIR, FILE                            a bare path: its content decides which of the three it is
    docker://HOST/REPOSITORY[:TAG]       an image in a registry, with the extra `registry`; `oci.Cached` keeps blobs
    to a directory                       image.unpack(DEST, paths=...); image.layers[0].unpack(DEST)
    to one tar, always the same bytes    image.export(FILE)
    from any of these to another         oci.copy(NAME, NAME)
    a layout, as a store                 oci.Layout.create(DIR), oci.Layout.open(DIR); `fsck`, `gc` and `du` keep it
    a directory as a layer               oci.build.NewLayer.from_directory(DIR).write(layout.blobs)
    what was changed in an image         oci.WritableLayer(image): write below `root`, then `commit`
    to a room, each layer once           oci.Snapshots(DIR).unpack(image); `view`, `container`: over it
    a new image                          oci.edit(IMAGE) or oci.scratch(PLATFORM), .append(LAYER), .write(LAYOUT, REF)

    >>> with tempfile.TemporaryDirectory() as work:
    ...     with oci.Cached(oci.Layout.open("tests/data/image"), f"{work}/cache") as cached:
    ...         oci.open_image(cached).close()
    ...     copied = oci.copy("oci:tests/data/image:lighthouse", f"oci:{work}/store:1.0")
    ...     with oci.Layout.open(f"{work}/store") as layout:
    ...         print(layout.resolve("1.0").digest == image.descriptor.digest)
    ...         print(copied.blobs, oci.fsck(layout).ok, oci.gc(layout).kept, oci.du(layout).total)
    ...     with oci.Snapshots(f"{work}/room") as room:
    ...         assert room.unpack(image).unpacked == tuple(layer.chain_id for layer in image.layers)
    True
    7 True 7 3320
    >>> memory, new = oci.store.MemoryRepository(), oci.scratch("linux/arm64").append(*oci.squash(image).layers)
    >>> str(new.write(memory, "lit").platform), oci.edit(image).write(memory, "same").digest == image.descriptor.digest
    ('linux/arm64', True)
    >>> oci.rebase(image, image, image).put(memory.blobs).digest == image.descriptor.digest  # no change, the same bytes
    True
    >>> listed: list[oci.ListedImage] = oci.list_images("tests/data/image")
    >>> listed[0].refs, listed[0].platform == oci.Platform.parse("linux/amd64")
    (('lighthouse',), True)

The engine works without an image, too, on any stream of a tar:

    >>> layer: oci.Layer = image.layers[1]
    >>> raw = b"".join(oci.tar.write_tar(layer.entries()))
    >>> tree = oci.FileTree(limits=oci.Limits(entries=1000))
    >>> oci.apply(oci.decode(oci.read_tar(io.BytesIO(raw)), policy=oci.Policy.preset("strict")), tree)
    >>> [change.path for change in oci.diff(oci.FileTree(), tree)]  # and back into a layer: oci.layer.encode
    [b'', b'etc', b'etc/motd']
    >>> (oci.WritableLayer(tree).root / "etc/motd").touch()  # a file of its own: `tree` stays as it is

Checks return all findings, each with a rule, a severity and a location; `schema_errors` returns problems:

    validate(raw, media_type)            one document, by every rule of the spec
    schema_errors(raw, media_type)       one document, by the JSON Schemas alone (`schema` returns one)
    verify_image(blobs, roots)           documents and blobs together: sizes, digests, diff_ids, platforms
    check_image(NAME)                    a place: its marker and index, then as `verify_image`
    image.lint(), lint.lint(entries)     the entries of layers

    >>> descriptor = oci.Descriptor.of(b"{}", media_type="application/vnd.oci.image.index.v1+json")
    >>> descriptor.digest == oci.Digest.of(b"{}"), oci.schema("index")["title"]
    (True, 'Image index')
    >>> finding: oci.Finding = oci.validate(b"{}", descriptor.media_type)[0]
    >>> rule: oci.Rule = oci.RULES[finding.rule]
    >>> finding.location.pointer, finding.message, rule.sentence
    ('/manifests', 'is required', 'An index has `manifests`, an array of descriptors, perhaps empty.')
    >>> [problem.pointer for problem in oci.schema_errors(b"{}", descriptor.media_type)]
    ['/manifests', '/schemaVersion']
    >>> seen: list[oci.Progress] = []
    >>> oci.verify_image(image.blobs, [image.descriptor], progress=seen.append).ok, seen[-1].layers
    (True, 5)
    >>> image.close()
    >>> oci.check_image("tests/data/image").ok
    True

An error about an image is an `OCIError`, of a family that says what to do next; one of the system is an `OSError`:

    NameFormatError, ReferenceMissingError  ask for another name: `known` has those that exist
    BaseMismatchError, LayerMissingError    name the base of the image, or a layer that it has
    PlaceMissingError, StoreError           another place; DestinationError: another DEST
    IntegrityError, CompressionError        fetch the image again; BlobMissingError: a blob of it is missing
    DocumentError                           the image is refused; `validate` has all that is wrong
    LayerError                              the image is refused; try policy=Policy.preset("lenient")
    LimitError                              raise the limit that it names: limits=Limits(entries=...)
    MetadataError                           unpack as root, or without strict_metadata
    PathError, OwnerMissingError            ask for another path of the image
    UnsupportedError                        convert the image, or install what `hint` says
    OSError                                 the system: no space, no permission

    >>> try:
    ...     oci.open_image("oci:tests/data/image:3.20")
    ... except oci.OCIError as error:
    ...     print(oci.format_error(error))
    tests/data/image: no image '3.20'; there are: lighthouse

The rooms, in the order in which bytes pass through them; each imports only rooms of a lower rank:

    bytes -> verified blob -> plain stream -> tar entries -> changes -> the merged tree -> a directory
    blob.stream     blob.compression   tar          layer.decode     layer.apply   tree   disk

    errors, limits, report, progress     below them all; `rules` has every rule by its id
    spec                                 the documents as values
    validation, verify, lint             the checks
    registry, image, store               requests; documents, layers and tree of one image; images by their names
    build, snapshot, windows             new layers and images; layers unpacked once, containers; forms of Windows
    testing                              tests for your own stores and unpackers; `testing.strategies` draws values

`help(oci_layers.tar)` has the examples of a room. Programs to begin with are in tests/recipes: three_paths.py,
one_tar.py, layer_listing.py, added_to_base.py (what an image adds), secret_scan.py, new_image.py.

    >>> print(f"oci_layers {oci.__version__}")
    oci_layers ...
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy

if TYPE_CHECKING:
    from oci_layers._version import __version__
    from oci_layers.build.begin import edit, scratch
    from oci_layers.build.container import WritableLayer
    from oci_layers.build.rebase import rebase
    from oci_layers.build.squash import squash
    from oci_layers.disk.owner import Owner
    from oci_layers.disk.scan import scan
    from oci_layers.errors import OCIError, format_error
    from oci_layers.image.image import Image
    from oci_layers.image.layer import Layer
    from oci_layers.image.path import ImagePath
    from oci_layers.layer.apply import apply
    from oci_layers.layer.decode import decode
    from oci_layers.layer.diff import diff
    from oci_layers.layer.policy import Policy
    from oci_layers.limits import Limits
    from oci_layers.progress import Progress
    from oci_layers.report import Finding, Report, Rule
    from oci_layers.rules import RULES
    from oci_layers.snapshot.snapshots import Snapshots
    from oci_layers.spec.descriptor import Descriptor
    from oci_layers.spec.digest import Digest
    from oci_layers.spec.platform import Platform
    from oci_layers.store.cached import Cached
    from oci_layers.store.check import check_image
    from oci_layers.store.copy import copy
    from oci_layers.store.du import du
    from oci_layers.store.fsck import fsck
    from oci_layers.store.gc import gc
    from oci_layers.store.layout import Layout
    from oci_layers.store.listing import ListedImage, list_images
    from oci_layers.store.open import open_image
    from oci_layers.tar.reader import read_tar
    from oci_layers.tree.tree import FileTree
    from oci_layers.validation.rules import validate
    from oci_layers.validation.schema import schema, schema_errors
    from oci_layers.verify.image import verify_image

__all__ = [
    "RULES",
    "Cached",
    "Descriptor",
    "Digest",
    "FileTree",
    "Finding",
    "Image",
    "ImagePath",
    "Layer",
    "Layout",
    "Limits",
    "ListedImage",
    "OCIError",
    "Owner",
    "Platform",
    "Policy",
    "Progress",
    "Report",
    "Rule",
    "Snapshots",
    "WritableLayer",
    "__version__",
    "apply",
    "check_image",
    "copy",
    "decode",
    "diff",
    "du",
    "edit",
    "format_error",
    "fsck",
    "gc",
    "list_images",
    "open_image",
    "read_tar",
    "rebase",
    "scan",
    "schema",
    "schema_errors",
    "scratch",
    "squash",
    "validate",
    "verify_image",
]

_HOMES = {
    "Descriptor": "spec.descriptor",
    "Digest": "spec.digest",
    "FileTree": "tree.tree",
    "Finding": "report",
    "Image": "image.image",
    "ImagePath": "image.path",
    "Layer": "image.layer",
    "Cached": "store.cached",
    "Layout": "store.layout",
    "Limits": "limits",
    "ListedImage": "store.listing",
    "OCIError": "errors",
    "Owner": "disk.owner",
    "Platform": "spec.platform",
    "Policy": "layer.policy",
    "Progress": "progress",
    "RULES": "rules",
    "Report": "report",
    "Rule": "report",
    "Snapshots": "snapshot.snapshots",
    "WritableLayer": "build.container",
    "__version__": "_version",
    "apply": "layer.apply",
    "check_image": "store.check",
    "copy": "store.copy",
    "decode": "layer.decode",
    "diff": "layer.diff",
    "du": "store.du",
    "edit": "build.begin",
    "format_error": "errors",
    "fsck": "store.fsck",
    "gc": "store.gc",
    "list_images": "store.listing",
    "open_image": "store.open",
    "read_tar": "tar.reader",
    "rebase": "build.rebase",
    "scan": "disk.scan",
    "schema": "validation.schema",
    "schema_errors": "validation.schema",
    "scratch": "build.begin",
    "squash": "build.squash",
    "validate": "validation.rules",
    "verify_image": "verify.image",
}

_ROOMS = (
    "blob",
    "build",
    "disk",
    "errors",
    "image",
    "layer",
    "limits",
    "lint",
    "progress",
    "registry",
    "report",
    "rules",
    "snapshot",
    "spec",
    "store",
    "tar",
    "testing",
    "tree",
    "validation",
    "verify",
    "windows",
)

__getattr__ = lazy(__name__, _HOMES, _ROOMS)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
