"""Certificates for tests, made by openssl for a day: an authority, and servers and clients that it vouches for."""

import ssl
import subprocess

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
_LEDGER = """
[ca]
default_ca = ledger
[ledger]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = policy
rand_serial = yes
copy_extensions = copy
[policy]
commonName = supplied
"""


class Authority:
    """A certificate authority in a directory. `file` is its certificate."""

    def __init__(self, directory, name="Test CA", extensions=("keyUsage=critical,keyCertSign",)):
        self._directory = directory
        directory.mkdir()
        self.file = directory / "ca.crt"
        self._openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.crt", *_subject(name, extensions))

    def pair(self, name, *hosts):
        """Return the files of a certificate for hosts (`DNS:name`, `IP:address`), and of its key."""
        extensions = ["basicConstraints=critical,CA:FALSE"]
        if hosts:
            extensions.append(f"subjectAltName={','.join(hosts)}")
        self._openssl(
            *("req", "-x509", *_KEY, "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "1"),
            *("-keyout", f"{name}.key", "-out", f"{name}.crt", *_subject(name, extensions)),
        )
        return self._directory / f"{name}.crt", self._directory / f"{name}.key"

    def expired_pair(self, name, *hosts):
        """Return the files of a certificate that was good for a day in 2020, and of its key."""
        request = _subject(name, [f"subjectAltName={','.join(hosts)}"])
        self._openssl("req", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", *request)
        (self._directory / "ledger").write_text(_LEDGER)
        (self._directory / "index.txt").touch()
        self._openssl(
            *("ca", "-batch", "-config", "ledger", "-cert", "ca.crt", "-keyfile", "ca.key", "-notext"),
            *("-in", f"{name}.csr", "-out", f"{name}.crt", "-startdate", "200101000000Z", "-enddate", "200102000000Z"),
        )
        return self._directory / f"{name}.crt", self._directory / f"{name}.key"

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self._directory, check=True, capture_output=True, timeout=30)

    def server(self, pair=None, *, wants_client=False):
        """Return what a server of `localhost` and `127.0.0.1` needs, or one that shows another pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(pair or self.pair("server", "DNS:localhost", "IP:127.0.0.1")))
        if wants_client:
            context.load_verify_locations(self.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self):
        """Return what a client needs that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.file))


def _subject(name, extensions):
    return ["-subj", f"/CN={name}", *(part for one in extensions for part in ("-addext", one))]
