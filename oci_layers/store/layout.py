"""The image layout in a directory, as a store that any number of threads and processes use (image-layout.md).

Blobs are `blob/directory`'s. This module adds the index: it is read anew by each call, because other processes change
it, and changed under the exclusive lock of the store: read, edited (`index_file`), written to a file of its own and
renamed over the old one. So a reader always finds the old index or the new one, and no change is lost.

In the directory, beside what the spec defines: `ingest/` has blobs that are being written and the files of leases;
`quarantine/`, if fsck has made it, damaged blobs.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.blob.directory import BLOBS, DirectoryBlobs, Fsync
from oci_layers.blob.ingest import INGEST
from oci_layers.blob.lock import LOCK_FILE, exclusive_lock
from oci_layers.blob.root import OpenDirectory, is_odd
from oci_layers.blob.store import BlobSource
from oci_layers.blob.stream import ByteStream
from oci_layers.blob.union import UnionBlobs
from oci_layers.errors import NameFormatError, StoreError, locate
from oci_layers.limits import Limits
from oci_layers.spec.codec import to_json
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import select
from oci_layers.store.files import INDEX, MARKER, parse_index_file, read_index_bytes, read_layout_index
from oci_layers.store.index_file import EMPTY_INDEX, renamed, tagged, untagged
from oci_layers.store.name import check_text
from oci_layers.store.repository import Tagged, require_blobs
from oci_layers.store.select import entries_of, find, with_platform

__all__ = ["LEASE", "Layout"]

LEASE = b"lease-"
"""The first bytes of the names of leases, files in `ingest/`."""

_OURS = frozenset({BLOBS, INGEST, INDEX.encode(), LOCK_FILE})
"""What a directory may hold in which a layout is made: the rest of an interrupted `create`."""


class Layout(Closing):
    """An image layout in a directory: a `WritableRepository`. `create` and `open` return one.

    Nothing is kept in memory: each call reads what other processes have written. Close it, or use it as a context
    manager; if it is not closed, it is closed when it is collected, with a `ResourceWarning`.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        fsync: Fsync = "always",
        blob_links: bool = False,
        shared_blobs: str | os.PathLike[str] | None = None,
        fallback: Sequence[BlobSource] = (),
        limits: Limits | None = None,
    ) -> None:
        """Open a directory, whatever is in it; `open` also checks that it is a layout.

        Raises:
            PlaceMissingError: There is no such directory.
            NameFormatError: The name is empty, or cannot be a path.
        """
        self.place = _checked(directory)
        self._links = blob_links
        self._fsync = fsync
        self._limits = limits or Limits()
        self._root = OpenDirectory(self.place)
        self._shared = self._root
        try:
            if shared_blobs is None:
                self.own_blobs = DirectoryBlobs(self._root, links=blob_links, fsync=fsync)
            else:
                self._shared = OpenDirectory(os.fspath(shared_blobs))
                self.own_blobs = DirectoryBlobs(self._shared, below=b"", links=blob_links, fsync=fsync)
        except BaseException:
            self.close()
            raise
        self._blobs = UnionBlobs(self.own_blobs, *fallback) if fallback else self.own_blobs

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str],
        *,
        exist_ok: bool = False,
        fsync: Fsync = "always",
        shared_blobs: str | os.PathLike[str] | None = None,
        limits: Limits | None = None,
    ) -> Self:
        """Make an empty layout, and the directories above it; return it opened.

        An interrupted call can be repeated; several processes may call it at once, with `exist_ok`.

        Args:
            directory: Where; absent, empty, or a layout if `exist_ok`.
            exist_ok: Open the layout that exists.
            fsync: As for `open`.
            shared_blobs: As for `open`.
            limits: As for `open`.

        Raises:
            StoreError: A layout exists already, or the directory has other files.
            DocumentError: It has an `index.json` that is malformed.
        """
        place = _checked(directory)
        _make_directories(place, sync=fsync != "never")
        layout = cls(directory, fsync=fsync, shared_blobs=shared_blobs, limits=limits)
        try:
            layout._make(exist_ok=exist_ok)
        except BaseException as error:
            layout.close()
            if isinstance(error, OSError):
                locate(error, place, "store")
            raise
        return layout

    def _make(self, *, exist_ok: bool) -> None:
        with self._root as root, exclusive_lock(root, self.place):
            names = system.list_names(root)
            if self._fsync != "never":
                system.fsync(root)  # An interrupted call may have left names that were not synced.
            if MARKER.encode() in names:
                if not exist_ok:
                    raise StoreError(self.place, "a layout exists there already")
                read_layout_index(self, self._limits)
                return
            if foreign := [name for name in names if name not in _OURS]:
                raise StoreError(self.place, f"not a layout, and not empty: it has {os.fsdecode(foreign[0])}")
            system.close(self._root.make_directory(BLOBS, root))
            if INDEX.encode() in names:
                self.index()  # Another program's file of this name is no index.
            else:
                self._replace(INDEX, EMPTY_INDEX, root)
            self._replace(MARKER, to_json(ImageLayout()), root)  # Last: it makes the directory a layout.

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        *,
        fsync: Fsync = "always",
        blob_links: bool = False,
        shared_blobs: str | os.PathLike[str] | None = None,
        fallback: Sequence[BlobSource] = (),
        limits: Limits | None = None,
    ) -> Self:
        """Open a layout, for reading and writing; nothing is written by opening it.

        Args:
            directory: The directory of the layout.
            fsync: When writes survive a power cut:

                * `"always"`: a blob when `put_blob` or `commit` returns, an image when `tag` returns.
                * `"commit"`: an image and all of its blobs when `tag` returns; a blob that no image refers to yet may
                  vanish, but is never there in part.
                * `"never"`: not at all; they survive the death of the process.
            blob_links: Follow symbolic links to blobs, `index.json` and `oci-layout`, as for `open_image`.
            shared_blobs: The directory that has the blobs, as `ALGORITHM/ENCODED`, for several layouts: that of
                skopeo's `--shared-blob-dir` (LAY-07).
            fallback: Where to look for blobs that are missing here, in this order (LAY-07); written to never.
            limits: The limits on documents.

        Raises:
            PlaceMissingError: There is no such directory.
            StoreError: It is not a layout.
            DocumentError: The marker or the index is malformed.
        """
        layout = cls(
            directory,
            fsync=fsync,
            blob_links=blob_links,
            shared_blobs=shared_blobs,
            fallback=fallback,
            limits=limits,
        )
        try:
            read_layout_index(layout, layout._limits)
        except BaseException:
            layout.close()
            raise
        return layout

    @property
    def blobs(self) -> DirectoryBlobs | UnionBlobs:
        """The blobs of the layout."""
        return self._blobs

    @property
    def root(self) -> OpenDirectory:
        """The open directory of the layout."""
        return self._root

    def open_file(self, name: str) -> ByteStream | None:
        """Open a file at the top; return None if there is none.

        Raises:
            StoreError: It is not a regular file, or the layout has been closed.
        """
        return self._root.open_file(
            name,
            lambda root: system.open_regular_file(name.encode(), root, follow=self._links),
            links=self._links,
        )

    def has_directory(self, name: str) -> bool:
        """Tell whether there is a directory with this name at the top."""
        with self._root as root, self._root.located():
            try:
                system.close(system.open_directory(name.encode(), root, follow=self._links))
            except (FileNotFoundError, NotADirectoryError):
                return False
            except OSError as error:
                if is_odd(error):
                    return False
                raise
            return True

    def index(self) -> Index:
        """Return the index, as it is now.

        Raises:
            DocumentError: It is malformed.
        """
        return parse_index_file(read_index_bytes(self, self._limits), self._limits)

    def entries(self, ref: str | None = None) -> list[Descriptor]:
        """Return the entries of one image, or all; see `Repository.entries`."""
        return entries_of(self.index(), self.blobs, ref, self._limits)

    def resolve(self, ref: str | None = None, *, platform: str | Platform | None = None) -> Descriptor:
        """Return the descriptor of one image.

        Args:
            ref: A name or a digest, also one in a nested index; None for the only image.
            platform: The platform of a manifest, which is looked for in indexes; that of the config decides where the
                entries do not say it. If None, the entry itself is returned, be it an index; if several entries have
                the name, this machine's platform decides.

        Raises:
            ReferenceMissingError: There is no such image or platform, or there are several; the error lists the
                existing ones.
        """
        index = self.index()
        if platform is None:
            found = entries_of(index, self.blobs, ref, self._limits)
            if len({each.digest for each in found}) == 1:
                return found[0]
        wanted = Platform.parse(platform) if isinstance(platform, str) else platform
        chosen, _ = find(index, self.blobs, ref=ref, platform=wanted, limits=self._limits)
        if wanted is not None and chosen.platform is None:
            select([with_platform(chosen, self.blobs, self._limits)], wanted)
        return chosen

    def tag(self, ref: str | None, descriptor: Descriptor, *others: Descriptor) -> None:
        """Give an image a name, in place of the entries that have it; see `WritableRepository.tag`.

        Raises:
            NameFormatError: `ref` cannot be a name.
            BlobMissingError: The blob of a descriptor does not exist.
            DocumentError: The index is malformed; it is left as it is.
        """
        self.tag_all([(ref, (descriptor, *others))])

    def tag_all(self, images: Iterable[Tagged]) -> None:
        """Give each of many images its name, in one step and at the cost of one; see `BatchTagger`.

        Raises:
            OCIError: As `tag`.
        """
        given = list(images)
        with self.locked() as (root, _):
            for _, descriptors in given:
                require_blobs(self.blobs, descriptors)
            self._rewrite(tagged(self._raw(), given, self._limits), root)

    def untag(self, ref: str) -> None:
        """Remove the entries with a name or a digest; their blobs stay until `gc` deletes them.

        Raises:
            ReferenceMissingError: There is no such entry; the error lists the existing ones.
        """
        with self.locked() as (root, _):
            self._rewrite(untagged(self._raw(), ref, self._limits), root)

    def move(self, old: str, new: str) -> None:
        """Rename the entries with a name or a digest; entries that have the new name lose it and go.

        Raises:
            NameFormatError: `new` cannot be a name.
            ReferenceMissingError: There is no such entry; the error lists the existing ones.
        """
        with self.locked() as (root, _):
            self._rewrite(renamed(self._raw(), old, new, self._limits), root)

    @contextlib.contextmanager
    def lease(self) -> Iterator[None]:
        """Return a context in which `gc` keeps every blob that is stored or reused, by whatever process.

        A lease ends with its process, too.
        """
        with self.temporary_file(LEASE + secrets.token_hex(8).encode()):
            yield

    @contextlib.contextmanager
    def temporary_file(self, name: bytes | None = None) -> Iterator[int]:
        """Yield a handle on a new file in `ingest/`, locked; it is removed at the end, unless it was renamed."""
        name = name or secrets.token_hex(16).encode()
        with self.ingest_directory(make=True) as ingest:
            assert ingest is not None
            with self._root.located():
                fd = self._root.create_file(name, ingest)
            try:
                with self._root.located():
                    system.lock(fd, wait=True)  # `gc` has it for a moment, to see whether anyone else has.
                yield fd
            finally:
                try:
                    with contextlib.suppress(OSError):  # What cannot be removed is left for `gc`.
                        system.unlink(name, ingest)
                finally:
                    system.close(fd)

    @contextlib.contextmanager
    def ingest_directory(self, *, make: bool = False) -> Iterator[int | None]:
        """Yield a handle on `ingest/`; None if it does not exist, unless it is to be made."""
        with self._root as root, self._root.located():
            try:
                fd = self._root.make_directory(INGEST, root) if make else self._root.open_own(INGEST, root)
            except FileNotFoundError:
                fd = -1
        try:
            yield None if fd < 0 else fd
        finally:
            if fd >= 0:
                system.close(fd)

    @contextlib.contextmanager
    def locked(self) -> Iterator[tuple[int, bool]]:
        """Hold the lock of the store alone; yield a handle on its directory, and as `exclusive_lock` does."""
        with self._root as root, self._root.located(), exclusive_lock(root, self.place) as excludes:
            yield root, excludes

    def sync_index(self) -> None:
        """Sync the index, also one that another process wrote; do nothing with `fsync="never"`."""
        if self._fsync == "never":
            return
        with self._root as root, self._root.located():
            fd = system.open_regular_file(INDEX.encode(), root, follow=self._links)
            try:
                system.fdatasync(fd)
            finally:
                system.close(fd)
            system.fsync(root)

    def _raw(self) -> bytes:
        return read_index_bytes(self, self._limits)

    def _rewrite(self, raw: bytes, root: int) -> None:
        self.own_blobs.sync()
        self._replace(INDEX, raw, root)

    def _replace(self, name: str, data: bytes, root: int) -> None:
        """Write a file at the top: at any time it is the old one or the new one."""
        temporary = secrets.token_hex(16).encode()
        with self.temporary_file(temporary) as fd, self.ingest_directory() as ingest:
            assert ingest is not None
            system.write_all(fd, memoryview(data))
            if self._fsync != "never":
                system.fsync(fd)
            system.rename(temporary, ingest, name.encode(), root)
        if self._fsync != "never":
            system.fsync(root)

    def close(self) -> None:
        """Close the layout and the files opened in it; later calls raise StoreError."""
        self._root.close()
        if self._shared is not self._root:
            self._shared.close()


