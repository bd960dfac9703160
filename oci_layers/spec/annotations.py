"""The annotation keys that this library knows: those of the spec (annotations.md), and those of other programs.

Keys and values are strings, and an unknown key is data, never an error. The rules for values are in `validation`; the
grammar of `REF_NAME` values is in `spec/reference`.
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

# containerd and Docker write the full name of an image to this key, and only its tag to `REF_NAME`.
CONTAINERD_IMAGE_NAME = "io.containerd.image.name"
