"""A place for one run: the image, the destination, and canaries all around it that show whether the run left it.

    BOX/image                 the layout
    BOX/layers                the layers as plain archives
    BOX/outside               what no image may touch; absolute names and targets of hostile layers lead here
    BOX/1/2/3/4/work/dest     the destination; canaries are beside it, and in each directory above it
    SCRATCH                   TMPDIR of the program; it may do there what it likes

All of BOX but the destination is looked at before and after: names, types, attributes, times, contents. A hard link
from the destination to a canary is found, too. Names and links that lead farther are looked up on the host, of which a
command has a view of its own where that can be (`view`).
"""

import contextlib
import io
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from oci_layers import system
from oci_layers.disk.scan import scan
from oci_layers.errors import OCIError
from oci_layers.tar.entry import HARDLINK, SYMLINK, Entry, Pieces
from oci_layers.tar.reader import read_tar
from oci_layers.testing.judge.program import Job
from oci_layers.testing.judge.view import is_possible, view
from oci_layers.testing.stack import Stack, write_layers
from oci_layers.tree.dump import dump_lines
from oci_layers.tree.path import clean, join, parent_and_name

__all__ = ["REF", "Sandbox", "entries_of", "kept_entry", "redirected", "sandbox"]

REF = "case"
"""The name of the image in every layout."""
_WORK = "1/2/3/4/work"
_DEST = f"{_WORK}/dest"
_CANARIES = ("outside/canary", "outside/etc/passwd", "1/canary", "1/2/canary", "1/2/3/canary", "1/2/3/4/canary")
_BESIDE = ("canary", "dest-canary/canary", "empty")


@attrs.frozen
class Sandbox:
    """The place of one run."""

    job: Job
    box: Path
    before: frozenset[str]
    watched: dict[Path, object]

    def escapes(self) -> list[str]:
        """Return what changed outside the destination since the run began, each as a line; empty if nothing did.

        Directories in the destination are made readable.
        """
        if system.effective_ids()[0]:
            _open_all(self.job.dest)
        after = frozenset(_look(self.box))
        found = [f"- {line}" for line in sorted(self.before - after)] + [
            f"+ {line}" for line in sorted(after - self.before)
        ]
        changed = [path for path, seen in self.watched.items() if _stat(path) != seen]
        if self.job.view is not None:
            changed += self.job.view.changed(self.watched)
        return found + [f"+ {path} changed" for path in changed]


@contextlib.contextmanager
def sandbox(
    layers: Stack | Sequence[bytes],
    *,
    timeout: float,
    stop: threading.Event | None = None,
    hostile: bool = False,
    directory: Path | None = None,
) -> Iterator[Sandbox]:
    """Make a place for a run, and remove it afterwards.

    Args:
        layers: The layers, the lowest first.
        timeout: Seconds for the program.
        stop: What stops it early.
        hostile: The layers may try to leave the destination: what they lead to is made, so that they find it, where
            that is in the box.
        directory: Where the place is made.
    """
    with (
        # Some programs make references of paths, in which not every name may be.
        tempfile.TemporaryDirectory(prefix="box", suffix="x", dir=directory) as box_name,
        tempfile.TemporaryDirectory(prefix="scratch", suffix="x", dir=directory) as scratch,
        tempfile.TemporaryDirectory(prefix="view", suffix="x", dir=directory) as apart,
    ):
        box = Path(box_name).resolve()
        work = box / _WORK
        work.mkdir(parents=True)
        for file in [box / name for name in _CANARIES] + [work / name for name in _BESIDE]:
            _make_canary(file, is_directory=file.name == "empty")
        if hostile and isinstance(layers, Stack):
            layers = redirected(layers, box / "outside")
        tars = layers.tars() if isinstance(layers, Stack) else layers
        write_layers(box / "image", tars, REF)
        (box / "layers").mkdir()
        files = [box / "layers" / f"{number}.tar" for number in range(len(tars))]
        for file, tar in zip(files, tars, strict=True):
            file.write_bytes(tar)
        watched = {}
        for path, is_directory in _reached(entries_of(tars), box):
            if box not in path.parents:
                watched[path] = _stat(path)
            elif is_directory is not None and hostile:
                _make_canary(path, is_directory=is_directory)
        seen = view(Path(apart), [box, Path(scratch).resolve()]) if is_possible() else None
        job = Job(box / "image", REF, files, box / _DEST, Path(scratch), timeout, stop or threading.Event(), seen)
        yield Sandbox(job, box, frozenset(_look(box)), watched)


