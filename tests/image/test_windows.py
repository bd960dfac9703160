import base64
import io
import json
import os

import pytest

from oci_layers import open_image
from oci_layers.build import LayerOptions, NewLayer
from oci_layers.disk import scan
from oci_layers.errors import LimitError, MetadataError, PathMissingError
from oci_layers.image.windows import keep_metadata, shown
from oci_layers.tree import RangeContent, dump
from oci_layers.windows import from_unpacked
from tests.support.layers import Built, f, ln, sym, tar, wh
from tests.support.trees import merged
from tests.support.windows import (
    EVERYTHING,
    INTO_PARENT,
    OLD_FORM,
    PARENT,
    STREAMS,
    descriptor,
    paths,
    pax,
    windir,
    windows_tree,
    winfile,
)

UPPER = (
    windir("Files"),
    wh("Files/Windows/WIN.ini"),
    windir("Files/windows"),
    winfile("Files/WINDOWS/new.txt", "new"),
    winfile("Hives/Software_Delta", "regf"),
)


@pytest.fixture
def built(tmp_path):
    def build(*layers):
        made = Built.of(str(tmp_path / "layout"), *(tar(*layer) for layer in layers))
        made.config["os"] = "windows"
        return open_image(made.write())

    return build


@pytest.fixture
def image(built):
    with built(EVERYTHING, UPPER) as opened:
        yield opened


def test_a_tree_shows_the_drive_or_the_roots_of_the_layers(image):
    whole = image.tree(root="layer")
    assert whole == windows_tree(EVERYTHING, UPPER)
    assert paths(image.tree()) == [path.removeprefix(b"Files/") for path in paths(whole) if path.startswith(b"Files/")]
    assert image.is_windows
    assert image.root.joinpath("WINDOWS", "new.TXT").read_text() == "new"
    assert "UtilityVM" not in image.tree()
    assert "utilityvm/files/WIN.INI" in whole


def test_the_drive_is_a_tree_of_its_own(image):
    drive = image.tree()
    assert drive.link_names(drive.require("Windows/ea.exe").inode) == (b"Windows/ea.exe", b"Windows/other.exe")
    lower = image.tree(1)
    assert lower.link_names(lower.require("windows/win.ini").inode) == ()  # Its other name is not on the drive.
    assert lower.fork() == lower
    assert image.tree(0).root.children == {}
    assert shown(image.tree(0, root="layer")).windows
    assert shown(image.tree(0, root="layer")).drives == drive.drives == (b"",)


def test_links_are_followed_on_the_drive(built):
    layer = [windir("Files"), windir("Files/Users"), winfile("Files/Users/x", "x"), sym("Files/Docs", "C:\\users")]
    with built(layer) as image:
        assert (image.root / "docs/X").read_bytes() == b"x"


def test_links_are_followed_in_the_tree_of_layers(built):
    layer = [windir("Files"), winfile("Files/x", "x"), winfile("x", "root"), sym("Files/l", "C:\\x")]
    with built(layer) as image:
        tree = image.tree(root="layer")
        assert tree.require("Files/l", follow=True) is tree.require("Files/x")


def test_files_are_read_by_their_paths_on_the_drive(image):
    assert image.read(["windows/NEW.txt", "Windows/ea.exe"]) == {"windows/NEW.txt": b"new", "Windows/ea.exe": b"MZ"}
    with pytest.raises(PathMissingError):
        image.read(["Files/Windows/ea.exe"])
    found = {path: b"".join(pieces) for path, _, pieces in image.files(["windows"])}
    assert found == {b"Windows/ea.exe": b"MZ", b"Windows/new.txt": b"new"}


def kept(dest):
    lines = (dest / "meta.jsonl").read_text().splitlines()
    return {value["path"]: value for value in map(json.loads, lines)}


