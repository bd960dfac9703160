"""The rules of layers as cases: what the spec decides, what endangers a host, and what this library decided itself.

>>> from oci_layers.testing.cases import cases
>>> from oci_layers.tree import dump
>>> case = next(case for case in cases() if case.id == "whiteouts/after-the-file")
>>> case.level, case.rules
('spec', ('WHT-06', 'WHT-07', 'EDGE-02'))
>>> print(case.text)
layer
    foo file text=low
layer
    foo file text=up
    foo whiteout
>>> print(dump(case.expected), end="")
/ dir 0755 0:0 0.000000000
/foo file 0644 0:0 1700000000.123456789 text=up

The cases are files of text in `data/cases`, by theme; `data/README.txt` describes them. `write_cases` makes each an
image layout with the listing that is expected, for programs in any language.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from oci_layers.errors import StoreError
from oci_layers.testing.case import Case, Level, Outcome, Refusal
from oci_layers.testing.case_text import parse_cases
from oci_layers.testing.stack import write_layers
from oci_layers.tree.dump import dump, escape

__all__ = ["Case", "Level", "Outcome", "Refusal", "cases", "questions", "write_cases"]

_REF = "case"
"""The name of the image in each layout that `write_cases` makes."""


@cache
def cases() -> tuple[Case, ...]:
    """Return all cases, by theme, in the order of their files. They are read once."""
    themes = sorted((_data() / "cases").iterdir(), key=lambda file: file.name)
    return tuple(case for file in themes for case in parse_cases(file.read_text("utf-8")))


@cache
def questions() -> Mapping[str, str]:
    """Return the questions about layers that the spec leaves open, by the ids that cases have in `rules`."""
    lines = (line.partition(" ") for line in _read("questions.txt").splitlines() if line[:1].isupper())
    return {id_: question for id_, _, question in lines}


def write_cases(directory: str | os.PathLike[str]) -> int:
    """Write every case as files that need no Python, and return how many; the same version writes the same bytes.

    For each case there is a directory of its id with `layout`, an OCI image layout in which the image is named `case`;
    `layers.txt`, the layers as text; `expected.txt`, the expected tree in full; and `case.json`. At the top there are
    `README.txt`, which describes all of it, and `cases.json`, a list of what every `case.json` has.

    Args:
        directory: Where; absent or empty. It has all cases in the end, or is as it was.

    Raises:
        StoreError: `directory` is neither.
    """
    target = Path(directory)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(str(target), "not an empty directory")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        root = Path(temporary) / "cases"
        root.mkdir()
        facts = [_write_case(case, root / case.id) for case in cases()]
        _write(root / "README.txt", _read("README.txt"))
        _write(root / "cases.json", _json(facts))
        root.rename(target)
    return len(facts)


def _write_case(case: Case, directory: Path) -> dict[str, Any]:  # Any: JSON
    from oci_layers.rules import RULES

    directory.mkdir(parents=True)
    write_layers(directory / "layout", case.layers, _REF)
    _write(directory / "layers.txt", case.text + "\n")
    accepted = []
    for number, tree in enumerate(case.accepted):
        if tree is None:
            accepted.append("refused")
        else:
            accepted.append(f"also-{number}.txt" if number else "expected.txt")
            _write(directory / accepted[-1], dump(tree))
    facts = {
        "id": case.id,
        "level": case.level,
        "rules": {rule: questions().get(rule) or RULES[rule].sentence for rule in case.rules},
        "sentence": case.sentence,
        "layout": "layout",
        "reference": _REF,
        "accepted": accepted,
        "unspecified": {"attributes": _paths(case.implied), "time": _paths(case.touched)},
    }
    _write(directory / "case.json", _json(facts))
    return facts


def _paths(paths: frozenset[bytes]) -> list[str]:
    return [escape(b"/" + path) for path in sorted(paths)]


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _write(file: Path, text: str) -> None:
    file.write_bytes(text.encode())


def _data() -> Traversable:
    return files("oci_layers.testing") / "data"


def _read(name: str) -> str:
    return (_data() / name).read_text("utf-8")
