"""The programs that are measured: one command line each, what it needs, and what it checks meanwhile.

All of them that unpack make a file system out of a layout as root would, owners and all. They do not do the same:

* Programs for tar know no layers: they are called for one after another, and leave whiteouts as files named `.wh.*`
  instead of removing what these hide.
* skopeo and buildah unpack into their storage: each layer into a directory of its own, for an overlay mount, after a
  copy of the blob. So they neither merge nor remove. Both do it with the same library.

What each verifies was found out by giving it damaged images, which tests/test_benchmarks.py does again. It is what the
versions in Debian 12 do: skopeo 1.9 and buildah 1.28 take a layer whose diff_id is another.
"""

import functools
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

import attrs

from benchmarks.layout import layer_files
from benchmarks.registry_server import TOOLS, Service

Check = Literal["blob digests", "diff_ids"]
BOTH: tuple[Check, ...] = ("blob digests", "diff_ids")


@attrs.frozen
class Program:
    """A command line that does one thing with an image."""

    name: str
    shell: str
    """For `sh -e`, with {layout}, {layers} (the files of the gzip layers from the lowest), {dest} (to be made) and
    {scratch} (a directory that is there), both thrown away afterwards, {host} (see `service`), {python}, and {probe}
    (see `probe`)."""
    verifies: tuple[Check, ...] = ()
    whiteouts: str = ""
    """What becomes of whiteouts; empty where that is no question."""
    commands: tuple[str, ...] = ()
    """What must be installed."""
    modules: tuple[str, ...] = ()
    """The Python modules that must be."""
    root: bool = False
    """Whether it needs to be root."""
    mounts: bool = False
    """Whether it needs to be root and to mount; `unshare -m` ends the mounts at paths with it."""
    loops: int = 1
    """How often the command line does the thing."""
    prepare: str = ""
    """What is done before, unmeasured; as `shell`."""
    service: Service | None = attrs.field(default=None, eq=False)
    """What serves {host} meanwhile, unmeasured."""

    @property
    def remark(self) -> str:
        """What it verifies, and what becomes of whiteouts; empty where neither is a question."""
        verifies = "both digests" if self.verifies == BOTH else " and ".join(self.verifies)
        if not self.whiteouts:
            return verifies
        return f"{verifies or 'nothing'}; {self.whiteouts}"

    def missing(self) -> str | None:
        """Return why it cannot be run here; None if it can."""
        absent = [name for name in self.commands if shutil.which(name) is None]
        absent += [name for name in self.modules if importlib.util.find_spec(name) is None]
        if absent:
            return f"{', '.join(absent)} not installed"
        if (self.root or self.mounts) and os.geteuid() != 0:
            return "needs root"
        return "needs mounts, which the system refuses" if self.mounts and not _can_mount() else None

    def commands_for(self, layout: Path, scratch: Path, host: str = "") -> list[list[str]]:
        """Return the command lines to run one after another; the last one is measured."""
        python = shlex.quote(sys.executable)
        values = {
            "layout": shlex.quote(str(layout)),
            "layers": " ".join(shlex.quote(str(layer)) for layer in layer_files(layout)),
            "dest": shlex.quote(str(scratch / "dest")),
            "scratch": shlex.quote(str(scratch)),
            "host": host,
            "python": python,
            "probe": f"{python} -m benchmarks.probe",
        }
        return [["/bin/sh", "-ec", text.format(**values)] for text in (self.prepare, self.shell) if text]


@functools.cache
def _can_mount() -> bool:
    """Return whether the system lets root mount: a file system in memory, in a mount namespace of its own."""
    line = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(line, check=False, capture_output=True).returncode == 0
    )


_LEFT = "whiteouts stay files"
_APART = "layers stay apart"
POLICY = """echo '{{"default": [{{"type": "insecureAcceptAnything"}}]}}' > {scratch}/policy;"""
_TARFILE = (
    "import sys, tarfile\n"
    "for layer in sys.argv[2:]:\n"
    "    with tarfile.open(layer) as archive:\n"
    "        archive.extractall(sys.argv[1], filter='fully_trusted', numeric_owner=True)\n"
)

_COPY = (
    "import sys\n"
    "from oci_layers.store.copy import copy\n"
    "from oci_layers.store.layout import Layout\n"
    "with Layout.open(sys.argv[1]) as source, Layout.create(sys.argv[2]) as target:\n"
    "    copy(source, target)\n"
)
_FSCK = (
    "import sys\n"
    "from oci_layers.store.fsck import fsck\n"
    "from oci_layers.store.layout import Layout\n"
    "with Layout.open(sys.argv[1]) as layout:\n"
    "    sys.exit(not fsck(layout, threads=2).ok)\n"
)
_HASHLIB = (
    "import hashlib, os, sys\n"
    "from concurrent.futures import ThreadPoolExecutor\n"
    "def right(name):\n"
    "    with open(f'{sys.argv[1]}/{name}', 'rb') as file:\n"
    "        return hashlib.file_digest(file, 'sha256').hexdigest() == name\n"
    "with ThreadPoolExecutor(2) as pool:\n"
    "    sys.exit(not all(pool.map(right, os.listdir(sys.argv[1]))))\n"
)
_JUDGE = "awk '$1 != $2 {{wrong = 1}} END {{exit wrong}}'"
"""Compares what sha256sum prints with the names of the files, which are digests."""


