"""The rules of `lint` as data, and what a finding is: a word, how bad it is, one sentence, what to do about it.

A word never changes its meaning, and where the engine reports the same thing (`report.Finding.what`) it is the same
word. An error is what the spec forbids, or what applying refuses by default or by the policy `strict`; a warning is
what other engines or other systems make something else of; a note is worth knowing. How each is found is in `lint` and
`lint_names`.
"""

from typing import Literal

import attrs

__all__ = ["LINT_RULES", "Lint", "LintRule", "Severity"]

Severity = Literal["error", "warning", "note"]


@attrs.frozen
class LintRule:
    """One thing that a layer had better not have."""

    what: str
    """The short stable name of the rule."""
    severity: Severity
    sentence: str
    """What is wrong, with the rule of the spec where there is one."""
    fix: str | None = None
    """What the maker of the layer can do, if anything."""
    once: bool = False
    """Whether it is told once a layer, at the end, with the first entry and the number of entries (what matters on
    Windows alone only where the image is not for Windows)."""


_RULES = (
    # Names, as the spec and the engine take them.
    LintRule(
        "duplicate", "error", "The layer has this name twice (layer.md, Creating the tar).", "Keep the last entry."
    ),
    LintRule("climbing-name", "error", "The name climbs above the root of the image.", "Name it from the root."),
    LintRule("nul-name", "error", "The name, or the target of the link, has a NUL byte.", "Rename it."),
    LintRule("root-not-directory", "error", "The root of the image can only be a directory.", "Remove the entry."),
    LintRule("long-name", "error", "A component of the name is longer than 255 bytes.", "Shorten the name."),
    LintRule("long-path", "error", "The path is longer, or deeper, than file systems take.", "Shorten the path."),
    # Parents.
    LintRule(
        "missing-parent",
        "warning",
        "A directory has no entry before what is in it; engines differ in the mode and owner that they give it.",
        "Write an entry for each parent directory, before its children.",
    ),
    LintRule(
        "file-as-directory",
        "error",
        "The path leads through something that is no directory, which has to give way to one.",
        "Remove the file in a layer of its own, or rename one of the two.",
    ),
    LintRule(
        "link-as-directory",
        "warning",
        "The path leads through a symbolic link; an overlay mount puts a directory in its place.",
        "Name the directory that the link leads to.",
    ),
    # Markers.
    LintRule(
        "whiteout-and-name",
        "warning",
        "The layer removes this name and has it, too; engines differ in what is left.",
        "Write the new entry alone; for a new directory, an opaque marker in it.",
    ),
    LintRule(
        "late-marker",
        "warning",
        "The marker comes after its siblings (layer.md, Whiteouts: it should come first).",
        "Write markers before anything else in their directory.",
    ),
    LintRule(
        "odd-marker",
        "warning",
        "The marker is no empty regular file; some engines do not take it as one.",
        "Write markers as regular files without content.",
    ),
    LintRule("bad-marker", "error", "The marker does not name what it removes (layer.md, Whiteouts).", "Remove it."),
    LintRule(
        "marker-as-directory",
        "error",
        "A directory cannot have a name that begins with '.wh.' (layer.md, Whiteouts).",
        "Remove the entry, or rename the directory.",
    ),
    LintRule("aufs", "warning", "A leftover of AUFS, which is dropped; some engines unpack it.", "Remove the entry."),
    LintRule(
        "whiteout-of-marker",
        "warning",
        "The marker removes a name that no image can have, and is dropped.",
        "Remove the marker.",
    ),
    LintRule(
        "nothing-hidden",
        "warning",
        "Nothing below has the name that the whiteout removes; some engines make parents for it.",
        "Remove the marker.",
    ),
    LintRule(
        "nothing-opaque",
        "note",
        "Nothing below has the directory that the marker makes opaque.",
        "Remove the marker.",
    ),
    # Links.
    LintRule(
        "forward-link",
        "error",
        "The hard link comes before its target, which no engine takes.",
        "Write the target first.",
    ),
    LintRule("no-target", "error", "Nothing is there for the hard link to link to.", "Write the file itself."),
    LintRule(
        "outside-link",
        "note",
        "The layer alone does not have the target of the hard link; layer.md lets engines fail on that.",
        "Write the file itself, or its other names with it.",
    ),
    LintRule("link-to-directory", "error", "A hard link to a directory.", "Make it a symbolic link."),
    LintRule("link-to-itself", "error", "A hard link to its own name.", "Write the file itself."),
    LintRule("long-link", "error", "The target of the link is longer than file systems take.", "Shorten the target."),
    LintRule("climbing-link", "error", "The link leads above the root of the image.", "Name its target from the root."),
    LintRule(
        "link-metadata",
        "warning",
        "The header of the hard link has another mode, owner or time than its target; some engines apply it.",
        "Repeat the metadata of the target.",
    ),
    LintRule("empty-link", "error", "A link without a target.", "Remove the entry."),
    # What applying finds.
    LintRule("refused", "error", "The entry cannot be applied."),
    LintRule(
        "order",
        "warning",
        "The layer removes a lower name that it also uses; what is left depends on the order of its entries.",
        "Remove the name in a layer of its own.",
    ),
    # Types and what they carry.
    LintRule("global-header", "note", "A PAX global header, which changes nothing.", "Remove it."),
    LintRule("unknown-type", "error", "No one knows this tar type.", "Remove the entry."),
    LintRule("contiguous", "note", "A contiguous file; other engines refuse the type.", "Write a regular file."),
    LintRule("sparse", "warning", "A sparse file (layer.md: they should not be used).", "Write the holes as zeros."),
    LintRule(
        "overlay-whiteout",
        "warning",
        "A character device 0:0, which removes a name where layers are mounted as an overlay.",
        "Write a whiteout, or leave the device out.",
    ),
    LintRule(
        "overlay-xattr",
        "warning",
        "An extended attribute that an overlay mount keeps for itself.",
        "Leave the attribute out.",
    ),
    LintRule(
        "access-list",
        "note",
        "Entries have access lists, which are not set.",
        "Grant the access by mode and owner.",
        once=True,
    ),
    LintRule("selinux-label", "note", "Entries have a label of SELinux, which is not set.", "Leave it out.", once=True),
    LintRule("file-flags", "note", "Entries have file flags, which are not set.", "Leave them out.", once=True),
    LintRule(
        "windows-metadata",
        "note",
        "Entries have attributes of Windows, which are not set.",
        "Leave them out where the image is not for Windows.",
        once=True,
    ),
    LintRule("device-range", "error", "A device number is outside 32 bits.", "Write the number of a device."),
    LintRule("owner-range", "error", "The owner is outside 0 to 4294967294.", "Write an owner that systems can have."),
    # Names that other systems cannot hold.
    LintRule("case-twin", "warning", "Two names differ only in case; some systems hold one of them.", "Rename one."),
    LintRule(
        "unicode-twin",
        "warning",
        "Two names are the same text, composed and decomposed; some systems hold one of them.",
        "Rename one.",
    ),
    LintRule("not-utf8", "warning", "The name is not UTF-8.", "Rename it."),
    LintRule("control-character", "warning", "The name has a control character.", "Rename it."),
    LintRule("backslash", "note", "Names have a backslash, a separator on Windows.", "Rename them.", once=True),
    LintRule("windows-character", "note", "Names have characters that Windows refuses.", "Rename them.", once=True),
    LintRule("windows-name", "note", "Names are those of devices on Windows.", "Rename them.", once=True),
    LintRule("trailing-dot", "note", "Names end with a dot or blank, which Windows drops.", "Rename them.", once=True),
    # What keeps two builds from being the same bytes.
    LintRule("unsorted", "note", "From here on, the entries are in no order of names.", "Sort the entries by name."),
    LintRule("owner-name", "note", "Entries have names of owners, which nothing uses.", "Leave them empty.", once=True),
    LintRule("extra-time", "note", "Entries have times of access or change.", "Leave these records out.", once=True),
    LintRule(
        "fine-time",
        "note",
        "Entries have times that are not whole seconds, which many programs cut off.",
        "Cut the times to seconds.",
        once=True,
    ),
    LintRule("negative-time", "note", "A time before 1970, which some engines move there.", "Use a later time."),
    # What deserves a second look.
    LintRule("set-id", "note", "The file runs as its owner or group, whoever starts it."),
    LintRule(
        "world-writable", "warning", "Everyone may write here.", "Take the bit away, or make the directory sticky."
    ),
    LintRule("secret", "note", "A name that private keys or passwords usually have.", "Keep secrets out of images."),
)

LINT_RULES = {rule.what: rule for rule in _RULES}


@attrs.frozen
class Lint:
    """One finding: the word of its rule, and where."""

    what: str
    path: bytes
    """Clean, or as stored when it cannot be cleaned."""
    layer: int
    index: int
    """Of the entry in the layer, from 0."""
    offset: int
    """Of the entry's first header block in the plain tar."""
    detail: str = ""

    @property
    def rule(self) -> LintRule:
        """The rule, with its severity, its sentence and what to do."""
        return LINT_RULES[self.what]
