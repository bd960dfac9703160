"""JSON objects to models and back: DSC-01..15, MAN-01..21, IDX-02..13, CFG-01..21, LAY-02, ANN-01."""

import json
import math
import subprocess
import sys

import attrs
import pytest

from oci_layers.errors import DocumentError, Problem
from oci_layers.spec.codec import dumps, structure, to_json, unstructure
from oci_layers.spec.config import ContainerConfig, Healthcheck, History, ImageConfig, RootFS
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.platform import Platform

TYPE = "application/example+json"
DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": DIGEST,
    "size": 7,
    "urls": ["https://example.com/x"],
    "annotations": {"a": ""},
    "data": "AAEC",
    "platform": {
        "architecture": "arm64",
        "os": "windows",
        "os.version": "10.0",
        "os.features": ["win32k"],
        "variant": "v8",
        "features": ["sse4"],
        "x": 1,
    },
    "artifactType": "a/b",
    "x": [None],
}
PLAIN = {"mediaType": "a/b", "digest": DIGEST, "size": 7}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "artifactType": "a/b",
    "config": PLAIN,
    "layers": [PLAIN, DESCRIPTOR],
    "subject": PLAIN,
    "annotations": {"k": "v"},
    "x": {"y": 1.5},
}
INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "artifactType": "a/b",
    "manifests": [DESCRIPTOR, PLAIN],
    "subject": PLAIN,
    "annotations": {"k": "v"},
    "x": True,
}
CONFIG = {
    "created": "2015-10-31T22:22:56.015925234Z",
    "author": "someone",
    "architecture": "amd64",
    "os": "linux",
    "os.version": "1",
    "os.features": ["f"],
    "variant": "v2",
    "config": {
        "User": "1:2",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["A=b"],
        "Entrypoint": ["/e"],
        "Cmd": ["c"],
        "Volumes": {"/v": {}},
        "WorkingDir": "/w",
        "Labels": {"l": "m"},
        "StopSignal": "SIGRTMIN+3",
        "ArgsEscaped": True,
        "Healthcheck": {
            "Test": ["CMD", "x"],
            "Interval": 1,
            "Timeout": 2,
            "StartPeriod": 3,
            "StartInterval": 4,
            "Retries": 5,
            "x": 6,
        },
        "OnBuild": ["RUN x"],
        "StopTimeout": -1,
        "Shell": ["sh", "-c"],
        "Hostname": "h",
        "Domainname": "d",
        "Memory": 1,
    },
    "rootfs": {"type": "layers", "diff_ids": [DIGEST], "x": 1},
    "history": [
        {"created": "t", "created_by": "b", "author": "a", "comment": "c", "empty_layer": True, "x": 1},
        {},
    ],
    "docker_version": "20",
}
LAYOUT = {"imageLayoutVersion": "1.0.0", "x": 1}
WHOLE = [(Descriptor, DESCRIPTOR), (Manifest, MANIFEST), (Index, INDEX), (ImageConfig, CONFIG), (ImageLayout, LAYOUT)]

