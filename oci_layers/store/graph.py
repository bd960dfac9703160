"""What an entry of an index leads to: documents to the descriptors in them, down to the blobs.

A manifest refers to its config and layers, an index to its manifests (manifest.md, image-index.md). Content of any
other media type refers to nothing that this library knows of. `subject` is no part of an image, and may be absent; it
is listed for those who ask for it.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence

import attrs

from oci_layers.blob.compression import Compression, sniff
from oci_layers.blob.store import BlobDecliner, BlobSource, BlobStore, read_verified
from oci_layers.blob.stream import ByteStream
from oci_layers.errors import BlobMissingError, LimitError, OCIError
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document, parse_any
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import is_distributable, is_document

__all__ = [
    "Graph",
    "Node",
    "Visit",
    "as_index",
    "as_manifest",
    "children",
    "compression_of",
    "may_be_absent",
    "open_content",
    "read_node",
]

_HEAD = 16
"""The bytes that tell a compression."""

Node = Document[Manifest] | Document[Index]


def read_node(blobs: BlobSource, descriptor: Descriptor, limits: Limits) -> Node:
    """Return a manifest or an index, verified.

    Raises:
        OCIError: It is missing, damaged, malformed or too large.
    """
    raw = read_verified(blobs, descriptor, limit="document_bytes", allowed=limits.document_bytes)
    return parse_any(raw, descriptor, limits)


def as_manifest(node: Node) -> Document[Manifest] | None:
    """Return a document as that of a manifest; None if it is an index."""
    if isinstance(node.value, Manifest):
        return Document(raw=node.raw, descriptor=node.descriptor, value=node.value)
    return None


def as_index(node: Node) -> Document[Index] | None:
    """Return a document as that of an index; None if it is a manifest."""
    if isinstance(node.value, Index):
        return Document(raw=node.raw, descriptor=node.descriptor, value=node.value)
    return None


def children(node: Node) -> list[tuple[str, Descriptor]]:
    """Return the descriptors in a document, each with the JSON pointer of its place; without `subject`."""
    value = node.value
    if isinstance(value, Manifest):
        layers = ((f"/layers/{at}", each) for at, each in enumerate(value.layers))
        return [("/config", value.config), *layers]
    return [(f"/manifests/{at}", each) for at, each in enumerate(value.manifests)]


def may_be_absent(descriptor: Descriptor) -> bool:
    """Tell whether a blob need not exist: its descriptor embeds it, or its layer is not distributed (NDL-01)."""
    return descriptor.data is not None or not is_distributable(descriptor.media_type)


@attrs.frozen
class Visit:
    """A descriptor that was reached."""

    descriptor: Descriptor
    parent: Digest | None
    """The document that has it; None for an entry of the layout's index."""
    pointer: str
    """Where that document has it, as a JSON pointer."""


class Graph:
    """The documents of a store, each read once. Holds their descriptors in memory."""

    def __init__(self, blobs: BlobSource, limits: Limits) -> None:
        self._blobs = blobs
        self._limits = limits
        self._children: dict[tuple[Digest, int], Sequence[tuple[str, Descriptor]]] = {}
        self.subjects: dict[Digest, Digest] = {}
        """The subject of each document that was read and has one."""
        self.errors: dict[Digest, OCIError | OSError] = {}
        """Why a document cannot be read; what it refers to is not known."""

    def below(self, entry: Descriptor, pointer: str = "") -> Iterator[Visit]:
        """Yield what an entry leads to, itself first.

        A digest is visited once; but again where it has another size, or is a document and was none before: whether
        one reference is right must not depend on another. Indexes nested deeper than `index_depth` are an error.
        """
        seen = {_key(entry)}
        todo = [(Visit(entry, None, pointer), 0)]
        while todo:
            visit, depth = todo.pop()
            yield visit
            if not is_document(visit.descriptor.media_type):
                continue
            digest, allowed = visit.descriptor.digest, self._limits.index_depth
            if depth > allowed:
                self.errors[digest] = LimitError("index_depth", allowed, depth)
                continue
            for where, each in self._read(visit.descriptor):
                if _key(each) not in seen:
                    seen.add(_key(each))
                    todo.append((Visit(each, digest, where), depth + 1))

    def _read(self, descriptor: Descriptor) -> Sequence[tuple[str, Descriptor]]:
        digest = descriptor.digest
        key = digest, descriptor.size
        if key not in self._children:
            found: Sequence[tuple[str, Descriptor]] = ()
            try:
                node = read_node(self._blobs, descriptor, self._limits)
            except (OCIError, OSError) as error:
                self.errors[digest] = error
            else:
                found = children(node)
                subject = node.value.subject
                if subject is not None:
                    self.subjects[digest] = subject.digest
            self._children[key] = found
        return self._children[key]


def _key(descriptor: Descriptor) -> tuple[Digest, int, bool]:
    return descriptor.digest, descriptor.size, is_document(descriptor.media_type)


def open_content(blobs: BlobSource, descriptor: Descriptor, target: BlobStore | None = None) -> ByteStream | None:
    """Open a blob that is to be copied, not verified.

    None is returned if it does not exist and need not (`may_be_absent`), or if the target declines it.

    Raises:
        BlobMissingError: It does not exist.
    """
    if target is not None and isinstance(target, BlobDecliner) and target.declines_blob(descriptor):
        return None
    try:
        return blobs.open_blob(descriptor.digest)
    except BlobMissingError:
        if descriptor.data is not None:
            return io.BytesIO(descriptor.data)
        if may_be_absent(descriptor):
            return None
        raise


def compression_of(blobs: BlobSource, descriptor: Descriptor) -> Compression | None:
    """Return the compression of a layer, by its first bytes; None if the layer does not exist and need not."""
    stream = open_content(blobs, descriptor)
    if stream is None:
        return None
    head = b""
    with contextlib.closing(stream):
        while len(head) < _HEAD and (data := stream.read(_HEAD - len(head))):
            head += data
    return sniff(head)
