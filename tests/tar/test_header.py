import pytest

from oci_layers.errors import TarFormatError
from oci_layers.tar import EMPTY, Entry
from oci_layers.tar.header import checksum, number, parse_header, string
from tests.support.blocks import GNU, USTAR, V7, base256, header


def parsed(block):
    return parse_header(block, 0, None)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"644\0\0\0\0\0", 0o644),
        (b"644     ", 0o644),
        (b"00000644", 0o644),
        (b"\0\0\0 644\0", 0o644),
        (b"644\0junk", 0o644),
        (b"\0\0\0\0\0\0\0\0", 0),
        (b"        ", 0),
        (b"77777777", 0o77777777),
        (base256(0, 8), 0),
        (base256(1 << 40, 12), 1 << 40),
        (base256((1 << 63) - 1, 12), (1 << 63) - 1),
        (base256(-1, 8), -1),
        (base256(-5, 12), -5),
        (base256(-(1 << 63), 12), -(1 << 63)),
        (b"\xff" * 12, -1),
    ],
)
def test_a_number_is_octal_between_blanks_or_base_256(field, expected):
    assert number(field) == expected


@pytest.mark.parametrize(
    "field",
    [
        b"0000_44\0",
        b"+000644\0",
        b"-000644\0",
        b"0o00644\0",
        b"0000648\0",
        b"0x00644\0",
        b"6 44\0\0\0\0",
        b"644 \0x\0\0",
        b"644\t\0\0\0\0",
        "64\N{ARABIC-INDIC DIGIT FOUR}".encode().ljust(8, b"\0"),
        b"nan\0\0\0\0\0",
        base256(1 << 63, 12),
        base256(-(1 << 63) - 1, 12),
        b"\x80" + b"\xff" * 11,
    ],
)
def test_a_number_that_is_anything_else_is_refused(field):
    with pytest.raises(TarFormatError) as caught:
        number(field)
    assert (caught.value.path, caught.value.offset) == (b"", 0)


def test_a_string_ends_at_its_first_nul():
    assert string(b"name\0junk\0") == b"name"
    assert string(b"full") == b"full"


@pytest.mark.parametrize("block", [bytes(512), b"\xff" * 512, bytes(range(256)) * 2, header(b"\xff" * 100)])
def test_the_checksum_is_the_plain_sum(block):
    assert checksum(block) == sum(block)


def with_checksum(block, value):
    return with_field(block, b"%06o\0 " % value)


def with_field(block, field):
    return block[:148] + field + block[156:]


@pytest.mark.parametrize("name", [b"caf\xc3\xa9", b"\x7f\x80\xff"])
@pytest.mark.parametrize("flag", [b"0", b"\xff"])
def test_both_ways_to_take_the_checksum_are_right(name, flag):
    block = header(name, type=flag)
    blanked = with_field(block, b" " * 8)
    signed = sum(byte - 256 if byte > 127 else byte for byte in blanked)
    for field in (b"%06o\0 " % sum(blanked), b"%06o\0 " % signed, base256(signed, 8)):
        assert parsed(with_field(block, field)).name == name
    for wrong in (sum(blanked) - 1, sum(blanked) + 1, signed - 1, signed + 1, 0):
        with pytest.raises(TarFormatError) as caught:
            parsed(with_checksum(block, wrong))
        assert (caught.value.reason, caught.value.offset) == ("the checksum of the header is wrong", 148)


def test_every_field_comes_out():
    block = header(
        b"dev/sda",
        mode=0o660,
        uid=1,
        gid=6,
        mtime=10,
        type=b"4",
        linkname=b"l",
        uname=b"u",
        gname=b"g",
        devmajor=8,
        devminor=17,
    )
    assert parsed(block) == Entry(b"dev/sda", b"4", 0o660, 1, 6, 0, 10**10, b"l", b"u", b"g", 8, 17)
    assert (parsed(block).xattrs, parsed(block).pax, parsed(block).stored_size) == (EMPTY, EMPTY, 0)
    assert parsed(header()) == Entry(b"file")


TIMES = [(345, b"%011o\0" % 5), (357, b"%011o\0" % 6)]
BLANK_ENDED = [(345, b"%011o " % 5), (357, b"%011o " % 6), (369, b"%011o " % 7)]


@pytest.mark.parametrize(
    ("block", "name", "uname"),
    [
        (header(b"n", magic=USTAR, prefix=b"a/b", uname=b"root"), b"a/b/n", b"root"),
        (
            header(b"n" * 100, magic=USTAR, prefix=b"p" * 155, uname=b"u" * 32),
            b"p" * 155 + b"/" + b"n" * 100,
            b"u" * 32,
        ),
        (header(b"n\0junk", magic=USTAR, prefix=b"a\0junk"), b"a/n", b""),
        (header(b"", magic=USTAR, prefix=b"a"), b"a/", b""),
        (header(b"n", magic=b"ustar\0\x37\x37", prefix=b"a"), b"a/n", b""),
        (header(b"n", magic=USTAR, trailer=b"tar\0", prefix=b"a" * 131 + b"00000000001\0"), b"a" * 131 + b"/n", b""),
        (header(b"n", magic=GNU, uname=b"root", at=TIMES), b"n", b"root"),
        (header(b"n", magic=GNU, uname=b"root", at=BLANK_ENDED), b"n", b"root"),
        (header(b"n", magic=GNU, prefix=b"written/by/old/go"), b"written/by/old/go/n", b""),
        (header(b"n", magic=GNU, prefix=b"200000000000/x"), b"200000000000/x/n", b""),
        (header(b"n", magic=GNU, prefix=b"200000000000x"), b"200000000000x/n", b""),
        (header(b"n", magic=GNU, prefix=b"written/by/\xff/bytes"), b"n", b""),
        (header(b"n", magic=V7, prefix=b"a", uname=b"root", devmajor=b"garbage"), b"n", b""),
        (header(b"n", magic=b"USTAR\x0000", prefix=b"a", uname=b"root"), b"n", b""),
    ],
)
def test_the_magic_decides_what_the_second_half_means(block, name, uname):
    assert (parsed(block).name, parsed(block).uname) == (name, uname)


@pytest.mark.parametrize("field", ["mode", "uid", "gid", "size", "mtime", "devmajor", "devminor"])
def test_garbage_in_any_number_is_refused(field):
    with pytest.raises(TarFormatError, match="not an octal number"):
        parsed(header(**{field: b"garbage"}))


def test_negative_owners_and_times_are_values_and_a_negative_size_is_not():
    entry = parsed(header(uid=base256(-1, 8), gid=base256(-2, 8), mtime=base256(-3, 12)))
    assert (entry.uid, entry.gid, entry.mtime_ns) == (-1, -2, -3 * 10**9)
    with pytest.raises(TarFormatError) as caught:
        parsed(header(size=base256(-1, 12)))
    assert (caught.value.reason, caught.value.offset) == ("the size is negative", 124)