PLAIN_VALUE = Descriptor(media_type="a/b", digest=Digest(DIGEST), size=7)
DESCRIPTOR_VALUE = Descriptor(
    media_type="application/vnd.oci.image.manifest.v1+json",
    digest=Digest(DIGEST),
    size=7,
    urls=("https://example.com/x",),
    annotations={"a": ""},
    data=b"\0\1\2",
    platform=Platform(
        architecture="arm64",
        os="windows",
        os_version="10.0",
        os_features=("win32k",),
        variant="v8",
        features=("sse4",),
        extra={"x": 1},
    ),
    artifact_type="a/b",
    extra={"x": [None]},
)
VALUES = [
    DESCRIPTOR_VALUE,
    Manifest(
        media_type="application/vnd.oci.image.manifest.v1+json",
        artifact_type="a/b",
        config=PLAIN_VALUE,
        layers=(PLAIN_VALUE, DESCRIPTOR_VALUE),
        subject=PLAIN_VALUE,
        annotations={"k": "v"},
        extra={"x": {"y": 1.5}},
    ),
    Index(
        media_type="application/vnd.oci.image.index.v1+json",
        artifact_type="a/b",
        manifests=(DESCRIPTOR_VALUE, PLAIN_VALUE),
        subject=PLAIN_VALUE,
        annotations={"k": "v"},
        extra={"x": True},
    ),
    ImageConfig(
        created="2015-10-31T22:22:56.015925234Z",
        author="someone",
        architecture="amd64",
        os="linux",
        os_version="1",
        os_features=("f",),
        variant="v2",
        config=ContainerConfig(
            user="1:2",
            exposed_ports={"80/tcp": {}},
            env=("A=b",),
            entrypoint=("/e",),
            cmd=("c",),
            volumes={"/v": {}},
            working_dir="/w",
            labels={"l": "m"},
            stop_signal="SIGRTMIN+3",
            args_escaped=True,
            healthcheck=Healthcheck(
                test=("CMD", "x"),
                interval=1,
                timeout=2,
                start_period=3,
                start_interval=4,
                retries=5,
                extra={"x": 6},
            ),
            on_build=("RUN x",),
            stop_timeout=-1,
            shell=("sh", "-c"),
            hostname="h",
            domainname="d",
            extra={"Memory": 1},
        ),
        rootfs=RootFS(diff_ids=(Digest(DIGEST),), extra={"x": 1}),
        history=(
            History(created="t", created_by="b", author="a", comment="c", empty_layer=True, extra={"x": 1}),
            History(),
        ),
        extra={"docker_version": "20"},
    ),
    ImageLayout(extra={"x": 1}),
]

REMOVED = object()


def changed(document, path, value):
    """Return a copy of `document` with one member set, or removed."""
    document = json.loads(json.dumps(document))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    if value is REMOVED:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return document


def problems(document, model):
    with pytest.raises(DocumentError) as caught:
        structure(document, model, media_type=TYPE)
    assert caught.value.media_type == TYPE
    return caught.value.problems


@pytest.mark.parametrize(
    ("model", "document", "value"), [(*case, value) for case, value in zip(WHOLE, VALUES, strict=True)]
)
def test_each_field_has_its_attribute_and_is_written_as_it_was_read(model, document, value):
    assert structure(document, model, media_type=TYPE) == value
    assert unstructure(value) == document
    assert list(unstructure(value)) == list(document)


@pytest.mark.parametrize(
    ("model", "document", "path"),
    [
        pytest.param(model, document, path, id=case)
        for case, model, document, path in [
            ("DSC-01 mediaType", Descriptor, PLAIN, ["mediaType"]),
            ("DSC-04 digest", Descriptor, PLAIN, ["digest"]),
            ("DSC-06 size", Descriptor, PLAIN, ["size"]),
            ("MAN-01 schemaVersion", Manifest, MANIFEST, ["schemaVersion"]),
            ("MAN-06 config", Manifest, MANIFEST, ["config"]),
            ("MAN-12 layers", Manifest, MANIFEST, ["layers"]),
            ("MAN-17 subject.digest", Manifest, MANIFEST, ["subject", "digest"]),
            ("IDX-02 schemaVersion", Index, INDEX, ["schemaVersion"]),
            ("IDX-05 manifests", Index, INDEX, ["manifests"]),
            ("IDX-09 architecture", Index, INDEX, ["manifests", 0, "platform", "architecture"]),
            ("IDX-09 os", Index, INDEX, ["manifests", 0, "platform", "os"]),
            ("CFG-06 architecture", ImageConfig, CONFIG, ["architecture"]),
            ("CFG-06 os", ImageConfig, CONFIG, ["os"]),
            ("CFG-18 rootfs", ImageConfig, CONFIG, ["rootfs"]),
            ("CFG-18 rootfs.type", ImageConfig, CONFIG, ["rootfs", "type"]),
            ("CFG-19 diff_ids", ImageConfig, CONFIG, ["rootfs", "diff_ids"]),
            ("LAY-02 imageLayoutVersion", ImageLayout, LAYOUT, ["imageLayoutVersion"]),
        ]
    ],
)
def test_a_required_field_must_be_there_and_not_null(model, document, path):
    where = "".join(f"/{step}" for step in path)

    assert problems(changed(document, path, REMOVED), model) == (Problem(where, "is required"),)
    if path == ["rootfs", "diff_ids"]:
        return  # Go writes null for none: below.
    [null] = problems(changed(document, path, None), model)
    assert null.pointer == where
    assert null.message.endswith(", not null")


