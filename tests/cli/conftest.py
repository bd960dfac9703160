"""The image that most of the commands are tried on, and the command as a function."""

import contextlib
import os
import subprocess

import attrs
import pytest

from oci_layers import Snapshots, copy, open_image, snapshot
from oci_layers.cli.main import main
from oci_layers.errors import PresenterError
from tests.support.layers import MTIME, Built, char, d, f, fifo, ln, sym, tar, wh
from tests.support.model_registry import ModelRegistry
from tests.support.registries import remote
from tests.support.sharing import store as make_store

BASE = tar(
    d("etc/"),
    f("etc/os-release", "ID=x\n"),
    f("etc/passwd", "root"),
    d("bin/"),
    f("bin/sh", "#!", mode=0o4755, uid=1, gid=2),
    ln("bin/bash", "bin/sh"),
    sym("bin/ash", "bash"),
    sym("sbin", "bin"),
    sym("loop", "loop"),
    char("null", 1, 3, mode=0o666),
    fifo("pipe"),
    f("caf\u00e9", "x", xattrs={b"user.k": b"v"}),
    f("bad\udce9", "x"),
    f("e\x1b[31m\n", "x"),
)
UPPER = tar(wh("etc/passwd"), f("etc/new", "n", mtime_ns=MTIME + 1), f("etc/new", "nn"), wh("nothing"))


@attrs.frozen
class Ran:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capfdbinary):
    """Run a command line in this process."""

    def run(*arguments):
        code = main([str(each) for each in arguments])
        out, err = capfdbinary.readouterr()
        return Ran(code, out.decode(errors="surrogateescape"), err.decode(errors="surrogateescape"))

    return run


@pytest.fixture
def built(tmp_path):
    """The image, to be changed before it is written."""
    built = Built.of(tmp_path / "image", BASE, UPPER)
    built.config["created"] = "2024-01-01T00:00:00Z"
    built.config["author"] = "me\x1b[2J"
    built.config["config"] = {
        "User": "1",
        "Env": ["A=b", "C=d"],
        "Entrypoint": ["/bin/sh", "-c"],
        "Cmd": ["x"],
        "WorkingDir": "/w",
        "Labels": {"k": "v"},
    }
    built.config["history"] = [{"created_by": "first"}, {"empty_layer": True}, {"created_by": "second\x1b[1m"}]
    built.manifest["annotations"] = {"note": "n"}
    return built


@pytest.fixture
def image(built):
    """The directory of the image, as text."""
    return built.write()


@pytest.fixture
def store(tmp_path):
    """A layout of several images."""
    return make_store(tmp_path / "store")


LIGHTHOUSE = os.path.abspath("tests/data/image")
"""An image of five layers."""


@pytest.fixture
def room_place(tmp_path, monkeypatch):
    """The directory of the room that is used without `--room`, which does not exist yet."""
    monkeypatch.setenv("OCI_LAYERS_ROOM", str(tmp_path / "room"))
    return tmp_path / "room"


@pytest.fixture
def room(room_place):
    """That room, in which the image `lighthouse` is unpacked."""
    with Snapshots(room_place, sync=False) as made:
        with open_image(LIGHTHOUSE) as image:
            made.unpack(image, name="lighthouse")
        yield made


@pytest.fixture
def point(tmp_path):
    """A directory to mount at; nothing is left mounted there."""
    directory = tmp_path / "point"
    directory.mkdir()
    try:
        snapshot.present(snapshot.Stack((), namespace="user"), at=directory).close()
    except PresenterError as error:
        pytest.skip(str(error))
    yield directory
    while os.path.ismount(directory):
        subprocess.run(["umount", "-l", directory], check=True)


@contextlib.contextmanager
def changed(room, name="box"):
    """A container, open, in which a file was removed and another one written."""
    with room.container("lighthouse", name=name) as box:
        os.unlink(f"{box.path}/etc/motd")
        with open(f"{box.path}/etc/note", "w") as file:
            file.write("gone fishing\n")
        yield box


@pytest.fixture
def registry(monkeypatch):
    """A model of a registry, which the command reaches as registry.example; an image is at `a/b:v1`."""
    model = ModelRegistry()
    monkeypatch.setattr("oci_layers.registry.urllib3_transport.Urllib3Transport", lambda **_: _Kept(model))
    copy("oci:tests/data/image:lighthouse", remote(model), target_ref="v1")
    model.log.clear()
    return model


class _Kept:
    """A transport to a model that outlives a command line."""

    def __init__(self, model):
        self.send, self.interrupt = model.send, model.interrupt

    def close(self):
        pass
