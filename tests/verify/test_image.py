"""A whole image against its own digests, and its documents against one another."""

import base64
import hashlib
import io
import itertools
import json
import os
import threading
import time
from pathlib import Path

import pytest

from oci_layers.errors import BlobMissingError, UnsupportedError
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.platform import Platform
from oci_layers.store.check import check_image
from oci_layers.validation import document
from oci_layers.validation.findings import Findings
from oci_layers.validation.rules import DOCUMENT_RULES
from oci_layers.verify.image import Verification, verify_image
from tests.support.layers import COMPRESS, MEDIA_TYPES, d, digest, f, tar, wh
from tests.support.scripts import run_script

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER = "application/vnd.docker."
ROOT = Path(__file__).parent.parent.parent
BASE = tar(d("a/"), f("a/x", "one"), f("b", "two"))
UPPER = tar(wh("b"), f("c", "three"))


class Blobs:
    """A source that tells what was opened."""

    def __init__(self):
        self.stored = {}
        self.opened = []

    def open_blob(self, digest):
        self.opened.append(str(digest))
        try:
            return io.BytesIO(self.stored[str(digest)])
        except KeyError:
            raise BlobMissingError(str(digest)) from None

    def put(self, data, media_type, **fields):
        """Store bytes, or a document, and return its descriptor."""
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.stored[digest(raw)] = raw
        return {"mediaType": media_type, "digest": digest(raw), "size": len(raw), **fields}


def descriptor(found, **fields):
    """The typed form of a JSON descriptor."""
    return Descriptor(media_type=found["mediaType"], digest=Digest.parse(found["digest"]), size=found["size"], **fields)


class Made:
    """An index with one image of two layers, in which everything can be changed before `verify` puts it together."""

    def __init__(self, *tars, compression="gzip"):
        self.blobs = Blobs()
        tars = tars or (BASE, UPPER)
        self.layers = [self.blobs.put(COMPRESS[compression](plain), MEDIA_TYPES[compression]) for plain in tars]
        self.config = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest(plain) for plain in tars]},
        }
        self.config_type = CONFIG
        self.manifest = {"schemaVersion": 2, "mediaType": MANIFEST}
        self.entry = {"platform": {"os": "linux", "architecture": "amd64"}}
        self.index = {"schemaVersion": 2, "mediaType": INDEX}

    def build(self):
        """Store the documents; remember their digests and return the root."""
        config = self.blobs.put(self.config, self.config_type)
        self.manifest = {"config": config, "layers": self.layers} | self.manifest
        entry = self.blobs.put(self.manifest, self.manifest["mediaType"], **self.entry)
        self.index = {"manifests": [entry]} | self.index
        root = self.blobs.put(self.index, self.index["mediaType"])
        self.ids = {"config": config["digest"], "manifest": entry["digest"], "index": root["digest"]}
        self.ids |= {f"layer {i}": layer["digest"] for i, layer in enumerate(self.layers)}
        return descriptor(root)

    def verify(self, **options):
        root = self.build()
        self.blobs.opened.clear()
        return verify_image(self.blobs, [root], **options)

    def named(self, found):
        """The findings as tuples with names for their digests, in the order of their rules."""
        names = {value: key for key, value in self.ids.items()}
        return sorted(
            (
                each.rule,
                each.severity,
                names.get(str(each.location.digest), str(each.location.digest)),
                each.location.pointer,
            )
            for each in found.findings
        )


def test_an_intact_image_has_no_findings_and_every_blob_is_read_once():
    made = Made()
    found = made.verify()
    size = sum(map(len, made.blobs.stored.values()))
    assert found == Verification(findings=(), blobs=5, bytes=size, documents=3, layers=2)
    assert found.ok
    assert sorted(made.blobs.opened) == sorted(made.blobs.stored)


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_an_intact_image_is_intact_however_it_is_compressed_and_read(compression, threads):
    found = Made(compression=compression).verify(threads=threads)
    assert [(each.rule, each.severity) for each in found.findings] == [("MAN-15", "note")] * 2 * (compression == "zstd")
    assert (found.ok, found.blobs) == (True, 5)


def test_fast_opens_no_layer():
    made = Made()
    made.layers[0]["size"] += 1
    found = made.verify(documents_only=True)
    assert (found.findings, found.blobs) == ((), 3)
    assert sorted(made.blobs.opened) == sorted(made.ids[name] for name in ("config", "manifest", "index"))


def flipped(raw):
    return raw[:-3] + bytes([raw[-3] ^ 0x10]) + raw[-2:]


BLOBS = ["config", "manifest", "index", "layer 0", "layer 1"]


