"""The command line as a whole: verbs, exit codes, errors in one line, pipes that close, and no traceback ever."""

import errno
import os
import subprocess
import sys

import pytest

import oci_layers
from oci_layers.cli.main import EXIT_CODES, main
from tests.support.examples import some
from tests.support.layers import f, tar
from tests.support.layers import image as make_image

VERBS = (
    *("unpack", "ls", "cat", "tree"),
    *("layers", "why", "export"),
    *("images", "refs", "inspect"),
    *("diff",),
    *("pack", "append", "config", "squash", "rebase", "drop", "strip", "index"),
    *("copy", "tag", "untag"),
    *("login", "logout", "tags", "referrers", "delete"),
    *("validate", "lint", "explain"),
    *("fsck", "gc", "du"),
    *("snapshot", "mount", "umount", "containers", "commit", "rm", "shell"),
    *("conformance",),
)
WHAT = {
    **dict.fromkeys(("images", "refs"), "PLACE"),
    **dict.fromkeys(("tag", "fsck", "gc", "du"), "LAYOUT"),
    **dict.fromkeys(("login", "logout"), "REGISTRY"),
    "tags": "REPOSITORY",
    "copy": "SRC",
    "diff": "A",
    "pack": "DIR",
    "explain": "RULE",
    "conformance": "CMD",
    "index": "ACTION",
    "umount": "DIR",
    "containers": "--room DIR",
    **dict.fromkeys(("commit", "rm"), "NAME"),
}
MODULE = [sys.executable, "-m", "oci_layers"]


def shell(script, **environment):
    """Run a shell script in which `oci-layers` is the command."""
    command = f'oci-layers() {{ "{sys.executable}" -m oci_layers "$@"; }}\n{script}'
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, env={**os.environ, **environment}, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_the_version_is_that_of_the_package(run):
    ran = run("--version")
    assert (ran.code, ran.out) == (0, f"oci-layers {oci_layers.__version__}\n")


def test_help_lists_the_verbs(run):
    ran = run("--help")
    assert (ran.code, ran.err) == (0, "")
    verbs, _, last = ran.out.partition("  VERB\n")[2].partition("\n\n")
    assert [line.split()[0] for line in verbs.splitlines()] == list(VERBS)
    assert " ".join(last.split()) == EXIT_CODES
    assert run("--help", "unpack").out == ran.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_says_what_it_does(run, verb):
    ran = run(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"usage: oci-layers {verb} ")
    assert WHAT.get(verb, "IMAGE") in ran.out
    assert " ".join(ran.out.rpartition("\n\n")[2].split()) == EXIT_CODES


@pytest.mark.parametrize(
    "arguments", [[], ["none"], ["ls"], ["ls", "--none", "x"], ["cat", "x"], ["ls", "a", "b", "c"]]
)
def test_usage_errors_are_exit_2(run, arguments):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: oci-layers")


@pytest.mark.parametrize(
    "arguments",
    [["-R", "IMAGE", "etc"], ["IMAGE", "-R", "etc"], ["IMAGE", "etc", "-R"], ["-R", "--", "IMAGE", "etc"]],
)
def test_options_may_stand_anywhere(run, image, arguments):
    ran = run("ls", *(image if each == "IMAGE" else each for each in arguments))
    assert (ran.code, ran.out.splitlines()) == (0, ["/etc/new", "/etc/os-release"])


def test_it_is_a_module_and_a_command(image):
    for command in (MODULE, [os.path.join(os.path.dirname(sys.executable), "oci-layers")]):
        done = subprocess.run([*command, "cat", image, "etc/os-release"], capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"ID=x\n", b"")


@pytest.mark.parametrize("module", ["attrs", "argparse", "oci_layers.cli.process", "oci_layers.cli.commands.ls"])
def test_ctrl_c_is_quiet_while_modules_are_imported(image, module):
    interrupt = (
        "import runpy, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"sys.modules.pop({module!r}, None)\n"
        "runpy.run_module('oci_layers', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", interrupt, "ls", image], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_it_works_without_anything_that_is_optional(image):
    hide = (
        "import sys\n"
        "for name in ('rich', 'shtab', 'hypothesis', 'pytest', 'isal', 'jsonschema'):\n"
        "    sys.modules[name] = None\n"
        "from oci_layers.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", hide, "ls", image, "etc"], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"new\nos-release\n", b"")


