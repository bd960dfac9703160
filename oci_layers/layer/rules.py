"""The rules of layers as data: an id, a severity, one sentence, and the fix.

An id never changes its meaning. An error is what the spec forbids, or what applying refuses by default or under the
policy `strict`; a warning is what other engines or other systems treat differently; a note is worth knowing. The engine
(`decode`, `apply`) reports what it skips or refuses; `lint` reports all of them.
"""

from collections.abc import Mapping

from oci_layers.report import Finding, LayerFinding, LayerLocation, Rule, Severity

__all__ = ["LAYER_RULES", "ONCE", "layer_finding"]


def _rule(word: str, severity: Severity, sentence: str, fix: str | None = None) -> Rule:
    return Rule(word, severity, sentence, fix=fix)


_RULES = (
    # Names, by the spec and the engine.
    _rule("duplicate", "error", "The layer has this name twice (layer.md, Creating the tar).", "Keep the last entry."),
    _rule("climbing-name", "error", "The name climbs above the root of the image.", "Name it from the root."),
    _rule("nul-name", "error", "The name, or the target of the link, has a NUL byte.", "Rename it."),
    _rule("root-not-directory", "error", "The root of the image can only be a directory.", "Remove the entry."),
    _rule("long-name", "error", "A component of the name is longer than 255 bytes.", "Shorten the name."),
    _rule("long-path", "error", "The path is longer, or deeper, than file systems allow.", "Shorten the path."),
    # Parents.
    _rule(
        "missing-parent",
        "warning",
        "A directory has no entry before what is in it; engines differ in the mode and owner that they give it.",
        "Write an entry for each parent directory, before its children.",
    ),
    _rule(
        "file-as-directory",
        "error",
        "The path leads through something that is not a directory; a directory replaces it.",
        "Remove the file in a layer of its own, or rename one of the two.",
    ),
    _rule(
        "link-as-directory",
        "warning",
        "The path leads through a symbolic link; an overlay mount puts a directory in its place.",
        "Name the directory that the link leads to.",
    ),
    # Markers.
    _rule(
        "whiteout-and-name",
        "warning",
        "The layer removes this name and has it, too; engines differ in what is left.",
        "Write the new entry alone; for a new directory, an opaque marker in it.",
    ),
    _rule(
        "late-marker",
        "warning",
        "The marker comes after its siblings (layer.md, Whiteouts: it should come first).",
        "Write markers before anything else in their directory.",
    ),
    _rule(
        "odd-marker",
        "warning",
        "The marker is not an empty regular file; some engines do not accept it.",
        "Write markers as regular files without content.",
    ),
    _rule("bad-marker", "error", "The marker does not name what it removes (layer.md, Whiteouts).", "Remove it."),
    _rule(
        "marker-as-directory",
        "error",
        "A directory cannot have a name that begins with '.wh.' (layer.md, Whiteouts).",
        "Remove the entry, or rename the directory.",
    ),
    _rule("aufs", "warning", "A leftover of AUFS, which is dropped; some engines unpack it.", "Remove the entry."),
    _rule(
        "whiteout-of-marker",
        "warning",
        "The marker removes a name that no image can have, and is dropped.",
        "Remove the marker.",
    ),
    _rule(
        "nothing-hidden",
        "warning",
        "No lower layer has the name that the whiteout removes; some engines make parents for it.",
        "Remove the marker.",
    ),
    _rule(
        "nothing-opaque",
        "note",
        "No lower layer has the directory that the marker makes opaque.",
        "Remove the marker.",
    ),
    # Links.
    _rule(
        "forward-link",
        "error",
        "The hard link comes before its target, which no engine accepts.",
        "Write the target first.",
    ),
    _rule("no-target", "error", "The target of the hard link does not exist.", "Write the file itself."),
    _rule(
        "outside-link",
        "note",
        "The layer alone does not have the target of the hard link; layer.md lets engines fail on that.",
        "Write the file itself, or its other names with it.",
    ),
    _rule("link-to-directory", "error", "A hard link to a directory.", "Make it a symbolic link."),
    _rule("link-to-itself", "error", "A hard link to its own name.", "Write the file itself."),
    _rule("long-link", "error", "The target of the link is longer than file systems allow.", "Shorten the target."),
    _rule("climbing-link", "error", "The link leads above the root of the image.", "Name its target from the root."),
    _rule(
        "link-metadata",
        "warning",
        "The header of the hard link has another mode, owner or time than its target; some engines apply it.",
        "Repeat the metadata of the target.",
    ),
    _rule("empty-link", "error", "A link without a target.", "Remove the entry."),
    # Found when a layer is applied.
    _rule("refused", "error", "The entry cannot be applied."),
    _rule(
        "order",
        "warning",
        "The layer removes a lower name that it also uses; what is left depends on the order of its entries.",
        "Remove the name in a layer of its own.",
    ),
    # Types and metadata.
    _rule("global-header", "note", "A PAX global header, which changes nothing.", "Remove it."),
    _rule("unknown-type", "error", "Unknown tar type.", "Remove the entry."),
    _rule("contiguous", "note", "A contiguous file; other engines refuse the type.", "Write a regular file."),
    _rule("sparse", "warning", "A sparse file (layer.md: they should not be used).", "Write the holes as zeros."),
    _rule(
        "overlay-whiteout",
        "warning",
        "A character device 0:0, which removes a name where layers are mounted as an overlay.",
        "Write a whiteout, or leave the device out.",
    ),
    _rule(
        "overlay-xattr",
        "warning",
        "An extended attribute that is reserved for overlay mounts.",
        "Leave the attribute out.",
    ),
    _rule(
        "access-list", "note", "Entries have access lists, which are not set.", "Grant the access by mode and owner."
    ),
    _rule("selinux-label", "note", "Entries have a label of SELinux, which is not set.", "Leave it out."),
    _rule("file-flags", "note", "Entries have file flags, which are not set.", "Leave them out."),
    _rule(
        "windows-metadata",
        "note",
        "Entries have attributes of Windows, which are not set.",
        "Leave them out where the image is not for Windows.",
    ),
    _rule(
        "windows-record",
        "error",
        "A record of Windows metadata is malformed, and is dropped (layer.md, Windows attributes).",
        "Write it as the spec says: numbers in decimal, descriptors and attributes in base64.",
    ),
    _rule("device-range", "error", "A device number is outside 32 bits.", "Write the number of a device."),
    _rule("owner-range", "error", "The owner is outside 0 to 4294967294.", "Write an owner that systems can have."),
    # Images for Windows.
    _rule(
        "windows-path",
        "error",
        "In an image for Windows, the name has a backslash, a drive, or a colon that separates no stream of a file.",
        "Separate names with slashes, and begin with Files, Hives or UtilityVM.",
    ),
    _rule(
        "windows-root",
        "warning",
        "In an image for Windows, the entry is not in Files, Hives or UtilityVM/Files; Windows does not show it.",
        "Put the file system in Files.",
    ),
    _rule(
        "windows-refuses",
        "warning",
        "In an image for Windows, the name has a character or ending, or is a device, that programs cannot use.",
        "Rename it.",
    ),
    _rule(
        "folded-name",
        "error",
        "In an image for Windows, the layer has two names that differ only in case, and so are one name.",
        "Keep one of them.",
    ),
    _rule(
        "windows-opaque",
        "error",
        "In an image for Windows, an opaque marker, which removes a file named `.wh..opq` there.",
        "Write a whiteout for each name.",
    ),
    _rule(
        "misplaced-whiteout",
        "error",
        "In an image for Windows, a whiteout that is not below Files or UtilityVM/Files, which Windows refuses.",
        "Leave it out: no layer can remove this.",
    ),
    _rule(
        "whiteout-in-base",
        "error",
        "In an image for Windows, a whiteout in the lowest layer, which Windows refuses.",
        "Leave it out: there is nothing to remove.",
    ),
    _rule(
        "windows-base",
        "error",
        "In an image for Windows, the lowest layer lacks what Windows needs of a base.",
        "Use a base of Microsoft, or add the file; the hives of the registry may be empty.",
    ),
    # Names that other systems cannot hold.
    _rule("case-twin", "warning", "Two names differ only in case; some systems hold one of them.", "Rename one."),
    _rule(
        "unicode-twin",
        "warning",
        "Two names are the same text, composed and decomposed; some systems hold one of them.",
        "Rename one.",
    ),
    _rule("not-utf8", "warning", "The name is not UTF-8.", "Rename it."),
    _rule("control-character", "warning", "The name has a control character.", "Rename it."),
    _rule("backslash", "note", "Names have a backslash, a separator on Windows.", "Rename them."),
    _rule("windows-character", "note", "Names have characters that Windows refuses.", "Rename them."),
    _rule("windows-name", "note", "Names are those of devices on Windows.", "Rename them."),
    _rule("trailing-dot", "note", "Names end with a dot or blank, which Windows drops.", "Rename them."),
    # Differences between two builds of the same files.
    _rule("unsorted", "note", "From here on, the entries are not sorted by name.", "Sort the entries by name."),
    _rule("owner-name", "note", "Entries have names of owners, which nothing uses.", "Leave them empty."),
    _rule("extra-time", "note", "Entries have times of access or change.", "Leave these records out."),
    _rule(
        "fine-time",
        "note",
        "Entries have times that are not whole seconds, which many programs cut off.",
        "Cut the times to seconds.",
    ),
    _rule("negative-time", "note", "A time before 1970, which some engines move there.", "Use a later time."),
    # Worth a second look.
    _rule("set-id", "note", "The file runs as its owner or group, not as the user who starts it."),
    _rule("world-writable", "warning", "Everyone may write here.", "Take the bit away, or make the directory sticky."),
    _rule("secret", "note", "A name that private keys or passwords usually have.", "Keep secrets out of images."),
)

LAYER_RULES: Mapping[str, Rule] = {rule.id: rule for rule in _RULES}
"""Every rule of layers by its id."""

ONCE = frozenset(
    {
        "access-list",
        "selinux-label",
        "file-flags",
        "windows-metadata",
        "backslash",
        "windows-character",
        "windows-name",
        "trailing-dot",
        "owner-name",
        "extra-time",
        "fine-time",
    }
)
"""Rules that `lint` reports once a layer, at the end, with a count; on Windows images, Windows names at each entry."""


def layer_finding(
    rule: str, path: bytes, layer: int, message: str = "", *, index: int | None = None, offset: int | None = None
) -> LayerFinding:
    """Return a finding of a rule of layers, with the severity of the rule."""
    return Finding(rule, LAYER_RULES[rule].severity, LayerLocation(layer, path, index, offset), message)
