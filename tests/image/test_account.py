"""The account of an image: what each layer did by itself, against a model that walks every tree."""

import tempfile
import tracemalloc

import pytest
from hypothesis import given

from oci_layers import Limits, Policy, open_image
from oci_layers.errors import DigestMismatchError, LimitError
from oci_layers.image import Tally
from oci_layers.layer import apply, decode
from oci_layers.tree import File, FileTree
from tests.support.facts import node_facts
from tests.support.layers import Built, char, d, f, image, ln, opq, sym, tar, wh
from tests.support.stacks import stacks

LENIENT = Policy.preset("lenient")


def account(directory, *layers, **options):
    with open_image(image(directory, *(tar(*layer) for layer in layers)), **options) as opened:
        return opened.account(policy=LENIENT)


def did(each):
    return {kind: [path.decode() for path in each.paths(kind)] for kind in ("added", "changed", "removed")}


def test_a_layer_adds_changes_and_removes_names(tmp_path):
    base, upper = account(
        tmp_path,
        [d("etc/"), f("etc/a", "aaaa"), f("etc/b", "bb"), f("etc/c", "c"), d("bin/"), f("bin/sh", "#!"), d("opt/")],
        [f("etc/a", "other"), wh("etc/b"), f("etc/new", "123"), d("bin/", mode=0o700), d("opt/"), ln("sh", "bin/sh")],
    ).layers
    assert did(base) == {
        "added": ["bin", "bin/sh", "etc", "etc/a", "etc/b", "etc/c", "opt"],
        "changed": [],
        "removed": [],
    }
    assert (base.added, base.hidden) == (Tally(7, 9), Tally())
    assert (base.content_bytes, base.visible_bytes, base.wasted_bytes) == (9, 3, 6)
    assert did(upper) == {"added": ["etc/new", "sh"], "changed": ["bin", "etc/a"], "removed": ["etc/b"]}
    assert (upper.added, upper.changed, upper.removed) == (Tally(2, 3), Tally(2, 5), Tally(1, 2))
    assert (upper.hidden, upper.wasted_bytes, upper.entries) == (Tally(2, 6), 0, 6)


def test_sizes_are_those_as_stored_and_of_the_plain_tar(tmp_path):
    layers = [[f("a", "x" * 3000)], [f("b", "y")]]
    built = Built.of(tmp_path, *(tar(*layer) for layer in layers))
    with open_image(built.write()) as opened:
        found = opened.account()
    assert [(each.size, each.plain_size) for each in found.layers] == [
        (len(each["blob"]), len(each["plain"])) for each in built.layers
    ]
    assert (found.size, found.plain_size) == (
        sum(len(each["blob"]) for each in built.layers),
        sum(len(each["plain"]) for each in built.layers),
    )
    assert (found.content_bytes, found.visible_bytes, found.wasted_bytes) == (3001, 3001, 0)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([{"created_by": "one"}, {"created_by": "ENV", "empty_layer": True}, {"created_by": "two"}], ["one", "two"]),
        ([], [None, None]),
        ([{"created_by": "only"}], [None, None]),
    ],
)
def test_each_layer_has_its_line_of_the_history_if_every_layer_has_one(tmp_path, history, expected):
    built = Built.of(tmp_path, tar(f("a")), tar(f("b")))
    built.config["history"] = history
    with open_image(built.write()) as opened:
        layers = [each.layer for each in opened.account().layers]
    assert [layer.history and layer.history.created_by for layer in layers] == expected


def test_a_file_with_another_name_left_is_not_hidden(tmp_path):
    found = account(tmp_path, [f("a", "1234"), ln("b", "a")], [wh("a")], [f("b", "")])
    assert [each.hidden for each in found.layers] == [Tally(), Tally(), Tally(1, 4)]
    assert [each.removed for each in found.layers] == [Tally(), Tally(1, 0), Tally()]
    assert found.layers[0].added == Tally(2, 4)
    assert found.wasted_bytes == 4


def test_a_layer_that_has_a_name_twice_wastes_the_first(tmp_path):
    (found,) = account(tmp_path, [f("a", "123"), f("a", "45")]).layers
    assert (found.content_bytes, found.visible_bytes, found.wasted_bytes, found.repeated_bytes) == (5, 2, 3, 3)
    assert (found.added, found.hidden) == (Tally(1, 2), Tally())


def test_a_file_that_is_stored_again_is_changed_and_a_directory_described_again_is_not(tmp_path):
    layer = [d("etc/"), f("etc/a", "same"), f("etc/none", ""), sym("l", "a"), char("null")]
    _, upper = account(tmp_path, layer, layer).layers
    assert did(upper) == {"added": [], "changed": ["etc/a"], "removed": []}
    assert (upper.changed, upper.hidden) == (Tally(1, 4), Tally(2, 4))


