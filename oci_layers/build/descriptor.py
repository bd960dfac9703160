"""The security descriptors that new files for Windows get: the bytes of a self-relative SECURITY_DESCRIPTOR.

Administrators own everything, and they and SYSTEM may do everything; Users may read and execute. What is made later in
a directory inherits this; Users may make files and directories in it, and their creator owns them. These are the
descriptors that BuildKit writes, and that the images of Microsoft have.

The layout is that of MS-DTYP: a descriptor is a header of 20 bytes with the offsets of the owner, the group and the two
access lists (2.4.6), a list a header of 8 bytes and its entries (2.4.5), an entry a type, flags, its size, what it
allows and to whom (2.4.4.2), and a SID a revision, a count, an authority and the count of numbers (2.4.2).
"""

import struct

__all__ = ["DIRECTORY_DESCRIPTOR", "FILE_DESCRIPTOR"]

_OBJECT_INHERIT, _CONTAINER_INHERIT, _INHERIT_ONLY = 1, 2, 8
_EVERYTHING, _GENERIC_ALL, _READ_AND_EXECUTE = 0x1F01FF, 0x10000000, 0x1200A9
_ADD_FILE, _ADD_DIRECTORY = 0x2, 0x4
_SELF_RELATIVE_WITH_DACL = 0x8004
_NT_AUTHORITY, _CREATOR_AUTHORITY = 5, 3


def _sid(authority: int, *numbers: int) -> bytes:
    return struct.pack(f"<BB6s{len(numbers)}I", 1, len(numbers), authority.to_bytes(6, "big"), *numbers)


_ADMINISTRATORS = _sid(_NT_AUTHORITY, 32, 544)
_USERS = _sid(_NT_AUTHORITY, 32, 545)
_SYSTEM = _sid(_NT_AUTHORITY, 18)
_CREATOR_OWNER = _sid(_CREATOR_AUTHORITY, 0)


def _allowed(sid: bytes, mask: int, flags: int = 0) -> bytes:
    return struct.pack("<BBHI", 0, flags, 8 + len(sid), mask) + sid


def _descriptor(*entries: bytes) -> bytes:
    owner, group, entry_bytes = _ADMINISTRATORS, _SYSTEM, b"".join(entries)
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entry_bytes), len(entries), 0) + entry_bytes
    offsets = 20, 20 + len(owner), 0, 20 + len(owner) + len(group)
    return struct.pack("<BBH4I", 1, 0, _SELF_RELATIVE_WITH_DACL, *offsets) + owner + group + acl


_BOTH = _OBJECT_INHERIT | _CONTAINER_INHERIT

FILE_DESCRIPTOR = _descriptor(
    _allowed(_ADMINISTRATORS, _EVERYTHING), _allowed(_SYSTEM, _EVERYTHING), _allowed(_USERS, _READ_AND_EXECUTE)
)
"""`O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)` in the Security Descriptor Definition Language."""

DIRECTORY_DESCRIPTOR = _descriptor(
    _allowed(_ADMINISTRATORS, _EVERYTHING, _BOTH),
    _allowed(_SYSTEM, _EVERYTHING, _BOTH),
    _allowed(_ADMINISTRATORS, _EVERYTHING),
    _allowed(_CREATOR_OWNER, _GENERIC_ALL, _BOTH | _INHERIT_ONLY),
    _allowed(_USERS, _READ_AND_EXECUTE, _BOTH),
    _allowed(_USERS, _ADD_DIRECTORY, _CONTAINER_INHERIT),
    _allowed(_USERS, _ADD_FILE, _CONTAINER_INHERIT),
)
"""The same for a directory, with what is inherited, and CREATOR OWNER and the rights of Users to add to it."""
