"""Images as values: what their methods change, and what they leave alone."""

import itertools
import json
import random

import pytest

from oci_layers import Limits, open_image, validate, verify_image
from oci_layers.build import Codec, NewLayer, edit, scratch
from oci_layers.errors import BlobMissingError, LimitError, UnsupportedError
from oci_layers.layer import Whiteout
from oci_layers.progress import Progress
from oci_layers.spec import Descriptor, History, Platform
from oci_layers.spec.mediatype import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_MANIFEST, OCI_LAYER_GZIP
from oci_layers.store import Layout, MemoryRepository
from tests.support.layers import d, f, ln, tar
from tests.support.stores import Recorded
from tests.support.trees import merged
from tests.support.values import rewritten, says, stack, tree_of

LOWER, UPPER = tar(d("a/"), f("a/b", "1"), ln("c", "a/b")), tar(f("a/b", "2"))
ADDED = NewLayer.from_tree(merged(tar(f("new", "n", mtime_ns=0))))
STEPS = [{"created_by": "one"}, {"created_by": "set", "empty_layer": True, "x": 1}, {"created_by": "two"}]
SUBJECT = Descriptor.of(b"subject", media_type="m/t")


def config_of(image):
    return json.loads(image.config_document.raw)


def manifest_of(image):
    return json.loads(image.manifest_document.raw)


def odd(value):
    """JSON as another program might write it."""
    return json.dumps(value, indent=3, ensure_ascii=True) + "\n\n"


# What is not changed.


@pytest.mark.parametrize("docker", [False, True])
@pytest.mark.parametrize("history", [None, [], STEPS])
def test_an_image_without_a_change_keeps_every_byte(docker, history):
    image = stack(LOWER, UPPER, history=history, docker=docker, config={"z": "é"}, manifest={"y": None}, dumps=odd)
    target = MemoryRepository()
    assert edit(image).write(target, "t").digest == image.descriptor.digest
    assert set(target.blobs.iter_blobs()) == set(image.blobs.iter_blobs())
    same = edit(image, created=0).append().configure().annotate({}).with_subject(None)
    assert same.put(target.blobs).digest == image.descriptor.digest


def test_a_change_keeps_unknown_fields_nulls_and_the_order_of_fields():
    image = stack(
        LOWER,
        history=[{**STEPS[0], "when": [1.5]}],
        config={"zzz": {"b": 1, "a": None}, "author": None, "config": {"Odd": True, "Cmd": None}},
        manifest={"zzz": 1, "annotations": None},
    )
    new = rewritten(edit(image).configure(user="1").annotate({"k": "v"}))
    assert list(manifest_of(new)) == list(manifest_of(image))
    assert manifest_of(new)["zzz"] == 1
    assert list(config_of(new)) == list(config_of(image))
    assert config_of(new)["config"] == {"User": "1", "Odd": True, "Cmd": None}
    assert config_of(new)["zzz"] == {"b": 1, "a": None}
    assert config_of(new)["history"][0] == {**STEPS[0], "when": [1.5]}
    assert manifest_of(new)["layers"] == manifest_of(image)["layers"]


def test_fields_of_shared_layers_are_kept():
    image = stack(LOWER)
    node = {**manifest_of(image)["layers"][0], "zzz": 1, "annotations": {"a": "b"}, "urls": ["http://x"]}
    image = stack(LOWER, manifest={"layers": [node]})
    assert manifest_of(rewritten(edit(image).append(ADDED)))["layers"][0] == node


def test_nothing_is_written_before_write_and_then_children_first_and_the_name_last():
    image, target = stack(LOWER, UPPER), Recorded(MemoryRepository())
    new = edit(image).append(ADDED).configure(cmd=["/x"])
    assert target.calls == []
    descriptor = new.write(target, "t")
    document = manifest_of(open_image(target.inner, ref="t"))
    digests = [*(layer["digest"] for layer in document["layers"]), document["config"]["digest"], descriptor.digest]
    stored = [(kind, str(subject)) for kind, subject in target.calls if kind in {"put", "tag", "lease"}]
    puts = [("put", str(digest)) for digest in digests]
    assert stored == [("lease", "begins"), *puts, ("tag", "t"), ("lease", "ends")]


