"""Lint over a whole image: each layer over those below it, read once, whatever any of them does."""

import threading

import attrs
import pytest

from oci_layers import Limits, Policy, open_image
from oci_layers.errors import BlobMissingError, DigestMismatchError, LimitError, TarFormatError
from oci_layers.image import lint_layers
from tests.support.findings import in_entry
from tests.support.layers import Built, d, entry, f, image, ln, opq, sym, tar, wh

WHOLE = 1_700_000_000 * 10**9


def layer(*entries):
    return tar(*(attrs.evolve(one, mtime_ns=WHOLE) for one in entries))


def linted(directory, *layers, limits=None, **options):
    with open_image(image(directory, *layers), limits=limits) as opened:
        return list(opened.lint(**options))


def told(*arguments, **options):
    return [(found.location.layer, found.rule, found.location.path) for found in linted(*arguments, **options)]


BASE = layer(d("a/"), f("a/x", "one"), f("b", "two"))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        pytest.param([BASE, layer(wh("a/x"), wh("b"))], [], id="whiteouts of what is there"),
        pytest.param([BASE, layer(wh("a/y"))], [(1, "nothing-hidden", b"a/y")], id="a whiteout of nothing"),
        pytest.param([layer(wh("a"))], [(0, "nothing-hidden", b"a")], id="nothing is below the first layer"),
        pytest.param([BASE, layer(wh("b")), layer(wh("b"))], [(2, "nothing-hidden", b"b")], id="hidden before"),
        pytest.param(
            [BASE, layer(f("c"), wh("c"))],
            [(1, "late-marker", b".wh.c"), (1, "whiteout-and-name", b"c"), (1, "nothing-hidden", b"c")],
            id="its own file is not below",
        ),
        pytest.param([BASE, layer(opq("a")), layer(wh("a/x"))], [(2, "nothing-hidden", b"a/x")], id="opaque before"),
        pytest.param([BASE, layer(ln("c", "b"))], [], id="a hard link to a lower layer"),
        pytest.param(
            [BASE, layer(wh("b")), layer(ln("c", "b"))], [(2, "no-target", b"c")], id="a link to what is gone"
        ),
        pytest.param([BASE, layer(ln("c", "b")), layer(wh("b")), layer(ln("d", "c"))], [], id="a link to a link"),
        pytest.param([BASE, layer(f("a/z"))], [], id="a parent in a lower layer"),
        pytest.param([BASE, layer(f("b/z"))], [(1, "file-as-directory", b"b")], id="a lower file as a directory"),
        pytest.param([layer(f("X")), layer(f("x"))], [], id="twins are of one layer"),
        pytest.param([layer(f("X"), f("x")), layer(f("y"))], [(0, "case-twin", b"x")], id="twins below"),
        pytest.param([layer(sym("l", "a")), layer(f("l/x"))], [(1, "link-as-directory", b"l")], id="a lower link"),
        pytest.param([b"", b""], [], id="layers of nothing"),
    ],
)
def test_each_layer_is_judged_over_those_below(tmp_path, layers, expected):
    assert told(tmp_path, *layers) == expected


def test_a_finding_says_its_layer_and_where_it_stands_there(tmp_path):
    assert linted(tmp_path, BASE, layer(f("b"), f("c", mode=0o666))) == [
        in_entry("world-writable", b"c", 1, 1, 512, "0666"),
    ]


def test_some_layers_of_an_image_are_linted_as_one_of_their_own(tmp_path):
    with open_image(image(tmp_path, BASE, layer(f("c")), layer(wh("b"), wh("c")))) as opened:
        found = [(found.location.layer, found.rule, found.location.path) for found in lint_layers(opened.layers[1:])]
    assert found == [(2, "nothing-hidden", b"b")]


def test_no_layers_have_no_findings():
    assert list(lint_layers(())) == []


# Each refused by the policy `default`, the last two by every policy.
REFUSED = [
    pytest.param(f("../c"), "climbing-name", b"../c", id="a name that climbs"),
    pytest.param(ln("c", "nothing"), "no-target", b"c", id="a link to nothing"),
    pytest.param(sym("c", ""), "empty-link", b"c", id="a link without a target"),
    pytest.param(f("c", uid=2**32), "owner-range", b"c", id="an owner out of range"),
    pytest.param(entry("c", b"Z"), "unknown-type", b"c", id="an unknown type"),
    pytest.param(f("c/" * 300 + "c"), "long-path", b"c/" * 300 + b"c", id="a path too deep"),
    pytest.param(d("c" * 256), "long-name", b"c" * 256, id="a name too long"),
]


@pytest.mark.parametrize("policy", ["lenient", "default", "strict", None])
@pytest.mark.parametrize(("refused", "what", "path"), REFUSED)
def test_what_a_policy_refuses_is_left_out_and_the_rest_is_judged(tmp_path, refused, what, path, policy):
    options = {"policy": Policy.preset(policy)} if policy else {}
    middle, last = layer(f("b1"), refused, wh("b"), f("z")), layer(wh("b"), ln("y", "b1"), ln("z0", "z"))
    found = [one for one in told(tmp_path, BASE, middle, last, **options) if one[1] not in {"late-marker", "unsorted"}]
    assert found == sorted([(1, what, path), (2, "nothing-hidden", b"b")])


