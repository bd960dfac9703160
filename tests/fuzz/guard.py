"""One run of a target within bounds of time and memory, and what is kept of one that fails.

Nothing of the library is imported here: the worker imports it instrumented, later.
"""

import hashlib
import resource
import time
import traceback
from pathlib import Path

CPU_SECONDS = 1.0
"""For one input, of this process, its threads together."""
MEMORY_BYTES = 96 << 20
"""How far one input may raise the largest size of the process."""


class TooSlowError(Exception):
    """An input took too long."""


class TooLargeError(Exception):
    """An input took too much memory."""


class Guard:
    """Runs a target, again and again."""

    def __init__(self, target, *, cpu_seconds=CPU_SECONDS, memory_bytes=MEMORY_BYTES):
        self.target = target
        self._cpu_seconds = cpu_seconds
        self._memory_bytes = memory_bytes
        _forget_peak()
        self._allowed = _peak_bytes() + memory_bytes

    def failure(self, data):
        """Run the target on the input; return the error that should not have come out, or None."""
        try:
            self.run(data)
        except Exception as error:  # noqa: BLE001 - whatever comes out is a finding
            return error
        return None

    def run(self, data):
        """Run the target on the input; return whether it was accepted.

        Raises:
            TooSlowError, TooLargeError: The target exceeds the bounds.
            Exception: What the target raises.
        """
        accepted, seconds = self._timed(data)
        if seconds > self._cpu_seconds:
            # Twice, as the first time may have included work that is done once.
            seconds = min(seconds, self._timed(data)[1])
            if seconds > self._cpu_seconds:
                raise TooSlowError(f"{seconds:.1f} CPU seconds for {len(data)} bytes")
        peak = _peak_bytes()
        if peak > self._allowed:
            grown = self._growth(data)
            self._allowed = max(peak, self._allowed) + self._memory_bytes
            if grown > self._memory_bytes // 2:
                raise TooLargeError(f"{grown >> 20} MiB for {len(data)} bytes")
        return accepted

    def _timed(self, data):
        start = time.process_time()
        accepted = self.target.run(data)
        return accepted, time.process_time() - start

    def _growth(self, data):
        """Return by how many bytes this input alone raises the size of the process."""
        _forget_peak()
        before = _status_bytes("VmRSS")
        self.target.run(data)
        return _status_bytes("VmHWM") - before


def _forget_peak():
    """Let the largest size of the process be its present one."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _status_bytes(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    raise LookupError(name)


def signature(error):
    """Return where an error was raised: its type, and the last line that is of the library, or else of these tests."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/oci_layers/" in frame.filename] or [frames[-1]]
    last = ours[-1]
    law = next((f" ({frame.name})" for frame in reversed(frames) if "/fuzz/targets/" in frame.filename), "")
    if isinstance(error, AssertionError | TooSlowError | TooLargeError):
        last = frames[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}{law}"


class Findings:
    """A directory with the shortest input of each failure, and its traceback."""

    def __init__(self, directory):
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)

    def add(self, name, data, report):
        """Keep an input that fails in the way of this name, unless a shorter one is kept."""
        stem = self._directory / hashlib.sha256(name.encode()).hexdigest()[:12]
        kept = stem.with_suffix(".input")
        if not kept.exists() or kept.stat().st_size > len(data):
            kept.write_bytes(data)
            stem.with_suffix(".txt").write_text(f"{name}\n{report}", errors="backslashreplace")

    def __iter__(self):
        """Yield the name, the input and the report of each failure."""
        for file in sorted(self._directory.glob("*.txt")):
            name, _, report = file.read_text(errors="replace").partition("\n")
            yield name, file.with_suffix(".input").read_bytes(), report


def shortened(guard, data, name, *, tries=500):
    """Return a shorter input that fails in the way of this name, found by leaving parts out."""

    def fails(data):
        error = guard.failure(data)
        return error is not None and signature(error) == name

    if not fails(data):
        return data
    size = len(data) // 2
    while size and tries > 0:
        at = 0
        while at < len(data) and tries > 0:
            shorter = data[:at] + data[at + size :]
            tries -= 1
            if fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
