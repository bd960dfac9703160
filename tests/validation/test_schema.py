"""The JSON Schemas: what anyone may rely on, and what they say of documents that break one rule."""

import itertools
import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from referencing import Registry, Resource

import oci_layers
from oci_layers.errors import LimitError, Problem, UnsupportedError
from oci_layers.limits import Limits
from oci_layers.spec.mediatype import DOCKER_CONFIG, OCI_CONFIG, OCI_DESCRIPTOR, OCI_EMPTY, OCI_LAYOUT, OCI_MANIFEST
from oci_layers.validation import schema as schema_module
from oci_layers.validation.schema import SchemaName, schema, schema_errors
from tests.support.documents import CONFIG, DESCRIPTOR, GOOD, MANIFEST, changed, dumped

NAMES = get_args(SchemaName)
FOLDER = Path(__file__).parents[2] / "schemas"


def properties(node, name=""):
    """Yield every named property of a schema, wherever it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties":
                yield from value.items()
            yield from properties(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from properties(item, name)


def values(node, wanted):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == wanted and isinstance(value, str))
    if isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from values(item, wanted)


def test_the_folder_has_one_schema_for_each_name():
    assert {file.stem for file in FOLDER.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_has_a_stable_id(name):
    loaded = schema(name)

    jsonschema.Draft202012Validator.check_schema(loaded)
    assert loaded["$id"] == f"https://oci-layers.example/schemas/1/{name}.json"
    assert loaded["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert loaded["title"]
    assert loaded == json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_every_property_is_described_with_its_section_of_the_spec(name):
    found = list(properties(schema(name)))

    assert found
    for key, value in found:
        assert re.search(r" \(([a-z-]+\.md|Docker's own)", value["description"]), key


def test_a_pattern_holds_for_a_whole_text_in_every_language():
    """`$` stands before a newline too in Python, so what may not hold one says so; the others begin a condition."""
    for pattern in itertools.chain.from_iterable(values(schema(name), "pattern") for name in NAMES):
        assert pattern == "\n" or pattern.startswith("^")
        assert pattern == "\n" or pattern.endswith(("$", ":"))


def test_the_schemas_serve_any_validator_without_this_package():
    code = (
        "import json, pathlib, sys, jsonschema, referencing\n"
        "every = [json.loads(file.read_bytes()) for file in pathlib.Path(sys.argv[1]).glob('*.json')]\n"
        "made = [(each['$id'], referencing.Resource.from_contents(each)) for each in every]\n"
        "manifest = next(each for each in every if each['$id'].endswith('/manifest.json'))\n"
        "kind = jsonschema.Draft202012Validator\n"
        "check = kind(manifest, registry=referencing.Registry().with_resources(made))\n"
        "print(len(list(check.iter_errors(json.loads(sys.argv[2])))), len(list(check.iter_errors({}))))\n"
        "assert not any(name.startswith('oci_layers') for name in sys.modules)\n"
    )
    command = [sys.executable, "-I", "-c", code, str(FOLDER), json.dumps(MANIFEST)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert printed.split() == ["0", "3"]


def test_a_newline_at_the_end_is_refused_by_a_plain_validator():
    registry = Registry().with_resources((schema(name)["$id"], Resource.from_contents(schema(name))) for name in NAMES)
    plain = jsonschema.Draft202012Validator(schema("descriptor"), registry=registry)

    assert plain.is_valid(DESCRIPTOR)
    for name in ["mediaType", "digest", "artifactType"]:
        assert not plain.is_valid({"artifactType": "a/b"} | DESCRIPTOR | {name: DESCRIPTOR.get(name, "a/b") + "\n"})


def test_an_installed_package_has_the_schemas_inside(tmp_path, monkeypatch):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "layout.json").write_text('{"from": "the package"}')
    monkeypatch.setattr(resources, "files", lambda _package: tmp_path)

    assert schema("layout") == {"from": "the package"}


@pytest.mark.parametrize("media_type", [*GOOD, DOCKER_CONFIG])
def test_a_good_document_is_valid(media_type):
    assert schema_errors(dumped(GOOD.get(media_type, CONFIG)), media_type) == ()


def test_all_violations_are_found_with_their_places():
    broken = {"mediaType": "x", "size": 1.0, "urls": ["https://a", "b"], "annotations": {"a/b": 1}}

    assert schema_errors(dumped(broken), OCI_DESCRIPTOR) == (
        Problem("/annotations/a~1b", "does not fit `type` of the schema"),
        Problem("/digest", "is required"),
        Problem(
            "/mediaType",
            "does not fit `pattern` of the schema: TYPE/SUBTYPE after RFC 6838 section 4.2, without parameters. "
            "(descriptor.md, `mediaType`)",
        ),
        Problem(
            "/size",
            "does not fit `type` of the schema: The number of bytes of the content as stored; an integer of 64 bits, "
            "written without fraction or exponent. (descriptor.md, `size`)",
        ),
        Problem("/urls/1", "does not fit `format` of the schema"),
    )


def test_a_document_that_is_not_json_has_the_problems_of_its_json():
    assert schema_errors(b'{"a":1,"a":1}', OCI_LAYOUT) == (Problem("/a", "name is repeated in its object"),)


def test_a_date_that_is_no_string_is_told_by_its_type_alone():
    assert [problem.pointer for problem in schema_errors(dumped(CONFIG | {"created": 1}), OCI_CONFIG)] == ["/created"]
    assert [p.pointer for p in schema_errors(dumped(changed(DESCRIPTOR, "urls", [1])), OCI_DESCRIPTOR)] == ["/urls/0"]


@pytest.mark.parametrize(("media_type", "limit"), [(OCI_MANIFEST, "document_bytes"), (OCI_CONFIG, "config_bytes")])
def test_a_document_past_a_limit_is_refused(media_type, limit):
    with pytest.raises(LimitError) as caught:
        schema_errors(b"{     }", media_type, limits=Limits(document_bytes=6, config_bytes=6))
    assert caught.value.limit == limit


@pytest.mark.parametrize("media_type", [OCI_EMPTY, "text/plain"])
def test_a_media_type_without_a_schema_is_an_error_of_the_caller(media_type):
    with pytest.raises(UnsupportedError) as caught:
        schema_errors(b"{}", media_type)
    assert caught.value.value == media_type


def test_jsonschema_is_imported_when_a_document_is_judged_and_not_before():
    code = (
        "import sys\nfrom oci_layers.validation import rules, schema\n"
        "schema.schema('layout'); rules.validate(b'{}', 'application/vnd.oci.layout.header.v1+json')\n"
        "print('jsonschema' in sys.modules)\n"
        "schema.schema_errors(b'{}', 'application/vnd.oci.layout.header.v1+json')\n"
        "print('jsonschema' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert printed.split() == ["False", "True"]


def test_a_schema_of_no_such_name_says_which_there_are():
    with pytest.raises(UnsupportedError, match="there are descriptor, manifest, index, config, layout, docker-"):
        schema("image")


def test_a_document_says_itself_what_it_is():
    assert schema_errors(dumped(MANIFEST)) == ()
    assert [problem.pointer for problem in schema_errors(b'{"manifests": 1}')] == ["/manifests", "/schemaVersion"]
    assert [problem.message for problem in schema_errors(b"[]")] == [
        problem.message for problem in schema_errors(b"[]", OCI_LAYOUT)
    ]
    with pytest.raises(UnsupportedError, match="media type not detected"):
        schema_errors(b"{}")


def test_without_jsonschema_one_line_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    schema_module._validator.cache_clear()
    with pytest.raises(UnsupportedError, match=r"validation by a schema: layout .install the package jsonschema"):
        schema_errors(b"{}", OCI_LAYOUT)


def test_both_are_at_the_top():
    assert oci_layers.schema is schema
    assert oci_layers.schema_errors is schema_errors