@pytest.mark.parametrize("name", BLOBS)
@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        pytest.param(flipped, "DSC-05", id="flip"),
        pytest.param(lambda raw: raw[:-1], "DSC-08", id="cut"),
        pytest.param(lambda _: b"", "DSC-08", id="nothing"),
        pytest.param(lambda raw: raw + b"\0", "DSC-08", id="extend"),
        pytest.param(lambda raw: b"!" * len(raw), "DSC-05", id="another of its size"),
    ],
)
def test_a_blob_that_is_not_what_its_digest_says_is_called_that_alone(name, damage, rule):
    made = Made()
    root = made.build()
    made.blobs.stored[made.ids[name]] = damage(made.blobs.stored[made.ids[name]])
    found = verify_image(made.blobs, [root])
    assert made.named(found) == [(rule, "error", name, "")]
    assert not found.ok


def test_what_is_wrong_with_a_blob_is_said_with_numbers():
    made = Made()
    root = made.build()
    first, second = (layer["digest"] for layer in made.layers)
    raw = made.blobs.stored[first]
    made.blobs.stored |= {first: raw[:-1], second: made.blobs.stored[second] + b"x"}
    messages = {str(each.location.digest): each.message for each in verify_image(made.blobs, [root]).findings}
    place = f"of {made.ids['manifest']} says"
    assert messages == {
        first: f"has {len(raw) - 1} bytes, not the {len(raw)} that /layers/0 {place}",
        second: f"has more bytes than the {made.layers[1]['size']} that /layers/1 {place}",
    }
    made.blobs.stored |= {first: flipped(raw), made.ids["index"]: b"short"}
    (finding,) = verify_image(made.blobs, [root]).findings
    assert str(finding) == (
        f"error DSC-08 {root.digest}: has 5 bytes, not the {root.size} that the root's descriptor says"
    )


@pytest.mark.parametrize("name", BLOBS)
def test_a_blob_that_is_missing_is_named(name):
    made = Made()
    root = made.build()
    del made.blobs.stored[made.ids[name]]
    assert made.named(verify_image(made.blobs, [root])) == [("LAY-05", "error", name, "")]


def test_two_blobs_in_each_others_place_are_both_found():
    made = Made()
    root = made.build()
    first, second = made.ids["layer 0"], made.ids["layer 1"]
    made.blobs.stored[first], made.blobs.stored[second] = made.blobs.stored[second], made.blobs.stored[first]
    assert {(rule[:4], name) for rule, _, name, _ in made.named(verify_image(made.blobs, [root]))} == {
        ("DSC-", "layer 0"),
        ("DSC-", "layer 1"),
    }


def test_two_layers_in_each_others_place_do_not_have_the_diff_ids():
    made = Made()
    made.layers.reverse()
    found = made.verify()
    assert [(each.rule, str(each.location.digest), each.location.pointer, each.message) for each in found.findings] == [
        (
            "CHN-01",
            made.ids["config"],
            f"/rootfs/diff_ids/{index}",
            f"is {digest(said)}, but the plain bytes of layer {made.layers[index]['digest']} are {digest(plain)}",
        )
        for index, said, plain in [(0, BASE, UPPER), (1, UPPER, BASE)]
    ]


def test_a_layer_that_stands_twice_is_read_once_and_compared_with_both():
    made = Made(BASE, BASE)
    made.config["rootfs"]["diff_ids"][1] = digest(UPPER)
    assert made.named(made.verify()) == [("CHN-01", "error", "config", "/rootfs/diff_ids/1")]
    assert made.blobs.opened.count(made.layers[0]["digest"]) == 1


def test_diff_ids_may_be_of_several_algorithms_and_of_none_that_is_known():
    made = Made(BASE, UPPER)
    made.config["rootfs"]["diff_ids"] = ["sha512:" + hashlib.sha512(BASE).hexdigest(), "unknown:abc"]
    assert made.named(made.verify(profile="lenient")) == [("DIG-08", "error", "config", "/rootfs/diff_ids/1")]


@pytest.mark.parametrize("at", [0, 1])
def test_a_diff_id_that_was_dropped_is_missed(at):
    made = Made()
    del made.config["rootfs"]["diff_ids"][at]
    (finding,) = made.verify().findings
    assert (finding.rule, finding.location.pointer) == ("CFG-20", "/rootfs/diff_ids")
    assert finding.message == f"has 1 diff_ids for the 2 layers of manifest {made.ids['manifest']}"


