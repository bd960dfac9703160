"""Layers, as text (`testing.notation`), so that every input is an archive that can be read.

Laws: what a stack makes in memory is what it makes on disk; what it makes, as one layer, makes the same again; `lint`
accepts everything.
"""

import io
import os
import shutil
import tempfile

from oci_layers.disk.scan import scan
from oci_layers.layer.apply import apply
from oci_layers.layer.decode import decode
from oci_layers.layer.diff import diff
from oci_layers.layer.encode import encode
from oci_layers.layer.policy import Policy
from oci_layers.lint.linter import lint
from oci_layers.tar.reader import read_tar
from oci_layers.tar.writer import write_tar
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies import stacks
from oci_layers.tree.dump import dump
from tests.fuzz.target import Target, drawn, outcome, refusals
from tests.fuzz.targets.texts import KINDS
from tests.support.trees import flattened, merged, mirrored

POLICIES = (
    Policy(),
    Policy.preset("strict"),
    Policy.preset("lenient"),
    Policy(parents="replace", refused="skip"),
)
IS_ROOT = getattr(os, "geteuid", lambda: 1)() == 0


def tars(data):
    """Return the layers that the bytes describe; none if they describe none."""
    with refusals():
        return Stack.parse(data.decode("utf-8", "surrogateescape")).tars()
    return []


def read_layers(data):
    layers = tars(data)
    accepted = False
    for policy in POLICIES:
        tree = outcome(merged, *layers, policy=policy)
        if isinstance(tree, tuple):
            continue
        accepted = accepted or bool(tree.root.children)
        assert merged(flattened(tree)) == tree
        lower = outcome(merged, *layers[:-1], policy=policy)
        # The changes from one tree to another make the other.
        upper = b"".join(write_tar(encode(diff(lower, tree))))
        apply(decode(read_tar(io.BytesIO(upper))), lower)
        assert lower == tree
    for raw in layers:
        with refusals():
            list(lint(read_tar(io.BytesIO(raw))))
    return accepted


def made_on_disk(directory, layers, policy):
    tree, report = mirrored(directory, *layers, policy=policy)
    return dump(tree), None if len(report.skipped) else dump(scan(directory))


def read_unpacked(data):
    layers = tars(data)
    accepted = False
    for policy in POLICIES if IS_ROOT else ():
        expected = outcome(lambda policy=policy: dump(merged(*layers, policy=policy)))
        directory = tempfile.mkdtemp(prefix="oci-layers-fuzz-")
        try:
            made, found = outcome(made_on_disk, directory, layers, policy)
        finally:
            shutil.rmtree(directory)
        if isinstance(made, type):
            assert (made, found) == expected
        else:
            assert made == expected
            assert found is None or found == expected
            accepted = accepted or "\n" in expected.strip()
    return accepted


def texts():
    """Stacks of layers, as text: legal ones, and hostile ones."""
    legal, hostile = (stacks(entries=(0, 5), hostile=hostile).map(_written) for hostile in (False, True))
    return [*drawn(legal.filter(bool), 30), *drawn(hostile.filter(bool), 30)]


def _written(stack):
    return str(stack).encode()


WORDS = (*KINDS, b"\nlayer\n", b".wh.", b".wh..wh..opq", b"../", b"./", b"target=/", b"link a", b" 4294967295:0")
TARGETS = [Target("layers", read_layers, texts, WORDS, 4096), Target("unpack", read_unpacked, texts, WORDS, 4096)]
