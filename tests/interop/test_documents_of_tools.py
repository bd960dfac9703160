"""What umoci, buildah and skopeo write keeps the rules: each document by itself, and all of a layout together.

No document of theirs has an error under the profile `default`, nor for its schema. What is warned of is listed below
with the reason; so is the one way to make a tool write what is wrong.
"""

import io
import itertools
import json
import tarfile
from pathlib import Path

import pytest

from oci_layers import Descriptor, Digest, validate, verify_image
from oci_layers.errors import BlobMissingError
from oci_layers.spec.document import parse_index
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_INDEX,
    OCI_LAYOUT,
    OCI_MANIFEST,
    lookup,
)
from oci_layers.validation.schema import schema_errors
from tests.support.peers import Buildah, run

pytestmark = pytest.mark.root

WARNED_OF = {
    ("DSC-23", "note"): "umoci and containers/image leave out the platform of an entry in index.json",
    ("IDX-03", "warning"): "they leave out the mediaType of index.json",
    ("MAN-02", "warning"): "umoci 0.4.7 leaves out the mediaType of a manifest",
    ("MAN-13", "warning"): "a new image of umoci has no layers",
    ("MAN-15", "note"): "not every implementation must support zstd",
    ("ANN-02", "note"): "some labels given here have short keys",
    ("ANN-06", "warning"): "buildah writes an empty base.digest for an image from scratch",
    ("ANN-09", "warning"): "buildah writes an empty base.name for an image from scratch",
    ("CFG-22", "warning"): "umoci was told to write no history for a layer",
}
"""What the rules say of what the tools write, besides nothing; no rule of it is a MUST."""


class Bytes:
    """Everything in a layout, an archive or a directory of skopeo's, by the names of the files and by digest."""

    def __init__(self, name):
        self.transport, _, rest = name.partition(":")
        place = rest.partition(":")[0]
        if self.transport.endswith("-archive"):
            with tarfile.open(place) as archive:
                members = [member for member in archive.getmembers() if member.isreg()]
                self.files = {member.name: archive.extractfile(member).read() for member in members}
        else:
            whole = Path(place)
            self.files = {
                str(file.relative_to(whole)): file.read_bytes() for file in whole.rglob("*") if file.is_file()
            }
        self.blobs = {Digest.of(data): data for data in self.files.values()}

    def open_blob(self, digest):
        try:
            return io.BytesIO(self.blobs[digest])
        except KeyError:
            raise BlobMissingError(str(digest)) from None

    def top(self):
        """Return the documents to begin with, each with its media type; and the descriptors of what is below them."""
        if self.transport == "docker-archive":
            manifest = self._manifest_of_archive()
            return [(manifest, DOCKER_MANIFEST)], [Descriptor.of(manifest, media_type=DOCKER_MANIFEST)]
        if self.transport == "dir":
            raw = self.files["manifest.json"]
            media_type = json.loads(raw).get("mediaType", OCI_MANIFEST)
            return [(raw, media_type)], [Descriptor.of(raw, media_type=media_type)]
        index = self.files["index.json"]
        below = parse_index(index, Descriptor.of(index, media_type=OCI_INDEX)).value.manifests
        return [(index, OCI_INDEX), (self.files["oci-layout"], OCI_LAYOUT)], below

    def _manifest_of_archive(self):
        """Return what a registry would have for the image in a Docker archive."""
        (listed,) = json.loads(self.files["manifest.json"])

        def named(name, media_type):
            data = self.files[name]
            return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}

        config = named(listed["Config"], DOCKER_CONFIG)
        layers = [named(name, DOCKER_LAYER) for name in listed["Layers"]]
        written = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": layers}
        manifest = json.dumps(written).encode()
        self.blobs[Digest.of(manifest)] = manifest
        return manifest

    def documents(self):
        """Yield every document with its media type, the nested ones after what names them."""
        todo, _ = self.top()
        for raw, media_type in todo:
            yield raw, media_type
            value = json.loads(raw)
            for named in [*value.get("manifests", ()), *([value["config"]] if "layers" in value else ())]:
                row = lookup(named["mediaType"])
                assert row.role in {"index", "manifest", "config"}, "a tool wrote a type that is not expected here"
                todo.append((self.blobs[Digest.parse(named["digest"])], named["mediaType"]))