def test_a_history_that_does_not_cover_the_layers_is_a_warning():
    made = Made()
    made.config["history"] = [{"created_by": "one"}]
    found = made.verify()
    assert made.named(found) == [("CFG-22", "warning", "config", "/history")]
    assert found.ok
    assert not made.verify(profile="strict").ok


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({"os": "linux", "architecture": "x86_64"}, [], id="another name"),
        pytest.param({"os": "linux", "architecture": "arm64"}, [("IDX-09", "error")], id="architecture"),
        pytest.param({"os": "windows", "architecture": "amd64"}, [("IDX-09", "error")], id="system"),
        pytest.param({"os": "linux", "architecture": "amd64", "variant": "v3"}, [("IDX-12", "warning")], id="variant"),
        pytest.param({"os": "linux", "architecture": "amd64", "os.version": "2"}, [("IDX-10", "warning")], id="build"),
    ],
)
def test_the_platform_of_an_entry_is_that_of_the_config(said, expected):
    made = Made()
    made.config |= {"variant": "v2", "os.version": "1"}
    made.entry["platform"] = said
    assert made.named(made.verify(profile="lenient")) == [
        (*each, "index", "/manifests/0/platform") for each in expected
    ]


def test_a_platform_that_is_no_name_is_compared_as_it_stands_and_shown_escaped():
    made = Made()
    made.entry["platform"] = {"os": "li\x1bnux", "architecture": "amd64"}
    messages = [each.message for each in made.verify().findings if each.rule == "IDX-09" and "but" in each.message]
    assert messages == [f"is li\\x1bnux/amd64, but linux/amd64 in the config of {made.ids['config']}"]


def test_an_attestation_has_no_platform_to_compare():
    made = Made()
    made.entry["platform"] = {"os": "unknown", "architecture": "unknown"}
    assert [each for each in made.verify().findings if "in the config" in each.message] == []


def test_a_root_is_held_against_its_own_descriptor():
    made = Made()
    made.build()
    manifest = made.index["manifests"][0]
    root = descriptor(manifest, platform=Platform(os="linux", architecture="arm"), data=b"other")
    found = verify_image(made.blobs, [root])
    assert made.named(found) == [("DSC-16", "error", "manifest", ""), ("IDX-09", "error", "manifest", "")]


def embed(found, data):
    return found | {"data": base64.b64encode(data).decode()}


def test_embedded_data_that_is_something_else_is_found_beside_a_good_blob():
    made = Made()
    made.layers[0] = embed(made.layers[0], b"other")
    assert made.named(made.verify()) == [("DSC-16", "error", "manifest", "/layers/0/data")]


def test_embedded_data_stands_for_a_blob_that_is_not_there():
    made = Made()
    raw = made.blobs.stored[made.layers[0]["digest"]]
    made.layers[0] = embed(made.layers[0], raw)
    del made.blobs.stored[made.layers[0]["digest"]]
    assert made.verify().findings == ()
    made = Made()
    made.layers = [made.layers[0], embed(made.layers[0], raw)]
    made.config["rootfs"]["diff_ids"] = [digest(BASE)] * 2
    del made.blobs.stored[made.layers[0]["digest"]]
    assert [each.rule for each in made.verify().findings] == ["LAY-05"]


def test_a_document_is_found_at_the_place_that_embeds_it_though_another_does_not():
    made = Made()
    root = made.build()
    raw = made.blobs.stored.pop(made.ids["index"])
    del made.blobs.stored[made.ids["layer 1"]]
    embedded = Descriptor(media_type=INDEX, digest=root.digest, size=root.size, data=raw)
    assert made.named(verify_image(made.blobs, [root, embedded])) == [
        ("LAY-05", "error", "index", ""),
        ("LAY-05", "error", "layer 1", ""),
    ]


def test_indexes_in_a_circle_have_a_wrong_digest():
    blobs = Blobs()
    first = blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, INDEX)
    second = blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": [first]}, INDEX)
    circle = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [second]}).encode()
    blobs.stored[first["digest"]] = circle
    found = verify_image(blobs, [descriptor(second), descriptor(first)])
    assert [(each.rule, str(each.location.digest)) for each in found.findings] == [("DSC-08", first["digest"])]
    assert len(blobs.opened) == 2


def nested(blobs, depth):
    found = blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, INDEX)
    for _ in range(depth):
        found = blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": [found]}, INDEX)
    return found


def test_indexes_are_followed_down_to_a_limit():
    blobs = Blobs()
    assert verify_image(blobs, [descriptor(nested(blobs, 15))]).findings == ()
    (finding,) = verify_image(blobs, [descriptor(nested(blobs, 16))]).findings
    assert (finding.rule, finding.severity) == ("LIM-02", "error")
    assert finding.message == "limit index_depth is 16, this one is deeper inside other indexes"


