"""The grammar of `.wh.` names (layer.md, Whiteouts); `apply` removes what they name.

A last component `.wh.NAME` is a whiteout of its sibling NAME, and `.wh..wh..opq` makes its directory opaque. A NAME
that is empty, `.` or `..` is an error, and so is `.wh.` before any component but the last: no image can have such a
name (WHT-03, WHT-04). The bookkeeping files of AUFS at the root of a layer have no meaning here and are dropped.
"""

import functools

import attrs

from oci_layers.errors import WhiteoutError
from oci_layers.layer.change import Opaque, Whiteout
from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.tree.path import check_limits, clean, join, parent_and_name

__all__ = [
    "OPAQUE_NAME",
    "PREFIX",
    "aufs_artifact",
    "check_name",
    "clean_name",
    "is_marker",
    "marker_limits",
    "marker_name",
    "parse_whiteout",
]

PREFIX = b".wh."
OPAQUE_NAME = b".wh..wh..opq"
_AUFS_NAMES = frozenset({b".wh..wh.plnk", b".wh..wh.aufs", b".wh..wh.orph"})


@functools.cache
def marker_limits(limits: Limits) -> Limits:
    """Return the limits of names of markers, which are longer than what they remove by the prefix."""
    return attrs.evolve(
        limits,
        component_bytes=limits.component_bytes + len(PREFIX),
        path_bytes=limits.path_bytes + len(PREFIX),
    )


def clean_name(name: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Clean the name of an entry, which may be a marker, as `tree.path.clean`; raises as that."""
    if PREFIX not in name:
        return clean(name, limits=limits)
    path = clean(name, limits=marker_limits(limits))
    if not is_marker(path):
        check_limits(path, limits)
    return path


def aufs_artifact(path: bytes) -> str | None:
    """Return the rule by which the marker at the clean `path` is dropped, or None if it is not dropped.

    AUFS's own names at the root are its bookkeeping (AUF-01); a whiteout of a name that begins with `.wh.` removes a
    name that no image can have (EDGE-23).
    """
    first, _, _ = path.partition(b"/")
    if first in _AUFS_NAMES:
        return "aufs"
    parent, name = parent_and_name(path)
    if name.startswith(PREFIX + PREFIX) and name != OPAQUE_NAME and not _in_marker(parent):
        return "whiteout-of-marker"
    return None


def _in_marker(path: bytes) -> bool:
    """Return whether a component of `path` begins with `.wh.`, as that of no directory may."""
    return path.startswith(PREFIX) or b"/" + PREFIX in path


def is_marker(path: bytes) -> bool:
    """Return whether the last component of the clean `path` begins with `.wh.`, valid or not."""
    return parent_and_name(path)[1].startswith(PREFIX)


def check_name(path: bytes) -> None:
    """Check that a layer can have the clean `path` as an ordinary name.

    Raises:
        WhiteoutError: A component begins with `.wh.`.
    """
    if _in_marker(path):
        raise WhiteoutError(path, "no layer can add or remove a name that begins with '.wh.'")


def marker_name(marker: Whiteout | Opaque) -> bytes:
    """Return the name of the entry for a marker: what `parse_whiteout` parses.

    Raises:
        WhiteoutError: It removes the root, or a name that no layer can have.
    """
    check_name(marker.path)
    if isinstance(marker, Opaque):
        return join(marker.path, OPAQUE_NAME)
    parent, name = parent_and_name(marker.path)
    if not name:
        raise WhiteoutError(marker.path, "no layer can remove the root")
    return join(parent, PREFIX + name)


def parse_whiteout(path: bytes) -> Whiteout | Opaque | None:
    """Parse the clean `path` as a marker; return None for an ordinary name.

    Raises:
        WhiteoutError: The name does not follow the grammar.
    """
    parent, name = parent_and_name(path)
    if _in_marker(parent):
        raise WhiteoutError(path, "a directory cannot have a name that begins with '.wh.'")
    if not name.startswith(PREFIX):
        return None
    if name == OPAQUE_NAME:
        return Opaque(parent)
    hidden = name[len(PREFIX) :]
    if hidden in {b"", b".", b".."}:
        raise WhiteoutError(path, "a whiteout must name what it removes")
    return Whiteout(join(parent, hidden))
