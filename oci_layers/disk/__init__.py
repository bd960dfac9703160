"""A tree on disk: write it to a real directory without ever leaving that directory, and scan one back.

`confine` opens directories by handle, `mirror` repeats changes of a tree in a directory, `owner` maps owners, `skips`
collects what was not set, `destination` creates DEST as a whole (`target` is its name, `in_place` builds inside it),
`scan` reads a directory into a tree.
"""

from oci_layers.disk.destination import destination
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import IdMap, Owner
from oci_layers.disk.scan import scan

__all__ = ["DirectoryMirror", "IdMap", "Owner", "destination", "scan"]
