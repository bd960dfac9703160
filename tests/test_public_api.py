"""What is promised to stay: the names that the package and each room export, and how they are called."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import oci_layers

SNAPSHOT = Path(__file__).parent / "data" / "public_api.txt"
_ADDRESS = re.compile(" at 0x[0-9a-f]+")
_SET = re.compile(r"\{('[^{}:]*')\}")
ROOMS = ["oci_layers"] + [
    f"oci_layers.{module.name}"
    for module in pkgutil.iter_modules(oci_layers.__path__)
    if module.ispkg or module.name in {"errors", "limits", "report"}
]
ROOMS.append("oci_layers.testing.strategies")


def describe():
    """Return every exported name with its signature, a line each."""
    lines = []
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            try:
                # Since Python 3.13 the name of a type, such as that of a function, has a signature, which says nothing.
                is_called = callable(value) and typing.get_origin(value) is None
                signature = _ADDRESS.sub("", str(inspect.signature(value))) if is_called else ""
                signature = _SET.sub(lambda found: "{" + ", ".join(sorted(found[1].split(", "))) + "}", signature)
            except (TypeError, ValueError):
                signature = ""
            lines.append(f"{room}.{name}{signature}")
    return "".join(line + "\n" for line in lines)


def test_exported_names_and_signatures_are_those_of_the_snapshot():
    # To change the promise on purpose: PYTHONPATH=. python tests/test_public_api.py
    assert describe() == SNAPSHOT.read_text()


def test_every_exported_name_can_be_had_lazily_and_is_listed():
    assert set(dir(oci_layers)) == {*oci_layers.__all__, *oci_layers._ROOMS}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = oci_layers.nothing


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, oci_layers; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"jsonschema", "rich", "hypothesis", "cattrs", "attrs", "isal"} & set(loaded)


def test_unpacking_needs_neither_jsonschema_nor_rich_nor_hypothesis(tmp_path):
    image = Path(__file__).parent / "data" / "image"
    code = (
        "import sys, oci_layers\n"
        f"oci_layers.open_image({str(image)!r}).unpack({str(tmp_path / 'out')!r})\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"jsonschema", "rich", "hypothesis"} & set(loaded)
    assert (tmp_path / "out" / "etc" / "motd").read_text() == "The lamp is lit. Keep two miles off.\n"


if __name__ == "__main__":
    SNAPSHOT.write_text(describe())
