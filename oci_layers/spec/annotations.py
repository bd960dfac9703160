"""The annotation keys that mean something here: the spec's own (annotations.md), and those of others that are read.

Keys and values are strings, and an unknown key is data, never an error. What a value must look like is a rule and
lives in `validation`; the grammar of `REF_NAME` values lives in `spec/reference`.
"""

__all__ = [
    "AUTHORS",
    "BASE_DIGEST",
    "BASE_NAME",
    "CONTAINERD_IMAGE_NAME",
    "CREATED",
    "DESCRIPTION",
    "DOCKER_REFERENCE_DIGEST",
    "DOCKER_REFERENCE_TYPE",
    "DOCUMENTATION",
    "LICENSES",
    "REF_NAME",
    "REVISION",
    "SOURCE",
    "TITLE",
    "URL",
    "VENDOR",
    "VERSION",
]

_IMAGE = "org.opencontainers.image."

CREATED = _IMAGE + "created"
AUTHORS = _IMAGE + "authors"
URL = _IMAGE + "url"
DOCUMENTATION = _IMAGE + "documentation"
SOURCE = _IMAGE + "source"
VERSION = _IMAGE + "version"
REVISION = _IMAGE + "revision"
VENDOR = _IMAGE + "vendor"
LICENSES = _IMAGE + "licenses"
REF_NAME = _IMAGE + "ref.name"
TITLE = _IMAGE + "title"
DESCRIPTION = _IMAGE + "description"
BASE_DIGEST = _IMAGE + "base.digest"
BASE_NAME = _IMAGE + "base.name"

# BuildKit marks the entries of an index that describe another entry instead of being an image.
DOCKER_REFERENCE_TYPE = "vnd.docker.reference.type"
DOCKER_REFERENCE_DIGEST = "vnd.docker.reference.digest"

# containerd and Docker write the full name of an image here, and only its tag into `REF_NAME`.
CONTAINERD_IMAGE_NAME = "io.containerd.image.name"
