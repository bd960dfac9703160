"""One document against the rules of the spec: bytes into findings, each with its rule and its place.

`rules` is the table of all rules and the walk along a document; the rules of each kind of object are in `descriptor`,
`annotations`, `manifest`, `platform` and `config`, those that no document can show in `not_checked`; `rule` has what a
rule is, `grammar` dates, URIs and licenses. `document` adds the parsed value, `positions` line and column, `detect`
tells what kind of document some bytes are, `schema` judges by the JSON Schemas alone.

    for breach in validate(raw, media_type):
        print(breach.rule, breach.severity, breach.pointer, breach.message)
"""

from oci_layers.validation.findings import Findings
from oci_layers.validation.rules import RULES, Breach, Profile, Rule, Severity, validate
from oci_layers.validation.schema import schema_errors

__all__ = ["RULES", "Breach", "Findings", "Profile", "Rule", "Severity", "schema_errors", "validate"]