def test_what_the_target_has_is_not_read_from_the_image():
    image, target = stack(LOWER), MemoryRepository()
    edit(image).write(target, "t")
    for digest in list(image.blobs.iter_blobs()):
        if digest == image.layers[0].descriptor.digest:
            image.blobs.delete_blob(digest)
    edit(image).append(ADDED).write(target, "u")
    with pytest.raises(BlobMissingError) as caught:
        edit(image).write(MemoryRepository(), "t")
    assert caught.value.digest == str(image.layers[0].descriptor.digest)


def test_a_second_time_the_same_image_has_the_same_bytes():
    new = edit(stack(LOWER)).append(ADDED).configure(env={"A": "1"})
    assert new.put(MemoryRepository().blobs) == new.put(MemoryRepository().blobs)


# Layers.


def test_layers_are_appended_with_entries_of_the_history():
    image, other = stack(LOWER, history=STEPS[:1]), stack(UPPER, history=[{"created_by": "theirs", "k": 1}])
    new = rewritten(edit(image).append(ADDED, created_by="COPY", author="Ida", comment="c").append(*other.layers))
    assert tree_of(new) == merged(LOWER, tar(f("new", "n", mtime_ns=0)), UPPER)
    assert config_of(new)["history"] == [
        STEPS[0],
        {"created_by": "COPY", "author": "Ida", "comment": "c"},
        {"created_by": "theirs", "k": 1},
    ]
    assert [layer.diff_id for layer in new.layers][::2] == [image.layers[0].diff_id, other.layers[0].diff_id]
    assert not verify_image(new.blobs, [new.descriptor]).findings


def test_an_entry_can_be_given_whole():
    step = History(created="2024-01-31T12:00:00Z", created_by="x", empty_layer=True, extra={"k": 1})
    new = rewritten(edit(stack(LOWER), created=0).append(ADDED, history=step))
    assert config_of(new)["history"] == [{}, {"created": "2024-01-31T12:00:00Z", "created_by": "x", "k": 1}]


@pytest.mark.parametrize(
    ("history", "after"),
    [
        (None, ["", "", "new"]),
        (STEPS, ["one", "-set", "two", "new"]),
        (STEPS[1:], ["", "-set", "two", "new"]),
        ([*STEPS, {"created_by": "three"}], ["-one", "-set", "two", "three", "new"]),
    ],
)
def test_a_history_that_does_not_fit_is_completed_when_it_grows(history, after):
    image = stack(LOWER, UPPER, history=history)
    new = rewritten(edit(image).append(ADDED, created_by="new"))
    assert says(new) == after
    assert says(rewritten(edit(image).configure(cmd=["/x"])))[:-1] == after[:-1]


def test_an_empty_layer_is_kept_or_left_out():
    empty = NewLayer.from_changes([])
    image = stack(LOWER, history=STEPS[:1])
    kept = rewritten(edit(image).append(empty, created_by="RUN true"))
    assert (len(kept.layers), says(kept)) == (2, ["one", "RUN true"])
    left = rewritten(edit(image).append(empty, ADDED, created_by="RUN true", keep_empty=False))
    assert (len(left.layers), says(left)) == (2, ["one", "-RUN true", "RUN true"])
    assert not verify_image(left.blobs, [left.descriptor]).findings


def test_three_hundred_layers_are_appended():
    layers = [NewLayer.from_tree(merged(tar(f(f"{number}", "x")))) for number in range(300)]
    new = rewritten(scratch("linux/amd64").append(*layers), codec=Codec(compression=""))
    assert len(new.tree().root.children) == 300
    assert len(new.layers) == len(new.config.history) == 300


def test_more_layers_than_are_allowed_are_refused():
    image = stack(LOWER)
    image.limits = Limits(layers=2)
    with pytest.raises(LimitError) as caught:
        edit(image).append(ADDED, ADDED)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("layers", 2, 3)


