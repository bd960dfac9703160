"""One document: what is wrong with it, where, and what it says."""

import json

import pytest

from oci_layers.errors import UnsupportedError
from oci_layers.limits import Limits
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.validation.document import add_positions, check_document
from oci_layers.validation.findings import Findings
from tests.support.layers import digest

CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
DESCRIPTOR = {"mediaType": OCI_CONFIG, "digest": digest(b""), "size": 0}
MANIFEST = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": DESCRIPTOR, "layers": []}
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


def judged(document, media_type, profile="default"):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    descriptor = Descriptor.of(raw, media_type=media_type)
    flaws, value = check_document(raw, descriptor, profile=profile, limits=Limits())
    assert all(flaw.location.digest == descriptor.digest and flaw.location.media_type == media_type for flaw in flaws)
    return add_positions(flaws, raw), value


@pytest.mark.parametrize(
    ("document", "media_type", "kind"),
    [
        (CONFIG, OCI_CONFIG, ImageConfig),
        (CONFIG, DOCKER_CONFIG, ImageConfig),
        (MANIFEST, OCI_MANIFEST, Manifest),
        (INDEX, OCI_INDEX, Index),
        ({"imageLayoutVersion": "1.0.0"}, OCI_LAYOUT, ImageLayout),
        (DESCRIPTOR, OCI_DESCRIPTOR, Descriptor),
        (b"{}", OCI_EMPTY, type(None)),
    ],
)
def test_a_good_document_is_read(document, media_type, kind):
    flaws, value = judged(document, media_type)
    assert type(value) is kind
    assert not [flaw for flaw in flaws if flaw.severity == "error"]


@pytest.mark.parametrize(
    ("document", "media_type", "rule"),
    [
        (CONFIG | {"architecture": None}, OCI_CONFIG, "CFG-06"),
        (MANIFEST | {"layers": None}, OCI_MANIFEST, "MAN-12"),
        ({"imageLayoutVersion": None}, OCI_LAYOUT, "LAY-02"),
        (DESCRIPTOR | {"size": None}, OCI_DESCRIPTOR, "DSC-09"),
    ],
)
def test_a_document_that_cannot_be_read_has_an_error_and_no_value(document, media_type, rule):
    flaws, value = judged(document, media_type, "lenient")
    assert value is None
    assert (rule, "error") in [(flaw.rule, flaw.severity) for flaw in flaws]


@pytest.mark.parametrize(
    ("media_type", "rule"),
    [(OCI_CONFIG, "CFG-24"), (OCI_LAYOUT, "LAY-02"), (OCI_DESCRIPTOR, "DSC-09"), (OCI_MANIFEST, "MAN-21")],
)
def test_what_no_program_can_read_is_an_error_even_if_no_rule_says_so(monkeypatch, media_type, rule):
    monkeypatch.setattr("oci_layers.validation.document.validate", lambda *_, **__: Findings())
    (flaw,), value = judged({}, media_type)
    assert (flaw.rule, flaw.severity, flaw.location.pointer, value) == (rule, "error", "", None)
    assert flaw.message.startswith(f"{media_type}: /")


def test_what_docker_reads_though_its_type_is_wrong_is_an_error_that_the_lenient_profile_tolerates():
    document = CONFIG | {"config": {"Cmd": "sh"}, "rootfs": {"type": "layers", "diff_ids": None}}
    for profile, severity in (("default", "error"), ("lenient", "warning")):
        flaws, value = judged(document, OCI_CONFIG, profile)
        assert [(flaw.rule, flaw.severity) for flaw in flaws] == [("CFG-12", severity), ("CFG-19", severity)]
        assert (value.config.cmd, value.rootfs.diff_ids) == (("sh",), ())


def test_a_layer_is_no_document():
    with pytest.raises(UnsupportedError):
        judged(b"{}", OCI_LAYER)


def test_findings_have_line_and_column_and_the_text_that_stands_there():
    raw = (
        b'{"schemaVersion": 2, "mediaType": "%s",\n "config": {"mediaType": "%s",\n  "digest": "%s", "size": -1},'
        b'\n "layers": [[1,\n 2,  3, "%s"]], "annotations": "%s"}'
    ) % (OCI_MANIFEST.encode(), OCI_CONFIG.encode(), digest(b"").encode(), b"x" * 100, b" " * 5000)
    flaws, _ = judged(raw, OCI_MANIFEST)
    assert [
        (flaw.rule, flaw.location.pointer, flaw.location.line, flaw.location.column, flaw.location.value)
        for flaw in flaws
    ] == [
        ("MAN-18", "/annotations", 5, 130, '" ...'),
        ("DSC-07", "/config/size", 3, 96, "-1"),
        ("MAN-12", "/layers/0", 4, 13, "[1, 2, 3, " + '"' + "x" * 46 + "..."),
    ]


def test_what_is_missing_has_the_place_of_what_it_is_missing_in_and_no_value():
    (flaw,), _ = judged(b'{"x": 1,\n "imageLayoutVersio": 2}', OCI_LAYOUT)
    assert (
        flaw.location.pointer,
        flaw.location.line,
        flaw.location.column,
        flaw.location.value,
        flaw.location.offset,
    ) == ("/imageLayoutVersion", 1, 1, None, 0)


@pytest.mark.parametrize(
    ("raw", "line", "column", "offset"),
    [
        ('{"é":\n "😀" 7}'.encode(), 2, 6, 15),
        (b'{"a": "\n', 1, 8, 7),
        (b"\xef\xbb\xbf{}", 1, 1, 0),
        (b'{"a":\n\n"\xff"}', 3, 2, 8),
        (b'{"a":\n' + b"[" * 200, 2, 100, 105),
        (b"", 1, 1, 0),
    ],
)
def test_what_is_not_json_has_the_place_where_it_stops_being_so(raw, line, column, offset):
    (flaw,), value = judged(raw, OCI_MANIFEST)
    assert (
        flaw.location.pointer,
        flaw.location.line,
        flaw.location.column,
        flaw.location.offset,
        flaw.location.value,
    ) == ("", line, column, offset, None)
    assert value is None


def test_a_name_that_stands_twice_is_shown_where_it_stands_again():
    (flaw,), _ = judged(b'{"manifests": [],\n "manifests": 7}', OCI_INDEX)
    assert (flaw.rule, flaw.location.line, flaw.location.column, flaw.location.value) == ("CON-04", 2, 15, "7")
