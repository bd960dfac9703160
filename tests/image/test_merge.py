"""Layers over one another, into a tree and into a directory: one layer alone, and a failure that leaves nothing."""

import pytest

from oci_layers import open_image, scan
from oci_layers.disk import Owner
from oci_layers.errors import LinkError, MetadataError
from oci_layers.image.merge import merge_layer
from oci_layers.image.unpack import UnpackOptions, unpack_to
from oci_layers.layer import Policy
from oci_layers.limits import Limits
from oci_layers.progress import ProgressTracker
from oci_layers.tree import FileTree, dump
from tests.support.layers import char, d, f, image, ln, tar, wh
from tests.support.trees import merged

BASE = tar(d("a/"), f("a/x", "1"), f("a/y", "22"))
UPPER = tar(wh("a/x"), f("a/z", "333"))


@pytest.fixture
def opened(tmp_path):
    with open_image(image(tmp_path / "image", BASE, UPPER)) as image_:
        yield image_


def test_one_layer_alone_is_what_it_makes_of_an_empty_directory(opened, tmp_path):
    report = opened.layers[1].unpack(tmp_path / "out")
    assert scan(tmp_path / "out") == opened.layers[1].tree() == merged(UPPER)
    assert (report.entries, report.files, report.bytes) == (2, 1, 3)
    assert [layer.diff_id for layer in report.layers] == [str(opened.layers[1].diff_id)]
    assert [(finding.rule, finding.location.path, finding.location.layer) for finding in report.findings] == [
        ("nothing-hidden", b"a/x", 1)
    ]


def test_one_layer_tells_of_its_own_progress(opened, tmp_path):
    seen = []
    opened.layers[1].unpack(tmp_path / "out", progress=seen.append)
    size = opened.layers[1].descriptor.size
    assert (seen[-1].layer, seen[-1].layers, seen[-1].done, seen[-1].total) == (1, 1, size, size)


def test_layers_merge_one_by_one_into_the_tree_of_the_image(opened):
    tree, tracker = FileTree(), opened._tracker()
    for layer in opened.layers:
        merge_layer(layer.reader, tree, tracker, Policy(), source=None)
    assert tree == opened.tree() == merged(BASE, UPPER)
    assert tracker.report.entries == 5


def test_a_layer_that_is_refused_is_named_and_leaves_nothing(tmp_path):
    built = image(tmp_path / "image", BASE, tar(ln("h", "nothing")))
    with open_image(built) as opened, pytest.raises(LinkError, match=r"^h: no file 'nothing' to link to") as raised:
        opened.unpack(tmp_path / "out")
    assert raised.value.__notes__ == [opened.layers[1].name]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image"]


def test_whatever_fills_the_directory_may_fail(tmp_path):
    def fill(mirror):
        mirror.make(b"", b"half", next(iter(merged(BASE).root.children.values())), None)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack_to(tmp_path / "out", fill, ProgressTracker(Limits(), {}), UnpackOptions())
    assert list(tmp_path.iterdir()) == []


def test_strict_metadata_fails_after_a_refusal_and_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("oci_layers.system.make_device", refuse)
    with open_image(image(tmp_path / "image", tar(char("null")))) as opened:
        report = opened.unpack(tmp_path / "out", owner=Owner(same=False))
        assert dict(report.skipped.totals) == {"device": 1}
        assert dump(scan(tmp_path / "out")).count("\n") == 1
        with pytest.raises(MetadataError, match="1 device") as raised:
            opened.unpack(tmp_path / "strict", owner=Owner(same=False), strict_metadata=True)
    assert raised.value.totals == {"device": 1}
    assert not (tmp_path / "strict").exists()
