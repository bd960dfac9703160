"""Descriptors to findings: verification of all documents and blobs reachable from them.

`image` walks the documents and compares them with each other, `blobs` checks sizes, digests and diff_ids, `platforms`
compares the platform in an index with the one in a config. Rules within one document are in `validation`.

    verify_image(image.blobs, [image.descriptor]).ok
"""

from oci_layers.verify.image import Verification, verify_image

__all__ = ["Verification", "verify_image"]
