"""What `docker save` and its imitators write is read as an image, every byte of it checked (DSV-01 to DSV-12)."""

import json
import os
import re

import pytest

from oci_layers import Limits, open_image, system
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    DocumentError,
    LimitError,
    Problem,
    ReferenceMissingError,
    StoreError,
)
from oci_layers.spec.digest import Digest
from oci_layers.tree import File
from tests.support import docker
from tests.support.layers import COMPRESS, d, digest, f, ln, sym, tar, wh
from tests.support.trees import merged

LAYERS = tar(d("a/"), f("a/x", "one"), f("b", "two")), tar(wh("b"), f("c", "three"))
TWICE = (LAYERS[0], LAYERS[1], LAYERS[0])


def opened(tmp_path, entries, ref=None, **options):
    return open_image("docker-archive:" + docker.archive(tmp_path / "a.tar", entries), ref=ref, **options)


def by_hand(*layers, name=None, tags=("app:1",), raw=None, items=None):
    """An archive of which each part can be said: layers are (name, bytes in the archive) pairs."""
    raw = docker.config(*LAYERS[: len(layers)]) if raw is None else raw
    name = name or docker.hexdigest(raw) + ".json"
    rows = items or [(name, list(tags), [at for at, _ in layers])]
    return [f(name, raw), *(f(at, data) for at, data in layers if data is not None), docker.listing(*rows)]


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        pytest.param(docker.classic, LAYERS, id="docker 1.10 to 24"),
        pytest.param(docker.classic, TWICE, id="docker, a layer that is a link to an equal one"),
        pytest.param(docker.skopeo, LAYERS, id="skopeo"),
        pytest.param(docker.skopeo, TWICE, id="skopeo, a layer twice"),
        pytest.param(docker.crane, LAYERS, id="crane"),
        pytest.param(docker.crane, TWICE, id="crane, a layer twice"),
        pytest.param(lambda *layers: docker.modern(("app", "1", layers)), LAYERS, id="docker 25"),
        pytest.param(lambda *layers: docker.modern(("app", "1", layers)), TWICE, id="docker 25, a layer twice"),
        pytest.param(docker.classic, (), id="no layers"),
    ],
)
def test_every_form_is_the_same_image(tmp_path, make, layers):
    with opened(tmp_path, make(*layers)) as image:
        assert image.tree() == merged(*layers)
        assert [str(layer.diff_id) for layer in image.layers] == [digest(layer) for layer in layers]
        contents = {path: b"".join(pieces) for path, _, pieces in image.files()}
        image.unpack(tmp_path / "out")
    made = {path: b"".join(node.content.chunks()) for path, node in merged(*layers).walk() if isinstance(node, File)}
    assert contents == made


def test_the_order_of_the_members_does_not_matter(tmp_path):
    entries = docker.classic(*TWICE)
    with opened(tmp_path, entries[::-1]) as image:
        assert image.tree() == merged(*TWICE)


def test_layers_may_be_links_of_either_kind_and_in_chains(tmp_path):
    entries = by_hand(("x/1.tar", None), ("x/2.tar", None))
    links = [sym("x/1.tar", "../y/link"), ln("y/link", "y/real"), f("y/real", LAYERS[0]), ln("x/2.tar", "other")]
    with opened(tmp_path, [*entries, *links, f("other", LAYERS[1])]) as image:
        assert image.tree() == merged(*LAYERS)


@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
def test_a_layer_inside_may_be_compressed_whatever_its_name_says(tmp_path, compression):
    blobs = [COMPRESS[compression](layer) for layer in LAYERS]
    with opened(tmp_path, by_hand(("1.tar", blobs[0]), ("2.tar", blobs[1]))) as image:
        assert image.tree() == merged(*LAYERS)
        assert [str(layer.descriptor.digest) for layer in image.layers] == [digest(blob) for blob in blobs]
        assert [layer.descriptor.size for layer in image.layers] == [len(blob) for blob in blobs]


def test_the_manifest_that_is_made_is_the_same_each_time(tmp_path):
    digests = set()
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        with opened(tmp_path / str(number), docker.classic(*LAYERS)) as image:
            digests.add(str(image.descriptor.digest))
            assert digest(image.manifest_document.raw) == str(image.descriptor.digest)
            assert json.loads(image.manifest_document.raw)["config"]["digest"] == digest(docker.config(*LAYERS))
    assert len(digests) == 1


@pytest.mark.parametrize("tags", [None, []])
def test_an_image_without_a_name_is_the_only_one_or_called_by_its_number(tmp_path, tags):
    entries = docker.classic(*LAYERS, tags=tags)
    for ref in (None, "@0"):
        with opened(tmp_path, entries, ref=ref) as image:
            assert image.tree() == merged(*LAYERS)
    with pytest.raises(ReferenceMissingError) as raised:
        opened(tmp_path, entries, ref="app")
    assert (raised.value.name, raised.value.known) == ("app", ("@0",))