def test_descriptors_are_counted_and_those_past_the_limit_not_followed():
    made = Made()
    (finding,) = (found := made.verify(limits=Limits(descriptors=3))).findings
    assert (finding.rule, str(finding.location.digest), finding.location.pointer) == (
        "LIM-01",
        made.ids["manifest"],
        "/layers/0",
    )
    assert finding.message == "limit descriptors is 3, there are more"
    assert found.blobs == 3


def test_a_manifest_of_more_layers_than_the_limit_is_told_and_its_layers_are_not_followed():
    made = Made()
    assert made.verify(limits=Limits(layers=2)).findings == ()
    (finding,) = (found := made.verify(limits=Limits(layers=1))).findings
    assert (finding.rule, str(finding.location.digest), finding.location.pointer) == (
        "LIM-01",
        made.ids["manifest"],
        "/layers",
    )
    assert finding.message == "limit layers is 1, the manifest has 2"
    assert (found.blobs, found.documents, found.layers) == (3, 3, 0)


def test_a_million_faults_are_counted_and_a_thousand_of_each_severity_kept():
    blobs = Blobs()
    broken = [{"mediaType": INDEX, "digest": digest(b""), "size": -1, "artifactType": "x"}] * 700
    entries = [
        blobs.put({"schemaVersion": 2, "mediaType": MANIFEST, "config": broken[0], "layers": broken, "n": n}, MANIFEST)
        for n in range(3)
    ]
    found = verify_image(blobs, [descriptor(each) for each in entries])
    assert (found.ok, found.findings.ok) == (False, False)
    assert found.findings.totals == {"error": 3 * 701 * 2}
    assert len(found.findings) == 1000
    assert sum(found.findings.left_out.values()) == 3 * 701 * 2 - 1000
    assert {rule for rule, _ in found.findings.left_out} == {"DSC-07", "DSC-22"}


ALONE = """
import sys
from oci_layers.store.check import check_image
from oci_layers.cli.main import main

def refuse(*_):
    raise RuntimeError("can't start new thread")

import threading
threading.Thread.start = refuse
print(check_image(sys.argv[1], threads=4))
print(main(["validate", sys.argv[1]]))
"""


def test_where_no_thread_can_be_begun_the_result_is_the_same(tmp_path):
    image = str(Path(__file__).parent.parent / "data" / "image")
    code, out, err = run_script(ALONE, image)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == str(check_image(image, threads=4))
    assert out.splitlines()[-1] == "0"


def test_a_document_past_its_limit_is_not_read():
    made = Made()
    made.config["author"] = "x" * 5000
    found = made.verify(limits=Limits(config_bytes=4000))
    assert made.named(found) == [("LIM-01", "error", "config", "")]
    assert made.ids["config"] not in made.blobs.opened


def test_layers_past_the_limit_of_plain_bytes_are_told():
    made = Made(BASE, compression="gzip")
    assert made.named(made.verify(limits=Limits(plain_bytes=100))) == [("LIM-01", "error", "layer 0", "")]


def test_unknown_types_are_no_error_and_their_blobs_are_checked():
    made = Made()
    made.layers.append(made.blobs.put(b"something", "application/x.layer"))
    made.config_type = "application/x.config"
    made.config = ["not", "an", "object"]
    made.index["manifests"] = [
        made.blobs.put(b"<x/>", "application/xml"),
        made.blobs.put({"config": made.blobs.put(made.config, made.config_type), "layers": made.layers}, MANIFEST),
    ]
    made.build()
    manifest = descriptor(made.blobs.put(made.manifest, MANIFEST))
    entry = descriptor(made.index["manifests"][0])
    found = verify_image(made.blobs, [manifest, entry])
    assert (found.findings, found.blobs) == ((), 6)
    damaged = {made.layers[2]["digest"]: b"somethinG", str(entry.digest): b"<y/>", made.ids["config"]: b"["}
    made.blobs.stored |= damaged
    found = verify_image(made.blobs, [manifest, entry])
    assert {(each.rule, str(each.location.digest)) for each in found.findings} == {
        ("DSC-05", made.layers[2]["digest"]),
        ("DSC-05", str(entry.digest)),
        ("DSC-08", made.ids["config"]),
    }
    assert verify_image(made.blobs, [manifest, entry], documents_only=True).findings == ()


def test_a_layer_of_an_unknown_type_below_an_image_config_has_no_diff_id_to_compare():
    made = Made(BASE)
    made.layers.append(made.blobs.put(b"sealed", "application/vnd.oci.image.layer.v1.tar+encrypted"))
    made.config["rootfs"]["diff_ids"].append(digest(UPPER))
    assert made.verify(profile="lenient").ok


