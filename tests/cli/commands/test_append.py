"""`append`: further layers on an image."""

import gzip
import json
import subprocess
import sys

import pytest

from oci_layers import diff, open_image
from tests.support.layers import Built, d, f, opq, sym, tar, wh
from tests.support.layers import digest as digest_of
from tests.support.layers import image as make_image
from tests.support.packed import application, config_of, layers_of, shown
from tests.support.trees import merged
from tests.support.uppers import write_upper
from tests.support.windows import BASE, descriptor

LOWER = tar(d("etc/"), f("etc/motd", "dark"), f("etc/old", "x"))
UPPER = tar(f("etc/motd", "lit"), wh("etc/old"))
SECOND = tar(f("second", "2"))


@pytest.fixture(autouse=True)
def no_epoch(monkeypatch):
    """No time that the environment gives."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def base(tmp_path):
    """An image of one layer, with a history."""
    built = Built.of(tmp_path / "base", LOWER)
    built.config["history"] = [{"created_by": "first"}, {"created_by": "ENV x", "empty_layer": True}]
    return built.write()


@pytest.fixture
def layer(tmp_path):
    """The file of a layer."""
    file = tmp_path / "upper.tar"
    file.write_bytes(UPPER)
    return file


def test_a_tar_is_taken_as_it_is(run, base, layer, tmp_path):
    out = f"oci:{tmp_path / 'out'}:v2"
    ran = run("append", base, layer, "-o", out)
    assert (ran.code, ran.err) == (0, "")
    with open_image(out) as image:
        below, above = image.layers
        digest = image.descriptor.digest
    assert layers_of(out)[:1] == layers_of(base)
    assert str(above.diff_id) == digest_of(UPPER)
    sizes = [each.descriptor.size for each in (below, above)]
    assert ran.out.splitlines() == [
        f"v2  {digest}",
        f"layer 0  shared  {sizes[0]} B  {str(below.descriptor.digest)[:19]}  first",
        f"layer 1  new     {sizes[1]} B  {str(above.descriptor.digest)[:19]}  ADD upper.tar /",
        f"1 layer new, {sizes[1]} B; 1 layer shared, {sizes[0]} B",
    ]
    assert shown(out) == ["/ dir 0755 0:0", "/etc dir 0755 0:0", "/etc/motd file 0644 0:0"]
    assert config_of(out)[1] == ["first", "ENV x", "ADD upper.tar /"]


def test_several_layers_of_each_kind_in_their_order(run, base, layer, tmp_path):
    app, out = application(tmp_path / "app"), tmp_path / "out"
    other = make_image(tmp_path / "other", LOWER, SECOND)
    packed = tmp_path / "packed.tgz"
    packed.write_bytes(gzip.compress(UPPER))
    ran = run(
        "append", base, f"{other}#-1", app, packed, f"{other}#1", "-o", out, "--owner", "7:7", "--ignore", "cache"
    )
    assert (ran.code, ran.err) == (0, "")
    digests = layers_of(out)
    assert len(digests) == 5
    assert digests[0] == layers_of(base)[0]
    assert digests[1] == digests[4] == layers_of(other)[1]
    assert shown(out) == [
        "/ dir 0755 0:0",
        "/.dockerignore file 0644 7:7",
        "/etc dir 0755 0:0",
        "/etc/motd file 0644 7:7",
        "/lamp file 0755 7:7",
        "/second file 0644 0:0",
    ]
    assert [line.split()[2] for line in ran.out.splitlines()[1:-1]] == ["shared", "shared", "new", "new", "shared"]


def test_a_prefix_is_looked_up_in_the_image(run, layer, tmp_path):
    base = make_image(tmp_path / "base2", tar(d("opt/", mode=0o711), sym("srv", "opt")))
    out = tmp_path / "out"
    assert run("append", base, layer, "-o", out, "--prefix", "/srv", "--created-by", "us", "--comment", "c").code == 0
    assert shown(out)[1:3] == ["/opt dir 0711 0:0", "/opt/etc dir 0755 0:0"]
    with open_image(str(out)) as image:
        assert [(each.created_by, each.comment) for each in image.config.history][-1:] == [("us", "c")]


def test_the_result_may_take_the_name_of_the_image(run, base, layer):
    assert run("append", f"oci:{base}:t", layer, "-o", f"oci:{base}:t").code == 0
    assert run("append", f"oci:{base}:t", layer, "-o", f"oci:{base}:t").code == 0
    assert len(layers_of(f"oci:{base}:t")) == 3
    assert len(run("images", base).out.splitlines()) == 2


def test_a_layer_on_stdin(base, tmp_path):
    command = [sys.executable, "-m", "oci_layers", "append", base, "-", "-o", tmp_path / "out", "--format", "json"]
    ran = subprocess.run(command, input=gzip.compress(UPPER), capture_output=True, check=True)
    report = json.loads(ran.stdout)
    assert [(each["new"], each["created_by"]) for each in report["layers"]] == [(False, "first"), (True, "ADD - /")]
    assert report["layers"][1]["diff_id"] == digest_of(UPPER)


@pytest.mark.parametrize(
    "target", ["oci-archive:{}/new.tar:x", "docker-archive:{}/new.tar:x:1", "{}/new.tar", "{}/new"]
)
def test_the_target_is_a_place_of_any_kind(run, base, layer, tmp_path, target):
    place = target.format(tmp_path)
    assert run("append", base, layer, "-o", place).code == 0
    assert run("diff", base, place).out == (
        "C      -1 B  /etc/motd  (content 4 B -> 3 B)\nD      -1 B  /etc/old\n1 changed, 1 removed: -2 B\n"
    )


def test_new_layers_are_compressed_as_asked(run, base, layer, tmp_path):
    for compression in ("gzip", "zstd"):
        assert run("append", base, layer, "-o", tmp_path / compression, "--compression", compression).code == 0
        with open_image(str(tmp_path / compression)) as image:
            assert image.layers[1].descriptor.media_type.endswith(f"+{compression}")
    assert run("append", base, layer, "-o", tmp_path / "none", "--compression", "none").code == 0
    assert layers_of(tmp_path / "none")[1] == digest_of(UPPER)


@pytest.mark.parametrize(
    ("layers", "code", "line"),
    [
        (["{tmp}/none"], 3, "{tmp}/none: no such file or directory"),
        (["{base}"], 1, "{base}: it holds an image; {base}#N is layer N of it, 0 the lowest, -1 the highest"),
        (
            ["{tmp}/image.tar"],
            1,
            "{tmp}/image.tar: it holds an image; {tmp}/image.tar#N is layer N of it, 0 the lowest",
        ),
        (["{base}#1"], 2, "layer '1': the only layer is 0"),
        (["{base}#-2"], 2, "layer '-1': the only layer is 0"),
        (["{tmp}/upper.tar#0"], 1, "{tmp}/upper.tar: it is no image, so it has no layers"),
        (["{tmp}/text"], 1, "{tmp}/text: not a valid tar archive at byte 148: the checksum of the header is wrong"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(run, base, layer, tmp_path, layers, code, line):
    (tmp_path / "text").write_bytes(b"no tar" * 200)
    assert run("copy", base, tmp_path / "image.tar").code == 0
    places = {"tmp": tmp_path, "base": base}
    ran = run("append", base, layer, *(each.format(**places) for each in layers), "-o", f"oci:{tmp_path / 'out'}:v")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (code, "", 1)
    assert line.format(**places) in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.root
@pytest.mark.parametrize(("namespace", "options"), [("trusted", []), ("user", ["--userxattr"])])
def test_what_an_upper_directory_removes_the_layer_removes(run, tmp_path, namespace, options):
    lower = tar(d("etc/"), f("etc/motd", "dark"), f("etc/old"), d("srv/"), f("srv/a"), f("srv/b"))
    changes = tar(f("etc/motd", "lit"), wh("etc/old"), opq("srv"), f("srv/new"))
    old, new = merged(lower), merged(lower, changes)
    write_upper(tmp_path / "up", diff(old, new, opaque=True), namespace=namespace)
    base, out = make_image(tmp_path / "base", lower), f"oci:{tmp_path / 'out'}:v2"
    ran = run("append", base, tmp_path / "up", "--overlay-upper", *options, "-o", out)
    assert (ran.code, ran.err) == (0, "")
    assert "overlay upper directory up" in ran.out
    with open_image(out) as image:
        assert [path for path, _ in image.tree().walk()] == [path for path, _ in new.walk()]
        assert image.read(["etc/motd"]) == {"etc/motd": b"lit"}


def test_an_option_of_the_mount_goes_with_an_upper_directory(run, base, tmp_path):
    (tmp_path / "up").mkdir()
    ran = run("append", base, tmp_path / "up", "--userxattr", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "--userxattr goes with --overlay-upper" in ran.err


def test_a_directory_goes_to_the_drive_of_an_image_for_windows(run, tmp_path):
    built = Built.of(tmp_path / "windows", tar(*BASE))
    built.config["os"] = "windows"
    out, source = f"oci:{tmp_path / 'out'}:v2", tmp_path / "source"
    (source / "windows").mkdir(parents=True)
    (source / "windows/app.exe").write_bytes(b"MZ")
    ran = run("append", built.write(), str(source), "--mtime", "0", "-o", out)
    assert (ran.code, ran.err) == (0, "")
    with open_image(out) as image:
        assert [entry.name for entry in image.layers[1].entries()] == [
            *(b"Hives", b"Files", b"Files/Windows", b"Files/Windows/app.exe")
        ]
        assert image.tree().require("Windows").windows.security_descriptor == descriptor()
    ran = run("cat", out, "WINDOWS/APP.EXE")
    assert (ran.code, ran.out) == (0, "MZ")
    ran = run("ls", out)
    assert ran.out.split() == ["Program", "Files", "Windows"]
