"""File systems that are full, out of inodes, or read-only: one error that names the store, and a store as it was."""

import contextlib
import errno
import io
import os
import shutil
import subprocess

import pytest

from oci_layers import Descriptor
from oci_layers.store.copy import copy
from oci_layers.store.layout import Layout
from tests.support.operations import LAYER, NEW, OLD, OTHER, Source, content, filled, leftovers, put_image
from tests.support.process import as_user, mounted

LARGE = os.urandom(1 << 20)
BLOB = Descriptor.of(LARGE, media_type=LAYER)


@contextlib.contextmanager
def small(directory, options):
    """A file system of its own; skip the test where nothing may be mounted."""
    with contextlib.ExitStack() as stack:
        try:
            yield stack.enter_context(mounted(directory, options=options))
        except subprocess.CalledProcessError:
            pytest.skip("nothing may be mounted here")


def put_large(layout):
    layout.blobs.put_blob(io.BytesIO(LARGE), BLOB)


def put_large_source(layout):
    layout.blobs.put_blob(Source(LARGE), BLOB)


def ingest_large(layout):
    with layout.blobs.ingest() as writer:
        for at in range(0, len(LARGE), 4096):
            writer.write(LARGE[at : at + 4096])
        writer.commit(BLOB)


@pytest.mark.root
@pytest.mark.parametrize("operation", [put_large, put_large_source, ingest_large])
def test_a_full_file_system_is_one_error_and_has_the_room_again_that_was_taken(tmp_path, operation):
    with small(tmp_path / "full", "size=512k") as directory:
        store = directory / "store"
        filled(store)
        old = content(store)
        free = os.statvfs(store).f_bfree
        with Layout.open(store) as layout:
            with pytest.raises(OSError, match="No space left") as raised:
                operation(layout)
            assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(store))
            assert content(store) == old
            assert leftovers(store) == set()
            assert os.statvfs(store).f_bfree == free
            layout.tag("new", NEW.manifest)
            subprocess.run(["mount", "-o", "remount,size=8m", directory], check=True)
            operation(layout)
            assert layout.blobs.has_blob(BLOB.digest)


def fill(directory):
    """Take all of the room that is left."""
    with contextlib.suppress(OSError), open(directory / "filler", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


OPERATIONS = {
    "tag": lambda layout: layout.tag("new", NEW.manifest),
    "move": lambda layout: layout.move("old", "new"),
    "untag": lambda layout: layout.untag("old"),
    "put": lambda layout: put_image(layout, OTHER),
}


@pytest.mark.root
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_index_is_not_cut_where_there_is_no_room_for_another(tmp_path, name):
    with small(tmp_path / "full", "size=256k") as directory:
        store = directory / "store"
        filled(store, tags=("old", "kept"))
        old = content(store)
        fill(directory)
        with Layout.open(store) as layout:
            with pytest.raises(OSError, match="No space left") as raised:
                OPERATIONS[name](layout)
            assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(store))
            assert content(store) == old
            assert leftovers(store) == set()
            os.unlink(directory / "filler")
            OPERATIONS[name](layout)
            assert content(store) != old


@pytest.mark.root
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_file_system_without_inodes_is_one_error(tmp_path, name):
    with small(tmp_path / "full", "size=1m,nr_inodes=64") as directory:
        store = directory / "store"
        filled(store, tags=("old", "kept"))
        old = content(store)
        made = [directory / f"filler{number}" for number in range(os.statvfs(directory).f_ffree)]
        for each in made:
            each.touch()
        with Layout.open(store) as layout:
            with pytest.raises(OSError, match="No space left") as raised:
                OPERATIONS[name](layout)
            assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(store))
            assert content(store) == old
            assert leftovers(store) == set()
            for each in made:
                each.unlink()
            OPERATIONS[name](layout)
            assert content(store) != old


def refusal(store):
    """Create a store; return the error, if there is one."""
    try:
        Layout.create(store).close()
    except OSError as error:
        return error
    return None


