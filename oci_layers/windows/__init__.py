r"""The forms that layers for Windows have on a disk of Windows.

A file there is one stream of bytes (`backup`), which has its extended attributes (`attributes`), its security
descriptor, which may come as text (`sddl`), and, of a link, its reparse data (`reparse`). `transport` makes of the
changes of a layer the folder that Windows imports, and reads one; `unpacked` makes a tree of an image for Windows again
that was unpacked on Linux, with the metadata beside it (`meta`). All functions are pure: they take and return trees,
whose contents are read when they are asked for.

A file, its metadata and its streams, as Windows reads them:

    >>> from oci_layers import tree, windows
    >>> zone = {b"Zone.Identifier": tree.Inline(b"z")}
    >>> metadata = tree.WindowsMetadata(extended_attributes={b"A": b"1"}, streams=zone)
    >>> content = windows.encode_backup(tree.File(0, 0, 0, 0, content=tree.Inline(b"lit"), windows=metadata))
    >>> [(part.kind, part.name, part.size) for part in windows.iter_backup(content)]
    [(2, '', 12), (1, '', 3), (4, ':Zone.Identifier:$DATA', 1)]
    >>> part: windows.BackupPart = next(windows.iter_backup(content))
    >>> windows.decode_attributes(part.head), windows.encode_attributes({b"A": b"1"}) == part.head
    ({b'A': b'1'}, True)
    >>> back: windows.BackedUp = windows.decode_backup(content)
    >>> b"".join(back.content.chunks()), [*back.windows.streams]
    (b'lit', [b'Zone.Identifier'])

A link:

    >>> windows.decode_link(windows.encode_link(rb"C:\Users", is_junction=True))
    (b'C:\\Users', True)

A security descriptor, which old layers have as text:

    >>> windows.encode_sddl(b"O:SY").hex(" ", 4)
    '01000080 14000000 00000000 00000000 00000000 01010000 00000005 12000000'

The changes of a layer, as the folder that Windows imports, and back:

    >>> from oci_layers import layer, tar
    >>> entries = [tar.Entry(b"Files", tar.DIRECTORY), tar.Entry(b"Files/a"), tar.Entry(b"Files/.wh.b")]
    >>> folder = windows.to_transport(layer.decode(entries, layer=1, windows=True), parents=[r"C:\layers\base"])
    >>> for path, node in folder.walk():
    ...     print(path.decode(), type(node).__name__)
     Directory
    Files Directory
    Files/a File
    Files.$wcidirs$ File
    layerchain.json File
    oci-layers-steps.jsonl File
    oci-layers.jsonl File
    tombstones.txt File
    >>> b"".join(folder.require("tombstones.txt").content.chunks())
    b'\xef\xbb\xbfVersion 1.0\n\\b\n'
    >>> [change.path for change in windows.from_transport(folder)]
    [b'Files', b'Files/a', b'Files/b']

A directory to which `Image.unpack` wrote such an image is that image again:

    >>> scanned = tree.FileTree()
    >>> lines = tree.Inline(b'{"path": "Files", "written": "0.0", "windows": {"attributes": 16}}')
    >>> editor = tree.TreeEditor(scanned)
    >>> editor.put(editor.open_parent(b""), b"meta.jsonl", tree.File(0o644, 0, 0, 0, content=lines))
    >>> editor.put(editor.open_parent(b""), b"Files", tree.Directory(0o755, 0, 0, 0))
    >>> windows.from_unpacked(scanned).require("files").windows.attributes
    16
"""

from oci_layers.windows.attributes import decode_attributes, encode_attributes
from oci_layers.windows.backup import BackedUp, BackupPart, decode_backup, encode_backup, iter_backup
from oci_layers.windows.reparse import decode_link, encode_link
from oci_layers.windows.sddl import encode_sddl
from oci_layers.windows.transport import to_transport
from oci_layers.windows.transport_reader import from_transport
from oci_layers.windows.unpacked import from_unpacked

__all__ = [
    "BackedUp",
    "BackupPart",
    "decode_attributes",
    "decode_backup",
    "decode_link",
    "encode_attributes",
    "encode_backup",
    "encode_link",
    "encode_sddl",
    "from_transport",
    "from_unpacked",
    "iter_backup",
    "to_transport",
]
