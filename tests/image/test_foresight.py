"""What small upper layers show of files that lower ones need not write, and what happens when the guess was wrong."""

import os
import random

import pytest

import oci_layers
from oci_layers import open_image, scan
from oci_layers.image import foresight
from oci_layers.image.foresight import Postponed, foresee, in_tree
from oci_layers.image.layer import Layer
from oci_layers.layer import Policy
from oci_layers.limits import Limits
from oci_layers.tree import File
from tests.support.layers import Built, d, f, image, ln, opq, sym, tar, wh
from tests.support.trees import merged

BIG = "x" * 1000
BASE = tar(
    d("bin/"),
    *(f(f"bin/tool{number}", BIG + str(number)) for number in range(40)),
    f("a", BIG),
    f("b", BIG),
    d("c/"),
    f("c/d", BIG),
    d("c/e/"),
    f("c/e/f", BIG),
    f("kept", BIG),
    f("g", BIG),
)
TOP = tar(wh("a"), f("b", "new"), opq("c"), d("g"), d("bin/"), sym("bin/tool1", "tool2"), ln("bin/tool3", "kept"))
HIDDEN = [b"a", b"b", b"c/d", b"c/e/f", b"g", b"bin/tool1", b"bin/tool3"]
SEEN = [b"kept", b"bin/tool2", b"bin/tool4", b"new"]


@pytest.fixture(autouse=True)
def all_layers(monkeypatch):
    monkeypatch.setattr(foresight, "_SHARE", 1)


def hides(*tars, tmp_path, compression=""):
    with open_image(image(tmp_path / "image", *tars, compression=compression)) as opened:
        return foresee(opened.layers)


def test_what_is_replaced_or_removed_is_hidden(tmp_path):
    found = hides(BASE, TOP, tmp_path=tmp_path)
    assert [found(path, 0) for path in HIDDEN + SEEN] == [True] * len(HIDDEN) + [False] * len(SEEN)
    assert not any(found(path, 1) for path in HIDDEN + SEEN)


def test_each_layer_hides_what_is_below_it_and_not_itself(tmp_path):
    found = hides(BASE, tar(wh("c"), f("x", "1")), tar(f("c/d", "2"), opq("")), tmp_path=tmp_path)
    assert [found(b"c/d", layer) for layer in (0, 1, 2)] == [True, True, False]
    assert [found(b"x", layer) for layer in (0, 1, 2)] == [True, True, False]


def test_a_root_that_is_opaque_hides_everything_below(tmp_path):
    found = hides(BASE, tar(opq("")), tmp_path=tmp_path)
    assert found(b"kept", 0)
    assert found(b"far/away/from/here", 0)


def test_only_layers_that_are_small_beside_the_whole_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(foresight, "_SHARE", 8)
    with open_image(image(tmp_path / "image", BASE, tar(wh("kept")), TOP, compression="")) as opened:
        sizes = [layer.descriptor.size for layer in opened.layers]
        assert sizes[2] <= sum(sizes) // 8 < sizes[2] + sizes[1] + sizes[0]
        found = foresee(opened.layers)
    assert found(b"a", 0)
    with open_image(image(tmp_path / "even", TOP, BASE, compression="")) as opened:
        assert foresee(opened.layers) is None


def test_of_layers_that_tell_nothing_new_few_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(foresight, "_SHARE", 4)
    peeked = []
    peek = Layer.peek
    monkeypatch.setattr(Layer, "peek", lambda self, most: peeked.append(self.index) or peek(self, most))
    rewrites = [tar(f("a", BIG), f("b", BIG)) for _ in range(40)]
    found = hides(BASE, *rewrites, tmp_path=tmp_path)
    assert 40 in peeked
    assert 2 <= len(peeked) < 6
    assert [found(path, 0) for path in (b"a", b"b", b"kept")] == [True, True, False]
    peeked.clear()
    news = [tar(f(f"a{number}", BIG), f("b", BIG)) for number in range(40)]
    hides(BASE, *news, tmp_path=tmp_path)
    assert len(peeked) > 8


def test_one_layer_and_layers_that_hide_nothing_show_nothing(tmp_path):
    assert hides(BASE, tmp_path=tmp_path) is None
    with open_image(image(tmp_path / "two", BASE, tar())) as opened:
        assert foresee(opened.layers) is None


def damaged(built):
    built.layers[1]["blob"] = built.layers[1]["blob"][:-700]


def of_another_compression(built):
    built.layers[1]["descriptor"]["mediaType"] += "+gzip"


def of_another_type(built):
    built.layers[1]["descriptor"]["mediaType"] = "application/x-unknown"


@pytest.mark.parametrize("harm", [damaged, of_another_compression, of_another_type])
def test_what_is_wrong_with_a_layer_is_found_in_its_turn(tmp_path, harm):
    built = Built.of(tmp_path / "image", BASE, TOP, compression="")
    harm(built)
    with open_image(built.write()) as opened:
        before = len(os.listdir("/proc/self/fd"))
        foresee(opened.layers)
        assert len(os.listdir("/proc/self/fd")) == before
        with pytest.raises(oci_layers.OCIError) as raised:
            opened.unpack(tmp_path / "out")
        assert raised.value.__notes__ == [opened.layers[1].name]
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_a_bomb_is_read_ahead_only_so_far(tmp_path):
    built = Built.of(tmp_path / "image", BASE, tar(f("zeros", bytes(50_000_000)), wh("a")))
    with open_image(built.write()) as opened:
        assert foresee(opened.layers) is None


