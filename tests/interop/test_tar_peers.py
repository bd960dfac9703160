"""Other programs' archives are read as they meant them, and ours are read by them as we mean them.

The truth is a directory: its archives, whoever writes them, must be read as what `lstat` says, and what others extract
from ours must be what was written.
"""

import hashlib
import io
import os
import stat
import subprocess
import tarfile

import pytest

from oci_layers.tar import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARDLINK,
    REGULAR,
    SYMLINK,
    Entry,
    Pieces,
    read_tar,
    write_tar,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tree needs a POSIX file system")

ROOT = getattr(os, "geteuid", lambda: 1)() == 0
SECOND = 10**9
KINDS = {
    stat.S_IFREG: REGULAR,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFIFO: FIFO,
}
HOLE = 1 << 20


def run(*command, **options):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, **options)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def make(top, name, content=b"", mode=0o644, mtime=1700000000 * SECOND):
    path = os.path.join(top, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    os.utime(path, ns=(mtime, mtime))
    return path


def plain_tree(top):
    """What v7 can hold."""
    make(top, b"file", b"content", 0o4755)
    make(top, b"empty", mode=0o600)
    make(top, b"dir/file", b"x" * 5000)
    os.link(top + b"/dir/file", top + b"/dir/link")
    os.symlink(b"../file", top + b"/dir/symlink")
    os.chmod(top + b"/dir", 0o1777)


def long_tree(top):
    """What ustar can hold."""
    plain_tree(top)
    make(top, b"p" * 70 + b"/" + b"q" * 60 + b"/" + b"n" * 90, b"long")
    make(top, b"n" * 100, b"exactly")
    os.mkfifo(top + b"/fifo")
    if ROOT:
        os.mknod(top + b"/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(top + b"/loop", 0o660 | stat.S_IFBLK, os.makedev(7, 300))


def full_tree(top):
    """What PAX and GNU can hold; times and attributes apart."""
    long_tree(top)
    make(top, b"caf\xc3\xa9", b"utf-8")
    make(top, b"caf\xe9", b"latin-1")
    make(top, b"d" * 200 + b"/" + b"e" * 200 + b"/" + b"f" * 255, b"very long")
    make(top, b"new\nline and\ttab", b"odd")
    os.symlink(b"t" * 300, top + b"/far")


def rich_tree(top):
    """What only PAX can hold."""
    full_tree(top)
    make(top, b"exact", b"ns", mtime=1700000000123456789)
    make(top, b"ancient", b"old", mtime=-(10**9) - 500_000_000)
    path = make(top, b"attributes", b"xattr")
    try:
        os.setxattr(path, b"user.text", b"value")
        os.setxattr(path, b"user.bytes", b"\0\xff=\n")
        if ROOT:
            os.setxattr(path, b"security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    except (AttributeError, OSError):
        pass


def sparse_tree(top):
    for name, pieces, size in (
        (b"middle", [(HOLE, b"data")], 2 * HOLE),
        (b"ends", [(0, b"start"), (3 * HOLE, b"end")], 3 * HOLE + 3),
        (b"hole", [], HOLE),
        (b"many", [(index * 2 * 4096, b"x" * 4096) for index in range(60)], 60 * 2 * 4096),
    ):
        with open(top + b"/" + name, "wb") as file:
            for offset, data in pieces:
                file.seek(offset)
                file.write(data)
            file.truncate(size)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def attributes_of(path):
    if not hasattr(os, "listxattr"):
        return {}
    wanted = [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith(("user.", "security.cap"))]
    return {os.fsencode(name): os.getxattr(path, name, follow_symlinks=False) for name in wanted}


def scan(top, *, xattrs=True, unit=1):
    """Return what is on disk: for each name its type, metadata, target or content, and the names it is linked with."""
    links, found = {}, {}
    for directory, directories, files in os.walk(top):
        for name in [*directories, *files]:
            path = os.path.join(directory, name)
            facts = os.lstat(path)
            kind = KINDS[stat.S_IFMT(facts.st_mode)]
            inside = os.path.relpath(path, top)
            links.setdefault(facts.st_ino, set()).add(inside)
            content = digest(b"")
            if kind == REGULAR:
                with open(path, "rb") as file:
                    content = digest(file.read())
            found[inside] = (
                kind,
                stat.S_IMODE(facts.st_mode),
                facts.st_uid,
                facts.st_gid,
                facts.st_mtime_ns // unit * unit,
                os.readlink(path) if kind == SYMLINK else b"",
                (os.major(facts.st_rdev), os.minor(facts.st_rdev)) if kind in {CHARACTER, BLOCK} else (0, 0),
                attributes_of(path) if xattrs else {},
                content,
                links[facts.st_ino] if kind != DIRECTORY else {inside},
            )
    return found


def listed(archive, *, xattrs=True):
    """Return what the reader says, in the same form."""
    found = {}
    for entry in read_tar(io.BytesIO(archive)):
        name = os.path.normpath(entry.name)
        if name == b".":
            continue
        if entry.type == HARDLINK:
            found[name] = found[os.path.normpath(entry.linkname)]
            found[name][-1].add(name)
            continue
        found[name] = (
            entry.type,
            entry.mode & 0o7777,
            entry.uid,
            entry.gid,
            entry.mtime_ns,
            entry.linkname,
            (entry.devmajor, entry.devminor),
            dict(entry.xattrs) if xattrs else {},
            digest(entry.read()),
            {name},
        )
    return found


@pytest.fixture
def top(tmp_path):
    path = os.fsencode(tmp_path) + b"/tree"
    os.mkdir(path)
    return path


GNU_TAR = ("tar", "--sort=name", "-c", "-C")
BSDTAR = ("bsdtar", "-c", "-f", "-", "-C")


@pytest.mark.peer("tar")
@pytest.mark.parametrize(
    ("options", "tree", "unit"),
    [
        (["--format=v7"], plain_tree, SECOND),
        (["--format=ustar"], long_tree, SECOND),
        (["--format=oldgnu"], full_tree, SECOND),
        (["--format=gnu"], full_tree, SECOND),
        (["--format=posix"], full_tree, 1),
        (["--format=posix", "--xattrs", "--xattrs-include=*"], rich_tree, 1),
        (["--format=gnu", "-S"], sparse_tree, SECOND),
        (["--format=oldgnu", "-S"], sparse_tree, SECOND),
        (["--format=posix", "-S", "--sparse-version=0.0"], sparse_tree, 1),
        (["--format=posix", "-S", "--sparse-version=0.1"], sparse_tree, 1),
        (["--format=posix", "-S", "--sparse-version=1.0"], sparse_tree, 1),
    ],
)
def test_what_gnu_tar_writes_is_read(top, options, tree, unit):
    tree(top)
    archive = run(*GNU_TAR, top, *options, ".")
    assert listed(archive) == scan(top, unit=unit)
    if "-S" in options:
        assert any(entry.extents is not None for entry in read_tar(io.BytesIO(archive)))
        assert len(archive) < HOLE


@pytest.mark.peer("bsdtar")
@pytest.mark.parametrize(
    ("options", "tree", "unit"),
    [
        (["--format=v7tar"], plain_tree, SECOND),
        (["--format=ustar"], long_tree, SECOND),
        (["--format=gnutar"], full_tree, SECOND),
        (["--format=pax"], full_tree, 1),
        (["--format=pax", "--xattrs"], rich_tree, 1),
        (["--format=pax", "--read-sparse"], sparse_tree, 1),
    ],
)
def test_what_bsdtar_writes_is_read(top, options, tree, unit):
    tree(top)
    if tree is rich_tree:
        os.remove(top + b"/ancient")  # It writes -1.5 as -2.5: the seconds rounded down, the fraction added.
    archive = run(*BSDTAR, top, *options, ".")
    xattrs = "--xattrs" in options
    assert listed(archive, xattrs=xattrs) == scan(top, xattrs=xattrs, unit=unit)


@pytest.mark.parametrize(
    ("form", "tree"),
    [(tarfile.USTAR_FORMAT, long_tree), (tarfile.GNU_FORMAT, full_tree), (tarfile.PAX_FORMAT, full_tree)],
)
def test_what_tarfile_writes_is_read(top, form, tree):
    tree(top)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        archive.add(os.fsdecode(top), ".")
    found = listed(target.getvalue())
    expected = scan(top, xattrs=False, unit=SECOND)
    assert {name: (*facts[:4], facts[4] // SECOND * SECOND, *facts[5:]) for name, facts in found.items()} == expected


def peer_facts(archive):
    """Return what tarfile says about an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:", errorlevel=2) as opened:
        return [
            (
                os.fsencode(info.name),
                info.type,
                info.mode,
                info.uid,
                info.gid,
                info.size,
                info.mtime // 1,
                os.fsencode(info.linkname),
                os.fsencode(info.uname),
                os.fsencode(info.gname),
                (info.devmajor, info.devminor),
                opened.extractfile(info).read() if info.isreg() else b"",
            )
            for info in opened
        ]


def our_facts(archive):
    return [
        (
            entry.name.rstrip(b"/"),
            entry.type,
            entry.mode,
            entry.uid,
            entry.gid,
            entry.size,
            entry.mtime_ns // SECOND,
            entry.linkname,
            entry.uname,
            entry.gname,
            (entry.devmajor, entry.devminor),
            entry.read(),
        )
        for entry in read_tar(io.BytesIO(archive))
    ]


def written():
    """Entries of every kind, and of every reason for a PAX header."""
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    owner = {"uid": 3_000_000, "gid": 4_000_000_000} if ROOT else {"uid": os.getuid(), "gid": os.getgid()}
    plain = {"uid": owner["uid"], "gid": owner["gid"], "mtime_ns": 1700000000 * SECOND}
    nodes = [
        Entry(b"null", CHARACTER, 0o666, devmajor=1, devminor=3, **plain),
        Entry(b"loop", BLOCK, 0o660, devmajor=7, devminor=300, **plain),
    ]
    attributes = {b"user.text": b"value", b"user.bytes": b"\0\xff\n"} | (
        {b"security.capability": capability} if ROOT else {}
    )
    return [
        Entry(b"dir/", DIRECTORY, 0o1777, **plain),
        Entry(b"dir/file", REGULAR, 0o644, size=7, content=Pieces([b"con", b"tent"]), **plain),
        Entry(b"dir/link", HARDLINK, 0o644, linkname=b"dir/file", **plain),
        Entry(b"dir/symlink", SYMLINK, 0o777, linkname=b"../nowhere", **plain),
        Entry(b"far", SYMLINK, 0o777, linkname=b"t" * 300, **plain),
        Entry(b"fifo", FIFO, 0o600, **plain),
        *(nodes if ROOT else []),
        Entry(b"p" * 100 + b"/", DIRECTORY, 0o755, **plain),
        Entry(b"p" * 100 + b"/" + b"n" * 100, REGULAR, 0o600, size=5, content=Pieces([b"split"]), **plain),
        Entry(b"p" * 100 + b"/" + b"n" * 200, REGULAR, 0o600, size=4, content=Pieces([b"long"]), **plain),
        Entry(b"caf\xc3\xa9", REGULAR, 0o600, **plain),
        Entry(b"caf\xe9", REGULAR, 0o600, **plain),
        Entry(b"new\nline", REGULAR, 0o600, **plain),
        Entry(b"exact", REGULAR, 0o4755, **plain | {"mtime_ns": 1700000000123456789}),
        Entry(b"ancient", REGULAR, 0o644, **plain | {"mtime_ns": -1_500_000_000}),
        Entry(b"attributes", REGULAR, 0o644, xattrs=attributes, **plain),
        Entry(b"holes", REGULAR, 0o644, size=HOLE, extents=((HOLE - 1, 1),), content=Pieces([b"x"]), **plain),
    ]


@pytest.mark.parametrize("names", [{}, {"uname": b"\xc3\xa9", "gname": b"g" * 40}])
def test_what_we_write_is_read_by_tarfile(names):
    given = written()
    for entry in given:
        entry.uname, entry.gname = names.get("uname", b""), names.get("gname", b"")
    archive = b"".join(write_tar(given))
    assert peer_facts(archive) == our_facts(archive)


@pytest.mark.peer("tar")
def test_what_we_write_is_extracted_by_gnu_tar(top):
    archive = b"".join(write_tar(written()))
    run("tar", "-x", "-p", "--xattrs", "--xattrs-include=*", "-C", top, input=archive)
    assert scan(top) == listed(archive)


@pytest.mark.peer("bsdtar")
def test_what_we_write_is_extracted_by_bsdtar(top):
    given = [entry for entry in written() if entry.name != b"ancient"]  # It reads -1.5 as -0.5.
    archive = b"".join(write_tar(given))
    run("bsdtar", "-x", "-p", "--xattrs", "-f", "-", "-C", top, input=archive)
    assert scan(top) == listed(archive)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tarfile_and_we_read_the_same(form, top):
    long_tree(top)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        archive.add(os.fsdecode(top), "top")
    assert peer_facts(target.getvalue()) == our_facts(target.getvalue())