def python_script(script: str) -> str:
    return "{python} -c " + shlex.quote(script).replace("{", "{{").replace("}", "}}")


OURS = Program("oci-layers unpack", "{python} -m oci_layers unpack --progress none oci:{layout}:b {dest}", BOTH)
IGZIP_TAR = Program(
    "igzip -dc | tar -x",
    "mkdir {dest}; for l in {layers}; do igzip -dc < $l | tar -x --numeric-owner -p -C {dest}; done",
    whiteouts=_LEFT,
    commands=("igzip", "tar"),
)
BSDTAR = Program(
    "bsdtar -x",
    "mkdir {dest}; for l in {layers}; do bsdtar -x -p --numeric-owner -f $l -C {dest}; done",
    whiteouts=_LEFT,
    commands=("bsdtar",),
)
GNU_TAR = Program(
    "GNU tar -xz",
    "mkdir {dest}; for l in {layers}; do tar -xzf $l --numeric-owner -p -C {dest}; done",
    whiteouts=_LEFT,
    commands=("tar", "gzip"),
)
TARFILE = Program(
    "Python's tarfile",
    "mkdir {dest}; " + python_script(_TARFILE) + " {dest} {layers}",
    whiteouts=_LEFT,
)
UMOCI = Program("umoci raw unpack", "umoci raw unpack --image {layout}:b {dest}", BOTH, commands=("umoci",))
# The mounts that the two leave behind end with a mount namespace of their own.
SKOPEO = Program(
    "skopeo copy, into its storage",
    "unshare -m skopeo --insecure-policy copy -q oci:{layout}:b "
    "containers-storage:[overlay@{scratch}/root+{scratch}/run]localhost/b",
    ("blob digests",),
    whiteouts=_APART,
    commands=("skopeo", "unshare"),
    root=True,
)
BUILDAH = Program(
    "buildah pull, into its storage",
    POLICY + " ln -s {layout} {scratch}/layout; cd {scratch}; unshare -m buildah --root {scratch}/root "
    "--runroot {scratch}/run --storage-driver overlay pull -q --policy always --signature-policy policy oci:layout:b",
    ("blob digests",),
    whiteouts=_APART,
    commands=("buildah", "unshare"),
    root=True,
)

UNPACKERS = (OURS, IGZIP_TAR, BSDTAR, UMOCI, GNU_TAR, TARFILE, SKOPEO, BUILDAH)

COPY = Program("oci_layers copy", python_script(_COPY) + " {layout} {dest}", ("blob digests",))
_CP = "cp -r {layout} {dest}; for l in {layout} {dest}; do (cd $l/blobs/sha256; "
CP_SHA256SUM = Program(
    "cp -r, sha256sum of both",
    _CP + "sha256sum * | " + _JUDGE + "); done",
    ("blob digests",),
    commands=("cp", "sha256sum", "awk"),
)
# Debian's sha256sum does not use what the processor has for it; OpenSSL does, as Python and Go do.
CP_OPENSSL = Program(
    "cp -r, openssl sha256 of both",
    _CP + "openssl sha256 -r * | tr -d '*' | " + _JUDGE + "); done",
    ("blob digests",),
    commands=("cp", "openssl", "awk"),
)
SKOPEO_COPY = Program(
    "skopeo copy",
    "skopeo --insecure-policy copy -q oci:{layout}:b oci:{dest}:b",
    ("blob digests",),
    commands=("skopeo",),
)
COPIERS = (COPY, CP_SHA256SUM, CP_OPENSSL, SKOPEO_COPY)

FSCK = Program("oci_layers fsck", python_script(_FSCK) + " {layout}", ("blob digests",))
XARGS_SHA256SUM = Program(
    "xargs -n1 -P2 sha256sum",
    "cd {layout}/blobs/sha256; ls | xargs -n1 -P2 sha256sum | " + _JUDGE,
    ("blob digests",),
    commands=("xargs", "sha256sum", "awk"),
)
HASHLIB = Program("hashlib in two threads", python_script(_HASHLIB) + " {layout}/blobs/sha256", ("blob digests",))
CHECKERS = (FSCK, XARGS_SHA256SUM, HASHLIB)

