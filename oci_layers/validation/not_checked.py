"""The rules that no single document can break, the layout marker, and JSON as a whole, as a table.

Rules of layers, layouts, identities and running containers have ids too, so that every rule of the spec is found here
by its id, with the room or module that checks it.
"""

from collections.abc import Sequence

from oci_layers.report import Level
from oci_layers.validation.rule import OK, Check, CheckedRule, Fault, fault, has_type, required, rule, unchecked

__all__ = ["ELSEWHERE_RULES"]

_LAYOUT_VERSION = "1.0.0"


def _layout_version(value: object) -> Sequence[Fault]:
    return fault(f"must be {_LAYOUT_VERSION}") if type(value) is str and value != _LAYOUT_VERSION else OK


def _all(reason: str, *rows: tuple[str, Level, str]) -> tuple[CheckedRule, ...]:
    return tuple(unchecked(rule, level, sentence, reason) for rule, level, sentence in rows)


ELSEWHERE_RULES = (
    rule(
        "LAY-02",
        "MUST",
        "error",
        "The marker file is an object with `imageLayoutVersion`, the string 1.0.0.",
        (
            required("layout", "imageLayoutVersion"),
            has_type("layout.imageLayoutVersion", str),
            Check("layout.imageLayoutVersion", _layout_version),
        ),
    ),
    unchecked(
        "CON-04",
        "MUST",
        "A document is one I-JSON object (RFC 7493): UTF-8, no name twice, no half surrogate, no number past a double.",
        "It is checked before all others, when the bytes are read; see `spec.strict_json`.",
    ),
    unchecked(
        "LIM-01",
        "INFO",
        "A document has no more bytes than the limit that the reader sets; the spec has none.",
        "It is checked before the bytes are read.",
        severity="error",
    ),
    unchecked(
        "LIM-02",
        "INFO",
        "A document is not nested more deeply than the limit that the reader sets; the spec has none.",
        "It is checked before the bytes are parsed.",
        severity="error",
    ),
    *_all(
        "It is about a layout as a whole; `store.check` and `verify` check it.",
        ("LAY-01", "MUST", "There is a directory `blobs`."),
        ("LAY-03", "MUST", "There is an `index.json`, an image index."),
        ("LAY-04", "INFO", "Other files are not an error."),
        ("LAY-05", "MUST", "A blob is at blobs/ALGORITHM/ENCODED, and its content has that digest."),
        ("LAY-06", "SHOULD", "A layout does not look into blobs."),
        ("LAY-07", "MAY", "Blobs that nothing refers to are there, and blobs that are referred to are not."),
        ("LAY-08", "MAY", "A layout travels as an archive or over a network."),
        ("LAY-09", "INFO", "Several entries of an index have one `ref.name`."),
        ("LAY-10", "MUST NOT", "An unknown type of an entry is not an error."),
        ("LAY-11", "INFO", "A name is resolved through indexes in the index."),
        ("LAY-12", "INFO", "The names of the files are fixed."),
    ),
    *_all(
        "It is computed from documents, in `spec.config` and `image`.",
        ("CHN-01", "INFO", "A diff_id is the digest of the plain tar."),
        ("CHN-02", "SHOULD", "Layers are packed reproducibly."),
        ("CHN-03", "MUST", "A chain_id is the digest of the one below it, a space and the diff_id."),
        ("CHN-04", "INFO", "A chain_id is sha256 for diff_ids of every algorithm."),
        ("CHN-05", "INFO", "There is a vector to test chain_ids with."),
    ),
    *_all(
        "It is about the tar archive of a layer, which `tar` and `layer` read.",
        ("LYR-01", "MUST", "A layer is a tar archive."),
        ("LYR-02", "MUST NOT", "A layer has no two entries of one path."),
        ("LYR-03", "INFO", "The suffix of the media type names the compression."),
        ("LYR-04", "INFO", "There are additions, modifications and removals."),
        ("LYR-05", "INFO", "There are seven types of files."),
        ("LYR-06", "MUST", "Entries carry time, owner, mode, extended attributes and link targets."),
        ("LYR-07", "SHOULD NOT", "Files are not sparse."),
        ("LYR-08", "INFO", "A hard link is an entry that names its target."),
        ("LYR-09", "INFO", "Links are found by their inode."),
        ("LYR-10", "MUST", "On Windows the attributes of Windows are supported."),
        ("LYR-11", "INFO", "Names are relative to the root."),
        ("LYR-12", "MUST NOT", "Changing a snapshot does not change its source."),
        ("LYR-13", "INFO", "A layer has only what changed."),
        ("LYR-14", "MUST", "Layers are applied, not only extracted."),
        ("LYR-15", "MUST", "A directory over a directory replaces its attributes."),
        ("LYR-16", "MUST", "Any other pair replaces the old by the new."),
        ("LYR-17", "SHOULD", "Whiteouts are written before their siblings."),
        ("LYR-18", "INFO", "The base layer is applied to an empty directory."),
        ("WHT-01", "MUST", "A name with the prefix .wh. removes its sibling."),
        ("WHT-02", "INFO", "A whiteout is an empty file."),
        ("WHT-03", "SHOULD", "The name .wh. alone is an error."),
        ("WHT-04", "INFO", "No file of an image begins with .wh. in its name."),
        ("WHT-05", "MUST", "A whiteout is not in the result."),
        ("WHT-06", "MUST", "A whiteout acts on lower layers alone."),
        ("WHT-07", "INFO", "An entry beside its whiteout in one layer survives."),
        ("WHT-08", "SHOULD", "Whiteouts are written before directories beside them."),
        ("WHT-09", "INFO", "An opaque marker hides all that lower layers have in a directory."),
        ("WHT-10", "MUST", "Both forms of whiteout are accepted."),
        ("WHT-11", "MUST", "An opaque marker acts first, wherever it is in the layer."),
        ("WHT-12", "INFO", "A whiteout of a directory removes all below it."),
    ),
    *_all(
        "It is about pushing and fetching.",
        ("NDL-02", "SHOULD", "Non-distributable layers have types of their own (NDL-01 finds them)."),
        ("NDL-03", "SHOULD NOT", "Non-distributable layers are not uploaded."),
        ("NDL-04", "MAY", "Non-distributable layers have `urls`."),
        ("MTY-02", "MAY", "Fetching content returns its media type."),
        ("MTY-03", "SHOULD", "Without an expectation the returned type counts."),
        ("MTY-04", "SHOULD", "A type that is as expected counts."),
        ("MTY-05", "SHOULD", "A type that is not as expected counts less than the digest."),
    ),
    *_all(
        "It is about the names of types; `spec.mediatype` has them.",
        ("MTY-01", "INFO", "The spec defines a list of media types."),
        ("MTY-06", "INFO", "Docker's types are compatible with some of them."),
        ("MTY-07", "INFO", "Docker's documents are valid under the names of their twins."),
    ),
    *_all(
        "It is about what programs do, not about the content of a document.",
        ("CON-01", "MUST NOT", "Storing and copying does not alter content."),
        ("CON-02", "SHOULD NOT", "Unknown properties are not an error."),
        ("CON-03", "SHOULD", "Writers use a canonical serialisation."),
        ("CON-05", "INFO", "The order of members means nothing."),
        ("CON-06", "INFO", "Grammars are written in EBNF, and match a whole string."),
        ("CNV-01", "MUST", "The runtime config is derived from the image config."),
        ("CNV-02", "MUST", "Directory, environment and command are taken unchanged."),
        ("CNV-03", "MUST", "Some fields become annotations, and labels win over them."),
        ("CNV-04", "SHOULD", "The user becomes the user of the process."),
        ("CNV-05", "SHOULD", "Ports and volumes are offered to the runtime."),
        ("CNV-06", "SHOULD NOT", "Annotations of a manifest do not become those of a container."),
    ),
)