@pytest.mark.parametrize(
    ("model", "document", "path", "value", "message"),
    [
        pytest.param(model, document, path, value, message, id=case)
        for case, model, document, path, value, message in [
            ("DSC-01", Descriptor, PLAIN, ["mediaType"], 1, "must be a string, not an integer"),
            ("DSC-09 text", Descriptor, PLAIN, ["size"], "12", "must be an integer, not a string"),
            (
                "DSC-09 float",
                Descriptor,
                PLAIN,
                ["size"],
                1.0,
                "must be an integer, not a number with a fraction or exponent",
            ),
            ("DSC-09 boolean", Descriptor, PLAIN, ["size"], True, "must be an integer, not a boolean"),
            ("DSC-09 past 2^63-1", Descriptor, PLAIN, ["size"], 1 << 63, "must fit in 64 bits"),
            ("DSC-07 negative", Descriptor, PLAIN, ["size"], -1, "must not be negative"),
            (
                "DIG-05",
                Descriptor,
                PLAIN,
                ["digest"],
                "sha256:A",
                "digest 'sha256:A': sha256 takes 64 lowercase hex digits",
            ),
            ("DSC-04", Descriptor, PLAIN, ["digest"], [], "must be a string, not an array"),
            ("DSC-10 string", Descriptor, DESCRIPTOR, ["urls"], "abc", "must be an array, not a string"),
            ("DSC-10 item", Descriptor, DESCRIPTOR, ["urls", 0], None, "must be a string, not null"),
            ("DSC-10 empty object", Descriptor, DESCRIPTOR, ["urls"], {}, "must be an array, not an object"),
            ("DSC-10 false", Descriptor, DESCRIPTOR, ["urls"], False, "must be an array, not a boolean"),
            ("DSC-13 empty array", Descriptor, DESCRIPTOR, ["annotations"], [], "must be an object, not an array"),
            ("ANN-01", Descriptor, DESCRIPTOR, ["annotations", "a"], None, "must be a string, not null"),
            ("ANN-02 empty key", Descriptor, DESCRIPTOR, ["annotations"], {"": 1}, "must be a string, not an integer"),
            (
                "DSC-15 no padding",
                Descriptor,
                DESCRIPTOR,
                ["data"],
                "AAE",
                "must be padded base64 of the standard alphabet",
            ),
            (
                "DSC-15 URL alphabet",
                Descriptor,
                DESCRIPTOR,
                ["data"],
                "A-_=",
                "must be padded base64 of the standard alphabet",
            ),
            (
                "DSC-15 newline",
                Descriptor,
                DESCRIPTOR,
                ["data"],
                "AAEC\n",
                "must be padded base64 of the standard alphabet",
            ),
            (
                "DSC-15 loose bits",
                Descriptor,
                DESCRIPTOR,
                ["data"],
                "AAF=",
                "must be padded base64 of the standard alphabet",
            ),
            (
                "DSC-15 not ASCII",
                Descriptor,
                DESCRIPTOR,
                ["data"],
                "é",
                "must be padded base64 of the standard alphabet",
            ),
            ("DSC-14", Descriptor, DESCRIPTOR, ["data"], 1, "must be a string, not an integer"),
            ("IDX-08", Descriptor, DESCRIPTOR, ["platform"], "linux", "must be an object, not a string"),
            ("IDX-11", Descriptor, DESCRIPTOR, ["platform", "os.features"], "win32k", "must be an array, not a string"),
            ("MAN-01 version 1", Manifest, MANIFEST, ["schemaVersion"], 1, "must be 2, not 1"),
            ("MAN-01 text", Manifest, MANIFEST, ["schemaVersion"], "2", "must be an integer, not a string"),
            ("MAN-01 boolean", Manifest, MANIFEST, ["schemaVersion"], True, "must be an integer, not a boolean"),
            ("MAN-02", Manifest, MANIFEST, ["mediaType"], 1, "must be a string, not an integer"),
            ("MAN-12", Manifest, MANIFEST, ["layers"], {}, "must be an array, not an object"),
            ("MAN-17", Manifest, MANIFEST, ["subject"], ".nope", "must be an object, not a string"),
            ("IDX-02", Index, INDEX, ["schemaVersion"], 3, "must be 2, not 3"),
            ("CFG-18", ImageConfig, CONFIG, ["rootfs", "type"], "la\nyers", "must be layers, not la\\x0ayers"),
            (
                "CFG-19",
                ImageConfig,
                CONFIG,
                ["rootfs", "diff_ids", 0],
                "x",
                "digest 'x': must be ALGORITHM:ENCODED",
            ),
            ("CFG-09", ImageConfig, CONFIG, ["config", "User"], 1000, "must be a string, not an integer"),
            ("CFG-10", ImageConfig, CONFIG, ["config", "ExposedPorts"], ["80"], "must be an object, not an array"),
            ("CFG-13", ImageConfig, CONFIG, ["config", "Volumes", "/v"], "", "must be an object, not a string"),
            ("CFG-16", ImageConfig, CONFIG, ["config", "ArgsEscaped"], 0, "must be a boolean, not an integer"),
            ("CFG-22", ImageConfig, CONFIG, ["history", 1, "empty_layer"], "true", "must be a boolean, not a string"),
            ("CFG-21", ImageConfig, CONFIG, ["history", 1], None, "must be an object, not null"),
            ("LAY-02 version", ImageLayout, LAYOUT, ["imageLayoutVersion"], "1.0.1", "must be 1.0.0, not 1.0.1"),
            ("LAY-02 number", ImageLayout, LAYOUT, ["imageLayoutVersion"], 1, "must be a string, not an integer"),
        ]
    ],
)
def test_a_field_of_the_wrong_type_or_range_is_refused_where_it_stands(model, document, path, value, message):
    [problem] = problems(changed(document, path, value), model)

    assert problem.pointer.startswith("".join(f"/{str(step).replace('/', '~1')}" for step in path))
    assert problem.message == message


