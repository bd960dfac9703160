"""A whole image: its documents, its stack, the trees of it, its contents in one pass, and all of it on disk."""

import json
import os
import threading

import pytest

from oci_layers import Image, Limits, Owner, Policy, format_error, open_image, scan
from oci_layers.errors import (
    BlobMissingError,
    DestinationError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    IsDirectoryError,
    LimitError,
    LinkError,
    MetadataError,
    PathMissingError,
    Problem,
    StoreError,
    UnsafePathError,
    UnsupportedError,
)
from oci_layers.tree.editor import TreeEditor
from tests.support.layers import MTIME, Built, d, digest, f, image, ln, opq, sym, tar, wh
from tests.support.listing import listing
from tests.support.trees import merged

LAYERS = (
    tar(d("etc/"), f("etc/passwd", "root"), f("etc/os-release", "ID=x"), d("bin/"), f("bin/sh", "#!", mode=0o4755)),
    tar(wh("etc/passwd"), f("etc/group", "wheel"), ln("bin/bash", "bin/sh"), sym("sh", "bin/sh")),
    tar(opq("etc"), f("etc/last", "one left")),
)


class CountedBlobs:
    """A `BlobSource` that remembers what was asked for."""

    def __init__(self, blobs):
        self.blobs = blobs
        self.opened = []

    def open_blob(self, digest):
        self.opened.append(str(digest))
        return self.blobs.open_blob(digest)


def test_the_documents_are_typed_and_keep_their_bytes(tmp_path):
    built = Built.of(tmp_path, *LAYERS)
    built.config["config"] = {"Entrypoint": ["/bin/sh"], "Vendor": {"kept": True}}
    built.manifest["annotations"] = {"a": "b"}
    with open_image(built.write()) as opened:
        assert json.loads(opened.config_document.raw) == built.config
        assert digest(opened.manifest_document.raw) == str(opened.descriptor.digest)
        assert digest(opened.config_document.raw) == str(opened.manifest.config.digest)
        assert opened.config.config.entrypoint == ("/bin/sh",)
        assert opened.config.config.extra == {"Vendor": {"kept": True}}
        assert opened.manifest.annotations == {"a": "b"}
        assert repr(opened) == f"<Image {tmp_path} {opened.descriptor.digest}>"


@pytest.mark.parametrize("layers", [0, 1, 2, 3, None])
def test_the_tree_of_the_lowest_layers_is_what_those_layers_make(tmp_path, layers):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        assert opened.tree(layers) == merged(*LAYERS[:layers])


