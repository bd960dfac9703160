"""Package attributes that are imported at first use, so that importing the package is cheap."""

import importlib
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

__all__ = ["lazy"]


def lazy(  # Any: whichever of the names
    package: str, homes: Mapping[str, str], modules: Collection[str] = ()
) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package.

    Args:
        package: The name of the package.
        homes: Attribute name to the module that defines it, relative to the package.
        modules: Submodules that are attributes of the package, too.
    """

    def get(name: str) -> Any:  # Any: as above
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
