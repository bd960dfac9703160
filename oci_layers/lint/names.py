"""Checks of one file name by itself.

Names that other systems cannot hold (Windows, macOS, anything that reads names as UTF-8), pairs of names that such
systems do not distinguish, and the usual names of secrets. `is_plain` quickly recognizes most names, in which nothing
here finds a fault, because lint checks every name. What the spec forbids in names is in `walk`.
"""

import re
import unicodedata
from collections.abc import Iterator

from oci_layers.layer.whiteout import PREFIX

__all__ = ["NOTED_ONCE", "fold", "is_component", "is_plain", "is_secret", "name_faults", "same_text"]

NOTED_ONCE = frozenset({"backslash", "windows-character", "windows-name", "trailing-dot"})
"""Rules that matter only on Windows; lint reports each once a layer if the image is for another system."""

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-.+~,=@%#^&()[]{}!$;'`")
_PLAIN_OR_NUL = bytes(byte if byte in _PLAIN else 0 for byte in range(256))
"""For `translate`, which returns a name of only plain bytes unchanged."""
_DEVICES = frozenset(
    [b"con", b"prn", b"aux", b"nul", b"conin$", b"conout$"]
    + [device + b"%d" % number for device in (b"com", b"lpt") for number in range(10)]
)
_KEYS = frozenset({b"id_rsa", b"id_dsa", b"id_ecdsa", b"id_ed25519", b"id_ecdsa_sk", b"id_ed25519_sk"})
_SECRETS = _KEYS | {
    b".dockercfg",
    b".git-credentials",
    b".my.cnf",
    b".netrc",
    b".npmrc",
    b".pgpass",
    b".pypirc",
    b".vault-token",
}
_SECRET_PATHS = (b"/.aws/credentials", b"/.docker/config.json", b"/.kube/config", b"/.config/gh/hosts.yml")
_KEY_FILE = re.compile(rb".*\.(?:key|p12|pfx|ppk)|(?:.*[._-])?(?:priv|private|priv-?key|private[._-]?key|key)\.pem")
_SUSPECTS = _DEVICES | _KEYS | {b"", b"credentials", b"config", b"hosts", b"pem", b"key", b"p12", b"pfx", b"ppk"}
"""Parts before, between or after dots that need a closer look; the empty part is in `.netrc` and `x.`."""
_CONTROL = re.compile(rb"[\x01-\x1f\x7f]")
_FORBIDDEN = re.compile(rb'[:*?"<>|]')


def is_plain(name: bytes) -> bool:
    """Return whether `name` is lower-case ASCII without a suspicious part, so that no check finds a fault."""
    return name.translate(_PLAIN_OR_NUL) == name and _SUSPECTS.isdisjoint(name.split(b".")) and len(name) <= 255


def name_faults(name: bytes) -> Iterator[tuple[str, str]]:
    """Yield a rule and a detail for each fault of the base name `name` by itself."""
    if not name.isascii():
        try:
            name.decode("utf-8")
        except UnicodeDecodeError as error:
            yield "not-utf8", f"at byte {error.start} of the name"
    if found := _CONTROL.search(name):
        yield "control-character", f"{found[0]!r}"[1:]
    if b"\\" in name:
        yield "backslash", ""
    if found := _FORBIDDEN.search(name):
        yield "windows-character", found[0].decode("ascii")
    if name.partition(b".")[0].rstrip(b" ").lower() in _DEVICES:
        yield "windows-name", ""
    if name.endswith((b".", b" ")):
        yield "trailing-dot", ""
    if len(name) > 255:
        yield "long-name", f"{len(name)} bytes"


def is_component(base: bytes) -> bool:
    """Return whether `base` is a valid last component of a path, and not a marker."""
    return 0 < len(base) <= 255 and base not in {b".", b".."} and b"\0" not in base and not base.startswith(PREFIX)


def is_secret(path: bytes) -> bool:
    """Return whether the clean `path` is a usual name of a file with secrets."""
    name = path.rpartition(b"/")[2]
    return name in _SECRETS or (b"/" + path).endswith(_SECRET_PATHS) or bool(_KEY_FILE.fullmatch(name))


def fold(name: bytes) -> bytes:
    """Return the folded form of `name`, which is equal for names that differ only in case or Unicode composition."""
    if name.isascii():
        return name.lower()
    text = unicodedata.normalize("NFD", name.decode("utf-8", "surrogateescape")).casefold()
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")


def same_text(one: bytes, other: bytes) -> bool:
    """Return whether two names are the same text, composed or decomposed."""
    left, right = (unicodedata.normalize("NFC", name.decode("utf-8", "surrogateescape")) for name in (one, other))
    return left == right
