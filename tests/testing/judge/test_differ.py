"""A program that makes layers is judged by what its layers make of the old directory."""

import gzip
import os
import sys

import attrs
import pytest

from oci_layers import scan
from oci_layers.errors import MissingError, NameFormatError
from oci_layers.layer import Whiteout, diff
from oci_layers.layer.encode import encode
from oci_layers.tar import DIRECTORY, HARDLINK, SYMLINK, write_tar
from oci_layers.testing.judge import ProgramError, judge_differ
from oci_layers.tree import FileTree
from tests.support.examples import some

pytestmark = pytest.mark.root


def made_by(change=list, compress=bytes):
    """A differ that makes the entries of this library, changed."""

    def differ(old, new, layer):
        entries = change(list(encode(diff(scan(old), scan(new), content="always"))))
        with open(layer, "wb") as file:
            file.write(compress(b"".join(write_tar(entries))))

    return differ


def but(kind, **fields):
    """Entries of which those of a kind have other fields."""
    return lambda entries: [attrs.evolve(each, **fields) if kind(each) else each for each in entries]


def without(kind):
    return lambda entries: [each for each in entries if not kind(each)]


def is_marker(entry):
    return b".wh." in entry.name


def is_file(entry):
    return entry.type == b"0" and not is_marker(entry)


FAULTS = {
    "LYR-13/unexpected": without(is_marker),
    "LYR-13/missing": without(lambda entry: entry.type == SYMLINK),
    "LYR-13/mode": but(is_file, mode=0o600),
    "LYR-13/owner": but(is_file, uid=9),
    "LYR-13/mtime": but(is_file, mtime_ns=10**18),
    "LYR-13/target": but(lambda entry: entry.type == SYMLINK, linkname=b"else"),
    "LYR-13/layer": but(lambda entry: entry.type == HARDLINK, linkname=b"nowhere"),
    "LYR-13/root": but(lambda entry: entry.type == DIRECTORY and entry.name in {b"./", b"/", b"."}, mode=0o700),
}


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_differ_that_is_right_breaks_no_law(compress):
    judgement = judge_differ(made_by(compress=compress), examples=40)
    assert judgement.verdicts == ()
    assert judgement.ok
    assert judgement.generated.passed == judgement.generated.total > 20
    assert judgement.command.endswith("differ(old, new, layer)")


@pytest.mark.parametrize("law", some(FAULTS, every=2))
def test_a_fault_is_the_law_that_it_breaks(law):
    judgement = judge_differ(made_by(FAULTS[law]), examples=100, seed=1)
    verdict = next(each for each in judgement.verdicts if each.id == law)
    assert (verdict.status, verdict.level) == ("failed", "spec")
    assert sum(len(layer.splitlines()) for layer in verdict.layers) <= 4
    assert bool(verdict.made) == (law != "LYR-13/layer" and verdict.actual is not None)


def test_a_layer_that_is_none_is_a_failure_of_the_layer():
    def differ(old, new, layer):
        with open(layer, "wb") as file:
            file.write(b"no tar" if os.listdir(old) else b"".join(write_tar(encode(diff(FileTree(), scan(new))))))

    judgement = judge_differ(differ, examples=30)
    assert "LYR-13/layer" in judgement.laws_broken


def test_a_differ_may_refuse_and_fails():
    def differ(old, new, layer):
        if os.listdir(old):
            raise OSError(13, "no", "old")
        made_by()(old, new, layer)

    judgement = judge_differ(differ, examples=30)
    refused = next(each for each in judgement.verdicts if each.id == "LYR-13/refused")
    assert refused.message == "it refuses: old: no"
    assert judgement.failures == [refused]


def test_layouts_of_both_directories_are_kept(tmp_path):
    judgement = judge_differ(made_by(FAULTS["LYR-13/unexpected"]), examples=60, keep=tmp_path / "keep")
    kept = next(each.kept for each in judgement.verdicts if each.id == "LYR-13/unexpected")
    assert kept == tmp_path / "keep/LYR-13-unexpected/layout"
    assert (kept / "index.json").exists()


def shell(script):
    return f"sh -c '{script}' sh {{old}} {{new}} {{layer}} {{scratch}}"


def test_a_command_is_run_with_both_directories():
    command = f"{sys.executable} -c \"import shutil,sys; open(sys.argv[3],'wb').close()\" {{old}} {{new}} {{layer}}"
    judgement = judge_differ(command, examples=2, shrink_seconds=0.01)
    assert judgement.program == os.path.basename(sys.executable)
    assert judgement.command == command
    tar = shell('tar -C "$2" --xattrs --format=pax -cf "$3" .')
    judgement = judge_differ(tar, examples=10, ignore=["xattrs"], shrink_seconds=0.01)
    assert "LYR-13/missing" not in judgement.laws_broken


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "exit code 3"),
        ("echo no >&2; exit 1", "no"),
        ("true", "it ended well, and there is no layer"),
        ("kill -9 $$", "signal 9 ended it"),
        ("sleep 100", "it was stopped after 1 seconds"),
    ],
)
def test_a_command_that_fails_at_the_simplest_pair_is_not_judged(script, reason):
    with pytest.raises(ProgramError) as caught:
        judge_differ(shell(script), timeout=1)
    assert caught.value.reason == reason


def test_a_command_that_cannot_be_is_refused():
    with pytest.raises(NameFormatError, match=r"there is no \{layer\} in it"):
        judge_differ("sh {old} {new}")
    with pytest.raises(MissingError):
        judge_differ("no-such-program {old} {new} {layer}")


def test_a_marker_of_this_library_is_a_whiteout():
    assert is_marker(next(encode([Whiteout(b"x")])))
