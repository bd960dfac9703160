"""Open files do what those of `io.open` do; `property/test_a_box_is_a_file_system` has raw ones beside real ones."""

import errno
import io

import pytest

from oci_layers.build import WritableLayer
from oci_layers.build.open_file import Mode, OpenFile
from oci_layers.errors import LimitError
from oci_layers.limits import Limits
from oci_layers.tree import FileTree


@pytest.fixture
def root():
    with WritableLayer(FileTree()) as box:
        yield box.root


@pytest.mark.parametrize("mode", ["", "b", "+", "rw", "rr", "rbt", "r++", "rU", "wxb"])
def test_a_mode_that_open_does_not_know_is_refused(root, mode):
    with pytest.raises(ValueError, match="mode"):
        (root / "f").open(mode)
    assert not (root / "f").exists()


def test_arguments_that_do_not_fit_the_mode_are_refused(root):
    with pytest.raises(ValueError, match="text needs a buffer"):
        (root / "f").open("w", 0)
    for arguments in ({"encoding": "utf-8"}, {"errors": "strict"}, {"newline": ""}):
        with pytest.raises(ValueError, match="takes no encoding"):
            (root / "f").open("wb", **arguments)
    assert Mode.parse("a+", -1) == Mode("a", is_text=True, reads=True, writes=True, given="a+")


@pytest.mark.parametrize(
    "mode", ["r", "w", "a", "x", "r+", "w+", "a+", "x+", "rb", "wb", "ab", "xb", "r+b", "w+b", "a+b"]
)
def test_every_mode_does_what_it_does_on_disk(root, tmp_path, mode):
    def work(path):
        if "x" not in mode:
            path.write_bytes(b"line\nnext\n")
        kind = (lambda text: text.encode()) if "b" in mode else str
        with path.open(mode) as file:
            seen = [file.mode, file.readable(), file.writable(), file.seekable(), file.tell()]
            if file.writable():
                seen += [file.write(kind("new\n")), file.tell()]
            if file.readable():
                file.seek(2)
                seen += [file.readline(), file.read()]
            if file.writable():
                file.seek(0)
                seen += [file.write(kind("X")), file.truncate(6)]
        return type(file), seen, path.read_bytes()

    assert work(root / "f") == work(tmp_path / "f")


def test_text_is_utf_8_and_lines_end_as_they_are_written(root):
    (root / "f").write_text("Grüße\n", newline="\r\n")
    assert (root / "f").read_bytes() == "Grüße\r\n".encode()
    with (root / "g").open("w", encoding="latin-1", buffering=1) as file:
        file.write("ü\n")
        assert (root / "g").read_bytes() == b"\xfc\n"
        assert file.name == "/g"


def test_a_read_without_a_buffer_takes_all_that_it_can_get(root):
    (root / "f").write_bytes(b"x" * 1_000_000)
    with (root / "f").open("rb", 0) as file:
        assert [len(file.read(size)) for size in (700_000, 700_000, 1)] == [700_000, 300_000, 0]


def test_a_buffer_holds_writes_back_until_it_is_flushed(root):
    with (root / "f").open("wb") as file:
        file.write(b"held")
        assert (root / "f").size() == 0
        file.flush()
        assert (root / "f").size() == 4


def test_to_write_nothing_does_not_move_to_the_end(root):
    with (root / "f").open("ab", 0) as file:
        (root / "f").write_bytes(b"longer")
        assert (file.write(b""), file.tell()) == (0, 0)
        assert (file.write(b"!"), file.tell()) == (1, 7)


def test_what_a_file_is_not_open_for_is_refused(root):
    (root / "f").write_bytes(b"x")
    with (root / "f").open("rb", 0) as file:
        assert isinstance(file, OpenFile)
        for work in (lambda: file.write(b"x"), lambda: file.truncate(0)):
            with pytest.raises(io.UnsupportedOperation, match="not open for writing"):
                work()
    with (root / "f").open("ab", 0) as file:
        for work in (lambda: file.read(1), file.read):
            with pytest.raises(io.UnsupportedOperation, match="not open for reading"):
                work()


def test_places_before_the_beginning_are_refused(root):
    with (root / "f").open("w+b", 0) as file:
        for work in (lambda: file.seek(-1), lambda: file.truncate(-1)):
            with pytest.raises(OSError) as caught:
                work()
            assert caught.value.errno == errno.EINVAL
        with pytest.raises(ValueError, match="whence is 9"):
            file.seek(0, 9)


def test_a_closed_file_is_of_no_use(root):
    file = (root / "f").open("w+b", 0)
    file.close()
    file.close()
    for work in (file.tell, file.readable, file.writable, file.seekable, file.read, lambda: file.write(b"x")):
        with pytest.raises(ValueError, match="closed file"):
            work()


def test_a_file_is_read_to_its_end_within_the_limit():
    with WritableLayer(FileTree(limits=Limits(content_bytes=10))) as box:
        with (box.root / "f").open("wb") as file:
            file.write(bytes(11))
        with (box.root / "f").open("rb") as file:
            with pytest.raises(LimitError) as caught:
                file.read()
            assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("content_bytes", 10, 11)
            file.seek(1)
            assert file.read() == bytes(10)
