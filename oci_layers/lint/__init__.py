"""What a layer should not do: entries, and the layers below, into findings.

`rules` has every rule with its severity and its fix, `walk` the rules of single entries and of their order, `names` and
`entries` what is odd about one name or one entry; `linter` also applies the layer, so that it finds whatever `unpack`
refuses or reports. Nothing is written, no content is read.

    for found in lint(read_tar(stream)):
        print(found.rule.severity, found.what, found.path)
"""

from oci_layers.lint.linter import Linter, lint
from oci_layers.lint.rules import LINT_RULES, Lint, LintRule

__all__ = ["LINT_RULES", "Lint", "LintRule", "Linter", "lint"]
