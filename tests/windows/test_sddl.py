"""Bytes by hand from MS-DTYP: SID 2.4.2, ACE 2.4.4, ACL 2.4.5, SECURITY_DESCRIPTOR 2.4.6."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LayerError, UnsupportedError
from oci_layers.windows import encode_sddl

SYSTEM = bytes.fromhex("01 01 000000000005 12000000")
ADMINISTRATORS = bytes.fromhex("01 02 000000000005 20000000 20020000")
EVERYONE = bytes.fromhex("01 01 000000000001 00000000")


def header(control, owner=0, group=0, sacl=0, dacl=0):
    return struct.pack("<BBHIIII", 1, 0, control, owner, group, sacl, dacl)


def acl(*entries, revision=2):
    body = b"".join(entries)
    return struct.pack("<BBHHH", revision, 0, 8 + len(body), len(entries), 0) + body


def entries(text):
    """The bytes of the only list, of a descriptor that has nothing else."""
    raw = encode_sddl(text.encode())
    assert raw[:2] == b"\1\0"
    return raw[20:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", header(0x8000)),
        ("O:SY", header(0x8000, owner=20) + SYSTEM),
        ("G:SY", header(0x8000, group=20) + SYSTEM),
        ("G:SYO:BA", header(0x8000, owner=20, group=36) + ADMINISTRATORS + SYSTEM),
        ("D:", header(0x8004, dacl=20) + bytes.fromhex("02 00 0800 0000 0000")),
        ("D:NO_ACCESS_CONTROL", header(0x8004)),
        ("D:PNO_ACCESS_CONTROLO:SY", header(0x9004, owner=20) + SYSTEM),
        ("D:P", header(0x9004, dacl=20) + acl()),
        ("D:AR", header(0x8104, dacl=20) + acl()),
        ("D:AI", header(0x8404, dacl=20) + acl()),
        ("D:PARAI", header(0x9504, dacl=20) + acl()),
        ("S:PARAI", header(0xAA10, sacl=20) + acl()),
        ("S:D:", header(0x8014, sacl=20, dacl=28) + acl() + acl()),
        (
            "O:SYD:(A;;FA;;;WD)",
            header(0x8004, owner=20, dacl=32)
            + SYSTEM
            + bytes.fromhex("02 00 1c00 0100 0000")  # 28 bytes, one entry
            + bytes.fromhex("00 00 1400 ff011f00")  # allowed, no flags, 20 bytes, everything of a file
            + EVERYONE,
        ),
        ("o:sys:(au;fa;sd;;;wd)", header(0x8010, owner=20, sacl=32) + SYSTEM + acl(b"\2\x80\x14\0\0\0\1\0" + EVERYONE)),
    ],
)
def test_a_text_gives_the_bytes_of_the_layout(text, expected):
    assert encode_sddl(text.encode()) == expected


@pytest.mark.parametrize(
    ("kind", "number"), [("A", 0), ("D", 1), ("AU", 2), ("AL", 3), ("OA", 5), ("OD", 6), ("OU", 7), ("OL", 8)]
)
def test_an_entry_has_its_type(kind, number):
    found = entries(f"D:({kind};;GA;;;SY)")
    no_guids = b"" if number < 5 else bytes(4)
    body = bytes.fromhex("00000010") + no_guids + SYSTEM
    expected = struct.pack("<BBH", number, 0, 4 + len(body)) + body
    assert found == acl(expected, revision=2 if number < 5 else 4)


def test_a_mandatory_label_has_its_own_rights():
    label = bytes.fromhex("11 00 1400 07000000 0101 000000000010 00300000")
    assert entries("S:(ML;;NWNRNX;;;HI)") == acl(label)


@pytest.mark.parametrize(
    ("flags", "number"),
    [("", 0), ("OI", 1), ("CI", 2), ("NP", 4), ("IO", 8), ("ID", 0x10), ("SA", 0x40), ("FA", 0x80), ("OICIIOID", 0x1B)],
)
def test_an_entry_has_its_flags(flags, number):
    assert entries(f"D:(A;{flags};;;;SY)")[9] == number


@pytest.mark.parametrize(
    ("rights", "mask"),
    [
        ("", 0),
        *(("GA", 0x10000000), ("GX", 0x20000000), ("GW", 0x40000000), ("GR", 0x80000000)),
        *(("SD", 0x10000), ("RC", 0x20000), ("WD", 0x40000), ("WO", 0x80000)),
        *(("FA", 0x1F01FF), ("FR", 0x120089), ("FW", 0x120116), ("FX", 0x1200A0)),
        *(("KA", 0xF003F), ("KR", 0x20019), ("KW", 0x20006), ("KX", 0x20019)),
        *(("CC", 1), ("DC", 2), ("LC", 4), ("SW", 8), ("RP", 16), ("WP", 32), ("DT", 64), ("LO", 128), ("CR", 256)),
        *(("FRFX", 0x1200A9), ("CCDCLC", 7), ("0x1200a9", 0x1200A9), ("0XFFFFFFFF", 0xFFFFFFFF)),
        *(("0", 0), ("17", 17), ("017", 15), ("4294967295", 0xFFFFFFFF)),
    ],
)
def test_an_entry_has_its_rights(rights, mask):
    assert entries(f"D:(A;;{rights};;;SY)")[12:16] == mask.to_bytes(4, "little")


OBJECT = "00112233-4455-6677-8899-aabbccddeeff"
OBJECT_BYTES = bytes.fromhex("33221100 5544 7766 8899 aabbccddeeff")
OTHER = "ffffffff-0000-0000-0000-000000000001"
OTHER_BYTES = bytes.fromhex("ffffffff 0000 0000 0000 000000000001")


@pytest.mark.parametrize(
    ("guids", "expected"),
    [
        (";", bytes.fromhex("00000000")),
        (f"{OBJECT};", bytes.fromhex("01000000") + OBJECT_BYTES),
        (f";{OTHER}", bytes.fromhex("02000000") + OTHER_BYTES),
        (f"{OBJECT.upper()};{OTHER}", bytes.fromhex("03000000") + OBJECT_BYTES + OTHER_BYTES),
    ],
)
def test_an_entry_of_an_object_has_its_guids(guids, expected):
    body = bytes.fromhex("20000000") + expected + SYSTEM
    assert entries(f"D:(OA;;WP;{guids};SY)") == acl(struct.pack("<BBH", 5, 0, 4 + len(body)) + body, revision=4)


ALIASES = {
    "WD": "1-0",
    "CO": "3-0",
    "CG": "3-1",
    "OW": "3-4",
    "NU": "5-2",
    "IU": "5-4",
    "SU": "5-6",
    "AN": "5-7",
    "ED": "5-9",
    "PS": "5-10",
    "AU": "5-11",
    "RC": "5-12",
    "SY": "5-18",
    "LS": "5-19",
    "NS": "5-20",
    "WR": "5-33",
    "UD": "5-84-0-0-0-0-0",
    "AC": "15-2-1",
    "BA": "5-32-544",
    "BU": "5-32-545",
    "BG": "5-32-546",
    "PU": "5-32-547",
    "AO": "5-32-548",
    "SO": "5-32-549",
    "PO": "5-32-550",
    "BO": "5-32-551",
    "RE": "5-32-552",
    "RU": "5-32-554",
    "RD": "5-32-555",
    "NO": "5-32-556",
    "MU": "5-32-558",
    "LU": "5-32-559",
    "IS": "5-32-568",
    "CY": "5-32-569",
    "ER": "5-32-573",
    "CD": "5-32-574",
    "RA": "5-32-575",
    "ES": "5-32-576",
    "MS": "5-32-577",
    "HA": "5-32-578",
    "AA": "5-32-579",
    "RM": "5-32-580",
    "AS": "18-1",
    "SS": "18-2",
    "LW": "16-4096",
    "ME": "16-8192",
    "MP": "16-8448",
    "HI": "16-12288",
    "SI": "16-16384",
}


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_its_sid(alias):
    assert encode_sddl(f"O:{alias}".encode()) == encode_sddl(f"O:S-1-{ALIASES[alias]}".encode())


@given(st.integers(0, 2**48 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15), st.booleans())
def test_a_sid_has_its_authority_and_its_numbers(authority, numbers, is_hexadecimal):
    shown = f"{authority:#014x}" if is_hexadecimal else str(authority)
    text = f"G:S-1-{shown}-{'-'.join(map(str, numbers))}"
    sid = bytes([1, len(numbers)]) + authority.to_bytes(6, "big") + struct.pack(f"<{len(numbers)}I", *numbers)
    assert encode_sddl(text.encode()) == header(0x8000, group=20) + sid


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"x", "character 0: expected O:, G:, D: or S:"),
        (b"O:SY G:SY", "character 4: expected O:, G:, D: or S:"),
        (b"O:SYO:BA", "character 4: O: is there twice"),
        (b"D:S:D:", "character 4: D: is there twice"),
        (b"O:\xff", "character 2: not ASCII"),
        (b"O:", "character 2: expected a SID or an alias"),
        (b"O:QQ", "character 2: expected a SID or an alias"),
        (b"O:S-1-5", "character 2: expected a SID or an alias"),
        (b"O:S-2-5-18", "character 2: expected a SID or an alias"),
        (b"O:S-1-281474976710656-1", "character 2: a SID has at most 15 numbers of 32 bits, and an authority of 48"),
        (b"O:S-1-5-4294967296", "character 2: a SID has at most 15 numbers of 32 bits, and an authority of 48"),
        (b"O:S-1-5" + b"-1" * 16, "character 2: a SID has at most 15 numbers of 32 bits, and an authority of 48"),
        (b"O:S-1-5-" + b"9" * 5000, "character 2: a SID has at most 15 numbers of 32 bits, and an authority of 48"),
        (b"S:NO_ACCESS_CONTROL", "character 0: only D: can be NO_ACCESS_CONTROL"),
        (b"D:(", "character 3: an entry ends before its six fields"),
        (b"D:(A;;FA;;SY)", "character 10: an entry ends before its six fields"),
        (b"D:(Q;;FA;;;SY)", "character 3: the type 'Q' is unknown"),
        (b"D:(A;OIXX;FA;;;SY)", "character 7: the flag 'XX' is unknown"),
        (b"D:(A;O;FA;;;SY)", "character 5: the flag 'O' is unknown"),
        (b"D:(A;;FAQ;;;SY)", "character 8: the right 'Q' is unknown"),
        (b"D:(ML;;FA;;;SY)", "character 7: the right 'FA' is unknown"),
        (b"D:(A;;09;;;SY)", "character 6: the rights are no number"),
        (b"D:(A;;0x;;;SY)", "character 6: the rights are no number"),
        (b"D:(A;;" + b"9" * 5000 + b";;;SY)", "character 6: the rights are no number"),
        (b"D:(A;;4294967296;;;SY)", "character 6: the rights do not fit in 32 bits"),
        (b"D:(A;;FA;" + OBJECT.encode() + b";;SY)", "character 9: an entry of this type has no GUID"),
        (b"D:(OA;;FA;0;;SY)", "character 10: a GUID is malformed"),
        (b"D:(A;;FA;;;SY", "character 13: expected ')' after the SID"),
        (b"D:(A;;FA;;;SY;x)", "character 13: expected ')' after the SID"),
        (b"D:AI" + b"(A;;FA;;;SY)" * 3277, "character 4: the list takes 65548 bytes, at most 65535 are possible"),
    ],
)
def test_what_is_malformed_is_refused_with_its_place(text, where):
    with pytest.raises(LayerError) as raised:
        encode_sddl(text)
    assert raised.value.reason == f"SDDL, {where}"


@pytest.mark.parametrize("kind", ["XA", "XD", "XU", "ZA", "RA", "SP", "TL", "FL"])
def test_an_entry_with_a_condition_is_named(kind):
    with pytest.raises(UnsupportedError) as raised:
        encode_sddl(f'O:SYD:({kind};;FX;;;WD;(@User.a == "x;y"))'.encode())
    assert (raised.value.value, raised.value.hint) == (kind, "SDDL, character 7: its bytes cannot be made")


@pytest.mark.parametrize(
    "alias",
    [*("AP", "CA", "CN", "DA", "DC", "DD", "DG", "DU", "EA", "EK", "KA", "LA", "LG", "PA", "RO", "RS", "SA")],
)
def test_an_alias_of_a_domain_is_named(alias):
    with pytest.raises(UnsupportedError) as raised:
        encode_sddl(f"O:{alias}".encode())
    assert (raised.value.value, raised.value.hint) == (
        alias,
        "SDDL, character 2: it depends on the domain or the machine",
    )


@given(st.binary(max_size=60) | st.text("OGDSABYWI:();0x1-P", max_size=60).map(str.encode))
def test_any_bytes_are_a_descriptor_or_refused(text):
    try:
        found = encode_sddl(text)
    except (LayerError, UnsupportedError):
        return
    assert found[:2] == b"\1\0"
