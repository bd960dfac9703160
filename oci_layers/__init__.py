"""The OCI image spec for Python."""
