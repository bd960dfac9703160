"""`login`: what is tried, what is kept, and what is printed."""

import base64
import http.server
import io
import json
import os
import subprocess
import sys
import threading

import pytest

from oci_layers.registry import Credential, DefaultCredentials, store_credential
from tests.support.credential_helper import CredentialHelper


class Handler(http.server.BaseHTTPRequestHandler):
    """A registry that takes one user."""

    protocol_version = "HTTP/1.1"
    taken = "Basic " + base64.b64encode(b"ann:p:w").decode()

    def do_GET(self):
        sent = self.headers.get("Authorization")
        self.server.sent.append((self.path, sent))
        self.send_response(200 if sent == self.taken else 401)
        if sent is None:
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.sent = []
    server.name = f"127.0.0.1:{server.server_port}"
    server.handle_error = lambda *arguments: None  # TLS is tried first.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The file in which credentials are kept by default."""
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "containers" / "auth.json"


@pytest.fixture
def stdin(monkeypatch):
    """Set what standard input has."""

    def give(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    give(b"")
    return give


@pytest.mark.parametrize("path", ["", "/a/b"])
def test_a_user_that_the_registry_takes_is_kept(run, server, place, stdin, path):
    name = server.name + path
    ran = run("login", name, "-u", "ann", "-p", "p:w")
    assert (ran.code, ran.out, ran.err) == (0, f"{name}: logged in as ann; kept in {place}\n", "")
    assert DefaultCredentials(os.environ)(server.name, "a/b/c") == Credential(username="ann", password="p:w")
    assert server.sent[-2:] == [("/v2/", None), ("/v2/", Handler.taken)]
    assert list(json.loads(place.read_text())["auths"]) == [name]


@pytest.mark.parametrize("data", [b"p:w", b"p:w\n", b"p:w\r\n"])
def test_the_password_is_read_from_standard_input(run, server, place, stdin, data):
    stdin(data)
    ran = run("login", server.name, "-u", "ann", "--password-stdin", "--format", "json")
    assert ran.code == 0
    assert json.loads(ran.out) == {"registry": server.name, "username": "ann", "kept_in": str(place)}


def test_a_user_that_the_registry_refuses_is_not_kept(run, server, place, stdin):
    ran = run("login", server.name, "-u", "ann", "-p", "s3cret")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith(f"oci-layers: error: http://{server.name}/v2/: ")
    assert "s3cret" not in ran.err
    assert not place.exists()


def test_a_registry_that_is_not_there_is_an_error(run, server, place, stdin):
    ran = run("login", "127.0.0.1:1", "-u", "ann", "-p", "s3cret")
    assert (ran.code, ran.out) == (1, "")
    assert "s3cret" not in ran.err
    assert not place.exists()


def test_another_file_and_a_helper_keep_it_where_they_are_named(run, server, place, stdin, tmp_path, monkeypatch):
    program = CredentialHelper(tmp_path)
    monkeypatch.setenv("PATH", program.environ["PATH"])
    other = tmp_path / "other.json"
    other.write_text('{"credsStore": "test"}')
    ran = run("login", server.name, "-u", "ann", "-p", "p:w", "--authfile", other)
    assert (ran.code, ran.out) == (0, f"{server.name}: logged in as ann; kept in docker-credential-test\n")
    assert program.known == {server.name: ["ann", "p:w"]}
    assert not place.exists()


def test_the_user_that_is_kept_is_shown(run, place, stdin):
    store_credential("r.example", Credential(username="ann", password="s3cret"), environ=os.environ)
    assert run("login", "--get-login", "r.example/a").out == "ann\n"
    ran = run("login", "--get-login", "r.example", "--format", "json")
    assert json.loads(ran.out) == {"registry": "r.example", "username": "ann"}
    ran = run("login", "--get-login", "s.example")
    assert (ran.code, ran.out, ran.err) == (3, "", "oci-layers: error: s.example: not logged in\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-u", "ann"], "--password is needed where there is no terminal to ask"),
        (["-p", "x"], "--username is needed where there is no terminal to ask"),
        (["--password-stdin"], "--password-stdin needs --username"),
        (["-u", "ann", "-p", "x", "--password-stdin"], "--password-stdin and --password exclude each other"),
    ],
)
def test_what_is_missing_is_a_usage_error(run, place, stdin, arguments, reason):
    ran = run("login", "r.example", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(f"error: {reason}\n")


@pytest.mark.parametrize("name", ["https://r.example", "r.example/A", ""])
def test_what_is_no_registry_is_a_usage_error(run, place, stdin, name):
    ran = run("login", name, "-u", "ann", "-p", "s3cret")
    assert (ran.code, ran.out) == (2, "")
    assert "s3cret" not in ran.err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_what_is_not_given_is_asked_for(run, server, place, monkeypatch):
    asked = []
    monkeypatch.setattr(sys, "stdin", Terminal("ann\n"))
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "p:w")
    ran = run("login", server.name)
    assert (ran.code, ran.err, asked) == (0, "Username: ", ["Password: "])


@pytest.mark.peer("skopeo")
def test_what_skopeo_keeps_is_found(run, server, place, stdin):
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(place.parent.parent)}
    command = ["skopeo", "login", "--tls-verify=false", "-u", "ann", "-p", "p:w", f"{server.name}/a"]
    subprocess.run(command, check=True, capture_output=True, env=environ)
    assert run("login", "--get-login", f"{server.name}/a/b").out == "ann\n"
    assert run("logout", f"{server.name}/a").code == 0
    ended = subprocess.run([*command[:2], "--get-login", command[-1]], check=False, capture_output=True, env=environ)
    assert (ended.returncode, ended.stdout) == (1, b"")
