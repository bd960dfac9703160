"""The image config: the layers, and the process to start, of a container of this image (config.md).

The fields of the spec are typed, and those of Docker's that programs commonly read; `extra` holds all others. An absent
optional field has its empty value: None, an empty tuple or mapping, an empty `ContainerConfig`. The chain_ids of the
layers are computed here, because they depend on `diff_ids` alone. `verify` compares a config with the manifest and the
blobs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from oci_layers.spec.digest import Digest
from oci_layers.spec.model import checked
from oci_layers.spec.platform import Platform

__all__ = ["ContainerConfig", "Healthcheck", "History", "ImageConfig", "RootFS", "chain_ids", "platform_of"]


@checked
@attrs.frozen(kw_only=True)
class Healthcheck:
    """How to check whether a container is healthy: Docker's `Healthcheck`, a reserved field of the spec (config.md).

    Times are nanoseconds. Zero and None both inherit from the base image.
    """

    test: tuple[str, ...] = ()
    """The command: empty to inherit, `NONE`, `CMD` and arguments, or `CMD-SHELL` and one string."""
    interval: int | None = None
    """The time between two checks."""
    timeout: int | None = None
    """The time after which a check counts as failed."""
    start_period: int | None = None
    """The time after the start during which failures do not count."""
    start_interval: int | None = None
    """The time between two checks within the start period."""
    retries: int | None = None
    """The number of failures in a row that make a container unhealthy."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""


@checked
@attrs.frozen(kw_only=True)
class ContainerConfig:
    """The defaults for starting a container (config.md, `config`)."""

    user: str | None = None
    """User and perhaps group, by name or number (config.md, `User`)."""
    exposed_ports: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, hash=False)
    """Ports as `PORT/PROTOCOL` or `PORT`, each with an empty object (config.md, `ExposedPorts`)."""
    env: tuple[str, ...] = ()
    """Environment variables as `NAME=VALUE` (config.md, `Env`)."""
    entrypoint: tuple[str, ...] = ()
    """The command and its first arguments; a string is a list of one, as in Docker (config.md, `Entrypoint`)."""
    cmd: tuple[str, ...] = ()
    """Arguments of the entrypoint, or the command if there is none (config.md, `Cmd`)."""
    volumes: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, hash=False)
    """Directories for data of the container, each with an empty object (config.md, `Volumes`)."""
    working_dir: str | None = None
    """The directory that the process starts in (config.md, `WorkingDir`)."""
    labels: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Arbitrary metadata of the container (config.md, `Labels`)."""
    stop_signal: str | None = None
    """The signal that ends the container (config.md, `StopSignal`)."""
    args_escaped: bool = False
    """Whether the command is one escaped string; deprecated, Windows only (config.md, `ArgsEscaped`)."""
    healthcheck: Healthcheck | None = None
    """How to check a container's health (Docker; reserved in config.md)."""
    on_build: tuple[str, ...] = ()
    """Instructions to run when this image becomes a base image (Docker)."""
    stop_timeout: int | None = None
    """Seconds between the stop signal and the kill; -1 waits without limit (Docker)."""
    shell: tuple[str, ...] = ()
    """The shell for the shell form of commands (Docker)."""
    hostname: str | None = None
    """The host name of the container (Docker)."""
    domainname: str | None = None
    """The domain name of the container (Docker)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""


@checked
@attrs.frozen(kw_only=True)
class RootFS:
    """The layers, by the digests of their uncompressed tars (config.md, `rootfs`)."""

    type: str = "layers"
    """Always `layers` (config.md, `rootfs.type`)."""
    diff_ids: tuple[Digest, ...]
    """The diff_ids, the base first; null, which Go writes for an empty list, is one (config.md, `rootfs.diff_ids`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""


@checked
@attrs.frozen(kw_only=True)
class History:
    """One build step of the image, usually of one layer (config.md, `history`)."""

    created: str | None = None
    """The time of the step, RFC 3339, as written in the document (config.md, `history.created`)."""
    created_by: str | None = None
    """The command that made the layer (config.md, `history.created_by`)."""
    author: str | None = None
    """The author of the step (config.md, `history.author`)."""
    comment: str | None = None
    """A comment (config.md, `history.comment`)."""
    empty_layer: bool = False
    """Whether this step made no layer (config.md, `history.empty_layer`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""


@checked
@attrs.frozen(kw_only=True)
class ImageConfig:
    """The config document of a container image (config.md, "Properties")."""

    created: str | None = None
    """The creation time, RFC 3339, as written in the document, often to the nanosecond (config.md, `created`)."""
    author: str | None = None
    """The person or entity responsible for the image (config.md, `author`)."""
    architecture: str
    """The CPU architecture, a GOARCH value (config.md, `architecture`)."""
    os: str
    """The operating system, a GOOS value (config.md, `os`)."""
    os_version: str | None = None
    """The required version of the operating system (config.md, `os.version`)."""
    os_features: tuple[str, ...] = ()
    """The required features of the operating system (config.md, `os.features`)."""
    variant: str | None = None
    """The variant of the CPU (config.md, `variant`)."""
    config: ContainerConfig = attrs.field(factory=ContainerConfig)
    """The defaults for starting a container (config.md, `config`)."""
    rootfs: RootFS
    """The layers (config.md, `rootfs`)."""
    history: tuple[History, ...] = ()
    """The build steps, the base first; may be incomplete or absent (config.md, `history`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""


def chain_ids(diff_ids: Iterable[Digest]) -> tuple[Digest, ...]:
    """Return the chain_id of each layer (config.md, "Layer ChainID"), the base first.

    The chain_id of the base is its diff_id. That of any other layer is the sha256 of the chain_id of the layer below,
    a space and its own diff_id; it is sha256 for diff_ids of every algorithm.
    """
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(Digest.of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return tuple(chain)


def platform_of(config: ImageConfig) -> Platform:
    """Return the platform that a config declares."""
    return Platform(
        os=config.os,
        architecture=config.architecture,
        variant=config.variant,
        os_version=config.os_version,
        os_features=config.os_features,
    )
