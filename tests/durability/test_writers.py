"""Writers that meet errors, other writers and odd files: the bytes of a blob are those of its digest all the same."""

import contextlib
import errno
import io
import os
import threading

import pytest

from oci_layers import Descriptor, Limits, system
from oci_layers.blob import lock
from oci_layers.blob.ingest import partial_name
from oci_layers.errors import DigestMismatchError, LimitError, SizeMismatchError, StoreError
from oci_layers.store.layout import Layout
from tests.support.operations import (
    BLOB,
    DATA,
    NEW,
    OLD,
    OTHER,
    Source,
    assert_blobs_are_whole,
    content,
    filled,
    interrupted,
    leftovers,
    put_image,
)
from tests.support.process import USER, as_user

PARTIAL = f"ingest/{partial_name(BLOB.digest).decode()}"


@pytest.fixture
def layout(tmp_path):
    filled(tmp_path)
    with Layout.open(tmp_path) as opened:
        yield opened


def fault(*arguments, **options):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_writer_is_of_no_more_use_after_an_error_in_writing(layout, tmp_path, monkeypatch):
    with layout.blobs.ingest() as writer:
        with monkeypatch.context() as patch:
            patch.setattr(system, "write_at", fault)
            with pytest.raises(OSError, match="Input/output error"):
                writer.write(DATA)
        for call in (lambda: writer.write(DATA), writer.restart, writer.commit):
            with pytest.raises(StoreError) as raised:
                call()
            assert (raised.value.place, raised.value.reason) == (str(tmp_path), "the writer has failed")
    assert_blobs_are_whole(content(tmp_path))
    assert leftovers(tmp_path) == set()


def test_an_error_of_the_caller_in_a_lease_is_not_the_stores(layout):
    def missing():
        with layout.lease():
            open("/nowhere", "rb")  # noqa: SIM115  # it does not exist

    with pytest.raises(FileNotFoundError) as raised:
        missing()
    assert raised.value.filename == "/nowhere"
    assert not hasattr(raised.value, "__notes__")


def test_an_index_that_could_not_be_read_again_is_not_written(tmp_path):
    filled(tmp_path)
    old = content(tmp_path)
    limits = Limits(document_bytes=2000)

    def fill():
        with Layout.open(tmp_path, limits=limits) as layout:
            for number in range(100):
                layout.tag(f"a-long-name-{number}", NEW.manifest)

    with pytest.raises(LimitError) as raised:
        fill()
    assert (raised.value.limit, raised.value.allowed) == ("document_bytes", 2000)
    with Layout.open(tmp_path, limits=limits) as layout:
        assert len(layout.entries()) > 1
    assert content(tmp_path).keys() == old.keys()


def test_a_file_that_is_named_like_a_directory_of_blobs_stops_no_writer(layout, tmp_path):
    (tmp_path / "blobs/sha512").touch()
    layout.tag("new", NEW.manifest)
    assert len(layout.entries("new")) == 1


@pytest.mark.root
@pytest.mark.parametrize("number", [0, 1])
def test_a_file_that_cannot_be_given_to_the_owner_of_the_store_is_removed(tmp_path, monkeypatch, number):
    filled(tmp_path)
    for top, _, names in os.walk(tmp_path):
        for each in (top, *(os.path.join(top, name) for name in names)):
            os.chown(each, USER, USER)
    with Layout.open(tmp_path) as layout:
        operations = [lambda: layout.tag("new", NEW.manifest), lambda: layout.blobs.put_blob(io.BytesIO(DATA), BLOB)]
        with monkeypatch.context() as patch:
            patch.setattr(system, "fchown", fault)
            with pytest.raises(OSError, match="Input/output error") as raised:
                operations[number]()
        assert raised.value.filename == str(tmp_path)
        assert leftovers(tmp_path) == set()
        operations[number]()


@pytest.mark.root
def test_a_directory_that_root_was_killed_in_making_becomes_the_owners_all_the_same(place):
    place.chmod(0o755)
    as_user(lambda: Layout.create(place / "store").close())
    (place / "store/blobs/sha256").mkdir()  # As root, before its owner is changed.
    with Layout.open(place / "store") as layout:
        put_image(layout, OLD)

    def put():
        with Layout.open(place / "store") as layout:
            put_image(layout, OTHER)

    as_user(put)


def test_bytes_that_have_another_name_are_not_continued(tmp_path):
    """After a power cut the file system may show a renamed file in both places; a stranger may have linked a file."""
    interrupted(tmp_path)
    os.link(tmp_path / PARTIAL, tmp_path / "other")
    before = (tmp_path / "other").read_bytes()
    with Layout.open(tmp_path) as layout:
        layout.blobs.put_blob(Source(DATA), BLOB)
        with layout.blobs.ingest(BLOB, resume=True) as writer:
            assert writer.offset == 0
            writer.restart()
    assert (tmp_path / "other").read_bytes() == before
    assert_blobs_are_whole(content(tmp_path))


def test_a_writer_that_fails_after_the_rename_removes_no_file_of_another(tmp_path, monkeypatch):
    interrupted(tmp_path)
    others = []

    def failing(fd):
        if not others and (tmp_path / "blobs/sha256" / BLOB.digest.encoded).exists():
            others.append(layout.blobs.ingest(BLOB, resume=True))
            others[0].write(DATA[:5])
            fault()

    with Layout.open(tmp_path) as layout:
        monkeypatch.setattr(system, "fsync", failing)
        with pytest.raises(OSError, match="Input/output error"):
            layout.blobs.put_blob(Source(DATA), BLOB)
        assert leftovers(tmp_path) == {PARTIAL}
        others[0].write(DATA[5:])
        assert others[0].commit() == BLOB
    assert_blobs_are_whole(content(tmp_path))


