"""Show what an image adds to its base, changes in it and removes from it; the base is its lowest layers.

python added_to_base.py IMAGE LAYERS
"""

import sys
from collections.abc import Iterator

import oci_layers as oci


def differences(name: str, layers: int) -> Iterator[tuple[str, bytes]]:
    """Yield "added", "changed" or "removed" with each path that is not in both as it was."""
    with oci.open_image(name) as image:
        old, new = dict(image.tree(layers).walk()), dict(image.tree().walk())
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            yield "added", path
        elif path not in new:
            yield "removed", path
        elif new[path].layer >= layers:
            yield "changed", path


if __name__ == "__main__":
    for what, path in differences(sys.argv[1], int(sys.argv[2])):
        print(f"{what:<8} /{path.decode(errors='backslashreplace')}")
