"""One image in each form of Docker's archives, however the archive is packed, ordered and read (DSV-01 to DSV-12).

A row is a form; each form is read as a file and through a pipe, compressed and not, in both orders, as an image and as
a repository.
"""

import bz2
import contextlib
import gzip
import json
import lzma

import pytest
from backports import zstd

from oci_layers import Limits, check_image, list_images, open_image
from oci_layers.blob.store import open_verified, read_verified
from oci_layers.blob.stream import drain
from oci_layers.spec.document import parse_manifest
from oci_layers.store.place import open_repository
from tests.store.test_archive import fed
from tests.store.test_open import hybrid
from tests.support import docker
from tests.support.examples import some
from tests.support.layers import COMPRESS, d, digest, f, ln, sym, tar, wh
from tests.support.trees import merged

LAYERS = tar(d("a/"), f("a/x", "one"), f("b", "two")), tar(wh("b"), f("c", "three" * 300)), tar(d("a/"), f("a/x", "4"))
STACK = (*LAYERS[:2], LAYERS[0])
"""A layer that is there twice is a link, or a file that is listed twice."""


def packed(compression):
    """Layers that are compressed inside the archive."""

    def make(*layers):
        blobs = [COMPRESS[compression](each) for each in layers]
        names = [f"{number}/layer.tar" for number in range(len(blobs))]
        raw = docker.config(*layers)
        return [*map(f, names, blobs), f("config.json", raw), docker.listing(("config.json", ["app:1"], names))]

    return make


def chained(*layers):
    """Config and layers are links of both kinds, in chains, absolute and relative."""
    raw = docker.config(*layers)
    entries, names = [], []
    for number, layer in enumerate(layers):
        entries += [
            sym(f"l/{number}/layer.tar", f"../../m/{number}"),
            ln(f"m/{number}", f"n/{number}"),
            sym(f"n/{number}", f"/real/{number}.tar"),
            f(f"real/{number}.tar", layer),
        ]
        names.append(f"l/{number}/layer.tar")
    config = [sym("config.json", "c"), ln("c", "real/config"), f("real/config", raw)]
    return [*entries, *config, docker.listing(("config.json", ["app:1"], names))]


def unclean(*layers):
    """As `tar -c .` names the members; the list names them otherwise (DSV-07)."""
    raw = docker.config(*layers)
    names = [f"{number}.tar" for number in range(len(layers))]
    members = [d("./"), *(f(f"./{name}", layer) for name, layer in zip(names, layers, strict=True))]
    row = {"Config": "x/../config.json", "RepoTags": ["app:1"], "Layers": [f".//{name}" for name in names]}
    return [*members, f("./config.json", raw), f("./manifest.json", json.dumps([row]))]


def talkative(*layers):
    """With the fields of `manifest.json` and the files that only some programs write (DSV-01, DSV-02, DSV-11)."""
    raw = docker.config(*layers)
    names = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    sources = {digest(layer): {"mediaType": "x", "digest": digest(layer), "size": len(layer)} for layer in layers}
    row = {"Config": "c.json", "RepoTags": ["app:1"], "Layers": names, "Parent": digest(b"parent")}
    legacy = {"app": {"1": names[-1].partition("/")[0]}}
    return [
        *map(f, names, layers),
        *(f(f"{name.partition('/')[0]}/VERSION", "1.0") for name in names),
        f("c.json", raw),
        f("manifest.json", json.dumps([row | {"LayerSources": sources}])),
        f("repositories", json.dumps(legacy)),
    ]


FORMS = {
    "DSV-04 docker 1.10 to 24": docker.classic,
    "DSV-04 skopeo": docker.skopeo,
    "DSV-05 docker 25": lambda *layers: docker.modern(("app", "1", layers)),
    "DSV-06 crane": docker.crane,
    "DSV-07 links in chains": chained,
    "DSV-07 names that are not clean": unclean,
    "DSV-07 gzip inside": packed("gzip"),
    "DSV-07 zstd inside": packed("zstd"),
    "DSV-01 DSV-02 DSV-11 all fields": talkative,
}
OUTSIDE = {"": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd.compress}


