import os
import struct

import pytest

from oci_layers.disk import DirectoryMirror, scan
from oci_layers.errors import LayerError, UnsupportedError
from oci_layers.image.subset import write_tree
from oci_layers.layer import decode, encode
from oci_layers.tree import File, FileTree, Inline, TreeEditor, dump
from oci_layers.windows import from_transport, to_transport
from tests.support.layers import f, wh
from tests.support.windows import (
    EVERYTHING,
    INTO_PARENT,
    OLD_FORM,
    PARENT,
    STREAMS,
    applied,
    text,
    windir,
    windows_changes,
    winfile,
)

LOWER = [windir("Files"), windir("Files/Windows"), winfile("Files/Windows/old"), winfile("Files/gone")]


@pytest.mark.parametrize("layer", [EVERYTHING, LOWER, OLD_FORM, STREAMS, INTO_PARENT])
def test_a_layer_is_read_back_from_its_folder(layer):
    found = windows_changes(*layer, wh("Files/gone"))
    lower = (LOWER, PARENT)
    before = applied(found, *lower)
    again = list(from_transport(to_transport(found)))
    assert dump(applied(again, *lower)) == dump(before)
    assert applied(decode(encode(again), layer=1, windows=True), *lower) == before


def test_a_directory_that_nothing_describes_stays_as_it_is_below():
    found = windows_changes(f("Files/Windows/new", "1", 0o644, uid=5, pax={b"MSWINDOWS.sd": b"D:"}))
    again = list(from_transport(to_transport(found)))
    assert [change.path for change in again] == [b"Files/Windows/new"]
    assert dump(applied(again, LOWER)) == dump(applied(found, LOWER))


def test_a_folder_on_disk_is_the_layer(tmp_path):
    boot = [winfile(f"UtilityVM/Files/EFI/Microsoft/Boot/{name}", name) for name in ("BCD", "BCD.LOG")]
    found = windows_changes(*EVERYTHING, *boot, wh("Files/gone"))
    folder = to_transport(found)
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    mirror = DirectoryMirror(root)
    leaders = {node.inode: path for path, node in reversed(list(folder.walk())) if isinstance(node, File)}
    try:
        write_tree(folder, mirror, lambda _: ((path, folder.at(path), None) for path in leaders.values()))
    finally:
        mirror.close()
        os.close(root)
    for path in leaders.values():
        (tmp_path / os.fsdecode(path)).write_bytes(text(folder, path))
        os.utime(tmp_path / os.fsdecode(path), ns=(0, folder.at(path).mtime_ns))
    assert (tmp_path / "Files/Windows/ea.exe").samefile(tmp_path / "Files/Windows/other.exe")
    assert dump(applied(from_transport(scan(tmp_path)), LOWER)) == dump(applied(found, LOWER))


def test_the_boot_configuration_is_as_it_was_before_windows_changed_it():
    layer = windows_changes(windir("UtilityVM/Files"), winfile("UtilityVM/Files/EFI/Microsoft/Boot/BCD", "regf"))
    folder = to_transport(layer)
    path = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
    folder.require(path).content = Inline(b"changed")
    assert dump(applied(from_transport(folder))) == dump(applied(layer))


def folder_of(files):
    """A folder of files, without the list of what is removed if that is None."""
    tree = FileTree()
    editor = TreeEditor(tree)
    for name, data in {"tombstones.txt": b"\xef\xbb\xbfVersion 1.0\n", **files}.items():
        parent, _, base = name.encode().rpartition(b"/")
        if data is not None:
            editor.put(editor.open_parent(parent), base, File(0o644, 0, 0, 0, content=Inline(data)))
    return tree


EXPORTED = {
    "Files.$wcidirs$": (16).to_bytes(4, "little"),
    "Files/a": (32).to_bytes(4, "little"),
    "UtilityVM/Files/b": b"b",
    "tombstones.txt": b"\xef\xbb\xbfVersion 1.0\r\n\\b\\c\r\n",
}


def test_a_folder_of_windows_has_no_lists_of_ours():
    found = list(from_transport(folder_of(EXPORTED | {"Files/$Recycle.Bin/x": b""})))
    assert [change.path for change in found] == [
        *(b"Files", b"Files/a", b"UtilityVM", b"UtilityVM/Files", b"UtilityVM/Files/b", b"Files/b/c")
    ]
    assert (found[1].node.windows.attributes, found[4].node.content.size) == (32, 1)


def test_a_folder_of_ours_has_a_recycle_bin_if_the_layer_has():
    found = windows_changes(windir("Files"), windir("Files/$Recycle.Bin"), winfile("Files/$Recycle.Bin/x", "x"))
    assert dump(applied(from_transport(to_transport(found)))) == dump(applied(found))