@pytest.mark.parametrize(
    ("path", "value", "attribute"),
    [
        (["config", "Shell"], 5, "shell"),
        (["config", "Shell"], ["sh", None], "shell"),
        (["config", "OnBuild"], [None], "on_build"),
        (["config", "Hostname"], 7, "hostname"),
        (["config", "Domainname"], {}, "domainname"),
        (["config", "StopTimeout"], -(1 << 63) - 1, "stop_timeout"),
        (["config", "Healthcheck", "Test"], "true", "test"),
        (["config", "Healthcheck", "Interval"], "30s", "interval"),
    ],
)
def test_a_field_of_dockers_that_is_not_of_dockers_type_is_kept_as_one_that_nobody_knows(path, value, attribute):
    """CFG-02: to the spec it is one."""
    document = changed(CONFIG, path, value)
    config = structure(document, ImageConfig, media_type=TYPE)

    holder = config.config.healthcheck if len(path) == 3 else config.config
    assert not getattr(holder, attribute)
    assert holder.extra[path[-1]] == value
    assert unstructure(config) == document


TOLERATED = [
    (["rootfs", "diff_ids"], None, ()),
    (["config", "Entrypoint"], "/e -x", ("/e -x",)),
    (["config", "Entrypoint"], "", ("",)),
    (["config", "Cmd"], "c", ("c",)),
    (["config", "Cmd"], ["c", None], ("c", "")),
    (["config", "Shell"], "sh", ("sh",)),
    (["config", "Env"], [None, "A=b"], ("", "A=b")),
    (["config", "ExposedPorts"], {"80/tcp": None, "81/tcp": {}}, {"80/tcp": {}, "81/tcp": {}}),
    (["config", "Volumes"], {"/v": None}, {"/v": {}}),
    (["config", "Labels"], {"a": None, "b": "c"}, {"a": "", "b": "c"}),
]


