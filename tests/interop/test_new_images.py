"""Images that are made here, as skopeo and umoci read them, and work on top of them."""

import json
import os

import pytest

from oci_layers import check_image, open_image
from oci_layers.blob import open_verified
from oci_layers.build import Codec, NewIndex, NewLayer, drop_layer, edit, rebase, scratch, squash, strip_paths
from oci_layers.spec import Digest, Healthcheck
from oci_layers.store import Layout
from tests.interop.test_conversions import write
from tests.support.layers import d, f, image, ln, opq, sym, tar, wh
from tests.support.peers import assert_unpacked_alike, run, umoci_unpack
from tests.support.trees import merged

BASE = (
    tar(d("./"), d("etc/"), f("etc/motd", "one"), f("etc/key", "secret"), ln("etc/issue", "etc/motd"), d("log/")),
    tar(d("./"), d("log/"), f("log/a", "a"), f("log/b", "b"), sym("l", "log")),
)
OWN = tar(d("./"), d("log/"), opq("log"), f("log/c", "c"), wh("l"), d("srv/", 0o700), f("srv/app", "x" * 5000, 0o755))
ADDED = NewLayer.from_tree(merged(tar(d("./"), d("new/"), f("new/file", "new"))))


def skopeo(*arguments):
    """Run skopeo without a policy file."""
    return run("skopeo", "--insecure-policy", *arguments)


def built(old, base, other):
    """What is made of an image and its bases, each by one operation."""
    return {
        "appended": edit(old).append(ADDED, created_by="COPY new /").configure(env={"A": "1"}, ports=[80]),
        "configured": edit(old).configure(
            entrypoint=["/srv/app"],
            cmd=[],
            user="1000",
            working_dir="/srv",
            labels={"com.example.k": "v"},
            volumes=["/log"],
            stop_signal="SIGINT",
            healthcheck=Healthcheck(test=("CMD", "/ok"), interval=10**9),
            author="Ida",
            created="2024-01-31T12:00:00Z",
        ),
        "converted": edit(old, format="docker").append(ADDED),
        "dropped": drop_layer(old, 1),
        "rebased": rebase(old, base, other),
        "scratch": scratch("linux/amd64", created=0).append(ADDED, *old.layers),
        "squashed": squash(old),
        "stripped": strip_paths(old, ["etc/motd"]),
        "upper": squash(old, top=2),
    }


NAMES = ("appended", "configured", "dropped", "rebased", "scratch", "squashed", "stripped", "upper")


@pytest.fixture
def layout(tmp_path):
    """A layout with all of them, by name."""
    names = [
        image(tmp_path / name, *tars)
        for name, tars in {"old": (*BASE, OWN), "base": BASE, "other": (tar(d("./"), f("other", "o")), BASE[1])}.items()
    ]
    with Layout.create(tmp_path / "layout", fsync="never") as target:
        old, base, other = map(open_image, names)
        with old, base, other:
            for name, new in built(old, base, other).items():
                new.write(target, name, codec=Codec(level=1))
    return str(tmp_path / "layout")


@pytest.mark.peer("skopeo")
def test_skopeo_copies_and_inspects_each_of_them(layout, tmp_path):
    assert check_image(layout).ok
    for name in NAMES:
        skopeo("copy", "-q", f"oci:{layout}:{name}", f"dir:{tmp_path}/{name}")
        told = json.loads(skopeo("inspect", f"oci:{layout}:{name}"))
        with open_image(f"oci:{layout}:{name}") as opened:
            assert told["Digest"] == str(opened.descriptor.digest)
            assert told["Layers"] == [str(layer.descriptor.digest) for layer in opened.layers]
            assert told["Architecture"] == "amd64"
            raw = json.loads(skopeo("inspect", "--config", "--raw", f"oci:{layout}:{name}"))
            assert raw == json.loads(opened.config_document.raw)
    inspected = json.loads(skopeo("inspect", "--config", f"oci:{layout}:configured"))
    assert inspected["config"]["Entrypoint"] == ["/srv/app"]
    assert [entry["empty_layer"] for entry in inspected["history"][3:]] == [True] * 8


@pytest.mark.peer("skopeo")
def test_skopeo_reads_an_image_of_docker_that_grew(layout, tmp_path):
    # Not from a layout, where skopeo knows images of the OCI alone.
    with open_image(f"oci:{layout}:converted") as opened:
        documents = opened.manifest_document.raw, opened.config_document.raw
        made = {}
        for layer in opened.layers:
            with open_verified(opened.blobs, layer.descriptor) as stream:
                made[str(layer.descriptor.digest)] = stream.read(1 << 20)
        made |= {str(Digest.of(raw)): raw for raw in documents}
        place = write(tmp_path / "dir", made, opened.descriptor)
        skopeo("copy", "-q", "--format", "oci", place, f"oci:{tmp_path}/copy:t")
        with open_image(f"oci:{tmp_path}/copy:t") as copied:
            assert [layer.descriptor.digest for layer in copied.layers] == [
                layer.descriptor.digest for layer in opened.layers
            ]


@pytest.mark.root
@pytest.mark.peer("umoci")
def test_umoci_unpacks_each_of_them_and_packs_a_layer_on_top(layout, tmp_path):
    for name in NAMES:
        bundle = tmp_path / name
        root = umoci_unpack(f"{layout}:{name}", bundle)
        assert_unpacked_alike(f"oci:{layout}:{name}", root, tmp_path / f"{name}-ours")
        with open(os.path.join(root, "theirs"), "w") as file:
            file.write("theirs")
        run("umoci", "repack", "--image", f"{layout}:{name}-more", bundle)
        with open_image(f"oci:{layout}:{name}") as ours, open_image(f"oci:{layout}:{name}-more") as theirs:
            assert [layer.diff_id for layer in theirs.layers[:-1]] == [layer.diff_id for layer in ours.layers]
            assert len(theirs.config.history) == len(ours.config.history) + 1
            assert (theirs.root / "theirs").read_text() == "theirs"
    assert check_image(layout).ok


@pytest.mark.peer("skopeo")
def test_skopeo_chooses_a_platform_of_an_index(tmp_path):
    images = [scratch(platform).append(ADDED) for platform in ("linux/amd64", "linux/arm64/v8")]
    with Layout.create(tmp_path / "layout", fsync="never") as target:
        NewIndex.of(*images).write(target, "all")
    name = f"oci:{tmp_path}/layout:all"
    told = json.loads(skopeo("inspect", "--override-arch", "arm64", name))
    assert (told["Architecture"], told["Os"]) == ("arm64", "linux")
    skopeo("copy", "-q", "--all", name, f"oci:{tmp_path}/copy:all")
    assert check_image(tmp_path / "copy").ok
