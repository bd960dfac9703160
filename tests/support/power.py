"""Power cuts, as far as a machine can play them: what an operation does is written down, and replayed with losses.

The model. The bytes of a file are on the disk once the file is synced, a name once its directory is. Of all that is not
synced, a power cut leaves any part: each change of a name is there or not, whatever became of the others; each write is
there, is lost, is there by half, or has left zeros. A rename of a file is two changes, of which one alone may be there;
a directory is never in two places, and its rename is on the disk once one of the two directories that it is about is.
The attributes of a file are on the disk with its bytes; each change of them is there or not. A sync of the whole file
system has all changes before it on the disk. That is more than most file systems lose, and what a program can rely on.

`Journal` records; `states` yields what a power cut may leave; `Promise` says what is wrong with such a state.
"""

import functools
import hashlib
import itertools
import json
import os
import random
import stat
from collections import Counter

import attrs

from tests.support.faults import intercepted


@attrs.frozen
class Entry:
    """A name in a directory is given to a file or a directory, or removed."""

    inode: int
    name: str
    target: int | None


@attrs.frozen
class Move:
    """A directory is moved to a name in a directory."""

    inode: int
    name: str
    target: int
    source: int
    source_name: str


@attrs.frozen
class Write:
    """Bytes of a file."""

    inode: int
    offset: int
    data: bytes


@attrs.frozen
class Resize:
    """A file is cut."""

    inode: int
    size: int


@attrs.frozen
class Describe:
    """A file has these attributes, as `attributes_of` returns them."""

    inode: int
    attributes: tuple


@attrs.frozen
class Sync:
    """All changes of a file, or of the names in a directory, are on the disk; with `EVERYTHING`, all changes."""

    inode: int


EVERYTHING = -2


@attrs.frozen
class Ack:
    """What was promised from here on: blobs exist, and the index is this one or a later one."""

    blobs: frozenset
    index: bytes | None
    inode: int = -1


def attributes_of(path):
    """Return the attributes of a file by its path or an open handle: mode, owner, group, time, and extended ones."""
    status = os.stat(path) if isinstance(path, int) else os.lstat(path)
    links = {} if isinstance(path, int) else {"follow_symlinks": False}
    names = os.listxattr(path, **links)
    xattrs = tuple((name, os.getxattr(path, name, **links)) for name in names)
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, xattrs


