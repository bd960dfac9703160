"""`rebase`: the layers of an image on another base."""

import pytest

from oci_layers import open_image
from tests.support.layers import Built, f, tar
from tests.support.layers import image as make_image
from tests.support.packed import config_of, layers_of

OLD, NEW, OWN = tar(f("release", "1")), tar(f("release", "2")), tar(f("app", "app"))
NAME = "org.opencontainers.image.base.name"
BASE = "org.opencontainers.image.base.digest"


@pytest.fixture
def bases(tmp_path):
    """An old and a new base, in one layout."""
    old = make_image(tmp_path / "bases", OLD, ref="old")
    new = make_image(tmp_path / "new", NEW, NEW)
    return f"oci:{old}:old", new


@pytest.fixture
def image(tmp_path, bases):
    """An image on the old base, which it names."""
    built = Built.of(tmp_path / "image", OLD, OWN)
    built.config["config"] = {"Env": ["A=b"]}
    with open_image(bases[0]) as old:
        built.manifest["annotations"] = {BASE: str(old.descriptor.digest)}
    return built.write()


def test_its_own_layers_are_kept_on_those_of_the_new_base(run, image, bases, tmp_path):
    out = f"oci:{tmp_path / 'out'}:v2"
    ran = run("rebase", image, *bases, "-o", out)
    assert (ran.code, ran.err) == (0, "")
    assert layers_of(out) == [*layers_of(bases[1]), layers_of(image)[1]]
    assert config_of(out)[0].env == ("A=b",)
    with open_image(out) as new, open_image(bases[1]) as base:
        assert new.manifest.annotations == {BASE: str(base.descriptor.digest)}
        assert ran.out.splitlines()[0] == f"v2  {new.descriptor.digest}"
    assert ran.out.splitlines()[-1].startswith("3 layers shared, ")


def test_the_old_base_may_be_the_one_that_the_image_names(run, image, bases, tmp_path):
    assert run("copy", image, f"oci:{tmp_path / 'bases'}:image").code == 0
    ran = run("rebase", f"oci:{tmp_path / 'bases'}:image", bases[1], "-o", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert run("rebase", image, *bases, "-o", tmp_path / "other").out == ran.out
    ran = run("rebase", image, bases[1], "-o", tmp_path / "out")
    assert ran.code == 3
    assert f"the base of {image}, by its annotation base.digest sha256:" in ran.err
    assert "; name it as OLD: blob sha256:" in ran.err


def test_the_old_base_may_be_known_by_its_name_alone(run, bases, tmp_path):
    built = Built.of(tmp_path / "image", OLD, OWN)
    built.manifest["annotations"] = {NAME: "old"}
    image = built.write()
    assert run("copy", bases[1], f"oci:{tmp_path / 'bases'}:new").code == 0
    ran = run("rebase", image, f"oci:{tmp_path / 'bases'}:new", "-o", f"oci:{tmp_path / 'out'}")
    assert (ran.code, ran.err) == (0, "")
    assert run("rebase", image, *bases, "-o", tmp_path / "other").out == ran.out
    ran = run("rebase", image, bases[1], "-o", tmp_path / "none")
    line = f"the base of {image}, by its annotation base.name old; name it as OLD: no image 'old'; there are: t"
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {bases[1]}: {line}\n")
    assert run("tag", f"oci:{tmp_path / 'bases'}:new", "old").code == 0
    ran = run("rebase", image, f"oci:{tmp_path / 'bases'}:new", "-o", tmp_path / "none")
    assert ran.code == 1
    assert "by its annotation base.name old; name it as OLD: " in ran.err
    assert not (tmp_path / "none").exists()


def test_another_base_is_refused(run, image, bases, tmp_path):
    ran = run("rebase", image, bases[1], bases[0], "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"oci-layers: error: {image}: layer 0 is sha256:")
    ran = run("rebase", bases[1], bases[1], "-o", tmp_path / "out")
    base = f"the base of {bases[1]}, by its annotations; name it as OLD"
    line = f"oci-layers: error: {base}: there is no annotation {BASE} or {NAME}, so the base is not known\n"
    assert (ran.code, ran.err) == (3, line)
    assert not (tmp_path / "out").exists()
