"""The version, read by the build and by `oci-layers --version`."""

__version__ = "0.1.0"