def test_what_the_disk_cannot_hold_is_in_a_file_beside_it(image, tmp_path):
    dest = tmp_path / "dest"
    report = image.unpack(dest)
    found = {str(path.relative_to(dest)) for path in dest.rglob("*")}
    tree = image.tree(root="layer")
    assert found == {os.fsdecode(path) for path in paths(tree)} - {"Files/away"} | {"meta.jsonl"}
    assert (dest / "Files/Windows/new.txt").read_bytes() == b"new"
    lines = kept(dest)
    assert list(lines) == [os.fsdecode(path) for path in paths(tree)]
    assert report.skipped.totals["windows"] == len([node for _, node in tree.walk() if node.windows])
    assert report.skipped.totals["symlink"] == 1
    assert lines["Files/Windows/ea.exe"] == {
        "path": "Files/Windows/ea.exe",
        "written": "1700000000.123456789",
        "windows": {
            "attributes": 0x2821,
            "security_descriptor": base64.b64encode(descriptor(b"ea")).decode(),
            "created": "1600000000.123456700",
            "accessed": "1700000001.500000000",
            "changed": "-1.000000001",
            "extended_attributes": [{"name": "$KERNEL.PURGE.ESBCACHE", "data": "AAEC"}, {"name": "A", "data": ""}],
        },
    }
    assert lines["Files/Windows/other.exe"] == {"path": "Files/Windows/other.exe", "link": "Files/Windows/ea.exe"}
    assert lines["Files/away"]["target"] == "\\\\?\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\"
    assert lines["Files/Documents and Settings"]["windows"]["junction"] is True


@pytest.mark.parametrize(
    "layers",
    [
        *((EVERYTHING, UPPER), (EVERYTHING,), (PARENT, INTO_PARENT), (OLD_FORM,), (STREAMS,)),
        ([f("Files/a", "x", uid=5, xattrs={b"user.a": b"\xff"}), sym("Files/b", "x")],),
    ],
)
def test_what_was_unpacked_is_the_image_again(built, tmp_path, layers):
    with built(*layers) as image:
        image.unpack(tmp_path / "d")
        expected = dump(image.tree(root="layer"))
    again = from_unpacked(scan(tmp_path / "d"))
    assert dump(again) == expected
    raw = b"".join(NewLayer.from_tree(again, options=LayerOptions(nanoseconds=True)).iter_tar())
    assert dump(merged(raw, windows=True)) == dump(again)


def test_what_was_changed_since_is_as_it_is_on_disk(built, tmp_path):
    with built([windir("Files"), winfile("Files/a", "1"), winfile("Files/gone"), ln("Files/b", "Files/a")]) as image:
        image.unpack(tmp_path / "d")
    (tmp_path / "d/Files/a").write_text("2")
    (tmp_path / "d/Files/gone").unlink()
    (tmp_path / "d/Files/new").mkdir()
    (tmp_path / "d/Files/new/x").write_text("new")
    os.link(tmp_path / "d/Files/new/x", tmp_path / "d/Files/new/y")
    tree = from_unpacked(scan(tmp_path / "d"))
    assert paths(tree) == [b"Files", *(b"Files/" + name for name in (b"a", b"b", b"new", b"new/x", b"new/y"))]
    assert (tree.require("Files/a").windows.attributes, tree.require("Files/new").windows) == (32, None)
    assert b"".join(tree.require("files/B").content.chunks()) == b"2"
    assert tree.require("Files/new/x") is tree.require("Files/new/y")


def test_streams_are_kept_with_their_contents(built, tmp_path):
    with built(EVERYTHING) as image:
        image.unpack(tmp_path / "image")
        image.layers[0].unpack(tmp_path / "layer")
    for dest in ("image", "layer"):
        zone, empty = kept(tmp_path / dest)["Files/Windows/win.ini"]["streams"]
        assert (zone["name"], base64.b64decode(zone["data"]), zone["size"]) == (
            "Zone.Identifier",
            b"[ZoneTransfer]",
            14,
        )
        assert zone["digest"].startswith("sha256:")
        assert (empty["name"], empty["data"]) == ("empty", "")
    assert (tmp_path / "image/meta.jsonl").read_bytes() == (tmp_path / "layer/meta.jsonl").read_bytes()


def test_links_lead_to_the_drive_wherever_it_is(built, tmp_path):
    layer = [
        *(windir("Files"), windir("Files/a"), windir("Files/a/b"), windir("Hives"), windir("UtilityVM")),
        *(windir("UtilityVM/Files"), winfile("Files/x", "x")),
        sym("Files/a/b/abs", "C:\\x"),
        sym("Files/a/b/rel", "..\\..\\x"),
        sym("Files/root", "C:\\"),
        sym("UtilityVM/Files/vm", "C:\\y"),
        sym("Files/share", "\\\\server\\x"),
        sym("Hives/odd", "C:\\x"),
    ]
    with built(layer) as image:
        report = image.unpack(tmp_path / "d")
    links = {
        path: os.readlink(tmp_path / "d" / path)
        for path in ("Files/a/b/abs", "Files/a/b/rel", "Files/root", "UtilityVM/Files/vm")
    }
    assert list(links.values()) == ["../../x", "../../x", ".", "y"]
    assert (tmp_path / "d/Files/a/b/abs").read_text() == "x"
    assert sorted(item.path for item in report.skipped if item.what == "symlink") == [b"Files/share", b"Hives/odd"]
    assert kept(tmp_path / "d")["Files/a/b/abs"]["target"] == "C:\\x"


