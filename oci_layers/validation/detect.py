"""Find the media type of a document from its bytes: by its `mediaType`, or else by its fields.

Only for documents without a descriptor, such as a file on disk. The media type in a descriptor is never replaced by a
guess. A document that could be two things (CVE-2021-41190) is detected as one of them, and the rules of that one refuse
the fields of the other, so nothing ambiguous passes.
"""

from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_DESCRIPTOR, OCI_INDEX, OCI_LAYOUT, OCI_MANIFEST, lookup
from oci_layers.spec.strict_json import load_json

__all__ = ["detect_media_type"]

_DOCUMENTS = frozenset({"descriptor", "layout", "index", "manifest", "config"})

# The first row whose fields all exist counts; letter case is ignored, as programs in Go ignore it (MAN-21).
_SHAPES = (
    ({"manifests"}, OCI_INDEX),
    ({"layers"}, OCI_MANIFEST),
    ({"fslayers"}, OCI_MANIFEST),
    ({"schemaversion", "config"}, OCI_MANIFEST),
    ({"rootfs"}, OCI_CONFIG),
    ({"imagelayoutversion"}, OCI_LAYOUT),
    ({"architecture", "os"}, OCI_CONFIG),
)


def detect_media_type(raw: bytes, *, limits: Limits = DEFAULT_LIMITS) -> str | None:
    """Return the media type of a document as far as its content shows it, or None.

    Raises:
        DocumentError: The bytes are not one I-JSON object.
        LimitError: They exceed `config_bytes`, the largest limit of any document, or `json_depth`.
    """
    loaded = load_json(raw, media_type="document", limits=limits, limit="config_bytes")
    fields = {name.lower() for name in loaded}
    # The `mediaType` of a descriptor is that of another blob.
    if {"digest", "size"} <= fields and fields.isdisjoint({"schemaversion", "layers", "manifests", "rootfs"}):
        return OCI_DESCRIPTOR
    said = loaded.get("mediaType")
    row = lookup(said) if isinstance(said, str) else None
    if row is not None and row.role in _DOCUMENTS:
        return row.name
    return next((media_type for shape, media_type in _SHAPES if shape <= fields), None)