def test_an_artifact_with_the_empty_config_is_good_and_its_empty_value_must_be_that():
    made = Made()
    made.manifest |= {"artifactType": "application/x.thing", "layers": [made.blobs.put(b"data", "text/plain")]}
    made.config, made.config_type = {}, EMPTY
    made.entry = {"artifactType": "application/x.thing"}
    assert made.verify().findings == ()
    blobs = Blobs()
    wrong = blobs.put(b"[]", EMPTY)
    assert [each.rule for each in verify_image(blobs, [descriptor(wrong)]).findings] == ["CON-04"]


def test_dockers_types_are_checked_as_their_twins():
    made = Made()
    made.manifest["mediaType"] = DOCKER + "distribution.manifest.v2+json"
    made.index["mediaType"] = DOCKER + "distribution.manifest.list.v2+json"
    made.config_type = DOCKER + "container.image.v1+json"
    made.layers = [layer | {"mediaType": DOCKER + "image.rootfs.diff.tar"} for layer in made.layers]
    assert made.verify().findings == ()
    made.config["rootfs"]["diff_ids"].reverse()
    made.index.pop("manifests")
    made.manifest.pop("config")
    assert [each.rule for each in made.verify().findings] == ["CHN-01", "CHN-01"]


def test_a_subject_need_not_be_there_and_is_checked_where_it_is():
    made = Made()
    subject = Blobs().put({"schemaVersion": 2}, MANIFEST)
    made.manifest["subject"] = subject
    found = made.verify()
    assert made.named(found) == [("MAN-17", "note", "manifest", "/subject")]
    assert found.findings[0].message == f"{subject['digest']} is not there, and need not be"
    assert found.ok
    assert [each.severity for each in made.verify(profile="strict").findings] == ["warning"]
    assert made.verify(profile="lenient").findings == ()
    made.blobs.stored[subject["digest"]] = b"x"
    assert [each.rule for each in made.verify().findings] == ["DSC-08"]
    made.blobs.put({"schemaVersion": 2}, MANIFEST)
    assert {str(each.location.digest) for each in made.verify().findings} == {subject["digest"]}


def test_the_subject_of_an_index_may_be_absent_too():
    made = Made()
    made.index["subject"] = Blobs().put(b"something", MANIFEST)
    assert made.named(made.verify()) == [("IDX-15", "note", "index", "/subject")]


def listed(*entries, **fields):
    """An index of entries, put into fresh blobs with an image in them."""
    made = Made()
    made.build()
    image = made.blobs.put(made.manifest, MANIFEST, platform=LINUX)
    made.index["manifests"] = [image if each is None else each for each in entries]
    made.index |= fields
    return made


AWAY = Blobs().put({"away": 1}, MANIFEST, platform={"os": "linux", "architecture": "arm64"})
NOWHERE = Blobs().put({"away": 2}, INDEX)
PROOF = Blobs().put({"proof": 1}, MANIFEST) | {"platform": {"os": "unknown", "architecture": "unknown"}}
ODD = Blobs().put({"odd": 1}, "application/vnd.example.thing")


def test_what_an_index_lists_need_not_be_there_beside_an_image_that_is():
    """LAY-07: an index may come with the image for one platform alone."""
    found = listed(AWAY, None, NOWHERE, PROOF, ODD)
    checked = found.verify()
    notes = [("LAY-07", "note", "index", f"/manifests/{at}") for at in (0, 2, 3, 4)]
    assert found.named(checked) == [("IDX-06", "note", "index", "/manifests/4/mediaType"), *notes]
    message = f"{AWAY['digest']} is not there, and need not be, since another image of this index is"
    assert checked.findings[0].message == message
    assert checked.ok
    assert found.verify(profile="lenient").findings == ()
    assert {each.severity for each in found.verify(profile="strict").findings} == {"warning"}


@pytest.mark.parametrize("entries", [[AWAY], [AWAY, NOWHERE], [AWAY, ODD], [AWAY, PROOF]])
def test_where_no_image_of_an_index_is_there_all_that_it_lists_is_missing(entries):
    found = listed(*entries)
    missing = {("LAY-05", "error", entry["digest"], "") for entry in entries}
    assert {each for each in found.named(found.verify()) if each[0] != "IDX-06"} == missing


def test_an_attestation_is_no_image_that_makes_up_for_one():
    found = listed(AWAY)
    found.index["manifests"].append(found.blobs.put({"schemaVersion": 2}, MANIFEST) | {"platform": PROOF["platform"]})
    assert ("LAY-05", "error", AWAY["digest"], "") in found.named(found.verify())


def test_an_image_that_is_embedded_is_there():
    found = listed(AWAY, None)
    raw = found.blobs.stored.pop(found.index["manifests"][1]["digest"])
    found.index["manifests"][1]["data"] = base64.b64encode(raw).decode()
    assert found.named(found.verify()) == [("LAY-07", "note", "index", "/manifests/0")]


