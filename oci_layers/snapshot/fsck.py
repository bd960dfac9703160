"""Check a room: `fsck` compares each layer with its changes, and each image and container with the layers it needs.

The changes of a layer say what its directory holds: names, types, attributes, links, and the bytes of each file by
their digest. What the system refused when the layer was written, which the record has by kind, is not compared in that
layer.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import attrs

from oci_layers import system
from oci_layers.disk.scan import scan
from oci_layers.errors import OCIError, escape, format_error
from oci_layers.layer.compare import Aspect
from oci_layers.layer.difference import Difference, differences
from oci_layers.snapshot.directory import TMP, TRASH
from oci_layers.snapshot.layers import RoomLayer
from oci_layers.snapshot.record import LayerRecord
from oci_layers.snapshot.snapshots import Snapshots
from oci_layers.spec.digest import Digest

__all__ = ["Checked", "RoomFinding", "fsck"]

_SELINUX = b"security.selinux"
_IGNORED: dict[str, Aspect] = {"owner": "owner", "mode": "mode", "set-id": "mode", "xattr": "xattrs", "time": "mtime"}
"""The attributes that differ where the system refused something of a kind."""
_ABSENT = frozenset({"device", "fifo", "link"})
"""The kinds of files that are not there where the system refused them."""


@attrs.frozen(kw_only=True)
class RoomFinding:
    """Something that is wrong with a room."""

    kind: Literal["corrupt", "changed", "extra", "missing", "damaged", "unchecked"]
    """What:

    * `corrupt`: the bytes of a file are not what its layer has;
    * `changed`: its type, attributes or links are not;
    * `extra`: a file that its layer does not have;
    * `missing`: a file that its layer has, or a layer that an image or a container needs, is not there;
    * `damaged`: a record or a list of changes cannot be read;
    * `unchecked`: a file cannot be read by this user, such as one of mode 0000; root can compare it.
    """
    message: str
    """What is wrong, as a clause."""
    chain_id: Digest | None = None
    """The layer."""
    path: bytes = b""
    """The file in the directory of the layer."""

    def __str__(self) -> str:
        where = "" if self.chain_id is None else f"layer {self.chain_id}: "
        return f"{where}{escape(b'/' + self.path) + ': ' if self.path else ''}{self.message}"


@attrs.frozen(kw_only=True)
class Checked:
    """What `fsck` found."""

    findings: tuple[RoomFinding, ...]
    """The findings, by layer."""
    layers: int
    """How many layers were compared."""
    leftovers: int
    """How many names are in `tmp/` and `trash/`; `gc` removes what killed processes left there."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as files can be read."""
        return all(each.kind == "unchecked" for each in self.findings)


def fsck(room: Snapshots, *, contents: bool = True, checkpoint: Callable[[RoomLayer], None] | None = None) -> Checked:
    """Compare the layers of a room with what they should be; change nothing.

    Layers of read-only rooms are not compared. Other processes may use the room meanwhile.

    Args:
        room: The room.
        contents: Read every file, and compare its bytes; without it, only its size.
        checkpoint: Called with each layer before it is compared; an exception that it raises ends the work.

    Raises:
        OSError: A directory cannot be read.
    """
    findings: list[RoomFinding] = []
    layers: list[RoomLayer] = []
    compared = 0
    try:
        layers += room.layers.all()
    except OCIError as error:
        findings.append(RoomFinding(kind="damaged", message=format_error(error)))
    for layer in layers:
        if checkpoint is not None:
            checkpoint(layer)
        found = _check_kept(layer, contents=contents)
        if found is not None:
            findings += found
            compared += 1
    findings += _check_records(room)
    leftovers = len(room.room.names(TMP)) + len(room.room.names(TRASH))
    return Checked(findings=tuple(findings), layers=compared, leftovers=leftovers)


def _check_kept(layer: RoomLayer, *, contents: bool) -> list[RoomFinding] | None:
    """Compare a layer, which is not collected meanwhile; return None if it was removed before."""
    try:
        with layer.room.shared():
            used = layer.use()
    except FileNotFoundError:
        return None
    try:
        return list(_check_layer(layer, contents=contents))
    finally:
        system.close(used)


def _check_layer(layer: RoomLayer, *, contents: bool) -> Iterator[RoomFinding]:
    try:
        wanted = layer.upper()
    except (OCIError, FileNotFoundError) as error:
        yield RoomFinding(kind="damaged", message=_said(error), chain_id=layer.chain_id)
        return
    ignore = _ignored(layer.record)
    absent = bool(_ABSENT & layer.record.skipped.keys())
    try:
        found = scan(layer.path)
        for each in differences(wanted, found, content="always" if contents else "never", ignore=ignore):
            kind, message = _finding(each, absent=absent)
            if kind is not None:
                yield RoomFinding(kind=kind, message=message, chain_id=layer.chain_id, path=each.path)
    except (FileNotFoundError, NotADirectoryError):
        yield RoomFinding(kind="missing", message="its directory is not there", chain_id=layer.chain_id)
    except PermissionError as error:
        message = f"not compared further: {format_error(error)}"
        yield RoomFinding(kind="unchecked", message=message, chain_id=layer.chain_id)


def _ignored(record: LayerRecord) -> Sequence[Aspect]:
    """Return the attributes that the system refused to set."""
    ignore = {_IGNORED[kind] for kind in record.skipped if kind in _IGNORED}
    return sorted(ignore if record.same_owner else ignore | {"owner"})


def _finding(each: Difference, *, absent: bool) -> tuple[Literal["corrupt", "changed", "extra", "missing"] | None, str]:
    """Return what kind of finding a difference is, and a clause about it; no kind if it is none."""
    if each.new is None:
        return (None, "") if absent else ("missing", "not there")
    if each.old is None:
        return "extra", "not of this layer"
    what = [aspect for aspect in each.what if aspect != "xattrs" or not _same_xattrs(each)]
    if not what:
        return None, ""
    if "content" in what:
        return "corrupt", "its bytes are not those of the layer"
    return "changed", f"another {', '.join(what)}"


def _same_xattrs(each: Difference) -> bool:
    """Return whether two files have the same attributes, without the labels that this machine gives."""
    assert each.old is not None
    assert each.new is not None
    one, two = ({key: value for key, value in node.xattrs.items() if key != _SELINUX} for node in (each.old, each.new))
    return one == two


def _check_records(room: Snapshots) -> Iterator[RoomFinding]:
    """Yield the images and containers whose layers are not all there."""
    with room.room.shared():
        try:
            records = [(f"image {each.name}", each.chain_id) for each in room.images()]
            records += [(f"container {each.name}", each.chain_id) for each in room.containers()]
        except OCIError as error:
            yield RoomFinding(kind="damaged", message=format_error(error))
            return
        for name, chain_id in records:
            try:
                room.layers.stack(chain_id)
            except OCIError as error:
                yield RoomFinding(kind="missing", message=f"{escape(name)}: {format_error(error)}")


def _said(error: OCIError | OSError) -> str:
    return format_error(error) if isinstance(error, OCIError) else os.strerror(error.errno or 0)
