"""One blob against what is said of it."""

import bz2
import gzip
import hashlib
import io
import threading

import pytest

from oci_layers.errors import BlobMissingError, StoreError
from oci_layers.limits import Limits
from oci_layers.report import DocumentLocation
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import DOCKER_LAYER_GZIP, OCI_LAYER, OCI_LAYER_GZIP, lookup
from oci_layers.verify.blobs import Blob, check_blobs, place_of, read_document
from tests.support.findings import in_blob
from tests.support.layers import d, f, tar

PLAIN = tar(d("a/"), f("a/x", "one"))
MANIFEST = Digest.of(b"manifest")
CONFIG = Digest.of(b"config")
PAST = "limit plain_bytes is {}, the layers down to this one, largest first, have more"


class Source:
    """A source of given blobs; one that is an error is raised."""

    def __init__(self, *stored):
        self.stored = {Digest.of(each): each for each in stored}

    def open_blob(self, digest):
        found = self.stored.get(digest, BlobMissingError(str(digest)))
        if isinstance(found, BaseException):
            raise found
        return io.BytesIO(found)


def blob_of(content, **fields):
    return Blob(Digest.of(content), len(content), DocumentLocation("/layers/0", MANIFEST), **fields)


def layer_of(data, media_type=OCI_LAYER_GZIP, plain=PLAIN):
    row = lookup(media_type)
    place = DocumentLocation("/layers/0", MANIFEST)
    return blob_of(
        data,
        layers=[(place, row)],
        diff_ids=[(DocumentLocation("/rootfs/diff_ids/0", CONFIG), Digest.of(plain))],
        needed=True,
    )


def check(source, *blobs, limits=None, threads=2):
    return check_blobs(source, blobs, limits=limits or Limits(), threads=threads)


def test_a_layer_in_the_compression_that_its_type_promises_is_good():
    data = gzip.compress(PLAIN)
    blob = layer_of(data)
    assert check(Source(data), blob) == []
    assert (blob.tried, blob.good, blob.missing) == (True, True, False)


@pytest.mark.parametrize(
    ("data", "media_type", "message"),
    [
        (PLAIN, OCI_LAYER_GZIP, "promises gzip, the bytes are not compressed"),
        (gzip.compress(PLAIN), OCI_LAYER, "promises plain tar, the bytes are gzip"),
        (bz2.compress(PLAIN), OCI_LAYER_GZIP, "promises gzip, the bytes are bz2"),
    ],
)
def test_the_compression_is_the_one_that_the_type_promises(data, media_type, message):
    assert check(Source(data), layer_of(data, media_type)) == [
        in_blob("LYR-03", "error", MANIFEST, "/layers/0/mediaType", message)
    ]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [PLAIN, gzip.compress(PLAIN)], ids=["plain", "gzip"])
@pytest.mark.parametrize("plain", [PLAIN, gzip.compress(PLAIN), b"another"], ids=["plain", "gzip", "another"])
def test_a_diff_id_is_that_of_the_plain_bytes_whatever_the_digest_is(data, plain, algorithm):
    """Of a layer that is not compressed the two are one; of one that is they are not, even if both are alike."""
    media_type = OCI_LAYER if data == PLAIN else OCI_LAYER_GZIP
    diff_id, actual = Digest.of(plain, algorithm), Digest.of(PLAIN, algorithm)
    blob = layer_of(data, media_type)
    blob.diff_ids = [(DocumentLocation("/rootfs/diff_ids/0", CONFIG), diff_id)]
    message = f"is {diff_id}, but the plain bytes of layer {blob.digest} are {actual}"
    flaw = in_blob("CHN-01", "error", CONFIG, "/rootfs/diff_ids/0", message)
    assert check(Source(data), blob) == ([] if plain == PLAIN else [flaw])


def test_the_bytes_of_a_layer_that_is_not_compressed_are_hashed_once(monkeypatch):
    hashed = []

    class Counting:
        def __init__(self):
            self.inner = hashlib.sha256()

        def update(self, data):
            hashed.append(len(data))
            self.inner.update(data)

        def hexdigest(self):
            return self.inner.hexdigest()

    blob, source = layer_of(PLAIN, OCI_LAYER), Source(PLAIN)
    monkeypatch.setattr(Digest, "hasher", lambda _: Counting())
    assert check(source, blob) == []
    assert sum(hashed) == len(PLAIN)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_layer_that_is_one_too_much_is_the_same_however_many_threads_read(threads):
    layers = [bytes([number]) * (5000 - number) for number in range(100)]
    blobs = [layer_of(each, OCI_LAYER, each) for each in layers]
    limits = Limits(plain_bytes=sum(map(len, layers[:70])))
    (flaw,) = check(Source(*layers), *blobs, limits=limits, threads=threads)
    assert (flaw.rule, flaw.location.digest) == ("LIM-01", blobs[70].digest)


