"""The kernel's own account of where a process dies: strace kills at system calls that nothing in Python counts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.operations import OPERATIONS, assert_between, assert_opens, content

WHEN = 50
POINTS = {"fsync": (0, 1, 4, 8), "renameat": (0, 2, 4), "pwrite64": (0, 3), "flock": (2, 5), "unlinkat": (0,)}
"""Which call of each kind, from 0, is the last."""
CHILDREN = f"""
import contextlib, os, pathlib, sys
from tests.support.process import ended, start
from tests.support.operations import OPERATIONS

def once(kind):
    match kind:
        case "fsync": os.fsync(2**30)
        case "renameat": os.rename("", "", src_dir_fd=-1, dst_dir_fd=-1)
        case "pwrite64": os.pwrite(-1, b"", 0)
        case "flock": __import__("fcntl").flock(2**30, 8)
        case "unlinkat": os.unlink("", dir_fd=-1)

def work(kind, number):
    for _ in range({WHEN} - 1 - number):
        with contextlib.suppress(OSError):
            once(kind)
    OPERATIONS["image"].run(pathlib.Path(sys.argv[1], f"{{kind}}-{{number}}"))

for kind, numbers in {POINTS!r}.items():
    for number in numbers:
        print(ended(start(lambda: work(kind, number))))
"""


@pytest.mark.peer("strace")
def test_a_process_that_strace_kills_at_a_call_leaves_a_store_that_goes_on(tmp_path):
    operation = OPERATIONS["image"]
    names = [f"{kind}-{number}" for kind, numbers in POINTS.items() for number in numbers]
    operation.prepare(tmp_path / "prepared")
    old = content(tmp_path / "prepared")
    for name in (*names, "whole"):
        shutil.copytree(tmp_path / "prepared", tmp_path / name)
    operation.run(tmp_path / "whole")
    new = content(tmp_path / "whole")
    traced = "trace=" + ",".join(f"{kind},?{kind}2" for kind in POINTS)
    injected = [f"inject={kind},?{kind}2:signal=KILL:when={WHEN}" for kind in POINTS]
    command = ["strace", "-f", "-qq", "-e", traced, "-o", os.devnull, *(f"-e{each}" for each in injected)]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, sys.executable, "-c", CHILDREN, tmp_path],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )
    if "ptrace" in done.stderr and not os.environ.get("CI"):
        pytest.skip("strace is not permitted here")
    assert done.stdout.split() == ["-9"] * len(names), done.stderr
    for name in names:
        assert_between(content(tmp_path / name), old, new)
        assert_opens(tmp_path / name)
        operation.again(tmp_path / name)
        assert content(tmp_path / name) == new
