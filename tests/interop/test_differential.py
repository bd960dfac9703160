"""Random images, unpacked by this library and by umoci: they agree, or umoci does what it is known to do wrong.

Each disagreement is put into one of the classes of `KNOWN`, each with its reason; whatever is in none of them fails.
"""

import subprocess
import tempfile
import time

import pytest
from hypothesis import HealthCheck, given, settings

from oci_layers import OCIError, open_image
from oci_layers.errors import LinkError
from tests.support.layers import image, tar
from tests.support.listing import listing
from tests.support.stacks import INTO_LOWER, portable_stacks

pytestmark = [pytest.mark.root, pytest.mark.peer("umoci")]

KNOWN = {
    "time of a directory": (
        "umoci 0.4.7 leaves directories that no entry describes, and some in which an entry came or went after their "
        "own, with the time of the unpacking; here they keep the time that they had, or the epoch (EDGE-11, EDGE-27)"
    ),
    "file as a directory": (
        "umoci 0.4.7 stops at an entry below a name that is a file in a lower layer; here the file gives way to an "
        "implied directory (EDGE-10)"
    ),
    "attributes of a directory": (
        "umoci 0.4.7 reads an opaque marker in tar order, and leaves a directory, which the layer only implies before "
        "it, with the attributes that it had below; here nothing lower is left of it (WHT-06)"
    ),
    "order": (
        "layers that remove what their own entries use make one tree or another by the order of their entries; the "
        "finding `order` says so, and umoci may choose another"
    ),
    "marker behind a loop": (
        "umoci 0.4.7 reads markers in tar order, so that one that hides a loop of links lets another pass behind it; "
        "here the path of each is one of the lower layers, where the loop is (EDGE-12e)"
    ),
}


def classify(mine, theirs, started_ns):
    """Return the class of a disagreement about one path, or None."""
    if mine and theirs and mine["kind"] == theirs["kind"] == "dir":
        late = theirs["mtime_ns"] >= started_ns > mine["mtime_ns"]
        if late and mine | {"mtime_ns": 0} == theirs | {"mtime_ns": 0}:
            return "time of a directory"
        if mine == {"kind": "dir", "mode": 0o755, "owner": (0, 0), "mtime_ns": 0, "xattrs": {}}:
            return "attributes of a directory"
    return None


def disagreements(directory, stack):
    """Unpack with both and return what is not known: nothing, if all is well."""
    layout = image(f"{directory}/image", *(tar(*layer) for layer in stack))
    started_ns = time.time_ns() - 10**9
    command = ["umoci", "unpack", "--image", f"{layout}:t", f"{directory}/bundle"]
    umoci = subprocess.run(command, capture_output=True, check=False, text=True)
    try:
        with open_image(layout) as opened:
            report = opened.unpack(f"{directory}/ours", strict_metadata=True)
    except OCIError as error:
        is_known = isinstance(error, LinkError) and error.reason.endswith("perhaps a loop")
        return [] if umoci.returncode or is_known else [f"only umoci unpacks it, because of {error!r}"]
    if umoci.returncode:
        known = "mkdir parent" in umoci.stderr and "not a directory" in umoci.stderr
        return [] if known else [f"umoci refuses it: {umoci.stderr}"]
    if "order" in report.findings.totals:
        return []
    mine, theirs = listing(f"{directory}/ours"), listing(f"{directory}/bundle/rootfs")
    found = []
    for path in sorted(mine.keys() | theirs.keys()):
        here, there = mine.get(path), theirs.get(path)
        if here != there and classify(here, there, started_ns) not in KNOWN:
            found.append((path, here, there))
    return found


def agree(stack):
    with tempfile.TemporaryDirectory() as directory:
        assert disagreements(directory, stack) == []


@settings(max_examples=30)
@given(portable_stacks(features=INTO_LOWER | {"link-parents"}))
def test_umoci_unpacks_random_images_alike(stack):
    agree(stack)


@pytest.mark.slow
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(portable_stacks(layers=6, features=INTO_LOWER | {"link-parents"}))
def test_umoci_unpacks_many_random_images_alike(stack):
    agree(stack)
