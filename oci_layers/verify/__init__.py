"""Descriptors to findings: verification of all documents and blobs reachable from them.

`image` walks the documents and compares them with each other, `blobs` checks sizes, digests and diff_ids, `platforms`
compares the platform in an index with the one in a config. Rules within one document are in `validation`.

Each blob is read once. A missing or damaged blob is a finding, not an error:

    >>> from oci_layers.blob import MemoryBlobs
    >>> from oci_layers.store import open_image
    >>> from oci_layers.verify import Verification, verify_image
    >>> with open_image("tests/data/image") as image:
    ...     checked: Verification = verify_image(image.blobs, [image.descriptor])
    >>> checked.ok, checked.blobs, checked.layers, checked.bytes
    (True, 7, 5, 3320)
    >>> checked = verify_image(MemoryBlobs(), [image.descriptor])
    >>> for finding in checked.findings:
    ...     print(finding.severity, finding.rule, finding.message)
    error LAY-05 is missing; the root's descriptor names it
    >>> checked.ok
    False
"""

from oci_layers.verify.image import Verification, verify_image

__all__ = ["Verification", "verify_image"]
