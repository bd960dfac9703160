import io
import json
import os

import pytest

from oci_layers.disk import DirectoryMirror, scan
from oci_layers.errors import LayerError, UnsafePathError, UnsupportedError
from oci_layers.image.subset import write_tree
from oci_layers.layer import Add, Opaque, Whiteout, apply, decode, encode
from oci_layers.tar import read_tar
from oci_layers.tree import Device, File, FileTree, Inline, Symlink, TreeEditor, dump
from oci_layers.windows import decode_backup, from_transport, to_transport
from tests.support.layers import f, ln, sym, tar, wh
from tests.support.windows import EVERYTHING, descriptor, pax, windir, windows_tree, winfile, winlink

DRIVE = tuple(entry for entry in EVERYTHING if not entry.name.startswith(b"UtilityVM"))
"""Without the utility virtual machine."""
LOWER = [windir("Files"), windir("Files/Windows"), winfile("Files/Windows/old"), winfile("Files/gone")]
CHAIN = ["C:\\layers\\b", "C:\\layers\\a"]


def changes(*entries):
    return list(decode(read_tar(io.BytesIO(tar(*entries))), layer=1, windows=True))


def applied(found, *lower):
    tree = windows_tree(*lower)
    apply(found, tree, layer=1)
    return tree


def text(tree, path):
    return b"".join(tree.require(path).content.chunks())


def test_each_file_of_the_folder_is_as_windows_reads_it():
    folder = to_transport(changes(*DRIVE, wh("Files/gone"), wh("Files/Windows/old")), parents=CHAIN)
    assert sorted(path for path, _ in folder.walk() if path) == [
        b"Files",
        b"Files.$wcidirs$",
        b"Files/Documents and Settings",
        b"Files/Documents and Settings.$wcidirs$",
        b"Files/Windows",
        b"Files/Windows.$wcidirs$",
        b"Files/Windows/ea.exe",
        b"Files/Windows/win.ini",
        b"Files/away",
        b"Files/here",
        b"Hives",
        b"Hives.$wcidirs$",
        b"Hives/System_Delta",
        b"layerchain.json",
        b"oci-layers.jsonl",
        b"tombstones.txt",
    ]
    assert text(folder, "tombstones.txt") == b"\xef\xbb\xbfVersion 1.0\n\\gone\n\\Windows\\old\n"
    assert text(folder, "layerchain.json") == b'["C:\\\\layers\\\\b","C:\\\\layers\\\\a"]'
    assert text(folder, "Hives/System_Delta") == b"regf"
    exe = folder.require("Files/Windows/ea.exe")
    assert text(folder, "Files/Windows/ea.exe")[:4] == (0x2821).to_bytes(4, "little")
    back = decode_backup(exe.content, 4)
    assert (back.windows.security_descriptor, b"".join(back.content.chunks())) == (descriptor(b"ea"), b"MZ")
    assert exe.mtime_ns == changes(*DRIVE)[4].node.mtime_ns
    assert text(folder, "Files/Windows.$wcidirs$")[:4] == (16).to_bytes(4, "little")
    lines = [json.loads(line) for line in text(folder, "oci-layers.jsonl").splitlines()]
    assert {"path": "Files/Windows/other.exe", "link": "Files/Windows/ea.exe"} in lines


def test_a_link_to_a_directory_is_one():
    layer = [windir("Files"), winlink("Files/f", "x"), sym("Files/d", "C:\\x", pax=pax(0x410))]
    folder = to_transport(changes(*layer))
    assert [path for path, _ in folder.walk()][2:5] == [b"Files/d", b"Files/d.$wcidirs$", b"Files/f"]
    assert folder.require("Files/d").children == {}
    targets = {change.path: getattr(change.node, "target", None) for change in from_transport(folder)}
    assert targets == {b"Files": None, b"Files/d": b"C:\\x", b"Files/f": b"x"}


@pytest.mark.parametrize(
    "layer", [DRIVE, EVERYTHING, LOWER, [f("Files/plain/x", "1", 0o644, uid=5, pax={b"MSWINDOWS.sd": b"D:"})]]
)
def test_a_layer_is_read_back_from_its_folder(layer):
    entries = [*layer, wh("Files/gone")]
    before = applied(changes(*entries), LOWER)
    again = list(from_transport(to_transport(changes(*entries))))
    if layer[0].name == b"Files":
        assert dump(applied(again, LOWER)) == dump(before)
        assert applied(decode(encode(again), layer=1, windows=True), LOWER) == before
    else:  # Directories that nothing describes get an entry.
        assert applied(again, LOWER).require("Files/plain/x").windows.sddl == b"D:"
        assert {type(change.node).__name__ for change in again[:2]} == {"Directory"}


def test_a_folder_on_disk_is_the_layer(tmp_path):
    found = changes(*DRIVE, wh("Files/gone"))
    folder = to_transport(found)
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    mirror = DirectoryMirror(root)
    try:
        write_tree(folder, mirror, lambda files: ((path, node, None) for path, node in files))
    finally:
        mirror.close()
        os.close(root)
    assert (tmp_path / "tombstones.txt").exists()
    for path, node in folder.walk():
        if isinstance(node, File):
            (tmp_path / os.fsdecode(path)).write_bytes(b"".join(node.content.chunks()))
            os.utime(tmp_path / os.fsdecode(path), ns=(0, node.mtime_ns))
    assert dump(applied(from_transport(scan(tmp_path)), LOWER)) == dump(applied(found, LOWER))


