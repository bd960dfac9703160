"""Hypothesis profiles, and peers: other programs that tests run beside this library."""

import gc
import os
import shutil
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.support.process import shared_directory

settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("mutation", max_examples=10, deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_configure():
    """Hear interrupts where the tests run in the background of a shell, which has them ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="takes minutes; run with --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


def pytest_runtest_setup(item):
    """Under CI a peer that is not installed is a failure; on a user's machine it is a skip that says so."""
    for marker in item.iter_markers("peer"):
        for name in marker.args:
            if shutil.which(name) is None:
                problem = f"the peer {name} is not installed"
                if os.environ.get("CI"):
                    pytest.fail(problem, pytrace=False)
                pytest.skip(problem)
    if "root" in item.keywords and getattr(os, "geteuid", lambda: 1)() != 0:
        problem = "needs to run as root on Linux"
        if os.environ.get("CI"):
            pytest.fail(problem, pytrace=False)
        pytest.skip(problem)


@pytest.fixture
def place():
    """A directory that any user may work in."""
    with shared_directory() as directory:
        yield directory


def pytest_collection_finish():
    """Leave what was collected out of garbage collection: it stays, and the children of a fork would copy it."""
    gc.collect()
    gc.freeze()
