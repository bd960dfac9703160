"""The image config as a value, and chain_ids: CFG-25, CHN-03..05."""

import hashlib

from oci_layers.spec.codec import unstructure
from oci_layers.spec.config import ContainerConfig, Healthcheck, History, ImageConfig, RootFS, chain_ids
from oci_layers.spec.digest import Digest


def sha256(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_an_image_config_is_written_in_the_order_of_the_go_types():
    """CFG-25."""
    digest = Digest.of(b"")
    config = ImageConfig(
        history=(History(empty_layer=True, comment="c", author="a", created_by="b", created="t"),),
        rootfs=RootFS(diff_ids=(digest,)),
        config=ContainerConfig(cmd=("sh",), env=("A=b",), healthcheck=Healthcheck(test=("NONE",), start_period=5)),
        variant="v8",
        os_features=("f",),
        os_version="1",
        os="linux",
        architecture="arm64",
        author="me",
        created="2020-01-01T00:00:00.123456789Z",
    )
    written = unstructure(config)

    assert written == {
        "created": "2020-01-01T00:00:00.123456789Z",
        "author": "me",
        "architecture": "arm64",
        "os": "linux",
        "os.version": "1",
        "os.features": ["f"],
        "variant": "v8",
        "config": {
            "Env": ["A=b"],
            "Cmd": ["sh"],
            "Healthcheck": {"Test": ["NONE"], "StartPeriod": 5},
        },
        "rootfs": {"type": "layers", "diff_ids": [str(digest)]},
        "history": [{"created": "t", "created_by": "b", "author": "a", "comment": "c", "empty_layer": True}],
    }
    assert ",".join(written) == "created,author,architecture,os,os.version,os.features,variant,config,rootfs,history"
    assert [*written["history"][0]] == ["created", "created_by", "author", "comment", "empty_layer"]


def test_no_layers_have_no_chain_id():
    """CHN-04."""
    assert chain_ids([]) == ()


def test_the_chain_id_of_the_base_is_its_diff_id():
    """CHN-03, also when it is not a sha256."""
    base = Digest.of(b"base", "sha512")

    assert chain_ids([base]) == (base,)


def test_each_chain_id_covers_the_one_below_and_the_diff_id():
    """CHN-03, and CHN-04: always sha256."""
    base, upper = Digest.of(b"base"), Digest.of(b"upper", "sha512")
    second = Digest(sha256(f"{base} {upper}"))

    assert chain_ids(iter([base, upper, base])) == (base, second, Digest(sha256(f"{second} {base}")))


def test_the_chain_ids_of_the_known_vector():
    """CHN-05. Its diff_ids are too short to be digests, so they stand here as text."""
    second = sha256("sha256:a sha256:b")

    assert [*map(str, chain_ids(["sha256:a", "sha256:b", "sha256:c"]))] == [
        "sha256:a",
        second,
        sha256(second + " sha256:c"),
    ]
