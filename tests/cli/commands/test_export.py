"""`export`: the merged file system as one tar, on stdout or in a file that appears when it is complete."""

import io
import os
import subprocess
import sys
import threading

import pytest

from oci_layers import open_image, read_tar
from oci_layers.tree import dump
from tests.support.layers import Built, f, tar
from tests.support.trees import merged

EXPORT = [sys.executable, "-m", "oci_layers", "export"]


def whole(name, **options):
    stream = io.BytesIO()
    with open_image(name) as opened:
        opened.export(stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize("output", [[], ["-o", "-"], ["-o", "/dev/stdout"]])
def test_the_archive_goes_to_stdout(image, output):
    done = subprocess.run([*EXPORT, image, *output], capture_output=True, check=True, timeout=60)
    assert (done.stdout == whole(image), done.stderr) == (True, b"")
    with open_image(image) as opened:
        assert dump(merged(done.stdout)) == dump(opened.tree())


def test_stdout_may_be_unbuffered(image):
    done = subprocess.run(
        [sys.executable, "-u", *EXPORT[1:], image, "--order", "layer"], capture_output=True, check=True, timeout=60
    )
    assert done.stdout == whole(image, order="layer")


def test_a_file_is_written(run, image, tmp_path):
    ran = run("export", image, "-o", tmp_path / "root.tar")
    assert (ran.code, ran.out, ran.err) == (0, "14 entries, 6 files, 12 B, every digest verified\n", "")
    assert (tmp_path / "root.tar").read_bytes() == whole(image)
    ran = run("export", image, "-o", tmp_path / "root.tar")
    assert ran.code == 1
    assert ran.err == f"oci-layers: error: {tmp_path}/root.tar: it exists, and an archive that exists is not changed\n"
    ran = run("export", image, "-o", tmp_path / "none" / "root.tar")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {tmp_path}/none: no such directory\n")


def test_a_file_may_be_a_pipe(run, image, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    assert run("export", image, "-o", tmp_path / "pipe").code == 0
    reader.join()
    assert got == [whole(image)]


def test_after_an_error_there_is_no_file(run, built, tmp_path):
    name = built.write()
    digest = built.layers[1]["descriptor"]["digest"]
    blob = tmp_path / "image" / "blobs" / digest.replace(":", "/")
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    ran = run("export", name, "-o", tmp_path / "root.tar")
    assert (ran.code, ran.out) == (5, "")
    assert os.listdir(tmp_path) == ["image"]
    ran = run("export", name)
    assert (ran.code, ran.out) == (5, "")


def test_an_archive_is_not_written_to_a_terminal(image):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    done = subprocess.run([*EXPORT, image], stdout=slave, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(slave)
    os.close(master)
    assert done.returncode == 2
    expected = b"error: stdout is a terminal; redirect it to a file or a pipe, or use -o FILE\n"
    assert done.stderr.endswith(expected)


def test_progress_is_on_stderr_and_a_closed_pipe_is_no_error(tmp_path):
    name = Built.of(tmp_path / "image", tar(f("a", "x" * 3_000_000)), tar(f("b"))).write()
    command = [*EXPORT, name, "--progress", "plain"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert [entry.name for entry in read_tar(io.BytesIO(done.stdout))] == [b"a", b"b"]
    lines = [line.split(":")[0] for line in done.stderr.decode().splitlines()]
    assert lines[-3:] == ["layer 2 of 2", "writing", "writing"]
    with subprocess.Popen([*EXPORT, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
