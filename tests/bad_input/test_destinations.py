"""A good image and a DEST, or a disk, that will not do: the command's exit code and its one line, and what is left."""

import errno
import functools
import os
import signal
import subprocess
import sys
import time

import pytest

import oci_layers
from oci_layers import system
from oci_layers.cli.main import main
from oci_layers.errors import MetadataError
from tests.support.layers import char, d, f, image, tar, wh
from tests.support.process import USER, as_user, in_child, mounted, outcome
from tests.support.scripts import unmeasured

LAYERS = (
    tar(d("a", 0o555), f("a/file", "text " * 100, mode=0o444), f("b", "x" * 3000)),
    tar(wh("b"), d("c", 0), f("c/d", "y"), f("e", "z")),
)


@pytest.fixture
def name(place):
    return "oci:" + image(place / "image", *LAYERS)


def said(capfd, *arguments):
    """Return the exit code, and the line on stderr without its beginning."""
    code = main(["unpack", *map(str, arguments)])
    out, err = capfd.readouterr()
    assert out == ""
    line = err.removeprefix("oci-layers: error: ").removesuffix("\n")
    assert line.isprintable()
    return code, line


DESTS = {
    "not empty": (lambda dest: (dest.mkdir(), (dest / "x").touch()), 1, "the directory is not empty"),
    "a file": (lambda dest: dest.touch(), 1, "it exists and is not a directory"),
    "a link in a circle": (lambda dest: os.symlink("dest", dest), 1, "it exists and is not a directory"),
    "no parent": (lambda dest: os.symlink("no/where", dest), 1, "its parent directory does not exist"),
}


@pytest.mark.parametrize(("make", "code", "reason"), DESTS.values(), ids=DESTS)
@pytest.mark.parametrize("options", [[], ["--in-place"]], ids=["beside", "in place"])
def test_a_dest_that_will_not_do(place, name, capfd, make, code, reason, options):
    make(place / "dest")
    before = sorted(os.listdir(place))
    assert said(capfd, name, place / "dest", *options) == (code, f"{place}/dest: {reason}")
    assert sorted(os.listdir(place)) == before


def test_a_name_too_long_is_said_in_one_line(place, name, capfd):
    long = "n" * 256
    assert said(capfd, name, place / long) == (1, f"destination: {place / long}: File name too long")


@pytest.mark.skipif(not system.HAS_PROC, reason="needs /proc")
def test_a_place_that_takes_no_directories_is_said_with_what_to_do(name, capfd):
    reason = "no directory can be made in its parent (No such file or directory); choose another destination"
    assert said(capfd, name, "/proc/none") == (1, f"/proc/none: {reason}")


def test_a_name_that_writes_on_the_screen_does_not(place, name, capfd):
    dest = place / "\x1b[2J\n"
    dest.touch()
    assert said(capfd, name, dest) == (1, f"{place}/\\x1b[2J\\x0a: it exists and is not a directory")


@pytest.mark.root
def test_no_permission_to_write_beside_dest(place, name):
    place.chmod(0o555)
    os.chown(place, 0, 0)

    assert as_user(lambda: main(["unpack", name, str(place / "dest")])) == 4
    assert os.listdir(place) == ["image"]


@pytest.mark.root
def test_no_permission_to_read_a_blob(place, name):
    for path in (place / "image/blobs/sha256").iterdir():
        path.chmod(0o600)
    os.chown(place, USER, USER)
    assert as_user(lambda: main(["unpack", name, str(place / "dest")])) == 4
    assert os.listdir(place) == ["image"]


@pytest.mark.root
@pytest.mark.parametrize("in_place", [False, True], ids=["beside", "in place"])
def test_a_full_disk_leaves_nothing(place, capfd, in_place):
    big = "oci:" + image(place / "image", tar(d("a", 0o500), f("a/small", "x"), f("big", os.urandom(2 << 20))))
    with mounted(place / "small", options="size=1m"):
        os.mkdir(place / "small/dest")
        code, line = said(capfd, big, place / "small/dest", *(["--in-place"] if in_place else []))
        with oci_layers.open_image(big) as opened:
            layer = opened.layers[0].name
        assert (code, line) == (1, f"{layer}: destination: {place}/small/dest/big: No space left on device")
        assert os.listdir(place / "small") == ["dest"]
        assert os.listdir(place / "small/dest") == []


def unpack(name, dest, **options):
    with oci_layers.open_image(name) as opened:
        opened.unpack(dest, **options)


FAULTS = ["write_all", "open_new_file", "make_directory", "fchmod", "utime", "rename", "unlink", "open_directory"]