@pytest.mark.parametrize("name", ["config", "layer 0"])
def test_what_a_manifest_that_is_there_names_must_be_there(name):
    found = listed(AWAY, None)
    root = found.build()
    del found.blobs.stored[found.ids[name]]
    missing, note = ("LAY-05", "error", name, ""), ("LAY-07", "note", "index", "/manifests/0")
    assert found.named(verify_image(found.blobs, [root])) == [missing, note]


def test_what_is_needed_elsewhere_must_be_there_though_an_index_lists_it_too():
    found = listed(None)
    layer = dict(found.layers[0])
    found.index["manifests"].append(layer)
    root = found.build()
    del found.blobs.stored[layer["digest"]]
    assert [each for each in found.named(verify_image(found.blobs, [root])) if each[0] != "IDX-06"] == [
        ("LAY-05", "error", "layer 0", "")
    ]


def test_a_layer_that_is_not_to_be_distributed_need_not_be_there():
    made = Made()
    made.layers[0]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    del made.blobs.stored[made.layers[0]["digest"]]
    assert made.named(made.verify()) == [
        ("NDL-01", "note", "manifest", "/layers/0/mediaType"),
        ("NDL-03", "note", "manifest", "/layers/0"),
    ]


def test_places_that_do_not_agree_on_the_size_of_a_blob_are_told():
    made = Made(BASE, BASE)
    made.layers[1] = made.layers[1] | {"size": 7}
    found = made.verify()
    assert made.named(found) == [("DSC-08", "error", "manifest", "/layers/1/size")]
    said = made.layers[0]["size"]
    assert found.findings[0].message == f"is 7, but /layers/0 of {made.ids['manifest']} says {said} of the same blob"


def test_documents_are_judged_by_their_rules_each_finding_with_its_document():
    made = Made()
    made.config["config"] = {"Env": ["novalue"]}
    made.manifest["annotations"] = {"": "x"}
    assert made.named(made.verify()) == [
        ("ANN-02", "note", "manifest", "/annotations/"),
        ("CFG-11", "error", "config", "/config/Env/0"),
    ]


def test_a_document_that_nothing_can_read_is_an_error_in_every_profile():
    for profile in ("default", "lenient", "strict"):
        made = Made()
        made.manifest["layers"] = "none"
        found = made.verify(profile=profile)
        assert made.named(found)[0][1:] == ("error", "manifest", "/layers"), profile
        assert not found.ok


def test_a_document_that_keeps_every_rule_and_cannot_be_read_is_an_error_all_the_same(monkeypatch):
    monkeypatch.setattr(document, "validate", lambda *_, **__: Findings())
    made = Made()
    made.config["os"] = made.manifest["subject"] = 7
    assert made.named(made.verify()) == [("MAN-21", "error", "manifest", "")]
    made.manifest["subject"] = None
    made.index["manifests"] = [made.blobs.put(made.manifest, MANIFEST)]
    (finding,) = made.verify().findings
    assert (finding.rule, finding.message) == ("CFG-24", f"{CONFIG}: /os: must be a string, not an integer")


def test_a_root_of_an_algorithm_that_is_not_known_is_an_error_even_if_it_is_embedded():
    root = Descriptor(media_type=MANIFEST, digest=Digest.parse("unknown:abc"), size=1, data=b"x")
    found = verify_image(Blobs(), [root])
    assert [(each.rule, each.severity, each.location.digest) for each in found.findings] == [
        ("DIG-08", "error", root.digest)
    ]


def test_a_damaged_document_is_read_once_however_often_it_is_named():
    blobs = Blobs()
    damaged = blobs.put({"schemaVersion": 2}, MANIFEST)
    blobs.stored[damaged["digest"]] = b"x"
    root = blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": [damaged] * 50}, INDEX)
    found = verify_image(blobs, [descriptor(root)], profile="lenient")
    assert [each.rule for each in found.findings] == ["DSC-08"]
    assert blobs.opened == [root["digest"], damaged["digest"]]


def test_a_good_document_is_read_once_however_often_it_is_named():
    made = Made()
    root = made.build()
    made.blobs.opened.clear()
    assert verify_image(made.blobs, [root, root]).findings == ()
    assert sorted(made.blobs.opened) == sorted(made.blobs.stored)


def test_a_layer_that_another_place_calls_a_document_still_has_a_diff_id():
    made = Made(BASE)
    made.config["rootfs"]["diff_ids"] = [digest(UPPER)]
    root = made.build()
    found = verify_image(made.blobs, [descriptor(made.layers[0] | {"mediaType": CONFIG}), root])
    assert made.named(found) == [
        ("CHN-01", "error", "config", "/rootfs/diff_ids/0"),
        ("CON-04", "error", "layer 0", ""),
    ]


