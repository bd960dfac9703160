"""Overlay mounts as programs: what cannot be mounted is refused, and nothing stays mounted."""

import pytest

from oci_layers import system
from oci_layers.testing.judge.mounts import KernelOverlay
from oci_layers.testing.judge.program import Job
from tests.support.layers import char, d, f, ln, tar, wh

pytestmark = pytest.mark.root


@pytest.fixture
def job(tmp_path):
    def job(*tars):
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        files = [tmp_path / f"{number}.tar" for number in range(len(tars))]
        for file, raw in zip(files, tars, strict=True):
            file.write_bytes(raw)
        return Job(tmp_path / "layout", "case", files, tmp_path / "dest", scratch, timeout=60)

    return job


def test_layers_are_mounted_until_the_block_ends(job):
    before = system.mount_points()
    with KernelOverlay().run(job(tar(d("d/"), f("d/a", "x"), f("d/b")), tar(wh("d/b")), tar())) as result:
        assert sorted(path.name for path in result.root.rglob("*")) == ["a", "d"]
        assert system.mount_points() != before
    assert system.mount_points() == before


def test_no_layers_are_an_empty_directory(job):
    with KernelOverlay().run(job()) as result:
        assert list(result.root.iterdir()) == []


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ([ln("h", "nowhere")], "h: no file 'nowhere' to link to"),
        ([char("z", 0, 0)], "unsupported character device 0:0: z (an overlay mount reads a whiteout)"),
    ],
)
def test_what_cannot_be_mounted_is_refused(job, layer, message):
    with KernelOverlay().run(job(tar(*layer))) as result:
        assert (result.root, result.message, result.crash) == (None, message, "")


def test_a_mount_that_fails_is_a_refusal(job, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FileNotFoundError), KernelOverlay().run(job(tar(f("a")))):
        pass


def test_an_error_in_the_block_unmounts_too(job):
    before = system.mount_points()
    with pytest.raises(ZeroDivisionError), KernelOverlay().run(job(tar(f("a")))):
        _ = 1 / 0
    assert system.mount_points() == before
