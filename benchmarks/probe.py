"""What happens inside of Python, timed there: `python -m benchmarks.probe NAME [ARGUMENT]` prints one JSON object.

Each runs in a fresh interpreter, whose start and whose inputs are not counted: `seconds` and `cpu_seconds` are those of
the work alone, `items` how many things it was done to, `bytes` what they occupy. The peak of memory is that of the
process, and measured from outside.
"""

import gc
import io
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterable

from benchmarks import build_probe, room_probe, store_probe
from benchmarks.clock import passes, timed
from oci_layers.tar import REGULAR, Entry, Pieces, read_tar, write_tar

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def main(arguments: list[str]) -> int:
    """Run one probe."""
    name, *rest = arguments
    print(json.dumps(PROBES[name](*rest)))
    return 0


def _archive(count: str) -> bytes:
    data = bytes(200)
    return b"".join(
        write_tar(
            Entry(f"usr/share/d{number // 100}/f{number}".encode(), REGULAR, size=200, content=Pieces([data]))
            for number in range(int(count))
        )
    )


def headers(count: str) -> dict[str, float]:
    """Read small members from memory with `read_tar`, contents passed over."""
    archive = _archive(count)
    return passes(lambda: _count(read_tar(io.BytesIO(archive))))


def headers_tarfile(count: str) -> dict[str, float]:
    """Read the same with `tarfile`."""
    import tarfile

    archive = _archive(count)

    def work() -> int:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            return _count(opened)

    return passes(work)


def tree(layout: str) -> dict[str, float]:
    """Merge an image in memory."""
    import oci_layers as oci

    with oci.open_image(f"oci:{layout}:b") as image:
        result = timed(lambda: bool(image.tree().get(b"")))
        # Asked again, the image has it already.
        return {**result, "items": len(image.tree())}


def tree_bytes(layout: str) -> dict[str, float]:
    """Merge an image in memory, and tell what the tree occupies of it (as `tracemalloc` counts)."""
    import oci_layers as oci

    with oci.open_image(f"oci:{layout}:b") as image:
        assert image.layers
        gc.collect()
        tracemalloc.start()
        merged = image.tree()
        gc.collect()
        occupied, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return {"items": len(merged), "bytes": occupied}


def read(layout: str) -> dict[str, float]:
    """Read the entries of every layer, verified."""
    import oci_layers as oci

    with oci.open_image(f"oci:{layout}:b") as image:
        return timed(lambda: sum(_count(layer.entries()) for layer in image.layers))


def lint(layout: str) -> dict[str, float]:
    """Read the same, and lint them."""
    import oci_layers as oci
    from oci_layers.lint import lint as lint_layer

    with oci.open_image(f"oci:{layout}:b") as image:
        read_entries = 0

        def counted(entries: Iterable[Entry]) -> Iterable[Entry]:
            nonlocal read_entries
            for entry in entries:
                read_entries += 1
                yield entry

        def work() -> int:
            for layer in image.layers:
                _count(lint_layer(counted(layer.entries()), layer=layer.index))
            return read_entries

        return timed(work)


def rules(count: str) -> dict[str, float]:
    """Judge manifests by every rule."""
    from oci_layers import validate

    return _judged(count, lambda raw: validate(raw, _MANIFEST))


def rules_jsonschema(count: str) -> dict[str, float]:
    """Judge the same by our schema, with jsonschema."""
    from oci_layers.validation.schema import schema_errors

    return _judged(count, lambda raw: schema_errors(raw, _MANIFEST))


def rules_jsonschema_rs(count: str) -> dict[str, float]:
    """Judge the same by our schema, with jsonschema-rs."""
    from typing import get_args

    import jsonschema_rs

    from oci_layers.validation.schema import SchemaName, schema

    every = [schema(name) for name in get_args(SchemaName)]
    registry = jsonschema_rs.Registry([(each["$id"], each) for each in every])
    validator = jsonschema_rs.Draft202012Validator(schema("manifest"), registry=registry, validate_formats=True)
    return _judged(count, lambda raw: list(validator.iter_errors(json.loads(raw))))


def _judged(count: str, judge: Callable[[bytes], object]) -> dict[str, float]:
    documents = [manifest(number) for number in range(int(count))]

    def work() -> int:
        for document in documents:
            if judge(document):
                raise AssertionError(f"a typical manifest is found wrong: {judge(document)!r}")
        return len(documents)

    judge(documents[0])
    return timed(work)


def manifest(number: int) -> bytes:
    """Return a typical manifest: three to twelve layers, the annotations that builders write."""

    def descriptor(kind: str, place: int) -> dict[str, object]:
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": f"sha256:{number * 1_000 + place:064x}",
            "size": 1_000_000 + number * 31 + place,
        }

    value = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": descriptor("config.v1+json", 0),
        "layers": [descriptor("layer.v1.tar+gzip", 1 + place) for place in range(3 + number % 10)],
        "annotations": {
            "org.opencontainers.image.created": "2024-05-01T12:00:00Z",
            "org.opencontainers.image.source": f"https://example.com/team/image-{number}",
            "org.opencontainers.image.version": f"1.{number}.0",
            "org.opencontainers.image.base.name": "registry.example.com/base:bookworm",
        },
    }
    return json.dumps(value).encode()


def _count(things: Iterable[object]) -> int:
    return sum(1 for _ in things)


PROBES: dict[str, Callable[..., dict[str, float]]] = {
    "headers": headers,
    "headers-tarfile": headers_tarfile,
    "tree": tree,
    "tree-bytes": tree_bytes,
    "read": read,
    "lint": lint,
    "rules": rules,
    "rules-jsonschema": rules_jsonschema,
    "rules-jsonschema-rs": rules_jsonschema_rs,
    **store_probe.PROBES,
    **build_probe.PROBES,
    **room_probe.PROBES,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