def judged(name, *, known=WARNED_OF):
    """Judge everything in a place, hold it against what is known, and return all media types of documents there."""
    place = Bytes(name)
    _, roots = place.top()
    found = {}
    kinds = set()
    for raw, media_type in place.documents():
        kinds.add(media_type)
        assert schema_errors(raw, media_type) == ()
        for breach in validate(raw, media_type):
            found.setdefault((breach.rule, breach.severity), (str(breach), raw))
    verification = verify_image(place, roots)
    for finding in verification.findings:
        found.setdefault((finding.rule, finding.severity), str(finding))
    assert {key: said for key, said in found.items() if key not in known} == {}
    if known is WARNED_OF:
        assert verification.ok
    assert verification.blobs >= len(kinds) - 2
    return kinds


# umoci


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    directory = tmp_path_factory.mktemp("source")
    (directory / "deep").mkdir()
    (directory / "deep" / "file").write_text("content")
    return directory


CONFIGURED = {
    "config.user": ["1000:5"],
    "config.exposedports": ["80/tcp", "53/udp", "9000"],
    "config.env": ["A=b", "B=c d", "PATH=/bin"],
    "config.entrypoint": ["/bin/a", "b"],
    "config.cmd": ["x"],
    "config.volume": ["/data", "/more"],
    "config.label": ["com.example.a=b", "short=c"],
    "config.workingdir": ["/w"],
    "config.stopsignal": ["SIGRTMIN+3"],
    "created": ["2020-01-02T03:04:05.123456789+01:00"],
    "author": ["Me <me@example.com>"],
    "architecture": ["arm64"],
    "os": ["linux"],
    "manifest.annotation": ["com.example.m=n", "org.opencontainers.image.title=a title"],
    "history.author": ["h"],
    "history.comment": ["c"],
    "history.created": ["2020-01-02T03:04:05Z"],
    "history.created_by": ["made by"],
}


@pytest.fixture(scope="module")
def umoci(tmp_path_factory, source):
    """A layout with everything that umoci does to images, each under its own tag."""
    directory = tmp_path_factory.mktemp("umoci")
    layout = f"{directory}/layout"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:new")
    options = [word for name, values in CONFIGURED.items() for value in values for word in (f"--{name}", value)]
    run("umoci", "config", "--image", f"{layout}:new", "--tag", "configured", *options)
    at = f"{layout}:configured"
    run(
        "umoci", "config", "--image", at, "--tag", "cleared", "--clear", "config.env", "--clear", "manifest.annotations"
    )
    run("umoci", "insert", "--image", f"{layout}:configured", "--tag", "inserted", source, "/s")
    run("umoci", "insert", "--image", f"{layout}:inserted", "--tag", "whiteout", "--whiteout", "/s/deep")
    run("umoci", "insert", "--image", f"{layout}:whiteout", "--tag", "opaque", "--opaque", source, "/s")
    run("umoci", "unpack", "--image", f"{layout}:opaque", f"{directory}/bundle")
    Path(f"{directory}/bundle/rootfs/made").write_text("made")
    run("umoci", "repack", "--image", f"{layout}:repacked", f"{directory}/bundle")
    run("umoci", "repack", "--image", f"{layout}:silent", "--no-history", f"{directory}/bundle")
    run("umoci", "tag", "--image", f"{layout}:repacked", "v1.0-rc.1_2")
    return layout


@pytest.mark.peer("umoci")
def test_what_umoci_writes(umoci):
    assert len(json.loads(Path(f"{umoci}/index.json").read_bytes())["manifests"]) == 9
    assert len(judged(f"oci:{umoci}")) == 4
    config = json.loads(run("umoci", "stat", "--image", f"{umoci}:configured", "--json"))
    assert config["history"][-1]["created_by"] == "made by"


