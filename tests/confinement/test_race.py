"""A second process exchanges directories for links to a canary, while layers are unpacked there: nothing gets out.

The layers write and remove in more directories than may be open at once, so that each is reached anew, by its name,
again and again; and the canary has everything that they write and remove. The unpacking may fail, and does.
"""

import ctypes
import mmap
import os
import signal
import struct
import time

import pytest

import oci_layers
from oci_layers.errors import OCIError
from tests.support.layers import d, f, image, opq, tar, wh
from tests.support.listing import listing
from tests.support.process import USER, in_child

DIRECTORIES = [f"d{number}" for number in range(24)]
FILES = [f"f{number}" for number in range(12)]
AT_FDCWD, RENAME_EXCHANGE = -100, 2

LIBC = ctypes.CDLL(None, use_errno=True)
pytestmark = pytest.mark.skipif(not hasattr(LIBC, "renameat2"), reason="needs a C library that can exchange two names")


def exchange(one, other):
    arguments = AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE
    return LIBC.renameat2(*arguments) == 0


def writing():
    """Layers that write a lot, and where to: what gets out would be new among the canaries."""
    directories = [d(f"{directory}/inner", 0o700) for directory in DIRECTORIES]
    files = [f(f"{directory}/{file}", "of the image") for file in FILES for directory in DIRECTORIES]
    deep = [f(f"{directory}/inner/{file}", "of the image") for file in FILES for directory in DIRECTORIES]
    return tar(f("go"), *directories, *files, *deep), ["other", "inner/other"]


def removing():
    """Layers the second of which removes a lot, and what it would remove from among the canaries."""
    directories = [d(f"{directory}/inner", 0o700) for directory in DIRECTORIES]
    files = [f(f"{directory}/{file}", "of the image") for file in FILES for directory in DIRECTORIES]
    deep = [f(f"{directory}/inner/{file}", "of the image") for file in FILES for directory in DIRECTORIES]
    gone = [wh(f"{directory}/{file}") for file in FILES for directory in DIRECTORIES]
    cleared = [opq(f"{directory}/inner") for directory in DIRECTORIES[::2]] + [wh(name) for name in DIRECTORIES[1::2]]
    canary = [*FILES, *(f"inner/{file}" for file in FILES)]
    return tar(*directories, *files, *deep), tar(f("go"), *gone, *cleared), canary


class Swapper:
    """The second process, and how often it has exchanged something."""

    def __init__(self, place, canary, user):
        self.count = mmap.mmap(-1, 8)
        self.place, self.canary = place, canary
        self.links = place / "links"
        self.links.mkdir()
        for name in DIRECTORIES:
            os.symlink(canary, self.links / name)
        if os.geteuid() == 0:
            os.chown(self.links, USER, USER)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if user and os.geteuid() == 0:
                    os.setresgid(user, user, user)
                    os.setresuid(user, user, user)
                self.swap()
            finally:
                os._exit(0)

    def swap(self):
        swaps = 0
        while True:
            for root in [
                name for name in os.listdir(self.place) if "dest" in name and (self.place / name / "go").exists()
            ]:
                for name in DIRECTORIES:
                    here, link = self.place / root / name, self.links / name
                    while exchange(here, link) and os.path.islink(here):
                        swaps += 1
                        if exchange(here, link):
                            swaps += 1
                        break
                struct.pack_into("q", self.count, 0, swaps)

    @property
    def swaps(self):
        return struct.unpack_from("q", self.count)[0]

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def unpack_often(name, place, *, in_place, until):
    """Unpack to one DEST after the other; return how often that went well, and how often not."""
    well = failed = 0
    while not until():
        dest = place / f"dest{well + failed}"
        if in_place:
            dest.mkdir()
        try:
            with oci_layers.open_image(name) as opened:
                opened.unpack(dest, in_place=in_place)
            well += 1
        except (OCIError, OSError):
            failed += 1
        for left in [left for left in os.listdir(place) if "dest" in left]:
            os.rename(place / left, place / f"done-{well + failed}-{left.replace('dest', 'DEST')}")
    return well, failed


@pytest.mark.parametrize("deed", [writing, removing])
@pytest.mark.parametrize("in_place", [False, True], ids=["beside", "in place"])
@pytest.mark.parametrize("user", [pytest.param(0, id="root", marks=pytest.mark.root), pytest.param(USER, id="user")])
@pytest.mark.parametrize(
    ("swaps", "seconds"),
    [pytest.param(100, 0.6, id="a while"), pytest.param(10_000, 60, id="long", marks=pytest.mark.slow)],
)
def test_nothing_gets_out_while_directories_become_links(place, deed, user, in_place, swaps, seconds):
    *layers, names = deed()
    name = image(place / "image", *layers)
    canary = place / "canary"
    (canary / "inner").mkdir(parents=True)
    for each in names:
        (canary / each).write_text("canary")
    for path in (canary, *canary.rglob("*")):
        os.chown(path, user or -1, -1) if os.geteuid() == 0 else None
        os.utime(path, ns=(5, 5))
    before = listing(canary)
    swapper = Swapper(place, canary, user)
    start = time.monotonic()

    def until():
        spent = time.monotonic() - start
        return spent > 30 * seconds or (spent > seconds and swapper.swaps >= swaps)

    try:
        _, failed = in_child(
            lambda: unpack_often(name, place, in_place=in_place, until=until), user=user or None, files=64
        )
    finally:
        swapper.stop()
    assert listing(canary) == before
    assert swapper.swaps >= swaps
    assert failed > 0