@pytest.mark.root
def test_a_store_is_not_created_half_where_there_is_no_room(tmp_path):
    """Whatever number of inodes there is, it is a store or none, and the call can be repeated."""
    results = set()
    for inodes in range(2, 12):
        with small(tmp_path / f"full{inodes}", f"size=1m,nr_inodes={inodes}") as directory:
            store = directory / "above/store"
            error = refusal(store)
            if error is not None:
                assert (error.errno, error.filename) == (errno.ENOSPC, str(store))
                assert not (store / "oci-layout").exists()
                subprocess.run(["mount", "-o", "remount,nr_inodes=100", directory], check=True)
                Layout.create(store).close()
            results.add("at once" if error is None else "again")
            with Layout.open(store) as layout:
                assert layout.entries() == []
            assert leftovers(store) == set()
    assert results == {"again", "at once"}


@pytest.mark.root
def test_a_copy_to_a_full_file_system_goes_on_when_there_is_room(tmp_path):
    with Layout.create(tmp_path / "source") as source:
        put_large(source)
        put_image(source, OTHER)
        source.tag("other", OTHER.manifest)
        source.tag("large", BLOB)
    with small(tmp_path / "full", "size=512k") as directory, Layout.open(tmp_path / "source") as source:
        with Layout.create(directory / "store") as target:
            with pytest.raises(OSError, match="No space left") as raised:
                copy(source, target, everything=True)
            assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(directory / "store"))
            subprocess.run(["mount", "-o", "remount,size=8m", directory], check=True)
            copy(source, target, everything=True)
        assert content(directory / "store").keys() == content(tmp_path / "source").keys()


READING = {
    "entries": lambda layout: layout.entries(),
    "resolve": lambda layout: layout.resolve("old"),
    "blobs": lambda layout: list(layout.blobs.iter_blobs()),
    "read": lambda layout: layout.blobs.open_blob(OLD.manifest.digest).close(),
}


@pytest.mark.root
@pytest.mark.parametrize("name", [*OPERATIONS, *READING, "lease", "reuse"])
def test_a_read_only_file_system_is_read_and_not_written(tmp_path, name):
    with small(tmp_path / "disk", "size=1m") as directory:
        store = directory / "store"
        filled(store)
        old = content(store)
        subprocess.run(["mount", "-o", "remount,ro", directory], check=True)
        with Layout.open(store) as layout:
            match name:
                case "lease":
                    operation = lambda layout: layout.lease().__enter__()
                case "reuse":
                    operation = lambda layout: layout.blobs.reuse_blob(next(iter(OLD.blobs)))
                case _:
                    operation = {**OPERATIONS, **READING}[name]
            if name in READING:
                operation(layout)
            else:
                with pytest.raises(OSError, match="Read-only file system") as raised:
                    operation(layout)
                assert (raised.value.errno, raised.value.filename) == (errno.EROFS, str(store))
        assert content(store) == old


@pytest.mark.parametrize("name", [*OPERATIONS, *READING])
def test_a_directory_of_another_user_is_read_and_not_written(place, name):
    store = place / "store"
    filled(store)
    old = content(store)
    for top, names, _ in os.walk(store):
        for each in ("", *names):
            os.chmod(os.path.join(top, each), 0o555)

    def attempt():
        with Layout.open(store) as layout:
            try:
                {**OPERATIONS, **READING}[name](layout)
            except OSError as error:
                return error.errno, error.filename
        return None

    try:
        assert as_user(attempt) == (None if name in READING else (errno.EACCES, str(store)))
        assert content(store) == old
    finally:
        for top, names, _ in os.walk(store):
            for each in ("", *names):
                os.chmod(os.path.join(top, each), 0o755)


def test_blobs_of_another_user_count_as_missing_and_are_stored_again(place):
    store = place / "store"
    filled(store)
    for top, names, _ in os.walk(store):
        for each in ("", *names):
            os.chmod(os.path.join(top, each), 0o777)

    def work():
        with Layout.open(store) as layout:
            found = [layout.blobs.reuse_blob(each) for each in OLD.blobs]
            put_image(layout, OLD)
            layout.tag("mine", OLD.manifest)
            return found

    found = as_user(work)
    assert found == [os.geteuid() != 0] * len(OLD.blobs)
    shutil.rmtree(store)