IMAGES = {
    "a.json": (["app:1", "app:latest", "registry.example/app:1"], LAYERS[:1]),
    "b.json": (["docker.io/library/base:latest", "me/thing:2"], LAYERS[1:]),
    "c.json": (None, LAYERS),
}


def several():
    entries, rows = [], []
    for name, (tags, layers) in IMAGES.items():
        at = [f"{name}-{number}.tar" for number in range(len(layers))]
        entries += [f(name, docker.config(*layers, author=name)), *map(f, at, layers)]
        rows.append((name, tags, at))
    return [*entries, docker.listing(*rows)]


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("app:1", "a.json"),
        ("app", "a.json"),
        ("docker.io/library/app:1", "a.json"),
        ("docker.io/app:1", "a.json"),
        ("index.docker.io/app:1", "a.json"),
        ("registry.example/app:1", "a.json"),
        ("base", "b.json"),
        ("library/base:latest", "b.json"),
        ("me/thing:2", "b.json"),
        ("@0", "a.json"),
        ("@1", "b.json"),
        ("@2", "c.json"),
    ],
)
def test_one_of_several_is_chosen_by_a_name_as_docker_knows_it_or_by_its_number(tmp_path, ref, expected):
    with opened(tmp_path, several(), ref=ref) as image:
        assert image.config.author == expected
        assert image.tree() == merged(*IMAGES[expected][1])


def two(tmp_path, *, second="arm64", tags=(("cross:latest",), ("cross:latest",)), refs=()):
    """Two images, `one` for amd64 and `two` for another architecture, in one archive."""
    rows, entries = [], []
    for name, architecture, own in (("one", "amd64", tags[0]), ("two", second, tags[1])):
        layer = tar(f(name))
        entries += [f(f"{name}.json", docker.config(layer, architecture=architecture, author=name)), f(name, layer)]
        rows.append((f"{name}.json", list(own), [name]))
    return docker.archive(tmp_path / "two.tar", [*entries, docker.listing(*rows)])


def author(name, **options):
    with open_image(name, **options) as image:
        return image.config.author


def refused(name, **options):
    with pytest.raises(ReferenceMissingError) as raised:
        open_image(name, **options)
    return raised.value.what, raised.value.name, raised.value.known


@pytest.mark.parametrize("ref", [None, "cross", "docker.io/library/cross:latest"])
def test_of_two_images_of_one_name_the_platform_chooses(tmp_path, monkeypatch, ref):
    file = two(tmp_path)
    assert author(file, ref=ref, platform="linux/amd64") == "one"
    assert author(file, ref=ref, platform="linux/aarch64") == "two"
    assert refused(file, ref=ref, platform="linux/s390x") == (
        "platform",
        "linux/s390x",
        ("linux/amd64", "linux/arm64"),
    )
    for machine, expected in (("x86_64", "one"), ("aarch64", "two")):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert author(file, ref=ref) == expected
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    assert refused(file, ref=ref)[:2] == ("platform", "linux/s390x")


def test_names_that_two_images_have_are_listed_with_numbers_which_choose_one(tmp_path):
    file = two(tmp_path)
    assert refused(file, ref="other") == ("image", "other", ("cross:latest", "@0", "@1"))
    assert [author(file, ref=ref) for ref in ("@0", "@1")] == ["one", "two"]
    assert refused(file, ref="@1", platform="linux/amd64") == ("platform", "linux/amd64", ("linux/arm64",))


def test_two_images_of_one_name_and_one_platform_are_told_apart_by_their_numbers(tmp_path):
    file = two(tmp_path, second="amd64")
    for options in ({}, {"ref": "cross"}, {"platform": "linux/amd64"}):
        assert refused(file, **({"platform": "linux/amd64"} | options)) == ("image", "", ("@0", "@1"))
    assert refused(
        two(tmp_path, second="amd64", tags=(["a:1", "b:1"], ["b:1"])), ref="b:1", platform="linux/amd64"
    ) == (
        "image",
        "",
        ("a:1", "@1"),
    )


def test_without_a_name_the_platform_chooses_among_all_images(tmp_path):
    file = two(tmp_path, tags=(["a:1"], ["b:1"]))
    assert author(file, platform="linux/arm64") == "two"
    assert refused(file) == ("image", "", ("a:1", "b:1"))
    assert refused(two(tmp_path, second="amd64", tags=(["a:1"], ["b:1"])), platform="linux/amd64") == (
        "image",
        "",
        ("a:1", "b:1"),
    )
    assert author(two(tmp_path, tags=([], []), second="arm64"), platform="linux/arm64") == "two"


