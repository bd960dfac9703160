"""Do what a Dockerfile of FROM, COPY, ENV and CMD does: put a directory on a base, and say what a container starts.

python new_image.py BASE DIRECTORY LAYOUT:REF
"""

import sys

import oci_layers as oci
from oci_layers.build import LayerOptions, NewLayer
from oci_layers.store import create_repository


def build(base: str, directory: str, target: str) -> oci.Descriptor:
    """Write the image, and return its descriptor: the same files make the same digest on every machine."""
    with oci.open_image(base) as image:  # FROM base
        app = NewLayer.from_directory(directory, options=LayerOptions(prefix="/app", keep_root=False, uid=0, gid=0))
        new = oci.edit(image).append(app, created_by="COPY . /app")  # COPY --chown=0:0 . /app
        new = new.configure(env={"PATH": "/app:/usr/bin"}, working_dir="/app")  # ENV, WORKDIR
        new = new.configure(cmd=["/app/run"])  # CMD ["/app/run"]
        repository, ref = create_repository(target)
        with repository:
            return new.write(repository, ref)


if __name__ == "__main__":
    print(build(*sys.argv[1:4]).digest)