@pytest.mark.parametrize(
    "verb", some(["ls -R", "ls -R --format jsonl", "ls -R --format json", "tree", "inspect --raw", "cat"], every=3)
)
def test_a_closed_pipe_is_quiet(tmp_path, verb):
    directory = make_image(tmp_path, tar(*(f(f"a-rather-long-name-{n}") for n in range(5000)), f("big", "x" * 500_000)))
    path = "big" if verb == "cat" else ""
    code, out, err = shell(f"set -o pipefail; oci-layers {verb} {directory} {path} | head -c 20")
    assert (code, len(out), err) == (0, 20, b"")


def test_a_closed_pipe_is_quiet_for_the_report_too(image, tmp_path):
    code, _, err = shell(f"set -o pipefail; oci-layers unpack {image} {tmp_path}/out | true")
    assert code == 0
    assert err.startswith(b"oci-layers: warnings:") or err == b""
    assert (tmp_path / "out" / "etc").is_dir()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_the_terminal_cannot_show_are_escaped(image, encoding):
    for verb in ("ls", "tree"):
        code, out, err = shell(f"oci-layers {verb} {image}", PYTHONIOENCODING=encoding)
        assert (code, err) == (0, b"")
        shown = {"ascii": b"caf\\xe9\n", "latin-1": b"caf\xe9\n", "utf-8": b"caf\xc3\xa9\n"}[encoding]
        assert shown in out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(image):
    code, _, err = shell(f"oci-layers ls -R {image} > /dev/full")
    assert code == 1
    assert err == b"oci-layers: error: stdout: No space left on device\n"


class NotPermittedAndOursError(oci_layers.OCIError, PermissionError):
    """An error of ours that is one of the system too."""

    def __str__(self):
        return "ours"


class Verbs:
    """A stand-in for what a verb does."""

    def __init__(self, error):
        self.error = error

    def __call__(self, *arguments, **options):
        raise self.error


def noted(error, *notes):
    for note in notes:
        error.add_note(note)
    return error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, ""),
        (PermissionError(errno.EACCES, "Permission denied", "a\x1b"), 4, "a\\x1b: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", b"a", None, b"b"), 4, "a: b: Read-only file system"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (OSError("odd"), 1, "odd"),
        (OSError(errno.EMFILE, "Too many", "a"), 1, "a: Too many (to allow more: ulimit -n NUMBER)"),
        (oci_layers.OCIError("odd"), 1, "odd"),
        (NotPermittedAndOursError(errno.EPERM, "no", "a"), 1, "ours"),
        (noted(oci_layers.OCIError("odd"), "inner", "outer\x1b", "odd"), 1, "outer\\x1b: inner: odd"),
        (noted(oci_layers.OCIError("odd"), "twice", "twice"), 1, "twice: odd"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(capsys, monkeypatch, image, error, code, line):
    monkeypatch.setattr("oci_layers.cli.options.open_image", Verbs(error))
    assert main(["ls", image]) == code
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"oci-layers: error: {line}\n" if line else "")


def test_what_the_system_did_not_permit_is_exit_4_through_an_error_of_ours_too(capsys, monkeypatch, image):
    error = oci_layers.OCIError("refused")
    error.__cause__ = PermissionError(errno.EPERM, "no")
    monkeypatch.setattr("oci_layers.cli.options.open_image", Verbs(error))
    assert main(["ls", image]) == 4
    assert capsys.readouterr().err == "oci-layers: error: refused\n"


def test_a_verb_loads_no_other_one():
    script = "import sys; from oci_layers.cli.main import main; main(['ls', '--help']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = ran.stdout.split()
    assert "oci_layers.cli.commands.ls" in loaded
    assert not {
        "oci_layers.cli.commands.validate",
        "oci_layers.validation.rules",
        "oci_layers.cli.sarif",
        "shtab",
    } & set(loaded)
