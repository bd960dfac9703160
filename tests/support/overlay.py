"""Layers as a container engine would hand them to the kernel: one upper directory for each, and a mount of the stack.

The conversion is the tests' own. A whiteout becomes a 0:0 character device, an opaque directory gets
`trusted.overlay.opaque`, everything else is made as it stands. A directory that the layer only implies is what the
kernel would have copied up: it has the attributes that the mount of the layers below shows, and 0755 0:0 at the epoch
where there is none to be seen. A whiteout of what is not there makes nothing: in a directory that one layer alone has,
the kernel would list the device as a name that cannot be opened.
"""

import contextlib
import os
import stat
import subprocess

from oci_layers.tar import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK

OPAQUE = b".wh..wh..opq"


class Overlay:
    """Upper directories, and mounts of them, in one directory of a test."""

    def __init__(self, directory):
        self.directory = os.fsencode(directory)
        bottom = self.directory + b"/bottom"
        os.mkdir(bottom)
        _describe(bottom, 0o755, 0, 0, 0, {})
        self.stack = [bottom]
        self.made = 0

    @contextlib.contextmanager
    def mounted(self):
        """Mount the stack and give the mount point."""
        self.made += 1
        point = self.directory + b"/mount%d" % self.made
        os.mkdir(point)
        # The kernel wants two lower directories, so an empty one lies below the others.
        nothing = self.directory + b"/nothing"
        os.makedirs(nothing, exist_ok=True)
        lower = b":".join([*self.stack[::-1], nothing])
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", b"ro,lowerdir=" + lower, point], check=True)
        try:
            yield point
        finally:
            subprocess.run(["umount", point], check=True)
            os.rmdir(point)

    def add(self, entries):
        """Put a layer of entries on the stack."""
        self.made += 1
        upper = self.directory + b"/upper%d" % self.made
        os.mkdir(upper)
        with self.mounted() as below:
            cleared = _Upper(upper, below, entries).make()
        if cleared:  # The kernel merges the roots of all layers, so what is below an opaque root is left out.
            self.stack.clear()
        self.stack.append(upper)


class _Upper:
    def __init__(self, upper, below, entries):
        self.upper = upper
        self.below = below
        self.entries = [each for each in entries if not _name(each).startswith(b".wh.")]
        markers = [_split(each) for each in entries if _name(each).startswith(b".wh.")]
        self.opaque = {parent for parent, name in markers if name == OPAQUE}
        self.white = {_join(parent, name[4:]) for parent, name in markers if name != OPAQUE}
        self.leaves = {_path(each) for each in self.entries if each.type != DIRECTORY}
        self.written = {path for each in self.entries for path in _ancestors(_path(each))} | {b""}

    def make(self):
        implied = {b""}
        for entry in self.entries:
            implied |= set(_ancestors(_path(entry))[:-1])
        for path in sorted(self.opaque | {_parent(path) for path in self.white}):
            if self.shows_directory(path):
                implied |= set(_ancestors(path)) | {b""}
        described = {_path(each): each for each in self.entries if each.type == DIRECTORY}
        directories = sorted(implied | set(described))
        for path in directories:
            if path:
                os.mkdir(self.at(path))
        for entry in self.entries:
            self.make_leaf(entry)
        for path in sorted(self.white - self.written):
            if _parent(path) in directories and self.shows(path):
                os.mknod(self.at(path), stat.S_IFCHR, os.makedev(0, 0))
        for path in reversed(directories):
            if path in described:
                entry = described[path]
                values = entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.xattrs
            else:
                values = self.copied_up(path)
            _describe(self.at(path), *values)
            if path and (path in self.opaque or path in self.white):
                os.setxattr(self.at(path), "trusted.overlay.opaque", b"y")
                os.utime(self.at(path), ns=(values[3], values[3]))
        return b"" in self.opaque

    def make_leaf(self, entry):
        at = self.at(_path(entry))
        match entry.type:
            case kind if kind == REGULAR:
                with open(at, "xb") as file:
                    file.write(b"".join(map(bytes, entry.chunks())) if entry.size else b"")
            case kind if kind == SYMLINK:
                os.symlink(entry.linkname, at)
                os.chown(at, entry.uid, entry.gid, follow_symlinks=False)
                os.utime(at, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
                return
            case kind if kind == HARDLINK:
                os.link(self.at(entry.linkname), at, follow_symlinks=False)
                return
            case kind if kind == FIFO:
                os.mkfifo(at)
            case kind if kind in {CHARACTER, BLOCK}:
                flag = stat.S_IFCHR if kind == CHARACTER else stat.S_IFBLK
                os.mknod(at, flag, os.makedev(entry.devmajor, entry.devminor))
            case _:
                return
        _describe(at, entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.xattrs)

    def at(self, path):
        return os.path.join(self.upper, path)

    def shows_directory(self, path):
        """Tell whether this layer has a directory there, or shows one of those below without a link on the way."""
        if path in self.written:
            return path not in self.leaves
        here = os.path.join(self.below, path)
        return path not in self.white and self.shows(path) and os.path.isdir(here) and not os.path.islink(here)

    def shows(self, path):
        """Tell whether the layers below show anything there, through no link, that no directory above it hides."""
        above = [b"", *_ancestors(path)][:-1] if path else []
        hidden = any(each in self.white or each in self.opaque or each in self.leaves for each in above)
        linked = any(os.path.islink(os.path.join(self.below, each)) for each in above)
        return not hidden and not linked and os.path.lexists(os.path.join(self.below, path))

    def copied_up(self, path):
        """The attributes of a directory that this layer only implies."""
        here = os.path.join(self.below, path)
        if path in self.white or not self.shows(path) or os.path.islink(here) or not os.path.isdir(here):
            return 0o755, 0, 0, 0, {}
        found = os.lstat(here)
        xattrs = {os.fsencode(name): os.getxattr(here, name) for name in os.listxattr(here)}
        return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns, xattrs


def _describe(at, mode, uid, gid, mtime_ns, xattrs):
    os.chown(at, uid, gid)
    os.chmod(at, mode)
    for name, value in xattrs.items():
        os.setxattr(at, name, value)
    os.utime(at, ns=(mtime_ns, mtime_ns))


def _path(entry):
    return entry.name.strip(b"/") if entry.name != b"./" else b""


def _name(entry):
    return _split(entry)[1]


def _split(entry):
    parent, _, name = _path(entry).rpartition(b"/")
    return parent, name


def _parent(path):
    return path.rpartition(b"/")[0]


def _join(parent, name):
    return parent + b"/" + name if parent else name


def _ancestors(path):
    """The path and all above it but the root, the highest first."""
    parts = path.split(b"/") if path else []
    return [b"/".join(parts[: k + 1]) for k in range(len(parts))]
