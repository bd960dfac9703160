"""What can be pickled and copied, and what comes of it: equal values, and images that open themselves again."""

import copy
import gc
import io
import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest

import oci_layers as oci
from oci_layers._empty import NO_XATTRS
from oci_layers.errors import DigestMismatchError, PlaceMissingError, ReferenceMissingError
from oci_layers.tar import read_tar
from oci_layers.tree import dump
from oci_layers.tree.editor import TreeEditor
from tests.disk.test_mirror import EVERYTHING
from tests.support import docker
from tests.support.layers import d, f, image, ln, sym, tar, wh
from tests.support.trees import merged

BASE = tar(d("a/"), f("a/b", "content"), ln("c", "a/b"), f("gone"), f("k", "v", xattrs={b"user.k": b"v"}))
UPPER = tar(f("a/\udcff", "x" * 100_000), wh("gone"), ln("a/again", "c"), sym("l", "a"))


@pytest.fixture
def place(tmp_path):
    return image(tmp_path / "image", BASE, UPPER)


def again(value):
    return pickle.loads(pickle.dumps(value))


def copies(value):
    return again(value), copy.copy(value), copy.deepcopy(value)


def test_a_tree_in_memory_is_copied_with_all_that_it_has():
    tree = merged(tar(*EVERYTHING), tar(f("more")))
    for other in copies(tree):
        assert other == tree
        assert dump(other) == dump(tree)
        assert (other.limits, other.implied, other.metadata) == (tree.limits, tree.implied, tree.metadata)
        editor = TreeEditor(other)
        editor.drop(editor.open_parent(b""), b"more")
        assert other != tree


def test_a_tree_with_hard_links_goes_on_counting_them_and_making_nodes():
    tree = merged(BASE, UPPER)
    other = again(tree)
    node = other.require("c")
    assert sorted(other.link_names(node.inode)) == [b"a/again", b"a/b", b"c"]
    assert other.new_inode() == tree.new_inode()


def test_a_tree_as_deep_as_paths_can_be_is_pickled():
    limits = oci.Limits(path_depth=3000)
    tree = oci.FileTree(limits=limits)
    oci.apply(oci.decode(read_tar(io.BytesIO(tar(f("d/" * 2000 + "f", "x")))), limits=limits), tree)
    assert again(tree) == tree


def test_the_tree_and_the_paths_of_an_image_read_it_where_it_is(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with oci.open_image("image") as opened:
        raw = pickle.dumps((opened.tree(), opened.root / "a", opened))
        original = opened.tree()
    monkeypatch.chdir("/")
    tree, path, reopened = pickle.loads(raw)
    assert dump(tree) == dump(image_tree(place))
    assert (path / "b").read_text() == "content"
    assert path.is_dir()
    assert path / "b" == path / "b"
    assert original != merged(BASE)
    with reopened:
        assert reopened.root.joinpath("c").read_bytes() == b"content"
    del tree, path
    gc.collect()


def image_tree(place):
    with oci.open_image(place) as opened:
        return merged(*[layer_bytes(layer) for layer in opened.layers])


def layer_bytes(layer):
    with layer.reader.open_uncompressed() as plain:
        return b"".join(iter(lambda: plain.read(1 << 16), b""))


def test_another_process_reads_what_was_pickled(place):
    with oci.open_image(place) as opened:
        raw = pickle.dumps(opened.root / "a/b")
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).read_text())"
    ran = subprocess.run([sys.executable, "-c", program], input=raw, capture_output=True, check=True, cwd="/")
    assert ran.stdout == b"content" + os.linesep.encode()


def test_an_image_that_has_changed_or_is_gone_is_an_error_when_it_is_read(place, tmp_path):
    with oci.open_image(place) as opened:
        raw, path = pickle.dumps(opened), pickle.dumps(opened.root / "a/b")
    shutil.rmtree(place)
    image(tmp_path / "image", BASE)
    for read in (lambda: pickle.loads(raw), lambda: pickle.loads(path).read_bytes()):
        with pytest.raises(ReferenceMissingError):
            read()
    shutil.rmtree(place)
    with pytest.raises(PlaceMissingError):
        pickle.loads(raw)


def test_another_image_of_the_name_in_a_docker_archive_is_an_error(tmp_path):
    (tmp_path / "x.tar").write_bytes(tar(*docker.classic(BASE)))
    with oci.open_image(tmp_path / "x.tar") as opened:
        raw = pickle.dumps(opened)
    with pickle.loads(raw) as reopened:
        assert reopened.root.joinpath("c").read_text() == "content"
    (tmp_path / "x.tar").write_bytes(tar(*docker.classic(BASE, UPPER)))
    with pytest.raises(DigestMismatchError):
        pickle.loads(raw)


def test_an_image_is_found_again_by_its_digest_though_names_have_changed(place, tmp_path):
    with oci.open_image(place, temporary_directory=tmp_path) as opened:
        raw = pickle.dumps(opened.root / "a/b")
    index = tmp_path / "image/index.json"
    value = json.loads(index.read_text())
    value["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "moved"}
    value["manifests"].append(value["manifests"][0] | {"digest": "sha256:" + "0" * 64, "annotations": {}})
    index.write_text(json.dumps(value))
    assert pickle.loads(raw).read_text() == "content"


def test_a_relative_temporary_directory_is_the_same_elsewhere(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    with oci.open_image(place, temporary_directory="mine") as opened:
        path = opened.root / "a/b"
        monkeypatch.chdir("/")
        assert path.read_text() == again(path).read_text() == "content"


def test_an_image_that_was_not_opened_by_name_says_so(place):
    with oci.open_image(place) as opened, oci.Image(opened.manifest_document, opened.blobs) as bare:
        for value in (bare, bare.tree()):
            with pytest.raises(TypeError, match="open_image"):
                pickle.dumps(value)


def test_entries_keep_everything_but_the_contents_of_an_archive(tmp_path):
    with open(tmp_path / "x.tar", "wb") as file:
        file.write(BASE)
    with open(tmp_path / "x.tar", "rb", buffering=0) as file:
        for entry in read_tar(file):
            other = again(entry)
            assert (other, other.pax, other.offset) == (entry, entry.pax, entry.offset)
            assert copy.copy(entry).content is entry.content
            assert copy.deepcopy(entry) == entry
            if entry.size:
                for copied in (other, again(other)):
                    with pytest.raises(ValueError, match="was not kept"):
                        copied.read()
    made = f("x", "kept")
    assert again(made).read() == b"kept"


def test_a_report_is_equal_to_itself(place, tmp_path):
    with oci.open_image(image(tmp_path / "odd", tar(f("a"), f("a")))) as opened:
        report = opened.unpack(tmp_path / "out")
    for other in copies(report):
        assert other == report
    assert report != oci.Report()
    assert report.findings != ["duplicate"]


def test_there_is_one_empty_mapping_and_it_stays_empty():
    for other in copies(NO_XATTRS):
        assert other is NO_XATTRS
    for change in (
        lambda: NO_XATTRS.update({b"a": b""}),
        lambda: NO_XATTRS.setdefault(b"a", b""),
        lambda: NO_XATTRS.__setitem__(b"a", b""),
        NO_XATTRS.clear,
    ):
        with pytest.raises(TypeError):
            change()
    assert NO_XATTRS == {}
