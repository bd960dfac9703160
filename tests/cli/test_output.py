"""Values as the command shows them."""

import base64
import json

import pytest

from oci_layers import open_image
from oci_layers.cli.output import (
    columns,
    counted,
    human_bytes,
    made_by,
    node_json,
    path_json,
    report_json,
    short_digests,
)
from oci_layers.report import LayerTime, Report, Skipped
from tests.support.findings import in_layer
from tests.support.layers import Built, f, tar
from tests.support.windows import descriptor, windir, windows_tree, winfile


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (5_000_000_000, "5.0 GB"),
        (7_200_000_000_000, "7.2 TB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes_are_as_people_read_them(count, text):
    assert human_bytes(count) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 directories"), (1, "1 directory"), (2, "2 directories")])
def test_one_is_not_many(count, text):
    assert counted(count, "directory", "directories") == text
    assert counted(count, "file") == text.replace("directories", "files").replace("directory", "file")


def test_a_path_that_is_not_utf_8_is_readable_and_exact():
    assert path_json("/caf\u00e9\n".encode()) == {"path": "/caf\u00e9\n"}
    assert path_json(b"/\xff\\", "target") == {"target": "/\\xff\\x5c", "target_base64": "L/9c"}


def test_a_report_has_totals_beside_its_items():
    report = Report(entries=3, files=2, bytes=1, layers=[LayerTime(0, "sha256:bb", "sha256:aa", 0.12345678)])
    report.skipped.add(Skipped("xattr", b"a\xff", 1, 95, "user.k"))
    report.skipped.add(Skipped("device", b"b", 0, 1))
    report.findings.add(in_layer("duplicate", b"", 0))
    report.leftovers.append("/a\udcff")
    value = report_json(report)
    assert json.loads(json.dumps(value)) == {
        "entries": 3,
        "files": 2,
        "bytes": 1,
        "layers": [{"layer": 0, "digest": "sha256:bb", "diff_id": "sha256:aa", "seconds": 0.123457}],
        "skipped": {
            "totals": {"device": 1, "xattr": 1},
            "items": [
                {
                    "what": "xattr",
                    "path": "/a\\xff",
                    "path_base64": "L2H/",
                    "layer": 1,
                    "errno": 95,
                    "detail": "user.k",
                },
                {"what": "device", "path": "/b", "layer": 0, "errno": 1, "detail": ""},
            ],
        },
        "findings": {
            "totals": {"duplicate": 1},
            "items": [{"rule": "duplicate", "severity": "error", "path": "/", "layer": 0, "message": ""}],
        },
        "leftovers": [{"path": "/a\\xff", "path_base64": "L2H/"}],
    }


def test_columns_are_as_wide_as_their_widest_cell_and_lines_have_no_blanks_at_the_end():
    rows = [("NAME", "SIZE", ""), ("a", "10", "note"), ("longer", "1", "")]
    assert list(columns(rows, {1})) == ["NAME    SIZE\n", "a         10  note\n", "longer     1\n"]


def test_digests_are_cut_and_other_numbers_are_not():
    digest = "0123456789ab" + "c" * 52
    assert (
        short_digests(f"sha256:{digest} and sha512:{digest}{digest}") == "sha256:0123456789ab and sha512:0123456789ab"
    )
    assert short_digests("sha256:0123456789abcdef") == "sha256:0123456789abcdef"


@pytest.mark.parametrize(
    ("command", "width", "text"),
    [
        ("/bin/sh -c #(nop) ADD file:1 in / ", 40, "ADD file:1 in /"),
        ("RUN /bin/sh -c make # buildkit", 40, "RUN /bin/sh -c make"),
        ("RUN a &&\n    b\x1b[2J", 40, "RUN a && b\\x1b[2J"),
        ("0123456789", 10, "0123456789"),
        ("0123456789a", 10, "0123456..."),
        (None, 10, ""),
    ],
)
def test_the_command_that_made_a_layer_is_one_short_line(tmp_path, command, width, text):
    built = Built.of(tmp_path, tar(f("a")))
    built.config["history"] = [{} if command is None else {"created_by": command}]
    with open_image(built.write()) as opened:
        assert made_by(opened.layers[0], width) == text


def test_a_node_of_an_image_for_windows_has_its_metadata():
    tree = windows_tree([windir("Files"), winfile("Files/a"), winfile("Files/a:s", "12")])
    value = node_json(b"a", tree.require("Files/a"))
    assert value["windows"] == {
        "attributes": 32,
        "security_descriptor": base64.b64encode(descriptor()).decode(),
        "created": "1600000000.123456700",
        "accessed": "1700000001.500000000",
        "changed": "-1.000000001",
        "streams": {"s": 2},
    }
    assert "windows" not in node_json(b"a", windows_tree([f("Files/a")]).require("Files/a"))
