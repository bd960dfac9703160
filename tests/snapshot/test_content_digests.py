import hashlib
import threading

import pytest

from oci_layers.snapshot import content_digests
from oci_layers.snapshot.content_digests import ContentDigests

PIECES = [bytes([number]) * 70_000 for number in range(20)]


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("pieces", [PIECES, PIECES[:1], [b"small"], []])
def test_a_digest_is_that_of_the_bytes(background, pieces, monkeypatch):
    monkeypatch.setattr(content_digests, "_AHEAD", 200_000)
    digests = ContentDigests(background=background)
    try:
        hashers = [digests.hasher(sum(map(len, pieces))) for _ in range(3)]
        for piece in pieces:
            for hasher in hashers:
                hasher.update(memoryview(piece))
        digests.wait()
        assert {each.hexdigest() for each in hashers} == {hashlib.sha256(b"".join(pieces)).hexdigest()}
    finally:
        digests.close()


def test_no_thread_is_left():
    before = threading.active_count()
    digests = ContentDigests(background=True)
    digests.hasher(1 << 20).update(bytes(1 << 20))
    digests.close()
    assert threading.active_count() == before


def test_without_a_thread_the_caller_hashes(monkeypatch):
    def refused(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    digests = ContentDigests(background=True)
    hasher = digests.hasher(1 << 20)
    hasher.update(bytes(1 << 20))
    digests.wait()
    digests.close()
    assert hasher.hexdigest() == hashlib.sha256(bytes(1 << 20)).hexdigest()


def test_an_error_of_the_thread_is_that_of_the_caller():
    digests = ContentDigests(background=True)
    hasher = digests.hasher(1 << 20)
    hasher.update("no bytes")
    with pytest.raises(TypeError):
        digests.wait()
    digests.close()
