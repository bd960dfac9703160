"""Documents as values: what `documents` has as JSON, read into the models, every field kept."""

from typing import TypeVar

from hypothesis import strategies as st

from oci_layers.spec.codec import structure
from oci_layers.spec.config import ContainerConfig, Healthcheck, History, ImageConfig, RootFS
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.spec.platform import Platform
from oci_layers.testing.strategies import document, word

__all__ = [
    "configs",
    "container_configs",
    "descriptors",
    "healthchecks",
    "histories",
    "image_layouts",
    "indexes",
    "manifests",
    "platforms",
    "root_file_systems",
]

T = TypeVar("T")


def _values(json: st.SearchStrategy[document.Json], model: type[T], media_type: str) -> st.SearchStrategy[T]:
    return json.map(lambda found: structure(found, model, media_type=media_type))


def platforms(*, unknown: bool = True) -> st.SearchStrategy[Platform]:
    """Return a strategy of platforms; with fields that no one knows if `unknown`."""
    return _values(document.platform_json(unknown=unknown), Platform, "a platform")


def descriptors(
    *, media_types: st.SearchStrategy[str] | None = None, unknown: bool = True
) -> st.SearchStrategy[Descriptor]:
    """Return a strategy of descriptors, some with their content in `data`.

    Args:
        media_types: The media types of what they refer to; by default any.
        unknown: Draw fields that no one knows, too.
    """
    found = document.descriptor_json(media_types or word.media_types(), unknown=unknown)
    return _values(found, Descriptor, OCI_DESCRIPTOR)


def manifests(
    *, layers: tuple[int, int] = (1, 3), docker: bool = False, unknown: bool = True
) -> st.SearchStrategy[Manifest]:
    """Return a strategy of manifests of images and artifacts, whose blobs do not exist.

    Args:
        layers: The fewest and the most layers.
        docker: Draw Docker's manifests.
        unknown: Draw fields that no one knows, too.
    """
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    return _values(document.json_of(media_type, unknown=unknown, layers=layers), Manifest, media_type)


def indexes(
    *, manifests: tuple[int, int] = (0, 3), docker: bool = False, unknown: bool = True
) -> st.SearchStrategy[Index]:
    """Return a strategy of indexes whose entries, manifests and nested indexes, do not exist; see `layouts` for others.

    Args:
        manifests: The fewest and the most entries.
        docker: Draw Docker's manifest lists.
        unknown: Draw fields that no one knows, too.
    """
    media_type = DOCKER_MANIFEST_LIST if docker else OCI_INDEX
    return _values(document.json_of(media_type, unknown=unknown, manifests=manifests), Index, media_type)


def configs(
    *, layers: tuple[int, int] = (0, 3), docker: bool = True, unknown: bool = True
) -> st.SearchStrategy[ImageConfig]:
    """Return a strategy of configs of images.

    Args:
        layers: The fewest and the most diff_ids; there is an entry of the history for each.
        docker: Draw the fields that only Docker knows, such as `Healthcheck`.
        unknown: Draw fields that no one knows, and null for what may be absent.
    """
    found = document.json_of(OCI_CONFIG, unknown=unknown, layers=layers, docker=docker)
    return _values(found, ImageConfig, OCI_CONFIG)


def container_configs(*, docker: bool = True, unknown: bool = True) -> st.SearchStrategy[ContainerConfig]:
    """Return a strategy of the `config` of a config; the options are those of `configs`."""
    found = document.container_json(unknown=unknown, docker=docker)
    return _values(found, ContainerConfig, "a container's config")


def healthchecks(*, unknown: bool = True) -> st.SearchStrategy[Healthcheck]:
    """Return a strategy of Docker's healthchecks."""
    return _values(document.healthcheck_json(unknown=unknown), Healthcheck, "a healthcheck")


def histories(*, unknown: bool = True) -> st.SearchStrategy[History]:
    """Return a strategy of entries of the history of a config."""
    return _values(document.history_json(unknown=unknown), History, "an entry of a history")


def root_file_systems(*, layers: tuple[int, int] = (0, 3)) -> st.SearchStrategy[RootFS]:
    """Return a strategy of the `rootfs` of a config, with so many diff_ids."""
    return st.lists(word.digests(), min_size=layers[0], max_size=layers[1]).map(
        lambda found: RootFS(diff_ids=tuple(found))
    )


def image_layouts(*, unknown: bool = True) -> st.SearchStrategy[ImageLayout]:
    """Return a strategy of the marker file of a layout."""
    return _values(document.json_of(OCI_LAYOUT, unknown=unknown), ImageLayout, OCI_LAYOUT)
