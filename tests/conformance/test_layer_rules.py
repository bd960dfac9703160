"""The cases of layer rules, over every way of applying layers: in memory, on disk by root and by a user, flattened."""

import io
import os
import stat
import tempfile

import attrs
import pytest

from oci_layers.disk import scan
from oci_layers.errors import OCIError
from oci_layers.layer import Policy
from oci_layers.tar import HARDLINK, read_tar
from oci_layers.testing.case import Outcome
from oci_layers.testing.cases import cases
from oci_layers.tree import Device, Directory, File, FileTree, Symlink, dump, parse
from tests.support.process import USER, asking_user
from tests.support.trees import flattened, merged, mirrored

POLICIES = {
    "default": Policy(),
    "strict": Policy.preset("strict"),
    "lenient": Policy.preset("lenient"),
    "replace": Policy(parents="replace"),
}


@attrs.frozen
class Row:
    """One case under one policy. `own` rows say something that the default row of their case does not."""

    id: str
    policy: Policy
    layers: tuple[bytes, ...]
    outcome: Outcome
    disk: FileTree | None
    skipped: list[tuple[str, bytes]]
    own: bool


def rows():
    for case in cases():
        for name, policy in POLICIES.items():
            own = name in case.outcomes
            if own or name != "replace":
                outcome = case.outcomes.get(name, case.outcomes["default"])
                disk = case.disk or outcome.tree
                yield Row(f"{case.id}-{name}", policy, case.layers, outcome, disk, list(case.skipped), own)


ROWS = list(rows())
OWN_ROWS = [row for row in ROWS if row.own]
TREES = [row for row in OWN_ROWS if row.outcome.tree is not None]


def each(rows):
    return pytest.mark.parametrize("row", rows, ids=[row.id for row in rows])


def found(findings):
    return tuple((finding.rule, finding.location.path) for finding in findings)


def facts(error):
    """What an error says: its exact type, the path, and the whole sentence."""
    return type(error), getattr(error, "path", b""), str(error)


def check_error(expected, actual):
    kind, path, sentence = facts(actual)
    assert (kind, path) == (expected.error, expected.path)
    assert expected.reason in sentence


@pytest.fixture
def directory():
    """An empty directory that anyone can reach."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        root = os.path.join(name, "root")
        os.mkdir(root, 0o700)
        yield root


@each(ROWS)
def test_in_memory(row):
    findings = []
    if row.outcome.refusal is None:
        assert dump(merged(*row.layers, policy=row.policy, on_finding=findings.append)) == dump(row.outcome.tree)
    else:
        with pytest.raises(OCIError) as caught:
            merged(*row.layers, policy=row.policy, on_finding=findings.append)
        check_error(row.outcome.refusal, caught.value)
    assert found(findings) == row.outcome.findings


@pytest.mark.root
@each(OWN_ROWS)
def test_on_disk_as_root(row, directory):
    if row.outcome.refusal is None:
        made, report = mirrored(directory, *row.layers, policy=row.policy)
        assert dump(made) == dump(row.outcome.tree)
        assert dump(scan(directory)) == dump(row.disk)
        assert found(report.findings) == row.outcome.findings
        assert [(each.what, each.path) for each in report.skipped] == row.skipped
    else:
        with pytest.raises(OCIError) as caught:
            mirrored(directory, *row.layers, policy=row.policy)
        check_error(row.outcome.refusal, caught.value)


@each(TREES)
def test_flattened(row):
    made = merged(*row.layers, policy=row.policy)
    assert dump(merged(flattened(made))) == dump(made)


@pytest.fixture(scope="module")
def user():
    """A function that unpacks the row of an id into a directory as an ordinary user."""
    rows = {row.id: row for row in OWN_ROWS}
    with asking_user(lambda directory, id_: unpacked(directory, rows[id_])) as ask:
        yield ask


@pytest.mark.root
@each(OWN_ROWS)
def test_on_disk_as_a_user(row, directory, user):
    os.chown(directory, USER, USER)
    outcome = user(directory, row.id)
    if row.outcome.refusal is None:
        findings, skipped = outcome
        wanted, missed = within_reach(parse(dump(row.outcome.tree)))
        assert lines(scan(directory)) == wanted
        assert findings == row.outcome.findings
        if any(entry.type == HARDLINK for layer in row.layers for entry in read_tar(io.BytesIO(layer))):
            missed, skipped = kinds(missed), kinds(skipped)  # the report has one name of each file
        assert missed <= skipped
    else:
        kind, path, sentence = outcome
        assert (kind, path) == (row.outcome.refusal.error, row.outcome.refusal.path)
        assert row.outcome.refusal.reason in sentence


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
