"""Run commands in turn, round after round, and say how long, how much CPU and how much memory they took."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import attrs

from benchmarks.peers import Peer


@attrs.frozen
class Run:
    """One run of one command."""

    seconds: float
    cpu_seconds: float
    peak_kib: int


@attrs.frozen
class Result:
    """All runs of one peer on one image."""

    peer: Peer
    runs: tuple[Run, ...]

    def median(self, name: str) -> float:
        """Return the median of one field of the runs."""
        return float(statistics.median(getattr(run, name) for run in self.runs))


def ram_disk() -> Path | None:
    """Return a directory in memory, where the system has one."""
    place = Path("/dev/shm")  # noqa: S108  # the point of it
    return place if os.access(place, os.W_OK) else None


def compare(layout: Path, peers: list[Peer], rounds: int, place: Path) -> list[Result]:
    """Run every peer once a round, in turn, so that a slow moment of the machine hits all of them."""
    runs: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            runs[peer.name].append(_run(peer, layout, place / "oci-layers-benchmark"))
    return [Result(peer, tuple(runs[peer.name])) for peer in peers]


# A process begins with the peak of the one that it was forked from, so a small interpreter starts each command.
_STARTER = """
import json, os, sys, time
started = time.perf_counter()
null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=null)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


def _run(peer: Peer, layout: Path, dest: Path) -> Run:
    command = [sys.executable, "-I", "-S", "-c", _STARTER, *peer.command(layout, dest)]
    try:
        output = subprocess.run(command, check=True, capture_output=True).stdout
        code, seconds, cpu_seconds, peak_kib = json.loads(output)
        if code != 0:
            raise RuntimeError(f"{peer.name} failed with exit code {code} on {layout}")
        return Run(seconds, cpu_seconds, peak_kib)
    finally:
        shutil.rmtree(dest, ignore_errors=True)
