"""Images in registries, for every verb; the options of the connection; one session for a command line."""

import json
import subprocess
import sys

import pytest

from oci_layers.registry import Credential, Url
from tests.support.model_registry import refuse, reply

IMAGE = "docker://registry.example/a/b:v1"
LOCAL = "oci:tests/data/image:lighthouse"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "{}", "/etc"),
        ("cat", "{}", "/etc/motd"),
        ("tree", "{}"),
        ("layers", "{}"),
        ("why", "{}", "/etc/motd"),
        ("lint", "{}"),
        ("inspect", "--raw", "{}"),
        ("validate", "--format", "json", "{}"),
        ("diff", "{}", LOCAL),
        ("export", "{}"),
    ],
)
def test_a_verb_says_of_a_remote_image_what_it_says_of_a_local_one(run, registry, arguments):
    there, here = (run(*(each.format(name) for each in arguments)) for name in (IMAGE, LOCAL))
    assert (there.code, there.err) == (here.code, here.err)
    if arguments[0] == "validate":
        found, own = json.loads(there.out), json.loads(here.out)
        assert found["totals"]["layers"] == own["totals"]["layers"] == 5
    else:
        assert there.out.replace(IMAGE, LOCAL) == here.out
    assert not any(method not in {"GET", "HEAD"} for method, _, _ in registry.log)


def test_an_image_is_unpacked_copied_and_built_upon(run, registry, tmp_path):
    assert run("unpack", IMAGE, tmp_path / "root").code == 0
    assert (tmp_path / "root/etc/motd").exists()
    assert run("copy", IMAGE, f"oci:{tmp_path}/layout:x").code == 0
    assert run("copy", f"oci:{tmp_path}/layout:x", "docker://registry.example/new:x").code == 0
    assert registry.repository("new").tags["x"] == registry.repository("a/b").tags["v1"]
    assert run("config", IMAGE, "--env", "A=b", "-o", "docker://registry.example/built").code == 0
    assert list(registry.repository("built").tags) == ["latest"]
    assert run("index", "create", IMAGE, "-o", "docker://registry.example/built:all").code == 0
    assert run("rebase", IMAGE, IMAGE, IMAGE, "-o", "docker://registry.example/built:rebased").code == 0


def test_names_are_listed_given_and_taken(run, registry):
    ran = run("tag", IMAGE, "v2", "latest")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == ["v2", "latest"]
    lines = run("refs", "docker://registry.example/a/b").out.splitlines()
    assert [line.split()[0] for line in lines] == ["REF", "latest", "v1", "v2"]
    assert sorted(registry.repository("a/b").tags) == ["latest", "v1", "v2"]
    assert run("images", "docker://registry.example/a/b").out.count("linux/amd64") == 3
    assert run("untag", "docker://registry.example/a/b:v2").code == 0
    assert sorted(registry.repository("a/b").tags) == ["latest", "v1"]
    ran = run("tag", "--rename", IMAGE, "v3")
    assert ran.code == 2
    assert "--rename is for layouts" in ran.err
    assert run("tag", "docker://registry.example/a/b", "v4").code == 0
    assert run("untag", "docker://registry.example/a/b").code == 2


def test_inspect_asks_for_no_other_tags(run, registry):
    registry.repository("a/b").tags["latest"] = registry.repository("a/b").tags["v1"]
    assert run("inspect", "docker://registry.example/a/b").code == 0
    assert not [url for _, url, _ in registry.log if "tags/list" in url or url.endswith("/v1")]


def guard(credential):
    def answer(request):
        if request.headers.get("Authorization") == credential.basic():
            return None
        return reply(request, 401, headers=[("WWW-Authenticate", 'Basic realm="r"')])

    return answer


def test_credentials_are_given_or_kept(run, registry, tmp_path, monkeypatch):
    me = Credential(username="me", password="a:b")
    registry.answers.append(guard(me))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))
    ran = run("ls", IMAGE)
    assert (ran.code, ran.out) == (4, "")
    assert "401 Unauthorized" in ran.err
    assert run("ls", IMAGE, "--creds", "me:wrong").code == 4
    assert run("ls", IMAGE, "--creds", "me:a:b").code == 0
    monkeypatch.setattr("getpass.getpass", lambda prompt: {"Password of me: ": "a:b"}[prompt])
    assert run("ls", IMAGE, "--creds", "me").code == 0
    ran = run("ls", IMAGE, "--creds", ":secret")
    assert ran.code == 2
    assert "secret" not in ran.err
    (tmp_path / "auth.json").write_text('{"auths": {"registry.example": {"username": "me", "password": "a:b"}}}')
    assert run("ls", IMAGE, "--authfile", tmp_path / "auth.json").code == 0
    assert run("tags", "docker://registry.example/a/b", "--authfile", tmp_path / "auth.json").code == 0


