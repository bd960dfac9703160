"""A tree on disk: a real directory that nothing can leave, and a scan back.

`confine` reaches directories by handle, `mirror` repeats a tree's steps in one, `owner` says whose files they become,
`skips` is what is left out, `destination` is what happens to DEST as a whole (`target` is its name, `in_place` works
inside it), `scan` turns a directory into a tree.
"""

from oci_layers.disk.destination import destination
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import IdMap, Owner
from oci_layers.disk.scan import scan

__all__ = ["DirectoryMirror", "IdMap", "Owner", "destination", "scan"]
