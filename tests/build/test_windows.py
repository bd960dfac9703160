import base64
import hashlib
import io
import os

import pytest

from oci_layers import open_image
from oci_layers.build import LayerOptions, NewLayer, WritableLayer, edit, squash
from oci_layers.build.descriptor import DIRECTORY_DESCRIPTOR, FILE_DESCRIPTOR
from oci_layers.errors import LayerError, UnsafePathError, WhiteoutError
from oci_layers.layer import Add, Opaque, Whiteout
from oci_layers.lint import lint
from oci_layers.report import Listing
from oci_layers.store.layout import Layout
from oci_layers.tar import DIRECTORY, HARDLINK, REGULAR, SYMLINK, read_tar
from oci_layers.tree import Device, Directory, Fifo, File, Inline
from tests.support.layers import Built, d, f, ln, sym, tar, wh
from tests.support.windows import BASE, SECOND, descriptor, paths, pax, windir, windows_tree, winfile

TIME = 1_700_000_000


@pytest.fixture
def base(tmp_path):
    made = Built.of(str(tmp_path / "base"), tar(*BASE))
    made.config["os"] = "windows"
    with open_image(made.write()) as image:
        yield image


def written(layer, skipped=None):
    raw = b"".join(layer.iter_tar(skipped))
    return raw, list(read_tar(io.BytesIO(raw)))


def of_tar(tmp_path, *entries, **options):
    file = tmp_path / "source.tar"
    file.write_bytes(tar(*entries))
    return NewLayer.from_tar(file, options=LayerOptions(**{"windows": True, "clamp_mtime": TIME} | options))


@pytest.fixture
def source(tmp_path):
    top = tmp_path / "source"
    (top / "bin").mkdir(parents=True)
    (top / "bin/app.exe").write_bytes(b"MZ")
    (top / "bin/app.exe").chmod(0o755)
    os.link(top / "bin/app.exe", top / "bin/other.exe")
    (top / "read.me").write_text("read")
    (top / "read.me").chmod(0o444)
    (top / "link").symlink_to("/bin/app.exe")
    (top / "WINDOWS").mkdir()
    (top / "WINDOWS/new.ini").write_text("[new]")
    return top


def records(attributes, sd, seconds=TIME):
    return {
        b"MSWINDOWS.fileattr": b"%d" % attributes,
        b"MSWINDOWS.rawsd": base64.b64encode(sd),
        b"LIBARCHIVE.creationtime": b"%d" % seconds,
    }


LOWER = dict(pax(16, descriptor()), mtime=b"1700000000.123456789")
LOWER = {key if isinstance(key, bytes) else key.encode(): value for key, value in LOWER.items()}


def test_each_header_of_a_copy_is_as_windows_wants_it(base, source):
    options = LayerOptions(base=base.tree(), keep_root=False, clamp_mtime=TIME)
    raw, entries = written(NewLayer.from_directory(source, options=options))
    new_directory, new_file, read_only = (
        records(16, DIRECTORY_DESCRIPTOR),
        records(32, FILE_DESCRIPTOR),
        records(33, FILE_DESCRIPTOR),
    )
    assert [(e.name, e.type, e.mode, e.linkname, dict(e.pax)) for e in entries] == [
        (b"Hives", DIRECTORY, 0o40755, b"", new_directory),
        (b"Files", DIRECTORY, 0o40000, b"", LOWER),
        (b"Files/Windows", DIRECTORY, 0o40000, b"", LOWER),
        (b"Files/Windows/new.ini", REGULAR, 0o100644, b"", new_file),
        (b"Files/bin", DIRECTORY, 0o40755, b"", new_directory),
        (b"Files/bin/app.exe", REGULAR, 0o100755, b"", new_file),
        (b"Files/bin/other.exe", HARDLINK, 0o755, b"Files/bin/app.exe", {}),
        (b"Files/link", SYMLINK, 0o120777, b"/bin/app.exe", new_file),
        (b"Files/read.me", REGULAR, 0o100444, b"", read_only),
    ]
    assert {(e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, b"", b"")}
    assert {e.mtime_ns for e in entries if b"mtime" not in e.pax} == {TIME * SECOND}
    assert written(NewLayer.from_directory(source, options=options))[0] == raw