def test_an_image_that_is_listed_once_for_each_of_its_names_is_one(tmp_path):
    raw = docker.config(LAYERS[0])
    rows = [("c.json", [name], ["layer"]) for name in ("a:1", "b:1")]
    file = docker.archive(tmp_path / "a.tar", [f("c.json", raw), f("layer", LAYERS[0]), docker.listing(*rows)])
    for ref in (None, "a:1", "b:1", "@1"):
        with open_image(file, ref=ref) as image:
            assert image.config_document.raw == raw


@pytest.mark.parametrize("ref", [None, "app:2", "registry.example/app", "me/thing", "@3", "@", "@-1", "@\u00b2"])
def test_several_without_a_name_or_with_another_lists_what_there_is(tmp_path, ref):
    with pytest.raises(ReferenceMissingError) as raised:
        opened(tmp_path, several(), ref=ref)
    known = ("app:1", "app:latest", "registry.example/app:1", "docker.io/library/base:latest", "me/thing:2", "@2")
    assert (raised.value.what, raised.value.name, raised.value.known) == ("image", ref or "", known)


@pytest.mark.parametrize("manifest", ["[]"])
def test_an_archive_of_no_images_has_none(tmp_path, manifest):
    with pytest.raises(ReferenceMissingError) as raised:
        opened(tmp_path, [f("manifest.json", manifest)])
    assert (raised.value.name, raised.value.known) == ("", ())


def test_an_archive_of_docker_before_1_10_is_refused_as_docker_does(tmp_path):
    entries = [d("1/"), f("1/VERSION", "1.0"), f("1/json", "{}"), f("1/layer.tar", LAYERS[0]), f("repositories", "{}")]
    with pytest.raises(StoreError) as raised:
        opened(tmp_path, entries)
    assert re.match("not a Docker archive: there is no file manifest.json", raised.value.reason)


@pytest.mark.parametrize(
    ("manifest", "problems"),
    [
        ("null", [("", "must be an array")]),
        ("{}", [("", "must be an array")]),
        ('[1, {"Config": "a"}]', [("/0", "must be an object")]),
        ("[{}]", [("/0/Config", "must be a string")]),
        (
            '[{"Config": 1, "RepoTags": "a", "Layers": [1]}]',
            [
                ("/0/Config", "must be a string"),
                ("/0/RepoTags", "must be an array of strings"),
                ("/0/Layers", "must be an array of strings"),
            ],
        ),
    ],
)
def test_a_malformed_manifest_is_refused_with_everything_that_is_wrong(tmp_path, manifest, problems):
    with pytest.raises(DocumentError) as raised:
        opened(tmp_path, [f("manifest.json", manifest)])
    assert raised.value.media_type == "manifest.json"
    assert raised.value.problems == tuple(Problem(*each) for each in problems)


@pytest.mark.parametrize("manifest", ["", "[", '[] "', "[]}", "[{}], 1", '[{"Config":"a","Config":"b"}]', "\xff"])
def test_what_is_no_json_is_refused(tmp_path, manifest):
    with pytest.raises(DocumentError):
        opened(tmp_path, [f("manifest.json", manifest)])


@pytest.mark.parametrize("missing", ["config", "layer"])
def test_a_file_that_is_listed_and_not_there_is_named(tmp_path, missing):
    entries = by_hand(("1.tar", LAYERS[0]), ("2\x1b[2J.tar", None if missing == "layer" else LAYERS[1]))
    if missing == "config":
        del entries[0]
    with pytest.raises(StoreError) as raised:
        opened(tmp_path, entries)
    name = docker.hexdigest(docker.config(*LAYERS)) + ".json" if missing == "config" else "2\\x1b[2J.tar"
    assert raised.value.reason == f"the image lists {name}, which is not in the archive"


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        ([], ""),
        ([sym("x/1.tar", ".layer.tar")], ", a link to x/.layer.tar"),
        ([ln("x/1.tar", "layer\x1b")], ", a link to layer\\x1b"),
        ([sym("x/1.tar", "../y"), sym("y", "z"), ln("z", "none")], ", which leads to the link z to none"),
    ],
)
def test_a_link_that_leads_nowhere_is_named_with_where_it_leads(tmp_path, links, reason):
    with pytest.raises(StoreError) as raised:
        opened(tmp_path, [*links, *by_hand(("x/1.tar", None))])
    assert raised.value.reason == f"the image lists x/1.tar{reason}, which is not in the archive"


def test_a_link_of_a_layer_that_climbs_too_far_stays_in_the_archive(tmp_path):
    with opened(tmp_path, [sym("x/2.tar", "../../1.tar"), *by_hand(("1.tar", LAYERS[0]), ("x/2.tar", None))]) as image:
        assert str(image.layers[1].descriptor.digest) == digest(LAYERS[1])
        with pytest.raises(DigestMismatchError):
            image.tree()


