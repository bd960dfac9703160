"""The only room that makes system calls: on `files`, `temporary` ones, `mounts`, the `process`, another `program`.

Plain functions, called as `system.fsync(fd)`, so that a test can simulate faults, crashes and lost writes by replacing
an attribute of this module. Functions with a `parent` work by handle: a name is one component, looked up in that open
directory, and a link is never followed without `follow`. The callers decide what is done, and in which order.

A file is made in an open directory, written, read, and given its attributes:

    >>> import contextlib, tempfile
    >>> from oci_layers import system
    >>> work = tempfile.TemporaryDirectory()
    >>> above = system.open_parent(work.name)
    >>> system.make_directory(b"rootfs", above)
    >>> system.lstat(b"rootfs", above).st_mode & 0o777 == 0o700, system.may_write(b"rootfs", above)
    (True, True)
    >>> root = system.open_directory(b"rootfs", above)
    >>> fd = system.open_new_file(b"motd", root)
    >>> system.write_all(fd, memoryview(b"The lamp "))
    >>> system.write_at(fd, memoryview(b"is lit."), 9)
    >>> system.ftruncate(fd, 1 << 20)
    >>> system.fchown(fd, *system.effective_ids())
    >>> system.fchmod(fd, 0o644)
    >>> system.utime(fd, 1_700_000_000 * 10**9)
    >>> system.fsync(fd)
    >>> system.close(fd)
    >>> fd = system.open_existing_file(b"motd", root)
    >>> system.touch(fd)
    >>> system.fdatasync(fd)
    >>> system.close(fd)
    >>> fd = system.open_regular_file(b"motd", root)
    >>> system.fstat(fd).st_size, system.pread(fd, 16, 0)
    (1048576, b'The lamp is lit.')
    >>> next(iter(system.data_extents(fd, 1 << 20)))[0]
    0
    >>> system.lock(fd, wait=False), system.lock(fd, wait=True, shared=True)
    (True, True)
    >>> again = system.duplicate(fd)
    >>> system.close(again)

Links are made and read as links:

    >>> system.link(b"motd", root, b"issue", root)
    >>> system.make_symlink(b"motd", b"banner", root)
    >>> system.lchown(b"banner", root, *system.effective_ids())
    >>> system.utime_at(b"banner", root, 0)
    >>> system.read_link(b"banner", root), system.lstat(b"issue", root).st_nlink
    (b'motd', 2)
    >>> system.make_fifo(b"pipe", root)
    >>> system.list_names(root)
    [b'banner', b'issue', b'motd', b'pipe']

Some calls need a privilege, a file system or a kernel that not every machine has:

    >>> with contextlib.suppress(OSError):
    ...     system.close(system.open_beneath(b"motd", root))
    >>> with contextlib.suppress(OSError):
    ...     system.fsetxattr(fd, b"user.note", b"hi")
    ...     assert system.get_xattrs(fd)[b"user.note"] == b"hi"
    ...     system.fremovexattr(fd, b"user.note")
    >>> with contextlib.suppress(OSError):
    ...     system.lsetxattr(system.proc_path(root), b"banner", b"trusted.note", b"hi")
    >>> with contextlib.suppress(OSError):
    ...     system.make_device(b"null", root, block=False, major=1, minor=3)
    ...     system.unlink(b"null", root)
    >>> if system.HAS_HANDLES and system.HAS_PROC:
    ...     with system.hold(b"pipe", root) as pinned:
    ...         system.chmod(system.proc_path(pinned), 0o644)

The mount of an overlay of open directories is a handle, attached to a path only on request; an ordinary user gets one
from a `namespace`:

    >>> with contextlib.suppress(OSError):
    ...     merged = system.mount_overlay([root], ["userxattr", "redirect_dir=nofollow"])
    ...     system.attach_mount(merged, work.name)
    ...     system.close(merged)
    ...     system.unmount(work.name, lazy=True)
    >>> with contextlib.suppress(OSError):
    ...     system.close(system.mount_overlay_in_namespace([root], ["userxattr"]))
    >>> with contextlib.suppress(OSError):
    ...     namespace = system.user_namespace([(0, 100_000, 65_536)], [(0, 100_000, 65_536)])
    ...     system.close(system.idmapped(root, namespace))
    ...     system.close(namespace)
    >>> system.may_trust_xattrs() in {True, False}
    True

The contents of a file are shared with another one, and a whole file system is flushed:

    >>> clone = system.open_new_file(b"clone", root)
    >>> with contextlib.suppress(OSError):
    ...     system.clone_file(fd, clone)
    ...     system.dedupe_file(fd, clone, 16)
    ...     system.syncfs(clone)
    >>> system.close(clone)
    >>> system.unlink(b"clone", root)

Names are changed and removed:

    >>> system.close(fd)
    >>> system.rename(b"issue", root, b"motd.old", root)
    >>> for name in (b"banner", b"motd", b"motd.old", b"pipe"):
    ...     system.unlink(name, root)
    >>> system.close(root)
    >>> system.rmdir(b"rootfs", above)
    >>> system.close(above)

Paths that a user names, temporary files, and the process:

    >>> system.exists(work.name), system.is_existing_directory(work.name), system.resolve("/a/../b")
    (True, True, '/b')
    >>> system.is_directory(0o040755), system.is_regular(0o100644), system.is_current_directory(b".")
    (True, True, True)
    >>> system.make_directories(f"{work.name}/a/b")
    >>> system.close(system.open_root(f"{work.name}/a/b"))
    >>> fd = system.open_stream_path("tests/data/image/oci-layout")
    >>> system.is_regular(system.fstat(fd).st_mode), system.is_pipe("tests/data/image"), system.read(fd, 22)
    (True, False, b'{"imageLayoutVersion":')
    >>> system.close(fd)
    >>> system.close(system.open_output_path("/dev/null"))
    >>> with system.temporary_file(work.name) as file:
    ...     system.write_temporary(file, b"kept until closed", work.name)
    >>> system.temporary_directory(work.name) == work.name, b"nothing" in system.mount_points()
    (True, False)
    >>> system.cpu_count() > 0, system.open_file_limit() > 3, (system.source_date_epoch() or 0) >= 0
    (True, True, True)
    >>> system.clock_ns() > 10**18, system.process_id() > 0, "PATH" in system.environment()
    (True, True, True)

Another program, which is stopped when its time is over:

    >>> ended: system.Ended = system.run_program(["sh", "-c", "printf done; exit 3"], timeout=60)
    >>> ended.code, ended.stdout, ended.stderr
    (3, b'done', b'')
    >>> root = system.open_root("/")
    >>> with contextlib.suppress(OSError):  # A system may refuse it to users.
    ...     assert system.run_in_root(root, ["sh", "-c", "exit 3"], {"PATH": "/bin"}) == 3
    >>> system.close(root)

    >>> work.cleanup()
"""

