"""The OCI image spec for Python: typed documents, verified blobs, and layers merged exactly as the spec says.

    import oci_layers as oci

    with oci.open_image("oci:alpine:3.20") as image:
        image.config.config.entrypoint               # typed documents
        (image.root / "etc/os-release").read_text()  # look inside, nothing extracted
        image.unpack("rootfs")                       # the same tree on disk

The rooms, in the order in which bytes pass through them:

    bytes -> verified blob -> plain stream -> tar entries -> changes -> the merged tree -> a directory
    blob.stream     blob.compression   tar          layer.decode     layer.apply   tree   disk

`spec` has the documents; `validation` checks one of them, `verify` documents and blobs together, `lint` layers; `image`
connects documents, layers and the tree, `store` opens an image by its name, `cli` is the command. Each room imports
only rooms of a lower rank; `errors` and `limits` are below them all. Each check returns `report.Finding`s of a
`report.Rule`; `rules` has every rule by its id.
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy

if TYPE_CHECKING:
    from oci_layers._version import __version__
    from oci_layers.disk.owner import Owner
    from oci_layers.disk.scan import scan
    from oci_layers.errors import OCIError, format_error
    from oci_layers.image.image import Image
    from oci_layers.image.layer import Layer
    from oci_layers.image.path import ImagePath
    from oci_layers.layer.apply import apply
    from oci_layers.layer.decode import decode
    from oci_layers.layer.policy import Policy
    from oci_layers.limits import Limits
    from oci_layers.progress import Progress
    from oci_layers.report import Finding, Report, Rule
    from oci_layers.rules import RULES
    from oci_layers.spec.descriptor import Descriptor
    from oci_layers.spec.digest import Digest
    from oci_layers.spec.platform import Platform
    from oci_layers.store.check import check_image
    from oci_layers.store.listing import ListedImage, list_images
    from oci_layers.store.open import open_image
    from oci_layers.tar.reader import read_tar
    from oci_layers.tree.tree import FileTree
    from oci_layers.validation.rules import validate
    from oci_layers.validation.schema import schema, schema_errors
    from oci_layers.verify.image import verify_image

__all__ = [
    "RULES",
    "Descriptor",
    "Digest",
    "FileTree",
    "Finding",
    "Image",
    "ImagePath",
    "Layer",
    "Limits",
    "ListedImage",
    "OCIError",
    "Owner",
    "Platform",
    "Policy",
    "Progress",
    "Report",
    "Rule",
    "__version__",
    "apply",
    "check_image",
    "decode",
    "format_error",
    "list_images",
    "open_image",
    "read_tar",
    "scan",
    "schema",
    "schema_errors",
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
    "__version__": "_version",
    "apply": "layer.apply",
    "check_image": "store.check",
    "decode": "layer.decode",
    "format_error": "errors",
    "list_images": "store.listing",
    "open_image": "store.open",
    "read_tar": "tar.reader",
    "scan": "disk.scan",
    "schema": "validation.schema",
    "schema_errors": "validation.schema",
    "validate": "validation.rules",
    "verify_image": "verify.image",
}

_ROOMS = (
    "blob",
    "disk",
    "errors",
    "image",
    "layer",
    "limits",
    "lint",
    "progress",
    "report",
    "rules",
    "spec",
    "store",
    "tar",
    "tree",
    "validation",
    "verify",
)

__getattr__ = lazy(__name__, _HOMES, _ROOMS)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
