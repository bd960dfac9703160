"""What is measured: one command line each that makes DEST out of a layout, and what it checks meanwhile."""

import json
import shlex
import shutil
import sys
from pathlib import Path

import attrs


@attrs.frozen
class Peer:
    """A way to unpack an image. `needs` are the commands that must be installed."""

    name: str
    checks: str
    needs: tuple[str, ...]
    shell: str
    """For `sh -c`, with {layout}, {dest}, {python} and {layers}, the files of the gzip layers from the lowest."""

    def missing(self) -> list[str]:
        """Return what is not installed."""
        return [name for name in self.needs if shutil.which(name) is None]

    def command(self, layout: Path, dest: Path) -> list[str]:
        """Return the command line."""
        text = self.shell.format(
            layout=shlex.quote(str(layout)),
            dest=shlex.quote(str(dest)),
            python=shlex.quote(sys.executable),
            layers=" ".join(shlex.quote(str(layer)) for layer in layer_files(layout)),
        )
        return ["/bin/sh", "-ec", text]


_TARFILE = (
    "import sys, tarfile\n"
    "for layer in sys.argv[2:]:\n"
    "    with tarfile.open(layer) as archive:\n"
    "        archive.extractall(sys.argv[1], filter='fully_trusted', numeric_owner=True)\n"
)

PEERS = (
    Peer(
        "oci-layers", "blob digest, diff_id", (), "{python} -m oci_layers unpack --progress none oci:{layout}:b {dest}"
    ),
    Peer("umoci", "blob digest, diff_id", ("umoci",), "umoci raw unpack --image {layout}:b {dest}"),
    Peer(
        "bsdtar -x, layer by layer",
        "nothing",
        ("bsdtar",),
        "mkdir {dest}; for l in {layers}; do bsdtar -x -p --numeric-owner -f $l -C {dest}; done",
    ),
    Peer(
        "GNU tar -xz, layer by layer",
        "nothing",
        ("tar",),
        "mkdir {dest}; for l in {layers}; do tar -xzf $l --numeric-owner -p -C {dest}; done",
    ),
    Peer(
        "igzip | tar -x, layer by layer",
        "nothing",
        ("igzip", "tar"),
        "mkdir {dest}; for l in {layers}; do igzip -dc < $l | tar -x --numeric-owner -p -C {dest}; done",
    ),
    Peer(
        "Python tarfile, layer by layer",
        "nothing",
        (),
        "mkdir {dest}; {python} -c " + shlex.quote(_TARFILE).replace("{", "{{").replace("}", "}}") + " {dest} {layers}",
    ),
)


def layer_files(layout: Path) -> list[Path]:
    """Return the blobs of the layers of a layout's one image, from the lowest."""
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(_blob(layout, index["manifests"][0]["digest"]).read_text())
    return [_blob(layout, layer["digest"]) for layer in manifest["layers"]]


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")
