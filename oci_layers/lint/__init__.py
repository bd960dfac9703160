"""What a layer should not do: entries, and the layers below, into findings.

`walk` has the rules of single entries and of their order, `names` and `entries` what is odd about one name or one
entry; `linter` also applies the layer, so that it finds whatever `unpack` refuses or reports. The table of all rules,
with severity and fix, is `layer.rules`. Nothing is written, no content is read.

    for found in lint(read_tar(stream)):
        print(found.severity, found.rule, found.location.path)
"""

from oci_layers.layer.rules import LAYER_RULES
from oci_layers.lint.linter import Linter, lint

__all__ = ["LAYER_RULES", "Linter", "lint"]
