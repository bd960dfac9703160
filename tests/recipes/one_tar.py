"""Write the merged file system of an image as one tar: sorted, with the image's own times, always the same bytes.

python one_tar.py IMAGE FILE
"""

import sys

import oci_layers as oci


def flatten(name: str, path: str) -> oci.Digest:
    """Write the tar, and return its digest, which a layer made of it has as its diff_id."""
    hasher = oci.Digest.of(b"").hasher()
    with oci.open_image(name) as image, open(path, "wb") as file:
        for piece in oci.tar.write_tar(oci.layer.tree_entries(image.tree())):
            hasher.update(piece)
            file.write(piece)
    return oci.Digest.parse(f"sha256:{hasher.hexdigest()}")


if __name__ == "__main__":
    print(flatten(*sys.argv[1:]))
