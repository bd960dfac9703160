"""Hypothesis profiles, and peers: other programs that tests run beside this library."""

import gc
import os
import pathlib
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


THOROUGH = (
    "blob/test_compressor.py",
    "blob/test_uncompressed.py",
    "cli/commands/test_conformance.py",
    "cli/test_process.py",
    "confinement/test_race.py",
    "durability/test_contention.py",
    "durability/test_crash.py",
    "durability/test_errors.py",
    "durability/test_interleavings.py",
    "durability/test_power.py",
    "fuzz/test_targets.py",
    "interop/test_layers_that_we_emit.py",
    "interop/test_registries.py",
    "property/test_a_box_is_a_file_system.py",
    "property/test_documents_cost_what_they_weigh.py",
    "property/test_memory_is_bounded.py",
    "property/test_mutated_documents.py",
    "test_benchmarks.py",
    "test_registry_benchmarks.py",
    "test_room_benchmarks.py",
    "testing/judge/test_differ.py",
    "testing/judge/test_of_cases.py",
    "testing/judge/test_of_stacks.py",
    "testing/judge/test_profiles.py",
    "testing/judge/test_run.py",
    "testing/test_applier.py",
    "testing/test_faults.py",
    "testing/test_plugin.py",
    "testing/test_strategies.py",
    "testing/test_strategies_of_documents.py",
)
"""Modules that start hundreds of processes or try thousands of inputs: together they take longer than all others."""


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    slow = pytest.mark.skip(reason="takes minutes; run with --slow")
    thorough = pytest.mark.skip(reason="left to CI; run with CI=true or --slow")
    modules = {pathlib.Path(__file__).parent / module for module in THOROUGH}
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(slow)
        elif (item.path in modules or "thorough" in item.keywords) and not os.environ.get("CI"):
            item.add_marker(thorough)


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
