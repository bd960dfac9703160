"""The cases that ship with the package, and the form of them that needs no Python."""

import json
import re
from importlib.resources import files

import pytest

import oci_layers as oci
from oci_layers.errors import StoreError
from oci_layers.rules import RULES
from oci_layers.testing.case_text import parse_cases
from oci_layers.testing.cases import cases, questions, write_cases
from oci_layers.testing.raw import parse_raw, raw_lines
from oci_layers.testing.stack import Stack
from oci_layers.tree import dump, parse
from oci_layers.tree.dump import unescape

DATA = files("oci_layers.testing") / "data"
README = (DATA / "README.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("written") / "cases"
    assert write_cases(directory) == len(cases())
    return directory


def each(chosen):
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case.id)


def test_ids_are_unique_words_under_the_theme_of_their_file():
    ids = [case.id for case in cases()]
    assert len(ids) == len(set(ids))
    assert [each for each in ids if not re.fullmatch("[a-z0-9-]+/[a-z0-9-]+", each)] == []
    themes = {
        file.name.removesuffix(".txt"): list(parse_cases(file.read_text("utf-8")))
        for file in (DATA / "cases").iterdir()
    }
    assert {case.id.partition("/")[0]: name for name, group in themes.items() for case in group} == {
        name: name for name in themes
    }
    assert sum(map(len, themes.values())) == len(ids)


def test_every_rule_of_a_case_is_known_and_every_question_has_a_case():
    named = {rule for case in cases() for rule in case.rules}
    assert named - RULES.keys() - questions().keys() == set()
    assert questions().keys() - named == set()
    assert questions().keys() & RULES.keys() == set()


def test_every_rule_of_whiteouts_and_of_applying_has_a_case_that_the_spec_decides():
    decided = {rule for case in cases() if case.level == "spec" for rule in case.rules}
    for_generators = {"WHT-08"}
    assert {rule for rule in RULES if rule.startswith("WHT-")} - decided == for_generators
    assert {"LYR-06", "LYR-08", "LYR-13", "LYR-14", "LYR-15", "LYR-16"} <= decided


def test_a_case_of_the_spec_names_a_rule_of_the_spec():
    assert [case.id for case in cases() if case.level == "spec" and not set(case.rules) & RULES.keys()] == []


def test_a_sentence_says_where_a_refusal_is_accepted():
    links = [case for case in cases() if None in case.also]
    assert [case.id for case in links if "also be refused" not in case.sentence or case.level != "spec"] == []


@each(cases())
def test_what_is_expected_is_what_the_default_policy_makes(case):
    outcome = case.outcomes["default"]
    assert outcome.tree is case.expected
    assert (outcome.refusal is None) is (case.expected is not None)


@each(cases())
def test_a_sentence_is_one_and_ends(case):
    assert case.sentence[0].isupper() or case.sentence[0] in "`4"
    assert case.sentence.endswith(".")


@each([case for case in cases() if case.stack is not None])
def test_layers_in_the_notation_are_written_as_they_are_read(case):
    assert str(case.stack) == case.text
    assert tuple(Stack.parse(str(case.stack)).tars()) == case.layers


@each([case for case in cases() if case.stack is None])
def test_layers_of_bytes_are_written_as_they_are_read(case):
    parts = re.split(r"^layer ?", case.text, flags=re.MULTILINE)[1:]
    for part, layer in zip(parts, case.layers, strict=True):
        if part.startswith("raw\n"):
            lines = part.removeprefix("raw\n").splitlines()
            assert lines == [f"    {line}" for line in raw_lines(layer)]
            assert parse_raw("\n".join(lines)) == layer


def test_the_page_shows_a_case_that_is_there():
    (shown,) = parse_cases(re.search("    case: .*?\n\n", README, re.DOTALL)[0].replace("\n    ", "\n").strip())
    case = next(case for case in cases() if case.id == shown.id)
    assert (shown.rules, shown.level, shown.sentence, shown.text) == (case.rules, case.level, case.sentence, case.text)
    assert dump(shown.expected) == dump(case.expected)


@pytest.mark.thorough
def test_the_written_form_is_the_same_bytes_each_time(written, tmp_path):
    write_cases(tmp_path)

    def content(root):
        return {file.relative_to(root): file.read_bytes() for file in root.rglob("*") if file.is_file()}

    assert content(tmp_path) == content(written)


def test_the_written_form_has_the_page_and_a_list(written):
    assert (written / "README.txt").read_text() == README
    listed = json.loads((written / "cases.json").read_text())
    assert [each["id"] for each in listed] == [case.id for case in cases()]
    assert listed == [json.loads((written / case.id / "case.json").read_text()) for case in cases()]


@each(cases())
def test_a_written_case_has_a_layout_and_what_must_come_out(case, written):
    directory = written / case.id
    facts = json.loads((directory / "case.json").read_text())
    assert (facts["id"], facts["level"], facts["sentence"]) == (case.id, case.level, case.sentence)
    assert list(facts["rules"]) == list(case.rules)
    assert all(facts["rules"].values())
    assert (directory / "layers.txt").read_text() == case.text + "\n"
    trees = [None if name == "refused" else parse((directory / name).read_text()) for name in facts["accepted"]]
    assert [tree and dump(tree) for tree in trees] == [tree and dump(tree) for tree in case.accepted]
    assert {file.name for file in directory.iterdir()} == {"layout", "layers.txt", "case.json", *facts["accepted"]} - {
        "refused"
    }
    open_paths = [unescape(path) for paths in facts["unspecified"].values() for path in paths]
    assert [path for path in open_paths if all(tree is None or tree.get(path) is None for tree in trees)] == []
    with oci.open_image(f"oci:{directory / facts['layout']}:{facts['reference']}") as image:
        if case.expected is None:
            with pytest.raises(oci.OCIError):
                image.tree()
        else:
            assert dump(image.tree()) == (directory / "expected.txt").read_text()


@pytest.mark.parametrize("make", ["file", "full"])
def test_a_place_that_is_taken_is_refused_and_kept(make, tmp_path):
    place = tmp_path / "place"
    if make == "full":
        place.mkdir()
    kept = place / "kept" if make == "full" else place
    kept.write_text("x")
    with pytest.raises(StoreError, match="not an empty directory"):
        write_cases(place)
    assert kept.read_text() == "x"
    assert len(list(tmp_path.rglob("*"))) == (2 if make == "full" else 1)


def test_an_interrupted_writer_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("oci_layers.testing.cases.write_layers", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_cases(tmp_path / "cases")
    assert list(tmp_path.iterdir()) == []