def _make_canary(path: Path, *, is_directory: bool) -> None:
    with contextlib.suppress(OSError):  # What is there already, or has a name that nothing can have.
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_directory:
            path.mkdir()
        else:
            path.write_bytes(b"nothing may change this\n")


def _open_all(directory: Path) -> None:
    """Let this user read all directories below one."""
    if directory.is_dir() and not directory.is_symlink():
        with contextlib.suppress(PermissionError):
            directory.chmod(0o700)
        for below in directory.iterdir():
            _open_all(below)


def _look(box: Path) -> Iterator[str]:
    """Yield a line for each thing outside the destination, and for each hard link that leads there from inside."""
    inside, links = f"/{_DEST}", f" link /{_DEST}"
    for line in dump_lines(scan(box)):
        path, _, rest = line.partition(" ")
        if path == inside or path.startswith(f"{inside}/"):
            kind, _, target = rest.partition(" ")
            if kind == "link" and not target.startswith(f"{inside}/"):
                yield line
        elif path in {f"/{_WORK}", "/"}:
            # The time of the directory in which the destination is made changes, and so does its parents' in a mount.
            yield " ".join([path, *rest.split(" ")[:3]])
        elif links in line:
            yield line.replace(links, " was a file, and is a link to the destination: ")
        else:
            yield line


def _stat(path: Path) -> object:
    with contextlib.suppress(OSError, ValueError):
        found = path.lstat()
        return found.st_ino, found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return None


def _reached(layers: Sequence[Sequence[Entry]], box: Path) -> Iterator[tuple[Path, bool | None]]:
    """Yield the paths outside the destination that names of layers mean if nothing confines them.

    Beside a path: whether something is to be there for the layers to find, a directory or a file; None if not.
    """
    dest = box / _DEST
    links: dict[bytes, bytes] = {}
    for layer in layers:
        for entry in layer:
            names: list[tuple[bytes, bool | None]] = [(entry.name, None)]
            path = b""
            with contextlib.suppress(OCIError):
                path = clean(entry.name, clamp=True)
            if entry.type == SYMLINK:
                links[path] = entry.linkname
                above, _ = parent_and_name(path)
                names.append((_joined(above, entry.linkname), True))
            if entry.type == HARDLINK:
                names.append((entry.linkname, False))
            for link, target in links.items():
                if path.startswith(link + b"/"):
                    names.append((_joined(parent_and_name(link)[0], join(target, path[len(link) + 1 :])), None))
            for name, is_directory in names:
                found = _outside(dest, name)
                if found is not None:
                    yield found, is_directory


def _joined(directory: bytes, target: bytes) -> bytes:
    return target if target.startswith(b"/") else join(directory, target)


def _outside(dest: Path, name: bytes) -> Path | None:
    """Return the path that a name means from the destination; None if it does not lead out of it."""
    here = [] if name.startswith(b"/") else list(dest.parts[1:])
    for part in name.decode(errors="surrogateescape").split("/"):
        if part == "..":
            here = here[:-1]
        elif part not in {"", "."}:
            here.append(part)
    path = Path("/", *here)
    return None if "\0" in str(path) or path == dest or dest in path.parents or path in dest.parents else path


def redirected(stack: Stack, outside: Path) -> Stack:
    """Return layers whose absolute names and targets lead into a directory, for those that do not confine them."""
    prefix = str(outside).encode()

    def moved(name: bytes) -> bytes:
        return prefix + name if name.startswith(b"/") else name

    return Stack(
        tuple(
            tuple(
                attrs.evolve(
                    entry,
                    name=moved(entry.name),
                    linkname=moved(entry.linkname) if entry.type in {SYMLINK, HARDLINK} else entry.linkname,
                )
                for entry in layer
            )
            for layer in stack.layers
        )
    )


def entries_of(tars: Sequence[bytes]) -> list[list[Entry]]:
    """Return the entries of archives, with their contents in memory; of a broken archive, those before the fault."""
    found: list[list[Entry]] = []
    for tar in tars:
        found.append([])
        with contextlib.suppress(OCIError):
            for entry in read_tar(io.BytesIO(tar)):
                found[-1].append(kept_entry(entry))
    return found


def kept_entry(entry: Entry) -> Entry:
    """Return an entry of an archive with its content in memory."""
    data = entry.read() if entry.size else b""
    return attrs.evolve(entry, content=Pieces([data]), extents=None, stored_size=len(data))
