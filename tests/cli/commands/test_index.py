"""`index`: images for several platforms under one name."""

import contextlib
import json

import pytest

from oci_layers import open_image
from oci_layers.build import NewLayer, scratch
from oci_layers.spec.document import parse_index
from oci_layers.store import Layout
from tests.support.layers import f, tar
from tests.support.trees import merged

ANNOTATION = "org.opencontainers.image.version"


@pytest.fixture
def place(tmp_path):
    """A layout with images `amd64`, `arm64`, and `new`, which is for the platform of `amd64`."""
    with Layout.create(tmp_path / "place") as layout:
        for ref, platform in (("amd64", "linux/amd64"), ("arm64", "linux/arm64"), ("new", "linux/amd64")):
            scratch(platform).append(NewLayer.from_tree(merged(tar(f("for", ref, mtime_ns=0))))).write(layout, ref)
    return f"oci:{tmp_path / 'place'}"


def content(name, platform):
    with open_image(name, platform=platform) as image:
        return image.read(["for"])["for"].decode()


def test_an_index_is_made_and_changed(run, place, tmp_path):
    out = f"oci:{tmp_path / 'out'}:all"
    made = run("index", "create", f"{place}:amd64", f"{place}:arm64", "-o", out, "--annotation", f"{ANNOTATION}=1")
    assert (made.code, made.err) == (0, "")
    assert [line.split()[0] for line in made.out.splitlines()] == ["all", "linux/amd64", "linux/arm64", "2"]
    assert (content(out, "linux/amd64"), content(out, "linux/arm64")) == ("amd64", "arm64")

    changed = run("index", "append", out, f"{place}:new", "-o", out, "--format", "json")
    report = json.loads(changed.out)
    assert (report["target"], report["ref"]) == (out, "all")
    assert [each["platform"] for each in report["entries"]] == ["linux/arm64", "linux/amd64"]
    assert (content(out, "linux/amd64"), content(out, "linux/arm64")) == ("new", "arm64")

    only = f"oci-archive:{tmp_path / 'only.tar'}:arm"
    assert run("index", "filter", out, "--platform", "linux/arm64", "-o", only, "--no-annotation", ANNOTATION).code == 0
    (listed,) = json.loads(run("images", only, "--format", "json").out)
    assert (listed["platform"], listed["index"] is not None) == ("linux/arm64", True)
    assert content(only, "linux/arm64") == "arm64"
    with Layout.open(tmp_path / "out") as layout:
        (entry,) = layout.entries("all")
        with contextlib.closing(layout.blobs.open_blob(entry.digest)) as stream:
            document = parse_index(stream.read(1 << 20), entry)
    assert document.value.annotations == {ANNOTATION: "1"}


def test_of_an_index_all_images_are_taken(run, place, tmp_path):
    first, second = f"oci:{tmp_path / 'out'}:first", f"oci:{tmp_path / 'out'}:second"
    one = run("index", "create", f"{place}:amd64", f"{place}:arm64", "-o", first)
    two = run("index", "create", first, "-o", second)
    assert two.out.splitlines()[1:] == one.out.splitlines()[1:]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["append", "{place}:amd64", "{place}:new"], 1, "no index; `index create` makes one"),
        (["create", "{place}"], 3, "amd64, arm64, new"),
        (["create", "{place}:none"], 3, "none"),
        (["filter", "{index}", "--platform", "linux/s390x"], 3, "no platform 'linux/s390x'; there are: linux/amd64"),
        (["create", "{place}:new", "--annotation", "x"], 2, "expected NAME=VALUE"),
        (["filter", "{index}"], 2, "required: --platform"),
        ([], 2, "required: ACTION"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(run, place, tmp_path, arguments, code, line):
    names = {"place": place, "index": f"oci:{tmp_path / 'index'}:i"}
    run("index", "create", f"{place}:amd64", "-o", names["index"])
    output = ["-o", tmp_path / "out"] if arguments else []
    ran = run("index", *(each.format(**names) for each in arguments), *output)
    assert (ran.code, ran.out) == (code, "")
    assert line in ran.err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