def test_a_copy_is_appended_and_merged_and_linted_clean(base, source, tmp_path):
    options = LayerOptions(base=base.tree(), keep_root=False, prefix="program files/App", clamp_mtime=TIME)
    with Layout.create(tmp_path / "layout") as layout:
        edit(base).append(NewLayer.from_directory(source, options=options)).write(layout, "new")
    with open_image(f"oci:{tmp_path / 'layout'}:new") as image:
        tree = image.tree()
        assert (image.root / "Program Files/App/bin/app.exe").read_bytes() == b"MZ"
        assert tree.require("Program Files").windows.security_descriptor == descriptor()
        assert tree.require("Program Files/App").windows.security_descriptor == DIRECTORY_DESCRIPTOR
        assert tree.require("Windows/System32/hosts").windows.security_descriptor == descriptor(b"lower")
        assert [(each.rule, each.location.path) for each in image.lint() if each.location.layer == 1] == []


def test_the_descriptors_are_those_that_images_of_microsoft_have():
    digests = [hashlib.sha256(each).hexdigest() for each in (DIRECTORY_DESCRIPTOR, FILE_DESCRIPTOR)]
    assert digests == [
        "c44f4c7ca0538731a0cceee5c3a674d55da0e28638cdc70bc62dac062893c8a2",
        "8d6acb6e9ba08658aee233824f3801e081e9297df6812930b4a33d3e2fbad00a",
    ]


def test_directories_come_before_what_is_in_them(tmp_path):
    entries = written(of_tar(tmp_path, f("a/b/c"), f("a/d"), d("a/b"), wh("e/x"), base=windows_drive()))[1]
    assert [e.name for e in entries] == [
        *(b"Hives", b"Files", b"Files/A", b"Files/A/b", b"Files/A/b/c", b"Files/A/d", b"Files/e", b"Files/e/.wh.x")
    ]
    assert [dict(e.pax) for e in entries if e.name == b"Files/A"] == [LOWER]
    assert list(lint(read_tar(io.BytesIO(written(of_tar(tmp_path, f("a/b")))[0])), windows=True, layer=1)) == []


def windows_drive():
    tree = windows_tree([windir("Files"), windir("Files/A"), winfile("Files/A/f", "x"), winfile("Files/A/g", "x")])
    return tree.subtree(b"Files")


def test_a_whiteout_has_nothing_but_its_name(tmp_path):
    entry = written(of_tar(tmp_path, wh("A/f"), base=windows_drive()))[1][-1]
    assert (entry.name, entry.mode, entry.mtime_ns, dict(entry.pax)) == (b"Files/A/.wh.f", 0, 0, {})


def test_a_hard_link_leads_to_the_drive_in_this_layer_or_below(tmp_path):
    layer = of_tar(tmp_path, f("B"), ln("C", "b"), ln("D", "a/F"), base=windows_drive())
    assert [e.linkname for e in written(layer)[1][-2:]] == [b"Files/B", b"Files/A/f"]


def test_links_get_targets_of_windows_on_request(tmp_path):
    links = sym("a", "/x/y"), sym("b", "../x"), sym("c", "x")
    given = [written(of_tar(tmp_path, *links, windows_links=on))[1][-3:] for on in (False, True)]
    assert [[e.linkname for e in entries] for entries in given] == [
        [b"/x/y", b"../x", b"x"],
        [b"C:\\x\\y", b"..\\x", b"x"],
    ]


@pytest.mark.parametrize(
    ("node", "error"),
    [(Device(0o666, 0, 0, 0, kind="char", major=1, minor=3), LayerError), (Fifo(0o666, 0, 0, 0), LayerError)],
)
def test_devices_and_pipes_are_refused(node, error):
    with pytest.raises(error):
        written(NewLayer.from_changes([Add(b"x", node)], options=LayerOptions(windows=True)))


def test_an_opaque_marker_is_refused():
    directory = Add(b"d", Directory(0o755, 0, 0, 0))
    with pytest.raises(WhiteoutError):
        written(NewLayer.from_changes([directory, Opaque(b"d")], options=LayerOptions(windows=True)))
    entries = written(NewLayer.from_changes([directory, Whiteout(b"d/x")], options=LayerOptions(windows=True)))[1]
    assert entries[-1].name == b"Files/d/.wh.x"


