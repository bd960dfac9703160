"""The examples in the docstrings do what they show, and every public name has one."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

import oci_layers
from tests.test_public_api import ROOMS as SNAPSHOT_ROOMS

ROOT = Path(__file__).parent.parent
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
ROOMS = sorted({*SNAPSHOT_ROOMS, *(f"oci_layers.{room}" for room in oci_layers._ROOMS)} - {"oci_layers.cli"})


def session(room):
    """Return the doctest session of a room, which starts with nothing imported."""
    module = importlib.import_module(room)
    return doctest.DocTestParser().get_doctest(module.__doc__, {"__name__": "example"}, room, module.__file__, 0)


def used(examples):
    """Return the names and attributes that examples use; an import alone uses nothing."""
    nodes = [node for example in examples for node in ast.walk(ast.parse(example.source))]
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }


LONG = {"oci_layers.testing.strategies"}
"""Rooms whose examples take long: strategies draw many examples to print one."""


@pytest.mark.parametrize(
    "room", [pytest.param(room, marks=pytest.mark.thorough) if room in LONG else room for room in ROOMS]
)
def test_an_example_prints_what_it_shows(room, monkeypatch):
    monkeypatch.chdir(ROOT)
    printed = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    ran = runner.run(session(room), out=printed.append)
    assert ran.attempted
    assert not ran.failed, "".join(printed)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_in_an_example(room):
    without = set(importlib.import_module(room).__all__) - used(session(room).examples)
    assert not without


def test_the_page_of_the_package_is_short():
    assert len(oci_layers.__doc__.splitlines()) <= 125


def test_the_page_of_the_package_names_each_room_and_each_recipe():
    recipes = {file.name for file in (ROOT / "tests" / "recipes").glob("*.py")} - {"__init__.py", "test_recipes.py"}
    words = set(re.findall(r"[\w.]*\w", oci_layers.__doc__))
    assert not {*oci_layers._ROOMS, *recipes} - words
