"""Copy images from one place to another: `copy`.

Theory of operation. The documents of an image are read first; they say which blobs it has. Blobs that the target has
are kept there, the others are copied, several at once, each verified while it is written. Documents follow, children
before parents, and the name comes last: so the target never lists an image of which something is missing, and a call
that was interrupted can be repeated, and goes on where it stopped. A document is copied as its bytes, unless a
conversion was asked for (`convert`).

During the copy a lease keeps the target's garbage collection from what was copied and is not referred to yet.
"""

import os
from collections.abc import Callable, Iterator, Sequence

import attrs

from oci_layers import system
from oci_layers.errors import OCIError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.convert import (
    Conversion,
)
from oci_layers.store.graph import is_document, read_node
from oci_layers.store.plan import Plan
from oci_layers.store.repository import Repository, WritableRepository, named
from oci_layers.store.select import names_of, one_image
from oci_layers.store.transfer import Copied, Transfer

__all__ = ["Copied", "copy"]

_FALLBACK = ("", ".sig", ".att", ".sbom")
"""Ends of the names that lead to referrers where there is no API for them: the tag schema of the distribution spec, and
the names that cosign gives."""


def copy(
    source: Repository,
    target: WritableRepository,
    ref: str | None = None,
    *,
    target_ref: str | None = None,
    everything: bool = False,
    platforms: Sequence[str | Platform] = (),
    referrers: bool = False,
    conversion: Conversion | None = None,
    threads: int | None = None,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Copied:
    """Copy an image: the blobs that the target does not have, then documents, then the name.

    Can be called again after an interruption, and goes on; in a layout, within a blob, too. Memory: the documents of
    one image, and some MiB for each thread.

    Args:
        source: Where the image is.
        target: Where it goes; may be the source.
        ref: The name or digest of the image; None for the only one.
        target_ref: Its name in the target; that in the source if None.
        everything: Copy all images, each under its own name.
        platforms: `OS/ARCHITECTURE[/VARIANT]`; all platforms if empty. With one, its manifest is copied, without the
            index that lists it; with several, the index as it is, and of its manifests only these (LAY-07).
        referrers: Also copy the manifests whose `subject` is copied: signatures, SBOMs, and their referrers.
        conversion: Recompress layers, or convert media types; documents and layers get new digests.
        threads: The number of blobs copied at once; up to four if None.
        limits: The limits on documents, and on recompressed layers.
        temporary_directory: The directory of recompressed layers; the system's default if None.
        progress: Called in the caller's thread; an exception that it raises ends the copy.

    Raises:
        ReferenceMissingError: There is no such image or platform, or there are several; lists those that exist.
        BlobMissingError: The source lacks a blob of the image.
        IntegrityError: A blob is not what its descriptor says; the name was not written.
        UnsupportedError: The conversion is not possible.
        OSError: The target cannot be written.
    """
    limits = limits or Limits()
    wanted = [Platform.parse(each) if isinstance(each, str) else each for each in platforms]
    groups = _groups(source, ref, everything=everything)
    if target_ref is not None and len(groups) > 1:
        raise ReferenceMissingError("", names_of(source.entries()))
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    work = Transfer(source, target, conversion, limits, temporary, threads or min(4, system.cpu_count()))
    entries: list[Descriptor] = []
    with target.lease():
        for name, group in groups:
            plans = [Plan(source.blobs, limits, wanted).of(each) for each in group]
            written = work.write(plans, progress)
            new_name = name if target_ref is None else target_ref
            target.tag(new_name, *written)
            entries += (named(each, new_name) for each in written)
        found = tuple(_referrers(work, progress)) if referrers else ()
    return attrs.evolve(work.copied, entries=tuple(entries), referrers=found)


def _groups(source: Repository, ref: str | None, *, everything: bool) -> list[tuple[str | None, list[Descriptor]]]:
    """Return the entries to copy, those of one name together."""
    groups: dict[str | Digest, list[Descriptor]] = {}
    entries = source.entries(ref)
    if not everything:
        image = one_image(entries, ref)
        return [(own_name(image[0]), image)]
    for each in entries:
        groups.setdefault(own_name(each) or each.digest, []).append(each)
    return [(key if isinstance(key, str) else None, group) for key, group in groups.items()]


def _referrers(work: Transfer, progress: Callable[[Progress], None] | None) -> Iterator[Descriptor]:
    """Copy what refers to the documents copied so far, and what refers to that; yield the entries written."""
    blobs, limits = work.source.blobs, work.limits
    left = []
    for entry in work.source.entries():
        if entry.digest not in work.documents and is_document(entry):
            try:
                subject = read_node(blobs, entry, limits).value.subject
            except OCIError:
                continue  # Not part of what was asked for.
            left.append((entry, None if subject is None else subject.digest))
    while True:
        names = {str(each).replace(":", "-") + end for each in work.documents for end in _FALLBACK}
        found = [each for each, subject in left if subject in work.documents or own_name(each) in names]
        if not found:
            return
        left = [(each, subject) for each, subject in left if each not in found]
        for entry in found:
            (written,) = work.write([Plan(blobs, limits, ()).of(entry)], progress)
            work.target.tag(own_name(entry), written)
            yield named(written, own_name(entry))
