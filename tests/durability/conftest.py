"""The directory of a test is in memory, where there is such a file system: these tests sync thousands of times."""

import os
import pathlib
import tempfile

import pytest

MEMORY = "/dev/shm"


@pytest.fixture
def tmp_path(tmp_path):
    """A directory for one test."""
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="oci-layers-test-", dir=MEMORY) as name:
        yield pathlib.Path(name)
