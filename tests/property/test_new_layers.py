"""Laws of new layers: what is packed is what is unpacked, twice the same bytes, and memory does not grow with them."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from oci_layers import scan
from oci_layers.build import LayerOptions, NewLayer
from oci_layers.disk import Owner
from tests.support.layers import tar
from tests.support.stacks import portable_stacks, stacks
from tests.support.trees import merged, mirrored

ROOT = Path(__file__).parents[2]
EXACT = LayerOptions(nanoseconds=True, clamp_mtime=None)


def raw(layer):
    return b"".join(layer.iter_tar())


@given(stacks())
def test_a_layer_of_a_tree_makes_the_tree(stack):
    tree = merged(*(tar(*layer) for layer in stack), policy="lenient")
    packed = raw(NewLayer.from_tree(tree, options=EXACT))
    assert merged(packed) == tree
    assert raw(NewLayer.from_tree(merged(packed), options=EXACT)) == packed


@given(portable_stacks())
def test_a_layer_of_a_directory_makes_what_scan_finds(stack):
    with tempfile.TemporaryDirectory() as directory:
        mirrored(directory, *(tar(*layer) for layer in stack), owner=Owner(same=False), policy="lenient")
        found = scan(directory)
        packed = raw(NewLayer.from_directory(directory, options=EXACT))
        assert (
            packed
            == raw(NewLayer.from_tree(found, options=EXACT))
            == raw(NewLayer.from_directory(directory, options=EXACT))
        )
        assert merged(packed) == found


MEASURE = """
import re, sys
from oci_layers.blob import DirectoryBlobs, OpenDirectory
from oci_layers.build import Codec, NewLayer
root = OpenDirectory(sys.argv[2])
codec = Codec(encoder="isal", threads=2)
NewLayer.from_directory(sys.argv[1]).write(DirectoryBlobs(root, fsync="never"), codec=codec)
root.close()
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10)  # Its own, not its parent's.
"""


@pytest.mark.thorough
def test_memory_does_not_grow_with_a_file(tmp_path):
    peaks = []
    for size in (1 << 20, 1 << 30):
        top, store = tmp_path / f"{size}", tmp_path / f"store{size}"
        top.mkdir()
        store.mkdir()
        with open(top / "file", "wb") as file:
            file.truncate(size)
        command = [sys.executable, "-c", MEASURE, str(top), str(store)]
        environment = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
        peaks.append(int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] < peaks[0] + 48
    assert peaks[1] < 150