class Recorder:
    def __init__(self):
        self.steps = []

    def make(self, parent, name, node, data):
        self.steps.append(("make", parent, name))

    def link(self, target, parent, name, node):
        self.steps.append(("link", target, parent, name))

    def remove(self, parent, name, node):
        self.steps.append(("remove", parent, name))


def test_what_waits_and_is_removed_costs_no_step():
    recorder = Recorder()
    postponed = Postponed(recorder, lambda path, _: path in HIDDEN)
    tree = merged(BASE, TOP, mirror=postponed)
    first = [step for step in recorder.steps if step[-1] in {b"a", b"d", b"f"}]
    assert first == []
    assert ("make", b"", b"b") not in recorder.steps
    assert ("remove", b"c", b"e") in recorder.steps
    assert sorted(path for path, _ in postponed._waiting.items()) == [b"b"]
    assert tree == merged(BASE, TOP)


def test_names_of_a_file_that_waits_wait_with_it_and_are_made_in_the_end(tmp_path, monkeypatch):
    name = image(tmp_path / "image", BASE, tar(ln("h1", "a"), ln("h2", "h1"), wh("kept")))
    monkeypatch.setattr("oci_layers.image.image.foresee", lambda _: lambda path, layer: path == b"a")
    with open_image(name) as opened:
        opened.unpack(tmp_path / "out")
        assert scan(tmp_path / "out") == opened.tree()
    assert (tmp_path / "out" / "a").stat().st_nlink == 3


def test_a_tree_that_is_known_says_which_files_stay(tmp_path):
    with open_image(image(tmp_path / "image", BASE, TOP)) as opened:
        tree = opened.tree()
        known = in_tree(tree)
        for path, node in tree.walk():
            if isinstance(node, File):
                assert [known(path, layer) for layer in (0, 1)] == [node.layer != 0, node.layer != 1]
        assert known(b"a", 0)
        opened.unpack(tmp_path / "out")
        assert scan(tmp_path / "out") == tree


LOOP = tar(wh("c"), sym("c", "k"), sym("k", "c"))


@pytest.mark.parametrize("policy", [None, Policy.preset("lenient")])
def test_a_file_whose_directory_became_a_loop_of_links_is_hidden_and_nothing_else(tmp_path, policy):
    with open_image(image(tmp_path / "image", BASE, LOOP)) as opened:
        tree = opened.tree(policy=policy)
        assert in_tree(tree)(b"c/d", 0)
        report = opened.unpack(tmp_path / "out", policy=policy)
        assert list(report.findings) == []
        assert scan(tmp_path / "out") == tree


def test_a_known_tree_is_asked_within_no_limits_but_its_own(tmp_path):
    deep = "/".join(["d"] * 300)
    name = image(tmp_path / "image", tar(f(deep, "x")), tar(f("a")))
    with open_image(name, limits=Limits(path_depth=300)) as opened:
        assert not in_tree(opened.tree())(deep.encode(), 0)


def test_all_layers_together_are_inflated_only_so_far(tmp_path):
    noise = random.Random(1).randbytes(3_000_000)
    uppers = [tar(f("zeros", bytes(2_000_000)), wh(f"w{number}")) for number in range(4)]
    found = hides(tar(f("noise", noise)), *uppers, tmp_path=tmp_path, compression="gzip")
    assert [found(b"w%d" % number, 0) for number in range(4)] == [False, False, False, True]


def test_no_more_entries_are_read_ahead_than_an_image_may_have(tmp_path):
    uppers = [tar(*(wh(f"{name}{number}") for number in range(10))) for name in "xy"]
    name = image(tmp_path / "image", BASE, *uppers, compression="")
    with open_image(name, limits=Limits(entries=15)) as opened:
        found = foresee(opened.layers)
    assert [found(b"x%d" % number, 0) for number in range(10)] == [True] * 5 + [False] * 5
    assert all(found(b"y%d" % number, 0) for number in range(10))


@pytest.mark.parametrize("known", [False, True])
def test_only_of_what_is_there_in_the_end_it_is_said_what_was_not_set(tmp_path, monkeypatch, known):
    xattrs = {b"user.overlay.k": b"v"}
    layers = (
        tar(f("a", "1", xattrs=xattrs), f("b", "2", xattrs=xattrs), f("d/e", "3", xattrs=xattrs)),
        tar(ln("c", "b")),
        tar(wh("a"), wh("b"), f("d", "4")),
    )
    if not known:
        monkeypatch.setattr("oci_layers.image.image.foresee", lambda _: None)
    with open_image(image(tmp_path / "image", *layers)) as opened:
        if known:
            opened.tree()
        report = opened.unpack(tmp_path / "out")
    assert [(item.what, item.path, item.layer) for item in report.skipped] == [("overlay-xattr", b"c", 0)]
