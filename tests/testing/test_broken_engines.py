"""An engine that breaks a rule, for each rule: the cases find it, and so do generated stacks, shrunk.

Each broken engine is this library's with one line changed (two, where one line cannot break the rule alone).
"""

import io
from random import Random

import attrs
import pytest
from hypothesis import HealthCheck, Phase, find, settings

from oci_layers.layer import whiteout
from oci_layers.layer.apply import Application
from oci_layers.layer.decode import Decoder, _device, _directory, _file, _symlink
from oci_layers.tar import Pieces, read_tar
from oci_layers.testing.cases import cases
from oci_layers.tree.editor import TreeEditor, check_link, copy_attributes
from oci_layers.tree.path import _clean_slowly
from oci_layers.tree.resolve import resolve
from tests.support.breaking import Fault, break_functions
from tests.support.examples import some
from tests.support.facts import REFUSED, actual, expected, facts
from tests.support.stacks import quick_stacks

FAULTS = {
    # Whiteouts.
    "WHT-01 whiteouts are ignored": [Fault(Application.remove, "self.whiteout(directory, name)", "pass")],
    "WHT-02 a whiteout of a directory that is not empty is ignored": [
        Fault(Application.whiteout, "or node is None:", "or node is None or getattr(node, 'children', None):")
    ],
    "WHT-02 a whiteout removes all names of a file": [
        Fault(
            Application.whiteout,
            "self.merge.drop(here, name)",
            "[self.merge.drop(self.merge.known_directory(each.rpartition(b'/')[0]), each.rpartition(b'/')[2])"
            " for each in self.tree.link_names(getattr(node, 'inode', 0)) or [resolved]]",
        )
    ],
    "WHT-03 a marker may remove nothing": [Fault(whiteout.parse_whiteout, 'if hidden in {b"", b".", b".."}:', "if 0:")],
    "WHT-04 a directory may have the name of a marker": [Fault(whiteout._in_marker, "return ", "return False and ")],
    "WHT-04 look-alikes are markers": [
        Fault(whiteout.is_marker, "startswith(PREFIX)", "count(PREFIX)"),
        Fault(whiteout.parse_whiteout, "if not name.startswith(PREFIX):", "if PREFIX not in name:"),
    ],
    "WHT-05 markers are files": [Fault(whiteout.parse_whiteout, "if not name.startswith(PREFIX):", "if True:")],
    "WHT-06 a whiteout removes what its own layer has added": [
        Fault(Application.whiteout, "if resolved not in self.upper:", "if True:")
    ],
    "WHT-09 opaque markers are ignored": [Fault(Application.remove, "self.opaque(directory)", "pass")],
    "WHT-09 an opaque marker removes the directory": [
        Fault(Application.remove, "self.opaque(directory)", "directory and self.whiteout(*parent_and_name(directory))")
    ],
    "WHT-09 an opaque marker spares what is in other directories": [
        Fault(
            Application.clear,
            "if name not in names:",
            "if name not in names and not isinstance(here.directory.children[name], Directory):",
        )
    ],
    "WHT-11 an opaque marker removes what its own layer has added": [
        Fault(Application.clear, "if name not in names:", "if True:")
    ],
    "WHT-11 an opaque marker counts only before what its own layer adds": [
        Fault(Application.opaque, "if here is not None:", "if here is not None and directory not in self.upper:")
    ],
    "WHT-12 a directory that is removed and added keeps its children": [
        Fault(Application.whiteout, "self.clear(below)", "pass")
    ],
    "EDGE-30 a directory that is removed and implied keeps its attributes": [
        Fault(Application.forget_lower, "if here.path not in self.described:", "if False:")
    ],
    "EDGE-12f markers are not led through links": [
        Fault(TreeEditor.resolve, "follow=self._follow, follow_last=self._follow", "follow=False, follow_last=False")
    ],
    "EDGE-12f markers are led through the links of their own layer": [
        Fault(Application.remove, "self.lower.root", "self.tree.root")
    ],
    "EDGE-12f a marker is led through a link that its layer has replaced": [
        Fault(Application.remove, "elif not any(link in self.upper for link in found.followed):", "else:")
    ],
    "EDGE-23 a whiteout of a marker is refused": [
        Fault(whiteout.aufs_artifact, 'return "whiteout-of-marker"', "raise WhiteoutError(path, name)")
    ],
    "AUF-05 what is below a leftover of AUFS is refused": [
        Fault(whiteout.aufs_artifact, "if first in _AUFS_NAMES:", "if path in _AUFS_NAMES:")
    ],
    # Directories over directories.
    "LYR-15 the mode of a directory stays": [Fault(copy_attributes, "directory.mode = node.mode", "pass")],
    "LYR-15 the owner of a directory stays": [Fault(copy_attributes, "directory.uid = node.uid", "pass")],
    "LYR-15 the time of a directory stays": [Fault(copy_attributes, "directory.mtime_ns = node.mtime_ns", "pass")],
    "LYR-15 the xattrs of a directory are added": [
        Fault(
            copy_attributes,
            "= node.xattrs",
            "= {**(not node.implicit and directory.xattrs or {}), **node.xattrs}",
        )
    ],
    "LYR-15 a directory in place of another is empty": [
        Fault(TreeEditor.put, "if isinstance(old, Directory):", "if False:")
    ],
    "EDGE-16 the entry of the root is ignored": [Fault(Application.add, "self.merge.describe_root(node)", "pass")],
    "EDGE-11 parents lose the attributes that they have": [
        Fault(
            TreeEditor.open_parent,
            "here = self._own(found)",
            "here = self._own(found); copy_attributes(here.directory, implicit_directory(0))",
        )
    ],
    # Anything else over anything else.
    "LYR-16 a file is not put in place of a directory with children": [
        Fault(
            Application.add,
            "self.merge.put(",
            "(not isinstance(node, Directory) and getattr(here.directory.children.get(name), 'children', None))"
            " or self.merge.put(",
        )
    ],
    "LYR-16 a directory is not put in place of a link": [
        Fault(TreeEditor.put, "node.token = self.tree.token", "if isinstance(old, Symlink): return")
    ],
    "LYR-16 a directory is not put in place of a file": [
        Fault(TreeEditor.put, "node.token = self.tree.token", "if isinstance(old, File): return")
    ],
    "LYR-16 a file is written into the old one, under all its names": [
        Fault(
            TreeEditor.put,
            "node.inode = self.tree.new_inode()",
            "[self.tree.at(parent_and_name(each)[0]).children.update({parent_and_name(each)[1]: node})"
            " for each in self.tree.link_names(getattr(old, 'inode', 0))]; node.inode = self.tree.new_inode()",
        )
    ],
    "EDGE-15 the first entry of a name stays": [
        Fault(
            Application.add,
            "here, name = self.enter(path)",
            "here, name = self.enter(path); again = name in (self.upper.within(here.path) or ())",
        ),
        Fault(Application.add, "self.merge.put(", "again or self.merge.put("),
    ],
    # Links in paths.
    "EDGE-12 links in paths are replaced": [
        Fault(TreeEditor._resolve, "follow=self._follow, follow_last=follow_last", "follow=False, follow_last=False")
    ],
    "EDGE-12 absolute links are relative": [Fault(resolve, 'drive_depth(names, drives or (b"",))', "len(names)")],
    "EDGE-12 links are followed from the root": [Fault(resolve, 'if target.startswith(b"/"):', "if True:")],
    "EDGE-12c a link that climbs is refused": [
        Fault(Application.report_climbing_link, "self.", "raise LayerError(link, ''); self.")
    ],
    "EDGE-10 a file is not used as a directory": [
        Fault(TreeEditor._imply, "self.drop(here, name)", "raise LinkError(path, '')")
    ],
    "EDGE-11 missing parents are refused": [
        Fault(TreeEditor._imply, "path = join", "raise LinkError(name, ''); path = join")
    ],
    # Hard links.
    "LYR-08 a hard link is a copy": [
        Fault(
            TreeEditor.link,
            "here.directory.children[name] = node",
            "here.directory.children[name] = attrs.evolve(node, inode=self.tree.new_inode())",
        )
    ],
    "EDGE-13 a hard link gives its file what its header has": [
        Fault(
            Decoder.change, "if kind == HARDLINK:", "if kind == HARDLINK and setattr(Link, 'mode', entry.mode) is None:"
        ),
        Fault(
            Application.link,
            "self.merge.link(target, here, name)",
            "self.merge.link(target, here, name); self.merge.change(join(here.path, name), mode=Link.mode)",
        ),
    ],
    "EDGE-14 a hard link to a symlink follows it": [
        Fault(
            Application.find,
            "self.merge.find(change.target)",
            "self.merge.find(self.merge._resolve(change.target, follow_last=True).path)",
        )
    ],
    "EDGE-14b a hard link to nothing is left out": [Fault(Application.link, "raise _no_target(change)", "return")],
    "EDGE-14e a hard link to itself is left out": [
        Fault(check_link, "if target == path:", "if False:"),
    ],
    "EDGE-14e a hard link replaces the directory of its target": [
        Fault(check_link, 'if target.startswith(path + b"/"):', "if False:")
    ],
    # Entries.
    "LYR-06 the mode loses its upper bits": [Fault(_file, "0o7777", "0o777")],
    "LYR-06 uid and gid change places": [Fault(Decoder.owner, "return uid, gid", "return gid, uid")],
    "LYR-06 times are whole seconds": [Fault(_file, "entry.mtime_ns", "entry.mtime_ns // 10**9 * 10**9")],
    "LYR-06 directories have no time": [Fault(_directory, "entry.mtime_ns", "0")],
    "LYR-06 xattrs of files are lost": [Fault(_file, "entry.xattrs", "{}")],
    "LYR-06 the target of a link is cleaned": [Fault(_symlink, "0, entry.linkname", "0, clean(entry.linkname)")],
    "ATT-11 the numbers of a device change places": [Fault(_device, "major, minor = ", "minor, major = ")],
    "EDGE-17 names are not cleaned": [Fault(_clean_slowly, 'if part in {b"", b"."}:', "if False:")],
    "EDGE-18 names that climb are held at the root": [Fault(_clean_slowly, "elif not clamp:", "elif False:")],
    "EDGE-32 unknown types are left out": [Fault(Decoder.unknown, "raise LayerError(path, reason)", "return")],
    "EDGE-33 a global header is an entry": [Fault(Decoder.change, "if kind == GLOBAL:", "if False:")],
    "EDGE-37 any number is an owner": [Fault(Decoder.owner, "if not (", "if False and not (")],
}