def test_trees_are_the_same_in_whatever_order_they_are_asked_for(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        blobs = CountedBlobs(opened.blobs)
        with Image(opened.manifest_document, blobs) as counted:
            trees = [counted.tree(k) for k in (2, 0, 3, 1, 2)]
        config, layers = str(opened.manifest.config.digest), [str(each.descriptor.digest) for each in opened.layers]
    assert [len(tree) for tree in trees] == [len(merged(*LAYERS[:k])) for k in (2, 0, 3, 1, 2)]
    # Two layers, the third over them, and the first alone: nothing is read again that was merged before.
    assert [name for name in blobs.opened if name != config][:4] == [layers[0], layers[1], layers[2], layers[0]]


def test_more_layers_than_there_are_is_all_of_them_and_fewer_than_none_is_an_error(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        assert opened.tree(99) == opened.tree()
        with pytest.raises(ValueError, match="layers must not be negative: -1"):
            opened.tree(-1)


def test_a_tree_that_the_caller_changes_is_the_callers_own(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        TreeEditor(opened.tree()).change(b"etc", mode=0)
        TreeEditor(opened.tree(1)).change(b"etc", mode=0)
        assert opened.tree() == merged(*LAYERS)
        assert opened.tree(1) == merged(*LAYERS[:1])


def test_a_tree_is_of_its_policy(tmp_path):
    layers = tar(d("real/"), sym("link", "real")), tar(f("link/x", "x"))
    with open_image(image(tmp_path, *layers)) as opened:
        for policy in (Policy(), Policy(parents="replace")):
            assert opened.tree(policy=policy) == merged(*layers, policy=policy)


def test_two_images_merge_the_layers_that_both_have_once(tmp_path):
    lower, upper = tar(f("a", "1"), d("d/"), f("d/x", "x")), tar(f("b", "2"))
    with (
        open_image(image(tmp_path / "one", lower, upper)) as one,
        open_image(image(tmp_path / "two", lower, tar(f("a", "other")))) as two,
    ):
        blob = two.layers[0].descriptor.digest
        (tmp_path / "two" / "blobs" / blob.algorithm / blob.encoded).unlink()
        assert two.share_tree(one) == 1
        old, new = one.tree(), two.tree()
        assert new.require("d") is old.require("d")
        assert b"".join(new.require("d/x").content.chunks()) == b"x"
        assert [path.decode() for path, node in old.walk() if new.at(path) is not node and path] == ["a", "b"]
        assert two.tree(1) == one.tree(1)


def test_nodes_know_the_layer_that_they_come_from(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        found = {path: node.layer for path, node in opened.tree().walk()}
    assert found == {b"": 0, b"bin": 0, b"bin/bash": 0, b"bin/sh": 0, b"etc": 0, b"etc/last": 2, b"sh": 1}


@pytest.mark.parametrize("listed", [0, 2])
def test_a_config_that_lists_another_number_of_layers_is_refused(tmp_path, listed):
    built = Built.of(tmp_path, LAYERS[0])
    built.config["rootfs"]["diff_ids"] = [digest(LAYERS[0])] * listed
    with open_image(built.write()) as opened, pytest.raises(DocumentError) as raised:
        opened.tree()
    message = f"{listed} diff_ids for the manifest's 1 layers"
    assert raised.value.problems == (Problem("/rootfs/diff_ids", message),)


def test_an_image_of_no_layers_is_an_empty_directory(tmp_path):
    with open_image(image(tmp_path / "image")) as opened:
        assert (opened.layers, len(opened.tree())) == ((), 1)
        report = opened.unpack(tmp_path / "out")
    assert (report.entries, report.files, os.listdir(tmp_path / "out")) == (0, 0, [])


@pytest.mark.parametrize("config", ["application/vnd.oci.empty.v1+json", "application/vnd.example.thing.v1+json"])
def test_an_artifact_has_a_manifest_and_no_file_system(tmp_path, config):
    built = Built.of(tmp_path, LAYERS[0])
    built.manifest["config"] = built.put(b"{}", config)
    built.manifest["artifactType"] = "application/vnd.example.thing"
    with open_image(built.write()) as opened:
        assert opened.manifest.artifact_type == "application/vnd.example.thing"
        with pytest.raises(UnsupportedError) as raised:
            opened.tree()
    assert (raised.value.what, raised.value.value) == ("config media type", config)


def test_a_config_that_is_too_large_is_not_read(tmp_path):
    with open_image(image(tmp_path, LAYERS[0]), limits=Limits(config_bytes=10)) as opened:
        with pytest.raises(LimitError) as raised:
            _ = opened.config
        size = opened.manifest.config.size
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("config_bytes", 10, size)


def test_a_config_that_is_another_is_refused(tmp_path):
    built = Built.of(tmp_path, LAYERS[0])
    raw = json.dumps(built.config).encode()
    directory = built.write()
    (tmp_path / "blobs" / digest(raw).replace(":", "/")).write_bytes(raw.replace(b"amd64", b"arm64"))
    with open_image(directory) as opened, pytest.raises(DigestMismatchError) as raised:
        _ = opened.config
    assert raised.value.expected == digest(raw)


@pytest.mark.parametrize(
    ("limits", "limit", "seen"),
    [
        pytest.param({"entries": 9}, "entries", 10, id="entries"),
        pytest.param({"plain_bytes": len(LAYERS[0]) + 1}, "plain_bytes", None, id="plain bytes"),
    ],
)
@pytest.mark.parametrize("work", ["tree", "unpack"])
def test_limits_are_over_all_layers(tmp_path, limits, limit, seen, work):
    """No layer alone goes past any of these."""
    with (
        open_image(image(tmp_path / "image", *LAYERS), limits=Limits(**limits)) as opened,
        pytest.raises(LimitError) as raised,
    ):
        opened.tree() if work == "tree" else opened.unpack(tmp_path / "out")
    assert (raised.value.limit, raised.value.allowed) == (limit, limits[limit])
    assert seen in {None, raised.value.seen}
    assert os.listdir(tmp_path) == ["image"]


def test_limits_are_inclusive(tmp_path):
    whole = Limits(entries=11, plain_bytes=sum(map(len, LAYERS)))
    with open_image(image(tmp_path, *LAYERS), limits=whole) as opened:
        assert opened.tree() == merged(*LAYERS)


def test_a_layer_that_the_rules_refuse_is_named_in_a_note(tmp_path):
    with open_image(image(tmp_path, LAYERS[0], tar(ln("a", "nowhere")))) as opened, pytest.raises(LinkError) as raised:
        opened.tree()
    assert raised.value.path == b"a"
    assert raised.value.__notes__ == [opened.layers[1].name]


def test_files_come_once_in_the_order_of_the_layers_in_one_pass(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        blobs = CountedBlobs(opened.blobs)
        with Image(opened.manifest_document, blobs) as counted:
            counted.tree()
            blobs.opened.clear()
            found = [(path, node.layer, b"".join(pieces)) for path, node, pieces in counted.files()]
        bottom, top = opened.layers[0].descriptor.digest, opened.layers[2].descriptor.digest
    assert found == [(b"bin/bash", 0, b"#!"), (b"etc/last", 2, b"one left")]
    # The layer in the middle has no file that is left, so it is not read.
    assert blobs.opened == [str(bottom), str(top)]


def test_empty_and_sparse_files_are_files_too(tmp_path):
    sparse = f("holes", b"end", size=10_003, extents=((10_000, 3),))
    with open_image(image(tmp_path, tar(f("full", "x"), f("empty"), sparse))) as opened:
        found = {path: b"".join(pieces) for path, _, pieces in opened.files()}
        assert found == {b"full": b"x", b"empty": b"", b"holes": bytes(10_000) + b"end"}
        assert (opened.root / "holes").read_bytes() == found[b"holes"]
        opened.unpack(tmp_path / "out")
    assert (tmp_path / "out" / "holes").read_bytes() == found[b"holes"]


def test_files_can_be_a_part(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        assert [path for path, _, _ in opened.files(["bin"])] == [b"bin/bash"]
        assert [path for path, _, _ in opened.files([b"etc", "bin/sh"])] == [b"bin/sh", b"etc/last"]
        with pytest.raises(PathMissingError) as raised:
            list(opened.files(["etc", "etc/none"]))
    assert raised.value.path == b"etc/none"


def test_files_that_links_lead_to_come_under_their_own_names(tmp_path):
    layer = tar(
        f("usr/lib/os-release", "ID=x"),
        f("usr/lib/more/x", "x"),
        sym("usr/lib/more/link", "/usr/lib/os-release"),
        sym("etc/os-release", "../usr/lib/os-release"),
        sym("lib", "usr/lib"),
        sym("nowhere", "lib/none"),
        sym("loop", "loop"),
    )
    with open_image(image(tmp_path, layer)) as opened:

        def found(*paths):
            return {path: b"".join(pieces) for path, _, pieces in opened.files(paths)}

        file = {b"usr/lib/os-release": b"ID=x"}
        assert found("etc/os-release") == found(opened.root / "etc/os-release") == file
        assert found("etc/os-release", "usr/lib/os-release") == file
        assert found("lib") == found("lib/", "etc/os-release") == {**file, b"usr/lib/more/x": b"x"}
        assert found("usr/lib/more") == {b"usr/lib/more/x": b"x"}
        for path, link, place in (
            ("nowhere", "nowhere", "none"),
            ("lib/none", "lib", "none"),
            ("lib/a/b", "lib", "a/b"),
        ):
            with pytest.raises(PathMissingError) as raised:
                found("lib", path)
            reason = f"no such file or directory; through the link /{link} it is /usr/lib/{place}"
            assert (raised.value.path, raised.value.reason) == (path.encode(), reason)
        with pytest.raises(LinkError) as looped:
            found("loop")
        assert looped.value.path == b"loop"


def test_files_that_nobody_reads_are_passed_over_and_the_pass_checks_its_layers_again(tmp_path):
    directory = image(tmp_path, *LAYERS, compression="")
    with open_image(directory) as opened:
        assert [path for path, _, _ in opened.files()] == [b"bin/bash", b"etc/last"]
        blob = tmp_path / "blobs" / "sha256" / opened.layers[2].descriptor.digest.encoded
        blob.write_bytes(blob.read_bytes()[:-1] + b"\1")
        files = opened.files()
        assert next(files)[0] == b"bin/bash"
        with pytest.raises(DigestMismatchError):
            list(files)


def test_unpack_makes_on_disk_what_the_tree_is(tmp_path):
    with open_image(image(tmp_path / "image", *LAYERS)) as opened:
        report = opened.unpack(tmp_path / "out")
        assert scan(tmp_path / "out") == opened.tree()
    assert (report.entries, report.files, report.bytes) == (11, 3, 10)
    assert [each.diff_id for each in report.layers] == [digest(layer) for layer in LAYERS]
    assert (list(report.skipped), list(report.findings)) == ([], [])
    assert sorted(os.listdir(tmp_path)) == ["image", "out"]


def test_unpack_reports_what_is_odd_and_what_the_disk_cannot_hold(tmp_path):
    odd = tar(f("a"), f("a"), f("b", "b", xattrs={b"trusted.overlay.opaque": b"y"}))
    with open_image(image(tmp_path / "image", odd)) as opened:
        report = opened.unpack(tmp_path / "out")
    assert [(each.rule, each.location.path, each.location.layer) for each in report.findings] == [
        ("duplicate", b"a", 0)
    ]
    assert [(each.what, each.path, each.layer) for each in report.skipped] == [("overlay-xattr", b"b", 0)]
    assert (tmp_path / "out" / "b").read_text() == "b"


def test_unpack_of_some_paths_reports_what_is_odd_in_all_layers(tmp_path):
    with open_image(image(tmp_path / "image", tar(f("a"), f("a")), tar(f("b"), f("b")))) as opened:
        opened.tree(1)
        for dest in ("out", "again"):
            report = opened.unpack(tmp_path / dest, paths=["b"])
            assert [(each.rule, each.location.path) for each in report.findings] == [
                ("duplicate", b"a"),
                ("duplicate", b"b"),
            ]
            assert [each.diff_id for each in report.layers] == [str(layer.diff_id) for layer in opened.layers]


def test_a_dest_that_is_not_empty_is_refused_and_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    before = listing(tmp_path / "out")
    with open_image(image(tmp_path / "image", *LAYERS)) as opened, pytest.raises(DestinationError) as raised:
        opened.unpack(tmp_path / "out")
    assert (raised.value.place, raised.value.reason) == (str(tmp_path / "out"), "the directory is not empty")
    assert listing(tmp_path / "out") == before


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("paths", [[], ["etc"]])
def test_a_damaged_last_layer_leaves_dest_as_it_was(tmp_path, in_place, paths):
    (tmp_path / "out").mkdir(mode=0o750)
    os.utime(tmp_path / "out", ns=(MTIME, MTIME))
    before = listing(tmp_path / "out")
    built = Built.of(tmp_path / "image", *LAYERS)
    built.layers[2]["blob"] = built.layers[2]["blob"][:-1] + b"\xff"
    with open_image(built.write()) as opened, pytest.raises(DigestMismatchError):
        opened.unpack(tmp_path / "out", in_place=in_place, paths=paths)
    assert listing(tmp_path / "out") == before
    assert sorted(os.listdir(tmp_path)) == ["image", "out"]


class StopError(Exception):
    """What a caller raises."""


@pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("existing", [False, True])
def test_what_progress_raises_ends_the_work_and_leaves_dest_as_it_was(tmp_path, error, in_place, existing):
    heard = []

    def progress(now):
        heard.append(now)
        if now.layer == 1:
            raise error

    if existing:
        (tmp_path / "out").mkdir()
    with open_image(image(tmp_path / "image", *LAYERS)) as opened:
        before = listing(tmp_path)
        with pytest.raises(error):
            opened.unpack(tmp_path / "out", in_place=in_place, progress=progress)
        assert threading.active_count() == 1
        total = sum(layer.descriptor.size for layer in opened.layers)
    after = listing(tmp_path)
    for rows in (before, after):
        del rows[b""]  # A sibling came and went, so the time of the parent is another.
    assert after == before
    assert {(now.layers, now.total) for now in heard} == {(3, total)}


def test_progress_goes_up_to_its_total(tmp_path):
    heard = []
    with open_image(image(tmp_path / "image", *LAYERS)) as opened:
        opened.unpack(tmp_path / "out", progress=heard.append)
        opened.unpack(tmp_path / "part", paths=["etc"], progress=heard.append)
    done = [now.done for now in heard if now.layer <= 2]
    assert heard[-1].done == heard[-1].total
    assert all(0 <= each <= heard[-1].total for each in done)


@pytest.mark.root
def test_strict_metadata_fails_where_anything_cannot_be_set(tmp_path):
    odd = tar(f("a", xattrs={b"no-such-namespace.x": b"y"}))
    with open_image(image(tmp_path / "image", odd)) as opened:
        with pytest.raises(MetadataError) as raised:
            opened.unpack(tmp_path / "out", strict_metadata=True)
        assert raised.value.totals == {"xattr": 1}
        assert os.listdir(tmp_path) == ["image"]
        report = opened.unpack(tmp_path / "out")
    assert [(each.what, each.path, each.detail) for each in report.skipped] == [("xattr", b"a", "no-such-namespace.x")]


@pytest.mark.root
def test_unpack_gives_files_to_whom_it_is_told(tmp_path):
    with open_image(image(tmp_path / "image", tar(f("a", uid=7, gid=8), d("b/", uid=7)))) as opened:
        opened.unpack(tmp_path / "out", owner=Owner.parse("1234:5678"), sync=True)
    rows = listing(tmp_path / "out")
    assert {row["owner"] for row in rows.values()} == {(1234, 5678)}


def test_one_image_is_read_by_many_threads_at_once(tmp_path):
    names = [f"f{number}" for number in range(40)]
    layers = [tar(*(f(name, f"{layer} {name} " * 500) for name in names[layer:])) for layer in range(8)]
    with open_image(image(tmp_path, *layers)) as opened:
        barrier = threading.Barrier(8)
        wrong = []

        def read(number):
            barrier.wait()
            for k in (number + 1, 8, 3):
                if opened.tree(k) != merged(*layers[:k]):
                    wrong.append(k)
            for name in names[number:]:
                text = (opened.root / name).read_text()
                if not text.endswith(f"{min(7, names.index(name))} {name} "):
                    wrong.append(name)

        threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_closed_image_gives_nothing_more_and_closing_twice_is_as_once(tmp_path):
    opened = open_image(image(tmp_path, *LAYERS))
    passwd = opened.tree(1).require("etc/passwd")
    opened.close()
    opened.close()
    with pytest.raises(StoreError) as raised:
        list(passwd.content.chunks())
    assert raised.value.place == opened.layers[0].name
    with pytest.raises(StoreError) as raised:
        opened.tree(2)
    assert raised.value.place == str(tmp_path)


def test_the_root_is_one_and_the_same_path(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        assert opened.root / "etc" == opened.root / "etc"
        assert {opened.root, opened.root} == {opened.root}


def test_a_missing_layer_fails_before_dest_is_made(tmp_path):
    built = Built.of(tmp_path / "image", *LAYERS)
    directory = built.write()
    (tmp_path / "image" / "blobs" / built.layers[1]["descriptor"]["digest"].replace(":", "/")).unlink()
    with open_image(directory) as opened, pytest.raises(BlobMissingError) as raised:
        opened.unpack(tmp_path / "out")
    assert raised.value.digest == built.layers[1]["descriptor"]["digest"]
    assert os.listdir(tmp_path) == ["image"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("is_merged", [False, True])
def test_several_files_are_read_by_the_paths_as_given(tmp_path, threads, is_merged):
    lower = tar(
        d("usr/"),
        f("./usr/a", "lower a"),
        f("usr/late", "behind a link"),
        sym("lib", "usr"),
        sym("first", "/usr/../lib/b"),
        f("usr/b", "b"),
        f("usr/gone", "gone"),
        f("empty"),
        ln("hard", "usr/b"),
        sym("usr/far", "x" * 4000),
    )
    upper = tar(f("usr/a", "upper a"), f("usr/a", "last a"), wh("usr/gone"), sym("usr/late2", "late"))
    with open_image(image(tmp_path, lower, upper), threads=threads) as opened:
        if is_merged:
            opened.tree()
        assert opened.read(["first"]) == {"first": b"b"}
        expected = {
            "usr/a": b"last a",
            b"/lib/late": b"behind a link",
            "first": b"b",
            "./hard": b"b",
            "lib/late2": b"behind a link",
            "empty": b"",
            opened.root / "lib/b": b"b",
        }
        assert opened.read(expected) == expected
        assert opened.read([]) == {}
        with pytest.raises(PathMissingError) as raised:
            opened.read(["usr/a", "usr/gone", "usr/none", "lib/none"])
        assert format_error(raised.value).count("\n") == 0
        assert [name in format_error(raised.value) for name in ("usr/gone", "usr/none", "lib/none")] == [True] * 3
        with pytest.raises(IsDirectoryError):
            opened.read(["usr"])
        with pytest.raises(TypeError):
            opened.read("usr/a")


def test_what_is_read_at_once_has_a_limit(tmp_path):
    with open_image(image(tmp_path, tar(f("a", "12345"), f("b", "678"))), limits=Limits(content_bytes=7)) as opened:
        assert opened.read(["a"]) == {"a": b"12345"}
        with pytest.raises(LimitError) as raised:
            opened.read(["a", "b"])
        assert (raised.value.limit, raised.value.seen) == ("content_bytes", 8)


def test_files_of_an_image_that_is_not_merged_are_read_in_one_pass(tmp_path):
    directory = image(tmp_path, tar(d("lib/"), sym("etc", "lib"), f("lib/x", "x")), tar(f("y", "y")))
    with open_image(directory) as opened:
        opened.blobs = CountedBlobs(opened.blobs)
        assert opened.read(["etc/x", "y"]) == {"etc/x": b"x", "y": b"y"}
        layers = {str(layer.descriptor.digest) for layer in opened.layers}
        assert sorted(each for each in map(str, opened.blobs.opened) if each in layers) == sorted(layers)


def test_a_layer_that_is_damaged_behind_the_file_that_is_read_is_refused(tmp_path):
    built = Built.of(tmp_path, tar(f("a", "x")), compression="")
    built.layers[0]["blob"] = built.layers[0]["blob"][:-1] + b"x"
    with open_image(built.write()) as opened, pytest.raises(IntegrityError):
        opened.read(["a"])


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_kept_while_merging_is_what_is_there_in_the_end(tmp_path, threads):
    layers = [tar(f("a", f"version {number}"), sym("l", "a")) for number in range(5)]
    with open_image(image(tmp_path, *layers, tar(f("b", "x"), ln("c", "b"), f("b", "y"))), threads=threads) as opened:
        assert opened.read(["l", "a", "c", "b"]) == {"l": b"version 4", "a": b"version 4", "c": b"x", "b": b"y"}


def test_a_limit_on_paths_that_is_raised_is_raised_for_reading_too(tmp_path):
    limits = Limits(path_depth=1000, path_bytes=8000)
    deep = "d/" * 400 + "f"
    with open_image(image(tmp_path, tar(f(deep, "x"))), limits=limits) as opened:
        assert opened.read([deep]) == {deep: b"x"}
        assert (opened.root / deep).read_bytes() == b"x"
        with pytest.raises(UnsafePathError):
            opened.read(["/../" + deep])
