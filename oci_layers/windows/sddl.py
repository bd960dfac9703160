"""Security descriptors as text, in the Security Descriptor Definition Language (MS-DTYP 2.5.1), into their bytes.

    O:BAG:SYD:PAI(A;OICI;FA;;;BA)(A;;0x1200a9;;;S-1-5-32-545)S:(AU;FA;SD;;;WD)

The bytes are those of a self-relative SECURITY_DESCRIPTOR (2.4.6): a header of 20 bytes with the offsets of what
follows it, in this order, which any reader takes: owner, group, the list of audits (SACL), the list of rights (DACL).
A list (2.4.5) is a header of 8 bytes and its entries; an entry (2.4.4) has a type, flags, its size, what it allows, for
some types two GUIDs, and to whom: a SID (2.4.2). Text and names of rights are read without case.

What text alone does not determine is refused, and named: aliases that depend on the domain or the machine (`DA`, `LA`),
entries with a condition (`XA`, `XD`, `XU`, `ZA`) or an attribute (`RA`), and the newer types `SP`, `TL` and `FL`.
"""

import re
import struct
from typing import NoReturn

import attrs

from oci_layers.errors import LayerError, UnsupportedError

__all__ = ["encode_sddl"]

_TYPES = {"A": 0, "D": 1, "AU": 2, "AL": 3, "OA": 5, "OD": 6, "OU": 7, "OL": 8, "ML": 0x11}
_OBJECT_TYPES = frozenset({5, 6, 7, 8})
_REFUSED_TYPES = frozenset({"XA", "XD", "XU", "ZA", "RA", "SP", "TL", "FL"})
_FLAGS = {"OI": 0x01, "CI": 0x02, "NP": 0x04, "IO": 0x08, "ID": 0x10, "SA": 0x40, "FA": 0x80}
_RIGHTS = {
    "GA": 0x10000000,
    "GX": 0x20000000,
    "GW": 0x40000000,
    "GR": 0x80000000,  # generic
    "SD": 0x10000,
    "RC": 0x20000,
    "WD": 0x40000,
    "WO": 0x80000,  # standard
    "FA": 0x1F01FF,
    "FX": 0x1200A0,
    "FW": 0x120116,
    "FR": 0x120089,  # files
    "KA": 0xF003F,
    "KR": 0x20019,
    "KW": 0x20006,
    "KX": 0x20019,  # keys of the registry
    "CC": 0x1,
    "DC": 0x2,
    "LC": 0x4,
    "SW": 0x8,
    "RP": 0x10,
    "WP": 0x20,
    "DT": 0x40,
    "LO": 0x80,
    "CR": 0x100,
}
_LABEL_RIGHTS = {"NW": 0x1, "NR": 0x2, "NX": 0x4}
"""The rights of a mandatory label (ML)."""
_BUILTIN = {
    "BA": 544,
    "BU": 545,
    "BG": 546,
    "PU": 547,
    "AO": 548,
    "SO": 549,
    "PO": 550,
    "BO": 551,
    "RE": 552,
    "RU": 554,
    "RD": 555,
    "NO": 556,
    "MU": 558,
    "LU": 559,
    "IS": 568,
    "CY": 569,
    "ER": 573,
    "CD": 574,
    "RA": 575,
    "ES": 576,
    "MS": 577,
    "HA": 578,
    "AA": 579,
    "RM": 580,
}
_NT_AUTHORITY = {
    "NU": 2,
    "IU": 4,
    "SU": 6,
    "AN": 7,
    "ED": 9,
    "PS": 10,
    "AU": 11,
    "RC": 12,
    "SY": 18,
    "LS": 19,
    "NS": 20,
    "WR": 33,
}
_ALIASES = {
    **{alias: (5, 32, number) for alias, number in _BUILTIN.items()},
    **{alias: (5, number) for alias, number in _NT_AUTHORITY.items()},
    "WD": (1, 0),
    "CO": (3, 0),
    "CG": (3, 1),
    "OW": (3, 4),
    "UD": (5, 84, 0, 0, 0, 0, 0),
    "AC": (15, 2, 1),
    "AS": (18, 1),
    "SS": (18, 2),
    "LW": (16, 4096),
    "ME": (16, 8192),
    "MP": (16, 8448),
    "HI": (16, 12288),
    "SI": (16, 16384),
}
"""The authority and the numbers of each SID that has an alias (MS-DTYP 2.4.2.4)."""
_DOMAIN_ALIASES = frozenset(
    {"AP", "CA", "CN", "DA", "DC", "DD", "DG", "DU", "EA", "EK", "KA", "LA", "LG", "PA", "RO", "RS", "SA"}
)
_SELF_RELATIVE, _PRESENT = 0x8000, 0x0004
_NO_LIST = "NO_ACCESS_CONTROL"
_LIST_FLAGS = {"P": 0x1000, "AR": 0x0100, "AI": 0x0400}
_OF_SACL = {_PRESENT: 0x0010, 0x1000: 0x2000, 0x0100: 0x0200, 0x0400: 0x0800}
"""For a flag of the DACL, that of the SACL."""
_MOST_NUMBERS, _MOST_NUMBER, _MOST_AUTHORITY = 15, 2**32 - 1, 2**48 - 1
_MOST_BYTES = 0xFFFF
"""The most bytes of a list, and so of an entry."""

