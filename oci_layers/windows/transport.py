r"""A layer for Windows as the folder that ImportLayer takes and ExportLayer gives (hcsshim, legacy layers).

    Files\a\f                   the attributes of the file, four bytes, and its backup stream
    Files\a, Files\a.$wcidirs$  a directory, empty or not, and the attributes and backup stream of the directory
    Hives\x                     the contents of a hive, with nothing before them
    UtilityVM\Files\a\f         the same of the utility virtual machine; directories have no file beside them
    bcd.bak, bcd.log*.bak       the contents of its boot configuration, which Windows changes in UtilityVM
    tombstones.txt              what the layer removes, one path a line, below Files
    layerchain.json             where the layers below are, the nearest first; left out for a base
    oci-layers.jsonl            what none of these has of a node: times other than the last write, owners, and the rest
    oci-layers-steps.jsonl      what Windows must do with the folder, in this order

The time of the last write is that of each file. Names of one file (hard links) share one file in the folder. A link in
`Hives` or `UtilityVM` is only in `oci-layers.jsonl`, as all metadata of what is there. That file has one JSON object a
line: `path`, and the members of `meta`; without `windows`, the node has no metadata of Windows at all. `no_attributes`
says that the four bytes mean nothing, `descriptor_of_sddl` that the descriptor was made of the text, and `implied` that
the layer has no entry of a directory, and changes nothing of it.

A step is a JSON object with its name in `step`:

    clone-utility-vm       copy UtilityVM\Files of `parent`: files by hard links; directories, links and BCD* in full
    remove                 remove `path` from that copy
    write-utility-vm       write UtilityVM over it, with the metadata in oci-layers.jsonl
    import-layer           ImportLayer; of a base restore-base: restore each file with BackupWrite
    remove-tombstones      remove what tombstones.txt names
    link                   make `path` a hard link to `target`, which is `in` one of the `parents`, or in this `layer`
    join                   make hard links of the names that share a file in the folder
    set-security           give `path` the descriptor of its text, `sddl`, which could not be made here
    process-base-layer     ProcessBaseLayer, which makes the hives and virtual disks of a base
    process-utility-vm     ProcessUtilityVMImage
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs

from oci_layers.errors import LayerError, LinkError, UnsafePathError, UnsupportedError
from oci_layers.layer.apply import apply
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.windows_apply import is_stream
from oci_layers.layer.windows_name import file_and_stream, is_outside
from oci_layers.report import Skipped
from oci_layers.tree.content import Content, Inline
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.fold import fold
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import DIRECTORY, WindowsMetadata
from oci_layers.windows.backup import encode_backup
from oci_layers.windows.content import Joined
from oci_layers.windows.meta import node_json, text_json, whole_json
from oci_layers.windows.sddl import encode_sddl

__all__ = [
    "ATTRIBUTES",
    "FIRST_LINE",
    "NODES",
    "ROOTS",
    "SAVED",
    "STEPS",
    "TOMBSTONES",
    "WCIDIRS",
    "is_plain",
    "to_transport",
]

_FILES, _UTILITY_VM = b"Files", b"UtilityVM"
ROOTS = (_FILES, b"Hives", _UTILITY_VM)
"""The directories of a layer, in the order of their names."""
WCIDIRS = b".$wcidirs$"
"""The end of the name of the file that has the metadata of a directory."""
TOMBSTONES, _CHAIN = b"tombstones.txt", b"layerchain.json"
NODES, STEPS = b"oci-layers.jsonl", b"oci-layers-steps.jsonl"
FIRST_LINE = b"\xef\xbb\xbfVersion 1.0"
"""The first line of the list of what is removed."""
ATTRIBUTES = 4
"""The number of bytes before a backup stream."""
_BOOT = b"UtilityVM/Files/EFI/Microsoft/Boot/BCD"
SAVED = {fold(_BOOT + end): b"bcd%s.bak" % end for end in (b"", b".log", b".log1", b".log2")}
"""By its folded path, the name of the copy of each file that Windows changes."""

JSON = dict[str, Any]  # Any: JSON
OnSkip = Callable[[Skipped], None]


def is_plain(path: bytes) -> bool:
    """Return whether the folder has the contents of what is at a path as they are, and its metadata elsewhere."""
    return path == _UTILITY_VM or path.startswith((b"Hives/", b"UtilityVM/"))


def to_transport(changes: Iterable[Change], *, parents: Sequence[str] = (), skip: OnSkip | None = None) -> FileTree:
    r"""Return the folder of a layer; contents are read when those of the folder are, streams outside Files at once.

    The folder has the layer as a whole: what a later entry replaces is not in it, nor a whiteout of a file that it has,
    as Windows removes names after it has written the layer.

    Args:
        changes: The changes of the layer, as `decode(..., windows=True)` yields them.
        parents: Where the layers below are on Windows (`C:\...`), the nearest first; none for a base.
        skip: Called with what is not in the folder: names beside `Files`, `Hives` and `UtilityVM\Files`.

    Raises:
        LayerError: A device or pipe, an opaque marker, a directory that the layer removes and has, a whiteout of a name
            with a line end, a link that Windows cannot make, or metadata that a backup stream cannot hold.
        UnsafePathError: A name that a folder has for itself.
        LimitError: A stream outside `Files` has more than 64 MiB.
    """
    layer = FileTree(windows=True)
    removed: list[bytes] = []
    apply(_accepted(changes, layer, removed, skip or (lambda _: None)), layer)
    folder = _Folder(layer, parents)
    folder.fill(removed)
    return folder.finished()


@attrs.frozen(eq=False)
class _Below:
    """The content of a name that is a hard link to a file of the layers below."""

    target: bytes
    size: int = 0
    extents: None = None

    def chunks(self) -> Iterator[bytes]:
        return iter(())


def _accepted(changes: Iterable[Change], layer: FileTree, removed: list[bytes], skip: OnSkip) -> Iterator[Change]:
    """Yield what is applied to the tree of the layer alone; put what is removed into a list."""
    for change in changes:
        path = change.path
        if isinstance(change, Opaque):
            raise LayerError(path, "Windows knows no opaque marker")
        if not _has_place(change):
            skip(Skipped("windows-root", path, 0, None, "Windows has no place for it in a layer"))
        elif isinstance(change, Whiteout):
            removed.append(path)
        elif any(fold(name).endswith(fold(WCIDIRS)) for name in path.split(b"/")):
            raise UnsafePathError(path, "a transport folder has such names for itself")
        elif isinstance(change, Link):
            yield _link(change, layer)
        elif not isinstance(change.node, File | Directory | Symlink):
            raise LayerError(path, "an image for Windows has no devices and pipes")
        elif is_stream(change) and _below(layer.at(layer.spelled(file_and_stream(path)[0]))) is not None:
            raise LayerError(path, "a hard link has no streams of its own")
        else:
            yield change


def _link(change: Link, layer: FileTree) -> Change:
    """Return a hard link as a change of the layer alone, to which the files of the layers below are names of them."""
    target = layer.spelled(change.target)
    if is_outside(change.path) or is_outside(target):
        raise LinkError(change.path, "Windows has hard links only below Files and UtilityVM/Files")
    node = layer.at(target)
    if fold(_below(node) or b"") == fold(change.path):
        raise LinkError(change.path, "a hard link to the lower file of this name")
    return change if node is not None else Add(change.path, File(0, 0, 0, 0, content=_Below(target)))


def _has_place(change: Change) -> bool:
    """Return whether Windows has a place for what a change makes, or removes, in a layer."""
    if isinstance(change, Whiteout):
        return not is_outside(change.path)
    root, _, below = file_and_stream(change.path)[0].partition(b"/")
    return root in ROOTS and (root != _UTILITY_VM or not below or (below + b"/").startswith(b"Files/"))


def _below(node: Node | None) -> bytes | None:
    """Return the target of a node that is a hard link to a file of the layers below; None for another."""
    return node.content.target if isinstance(node, File) and isinstance(node.content, _Below) else None


class _Folder:
    """Makes the folder of the tree of a layer; `steps` has the steps of one name each that depend on the layer."""

    def __init__(self, layer: FileTree, parents: Sequence[str]) -> None:
        self.layer = layer
        self.parents = parents
        self.tree = FileTree()
        self.editor = TreeEditor(self.tree)
        self.lines: list[JSON] = []
        self.steps: dict[str, list[JSON]] = {name: [] for name in ("remove", "link", "join", "set-security")}
        self.removed: list[bytes] = []

    def fill(self, removed: Iterable[bytes]) -> None:
        """Put all nodes of the layer into the folder, and note what it removes."""
        first: dict[int, bytes] = {}
        below: dict[bytes, bytes] = {}
        for path, node in self.layer.walk():
            leader = path if isinstance(node, Directory) else first.setdefault(node.inode, path)
            target = _below(node)
            if target is not None:
                below[path] = target
            elif leader != path:
                self.join(path, leader, node)
            elif path:
                self.put(path, node)
        self.link_below(below)
        self.remove(removed)

    def link_below(self, below: dict[bytes, bytes]) -> None:
        """Let Windows make hard links to lower files, the last to a file before the one that takes its name."""
        waiting = Counter(map(fold, below.values()))
        spelled = {fold(path): path for path in below}
        free = [path for path in below if not waiting[fold(path)]]
        for path in free:
            self.link(path, below[path], "parents")
            target = fold(below.pop(path))
            waiting[target] -= 1
            if not waiting[target] and target in spelled:
                free.append(spelled[target])
        if below:
            raise LinkError(next(iter(below)), "hard links in a circle over the files of the layers below")

    def link(self, path: bytes, target: bytes, where: str) -> None:
        """Let Windows make a hard link."""
        self.steps["link"].append(text_json("path", path) | text_json("target", target) | {"in": where})

    def join(self, path: bytes, leader: bytes, node: Node) -> None:
        """Make another name of a file of the folder, or let Windows make it if the folder has no such file."""
        if _is_directory(node):
            raise LinkError(path, "a hard link to a directory")
        found = self.editor.find(leader) if is_plain(path) == is_plain(leader) else None
        if found is None:
            self.link(path, leader, "layer")
            return
        parent, name = parent_and_name(path)
        self.editor.link(found, self.editor.open_parent(parent), name)
        self.steps["join"] = [{}]

    def put(self, path: bytes, node: Node) -> None:
        """Put a node into the folder."""
        parent, name = parent_and_name(path)
        here = self.editor.open_parent(parent)
        windows, marks = self.described(path, node)
        if isinstance(node, Directory) or (_is_directory(node) and not is_plain(path)):
            self.editor.put(here, name, Directory(0o755, 0, 0, node.mtime_ns))
            name += WCIDIRS
        if not is_plain(path):
            self.editor.put(here, name, _file(node, _transported(path, attrs.evolve(node, windows=windows))))
            value = node_json(path, node, _rest(node)) | marks
            if value != {"windows": {}}:
                self.lines.append(text_json("path", path) | value)
            return
        self.lines.append(text_json("path", path) | whole_json(path, node, windows) | marks)
        if isinstance(node, File):
            self.editor.put(here, name, _file(node, node.content))
            if fold(path) in SAVED:
                self.editor.put(self.editor.open_parent(b""), SAVED[fold(path)], _file(node, node.content))

    def described(self, path: bytes, node: Node) -> tuple[WindowsMetadata | None, JSON]:
        """Return the metadata of a node, with a descriptor if it has one as text alone, and marks for its line."""
        windows = node.windows
        marks: JSON = {"implied": True} if isinstance(node, Directory) and node.implicit else {}
        if windows is None:
            return None, marks
        if windows.attributes is None and not is_plain(path):
            marks["no_attributes"] = True
        if windows.sddl is None or windows.security_descriptor is not None:
            return windows, marks
        try:
            descriptor = encode_sddl(windows.sddl)
        except (LayerError, UnsupportedError):
            self.steps["set-security"].append(text_json("path", path) | text_json("sddl", windows.sddl))
            return windows, marks
        return attrs.evolve(windows, security_descriptor=descriptor), marks | {"descriptor_of_sddl": True}

    def remove(self, paths: Iterable[bytes]) -> None:
        """Note what is removed: in `Files` after the layer is written, in `UtilityVM` before."""
        for path in paths:
            here = self.layer.at(self.layer.spelled(path))
            if not path.startswith(b"Files/"):
                self.steps["remove"].append(text_json("path", path))
            elif isinstance(here, Directory):
                raise LayerError(path, "the layer has it and removes it, and Windows would remove both")
            elif b"\n" in path or b"\r" in path:
                raise LayerError(path, "the name has a line end")
            elif here is None:
                self.removed.append(path)

    def finished(self) -> FileTree:
        """Return the folder, with its lists."""
        lines = [FIRST_LINE, *(b"\\" + path[len(_FILES) + 1 :].replace(b"/", b"\\") for path in self.removed)]
        lists = {TOMBSTONES: b"".join(line + b"\n" for line in lines)}
        if self.parents:
            lists[_CHAIN] = json.dumps([*self.parents], separators=(",", ":")).encode()
        for name, values in ((NODES, self.lines), (STEPS, self.ordered())):
            lists[name] = "".join(json.dumps(value, sort_keys=True) + "\n" for value in values).encode()
        for name, data in lists.items():
            self.editor.put(self.editor.open_parent(b""), name, File(0o644, 0, 0, 0, content=Inline(data)))
        return self.tree

    def ordered(self) -> Iterator[JSON]:
        """Yield the steps in their order."""
        has_machine = self.layer.at(_UTILITY_VM) is not None or bool(self.steps["remove"])
        if has_machine and self.parents:
            yield {"step": "clone-utility-vm", "parent": self.parents[0]}
        yield from ({"step": "remove"} | value for value in self.steps["remove"])
        if has_machine:
            yield {"step": "write-utility-vm"}
        yield {"step": "import-layer" if self.parents else "restore-base"}
        if self.removed:
            yield {"step": "remove-tombstones"}
        for name in ("link", "join", "set-security"):
            yield from ({"step": name} | value for value in self.steps[name])
        if not self.parents:
            yield {"step": "process-base-layer"}
        if has_machine:
            yield {"step": "process-utility-vm"}


def _is_directory(node: Node) -> bool:
    """Return whether a node is a directory, or a link to one."""
    attributes = None if node.windows is None else node.windows.attributes
    return isinstance(node, Directory) or (isinstance(node, Symlink) and bool((attributes or 0) & DIRECTORY))


def _file(node: Node, content: Content) -> File:
    return File(0o644, 0, 0, node.mtime_ns, content=content)


def _transported(path: bytes, node: Node) -> Content:
    """Return the attributes and the backup stream of a node."""
    attributes = None if node.windows is None else node.windows.attributes
    if attributes is None:
        attributes = DIRECTORY if isinstance(node, Directory) else 0
    try:
        return Joined((Inline(attributes.to_bytes(ATTRIBUTES, "little")), encode_backup(node)))
    except LayerError as error:
        error.path = path
        raise


def _rest(node: Node) -> WindowsMetadata | None:
    """Return the metadata of a node that neither the attributes nor a backup stream has."""
    windows = node.windows
    if windows is None:
        return None
    return WindowsMetadata(
        sddl=windows.sddl,
        created_ns=windows.created_ns,
        accessed_ns=windows.accessed_ns,
        changed_ns=windows.changed_ns,
        is_junction=windows.is_junction and not isinstance(node, Symlink),
    )
