"""`shell`: a program runs with the files of an image as its root, for root and for an ordinary user."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from oci_layers import Snapshots
from oci_layers.cli.main import main, parser
from oci_layers.snapshot import presenter
from oci_layers.system import mount
from tests.support.process import USER, in_child
from tests.support.scripts import ROOT
from tests.support.shells import shell_image
from tests.support.shown import python_of_all

NOT_FOUND = "no such program in"


@pytest.fixture
def shell(run, room_place, tmp_path):
    """Run a command line of `shell` with an image that has one."""
    image = shell_image(tmp_path / "shell")

    def shell(*arguments):
        return run("shell", image, *arguments)

    shell.image = image
    return shell


@pytest.mark.root
def test_the_exit_code_and_the_streams_are_those_of_the_program(shell):
    ran = shell("--", "sh", "-c", 'read x < /etc/motd; echo "$x"; echo oh >&2; pwd; exit 7')
    assert (ran.code, ran.out, ran.err) == (7, "lit\n/\n", "oh\n")
    assert shell("--", "sh", "-c", "exit 0").code == 0
    assert shell("--", "sh", "-c", "kill -9 $$").code == 128 + 9


@pytest.mark.root
def test_what_is_written_is_gone_without_a_name_and_kept_with_one(shell, room_place):
    write, read = "echo new > /etc/note", "read x < /etc/note && echo $x"
    assert shell("--", "sh", "-c", f"{write}; {read}").out == "new\n"
    with Snapshots(room_place) as room:
        assert room.containers() == []
        assert os.listdir(room_place / "tmp") == []
    assert shell("--", "sh", "-c", read).code != 0
    assert shell("--name", "box", "--", "sh", "-c", write).code == 0
    assert shell("--name", "box", "--", "sh", "-c", read).out == "new\n"


@pytest.mark.root
def test_arguments_after_the_dashes_are_left_as_they_are(shell):
    ran = shell("--", "sh", "-c", 'echo "$@"', "sh", "--name", "--", "-x", "--")
    assert (ran.code, ran.out) == (0, "--name -- -x --\n")
    with Snapshots(os.environ["OCI_LAYERS_ROOM"]) as room:
        assert room.containers() == []


@pytest.mark.root
def test_few_variables_are_set(shell, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("TERM", "vt100")
    ran = shell("--", "sh", "-c", 'echo "$HOME $TERM ${SECRET-none} $PATH"')
    assert ran.out == "/ vt100 none /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"


@pytest.mark.root
def test_no_file_of_the_caller_is_open_in_it(shell):
    ran = shell("--", "sh", "-c", "for n in 3 4 5 6 7 8 9; do { true <&$n; } 2>/dev/null && echo $n; done; :")
    assert (ran.code, ran.out) == (0, "")


@pytest.mark.root
def test_a_program_that_is_not_there_is_exit_3_and_one_that_is_none_exit_4(shell):
    ran = shell("--", "none", "x")
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: none: {NOT_FOUND} {shell.image}\n")
    ran = shell("--", "/bin/none")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: /bin/none: {NOT_FOUND} {shell.image}\n")
    ran = shell("--", "/etc/motd")
    assert (ran.code, ran.err) == (4, "oci-layers: error: /etc/motd: Permission denied\n")


@pytest.mark.root
def test_a_container_in_use_is_refused(shell, room_place):
    shell("--name", "box", "--", "sh", "-c", ":")
    with Snapshots(room_place) as room, room.open_container("box"):
        ran = shell("--name", "box", "--", "sh", "-c", ":")
    assert (ran.code, ran.err) == (1, f"oci-layers: error: {room_place}: container box is in use\n")


@pytest.mark.root
def test_without_a_program_it_is_a_shell_on_stdin(shell):
    command = [sys.executable, "-m", "oci_layers", "shell", shell.image]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, input=b"echo $((6 * 7))\n", capture_output=True, check=False, env=environment)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"42\n", b"")


@pytest.mark.root
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 5)])
def test_ctrl_c_is_for_the_program_and_the_end_of_the_command_ends_it(shell, room_place, number, code):
    script = "trap 'exit 5' INT; echo $$; while :; do :; done"
    process = subprocess.Popen(
        [sys.executable, "-m", "oci_layers", "shell", shell.image, "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    with process:
        child = int(process.stdout.readline())
        if number == signal.SIGINT:  # As a terminal does.
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        assert process.wait(60) == code
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert os.listdir(room_place / "tmp") == []


def test_an_unknown_image_is_exit_3(run, room_place):
    ran = run("shell", "none", "--", "sh")
    line = f"oci-layers: error: none: no such file or directory, and no image of {room_place}\n"
    assert (ran.code, ran.out, ran.err) == (3, "", line)


@pytest.mark.root
def test_where_nothing_can_be_mounted_the_files_are_copied_and_the_reason_is_said(shell, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EINVAL, "no", "fsopen")

    for name in ("detached", "namespace"):
        monkeypatch.setitem(presenter._TABLE, name, (False, refuse))
    ran = shell("--", "sh", "-c", "echo new > /etc/motd; read x < /etc/motd; echo $x")
    assert (ran.code, ran.out) == (0, "new\n")
    lines = [f"oci-layers: not shown by {name}: EINVAL: no (fsopen)" for name in ("detached", "namespace")]
    assert ran.err.splitlines()[:2] == lines
    assert shell("--", "sh", "-c", "read x < /etc/motd; echo $x").out == "lit\n"


@pytest.mark.root
def test_a_system_that_refuses_it_is_one_line(shell, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number), "unshare")

    monkeypatch.setattr("oci_layers.system.run_in_root", refuse)
    for number, code in ((errno.EPERM, 4), (errno.ENOENT, 1), (errno.ENOSPC, 1)):
        ran = shell("--", "sh")
        assert (ran.code, ran.err) == (code, f"oci-layers: error: unshare: {os.strerror(number)}\n")


@pytest.mark.root
def test_an_ordinary_user_is_root_in_it(place, capfd):
    import ctypes  # noqa: F401  # An ordinary user may not be able to read it.

    found = python_of_all(place)
    if found is None:
        pytest.skip("no Python here that an ordinary user can start")
    image = shell_image(place / "shell")
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    parser()  # The modules of all verbs.

    def child():
        sys.executable, mount.__file__ = found
        room = f"{place}/room"
        script = "echo new > /etc/note; read x < /etc/motd; echo $x; exit 5"
        code = main(["shell", image, "--room", room, "--name", "box", "--", "sh", "-c", script])
        assert main(["containers", "--room", room]) == 0
        assert main(["snapshot", image, "--room", room]) == 0
        assert main(["fsck", room]) == main(["gc", room]) == main(["du", room]) == 0
        with Snapshots(room) as opened:
            changes = [change.path for change in opened.container_files("box").changes() if change.path]
        ends = main(["rm", "box", "--room", room]), main(["shell", image, "--room", room, "--", "none"])
        return code, changes, ends

    code, changes, ends = in_child(child, user=USER)
    out, err = capfd.readouterr()
    assert (code, changes, ends) == (5, [b"etc", b"etc/note"], (0, 3)), err
    assert out.startswith("lit\nNAME ")
    assert err == f"oci-layers: error: none: {NOT_FOUND} {image}\n"


@pytest.mark.root
def test_an_empty_name_of_a_program_or_a_container_is_exit_2(shell):
    for arguments in (("--", ""), ("--name", "", "--", "sh")):
        ran = shell(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.endswith("is empty\n")
