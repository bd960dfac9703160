"""A tree on disk: write it to a real directory without ever leaving that directory, and scan one back.

`confine` opens directories by handle, `mirror` repeats changes of a tree in a directory, `owner` maps owners, `skips`
collects what was not set, `destination` creates DEST as a whole (`target` is its name, `in_place` builds inside it),
`scan` reads a directory into a tree.

`Image.unpack` does this for all layers of an image; here are its steps for one file. `destination` yields a handle on
an empty directory, whose content is at DEST when the block ends without an error:

    >>> import os, tempfile
    >>> from oci_layers import disk
    >>> from oci_layers.report import Report
    >>> from oci_layers.tree import File, FileTree, Inline, TreeEditor
    >>> work = tempfile.TemporaryDirectory()
    >>> dest, report = os.path.join(work.name, "rootfs"), Report()
    >>> tree = FileTree()
    >>> with disk.destination(dest) as root:
    ...     mirror = disk.DirectoryMirror(root, owner=disk.Owner(same=False), report=report)
    ...     editor = TreeEditor(tree, mirror=mirror)
    ...     motd = File(0o644, 0, 0, 0, content=Inline(b"lit"))
    ...     editor.put(editor.open_parent(b"etc"), b"motd", motd, iter([memoryview(b"lit")]))
    ...     mirror.finish(tree)
    ...     mirror.close()
    >>> report.files, report.bytes, os.listdir(dest)
    (1, 3, ['etc'])

A directory becomes a tree again:

    >>> again = disk.scan(dest)
    >>> [path for path, node in again.walk()]
    [b'', b'etc', b'etc/motd']
    >>> b"".join(again.require("etc/motd").content.chunks())
    b'lit'
    >>> work.cleanup()

`Owner` says to whom files on disk belong: to the owners in the image (`same`, the default), to the calling user, to one
owner, or to mapped numbers, as in a user namespace:

    >>> disk.Owner(fixed=(1000, 1000)).on_disk(0, 0)
    (1000, 1000)
    >>> maps = (disk.IdMap.parse("0:1000"), disk.IdMap(container=1, host=100_000, size=65_536))
    >>> disk.Owner(uids=maps, gids=maps).on_disk(0, 33)
    (1000, 100032)
"""

from oci_layers.disk.destination import destination
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import IdMap, Owner
from oci_layers.disk.scan import scan

__all__ = ["DirectoryMirror", "IdMap", "Owner", "destination", "scan"]
