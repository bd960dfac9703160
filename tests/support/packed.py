"""A directory to be packed, and what images hold, as short lines."""

import os

from oci_layers import open_image
from oci_layers.tree.dump import dump_lines

TIME = 1_700_000_000


def application(directory):
    """Make a directory with a program, a cache and a `.dockerignore`; everything has one time."""
    (directory / "cache").mkdir(parents=True)
    (directory / "lamp").write_text("#!/bin/sh\n")
    (directory / "cache" / "oil").write_text("12 barrels\n")
    (directory / ".dockerignore").write_text("cache\n.dockerignore\n")
    for path, mode in (("lamp", 0o755), ("cache/oil", 0o600), ("cache", 0o700), (".dockerignore", 0o644), ("", 0o750)):
        (directory / path).chmod(mode)
        os.chown(directory / path, 1000, 1000) if os.geteuid() == 0 else None
        os.utime(directory / path, (TIME, TIME))
    return directory


def shown(name, **options):
    """The merged file system of an image: path, type, mode and owner of each name."""
    with open_image(str(name), **options) as image:
        return [" ".join(line.split()[:4]) for line in dump_lines(image.tree())]


def layers_of(name, **options):
    """The digests of the layers of an image."""
    with open_image(str(name), **options) as image:
        return [str(layer.descriptor.digest) for layer in image.layers]


def config_of(name, **options):
    """The `config` object of an image, and the texts of its history."""
    with open_image(str(name), **options) as image:
        document = image.config
    return document.config, [each.created_by for each in document.history]
