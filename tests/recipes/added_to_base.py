"""Show what an image adds to its base, replaces in it and removes from it; the base is its lowest layers.

python added_to_base.py IMAGE LAYERS
"""

import sys
from collections.abc import Iterator

import oci_layers as oci
from oci_layers.tree import Directory


def differences(name: str, layers: int) -> Iterator[tuple[str, bytes]]:
    """Yield "added", "replaced" or "removed" with each path; what an upper layer has an entry for is replaced."""
    with oci.open_image(name) as image:
        old, new = dict(image.tree(layers).walk()), dict(image.tree().walk())
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            yield "added", path
        elif path not in new:
            yield "removed", path
        elif new[path].layer >= layers or (new[path] is not old[path] and not isinstance(new[path], Directory)):
            yield "replaced", path


if __name__ == "__main__":
    for what, path in differences(sys.argv[1], int(sys.argv[2])):
        print(f"{what:<8} /{path.decode(errors='backslashreplace')}")
