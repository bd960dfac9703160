"""Lint and the engine say the same: what applying refuses or reports, lint finds."""

import pytest
from hypothesis import given

from oci_layers.errors import LayerError, LimitError, TarFormatError
from oci_layers.layer import Policy, apply, decode
from oci_layers.lint import Linter
from oci_layers.tar import read_tar
from oci_layers.tree import FileTree
from tests.conformance.cases import ROWS
from tests.conformance.stacks import everything, stacks
from tests.support.layers import tar

DEFAULT, STRICT = Policy(), Policy.preset("strict")
SAME = {"nothing-hidden": {"nothing-hidden", "nothing-opaque"}, "climbing-link": {"climbing-link", "climbing-name"}}


def read(layer):
    import io

    return read_tar(io.BytesIO(layer)) if isinstance(layer, bytes) else iter(layer)


def applied(layer, lower, policy):
    """What the engine says of one layer: the words that it reports, and whether it refuses."""
    words = set()
    tree = lower.fork()
    try:
        apply(decode(read(layer), policy=policy, on_finding=lambda one: words.add(one.what)), tree, policy=policy,
              on_finding=lambda one: words.add(one.what))  # fmt: skip
    except (LayerError, LimitError) as error:
        if isinstance(error, TarFormatError):
            return None, False
        return words, True
    return words, False


def check(layers):
    lower = FileTree()
    for layer in layers:
        linter = Linter(lower=lower)
        try:
            found = [one for each in read(layer) for one in linter.look(each)]
        except TarFormatError:
            return
        found += linter.end()
        words, errors = {one.what for one in found}, {one.what for one in found if one.rule.severity == "error"}
        reported, refused = applied(layer, lower, DEFAULT)
        assert not refused or errors
        assert [word for word in reported if not SAME.get(word, {word}) & words] == []
        _, refused = applied(layer, lower, STRICT)
        assert not refused or errors
        # A name that the archive has twice may have led to two places, where a marker took a link away between.
        assert refused or errors <= {"duplicate"}
        lower = linter.tree


@pytest.mark.parametrize("row", [row for row in ROWS if row.id.endswith("-default")], ids=lambda row: row.id)
def test_lint_finds_what_the_engine_says_of_every_row(row):
    check(row.layers)


@given(stacks(everything, layers=3))
def test_lint_finds_what_the_engine_says_of_any_layer(stack):
    check([tar(*layer) for layer in stack])