@pytest.mark.peer("umoci")
def test_what_umoci_leaves_after_removing_and_collecting(tmp_path):
    layout = f"{tmp_path}/layout"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:a")
    run("umoci", "tag", "--image", f"{layout}:a", "b")
    run("umoci", "rm", "--image", f"{layout}:a")
    run("umoci", "gc", "--layout", layout)
    assert len(judged(f"oci:{layout}")) == 4


@pytest.mark.peer("umoci")
@pytest.mark.parametrize("commands", [[], ["new", "rm"]], ids=["made", "emptied"])
def test_an_index_without_images(tmp_path, commands):
    """umoci before 0.5.1 breaks the spec: it writes null for the entries, not an empty array."""
    layout = f"{tmp_path}/layout"
    run("umoci", "init", "--layout", layout)
    for command in commands:
        run("umoci", command, "--image", f"{layout}:a")
    raw = Path(f"{layout}/index.json").read_bytes()
    if json.loads(raw)["manifests"] is None:
        assert [breach.rule for breach in validate(raw, OCI_INDEX) if breach.severity == "error"] == ["IDX-05"]
        assert [problem.pointer for problem in schema_errors(raw, OCI_INDEX)] == ["/manifests"]
    else:
        assert judged(f"oci:{layout}") == {OCI_INDEX, OCI_LAYOUT}


# buildah

OPTIONS = {
    "author": ["Me <me@example.com>"],
    "workingdir": ["/w"],
    "entrypoint": ['["/a","b"]'],
    "cmd": ["c 'd e'"],
    "env": ["A=b", "B="],
    "label": ["com.example.a=b", "short=c", "org.opencontainers.image.licenses=MIT"],
    "annotation": ["com.example.n=o", "org.opencontainers.image.source=https://example.com/x"],
    "arch": ["arm64"],
    "variant": ["v8"],
    "os": ["linux"],
    "os-version": ["6.1"],
    "os-feature": ["seccomp"],
    "port": ["80", "53/udp", "443/tcp"],
    "volume": ["/data"],
    "stop-signal": ["SIGQUIT"],
    "user": ["1:2"],
    "comment": ["a comment"],
    "created-by": ["made by"],
    "history-comment": ["why"],
    "hostname": ["host"],
    "domainname": ["example.com"],
    "shell": ["/bin/sh -c"],
    "onbuild": ["RUN x"],
}
HEALTH = ["--healthcheck", "CMD /x", "--healthcheck-interval", "5s", "--healthcheck-retries", "3"]
HEALTH += ["--healthcheck-start-period", "1s", "--healthcheck-timeout", "2s"]


@pytest.fixture(scope="module")
def buildah(tmp_path_factory, source):
    """Images called plain, made-oci and made-docker, the latter two with every option that there is."""
    made = Buildah(tmp_path_factory.mktemp("buildah"))
    made("copy", "--quiet", made.container, source, "/s")
    made("config", "--arch", "amd64", made.container)
    made("commit", "--quiet", made.container, "plain")
    options = [word for name, values in OPTIONS.items() for value in values for word in (f"--{name}", value)]
    made("config", *options, made.container)
    made("config", *HEALTH, "--add-history", made.container)
    for format_ in ("oci", "docker"):
        made("commit", "--quiet", "--format", format_, made.container, f"made-{format_}")
    return made


PUSHED = ["oci:{}/layout:t", "oci-archive:{}/file.tar:t", "docker-archive:{}/file.tar:me/app:1", "dir:{}/dir"]


@pytest.mark.peer("buildah")
@pytest.mark.parametrize("target", PUSHED, ids=lambda target: target.partition(":")[0])
@pytest.mark.parametrize("image", ["oci", "docker"])
def test_what_buildah_pushes(buildah, tmp_path, image, target):
    name = target.format(tmp_path)
    buildah("push", "--quiet", f"localhost/made-{image}", name)
    kinds = judged(name)
    if target.startswith("dir:"):
        assert any(kind.startswith("application/vnd.docker.") == (image == "docker") for kind in kinds)