def test_dockers_types_promise_nothing():
    assert check(Source(PLAIN), layer_of(PLAIN, DOCKER_LAYER_GZIP)) == []


def test_a_layer_that_is_badly_compressed_is_called_that_only_if_it_is_the_right_blob():
    data = gzip.compress(PLAIN)[:-5]
    flaw = in_blob("LYR-01", "error", Digest.of(data), "", "the gzip data is cut short")
    blob = layer_of(data)
    assert check(Source(data), blob) == [flaw]
    assert blob.good
    source = Source()
    wrong = data[:40] + b"\xff" * (len(data) - 40)
    source.stored[Digest.of(data)] = wrong
    blob = layer_of(data)
    assert check(source, blob) == [
        in_blob("DSC-05", "error", Digest.of(data), "", f"has the digest {Digest.of(wrong)}"),
    ]
    assert not blob.good


def test_a_bomb_stops_at_the_limit():
    data = gzip.compress(bytes(5_000_000))
    assert check(Source(data), layer_of(data), limits=Limits(plain_bytes=1_000_000)) == [
        in_blob("LIM-01", "error", Digest.of(data), "", PAST.format(1_000_000))
    ]
    (flaw,) = check(Source(data), layer_of(data), limits=Limits(ratio=10))
    assert (flaw.rule, flaw.location.digest) == ("LIM-01", Digest.of(data))
    assert flaw.message.startswith("limit ratio is 10, the input has ")


def test_a_digest_that_cannot_be_computed_is_told_and_not_taken_for_good():
    blob = Blob(Digest.parse("unknown:abc"), 3, DocumentLocation("/layers/0", MANIFEST))
    assert check(Source(), blob) == [
        in_blob("DIG-08", "error", blob.digest, "", "unsupported digest algorithm: unknown")
    ]
    assert (blob.good, blob.missing) == (False, False)


def test_a_source_that_refuses_a_blob_is_told():
    source = Source()
    source.stored[Digest.of(PLAIN)] = StoreError("there", "a link")
    assert check(source, blob_of(PLAIN)) == [in_blob("LAY-05", "error", Digest.of(PLAIN), "", "there: a link")]


def test_a_missing_blob_is_marked_and_for_the_caller_to_weigh():
    blob = blob_of(PLAIN)
    assert check(Source(), blob) == []
    assert (blob.missing, blob.good) == (True, False)
    embedded = blob_of(PLAIN, data=PLAIN)
    assert check(Source(), embedded) == []
    assert (embedded.missing, embedded.good) == (True, True)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_place_passes_through_and_stops_the_others(threads):
    before = threading.active_count()
    blobs = [blob_of(bytes([number]) * (100 - number)) for number in range(20)]
    source = Source(*(bytes([number]) * (100 - number) for number in range(20)))
    source.stored[blobs[3].digest] = PermissionError("no")
    with pytest.raises(PermissionError):
        check(source, *blobs, threads=threads)
    assert threading.active_count() == before


def test_a_long_blob_is_given_up_when_another_fails():
    class Endless(io.RawIOBase):
        def __init__(self):
            self.reads = 0
            self.begun = threading.Event()

        def read(self, size):
            self.reads += 1
            self.begun.set()
            return bytes(1000)

    endless = Endless()

    class Two:
        def open_blob(self, digest):
            if digest == long.digest:
                return endless
            endless.begun.wait()
            raise PermissionError("no")

    long = Blob(Digest.of(b"long"), 1 << 60, DocumentLocation("/layers/0", MANIFEST))
    # The order of the sizes has the failing one waited for first.
    failing = Blob(Digest.of(b"failing"), 1 << 61, DocumentLocation("/layers/1", MANIFEST))
    with pytest.raises(PermissionError):
        check(Two(), long, failing)
    assert endless.closed


def test_a_document_is_read_whole_or_told():
    blob = blob_of(b"{}")
    assert read_document(Source(b"{}"), blob, limit="document_bytes", allowed=2) == (b"{}", [])
    assert blob.good
    assert read_document(Source(), blob_of(b"{}"), limit="document_bytes", allowed=2) == (None, [])
    raw, (flaw,) = read_document(Source(b"{} "), blob_of(b"{} "), limit="document_bytes", allowed=2)
    assert (raw, flaw.rule, flaw.message) == (None, "LIM-01", "limit document_bytes is 2, the input has 3 or more")


def test_places_and_flaws_are_one_line():
    assert place_of(DocumentLocation("/a\nb", MANIFEST)) == f"/a\\x0ab of {MANIFEST}"
    assert str(in_blob("X-1", "note", CONFIG, "/a\x1b", "is odd")) == f"note X-1 {CONFIG}/a\\x1b: is odd"