@pytest.mark.parametrize(("path", "value", "expected"), TOLERATED)
def test_what_docker_reads_though_its_type_is_wrong_is_read_like_that_and_written_as_it_was(path, value, expected):
    document = changed(CONFIG, path, value)
    config = structure(document, ImageConfig, media_type=TYPE)
    part, name = path
    holder = getattr(config, part)
    attribute = {"ExposedPorts": "exposed_ports"}.get(name, name.lower())

    assert getattr(holder, attribute) == expected
    assert holder.extra[name] == value
    assert unstructure(config) == document
    assert list(unstructure(config)[part]) == list(document[part])


@pytest.mark.parametrize(("path", "value", "expected"), TOLERATED)
def test_what_was_read_with_a_wrong_type_is_written_right_once_it_is_set(path, value, expected):
    config = structure(changed(CONFIG, path, value), ImageConfig, media_type=TYPE)
    part, name = path
    attribute = {"ExposedPorts": "exposed_ports"}.get(name, name.lower())
    other, text = {
        "diff_ids": ((Digest(DIGEST),), [DIGEST]),
        "ExposedPorts": ({"1": {}}, {"1": {}}),
        "Volumes": ({"1": {}}, {"1": {}}),
        "Labels": ({"1": ""}, {"1": ""}),
    }.get(name, (("1",), ["1"]))
    holder = getattr(config, part)

    assert unstructure(attrs.evolve(holder, **{attribute: other}))[name] == text
    if name != "diff_ids":
        assert name not in unstructure(attrs.evolve(holder, **{attribute: type(other)()}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["config", "Entrypoint"], 5),
        (["config", "Entrypoint"], {"a": "b"}),
        (["config", "Cmd"], ["c", None, 5]),
        (["config", "Env"], "A=b"),
        (["config", "ExposedPorts"], {"80/tcp": None, "81/tcp": 1}),
        (["config", "Labels"], {"a": None, "b": 1}),
        (["rootfs", "diff_ids"], [None]),
        (["rootfs", "diff_ids"], DIGEST),
        (["rootfs"], None),
        (["architecture"], None),
    ],
)
def test_what_docker_does_not_read_either_and_all_that_names_blobs_is_refused(path, value):
    [problem] = problems(changed(CONFIG, path, value), ImageConfig)

    assert problem.pointer.startswith("".join(f"/{step}" for step in path))


def test_of_many_problems_the_first_are_listed_and_all_are_counted():
    document = {"schemaVersion": 1, "config": {}, "layers": [{}, 5] * 5000}
    with pytest.raises(DocumentError) as caught:
        structure(document, Manifest, media_type=TYPE)

    assert caught.value.total == 1 + 3 + 5000 * 4
    assert len(caught.value.problems) == 1000
    assert caught.value.problems[:9] == (
        Problem("/schemaVersion", "must be 2, not 1"),
        *(Problem(f"/config/{name}", "is required") for name in ("mediaType", "digest", "size")),
        *(Problem(f"/layers/0/{name}", "is required") for name in ("mediaType", "digest", "size")),
        Problem("/layers/1", "must be an object, not an integer"),
        Problem("/layers/2/mediaType", "is required"),
    )