def test_an_empty_name_in_the_list_is_called_that(tmp_path):
    with pytest.raises(StoreError) as raised:
        opened(tmp_path, by_hand(("1.tar", LAYERS[0]), ("", None)))
    assert raised.value.reason == "layer 1 of the image has an empty name in manifest.json"
    with pytest.raises(StoreError) as raised:
        opened(tmp_path, [docker.listing(("", ["app:1"], []))])
    assert raised.value.reason == "the config of the image has an empty name in manifest.json"


def test_a_file_that_several_layers_name_is_hashed_once(tmp_path, monkeypatch):
    blob = COMPRESS["gzip"](LAYERS[0])
    links = [sym(f"{number}.tar", "layer.tar") for number in range(20)]
    names = [f"{number}.tar" for number in range(20)]
    raw = docker.config(*[LAYERS[0]] * 20)
    file = docker.archive(
        tmp_path / "a.tar", [f("c", raw), f("layer.tar", blob), *links, docker.listing(("c", [], names))]
    )
    asked = []
    monkeypatch.setattr(system, "pread", lambda fd, size, at: asked.append(size) or os.pread(fd, size, at))
    with open_image(file) as image:
        assert {str(layer.descriptor.digest) for layer in image.layers} == {digest(blob)}
    assert len([size for size in asked if size == len(blob)]) == 1


@pytest.mark.parametrize("listed", [0, 1, 3])
def test_a_config_that_lists_another_number_of_layers_is_refused(tmp_path, listed):
    raw = docker.config(*TWICE[:listed])
    with pytest.raises(DocumentError) as raised:
        opened(tmp_path, by_hand(("1.tar", LAYERS[0]), ("2.tar", LAYERS[1]), raw=raw))
    message = f"{listed} diff_ids for the archive's 2 layers"
    assert raised.value.problems == (Problem("/rootfs/diff_ids", message),)


@pytest.mark.parametrize("form", ["{}.json", "sha256:{}", "blobs/sha256/{}", "{}", "\x1b[2J/{}.json"])
def test_a_config_whose_name_is_a_digest_is_held_to_it(tmp_path, form):
    raw = docker.config()
    with opened(tmp_path, by_hand(name=form.format(docker.hexdigest(raw)), raw=raw)) as image:
        assert image.config_document.raw == raw
    lie = docker.hexdigest(b"another")
    with pytest.raises(DigestMismatchError) as raised:
        opened(tmp_path, by_hand(name=form.format(lie), raw=raw))
    assert (raised.value.expected, raised.value.actual) == (f"sha256:{lie}", digest(raw))
    assert "\x1b" not in str(raised.value)


def test_a_config_with_any_other_name_is_taken_as_it_is(tmp_path):
    with opened(tmp_path, by_hand(name="config")) as image:
        assert image.layers == ()


def test_a_config_that_is_too_large_is_not_read(tmp_path):
    with pytest.raises(LimitError) as raised:
        opened(tmp_path, by_hand(), limits=Limits(config_bytes=20))
    assert (raised.value.limit, raised.value.allowed) == ("config_bytes", 20)


def test_a_layer_that_is_not_what_the_config_says_is_refused(tmp_path):
    entries = by_hand(("1.tar", LAYERS[1]), ("2.tar", LAYERS[1]))
    with opened(tmp_path, entries) as image, pytest.raises(DigestMismatchError) as raised:
        image.tree()
    assert (raised.value.expected, raised.value.actual) == (digest(LAYERS[0]), digest(LAYERS[1]))


def test_one_file_for_two_layers_that_differ_is_refused(tmp_path):
    """DSV-09: whichever of the two it is, it is not the other."""
    with opened(tmp_path, by_hand(("1.tar", LAYERS[0]), ("1.tar", None))) as image, pytest.raises(DigestMismatchError):
        image.tree()


def test_only_the_blobs_of_the_chosen_image_can_be_asked_for(tmp_path):
    with opened(tmp_path, several(), ref="@0") as image:
        assert image.blobs.open_blob(Digest.of(LAYERS[0])).read(3) == LAYERS[0][:3]
        with pytest.raises(BlobMissingError) as raised:
            image.blobs.open_blob(Digest.of(LAYERS[1]))
    assert raised.value.digest == digest(LAYERS[1])


def test_the_layout_in_an_archive_of_docker_25_knows_its_images_by_their_full_names(tmp_path):
    entries = docker.modern(("app", "1", LAYERS[:1]), ("base", "1", LAYERS[1:]))
    name = docker.archive(tmp_path / "a.tar", entries)
    for ref, layers in (("app:1", LAYERS[:1]), ("docker.io/library/base:1", LAYERS[1:])):
        for transport in ("oci-archive:", "docker-archive:", ""):
            with open_image(transport + name, ref=ref) as image:
                assert image.tree() == merged(*layers)
