"""Layers unpacked once, each as a directory, and shown as one.

`overlay` has the stack of directories as the kernel takes it, `presenter` the ways to show it: as a mount without a
path, which an ordinary user gets as well, or at one.

    >>> import os, tempfile
    >>> from oci_layers import errors, snapshot, system
    >>> work = tempfile.TemporaryDirectory()
    >>> for name in ("lower/etc", "upper", "work"):
    ...     os.makedirs(os.path.join(work.name, name))
    >>> lower, upper, kernel = (system.open_root(os.path.join(work.name, name)) for name in ("lower", "upper", "work"))
    >>> stack = snapshot.Stack((lower,), upper=upper, work=kernel, namespace="user")
    >>> len(stack.lowers) <= snapshot.MOST_LOWERS, snapshot.is_lost(kernel)
    (True, False)
    >>> names: tuple[snapshot.PresenterName, ...] = snapshot.PRESENTERS
    >>> names
    ('detached', 'namespace', 'mounted', 'fuse')
    >>> try:
    ...     merged: snapshot.Presented = snapshot.present(stack)
    ... except errors.PresenterError as error:
    ...     assert error.refused
    ... else:
    ...     with merged:
    ...         system.make_directory(b"run", merged.fd)
    ...         assert system.list_names(merged.fd) == [b"etc", b"run"]
    ...         assert system.list_names(upper) == [b"run"] and merged.path is None
    >>> for fd in (lower, upper, kernel):
    ...     system.close(fd)
    >>> for name in os.listdir(os.path.join(work.name, "work")):  # The kernel's directory has no mode for its owner.
    ...     os.chmod(os.path.join(work.name, "work", name), 0o700)
    >>> work.cleanup()
"""

from oci_layers.snapshot.overlay import MOST_LOWERS, Stack, is_lost
from oci_layers.snapshot.presenter import PRESENTERS, Presented, PresenterName, present

__all__ = ["MOST_LOWERS", "PRESENTERS", "Presented", "PresenterName", "Stack", "is_lost", "present"]
