"""Debian's docker-registry on a free port of the loopback, for the time of one run of a program.

The storage of one that is read is filled once with the image, by skopeo, and kept as the images are; one that is
written to begins empty, since a registry takes no blob that it has. None of this is measured.
"""

import contextlib
import functools
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from benchmarks.layout import kept

TOOLS = ("docker-registry", "skopeo")
_LISTENS = re.compile(r'listening on (127\.0\.0\.1:[0-9]+)[,"]')
_SECONDS = 10


@attrs.frozen
class Served:
    """A server that runs."""

    host: str
    passed: Callable[[], int] = lambda: 0
    """Returns how many bytes clients got; 0 without a proxy that counts."""


Service = Callable[[Path, Path], contextlib.AbstractContextManager[Served]]
"""Serves a layout while a program runs, and may write to a directory that is thrown away."""


@contextlib.contextmanager
def serving(storage: Path, scratch: Path) -> Iterator[Served]:
    """Run a registry of this storage; its messages go to `scratch`."""
    config = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": "127.0.0.1:0", "secret": "for uploads"},
    }
    (scratch / "registry.yml").write_text(json.dumps(config))  # JSON is YAML.
    messages = scratch / "registry.log"
    with messages.open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", scratch / "registry.yml"], stdout=log, stderr=log, env={}
        )
    try:
        yield Served(_address(server, messages))
    finally:
        server.kill()
        server.wait(_SECONDS)


def _address(server: "subprocess.Popen[bytes]", messages: Path) -> str:
    """Wait until a registry says where it listens."""
    end = time.monotonic() + _SECONDS
    while server.poll() is None and time.monotonic() < end:
        if found := _LISTENS.search(messages.read_text()):
            return found[1]
        time.sleep(0.01)
    raise RuntimeError(f"docker-registry does not listen: {messages.read_text()}")


@contextlib.contextmanager
def empty(_layout: Path, scratch: Path) -> Iterator[Served]:
    """Run a registry that has nothing."""
    with serving(scratch / "registry", scratch) as served:
        yield served


@contextlib.contextmanager
def filled(layout: Path, scratch: Path) -> Iterator[Served]:
    """Run a registry that has the image of a layout, as `b:b`."""
    storage = storage_of(layout)
    for file in storage.rglob("*"):  # Read once, so that no program pays for the disk.
        if file.is_file():
            with file.open("rb") as opened:
                while opened.read(1 << 20):
                    pass
    with serving(storage, scratch) as served:
        yield served


def storage_of(layout: Path) -> Path:
    """Return the storage of a registry that has the image of a layout of the cache."""
    return kept(f"registry-{layout.name}", functools.partial(_fill, layout))


def _fill(layout: Path, storage: Path) -> None:
    storage.mkdir()
    with serving(storage, storage.parent) as served:
        command = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]
        subprocess.run([*command, f"oci:{layout}:b", f"docker://{served.host}/b:b"], check=True)


def shaped(delay: float = 0, rate: float = float("inf")) -> Service:
    """Return the same behind a proxy that counts: of so many seconds for a round trip, and bytes a second."""

    @contextlib.contextmanager
    def service(layout: Path, scratch: Path) -> Iterator[Served]:
        with filled(layout, scratch) as served, _proxy(served.host, delay, rate) as proxy:
            yield proxy

    return service


@contextlib.contextmanager
def _proxy(host: str, delay: float, rate: float) -> Iterator[Served]:
    port = host.rpartition(":")[2]
    command = [sys.executable, "-m", "benchmarks.shaping_proxy", port, str(delay), str(rate)]
    here = Path(__file__).parent.parent
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here)
    ask, said = process.stdin, process.stdout
    assert ask is not None
    assert said is not None

    def passed() -> int:
        ask.write("\n")
        ask.flush()
        return int(said.readline())

    try:
        yield Served(f"127.0.0.1:{int(said.readline())}", passed)
    finally:
        ask.close()
        process.wait(_SECONDS)
        said.close()
