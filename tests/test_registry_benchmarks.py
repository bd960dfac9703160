"""`benchmarks/` of registries: what programs are served, what they leave behind, what they check, and the proxy."""

import hashlib
import shutil
import socket
import subprocess
import threading
import time

import attrs
import pytest

import oci_layers as oci
from benchmarks import __main__ as command
from benchmarks import inputs, layout, measure, peers, registry_peers, registry_server
from benchmarks.benchmark import Benchmark, rows
from benchmarks.measure import FailedError, run
from benchmarks.peers import Program
from benchmarks.registry_server import Served
from benchmarks.registry_suite import registries

PEERS = [pytest.mark.peer(name) for name in registry_server.TOOLS]
pytestmark = PEERS


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """Keep what is made away from the user's cache."""
    directory = tmp_path_factory.getbasetemp() / "registry-benchmark-inputs"
    monkeypatch.setattr(layout, "CACHE", directory)
    return directory


@pytest.fixture
def image():
    return inputs.mixed(40, 2)


def each(*programs):
    return [pytest.param(one, id=one.name, marks=[pytest.mark.peer(name) for name in one.commands]) for one in programs]


def done(program, image, scratch):
    """Do what is measured, and return what the directory then holds."""
    (scratch / "server").mkdir()
    with program.service(image.layout(), scratch / "server") as served:
        (scratch / "work").mkdir()
        for line in program.commands_for(image.layout(), scratch / "work", served.host):
            subprocess.run(line, check=True, cwd=measure.ROOT)
    return scratch / "work"


def files_below(directory):
    return {str(one.relative_to(directory)): one.read_bytes() for one in directory.rglob("*") if one.is_file()}


@pytest.mark.parametrize("program", each(*registry_peers.PULLERS))
def test_what_is_pulled_is_the_image(program, image, tmp_path):
    work = done(program, image, tmp_path)
    assert files_below(work / "dest/blobs") == files_below(image.layout() / "blobs")


@pytest.mark.parametrize("program", each(*registry_peers.REMOTE_UNPACKERS))
def test_what_is_unpacked_is_the_merged_tree(program, image, tmp_path):
    work = done(program, image, tmp_path)
    with oci.open_image(f"oci:{image.layout()}:b") as opened:
        expected = {path.decode(): b"".join(chunks) for path, _, chunks in opened.files()}
    assert files_below(work / "dest") == expected


@pytest.mark.parametrize("program", each(*registry_peers.PUSHERS))
def test_a_push_sends_every_blob_to_a_registry_that_has_none(program, image, tmp_path):
    done(program, image, tmp_path)
    stored = (tmp_path / "server/registry/docker/registry/v2/blobs/sha256").rglob("data")
    assert {file.parent.name: file.read_bytes() for file in stored} == files_below(image.layout() / "blobs/sha256")
    # The next one begins without them.
    (tmp_path / "again").mkdir()
    with registry_server.empty(image.layout(), tmp_path / "again"):
        assert files_below(tmp_path / "again/registry") == {}


@pytest.mark.parametrize("program", each(*registry_peers.CATS))
def test_three_files_are_read_out_of_a_registry_and_the_proxy_counts(program, image, tmp_path):
    work = done(program, image, tmp_path)
    paths = (work / "paths").read_text().splitlines()
    assert len(set(paths)) == 3
    with oci.open_image(f"oci:{image.layout()}:b") as opened:
        tree = opened.tree()
        assert (work / "dest").read_bytes() == b"".join((opened.root / path).read_bytes() for path in paths)
        layers = {tree.get(path.encode()).layer for path in paths}
        least = sum(opened.layers[layer].descriptor.size for layer in layers)
    assert run(program, image.layout(), tmp_path).bytes >= least


@pytest.fixture
def damaged(image, tmp_path):
    """Serve the image with something wrong in it: the blob is not what its digest says, or the plain layer is not."""

    def make(check):
        target = tmp_path / f"damaged-{check.replace(' ', '-')}"
        shutil.copytree(image.layout(), target)
        blobs = layout.layer_files(target)
        data = blobs[-1].read_bytes()
        if check == "diff_ids":
            layers = [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": f"sha256:{blob.name}",
                    "size": blob.stat().st_size,
                }
                for blob in blobs
            ]
            layout.write_documents(target, layers, [f"sha256:{hashlib.sha256(b'other').hexdigest()}"] * len(blobs))
            return target
        shutil.copytree(registry_server.storage_of(image.layout()), layout.CACHE / f"registry-{target.name}")
        name = blobs[-1].name
        stored = layout.CACHE / f"registry-{target.name}/docker/registry/v2/blobs/sha256/{name[:2]}/{name}/data"
        for file in (blobs[-1], stored):
            # The operating system in the header of gzip: nothing that is inflated changes.
            file.write_bytes(data[:9] + b"\x07" + data[10:])
        return target

    yield make
    for storage in layout.CACHE.glob("registry-damaged-*"):
        layout.remove(storage)


