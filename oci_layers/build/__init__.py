r"""New layers and images: files on disk, trees, changes and tars into blobs, the same bytes every time.

`layer` has layers as values, `options` what they are made to be, `ignore` the patterns of `.dockerignore`; `directory`
walks a directory, `arrange` changes entries as the options ask, and `output` hashes, compresses and stores them in one
pass. `container` is the writable layer of a container, and `box_path` the paths in it; below them, `file_system` has
names, `attributes` what files have besides names, `contents`, `open_file` and `file_data` their bytes.

A layer is described first. Its source is read when it is written, and nothing of it is held in memory:

    >>> import io, pathlib, tempfile
    >>> import oci_layers as oci
    >>> from oci_layers import build
    >>> from oci_layers.blob import MemoryBlobs
    >>> work = tempfile.TemporaryDirectory()
    >>> app = pathlib.Path(work.name, "app")
    >>> (app / "cache").mkdir(parents=True)
    >>> for name in ("lamp", "cache/oil.tmp", "cache/keep"):
    ...     (app / name).write_text("lit")
    3
    3
    3
    >>> layer = build.NewLayer.from_directory(app)
    >>> with oci.Layout.create(pathlib.Path(work.name, "layout")) as layout:
    ...     built: build.BuiltLayer = layer.write(layout.blobs)
    ...     layout.blobs.has_blob(built.descriptor.digest), built.descriptor.media_type
    (True, 'application/vnd.oci.image.layer.v1.tar+gzip')

What Docker does for `COPY --chown=1000:1000 --chmod=0755 app /srv/app`:

    >>> def show(layer: build.NewLayer) -> None:
    ...     blobs, tree = MemoryBlobs(), oci.FileTree()
    ...     digest = layer.write(blobs, codec=build.Codec(compression="")).descriptor.digest
    ...     oci.apply(oci.decode(oci.read_tar(blobs.open_blob(digest))), tree)
    ...     print(oci.tree.dump(tree), end="")
    >>> options = build.LayerOptions(
    ...     prefix="/srv/app",
    ...     keep_root=False,
    ...     uid=1000,
    ...     gid=1000,
    ...     mode=0o755,
    ...     clamp_mtime=0,
    ...     ignore="**/*.tmp",
    ...     keep_xattr=lambda name: build.is_portable_xattr(name) and not name.startswith(b"user."),
    ... )
    >>> show(build.NewLayer.from_directory(app, options=options))
    / dir 0755 0:0 0.000000000
    /srv dir 0755 0:0 0.000000000
    /srv/app dir 0755 1000:1000 0.000000000
    /srv/app/cache dir 0755 1000:1000 0.000000000
    /srv/app/cache/keep file 0755 1000:1000 0.000000000 text=lit
    /srv/app/lamp file 0755 1000:1000 0.000000000 text=lit

A layer for Windows has its files on the drive C:, with what Windows needs; its base tells that it is one:

    >>> drive = oci.FileTree(windows=True)
    >>> for_windows = build.NewLayer.from_directory(app, options=build.LayerOptions(base=drive, keep_root=False))
    >>> import io
    >>> [entry.name for entry in oci.read_tar(io.BytesIO(b"".join(for_windows.iter_tar())))][:3]
    [b'Hives', b'Files', b'Files/cache']

Patterns can be tried without any files:

    >>> ignore = build.Ignore.parse(["# All but one of these:", "cache", "!cache/keep"])
    >>> ignore.excludes("cache/oil"), ignore.excludes("cache/keep"), ignore.excludes("srv/cache")
    (True, False, False)

Trees, changes and tars are sources, too. The compression is a choice of the moment of writing, and so is the encoder;
the uncompressed tar does not depend on it:

    >>> from oci_layers.layer import Whiteout
    >>> gone = build.NewLayer.from_changes([Whiteout(b"srv/app/lamp")])
    >>> show(gone)
    / dir 0755 0:0 0.000000000
    >>> copy = build.NewLayer.from_tree(oci.scan(app))
    >>> blobs = MemoryBlobs()
    >>> len({copy.write(blobs, codec=build.Codec(compression=each)).diff_id for each in ("", "gzip", "zstd")})
    1
    >>> copy.write(blobs).diff_id == built.diff_id
    True
    >>> tar = pathlib.Path(work.name, "app.tar")
    >>> tar.write_bytes(b"".join(copy.iter_tar())) == built.plain_size
    True
    >>> build.NewLayer.from_tar(tar).write(blobs).diff_id == built.diff_id
    True

An image is a value, too: `begin` makes one of nothing or of an image that is open, `image` has its methods. Each
returns a new one; nothing is written before `write`, and what the target has is not written again:

    >>> from oci_layers.store import MemoryRepository
    >>> target = MemoryRepository()
    >>> base = oci.open_image("tests/data/image")
    >>> new: build.NewImage = build.edit(base).append(layer, created_by="COPY app /")
    >>> new = new.configure(env={"LAMP": "lit"}, cmd=["/lamp"], labels={"keeper": "Ida"})
    >>> descriptor = new.write(target, "app:1")
    >>> print(descriptor.platform)
    linux/amd64
    >>> image = oci.open_image(target, ref="app:1")
    >>> [one.descriptor == other.descriptor for one, other in zip(image.layers, base.layers)]
    [True, True, True, True, True]
    >>> for entry in image.config.history[-4:]:
    ...     print(entry.created_by, entry.empty_layer)
    COPY app / False
    LABEL keeper=Ida True
    ENV LAMP=lit True
    CMD ["/lamp"] True
    >>> build.edit(image).put(target.blobs).digest == descriptor.digest  # nothing was changed
    True
    >>> arm = build.scratch("linux/arm64").append(layer)

`index` has indexes, `artifact` artifacts:

    >>> index = build.NewIndex.of(new, arm).annotate({"org.opencontainers.image.version": "1"})
    >>> index.write(target, "app:all").media_type
    'application/vnd.oci.image.index.v1+json'
    >>> str(oci.open_image(target, ref="app:all", platform="linux/arm64").descriptor.platform)
    'linux/arm64'
    >>> log = build.ArtifactFile(content=b"lit at nine", media_type="text/plain", title="log.txt")
    >>> artifact = build.NewArtifact(artifact_type="application/x-log", files=[log], subject=descriptor)
    >>> artifact.write(target).artifact_type
    'application/x-log'

`squash` makes one layer of several; `rebase` gives an image another base, known by its diff_ids, or takes a layer out;
`strip` takes paths out of every layer:

    >>> squashed = build.squash(image, base=base, created="2024-01-31T12:00:00Z")
    >>> build.squash(image).write(target, "one").digest != descriptor.digest
    True
    >>> flat = oci.open_image(target, ref="one")
    >>> len(flat.layers), flat.tree() == image.tree()
    (1, True)
    >>> rebased = build.rebase(image, base, flat)
    >>> len(rebased.layers), len(build.drop_layer(image, 5).layers)
    (2, 5)
    >>> build.strip_paths(image, ["etc/motd"]).write(target, "stripped").platform == descriptor.platform
    True
    >>> stripped = oci.open_image(target, ref="stripped")
    >>> "etc/motd" in stripped.tree(), [layer.diff_id == image.layers[layer.index].diff_id for layer in stripped.layers]
    (False, [False, False, True, True, True, True])
    >>> for each in (base, image, flat, stripped):
    ...     each.close()
    >>> work.cleanup()

The files of an image can be changed as in a container that runs, in memory. What `commit` returns is a layer like any
other; what is not committed is gone at the end, and the image never changes:

    >>> image = oci.open_image("tests/data/image")
    >>> with build.WritableLayer(image, clock=lambda: 1_700_000_000 * 10**9) as box:
    ...     motd: build.BoxPath = box.root / "etc/motd"
    ...     with motd.open("a") as file:
    ...         file.write("Mind the rocks.\n")
    ...     (box.root / "etc/issue").hardlink_to(motd)
    ...     (box.root / "var/cache").rmtree()
    ...     (box.root / "srv/www").mkdir(parents=True)
    ...     changed = box.commit()
    16
    >>> for entry in oci.read_tar(io.BytesIO(b"".join(changed.iter_tar()))):
    ...     print(entry.name.decode(), entry.size)
    ./ 0
    etc/ 0
    etc/issue 53
    etc/motd 0
    srv/ 0
    srv/www/ 0
    var/ 0
    var/.wh.cache 0
    >>> image.close()
"""

from oci_layers.build.artifact import ArtifactFile, NewArtifact
from oci_layers.build.begin import edit, scratch
from oci_layers.build.box_path import BoxPath
from oci_layers.build.container import WritableLayer
from oci_layers.build.ignore import Ignore
from oci_layers.build.image import NewImage
from oci_layers.build.index import NewIndex
from oci_layers.build.layer import BuiltLayer, NewLayer
from oci_layers.build.options import Codec, LayerOptions, is_portable_xattr
from oci_layers.build.rebase import drop_layer, rebase
from oci_layers.build.squash import squash
from oci_layers.build.strip import strip_paths

__all__ = [
    "ArtifactFile",
    "BoxPath",
    "BuiltLayer",
    "Codec",
    "Ignore",
    "LayerOptions",
    "NewArtifact",
    "NewImage",
    "NewIndex",
    "NewLayer",
    "WritableLayer",
    "drop_layer",
    "edit",
    "is_portable_xattr",
    "rebase",
    "scratch",
    "squash",
    "strip_paths",
]