def test_a_long_text_is_not_shown_whole():
    [problem] = problems(changed(CONFIG, ["rootfs", "type"], "x" * 10_000), ImageConfig)
    assert problem.message == "must be layers, not " + "x" * 417 + "..." + "x" * 60
    [problem] = problems({**PLAIN, "digest": "x" * 10_000}, Descriptor)
    assert problem.message == "digest '" + "x" * 417 + "..." + "x" * 60 + "': must be ALGORITHM:ENCODED"


@pytest.mark.parametrize("size", [0, (1 << 63) - 1])
def test_a_size_may_be_anything_that_64_signed_bits_hold(size):
    """DSC-07, DSC-09."""
    assert structure({**PLAIN, "size": size}, Descriptor, media_type=TYPE).size == size


def test_all_that_is_wrong_is_reported_at_once_with_escaped_pointers():
    document = {
        "schemaVersion": 1,
        "layers": [PLAIN, {"mediaType": 1, "size": "x", "annotations": {"a/b~c": 0}}],
        "Config": PLAIN,
        "annotations": 3,
    }

    assert problems(document, Manifest) == (
        Problem("/schemaVersion", "must be 2, not 1"),
        Problem("/layers/1/mediaType", "must be a string, not an integer"),
        Problem("/layers/1/size", "must be an integer, not a string"),
        Problem("/layers/1/annotations/a~1b~0c", "must be a string, not an integer"),
        Problem("/layers/1/digest", "is required"),
        Problem("/Config", "must be spelled config"),
        Problem("/annotations", "must be an object, not an integer"),
        Problem("/config", "is required"),
    )


@pytest.mark.parametrize("document", [None, [], "x", 1, True])
def test_what_is_no_object_is_no_document(document):
    [problem] = problems(document, Index)

    assert problem.pointer == ""
    assert problem.message.startswith("must be an object, not ")


@pytest.mark.parametrize(
    ("model", "document", "path", "message"),
    [
        pytest.param(model, document, path, message, id=f"MAN-21 {path[-1]} in {model.__name__}")
        for model, document, path, message in [
            (Manifest, MANIFEST, ["manifests"], "belongs to an image index, not to a manifest"),
            (Manifest, MANIFEST, ["Manifests"], "belongs to an image index, not to a manifest"),
            (Manifest, MANIFEST, ["fsLayers"], "belongs to Docker's manifest schema 1"),
            (Manifest, MANIFEST, ["history"], "belongs to Docker's manifest schema 1"),
            (Manifest, MANIFEST, ["Signatures"], "belongs to Docker's manifest schema 1"),
            (Manifest, MANIFEST, ["Layers"], "must be spelled layers"),
            (Manifest, MANIFEST, ["layer\u017f"], "must be spelled layers"),
            (Manifest, MANIFEST, ["mediatype"], "must be spelled mediaType"),
            (Manifest, MANIFEST, ["config", "Digest"], "must be spelled digest"),
            (Index, INDEX, ["config"], "belongs to a manifest, not to an image index"),
            (Index, INDEX, ["LAYERS"], "belongs to a manifest, not to an image index"),
            (Index, INDEX, ["fsLayers"], "belongs to Docker's manifest schema 1"),
            (Index, INDEX, ["MANIFESTS"], "must be spelled manifests"),
            (Index, INDEX, ["manifests", 0, "platform", "OS"], "must be spelled os"),
            (ImageConfig, CONFIG, ["RootFS"], "must be spelled rootfs"),
            (ImageConfig, CONFIG, ["rootfs", "Diff_IDs"], "must be spelled diff_ids"),
            (ImageLayout, LAYOUT, ["imagelayoutversion"], "must be spelled imageLayoutVersion"),
        ]
    ],
)
def test_a_field_that_makes_a_document_ambiguous_is_refused(model, document, path, message):
    where = "".join(f"/{step}" for step in path)

    assert problems(changed(document, path, None), model) == (Problem(where, message),)


