"""Strategies of documents, words and layouts keep the rules; `from_type` finds them, at no cost until it does."""

import importlib.metadata
import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.strategies._internal import types

import oci_layers as oci
from oci_layers.spec import is_ref_name
from oci_layers.spec.codec import unstructure
from oci_layers.spec.mediatype import DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from oci_layers.testing import hypothesis_entry, strategies
from oci_layers.testing.strategies import registered, value
from oci_layers.testing.strategies.document import DOCUMENTS

quiet = settings(database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(quiet, max_examples=max(10, settings.default.max_examples // 4))
KINDS = {
    OCI_MANIFEST: strategies.manifests(),
    DOCKER_MANIFEST: strategies.manifests(docker=True, layers=(2, 2)),
    OCI_INDEX: strategies.indexes(),
    DOCKER_MANIFEST_LIST: strategies.indexes(docker=True, manifests=(1, 1)),
    OCI_CONFIG: strategies.configs(),
}


def errors(document, media_type):
    return [each for each in oci.validate(json.dumps(document).encode(), media_type) if each.severity == "error"]


@pytest.mark.parametrize("media_type", KINDS)
def test_documents_as_values_keep_the_rules(media_type):
    @few
    @given(KINDS[media_type])
    def check(document):
        assert errors(unstructure(document), media_type) == []

    check()


@few
@given(strategies.configs(docker=False, unknown=False, layers=(1, 1)))
def test_what_is_not_wanted_is_not_drawn(config):
    assert config.config.healthcheck is None
    assert config.config.shell == config.config.on_build == ()
    assert len(config.rootfs.diff_ids) == 1
    written = json.dumps(unstructure(config))
    assert "null" not in written
    assert '"x-' not in written


def test_a_type_of_which_there_are_no_documents_is_named():
    with pytest.raises(ValueError, match="no documents of 'text/plain'; there are application/vnd"):
        strategies.json_of("text/plain")
    with pytest.raises(ValueError, match="no digests of 'md5'; there are sha256"):
        strategies.digests(algorithms=["md5"])


@pytest.mark.parametrize("media_type", DOCUMENTS)
def test_documents_of_every_type_are_drawn(media_type):
    find(
        strategies.documents(), lambda drawn: drawn[0] == media_type, settings=settings(quiet, phases=[Phase.generate])
    )


def drawn(strategy, count):
    found = []

    @settings(quiet, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(example):
        found.append(example)

    collect()
    return found


@few
@given(strategies.references(), strategies.ref_names())
def test_references_are_read_back(reference, name):
    assert oci.spec.Reference.parse(str(reference)) == (
        reference if reference.tag or reference.digest else type(reference).parse(f"{reference}:latest")
    )
    assert is_ref_name(name)


@few
@given(strategies.references(tag=True, digest=False), strategies.references(tag=False, digest=True))
def test_a_reference_has_the_parts_that_are_wanted(tagged, pinned):
    assert tagged.tag
    assert not tagged.digest
    assert pinned.digest
    assert not pinned.tag


def test_digests_are_of_the_algorithms():
    known = ["sha256", "sha384", "sha512", "blake3"]
    assert {each.algorithm for each in drawn(strategies.digests(algorithms=known), 60)} == {*known}
    assert len({each.algorithm for each in drawn(strategies.digests(unknown=True), 60)}) > 10


@few
@given(strategies.annotations(keys=["a.b"], size=1), strategies.annotations(size=2))
def test_annotations_have_the_keys_that_are_wanted(one, two):
    assert one.keys() <= {"a.b"}
    assert len(two) <= 2


# --- Layouts ----------------------------------------------------------------------------------------------------------


@settings(few, max_examples=10)
@given(strategies.layouts())
def test_in_a_layout_nothing_is_wrong(tmp_path_factory, contents):
    place = contents.repository()
    roots = [descriptor for _, descriptor in contents.entries]
    assert [each.digest for each in place.entries()] == [each.digest for each in roots]
    assert oci.verify_image(place.blobs, roots).ok
    directory = contents.write(tmp_path_factory.mktemp("layout") / "layout")
    assert oci.check_image(directory).ok


def test_layouts_have_all_sorts_of_images():
    found = drawn(strategies.layouts(layers=st.just(oci.testing.stack.Stack(((),)))), 60)
    media_types = {descriptor.media_type for each in found for descriptor, _ in each.blobs.values()}
    assert {OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX} <= media_types
    assert {media_type.rpartition(".")[2] for media_type in media_types if "layer" in media_type} >= {"tar+zstd"}
    assert any(descriptor.artifact_type for each in found for _, descriptor in each.entries)
    assert any(b'"mediaType":"%b"' % OCI_INDEX.encode() in raw[80:] for raw in raws(found, OCI_INDEX))
    plain = drawn(strategies.layouts(docker=False, nested=False, artifacts=False, compressions=["gzip"]), 10)
    media_types = {descriptor.media_type for each in plain for descriptor, _ in each.blobs.values()}
    assert media_types == {OCI_MANIFEST, OCI_CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip"}
    assert str(plain[0]).count("image ") == len(plain[0].stacks)


def raws(found, media_type):
    return [raw for each in found for descriptor, raw in each.blobs.values() if descriptor.media_type == media_type]


def test_a_layout_is_printed_as_an_outline():
    # Not made smaller, which takes a minute by bad luck: any layout is printed so.
    @settings(quiet, max_examples=5, print_blob=False, phases=[Phase.generate])
    @given(strategies.layouts(images=(1, 1), nested=False, artifacts=False))
    def check(contents):
        assert not contents.stacks

    with pytest.raises(AssertionError) as caught:
        check()
    assert "contents=<layout\n" in caught.value.__notes__[0]
    assert "layer" in caught.value.__notes__[0]


# --- By type ----------------------------------------------------------------------------------------------------------


def test_every_type_has_a_strategy():
    for kind in registered.TYPES:
        [found] = drawn(st.from_type(kind), 1)
        assert isinstance(found, kind)
    [found] = drawn(st.from_type(list[oci.Digest] | None), 1)
    models = {name for name in oci.spec.__all__ if isinstance(getattr(oci.spec, name), type)}
    assert models - {kind.__name__ for kind in registered.TYPES} == {"Document", "Hasher", "MediaType"}


def test_hypothesis_imports_nothing_for_it_until_it_is_needed():
    code = (
        "import sys, hypothesis.strategies as st\n"
        "print(sorted(name for name in sys.modules if name.startswith(('oci_layers', 'pytest', 'attr'))))\n"
        "from oci_layers import Digest\n"
        "print(st.from_type(Digest))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()
    assert done[0] == str(
        ["oci_layers", "oci_layers._lazy", "oci_layers.testing", "oci_layers.testing.hypothesis_entry"]
    )
    assert "binary" in done[1]


def test_the_entry_point_is_that_of_the_project():
    [entry] = [
        each for each in importlib.metadata.entry_points(group="hypothesis") if each.value.startswith("oci_layers")
    ]
    assert entry.load() is hypothesis_entry.register_lazily


def test_other_types_are_left_to_hypothesis():
    resolve = types._global_extra_lookup["oci_layers"]
    assert resolve(int) is None
    assert resolve(list[int]) is None
    assert resolve(oci.Image) is None
    assert resolve(oci.Platform) is not None


def test_where_hypothesis_cannot_wait_they_are_registered_at_once(monkeypatch):
    made = []
    monkeypatch.delattr(types, "_global_extra_lookup")
    monkeypatch.setattr(registered.st, "register_type_strategy", lambda kind, strategy: made.append(kind))
    hypothesis_entry.register_lazily()
    assert made == [*registered.TYPES]


@few
@given(value.histories(), value.healthchecks(unknown=False), value.container_configs(docker=False, unknown=False))
def test_parts_of_a_config_are_drawn_alone(history, healthcheck, container):
    assert not history.empty_layer
    assert not healthcheck.extra.keys() - {"Test"}
    assert container.healthcheck is None
