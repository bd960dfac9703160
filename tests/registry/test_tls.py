"""Certificates of certs.d, and what goes wrong with TLS."""

import shutil
import ssl

import pytest

from oci_layers.errors import RegistryError, UnreachableError
from oci_layers.registry import Request, Url, Urllib3Transport
from oci_layers.registry.tls import Certificates
from tests.support.certificates import Authority
from tests.support.http_server import NOW, STAY, Server, answer

pytestmark = pytest.mark.peer("openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def trusted(authority):
    return authority.server()


def get(url, tls, seconds=20):
    transport = Urllib3Transport(tls=tls, connect_timeout=seconds, read_timeout=seconds)
    try:
        with_answer = transport.send(Request(method="GET", url=Url.parse(url)))
        with_answer.close()
        return with_answer.status
    finally:
        assert not transport._pool._used
        transport.close()


def read_all(response):
    return b"".join(iter(lambda: response.body.read(1 << 20), b""))


def failure(url, tls, seconds=20):
    with pytest.raises(UnreachableError) as caught:
        get(url, tls, seconds)
    return caught.value


def test_a_server_of_a_known_authority_is_believed(authority, trusted):
    with Server(tls=trusted) as server:
        assert get(server.url, authority.client()) == 200
        assert get(server.url, lambda origin: authority.client() if origin.port == server.port else None) == 200


def test_a_server_of_an_unknown_authority_is_not_and_the_hint_says_where_its_certificate_goes(trusted):
    with Server(tls=trusted) as server:
        error = failure(server.url, None)
    assert error.place == server.url
    assert error.reason.startswith("certificate: unable to get local issuer certificate (")
    assert "certs.d" in error.reason
    assert (error.speaks_tls, error.was_sent) == (True, False)
    assert not server.received


def test_a_certificate_for_another_name_is_refused(authority):
    with Server(tls=authority.server(authority.pair("other", "DNS:other.example"))) as server:
        error = failure(server.url, authority.client())
    assert error.reason.startswith("certificate: IP address mismatch")
    assert "127.0.0.1" in error.reason


def test_a_certificate_that_has_expired_is_refused(authority):
    with Server(tls=authority.server(authority.expired_pair("old", "IP:127.0.0.1"))) as server:
        assert failure(server.url, authority.client()).reason == "certificate: certificate has expired"


def test_a_strict_check_that_fails_is_named(tmp_path):
    loose = Authority(tmp_path / "loose", extensions=())
    context = loose.client()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with Server(tls=loose.server()) as server:
        reason = failure(server.url, context).reason
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        assert get(server.url, context) == 200
    assert reason.startswith("certificate: CA cert does not include key usage extension (")
    assert "VERIFY_X509_STRICT" in reason


def test_a_context_that_checks_no_name_is_taken_as_it_is(authority):
    context = authority.client()
    context.check_hostname = False
    with Server(tls=authority.server(authority.pair("other", "DNS:other.example"))) as server:
        assert get(server.url, context) == 200


def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_not_believed():
    with Server([[[NOW, b"HTTP/1.0 400 Bad Request\r\n\r\nThis is an HTTPS server.\n"]]]) as server:
        error = failure(server.url.replace("http:", "https:"), None)
    assert (error.reason, error.speaks_tls, error.was_sent) == ("the server speaks no TLS", False, False)


def test_a_server_that_closes_in_the_handshake_may_speak_tls():
    with Server([[]]) as server:
        error = failure(server.url.replace("http:", "https:"), None)
    assert (error.speaks_tls, error.was_sent) == (True, False)
    assert error.reason == "the connection broke before there was an answer"


def test_a_server_that_stalls_in_the_handshake_is_given_up():
    with Server([[[NOW, STAY]]]) as server:
        error = failure(server.url.replace("http:", "https:"), None, 0.15)
    assert error.reason == "no answer within 0.15 s"
    assert error.speaks_tls


def test_a_client_certificate_is_shown_where_certs_d_has_one(authority, tmp_path):
    with Server(tls=authority.server(wants_client=True)) as server:
        directory = tmp_path / ".config/containers/certs.d" / f"127.0.0.1:{server.port}"
        directory.mkdir(parents=True)
        shutil.copy(authority.file, directory / "ca.crt")
        certificates = Certificates(environ={"HOME": str(tmp_path)})
        assert failure(server.url, certificates).reason == "the server wants a client certificate"
        certificate, key = authority.pair("client")
        shutil.copy(certificate, directory / "client.cert")
        shutil.copy(key, directory / "client.key")
        assert get(server.url, Certificates(environ={"HOME": str(tmp_path)})) == 200
        assert get(server.url, Certificates(directory)) == 200


NOR = ", or not that of a.key, or the key needs a password"


def trusts(certificates, url):
    """Return the common names of the private authorities that a server may have."""
    names = [
        dict(part[0] for part in one["subject"])["commonName"]
        for one in certificates(url).get_ca_certs()
        if dict(part[0] for part in one["subject"]).get("commonName", "").startswith("Test ")
    ]
    return sorted(names)


def test_the_first_directory_of_a_server_counts(tmp_path, monkeypatch):
    system_wide = tmp_path / "etc"
    monkeypatch.setattr("oci_layers.registry.tls._PLACES", (str(system_wide),))
    home = tmp_path / "home"
    user = home / ".config/containers/certs.d"
    for place, host in [(user, "a"), (system_wide, "a"), (system_wide, "b:5000"), (user, "docker.io"), (user, "c:443")]:
        (place / host).parent.mkdir(parents=True, exist_ok=True)
        Authority(place / host, f"Test {place.name} {host}")
        (place / host / "ca.key").unlink()
    (user / "d").write_text("no directory")
    (user / "e").mkdir()
    certificates = Certificates(environ={"HOME": str(home)})
    rows = {
        "https://a": ["Test certs.d a"],
        "https://b:5000": ["Test etc b:5000"],
        "https://b": [],
        "https://a:5000": [],
        "https://registry-1.docker.io": ["Test certs.d docker.io"],
        "https://c": ["Test certs.d c:443"],
        "https://d": [],
        "https://e": [],
    }
    assert {url: trusts(certificates, Url.parse(url).origin) for url in rows} == rows
    assert certificates(Url.parse("https://a/x").origin) is certificates(Url.parse("https://a/y").origin)
    assert trusts(Certificates(), Url.parse("https://a").origin) == ["Test etc a"]
    assert trusts(Certificates(user / "a"), Url.parse("https://z").origin) == ["Test certs.d a"]


@pytest.mark.parametrize(
    ("files", "place", "reason"),
    [
        ({"a.cert": b""}, "a.cert", "a.key is missing (the certificate of a CA is named *.crt)"),
        ({"a.key": b""}, "a.key", "a.cert is missing"),
        ({"a.crt": b"no PEM"}, "a.crt", "it holds no certificate"),
        (
            {"a.cert": b"no", "a.key": b"PEM"},
            "a.cert",
            f"it holds no certificate{NOR}",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, files, place, reason):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(RegistryError) as caught:
        Certificates(tmp_path)(Url.parse("https://a").origin)
    assert (caught.value.place, caught.value.reason) == (str(tmp_path / place), reason)


def test_a_key_with_a_password_asks_nobody(tmp_path, authority):
    certificate, key = authority.pair("locked")
    shutil.copy(certificate, tmp_path / "a.cert")
    authority._openssl("ec", "-in", str(key), "-aes128", "-passout", "pass:secret", "-out", str(tmp_path / "a.key"))
    with pytest.raises(RegistryError, match="the key needs a password"):
        Certificates(tmp_path)(Url.parse("https://a").origin)


def test_a_named_directory_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(RegistryError) as caught:
        Certificates(tmp_path / "none")(Url.parse("https://a").origin)
    assert (caught.value.place, caught.value.reason) == (str(tmp_path / "none"), "No such file or directory")


def test_insecure_takes_any_certificate(trusted):
    with Server(tls=trusted) as server:
        assert get(server.url, Certificates(insecure=True)) == 200


def test_the_body_of_an_answer_comes_over_tls(authority, trusted):
    data = bytes(range(256)) * 2000
    with Server([[answer(200, data), answer(200, data)]], tls=trusted) as server:
        transport = Urllib3Transport(tls=authority.client(), read_timeout=20)
        for _ in range(2):
            response = transport.send(Request(method="GET", url=Url.parse(server.url)))
            assert read_all(response) == data
        transport.close()
    assert [one.connection for one in server.received] == [0, 0]
