"""Lint and the engine say the same: what applying refuses or reports, lint finds."""

import io

import pytest
from hypothesis import given

from oci_layers.errors import LayerError, LimitError, TarFormatError
from oci_layers.layer import Policy, apply, decode
from oci_layers.limits import Limits
from oci_layers.lint import Linter, lint
from oci_layers.tar import read_tar
from oci_layers.testing.cases import cases
from oci_layers.tree import FileTree
from tests.support.layers import d, f, ln, sym, tar
from tests.support.stacks import everything, stacks

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
        apply(decode(read(layer), policy=policy, on_finding=lambda one: words.add(one.rule)), tree, policy=policy,
              on_finding=lambda one: words.add(one.rule))  # fmt: skip
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
        words, errors = {one.rule for one in found}, {one.rule for one in found if one.severity == "error"}
        reported, refused = applied(layer, lower, DEFAULT)
        assert not refused or errors
        assert [word for word in reported if not SAME.get(word, {word}) & words] == []
        _, refused = applied(layer, lower, STRICT)
        assert not refused or errors
        # A name that the archive has twice may have led to two places, where a marker took a link away between.
        assert refused or errors <= {"duplicate"}
        lower = linter.tree


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_lint_finds_what_the_engine_says_of_every_case(case):
    check(case.layers)


@given(stacks(everything, layers=3))
def test_lint_finds_what_the_engine_says_of_any_layer(stack):
    check([tar(*layer) for layer in stack])


def said(entries, **options):
    return [(each.rule, each.location.path) for each in lint(entries, policy=Policy.preset("lenient"), **options)]


LONG = "d" * 12


def test_a_limit_past_which_a_link_comes_in_the_end_is_an_error_of_that_entry_or_ends_it():
    entries = [ln("l/name", "t"), f("t", "x")]
    lower = FileTree(limits=Limits(path_bytes=14))
    apply(decode(read_tar(io.BytesIO(tar(d(f"{LONG}/"), sym("l", LONG))))), lower)
    assert ("forward-link", b"l/name") in said(entries, lower=lower)
    with pytest.raises(LimitError, match="path_bytes"):
        apply(decode(entries, policy=Policy.preset("lenient")), lower, policy=Policy.preset("lenient"))
    with pytest.raises(LimitError, match="entries"):
        said([ln("p/q/r/h", "t"), f("t", "x")], limits=Limits(entries=2))


def test_what_is_of_windows_alone_is_said_of_other_images():
    entries = [f("a", pax={b"MSWINDOWS.rawsd": b"AQ=="}), f("b:c", "x")]
    assert {what for what, _ in said(entries)} >= {"windows-metadata", "windows-character"}
    assert not {"windows-metadata", "windows-character"} & {what for what, _ in said(entries, windows=True)}
    other = [f("a", pax={b"SCHILY.acl.access": b"user::rw-"}), f("b", pax={b"SCHILY.fflags": b"uappnd"})]
    assert {what for what, _ in said(other, windows=True)} >= {"access-list", "file-flags"}


def test_a_link_is_long_or_empty():
    assert ("long-link", b"s") in said([sym("s", "x" * 5000)])
    assert ("empty-link", b"h") in said([ln("h", "")])


def test_a_label_of_another_machine_is_counted():
    assert ("selinux-label", b"a") in said([f("a", xattrs={b"security.selinux": b"x"})])
