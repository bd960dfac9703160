"""Checks of one entry by itself: its type, mode, owner, time, device number, attributes.

`is_ordinary` quickly recognizes most entries, in which `entry_faults` finds nothing, because lint checks every entry.
Names are checked in `names`, hard links in `walk`, which knows the other entries.
"""

from collections.abc import Iterator

from oci_layers.errors import escape
from oci_layers.layer.decode import MAX_DEVICE, MAX_OWNER
from oci_layers.tar.entry import BLOCK, CHARACTER, CONTIGUOUS, DIRECTORY, FILE_TYPES, REGULAR, SYMLINK, Entry
from oci_layers.tree.node import OVERLAY_XATTRS

__all__ = ["entry_faults", "is_ordinary"]

_ORDINARY = frozenset({REGULAR, DIRECTORY})
_WATCHED_BITS = 0o6002

_Faults = Iterator[tuple[str, str]]


def is_ordinary(entry: Entry) -> bool:
    """Return whether `entry` is a file, a directory or a symbolic link in which `entry_faults` finds nothing."""
    if entry.xattrs or entry.extents is not None or entry.mtime_ns < 0 or not _has_owner(entry):
        return False
    if entry.type == SYMLINK:
        return bool(entry.linkname) and b"\0" not in entry.linkname
    return entry.type in _ORDINARY and not entry.mode & _WATCHED_BITS


def _has_owner(entry: Entry) -> bool:
    return 0 <= entry.uid <= MAX_OWNER and 0 <= entry.gid <= MAX_OWNER


def entry_faults(entry: Entry) -> _Faults:
    """Yield a rule and a detail for each fault of `entry`, apart from its name and the place its link leads to."""
    if entry.type in FILE_TYPES or entry.type == DIRECTORY:
        yield from _mode_faults(entry)
    if entry.mtime_ns < 0:
        yield "negative-time", ""
    if not _has_owner(entry):
        yield "owner-range", f"{entry.uid}:{entry.gid}"
    for key in entry.xattrs:
        if key.startswith(OVERLAY_XATTRS):
            yield "overlay-xattr", escape(key)
    if entry.extents is not None:
        yield "sparse", ""
    if entry.type == CONTIGUOUS:
        yield "contiguous", ""
    elif entry.type == SYMLINK:
        yield from _target_faults(entry.linkname)
    elif entry.type in {CHARACTER, BLOCK}:
        yield from _device_faults(entry)


def _mode_faults(entry: Entry) -> _Faults:
    mode = entry.mode & 0o7777
    if entry.type != DIRECTORY and mode & 0o6000:
        yield "set-id", f"{mode:04o}"
    if mode & 0o002 and not (entry.type == DIRECTORY and mode & 0o1000):
        yield "world-writable", f"{mode:04o}"


def _target_faults(target: bytes) -> _Faults:
    if not target:
        yield "empty-link", ""
    elif b"\0" in target:
        yield "nul-name", "in the target of the link"


def _device_faults(entry: Entry) -> _Faults:
    major, minor = entry.devmajor, entry.devminor
    if not (0 <= major <= MAX_DEVICE and 0 <= minor <= MAX_DEVICE):
        yield "device-range", f"{major}:{minor}"
    elif entry.type == CHARACTER and major == minor == 0:
        yield "overlay-whiteout", ""
