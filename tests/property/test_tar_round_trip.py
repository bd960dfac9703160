"""Law: what is written is read back, `read(write(entries)) == entries`, and the same entries give the same bytes."""

import io

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.tar import GLOBAL, Entry, Pieces, read_tar, write_tar
from oci_layers.tar.entry import stored_bytes

text = st.binary(max_size=300).map(lambda value: value.replace(b"\0", b"/"))
names = text | st.text("abc/.é", max_size=300).map(str.encode)
small = st.integers(0, 0o7777777)
owners = small | st.integers(0, (1 << 63) - 1)
times = st.integers(0, 1 << 33).map(lambda s: s * 10**9) | st.integers(1 - (1 << 63) * 10**9, (1 << 63) * 10**9 - 1)
xattrs = st.dictionaries(text, st.binary(max_size=300), max_size=4)
types = st.sampled_from([b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7"]) | st.binary(min_size=1, max_size=1).filter(
    lambda flag: flag not in b"xgLKS\0"
)


@st.composite
def members(draw):
    flag = draw(types)
    pieces = draw(st.lists(st.binary(max_size=2000), max_size=3)) if stored_bytes(flag, 1) else []
    return Entry(
        draw(names),
        flag,
        draw(small),
        draw(owners),
        draw(owners),
        sum(map(len, pieces)),
        draw(times),
        draw(text),
        draw(text),
        draw(text),
        draw(small),
        draw(small),
        draw(xattrs),
        content=Pieces(pieces),
    )


keywords = st.binary(min_size=1, max_size=30).map(lambda k: b"VENDOR." + k.replace(b"=", b"-").replace(b"\0", b"-"))
globals_ = st.builds(
    Entry,
    st.text("abc", min_size=1, max_size=90).map(str.encode),
    st.just(GLOBAL),
    st.just(0),
    pax=st.dictionaries(keywords, st.binary(max_size=300), max_size=4),
)


@given(st.lists(members() | globals_, max_size=6))
def test_what_is_written_is_read_back(given):
    archive = b"".join(write_tar(given))
    assert len(archive) % 512 == 0
    found = [(entry, entry.read()) for entry in read_tar(io.BytesIO(archive))]
    assert [entry for entry, _ in found] == given
    assert [content for _, content in found] == [entry.read() for entry in given]
    assert [entry.pax for entry, _ in found if entry.type == GLOBAL] == [e.pax for e in given if e.type == GLOBAL]


@given(st.lists(members(), max_size=4))
def test_what_is_read_is_written_as_it_stood(given):
    archive = b"".join(write_tar(given))
    assert b"".join(write_tar(read_tar(io.BytesIO(archive)))) == archive


@given(members(), st.randoms())
def test_the_order_of_attributes_does_not_matter(entry, random):
    items = list(entry.xattrs.items())
    random.shuffle(items)
    shuffled = Entry(**{name: getattr(entry, name) for name in ("name", "mode", "uid")}, xattrs=dict(items))
    plain = Entry(**{name: getattr(entry, name) for name in ("name", "mode", "uid")}, xattrs=entry.xattrs)
    assert b"".join(write_tar([shuffled])) == b"".join(write_tar([plain]))