def test_a_document_that_no_reader_would_read_is_refused():
    image = stack(LOWER)
    image.limits = Limits(config_bytes=1000)
    with pytest.raises(LimitError) as caught:
        edit(image).configure(env={"A": "x" * 1000}).put(MemoryRepository().blobs)
    assert (caught.value.limit, caught.value.allowed) == ("config_bytes", 1000)


def test_a_removal_is_a_layer():
    new = rewritten(edit(stack(LOWER)).append(NewLayer.from_changes([Whiteout(b"a")])))
    assert [path for path, _ in new.tree().walk()] == [b"", b"c"]


# Settings.


def test_each_setting_leaves_an_entry_without_a_layer():
    image = stack(LOWER, history=STEPS[:1])
    new = rewritten(edit(image).configure(env={"A": "1"}, labels={"b": "2"}, author="Ida", comment="c"))
    assert says(new) == ["one", "-LABEL b=2", "-ENV A=1", "-MAINTAINER Ida"]
    assert {entry.get("comment") for entry in config_of(new)["history"][1:]} == {"c"}
    assert (new.config.author, new.config.config.env) == ("Ida", ("A=1",))
    assert says(rewritten(edit(image).configure(env={"A": "1"}, labels={"b": "2"}, created_by="x"))) == ["one", "-x"]
    assert says(rewritten(edit(image).configure(env={"A": "1"}, history=False))) == ["one"]
    assert "history" not in config_of(rewritten(edit(stack(LOWER)).configure(cmd=["/x"], history=False)))


def test_the_author_is_removed_by_an_empty_one():
    assert "author" not in config_of(rewritten(edit(stack(LOWER, config={"author": "Ida"})).configure(author="")))


def test_the_platform_is_that_of_the_entry():
    new = edit(stack(LOWER, config={"os.version": "10"})).configure(platform="linux/arm64/v8")
    assert new.platform == Platform(os="linux", architecture="arm64", variant="v8")
    target = MemoryRepository()
    assert new.write(target, "t").platform == new.platform
    assert target.entries("t")[0].platform == new.platform
    assert "history" not in new.config_json


def test_annotations_are_merged():
    new = edit(stack(LOWER, manifest={"annotations": {"a": "1", "b": "2"}}))
    assert new.annotate({"b": None, "c": "3"}).manifest_json["annotations"] == {"a": "1", "c": "3"}
    assert "annotations" not in new.annotate({"a": None, "b": None}).manifest_json


def test_a_subject_is_set_and_removed():
    new = edit(stack(LOWER)).with_subject(SUBJECT)
    assert rewritten(new).manifest.subject == SUBJECT
    assert rewritten(new.with_subject(None)).manifest.subject is None
    with pytest.raises(UnsupportedError) as caught:
        edit(stack(LOWER, docker=True)).with_subject(SUBJECT)
    assert caught.value.what == "subject in Docker's format"


# Times.


