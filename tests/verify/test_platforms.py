"""What an entry says that its target runs on, against what the target says."""

import pytest

from oci_layers.spec.config import ImageConfig, RootFS
from oci_layers.spec.platform import Platform
from oci_layers.verify.platforms import compare_with_config, compare_with_several, normal, pair, platform_of


def config(**fields):
    return ImageConfig(**{"os": "linux", "architecture": "arm64"} | fields, rootfs=RootFS(type="layers", diff_ids=()))


def entry(os="linux", architecture="arm64", **fields):
    return Platform(os=os, architecture=architecture, **fields)


@pytest.mark.parametrize(
    ("said", "found", "expected"),
    [
        (entry(), config(), []),
        (entry(architecture="aarch64"), config(), []),
        (entry(variant="v8"), config(), []),
        (entry(), config(variant="v8"), []),
        (entry(variant="v9"), config(variant="v8"), [("IDX-12", "warning")]),
        (entry(os_version="1"), config(), []),
        (entry(os_version="1"), config(os_version="2"), [("IDX-10", "warning")]),
        (entry(os_version="1", variant="v8"), config(os_version="2", variant="v9"), ["IDX-10", "IDX-12"]),
        (entry(os="windows", os_version="1"), config(os_version="2"), [("IDX-09", "error")]),
        (entry(architecture="arm"), config(), [("IDX-09", "error")]),
    ],
)
def test_an_entry_and_a_config_differ_where_both_say_something(said, found, expected):
    differences = [(rule, severity) for rule, severity, _ in compare_with_config(said, found)]
    assert differences == [(each, "warning") if isinstance(each, str) else each for each in expected]


def test_what_differs_is_shown_in_one_printable_line():
    messages = [message for _, _, message in compare_with_config(entry(os_version="\x1b"), config(os_version="2"))]
    assert messages == ["has os.version \\x1b, but 2 in the config of"]
    assert compare_with_config(entry(os="l\n"), config())[0][2] == "is l\\x0a/arm64, but linux/arm64 in the config of"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ([], []),
        ([entry(variant="v9")], []),
        ([entry(architecture="arm")], ["error"]),
        ([entry(architecture="arm"), entry()], ["warning"]),
        ([entry(), entry(os="windows"), entry(architecture="arm")], ["warning"]),
    ],
)
def test_an_entry_and_an_index_differ_if_an_image_in_it_is_for_something_else(inside, expected):
    found = compare_with_several(entry(architecture="aarch64"), {pair(each): each for each in inside})
    assert [severity for _, severity, _ in found] == expected


def test_a_platform_is_compared_in_the_names_of_go_and_as_it_stands_where_it_has_no_name():
    assert normal(entry(os="macos", architecture="x86_64", os_version="1")) == entry("darwin", "amd64")
    assert normal(entry(os="a b", variant="")) == entry("a b", variant="")
    assert platform_of(config(variant="v8", os_features=("x",))) == entry(variant="v8", os_features=("x",))
