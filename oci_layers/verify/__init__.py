"""Every document and every blob that can be reached from some descriptors, into findings.

`image` walks the documents and compares what they say of each other, `blobs` checks sizes, digests and diff_ids,
`platforms` what an index and a config say of a platform. Rules within one document are in `validation`.

    verify_image(image.blobs, [image.descriptor]).ok
"""

from oci_layers.verify.image import Verification, verify_image

__all__ = ["Verification", "verify_image"]
