"""Layers for Windows as Windows writes them, and what the tests say of them."""

import base64
import io
import struct

from oci_layers.layer import apply, decode
from oci_layers.tar import read_tar
from tests.support.layers import d, f, ln, sym, tar
from tests.support.trees import merged

SECOND = 10**9
TIMES = {b"LIBARCHIVE.creationtime": b"1600000000.1234567", b"atime": b"1700000001.5", b"ctime": b"-1.000000001"}


def descriptor(word=b"\0"):
    """A self-relative security descriptor without anything in it but a word at its end."""
    return struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0) + word


def pax(attributes, sd=None, **more):
    """The records of an entry: attributes, descriptor and times."""
    records = {b"MSWINDOWS.fileattr": b"%d" % attributes, **TIMES}
    if sd is not None:
        records[b"MSWINDOWS.rawsd"] = base64.b64encode(sd)
    return records | {key.encode(): value for key, value in more.items()}


def windir(name, **fields):
    """A directory of a Windows layer."""
    return d(name, 0o40000, pax=pax(16, descriptor()), **fields)


def winfile(name, data="", **fields):
    """A file of a Windows layer."""
    fields.setdefault("pax", pax(32, descriptor()))
    return f(name, data, 0o100000, **fields)


def winlink(name, target, *, junction=False):
    """A symbolic link of a Windows layer."""
    extra = {b"MSWINDOWS.mountpoint": b"1"} if junction else {}
    return sym(name, target, pax=pax(0x410 if junction else 0x420) | extra)


EVERYTHING = (
    windir("Files"),
    windir("Files/Windows"),
    winfile("Files/Windows/win.ini", "; for 16-bit app support"),
    winfile("Files/Windows/win.ini:Zone.Identifier", "[ZoneTransfer]"),
    winfile("Files/Windows/win.ini:empty", pax={}),
    winfile(
        "Files/Windows/ea.exe",
        "MZ",
        pax=pax(0x2821, descriptor(b"ea"))
        | {b"MSWINDOWS.xattr.$KERNEL.PURGE.ESBCACHE": b"AAEC", b"MSWINDOWS.xattr.A": b""},
    ),
    ln("Files/Windows/other.exe", "Files/Windows/ea.exe"),
    winlink("Files/Documents and Settings", "C:\\Users", junction=True),
    winlink("Files/here", "Windows\\WIN.ini"),
    winlink("Files/away", "\\\\?\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\"),
    windir("Hives"),
    winfile("Hives/System_Delta", "regf"),
    windir("UtilityVM"),
    windir("UtilityVM/Files"),
    ln("UtilityVM/Files/win.ini", "Files/Windows/win.ini"),
)
"""A layer with one of everything that a layer of Windows has."""


OLD_FORM = (
    windir("Files"),
    f(
        "Files/old",
        "x",
        xattrs={
            b"MSWINDOWS." + key: value
            for key, value in (
                *((b"fileattr", b"33"), (b"sd", b"O:BAG:SYD:(A;;FA;;;WD)"), (b"createtime", b"116444736000000001")),
                *((b"accesstime", b"133444736000000001"), (b"changetime", b"133444736000000002")),
                (b"writetime", b"133444736000000003"),
            )
        },
    ),
)
"""A layer whose records have the form of 2016."""
PARENT = (windir("Files"), winfile("Files/below", "below"), windir("UtilityVM"), windir("UtilityVM/Files"))
INTO_PARENT = (ln("Files/link", "Files/below"), ln("UtilityVM/Files/link", "Files/below"))
"""Hard links to a file of the layer below."""
STREAMS = (windir("Files"), winfile("Files/a"), winfile("Files/a:s", "1"), winfile("Files/a:t:$DATA", "2"))
"""Streams in both spellings."""


CONFIG = [
    winfile(f"Files/Windows/System32/config/{name}") for name in ("DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM")
]
BASE = [
    *(windir("Files"), windir("Files/Program Files"), windir("Files/Windows"), windir("Files/Windows/System32")),
    *(windir("Files/Windows/System32/config"), *CONFIG),
    f("Files/Windows/System32/hosts", "1", 0o100000, pax=pax(32, descriptor(b"lower"))),
]
"""A base: the hives of the registry, and a file with a descriptor of its own."""


def windows_tree(*layers, **options):
    """The tree that layers, each a list of entries, make of a Windows image."""
    return merged(*(tar(*layer) for layer in layers), windows=True, **options)


def paths(tree):
    """The paths of a tree, the root left out."""
    return [path for path, _ in tree.walk()][1:]


def reported(*layers, policy=None):
    """The tree that layers make, and the findings: each as rule, path and detail."""
    found = []
    tree = windows_tree(*layers, policy=policy, on_finding=found.append)
    return tree, [(each.rule, each.location.path, each.message) for each in found]


def windows_changes(*entries):
    """The changes of a layer of entries."""
    return list(decode(read_tar(io.BytesIO(tar(*entries))), layer=1, windows=True))


def applied(changes, *lower):
    """The tree that changes make of layers below, each a list of entries."""
    tree = windows_tree(*lower)
    apply(changes, tree, layer=1)
    return tree


def text(tree, path):
    """The contents of a file of a tree."""
    return b"".join(tree.require(path).content.chunks())