COMMITTED = {
    "squashed": ["--squash"],
    "without history, long ago": ["--omit-history", "--timestamp", "0"],
    "compressed": ["--disable-compression=false"],
    "without a label of its own": ["--identity-label=false", "--unsetenv", "A"],
}


@pytest.mark.peer("buildah")
@pytest.mark.parametrize("options", COMMITTED.values(), ids=COMMITTED)
@pytest.mark.parametrize("format_", ["oci", "docker"])
def test_what_buildah_commits_to_a_layout(buildah, tmp_path, options, format_):
    name = f"oci:{tmp_path}/layout:t"
    buildah("commit", "--quiet", "--format", format_, *options, buildah.container, name)
    assert len(judged(name)) == 4


@pytest.mark.peer("buildah")
def test_what_buildah_commits_above_another_image(buildah, tmp_path, source):
    upper = Buildah(buildah.directory, "localhost/made-oci")
    upper("copy", "--quiet", upper.container, source, "/t")
    name = f"oci:{tmp_path}/layout:t"
    upper("commit", "--quiet", upper.container, name)
    assert len(judged(name)) == 4
    (manifest,) = [json.loads(raw) for raw, media_type in Bytes(name).documents() if "manifest" in media_type]
    assert len(manifest["layers"]) == 2
    assert manifest["annotations"]["org.opencontainers.image.base.name"] == "localhost/made-oci:latest"


@pytest.fixture(scope="module")
def several(buildah):
    """A layout with an index of images for several platforms."""
    layout = f"{buildah.directory}/several"
    buildah("manifest", "create", "several")
    for image in ("made-oci", "plain"):
        buildah("manifest", "add", "several", f"localhost/{image}")
    buildah("manifest", "annotate", "--annotation", "com.example.a=b", "several", "localhost/plain")
    buildah("manifest", "annotate", "--os-version", "6.1", "--features", "sse4", "several", "localhost/made-oci")
    buildah("manifest", "push", "--all", "several", f"oci:{layout}:several")
    return f"oci:{layout}:several"


@pytest.mark.peer("buildah")
def test_what_buildah_pushes_for_several_platforms(several):
    assert len(judged(several)) == 4
    (inner,) = [json.loads(raw) for raw, media_type in list(Bytes(several).documents())[2:3] if media_type == OCI_INDEX]
    assert [entry["platform"]["architecture"] for entry in inner["manifests"]] == ["arm64", "amd64"]


@pytest.mark.peer("buildah")
@pytest.mark.parametrize(("format_", "expected"), [("oci", OCI_INDEX), ("v2s2", DOCKER_MANIFEST_LIST)])
def test_what_buildah_pushes_for_several_platforms_to_a_directory(buildah, several, tmp_path, format_, expected):
    buildah("manifest", "push", "--all", "--format", format_, "several", f"dir:{tmp_path}/dir")
    assert expected in judged(f"dir:{tmp_path}/dir")


@pytest.mark.peer("buildah")
def test_an_index_added_to_another_one(buildah, several, tmp_path):
    buildah("manifest", "create", "outer")
    buildah("manifest", "add", "--all", "outer", several)
    buildah("manifest", "push", "--all", "outer", f"oci:{tmp_path}/layout:t")
    assert len(judged(f"oci:{tmp_path}/layout:t")) == 4


@pytest.mark.peer("buildah")
def test_an_entry_that_buildah_is_told_to_give_another_architecture_than_its_image_has(buildah, tmp_path):
    buildah("manifest", "create", "wrong")
    buildah("manifest", "add", "--arch", "arm", "--variant", "v7", "wrong", "localhost/plain")
    buildah("manifest", "push", "--all", "wrong", f"oci:{tmp_path}/layout:t")
    judged(f"oci:{tmp_path}/layout:t", known=WARNED_OF | {("IDX-09", "error"): "as told"})
    place = Bytes(f"oci:{tmp_path}/layout")
    found = [each for each in verify_image(place, place.top()[1]).findings if each.severity == "error"]
    assert [(each.rule, each.location.pointer) for each in found] == [("IDX-09", "/manifests/0/platform")]


# skopeo

