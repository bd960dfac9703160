"""Law: whatever a registry does of what the spec allows, images that go there and come back are the same.

The registry is a model, which has a switch for each thing that it may do or not. Copies that end at any request are
completed by another, and no tag leads to what is not there in between.
"""

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oci_layers.errors import UnreachableError
from oci_layers.registry import upload
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR
from oci_layers.spec.mediatype import DOCKER_CONFIG, DOCKER_LAYER_GZIP, DOCKER_MANIFEST
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.copy import copy
from oci_layers.store.memory import MemoryRepository
from oci_layers.store.registry import RegistryRepository
from tests.support.broken_transport import Tapped
from tests.support.examples import examples
from tests.support.model_registry import ModelRegistry, Switches
from tests.support.registries import session
from tests.support.stores import blob, closure, document, index_of, manifest, multi, signature

SOURCE = MemoryRepository()
SBOM = "application/vnd.example.sbom"


def _fill():
    """Tag an image of each kind, all of which share layers; return what refers to what."""
    blobs = SOURCE.blobs
    index, (app, other) = multi(blobs, "linux/amd64", "linux/arm64")
    parts = {"config": blob(blobs, b"{}", DOCKER_CONFIG), "layers": [blob(blobs, b"layer", DOCKER_LAYER_GZIP)]}
    docker = document(blobs, DOCKER_MANIFEST, schemaVersion=2, mediaType=DOCKER_MANIFEST, **parts)
    empty = blob(blobs, b"{}", EMPTY_DESCRIPTOR.media_type)
    signed = signature(blobs, app, annotations={"by": "ann"})
    bill = manifest(blobs, b"bill", config=empty, subject=app, artifactType=SBOM)
    again = signature(blobs, signed, b"about")
    names = {"app": app, "multi": index, "nested": index_of(blobs, index, other, subject=docker), "docker": docker}
    names |= {"signed": signed, "bill": bill, "again": again}
    for name, descriptor in names.items():
        SOURCE.tag(name, descriptor)
    return {app: {signed, bill}, signed: {again}, docker: {names["nested"]}, again: set(), index: set()}


def images(place):
    """The tags of a place with all that they lead to, without those that list referrers."""
    names = {own_name(each): each for each in place.entries()}
    return {name: closure(place, each) for name, each in names.items() if not name.startswith("sha256-")}


REFERRERS = {subject.digest: {each.digest for each in found} for subject, found in _fill().items()}
EVERYTHING = images(SOURCE)

CHUNK = 64


@pytest.fixture(autouse=True, scope="module")
def small_chunks():
    """Send small blobs in several chunks, where a server takes no larger ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload, "_CHUNK", CHUNK)
        yield


PROFILES = {
    "D2": Switches(referrers=False, tag_delete=False, absolute_location=True),
    "GHCR": Switches(referrers=False, without_referrers="elsewhere", storage="https://storage.example"),
    "ECR": Switches(storage="https://storage.example", mounts=False, page=2, tags_sorted=True),
    "GAR": Switches(storage="/storage", location_query="", content_type_parameters="; charset=utf-8"),
    "Quay": Switches(mounts_without_permission=False, page=1, filters=False, warning='299 - "moving soon"'),
    "a proxy": Switches(most=CHUNK, least=CHUNK // 2, chunk_status=204),
}

switches = st.builds(
    Switches,
    mounts=st.booleans(),
    mounts_without_permission=st.booleans(),
    digest_header=st.booleans(),
    heads_of_manifests=st.booleans(),
    referrers=st.booleans(),
    without_referrers=st.sampled_from(["404", "empty", "elsewhere"]),
    filters=st.booleans(),
    page=st.sampled_from([None, 1, 2]),
    absolute_location=st.booleans(),
    location_query=st.sampled_from(["state=a%3Ab%2B", ""]),
    new_location_each_time=st.booleans(),
    storage=st.sampled_from([None, "https://storage.example", "/storage"]),
    ranges=st.booleans(),
    created=st.sampled_from([201, 200, 202, 204]),
    warning=st.sampled_from([None, '299 - "moving soon"']),
    strict_blobs=st.booleans(),
    tags_sorted=st.booleans(),
    odd_tags=st.booleans(),
    content_type_parameters=st.sampled_from(["", "; charset=utf-8"]),
    lengths_of_heads=st.booleans(),
    most=st.sampled_from([None, CHUNK]),
    chunk_status=st.sampled_from([201, 202, 204]),
)


def profiles(**more):
    """Run a test for each profile as well."""

    def added(test):
        for each in PROFILES.values():
            test = example(switches=each, **more)(test)
        return test

    return added


def repository(model, name="a/b", **broken):
    """A repository of a model, to which nothing was sent before."""
    return RegistryRepository(f"{model.host}/{name}", session=session(Tapped(model, **broken)))


def first_list():
    """The number of the request that reads the first list of referrers, where the registry keeps none."""
    asked = Tapped(ModelRegistry(switches=PROFILES["D2"]))
    copy(SOURCE, RegistryRepository("registry.example/a/b", session=session(asked)), everything=True, threads=1)
    return next(number for number, (_, path) in enumerate(asked.log) if "/manifests/sha256-" in path)


def referrers(place):
    return {digest: {each.digest for each in place.referrers(digest)} for digest in REFERRERS}


def assert_same(place):
    assert images(place) == EVERYTHING
    assert referrers(place) == REFERRERS


@settings(max_examples=examples(dev=10, ci=50, deep=500))
@given(switches=switches)
@profiles()
def test_images_come_back_as_they_were(switches):
    model = ModelRegistry(switches=switches)
    copy(SOURCE, repository(model), everything=True, threads=1)
    assert_same(repository(model))
    copy(repository(model), repository(model, "c/d"), everything=True, threads=1)
    assert_same(repository(model, "c/d"))
    back = MemoryRepository()
    copy(repository(model, "c/d"), back, everything=True, threads=1)
    assert images(back) == EVERYTHING
    app, bill, signed, again = (SOURCE.entries(name)[0].digest for name in ("app", "bill", "signed", "again"))
    assert [each.digest for each in repository(model).referrers(app, SBOM)] == [bill]
    copied = copy(repository(model), MemoryRepository(), "app", referrers=True, threads=1)
    assert {each.digest for each in copied.referrers} == {bill, signed, again}


@settings(max_examples=examples(dev=10, ci=50, deep=500))
@given(switches=switches, breaks_at=st.integers(0, 60), answers_are_lost=st.booleans())
@profiles(breaks_at=40, answers_are_lost=True)
@example(switches=PROFILES["D2"], breaks_at=first_list(), answers_are_lost=False)
def test_a_copy_that_ended_at_any_request_is_completed_by_another(switches, breaks_at, answers_are_lost):
    model = ModelRegistry(switches=switches)
    broken = {"breaks_at": breaks_at, "answers_are_lost": answers_are_lost}
    with contextlib.suppress(UnreachableError):
        copy(SOURCE, repository(model, **broken), everything=True, threads=1)
    if model.look("a/b").tags:
        assert images(repository(model)).items() <= EVERYTHING.items()
    copy(SOURCE, repository(model), everything=True, threads=1)
    assert_same(repository(model))
    back = MemoryRepository()
    with contextlib.suppress(UnreachableError):
        copy(repository(model, **broken), back, everything=True, threads=1)
    assert images(back).items() <= EVERYTHING.items()
    copy(repository(model), back, everything=True, threads=1)
    assert images(back) == EVERYTHING
