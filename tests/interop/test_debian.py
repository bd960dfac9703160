"""A real system: Debian as mmdebstrap installs it, then packages removed and files added, layer by layer by umoci.

The images are made once and kept in the user's cache directory, for they take a minute and a mirror of Debian.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

from oci_layers import open_image
from tests.support.peers import Umoci, assert_listed_alike, run, umoci_unpack

pytestmark = [pytest.mark.root, pytest.mark.peer("umoci", "mmdebstrap")]

SUITE = "bookworm"
SOURCES = [
    str(each)
    for each in (pathlib.Path("/etc/apt/sources.list"), pathlib.Path("/etc/apt/sources.list.d/debian.sources"))
    if each.exists()
]


def remove_packages(root):
    """What `dpkg --purge` does, whoever needs the packages: real whiteouts, and changes of the database."""
    run("chroot", root, "dpkg", "--purge", "--force-all", "tzdata", "debianutils")


def change_files(root):
    """Directories replaced, emptied and filled, files linked and changed."""
    shutil.rmtree(f"{root}/usr/share/doc")
    os.mkdir(f"{root}/usr/share/doc")
    pathlib.Path(root, "usr/share/doc/README").write_text("nothing\n")
    shutil.rmtree(f"{root}/usr/share/locale", ignore_errors=True)
    os.symlink("doc", f"{root}/usr/share/locale")
    os.link(f"{root}/etc/passwd", f"{root}/etc/passwd-linked")
    os.chmod(f"{root}/root", 0o750)
    pathlib.Path(root, "etc/motd").write_text("hello\n")


@pytest.fixture(scope="session")
def cache(request):
    """A directory that stays."""
    if not (os.environ.get("CI") or request.config.getoption("--slow")):
        pytest.skip("an image of Debian takes a minute to make; run with --slow, or under CI=true")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    directory = pathlib.Path(home, "oci-layers-tests")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def debian(cache, variant, *packages):
    """The image of a system with `packages`, made if it is not in the cache."""
    directory = cache / f"debian-{SUITE}-{variant}"
    if not directory.exists():
        making = cache / f".making-{variant}-{os.getpid()}"
        making.mkdir()
        try:
            root = making / "root.tar"
            include = [f"--include={','.join(packages)}"] if packages else []
            try:
                run("mmdebstrap", "--variant=minbase", *include, SUITE, root, *SOURCES)
            except AssertionError as problem:
                if os.environ.get("CI"):
                    raise
                pytest.skip(f"mmdebstrap cannot install Debian here: {str(problem)[-300:]}")
            image = Umoci(making)
            image.layer(lambda at: run("tar", "-xpf", root, "-C", at, "--xattrs", "--xattrs-include=*"))
            image.layer(remove_packages)
            image.layer(change_files)
            root.unlink()
            making.rename(directory)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return directory / "layout"


@pytest.fixture(scope="session")
def minbase(cache):
    """The smallest Debian that installs packages."""
    return debian(cache, "minbase")


@pytest.fixture(scope="session")
def larger(cache):
    """A Debian with compilers and interpreters."""
    return debian(cache, "larger", "git", "gcc", "python3", "perl")


def assert_unpacks_alike(layout, tag, directory):
    theirs = umoci_unpack(f"{layout}:{tag}", directory / "bundle")
    with open_image(f"oci:{layout}:{tag}") as opened:
        report = opened.unpack(directory / "ours", strict_metadata=True)
        counted = sum(1 for _, node in opened.tree().walk())
    assert_listed_alike(directory / "ours", theirs)
    names = int(subprocess.run(f"find {directory}/ours | wc -l", shell=True, capture_output=True, check=True).stdout)
    assert counted == names
    assert report.files > 4000


def test_debian_unpacks_as_umoci_unpacks_it(minbase, tmp_path):
    assert_unpacks_alike(minbase, "v3", tmp_path)


def test_debian_is_what_removing_packages_left(minbase):
    with open_image(f"oci:{minbase}:v3") as opened:
        status = (opened.root / "var/lib/dpkg/status").read_text()
        assert "Package: bash\n" in status
        assert "Package: tzdata\n" not in status
        assert (opened.root / "usr/share/doc/README").read_text() == "nothing\n"
        assert [each.name for each in (opened.root / "usr/share/locale").iterdir()] == ["README"]
        assert "Package: tzdata\n" in b"".join(opened.tree(1).require("var/lib/dpkg/status").content.chunks()).decode()


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["v1", "v2", "v3"])
def test_a_larger_debian_unpacks_as_umoci_unpacks_it(larger, tmp_path, tag):
    assert_unpacks_alike(larger, tag, tmp_path)
