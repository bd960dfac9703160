"""Which layers two images share: the base, by diff_id, by blob."""

import pytest

from oci_layers import open_image
from oci_layers.image import shared_layers
from tests.support.layers import f, image, tar

A, B, C = (tar(f(name)) for name in "abc")


@pytest.mark.parametrize(
    ("one", "other", "base", "plain"),
    [
        ([A, B], [A, B], [(0, 0), (1, 1)], [(0, 0), (1, 1)]),
        ([A, B], [A, C], [(0, 0)], [(0, 0)]),
        ([A, B, C], [A, C, B], [(0, 0)], [(0, 0), (1, 2), (2, 1)]),
        ([A], [B], [], []),
        ([A, A, B], [B, A], [], [(0, 1), (2, 0)]),
        ([], [A], [], []),
    ],
)
def test_the_base_is_the_common_beginning_and_other_layers_are_paired(tmp_path, one, other, base, plain):
    with open_image(image(tmp_path / "1", *one)) as left, open_image(image(tmp_path / "2", *other)) as right:
        shared = shared_layers(left, right)
        pairs = [[(mine.index, theirs.index) for mine, theirs in each] for each in (shared.base, shared.plain)]
        assert pairs == [base, plain]
        assert shared.stored == shared.plain
        assert all(mine in left.layers and theirs in right.layers for mine, theirs in shared.plain)


def test_the_same_changes_in_another_compression_are_not_the_same_blob(tmp_path):
    with (
        open_image(image(tmp_path / "1", A)) as left,
        open_image(image(tmp_path / "2", A, compression="zstd")) as right,
    ):
        shared = shared_layers(left, right)
    assert (len(shared.base), len(shared.plain), shared.stored) == (1, 1, ())
