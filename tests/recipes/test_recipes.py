"""The recipes of the documentation do what they say, on the image that the repository carries."""

import io
import runpy
import sys
from pathlib import Path

import pytest

import oci_layers as oci
from oci_layers.tar import read_tar
from tests.recipes import added_to_base, layer_listing, new_image, one_tar, secret_scan, three_paths
from tests.support.layers import f, image, ln, tar, wh

IMAGE = "tests/data/image"
RECIPES = sorted(path for path in Path(__file__).parent.glob("*.py") if path.name[:2] not in {"te", "__"})
KEY = "x" * 300_000 + "-----BEGIN OPENSSH PRIVATE KEY-----\n"


def test_a_secret_is_found_where_an_upper_layer_hides_it(tmp_path):
    directory = image(tmp_path, tar(f("root/.ssh/id", KEY), f("other")), tar(wh("root/.ssh/id")))
    assert list(secret_scan.secrets(directory)) == [(0, b"root/.ssh/id")]
    assert list(secret_scan.secrets(IMAGE)) == []


def test_each_layer_is_listed_with_its_whiteouts():
    lines = list(layer_listing.listing(IMAGE))
    assert "  whiteout  /usr/share/log/1889" in lines
    with oci.open_image(IMAGE) as opened:
        assert [line for line in lines if not line.startswith(" ")] == [layer.name for layer in opened.layers]


def test_what_an_image_adds_to_its_base(tmp_path):
    base = tar(f("a", "1"), f("b"), f("c"), f("d", "1"))
    directory = image(tmp_path, base, tar(f("a", "2"), wh("b"), f("e/f"), ln("d", "a")))
    assert list(added_to_base.differences(directory, 1)) == [
        ("replaced", b"a"),
        ("removed", b"b"),
        ("replaced", b"d"),
        ("added", b"e"),
        ("added", b"e/f"),
    ]
    assert list(added_to_base.differences(IMAGE, 5)) == []


def test_a_few_files_are_read_by_their_paths():
    found = three_paths.read(IMAGE, "etc/motd", "/etc/os-release")
    assert found["etc/motd"].startswith("The lamp is lit.")
    assert list(found) == ["etc/motd", "/etc/os-release"]


def test_the_tar_of_an_image_makes_its_tree_and_is_the_same_again(tmp_path):
    digests = {str(one_tar.flatten(IMAGE, str(tmp_path / name))) for name in ("one.tar", "two.tar")}
    raw = (tmp_path / "one.tar").read_bytes()
    assert digests == {str(oci.Digest.of(raw))}
    tree = oci.FileTree()
    oci.apply(oci.decode(read_tar(io.BytesIO(raw))), tree)
    with oci.open_image(IMAGE) as opened:
        assert tree == opened.tree()


def test_a_directory_on_a_base_is_an_image_and_is_the_same_again(tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    (app / "run").write_text("lit")
    digests = {new_image.build(IMAGE, str(app), f"oci:{tmp_path}/{name}:app").digest for name in ("one", "two")}
    with oci.open_image(f"oci:{tmp_path}/two:app") as made, oci.open_image(IMAGE) as base:
        assert digests == {made.descriptor.digest}
        assert made.read(["app/run", "etc/motd"])["app/run"] == b"lit"
        assert [layer.descriptor for layer in made.layers[:-1]] == [layer.descriptor for layer in base.layers]
        assert (made.config.config.cmd, made.config.config.env) == (("/app/run",), ("PATH=/app:/usr/bin",))
        told = [(entry.created_by, entry.empty_layer) for entry in made.config.history[-4:]]
    assert told == [
        ("COPY . /app", False),
        ("ENV PATH=/app:/usr/bin", True),
        ("WORKDIR /app", True),
        ('CMD ["/app/run"]', True),
    ]
    assert oci.check_image(tmp_path / "two").ok


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_short_program(path, monkeypatch, capsys, tmp_path):
    arguments = {"added_to_base": ["1"], "three_paths": ["etc/motd"], "one_tar": [str(tmp_path / "out.tar")]}
    arguments["new_image"] = ["tests/recipes", f"oci:{tmp_path}/layout:app"]
    monkeypatch.setattr(sys, "argv", [str(path), IMAGE, *arguments.get(path.stem, [])])
    runpy.run_path(str(path), run_name="__main__")
    assert bool(capsys.readouterr().out) == (path.stem != "secret_scan")
    code = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(code) < 30