_match_sid = re.compile(r"S-1-(0X[0-9A-F]{1,12}|[0-9]{1,15})((?:-[0-9]{1,10})+)", re.IGNORECASE).match
_match_number = re.compile(r"0X[0-9A-F]{1,8}|0[0-7]{0,11}|[1-9][0-9]{0,9}").fullmatch
_match_guid = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", re.IGNORECASE).fullmatch
_match_list_flag = re.compile(r"AR|AI|P", re.IGNORECASE).match


def encode_sddl(text: bytes) -> bytes:
    """Return the self-relative security descriptor that a text describes; parts that it lacks are absent.

    Raises:
        LayerError: The text is malformed; the reason says at which character.
        UnsupportedError: The text does not determine the bytes of a part, or the part is not known here.
    """
    try:
        parser = _Parser(text.decode("ascii"))
    except UnicodeDecodeError as error:
        raise LayerError(b"", f"SDDL, character {error.start}: not ASCII") from None
    return parser.descriptor()


@attrs.define
class _Parser:
    """Reads a text from its beginning; `at` is the next character."""

    text: str
    at: int = 0

    def refuse(self, reason: str, at: int | None = None) -> NoReturn:
        raise LayerError(b"", f"SDDL, character {self.at if at is None else at}: {reason}")

    def unknown(self, what: str, value: str, at: int, why: str) -> NoReturn:
        raise UnsupportedError(what, value, f"SDDL, character {at}: {why}")

    def descriptor(self) -> bytes:
        """Return the descriptor of the whole text."""
        control = _SELF_RELATIVE
        parts: dict[str, bytes] = {}
        while self.at < len(self.text):
            start, key = self.at, self.text[self.at : self.at + 2].upper()
            if key not in {"O:", "G:", "D:", "S:"}:
                self.refuse("expected O:, G:, D: or S:")
            if key in parts:
                self.refuse(f"{key} is there twice")
            self.at += 2
            if key in {"O:", "G:"}:
                parts[key] = self.sid()
                continue
            flags, parts[key] = self.access_list()
            if key == "S:":
                if not parts[key]:
                    self.refuse(f"only D: can be {_NO_LIST}", start)
                flags = sum(other for flag, other in _OF_SACL.items() if flags & flag)
            control |= flags
        offsets, data = [], b""
        for key in ("O:", "G:", "S:", "D:"):
            part = parts.get(key, b"")
            offsets.append(20 + len(data) if part else 0)
            data += part
        return struct.pack("<BBH4I", 1, 0, control, *offsets) + data

    def access_list(self) -> tuple[int, bytes]:
        """Return the flags of a list, as of a DACL, and its bytes; none for a DACL that allows everything."""
        flags = _PRESENT
        while found := _match_list_flag(self.text, self.at):
            flags |= _LIST_FLAGS[found[0].upper()]
            self.at = found.end()
        if self.text[self.at : self.at + len(_NO_LIST)].upper() == _NO_LIST:
            self.at += len(_NO_LIST)
            return flags, b""
        start, revision, entries = self.at, 2, []
        while self.text.startswith("(", self.at):
            entries.append(self.entry())
            if entries[-1][0] in _OBJECT_TYPES:
                revision = 4
        size = 8 + sum(map(len, entries))
        if size > _MOST_BYTES:
            self.refuse(f"the list takes {size} bytes, at most {_MOST_BYTES} are possible", start)
        return flags, struct.pack("<BBHHH", revision, 0, size, len(entries), 0) + b"".join(entries)

    def entry(self) -> bytes:
        """Return the entry that begins here, in parentheses."""
        start = self.at
        self.at += 1
        kind = self.field().upper()
        if kind in _REFUSED_TYPES:
            self.unknown("type of an access entry", kind, start + 1, "its bytes cannot be made")
        if kind not in _TYPES:
            self.refuse(f"the type {kind!r} is unknown", start + 1)
        number = _TYPES[kind]
        flags = self.names(_FLAGS, "flag", self.at, self.field())
        mask = self.rights(_LABEL_RIGHTS if kind == "ML" else _RIGHTS)
        guids = [self.guid(is_allowed=number in _OBJECT_TYPES) for _ in range(2)]
        sid = self.sid()
        if not self.text.startswith(")", self.at):
            self.refuse("expected ')' after the SID")
        self.at += 1
        body = struct.pack("<I", mask)
        if number in _OBJECT_TYPES:
            body += struct.pack("<I", bool(guids[0]) | bool(guids[1]) << 1) + b"".join(guids)
        body += sid
        return struct.pack("<BBH", number, flags, 4 + len(body)) + body

    def field(self) -> str:
        """Return the text up to the next semicolon, and pass both."""
        end = self.text.find(";", self.at)
        if end < 0:
            self.refuse("an entry ends before its six fields")
        value, self.at = self.text[self.at : end], end + 1
        return value

    def rights(self, names: dict[str, int]) -> int:
        """Return the next field, a number or names of rights, as a mask."""
        start, value = self.at, self.field()
        if not value[:1].isdigit():
            return self.names(names, "right", start, value)
        if not _match_number(value.upper()):
            self.refuse("the rights are no number", start)
        mask = int(value, 16 if value[1:2] in {"x", "X"} else 8 if value[0] == "0" else 10)
        if mask > _MOST_NUMBER:
            self.refuse("the rights do not fit in 32 bits", start)
        return mask

    def names(self, known: dict[str, int], what: str, start: int, value: str) -> int:
        """Return names of two letters, one after another, as a mask."""
        mask = 0
        for at in range(0, len(value), 2):
            name = value[at : at + 2]
            if name.upper() not in known:
                self.refuse(f"the {what} {name!r} is unknown", start + at)
            mask |= known[name.upper()]
        return mask

    def guid(self, *, is_allowed: bool) -> bytes:
        """Return the bytes of the GUID that the next field is: three little-endian numbers, and eight bytes."""
        start, value = self.at, self.field()
        if not value:
            return b""
        if not is_allowed:
            self.refuse("an entry of this type has no GUID", start)
        if not _match_guid(value):
            self.refuse("a GUID is malformed", start)
        one, two, three, *rest = value.split("-")
        return struct.pack("<IHH", int(one, 16), int(two, 16), int(three, 16)) + bytes.fromhex("".join(rest))

    def sid(self) -> bytes:
        """Return the bytes of the SID that begins here."""
        start, found = self.at, _match_sid(self.text, self.at)
        if found is None:
            alias = self.text[start : start + 2].upper()
            if alias in _DOMAIN_ALIASES:
                self.unknown("alias of a SID", alias, start, "it depends on the domain or the machine")
            if alias not in _ALIASES:
                self.refuse("expected a SID or an alias")
            self.at += 2
            authority, *numbers = _ALIASES[alias]
        else:
            self.at = found.end()
            authority = int(found[1], 16 if found[1][1:2] in {"x", "X"} else 10)
            numbers = [int(number) for number in found[2][1:].split("-")]
        if authority > _MOST_AUTHORITY or len(numbers) > _MOST_NUMBERS or max(numbers) > _MOST_NUMBER:
            self.refuse("a SID has at most 15 numbers of 32 bits, and an authority of 48", start)
        head = struct.pack("<BB6s", 1, len(numbers), authority.to_bytes(6, "big"))
        return head + struct.pack(f"<{len(numbers)}I", *numbers)
