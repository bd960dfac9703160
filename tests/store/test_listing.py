"""`list_images`: every image of a place, whatever is wrong with one of them."""

import json

import attrs
import pytest

import oci_layers as oci
from oci_layers.errors import LimitError, PlaceMissingError, ReferenceMissingError
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST
from oci_layers.store.listing import ListedImage, list_images
from tests.support import docker
from tests.support.layers import Built, d, f, tar

REF = "org.opencontainers.image.ref.name"


@pytest.fixture
def built(tmp_path):
    return Built.of(tmp_path / "layout", tar(f("a", "x")), ref=None)


def described(built):
    """The entry of the image, and what is listed of it."""
    built.write()
    entry = built.index["manifests"].pop()
    size = entry["size"] + built.manifest["config"]["size"] + sum(each["size"] for each in built.manifest["layers"])
    listed = ListedImage(
        digest=oci.Digest.parse(entry["digest"]),
        media_type=OCI_MANIFEST,
        platform=oci.Platform(os="linux", architecture="amd64"),
        layers=1,
        size=size,
    )
    return entry, listed


def named(entry, ref, **fields):
    return entry | {"annotations": {REF: ref}} | fields


def test_an_image_is_listed_once_with_all_its_names(built):
    entry, listed = described(built)
    built.index["manifests"] = [named(entry, "a"), entry, named(entry, "b"), named(entry, "a")]
    assert list_images(built.write()) == [attrs.evolve(listed, refs=("a", "b"))]


def test_the_images_of_a_nested_index_have_its_name_and_digest(built):
    entry, listed = described(built)
    arm = {"os": "linux", "architecture": "arm64"}
    other = built.put(json.dumps(built.manifest | {"annotations": {"x.y": "z"}}).encode(), OCI_MANIFEST)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry, other | {"platform": arm}]}
    nested = built.put(json.dumps(index).encode(), OCI_INDEX)
    built.index["manifests"] = [named(nested, "both"), named(nested, "again"), named(entry, "one")]
    directory = built.write()
    first, second = list_images(directory)
    digest = oci.Digest.parse(nested["digest"])
    assert first == attrs.evolve(listed, refs=("both", "again", "one"), index=digest)
    assert (str(second.digest), str(second.platform), second.refs) == (
        other["digest"],
        "linux/arm64",
        ("both", "again"),
    )
    assert [each.digest for each in list_images(f"oci:{directory}:one")] == [listed.digest]
    with pytest.raises(ReferenceMissingError) as raised:
        list_images(f"oci:{directory}:none")
    assert raised.value.known == ("both", "again", "one")
    for each in (first, second):
        with oci.open_image(directory, ref=each.refs[0], platform=each.platform) as image:
            assert image.descriptor.digest == each.digest


def test_what_cannot_be_read_is_listed_with_its_error(built):
    entry, listed = described(built)
    absent = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "0" * 64, "size": 3}
    bad = built.put(b"[]", OCI_MANIFEST)
    built.index["manifests"] = [named(absent, "gone"), named(bad, "bad"), named(entry, "good")]
    gone, malformed, good = list_images(built.write())
    assert good == attrs.evolve(listed, refs=("good",))
    assert (gone.refs, gone.size, gone.layers, gone.error) == (
        ("gone",), None, None, f"blob sha256:{'0' * 64} is missing"
    )  # fmt: skip
    assert (malformed.refs, malformed.size) == (("bad",), None)
    assert "must be an object" in malformed.error


def test_artifacts_and_attestations_are_named_as_such(built):
    entry, listed = described(built)
    artifact = {"schemaVersion": 2, "config": built.put(b"{}", "application/vnd.x"), "layers": []}
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": entry["digest"]}
    unknown = {"os": "unknown", "architecture": "unknown"}
    built.index["manifests"] = [
        entry,
        built.put(json.dumps(artifact).encode(), OCI_MANIFEST),
        built.put(json.dumps(built.manifest | {"annotations": {"b.c": ""}}).encode(), OCI_MANIFEST)
        | {"annotations": about, "platform": unknown},
    ]
    kinds = [(each.artifact_type, each.platform) for each in list_images(built.write())]
    assert kinds == [(None, listed.platform), ("application/vnd.x", None), ("attestation", None)]


def test_the_images_of_a_docker_archive_have_names_or_numbers(tmp_path):
    layers = [tar(f("a", "x")), tar(d("b"))]
    raw, others = docker.config(*layers), docker.config(layers[0], architecture="arm64")
    entries = [
        f("one.json", raw),
        f("two.json", others),
        f("a.tar", layers[0]),
        f("b.tar", layers[1]),
        docker.listing(
            ("one.json", ["app:1"], ["a.tar", "b.tar"]),
            ("two.json", None, ["a.tar"]),
            ("one.json", ["app:2"], ["a.tar", "b.tar"]),
        ),
    ]
    path = tmp_path / "archive.tar"
    path.write_bytes(tar(*entries))
    first, second = list_images(path)
    assert (first.refs, str(first.platform), first.layers) == (("app:1", "app:2"), "linux/amd64", 2)
    assert (second.refs, str(second.platform), second.layers) == (("@1",), "linux/arm64", 1)
    assert [each.refs for each in list_images(f"docker-archive:{path}:app:2")] == [("app:1", "app:2")]


