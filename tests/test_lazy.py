"""Names that are imported when they are first asked for."""

import subprocess
import sys
import types

import pytest

from oci_layers._lazy import lazy
from tests.support.scripts import ROOT


def test_a_name_is_found_where_it_lives_and_kept(monkeypatch):
    package = types.ModuleType("package_for_lazy")
    home = types.ModuleType("package_for_lazy.home")
    home.thing = object()
    package.__path__ = []
    package.__getattr__ = lazy("package_for_lazy", {"thing": "home"})
    monkeypatch.setitem(sys.modules, "package_for_lazy", package)
    monkeypatch.setitem(sys.modules, "package_for_lazy.home", home)
    assert package.thing is home.thing
    assert vars(package)["thing"] is home.thing


def test_another_name_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match="module 'oci_layers' has no attribute 'nothing'"):
        lazy("oci_layers", {})("nothing")


def test_every_room_is_a_name_of_the_package():
    code = (
        "import sys, oci_layers as oci\n"
        "assert not [name for name in sys.modules if name.startswith('oci_layers.') and name != 'oci_layers._lazy']\n"
        "rooms = [name for name in dir(oci) if name.islower() and hasattr(getattr(oci, name), '__path__')]\n"
        "print(oci.spec.Manifest.__name__, oci.errors.OCIError is oci.OCIError, oci.tar.read_tar is oci.read_tar)\n"
        "print(*rooms)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    rooms = [path.parent.name for path in (ROOT / "oci_layers").glob("*/__init__.py")]
    assert printed.split() == ["Manifest", "True", "True", *sorted(set(rooms) - {"cli", "system"})]
