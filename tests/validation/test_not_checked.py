"""The rules of the layout marker, and those that are only listed."""

from oci_layers.spec.mediatype import OCI_LAYOUT
from oci_layers.validation.not_checked import ELSEWHERE_RULES
from oci_layers.validation.rules import validate
from tests.support.documents import LAYOUT, dumped
from tests.support.findings import in_document


def test_the_marker_of_another_version_is_refused():
    """LAY-02."""
    assert validate(dumped(LAYOUT | {"x": 1}), OCI_LAYOUT, profile="strict") == ()
    assert validate(dumped({"imageLayoutVersion": "1.1.0"}), OCI_LAYOUT, profile="lenient") == (
        in_document("LAY-02", "error", "/imageLayoutVersion", "must be 1.0.0"),
    )


def test_no_id_stands_in_the_table_twice():
    ids = [row.rule.id for row in ELSEWHERE_RULES]

    assert len(ids) == len(set(ids))
