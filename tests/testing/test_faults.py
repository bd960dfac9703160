"""The suites find what is wrong: stores with one fault each fail the test that is about it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import oci_layers.testing
from tests.support import broken_stores

ROOT = Path(__file__).parent.parent.parent


def run_pytest(*arguments, **options):
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def failed():
    """The names of the tests that fail, by the class of the store; only those that should are run."""
    tests = [f"{broken_stores.__file__}::Test{store.__name__}::{store.__doc__}" for store in broken_stores.BROKEN]
    done = run_pytest(*tests, cwd=ROOT)
    found = {}
    for store, test in re.findall(r"^FAILED \S+::Test(\w+)::(\w+)", done.stdout, re.MULTILINE):
        found.setdefault(store, set()).add(test)
    return found


@pytest.mark.parametrize("store", broken_stores.BROKEN, ids=lambda store: store.__name__)
def test_a_fault_is_found_by_the_test_that_is_about_it(failed, store):
    assert store.__doc__ in failed.get(store.__name__, set())


def test_every_fault_is_of_a_store_of_its_own():
    tests = [store.__doc__ for store in broken_stores.BROKEN]
    assert len(set(tests)) == len(tests) == 25


def test_the_example_of_the_room_is_a_module_of_tests(tmp_path):
    _, stores, text = oci_layers.testing.__doc__.partition("    >>> import pytest\n")
    blocks = re.findall(r"(?:^    (?:>>>|\.\.\.).*\n)+", stores + text, re.MULTILINE)
    lines = [line[8:] for block in blocks for line in block.splitlines() if not line.startswith("    >>> Test")]
    (tmp_path / "test_mine.py").write_text("\n".join(lines))
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    some = "damaged or was_not_put or by_its_name or of_a_nested_index"
    done = run_pytest("-W", "error", "-k", some, "test_mine.py", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(r"(\d+) passed, (\d+) skipped, (\d+) deselected", done.stdout).groups()
    assert counts[:2] == ("15", "1")  # Nothing damages the blobs of the first store.
    assert int(counts[2]) > 200