ONE = {"Files.$wcidirs$": b"\x10\0\0\0", "Files/a": b"\x20\0\0\0"}
MACHINE = {"UtilityVM/Files/a": b""}


@pytest.mark.parametrize(
    "files",
    [
        {"tombstones.txt": None},
        {"tombstones.txt": None, "tombstones.txt/x": b""},
        {"tombstones.txt": b""},
        {"tombstones.txt": b"Version 1.0\n"},
        {"tombstones.txt": b"\xef\xbb\xbfVersion 1.0\nx\n"},
        {"tombstones.txt": b"\xef\xbb\xbfVersion 1.0\n\\..\\..\\x\n"},
        {"Files/a": b"\x20\0\0\0"},
        ONE | {"Files/a": b"\x20\0"},
        ONE | {"Files.$wcidirs$": b"\x10\0\0\0x"},
        {"oci-layers.jsonl": b"{"},
        {"oci-layers.jsonl": bytes((64 << 20) + 1)},
        {"oci-layers.jsonl": b"[]"},
        {"oci-layers.jsonl": b'{"path": 5}'},
        {"oci-layers.jsonl": b"[" * 100_000},
        {"oci-layers.jsonl": b'{"path": "UtilityVM/Files/x", "target": 5}'},
        ONE | {"oci-layers.jsonl": b'{"path": "Files/a", "windows": {"created": "x"}}'},
        ONE | {"oci-layers.jsonl": b'{"path": "Files/a", "windows": 5}'},
        ONE | {"oci-layers.jsonl": b'{"path": "Files/a", "xattrs": 5}'},
        ONE | {"oci-layers.jsonl": b'{"path": "Files/a", "mode": "x"}'},
        ONE | {"oci-layers.jsonl": b'{"path": "Files/a", "mode": []}'},
        MACHINE | {"oci-layers.jsonl": b'{"path": "UtilityVM/Files/a", "written": "soon"}'},
        MACHINE | {"oci-layers.jsonl": b'{"path": "UtilityVM/Files/a", "windows": {}, "streams": 5}'},
        {"UtilityVM/Files/EFI/Microsoft/Boot/BCD": b"", "bcd.bak/x": b""},
        ONE | {"Files/a": b"\x20\0\0\0" + struct.pack("<IIQI", 3, 0, 1 << 30, 0)},
        ONE | {"Files/a": b"\x20\0\0\0" + struct.pack("<IIQI", 2, 0, 1 << 30, 0)},
        {"tombstones.txt": b"\xef\xbb\xbfVersion 1.0\n\\a\0b\n"},
        {"oci-layers.jsonl": b'{"path": "../UtilityVM/Files/x", "target": "x"}'},
        {"oci-layers-steps.jsonl": b'{"step": "remove", "path": "UtilityVM/Files/../../Hives/x"}'},
        {"oci-layers-steps.jsonl": b"5"},
        {"oci-layers-steps.jsonl": b'{"step": "link", "path": "Files/x", "target": 5}'},
        {"oci-layers-steps.jsonl": b'{"step": "link", "path": "Files/x", "target": "../../x"}'},
        {"oci-layers-steps.jsonl": b'{"step": "link", "target": "Files/x"}'},
        {"oci-layers-steps.jsonl": b'{"step": "remove", "path": "Hives/x"}'},
        {"oci-layers-steps.jsonl": b'{"step": "remove"}'},
    ],
)
def test_a_folder_that_is_malformed_is_refused(files):
    with pytest.raises(LayerError):
        list(from_transport(folder_of(files)))


def test_a_file_beside_two_forms_is_no_link_between_them():
    tree = folder_of(ONE)
    editor = TreeEditor(tree)
    editor.link(editor.find(b"Files/a"), editor.open_parent(b"UtilityVM/Files"), b"a")
    found = {change.path: getattr(change.node, "content", None) for change in from_transport(tree)}
    assert [found[path].size for path in (b"Files/a", b"UtilityVM/Files/a")] == [0, 4]


def test_a_reparse_point_of_windows_itself_is_named():
    wci = b"\x08\0\0\0" + bytes(4) + (46).to_bytes(8, "little") + bytes(4) + b"\x18\0\0\x80" + bytes(42)
    with pytest.raises(UnsupportedError) as raised:
        list(from_transport(folder_of(ONE | {"Files/a": b"\x20\x04\0\0" + wci})))
    assert "Files/a" in "".join(raised.value.__notes__)


def test_a_record_of_a_junction_on_what_is_no_link_is_kept():
    found = windows_changes(windir("Files"), f("Files/a", pax={b"MSWINDOWS.mountpoint": b"1"}))
    assert [each.node.windows.is_junction for each in from_transport(to_transport(found))] == [False, True]