def test_two_writers_of_one_blob_do_not_share_a_file(tmp_path):
    interrupted(tmp_path)
    with Layout.open(tmp_path) as layout, layout.blobs.ingest(BLOB, resume=True) as first:
        assert first.offset == 30
        with layout.blobs.ingest(BLOB, resume=True) as second:
            assert second.offset == 0
            second.write(DATA)
            second.commit()
        first.write(DATA[30:])
        first.commit()
    assert leftovers(tmp_path) == set()
    assert_blobs_are_whole(content(tmp_path))


def test_what_was_written_is_lost_if_it_is_not_what_was_expected_and_the_next_attempt_is_well(tmp_path):
    """As after a power cut, which may leave zeros in the place of bytes that were not synced."""
    interrupted(tmp_path)
    (tmp_path / PARTIAL).write_bytes(b"\0" * 30)
    with Layout.open(tmp_path) as layout:
        with pytest.raises(DigestMismatchError) as raised:
            layout.blobs.put_blob(Source(DATA), BLOB)
        assert raised.value.expected == str(BLOB.digest)
        assert leftovers(tmp_path) == set()
        layout.blobs.put_blob(Source(DATA), BLOB)
    assert_blobs_are_whole(content(tmp_path))


@pytest.fixture
def no_locks(monkeypatch):
    """A file system without locks; a lock file is waited for a moment only."""
    monkeypatch.setattr(system, "lock", lambda fd, *, wait, shared=False: None)
    monkeypatch.setattr(lock, "_PATIENCE", 0.05)


def test_without_locks_a_file_that_a_killed_process_left_is_an_error_that_names_it(layout, tmp_path, no_locks):
    (tmp_path / "index.json.lock").touch()
    with pytest.raises(StoreError) as raised:
        layout.tag("new", NEW.manifest)
    reason = "locked by another process; if there is none, remove index.json.lock, which a killed one left"
    assert (raised.value.place, raised.value.reason) == (str(tmp_path), reason)
    (tmp_path / "index.json.lock").unlink()
    layout.tag("new", NEW.manifest)
    assert not (tmp_path / "index.json.lock").exists()


def test_without_locks_an_error_in_closing_the_lock_file_leaves_none(layout, tmp_path, no_locks, monkeypatch):
    real = system.open_new_file, system.close
    made = []

    def open_new_file(name, parent, mode=0o600):
        fd = real[0](name, parent, mode)
        if name == lock.LOCK_FILE:
            made.append(fd)
        return fd

    def close(fd):
        real[1](fd)
        if made == [fd]:
            made.append(None)
            fault()

    monkeypatch.setattr(system, "open_new_file", open_new_file)
    monkeypatch.setattr(system, "close", close)
    with contextlib.suppress(OSError):
        layout.tag("new", NEW.manifest)
    layout.tag("newer", NEW.manifest)
    assert not (tmp_path / "index.json.lock").exists()


def test_without_locks_two_writers_lose_nothing(layout, tmp_path, no_locks, monkeypatch):
    monkeypatch.setattr(lock, "_PATIENCE", 30.0)
    errors = []

    def work(who):
        try:
            for number in range(20):
                layout.tag(f"{who}-{number}", NEW.manifest)
                layout.blobs.put_blob(io.BytesIO(DATA), BLOB)
        except Exception as error:  # noqa: BLE001  # whichever it is, the test fails with it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(who,)) for who in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    names = {each.annotations["org.opencontainers.image.ref.name"] for each in layout.entries()}
    assert names == {"old", *(f"{who}-{number}" for who in "ab" for number in range(20))}
    assert_blobs_are_whole(content(tmp_path))


def test_without_locks_nothing_is_resumed(tmp_path, no_locks):
    interrupted(tmp_path)
    with Layout.open(tmp_path) as layout, layout.blobs.ingest(BLOB, resume=True) as writer:
        assert writer.offset == 0


@pytest.mark.parametrize("size", [0, len(DATA) - 1, len(DATA) + 1])
def test_a_digest_with_another_size_stores_nothing(layout, tmp_path, size):
    old = content(tmp_path)
    with pytest.raises(SizeMismatchError) as raised:
        layout.blobs.put_blob(io.BytesIO(DATA), Descriptor(media_type="text/plain", digest=BLOB.digest, size=size))
    assert (raised.value.expected, raised.value.actual) == (size, len(DATA))
    assert content(tmp_path) == old
    assert leftovers(tmp_path) == set()


def test_a_file_that_another_writes_to_before_it_is_locked_is_continued(tmp_path, monkeypatch):
    filled(tmp_path)
    real = system.lock

    def late(fd, **options):
        monkeypatch.setattr(system, "lock", real)
        with layout.blobs.ingest(BLOB, resume=True) as other:
            other.write(DATA[:30])
        return real(fd, **options)

    with Layout.open(tmp_path) as layout:
        monkeypatch.setattr(system, "lock", late)
        with layout.blobs.ingest(BLOB, resume=True) as writer:
            assert writer.offset == 30
            writer.write(DATA[30:])
            writer.commit()
    assert leftovers(tmp_path) == set()
    assert_blobs_are_whole(content(tmp_path))
