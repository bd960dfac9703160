"""The layout marker: LAY-02."""

from oci_layers.spec.codec import dumps, unstructure
from oci_layers.spec.layout import ImageLayout


def test_a_new_marker_is_of_the_only_version():
    assert dumps(unstructure(ImageLayout())) == b'{"imageLayoutVersion":"1.0.0"}'
