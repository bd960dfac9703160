"""A layout of several images that share layers, and damage to it."""

import json
import os
import time
from pathlib import Path

import attrs

from tests.support.layers import Built, f, tar
from tests.support.layers import digest as digest_of

BASE, MIDDLE, TOP = (tar(f(name, name * size)) for name, size in (("base", 9000), ("middle", 500), ("top", 100)))


@attrs.define
class Store:
    """A layout on disk; `images` has what each image was made of, by name."""

    directory: Path
    images: dict

    def entry(self, ref):
        """The entry of an image."""
        return self.images[ref].index["manifests"][0]

    def digest(self, ref):
        """The digest of its manifest."""
        return self.entry(ref)["digest"]

    def layer(self, ref, number):
        """The digest of one of its layers."""
        return self.images[ref].layers[number]["descriptor"]["digest"]

    def config(self, ref):
        """The digest of its config."""
        return self.images[ref].manifest["config"]["digest"]

    def path(self, digest):
        """The file of a blob."""
        return self.directory / "blobs" / digest.replace(":", "/")

    def size(self, *digests):
        """The bytes of blobs, each once."""
        return sum(self.path(each).stat().st_size for each in set(digests))

    def flip(self, digest):
        """Change one bit of a blob."""
        raw = bytearray(self.path(digest).read_bytes())
        raw[-1] ^= 1
        self.path(digest).write_bytes(raw)

    def put(self, data):
        """Write a blob that nothing refers to, ten seconds old, and return its digest."""
        digest = digest_of(data)
        self.path(digest).write_bytes(data)
        os.utime(self.path(digest), (time.time() - 10,) * 2)
        return digest

    def names(self):
        """The names in the index, with their digests."""
        entries = json.loads((self.directory / "index.json").read_text())["manifests"]
        names = (each.get("annotations", {}).get("org.opencontainers.image.ref.name") for each in entries)
        return list(zip(names, (each["digest"] for each in entries), strict=True))

    def blobs(self):
        """The digests of all blobs."""
        return {f"sha256:{each.name}" for each in (self.directory / "blobs" / "sha256").iterdir()}


def store(directory):
    """Write three images: `low` of one layer, `high` of that and two more, and an unnamed one of the first two."""
    images, entries = {}, []
    for ref, layers in (("low", [BASE]), ("high", [BASE, MIDDLE, TOP]), (None, [BASE, MIDDLE])):
        built = Built.of(directory, *layers, ref=ref)
        built.config["author"] = str(ref)
        built.write()
        images[ref] = built
        entries += built.index["manifests"]
    (Path(directory) / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return Store(Path(directory), images)