def test_an_archive_of_a_layout_is_listed_as_its_directory(built, tmp_path):
    entry, _ = described(built)
    built.index["manifests"] = [named(entry, "a")]
    directory = built.write()
    files = [f("oci-layout", '{"imageLayoutVersion":"1.0.0"}'), f("index.json", json.dumps(built.index))]
    files += [f(f"blobs/{name.replace(':', '/')}", data) for name, data in built.blobs.items()]
    (tmp_path / "a.tar").write_bytes(tar(*files))
    assert list_images(tmp_path / "a.tar") == list_images(directory)


def test_a_place_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(PlaceMissingError):
        list_images(tmp_path / "none")


def test_the_config_says_the_platform_and_its_absence_is_an_error(built):
    entry, listed = described(built)
    built.index["manifests"] = [entry]
    directory = built.write()
    (built.directory / "blobs" / built.manifest["config"]["digest"].replace(":", "/")).unlink()
    (found,) = list_images(directory)
    assert (found.platform, found.size, found.layers) == (None, listed.size, 1)
    assert found.error == f"blob {built.manifest['config']['digest']} is missing"


def test_one_damaged_image_does_not_hide_the_others(built):
    entry, listed = described(built)
    bad = built.put(b"[]", OCI_INDEX)
    absent = {"mediaType": OCI_INDEX, "digest": "sha256:" + "0" * 64, "size": 3}
    built.index["manifests"] = [named(bad, "bad"), named(absent, "gone"), named(entry, "good")]
    malformed, gone, good = list_images(built.write())
    assert good == attrs.evolve(listed, refs=("good",))
    assert (malformed.refs, gone.refs) == (("bad",), ("gone",))
    assert "must be an object" in malformed.error
    assert "is missing" in gone.error


def test_an_image_of_an_archive_without_its_config_does_not_hide_the_others(tmp_path):
    layer = tar(f("a"))
    entries = [f("good.json", docker.config(layer)), f("a.tar", layer)]
    entries.append(docker.listing(("good.json", ["ok:1"], ["a.tar"]), ("none.json", ["bad:1"], ["a.tar"])))
    (tmp_path / "x.tar").write_bytes(tar(*entries))
    good, bad = list_images(tmp_path / "x.tar")
    assert (good.refs, good.layers, good.error) == (("ok:1",), 1, None)
    assert (bad.refs, bad.digest) == (("bad:1",), None)
    assert "none.json" in bad.error


def test_an_image_of_several_platforms_is_listed_for_each_and_a_wrong_size_is_its_own(built):
    entry, listed = described(built)
    arm = [entry | {"platform": {"os": "linux", "architecture": "arm", "variant": variant}} for variant in ("v6", "v7")]
    built.index["manifests"] = [*arm, named(entry | {"size": 1}, "wrong"), named(entry, "right")]
    first, second, wrong, right = list_images(built.write())
    assert [str(each.platform) for each in (first, second)] == ["linux/arm/v6", "linux/arm/v7"]
    assert (wrong.refs, wrong.size, bool(wrong.error)) == (("wrong",), None, True)
    assert right == attrs.evolve(listed, refs=("right",))


def test_names_that_several_images_of_an_archive_share_come_with_numbers(tmp_path):
    layers = [tar(f("a", "x")), tar(f("b"))]
    entries = [f(f"{n}.json", docker.config(layer)) for n, layer in enumerate(layers)]
    entries += [f(f"{n}.tar", layer) for n, layer in enumerate(layers)]
    entries.append(docker.listing(("0.json", ["x:1"], ["0.tar"]), ("1.json", ["x:1", "y:1"], ["1.tar"])))
    (tmp_path / "x.tar").write_bytes(tar(*entries))
    found = list_images(tmp_path / "x.tar")
    assert [each.refs for each in found] == [("x:1", "@0"), ("x:1", "y:1")]
    for each in found:
        with oci.open_image(tmp_path / "x.tar", ref=each.refs[-1]) as opened:
            assert opened.descriptor.digest == each.digest


def test_descriptors_are_counted_over_all_entries(built):
    entry, _ = described(built)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry] * 10}
    tops = [built.put(json.dumps(index | {"annotations": {"n.n": str(n)}}).encode(), OCI_INDEX) for n in range(5)]
    built.index["manifests"] = tops
    directory = built.write()
    assert len(list_images(directory, limits=oci.Limits(descriptors=55))) == 1
    with pytest.raises(LimitError):
        list_images(directory, limits=oci.Limits(descriptors=54))