def files_of(image):
    return {path: b"".join(pieces) for path, _, pieces in image.files()}


CONTENTS = {b"a/x": b"one", b"b": b"two", b"c": b"three" * 300}


@pytest.mark.parametrize("way", ["file", "pipe"])
@pytest.mark.parametrize("outside", some(OUTSIDE, every=2))
@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_the_image_is_the_same(tmp_path, make, order, outside, way):
    entries = make(*STACK)
    lists = [each for each in entries if each.name.endswith(b"manifest.json")]
    others = [each for each in entries if each not in lists]
    raw = OUTSIDE[outside](tar(*([*lists, *others] if order == "first" else [*others, *lists])))
    with contextlib.ExitStack() as closing:
        if way == "pipe":
            closing.enter_context(fed(raw))
        else:
            (tmp_path / "a.tar").write_bytes(raw)
        place = "-" if way == "pipe" else f"{tmp_path}/a.tar"
        with open_image(f"docker-archive:{place}:app:1") as image:
            assert image.tree() == merged(*STACK)
            assert files_of(image) == CONTENTS
            assert [str(layer.diff_id) for layer in image.layers] == list(map(digest, STACK))


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_the_image_is_listed_checked_and_served_as_a_repository(tmp_path, make):
    name = "docker-archive:" + docker.archive(tmp_path / "a.tar", make(*STACK))
    (listed,) = list_images(name)
    assert (str(listed.platform), listed.layers, listed.error) == ("linux/amd64", 3, None)
    checked = check_image(name)
    assert (checked.ok, checked.layers) == (True, 2)
    repository, _ = open_repository(name)
    with contextlib.closing(repository):
        (entry,) = repository.entries("app:1")
        assert entry.digest == listed.digest
        raw = read_verified(repository.blobs, entry, limit="", allowed=1 << 20)
        manifest = parse_manifest(raw, entry, Limits()).value
        for each in (manifest.config, *manifest.layers):
            with open_verified(repository.blobs, each) as stream:
                drain(stream)


@pytest.mark.parametrize("outside", OUTSIDE)
def test_empty_layers_of_docker_25_0_0_are_those_of_manifest_json(tmp_path, outside):
    """DSV-05, DSV-08: the archive is both, and its layout is wrong."""
    file = hybrid(tmp_path, listed=LAYERS)
    (tmp_path / "packed").write_bytes(OUTSIDE[outside]((tmp_path / "hybrid.tar").read_bytes()))
    for name in (file, tmp_path / "packed", f"docker-archive:{tmp_path}/packed:app:1"):
        with open_image(name) as image:
            assert image.tree() == merged(*LAYERS)
        assert [each.layers for each in list_images(name)] == [3]


@pytest.mark.parametrize("make", [docker.classic, docker.skopeo, docker.crane])
def test_several_images_and_names_are_chosen_by_name_or_number(tmp_path, make):
    """DSV-10, DSV-12, for images that share the file of a layer."""
    stacks = {"base": LAYERS[:1], "app": LAYERS[:2], "tool": LAYERS}
    entries, rows = {}, []
    for name, layers in stacks.items():
        *members, listing = [
            each for each in make(*layers, tags=(f"{name}:1", f"me/{name}")) if each.name[:4] != b"repo"
        ]
        entries |= {each.name: each for each in members}
        rows += json.loads(b"".join(listing.chunks()))
    file = docker.archive(tmp_path / "a.tar", [*entries.values(), f("manifest.json", json.dumps(rows))])
    for number, (name, layers) in enumerate(stacks.items()):
        for ref in (
            f"{name}:1",
            f"docker.io/library/{name}:1",
            f"me/{name}",
            f"docker.io/me/{name}:latest",
            f"@{number}",
        ):
            with open_image(file, ref=ref) as image:
                assert [str(layer.diff_id) for layer in image.layers] == list(map(digest, layers))
    assert [each.refs for each in list_images(file)] == [(f"{name}:1", f"me/{name}") for name in stacks]
