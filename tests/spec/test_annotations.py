"""Annotation keys: ANN-06."""

from oci_layers.spec import annotations


def test_the_predefined_keys_are_those_of_the_spec():
    ours = {getattr(annotations, name) for name in annotations.__all__}

    assert {key.removeprefix("org.opencontainers.image.") for key in ours if key.startswith("org.opencontainers.")} == {
        "created",
        "authors",
        "url",
        "documentation",
        "source",
        "version",
        "revision",
        "vendor",
        "licenses",
        "ref.name",
        "title",
        "description",
        "base.digest",
        "base.name",
    }
    assert {key for key in ours if not key.startswith("org.opencontainers.")} == {
        "vnd.docker.reference.type",
        "vnd.docker.reference.digest",
        "io.containerd.image.name",
    }
