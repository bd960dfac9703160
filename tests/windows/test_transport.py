import itertools
import json

import pytest

from oci_layers.errors import LayerError, LimitError, LinkError, UnsafePathError
from oci_layers.layer import Add, Link, Opaque, Whiteout
from oci_layers.tree import Device, File, Inline, RangeContent, Symlink, WindowsMetadata
from oci_layers.windows import decode_backup, encode_sddl, from_transport, to_transport
from tests.support.layers import f, ln, sym, wh
from tests.support.windows import EVERYTHING, descriptor, pax, text, windir, windows_changes, winfile, winlink

CHAIN = ["C:\\layers\\b", "C:\\layers\\a"]
MACHINE = [windir("UtilityVM"), windir("UtilityVM/Files")]
BOOT = "UtilityVM/Files/EFI/Microsoft/Boot"
OLD_RECORD = b"MSWINDOWS.sd"


def folder_of(*entries, **options):
    return to_transport(windows_changes(*entries), **options)


def lines(folder, name="oci-layers.jsonl"):
    return [json.loads(line) for line in text(folder, name).splitlines()]


def steps(folder):
    return lines(folder, "oci-layers-steps.jsonl")


def test_each_file_of_the_folder_is_as_windows_reads_it():
    folder = folder_of(*EVERYTHING, wh("Files/gone"), wh("Files/Windows/old"), parents=CHAIN)
    assert sorted(path for path, _ in folder.walk() if path) == [
        b"Files",
        b"Files.$wcidirs$",
        b"Files/Documents and Settings",
        b"Files/Documents and Settings.$wcidirs$",
        b"Files/Windows",
        b"Files/Windows.$wcidirs$",
        b"Files/Windows/ea.exe",
        b"Files/Windows/other.exe",
        b"Files/Windows/win.ini",
        b"Files/away",
        b"Files/here",
        b"Hives",
        b"Hives.$wcidirs$",
        b"Hives/System_Delta",
        b"UtilityVM",
        b"UtilityVM/Files",
        b"layerchain.json",
        b"oci-layers-steps.jsonl",
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
    assert exe.mtime_ns == windows_changes(*EVERYTHING)[4].node.mtime_ns
    assert text(folder, "Files/Windows.$wcidirs$")[:4] == (16).to_bytes(4, "little")
    assert steps(folder) == [
        {"step": "clone-utility-vm", "parent": "C:\\layers\\b"},
        {"step": "write-utility-vm"},
        {"step": "import-layer"},
        {"step": "remove-tombstones"},
        {"step": "link", "path": "UtilityVM/Files/win.ini", "target": "Files/Windows/win.ini", "in": "layer"},
        {"step": "join"},
        {"step": "process-utility-vm"},
    ]


def test_a_base_is_restored_and_processed():
    assert steps(folder_of(windir("Files"))) == [{"step": "restore-base"}, {"step": "process-base-layer"}]
    assert steps(folder_of(windir("Files"), *MACHINE)) == [
        {"step": name} for name in ("write-utility-vm", "restore-base", "process-base-layer", "process-utility-vm")
    ]


def test_names_of_one_file_share_a_file_of_the_folder():
    folder = folder_of(
        *(windir("Files"), winfile("Files/a", "1"), ln("Files/b", "files/A"), ln("Files/c", "Files/b")),
        *(*MACHINE, winfile("UtilityVM/Files/a", "2"), ln("UtilityVM/Files/b", "UtilityVM/Files/a")),
    )
    assert {folder.link_names(node.inode) for _, node in folder.walk() if isinstance(node, File)} - {()} == {
        (b"Files/a", b"Files/b", b"Files/c"),
        (b"UtilityVM/Files/a", b"UtilityVM/Files/b"),
    }
    assert [step["step"] for step in steps(folder)].count("join") == 1
    assert not [step for step in steps(folder) if step["step"] == "link"]


def test_a_link_to_a_lower_file_is_for_windows_to_make():
    entries = [windir("Files"), ln("Files/b", "Files/below"), ln("Files/c", "Files/b"), winfile("Files/below", "new")]
    folder = folder_of(*entries, parents=CHAIN)
    assert [step for step in steps(folder) if step["step"] == "link"] == [
        {"step": "link", "path": "Files/b", "target": "Files/below", "in": "parents"},
        {"step": "link", "path": "Files/c", "target": "Files/below", "in": "parents"},
    ]
    assert [path for path in (b"Files/b", b"Files/c", b"Files/below") if folder.at(path)] == [b"Files/below"]
    found = list(from_transport(folder))
    assert found[:2] == [Link(b"Files/b", b"Files/below"), Link(b"Files/c", b"Files/below")]


def test_the_last_entry_of_a_name_is_in_the_folder_in_whatever_case():
    entries = [winfile("Files/a", "1"), ln("Files/b", "Files/a"), winfile("Files/A", "2")]
    folder = folder_of(windir("Files"), *entries)
    contents = [(path, decode_backup(node.content, 4)) for path, node in folder.walk(b"Files") if path != b"Files"]
    assert [(path, b"".join(back.content.chunks())) for path, back in contents] == [
        (b"Files/A", b"2"),
        (b"Files/b", b"1"),
    ]


def test_the_machine_has_contents_as_they_are_and_metadata_beside_it():
    streams = [winfile("UtilityVM/Files/a:s", "stream")]
    folder = folder_of(*MACHINE, winfile("UtilityVM/Files/a", "1"), *streams, winlink("UtilityVM/Files/l", "a"))
    assert [path for path, _ in folder.walk("UtilityVM")] == [b"UtilityVM", b"UtilityVM/Files", b"UtilityVM/Files/a"]
    assert text(folder, "UtilityVM/Files/a") == b"1"
    found = {line["path"]: line for line in lines(folder)}
    assert list(found) == ["UtilityVM", "UtilityVM/Files", "UtilityVM/Files/a", "UtilityVM/Files/l"]
    assert found["UtilityVM/Files/a"]["windows"]["attributes"] == 32
    assert [(each["name"], each["data"]) for each in found["UtilityVM/Files/a"]["streams"]] == [("s", "c3RyZWFt")]
    assert found["UtilityVM/Files/l"]["target"] == "a"


def test_the_boot_configuration_is_kept_beside_what_windows_changes():
    names = ("BCD", "bcd.LOG", "BCD.LOG1", "BCD.LOG2", "other")
    folder = folder_of(*MACHINE, *(winfile(f"{BOOT}/{name}", name) for name in names))
    assert {path for path in folder.root.children if path.endswith(b".bak")} == {
        *(b"bcd.bak", b"bcd.log.bak", b"bcd.log1.bak", b"bcd.log2.bak")
    }
    assert [text(folder, f"bcd{end}.bak") for end in ("", ".log", ".log1", ".log2")] == [
        *(b"BCD", b"bcd.LOG", b"BCD.LOG1", b"BCD.LOG2")
    ]


def test_what_is_removed_from_the_machine_is_removed_before_it_is_written():
    folder = folder_of(wh("UtilityVM/Files/x"), wh("Files/x"), parents=CHAIN)
    assert steps(folder) == [
        {"step": "clone-utility-vm", "parent": "C:\\layers\\b"},
        {"step": "remove", "path": "UtilityVM/Files/x"},
        {"step": "write-utility-vm"},
        {"step": "import-layer"},
        {"step": "remove-tombstones"},
        {"step": "process-utility-vm"},
    ]
    assert text(folder, "tombstones.txt") == b"\xef\xbb\xbfVersion 1.0\n\\x\n"


def test_windows_is_not_told_to_remove_a_file_that_the_layer_has():
    folder = folder_of(windir("Files"), wh("Files/A"), winfile("Files/a"), ln("Files/b", "Files/low"), wh("Files/b"))
    assert text(folder, "tombstones.txt") == b"\xef\xbb\xbfVersion 1.0\n"
    with pytest.raises(LayerError) as raised:
        folder_of(windir("Files"), wh("Files/D"), winfile("Files/d/x"))
    assert raised.value.path == b"Files/D"


def test_a_link_to_a_directory_is_one():
    layer = [windir("Files"), winlink("Files/f", "x"), sym("Files/d", "C:\\x", pax=pax(0x410))]
    folder = folder_of(*layer)
    assert [path for path, _ in folder.walk()][2:5] == [b"Files/d", b"Files/d.$wcidirs$", b"Files/f"]
    assert folder.require("Files/d").children == {}
    targets = {change.path: getattr(change.node, "target", None) for change in from_transport(folder)}
    assert targets == {b"Files": None, b"Files/d": b"C:\\x", b"Files/f": b"x"}


@pytest.mark.parametrize("root", ["Files", "UtilityVM/Files"])
def test_a_descriptor_that_is_text_becomes_bytes_and_stays_text(root):
    sddl = b"O:BAG:SYD:(A;;FA;;;WD)"
    folder = folder_of(windir(root), f(f"{root}/a", pax={OLD_RECORD: sddl}))
    line = next(line for line in lines(folder) if line["path"] == f"{root}/a")
    assert (line["descriptor_of_sddl"], line["windows"]["sddl"]) == (True, sddl.decode())
    if root == "Files":
        assert decode_backup(folder.require("Files/a").content, 4).windows.security_descriptor == encode_sddl(sddl)
    found = next(change.node.windows for change in from_transport(folder) if change.path.endswith(b"/a"))
    assert (found.sddl, found.security_descriptor) == (sddl, None)


@pytest.mark.parametrize("sddl", ["O:DA", "D:(XA;;FX;;;BU;(Exists a))", "no descriptor"])
def test_a_descriptor_that_only_windows_understands_is_for_windows_to_set(sddl):
    folder = folder_of(windir("Files"), f("Files/a", pax={OLD_RECORD: sddl.encode()}))
    assert steps(folder)[1] == {"step": "set-security", "path": "Files/a", "sddl": sddl}
    assert decode_backup(folder.require("Files/a").content, 4).windows.security_descriptor is None


def test_the_bytes_of_a_descriptor_win_over_its_text():
    both = pax(32, descriptor()) | {OLD_RECORD: b"O:SY"}
    folder = folder_of(windir("Files"), f("Files/a", pax=both))
    assert decode_backup(folder.require("Files/a").content, 4).windows.security_descriptor == descriptor()


def test_what_has_no_place_in_a_layer_of_windows_is_left_out_and_reported():
    skipped = []
    others = [winfile("bcd.bak", "x"), winfile("UtilityVM/x"), winfile("files/x"), wh("UtilityVM/Files/y")]
    found = [*windows_changes(windir("Files"), *others), Whiteout(b"Hives/x"), Whiteout(b"Files")]
    folder = to_transport(found, skip=skipped.append)
    assert [(each.what, each.path) for each in skipped] == [
        ("windows-root", path) for path in (b"bcd.bak", b"UtilityVM/x", b"files/x", b"Hives/x", b"Files")
    ]
    assert [change.path for change in from_transport(folder)] == [b"Files", b"UtilityVM/Files/y"]
    assert len(list(from_transport(to_transport(found)))) == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (Add(b"Files/x", Device(0, 0, 0, 0)), LayerError),
        (Opaque(b"Files"), LayerError),
        (Add(b"Files/x.$wcidirs$", File(0, 0, 0, 0)), UnsafePathError),
        (Add(b"Files/x.$WCIdirs$/y", File(0, 0, 0, 0)), UnsafePathError),
        (Link(b"Files/x.$wcidirs$", b"Files/y"), UnsafePathError),
        (Add(b"Files/x:s", File(0, 0, 0, 0)), LayerError),
        (Add(b"Files/x", Symlink(0, 0, 0, target=b"\xff")), LayerError),
        (Link(b"Hives/x", b"Files/x"), LinkError),
        (Link(b"Files/x", b"Hives/x"), LinkError),
        (Link(b"Files/x", b"UtilityVM/x"), LinkError),
        (Whiteout(b"Files/a\nb"), LayerError),
        (Whiteout(b"Files/a\rb"), LayerError),
    ],
)
def test_what_no_folder_can_hold_is_refused(change, error):
    with pytest.raises(error):
        to_transport([change])


