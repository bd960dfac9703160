"""A place that holds images, against itself: its files, its documents, its blobs."""

import base64
import json
import os
import tarfile
from pathlib import Path

import pytest

from oci_layers import Limits, Platform, check_image
from oci_layers.errors import (
    LimitError,
    NameFormatError,
    PlaceMissingError,
    ReferenceMissingError,
    StoreError,
    UnsupportedError,
)
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_LAYOUT
from oci_layers.validation.findings import Findings
from tests.support import docker
from tests.support.findings import in_document
from tests.support.layers import Built, d, digest, f, tar, wh

LAYERS = tar(d("a/"), f("a/x", "one"), f("b", "two")), tar(wh("b"), f("c", "three"))


def found(name, **options):
    """The errors, as tuples."""
    checked = check_image(name, **options)
    return [
        (flaw.rule, flaw.location.document or str(flaw.location.digest), flaw.location.pointer)
        for flaw in checked.findings
        if flaw.severity == "error"
    ]


@pytest.fixture
def built(tmp_path):
    return Built.of(tmp_path / "image", *LAYERS)


def several(directory, *names, platforms=()):
    """Some images in one layout; each is for the platform at its place, if there is one."""
    entries = []
    for number, name in enumerate(names):
        built = Built.of(directory, tar(f(f"{name}{number}")), ref=name)
        if number < len(platforms):
            built.config["os"], built.config["architecture"] = platforms[number].split("/")
        built.write()
        entry = json.loads((Path(directory) / "index.json").read_text())["manifests"][0]
        if number < len(platforms):
            entry["platform"] = {key: built.config[key] for key in ("os", "architecture")}
        entries.append(entry)
    rewrite(directory, "index.json", lambda index: index.update(manifests=entries))
    return str(directory), entries


def rewrite(directory, name, change):
    file = Path(directory) / name
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def damage(directory, name, change=lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])):
    file = Path(directory, "blobs", *name.split(":"))
    file.write_bytes(change(file.read_bytes()))


def test_a_good_image_is_ok_however_it_is_named(built, tmp_path):
    directory = built.write()
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.add(directory, ".")
    sizes = [os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(directory) for name in names]
    for name in (
        directory,
        Path(directory),
        f"oci:{directory}",
        f"oci:{directory}:t",
        f"oci-archive:{tmp_path}/image.tar",
    ):
        checked = check_image(name)
        assert checked.ok
        assert (checked.blobs, checked.documents, checked.layers, checked.files) == (4, 2, 2, 2)
        assert checked.bytes == sum(sizes)


def test_fast_reads_no_layer(built):
    directory = built.write()
    damage(directory, built.layers[0]["descriptor"]["digest"])
    checked = check_image(directory, documents_only=True)
    assert (checked.ok, checked.blobs, checked.layers) == (True, 2, 0)


def test_the_marker_and_the_index_are_judged_as_documents(built):
    directory = built.write()
    Path(directory, "oci-layout").write_text('{\n"imageLayoutVersion": "2"}')
    rewrite(directory, "index.json", lambda index: index.update(schemaVersion=1, config={}))
    flaws = [flaw for flaw in check_image(directory).findings if flaw.severity == "error"]
    assert [
        (
            each.rule,
            each.location.document,
            each.location.media_type,
            each.location.pointer,
            each.location.line,
            each.location.value,
        )
        for each in flaws
    ] == [
        ("LAY-02", "oci-layout", OCI_LAYOUT, "/imageLayoutVersion", 2, '"2"'),
        ("MAN-21", "index.json", OCI_INDEX, "/config", 1, "{}"),
        ("IDX-02", "index.json", OCI_INDEX, "/schemaVersion", 1, "1"),
    ]


def test_below_an_index_that_cannot_be_read_nothing_is_looked_for(built):
    directory = built.write()
    Path(directory, "index.json").write_text('{"schemaVersion": 2,\n')
    checked = check_image(directory)
    (flaw,) = checked.findings
    assert (flaw.rule, flaw.location.document, flaw.location.line, checked.blobs, checked.files) == (
        "CON-04",
        "index.json",
        2,
        0,
        2,
    )


