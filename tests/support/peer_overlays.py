"""What overlay mounts of other programs show of the cases, beside the merged tree: each difference has a kind.

`python -m tests.support.peer_overlays` writes what is known of each case, in two minutes.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter

from oci_layers import open_image, system
from oci_layers.disk import scan
from oci_layers.testing.cases import cases, write_cases
from oci_layers.testing.same import differences
from oci_layers.tree import Device, Directory, Symlink

TABLE = pathlib.Path(__file__).parents[1] / "data/overlays_of_peers.txt"
KINDS = {
    "refused": "the program refuses the image",
    "ghost": "a name is listed that cannot be opened: a whiteout in a directory that no lower layer has (OVL-30)",
    "parents": "a directory stands where a link of a lower layer leads elsewhere (OVL-40)",
    "links": "names of one file are several files (OVL-41)",
    "device": "a device 0:0 of the image hides a name (OVL-37)",
    "missing": "a name is not there",
    "left": "a name is there that should not be",
    "type": "a name has something of another type",
    "root": "the root has other attributes",
    "directory": "a directory has other attributes (OVL-38)",
    "attributes": "something else has other attributes",
    "content": "a file has other bytes, or a link another target",
}


class Storage:
    """A storage of buildah with the driver overlay, in a directory; a context manager."""

    def __init__(self, directory):
        self.directory = directory

    def run(self, *command):
        """Run a command of buildah; return what it printed."""
        place = ("--root", f"{self.directory}/root", "--runroot", f"{self.directory}/run")
        return subprocess.run(
            ["buildah", *place, "--storage-driver", "overlay", "--storage-opt", "overlay.mount_program=", *command],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.run("umount", "--all")
        subprocess.run(["umount", f"{self.directory}/root/overlay"], check=False, capture_output=True)

    @contextlib.contextmanager
    def shown(self, layout, ref):
        """Yield the directory where the image is mounted; None if it is refused."""
        try:
            container = self.run("from", "--quiet", f"oci:{layout}:{ref}")
        except subprocess.CalledProcessError:
            yield None
            return
        try:
            yield self.run("mount", container)
        finally:
            self.run("umount", container)


@contextlib.contextmanager
def unpacked_by_umoci(layout, ref):
    with tempfile.TemporaryDirectory() as directory:
        command = ["umoci", "unpack", "--image", f"{layout}:{ref}", f"{directory}/bundle"]
        done = subprocess.run(command, capture_output=True, check=False)
        yield f"{directory}/bundle/rootfs" if done.returncode == 0 else None


def seen(directory):
    """Return the tree of a directory, a path or a handle, and the names in it that are listed and cannot be opened."""
    real, ghosts = system.list_names, []

    def list_names(fd):
        names = real(fd)
        there = [name for name in names if exists(name, fd)]
        ghosts.extend(set(names) - set(there))
        return there

    def exists(name, fd):
        try:
            os.lstat(name, dir_fd=fd)
        except FileNotFoundError:
            return False
        return True

    system.list_names = list_names
    try:
        return scan(directory), ghosts
    finally:
        system.list_names = real


def kinds(expected, directory, touched=()):
    """Return the kinds of the differences between a tree and what a program shows of it."""
    if directory is None:
        return {"refused"}
    actual, ghosts = seen(directory)
    rows = differences(expected, actual, touched=touched)
    replaced = {row.path for row in rows if is_replaced_link(expected.at(row.path), actual.at(row.path))}
    places = {place for path in replaced if (place := expected.resolve(path, follow=True).path) is not None}
    elsewhere = tuple(each + b"/" if each else b"" for each in replaced | places)
    found = {"ghost"} if ghosts else set()
    for row in rows:
        node = expected.at(row.path)
        if row.path in replaced or (elsewhere and row.path.startswith(elsewhere)):
            found.add("parents")
        elif isinstance(node, Device) and node.number == ("char", 0, 0):
            found.add("device")
        else:
            found.update([kind(row.path, node, what) for what in row.what])
    return found


def is_replaced_link(before, after):
    """Return whether there is a directory in the place of a symbolic link."""
    return isinstance(before, Symlink) and isinstance(after, Directory)


def kind(path, node, what):
    """Return the kind of a word of `Difference.what`."""
    match what:
        case "mode" | "owner" | "mtime" | "xattrs":
            return "root" if not path else "directory" if isinstance(node, Directory) else "attributes"
        case "unexpected":
            return "left"
        case "target" | "device":
            return "content"
        case _:
            return what


def accepted_cases():
    """Return the cases that this library accepts."""
    return [case for case in cases() if case.outcomes["default"].tree is not None]


def row_of(case, layout, storage):
    """Return the kinds of what each program makes of a case."""
    found = {}
    with open_image(f"oci:{layout}:case") as opened:
        expected = case.disk or opened.tree()  # What a disk can hold of it.
        for name, shown in (("buildah", storage.shown), ("umoci", unpacked_by_umoci)):
            with shown(layout, "case") as directory:
                found[name] = kinds(expected, directory, case.touched)
    return found


def line_of(case, found):
    """Return the line of a case, without its end; empty if all programs show the tree."""
    words = [f"{name}={','.join(each for each in KINDS if each in found[name])}" for name in found if found[name]]
    return " ".join([case.id, *words]) if words else ""


def known():
    """Return the lines of the table by case."""
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return {line.split()[0]: line for line in lines}


def main():
    """Write the table."""
    lines, counts = [], {"buildah": Counter(), "umoci": Counter()}
    with tempfile.TemporaryDirectory() as directory, Storage(f"{directory}/storage") as storage:
        write_cases(f"{directory}/cases")
        every = accepted_cases()
        for case in every:
            found = row_of(case, pathlib.Path(directory) / "cases" / case.id / "layout", storage)
            for name, of_case in found.items():
                counts[name].update(of_case or {"equal"})
            lines.append(line_of(case, found))
    head = [
        "# The cases of which a program shows another tree than the merged one, with the kinds of what differs.",
        "# `tests/support/peer_overlays.py` says what the kinds are, and writes this file.",
        *(
            f"# {name}: {found.pop('equal')} of {len(every)} equal; "
            + ", ".join(f"{each} {found[each]}" for each in KINDS if found[each])
            for name, found in counts.items()
        ),
    ]
    TABLE.write_text("\n".join([*head, *filter(None, lines)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
