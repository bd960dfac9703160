"""Every rule by its id: those of documents (`validation`), of layers (`layer.rules`), and of the JSON Schemas.

`Finding.rule` is the id of a rule; an id never changes its meaning:

    >>> from oci_layers.rules import RULES, SOURCES, source_of
    >>> RULES["DSC-07"].level, RULES["DSC-07"].sentence
    ('MUST NOT', '`size` is not negative.')
    >>> RULES["late-marker"].severity, RULES["late-marker"].fix
    ('warning', 'Write markers before anything else in their directory.')
    >>> source_of(RULES["DSC-07"]), SOURCES["CFG"]
    ('descriptor.md', 'config.md')
"""

from collections.abc import Mapping

from oci_layers.layer.rules import LAYER_RULES
from oci_layers.report import Rule
from oci_layers.validation.rules import DOCUMENT_RULES
from oci_layers.validation.schema import SCHEMA_RULE

__all__ = ["RULES", "SOURCES", "source_of"]

RULES: Mapping[str, Rule] = {**DOCUMENT_RULES, SCHEMA_RULE.id: SCHEMA_RULE, **LAYER_RULES}
"""Every rule by its id, as in `Finding.rule`."""

SOURCES: Mapping[str, str] = {
    "ANN": "annotations.md",
    "ART": "manifest.md (artifacts)",
    "CFG": "config.md",
    "CHN": "config.md",
    "CNV": "conversion.md",
    "CON": "considerations.md",
    "DCF": "Docker's fields of a config; not in the spec",
    "DIG": "descriptor.md (Digests)",
    "DSC": "descriptor.md",
    "IDX": "image-index.md",
    "LAY": "image-layout.md",
    "LIM": "the limits of this library; not in the spec",
    "LYR": "layer.md",
    "MAN": "manifest.md",
    "MTY": "media-types.md",
    "NDL": "layer.md",
    "WHT": "layer.md",
    SCHEMA_RULE.id: "the JSON Schemas of this library",
}
"""The page of the spec that each group of rules is from, or what else it is from, by the letters of the ids."""


def source_of(rule: Rule) -> str | None:
    """Return where a rule is from; None for a rule of layers, whose sentence names the page if there is one."""
    return SOURCES.get(rule.id.partition("-")[0])