def test_embedded_data_of_another_size_than_its_root_says_is_found():
    found = verify_image(
        Blobs(), [Descriptor(media_type="text/plain", digest=Digest.of(b"x"), size=2, data=b"x")], documents_only=True
    )
    assert [each.rule for each in found.findings] == ["DSC-16"]


def test_a_document_under_two_types_is_judged_as_both():
    made = Made()
    made.build()
    entry = made.index["manifests"][0]
    found = verify_image(made.blobs, [descriptor(entry), descriptor(entry | {"mediaType": INDEX})])
    assert ("MAN-21", "error", "manifest", "/layers") in made.named(found)
    assert found.blobs == 4


def test_nothing_is_good():
    assert verify_image(Blobs(), []) == Verification()


def test_an_error_of_the_place_passes_through():
    class Denied:
        def open_blob(self, digest):
            raise PermissionError(str(digest))

    with pytest.raises(PermissionError):
        verify_image(Denied(), [Made().build()])


def test_findings_come_in_the_order_of_the_document():
    made = Made(*[BASE] * 12)
    made.config["rootfs"]["diff_ids"][2:12] = [digest(UPPER)] * 10
    assert [each.location.pointer for each in made.verify().findings] == [f"/rootfs/diff_ids/{i}" for i in range(2, 12)]


def indexed(made, *platforms, **fields):
    """An index of the image under several platforms, in the root, which says something of it too."""
    made.build()
    entries = [made.blobs.put(made.manifest, MANIFEST, platform=each) for each in platforms]
    inner = made.blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX, **fields)
    made.index["manifests"] = [inner]
    return inner


LINUX, ARM = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}


@pytest.mark.parametrize(
    ("said", "inside", "severities"),
    [
        pytest.param(LINUX, [LINUX], [], id="the same"),
        pytest.param({"os": "linux", "architecture": "x86_64"}, [LINUX], [], id="by another name"),
        pytest.param(LINUX | {"variant": "v3", "os.version": "9"}, [LINUX], [], id="more closely"),
        pytest.param(LINUX, [], [], id="nothing"),
        pytest.param(ARM, [LINUX], ["error"], id="none"),
    ],
)
def test_the_platform_of_an_entry_is_that_of_an_image_in_the_index_that_it_names(said, inside, severities):
    made = Made()
    inner = indexed(made, *inside, platform=said)
    found = [each for each in made.verify(profile="lenient").findings if str(each.location.digest) == made.ids["index"]]
    assert [(each.rule, each.severity, each.location.pointer) for each in found] == [
        ("IDX-09", severity, "/manifests/0/platform") for severity in severities
    ]
    for each in found:
        assert each.message == f"is linux/arm64, but there is an image for linux/amd64 in {inner['digest']}"


def test_an_index_with_an_image_for_another_platform_than_its_entry_says_is_a_warning():
    """What the config says counts; where there is none, what the entry says; attestations say nothing."""
    made = Made()
    made.config["architecture"] = "arm64"
    missing = Blobs().put({"schemaVersion": 2}, MANIFEST, platform=LINUX)
    made.build()
    image = made.blobs.put(made.manifest, MANIFEST, platform=ARM)
    attestation = image | {"platform": {"os": "unknown", "architecture": "unknown"}}
    entries = [image, missing, attestation]
    inner = made.blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX, platform=ARM)
    made.index["manifests"] = [inner]
    found = [each for each in made.verify().findings if each.rule == "IDX-09"]
    message = f"is linux/arm64, but there is an image for linux/amd64 in {inner['digest']}"
    assert [(each.severity, str(each.location.digest), each.message) for each in found] == [
        ("warning", made.ids["index"], message)
    ]


def test_thousands_of_entries_for_thousands_of_platforms_are_compared_in_bounded_time():
    blobs = Blobs()
    missing = [
        Blobs().put({}, MANIFEST, platform={"os": "linux", "architecture": f"a{number}"}) for number in range(4000)
    ]
    inner = blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": missing}, INDEX)
    entries = [inner | {"platform": {"os": "linux", "architecture": f"b{number}"}} for number in range(4000)]
    root = blobs.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX)
    start = time.process_time()
    found = verify_image(blobs, [descriptor(root)], profile="lenient").findings
    assert [each.rule for each in found].count("IDX-09") + found.left_out["IDX-09", "error"] == 4000
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("said", "own", "config_type", "expected"),
    [
        ("application/x.a", "application/x.a", EMPTY, None),
        ("application/x.a", "application/x.b", EMPTY, "application/x.b"),
        ("application/x.config", None, "application/x.config", None),
        ("application/x.a", None, "application/x.config", "application/x.config"),
        (CONFIG, None, CONFIG, None),
    ],
)
def test_the_type_of_an_artifact_in_an_entry_is_its_own(said, own, config_type, expected):
    """DSC-21."""
    made = Made()
    made.config_type = config_type
    if config_type != CONFIG:
        made.config = {}
    if own is not None:
        made.manifest["artifactType"] = own
    made.entry = {"artifactType": said}
    found = made.verify().findings
    message = f"is {said}, but {made.ids['manifest']} is of the type {expected}"
    assert [(each.rule, each.severity, each.location.pointer, each.message) for each in found] == (
        [("DSC-21", "warning", "/manifests/0/artifactType", message)] if expected else []
    )


