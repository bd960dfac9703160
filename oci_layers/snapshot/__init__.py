"""Layers unpacked once, each as a directory, and shown as one: images and containers over them.

`snapshots` is the room; `unpack` writes layers through `upper_mirror`, with their changes beside them (`changes_file`);
`layers` finds them. `overlay` has a stack of directories as the kernel takes it, `presenter` the ways to show it: as a
mount without a path, which an ordinary user gets as well, or at one. `container` makes it writable, `upper_tree` reads
what was written.
"""

from oci_layers.snapshot.container import Container, ContainerFiles, View
from oci_layers.snapshot.overlay import MOST_LOWERS, Stack, is_lost
from oci_layers.snapshot.presenter import PRESENTERS, Presented, PresenterName, present
from oci_layers.snapshot.snapshots import Snapshot, Snapshots

__all__ = [
    "MOST_LOWERS",
    "PRESENTERS",
    "Container",
    "ContainerFiles",
    "Presented",
    "PresenterName",
    "Snapshot",
    "Snapshots",
    "Stack",
    "View",
    "is_lost",
    "present",
]
