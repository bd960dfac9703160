"""Documents as JSON that keep every rule of the spec, with unknown fields, and null where a config may have it.

`values` has the same documents as values. A digest is that of no blob, unless the content is embedded in `data`.
"""

import base64
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.testing.strategies import word

__all__ = [
    "DOCUMENTS",
    "anything",
    "container_json",
    "descriptor_json",
    "documents",
    "healthcheck_json",
    "history_json",
    "json_of",
    "platform_json",
    "ways",
]

Json = dict[str, Any]  # Any: a value of JSON
_Fields = Mapping[str, st.SearchStrategy[Any]]  # Any: a value of JSON

_text = word.texts()
_texts = st.lists(_text, max_size=2)
_sizes = st.integers(0, (1 << 63) - 1)
_digests = word.digests().map(str)
_types = word.media_types(known=False)
_annotations = word.annotations()


def anything(*, leaves: int = 4) -> st.SearchStrategy[Any]:  # Any: a value of JSON
    """Return a strategy of any values that JSON has, up to the bounds of 64 bits."""
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(1 << 64), 1 << 64)
        | st.floats(allow_nan=False, allow_infinity=False)
        | _text,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2),
        max_leaves=leaves,
    )


_unknown = st.dictionaries(_text.map("x-{}".format), anything(), max_size=1)


def _known(required: _Fields, optional: _Fields, *, unknown: bool) -> st.SearchStrategy[Json]:
    """Return objects with every required field, some optional ones, and perhaps some that no one knows."""
    fields = st.fixed_dictionaries(dict(required), optional=dict(optional))
    return st.tuples(_unknown, fields).map(lambda pair: pair[0] | pair[1]) if unknown else fields


def _nullable(fields: _Fields, *, unknown: bool) -> _Fields:
    """Return the fields of a config, with null for what is absent (CFG-01), if unknown fields are wanted too."""
    return {name: st.none() | values for name, values in fields.items()} if unknown else fields


def platform_json(*, unknown: bool) -> st.SearchStrategy[Json]:
    """Return a strategy of platforms."""
    return _known(
        {"architecture": st.sampled_from(["amd64", "s390x"]), "os": st.sampled_from(["linux", "freebsd"])},
        {"os.version": _text, "os.features": _texts, "variant": st.just("v2"), "features": _texts},
        unknown=unknown,
    )


def descriptor_json(media_types: st.SearchStrategy[str], *, unknown: bool) -> st.SearchStrategy[Json]:
    """Return a strategy of descriptors of such media types; some have their content in `data`."""
    plain = _known(
        {"mediaType": media_types, "digest": _digests, "size": _sizes},
        {
            "urls": st.lists(word.uris(), max_size=2),
            "annotations": _annotations,
            "platform": platform_json(unknown=unknown),
            "artifactType": _types,
        },
        unknown=unknown,
    )
    return plain | st.tuples(plain, st.binary(max_size=5)).map(lambda pair: pair[0] | _embedded(pair[1]))


def _embedded(data: bytes) -> Json:
    return {"data": base64.b64encode(data).decode(), "size": len(data), "digest": str(Digest.of(data))}


def _common(*, unknown: bool) -> _Fields:
    return {"subject": descriptor_json(st.just(OCI_MANIFEST), unknown=unknown), "annotations": _annotations}


def _manifests(media_type: str, *, unknown: bool, layers: tuple[int, int] = (1, 3)) -> st.SearchStrategy[Json]:
    # An artifact has a config of its own type, and content.
    content = descriptor_json(st.sampled_from([OCI_LAYER, OCI_LAYER_GZIP]), unknown=unknown)
    content = content.filter(lambda layer: layer["size"] > 0)
    image = _known(
        {
            "schemaVersion": st.just(2),
            "mediaType": st.just(media_type),
            "config": descriptor_json(st.just(OCI_CONFIG), unknown=unknown),
            "layers": st.lists(content, min_size=layers[0], max_size=layers[1]),
        },
        _common(unknown=unknown),
        unknown=unknown,
    )
    artifact = st.tuples(image, descriptor_json(_types, unknown=unknown), _types).map(
        lambda parts: parts[0] | {"config": parts[1], "artifactType": parts[2]}
    )
    return image | artifact


def _indexes(media_type: str, *, unknown: bool, manifests: tuple[int, int] = (0, 3)) -> st.SearchStrategy[Json]:
    entry = st.tuples(
        descriptor_json(st.sampled_from([OCI_MANIFEST, OCI_INDEX]), unknown=unknown), platform_json(unknown=unknown)
    ).map(lambda pair: pair[0] | {"platform": pair[1]})
    required = {
        "schemaVersion": st.just(2),
        "mediaType": st.just(media_type),
        "manifests": st.lists(entry, min_size=manifests[0], max_size=manifests[1]),
    }
    return _known(required, {**_common(unknown=unknown), "artifactType": _types}, unknown=unknown)