def test_the_limit_of_plain_bytes_is_that_of_all_layers_together():
    tars = [tar(f("x", bytes([number]) * size)) for number, size in enumerate([9000, 9000, 20_000])]
    made = Made(*tars)
    whole = sum(map(len, tars))
    assert made.verify(limits=Limits(plain_bytes=whole)).findings == ()
    largest_first = sorted(range(3), key=lambda at: (-made.layers[at]["size"], made.layers[at]["digest"]))
    for threads in (1, 2, 3):
        found = made.verify(limits=Limits(plain_bytes=whole - 1), threads=threads)
        assert made.named(found) == [("LIM-01", "error", f"layer {largest_first[2]}", "")]
        found = made.verify(limits=Limits(plain_bytes=len(tars[largest_first[0]])), threads=threads)
        assert made.named(found) == [("LIM-01", "error", f"layer {largest_first[1]}", "")]
        assert found.blobs == 6


def test_a_layer_that_stands_in_several_images_counts_once_for_the_limit():
    made = Made(BASE, BASE)
    root = made.build()
    twice = [root, descriptor(made.index["manifests"][0])]
    assert verify_image(made.blobs, twice, limits=Limits(plain_bytes=len(BASE))).findings == ()


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_tells_of_all_bytes_besides_the_documents(threads):
    made = Made(*[tar(f("x", os.urandom(3 << 20))) for _ in range(3)])
    made.layers.append(made.blobs.put(b"something", "application/x"))
    made.config["rootfs"]["diff_ids"].append(digest(b""))
    seen = []
    found = made.verify(profile="lenient", threads=threads, progress=seen.append)
    total = sum(layer["size"] for layer in made.layers)
    assert found.ok
    assert {(each.layers, each.total) for each in seen} == {(4, total)}
    assert [each.done for each in seen] == sorted({each.done for each in seen})
    assert [each.layer for each in seen] == sorted(each.layer for each in seen)
    assert seen[-1].done == total
    assert seen[0].layer < threads  # A thread may have ended one before the first report is heard.
    assert len(seen) >= 10
    assert max(after.done - before.done for before, after in itertools.pairwise(seen)) < 3 << 20


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_comes_to_its_end_whatever_is_wrong_with_the_blobs(threads):
    made = Made()
    root = made.build()
    made.blobs.stored[made.ids["layer 0"]] = b"x" * 5_000_000
    del made.blobs.stored[made.ids["layer 1"]]
    seen = []
    found = verify_image(made.blobs, [root], threads=threads, progress=seen.append)
    assert [rule for rule, *_ in made.named(found)] == ["DSC-08", "LAY-05"]
    assert seen[-1].done == seen[-1].total == sum(layer["size"] for layer in made.layers)


@pytest.mark.thorough
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [KeyError("stop"), KeyboardInterrupt(), UnsupportedError("stop", "it")])
def test_what_progress_raises_stops_everything(threads, error):
    made = Made(*[tar(f("x", os.urandom(5 << 20))) for _ in range(4)])
    root = made.build()
    calls = []

    def stop(now):
        calls.append(now)
        raise error

    before = threading.enumerate()
    with pytest.raises(type(error)) as caught:
        verify_image(made.blobs, [root], threads=threads, progress=stop)
    assert caught.value is error
    assert len(calls) == 1
    assert threading.enumerate() == before


def test_every_rule_that_is_told_is_one_of_the_table():
    told = {
        "CFG-20",
        "CFG-24",
        "CHN-01",
        "DIG-08",
        "DSC-05",
        "DSC-08",
        "DSC-16",
        "DSC-21",
        "IDX-09",
        "IDX-10",
        "IDX-12",
    }
    told |= {"IDX-15", "LAY-05", "LIM-01", "LIM-02", "LYR-01", "LYR-03", "MAN-17", "MAN-21", "NDL-03"}
    assert told <= DOCUMENT_RULES.keys()
