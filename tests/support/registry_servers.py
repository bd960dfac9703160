"""Debian's docker-registry on free ports of the loopback, as context managers, and a token server for it.

`plain`, `with_passwords` (TLS and htpasswd), `with_tokens` and `mirror_of` each yield a `Registry` that runs for the
time of the block, with its storage in a directory that is removed afterwards.
"""

import base64
import contextlib
import http.server
import json
import os
import re
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import attrs

from oci_layers.registry import Credential, Urllib3Transport
from oci_layers.registry.retry import Retries
from oci_layers.registry.session import RegistrySession
from oci_layers.registry.tls import Certificates
from oci_layers.store.registry import RegistryRepository
from tests.support.broken_transport import Tapped
from tests.support.certificates import Authority

USER, PASSWORD = "ann", "secret"
_HTPASSWD = "ann:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"
"""What `htpasswd -Bb` prints, with the fewest rounds: crypt.crypt("secret", "$2y$04$abcdefghijklmnopqrstuu")."""
_IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""Where the storage is, which has a directory for everything. The driver `inmemory` loses lists of tags."""
_SERVICE, _ISSUER = "test-registry", "test-issuer"


@attrs.define
class Registry:
    """A registry that runs."""

    host: str
    """As references have it."""
    wants_login: bool = False
    certificates: Path | None = None
    """The directory of the certificate that clients must trust; None if it speaks no TLS."""
    tokens: "TokenServer | None" = None
    transport: Urllib3Transport = attrs.field(init=False)
    """Connections, which all sessions share."""

    def __attrs_post_init__(self):
        trusted = Certificates(self.certificates) if self.certificates else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.transport = Urllib3Transport(tls=trusted)

    @contextlib.contextmanager
    def session(self, *, transport=None, credentials=None, **broken):
        """A session of the user; its `tap` keeps what was sent."""
        own = Credential(username=USER, password=PASSWORD) if self.wants_login else lambda _domain, _path: None
        tap = Tapped(transport or self.transport, **broken)
        retries = Retries(attempts=2, first=0.01)
        with RegistrySession(transport=tap, environ={}, credentials=credentials or own, retries=retries) as made:
            made.tap = tap
            yield made

    def repository(self, name, session):
        """A repository, as a place."""
        return RegistryRepository(f"{self.host}/{name}", session=session)

    def flags(self, side="", *, login=True):
        """What skopeo and buildah need to know: options whose names begin with `side`."""
        trust = [f"--{side}tls-verify=false"] if self.certificates is None else [f"--{side}cert-dir", self.certificates]
        return [*trust, *([f"--{side}creds", f"{USER}:{PASSWORD}"] if self.wants_login and login else [])]


@contextlib.contextmanager
def plain(**config):
    """A registry that speaks plain HTTP and lets everybody do everything."""
    with _serving(config) as host, _open(Registry(host)) as registry:
        yield registry


@contextlib.contextmanager
def with_passwords():
    """A registry that speaks TLS, and knows one user by a password."""
    with tempfile.TemporaryDirectory(prefix="oci-layers-test-") as name:
        here = Path(name)
        authority = Authority(here / "authority")
        certificate, key = authority.pair("server", "IP:127.0.0.1", "DNS:localhost")
        (here / "trusted").mkdir()
        (here / "trusted/ca.crt").write_bytes(authority.file.read_bytes())
        (here / "htpasswd").write_text(_HTPASSWD)
        http = {"tls": {"certificate": str(certificate), "key": str(key)}}
        auth = {"htpasswd": {"realm": "basic-realm", "path": str(here / "htpasswd")}}
        with (
            _serving({"http": http, "auth": auth}) as host,
            _open(Registry(host, wants_login=True, certificates=here / "trusted")) as registry,
        ):
            yield registry


@contextlib.contextmanager
def with_tokens():
    """A registry that wants tokens of a server that knows one user."""
    with tempfile.TemporaryDirectory(prefix="oci-layers-test-") as name:
        authority = Authority(Path(name) / "authority")
        with TokenServer(*authority.pair("tokens")) as tokens:
            token = {"realm": tokens.realm, "service": _SERVICE, "issuer": _ISSUER}
            token["rootcertbundle"] = str(authority.file)
            with (
                _serving({"auth": {"token": token}}) as host,
                _open(Registry(host, wants_login=True, tokens=tokens)) as registry,
            ):
                yield registry


@contextlib.contextmanager
def mirror_of(registry):
    """A pull-through cache of a plain registry: it reads there what it does not have, and takes nothing."""
    with plain(proxy={"remoteurl": f"http://{registry.host}"}) as mirror:
        yield mirror


@contextlib.contextmanager
def _open(registry):
    try:
        yield registry
    finally:
        registry.transport.close()


@contextlib.contextmanager
def _serving(config):
    """Run a registry; yield its host."""
    with tempfile.TemporaryDirectory(prefix="oci-layers-test-", dir=_IN_MEMORY) as name:
        here = Path(name)
        whole = {
            **config,
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(here / "storage")}, "delete": {"enabled": True}},
            "http": {"addr": "127.0.0.1:0", "secret": "for uploads", **config.get("http", {})},
        }
        (here / "config.yml").write_text(json.dumps(whole))  # JSON is YAML.
        with (here / "messages").open("wb") as messages:
            server = subprocess.Popen(["docker-registry", "serve", here / "config.yml"], stderr=messages, env={})
        try:
            yield _address(server, here / "messages")
        finally:
            server.kill()
            server.wait(10)


def _address(server, messages):
    """Wait until a registry says where it listens."""
    for _ in range(1000):
        if found := re.search(r'listening on ([0-9.:]+)[,"]', messages.read_text()):
            return found[1]
        assert server.poll() is None, messages.read_text()
        time.sleep(0.01)
    raise AssertionError(messages.read_text())


class TokenServer:
    """A server of tokens as docker's registry wants them (ES256), which lets one user do what is asked for.

    Its next tokens have the `faults`, one each: `expired`, `narrow` (to pull alone). `asked` has the scopes and the
    user of each request.
    """

    def __init__(self, certificate, key):
        self.faults = []
        self.asked = []
        self._key = key
        self._certificate = "".join(certificate.read_text().split("-----")[2].split())
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.realm = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self):
        answer = self._answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = parse_qs(urlsplit(self.path).query)
                status, document = answer(query, self.headers.get("Authorization"))
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def _answer(self, query, authorization):
        user = None
        if authorization is not None:
            user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            if (user, password) != (USER, PASSWORD):
                return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
        scopes = [scope for text in query.get("scope", ()) for scope in text.split()]
        self.asked.append((scopes, user))
        fault = self.faults.pop(0) if self.faults else None
        access = [] if user is None else [_granted(scope, is_narrow=fault == "narrow") for scope in scopes]
        return 200, {"token": self._token(access, -600 if fault == "expired" else 300), "expires_in": 300}

    def _token(self, access, life):
        now = int(time.time())
        claims = {"iss": _ISSUER, "sub": USER, "aud": _SERVICE, "exp": now + life, "nbf": now - 900, "iat": now - 900}
        head = {"typ": "JWT", "alg": "ES256", "x5c": [self._certificate]}
        text = b".".join(
            _base64(json.dumps(part).encode()) for part in (head, {**claims, "jti": "1", "access": access})
        )
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self._key], input=text, capture_output=True, check=True
        )
        return (text + b"." + _base64(_raw_signature(signed.stdout))).decode()


def _granted(scope, *, is_narrow):
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": ["pull"] if is_narrow else actions.split(",")}


def _raw_signature(der):
    """The two numbers of a signature, each in 32 bytes (RFC 7518, 3.4), of its DER: 30 .. 02 n r 02 n s."""
    middle = 4 + der[3]
    numbers = der[4:middle], der[middle + 2 :]
    return b"".join(int.from_bytes(each, "big").to_bytes(32, "big") for each in numbers)


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