def kept(entry):
    """An entry whose content can be read again."""
    return attrs.evolve(entry, content=Pieces([bytes(piece) for piece in entry.pieces()]))


CASES = [
    (
        [[kept(entry) for entry in read_tar(io.BytesIO(layer))] for layer in case.layers],
        REFUSED if case.outcomes["default"].tree is None else facts(case.outcomes["default"].tree),
    )
    for case in cases()
]


def made(stack):
    """What an engine makes that may be broken, and may break down."""
    try:
        return actual(stack)
    except (AssertionError, AttributeError, KeyError, IndexError, TypeError, RecursionError) as error:
        return type(error)


each_fault = pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
some_faults = some(FAULTS, every=12, ci=2)


def test_the_cases_find_nothing_in_an_engine_that_is_not_broken():
    assert [stack for stack, wanted in CASES if made(stack) != wanted] == []


@each_fault
def test_the_cases_find_a_broken_rule(faults, monkeypatch):
    break_functions(monkeypatch, faults)
    assert any(made(stack) != wanted for stack, wanted in CASES)


FINDING = settings(
    max_examples=20_000,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@pytest.mark.thorough
@pytest.mark.parametrize("name", some_faults)
def test_a_small_generated_stack_finds_a_broken_rule(name, monkeypatch):
    break_functions(monkeypatch, FAULTS[name])
    stacks = quick_stacks(size=5, layers=3)
    stack = find(stacks, lambda stack: made(stack) != expected(stack), settings=FINDING, random=Random(1))
    assert len(stack) <= 2
    assert all(len(layer) <= 3 for layer in stack)
