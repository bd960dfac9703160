"""Make the image that the repository carries, `tests/data/image`, with umoci: `python tests/data/make_image.py`.

Five layers of our own files: a base with hard links, a changed file, removals by whiteout, an opaque directory, and a
directory that a file replaces. Needs umoci and root (for the owners); the layout is replaced.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LAYOUT = HERE / "image"
REF = "lighthouse"
WHEN = 1_700_000_000

BASE = {
    "etc/os-release": 'NAME="Lighthouse"\nID=lighthouse\nVERSION_ID=1\n',
    "etc/motd": "The lamp is dark.\n",
    "usr/bin/lamp": "#!/bin/sh\ncat /etc/motd\n",
    "usr/share/log/1888": "Fog until noon. Horn sounded every minute.\n",
    "usr/share/log/1889": "A brig on the reef. All hands taken off.\n",
    "usr/share/log/1890": "Nothing to report. Painted the rail.\n",
    "var/cache/oil/january": "12 barrels\n",
    "var/cache/oil/february": "9 barrels\n",
    "opt/lens/first": "first order\n",
    "opt/lens/second": "second order\n",
}


def write(root, files):
    """Write files with fixed times and modes."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if "bin/" in name else 0o644)


def settle(root):
    """Give everything one time."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, (WHEN, WHEN), follow_symlinks=False)


def insert(work, number, target, files, *options):
    """Add a layer of the files at `target`."""
    source = work / str(number)
    source.mkdir()
    write(source, files)
    if number == 0:
        os.link(source / "usr/bin/lamp", source / "usr/bin/light")
        os.symlink("../usr/share/log", source / "var/log")
        os.chown(source / "usr/share/log/1890", 1890, 1890)
    settle(source)
    umoci("insert", "--image", f"{LAYOUT}:{REF}", *options, str(source), target)


def umoci(*arguments):
    """Run umoci with a fixed date."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(WHEN)}
    subprocess.run(["umoci", *arguments], check=True, env=environment)


def main():
    """Make the layout anew."""
    shutil.rmtree(LAYOUT, ignore_errors=True)
    umoci("init", "--layout", str(LAYOUT))
    umoci("new", "--image", f"{LAYOUT}:{REF}")
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        insert(work, 0, "/", BASE)
        insert(work, 1, "/etc", {"motd": "The lamp is lit. Keep two miles off.\n"})
        umoci("insert", "--image", f"{LAYOUT}:{REF}", "--whiteout", "/usr/share/log/1889")
        insert(work, 3, "/var/cache/oil", {"march": "11 barrels\n"}, "--opaque")
        lens = work / "lens"
        lens.write_text("sold to the museum\n")
        os.utime(lens, (WHEN, WHEN))
        umoci("insert", "--image", f"{LAYOUT}:{REF}", str(lens), "/opt/lens")
    config = [
        "--config.cmd",
        "/usr/bin/lamp",
        "--author",
        "The oci_layers authors",
        "--created",
        "2023-11-14T22:13:20Z",
    ]
    umoci("config", "--image", f"{LAYOUT}:{REF}", "--history.created", "2023-11-14T22:13:20Z", *config)
    umoci("gc", "--layout", str(LAYOUT))


if __name__ == "__main__":
    main()
