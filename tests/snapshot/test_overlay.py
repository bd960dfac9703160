import pytest

from oci_layers.errors import UnsupportedError
from oci_layers.snapshot import MOST_LOWERS, Stack, present

STATED = ("redirect_dir=nofollow", "metacopy=off", "index=off", "xino=auto")


def test_what_a_distribution_may_switch_on_is_switched_off():
    assert Stack((3,)).options == STATED
    assert Stack((3,), namespace="user").options == (*STATED, "userxattr")
    assert Stack((3,), upper=4, work=5, namespace="user", volatile=True).options == (*STATED, "userxattr", "volatile")


def test_what_is_only_read_is_not_volatile():
    stack = Stack((3,), upper=4, work=5, volatile=True).without_writing()
    assert (stack.lowers, stack.upper, stack.work, stack.options) == ((4, 3), None, None, STATED)
    assert stack.without_writing() is stack


def test_more_than_500_lower_directories_are_an_error_that_says_so():
    most = tuple(range(MOST_LOWERS))
    with pytest.raises(UnsupportedError, match=r"501 \(a mount takes 500; merge the lowest ones"):
        Stack((*most, 500))
    with pytest.raises(UnsupportedError, match="501"):
        present(Stack(most, upper=500, work=501), read_only=True)


def test_an_upper_directory_and_its_work_directory_come_together():
    for given in ({"upper": 3}, {"work": 3}):
        with pytest.raises(ValueError, match="an upper directory needs a work directory"):
            Stack((), **given)
