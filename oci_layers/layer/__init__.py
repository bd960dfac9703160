"""Layers: entries into changes, and changes into the merged tree.

`whiteout` has the grammar of `.wh.` names, `changeset` turns tar entries into the changes of `change`, `apply` merges
them, and `policy` says what to do where there is a choice. `linter` finds what is wrong or doubtful in a layer, by the
rules of `lint_rules` and by applying it to a tree.
"""

from oci_layers.layer.apply import apply
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.changeset import decode
from oci_layers.layer.lint_rules import LINT_RULES, Lint, LintRule
from oci_layers.layer.linter import Linter, lint
from oci_layers.layer.policy import Policy

__all__ = [
    "LINT_RULES",
    "Add",
    "Change",
    "Link",
    "Lint",
    "LintRule",
    "Linter",
    "Opaque",
    "Policy",
    "Whiteout",
    "apply",
    "decode",
    "lint",
]
