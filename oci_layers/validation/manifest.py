"""The rules of manifests and indexes, as a table (manifest.md, image-index.md).

Docker's equivalents follow the same rules, except for the media types. `image` and `verify` check whether a document is
the one that its descriptor names, and whether its parts match one another.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oci_layers.spec.manifest import FOREIGN_TO_INDEX, FOREIGN_TO_MANIFEST
from oci_layers.spec.mediatype import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    OCI_NONDISTRIBUTABLE_LAYER,
    OCI_NONDISTRIBUTABLE_LAYER_GZIP,
    is_distributable,
    is_document,
    role_of,
)
from oci_layers.validation.annotations import annotated
from oci_layers.validation.grammar import is_media_type
from oci_layers.validation.rule import (
    OK,
    Check,
    Fault,
    array_of,
    fault,
    has_type,
    matches,
    must_be,
    quoted,
    required,
    rule,
    unchecked,
)

__all__ = ["MANIFEST_RULES"]

_PROGRAMS = "It is about what programs do, not about the content of a document."
_ORDER = "Order means nothing: CON-05."

_PORTABLE_LAYERS = frozenset({OCI_LAYER, OCI_LAYER_GZIP, OCI_NONDISTRIBUTABLE_LAYER, OCI_NONDISTRIBUTABLE_LAYER_GZIP})

_NAMES = {
    "descriptor": "mediaType digest size urls annotations data platform artifactType",
    "platform": "architecture os os.version os.features variant features",
    "manifest": "schemaVersion mediaType artifactType config layers subject annotations",
    "index": "schemaVersion mediaType artifactType manifests subject annotations",
    "config": "created author architecture os os.version os.features variant config rootfs history",
    "rootfs": "type diff_ids",
    "layout": "imageLayoutVersion",
}
_FOREIGN: Mapping[str, Mapping[str, str]] = {"manifest": FOREIGN_TO_MANIFEST, "index": FOREIGN_TO_INDEX}


def _unambiguous(kind: str) -> Check:
    known = frozenset(_NAMES[kind].split())
    refused = dict(_FOREIGN.get(kind, {})) | {name.casefold(): f"must be spelled {name}" for name in known}

    def run(node: Mapping[str, Any]) -> Iterable[Fault]:  # Any: JSON.
        if node.keys() <= known:
            return OK
        return (((key,), message) for key in node if key not in known and (message := refused.get(key.casefold())))

    return Check(kind, run)


def _version(kind: str) -> tuple[Check, ...]:
    def run(value: object) -> Sequence[Fault]:
        if type(value) is not int:
            return fault(must_be(int, value))
        return OK if value == 2 else fault("must be 2")

    return (required(kind, "schemaVersion"), Check(f"{kind}.schemaVersion", run))


def _own_type(kind: str, *media_types: tuple[str, str]) -> tuple[Check, ...]:
    """Return the checks of a document's own media type; `media_types` are kinds of document and their types."""
    absent = fault("should be there, so that the document cannot be taken for one of another kind", "mediaType")
    return (
        Check(kind, lambda node: OK if "mediaType" in node else absent, "warning"),
        has_type(f"{kind}.mediaType", str),
        *(
            matches(f"{family}.mediaType", media_type.__eq__, f"is not {media_type}, which this document is")
            for family, media_type in media_types
        ),
    )


def _artifact_type(kind: str) -> tuple[Check, ...]:
    place = f"{kind}.artifactType"
    return (has_type(place, str), matches(place, is_media_type, "is not a media type", tolerated=True))


def _config_type(node: Mapping[str, Any]) -> str:  # Any: JSON.
    config = node.get("config")
    media_type = config.get("mediaType") if type(config) is dict else None
    return media_type if type(media_type) is str else ""


def _is_image(media_type: str) -> bool:
    return role_of(media_type) == "config"


def _layers(node: Mapping[str, Any]) -> Iterable[tuple[int, dict[str, Any]]]:  # Any: JSON.
    layers = node.get("layers")
    return ((i, layer) for i, layer in enumerate(layers) if type(layer) is dict) if type(layers) is list else ()