def container_json(*, unknown: bool, docker: bool) -> st.SearchStrategy[Json]:
    """Return a strategy of the `config` of a config; with the fields that only Docker knows if `docker`."""
    objects: st.SearchStrategy[Json] = st.dictionaries(_text, st.just({}), max_size=2)
    fields: dict[str, st.SearchStrategy[Any]] = {  # Any: a value of JSON
        "User": st.sampled_from(["", "root", "0:0", "a:b"]),
        "ExposedPorts": st.dictionaries(st.sampled_from(["80", "53/udp", "443/tcp"]), st.just({})),
        "Env": st.lists(st.sampled_from(["A=", "A=B=C", "A=b\nc\n", "é=é"]), max_size=2),
        "Entrypoint": _texts,
        "Cmd": _texts,
        "Volumes": objects,
        "WorkingDir": _text,
        "Labels": _annotations,
        "StopSignal": st.sampled_from(["", "SIGKILL", "SIGRTMIN+3"]),
        "ArgsEscaped": st.just(False),
        "Memory": st.integers(0, 1 << 62),
    }
    if docker:
        fields |= {
            "Healthcheck": healthcheck_json(unknown=unknown),
            "OnBuild": _texts,
            "StopTimeout": st.integers(-1, 10),
            "Shell": _texts,
        }
        fields |= {"Hostname": _text, "Domainname": _text}
    return _known({}, _nullable(fields, unknown=unknown), unknown=unknown)


def history_json(*, unknown: bool) -> st.SearchStrategy[Json]:
    """Return a strategy of entries of a history."""
    fields: _Fields = {"created": word.dates(), **dict.fromkeys(("created_by", "author", "comment"), _text)}
    return _known({}, _nullable({**fields, "empty_layer": st.just(False)}, unknown=unknown), unknown=unknown)


def healthcheck_json(*, unknown: bool) -> st.SearchStrategy[Json]:
    """Return a strategy of Docker's healthchecks."""
    times = dict.fromkeys(("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"), _sizes)
    return _known({}, _nullable({"Test": _texts, **times}, unknown=unknown), unknown=unknown)


def _configs(*, unknown: bool, docker: bool = True, layers: tuple[int, int] = (0, 3)) -> st.SearchStrategy[Json]:
    config = _known(
        {
            "architecture": st.sampled_from(["amd64", "s390x"]),
            "os": st.sampled_from(["linux", "plan9"]),
            "rootfs": _known({"type": st.just("layers"), "diff_ids": st.just([])}, {}, unknown=unknown),
        },
        _nullable(
            {
                "created": word.dates(),
                "author": _text,
                "os.version": _text,
                "os.features": _texts,
                "config": container_json(unknown=unknown, docker=docker),
            },
            unknown=unknown,
        ),
        unknown=unknown,
    )
    each = st.lists(st.tuples(_digests, history_json(unknown=unknown)), min_size=layers[0], max_size=layers[1])
    return st.builds(_with_history, config, each)


def _with_history(config: Json, entries: list[tuple[str, Json]]) -> Json:
    """Give a config as many entries as it has layers, and an entry without a layer after them."""
    found = config | {"rootfs": config["rootfs"] | {"diff_ids": [digest for digest, _ in entries]}}
    return found | ({"history": [*(step for _, step in entries), {"empty_layer": True}]} if entries else {})


DOCUMENTS: tuple[str, ...] = (
    OCI_DESCRIPTOR,
    OCI_MANIFEST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_LAYOUT,
)
"""The media types of documents."""


def json_of(media_type: str, *, unknown: bool = True, **options: Any) -> st.SearchStrategy[Json]:  # Any: see below
    """Return a strategy of JSON objects that are documents of a media type and keep all rules.

    Args:
        media_type: One of `DOCUMENTS`.
        unknown: Draw fields that no one knows, too.
        options: `layers` of a manifest or a config, `manifests` of an index: the fewest and the most; `docker` of a
            config, whether to draw Docker's fields.
    """
    match media_type:
        case _ if media_type == OCI_DESCRIPTOR:
            return descriptor_json(_types, unknown=unknown)
        case _ if media_type in {OCI_MANIFEST, DOCKER_MANIFEST}:
            return _manifests(media_type, unknown=unknown, **options)
        case _ if media_type in {OCI_INDEX, DOCKER_MANIFEST_LIST}:
            return _indexes(media_type, unknown=unknown, **options)
        case _ if media_type == OCI_CONFIG:
            return _configs(unknown=unknown, **options)
        case _ if media_type == OCI_LAYOUT:
            return _known({"imageLayoutVersion": st.just("1.0.0")}, {}, unknown=unknown)
        case _:
            raise ValueError(f"no documents of {media_type!r}; there are {', '.join(DOCUMENTS)}")


def documents(media_types: Collection[str] = DOCUMENTS, *, unknown: bool = True) -> st.SearchStrategy[tuple[str, Json]]:
    """Return a strategy of pairs: the media type of a document, and the JSON object."""
    by_type = {media_type: json_of(media_type, unknown=unknown) for media_type in media_types}
    return st.sampled_from(sorted(by_type)).flatmap(
        lambda media_type: by_type[media_type].map(lambda document: (media_type, document))
    )


def ways(node: object, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value inside a document, as keys and indexes."""
    items: Iterator[tuple[Any, Any]] = iter(())  # Any: keys or indexes, and values of JSON
    if isinstance(node, dict):
        items = iter(node.items())
    elif isinstance(node, list):
        items = enumerate(node)
    for step, item in items:
        yield (*before, step)
        yield from ways(item, (*before, step))