@pytest.mark.parametrize(("name", "rule", "blobs"), [("oci-layout", "LAY-02", 4), ("index.json", "LAY-03", 0)])
def test_a_file_of_the_layout_that_is_missing_is_a_finding(built, name, rule, blobs):
    directory = built.write()
    Path(directory, name).unlink()
    checked = check_image(directory)
    (flaw,) = [flaw for flaw in checked.findings if flaw.severity == "error"]
    assert (flaw.rule, flaw.location.document, flaw.message) == (rule, name, "is missing")
    assert (checked.blobs, checked.files) == (blobs, 1)


MARKER, EMPTY_INDEX = '{"imageLayoutVersion":"1.0.0"}', '{"schemaVersion":2,"manifests":[]}'


@pytest.mark.parametrize(
    ("blobs", "errors"),
    [
        ("directory", []),
        ("file", [("LAY-01", "blobs", "")]),
        ("link", [("LAY-01", "blobs", "")]),
        ("", [("LAY-01", "blobs", "")]),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_a_layout_has_a_directory_of_blobs_that_may_be_empty(tmp_path, blobs, errors, archive):
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "oci-layout").write_text(MARKER)
    (layout / "index.json").write_text(EMPTY_INDEX)
    if blobs == "directory":
        (layout / "blobs").mkdir()
    elif blobs == "file":
        (layout / "blobs").write_text("")
    elif blobs == "link":
        (layout / "blobs").symlink_to(tmp_path)
    if archive:
        with tarfile.open(tmp_path / "archive", "w") as writer:
            for path in sorted(layout.iterdir()):
                writer.add(path, path.name)
    assert found(tmp_path / ("archive" if archive else "layout")) == errors


def test_blobs_of_an_archive_need_no_directory_of_their_own(built, tmp_path):
    directory = built.write()
    with tarfile.open(tmp_path / "archive", "w") as writer:
        for path in sorted(Path(directory).rglob("*")):
            if path.is_file():
                writer.add(path, path.relative_to(directory))
    assert found(tmp_path / "archive") == []


def test_what_is_no_image_at_all_is_refused(tmp_path):
    (tmp_path / "file").write_text("x" * 600)
    for name, error in [
        (tmp_path, StoreError),
        (tmp_path / "none", PlaceMissingError),
        ("docker-archive:" + docker.archive(tmp_path / "a.tar", [f("x")]), StoreError),
        ("ftp:x", UnsupportedError),
        ("", NameFormatError),
    ]:
        with pytest.raises(error):
            check_image(name)


def test_an_error_names_the_place(built):
    directory = built.write()
    with pytest.raises(LimitError) as raised:
        check_image(directory, limits=Limits(document_bytes=5))
    assert (raised.value.limit, raised.value.__notes__) == ("document_bytes", [directory])


def test_a_blob_that_nothing_names_is_no_error(built):
    directory = built.write()
    Path(directory, "blobs", "sha256", "0" * 64).write_text("junk")
    assert found(directory) == []


def test_findings_between_documents_have_places_too(built):
    built.config["rootfs"]["diff_ids"].reverse()
    directory = built.write()
    config = built.manifest["config"]["digest"]
    flaws = {flaw.location.pointer: flaw for flaw in check_image(directory).findings if flaw.rule == "CHN-01"}
    raw = Path(directory, "blobs", *config.split(":")).read_text()
    for number, said in enumerate(built.config["rootfs"]["diff_ids"]):
        flaw = flaws[f"/rootfs/diff_ids/{number}"]
        assert (flaw.location.line, flaw.location.column, flaw.location.media_type) == (1, raw.index(said), OCI_CONFIG)
        assert flaw.location.value == f'"{said}"'[:57] + "..."
        assert flaw.location.named_by == f"/config of {digest(json.dumps(built.manifest).encode())}"


def test_a_finding_in_a_document_that_is_embedded_has_no_place(built):
    built.config["os"] = 7
    raw = json.dumps(built.config).encode()
    descriptor = built.put(raw, OCI_CONFIG)
    built.manifest["config"] = descriptor | {"data": base64.b64encode(raw).decode()}
    directory = built.write()
    Path(directory, "blobs", *descriptor["digest"].split(":")).unlink()
    (flaw,) = [flaw for flaw in check_image(directory).findings if flaw.severity == "error"]
    assert (flaw.location.pointer, str(flaw.location.digest), flaw.location.line) == ("/os", descriptor["digest"], None)


def test_the_platform_of_an_entry_is_a_place_in_the_index(tmp_path):
    directory, _ = several(tmp_path, "a", platforms=["linux/arm64"])
    rewrite(directory, "index.json", lambda index: index["manifests"][0]["platform"].update(architecture="amd64"))
    (flaw,) = [flaw for flaw in check_image(directory).findings if flaw.severity == "error"]
    assert (flaw.rule, flaw.location.document, flaw.location.pointer) == (
        "IDX-09",
        "index.json",
        "/manifests/0/platform",
    )
    raw = Path(directory, "index.json").read_text()
    assert (flaw.location.line, flaw.location.column) == (1, raw.index('{"os"') + 1)
    rewrite(directory, "index.json", lambda index: index["manifests"][0].update(size=7))
    (flaw,) = [flaw for flaw in check_image(directory).findings if flaw.severity == "error"]
    assert (flaw.rule, flaw.message) == ("DSC-08", "has more bytes than the 7 that /manifests/0 of index.json says")


def test_without_a_reference_all_images_are_checked_and_with_one_only_those(tmp_path):
    directory, entries = several(tmp_path, "a", "b", "c")
    damage(directory, entries[1]["digest"])
    wrong = [("DSC-05", entries[1]["digest"], "")]
    assert found(directory) == found(directory, ref="b") == found(f"oci:{directory}:b") == wrong
    assert found(directory, ref="a") == found(f"oci:{directory}:c") == []
    assert check_image(directory, ref="a").blobs == 3
    with pytest.raises(ReferenceMissingError) as raised:
        check_image(directory, ref="d")
    assert raised.value.known == ("a", "b", "c")
    with pytest.raises(NameFormatError):
        check_image(f"oci:{directory}:a", ref="b")


def test_with_a_platform_only_that_image_is_checked(tmp_path):
    directory, entries = several(tmp_path, "a", "a", platforms=["linux/amd64", "linux/arm64"])
    damage(directory, entries[1]["digest"])
    assert found(directory, platform="linux/amd64") == []
    wrong = [("DSC-05", entries[1]["digest"], "")]
    assert found(directory, platform=Platform.parse("linux/arm64"), ref="a") == wrong
    with pytest.raises(ReferenceMissingError):
        check_image(directory, platform="linux/s390x")


def test_a_platform_that_the_index_leaves_out_is_that_of_the_config(built):
    directory = built.write()
    assert found(directory, platform="linux/amd64") == []
    with pytest.raises(ReferenceMissingError):
        check_image(directory, platform="linux/arm64")


def test_an_image_in_an_index_in_the_index_can_be_chosen_by_its_platform(tmp_path):
    directory, entries = several(tmp_path, "a", "b", platforms=["linux/amd64", "linux/arm64"])
    nested = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    Path(tmp_path, "blobs", "sha256", digest(nested)[7:]).write_bytes(nested)
    entry = {"mediaType": OCI_INDEX, "digest": digest(nested), "size": len(nested)}
    rewrite(directory, "index.json", lambda index: index.update(manifests=[entry]))
    damage(directory, entries[1]["digest"])
    assert check_image(directory, platform="linux/amd64").blobs == 3
    assert found(directory) == [("DSC-05", entries[1]["digest"], "")]
    damage(directory, digest(nested))
    assert found(directory, platform="linux/amd64") == [("DSC-05", digest(nested), "")]


def remove(directory, *names):
    for name in names:
        Path(directory, "blobs", *name.split(":")).unlink()


def test_a_manifest_that_an_index_lists_need_not_be_there_beside_one_that_is(tmp_path):
    directory, entries = several(tmp_path, "a", "a", "a", platforms=["linux/amd64", "linux/arm64", "linux/s390x"])
    remove(directory, entries[0]["digest"], entries[2]["digest"])
    checked = check_image(directory)
    flaws = [flaw for flaw in checked.findings if flaw.rule == "LAY-07"]
    assert checked.ok
    assert [(flaw.severity, flaw.location.document, flaw.location.pointer) for flaw in flaws] == [
        ("note", "index.json", "/manifests/0"),
        ("note", "index.json", "/manifests/2"),
    ]
    message = f"{entries[0]['digest']} is not there, and need not be, since another image of this index is"
    assert flaws[0].message == message
    assert check_image(directory, platform="linux/arm64").ok
    for platform, entry in (("linux/amd64", entries[0]), ("linux/s390x", entries[2])):
        assert found(directory, platform=platform) == [("LAY-05", entry["digest"], "")]
    remove(directory, entries[1]["digest"])
    assert found(directory) == [("LAY-05", entry["digest"], "") for entry in sorted(entries, key=lambda e: e["digest"])]


def test_the_manifest_of_an_image_with_a_name_of_its_own_must_be_there(tmp_path):
    """Another name is another image: who asks for this one gets nothing."""
    directory, entries = several(tmp_path, "a", "b")
    remove(directory, entries[1]["digest"])
    assert found(directory) == found(directory, ref="b") == [("LAY-05", entries[1]["digest"], "")]
    assert found(directory, ref="a") == []


def test_an_image_in_an_index_in_the_index_is_checked_by_its_digest(tmp_path):
    directory, entries = several(tmp_path, "a", "b", platforms=["linux/amd64", "linux/arm64"])
    nested = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    Path(tmp_path, "blobs", "sha256", digest(nested)[7:]).write_bytes(nested)
    entry = {"mediaType": OCI_INDEX, "digest": digest(nested), "size": len(nested)}
    rewrite(directory, "index.json", lambda index: index.update(manifests=[entry]))
    damage(directory, entries[1]["digest"])
    assert check_image(f"oci:{directory}@{entries[0]['digest']}").ok
    assert found(directory, ref=entries[1]["digest"]) == [("DSC-05", entries[1]["digest"], "")]


@pytest.mark.parametrize("make", [docker.classic, docker.skopeo, docker.crane])
def test_an_archive_of_dockers_is_checked(tmp_path, make):
    file = docker.archive(tmp_path / "a.tar", make(*LAYERS))
    for name in (file, f"docker-archive:{file}", f"docker-archive:{file}:app:1"):
        checked = check_image(name)
        assert checked.ok
        assert (checked.blobs, checked.documents, checked.layers) == (4, 2, 2)
    assert check_image(file, platform="linux/amd64").ok
    with pytest.raises(ReferenceMissingError):
        check_image(file, platform="linux/arm64")
    with pytest.raises(ReferenceMissingError):
        check_image(file, ref="other")


def test_all_images_of_an_archive_are_checked(tmp_path):
    configs = [docker.config(layer) for layer in LAYERS]
    names = [docker.hexdigest(raw) + ".json" for raw in configs]
    listing = docker.listing((names[0], ["one:1"], ["0.tar"]), (names[1], ["other:1"], ["1.tar"]))
    entries = [f(names[0], configs[0]), f(names[1], configs[1]), f("0.tar", LAYERS[0]), f("1.tar", LAYERS[0]), listing]
    file = docker.archive(tmp_path / "a.tar", entries)
    assert found(file, ref="one:1") == []
    assert found(file) == found(file, ref="other:1")
    assert {(rule[:3], document) for rule, document, _ in found(file)} == {("DSC", "1.tar")}


def test_of_the_images_of_an_archive_those_for_a_platform_are_checked(tmp_path):
    configs = [docker.config(layer, architecture=each) for layer, each in zip(LAYERS, ("amd64", "arm64"), strict=True)]
    rows = [(f"{number}.json", ["app:1"], [f"{number}.tar"]) for number in (0, 1)]
    files = [f(f"{number}.json", raw) for number, raw in enumerate(configs)]
    file = docker.archive(
        tmp_path / "a.tar", [*files, f("0.tar", LAYERS[0]), f("1.tar", LAYERS[0]), docker.listing(*rows)]
    )
    assert found(file, platform="linux/amd64") == []
    wrong = found(file, platform="linux/arm64")
    assert {document for _, document, _ in wrong} == {"1.tar"}
    assert found(file) == found(file, ref="app:1") == wrong
    assert found(file, ref="@0") == []
    with pytest.raises(ReferenceMissingError) as raised:
        check_image(file, platform="linux/s390x")
    assert (raised.value.name, raised.value.known) == ("linux/s390x", ("linux/amd64", "linux/arm64"))


@pytest.mark.parametrize("wrong", [0, 1])
def test_of_two_files_for_one_layer_each_is_checked(tmp_path, wrong):
    rows = [(f"{number}.json", [f"app:{number}"], [f"{number}.tar"]) for number in (0, 1)]
    configs = [f(f"{number}.json", docker.config(LAYERS[0], author=f"{number}")) for number in (0, 1)]
    layers = LAYERS[0], LAYERS[0].replace(b"one", b"eno")
    files = [f(f"{number}.tar", layers[number == wrong]) for number in (0, 1)]
    file = docker.archive(tmp_path / "a.tar", [*configs, *files, docker.listing(*rows)])
    assert {document.partition(".")[0] for _, document, _ in found(file)} == {str(wrong)}
    assert found(file, ref=f"app:{1 - wrong}") == []


CONFIG = docker.config(*LAYERS)
NAME = docker.hexdigest(CONFIG) + ".json"


def by_hand(tmp_path, config=CONFIG, name=NAME, layers=LAYERS, listed=("0.tar", "1.tar")):
    files = [f(f"{number}.tar", data) for number, data in enumerate(layers)]
    return docker.archive(
        tmp_path / "a.tar", [f(name, config), *files, docker.listing((name, ["app:1"], list(listed)))]
    )


def test_what_keeps_an_image_of_dockers_from_being_one_is_a_finding(tmp_path):
    changed = CONFIG.replace(b"amd64", b"arm64")
    assert found(by_hand(tmp_path, changed)) == [("DSC-05", NAME, "")]
    assert found(by_hand(tmp_path, layers=LAYERS[:1])) == [("LAY-05", "manifest.json", "")]
    assert found(by_hand(tmp_path, listed=("0.tar",))) == [("CFG-20", NAME, "/rootfs/diff_ids")]
    broken = CONFIG.replace(b'"os": "linux"', b'"os": 7')
    name = docker.hexdigest(broken) + ".json"
    assert found(by_hand(tmp_path, broken, name)) == [("CFG-06", name, "/os")]
    assert found(by_hand(tmp_path, CONFIG[:-1], "config.json")) == [("CON-04", "config.json", "")]
    swapped = by_hand(tmp_path, layers=LAYERS[::-1])
    assert {(rule, document) for rule, document, _ in found(swapped)} <= {
        (rule, name) for rule in ("DSC-05", "DSC-08") for name in ("0.tar", "1.tar")
    }
    assert len(found(swapped)) == 2


def test_what_is_said_of_a_manifest_that_was_made_has_no_place(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "oci_layers.validation.document.validate",
        lambda raw, *_, **__: Findings([in_document("X", "note", "/layers", "odd")]),
    )
    flaws = check_image(by_hand(tmp_path)).findings
    assert [(flaw.location.document, flaw.location.line) for flaw in flaws] == [("manifest.json", None), (NAME, 1)]


def test_layers_and_configs_are_named_with_their_media_types(built):
    directory = built.write()
    damage(directory, built.layers[1]["descriptor"]["digest"], lambda raw: raw + b"x")
    (flaw,) = [flaw for flaw in check_image(directory).findings if flaw.severity == "error"]
    assert (flaw.location.media_type, flaw.location.line) == (OCI_LAYER_GZIP, None)
    assert flaw.location.named_by.startswith("/layers/1 of sha256:")


def test_progress_is_told(built):
    seen = []
    check_image(built.write(), progress=seen.append)
    assert seen[-1].done == seen[-1].total
