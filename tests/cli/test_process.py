"""The process that runs the command: streams that are closed or full, and signals."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from oci_layers.cli.process import Stopped, catch_signals, deferred_signals, ignore_signals, keyboard_left_to_child
from tests.cli.test_main import shell
from tests.support.layers import d, f, tar
from tests.support.layers import image as make_image
from tests.support.scripts import ROOT, unmeasured

CLOSED_OUT = b"oci-layers: error: stdout: Bad file descriptor\n"
CLOSED_IN = b"oci-layers: error: stdin: Bad file descriptor\n"
FULL_OUT = b"oci-layers: error: stdout: No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("script", "code", "err"),
    [
        ("ls IMAGE >&-", 1, CLOSED_OUT),
        ("ls IMAGE 1</dev/null", 1, CLOSED_OUT),
        ("unpack IMAGE out >&-", 1, CLOSED_OUT),
        ("unpack IMAGE out --format json >&-", 1, CLOSED_OUT),
        ("unpack IMAGE out >/dev/full", 1, FULL_OUT),
        ("--help >&-", 1, CLOSED_OUT),
        ("cat IMAGE etc/os-release >/dev/full", 1, FULL_OUT),
        ("validate - <&-", 1, CLOSED_IN),
        ("lint - <&-", 1, CLOSED_IN),
        ("ls IMAGE <&- >&-", 1, CLOSED_OUT),
        ("ls IMAGE >&- 2>&-", 1, b""),
        ("ls nothing 2>&-", 3, b""),
        ("ls nothing 2>/dev/full", 3, b""),
        ("ls --none 2>&-", 2, b""),
        ("ls nothing 2>&1 >/dev/null | true; (exit ${PIPESTATUS[0]})", 3, b""),
    ],
)
def test_streams_that_cannot_be_used_are_said_before_any_work(image, tmp_path, script, code, err):
    before = sorted(os.listdir(tmp_path))
    ran = shell(f"cd {tmp_path}; oci-layers {script.replace('IMAGE', image)}")
    assert ran == (code, b"", err)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("script", ["ls IMAGE etc 2>&-", "ls IMAGE etc <&-", "ls IMAGE etc <&- 2>&-"])
def test_streams_that_are_not_needed_may_be_closed(image, script):
    assert shell(f"oci-layers {script.replace('IMAGE', image)}") == (0, b"new\nos-release\n", b"")


def test_unpacking_works_in_silence_where_stderr_is_closed(image, tmp_path):
    code, out, err = shell(f"oci-layers unpack {image} {tmp_path}/out --progress plain 2>&-")
    assert (code, out, err) == (0, b"2 layers, 7 files, 12 B, every digest verified\n", b"")
    assert (tmp_path / "out/etc").is_dir()


def test_streams_are_as_they_were_otherwise():
    script = (
        "import sys; from oci_layers.cli.process import prepare_streams\n"
        "def look(): return [(s.encoding, s.line_buffering, s.write_through, s.fileno(), s.isatty())"
        " for s in (sys.stdin, sys.stdout, sys.stderr)]\n"
        "before = look(); prepare_streams(); assert look() == before, (before, look())\n"
        "print(sys.stdin.read(), sys.stdout.errors, '\\udcff')"
    )
    for options, variables in ((["-u"], {}), ([], {"PYTHONIOENCODING": "latin-1"}), ([], {})):
        done = subprocess.run(
            [sys.executable, *options, "-c", script],
            check=False,
            input=b"in\xe9"[: 2 + bool(variables)],
            capture_output=True,
            env={**os.environ, **variables},
        )
        assert done.stderr == b""
        assert done.stdout == b"in\xe9"[: 2 + bool(variables)] + b" backslashreplace \\udcff\n"


def test_a_stream_of_another_kind_is_left_as_it_is(monkeypatch):
    from oci_layers.cli import process

    own = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, own)
    process.prepare_streams()
    assert (sys.stdin, sys.stdout, sys.stderr) == (own, own, own)
    assert own.errors == "backslashreplace"


# Signals.


@pytest.fixture(autouse=True, scope="module")
def hangups_are_not_ignored():
    """As they are where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """An image that takes a while to unpack."""
    files = (f(f"d{n}/{k}", "x") for n in range(150) for k in range(100))
    directory = tmp_path_factory.mktemp("many") / "image"
    return make_image(directory, tar(*(d(f"d{n}/") for n in range(150)), *files), compression="")


