"""Progress on stderr: a bar on a terminal, lines if asked for, or nothing."""

import os
import subprocess
import sys

import pytest

from oci_layers.cli.progress import progress
from oci_layers.progress import Progress

COMMAND = [sys.executable, "-m", "oci_layers", "unpack"]


def on_terminal(arguments, **environment):
    """Run the command with a terminal for stderr; returns its exit code, stdout, and what the terminal got."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment},
    )
    os.close(slave)
    shown = b""
    try:
        while data := os.read(master, 65536):
            shown += data
    except OSError:  # How Linux says that the other side was closed.
        pass
    finally:
        os.close(master)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out, shown


def test_plain_is_a_line_for_each_layer(run, image, built, tmp_path):
    ran = run("unpack", image, tmp_path / "out", "--progress", "plain")
    lines = ran.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["layer 1 of 2", "layer 2 of 2", "oci-layers"]
    total = sum(layer["descriptor"]["size"] for layer in built.layers)
    assert lines[1].endswith(f" of {total} B done") or " kB of " in lines[1]


@pytest.mark.parametrize("style", ["auto", "none"])
def test_elsewhere_than_on_a_terminal_there_is_none(run, image, tmp_path, style):
    assert run("unpack", image, tmp_path / "out", "--progress", style).err.startswith("oci-layers: warnings: ")


def test_a_terminal_gets_a_bar_that_goes_away(image, tmp_path):
    pytest.importorskip("rich")
    code, out, shown = on_terminal([*COMMAND, image, tmp_path / "out"])
    assert (code, out) == (0, b"2 layers, 7 files, 12 B, every digest verified\n")
    assert b"layer 2 of 2" in shown
    assert b"\x1b[" in shown


def test_no_color_takes_the_colours_away(image, tmp_path):
    pytest.importorskip("rich")
    coloured = b"\x1b[38;5;"
    _, _, with_colour = on_terminal([*COMMAND, image, tmp_path / "one"], TERM="xterm-256color")
    _, _, without = on_terminal([*COMMAND, image, tmp_path / "two"], TERM="xterm-256color", NO_COLOR="1")
    assert coloured in with_colour
    assert coloured not in without
    assert b"layer 2 of 2" in without


def test_none_on_a_terminal_is_none(image, tmp_path):
    code, _, shown = on_terminal([*COMMAND, image, tmp_path / "out", "--progress", "none"])
    assert code == 0
    assert b"\x1b" not in shown


def test_without_rich_everything_works_and_there_is_no_bar(image, tmp_path):
    hide = "import sys; sys.modules['rich'] = sys.modules['shtab'] = None; import oci_layers.cli.main as m; m.run()"
    code, out, shown = on_terminal([sys.executable, "-c", hide, "unpack", image, tmp_path / "out"])
    assert (code, out) == (0, b"2 layers, 7 files, 12 B, every digest verified\n")
    assert b"\x1b" not in shown


def test_an_error_ends_the_bar_first(built, tmp_path):
    blob = built.layers[1]["blob"]
    built.layers[1]["blob"] = blob[:-1] + bytes([blob[-1] ^ 1])
    code, out, shown = on_terminal([*COMMAND, built.write(), tmp_path / "out"])
    assert (code, out) == (5, b"")
    last = shown.decode().splitlines()[-1]
    assert "oci-layers: error: layer 1" in last


def test_many_steps_are_about_a_hundred_lines(capsys):
    with progress("plain", unit="blob") as show:
        for number in range(5000):
            show(Progress(layer=number, layers=5000, done=number, total=5000))
        show(Progress(layer=4999, layers=5000, done=5000, total=5000))
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[-1]) == (101, "blob 5000 of 5000: 5.0 kB of 5.0 kB done")


def test_phases_have_their_names_and_counts(capsys):
    with progress("plain", unit="blob", phases=("marking", "deleting")) as show:
        show(Progress(layer=0, layers=2, done=0, total=3))
        show(Progress(layer=1, layers=2, done=1, total=1))
    assert capsys.readouterr().err == "marking: 0 of 3 blobs done\ndeleting: 1 of 1 blob done\n"


def test_the_images_of_one_command_have_lines_each(capsys):
    with progress("plain", unit="blob") as show:
        for total in (4, 2):
            show(Progress(layer=0, layers=2, done=1, total=total))
            show(Progress(layer=0, layers=2, done=total, total=total))
            show(Progress(layer=1, layers=2, done=total, total=total))
    assert capsys.readouterr().err.splitlines() == [
        "blob 1 of 2: 1 B of 4 B done",
        "blob 2 of 2: 4 B of 4 B done",
        "blob 1 of 2: 1 B of 2 B done",
        "blob 2 of 2: 2 B of 2 B done",
    ]
