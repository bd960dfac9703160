"""The strategies that `hypothesis.strategies.from_type` takes for the types of this library."""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from oci_layers.spec.config import ContainerConfig, Healthcheck, History, ImageConfig, RootFS
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.platform import Platform
from oci_layers.spec.reference import Reference
from oci_layers.tar.entry import Entry
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies import value, word
from oci_layers.testing.strategies.edit import Edit, edit_lists
from oci_layers.testing.strategies.layout import LayoutContents, layouts
from oci_layers.testing.strategies.stack import stacks
from oci_layers.testing.strategies.tree import trees
from oci_layers.testing.strategies.wild import entries
from oci_layers.tree.tree import FileTree

__all__ = ["TYPES", "register"]

TYPES: Mapping[type, Callable[[], st.SearchStrategy[Any]]] = {  # Any: a value of the type
    ContainerConfig: value.container_configs,
    Descriptor: value.descriptors,
    Digest: word.digests,
    Edit: lambda: edit_lists(edits=(1, 1)).map(lambda edits: edits[0]),
    Entry: entries,
    FileTree: trees,
    Healthcheck: value.healthchecks,
    History: value.histories,
    ImageConfig: value.configs,
    ImageLayout: value.image_layouts,
    Index: value.indexes,
    LayoutContents: layouts,
    Manifest: value.manifests,
    Platform: value.platforms,
    Reference: word.references,
    RootFS: value.root_file_systems,
    Stack: stacks,
}


def register() -> None:
    """Register all of them; what a user has registered for one of the types is replaced."""
    for kind, strategy in TYPES.items():
        st.register_type_strategy(kind, strategy())
