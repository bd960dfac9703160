"""Law: the engine makes what the oracle says, in memory, and on disk as root and as an ordinary user.

It refuses what the oracle refuses, and implies the directories that it implies.
"""

import contextlib
import os
import stat
import tempfile

import pytest
from hypothesis import HealthCheck, given, seed, settings

from oci_layers.disk import scan
from oci_layers.errors import LayerError, LimitError
from oci_layers.layer import Policy
from oci_layers.testing import strategies
from tests.support.examples import examples
from tests.support.facts import REFUSED, actual, expected, facts
from tests.support.layers import tar
from tests.support.process import USER, asking_user
from tests.support.stacks import quick_stacks, stacks
from tests.support.trees import mirrored

QUICK = quick_stacks()
LEGAL = strategies.stacks().map(lambda stack: stack.layers)
HOSTILE = strategies.stacks(hostile=True).map(lambda stack: stack.layers)
SHARES = range(4)
"""The examples are shared out, so that several processes can run them."""


def law(count, share, stacks=QUICK):
    """Make a function of a stack a law that is tried on so many stacks, others for each share."""
    several = settings(max_examples=count // len(SHARES), suppress_health_check=[HealthCheck.too_slow])
    return lambda function: seed(share)(several(given(stacks)(function)))


@pytest.mark.parametrize("share", SHARES)
def test_in_memory(share):
    @law(examples(dev=800, ci=10_000, deep=100_000), share)
    def agrees(stack):
        assert actual(stack) == expected(stack)

    agrees()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("stacks", [LEGAL, HOSTILE], ids=["legal", "hostile"])
def test_in_memory_of_stacks_for_users(stacks, share):
    @law(examples(dev=80, ci=2000), share, stacks)
    def agrees(stack):
        assert actual(stack) == expected(stack)

    agrees()


@given(stacks())
def test_in_memory_of_stacks_with_rare_attributes(stack):
    assert actual(stack) == expected(stack)


@given(QUICK)
def test_in_memory_with_links_replaced(stack):
    assert actual(stack, policy=Policy(parents="replace")) == expected(stack, parents="replace")


@contextlib.contextmanager
def empty_directory():
    """A directory that the ordinary user may write."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        directory = os.path.join(name, "root")
        os.mkdir(directory, 0o700)
        os.chown(directory, USER, USER)
        yield directory


def unpack(directory, stack):
    """Unpack a stack; return whether it is refused."""
    try:
        mirrored(directory, *(tar(*layer) for layer in stack))
    except (LayerError, LimitError):
        return True
    return False


@pytest.mark.root
@pytest.mark.parametrize("share", SHARES)
def test_on_disk_as_root(share):
    @law(examples(dev=80, ci=2000), share)
    def agrees(stack):
        with empty_directory() as directory:
            outcome = REFUSED if unpack(directory, stack) else facts(scan(directory))
        assert outcome == expected(stack, implied=False)

    agrees()


@pytest.mark.root
@pytest.mark.parametrize("share", SHARES)
def test_on_disk_as_a_user(share):
    with asking_user(unpack) as ask:

        @law(examples(dev=80, ci=2000), share)
        def agrees(stack):
            with empty_directory() as directory:
                outcome = REFUSED if ask(directory, stack) else facts(scan(directory))
            assert within_reach(outcome) == within_reach(expected(stack, implied=False))

        agrees()


def within_reach(outcome):
    """What an ordinary user can have of a tree: no devices, no owners, no bits that change the user."""
    if outcome == REFUSED:
        return outcome
    return {
        path: (kind, mode & ~(stat.S_ISUID | stat.S_ISGID), *rest)
        for path, (kind, mode, _, _, *rest) in outcome.items()
        if kind not in {"char", "block"}
    }
