"""A directory as `lstat` and friends show it: the tests' own eyes, which share no code with the library."""

import hashlib
import os
import stat

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def listing(top):
    """Every path below `top`, and `top` as the empty one, with everything about it.

    A row is a dict of kind, mode, owner, mtime (ns) and xattrs, and what its kind has: sha256, target, device; `names`
    are all names of a file that has several.
    """
    top = os.fsencode(top)
    rows = {b"": _row(top)}
    names = {}
    for directory, below, files in os.walk(top):
        for name in below + files:
            path = os.path.join(directory, name)
            inside = os.path.relpath(path, top)
            rows[inside] = _row(path)
            found = os.lstat(path)
            if not stat.S_ISDIR(found.st_mode):
                names.setdefault((found.st_dev, found.st_ino), []).append(inside)
    for group in names.values():
        for inside in group:
            rows[inside]["names"] = sorted(group)
    return rows


def _row(path):
    found = os.lstat(path)
    kind = _KINDS[stat.S_IFMT(found.st_mode)]
    row = {
        "kind": kind,
        "mode": stat.S_IMODE(found.st_mode),
        "owner": (found.st_uid, found.st_gid),
        "mtime_ns": found.st_mtime_ns,
        "xattrs": {
            name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
        },
    }
    if kind == "file":
        with open(path, "rb") as file:
            row["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        row["size"] = found.st_size
    elif kind == "symlink":
        row["target"] = os.readlink(path)
    elif kind in {"char", "block"}:
        row["device"] = os.major(found.st_rdev), os.minor(found.st_rdev)
    return row
