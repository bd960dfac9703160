"""The security descriptors that new files for Windows get: the bytes of a self-relative SECURITY_DESCRIPTOR.

Administrators own everything, and they and SYSTEM may do everything; Users may read and execute. What is made later in
a directory inherits this; Users may make files and directories in it, and their creator owns them. These are the
descriptors that BuildKit writes, and that the images of Microsoft have.
"""

from oci_layers.windows.sddl import encode_sddl

__all__ = ["DIRECTORY_DESCRIPTOR", "FILE_DESCRIPTOR"]

FILE_DESCRIPTOR = encode_sddl(b"O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)")
"""The descriptor of a file; 0x1200a9 is reading and executing."""

DIRECTORY_DESCRIPTOR = encode_sddl(
    b"O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;FA;;;BA)(A;OICIIO;GA;;;CO)"
    b"(A;OICI;0x1200a9;;;BU)(A;CI;LC;;;BU)(A;CI;DC;;;BU)"
)
"""The same for a directory, with what is inherited, and CREATOR OWNER and the rights of Users to add to it."""
