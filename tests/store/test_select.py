"""One image out of an index: by its name, by its digest, by its platform; and what there is, where none fits."""

import base64
import json

import attrs
import pytest

from oci_layers import Limits, open_image
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    DocumentError,
    LimitError,
    NameFormatError,
    ReferenceMissingError,
    SizeMismatchError,
)
from oci_layers.spec import Descriptor
from oci_layers.store.repository import named
from oci_layers.store.select import host_platform, one_image
from tests.support.layers import Built, digest, f, tar

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
REF = "org.opencontainers.image.ref.name"
FULL = "io.containerd.image.name"


@attrs.define
class Layout:
    """A layout of many small images, each told by its author."""

    built: Built

    @classmethod
    def at(cls, directory):
        return cls(Built.of(directory))

    def image(self, author, platform="linux/amd64", *, said=True, name=None, full=None, **extra):
        """Add an image and return its descriptor; `said` tells whether the index says its platform too."""
        plain = tar(f("author", author))
        layer = self.built.put(plain, "application/vnd.oci.image.layer.v1.tar")
        os, architecture, *variant = platform.split("/")
        target = {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        rootfs = {"type": "layers", "diff_ids": [digest(plain)]}
        config = json.dumps({"author": author, **target, "rootfs": rootfs}).encode()
        put = self.built.put(config, "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": put, "layers": [layer]}
        descriptor = self.built.put(json.dumps(manifest).encode(), MANIFEST)
        return self.named(descriptor | ({"platform": target} if said else {}) | extra, name, full)

    def index(self, *descriptors, name=None, full=None, **extra):
        """Add a nested index and return its descriptor."""
        raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}).encode()
        return self.named(self.built.put(raw, INDEX) | extra, name, full)

    @staticmethod
    def named(descriptor, name, full):
        annotations = {key: value for key, value in ((REF, name), (FULL, full)) if value}
        return descriptor | ({"annotations": annotations} if annotations else {})

    def write(self, *descriptors):
        """Write the layout with this index and return its directory."""
        self.built.index["manifests"] = list(descriptors) or [{}]
        directory = self.built.write()
        index = {"schemaVersion": 2, "manifests": list(descriptors)}
        (self.built.directory / "index.json").write_text(json.dumps(index))
        return directory


@pytest.fixture
def layout(tmp_path):
    return Layout.at(tmp_path)


def author(directory, **options):
    with open_image(directory, **options) as opened:
        return opened.config.author


def refused(directory, **options):
    with pytest.raises(ReferenceMissingError) as raised:
        open_image(directory, **options)
    return raised.value.what, raised.value.name, raised.value.known


def test_the_only_image_needs_no_name(layout):
    assert author(layout.write(layout.image("a"))) == "a"
    assert author(layout.write(layout.image("a", name="x"))) == "a"


def test_an_image_is_chosen_by_its_name(layout):
    directory = layout.write(layout.image("a", name="x"), layout.image("b", name="y:1"), layout.image("c"))
    assert author(directory, ref="x") == "a"
    assert author(f"oci:{directory}:y:1") == "b"


def test_an_image_is_chosen_by_its_digest(layout):
    first, second = layout.image("a", name="x"), layout.image("b")
    directory = layout.write(first, second)
    assert author(directory, ref=second["digest"]) == "b"
    assert author(f"oci:{directory}:{first['digest']}") == "a"


def test_one_image_under_two_names_is_chosen_by_its_digest_too(layout):
    descriptor = layout.image("a")
    directory = layout.write(layout.named(descriptor, "x", None), layout.named(descriptor, "y", None))
    assert author(directory, ref=descriptor["digest"]) == "a"
    assert refused(directory) == ("image", "", ("x", "y"))


def test_several_images_and_no_name_lists_what_there_is(layout):
    unnamed = layout.image("c")
    directory = layout.write(layout.image("a", name="x"), layout.image("b", name="y"), unnamed)
    assert refused(directory) == ("image", "", ("x", "y", unnamed["digest"]))


@pytest.mark.parametrize("name", [None, "x"])
def test_images_of_one_name_are_told_by_the_platforms_in_their_configs(layout, name):
    images = [layout.image(each, each, said=False, name=name) for each in ("linux/arm64", "linux/amd64")]
    directory = layout.write(*images)
    for each in ("linux/arm64", "linux/amd64"):
        assert author(directory, ref=name, platform=each) == each
    assert refused(directory, ref=name, platform="linux/s390x")[0] == "platform"


