"""Completion: the scripts for bash, zsh and fish, in the shells themselves."""

import os
import subprocess
import sys

import pytest

shtab = pytest.importorskip("shtab")

CASES = [
    ("oci-layers unp", "unpack"),
    ("oci-layers --vers", "--version"),
    ("oci-layers unpack --pol", "--policy"),
    ("oci-layers ls archive.tar --policy st", "strict"),
    ("oci-layers ls arch", "archive.tar"),
    ("oci-layers validate arch", "archive.tar"),
    ("oci-layers lint --all arch", "archive.tar"),
    ("oci-layers ls oci-archive:arch", "oci-archive:archive.tar"),
    ("oci-layers ls oci:lay", "oci:layout/"),
    ("oci-layers unpack lay", "layout/"),
    ("oci-layers unpack archive.tar roo", "rootfs/"),
    ("oci-layers unpack oci:layout roo", "rootfs/"),
    ("oci-layers unpack oci:layout:latest roo", "rootfs/"),
    ("oci-layers unpack archive.tar --policy strict roo", "rootfs/"),
    ("oci-layers images oci:lay", "oci:layout/"),
    ("oci-layers unpack --temporary-directory roo", "rootfs/"),
    ("oci-layers copy arch", "archive.tar"),
    ("oci-layers copy archive.tar oci:lay", "oci:layout/"),
    ("oci-layers copy archive.tar oci:layout --fsync ne", "never"),
    ("oci-layers tag oci:lay", "oci:layout/"),
    ("oci-layers diff oci:layout arch", "archive.tar"),
    ("oci-layers pack roo", "rootfs/"),
    ("oci-layers pack rootfs --base oci:lay", "oci:layout/"),
    ("oci-layers pack rootfs --output oci:lay", "oci:layout/"),
    ("oci-layers squash arch", "archive.tar"),
    ("oci-layers rebase oci:layout:1 oci:lay", "oci:layout/"),
    ("oci-layers index app", "append"),
    ("oci-layers index append oci:lay", "oci:layout/"),
    ("oci-layers untag oci:layout:1 oci:lay", "oci:layout/"),
    ("oci-layers fsck oci:layout --repair arch", "archive.tar"),
    ("oci-layers du lay", "layout/"),
    ("oci-layers snap", "snapshot"),
    ("oci-layers snapshot oci:lay", "oci:layout/"),
    ("oci-layers snapshot --room roo", "rootfs/"),
    ("oci-layers mount archive.tar roo", "rootfs/"),
    ("oci-layers umount roo", "rootfs/"),
    ("oci-layers containers --form", "--format"),
    ("oci-layers commit box oci:lay", "oci:layout/"),
    ("oci-layers commit box out --base arch", "archive.tar"),
    ("oci-layers shell arch", "archive.tar"),
    ("oci-layers cat archive.tar arch", "arch"),
    ("oci-layers layers oci-archive:arch", "oci-archive:archive.tar"),
    ("oci-layers why arch", "archive.tar"),
    ("oci-layers export archive.tar -o roof", "roof.txt"),
    ("oci-layers explain missing", "missing-parent"),
    ("oci-layers explain DSC-23 missing", "missing-parent"),
]
"""Lines, and what completion makes of their last word; a path inside an image stays as it is."""


@pytest.fixture
def here(tmp_path):
    """A directory with an archive, a layout and a place to unpack to, beside a file whose name begins like that."""
    (tmp_path / "layout").mkdir()
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "archive.tar").touch()
    (tmp_path / "roof.txt").touch()
    return tmp_path


@pytest.fixture
def script(run, here):
    """Write the script for a shell to a file beside the directory, and return its path."""

    def script(shell):
        ran = run("--print-completion", shell)
        assert (ran.code, ran.err) == (0, "")
        file = here.parent / f"{here.name}.{shell}"
        file.write_text(ran.out)
        return file

    return script


