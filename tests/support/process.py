"""A directory that any user may work in, and work done by another process: an ordinary user's, or with few files."""

import contextlib
import functools
import multiprocessing
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import oci_layers
import oci_layers.cli.main
from tests.support.layers import d, f, image, tar

USER = 54321
IS_ROOT = os.geteuid() == 0


@contextlib.contextmanager
def shared_directory():
    """A directory below the system's temporary one, everybody's to enter and the ordinary user's to write."""
    with tempfile.TemporaryDirectory(prefix="oci-layers-test-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        if IS_ROOT:
            os.chown(name, USER, USER)
        yield Path(name).resolve()


@contextlib.contextmanager
def mounted(directory, kind="tmpfs", options="size=1m", source="none"):
    """Mount something at a directory, which is made."""
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", kind, "-o", options, source, directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@functools.cache
def import_everything():
    """Import what is imported at first use: an ordinary user may not be able to read it."""
    with (
        tempfile.TemporaryDirectory() as name,
        oci_layers.open_image(image(f"{name}/image", tar(d("a"), f("b")))) as it,
    ):
        it.unpack(f"{name}/dest")


def start(function):
    """Call `function` in a forked child and return the child's number; it exits with 0, or 1 if an error came out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Other threads hold no locks that the child needs.
        child = os.fork()
    if child:
        return child
    status = 1
    try:
        function()
        status = 0
    except BaseException:  # noqa: BLE001  # whichever it is, the parent sees that there was one
        os.write(2, traceback.format_exc().encode())
    finally:
        sys.stdout = sys.stderr = None
        os._exit(status)


def ended(child):
    """Wait for a child; return its exit code, or the number of the signal that ended it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def become(user):
    """Be the user of that number, without privileges; where this is not root, stay who this is."""
    if IS_ROOT:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


@contextlib.contextmanager
def asking_user(function, user=USER):
    """Give a function that asks a user's process, which stays, for what `function` returns; an ordinary user's.

    An error of the function is an AssertionError with the traceback.
    """
    import_everything()
    ours, theirs = multiprocessing.Pipe()

    def serve():
        ours.close()
        become(user)
        with contextlib.suppress(EOFError):
            while True:
                arguments = theirs.recv()
                try:
                    answer = True, function(*arguments)
                except Exception:  # noqa: BLE001  # handed over as its traceback
                    answer = False, traceback.format_exc()
                theirs.send(answer)

    def ask(*arguments):
        ours.send(arguments)
        well, value = ours.recv()
        assert well, value
        return value

    child = start(serve)
    theirs.close()
    try:
        yield ask
    finally:
        ours.close()
        ended(child)


def in_child(function, *, user=None, files=None):
    """Return what `function` returns in a forked child, or raise AssertionError with the traceback it died of.

    The child is the user of that number, without privileges, and may have `files` files open at once.
    """
    import_everything()
    reader, writer = os.pipe()

    def child():
        os.close(reader)
        try:
            if user is not None:
                become(user)
            if files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            answer = True, function()
        except BaseException:  # noqa: BLE001  # handed over as its traceback
            answer = False, traceback.format_exc()
        with open(writer, "wb") as pipe:
            pickle.dump(answer, pipe)

    number = start(child)
    os.close(writer)
    with open(reader, "rb") as pipe:
        raw = pipe.read()
    ended(number)
    well, value = pickle.loads(raw)
    assert well, value
    return value


def as_user(function):
    """Return what `function` returns for an ordinary user; whoever runs the tests, when that is one."""
    return in_child(function, user=USER)


def outcome(function, *arguments, **options):
    """Return ("ok", result) or (the name of the error's class, its text)."""
    try:
        return "ok", function(*arguments, **options)
    except Exception as error:  # noqa: BLE001  # whichever it is, is what is asked for
        return type(error).__name__, str(error)
