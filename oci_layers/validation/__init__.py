"""One document against the rules of the spec: bytes into findings, each with its rule and its place.

`rules` is the table of all rules and the walk along a document; the rules of each kind of object are in `descriptor`,
`annotations`, `manifest`, `platform` and `config`, those that no document can show in `not_checked`; `rule` has what a
rule is, `grammar` dates, URIs and licenses. `document` adds the parsed value, `positions` line and column, `detect`
tells what kind of document some bytes are, `schema` judges by the JSON Schemas alone.

    for finding in validate(raw, media_type):
        print(finding.rule, finding.severity, finding.location.pointer, finding.message)
"""

from oci_layers.validation.findings import Findings
from oci_layers.validation.rules import DOCUMENT_RULES, Profile, validate
from oci_layers.validation.schema import schema_errors

__all__ = ["DOCUMENT_RULES", "Findings", "Profile", "schema_errors", "validate"]