@pytest.mark.parametrize("name", ["a\\b", "C:", "d:/x", "a:b:c"])
def test_names_that_windows_reads_otherwise_are_refused(tmp_path, name):
    with pytest.raises(UnsafePathError):
        written(of_tar(tmp_path, f(name)))


def test_two_names_that_are_one_are_refused(tmp_path):
    for entries in ([f("a"), f("A")], [f("d/x"), f("D")], [f("d/x"), f("D/X")]):
        with pytest.raises(LayerError):
            written(of_tar(tmp_path, *entries))
    assert [e.name for e in written(of_tar(tmp_path, f("d/x"), f("D/y")))[1]][2:] == [
        b"Files/d",
        b"Files/d/x",
        b"Files/d/y",
    ]


def test_attributes_of_linux_are_left_out_and_reported(tmp_path):
    skipped = Listing()
    entry = written(of_tar(tmp_path, f("a", xattrs={b"user.k": b"v"}, uid=5, gid=6)), skipped.add)[1][-1]
    assert (entry.xattrs, entry.uid, entry.gid) == ({}, 0, 0)
    assert [(item.what, item.path) for item in skipped] == [("xattr", b"a")]


def test_metadata_that_a_file_has_are_kept():
    tree = windows_tree(
        [windir("Files"), winfile("Files/a", "x", pax=pax(0x22, descriptor(b"own"))), winfile("Files/a:s", "1")]
    )
    raw, entries = written(
        NewLayer.from_tree(tree.subtree(b"Files"), options=LayerOptions(windows=True, nanoseconds=True))
    )
    assert [e.name for e in entries] == [b"Hives", b"Files", b"Files/a", b"Files/a:s"]
    again = windows_tree(list_of(raw))
    assert again.require("Files/a").windows.security_descriptor == descriptor(b"own")
    assert again.subtree(b"Files").require("a").windows.streams == {b"s": Inline(b"1")}
    assert again.require("Files/a").windows.created_ns == tree.require("Files/a").windows.created_ns


def list_of(raw):
    from tests.support.layers import entry

    return [
        entry(e.name, e.type, data=bytes(e.read()) if e.size else b"", mode=e.mode, mtime_ns=e.mtime_ns, pax=e.pax)
        for e in read_tar(io.BytesIO(raw))
    ]


def test_a_layer_is_for_windows_as_its_base_is_unless_it_says_otherwise(base):
    assert LayerOptions(base=base.tree()).is_windows
    assert not LayerOptions(base=base.tree(), windows=False).is_windows
    assert not LayerOptions().is_windows
    assert LayerOptions(windows=True).is_windows


def test_the_files_of_an_image_are_changed_and_committed_on_the_drive(base, tmp_path):
    box = WritableLayer(base)
    (box.root / "WINDOWS/system32/HOSTS").write_text("2")
    (box.root / "windows/System32/config/sam").unlink()
    (box.root / "app").mkdir()
    (box.root / "APP/new.txt").write_text("new")
    with Layout.create(tmp_path / "layout") as layout:
        edit(base).append(box.commit()).write(layout, "new")
    box.close()
    with open_image(f"oci:{tmp_path / 'layout'}:new") as image:
        tree = image.tree()
        assert (image.root / "Windows/System32/hosts").read_text() == "2"
        assert tree.require("windows/system32/hosts").windows.security_descriptor == descriptor(b"lower")
        assert "Windows/System32/config/SAM" not in tree
        assert tree.require("App/new.txt").windows.security_descriptor == FILE_DESCRIPTOR
        assert tree.require("Windows").windows.security_descriptor == descriptor()
        names = [entry.name for entry in image.layers[1].entries()]
        assert names[:2] == [b"Hives", b"Files"]
        assert b"Files/Windows/System32/config/.wh.SAM" in names
        with Layout.open(tmp_path / "layout") as layout:
            squash(image).write(layout, "flat")
        with open_image(f"oci:{tmp_path / 'layout'}:flat") as other:
            assert other.tree(root="layer") == image.tree(root="layer")


def test_a_new_file_system_is_a_layer_for_windows_too(base):
    layer = NewLayer.from_changes(
        [Add(b"a", File(0o644, 0, 0, 0, content=Inline(b"x")))], options=LayerOptions(base=base.tree())
    )
    assert paths(windows_tree(list_of(written(layer)[0]))) == [b"Files", b"Files/a", b"Hives"]
