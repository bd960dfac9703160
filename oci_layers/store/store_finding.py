"""What a check of a store finds: `StoreFinding`, and `Checked` for all of them.

`fsck` makes these; the command prints them. Their kinds are those of a store. What is wrong with the content of images
is a `report.Finding`.
"""

from typing import Literal

import attrs

from oci_layers.report import Severity
from oci_layers.spec.digest import Digest

__all__ = ["Checked", "Kind", "StoreFinding"]

Kind = Literal["corrupt", "foreign", "leftover", "malformed", "missing", "misnamed", "orphan", "size", "unchecked"]


@attrs.frozen(kw_only=True)
class StoreFinding:
    """Something that is wrong with a store, or could be."""

    kind: Kind
    """What:

    * `corrupt`: the bytes of a blob do not match its digest;
    * `misnamed`: they are those of another blob;
    * `missing`: a document refers to a blob that does not exist;
    * `size`: a document gives a size that the blob does not have;
    * `malformed`: a document that is in use cannot be read as one, the index and the marker included;
    * `foreign`: a file in `blobs/` that is no blob;
    * `orphan`: no document refers to the blob; `gc` deletes it;
    * `leftover`: a file of a writer that was killed; `gc` removes it;
    * `unchecked`: this installation cannot compute the algorithm of the digest.
    """
    severity: Severity
    """`error`: an image cannot be read, or a blob is damaged. `warning`: something may be lacking. `note`: neither."""
    path: str
    """The file in the layout."""
    message: str
    """What is wrong, as a clause."""
    digest: Digest | None = None
    """The blob."""
    refs: tuple[str, ...] = ()
    """The images that need the blob: their names, or digests if they have none."""
    size: int = 0
    """Bytes of the file."""
    repaired: bool = False
    """Whether the store is right in this respect by now."""


@attrs.frozen(kw_only=True)
class Checked:
    """What `fsck` found."""

    findings: tuple[StoreFinding, ...]
    """The findings, errors first; those of one level by path."""
    blobs: int
    """How many blobs were read."""
    bytes: int
    """Their bytes."""
    quarantined: tuple[str, ...] = ()
    """The files that were moved, as paths in the layout."""

    @property
    def ok(self) -> bool:
        """Whether there are no errors but those that were repaired."""
        return not any(each.severity == "error" and not each.repaired for each in self.findings)