def test_an_opaque_directory_and_a_file_in_place_of_one_remove_what_is_below(tmp_path):
    found = account(tmp_path, [f("a/x/y", "12"), f("b/z", "3")], [opq("a"), f("a/new", ""), f("b", "")]).layers
    assert did(found[1]) == {"added": ["a/new"], "changed": ["b"], "removed": ["a/x", "a/x/y", "b/z"]}
    assert (found[1].removed, found[1].hidden) == (Tally(3, 3), Tally(2, 3))


def test_the_first_layer_that_describes_the_root_adds_it(tmp_path):
    found = account(tmp_path, [f("a")], [d("./", mode=0o700)], [d("./", mode=0o755)], [d("./", mode=0o755)]).layers
    assert [did(each) for each in found] == [
        {"added": ["a"], "changed": [], "removed": []},
        {"added": [""], "changed": [], "removed": []},
        {"added": [], "changed": [""], "removed": []},
        {"added": [], "changed": [], "removed": []},
    ]


def test_an_image_without_layers_has_an_empty_account(tmp_path):
    found = account(tmp_path)
    assert (found.layers, found.size, found.plain_size, found.wasted_bytes) == ((), 0, 0, 0)


def test_the_layers_are_read_once_for_each_policy_and_report_progress(tmp_path):
    seen = []
    with open_image(image(tmp_path, tar(f("a", "x")), tar(f("b", "y")))) as opened:
        first = opened.account(progress=seen.append)
        assert (seen[-1].done, seen[-1].layers) == (first.size, 2)
        seen.clear()
        assert opened.account(progress=seen.append) is first
        assert seen == []
        assert opened.account(policy="strict") is not first


def test_damage_and_limits_raise_as_for_the_tree(tmp_path):
    built = Built.of(tmp_path, tar(f("a", "x")))
    name = built.write()
    with open_image(name, limits=Limits(entries=0)) as opened, pytest.raises(LimitError) as limited:
        opened.account()
    assert limited.value.limit == "entries"
    digest = built.layers[0]["descriptor"]["digest"]
    blob = tmp_path / "blobs" / digest.replace(":", "/")
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    with open_image(name) as opened, pytest.raises(DigestMismatchError) as damaged:
        opened.account()
    assert damaged.value.expected == digest


@pytest.mark.thorough
def test_memory_does_not_grow_with_layers_times_names(tmp_path):
    base = tar(*(f(f"d/{number}", "x") for number in range(2000)))
    name = image(tmp_path, base, *(tar(d("d/", mtime_ns=number), f(f"d/{number}", "y")) for number in range(200)))
    with open_image(name, threads=1) as opened:
        opened.config_document  # noqa: B018  # read before the measurement
        tracemalloc.start()
        try:
            found = opened.account()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert [len(each.touched) for each in found.layers] == [2001, *[2] * 200]
    assert most < 8 << 20


# --- The model: one tree, walked as a whole after each layer ----------------------------------------------------------


def walked(stack):
    """Every path and node after each layer, of one tree."""
    tree, shown = FileTree(), [{}]
    for index, layer in enumerate(stack):
        apply(decode(layer, layer=index, policy=LENIENT), tree, layer=index, policy=LENIENT)
        shown.append(dict(tree.fork().walk()))
    return shown


def files(nodes):
    return {node.inode: node for node in nodes.values() if isinstance(node, File)}


@given(stacks())
def test_the_account_agrees_with_the_model(stack):
    shown = walked(stack)
    with tempfile.TemporaryDirectory() as directory:
        found = account(directory, *stack)
    for index, each in enumerate(found.layers):
        lower, upper = shown[index], shown[index + 1]
        names = {path for path in upper.keys() & lower.keys() if node_facts(upper[path]) != node_facts(lower[path])}
        listed = {kind: set(each.paths(kind)) for kind in ("added", "changed", "removed")}
        assert {kind: getattr(each, kind).count for kind in listed} == {
            kind: len(all_) for kind, all_ in listed.items()
        }
        assert listed["added"] - {b""} == (upper.keys() - lower.keys()) - {b""}
        assert listed["removed"] == lower.keys() - upper.keys()
        assert listed["changed"] >= names - {b""}
        for path in listed["changed"] - names:
            assert isinstance(upper[path], File)
            assert upper[path] is not lower[path]
        hidden = files(lower).keys() - files(upper).keys()
        assert each.hidden == Tally(len(hidden), sum(files(lower)[inode].content.size for inode in hidden))
        assert each.content_bytes == sum(entry.size for entry in stack[index])
        own = [node for node in files(shown[-1]).values() if node.layer == index]
        assert each.visible_bytes == sum(node.content.size for node in own)
        new = [node for inode, node in files(upper).items() if inode not in files(lower)]
        assert each.added.bytes + each.changed.bytes == sum(node.content.size for node in new)
    assert found.wasted_bytes == sum(each.hidden.bytes + each.repeated_bytes for each in found.layers)
    assert found.visible_bytes + found.wasted_bytes == found.content_bytes
