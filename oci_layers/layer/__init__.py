"""Layers: tar entries into changes, and changes into the merged tree.

`whiteout` has the grammar of `.wh.` names, `decode` turns tar entries into the changes of `change`, `apply` merges
them, `encode` turns a tree into entries, `policy` decides where there is a choice, and `rules` has the rules of layers.

    apply(decode(read_tar(stream)), tree)
"""

from oci_layers.layer.apply import apply
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.decode import decode
from oci_layers.layer.encode import tree_entries
from oci_layers.layer.policy import Policy

__all__ = ["Add", "Change", "Link", "Opaque", "Policy", "Whiteout", "apply", "decode", "tree_entries"]
