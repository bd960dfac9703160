"""Attributes: what Linux refuses, and what it takes off; `property/test_a_box_is_a_file_system` has the rest."""

import errno

import pytest

from oci_layers.build.attributes import remove_xattr, set_mode, set_mtime, set_owner, set_xattr
from oci_layers.build.file_system import Creator, FileSystem
from oci_layers.errors import LimitError, NotPermittedError, PathError, PathMissingError
from oci_layers.limits import Limits
from oci_layers.tree import dump, parse

LOWER = """
/ dir 0755 0:0 0.000000000
/d dir 6755 0:0 0.000000000
/f file 6755 0:0 0.000000000 text=x xattr.security.capability=all xattr.user.a=1
/g link /f
/l symlink 0777 0:0 0.000000000 target=f
/p fifo 6644 0:0 0.000000000
"""


@pytest.fixture
def files():
    return FileSystem(parse(LOWER), Creator(clock=lambda: 7 * 10**9), 0)


def line(files, name):
    return next(line for line in dump(files.tree).splitlines() if line.startswith(f"/{name} "))


def test_an_owner_takes_off_set_id_bits_and_capabilities_of_files(files):
    for path in (b"d", b"g", b"p"):
        set_owner(files, path, 5, -1, follow=True)
    assert line(files, "d") == "/d dir 6755 5:0 0.000000000"
    assert line(files, "f") == "/f file 0755 5:0 0.000000000 text=x xattr.user.a=1"
    assert line(files, "g") == "/g link /f"
    assert line(files, "p") == "/p fifo 2644 5:0 0.000000000"


def test_a_link_has_an_owner_and_a_time_of_its_own(files):
    set_owner(files, b"l", 1, 2, follow=False)
    set_mtime(files, b"l", None, follow=False)
    set_mtime(files, b"l", -5, follow=True)
    assert line(files, "l") == "/l symlink 0777 1:2 7.000000000 target=f"
    assert line(files, "f").split()[4] == "-0.000000005"


def test_permissions_are_those_of_what_a_link_leads_to(files):
    set_mode(files, b"l", 0o100600)
    assert line(files, "f").split()[2] == "0600"
    set_mode(files, b"", 0o700)
    assert line(files, "") == "/ dir 0700 0:0 0.000000000"


@pytest.mark.parametrize("owner", [(-2, 0), (0, -2), (1 << 32, 0), (0, (1 << 32) - 1)])
def test_an_owner_that_no_system_has_is_refused(files, owner):
    with pytest.raises(PathError) as caught:
        set_owner(files, b"f", *owner, follow=True)
    assert (caught.value.errno, caught.value.path) == (errno.EINVAL, b"/f")


@pytest.mark.parametrize(
    ("path", "name", "kind", "number"),
    [
        (b"f", b"a", PathError, errno.ENOTSUP),
        (b"f", b"user.", PathError, errno.ENOTSUP),
        (b"p", b"user.a", NotPermittedError, errno.EPERM),
        (b"no", b"user.a", PathMissingError, errno.ENOENT),
        (b"f", b"user." + b"a" * 251, PathError, errno.ERANGE),
    ],
)
def test_an_extended_attribute_that_the_system_refuses_is_refused(files, path, name, kind, number):
    with pytest.raises(PathError) as caught:
        set_xattr(files, path, name, b"", follow=True)
    assert (type(caught.value), caught.value.errno, caught.value.path) == (kind, number, b"/" + path)


def test_extended_attributes_are_set_and_removed(files):
    set_xattr(files, b"g", b"user.b", b"2", follow=True)
    remove_xattr(files, b"f", b"user.a", follow=True)
    set_xattr(files, b"l", b"trusted.x", b"", follow=False)
    assert line(files, "f").split()[6:] == ["xattr.security.capability=all", "xattr.user.b=2"]
    assert line(files, "l").split()[6:] == ["xattr.trusted.x="]
    with pytest.raises(PathError) as caught:
        remove_xattr(files, b"f", b"user.a", follow=True)
    assert caught.value.errno == errno.ENODATA


def test_extended_attributes_beyond_the_limit_are_refused(files):
    files.tree.limits = Limits(xattr_bytes=100)
    with pytest.raises(LimitError) as caught:
        set_xattr(files, b"d", b"user.b", bytes(95), follow=True)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("xattr_bytes", 100, 101)
