"""A command line or a callable is asked to unpack an image, and whatever becomes of it is a result."""

import os
import sys
import threading
import time

import attrs
import pytest

from oci_layers.errors import MissingError, NameFormatError
from oci_layers.testing.judge.program import Command, Function, Job, ProgramError, fill, last_line, words_of


@pytest.fixture
def job(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tars = [tmp_path / "0.tar", tmp_path / "1.tar"]
    for tar in tars:
        tar.write_bytes(tar.name.encode())
    return Job(tmp_path / "layout", "case", tars, tmp_path / "dest", scratch, timeout=60)


def ran(program, job):
    with program.run(job) as result:
        return result


def shell(script):
    return Command(("sh", "-c", script, "sh", "{layout}", "{ref}", "{dest}", "{scratch}"))


def test_a_command_gets_what_its_places_name(job):
    result = ran(
        shell('mkdir "$3" && echo "$1 $2 $4" > "$3/words" && echo "$TMPDIR $LC_ALL $TZ $(umask)" > "$3/more"'), job
    )
    assert (result.root, result.message, result.crash) == (job.dest, "", "")
    assert (job.dest / "words").read_text() == f"{job.layout} case {job.scratch}\n"
    assert (job.dest / "more").read_text() == f"{job.scratch} C.UTF-8 UTC 0022\n"


def test_a_command_for_layers_runs_for_each_over_what_is_there(job):
    program = Command(("sh", "-c", 'cat "$1" >> "$2/names"', "sh", "{layer}", "{dest}"))
    assert ran(program, job).root == job.dest
    assert (job.dest / "names").read_text() == "0.tar1.tar"


def test_the_first_layer_that_is_refused_ends_it(job):
    program = Command(("sh", "-c", 'echo "no $1" >&2; exit 1', "sh", "{layer}", "{dest}"))
    result = ran(program, job)
    assert (result.root, result.message) == (None, f"no {job.tars[0]}")


def test_without_layers_there_is_an_empty_directory(job):
    program = Command(("false", "{layer}", "{dest}"))
    assert ran(program, attrs.evolve(job, tars=[])).root == job.dest


def test_the_root_may_be_below_the_destination(job):
    program = attrs.evolve(shell('mkdir -p "$3/bundle/rootfs"'), rootfs="bundle/rootfs")
    assert ran(program, job).root == job.dest / "bundle/rootfs"


@pytest.mark.parametrize(
    ("script", "message", "crash"),
    [
        ("echo one >&2; echo 'two ' >&2; echo >&2; exit 3", "two", ""),
        ("echo only here; exit 3", "only here", ""),
        ("exit 3", "exit code 3", ""),
        ("true", "it ended well, and there is no directory dest", ""),
        ("echo last >&2; kill -9 $$", "last", "signal 9 ended it"),
    ],
)
def test_any_other_end_is_a_refusal_or_a_crash(job, script, message, crash):
    result = ran(shell(script), job)
    assert (result.root, result.message, result.crash) == (None, message, crash)


def test_a_command_that_hangs_is_stopped_with_all_that_it_started(job):
    script = 'sleep 300 & echo $! > "$4/pid"; sleep 300'
    result = ran(shell(script), attrs.evolve(job, timeout=0.5))
    assert (result.root, result.crash) == (None, "it was stopped after 0.5 seconds")
    pid = int((job.scratch / "pid").read_text())
    for _ in range(100):
        if not _is_alive(pid):
            break
        time.sleep(0.05)
    assert not _is_alive(pid)


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_command_leaves_behind_is_stopped_too(job):
    result = ran(shell('mkdir "$3"; sleep 300 & echo $! > "$4/pid"'), job)
    assert result.root == job.dest
    pid = int((job.scratch / "pid").read_text())
    for _ in range(100):
        if not _is_alive(pid):
            break
        time.sleep(0.05)
    assert not _is_alive(pid)


def test_a_command_is_stopped_early_when_the_judge_is(job):
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    assert ran(shell("sleep 300"), attrs.evolve(job, stop=stop)).crash


def test_long_messages_do_not_block_a_command(job):
    script = f"{sys.executable} -c \"import sys; sys.stderr.write('x' * (1 << 20) + chr(10) + 'end')\"; exit 1"
    assert ran(shell(script), job).message == "end"


def test_a_template_is_split_as_a_shell_splits_it():
    command = Command.parse("sh -c 'echo \"a  b\"; ${x}' {layout}:{ref} {dest}")
    assert command.words == ("sh", "-c", 'echo "a  b"; ${x}', "{layout}:{ref}", "{dest}")
    assert command.command == "sh -c 'echo \"a  b\"; ${x}' {layout}:{ref} {dest}"
    assert command.name == "sh"
    assert fill(command.words, {"layout": "{dest}", "ref": "r", "dest": "D"})[3:] == ["{dest}:r", "D"]


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("sh {dest}", "there is no {layout} or {layer} in it"),
        ("sh {layout}", "there is no {dest} in it"),
        ("sh '{layout} {dest}", "no closing quotation"),
    ],
)
def test_a_template_without_its_places_is_refused(template, reason):
    with pytest.raises(NameFormatError) as caught:
        Command.parse(template)
    assert caught.value.reason == reason


def test_a_program_that_is_not_there_is_missing():
    with pytest.raises(MissingError, match="no program 'no such program'"):
        Command.parse("'no such program' {layout} {dest}")
    with pytest.raises(NameFormatError):
        words_of("{old}", "{old}", "{new}")


def test_a_callable_gets_three_texts(job):
    def unpack(layout, ref, dest):
        assert (layout, ref, dest) == (str(job.layout), "case", str(job.dest))
        os.mkdir(dest)

    assert ran(Function(unpack), job).root == job.dest
    assert Function(unpack, name="mine").command == "mine(layout, ref, dest)"
    assert Function(unpack).command.endswith("unpack(layout, ref, dest)")


def refuse(layout, ref, dest):
    raise ValueError("not\nthis")


def leave(layout, ref, dest):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (refuse, "ValueError: not\\x0athis"),
        (leave, "SystemExit: 3"),
        (lambda *_: None, "it returned, and there is no directory dest"),
    ],
)
def test_an_exception_of_a_callable_is_a_refusal(job, function, message):
    result = ran(Function(function), job)
    assert (result.root, result.message, result.crash) == (None, message, "")


def test_the_last_line_is_the_last_with_something_in_it():
    assert last_line(b"a\n\n b\xff \n\n") == "b\\xff"
    assert last_line(b"\n") == ""


def test_the_error_of_a_program_names_the_command():
    error = ProgramError("x {layout} {dest}", "no\nsuch")
    assert str(error) == "this fails for an image with one file: x {layout} {dest}: no\\x0asuch"
