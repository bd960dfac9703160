"""The plugin of pytest: what its fixtures give, and that it costs nothing until a test asks for one."""

import io
import subprocess
import sys

import pytest

import oci_layers
from oci_layers.blob import MemoryBlobs
from oci_layers.blob.store import put_bytes
from oci_layers.errors import NameFormatError
from oci_layers.spec import Descriptor
from oci_layers.spec.mediatype import OCI_MANIFEST
from oci_layers.tar import read_tar
from oci_layers.testing import Stack, assert_same_tree
from oci_layers.testing.notation import parse_layer
from oci_layers.tree import parse
from tests.support.layers import f, tar

T = "1700000000.123456789"


def test_oci_layout_is_an_empty_layout_to_write_to(oci_layout, tmp_path):
    assert oci_layout.entries() == []
    assert not list(tmp_path.iterdir())
    descriptor = Descriptor.of(b"{}", media_type=OCI_MANIFEST)
    put_bytes(oci_layout.blobs, b"{}", descriptor)
    oci_layout.tag("made", descriptor)
    with oci_layers.Layout.open(oci_layout.place) as again:
        assert again.resolve("made") == oci_layout.resolve("made")


def test_blob_store_is_empty_and_new_for_each_test(blob_store):
    assert isinstance(blob_store, MemoryBlobs)
    assert list(blob_store.iter_blobs()) == []


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_make_layer_makes_a_tar_of_text_or_entries(make_layer, compression):
    text = "etc/ dir\netc/motd file text=hello\netc/old whiteout"
    made = make_layer(text, compression=compression)
    assert made == make_layer(parse_layer(text), compression=compression)
    plain = oci_layers.blob.decompressed(io.BytesIO(made), compression, oci_layers.Limits())
    assert [entry.name for entry in read_tar(plain)] == [b"etc/", b"etc/motd", b"etc/.wh.old"]


def test_make_layer_names_a_line_that_is_wrong(make_layer):
    with pytest.raises(NameFormatError, match="line 2: unknown kind of entry 'fil'"):
        make_layer("a file\nb fil")


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_make_image_opens_what_it_put_into_the_layout(make_image, oci_layout, compression):
    image = make_image("a file text=x\nb file", "a whiteout", ref="app:1", compression=compression)
    assert_same_tree(image, f"/b file 0644 0:0 {T} text=")
    assert {layer.descriptor.media_type.partition("tar")[2] for layer in image.layers} == {
        f"+{compression}" if compression else ""
    }
    with oci_layers.open_image(f"oci:{oci_layout.place}:app:1") as again:
        assert again.tree() == image.tree()


def test_make_image_takes_text_of_several_layers_entries_and_bytes(make_image):
    image = make_image("layer\n  a file text=x\nlayer\n  a whiteout", [f("b")], tar(f("c")))
    assert len(image.layers) == 4
    assert_same_tree(image, Stack.parse("layer\nb file\nlayer\nc file"))


def test_make_image_stores_bytes_that_are_no_layer(make_image):
    image = make_image(b"no tar" * 100)
    with pytest.raises(oci_layers.errors.TarFormatError):
        image.tree()


def test_images_of_one_test_are_in_one_layout_and_a_name_is_that_of_the_last(make_image, oci_layout):
    first, second, other = make_image("a file"), make_image("b file"), make_image("c file", ref="other")
    assert [entry.annotations["org.opencontainers.image.ref.name"] for entry in oci_layout.entries()] == [
        "latest",
        "other",
    ]
    assert [image.root.joinpath(name).is_file() for image, name in [(first, "a"), (second, "b"), (other, "c")]] == [
        True,
        True,
        True,
    ]


def run(directory, *options, blocked=()):
    """Run pytest in a directory, and print what it imported of this library and its dependencies."""
    program = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name in {list(blocked)!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "import pytest\n"
        "status = pytest.main(sys.argv[1:])\n"
        "known = ('oci_layers', 'attr', 'attrs', 'cattrs', 'hypothesis')\n"
        "print('loaded', *sorted(name for name in sys.modules if name.split('.')[0] in known))\n"
        "sys.exit(status)"
    )
    # The plugin of Hypothesis imports Hypothesis itself.
    words = [sys.executable, "-c", program, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options]
    return subprocess.run(words, cwd=directory, check=False, capture_output=True, text=True)


def loaded(ran):
    return set(ran.stdout.splitlines()[-1].split()[1:])


def test_a_run_that_asks_for_no_fixture_imports_neither_the_engine_nor_attrs_nor_hypothesis(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert True\n")
    ran = run(tmp_path, "-q")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert loaded(ran) == {"oci_layers", "oci_layers._lazy", "oci_layers.testing", "oci_layers.testing.plugin"}


def test_the_fixtures_need_no_hypothesis(tmp_path):
    (tmp_path / "test_one.py").write_text(
        "from oci_layers.testing import assert_same_tree\n"
        "def test_one(make_image, make_layer, blob_store, oci_layout):\n"
        "    image = make_image('a file', make_layer('b file'))\n"
        "    assert_same_tree(image, image.tree())\n"
    )
    ran = run(tmp_path, "-q", blocked=["hypothesis"])
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_trees_that_are_asserted_to_be_equal_and_are_not_are_shown_as_a_diff(tmp_path):
    (tmp_path / "test_one.py").write_text(
        "from oci_layers.tree import parse\n"
        "def test_one():\n"
        "    assert parse('/a fifo 0644 0:0 0.0') == parse('/a fifo 0600 0:0 0.0')\n"
        "def test_two():\n"
        "    assert parse('') == 'text'\n"
    )
    ran = run(tmp_path, "-q")
    assert [line[5:] for line in ran.stdout.splitlines() if line.startswith("E ")][:5] == [
        "   assert the trees are not the same",
        "     1 of 2 names differ (- expected, + actual):",
        "       / dir 0755 0:0 0.000000000",
        "     - /a fifo 0600 0:0 0.000000000",
        "     + /a fifo 0644 0:0 0.000000000  # mode",
    ]
    assert "2 failed" in ran.stdout


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("BlobStoreSuite", "pytest"),
        ("LayerApplierSuite", "pytest"),
        ("LayerApplierSuite", "hypothesis"),
        ("RepositorySuite", "pytest"),
    ],
)
def test_a_suite_says_what_to_install_where_that_is_missing(name, missing):
    code = (
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name: None if name == {missing!r} else find(name)\n"
        f"from oci_layers.testing import {name}"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ran.stderr.splitlines()[-1] == (
        f"ImportError: oci_layers.testing.{name} needs {missing}: pip install 'oci-layers[testing]'"
    )


def test_what_needs_no_pytest_is_there_without_it():
    code = (
        "import sys; sys.modules.update(pytest=None, hypothesis=None)\n"
        "from oci_layers.testing import Stack, assert_same_tree\n"
        "assert_same_tree(Stack.parse('a file'), Stack.parse('a file'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        from oci_layers.testing import Nothing  # noqa: F401


def test_other_comparisons_are_left_to_pytest(make_image):
    from oci_layers.testing.plugin import pytest_assertrepr_compare

    tree = make_image("a file").tree()
    assert pytest_assertrepr_compare("!=", tree, tree) is None
    assert pytest_assertrepr_compare("==", tree, 1) is None
    assert pytest_assertrepr_compare("==", 1, tree) is None
    assert pytest_assertrepr_compare("==", tree, parse("/b fifo 0644 0:0 0.0"))[1].startswith("2 of 3 names differ")