def test_the_utility_virtual_machine_is_there_with_what_is_removed_from_it():
    entries = [
        *(windir("Files"), winfile("Files/x", "x")),
        *(windir("UtilityVM"), windir("UtilityVM/Files"), winfile("UtilityVM/Files/BCD", "regf")),
        *(ln("UtilityVM/Files/x", "Files/x"), wh("UtilityVM/Files/y")),
    ]
    folder = to_transport(changes(*entries))
    assert text(folder, "UtilityVM/Files/BCD")[:4] == (0x20).to_bytes(4, "little")
    assert b"".join(decode_backup(folder.require("UtilityVM/Files/BCD").content, 4).content.chunks()) == b"regf"
    assert text(folder, "tombstones.txt") == b"\xef\xbb\xbfVersion 1.0\n"
    lower = [*entries[:5], winfile("UtilityVM/Files/y", "y")]
    assert dump(applied(from_transport(folder), lower)) == dump(applied(changes(*entries), lower))


def test_what_windows_alone_can_change_is_left_out_and_reported():
    skipped = []
    found = [*changes(windir("Files"), winfile("bcd.bak", "x")), Whiteout(b"Hives/x")]
    folder = to_transport(found, skip=skipped.append)
    assert [(each.what, each.path) for each in skipped] == [("windows-root", b"bcd.bak"), ("windows-root", b"Hives/x")]
    assert [change.path for change in from_transport(folder)] == [b"Files"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (Add(b"Files/x", Device(0, 0, 0, 0)), LayerError),
        (Opaque(b"Files"), LayerError),
        (Add(b"Files/x.$wcidirs$", File(0, 0, 0, 0)), UnsafePathError),
        (Add(b"Files/x:s", File(0, 0, 0, 0)), LayerError),
        (Add(b"Files/x", Symlink(0, 0, 0, target=b"\xff")), LayerError),
    ],
)
def test_what_no_folder_can_hold_is_refused(change, error):
    with pytest.raises(error):
        to_transport([change])
    with pytest.raises(LayerError):
        to_transport(changes(wh("Files/a\nb")))


def folder_of(**files):
    tree = FileTree()
    editor = TreeEditor(tree)
    for name, data in {"tombstones.txt": b"\xef\xbb\xbfVersion 1.0\n", **files}.items():
        parent, _, base = name.encode().rpartition(b"/")
        if data is not None:
            editor.put(editor.open_parent(parent), base, File(0o644, 0, 0, 0, content=Inline(data)))
    return tree


def test_a_folder_of_windows_has_no_list_of_the_rest():
    files = {
        "Files.$wcidirs$": (16).to_bytes(4, "little"),
        "Files/a": (32).to_bytes(4, "little"),
        "Files/$Recycle.Bin/x": b"",
        "tombstones.txt": b"\xef\xbb\xbfVersion 1.0\r\n\\b\\c\r\n",
    }
    found = list(from_transport(folder_of(**files)))
    assert [change.path for change in found] == [b"Files", b"Files/a", b"Files/b/c"]
    assert found[1].node.windows.attributes == 32


@pytest.mark.parametrize(
    "files",
    [
        {"tombstones.txt": None},
        {"tombstones.txt": b""},
        {"tombstones.txt": b"Version 1.0\n"},
        {"tombstones.txt": b"\xef\xbb\xbfVersion 1.0\nx\n"},
        {"tombstones.txt": b"\xef\xbb\xbfVersion 1.0\n\\..\\..\\x\n"},
        {"tombstones.txt/x": b""},
        {"Files/a": b"\x20\0\0\0"},
        {"Files.$wcidirs$": b"\x10\0\0\0", "Files/a": b"\x20\0"},
        {"Files.$wcidirs$": b"\x10\0\0\0x", "Files/a": b"\x20\0\0\0"},
        {"oci-layers.jsonl": b"{"},
        {"oci-layers.jsonl": bytes((64 << 20) + 1)},
        {"oci-layers.jsonl": b"[]"},
        {"oci-layers.jsonl": b'{"path": 5}'},
        {"oci-layers.jsonl": b'{"path": "Files/x", "link": 5}'},
        {"oci-layers.jsonl": b'{"path": "Files/x", "link": "../../x"}'},
        {"oci-layers.jsonl": b"[" * 100_000},
        {
            "Files.$wcidirs$": b"\x10\0\0\0",
            "Files/a": b"\x20\0\0\0",
            "oci-layers.jsonl": b'{"path": "Files/a", "created": "x"}',
        },
        {
            "Files.$wcidirs$": b"\x10\0\0\0",
            "Files/a": b"\x20\0\0\0",
            "oci-layers.jsonl": b'{"path": "Files/a", "mode": "x"}',
        },
        {
            "Files.$wcidirs$": b"\x10\0\0\0",
            "Files/a": b"\x20\0\0\0",
            "oci-layers.jsonl": b'{"path": "Files/a", "mode": []}',
        },
    ],
)
def test_a_folder_that_is_malformed_is_refused(files):
    if "tombstones.txt/x" in files:
        files = {"tombstones.txt": None, **files}
    with pytest.raises(LayerError):
        list(from_transport(folder_of(**files)))


def test_a_reparse_point_of_windows_itself_is_named():
    wci = b"\x08\0\0\0" + bytes(4) + (46).to_bytes(8, "little") + bytes(4) + b"\x18\0\0\x80" + bytes(42)
    files = {"Files.$wcidirs$": b"\x10\0\0\0", "Files/a": b"\x20\x04\0\0" + wci}
    with pytest.raises(UnsupportedError) as raised:
        list(from_transport(folder_of(**files)))
    assert "Files/a" in "".join(raised.value.__notes__)
