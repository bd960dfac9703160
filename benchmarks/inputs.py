"""The images that are measured, made once and kept.

`debian` is a real Debian root in four layers (base system, a C toolchain, Node.js with npm, then removals), made with
mmdebstrap, apt and umoci where they are installed and this is root. `synthetic` needs nothing but Python. Sizes differ
between runs of the archive's packages, so a result says how large its input was.
"""

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

from oci_layers.tar import DIRECTORY, REGULAR, Entry, Pieces, write_tar

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "oci-layers-benchmarks"
_TOOLS = ("mmdebstrap", "umoci", "chroot")
_STEPS = (
    "apt-get install -y -q --no-install-recommends build-essential git python3-dev",
    "apt-get install -y -q --no-install-recommends nodejs npm perl-doc vim",
    "apt-get purge -y -q vim perl-doc && apt-get autoremove -y -q && rm -rf /usr/share/doc /var/lib/apt/lists/*",
)


def images(*, small: bool) -> dict[str, Path]:
    """Return the layouts by name; each has one image, called `b`. Those that cannot be made here are left out."""
    found = {"synthetic-small": synthetic(2_000, 2)} if small else {"synthetic": synthetic(30_000, 3)}
    if not small and (layout := debian()) is not None:
        found["debian"] = layout
    return found


def debian() -> Path | None:
    """Return the layout of the Debian image, made at the first call; None where it cannot be made."""
    layout = CACHE / "debian"
    if layout.exists():
        return layout
    if os.geteuid() != 0 or not all(map(shutil.which, _TOOLS)):
        return None
    work = CACHE / "debian.making"
    subprocess.run(["rm", "-rf", work], check=True)
    work.mkdir(parents=True)
    making, bundle = work / "layout", work / "bundle"
    image = f"{making}:b"
    _run("umoci", "init", "--layout", str(making))
    _run("umoci", "new", "--image", image)
    _run("umoci", "unpack", "--image", image, str(bundle))
    root = bundle / "rootfs"
    _run("mmdebstrap", "--variant=apt", "--quiet", "bookworm", str(work / "base"))
    _run("cp", "-a", f"{work}/base/.", str(root))
    _repack(image, bundle)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    for step in _STEPS:
        _run("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", f"apt-get update -q && {step}")
        _repack(image, bundle)
    _run("umoci", "gc", "--layout", str(making))
    making.rename(layout)
    subprocess.run(["rm", "-rf", work], check=True)
    return layout


def _repack(image: str, bundle: Path) -> None:
    _run("umoci", "repack", "--refresh-bundle", "--image", image, str(bundle))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def synthetic(files: int, layers: int) -> Path:
    """Return a layout of made-up files of the sizes that real ones have, some rewritten by each further layer."""
    layout = CACHE / f"synthetic-{files}-{layers}"
    if layout.exists():
        return layout
    making = layout.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    (making / "blobs" / "sha256").mkdir(parents=True)
    dice = random.Random(files)
    text = bytes(dice.choices(range(32, 127), k=1 << 20))
    descriptors, diff_ids = [], []
    for number in range(layers):
        plain = b"".join(write_tar(_entries(dice, text, files if number == 0 else files // 10, files)))
        diff_ids.append("sha256:" + hashlib.sha256(plain).hexdigest())
        blob = gzip.compress(plain, 6, mtime=0)
        descriptors.append(_put(making, blob, "application/vnd.oci.image.layer.v1.tar+gzip"))
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": _put(making, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": descriptors,
    }
    entry = _put(making, json.dumps(manifest).encode(), manifest_type)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "b"}
    (making / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (making / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    making.rename(layout)
    return layout


def _entries(dice: random.Random, text: bytes, count: int, names: int) -> list[Entry]:
    entries = {}
    for _ in range(count):
        number = dice.randrange(names)
        size = int(dice.lognormvariate(8, 2)) % (1 << 19)
        start = dice.randrange(len(text) - size)
        data = text[start : start + size]
        directory = f"usr/d{number % 97}/d{number % 1009}/"
        entries[directory] = Entry(directory.encode(), DIRECTORY, mode=0o755)
        name = f"{directory}f{number}"
        entries[name] = Entry(
            name.encode(), REGULAR, mode=0o644, size=size, stored_size=size, content=Pieces([data] if data else [])
        )
    return [entries[name] for name in sorted(entries)]


def _put(layout: Path, data: bytes, media_type: str) -> dict[str, object]:
    name = hashlib.sha256(data).hexdigest()
    (layout / "blobs" / "sha256" / name).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}