def test_a_name_is_replaced_after_the_links_to_the_lower_file_that_has_it():
    folder = folder_of(windir("Files"), ln("Files/z", "Files/B"), ln("Files/b", "Files/a"), ln("Files/c", "Files/b"))
    assert [(step["path"], step["target"]) for step in steps(folder) if step["step"] == "link"] == [
        *(("Files/c", "Files/a"), ("Files/z", "Files/B"), ("Files/b", "Files/a"))
    ]


def test_a_long_chain_of_names_that_are_replaced_costs_what_it_weighs():
    names = [b"Files/%05d" % number for number in range(20_000)]
    folder = to_transport(Link(new, old) for old, new in reversed(list(itertools.pairwise(names))))
    assert [step["path"].encode() for step in steps(folder) if step["step"] == "link"] == names[:0:-1]


@pytest.mark.parametrize(
    "entries",
    [
        [ln("Files/b", "Files/below"), winfile("Files/b:s", "1")],
        [winfile("Files/a"), ln("Files/b", "Files/a"), winfile("Files/b:s", "1")],
        [sym("Files/d", "x", pax=pax(0x410)), ln("Files/b", "Files/d")],
        [windir("Files/d"), ln("Files/b", "Files/d")],
        [ln("Files/a", "Files/B"), ln("Files/b", "Files/a")],
        [
            *(ln("Files/x", "Files/a"), ln("Files/y", "Files/b"), ln("Files/a", "Files/y"), ln("Files/b", "Files/x")),
            *(winfile("Files/x"), winfile("Files/y")),
        ],
    ],
)
def test_a_link_that_windows_cannot_make_is_refused(entries):
    with pytest.raises(LayerError):
        folder_of(windir("Files"), *entries)


def test_a_stream_that_is_too_large_for_a_line_is_refused():
    class Nothing:
        def read_at(self, offset, size):
            raise AssertionError

    large = WindowsMetadata(streams={b"s": RangeContent(Nothing(), 0, (64 << 20) + 1)})
    with pytest.raises(LimitError):
        to_transport([Add(b"UtilityVM/Files/a", File(0, 0, 0, 0, windows=large))])
    assert to_transport([Add(b"Files/a", File(0, 0, 0, 0, windows=large))]).at(b"Files/a").content.size > 64 << 20


def test_extended_attributes_of_linux_are_kept():
    node = File(0o600, 1, 2, 3, {b"user.a": b"\xff"}, content=Inline(b"x"))
    found = list(from_transport(to_transport([Add(b"Files/a", node)])))
    assert [(each.path, each.node.xattrs, each.node.mode) for each in found] == [
        (b"Files/a", {b"user.a": b"\xff"}, 0o600)
    ]
