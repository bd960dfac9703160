"""How far it has come, and when that is too far."""

import pytest

from oci_layers import Limits, open_image
from oci_layers.errors import LimitError
from oci_layers.image.meter import Meter, Progress
from tests.support.layers import f, image, tar

LAYERS = tar(f("a", "a" * 5000)), tar(f("b"))


def test_progress_counts_the_bytes_of_blobs_over_all_layers(tmp_path):
    heard = []
    with open_image(image(tmp_path, *LAYERS)) as opened:
        first, second = (layer.descriptor.size for layer in opened.layers)
        meter = Meter(Limits(), opened.layers, heard.append)
        meter.watch(opened.layers[0])(10, 3)
        meter.watch(opened.layers[1])(10, 4)
    assert heard == [
        Progress(layer=0, layers=2, done=3, total=first + second),
        Progress(layer=1, layers=2, done=first + 4, total=first + second),
    ]


def test_plain_bytes_are_counted_over_all_layers(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        meter = Meter(Limits(plain_bytes=20), opened.layers)
        meter.watch(opened.layers[0])(10, 0)
        meter.watch(opened.layers[1])(10, 0)
        with pytest.raises(LimitError) as raised:
            meter.watch(opened.layers[1])(1, 0)
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("plain_bytes", 20, 21)


def test_entries_are_counted_over_all_layers_and_told_in_the_report(tmp_path):
    with open_image(image(tmp_path, *LAYERS)) as opened:
        meter = Meter(Limits(entries=2), opened.layers)
        assert len(list(meter.count(opened.layers[0].entries()))) == 1
        assert len(list(meter.count(opened.layers[1].entries()))) == 1
        assert meter.report.entries == 2
        entries = opened.layers[1].entries()
        with pytest.raises(LimitError) as raised:
            list(meter.count(entries))
        entries.close()
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("entries", 2, 3)
