"""Names that are imported when they are first asked for."""

import sys
import types

import pytest

from oci_layers._lazy import lazy


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
