"""The canaries themselves: whatever is done to one is noticed."""

import os

import pytest

from tests.support.canary import SECRET, Canaries


def steal(canary, dest):
    (dest / "copy").write_bytes(b"x" + SECRET)


DEEDS = {
    "read": lambda canary, dest: (canary / "secret").read_bytes(),
    "list": lambda canary, dest: os.listdir(canary / "deep"),
    "write": lambda canary, dest: os.truncate(canary / "secret", 1),
    "mode": lambda canary, dest: os.chmod(canary, 0o755),
    "time": lambda canary, dest: os.utime(canary / "link", follow_symlinks=False),
    "xattr": lambda canary, dest: os.removexattr(canary / "secret", "user.canary"),
    "link": lambda canary, dest: os.link(canary / "secret", dest / "here"),
    "remove": lambda canary, dest: os.rmdir(canary / "empty"),
    "add": lambda canary, dest: (canary / "deep/new").touch(),
    "put beside": lambda canary, dest: (canary.parent / "new").touch(),
    "steal": steal,
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_a_deed_is_noticed(place, deed):
    canaries = Canaries(place, "dest")
    (place / "dest").mkdir()
    deed(place / "canary", place / "dest")
    with pytest.raises(AssertionError):
        canaries.check()


def test_a_look_at_the_canaries_changes_nothing(place):
    canaries = Canaries(place, "dest")
    canaries._look()
    canaries._look()
    canaries.check()
