"""DEST as a name in an open directory; how it is refused is in `test_destination`."""

import errno
import os

import pytest

from oci_layers.disk.target import Dest, drop_acl
from tests.disk.test_destination import ACL


@pytest.fixture
def dest(place):
    parent = os.open(place, os.O_RDONLY)
    yield Dest("shown", os.fsencode(place / "dest"), parent, b"dest")
    os.close(parent)


def test_siblings_begin_with_its_name_as_far_as_names_may_be_long(place, dest):
    assert dest.staging_prefix == b".dest.oci-layers-"
    assert Dest("x", b"/x", -1, b"n" * 255).staging_prefix == b"." + b"n" * 200 + b".oci-layers-"
    assert dest.sibling(b"\xff") == f"{place}/\udcff"


def test_in_place_is_advised_where_it_works(place, dest):
    assert dest.advice() == ""
    (place / "dest").mkdir()
    assert dest.advice() == "; use --in-place"


def test_errors_of_the_system_are_about_it(dest):
    def fail(error):
        with dest.named():
            raise error

    with pytest.raises(OSError) as caught:
        fail(OSError(errno.EIO, "broken", "a name"))
    assert (caught.value.filename, caught.value.__notes__) == ("shown", ["destination"])
    with pytest.raises(ValueError) as other:
        fail(ValueError("other"))
    assert not hasattr(other.value, "__notes__")


def test_access_lists_go_and_other_attributes_stay(place):
    for name, value in (("user.a", b"1"), ("system.posix_acl_default", ACL)):
        os.setxattr(place, name, value)
    fd = os.open(place, os.O_RDONLY)
    drop_acl(fd)
    os.close(fd)
    assert os.listxattr(place) == ["user.a"]