def unpacking(many, place, *arguments, before=()):
    """Start to unpack in a process of its own, and return it when something has been made."""
    out = str(place / "out")
    command = [*before, sys.executable, "-m", "oci_layers", "unpack", many, out, "--progress", "none", *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, env=unmeasured(), cwd=ROOT, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if os.listdir(place):
            break
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("in_place", [[], ["--in-place"]], ids=["beside", "in place"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_undoes_everything(many, tmp_path, number, code, in_place):
    process = unpacking(many, tmp_path, *in_place)
    process.send_signal(number)
    printed = process.communicate(timeout=60)
    assert (process.returncode, *printed) == (code, "", "")
    assert os.listdir(tmp_path) == []


def test_a_hangup_that_is_ignored_stays_ignored(many, tmp_path):
    process = unpacking(many, tmp_path, before=["nohup"])
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "1 layer, 15000 files, 15.0 kB, every digest verified\n")


def test_a_second_signal_stops_the_removal_and_the_line_says_what_is_left(many, tmp_path):
    script = (
        "import os, signal, sys\n"
        "from oci_layers import system\n"
        "from oci_layers.cli.main import run\n"
        "def slow(name, parent):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "system.unlink = slow\n"
        "run()"
    )
    command = [sys.executable, "-c", script, "unpack", many, str(tmp_path / "out"), "--policy", "default"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=unmeasured(), cwd=ROOT, text=True)
    while process.poll() is None and not os.listdir(tmp_path):
        time.sleep(0.002)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    [left] = os.listdir(tmp_path)
    assert process.returncode == 143
    assert err == f"oci-layers: interrupted: {tmp_path}/{left} is left behind; remove it with rm -r\n"


@pytest.fixture
def own_signals():
    """Handlers as the command sets them, until the test is done."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    catch_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_caught_by_the_command_alone():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)
    assert before == (signal.SIG_DFL, signal.SIG_DFL)
    try:
        catch_signals()
        with pytest.raises(Stopped) as caught:
            signal.raise_signal(signal.SIGTERM)
        assert caught.value.number == signal.SIGTERM
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        catch_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_held_back_and_the_second_is_not(own_signals, number):
    before = signal.getsignal(number)
    with deferred_signals() as check:
        check()
        signal.raise_signal(number)
        for _ in range(2):
            with pytest.raises(Stopped) as caught:
                check()
            assert caught.value.number == number
        with pytest.raises(Stopped) as caught:
            signal.raise_signal(signal.SIGTERM)
        assert caught.value.number == signal.SIGTERM
    assert signal.getsignal(number) is before


def test_no_signal_interrupts_the_way_out(own_signals):
    ignore_signals()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.raise_signal(number)


def test_a_signal_that_comes_when_the_work_is_done_is_dropped(own_signals):
    with deferred_signals():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_handlers_of_others_are_not_held_back(own_signals):
    heard = []
    signal.signal(signal.SIGTERM, lambda *_: heard.append("theirs"))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with deferred_signals() as check:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        check()
    assert heard == ["theirs"]


def test_signals_of_the_keyboard_are_left_to_a_child_and_then_taken_again():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    quits = signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    try:
        with keyboard_left_to_child():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGQUIT)
            script = "import signal; print(signal.getsignal(signal.SIGQUIT) == signal.SIG_DFL)"
            ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
            assert ran.stdout == b"True\n"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with keyboard_left_to_child():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGQUIT, quits)
