"""List what each layer of an image adds, links and removes.

python layer_listing.py IMAGE
"""

import sys
from collections.abc import Iterator

import oci_layers as oci


def listing(name: str) -> Iterator[str]:
    """Yield one line for each layer and for each of its changes."""
    with oci.open_image(name) as image:
        for layer in image.layers:
            yield layer.name
            for change in layer.changes(source=oci.tree.NOWHERE):
                kind = type(change).__name__.lower()
                yield f"  {kind:<9} /{change.path.decode(errors='backslashreplace')}"


if __name__ == "__main__":
    for line in listing(sys.argv[1]):
        print(line)
