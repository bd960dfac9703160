"""Check one document against the rules of the spec: bytes into findings, each with its rule and its location.

`rules` is the table of all rules and the walk through a document; the rules of each kind of object are in `descriptor`,
`annotations`, `manifest`, `platform` and `config`, those that no document can show in `not_checked`; `rule` defines a
rule, `grammar` checks dates, URIs and licenses. `document` adds the parsed value, `positions` line and column, `detect`
finds the media type of a document from its bytes, `schema` checks by the JSON Schemas alone.

`validate` returns all findings at once. They are a tuple, capped at 1,000 of each severity; `totals` and `ok` are about
all of them:

    >>> from typing import get_args
    >>> from oci_layers.validation import DOCUMENT_RULES, Findings, Profile, schema_errors, validate
    >>> index = b'{"schemaVersion": 2, "manifests": [{"digest": "sha256:0", "size": -1}]}'
    >>> media_type = "application/vnd.oci.image.index.v1+json"
    >>> found: Findings = validate(index, media_type)
    >>> for finding in found:
    ...     print(finding)
    error DIG-05 /manifests/0/digest: "sha256:0" is no valid sha256 digest: expected 64 lowercase hex digits
    error DSC-01 /manifests/0/mediaType: is required
    error DSC-07 /manifests/0/size: must not be negative
    warning IDX-03 /mediaType: should be there, so that the document cannot be taken for one of another kind
    >>> found.ok, dict(found.totals)
    (False, {'error': 3, 'warning': 1})

The rule of a finding has its sentence; a profile decides how severe it is to break it. A text for a list of texts,
as Docker accepts it:

    >>> print(DOCUMENT_RULES["IDX-03"].sentence)
    The `mediaType` of an index should be there, and must be that of the index itself.
    >>> rest = b'"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'
    >>> config = b'{"architecture": "arm64", "config": {"Cmd": "sh"}, ' + rest
    >>> config_type = "application/vnd.oci.image.config.v1+json"
    >>> for profile in get_args(Profile):
    ...     print(profile, dict(validate(config, config_type, profile=profile).totals))
    strict {'error': 1}
    default {'error': 1}
    lenient {'warning': 1}

`schema_errors` knows the JSON Schemas alone, to compare with other validators:

    >>> [problem.pointer for problem in schema_errors(index, media_type)]
    ['/manifests/0/digest', '/manifests/0/mediaType', '/manifests/0/size']
"""

from oci_layers.validation.findings import Findings
from oci_layers.validation.rules import DOCUMENT_RULES, Profile, validate
from oci_layers.validation.schema import schema_errors

__all__ = ["DOCUMENT_RULES", "Findings", "Profile", "schema_errors", "validate"]