def _checked(directory: str | os.PathLike[str]) -> str:
    """Return the path of a directory that the user named; an empty one would be the current directory."""
    place = os.fspath(directory)
    check_text("directory", place)
    if not place:
        raise NameFormatError("directory", place, "it is empty")
    return place


def _make_directories(place: str, *, sync: bool) -> None:
    """Make a directory and those above it that do not exist; sync the name of each."""
    path, missing = system.resolve(place), list[str]()
    while path and not system.exists(path):
        path, _, name = path.rpartition(os.sep)
        missing.append(name)
    try:
        with contextlib.ExitStack() as opened:
            parent = system.open_root(path or os.sep)
            opened.callback(system.close, parent)
            if sync and path:
                _sync_name(path)
            for name in reversed(missing):
                with contextlib.suppress(FileExistsError):
                    system.make_directory(os.fsencode(name), parent, 0o777)
                if sync:
                    system.fsync(parent)
                parent = system.open_directory(os.fsencode(name), parent)
                opened.callback(system.close, parent)
    except NotADirectoryError:
        raise StoreError(place, "it is a file, not a directory") from None
    except OSError as error:
        locate(error, place, "store")
        raise


def _sync_name(path: str) -> None:
    """Sync the name of a directory that exists: the process that made it may have been killed before it did so."""
    try:
        fd = system.open_root(path.rpartition(os.sep)[0] or os.sep)
    except PermissionError:
        return  # This process could not have made it either.
    try:
        system.fsync(fd)
    finally:
        system.close(fd)
