"""Containers and views whose owners are mapped: those of the image are shown, and written, as others.

The kernel maps the owners of a mount (Linux 5.12; mount_setattr(2), MOUNT_ATTR_IDMAP). The lower directories of an
overlay are such mounts, so what is copied up has the owner that is shown, and so has the upper directory. On the way
back, to a tree or a layer, each owner becomes that of the image again. The capabilities of a file belong to the root of
a namespace: shown with an owner that is mapped, they name that root, and on the way back they name none again.
"""

import struct

import attrs

from oci_layers import system
from oci_layers.disk.owner import IdMap, Owner, map_id
from oci_layers.errors import UnsupportedError, escape
from oci_layers.tree.node import Node

__all__ = ["check_maps", "in_image", "namespace_of"]

_ALL = IdMap(0, 0, 2**32 - 1)
_CAPABILITY = b"security.capability"
_OF_ROOT, _OF_NAMESPACE = 0x02000000, 0x03000000  # VFS_CAP_REVISION_2, VFS_CAP_REVISION_3
_REVISION = 0xFF000000
_SIZE = 24
"""Bytes of capabilities that name a root (linux/capability.h, struct vfs_ns_cap_data)."""


def check_maps(owner: Owner | None) -> Owner:
    """Return the owners of a container; by default those of the image.

    Raises:
        UnsupportedError: They are no maps of ids.
    """
    found = owner or Owner()
    if found.fixed is not None or not found.same:
        raise UnsupportedError("owner", "one for all files", "a container has the owners of its image, or maps of them")
    return found


def namespace_of(owner: Owner) -> int:
    """Return a handle on a user namespace that has the maps; the caller closes it.

    Raises:
        OSError: The system refuses.
    """
    uids, gids = (
        [(each.container, each.host, each.size) for each in maps or (_ALL,)] for maps in (owner.uids, owner.gids)
    )
    return system.user_namespace(uids, gids)


def in_image(owner: Owner, path: bytes, node: Node) -> Node:
    """Return a node of an upper directory with the owner, and the capabilities, that it has in the image.

    Raises:
        UnsupportedError: The maps do not have the owner.
    """
    uid = _mapped_back("uid", path, node.uid, owner.uids)
    gid = _mapped_back("gid", path, node.gid, owner.gids)
    xattrs = node.xattrs
    found = xattrs.get(_CAPABILITY, b"")
    if owner.uids and len(found) == _SIZE:
        magic, *sets, root = struct.unpack("<6I", found)
        if magic & _REVISION == _OF_NAMESPACE:
            root = _mapped_back("root of the capabilities", path, root, owner.uids)
            parts = (magic, *sets, root) if root else (magic & ~_REVISION | _OF_ROOT, *sets)
            xattrs = {**xattrs, _CAPABILITY: struct.pack(f"<{len(parts)}I", *parts)}
    return attrs.evolve(node, uid=uid, gid=gid, xattrs=xattrs)


def _mapped_back(what: str, path: bytes, number: int, maps: tuple[IdMap, ...]) -> int:
    mapped = map_id(number, maps, IdMap.in_container)
    if mapped is None:
        raise UnsupportedError(f"{what} of {escape(path)}", str(number), "the maps of the container do not have it")
    return mapped
