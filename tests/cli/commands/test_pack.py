"""`pack`: an image of a directory, or a layer of one."""

import gzip
import json
import os
import socket
import subprocess
import sys

import pytest
from backports import zstd

from oci_layers import open_image
from tests.support.layers import d, f, sym, tar
from tests.support.layers import digest as digest_of
from tests.support.layers import image as make_image
from tests.support.packed import TIME, application, config_of, layers_of, shown

OWN = "linux/amd64"
AS_ROOT = ["--owner", "0:0", "--platform", OWN]


@pytest.fixture(autouse=True)
def no_epoch(monkeypatch):
    """No time that the environment gives."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def app(tmp_path):
    """A directory to be packed."""
    return application(tmp_path / "app")


def test_a_directory_becomes_an_image_of_one_layer(run, app, tmp_path):
    out = f"oci:{tmp_path / 'out'}:v1"
    ran = run("pack", app, "-o", out, "--owner", "0:0", "--platform", "linux/arm64/v8")
    assert (ran.code, ran.err) == (0, "")
    with open_image(out, platform="linux/arm64") as image:
        digest, (layer,) = image.descriptor.digest, image.layers
        config = json.loads(image.config_document.raw)
    size = layer.descriptor.size
    assert ran.out.splitlines() == [
        f"v1  {digest}",
        f"layer 0  new  {size} B  {str(layer.descriptor.digest)[:19]}  COPY app /",
        f"1 layer new, {size} B",
    ]
    assert config == {
        "architecture": "arm64",
        "os": "linux",
        "variant": "v8",
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id)]},
        "history": [{"created_by": "COPY app /"}],
    }
    assert shown(out, platform="linux/arm64") == [
        "/ dir 0750 0:0",
        "/.dockerignore file 0644 0:0",
        "/cache dir 0700 0:0",
        "/cache/oil file 0600 0:0",
        "/lamp file 0755 0:0",
    ]


def test_it_is_the_same_every_time_and_on_the_machine_of_this_platform(run, app, tmp_path):
    first = run("pack", app, "-o", f"oci:{tmp_path / 'out'}:v1").out
    assert run("pack", app, "-o", f"oci-archive:{tmp_path / 'out.tar'}:v1").out == first


def test_files_go_to_a_prefix_with_an_owner_a_mode_and_without_what_is_ignored(run, app, tmp_path):
    out = tmp_path / "out"
    files = ["--prefix", "/srv/app", "--owner", "5:6", "--chmod", "0711", "--ignore-file", app / ".dockerignore"]
    assert run("pack", app, "-o", out, *files, "--platform", OWN).code == 0
    expected = ["/ dir 0755 0:0", "/srv dir 0755 0:0", "/srv/app dir 0755 5:6", "/srv/app/lamp file 0711 5:6"]
    assert shown(out, platform=OWN) == expected
    assert run("pack", app, "-o", tmp_path / "other", *files, "--ignore", "!cache/oil", "--platform", OWN).code == 0
    assert shown(tmp_path / "other", platform=OWN)[3:] == [
        "/srv/app/cache dir 0711 5:6",
        "/srv/app/cache/oil file 0711 5:6",
        "/srv/app/lamp file 0711 5:6",
    ]


@pytest.mark.parametrize("mtime", ["1600000000", "2020-09-13T12:26:40Z"])
def test_times_are_cut_to_the_latest(run, app, tmp_path, mtime):
    assert run("pack", app, "-o", tmp_path / "out", *AS_ROOT, "--mtime", mtime, "--created", mtime).code == 0
    with open_image(str(tmp_path / "out"), platform=OWN) as image:
        assert {node.mtime_ns for _, node in image.tree().walk()} == {1_600_000_000 * 10**9}
        assert image.config.created == image.config.history[0].created == "2020-09-13T12:26:40Z"


def test_the_times_are_those_of_source_date_epoch(run, app, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(TIME - 1))
    assert run("pack", app, "-o", tmp_path / "out", *AS_ROOT).code == 0
    with open_image(str(tmp_path / "out"), platform=OWN) as image:
        assert image.root.stat().st_mtime == TIME - 1
        assert image.config.created == "2023-11-14T22:13:19Z"


def test_settings_are_those_of_the_options(run, app, tmp_path):
    settings = ["--entrypoint", "/lamp --lit", "--cmd", '["a b", "c"]', "--env", "A=b", "--port", "80", "--user", "1"]
    assert run("pack", app, "-o", tmp_path / "out", *AS_ROOT, *settings).code == 0
    config, history = config_of(tmp_path / "out", platform=OWN)
    assert (config.entrypoint, config.cmd, config.env) == (("/lamp", "--lit"), ("a b", "c"), ("A=b",))
    assert (list(config.exposed_ports), config.user) == (["80/tcp"], "1")
    assert history == ["COPY app /", "ENV A=b", "USER 1", "EXPOSE [80/tcp]", *history[4:]]


def test_a_base_keeps_its_layers_and_what_the_prefix_leads_to(run, app, tmp_path):
    base = make_image(tmp_path / "base", tar(d("opt/", mode=0o711), sym("srv", "opt")))
    out = f"oci:{tmp_path / 'out'}:v2"
    ran = run(
        "pack", app, "-o", out, "--base", base, "--prefix", "srv/app", *AS_ROOT, "--ignore", "cache", "--ignore", ".*"
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1].split()[:3] == ["layer", "0", "shared"]
    assert layers_of(out)[:-1] == layers_of(base)
    assert shown(out) == [
        "/ dir 0755 0:0",
        "/opt dir 0711 0:0",
        "/opt/app dir 0755 0:0",
        "/opt/app/lamp file 0755 0:0",
        "/srv symlink 0777 0:0",
    ]
    with open_image(base) as image, open_image(out) as new:
        annotations = {"org.opencontainers.image.base.digest": str(image.descriptor.digest)}
        assert new.manifest.annotations == annotations


@pytest.mark.parametrize(
    ("name", "options", "unpacked"),
    [
        ("app.tar.gz", [], gzip.decompress),
        ("app.tgz", ["--level", "1"], gzip.decompress),
        ("app.tar.zst", [], zstd.decompress),
        ("app.tar", ["--layer", "--compression", "none"], bytes),
        ("app", ["--layer"], gzip.decompress),
    ],
)
def test_the_layer_alone(run, app, tmp_path, name, options, unpacked):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    if name == "app":
        file = tmp_path / "layer"
    ran = run("pack", app, "-o", file, "--owner", "0:0", *options)
    assert (ran.code, ran.err) == (0, "")
    raw = file.read_bytes()
    plain = unpacked(raw)
    sizes = f"{len(raw)} B" if len(raw) < 1000 else f"{len(raw) / 1000:.1f} kB"
    assert ran.out.splitlines() == [
        f"{file}  {sizes}, {len(plain) / 1000:.1f} kB uncompressed",
        f"digest   {digest_of(raw)}",
        f"diff_id  {digest_of(plain)}",
    ]
    assert run("pack", app, "-o", tmp_path / "image", *AS_ROOT).code == 0
    assert run("diff", file, tmp_path / "image", "--compare", "always").code == 0
    ran = run("pack", app, "-o", file, *options)
    assert (ran.code, ran.err.splitlines()[-1][-len("it exists, and an archive that exists is not changed") :]) == (
        1,
        "it exists, and an archive that exists is not changed",
    )


def test_an_image_or_a_layer_on_stdout(app):
    command = [sys.executable, "-m", "oci_layers", "pack", app, "-o", "-"]
    ran = subprocess.run([*command, "--layer", "--format", "json"], capture_output=True, check=True)
    report = json.loads(ran.stderr)
    assert (report["digest"], report["plain_size"]) == (digest_of(ran.stdout), len(gzip.decompress(ran.stdout)))
    ran = subprocess.run(command, capture_output=True, check=True)
    assert ran.stdout.startswith(b"oci-layout\0")
    assert ran.stderr.startswith(b"-  sha256:")


def test_json_has_stable_keys_and_lists_what_is_left_out(run, app, tmp_path):
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(app, os.O_RDONLY)
        try:
            bound.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    out = f"oci:{tmp_path / 'out'}:v1"
    ran = run("pack", app, "-o", out, *AS_ROOT, "--format", "json")
    with open_image(out, platform=OWN) as image:
        (layer,) = image.layers
        entry = image.descriptor
        with layer.reader.open_uncompressed() as plain:
            plain_size = len(plain.read(1 << 20))
    assert json.loads(ran.out) == {
        "target": out,
        "ref": "v1",
        "digest": str(entry.digest),
        "media_type": entry.media_type,
        "size": entry.size,
        "platform": OWN,
        "layers": [
            {
                "layer": 0,
                "new": True,
                "digest": str(layer.descriptor.digest),
                "diff_id": str(layer.diff_id),
                "size": layer.descriptor.size,
                "media_type": layer.descriptor.media_type,
                "plain_size": plain_size,
                "created_by": "COPY app /",
            }
        ],
        "new_bytes": layer.descriptor.size,
        "shared_bytes": 0,
        "skipped": {
            "totals": {"socket": 1},
            "items": [{"what": "socket", "path": "/socket", "layer": 0, "errno": None, "detail": ""}],
        },
    }
    assert ran.err == "oci-layers: left out: 1 socket (--format json lists them)\n"


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--owner", "me"], 2, "owner 'me': expected UID[:GID], numbers"),
        (["--chmod", "u+x"], 2, "mode 'u+x': expected three or four octal digits, such as 0755"),
        (["--mtime", "now"], 2, "time 'now': expected RFC 3339, such as 2024-01-31T12:00:00Z, or seconds since 1970"),
        (["--mtime", "2024-01-31"], 2, "time '2024-01-31': expected RFC 3339, "),
        (["--created", "x"], 2, "time 'x': must be RFC 3339, such as 2024-01-31T12:00:00Z"),
        (["--level", "10"], 2, "level of compression '10': gzip has 0 to 9"),
        (["--level", "1", "--compression", "none"], 2, "level of compression '1': there is no compression"),
        (["--cmd", "'"], 2, "cmd ''': as for a shell, no closing quotation"),
        (["--cmd", "[1]"], 2, "cmd '[1]': expected a JSON array of texts"),
        (["--cmd", "[1"], 2, "cmd '[1': begins as a JSON array, but: "),
        (["--env", "A"], 2, "environment variable 'A': expected NAME=VALUE"),
        (["--prefix", "../x"], 1, "../x: the name climbs above the root of the image"),
        (["--ignore-file", "{tmp}/none"], 1, "No such file or directory"),
        (["--base", "{tmp}/none"], 3, "{tmp}/none: no such file or directory"),
        (["--target-ref", "w"], 2, "reference 'w': the image name has another one, v"),
        (["--ignore", "["], 2, "'['"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(run, app, tmp_path, options, code, line):
    ran = run("pack", app, "-o", f"oci:{tmp_path / 'out'}:v", *(each.format(tmp=tmp_path) for each in options))
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (code, "", 1)
    assert line.format(tmp=tmp_path) in ran.err
    assert not (tmp_path / "out").exists()


def test_a_directory_that_is_missing_or_a_file_is_an_error(run, app, tmp_path):
    ran = run("pack", tmp_path / "none", "-o", tmp_path / "out.tar")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {tmp_path / 'none'}: no such directory\n")
    ran = run("pack", app / "lamp", "-o", tmp_path / "out.tar.gz")
    assert (ran.code, ran.err) == (1, f"oci-layers: error: {app / 'lamp'}: Not a directory\n")
    assert [each.name for each in tmp_path.iterdir()] == ["app"]
    ran = run("pack", app, "-o", tmp_path / "out.tgz", "--compression", "zstd")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        2,
        f"oci-layers pack: error: {tmp_path / 'out.tgz'} would be zstd; give it another name",
    )


def test_progress_is_on_stderr(run, app, tmp_path):
    base = make_image(tmp_path / "base", tar(f("x", "x")))
    ran = run("pack", app, "-o", tmp_path / "out", "--base", base, "--progress", "plain")
    assert ran.err.splitlines()[-1].startswith("layer 2 of 2: ")


def test_an_image_for_windows_has_its_files_on_the_drive(run, app, tmp_path):
    out = f"oci:{tmp_path / 'out'}:v1"
    assert run("pack", app, "-o", out, "--platform", "windows/amd64", "--mtime", "0").code == 0
    with open_image(out) as image:
        assert {entry.name.partition(b"/")[0] for entry in image.layers[0].entries()} == {b"Files", b"Hives"}
        assert image.is_windows