def test_other_spellings_in_what_users_write_by_hand_are_unknown_fields():
    document = changed(CONFIG, ["config", "cmd"], ["x"])
    document["history"][1] = {"Created_By": "x"}
    value = structure(document, ImageConfig, media_type=TYPE)

    assert value.config.extra == {"Memory": 1, "cmd": ["x"]}
    assert value.history[1] == History(extra={"Created_By": "x"})
    assert unstructure(value) == document


OPTIONAL = {
    Descriptor: (PLAIN, ["urls", "annotations", "data", "platform", "artifactType"]),
    Manifest: (
        {"schemaVersion": 2, "config": PLAIN, "layers": []},
        ["mediaType", "artifactType", "subject", "annotations"],
    ),
    ImageConfig: (
        {"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": []}},
        ["created", "author", "os.version", "os.features", "variant", "config", "history"],
    ),
}


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, (_, names) in OPTIONAL.items() for name in names])
def test_a_null_means_absent_and_is_written_back(model, name):
    """CFG-01, ANN-04."""
    bare = OPTIONAL[model][0]
    value = structure({**bare, name: None}, model, media_type=TYPE)

    assert value == attrs.evolve(structure(bare, model, media_type=TYPE), extra={name: None})
    assert unstructure(value) == {**bare, name: None}


@pytest.mark.parametrize(
    ("model", "name", "empty"),
    [
        (Descriptor, "urls", []),
        (Descriptor, "annotations", {}),
        (ImageConfig, "config", {}),
        (ImageConfig, "history", []),
    ],
)
def test_an_explicit_empty_value_is_written_back(model, name, empty):
    """DCF-04: Docker writes its zero values."""
    bare = OPTIONAL[model][0]
    value = structure({**bare, name: empty}, model, media_type=TYPE)

    assert getattr(value, name) == getattr(structure(bare, model, media_type=TYPE), name)
    assert unstructure(value) == {**bare, name: empty}


def test_an_attribute_that_has_been_set_takes_the_place_of_the_null():
    document = {**OPTIONAL[ImageConfig][0], "config": {"Cmd": None, "ArgsEscaped": False, "Memory": 0}}
    value = structure(document, ImageConfig, media_type=TYPE)
    started = attrs.evolve(value.config, cmd=("sh",))

    assert unstructure(attrs.evolve(value, config=started))["config"] == {
        "Cmd": ["sh"],
        "ArgsEscaped": False,
        "Memory": 0,
    }


def test_an_unknown_field_called_extra_is_a_field_like_any_other():
    value = structure({**PLAIN, "extra": {"x": 1}}, Descriptor, media_type=TYPE)

    assert value.extra == {"extra": {"x": 1}}
    assert unstructure(value) == {**PLAIN, "extra": {"x": 1}}


def test_documents_are_written_compact_in_utf8_and_in_the_order_given():
    """CON-03, CON-04."""
    assert dumps({"b": [1, 2], "a": "é<&>\u2028", "c": {}}) == '{"b":[1,2],"a":"é<&>\u2028","c":{}}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800"], ids=["NaN", "infinity", "half a surrogate pair"])
def test_what_json_cannot_hold_is_not_written(value):
    with pytest.raises(ValueError):
        dumps({"a": value})


@pytest.mark.parametrize(("model", "obj"), WHOLE)
def test_the_json_of_a_model_is_its_object_written(model, obj):
    assert to_json(structure(obj, model, media_type=TYPE)) == dumps(obj)


@pytest.mark.parametrize("write", [unstructure, to_json])
@pytest.mark.parametrize("value", [Document.of(EMPTY_DESCRIPTOR), EMPTY_DESCRIPTOR.digest, {}, None, Descriptor])
def test_what_is_no_model_is_not_written(write, value):
    with pytest.raises(TypeError) as caught:
        write(value)
    assert str(caught.value) == f"model: expected a model of oci_layers.spec, not {type(value).__name__}"


def test_cattrs_is_not_imported_before_it_is_needed():
    program = "import oci_layers.spec, sys; sys.exit('cattrs' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