def test_a_time_is_only_that_which_is_given(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    image = stack(LOWER, config={"created": "2020-01-01T00:00:00.123456789Z"}, history=STEPS[:1])
    plain = rewritten(edit(image).append(ADDED).configure(cmd=["/x"]))
    assert plain.config.created == "2020-01-01T00:00:00.123456789Z"
    assert [entry.created for entry in plain.config.history] == [None, None, None]
    given = rewritten(edit(image, created=0).append(ADDED).configure(cmd=["/x"], created="2024-01-31T12:00:00Z"))
    assert given.config.created == "2024-01-31T12:00:00Z"
    times = [None, "1970-01-01T00:00:00Z", "2024-01-31T12:00:00Z"]
    assert [entry.created for entry in given.config.history] == times


def test_the_environment_is_read_where_an_image_begins(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    image = stack(LOWER)
    new, unchanged = edit(image).append(ADDED), edit(image)
    assert scratch("linux/amd64").config_json["created"] == "1970-01-01T00:00:01Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2")
    assert config_of(rewritten(new))["created"] == "1970-01-01T00:00:01Z"
    assert edit(image, created="2024-01-31T12:00:00Z").created == "2024-01-31T12:00:00Z"
    assert unchanged.put(MemoryRepository().blobs).digest == image.descriptor.digest


# Formats.


def test_an_image_of_docker_stays_one():
    image = stack(LOWER, docker=True)
    new = rewritten(edit(image).append(ADDED, *stack(UPPER).layers))
    assert new.descriptor.media_type == new.manifest.media_type == DOCKER_MANIFEST
    assert new.manifest.config.media_type == DOCKER_CONFIG
    assert {layer.media_type for layer in new.manifest.layers} == {DOCKER_LAYER_GZIP}
    assert tree_of(new) == merged(LOWER, tar(f("new", "n", mtime_ns=0)), UPPER)


def test_a_layer_of_another_family_gets_the_media_type_of_its_bytes():
    image = stack(LOWER, docker=True)
    node = {**manifest_of(image)["layers"][0], "mediaType": DOCKER_LAYER}  # which does not tell the compression
    image = stack(LOWER, docker=True, manifest={"layers": [node]})
    new = rewritten(edit(stack(UPPER)).append(*image.layers))
    assert [layer.media_type for layer in new.manifest.layers] == [OCI_LAYER_GZIP] * 2
    assert new.layers[1].descriptor.digest == image.layers[0].descriptor.digest


@pytest.mark.parametrize(("docker", "format_"), [(False, "docker"), (True, "oci")])
def test_another_format_changes_media_types_alone(docker, format_):
    image = stack(LOWER, UPPER, docker=docker, history=STEPS)
    new = rewritten(edit(image, format=format_))
    assert new.config_document.raw == image.config_document.raw
    assert [layer.digest for layer in new.manifest.layers] == [layer.digest for layer in image.manifest.layers]
    assert manifest_of(rewritten(edit(new, format="docker" if docker else "oci"))) == manifest_of(image)
    assert list(validate(new.manifest_document.raw, new.descriptor.media_type)) == []


def test_what_docker_cannot_express_is_refused():
    subject = {"mediaType": "m/t", "digest": str(SUBJECT.digest), "size": 7}
    with pytest.raises(UnsupportedError):
        edit(stack(LOWER, manifest={"subject": subject}), format="docker")


# Progress, stores.


def test_progress_counts_what_is_stored():
    image, seen = stack(LOWER, UPPER), []
    new = edit(image).append(ADDED)
    place = MemoryRepository()
    new.write(place, "t", progress=seen.append)
    total = sum(layer.size for layer in open_image(place, ref="t").manifest.layers)
    assert seen[-1] == Progress(layer=2, layers=3, done=total, total=total)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert {each.layer for each in seen} == {0, 1, 2}


def test_progress_goes_on_within_a_new_layer(tmp_path):
    content = random.Random(1).randbytes(5 << 20)
    big = NewLayer.from_tree(merged(tar(f("big", content))))
    for target in (MemoryRepository(), Layout.create(tmp_path / "layout")):
        seen = []
        edit(stack(LOWER)).append(big, ADDED).write(target, "t", progress=seen.append)
        within = [each.done for each in seen if each.layer == 1]
        assert len(within) >= 5
        assert max(after - before for before, after in itertools.pairwise(within)) <= 1 << 21
        assert {each.total for each in seen[:-1]} == {None}
        with open_image(target, ref="t") as image:
            total = sum(layer.size for layer in image.manifest.layers)
        assert seen[-1] == Progress(layer=2, layers=3, done=total, total=total)
        target.close()


def test_an_error_in_the_callback_leaves_no_name(tmp_path):
    def stop(progress):
        raise ZeroDivisionError

    with Layout.create(tmp_path / "layout") as layout:
        with pytest.raises(ZeroDivisionError):
            edit(stack(LOWER)).write(layout, "t", progress=stop)
        assert layout.entries() == []
        edit(stack(LOWER)).write(layout, "t")
        assert tree_of(open_image(layout, ref="t")) == merged(LOWER)


@pytest.mark.parametrize("layer", ["app", b"tar", None])
def test_what_is_no_layer_is_refused_when_it_is_appended(layer):
    with pytest.raises(TypeError, match=f"not {type(layer).__name__}$"):
        scratch("linux/amd64").append(layer)


def test_a_name_is_no_image_to_edit():
    with pytest.raises(TypeError, match=r"not str$"):
        edit("tests/data/image")
