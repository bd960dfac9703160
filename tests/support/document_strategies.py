"""Documents that keep every rule, and what is done to them, as strategies."""

import base64

from hypothesis import strategies as st

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
from tests.support.documents import digest
from tests.validation.rule_cases import GOOD_DATES, GOOD_TYPES, GOOD_URIS

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.from_regex(r"com\.[a-z]{1,6}(\.[a-z-]{1,6})?", fullmatch=True)
annotations = st.dictionaries(names, text, max_size=3)
types = st.sampled_from(GOOD_TYPES)
texts = st.lists(text, max_size=2)
sizes = st.integers(0, (1 << 63) - 1)
digests = st.binary(max_size=4).map(digest)
dates = st.sampled_from(GOOD_DATES)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), 1 << 64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
unknown = st.dictionaries(text.map("x-{}".format), anything, max_size=1)


def known(required, optional):
    """Return objects with every required field, some optional ones, and some that nobody knows."""
    fields = st.fixed_dictionaries(required, optional=optional)
    return st.tuples(unknown, fields).map(lambda pair: pair[0] | pair[1])


def nullable(fields):
    return {name: st.none() | values for name, values in fields.items()}


platforms = known(
    {"architecture": st.sampled_from(["amd64", "s390x"]), "os": st.sampled_from(["linux", "freebsd"])},
    {"os.version": text, "os.features": texts, "variant": st.just("v2"), "features": texts},
)


def descriptors(media_types):
    plain = known(
        {"mediaType": media_types, "digest": digests, "size": sizes},
        {
            "urls": st.lists(st.sampled_from(GOOD_URIS), max_size=2),
            "annotations": annotations,
            "platform": platforms,
            "artifactType": types,
        },
    )
    embedded = st.tuples(plain, st.binary(max_size=5)).map(
        lambda pair: (
            pair[0] | {"data": base64.b64encode(pair[1]).decode(), "size": len(pair[1]), "digest": digest(pair[1])}
        )
    )
    return plain | embedded


common = {"subject": descriptors(st.just(OCI_MANIFEST)), "annotations": annotations}
# An artifact has a config of its own type, and content.
content = descriptors(st.sampled_from([OCI_LAYER, OCI_LAYER_GZIP])).filter(lambda layer: layer["size"] > 0)


def manifests(media_type):
    image = known(
        {
            "schemaVersion": st.just(2),
            "mediaType": st.just(media_type),
            "config": descriptors(st.just(OCI_CONFIG)),
            "layers": st.lists(content, min_size=1, max_size=3),
        },
        common,
    )
    artifact = st.tuples(image, descriptors(types), types).map(
        lambda parts: parts[0] | {"config": parts[1], "artifactType": parts[2]}
    )
    return image | artifact


def indexes(media_type):
    entry = st.tuples(descriptors(st.sampled_from([OCI_MANIFEST, OCI_INDEX])), platforms).map(
        lambda pair: pair[0] | {"platform": pair[1]}
    )
    required = {
        "schemaVersion": st.just(2),
        "mediaType": st.just(media_type),
        "manifests": st.lists(entry, max_size=3),
    }
    return known(required, common | {"artifactType": types})


objects = st.dictionaries(text, st.just({}), max_size=2)
containers = known(
    {},
    nullable(
        {
            "User": st.sampled_from(["", "root", "0:0", "a:b"]),
            "ExposedPorts": st.dictionaries(st.sampled_from(["80", "53/udp", "443/tcp"]), st.just({})),
            "Env": st.lists(st.sampled_from(["A=", "A=B=C", "A=b\nc\n", "é=é"]), max_size=2),
            "Entrypoint": texts,
            "Cmd": texts,
            "Volumes": objects,
            "WorkingDir": text,
            "Labels": annotations,
            "StopSignal": st.sampled_from(["", "SIGKILL", "SIGRTMIN+3"]),
            "ArgsEscaped": st.just(False),
            "Memory": st.integers(0, 1 << 62),
            "Healthcheck": known({}, nullable({"Test": texts, "Interval": sizes})),
            "OnBuild": texts,
            "StopTimeout": st.integers(-1, 10),
        }
    ),
)
steps = known(
    {},
    nullable({"created": dates, "created_by": text, "author": text, "comment": text, "empty_layer": st.just(False)}),
)


def with_history(config, entries):
    """Give a config as many entries as it has layers, and entries without a layer after them."""
    return (
        config
        | {"rootfs": config["rootfs"] | {"diff_ids": [entry[0] for entry in entries]}}
        | ({"history": [*(entry[1] for entry in entries), {"empty_layer": True}]} if entries else {})
    )


configs = st.builds(
    with_history,
    known(
        {
            "architecture": st.sampled_from(["amd64", "s390x"]),
            "os": st.sampled_from(["linux", "plan9"]),
            "rootfs": known({"type": st.just("layers"), "diff_ids": st.just([])}, {}),
        },
        nullable({"created": dates, "author": text, "os.version": text, "os.features": texts, "config": containers}),
    ),
    st.lists(st.tuples(digests, steps), max_size=3),
)

BY_TYPE = {
    OCI_DESCRIPTOR: descriptors(types),
    OCI_MANIFEST: manifests(OCI_MANIFEST),
    DOCKER_MANIFEST: manifests(DOCKER_MANIFEST),
    OCI_INDEX: indexes(OCI_INDEX),
    DOCKER_MANIFEST_LIST: indexes(DOCKER_MANIFEST_LIST),
    OCI_CONFIG: configs,
    OCI_LAYOUT: known({"imageLayoutVersion": st.just("1.0.0")}, {}),
}
good = st.sampled_from(sorted(BY_TYPE)).flatmap(
    lambda media_type: BY_TYPE[media_type].map(lambda document: (media_type, document))
)


def ways(node, before=()):
    """Yield the way to every value inside a document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, item in items:
        yield (*before, step)
        yield from ways(item, (*before, step))
