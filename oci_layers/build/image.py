"""An image as a value: made from nothing or from another image, changed by methods that return a new one, then written.

Nothing is written before `write`, and then only what the target lacks: layers first, the config, the manifest, and the
name last. What is not changed is not made anew: layers are shared, an image without a change keeps the bytes of its
documents, however they are formatted, and a changed document keeps its unknown fields and the order of all of them.

No clock is read. Times are those given, or that of SOURCE_DATE_EPOCH, read once by `scratch` and `edit`; without
either, new history entries have no time and the image keeps the one that it has. `history` has the rules for entries,
`settings` those for the process, `stack` those for layers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from oci_layers.blob.store import BlobStore
from oci_layers.build.documents import DOCUMENT_TYPES, Base, Documents, on_platform
from oci_layers.build.fields import Created, JSONObject, merged, time_text, with_field, without_field
from oci_layers.build.history import aligned, as_empty, layer_positions, say
from oci_layers.build.options import Codec
from oci_layers.build.settings import Names, Settings
from oci_layers.build.stack import AnyLayer, Counter, Slot, Target, Written
from oci_layers.errors import LimitError, UnsupportedError
from oci_layers.image.layer import Layer
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec.codec import structure, unstructure
from oci_layers.spec.config import Healthcheck, History, ImageConfig, platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.platform import Platform
from oci_layers.store.convert import Format
from oci_layers.store.repository import WritableRepository

__all__ = ["NewImage"]


@attrs.frozen(kw_only=True, eq=False)
class NewImage:
    """An image that can be written: made by `scratch` or `edit`, and by the methods of another.

    Never changed: each method returns a new one. An image that was opened as its base, and those whose layers it
    shares, must be open when it is written. Memory: the two documents.
    """

    manifest_json: JSONObject
    """The manifest, with the layers and the config of the base; those of this image when it is written."""
    config_json: JSONObject
    """The config, with the diff_ids of the base."""
    slots: tuple[Slot, ...] = ()
    """The layers, the lowest first, each with what is known of it; `layers` has the layers alone."""
    format: Format = "oci"
    """The family of the media types of its documents and new layers."""
    created: str | None = None
    """The time of new history entries, RFC 3339; None for none."""
    limits: Limits = attrs.field(factory=Limits, repr=False)
    base: Base | None = attrs.field(default=None, repr=False)
    """The documents that are written as they are if nothing of them changes."""

    @property
    def layers(self) -> tuple[AnyLayer, ...]:
        """The layers, the lowest first."""
        return tuple(slot.layer for slot in self.slots)

    @property
    def config(self) -> ImageConfig:
        """The config as a model; its diff_ids are those of the base."""
        return structure(self.config_json, ImageConfig, media_type=DOCUMENT_TYPES[self.format][1])

    @property
    def history(self) -> tuple[JSONObject, ...]:
        """The history as JSON objects; empty if there is none."""
        return tuple(self.config_json.get("history") or ())

    @property
    def platform(self) -> Platform:
        """The platform."""
        return platform_of(self.config)

    def append(
        self,
        *layers: AnyLayer,
        history: History | None = None,
        created_by: str | None = None,
        comment: str | None = None,
        author: str | None = None,
        keep_empty: bool = True,
    ) -> "NewImage":
        """Return the image with further layers on top.

        Each gets a history entry; an image without a history gets one (`build.history`). Nothing is read or written.

        Args:
            layers: New layers, or layers of any open image.
            history: The entry; by default it has the next three. A layer of an image keeps the entry that it has there
                if none of these is given.
            created_by: What made the layer.
            comment: A comment.
            author: The author of the step.
            keep_empty: Whether a new layer without an entry becomes a layer; if not, its history entry says so.

        Raises:
            LimitError: There are more than `Limits.layers`.
            TypeError: One of `layers` is no layer.
        """
        for layer in layers:
            if not isinstance(layer, Layer) and not hasattr(layer, "write"):
                kind = type(layer).__name__
                raise TypeError(f"layers: expected a NewLayer, or a layer of an open image, not {kind}")
        slots, entries = list(self.slots), aligned(self.history, len(self.slots))
        said = say(created=self.created, created_by=created_by, author=author, comment=comment)
        if history is not None:
            said = unstructure(attrs.evolve(history, empty_layer=False))
        unsaid = history is None and created_by is comment is author is None
        for layer in layers:
            kept = layer.history if unsaid and isinstance(layer, Layer) else None
            slots.append(Slot(layer=layer, keep_empty=keep_empty))
            entries.append(said if kept is None else unstructure(kept))
        return self.restack(slots, entries) if layers else self

    def restack(self, slots: Iterable[Slot], history: Sequence[JSONObject]) -> "NewImage":
        """Return the image with other layers and another history, which may be empty.

        Raises:
            LimitError: There are more than `Limits.layers`.
        """
        stack = tuple(slots)
        if len(stack) > self.limits.layers:
            raise LimitError("layers", self.limits.layers, len(stack))
        config = self.config_json
        if tuple(history) != self.history:
            config = with_field("config", config, "history", list(history))
        if self.created is not None:
            config = with_field("config", config, "created", self.created)
        return attrs.evolve(self, slots=stack, config_json=config)

    def configure(
        self,
        *,
        env: Mapping[str, str | None] | None = None,
        labels: Mapping[str, str | None] | None = None,
        ports: Names | None = None,
        volumes: Names | None = None,
        entrypoint: Sequence[str] | None = None,
        cmd: Sequence[str] | None = None,
        user: str | None = None,
        working_dir: str | None = None,
        stop_signal: str | None = None,
        healthcheck: Healthcheck | None = None,
        author: str | None = None,
        created: Created | None = None,
        platform: str | Platform | None = None,
        history: bool = True,
        created_by: str | None = None,
        comment: str | None = None,
    ) -> "NewImage":
        """Return the image with other settings. What is not given stays as it is; an empty value removes it.

        Each setting that changes gets a history entry of its own without a layer, which says what the line of a
        Dockerfile would.
        An entrypoint leaves `cmd` as it is, unlike in a Dockerfile.

        Args:
            env: Environment variables, merged by name; the value None removes one.
            labels: Labels; merged as `env`.
            ports: Further ports, `PORT[/PROTOCOL]` or a number; `{port: None}` removes some.
            volumes: Further directories; `{path: None}` removes some.
            entrypoint: The command.
            cmd: The arguments, or the command if there is no entrypoint.
            user: `USER[:GROUP]`, names or numbers.
            working_dir: The directory that the process starts in.
            stop_signal: The signal that ends the process.
            healthcheck: Docker's health check.
            author: The author of the image.
            created: The time of the image and of its new history entries, from now on.
            platform: `OS/ARCHITECTURE[/VARIANT]`.
            history: Whether history entries are added.
            created_by: What the only history entry has instead, if any is added.
            comment: The comment of the history entries.

        Raises:
            NameFormatError: The name of a variable, label, port or volume, the time or the platform is malformed.
            TypeError: A command is one string.
        """
        settings = Settings(
            env=env,
            labels=labels,
            ports=ports,
            volumes=volumes,
            entrypoint=entrypoint,
            cmd=cmd,
            user=user,
            working_dir=working_dir,
            stop_signal=stop_signal,
            healthcheck=healthcheck,
        )
        container, lines = settings.apply(self.config_json.get("config") or {})
        config = with_field("config", self.config_json, "config", container) if lines else self.config_json
        if author is not None:
            config = with_field("config", config, "author", author) if author else without_field(config, "author")
            lines.append(f"MAINTAINER {author}")
        if platform is not None:
            config = on_platform(config, Platform.parse(platform) if isinstance(platform, str) else platform)
        time = self.created if created is None else time_text(created)
        if created_by is not None:
            lines = [created_by]
        elif not lines and platform is created is None:
            return self
        entries = [say(created=time, created_by=line, comment=comment, empty=True) for line in lines]
        changed = attrs.evolve(self, config_json=config, created=time)
        said = [*aligned(self.history, len(self.slots)), *entries] if history and entries else self.history
        return changed.restack(self.slots, said)

    def annotate(self, annotations: Mapping[str, str | None]) -> "NewImage":
        """Return the image with annotations of its manifest, merged by key; the value None removes one."""
        found = merged(self.manifest_json.get("annotations"), annotations)
        manifest = without_field(self.manifest_json, "annotations")
        if found:
            manifest = with_field("manifest", self.manifest_json, "annotations", found)
        return attrs.evolve(self, manifest_json=manifest)

    def with_subject(self, subject: Descriptor | None) -> "NewImage":
        """Return the image with another manifest that it refers to; None for none.

        Raises:
            UnsupportedError: Docker's format has no subject.
        """
        if subject is None:
            return attrs.evolve(self, manifest_json=without_field(self.manifest_json, "subject"))
        if self.format == "docker":
            raise UnsupportedError("subject in Docker's format", str(subject.digest))
        node = unstructure(Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size))
        return attrs.evolve(self, manifest_json=with_field("manifest", self.manifest_json, "subject", node))

    def write(
        self,
        target: WritableRepository,
        ref: str | None = None,
        *,
        codec: Codec | None = None,
        temporary_directory: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Descriptor:
        """Write the image to a store, and give it a name; return its descriptor, with its platform.

        Can be called again, after an interruption too, and gives the same bytes each time. Memory: the documents, and
        what the new layers need.

        Args:
            target: The store. What it has is kept; the name comes last, so it never lists a part of an image.
            ref: The name; None lists the image without one.
            codec: How new layers are compressed; gzip by default.
            temporary_directory: The directory of temporary files; the system's default if None.
            progress: Called after each piece of a layer; the total is not known before all new layers are written. An
                exception that it raises ends the call.

        Raises:
            BlobMissingError: A shared layer is neither in its image nor in the target.
            IntegrityError: A shared layer is damaged.
            UnsupportedError: The format has no media type for a layer.
            LimitError: A document would be larger than its limit.
            OCIError: As the new layers raise.
            OSError: The target cannot be written.
        """
        with target.lease():
            descriptor = self.put(target.blobs, codec=codec, temporary_directory=temporary_directory, progress=progress)
            target.tag(ref, descriptor)
        return descriptor

    def put(
        self,
        blobs: BlobStore,
        *,
        codec: Codec | None = None,
        temporary_directory: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Descriptor:
        """Store the layers and the documents without a name, as `write` does; the caller holds a lease."""
        counter = Counter([slot.size for slot in self.slots], progress)
        target = Target(
            blobs=blobs,
            format=self.format,
            codec=codec,
            limits=self.limits,
            temporary_directory=temporary_directory,
            on_bytes=counter.on_bytes,
        )
        written = [slot.write(target) for slot in counter.each(self.slots)]
        config = self._written_config(written)
        kept = [each for each in written if each is not None]
        documents = Documents(base=self.base, limits=self.limits)
        return documents.put(blobs, self.manifest_json, config, [each.node for each in kept])

    def _written_config(self, written: Sequence[Written | None]) -> JSONObject:
        """Return the config with the diff_ids of the layers that were written; of None nothing was."""
        config, history = self.config_json, list(self.history)
        diff_ids = [str(each.diff_id) for each in written if each is not None]
        if diff_ids != (config["rootfs"].get("diff_ids") or []):
            config = {**config, "rootfs": {**config["rootfs"], "diff_ids": diff_ids}}
        positions = layer_positions(history)
        if None in written and len(positions) == len(written):
            for at, each in zip(positions, written, strict=True):
                if each is None:
                    history[at] = as_empty(history[at])
            config = with_field("config", config, "history", history)
        return config
