"""The programs that read from a registry and write to one; see `peers`.

skopeo copies up to six blobs at once, and compares what it reads with the digests; umoci does that again, and compares
the diff_ids.
"""

import attrs

from benchmarks.peers import BOTH, Program, python_script
from benchmarks.registry_server import TOOLS, Service, empty, filled, shaped

_OURS = "{python} -m oci_layers"
_SKOPEO = "skopeo --insecure-policy copy -q"
_IMAGE = "docker://{host}/b:b"
_PULLED = f"{_SKOPEO} --src-tls-verify=false {_IMAGE} oci:"

PULL = Program(
    "oci-layers copy",
    f"{_OURS} copy --progress none {_IMAGE} oci:{{dest}}:b",
    ("blob digests",),
    commands=TOOLS,
    service=filled,
)
SKOPEO_PULL = Program("skopeo copy", _PULLED + "{dest}:b", ("blob digests",), commands=TOOLS, service=filled)
PULLERS = (PULL, SKOPEO_PULL)

UNPACK = Program(
    "oci-layers unpack docker://",
    f"{_OURS} unpack --progress none {_IMAGE} {{dest}}",
    BOTH,
    commands=TOOLS,
    service=filled,
)
SKOPEO_UMOCI = Program(
    "skopeo copy, umoci raw unpack",
    _PULLED + "{scratch}/layout:b; umoci raw unpack --image {scratch}/layout:b {dest}",
    BOTH,
    commands=(*TOOLS, "umoci"),
    service=filled,
)
REMOTE_UNPACKERS = (UNPACK, SKOPEO_UMOCI)

PUSH = Program(
    "oci-layers copy",
    f"{_OURS} copy --progress none oci:{{layout}}:b {_IMAGE}",
    ("blob digests",),
    commands=TOOLS,
    service=empty,
)
SKOPEO_PUSH = Program(
    "skopeo copy",
    f"{_SKOPEO} --dest-tls-verify=false oci:{{layout}}:b {_IMAGE}",
    ("blob digests",),
    commands=TOOLS,
    service=empty,
)
PUSHERS = (PUSH, SKOPEO_PUSH)

_PICK = (
    "import sys\n"
    "import oci_layers as oci\n"
    "with oci.open_image(f'oci:{sys.argv[1]}:b') as image:\n"
    "    files = [(path, node.layer) for path, node in image.tree().walk() if getattr(node, 'content', None)]\n"
    "if sys.argv[2] == 'top':\n"
    "    top = max(layer for _, layer in files)\n"
    "    files = [each for each in files if each[1] == top]\n"
    "for quarter in (1, 2, 3):\n"
    "    print(files[quarter * len(files) // 4][0].decode())\n"
)
"""Prints the files at a quarter, half and three quarters of the list of all, or of those of the highest layer."""
_COUNTED = shaped()


def _cat(name: str, image: str, which: str, before: str = "") -> Program:
    return Program(
        name,
        f"{before}xargs -d '\\n' -a {{scratch}}/paths {_OURS} cat --progress none {image} > {{dest}}",
        BOTH,
        commands=(*TOOLS, "xargs"),
        prepare=python_script(_PICK) + f" {{layout}} {which} > {{scratch}}/paths",
        service=_COUNTED,
    )


_COPIED = f"{_OURS} copy --progress none {_IMAGE} oci:{{scratch}}/layout:b; "
CATS = (
    _cat("oci-layers cat, from all layers", _IMAGE, "all"),
    _cat("oci-layers cat, from the highest", _IMAGE, "top"),
    _cat("oci-layers copy, then cat", "oci:{scratch}/layout:b", "all", _COPIED),
)


def through(service: Service, *programs: Program) -> tuple[Program, ...]:
    """Return the programs with another way to their registry."""
    return tuple(attrs.evolve(program, service=service) for program in programs)
