"""Fuzzing of one target after another by atheris, each in a process of its own.

The library is instrumented once, on import; for each target, and again where one dies, a fork goes on from there. An
input that fails does not end a run: it is kept, and the run goes on. What hangs or dies is libFuzzer's to report.
"""

import importlib
import os
import pkgutil
import re
import resource
import tempfile
import time
import traceback
from pathlib import Path

import atheris
import attrs

from tests.fuzz.guard import Findings, Guard, shortened, signature

_HANG_SECONDS = 20
_MOST_STARTS = 20
_DIED = "the process ended: "
_ADDRESS_SPACE = 6 << 30
"""Of one process; a runaway allocation is a MemoryError, not the end of the machine."""
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A directory in memory, where there is one."""
_PROGRESS = re.compile(r"^#\d+\s+\w+.*?cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)
_EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
_LAST = re.compile(r"^#(\d+)\s", re.MULTILINE)
_PEAK = re.compile(r"^stat::peak_rss_mb:\s*(\d+)", re.MULTILINE)


def targets():
    """Import the library, instrumented, and return the targets."""
    with atheris.instrument_imports(include=["oci_layers"], enable_loader_override=False):
        for module in pkgutil.walk_packages(importlib.import_module("oci_layers").__path__, "oci_layers."):
            if not module.name.startswith(("oci_layers.cli", "oci_layers.testing", "oci_layers.__main__")):
                importlib.import_module(module.name)
        return importlib.import_module("tests.fuzz.targets").TARGETS


@attrs.define
class Result:
    """What was done for one target."""

    name: str
    executions: int = 0
    seconds: float = 0.0
    edges: int = 0
    features: int = 0
    inputs: int = 0
    peak: int = 0
    """The largest size of the process, in MiB."""
    findings: list = attrs.field(factory=list)
    """The name, the input and the report of each."""

    def note(self, log):
        """Add what libFuzzer printed."""
        executed = _EXECUTED.search(log)
        self.executions += int(executed[1]) if executed else max(map(int, _LAST.findall(log)), default=0)
        for line in _PROGRESS.finditer(log):
            self.edges, self.features = max(self.edges, int(line[1])), max(self.features, int(line[2]))
            self.inputs = int(line[3])
        self.peak = max([self.peak, *map(int, _PEAK.findall(log))])


def fuzz(target, seconds, corpus):
    """Fuzz a target for so many seconds; its corpus directory gets new inputs, and those that fail."""
    result = Result(target.name)
    inputs, seeds, failures, artifacts = (corpus / each for each in ("inputs", "seeds", "findings", "artifacts"))
    for directory in (inputs, seeds, failures, artifacts):
        directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number:04}").write_bytes(seed)
    words = corpus / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    options = [
        *(f"-max_len={target.longest}", f"-timeout={_HANG_SECONDS}", "-rss_limit_mb=1024", "-print_final_stats=1"),
        *(f"-artifact_prefix={artifacts}/", f"-dict={words}", str(inputs), str(seeds)),
    ]
    findings = Findings(failures)
    end = time.monotonic() + seconds
    for _ in range(_MOST_STARTS):
        left = round(end - time.monotonic())
        if left < 1:
            break
        start = time.monotonic()
        log, code = _forked(target, findings, [f"-max_total_time={left}", *options], corpus / "log")
        result.note(log)
        result.seconds += time.monotonic() - start
        if code:
            died = list(artifacts.iterdir())
            for file in died:
                findings.add(_DIED + file.name.partition("-")[0], file.read_bytes(), log[-4000:])
                file.unlink()
            if not died:
                findings.add(f"{_DIED}exit code {code}", b"", log[-4000:])
    guard = Guard(target)
    for name, data, report in findings:
        # What hangs or dies would do so in this process, too.
        short = data if name.startswith(_DIED) else shortened(guard, data, name)
        result.findings.append((name, short, report))
    return result


def _escaped(word):
    return "".join(f"\\x{byte:02x}" for byte in word)


def _forked(target, findings, options, log):
    """Run libFuzzer in a fork; return what it printed, and its exit code."""
    with tempfile.TemporaryDirectory(prefix="oci-layers-fuzz-", dir=_MEMORY) as place:
        # LibFuzzer ends the process without cleaning up.
        return _wait(_start(target, findings, options, log, place), log)


def _start(target, findings, options, log, place):
    child = os.fork()
    if not child:
        tempfile.tempdir = place
        out = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(out, 1)
        os.dup2(out, 2)
        try:
            _run(target, findings, options)
        finally:  # Not reached where libFuzzer has run: it ends the process.
            traceback.print_exc()
            os._exit(1)
    return child


def _wait(child, log):
    _, status = os.waitpid(child, 0)
    return Path(log).read_text(errors="replace"), os.waitstatus_to_exitcode(status)


def _run(target, findings, options):
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    guard = Guard(target)

    def one(data):
        if error := guard.failure(data):
            findings.add(signature(error), data, "".join(traceback.format_exception(error)))

    atheris.Setup([target.name, *options], one)
    atheris.Fuzz()
