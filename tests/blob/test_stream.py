import io
import subprocess
import sys
import threading

import pytest

from oci_layers.blob.stream import PIECE, ReadAhead, VerifiedReader, drain
from oci_layers.errors import DigestMismatchError, SizeMismatchError, UnsupportedError
from oci_layers.spec.digest import Digest

DATA = b"some bytes to check"
DIGEST = Digest.of(DATA)


class Source(io.BytesIO):
    """Bytes, in pieces of any size, and what was done with them."""

    def __init__(self, data=DATA, step=None, error=None):
        super().__init__(data)
        self.step = step
        self.error = error
        self.most = 0

    def read(self, size):
        self.most = max(self.most, size)
        data = super().read(min(size, self.step or size))
        if not data and self.error is not None:
            raise self.error
        return data


def everything(stream, size=7):
    parts = []
    while part := stream.read(size):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("size", [1, 5, len(DATA), len(DATA) + 1, 1 << 20])
@pytest.mark.parametrize("known", [len(DATA), None])
@pytest.mark.parametrize("step", [1, 3, None])
def test_bytes_that_are_right_pass(size, known, step):
    reader = VerifiedReader(Source(step=step), DIGEST, known)
    assert everything(reader, size) == DATA
    assert reader.read(size) == reader.read(size) == b""
    assert reader.seen == len(DATA)


@pytest.mark.parametrize(
    ("data", "actual"), [(DATA[:-1], len(DATA) - 1), (b"", 0), (DATA + b"!", len(DATA) + 1), (DATA * 9, len(DATA) + 1)]
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_another_size_is_an_error_however_often_one_asks(data, actual, size):
    source = Source(data)
    reader = VerifiedReader(source, DIGEST, len(DATA), what="blob x")
    for _ in range(3):
        with pytest.raises(SizeMismatchError) as caught:
            everything(reader, size)
        assert (caught.value.what, caught.value.expected, caught.value.actual) == ("blob x", len(DATA), actual)
    assert source.most <= len(DATA) + 1


@pytest.mark.parametrize("known", [len(DATA), None])
def test_another_digest_is_an_error_however_often_one_asks(known):
    wrong = DATA[:-1] + b"!"
    reader = VerifiedReader(Source(wrong), DIGEST, known)
    for _ in range(3):
        with pytest.raises(DigestMismatchError) as caught:
            everything(reader)
        assert (caught.value.what, caught.value.expected) == (str(DIGEST), str(DIGEST))
        assert caught.value.actual == str(Digest.of(wrong))


def test_an_algorithm_that_cannot_be_computed_is_an_error_before_anything_is_read():
    source = Source()
    with pytest.raises(UnsupportedError) as caught:
        VerifiedReader(source, Digest("md5:d41d8cd98f00b204e9800998ecf8427e"))
    assert (caught.value.what, caught.value.value) == ("digest algorithm", "md5")
    assert source.tell() == 0


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_every_algorithm_is_checked(algorithm):
    digest = Digest.of(DATA, algorithm)
    assert everything(VerifiedReader(Source(), digest)) == DATA
    with pytest.raises(DigestMismatchError):
        everything(VerifiedReader(Source(DATA + b"!"), digest))


def test_leaving_reads_the_rest_and_checks_it():
    source = Source(DATA + b"!")
    with pytest.raises(DigestMismatchError), VerifiedReader(source, DIGEST) as reader:
        assert reader.read(4) == DATA[:4]
    assert source.closed


def test_leaving_by_an_error_only_closes():
    source = Source(DATA + b"!")
    with pytest.raises(KeyError), VerifiedReader(source, DIGEST) as reader:
        {}[reader.read(4)]
    assert source.closed


def test_draining_reads_to_the_end():
    source = Source(b"x" * (2 * PIECE + 1))
    drain(source)
    assert source.tell() == 2 * PIECE + 1


# Reading ahead.


def ours():
    return [thread for thread in threading.enumerate() if thread.name == "oci-layers-read-ahead"]


@pytest.mark.parametrize("size", [1, 1000, PIECE, 3 * PIECE])
@pytest.mark.parametrize("step", [None, 50_000])
def test_reading_ahead_changes_no_byte(size, step):
    data = bytes(range(256)) * (40 if size == 1 else 40_000)
    ahead = ReadAhead(Source(data, step))
    assert everything(ahead, size) == data
    assert ahead.read(size) == ahead.read(size) == b""
    ahead.close()
    assert ours() == []


@pytest.mark.parametrize("error", [DigestMismatchError("x", "a", "b"), OSError(5, "broken"), KeyboardInterrupt()])
def test_errors_come_where_they_would_have_come(error):
    ahead = ReadAhead(Source(DATA, 4, error))
    found = b""
    while len(found) < len(DATA):
        found += ahead.read(100)
    assert found == DATA
    for _ in range(3):
        with pytest.raises(type(error)) as caught:
            ahead.read(100)
        assert caught.value is error
    ahead.stop()
    assert ours() == []


def test_it_reads_only_so_far_ahead():
    source = Source(b"x" * (40 * PIECE))
    ahead = ReadAhead(source)
    ahead.read(1)
    while source.tell() < 9 * PIECE:
        pass
    ahead.stop()
    assert source.tell() <= 12 * PIECE


class Endless:
    closed = False

    def read(self, size):
        return b"x" * size

    def close(self):
        self.closed = True


def test_stopping_ends_the_thread_and_leaves_the_stream_open():
    source = Endless()
    ahead = ReadAhead(source)
    ahead.read(1)
    ahead.stop()
    assert ours() == []
    assert not source.closed
    ahead.stop()


def test_closing_stops_and_closes():
    source = Endless()
    ReadAhead(source).close()
    assert ours() == []
    assert source.closed


def test_reading_after_the_stop_is_an_error_and_no_wait():
    ahead = ReadAhead(Endless())
    ahead.stop()
    with pytest.raises(ValueError, match="stopped"):
        ahead.read(1)


INTERRUPTED = """
import random, signal, sys, threading
from oci_layers.blob.stream import ReadAhead

class Short:
    left = 3000
    def read(self, size):
        self.left -= 1
        return b"x" * 1000 if self.left > 0 else b""
    def close(self):
        pass

def interrupt(*_):
    raise KeyboardInterrupt

def round(seconds):
    ahead = ReadAhead(Short())
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        while ahead.read(1 << 20):
            pass
        return 0
    except KeyboardInterrupt:
        return 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        ahead.close()

signal.signal(signal.SIGALRM, interrupt)
when = random.Random(1)
hits = 0
while hits < 300:
    try:
        hits += round(when.uniform(1e-4, 5e-3))
    except KeyboardInterrupt:  # before the reading began, or when it had ended
        pass
print(hits)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs timers")
def test_an_interrupt_at_any_moment_leaves_nothing_that_waits_forever():
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "300\n", "")


def test_an_error_of_the_reader_leaves_no_thread(tmp_path):
    import oci_layers
    from tests.support.layers import f, image, tar

    name = image(tmp_path / "image", tar(*(f(f"f{n}", "x" * 10_000) for n in range(500))))

    def stop(_):
        raise KeyError("stop")

    with oci_layers.open_image(name) as opened:
        with pytest.raises(KeyError):
            opened.unpack(tmp_path / "dest", progress=stop)
        entries = opened.layers[0].entries()
        next(entries)
        entries.close()
    assert ours() == []
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
