"""The table of layer rules, over every way of applying layers: in memory, on disk by root and by a user, flattened."""

import io
import os
import stat
import tempfile

import pytest

from oci_layers.disk import scan
from oci_layers.errors import OCIError
from oci_layers.tar import HARDLINK, read_tar
from oci_layers.tree import Device, Directory, File, Symlink, dump
from tests.conformance.cases import EDGE_IDS, ROWS, tree
from tests.support.process import USER, as_user
from tests.support.trees import flattened, merged, mirrored

OWN_ROWS = [row for row in ROWS if row.own]
TREES = [row for row in OWN_ROWS if row.outcome.tree is not None]


def each(rows):
    return pytest.mark.parametrize("row", rows, ids=[row.id for row in rows])


def found(findings):
    return [(finding.rule, finding.location.path) for finding in findings]


def facts(error):
    """What an error says: its exact type, the path, and the whole sentence."""
    return type(error), getattr(error, "path", b""), str(error)


def check_error(expected, actual):
    kind, path, sentence = facts(actual)
    assert (kind, path) == (expected.type, expected.path)
    assert expected.reason in sentence


@pytest.fixture
def directory():
    """An empty directory that anyone can reach."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        root = os.path.join(name, "root")
        os.mkdir(root, 0o700)
        yield root


def test_every_edge_case_has_a_row():
    names = {row.id.rpartition("-")[0].partition("/")[0] for row in ROWS}
    assert [edge for edge in EDGE_IDS.split() if f"EDGE-{edge}" not in names] == []


def test_ids_are_unique():
    ids = [row.id for row in ROWS]
    assert len(ids) == len(set(ids))


@each(ROWS)
def test_in_memory(row):
    findings = []
    if row.outcome.error is None:
        assert dump(merged(*row.layers, policy=row.policy, on_finding=findings.append)) == dump(tree(row.outcome.tree))
    else:
        with pytest.raises(OCIError) as caught:
            merged(*row.layers, policy=row.policy, on_finding=findings.append)
        check_error(row.outcome.error, caught.value)
    assert found(findings) == row.outcome.found


@pytest.mark.root
@each(OWN_ROWS)
def test_on_disk_as_root(row, directory):
    if row.outcome.error is None:
        made, report = mirrored(directory, *row.layers, policy=row.policy)
        assert dump(made) == dump(tree(row.outcome.tree))
        assert dump(scan(directory)) == dump(tree(row.disk or row.outcome.tree))
        assert found(report.findings) == row.outcome.found
        assert [(each.what, each.path) for each in report.skipped] == row.skipped
    else:
        with pytest.raises(OCIError) as caught:
            mirrored(directory, *row.layers, policy=row.policy)
        check_error(row.outcome.error, caught.value)


@each(TREES)
def test_flattened(row):
    made = merged(*row.layers, policy=row.policy)
    assert dump(merged(flattened(made))) == dump(made)


@pytest.mark.root
@each(OWN_ROWS)
def test_on_disk_as_a_user(row, directory):
    os.chown(directory, USER, USER)
    outcome = as_user(lambda: unpacked(directory, row))
    if row.outcome.error is None:
        findings, skipped = outcome
        wanted, missed = within_reach(tree(row.outcome.tree))
        assert lines(scan(directory)) == wanted
        assert findings == row.outcome.found
        if any(entry.type == HARDLINK for layer in row.layers for entry in read_tar(io.BytesIO(layer))):
            missed, skipped = kinds(missed), kinds(skipped)  # the report has one name of each file
        assert missed <= skipped
    else:
        kind, path, sentence = outcome
        assert (kind, path) == (row.outcome.error.type, row.outcome.error.path)
        assert row.outcome.error.reason in sentence


def kinds(missed):
    return {what for what, _ in missed}


def unpacked(directory, row):
    """Mirror a row and say what came of it, in values that another process can read."""
    try:
        _, report = mirrored(directory, *row.layers, policy=row.policy)
    except OCIError as error:
        return facts(error)
    return found(report.findings), {(each.what, each.path) for each in report.skipped}


def lines(made):
    """A tree as lines without owners."""
    return [[part for index, part in enumerate(line.split()) if index != 3] for line in dump(made).splitlines()]


def within_reach(made):
    """What an ordinary user can have of a tree, as lines, and what is reported of the rest."""
    missed = set()
    leaders = {}
    for path, node in list(made.walk()):
        first = isinstance(node, Directory) or leaders.setdefault(node.inode, path) == path
        if isinstance(node, Device) and (node.kind, node.major, node.minor) != ("char", 0, 0):  # which anyone may make
            missed.add(("device" if first else "link", path))
            parent, _, name = path.rpartition(b"/")
            del made.get(parent).children[name]
        elif first:
            missed.add(("owner", path))
            missed |= {("xattr", path) for key in node.xattrs if not key.startswith((b"user.", b"trusted.overlay."))}
            node.xattrs = {key: node.xattrs[key] for key in node.xattrs if settable(node, key)}
            if not isinstance(node, Symlink):
                node.mode &= ~(stat.S_ISUID | stat.S_ISGID)
    return lines(made), missed


def settable(node, key):
    return isinstance(node, File | Directory) and key.startswith(b"user.") and not key.startswith(b"user.overlay.")
