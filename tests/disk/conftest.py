import pytest

from tests.support.place import shared_directory


@pytest.fixture
def place():
    with shared_directory() as directory:
        yield directory
