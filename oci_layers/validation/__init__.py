"""Check one document against the rules of the spec: bytes into findings, each with its rule and its location.

`rules` is the table of all rules and the walk through a document; the rules of each kind of object are in `descriptor`,
`annotations`, `manifest`, `platform` and `config`, those that no document can show in `not_checked`; `rule` defines a
rule, `grammar` checks dates, URIs and licenses. `document` adds the parsed value, `positions` line and column, `detect`
finds the media type of a document from its bytes, `schema` checks by the JSON Schemas alone.

    for finding in validate(raw, media_type):
        print(finding.rule, finding.severity, finding.location.pointer, finding.message)
"""

from oci_layers.validation.findings import Findings
from oci_layers.validation.rules import DOCUMENT_RULES, Profile, validate
from oci_layers.validation.schema import schema_errors

__all__ = ["DOCUMENT_RULES", "Findings", "Profile", "schema_errors", "validate"]