def test_images_of_one_name_and_platform_are_told_by_their_digests(layout):
    images = [layout.image(each, "linux/arm64", said=False, name="x") for each in "ab"]
    directory = layout.write(*images, layout.image("c", "linux/amd64", said=False, name="x"))
    assert refused(directory, ref="x", platform="linux/arm64") == (
        "image",
        "",
        (images[0]["digest"], images[1]["digest"]),
    )
    assert author(directory, ref=images[1]["digest"]) == "b"
    assert author(directory, ref="x", platform="linux/amd64") == "c"


def test_an_entry_that_is_not_there_says_no_platform(layout):
    gone = layout.image("gone", said=False)
    directory = layout.write(*absent(layout, gone), layout.image("a", "linux/arm64", said=False))
    assert author(directory, platform="linux/arm64") == "a"


def test_an_artifact_says_no_platform(layout):
    config = layout.built.put(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [], "artifactType": "a/b"}
    artifact = layout.built.put(json.dumps(manifest).encode(), MANIFEST)
    directory = layout.write(artifact, layout.image("a", "linux/arm64", said=False))
    assert author(directory, platform="linux/arm64") == "a"


def test_a_name_that_is_not_there_lists_what_there_is(layout):
    assert refused(layout.write(layout.image("a", name="x")), ref="z") == ("image", "z", ("x",))


def test_an_empty_index_has_no_image(layout):
    assert refused(layout.write()) == ("image", "", ())
    assert refused(layout.write(), ref="x") == ("image", "x", ())


def test_a_name_and_another_reference_is_a_contradiction(layout):
    directory = layout.write(layout.image("a", name="x"), layout.image("b", name="y"))
    assert author(f"oci:{directory}:x", ref="x") == "a"
    with pytest.raises(NameFormatError) as raised:
        open_image(f"oci:{directory}:x", ref="y")
    assert (raised.value.what, raised.value.text) == ("reference", "y")


def test_docker_and_containerd_write_the_full_name_beside_the_tag(layout):
    full = "docker.io/library/app:1"
    directory = layout.write(layout.image("a", name="1", full=full))
    for ref in (None, "1", full, "app:1", "docker.io/app:1"):
        assert author(directory, ref=ref) == "a"
    assert refused(directory, ref="app:2") == ("image", "app:2", (full,))


def test_two_images_with_one_tag_are_told_by_their_full_names(layout):
    names = "docker.io/library/app:latest", "docker.io/library/base:latest"
    directory = layout.write(*(layout.image(name, name="latest", full=name) for name in names))
    assert [author(directory, ref=ref) for ref in ("app", "base:latest")] == list(names)
    assert refused(directory) == ("image", "", names)
    assert refused(directory, ref="latest") == ("image", "", names)