@pytest.mark.parametrize("check", peers.BOTH)
@pytest.mark.parametrize(
    "program", each(*registry_peers.PULLERS, *registry_peers.REMOTE_UNPACKERS, *registry_peers.PUSHERS)
)
def test_a_program_verifies_what_the_table_says(program, check, damaged, tmp_path):
    target = damaged(check)
    (tmp_path / "place").mkdir()
    if check in program.verifies:
        with pytest.raises(FailedError):
            run(program, target, tmp_path / "place")
    else:
        run(program, target, tmp_path / "place")


def test_a_registry_that_cannot_start_is_an_error_that_has_its_words(tmp_path, monkeypatch):
    monkeypatch.setattr(registry_server.json, "dumps", lambda _: "version: 9.9")
    with pytest.raises(RuntimeError, match="unsupported version"), registry_server.serving(tmp_path, tmp_path):
        pass


def test_what_serves_a_program_is_not_measured_and_ends_with_it(image, tmp_path):
    program = Program("ours", "test {host} = 127.0.0.1:1", service=lambda _layout, _scratch: slow)
    events = []

    class Slow:
        def __enter__(self):
            time.sleep(0.3)
            events.append("began")
            return Served("127.0.0.1:1", lambda: 7)

        def __exit__(self, *_):
            events.append("ended")

    slow = Slow()
    sample = run(program, image.layout(), tmp_path)
    assert sample.bytes == 7
    assert sample.seconds < 0.3
    assert events == ["began", "ended"]
    with pytest.raises(FailedError):
        run(attrs.evolve(program, shell="false"), image.layout(), tmp_path)
    assert events == ["began", "ended"] * 2


def test_a_benchmark_is_left_out_where_ours_cannot_run(image, capsys):
    ours = Program("ours", "true", commands=("nonesuch-registry",))
    assert [*command.measured((Benchmark("a", "something", rows(image, ours, Program("theirs", "true"))),), 1)] == []
    assert capsys.readouterr().out.splitlines()[-1] == "a: left out: nonesuch-registry not installed"


@pytest.mark.parametrize("small", [True, False])
def test_every_program_of_a_registry_is_left_out_without_one(small, image, monkeypatch):
    monkeypatch.setattr(peers.shutil, "which", lambda _: None)
    for benchmark in registries(image, small=small):
        assert "docker-registry, skopeo" in benchmark.rows[0].program.missing()


# The proxy


@pytest.fixture
def server():
    """A server that sends as many bytes as the line that it reads says; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock, sock.makefile("rb") as lines:
                    for line in lines:
                        sock.sendall(bytes(int(line)))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def read_of(host, *counts):
    """Ask for bytes, again and again on one connection; return the seconds of each answer."""
    seconds = []
    name, _, port = host.partition(":")
    began = time.monotonic()
    with socket.create_connection((name, int(port))) as sock:
        for count in counts:
            sock.sendall(b"%d\n" % count)
            left = count
            while left:
                left -= len(sock.recv(min(left, 1 << 20)))
            seconds.append(time.monotonic() - began)
            began = time.monotonic()
    return seconds


def test_the_proxy_counts_what_clients_get(server):
    with registry_server._proxy(server, 0, float("inf")) as proxy:
        assert proxy.passed() == 0
        read_of(proxy.host, 1, 1_000_000)
        read_of(proxy.host, 10)
        assert proxy.passed() == 1_000_011


def test_a_round_trip_takes_the_delay_and_to_connect_is_one(server):
    with registry_server._proxy(server, 0.2, float("inf")) as proxy:
        first, second = read_of(proxy.host, 1, 1)
    assert first >= 0.4
    assert 0.2 <= second < first


def test_each_connection_has_the_rate_of_its_own(server):
    with registry_server._proxy(server, 0, 2e6) as proxy:
        (alone,) = read_of(proxy.host, 1_000_000)
    assert alone >= 0.5
