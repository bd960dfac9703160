"""Layers unpacked once, and what stands on them."""

from oci_layers.snapshot.snapshots import Snapshot, Snapshots

__all__ = ["Snapshot", "Snapshots"]
