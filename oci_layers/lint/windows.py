"""What is checked only in an image for Windows: where names may be, and what its lowest layer must have.

A layer has three roots (`layer.windows_name`). Without some files, Windows does not take the lowest one as a base: it
merges the registry of a container from hives, of which it makes those of the base itself, out of five files in `Files`;
an empty one is enough. A base with a utility virtual machine must have what boots it. What is in the hives and in the
boot configuration is not read.
"""

from collections.abc import Iterator

from oci_layers.errors import UnsafePathError
from oci_layers.layer.windows_name import windows_path
from oci_layers.tree.fold import spelling
from oci_layers.tree.node import Directory, File, Node
from oci_layers.tree.tree import FileTree

__all__ = ["base_faults", "child_of", "windows_fault"]

_HIVES = tuple(
    b"Files/Windows/System32/config/" + name for name in (b"SYSTEM", b"SOFTWARE", b"SAM", b"SECURITY", b"DEFAULT")
)
_BOOT = b"UtilityVM/Files/EFI/Microsoft/Boot/BCD"
_ROOTS = (b"Files/", b"Hives/", b"UtilityVM/")


def windows_fault(path: bytes, *, is_file: bool) -> tuple[str, str] | None:
    """Return the rule that the clean path of an entry breaks, and a detail; None if it is a path of Windows."""
    try:
        windows_path(path, is_file=is_file)
    except UnsafePathError as error:
        return "windows-path", error.reason
    return None if not path or (path + b"/").startswith(_ROOTS) else ("windows-root", "")


def child_of(directory: Directory, name: bytes) -> Node | None:
    """Return the node of a name in a directory, which on Windows may be spelled otherwise."""
    return directory.children.get(spelling(directory.children, name))


def base_faults(tree: FileTree) -> Iterator[tuple[bytes, str]]:
    """Yield the path and a sentence for each file that a base lacks; `tree` is that of the lowest layer."""
    if not isinstance(tree.at(tree.spelled(b"Files")), Directory):
        yield b"Files", "there is no directory Files"
    wanted = [(path, "a hive of the registry") for path in _HIVES]
    if isinstance(tree.at(tree.spelled(b"UtilityVM/Files")), Directory):
        wanted.append((_BOOT, "the boot configuration of the utility virtual machine"))
    for path, what in wanted:
        node = tree.at(tree.spelled(path))
        if not isinstance(node, File):
            yield path, f"{what} is {'missing' if node is None else 'no file'}"
