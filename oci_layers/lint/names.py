"""What is odd about the name of one file, whatever it is a name of.

Names that other systems cannot hold (Windows, macOS, anything that takes names for UTF-8), two names that such systems
take for one, and the usual names of secrets. `is_plain` sorts out most names at a glance, as lint looks at every one:
for them, nothing here has anything to say. What the spec forbids in names is in `lint`.
"""

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["NOTED_ONCE", "fold", "is_plain", "is_secret", "name_faults", "same_text"]

NOTED_ONCE = frozenset({"backslash", "windows-character", "windows-name", "trailing-dot"})
"""What matters on Windows alone, so that an image for another system is told of it once a layer."""

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-.+~,=@%#^&()[]{}!$;'`")
_PLAIN_OR_NUL = bytes(byte if byte in _PLAIN else 0 for byte in range(256))
"""For `translate`, which gives a name of nothing but plain bytes back as it is."""
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
"""What stands before, between or after the dots of a name that needs a closer look; nothing for `.netrc` and `x.`."""
_CONTROL = re.compile(rb"[\x01-\x1f\x7f]")
_FORBIDDEN = re.compile(rb'[:*?"<>|]')


def is_plain(name: bytes) -> bool:
    """Tell whether nothing can be odd about `name`: lower-case ASCII, and like nothing that is looked for."""
    return name.translate(_PLAIN_OR_NUL) == name and _SUSPECTS.isdisjoint(name.split(b".")) and len(name) <= 255


def name_faults(name: bytes) -> Iterator[tuple[str, str]]:
    """Yield the rule and a detail for all that is odd about the base name `name` by itself."""
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


def is_secret(path: bytes) -> bool:
    """Tell whether a file at the clean `path` usually holds what should not be in an image."""
    name = path.rpartition(b"/")[2]
    return name in _SECRETS or (b"/" + path).endswith(_SECRET_PATHS) or bool(_KEY_FILE.fullmatch(name))


def fold(name: bytes) -> bytes:
    """Return what all names have in common that differ in case, or in how their text is composed."""
    if name.isascii():
        return name.lower()
    text = unicodedata.normalize("NFD", name.decode("utf-8", "surrogateescape")).casefold()
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")


def same_text(one: bytes, other: bytes) -> bool:
    """Tell whether two names are the same text, composed or not."""
    left, right = (unicodedata.normalize("NFC", name.decode("utf-8", "surrogateescape")) for name in (one, other))
    return left == right
