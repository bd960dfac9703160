"""Lint: the entries of a layer, and the tree of the layers below, into findings.

`walk` checks entries and their order, `names` and `entries` check one name or one entry by itself; `linter` also
applies the layer, to find everything that `unpack` refuses or reports. The table of all rules, with severity and fix,
is `layer.rules`. Nothing is written, no content is read.

    for found in lint(read_tar(stream)):
        print(found.severity, found.rule, found.location.path)
"""

from oci_layers.layer.rules import LAYER_RULES
from oci_layers.lint.linter import Linter, lint

__all__ = ["LAYER_RULES", "Linter", "lint"]