_UNPACKED = "{python} -m oci_layers unpack --progress none oci:{layout}:b {scratch}/root > /dev/null; "
_PACK = (
    "import sys\n"
    "import oci_layers as oci\n"
    "codec = oci.build.Codec(encoder=sys.argv[3])\n"
    "with oci.Layout.create(sys.argv[2]) as layout:\n"
    "    oci.build.NewLayer.from_directory(sys.argv[1]).write(layout.blobs, codec=codec)\n"
)
PACK, PACK_ISAL = (
    Program(
        f"oci_layers NewLayer.write, {encoder}",
        python_script(_PACK) + f" {{scratch}}/root {{dest}} {encoder}",
        modules=("isal",) if encoder == "isal" else (),
        prepare=_UNPACKED,
    )
    for encoder in ("zlib", "isal")
)
UMOCI_INSERT = Program(
    "umoci insert",
    "umoci insert --image {scratch}/layout:b {scratch}/root /",
    commands=("umoci",),
    prepare=_UNPACKED + "umoci init --layout {scratch}/layout; umoci new --image {scratch}/layout:b",
)
TAR_PIGZ = Program(
    "tar -c | pigz",
    "tar -c --numeric-owner -C {scratch}/root . | pigz > {dest}",
    commands=("tar", "pigz"),
    prepare=_UNPACKED,
)
TAR_IGZIP = Program(
    "tar -I 'igzip -1' -c",
    "tar -I 'igzip -1' -c --numeric-owner -C {scratch}/root -f {dest} .",
    commands=("tar", "igzip"),
    prepare=_UNPACKED,
)
PACKERS = (PACK, PACK_ISAL, UMOCI_INSERT, TAR_PIGZ, TAR_IGZIP)

_CHANGE = 'echo changed >> "$(find {changed} -type f | LC_ALL=C sort | sed -n 1p)"'
TWO_ROOTS = _UNPACKED + "cp -a {scratch}/root {scratch}/new; " + _CHANGE.replace("{changed}", "{scratch}/new")
"""Prepares two directories, `root` and `new`, that differ in one file."""
UMOCI_REPACK = Program(
    "umoci repack",
    "umoci repack --image {scratch}/layout:new {scratch}/bundle",
    commands=("umoci",),
    root=True,
    prepare="cp -r {layout} {scratch}/layout; umoci unpack --image {scratch}/layout:b {scratch}/bundle; "
    + _CHANGE.replace("{changed}", "{scratch}/bundle/rootfs"),
)

_SQUASH = (
    "import sys\n"
    "import oci_layers as oci\n"
    "codec = oci.build.Codec(compression=sys.argv[3], encoder=sys.argv[4])\n"
    "with oci.open_image(f'oci:{sys.argv[1]}:b') as image, oci.Layout.create(sys.argv[2]) as target:\n"
    "    oci.squash(image).write(target, 'b', codec=codec)\n"
)
SQUASH, SQUASH_ISAL, SQUASH_ZLIB = (
    Program(
        f"oci_layers squash, {name}",
        python_script(_SQUASH) + f" {{layout}} {{dest}} {codec}",
        BOTH,
        modules=("isal",) if name == "isal" else (),
    )
    for name, codec in (("uncompressed", "'' zlib"), ("isal", "gzip isal"), ("zlib", "gzip zlib"))
)
SQUASHERS = (SQUASH, SQUASH_ISAL, SQUASH_ZLIB, OURS)

_EXPORT = "{python} -m oci_layers export --progress none oci:{layout}:b "
EXPORT = Program("oci-layers export", _EXPORT + "> {dest}", BOTH)
EXPORT_BY_LAYER = Program("oci-layers export --order layer", _EXPORT + "--order layer > {dest}", BOTH)
LIST_AND_WRITE = Program(
    "oci-layers ls -R, cat of the tar",
    "{python} -m oci_layers ls -R oci:{layout}:b > /dev/null; cat {scratch}/root.tar > {dest}",
    BOTH,
    prepare=_EXPORT + "> {scratch}/root.tar",
)
EXPORTERS = (EXPORT, EXPORT_BY_LAYER, LIST_AND_WRITE)

OUR_LIST = Program("oci-layers ls -R", "{python} -m oci_layers ls -R oci:{layout}:b", BOTH)
IGZIP = Program("igzip -dc, to nowhere", "for l in {layers}; do igzip -dc < $l > /dev/null; done", commands=("igzip",))


def versions() -> dict[str, str]:
    """Return what the installed programs say of their versions; some say nothing."""
    programs = (*UNPACKERS, *COPIERS, *CHECKERS, *PACKERS, UMOCI_REPACK, IGZIP)
    names = sorted({*TOOLS, *(name for program in programs for name in program.commands)})
    return {name: said for name in names if shutil.which(name) and (said := _version(name))}


def _version(name: str) -> str:
    for argument in ("--version", "version"):
        said = subprocess.run([name, argument], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if said.stdout:
            return said.stdout.partition("\n")[0]
    return ""
