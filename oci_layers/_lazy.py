"""Names that a package imports when they are first asked for, so that importing it costs little."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy"]


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:  # Any: whichever of the names
    """Return the `__getattr__` of a package; `homes` are the modules of its names, relative to it."""

    def get(name: str) -> Any:  # Any: as above
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
