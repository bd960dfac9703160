"""What `import hypothesis` calls where this library is installed, by the entry point `hypothesis` in pyproject.toml.

Registering needs the types, which take longer to import than Hypothesis should be kept waiting for. So only a function
is left there, which is called when a strategy is wanted for a type that Hypothesis does not know.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["register_lazily"]


def register_lazily() -> None:
    """Have `st.from_type` find the strategies of the types of this library."""
    from hypothesis.strategies._internal import types

    # Hypothesis has the same for NumPy, by the name of a module that has to be imported, and nothing public for others.
    lookup = getattr(types, "_global_extra_lookup", None)
    if lookup is None:
        _register()
    else:
        lookup["oci_layers"] = _resolve


def _register() -> None:
    from oci_layers.testing.strategies.registered import register

    register()


def _resolve(kind: Any) -> "SearchStrategy[Any] | None":  # Any: whatever from_type was called with, and its values
    """Return the strategy for a type of this library; None for any other."""
    if not isinstance(kind, type) or kind.__module__.partition(".")[0] != "oci_layers":
        return None
    from oci_layers.testing.strategies.registered import TYPES

    return TYPES[kind]() if kind in TYPES else None