@pytest.mark.parametrize("in_place", [False, True], ids=["beside", "in place"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", FAULTS)
def test_a_fault_at_any_call_leaves_nothing(place, name, monkeypatch, call, number, in_place):
    """Every call fails once, one after the other, until the work gets through without meeting the fault."""
    real = getattr(system, call)
    for count in range(100):
        dest = place / "dest"
        calls = 0

        def faulty(*arguments, count=count):
            nonlocal calls
            calls += 1
            if calls == count + 1:
                raise OSError(number, os.strerror(number))
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(system, call, faulty)
            found = outcome(unpack, name, dest, in_place=in_place)
        if found[0] == "ok":
            break
        assert found[0] == "OSError"
        assert sorted(os.listdir(place)) == ["image"], count
    assert calls == count
    assert sorted(os.listdir(dest)) == ["a", "c", "e"]


def test_strict_metadata_is_told_and_undone(place):
    bad = "oci:" + image(
        place / "image", tar(d("shut", 0), f("shut/x"), char("dev", 1, 3), f("x", xattrs={b"a": b"b"}))
    )

    def work():
        with oci_layers.open_image(bad) as opened:
            try:
                opened.unpack(place / "dest", strict_metadata=True)
            except MetadataError as error:
                return error.totals
        return None

    assert as_user(work) == {"device": 1, "owner": 4, "xattr": 1}
    assert as_user(lambda: main(["unpack", bad, str(place / "dest"), "--strict-metadata"])) == 4
    assert os.listdir(place) == ["image"]
    assert as_user(lambda: main(["unpack", bad, str(place / "dest")])) == 0


def test_the_command_itself_ends_so(place, name):
    """As a user runs it, in a process of its own."""

    def run(*arguments):
        command = [sys.executable, "-m", "oci_layers", "unpack", *map(str, arguments)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr.count("\n")

    blob = max((place / "image/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    assert run(name, place / "dest")[0] == 0
    assert run(name, place / "dest") == (1, 1)
    assert run(f"oci:{place}/nothing", place / "other") == (3, 1)
    assert run("oci:", place / "other") == (2, 1)
    data = blob.read_bytes()
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert run(name, place / "other") == (5, 1)
    blob.unlink()
    assert run(name, place / "other") == (3, 1)
    assert sorted(os.listdir(place)) == ["dest", "image"]


def test_ctrl_c_ends_it_quietly_with_nothing_left(place):
    name = "oci:" + image(place / "image", tar(*(f(f"d{n % 97}/f{n}", "x") for n in range(20_000))))
    command = subprocess.Popen(
        [sys.executable, "-m", "oci_layers", "unpack", name, place / "dest"],
        stderr=subprocess.PIPE,
        text=True,
        env=unmeasured(),
    )
    while len(os.listdir(place)) < 2:
        time.sleep(0.001)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate()
    assert (command.returncode, err) == (130, "")
    assert os.listdir(place) == ["image"]


def test_too_few_files_to_be_open_are_said_with_what_to_do(place, name, capfd):
    def work(number):
        return main(["unpack", name, str(place / f"dest{number}")])

    taken = len(os.listdir("/proc/self/fd")) + 1
    codes = [in_child(functools.partial(work, more), files=taken + more) for more in range(12)]
    lines = capfd.readouterr().err.splitlines()
    assert set(codes) == {0, 1}
    assert codes == sorted(codes, reverse=True)
    told = [line for line in lines if line.startswith("oci-layers: error: ")]
    assert len(told) == codes.count(1)
    assert all(line.endswith("Too many open files (to allow more: ulimit -n NUMBER)") for line in told)
    assert any(f"destination: {place}/dest" in line for line in told)


@pytest.mark.parametrize("in_place", [False, True], ids=["beside", "in place"])
def test_an_image_with_a_file_of_the_marker_s_name(place, capfd, in_place):
    odd = "oci:" + image(place / "image", tar(f("a", "x"), f(".oci-layers-incomplete", "y")))
    if in_place:
        reason = "the image holds .oci-layers-incomplete, which --in-place uses itself; unpack without --in-place"
        assert said(capfd, odd, place / "dest", "--in-place") == (1, f"{place}/dest: {reason}")
        assert os.listdir(place) == ["image"]
    else:
        assert main(["unpack", odd, str(place / "dest")]) == 0
        assert sorted(os.listdir(place / "dest")) == [".oci-layers-incomplete", "a"]


def test_sixty_four_files_are_enough(place, name):
    assert in_child(lambda: main(["unpack", name, str(place / "dest")]), files=64) == 0