@attrs.define
class State:
    """What is on a disk.

    Directories are {inode: {name: inode}}, files {inode: bytes}, links, devices and pipes {inode: target or number};
    all of them have attributes.
    """

    directories: dict
    files: dict
    others: dict
    attributes: dict

    def copy(self):
        """Return a copy that can be changed."""
        directories = {key: dict(value) for key, value in self.directories.items()}
        return State(directories, dict(self.files), self.others, dict(self.attributes))

    def apply(self, change, how="whole"):
        """Make a change, or what a power cut left of it."""
        match change:
            case Entry(inode, name, None):
                self.directories[inode].pop(name, None)
            case Entry(inode, name, target):
                self.directories[inode][name] = target
            case Move(inode, name, target, source, source_name):
                self.directories[source].pop(source_name, None)
                self.directories[inode][name] = target
            case Describe(inode, attributes):
                self.attributes[inode] = attributes
            case Resize(inode, size):
                self.files[inode] = self.files[inode][:size].ljust(size, b"\0")
            case Write(inode, offset, data):
                data = {"whole": data, "zeros": bytes(len(data)), "half": data[: len(data) // 2]}[how]
                old = self.files[inode].ljust(offset, b"\0")
                self.files[inode] = old[:offset] + data + old[offset + len(data) :]

    def tree(self, inode=0, path=""):
        """Yield (path, inode) of the files."""
        for name, target in self.directories[inode].items():
            if target in self.directories:
                yield from self.tree(target, f"{path}{name}/")
            else:
                yield path + name, target

    def content(self):
        """Return {path: bytes} of the regular files."""
        return {path: self.files[inode] for path, inode in self.tree() if inode in self.files}

    def write(self, directory):
        """Make the directory; files that have two names are linked."""
        made = {}
        os.makedirs(directory, exist_ok=True)

        def make(inode, path):
            for name, target in self.directories[inode].items():
                where = os.path.join(path, name)
                if target in self.directories:
                    os.mkdir(where)
                    make(target, where)
                elif target in made:
                    os.link(made[target], where, follow_symlinks=False)
                else:
                    made[target] = where
                    self._make(target, where)
                self._describe(target, where)

        make(0, directory)

    def _make(self, inode, path):
        if inode in self.files:
            with open(path, "wb") as file:
                file.write(self.files[inode])
        elif isinstance(self.others[inode], str):
            os.symlink(self.others[inode], path)
        else:
            os.mknod(path, self.attributes[inode][0], self.others[inode])

    def _describe(self, inode, path):
        mode, uid, gid, time, xattrs = self.attributes[inode]
        os.chown(path, uid, gid, follow_symlinks=False)
        for name, value in xattrs:
            os.setxattr(path, name, value, follow_symlinks=False)
        if not stat.S_ISLNK(mode):
            os.chmod(path, stat.S_IMODE(mode))
        os.utime(path, ns=(time, time), follow_symlinks=False)


class Journal:
    """Records the changes that are made below a directory, all of which is taken to be on the disk before.

    Of the `ignored` calls nothing is recorded: `syncs` counts all syncs from 0, and one in `ignored` is left out.
    """

    def __init__(self, directory, ignored=()):
        self.changes = []
        self.syncs = []
        self._ignored = ignored
        self._ids = {}
        self._next = 0
        self.before = State({}, {}, {}, {})
        self._scan(os.fspath(directory))

    def _scan(self, path):
        inode = self._new(path)
        names = self.before.directories[inode] = {}
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                names[entry.name] = self._scan(entry.path)
                continue
            status = entry.stat(follow_symlinks=False)
            known = self._ids.get((status.st_dev, status.st_ino))
            names[entry.name] = self._scanned(entry.path) if known is None else known
        return inode

    def _scanned(self, path):
        inode = self._new(path)
        if os.path.islink(path):
            self.before.others[inode] = os.readlink(path)
        elif os.path.isfile(path):
            with open(path, "rb") as file:
                self.before.files[inode] = file.read()
        else:
            self.before.others[inode] = os.lstat(path).st_rdev
        return inode

    def _new(self, path):
        """Return the number of a new file, given by its path or a handle; it has the attributes of this moment."""
        status = os.stat(path) if isinstance(path, int) else os.lstat(path)
        self._ids[status.st_dev, status.st_ino] = self._next
        self.before.attributes[self._next] = attributes_of(path)
        self._next += 1
        return self._next - 1

    def _of(self, path):
        """Return the number of a file, given by its path or a handle; None if it is not below the directory."""
        status = os.stat(path) if isinstance(path, int) else os.lstat(path)
        return self._ids.get((status.st_dev, status.st_ino))

    def _named(self, name, parent):
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        return self._ids[status.st_dev, status.st_ino]

    def acknowledge(self, *blobs, index=None):
        """Note what a store has promised: blobs by descriptor, and the bytes of its index."""
        self.changes.append(Ack(frozenset(str(each.digest) for each in blobs), index))

    def recording(self, stop=None):
        """Return a context in which all system calls are recorded; the call of the number `stop` is never made."""
        return intercepted(functools.partial(self._record, stop))

    def _record(self, stop, number, name, call, arguments):
        if stop is not None and number >= stop and name != "close":
            raise PowerCutError
        handler = getattr(self, f"_{name}", None)
        return call() if handler is None else handler(call, *arguments)

    def _add(self, *changes):
        self.changes += (each for each in changes if each.inode is not None)

    def _open_new_file(self, call, name, parent, *_):
        fd = call()
        inode = self._new(fd)
        self.before.files[inode] = b""
        self._add(Entry(self._of(parent), os.fsdecode(name), inode))
        return fd

    def _make_directory(self, call, name, parent, *_):
        call()
        inode = self._new(_path(name, parent))
        self.before.directories[inode] = {}
        self._add(Entry(self._of(parent), os.fsdecode(name), inode))

    def _make_symlink(self, call, _, name, parent):
        self._make_other(call, name, parent)

    def _make_other(self, call, name, parent, *_):
        call()
        self._add(Entry(self._of(parent), os.fsdecode(name), self._scanned(_path(name, parent))))

    _make_fifo = _make_device = _make_other

    def _write_at(self, call, fd, data, offset):
        call()
        self._add(Write(self._of(fd), offset, bytes(data)))

    def _write_all(self, call, fd, data):
        offset = os.lseek(fd, 0, os.SEEK_CUR)
        call()
        self._add(Write(self._of(fd), offset, bytes(data)))

    def _ftruncate(self, call, fd, size):
        call()
        self._add(Resize(self._of(fd), size))

    def _rename(self, call, source, source_parent, name, parent):
        inode = self._named(source, source_parent)
        call()
        if inode in self.before.directories:
            move = Move(self._of(parent), os.fsdecode(name), inode, self._of(source_parent), os.fsdecode(source))
            self._add(move)
            return
        self._add(
            Entry(self._of(parent), os.fsdecode(name), inode),
            Entry(self._of(source_parent), os.fsdecode(source), None),
        )

    def _link(self, call, source, source_parent, name, parent):
        call()
        self._add(Entry(self._of(parent), os.fsdecode(name), self._named(source, source_parent)))

    def _unlink(self, call, name, parent):
        call()
        self._add(Entry(self._of(parent), os.fsdecode(name), None))

    def _rmdir(self, call, name, parent):
        self._unlink(call, name, parent)

    def _fsync(self, call, fd):
        call()
        kind = "directory" if os.path.isdir(f"/proc/self/fd/{fd}") else "file"
        self.syncs.append(kind)
        if kind not in self._ignored and len(self.syncs) - 1 not in self._ignored:
            self._add(Sync(self._of(fd)))

    _fdatasync = _fsync

    def _syncfs(self, call, _):
        call()
        self.syncs.append("everything")
        if not {"everything", len(self.syncs) - 1} & set(self._ignored):
            self._add(Sync(EVERYTHING))

    def _describe(self, call, path, *_):
        """Note the attributes that a call has changed, of a file given by a handle or its path in /proc."""
        call()
        self._note_attributes(path if isinstance(path, int) else os.path.realpath(path))

    _fchmod = _fchown = _chmod = _fsetxattr = _fremovexattr = _utime = _touch = _describe

    def _describe_named(self, call, name, parent, *_):
        call()
        self._note_attributes(_path(name, parent))

    _lchown = _utime_at = _describe_named

    def _lsetxattr(self, call, directory, name, *_):
        call()
        self._note_attributes(os.path.join(directory, os.fsdecode(name)))

    def _note_attributes(self, path):
        self._add(Describe(self._of(path), attributes_of(path)))


def _path(name, parent):
    """Return a path of a name in an open directory."""
    return f"/proc/self/fd/{parent}/{os.fsdecode(name)}"


class PowerCutError(BaseException):
    """The process is gone; it makes no more calls."""


MARKER = b'{"imageLayoutVersion":"1.0.0"}'
WAYS = {Write: ("whole", None, "zeros", "half")}
"""What may become of a change that was not synced; of others all or nothing."""


def pending(changes):
    """Return the changes that are on the disk, and those that are not."""
    synced, last = set(), {}
    for number, each in enumerate(changes):
        if isinstance(each, Sync):
            last[each.inode] = number
    for number, each in enumerate(changes):
        inodes = (each.inode, EVERYTHING, *([each.source] if isinstance(each, Move) else []))
        if number < max(last.get(inode, -1) for inode in inodes):
            synced.add(number)
    kinds = Entry | Move | Write | Resize | Describe
    real = [(number, each) for number, each in enumerate(changes) if isinstance(each, kinds)]
    return [each for number, each in real if number in synced], [each for number, each in real if number not in synced]


def states(journal, at, *, samples, exhaustive=12):
    """Yield what a power cut after `at` changes may leave.

    Up to `exhaustive` changes that are not synced: every combination. With more: `samples` random ones.
    """
    certain, open_ = pending(journal.changes[:at])
    base = journal.before.copy()
    for each in certain:
        base.apply(each)
    ways = [WAYS.get(type(each), ("whole", None)) for each in open_]
    combinations = itertools.product(*ways)
    if len(open_) > exhaustive:
        chosen = random.Random(at)
        combinations = ([chosen.choice(each) for each in ways] for _ in range(samples))
    for combination in combinations:
        state = base.copy()
        for each, how in zip(open_, combination, strict=True):
            if how is not None:
                state.apply(each, how)
        yield state


@functools.lru_cache(maxsize=4096)
def _digest(algorithm, data):
    return hashlib.new(algorithm, data).hexdigest()


@functools.lru_cache(maxsize=4096)
def _listed(data):
    """Return the digests of what a document lists; None if it is none."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    return tuple(each["digest"] for key in ("manifests", "config", "layers") for each in _descriptors(document, key))


def _descriptors(document, key):
    found = document.get(key, []) if isinstance(document, dict) else []
    return found if isinstance(found, list) else [found]


def blobs_of(files, store):
    """Return {digest: bytes} of the blobs in a store, by the names of the files."""
    found = {}
    for path, data in files.items():
        if path.startswith(f"{store}blobs/"):
            algorithm, encoded = path.removeprefix(f"{store}blobs/").split("/")
            found[f"{algorithm}:{encoded}"] = data
    return found


def broken(files, journal, at, store=""):
    """Return what is wrong with the files {path: bytes} of a store after a power cut: the promises that are broken.

    `blob`: a blob has other bytes. `index`: it is neither an old one nor a new one, or it is older than was
    acknowledged. `image`: the index lists an image that is not whole. `lost`: a blob that was acknowledged is missing.
    `layout`: the marker is cut, is there without an index, or is not there although the store was acknowledged.
    """
    found = set()
    blobs = blobs_of(files, store)
    for digest, data in blobs.items():
        algorithm, encoded = digest.split(":")
        if _digest(algorithm, data) != encoded:
            found.add("blob")
    index = files.get(f"{store}index.json")
    known, promised = acknowledged(journal, at, store)
    if not promised <= blobs.keys():
        found.add("lost")
    if index not in known:
        found.add("index")
    marker = files.get(f"{store}oci-layout")
    if marker not in (None, MARKER) or (index is None and marker) or (marker is None and None not in known):
        found.add("layout")
    todo = list(_listed(index) or ()) if index is not None else []
    while todo:
        digest = todo.pop()
        if digest not in blobs:
            found.add("image")
        else:
            todo += _listed(blobs[digest]) or ()
    return found


def acknowledged(journal, at, store=""):
    """Return the indexes that may be there after `at` changes, and the digests of the blobs that must be."""
    key = (at, store)
    if key not in (memo := journal.__dict__.setdefault("memo", {})):
        live = journal.before.copy()
        known = [live.content().get(f"{store}index.json")]
        promised = frozenset()
        for each in journal.changes[:at]:
            if isinstance(each, Ack):
                promised |= each.blobs
                if each.index is not None:
                    known = [each.index]
            elif not isinstance(each, Sync):
                live.apply(each)
                index = live.content().get(f"{store}index.json")
                if index != known[-1]:
                    known.append(index)
        memo[key] = known, promised
    return memo[key]


def survey(journal, *, samples=200, store="", exhaustive=12):
    """Return how often each promise is broken in all states after all power cuts, and how many states there are."""
    problems, count, seen = Counter(), 0, None
    for at in range(len(journal.changes) + 1):
        now = pending(journal.changes[:at]), acknowledged(journal, at, store)
        if now == seen:
            continue
        seen = now
        for state in states(journal, at, samples=samples, exhaustive=exhaustive):
            count += 1
            problems.update(broken(state.content(), journal, at, store))
    return problems, count
