import io

import pytest

from oci_layers.lint import lint
from oci_layers.lint.windows import base_faults, child_of, windows_fault
from oci_layers.tar import read_tar
from oci_layers.tree import FileTree
from tests.support.layers import d, f, sym, tar
from tests.support.windows import BASE, windir, windows_tree, winfile

CONFIG = [f"Files/Windows/System32/config/{name}" for name in ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT")]
BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"


def faults(*layer):
    return [(path.decode(), detail) for path, detail in base_faults(windows_tree(layer))]


def test_a_base_has_five_hives_in_any_case_which_may_be_empty():
    assert faults(*BASE) == []
    assert faults(*(f(path.lower().replace("files", "Files")) for path in CONFIG)) == []


@pytest.mark.parametrize("missing", CONFIG)
def test_each_hive_that_is_missing_is_named(missing):
    rest = [f(path) for path in CONFIG if path != missing]
    assert faults(*rest) == [(missing, "a hive of the registry is missing")]
    assert faults(*rest, d(missing)) == [(missing, "a hive of the registry is no file")]


def test_a_base_without_files_lacks_all_of_it():
    assert faults(windir("Hives")) == [
        ("Files", "there is no directory Files"),
        *((path, "a hive of the registry is missing") for path in CONFIG),
    ]


def test_a_utility_virtual_machine_has_a_boot_configuration_that_is_a_file():
    detail = "the boot configuration of the utility virtual machine"
    assert faults(*BASE, windir("UtilityVM/Files")) == [(BCD, f"{detail} is missing")]
    assert faults(*BASE, windir("UtilityVM/Files"), sym(BCD, "x")) == [(BCD, f"{detail} is no file")]
    assert faults(*BASE, winfile(BCD)) == []
    assert faults(*BASE, windir("UtilityVM")) == []


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (b"Files/a", None),
        (b"Hives", None),
        (b"", None),
        (b"UtilityVM/Files/x", None),
        (b"Filesystem/a", "windows-root"),
        (b"bcd.bak", "windows-root"),
        (b"Files/a\\b", "windows-path"),
        (b"C:/a", "windows-path"),
    ],
)
def test_a_path_is_below_one_of_the_roots(path, rule):
    found = windows_fault(path, is_file=True)
    assert (found and found[0]) == rule


def test_a_name_of_a_directory_is_found_in_any_case():
    files = windows_tree(BASE).require("Files")
    assert child_of(files, b"WINDOWS") is child_of(files, b"Windows") is not None
    assert child_of(files, b"none") is None


def test_a_parent_that_a_layer_lacks_is_named_in_any_case():
    layer = [windir("Files"), winfile("Files/Windows/inf/a"), winfile("files/WINDOWS/x")]
    found = lint(read_tar(io.BytesIO(tar(*layer))), lower=FileTree(windows=True), windows=True)
    assert [each.location.path for each in found if each.rule == "missing-parent"] == [
        *(b"Files/Windows", b"Files/Windows/inf", b"files", b"files/WINDOWS")
    ]
