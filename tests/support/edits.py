"""Random edits of a tree, made of the strategies that users have; `apart` makes an equal tree that shares nothing."""

from oci_layers.testing.strategies import edit_lists, edited
from tests.support.trees import flattened, merged

__all__ = ["apart", "edited", "edits"]

edits = edit_lists()


def apart(tree):
    """An equal tree that shares no node with `tree`, as a second scan of a directory does not."""
    return merged(flattened(tree), policy="lenient")