PLATFORMS = ("linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "windows/amd64")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm64", "linux/arm64/v8"),
        ("linux/aarch64", "linux/arm64/v8"),
        ("windows/amd64", "windows/amd64"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_an_image_is_chosen_by_its_platform(layout, nested, asked, expected):
    images = [layout.image(platform, platform) for platform in PLATFORMS]
    directory = layout.write(layout.index(*images)) if nested else layout.write(*images)
    assert author(directory, platform=asked) == expected


def test_without_a_platform_it_is_the_host_that_counts(layout):
    host = str(host_platform())
    images = [layout.image(platform, platform) for platform in dict.fromkeys(("plan9/386", host, "linux/s390x"))]
    assert author(layout.write(layout.index(*images, name="x")), ref="x") == host


def test_a_platform_that_is_not_there_lists_those_there_are(layout):
    images = [layout.image(platform, platform) for platform in PLATFORMS]
    assert refused(layout.write(*images), platform="linux/riscv64") == ("platform", "linux/riscv64", PLATFORMS)


@pytest.mark.parametrize("said", [False, True])
def test_the_only_image_is_held_against_the_platform_that_was_asked_for(layout, said):
    directory = layout.write(layout.image("a", "linux/arm64", said=said))
    assert author(directory) == "a"
    assert author(directory, platform="linux/arm64") == "a"
    assert refused(directory, platform="linux/amd64") == ("platform", "linux/amd64", ("linux/arm64",))


def test_the_platform_of_an_index_holds_for_what_is_in_it(layout):
    inner = {each: layout.index(layout.image(each, each, said=False)) for each in ("linux/amd64", "linux/arm64")}
    outer = [
        descriptor | {"platform": dict(zip(("os", "architecture"), each.split("/"), strict=True))}
        for each, descriptor in inner.items()
    ]
    assert author(layout.write(layout.index(*outer)), platform="linux/arm64") == "linux/arm64"


def absent(layout, *descriptors):
    """Take documents out of a layout; these are descriptors as an index has them."""
    for descriptor in descriptors:
        del layout.built.blobs[descriptor["digest"]]
    return descriptors


THREE = ("linux/amd64", "linux/s390x", "linux/arm64")


@pytest.mark.parametrize("nested", [False, True])
def test_an_index_may_come_with_the_image_for_one_platform_alone(layout, monkeypatch, nested):
    """LAY-07: what is there can be opened; another platform's is never taken for one that is not there."""
    images = [layout.image(platform, platform) for platform in THREE]
    absent(layout, *images[:2])
    directory = layout.write(layout.index(*images, name="x")) if nested else layout.write(*images)
    assert author(directory, platform="linux/arm64") == "linux/arm64"
    with pytest.raises(ReferenceMissingError) as raised:
        open_image(directory, platform="linux/amd64")
    assert (raised.value.what, raised.value.name, raised.value.known) == ("platform", "linux/amd64", ("linux/arm64",))
    assert raised.value.__notes__ == [f"the index lists {images[0]['digest']}, which is not there", directory]
    assert refused(directory, platform="linux/riscv64") == ("platform", "linux/riscv64", ("linux/arm64",))
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    assert refused(directory) == ("platform", "linux/s390x", ("linux/arm64",))


def test_where_no_manifest_is_there_the_blob_is_what_is_missing(layout):
    images = [layout.image(platform, platform) for platform in THREE]
    directory = layout.write(layout.index(*absent(layout, *images)))
    with pytest.raises(BlobMissingError) as raised:
        open_image(directory, platform="linux/s390x")
    assert raised.value.digest == images[1]["digest"]
    assert refused(directory, platform="linux/riscv64") == ("platform", "linux/riscv64", THREE)


def test_a_manifest_that_is_embedded_is_there(layout):
    images = [layout.image(platform, platform) for platform in THREE[:2]]
    raw = layout.built.blobs[images[1]["digest"]]
    absent(layout, *images)
    images[1]["data"] = base64.b64encode(raw).decode()
    directory = layout.write(*images)
    assert refused(directory, platform="linux/amd64") == ("platform", "linux/amd64", ("linux/s390x",))
    assert author(directory, platform="linux/s390x") == "linux/s390x"


def test_an_index_in_the_index_need_not_be_there_either(layout, monkeypatch):
    indexes = [layout.index(layout.image(platform, platform)) for platform in THREE[1:]]
    absent(layout, indexes[0])
    directory = layout.write(*indexes)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert author(directory, platform="linux/arm64") == "linux/arm64"
    assert refused(directory) == ("platform", "linux/amd64", ("linux/arm64",))


def test_an_image_is_chosen_by_its_digest_in_an_index_in_the_index(layout):
    images = [layout.image(platform, platform) for platform in THREE]
    attestation = layout.image("attestation") | ATTESTATION
    inner = layout.index(*images, attestation)
    directory = layout.write(layout.index(inner, name="x"), layout.image("other", name="y"))
    for image in images:
        assert (
            author(directory, ref=image["digest"]) == image["platform"]["os"] + "/" + image["platform"]["architecture"]
        )
        assert author(f"oci:{directory}@{image['digest']}") == author(directory, ref=image["digest"])
    assert author(directory, ref=inner["digest"], platform="linux/s390x") == "linux/s390x"
    assert author(directory, ref=attestation["digest"]) == "attestation"
    assert refused(directory, ref=images[0]["digest"], platform="linux/arm64") == (
        "platform",
        "linux/arm64",
        ("linux/amd64",),
    )
    unknown = "sha256:" + "0" * 64
    assert refused(directory, ref=unknown) == ("image", unknown, ("x", "y"))


ATTESTATION = {
    "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:x"},
    "platform": {"os": "unknown", "architecture": "unknown"},
}


