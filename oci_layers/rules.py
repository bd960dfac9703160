"""Every rule by its id: those of documents (`validation`), of layers (`layer.rules`), and of the JSON Schemas.

print(RULES["DSC-23"].sentence)
"""

from collections.abc import Mapping

from oci_layers.layer.rules import LAYER_RULES
from oci_layers.report import Rule
from oci_layers.validation.rules import DOCUMENT_RULES
from oci_layers.validation.schema import SCHEMA_RULE

__all__ = ["RULES"]

RULES: Mapping[str, Rule] = {**DOCUMENT_RULES, SCHEMA_RULE.id: SCHEMA_RULE, **LAYER_RULES}
"""Every rule by its id, as in `Finding.rule`."""