def _empty_config(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    if "artifactType" in node or _config_type(node) != OCI_EMPTY:
        return OK
    return fault(f"is required, because the config is of the type {OCI_EMPTY}", "artifactType")


def _artifact_config(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    if "artifactType" not in node or not _is_image(_config_type(node)):
        return OK
    return fault("is that of a container image, but artifactType makes this another artifact", "config", "mediaType")


def _portable_config(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    media_type = _config_type(node)
    if media_type == OCI_CONFIG or not _is_image(media_type):
        return OK
    return fault(f"{quoted(media_type)} is not a type that every implementation supports", "config", "mediaType")


def _artifact_content(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    if _is_image(_config_type(node)):
        return OK
    sizes = (layer.get("size") for _, layer in _layers(node))
    empty = next(sizes, None) == 0 and all(size == 0 for size in sizes)
    return fault("has no content at all; the empty descriptor may be used instead", "layers") if empty else OK


def _portable_layers(node: Mapping[str, Any]) -> Iterable[Fault]:  # Any: JSON.
    if _config_type(node) != OCI_CONFIG:
        return OK
    return (
        (("layers", index, "mediaType"), f"{quoted(media_type)} is not a type that every implementation supports")
        for index, layer in _layers(node)
        if type(media_type := layer.get("mediaType")) is str
        and media_type not in _PORTABLE_LAYERS
        and is_media_type(media_type)
    )


def _distributable_layers(node: Mapping[str, Any]) -> Iterable[Fault]:  # Any: JSON.
    return (
        (("layers", index, "mediaType"), "is that of a non-distributable layer, which is deprecated")
        for index, layer in _layers(node)
        if type(layer.get("mediaType")) is str and not is_distributable(layer["mediaType"])
    )


def _entry_type(text: str) -> bool:
    return is_document(text) or not is_media_type(text)


def _entry_platform(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    if "platform" in node or "artifactType" in node or node.get("mediaType") not in (OCI_MANIFEST, DOCKER_MANIFEST):
        return OK
    return fault("should be there, if the image needs a certain one", "platform")


MANIFEST_RULES = (
    rule("MAN-01", "MUST", "error", "A manifest has a `schemaVersion`, the integer 2.", _version("manifest")),
    rule(
        "MAN-02",
        "MUST",
        "error",
        "The `mediaType` of a manifest should be there, and must be that of the manifest itself.",
        _own_type("manifest", ("oci-manifest", OCI_MANIFEST), ("docker-manifest", DOCKER_MANIFEST)),
    ),
    rule(
        "MAN-03",
        "MUST",
        "error",
        "`artifactType` of a manifest is a string that follows the grammar of media types.",
        _artifact_type("manifest"),
    ),
    rule(
        "MAN-04",
        "MUST",
        "error",
        "`artifactType` is there when the config is of the empty type.",
        (Check("manifest", _empty_config, tolerated=True),),
    ),
    unchecked("MAN-05", "MUST NOT", "An unknown `artifactType` is not an error.", _PROGRAMS),
    rule(
        "MAN-06",
        "MUST",
        "error",
        "A manifest has a `config`, a descriptor.",
        (required("manifest", "config"), has_type("manifest.config", dict)),
    ),
    unchecked("MAN-07", "MUST NOT", "A config of unknown type is not parsed.", _PROGRAMS),
    unchecked("MAN-08", "MUST NOT", "An unknown type of config is not an error.", _PROGRAMS),
    rule(
        "MAN-09",
        "SHOULD",
        "note",
        "The config of a portable container image is of the spec's own type, which every implementation supports.",
        (Check("oci-manifest", _portable_config),),
    ),
    unchecked("MAN-10", "MUST", "Other types of config follow RFC 6838.", "DSC-02 checks it."),
    unchecked("MAN-11", "INFO", "A config should make the id of its image unique.", "It takes all other images."),
    rule(
        "MAN-12",
        "MUST",
        "error",
        "A manifest has `layers`, an array of descriptors.",
        (required("manifest", "layers"), array_of("manifest.layers", dict)),
    ),
    rule(
        "MAN-13",
        "SHOULD",
        "warning",
        "`layers` has at least one entry.",
        (Check("manifest.layers", lambda value: fault("is empty") if value == [] else OK),),
    ),
    unchecked("MAN-14", "MUST", "The base layer comes first.", "Only the contents of the layers can tell."),
    rule(
        "MAN-15",
        "SHOULD",
        "note",
        "The layers of an image are of types that every implementation supports.",
        (Check("manifest", _portable_layers),),
    ),
    unchecked("MAN-16", "MUST NOT", "An unknown type of layer is not an error.", _PROGRAMS),
    rule("MAN-17", "MUST", "error", "`subject` of a manifest is a descriptor.", (has_type("manifest.subject", dict),)),
    rule(
        "MAN-18",
        "MUST",
        "error",
        "`annotations` of a manifest is an object.",
        (annotated("manifest"),),
    ),
    unchecked("MAN-19", "MUST", "Three fields are required.", "MAN-01, MAN-06 and MAN-12 check it."),
    unchecked("MAN-20", "INFO", "Go writes the fields in a certain order.", _ORDER),
    rule(
        "MAN-21",
        "MUST",
        "error",
        "No field belongs to another kind of document, or differs from a known one in letter case alone.",
        tuple(map(_unambiguous, _NAMES)),
    ),
    rule(
        "ART-02",
        "MUST",
        "warning",
        "The config of an artifact is not of the type of an image config.",
        (Check("manifest", _artifact_config),),
    ),
    unchecked("ART-03", "MUST", "An empty config needs an `artifactType`.", "MAN-04 checks it."),
    rule(
        "ART-04",
        "SHOULD",
        "warning",
        "One layer of an artifact is not of size zero.",
        (Check("manifest", _artifact_content),),
    ),
    unchecked("ART-05", "INFO", "Without `artifactType` the type of the config counts.", _PROGRAMS),
    unchecked("ART-06", "MAY", "Artifacts come in three shapes.", "All three are valid."),
    unchecked("IDX-01", "SHOULD", "Consumers can process indexes.", _PROGRAMS),
    rule("IDX-02", "MUST", "error", "An index has a `schemaVersion`, the integer 2.", _version("index")),
    rule(
        "IDX-03",
        "MUST",
        "error",
        "The `mediaType` of an index should be there, and must be that of the index itself.",
        _own_type("index", ("oci-index", OCI_INDEX), ("docker-index", DOCKER_MANIFEST_LIST)),
    ),
    rule(
        "IDX-04",
        "MUST",
        "error",
        "`artifactType` of an index is a string that follows the grammar of media types.",
        _artifact_type("index"),
    ),
    rule(
        "IDX-05",
        "MUST",
        "error",
        "An index has `manifests`, an array of descriptors, perhaps empty.",
        (required("index", "manifests"), array_of("index.manifests", dict)),
    ),
    rule(
        "IDX-06",
        "SHOULD",
        "note",
        "The entries of a portable index are manifests and indexes.",
        (matches("entry.mediaType", _entry_type, "is neither a manifest nor an index"),),
    ),
    unchecked("IDX-07", "MUST NOT", "An unknown type of entry is not an error.", "DSC-02 takes every type."),
    unchecked("IDX-14", "SHOULD", "Of several entries that match the first is taken.", _PROGRAMS),
    rule(
        "IDX-15",
        "MUST",
        "error",
        "`subject` of an index is a descriptor, `annotations` an object.",
        (
            has_type("index.subject", dict),
            annotated("index"),
        ),
    ),
    unchecked("IDX-16", "MUST", "Some fields are required.", "IDX-02, IDX-05 and IDX-09 check it."),
    unchecked("IDX-17", "INFO", "Go writes the fields in a certain order.", _ORDER),
    unchecked(
        "IDX-18", "INFO", "Some entries are attestations.", "They are valid; `spec.platform_selection` skips them."
    ),
    rule(
        "DSC-23",
        "SHOULD",
        "note",
        "An entry that points at an image manifest has a `platform`.",
        (Check("entry", _entry_platform),),
    ),
    rule(
        "NDL-01",
        "SHOULD NOT",
        "note",
        "No new layers are non-distributable.",
        (Check("manifest", _distributable_layers),),
    ),
)
