"""The written cases are images for other programs: umoci unpacks those that the spec decides, and agrees with them."""

import subprocess

import pytest

from oci_layers.testing.cases import cases, write_cases
from oci_layers.tree import Directory, dump, parse
from tests.support.peers import scan

DECIDED = [case for case in cases() if case.level == "spec" and case.expected is not None]

REFUSED = {"parents/a-file-below-a-file-removed-later"}
"""What umoci refuses, though the spec decides: it acts on the whiteout only when it comes to it."""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("written") / "cases"
    write_cases(directory)
    return directory


def comparable(tree, case):
    """A listing without the times of directories, which umoci changes, and what the spec leaves open."""
    copy = parse(dump(tree))
    for path, node in copy.walk():
        if isinstance(node, Directory):
            node.mtime_ns = 0
            if path in case.implied:
                node.mode, node.uid, node.gid, node.xattrs = 0, 0, 0, {}
    return dump(copy)


@pytest.mark.root
@pytest.mark.peer("umoci")
@pytest.mark.parametrize("case", DECIDED, ids=lambda case: case.id)
def test_umoci_makes_what_a_case_of_the_spec_expects(case, written, tmp_path):
    image, bundle = f"{written / case.id / 'layout'}:case", tmp_path / "bundle"
    done = subprocess.run(["umoci", "unpack", "--image", image, bundle], capture_output=True, text=True, check=False)
    if case.id in REFUSED:
        assert "not a directory" in done.stderr
        return
    assert (done.returncode, done.stderr) == (0, "")
    made = comparable(scan(bundle / "rootfs"), case)
    assert made in [comparable(tree, case) for tree in case.accepted if tree is not None]
