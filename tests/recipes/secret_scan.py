"""Find private keys in every layer of an image, also in files that upper layers hide.

python secret_scan.py IMAGE
"""

import re
import sys
from collections.abc import Iterator

import oci_layers as oci

KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
OVERLAP = 64


def secrets(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the layer and the name of each file that has a key."""
    with oci.open_image(name) as image:
        for layer in image.layers:
            for entry in layer.entries():
                tail = b""
                for chunk in entry.chunks():
                    tail = tail[-OVERLAP:] + chunk
                    if KEY.search(tail):
                        yield layer.index, entry.name
                        break


if __name__ == "__main__":
    for number, path in secrets(sys.argv[1]):
        print(f"layer {number}: {path.decode(errors='backslashreplace')}")
