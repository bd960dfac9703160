"""Images that umoci, buildah and skopeo make unpack to the tree that `umoci unpack` gives, to the nanosecond.

umoci is the peer to agree with because it too keeps implied times and unwritten attributes as they are; what it is
known to do wrong is listed in `test_differential`.
"""

import json
import os
import shutil
import stat

import pytest

from oci_layers import open_image
from tests.support.peers import Buildah, Umoci, assert_unpacked_alike, run, umoci_unpack

pytestmark = [pytest.mark.root, pytest.mark.peer("umoci")]

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def write(path, data=b"", *, mode=0o644, owner=(0, 0), mtime=1_600_000_000, xattrs=()):
    """Write a file with everything that one can have."""
    with open(path, "wb") as file:
        file.write(data)
    os.chown(path, *owner)
    os.chmod(path, mode)
    for name, value in xattrs:
        os.setxattr(path, name, value)
    os.utime(path, (mtime, mtime))


def furnish(root):
    """A root with something of every kind."""
    at = os.fsencode(root) + b"/"
    for name in (b"etc", b"usr", b"usr/bin", b"usr/lib", b"tmp", b"dev", b"gone", b"gone/deep", b"kept", b"turn"):
        os.mkdir(at + name)
    write(at + b"etc/passwd", b"root\n", mode=0o640, owner=(0, 42))
    write(at + b"etc/empty")
    write(at + b"usr/bin/su", b"#!", mode=0o4755)
    write(at + b"usr/bin/wall", b"#!" * 999, mode=0o2755, owner=(1, 5))
    write(at + b"usr/bin/ping", b"ping", mode=0o755, xattrs=[(b"security.capability", CAPABILITY)])
    write(at + b"usr/lib/noted", b"x", xattrs=[(b"user.note", b"\0\xff="), (b"trusted.secret", b"t")])
    os.link(at + b"usr/bin/su", at + b"usr/bin/su2")
    os.link(at + b"usr/bin/su", at + b"usr/lib/su3")
    os.symlink(b"usr/bin", at + b"bin")
    os.symlink(b"/etc/passwd", at + b"usr/absolute")
    os.symlink(b"nowhere/at/all", at + b"usr/dangling")
    os.chown(at + b"usr/dangling", 7, 8, follow_symlinks=False)
    os.mkfifo(at + b"dev/pipe", 0o600)
    os.mknod(at + b"dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(at + b"dev/loop", 0o660 | stat.S_IFBLK, os.makedev(7, 300))
    for name in (b"caf\xc3\xa9", b"new\nline", b"n" * 251, b"back\\slash", b" space ", b"-dash", b"+plus"):
        write(at + b"kept/" + name, name)
    deep = at + b"d" * 120
    os.mkdir(deep)
    os.mkdir(deep + b"/" + b"e" * 120)
    write(deep + b"/" + b"e" * 120 + b"/" + b"f" * 120, b"deep")
    for number in range(20):
        write(at + b"gone/%d" % number, b"%d" % number)
    write(at + b"gone/deep/x", b"x")
    write(at + b"turn/file", b"to a directory")
    os.mkdir(at + b"turn/directory")
    write(at + b"turn/directory/x", b"x")
    os.chmod(at + b"tmp", 0o1777)
    os.chown(at + b"kept", 3, 4)
    os.setxattr(at + b"kept", b"user.on", b"a directory")


def rearrange(root):
    """Everything that a layer can do to those below it."""
    at = os.fsencode(root) + b"/"
    shutil.rmtree(at + b"gone/deep")
    for number in range(10):
        os.unlink(at + b"gone/%d" % number)
    os.unlink(at + b"turn/file")
    os.mkdir(at + b"turn/file")
    write(at + b"turn/file/inside", b"inside")
    shutil.rmtree(at + b"turn/directory")
    write(at + b"turn/directory", b"now a file")
    write(at + b"etc/passwd", b"root\nme\n", mode=0o600)
    os.unlink(at + b"usr/bin/su2")
    os.unlink(at + b"usr/dangling")
    os.symlink(b"bin", at + b"usr/dangling")
    os.chmod(at + b"tmp", 0o755)
    os.unlink(at + b"dev/null")
    os.removexattr(at + b"kept", b"user.on")
    write(at + b"kept/more", b"more", owner=(5, 6))


def clear_and_refill(root):
    """A directory that went and came again, with other things in it."""
    at = os.fsencode(root) + b"/"
    shutil.rmtree(at + b"kept")
    os.mkdir(at + b"kept", 0o700)
    write(at + b"kept/again", b"again")
    shutil.rmtree(at + b"usr/lib")
    shutil.rmtree(at + b"gone")


@pytest.fixture(scope="module")
def umoci(tmp_path_factory):
    """An image of three layers that umoci made of changes to a root."""
    image = Umoci(tmp_path_factory.mktemp("umoci"))
    for change in (furnish, rearrange, clear_and_refill):
        image.layer(change)
    return image


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_what_umoci_repacks(umoci, tmp_path, layers):
    theirs = umoci_unpack(f"{umoci.layout}:v{layers}", tmp_path / "bundle")
    assert_unpacked_alike(f"oci:{umoci.layout}:v{layers}", theirs, tmp_path / "ours")


def test_what_umoci_inserts(tmp_path):
    image = Umoci(tmp_path)
    source = tmp_path / "source"
    source.mkdir()
    furnish(source)
    image.insert(source, "/")
    image.insert("--whiteout", "/etc/passwd")
    image.insert("--whiteout", "/kept")
    image.insert("--opaque", source / "usr" / "lib", "/usr")
    image.insert(source / "etc" / "passwd", "/etc/passwd")
    assert image.layers == 5
    for layers in range(1, 6):
        theirs = umoci_unpack(f"{image.layout}:v{layers}", tmp_path / f"bundle{layers}")
        assert_unpacked_alike(f"oci:{image.layout}:v{layers}", theirs, tmp_path / f"ours{layers}")


def test_a_whiteout_of_the_longest_name_that_there_is(tmp_path):
    image = Umoci(tmp_path)
    longest = "n" * 255
    image.layer(lambda root: write(f"{root}/{longest}"))
    image.layer(lambda root: os.unlink(f"{root}/{longest}"))
    theirs = umoci_unpack(image.name, tmp_path / "bundle")
    assert_unpacked_alike(image.ours, theirs, tmp_path / "ours")


@pytest.mark.peer("buildah")
def test_what_buildah_commits(tmp_path):
    buildah = Buildah(tmp_path)
    source = tmp_path / "source"
    source.mkdir()
    furnish(source)
    shutil.rmtree(source / "dev")  # buildah copies neither devices nor pipes.
    buildah("copy", "--quiet", buildah.container, source, "/")
    buildah("config", "--env", "A=b", "--entrypoint", '["/bin/su"]', buildah.container)
    buildah.commit("first")
    upper = Buildah(tmp_path, "localhost/first")
    rearranged = upper("mount", upper.container)
    rearrange_without_devices(rearranged)
    upper.commit(f"oci:{tmp_path}/layout:t")
    theirs = umoci_unpack(f"{tmp_path}/layout:t", tmp_path / "bundle")
    assert_unpacked_alike(f"oci:{tmp_path}/layout:t", theirs, tmp_path / "ours")
    with open_image(f"oci:{tmp_path}/layout:t") as opened:
        assert len(opened.layers) == 2
        assert opened.config.config.entrypoint == ("/bin/su",)


def rearrange_without_devices(root):
    """What `rearrange` does, in a root that has no devices."""
    os.mkdir(f"{root}/dev")
    write(f"{root}/dev/null")
    rearrange(root)


COPIES = {
    "the layout as it is": ("oci:{}/copy:t", []),
    "oci-archive": ("oci-archive:{}/copy.tar:t", []),
    "zstd": ("oci:{}/copy:t", ["--dest-compress", "--dest-compress-format", "zstd"]),
    "plain": ("oci:{}/copy:t", ["--dest-decompress"]),
    "docker-archive": ("docker-archive:{}/copy.tar:me/app:1", []),
}


@pytest.mark.peer("skopeo")
@pytest.mark.parametrize(("name", "options"), COPIES.values(), ids=COPIES)
def test_what_skopeo_copies(umoci, tmp_path, name, options):
    target = name.format(tmp_path)
    run("skopeo", "copy", "--quiet", *options, umoci.ours, target)
    theirs = umoci_unpack(umoci.name, tmp_path / "bundle")
    assert_unpacked_alike(target, theirs, tmp_path / "ours")
    with open_image(target) as opened:
        kinds = {layer.descriptor.media_type.rpartition(".tar")[2] for layer in opened.layers}
    expected = {"--dest-compress": {"+zstd"}, "docker-archive": {""}}
    assert kinds == next((kind for key, kind in expected.items() if key in (*options, name.partition(":")[0])), kinds)


@pytest.mark.peer("skopeo")
def test_an_archive_of_several_images_that_skopeo_makes(umoci, tmp_path):
    archive = f"docker-archive:{tmp_path}/all.tar"
    run("skopeo", "copy", "--quiet", umoci.ours, f"{archive}:me/app:3", "--additional-tag", "me/app:latest")
    with open_image(f"{archive}:me/app") as opened:
        digests = [str(layer.diff_id) for layer in opened.layers]
    with open_image(umoci.ours) as opened:
        assert [str(layer.diff_id) for layer in opened.layers] == digests


@pytest.mark.peer("skopeo")
def test_documents_are_those_that_skopeo_inspects(umoci):
    with open_image(umoci.ours) as opened:
        assert json.loads(opened.manifest_document.raw) == json.loads(run("skopeo", "inspect", "--raw", umoci.ours))
        assert json.loads(opened.config_document.raw) == json.loads(
            run("skopeo", "inspect", "--raw", "--config", umoci.ours)
        )
        inspected = json.loads(run("skopeo", "inspect", umoci.ours))
        assert [str(layer.descriptor.digest) for layer in opened.layers] == inspected["Layers"]