@pytest.mark.peer("bash")
def test_bash_completes(here, script):
    # Readline splits words at colons and adds the slash of a directory.
    ask = """
source "$1"
complete -p oci-layers >&2
while IFS= read -r line; do
  read -ra COMP_WORDS <<< "${line//:/ : }"
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _oci_layers oci-layers "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
  echo "${COMPREPLY[@]}"
done
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", ask, "bash", script("bash")],
        input="".join(line + "\n" for line, _ in CASES),
        capture_output=True,
        text=True,
        check=True,
        cwd=here,
        timeout=60,
    )
    assert done.stderr == "complete -o bashdefault -F _oci_layers oci-layers\n"
    inside = "oci-layers cat archive.tar arch"
    words = [(line, "" if line == inside else word.rpartition(":")[2].rstrip("/")) for line, word in CASES]
    assert list(zip([line for line, _ in CASES], done.stdout.splitlines(), strict=True)) == words


@pytest.mark.thorough
@pytest.mark.peer("zsh")
def test_zsh_completes(here, script):
    pty = pytest.importorskip("pty")
    (home := here.parent / f"{here.name}.home").mkdir()
    (home / "lines").write_text("".join(line + "\n" for line, _ in CASES))
    (home / ".zshrc").write_text(f"""
autoload -Uz compinit && compinit -u -D
eval "$(<{script("zsh")})"
complete_all() {{
  local line
  while IFS= read -r line; do
    BUFFER=$line CURSOR=$#line
    zle complete-word
    print -r -- "$BUFFER" >> $ZDOTDIR/completed
  done < $ZDOTDIR/lines
  BUFFER=exit
  zle accept-line
}}
zle -N zle-line-init complete_all
""")
    master, slave = pty.openpty()
    environment = {**os.environ, "ZDOTDIR": str(home), "TERM": "xterm", "COLUMNS": "100"}
    zsh = subprocess.Popen(
        ["zsh", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=here, env=environment, start_new_session=True
    )
    os.close(slave)
    try:
        while os.read(master, 65536):
            pass
    except OSError:  # How Linux says that the other side was closed.
        pass
    finally:
        os.close(master)
    assert zsh.wait(timeout=60) == 0
    completed = (home / "completed").read_text().splitlines()
    assert [(line, done.split()[-1]) for (line, _), done in zip(CASES, completed, strict=True)] == CASES


@pytest.mark.thorough
@pytest.mark.peer("fish")
def test_fish_completes(here, script):
    ask = 'source $argv[1]; while read -l line; echo (complete -C "$line"); end'
    done = subprocess.run(
        ["fish", "--no-config", "-c", ask, script("fish")],
        input="".join(line + "\n" for line, _ in CASES),
        capture_output=True,
        text=True,
        check=True,
        cwd=here,
        timeout=60,
    )
    assert done.stderr == ""
    words = [each.partition("\t")[0] for each in done.stdout.splitlines()]
    inside = "oci-layers cat archive.tar arch"
    assert list(zip([line for line, _ in CASES], words, strict=True)) == [
        (line, "" if line == inside else word) for line, word in CASES
    ]


@pytest.mark.peer("fish")
def test_fish_shows_the_short_help_of_verbs(here, script):
    done = subprocess.run(
        ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "oci-layers l"', script("fish")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == [
        "layers\tshow what each layer did, and what is wasted",
        "lint\tcheck layers for errors and doubtful entries",
        "login\tkeep a user and a password for a registry",
        "logout\tforget the user and the password for a registry",
        "ls\tlist a directory of the merged file system",
    ]


def test_there_is_a_script_for_tcsh_too(run):
    ran = run("--print-completion", "tcsh")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("# AUTOMATICALLY GENERATED")


def test_without_shtab_one_line_says_what_is_missing(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    monkeypatch.delitem(sys.modules, "oci_layers.cli.completion", raising=False)
    ran = run("--print-completion", "bash")
    line = "oci-layers: error: --print-completion needs shtab: pip install 'oci-layers[cli]'\n"
    assert (ran.code, ran.out, ran.err) == (2, "", line)


def test_a_release_of_shtab_without_the_shell_is_one_line(run, monkeypatch):
    monkeypatch.setattr(shtab, "SUPPORTED_SHELLS", ["bash", "zsh", "tcsh"])
    ran = run("--print-completion", "fish")
    line = "oci-layers: error: --print-completion fish needs a newer shtab: pip install -U shtab\n"
    assert (ran.code, ran.out, ran.err) == (2, "", line)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "oci_layers", "--print-completion", "bash"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, b"oci-layers: error: stdout: No space left on device\n")
