import pytest

from oci_layers.disk import IdMap, Owner
from oci_layers.errors import NameFormatError

LARGEST = 2**32 - 2


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("0", (0, 0)),
        ("1000", (1000, 1000)),
        ("1000:50", (1000, 50)),
        ("4294967294:0", (LARGEST, 0)),
        ("007:08", (7, 8)),
    ],
)
def test_an_owner_is_one_number_or_two(text, owner):
    assert Owner.parse(text) == Owner(fixed=owner)


@pytest.mark.parametrize(
    "text", ["", ":", "1:", ":1", "1:2:3", "-1", "root", "1 ", "+1", "1_0", "٣", "4294967295", "0:4294967295", "9" * 11]
)
def test_anything_else_is_no_owner(text):
    with pytest.raises(NameFormatError) as caught:
        Owner.parse(text)
    assert caught.value.what == "owner"


@pytest.mark.parametrize("fixed", [(-1, -1), (0, 2**32 - 1), (2**32, 0)])
def test_an_owner_that_means_none_to_the_system_is_refused(fixed):
    with pytest.raises(NameFormatError) as caught:
        Owner(fixed=fixed)
    assert caught.value.text == f"{fixed[0]}:{fixed[1]}"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("0:1000", IdMap(0, 1000, 1)),
        ("0:100000:65536", IdMap(0, 100000, 65536)),
        ("4294967294:0:1", IdMap(LARGEST, 0, 1)),
        ("0:0:4294967295", IdMap(0, 0, 2**32 - 1)),
        ("5:6:0", IdMap(5, 6, 0)),
    ],
)
def test_a_map_is_two_numbers_or_three(text, ids):
    assert IdMap.parse(text) == ids


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:2:3:4", "a:b", "1:-2", "1:2:", "0:4294967295", "4294967295:0", "0:4294967290:6", "1:1:9999999999"],
)
def test_anything_else_is_no_map(text):
    with pytest.raises(NameFormatError) as caught:
        IdMap.parse(text)
    assert caught.value.what == "id map"


@pytest.mark.parametrize(
    ("owner", "image", "disk"),
    [
        (Owner(), (0, 0), (0, 0)),
        (Owner(), (LARGEST, 7), (LARGEST, 7)),
        (Owner(same=False), (3, 4), None),
        (Owner(fixed=(1, 2)), (3, 4), (1, 2)),
        (Owner(uids=(IdMap(0, 1000, 10),)), (9, 4), (1009, 4)),
        (Owner(gids=(IdMap(0, 1000, 10),)), (9, 4), (9, 1004)),
        (Owner(uids=(IdMap(0, 1000, 1), IdMap(1, 100000, 65536))), (65536, 0), (165535, 0)),
        (Owner(uids=(IdMap(0, 5, 1), IdMap(0, 6, 1))), (0, 0), (5, 0)),
    ],
)
def test_owners_in_the_image_become_owners_on_disk(owner, image, disk):
    assert owner.on_disk(*image) == disk


@pytest.mark.parametrize(
    ("owner", "image", "what", "text"),
    [
        (Owner(uids=(IdMap(1, 1000, 10),)), (0, 0), "uid", "0"),
        (Owner(uids=(IdMap(1, 1000, 10),)), (11, 0), "uid", "11"),
        (Owner(gids=(IdMap(0, 0, 0),)), (0, 0), "gid", "0"),
    ],
)
def test_an_id_outside_the_map_is_refused(owner, image, what, text):
    with pytest.raises(NameFormatError) as caught:
        owner.on_disk(*image)
    assert (caught.value.what, caught.value.text) == (what, text)