@pytest.mark.parametrize(("policy", "expected"), [("lenient", []), ("default", [(1, "no-target", b"c")])])
def test_the_policy_decides_what_is_below(tmp_path, policy, expected):
    below, above = layer(ln("a", "b"), f("b")), layer(ln("c", "a"))
    found = told(tmp_path, below, above, policy=Policy.preset(policy))
    assert found == [(0, "forward-link", b"a"), *expected]


def test_a_link_that_waited_for_its_target_may_be_too_long_where_it_leads(tmp_path):
    deep = "/".join(["d" * 255] * 15)
    directories = [d(deep[: 256 * number - 1]) for number in range(1, 16)]
    below = layer(*directories, sym("l", deep), ln("l/" + "m" * 255, "z"), f("z"))
    assert told(tmp_path, below, layer(f("y"))) == [
        (0, "link-as-directory", b"l"),
        (0, "forward-link", b"l/" + b"m" * 255),
    ]


class Counted:
    """A blob source that remembers what it was asked for."""

    def __init__(self, blobs):
        self.blobs = blobs
        self.asked = []

    def open_blob(self, digest):
        self.asked.append(digest)
        return self.blobs.open_blob(digest)


def test_each_layer_is_read_once(tmp_path):
    with open_image(image(tmp_path, BASE, layer(wh("b")))) as opened:
        blobs = Counted(opened.blobs)
        assert (
            list(
                lint_layers([attrs.evolve(one, reader=attrs.evolve(one.reader, blobs=blobs)) for one in opened.layers])
            )
            == []
        )
        assert blobs.asked == [one.descriptor.digest for one in opened.layers]


def test_findings_come_before_the_error_of_a_damaged_layer(tmp_path):
    built = Built.of(tmp_path, BASE, layer(wh("c"), f("d")), compression="")
    blob = built.layers[1]["blob"]
    built.layers[1]["blob"] = blob[:-1] + b"!"
    with open_image(built.write()) as opened:
        found = opened.lint()
        assert (next(found).rule, opened.layers[1].name) == (
            "nothing-hidden",
            f"layer 1 ({built.layers[1]['descriptor']['digest']})",
        )
        with pytest.raises(DigestMismatchError) as raised:
            list(found)
        assert raised.value.__notes__ == [opened.layers[1].name]


def test_a_layer_that_is_not_there_is_named(tmp_path):
    built = Built.of(tmp_path, BASE, layer(f("c")))
    with open_image(built.write()) as opened:
        (tmp_path / "blobs" / "sha256" / opened.layers[1].descriptor.digest.encoded).unlink()
        with pytest.raises(BlobMissingError) as raised:
            list(opened.lint())
        assert raised.value.__notes__ == [opened.layers[1].name]


@pytest.mark.parametrize("policy", ["lenient", "default"])
def test_no_policy_takes_a_malformed_archive(tmp_path, policy):
    with pytest.raises(TarFormatError) as raised:
        linted(tmp_path, BASE, layer(f("c"))[:300], BASE, policy=Policy.preset(policy))
    assert raised.value.reason == "the archive ends inside a header"


@pytest.mark.parametrize(
    ("limits", "limit", "seen"),
    [(Limits(entries=4), "entries", 5), (Limits(plain_bytes=len(BASE)), "plain_bytes", 2 * len(BASE))],
)
def test_limits_hold_over_all_layers(tmp_path, limits, limit, seen):
    assert told(tmp_path / "one", BASE, limits=limits) == []
    with pytest.raises(LimitError) as raised:
        linted(tmp_path / "two", BASE, BASE, limits=limits)
    assert (raised.value.limit, raised.value.seen) == (limit, seen)
    assert raised.value.__notes__[-1].startswith("layer 1 (")


def test_directories_that_are_implied_are_limited_and_never_left_out(tmp_path):
    deep = layer(f("a/b/c/d", 0), f("e/f/g", 0))
    assert "nothing-hidden" not in {found[0] for found in told(tmp_path / "one", deep, layer(wh("e")))}
    with pytest.raises(LimitError) as raised:
        linted(tmp_path / "two", deep, layer(wh("e")), limits=Limits(entries=4))
    assert (raised.value.limit, raised.value.seen) == ("entries", 5)


def test_lint_that_is_closed_early_leaves_no_thread(tmp_path):
    before = threading.active_count()
    with open_image(image(tmp_path, layer(wh("a"), f("b" * 5000)), BASE)) as opened:
        found = opened.lint()
        assert next(found).rule == "nothing-hidden"
        found.close()
        assert threading.active_count() == before


def test_lint_changes_no_tree_of_the_image(tmp_path):
    with open_image(image(tmp_path, BASE, layer(wh("b")))) as opened:
        before = opened.tree(1)
        assert list(opened.lint()) == []
        assert opened.tree(1) == before
        assert before.get("b") is not None
