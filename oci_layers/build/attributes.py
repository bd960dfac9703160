"""What files have besides names and contents: permissions, owners, times and extended attributes, set as Linux does."""

import errno
import stat
from collections.abc import Mapping
from typing import Any

from oci_layers.build.file_system import FileSystem
from oci_layers.errors import LimitError, NotPermittedError, PathError
from oci_layers.layer.decode import MAX_OWNER
from oci_layers.tree.node import Directory, File, Node

__all__ = ["remove_xattr", "set_mode", "set_mtime", "set_owner", "set_xattr", "without_capability"]

_CAPABILITY = b"security.capability"
_NO_TIME_NS = (1 << 63) * 10**9
_NAMESPACES = (b"user.", b"trusted.", b"security.", b"system.")


def set_mode(files: FileSystem, path: bytes, mode: int) -> None:
    """Set the permissions, as `chmod`; a link is followed."""
    where, node = files.require(path)
    files.replace(where, node, mode=mode & 0o7777)


def set_owner(files: FileSystem, path: bytes, uid: int, gid: int, *, follow: bool) -> None:
    """Set user and group, as `chown`: -1 leaves one as it is; files lose set-user-ID, set-group-ID and capabilities.

    Raises:
        PathError: A number that no user or group has (EINVAL).
    """
    where, node = files.require(path, follow=follow)
    if not (-1 <= uid <= MAX_OWNER and -1 <= gid <= MAX_OWNER):
        raise PathError(b"/" + path, f"the owner {uid}:{gid} is out of the range 0 to {MAX_OWNER}")
    changes: dict[str, Any] = {}  # Any: attributes of nodes
    if uid != -1:
        changes["uid"] = uid
    if gid != -1:
        changes["gid"] = gid
    if not isinstance(node, Directory):
        lost = stat.S_ISUID | (stat.S_ISGID if node.mode & stat.S_IXGRP else 0)
        changes |= {"mode": node.mode & ~lost, "xattrs": without_capability(node.xattrs)}
    files.replace(where, node, **changes)


def set_mtime(files: FileSystem, path: bytes, mtime_ns: int | None, *, follow: bool) -> None:
    """Set the time of modification, to the present one by default, as `utimensat`.

    Raises:
        PathError: A time that no layer can have (EINVAL).
    """
    if mtime_ns is not None and abs(mtime_ns) >= _NO_TIME_NS:
        raise PathError(b"/" + path, "the seconds of the time take more than 64 bits")
    where, node = files.require(path, follow=follow)
    files.replace(where, node, mtime_ns=files.creator.clock() if mtime_ns is None else mtime_ns)


def set_xattr(files: FileSystem, path: bytes, name: bytes, value: bytes, *, follow: bool) -> None:
    """Set an extended attribute, as `setxattr`.

    Raises:
        PathError: There are no attributes of this name (ENOTSUP, or ERANGE for its length).
        NotPermittedError: The name begins with `user.`, and this is neither a file nor a directory.
        LimitError: All attributes together have more than `Limits.xattr_bytes`.
    """
    where, node = files.require(path, follow=follow)
    _check_name(path, node, name)
    if name not in node.xattrs and len(name) > files.tree.limits.component_bytes:
        raise PathError(b"/" + path, "the name of the attribute is too long", errno.ERANGE)
    xattrs = {**node.xattrs, name: value}
    size = sum(map(len, xattrs)) + sum(map(len, xattrs.values()))
    if size > files.tree.limits.xattr_bytes:
        raise LimitError("xattr_bytes", files.tree.limits.xattr_bytes, size)
    files.replace(where, node, xattrs=xattrs)


def remove_xattr(files: FileSystem, path: bytes, name: bytes, *, follow: bool) -> None:
    """Remove an extended attribute, as `removexattr`.

    Raises:
        PathError: It does not exist (ENODATA), or as `set_xattr`.
        NotPermittedError: As `set_xattr`.
    """
    where, node = files.require(path, follow=follow)
    _check_name(path, node, name)
    if name not in node.xattrs:
        raise PathError(b"/" + path, "no such attribute", errno.ENODATA)
    files.replace(where, node, xattrs={key: value for key, value in node.xattrs.items() if key != name})


def _check_name(path: bytes, node: Node, name: bytes) -> None:
    if not name.startswith(_NAMESPACES) or name in _NAMESPACES:
        raise PathError(b"/" + path, "there are no attributes of this name", errno.ENOTSUP)
    if name.startswith(b"user.") and not isinstance(node, File | Directory):
        raise NotPermittedError(b"/" + path)


def without_capability(xattrs: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Return the attributes that stay when owner or contents change."""
    if _CAPABILITY not in xattrs:
        return xattrs
    return {name: value for name, value in xattrs.items() if name != _CAPABILITY}
