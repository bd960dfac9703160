"""Things all around DEST that no image may touch, and a look at whether one did."""

import os
import stat
from pathlib import Path

from tests.support.process import IS_ROOT

SECRET = b"nobody may read this"
OLD = 1_000_000_000 * 10**9
"""Of access and modification: a read of something as old as that is noted by the file system."""


class Canaries:
    """Files, directories and links beside DESTs, and what they were like before."""

    def __init__(self, place, *dests):
        self.place = place
        self.dests = dests
        canary = place / "canary"
        (canary / "deep").mkdir(parents=True)
        (canary / "empty").mkdir()
        (place / "dest-evil").mkdir()
        for file in (canary / "secret", canary / "deep/secret", place / "victim", place / "dest-evil/secret"):
            file.write_bytes(SECRET)
            file.chmod(0o640)
        os.link(canary / "secret", canary / "twin")
        os.symlink("secret", canary / "link")
        os.mkfifo(canary / "fifo", 0o600)
        canary.chmod(0o751)
        self.paths = [place / "victim", place / "dest-evil", place / "dest-evil/secret", canary]
        self.paths += sorted(canary.rglob("*"))
        for path in self.paths[::-1]:
            if IS_ROOT and path.name != "empty":
                os.chown(path, 7, 8, follow_symlinks=False)
            if not path.is_symlink() and not path.is_fifo():
                os.setxattr(path, "user.canary", b"yellow")
            os.utime(path, ns=(OLD, OLD), follow_symlinks=False)
        self.names = {name: sorted(os.listdir(name)) for name in self.paths if stat.S_ISDIR(os.lstat(name).st_mode)}
        for name in self.names:
            os.utime(name, ns=(OLD, OLD))
        self.before = self._look()

    def _look(self):
        """Everything that a change or a read would show in, the time of the last change of anything among it."""
        return {path: self._look_at(path) for path in self.paths}

    def _look_at(self, path):
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        return (*found, found.st_ctime_ns)

    def check(self):
        """Nothing outside DEST was read, changed, removed, or is to be had inside it; nothing else stands there."""
        assert self._look() == self.before
        for directory, names in self.names.items():
            assert sorted(os.listdir(directory)) == names
        for path in self.paths:
            if path.name == "secret":
                assert path.read_bytes() == SECRET
        assert set(os.listdir(self.place)) <= {"canary", "victim", "dest-evil", "image", *self.dests}
        inodes = {(row[1], row[2]) for row in self.before.values()}
        for dest in self.dests:
            for path in self.made(dest):
                found = os.lstat(path)
                assert (found.st_ino, found.st_dev) not in inodes
                if stat.S_ISREG(found.st_mode):
                    assert SECRET not in path.read_bytes()

    def made(self, dest):
        """Every path below a DEST."""
        for directory, below, files in os.walk(self.place / dest):
            for name in below + files:
                yield Path(directory, name)

    def leaves(self, dest):
        """The names of everything in a DEST that is no directory."""
        names = (path for path in self.made(dest) if path.is_symlink() or not path.is_dir())
        return sorted(os.path.relpath(path, self.place / dest) for path in names)