def test_a_warning_is_shown_once_on_stderr(run, registry):
    registry.switches.warning = '299 - "old image"'
    ran = run("ls", IMAGE)
    assert ran.err == "oci-layers: the registry warns: old image\n"


def test_options_reach_the_connection(run, registry, monkeypatch, tmp_path):
    seen = []

    class Session:
        def __init__(self, **options):
            seen.append(options)
            raise KeyboardInterrupt

    monkeypatch.setattr("oci_layers.registry.session.RegistrySession", Session)
    run("ls", IMAGE, "--cert-dir", tmp_path, "--insecure", "--plain-http", "--authfile", "x", "--foreign-layers")
    [options] = seen
    assert (options["certificates"], options["authfile"]) == (str(tmp_path), "x")
    assert options["insecure"]
    assert options["foreign_layers"]
    assert options["plain_http"]


def test_nothing_of_it_is_imported_for_other_places(run):
    code = (
        "import sys; from oci_layers.cli.main import main; main(['ls', 'oci:tests/data/image']); "
        "sys.exit(any(name in sys.modules for name in ('urllib3', 'ssl', 'oci_layers.registry.session')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_registry_that_refuses_is_one_line(run, registry):
    registry.answers.append(lambda request: refuse(request, 403, "DENIED", "not \x1b you"))
    ran = run("ls", IMAGE)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        "oci-layers: error: docker://registry.example/a/b: https://registry.example/v2/a/b/manifests/v1: "
        "403 Forbidden: DENIED: not \\x1b you\n"
    )


def test_the_two_sides_of_a_copy_may_have_options_of_their_own(run, registry, monkeypatch, tmp_path):
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))
    reader, writer = Credential(username="reader", password="r"), Credential(username="writer", password="w")

    def answer(request):
        name = reader if "/a/b/" in request.url.path else writer
        return guard(name)(request)

    registry.answers.append(answer)
    new = "docker://registry.example/new"
    assert run("copy", IMAGE, f"{new}:1", "--src-creds", "reader:r", "--dest-creds", "writer:w").code == 0
    assert run("copy", IMAGE, f"{new}:2", "--creds", "reader:r", "--dest-creds", "writer:w").code == 0
    assert run("copy", LOCAL, f"{new}:3", "--dest-creds", "writer:w").code == 0
    assert run("copy", IMAGE, f"oci:{tmp_path}/x", "--src-creds", "reader:r").code == 0
    assert list(registry.repository("new").tags) == ["1", "2", "3"]
    assert run("copy", IMAGE, f"{new}:4", "--creds", "reader:r").code == 4
    assert run("copy", LOCAL, f"{new}:5", "--src-creds", "writer:w").code == 4
    assert run("ls", IMAGE, "--src-creds", "reader:r").code == 2


def test_connections_of_each_side_are_made_by_its_options(run, registry, monkeypatch, tmp_path):
    asked = []
    origin = Url.parse("https://registry.example").origin
    monkeypatch.setattr(
        "oci_layers.registry.tls.Certificates",
        lambda directory, *, insecure, environ: asked.append((directory, insecure)),
    )

    def made():
        found = [(directory, insecure(origin)) for directory, insecure in asked]
        asked.clear()
        return found

    target = "docker://registry.example/new:1"
    assert run("copy", IMAGE, target, "--cert-dir", "both").code == 0
    assert made() == [("both", False)]
    assert run("copy", IMAGE, target, "--cert-dir", "both", "--dest-insecure", "--src-cert-dir", "one").code == 0
    assert made() == [("one", False), ("both", True)]
    assert run("copy", IMAGE, target, "--dest-plain-http").code == 0
    assert made() == [(None, False), (None, False)]
    (tmp_path / "registries.conf").write_text('[[registry]]\nlocation = "registry.example"\ninsecure = true')
    assert run("ls", IMAGE, "--registries-conf", tmp_path / "registries.conf").code == 0
    assert made() == [(None, True)]


def test_a_registry_may_be_blocked(run, registry, tmp_path, monkeypatch):
    file = tmp_path / "registries.conf"
    file.write_text('[[registry]]\nprefix = "registry.example/a"\nblocked = true')
    blocked = f"oci-layers: error: registry.example/a/b: registry.example/a is blocked in {file}\n"
    ran = run("ls", IMAGE, "--registries-conf", file)
    assert (ran.code, ran.out, ran.err) == (4, "", blocked)
    ran = run("copy", LOCAL, IMAGE, "--registries-conf", file)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == blocked.replace("error: ", "error: docker://registry.example/a/b: ")
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(file))
    assert run("ls", IMAGE).err == blocked
    assert registry.log == []
    assert run("copy", LOCAL, "docker://registry.example/c").code == 0