def test_a_link_that_is_left_out_may_be_replaced_and_linked_to(built, tmp_path):
    lower = [windir("Files"), sym("Files/a", "D:\\x"), ln("Files/b", "Files/a"), sym("Files/c", "D:\\x")]
    with built(lower, [winfile("Files/a", "file"), wh("Files/c")]) as image:
        report = image.unpack(tmp_path / "d")
    assert sorted(os.listdir(tmp_path / "d/Files")) == ["a"]
    assert [(item.what, item.path) for item in report.skipped if item.what != "windows"] == [("symlink", b"Files/b")]


def test_files_without_permissions_get_some(built, tmp_path):
    layer = [
        windir("Files"),
        winfile("Files/a"),
        winfile("Files/r", pax=pax(33)),
        winfile("Files/x", pax={}),
        f("Files/m", "", 0o600, pax=pax(32)),
    ]
    with built(layer) as image:
        image.unpack(tmp_path / "d")
    modes = {name: (tmp_path / "d/Files" / name).stat().st_mode & 0o7777 for name in ("a", "r", "x", "m", ".")}
    assert modes == {"a": 0o644, "r": 0o444, "x": 0, "m": 0o600, ".": 0o755}


def test_a_part_is_named_from_the_roots_of_the_layers(image, tmp_path):
    image.unpack(tmp_path / "d", paths=["files/windows/new.TXT"])
    assert [str(path.relative_to(tmp_path / "d")) for path in sorted((tmp_path / "d").rglob("*"))] == [
        *("Files", "Files/Windows", "Files/Windows/new.txt", "meta.jsonl")
    ]


def test_what_is_kept_beside_is_no_metadata_that_is_missed(built, tmp_path):
    own = {"uid": os.geteuid(), "gid": os.getegid()}
    with built([windir("Files", **own), winfile("Files/a", **own)]) as image:
        image.unpack(tmp_path / "d", strict_metadata=True)
    if os.geteuid():
        with built([winfile("Files/a", uid=5)]) as image, pytest.raises(MetadataError):
            image.unpack(tmp_path / "e", strict_metadata=True)


def test_a_large_stream_is_refused(tmp_path):
    class Nothing:
        def read_at(self, offset, size):
            raise AssertionError

    class Mirror:
        report = type("R", (), {"skipped": type("S", (), {"add": staticmethod(lambda item: None)})})

        def make(self, parent, name, node, data):
            list(data)

    tree = windows_tree([windir("Files"), winfile("Files/a"), winfile("Files/a:s", "1")])
    node = tree.require("Files/a")
    node.windows = node.windows.with_stream(b"s", RangeContent(Nothing(), 0, (64 << 20) + 1))
    with pytest.raises(LimitError) as raised:
        keep_metadata(tree, Mirror())
    assert raised.value.__notes__ == ["the stream Files/a:s"]


def test_an_export_is_a_layer_again(image):
    for order in ("path", "layer"):
        out = io.BytesIO()
        image.export(out, order=order)
        assert merged(out.getvalue(), windows=True) == image.tree(root="layer")


def test_an_account_and_the_history_of_a_path_are_of_the_layers(image):
    account = image.account()
    assert set(account.layers[1].paths("removed")) == {b"Files/Windows/win.ini"}
    assert set(account.layers[1].paths("added")) == {b"Files/Windows/new.txt", b"Hives/Software_Delta"}
    assert account.layers[1].places == ((b"Files/Windows/win.ini", False),)
    assert [touch.what for touch in image.why("Files/Windows/win.ini").touches] == ["added", "removed"]


def test_a_layer_alone_is_of_windows_too(image):
    assert image.layers[1].tree().windows
    assert [change.path for change in image.layers[1].changes()][1] == b"Files/Windows/WIN.ini"
    assert [each.rule for each in image.lint() if each.severity == "error"].count("windows-base") == 6
