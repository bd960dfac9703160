"""Every rule by its id: those of documents (`validation`), of layers (`layer.rules`), and of the JSON Schemas.

`Finding.rule` is the id of a rule; an id never changes its meaning:

    >>> from oci_layers.rules import RULES
    >>> RULES["DSC-07"].level, RULES["DSC-07"].sentence
    ('MUST NOT', '`size` is not negative.')
    >>> RULES["late-marker"].severity, RULES["late-marker"].fix
    ('warning', 'Write markers before anything else in their directory.')
"""

from collections.abc import Mapping

from oci_layers.layer.rules import LAYER_RULES
from oci_layers.report import Rule
from oci_layers.validation.rules import DOCUMENT_RULES
from oci_layers.validation.schema import SCHEMA_RULE

__all__ = ["RULES"]

RULES: Mapping[str, Rule] = {**DOCUMENT_RULES, SCHEMA_RULE.id: SCHEMA_RULE, **LAYER_RULES}
"""Every rule by its id, as in `Finding.rule`."""
