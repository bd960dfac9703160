"""The peers as functions: umoci, skopeo and buildah make images, copy them and unpack them."""

import os
import shutil
import subprocess

from oci_layers import open_image, scan
from tests.support.listing import listing


def run(*command, **options):
    """Run a peer; what it printed is in the failure."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(
        [os.fspath(each) for each in command], env=environment, capture_output=True, check=False, **options
    )
    assert done.returncode == 0, (command, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
    return done.stdout.decode().strip()


def umoci_unpack(image, bundle):
    """Unpack `LAYOUT:TAG`, and return the root that umoci made."""
    run("umoci", "unpack", "--image", image, bundle)
    return os.path.join(bundle, "rootfs")


class Umoci:
    """An image that umoci makes, layer by layer: `layer(change)` changes the unpacked root and packs the difference."""

    def __init__(self, directory):
        self.directory = directory
        self.layout = f"{directory}/layout"
        self.layers = 0
        run("umoci", "init", "--layout", self.layout)
        run("umoci", "new", "--image", self.name)

    @property
    def name(self):
        """The image so far, as umoci calls it."""
        return f"{self.layout}:v{self.layers}"

    @property
    def ours(self):
        """The image so far, as this library calls it."""
        return f"oci:{self.name}"

    def layer(self, change):
        """Add a layer of what `change`, called with the root of the image so far, does to it."""
        bundle = f"{self.directory}/bundle{self.layers}"
        change(umoci_unpack(self.name, bundle))
        below = self.name
        self.layers += 1
        run("umoci", "tag", "--image", below, f"v{self.layers}")
        run("umoci", "repack", "--image", self.name, bundle)
        shutil.rmtree(bundle)

    def insert(self, *arguments):
        """Add a layer by `umoci insert`."""
        below = self.name
        self.layers += 1
        run("umoci", "insert", "--image", below, "--tag", f"v{self.layers}", *arguments)


class Buildah:
    """A container that buildah makes; its storage is in a directory of its own."""

    def __init__(self, directory, base="scratch", *flags):
        self.directory = directory
        self.container = self("from", *flags, base)

    def __call__(self, *arguments):
        """Run buildah and return what it printed."""
        at = ("--root", f"{self.directory}/storage", "--runroot", f"{self.directory}/run")
        return run("buildah", "--storage-driver", "vfs", *at, *arguments)

    def commit(self, name):
        """Make an image of the container."""
        self("commit", "--quiet", self.container, name)


def assert_unpacked_alike(image, theirs, directory):
    """Unpack an image into `directory` and compare with what a peer made: as the tests see it, and as `scan` does."""
    with open_image(image) as opened:
        opened.unpack(directory, strict_metadata=True)
        assert_listed_alike(directory, theirs)
        scanned = scan(directory)
        assert scanned == scan(theirs)
        assert scanned == opened.tree()


def assert_listed_alike(directory, theirs):
    """Compare two directories by the tests' own eyes."""
    mine, others = listing(directory), listing(theirs)
    assert sorted(mine) == sorted(others)
    assert {path: (mine[path], others[path]) for path in mine if mine[path] != others[path]} == {}