from oci_layers.system.beneath import open_beneath
from oci_layers.system.clone import clone_file, dedupe_file
from oci_layers.system.files import (
    HAS_HANDLES,
    HAS_PROC,
    chmod,
    close,
    data_extents,
    duplicate,
    exists,
    fchmod,
    fchown,
    fdatasync,
    fremovexattr,
    fsetxattr,
    fstat,
    fsync,
    ftruncate,
    get_xattrs,
    hold,
    is_current_directory,
    is_directory,
    is_existing_directory,
    is_pipe,
    is_regular,
    lchown,
    link,
    list_names,
    lock,
    lsetxattr,
    lstat,
    make_device,
    make_directories,
    make_directory,
    make_fifo,
    make_symlink,
    may_trust_xattrs,
    may_write,
    open_directory,
    open_existing_file,
    open_new_file,
    open_output_path,
    open_parent,
    open_regular_file,
    open_root,
    open_stream_path,
    pread,
    proc_path,
    read,
    read_link,
    rename,
    resolve,
    rmdir,
    touch,
    unlink,
    utime,
    utime_at,
    write_all,
    write_at,
)
from oci_layers.system.mount import attach_mount, idmapped, mount_overlay, syncfs, unmount
from oci_layers.system.mounts import mount_points
from oci_layers.system.namespace import mount_overlay_in_namespace, run_in_root, user_namespace
from oci_layers.system.process import (
    clock_ns,
    cpu_count,
    effective_ids,
    environment,
    open_file_limit,
    process_id,
    source_date_epoch,
)
from oci_layers.system.program import Ended, run_program
from oci_layers.system.temporary import temporary_directory, temporary_file, write_temporary

__all__ = [
    "HAS_HANDLES",
    "HAS_PROC",
    "Ended",
    "attach_mount",
    "chmod",
    "clock_ns",
    "clone_file",
    "close",
    "cpu_count",
    "data_extents",
    "dedupe_file",
    "duplicate",
    "effective_ids",
    "environment",
    "exists",
    "fchmod",
    "fchown",
    "fdatasync",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fsync",
    "ftruncate",
    "get_xattrs",
    "hold",
    "idmapped",
    "is_current_directory",
    "is_directory",
    "is_existing_directory",
    "is_pipe",
    "is_regular",
    "lchown",
    "link",
    "list_names",
    "lock",
    "lsetxattr",
    "lstat",
    "make_device",
    "make_directories",
    "make_directory",
    "make_fifo",
    "make_symlink",
    "may_trust_xattrs",
    "may_write",
    "mount_overlay",
    "mount_overlay_in_namespace",
    "mount_points",
    "open_beneath",
    "open_directory",
    "open_existing_file",
    "open_file_limit",
    "open_new_file",
    "open_output_path",
    "open_parent",
    "open_regular_file",
    "open_root",
    "open_stream_path",
    "pread",
    "proc_path",
    "process_id",
    "read",
    "read_link",
    "rename",
    "resolve",
    "rmdir",
    "run_in_root",
    "run_program",
    "source_date_epoch",
    "syncfs",
    "temporary_directory",
    "temporary_file",
    "touch",
    "unlink",
    "unmount",
    "user_namespace",
    "utime",
    "utime_at",
    "write_all",
    "write_at",
    "write_temporary",
]