def test_attestations_are_no_images(layout):
    host = str(host_platform())
    attestation = layout.image("attestation") | ATTESTATION
    directory = layout.write(layout.index(attestation, layout.image("a", host), name="x"))
    assert author(directory) == "a"
    assert author(directory, platform=host) == "a"


def test_one_image_and_its_attestation_are_one_image(layout):
    foreign = layout.image("a", "linux/s390x")
    assert author(layout.write(layout.index(foreign, layout.image("attestation") | ATTESTATION, name="x"))) == "a"


def test_what_is_of_an_unknown_type_is_passed_over(layout):
    odd = layout.image("odd", name="odd") | {"mediaType": "application/vnd.example.thing"}
    nested = layout.index(odd, layout.image("a"))
    assert author(layout.write(odd, nested)) == "a"
    assert refused(layout.write(odd)) == ("image", "", ())


def test_indexes_may_be_in_indexes_and_each_is_opened_once(layout):
    inner = layout.index(layout.image("a", "linux/amd64"), layout.image("b", "linux/arm64"))
    descriptor = inner
    for _ in range(5):
        descriptor = layout.index(descriptor, inner)
    assert author(layout.write(descriptor), platform="linux/arm64") == "b"


def test_indexes_too_deep_in_one_another_are_refused(layout):
    descriptor = layout.image("a")
    for _ in range(3):
        descriptor = layout.index(descriptor)
    directory = layout.write(descriptor)
    assert author(directory, limits=Limits(index_depth=3)) == "a"
    with pytest.raises(LimitError) as raised:
        open_image(directory, limits=Limits(index_depth=2))
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("index_depth", 2, 3)


def test_too_many_entries_are_refused(layout):
    directory = layout.write(layout.index(*[layout.image("a")] * 9))
    assert author(directory, platform="linux/amd64", limits=Limits(descriptors=10)) == "a"
    with pytest.raises(LimitError) as raised:
        open_image(directory, limits=Limits(descriptors=9))
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("descriptors", 9, 10)


def test_documents_that_are_too_large_are_not_read(layout):
    directory = layout.write(layout.image("a"))
    size = len((layout.built.directory / "index.json").read_bytes())
    with pytest.raises(LimitError) as raised:
        open_image(directory, limits=Limits(document_bytes=size - 1))
    assert (raised.value.limit, raised.value.allowed) == ("document_bytes", size - 1)


@pytest.mark.parametrize("kind", ["manifest", "index"])
@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda raw: raw.replace(b"2", b"3", 1), DigestMismatchError),
        (lambda raw: raw[:-1], SizeMismatchError),
        (lambda raw: raw + b" ", SizeMismatchError),
        (None, BlobMissingError),
    ],
    ids=["other bytes", "shorter", "longer", "missing"],
)
def test_a_document_on_the_way_is_what_its_descriptor_says_or_an_error(layout, kind, damage, error):
    descriptor = layout.image("a") if kind == "manifest" else layout.index(layout.image("a"))
    directory = layout.write(descriptor)
    file = layout.built.directory / "blobs" / descriptor["digest"].replace(":", "/")
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(error) as raised:
        open_image(directory)
    assert descriptor["digest"] in str(raised.value)
    assert directory in raised.value.__notes__


def test_a_manifest_that_says_to_be_an_index_is_refused(layout):
    descriptor = layout.image("a") | {"mediaType": INDEX}
    with pytest.raises(DocumentError) as raised:
        open_image(layout.write(descriptor))
    assert raised.value.pointer == "/mediaType"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", ""])
def test_the_host_is_linux_on_this_processor(monkeypatch, machine):
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert str(host_platform()) == {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "": "linux/amd64"}[machine]


def test_the_entries_of_one_image_are_those_of_one_name_each_content_once():
    one, two = (Descriptor.of(data, media_type=MANIFEST) for data in (b"1", b"2"))
    a, b = named(one, "a"), named(two, "a")
    assert one_image([a, b], None) == [a, b]
    assert one_image([a, named(one, "other")], str(one.digest)) == [a]
    assert one_image([one], None) == [one]


@pytest.mark.parametrize(("refs", "known"), [((), ()), (("a", "b"), ("a", "b"))])
def test_without_a_name_there_has_to_be_one_image(refs, known):
    entries = [named(Descriptor.of(b"1", media_type=MANIFEST), ref) for ref in refs]
    with pytest.raises(ReferenceMissingError) as caught:
        one_image(entries, None)
    assert (caught.value.name, caught.value.known) == ("", known)