COPIED = {
    "oci": ("oci:{}/copy:t", []),
    "oci again": ("oci:{}/copy:t", ["--format", "oci"]),
    "oci zstd": ("oci:{}/copy:t", ["--dest-compress", "--dest-compress-format", "zstd"]),
    "oci gzip": ("oci:{}/copy:t", ["--dest-compress", "--dest-compress-format", "gzip"]),
    "oci plain": ("oci:{}/copy:t", ["--dest-decompress"]),
    "oci accepting plain": ("oci:{}/copy:t", ["--dest-oci-accept-uncompressed-layers", "--dest-decompress"]),
    "oci-archive": ("oci-archive:{}/copy.tar:t", []),
    "docker-archive": ("docker-archive:{}/copy.tar:me/app:1", []),
    "dir": ("dir:{}/copy", []),
    "dir oci": ("dir:{}/copy", ["--format", "oci"]),
    "dir v2s2": ("dir:{}/copy", ["--format", "v2s2"]),
    "dir zstd": ("dir:{}/copy", ["--format", "oci", "--dest-compress", "--dest-compress-format", "zstd"]),
    "dir plain": ("dir:{}/copy", ["--dest-decompress"]),
}


@pytest.mark.peer("skopeo", "umoci")
@pytest.mark.parametrize(("target", "options"), COPIED.values(), ids=COPIED)
def test_what_skopeo_copies(umoci, tmp_path, target, options):
    name = target.format(tmp_path)
    run("skopeo", "copy", "--quiet", *options, f"oci:{umoci}:repacked", name)
    kinds = judged(name)
    if "v2s2" in options:
        assert kinds == {DOCKER_MANIFEST, DOCKER_CONFIG}
    if "docker" not in target and "v2s2" not in options:
        assert not [kind for kind in kinds if "docker" in kind]
    layers = {layer["mediaType"] for layer in json.loads(list(Bytes(name).documents())[-2][0])["layers"]}
    assert len(layers) == 1
    assert ("zstd" in options) == layers.pop().endswith("zstd")


@pytest.mark.peer("skopeo", "buildah")
@pytest.mark.parametrize("image", ["oci", "docker"])
def test_what_skopeo_copies_back_and_forth(buildah, tmp_path, image):
    """Between Docker's types and the spec's, through every transport."""
    steps = ["dir:{}/1", "oci:{}/2:t", "docker-archive:{}/3.tar:me/app:1", "oci-archive:{}/4.tar:t", "dir:{}/5"]
    names = [step.format(tmp_path) for step in steps]
    buildah("push", "--quiet", "--format", {"oci": "oci", "docker": "v2s2"}[image], f"localhost/made-{image}", names[0])
    for before, name in itertools.pairwise(names):
        run("skopeo", "copy", "--quiet", before, name)
    for name in names:
        judged(name)


ALL = {
    "oci": ("oci:{}/copy:t", []),
    "oci-archive": ("oci-archive:{}/copy.tar:t", []),
    "oci zstd": ("oci:{}/copy:t", ["--dest-compress", "--dest-compress-format", "zstd"]),
    "dir": ("dir:{}/copy", []),
    "dir v2s2": ("dir:{}/copy", ["--format", "v2s2"]),
}


@pytest.mark.peer("skopeo", "buildah")
@pytest.mark.parametrize(("target", "options"), ALL.values(), ids=ALL)
def test_what_skopeo_copies_for_all_platforms(several, tmp_path, target, options):
    name = target.format(tmp_path)
    run("skopeo", "copy", "--quiet", "--all", *options, several, name)
    kinds = judged(name)
    assert (DOCKER_MANIFEST_LIST if "v2s2" in options else OCI_INDEX) in kinds


@pytest.mark.peer("skopeo", "umoci")
def test_an_archive_of_one_image_under_two_tags(umoci, tmp_path):
    name = f"docker-archive:{tmp_path}/all.tar"
    run("skopeo", "copy", "--quiet", f"oci:{umoci}:repacked", f"{name}:me/app:3", "--additional-tag", "me/app:latest")
    judged(name)
