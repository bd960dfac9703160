"""What a layer is made to be: whose its files are, where they go, what is left out, how it is compressed.

Both are values; the defaults make the same layer of the same files on every machine. `arrange` does what
`LayerOptions` say, `blob/compressor` what a `Codec` says.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import attrs

from oci_layers import system
from oci_layers.blob.compressor import Encoder
from oci_layers.build.ignore import Ignore
from oci_layers.errors import WhiteoutError
from oci_layers.layer.whiteout import PREFIX
from oci_layers.spec import mediatype
from oci_layers.tar.entry import Entry
from oci_layers.tree.node import OVERLAY_XATTRS
from oci_layers.tree.path import AnyPath, clean, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["Codec", "IdRule", "LayerOptions", "is_portable_xattr"]

IdRule = int | Mapping[int, int] | Callable[[int], int] | None
"""Which owner a file gets: one for all, a new one for each of some, the result of a function, or that which it has."""

_LABELS = frozenset({b"security.selinux", b"security.evm", b"security.ima", b"system.nfs4_acl"})
_LABEL_PREFIXES = (b"security.SMACK64", *OVERLAY_XATTRS)

_MEDIA_TYPES = {"": mediatype.OCI_LAYER, "gzip": mediatype.OCI_LAYER_GZIP, "zstd": mediatype.OCI_LAYER_ZSTD}


def is_portable_xattr(name: bytes) -> bool:
    """Tell whether an extended attribute belongs to a file, rather than to the machine on which it is.

    The labels of SELinux and Smack, the signatures of EVM and IMA, the ACLs of a file server and the bookkeeping of
    overlayfs do not.
    """
    return name not in _LABELS and not name.startswith(_LABEL_PREFIXES)


def _prefix(path: AnyPath) -> bytes:
    cleaned = clean(to_bytes(path))
    if any(name.startswith(PREFIX) for name in cleaned.split(b"/")):
        raise WhiteoutError(cleaned, "no layer can add a name that begins with '.wh.'")
    return cleaned


def _ignore(lines: Ignore | str | Iterable[str]) -> Ignore:
    return lines if isinstance(lines, Ignore) else Ignore.parse(lines)


@attrs.frozen(kw_only=True)
class LayerOptions:
    """How files become entries. Owners are numbers, and times of access and change are never written."""

    prefix: bytes = attrs.field(default=b"", converter=_prefix)
    """The directory in the image in which everything is put; any form of path. The directories above it are entries of
    the layer, too: some engines make missing ones with mode 0600. They have mode 0755 and belong to 0:0, unless `base`
    has them."""
    base: FileTree | None = attrs.field(default=None, eq=False)
    """What the layer will be put on. Links in `prefix` are followed in it, and the directories of `prefix` that it has
    keep the attributes that they have there."""
    keep_root: bool = True
    """Whether the top directory itself is an entry. If not, what it holds is put into `prefix` as Docker's COPY does,
    and the layer does not say how the root of the image is."""
    ignore: Ignore = attrs.field(factory=Ignore, converter=_ignore)
    """What is left out: an `Ignore`, or the text or the lines of a `.dockerignore`. The patterns are relative to the
    top of the source, whatever `prefix` is."""
    uid: IdRule = None
    """The user that files belong to: a number, `{old: new}` for some, a function, or None to leave it as it is."""
    gid: IdRule = None
    """The group; as `uid`."""
    mode: int | Callable[[Entry], int] | None = None
    """The mode of everything but links, as `COPY --chmod` sets it; or a function of the entry: `entry.mode & 0o755`."""
    clamp_mtime: int | None = attrs.field(factory=system.source_date_epoch)
    """The latest time that a file has, in seconds since 1970: later ones are replaced by it. By default what the
    environment variable SOURCE_DATE_EPOCH says, if it is set; None for no limit."""
    nanoseconds: bool = False
    """Whether times keep their fractions. By default they are cut to seconds, as containerd, Docker and umoci cut them:
    fractions need a second header for each entry, 1 KiB, and file systems differ in what they keep of them. So a file
    that was changed twice within a second looks unchanged to a comparison of sizes and times."""
    windows: bool | None = None
    """Whether the layer is for Windows: everything is put on the drive C:, with the metadata that Windows needs. By
    default it is if `base` is the tree of an image for Windows, as `Image.tree` returns it."""
    windows_links: bool = False
    """Whether links in a layer for Windows get targets of Windows: `/x` becomes `C:\\x`, and `../x` `..\\x`."""
    keep_xattr: Callable[[bytes], bool] | None = None
    """Which extended attributes are written; the others are reported. By default those for which `is_portable_xattr`
    is true."""

    @property
    def is_windows(self) -> bool:
        """Whether the layer is for Windows."""
        return self.windows if self.windows is not None else self.base is not None and self.base.windows


@attrs.frozen(kw_only=True)
class Codec:
    """How a layer is compressed.

    The same layer is compressed to the same bytes by the same version of zlib or libzstd, on every machine and with
    any number of threads. The encoder `isal` is about ten times as fast as zlib and its result about a tenth larger,
    but its bytes may depend on the processor, too.
    """

    compression: Literal["", "gzip", "zstd"] = "gzip"
    """The compression; "" for none."""
    level: int | None = None
    """0 to 9 for gzip, 6 by default; with isal 0 to 3, 1 by default; for zstd what libzstd knows, 3 by default."""
    encoder: Encoder = "zlib"
    """What makes gzip data: `zlib` or `isal`."""
    threads: int | None = None
    """How many threads compress gzip; by default as many as there are processors."""

    @property
    def media_type(self) -> str:
        """The media type of a layer that is compressed so."""
        return _MEDIA_TYPES[self.compression]
